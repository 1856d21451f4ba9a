"""Compares the auction's rules with the oracle over any number of seeds."""

import argparse
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from .running import Way, check, history_of, told, way_of

#: So many seeds go to a process at a time.
BATCH = 250


def differing(first: int, end: int) -> list[tuple[int, list[str]]]:
    """The seeds of a range whose runs differ, with their differences."""
    from services.auction_service.processor import PROCESSORS

    found = []
    for seed in range(first, end):
        way = way_of(seed)
        lines = check(PROCESSORS, history_of(seed, way), way)
        if lines:
            found.append((seed, lines))
    return found


def tell(seed: int, lines: list[str]) -> None:
    """Print a seed's differences and history."""
    way: Way = way_of(seed)
    print(told(seed, way, history_of(seed, way), lines))


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that the command names; 1 if any differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first of them")
    parser.add_argument("--processes", type=int, default=1, help="how many work at it")
    parser.add_argument("--all", action="store_true", help="go on after a difference, and count")
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    starts = range(given.first, given.first + given.seeds, BATCH)
    ends = [min(start + BATCH, given.first + given.seeds) for start in starts]
    found: list[tuple[int, list[str]]] = []
    done = 0
    with ProcessPoolExecutor(given.processes) as pool:
        run = map if given.processes == 1 else pool.map
        for start, end, differs in zip(starts, ends, run(differing, starts, ends), strict=True):
            done += end - start
            found += differs
            if found and not given.all:
                break
        pool.shutdown(cancel_futures=True)
    seconds = time.perf_counter() - started
    if found:
        tell(*found[0])
        print()
    if given.all:
        for kind, count in Counter(kind_of(lines[0]) for _, lines in found).most_common():
            print(f"{count:>8} {kind}")
        print("seeds that differ:", *(seed for seed, _ in found[:40]))
    print(
        f"{done} seeds, {len(found)} differ; {seconds:.1f} s,"
        f" {seconds / done * 1000:.2f} ms each, {done / seconds:.0f}/s"
    )
    return 1 if found else 0


def kind_of(line: str) -> str:
    """What a difference is about, without the ids in it."""
    return re.sub(r"\b[A-Za-z-]*\d\S*|'[osb]\S*'|o-\w+", "…", line)[:100]


if __name__ == "__main__":
    sys.exit(main())
