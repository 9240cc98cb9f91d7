"""Summarises the measurements. Every worker keeps the whole table in memory, as data scripts do."""
import argparse
from concurrent.futures import ProcessPoolExecutor

MEGABYTES = 90
table = None


def load():
    """The table: MEGABYTES of touched memory of each worker's own."""
    global table
    table = bytearray(b"\x01") * (MEGABYTES << 20)


def part(index, count):
    size = len(table) // count
    return sum(table[index * size:(index + 1) * size:4096])


def summarise(workers):
    with ProcessPoolExecutor(workers, initializer=load) as pool:
        parts = [pool.submit(part, index, workers) for index in range(workers)]
        return sum(p.result() for p in parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    total = summarise(parser.parse_args().workers)
    with open("report.txt", "w") as out:
        out.write(f"pages: {total}\n")
    print(f"report.txt written, {total} pages")
