"""Summarises the measurements. Each worker holds the whole table in memory, as data scripts do."""
import argparse
from concurrent.futures import ProcessPoolExecutor

MEGABYTES = 90


def load():
    """The table: MEGABYTES of touched memory, not shared with the other workers."""
    return bytearray(b"\x01") * (MEGABYTES << 20)


def part(args):
    index, count = args
    table = load()
    size = len(table) // count
    return sum(table[index * size:(index + 1) * size:4096])


def summarise(workers):
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(part, [(i, workers) for i in range(workers)]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    total = summarise(parser.parse_args().workers)
    with open("report.txt", "w") as out:
        out.write(f"pages: {total}\n")
    print(f"report.txt written, {total} pages")
