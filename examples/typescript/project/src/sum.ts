export function sum(a: number, b: number): number {
  return a - b;
}

export function total(values: readonly number[]): number {
  return values.reduce(sum, 0);
}
