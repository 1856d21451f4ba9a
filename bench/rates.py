"""Rate counters of a million clients: their memory, the time of a count, and the time when idle.

For comparison, the storage of the library ``limits``, which was used before, is measured in a
separate process, with as many clients as take about a minute.
"""

import argparse
import asyncio
import resource
import subprocess
import sys
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.storefront.access.rates import Rates
from services.storefront.problems import TooMany
from services.storefront.settings import PageSettings

PARTS = 10
IDLE_SECONDS = 5.0


def main() -> None:
    """Measure both, each in a separate process so that their memory can be told apart."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--clients", type=int, default=1_000_000)
    options.add_argument(
        "--before", type=int, default=100_000, help="clients of the storage before"
    )
    options.add_argument("--only", choices=("ours", "before"), help=argparse.SUPPRESS)
    said = options.parse_args()
    if said.only == "ours":
        asyncio.run(ours(said.clients))
    elif said.only == "before":
        before(said.before)
    else:
        for which in ("ours", "before"):
            given = ["--clients", str(said.clients), "--before", str(said.before)]
            subprocess.run(
                [sys.executable, "-m", "bench.rates", "--only", which, *given], check=True
            )


async def ours(clients: int) -> None:
    """Counts of IPv4 and then of IPv6 clients, one each."""
    held = _megabytes()
    rates = Rates(PageSettings())
    for family, address in (("IPv4", _ipv4), ("IPv6", _ipv6)):
        refused, costs = 0, []
        for part in range(PARTS):
            began = time.process_time()
            for number in range(part * clients // PARTS, (part + 1) * clients // PARTS):
                try:
                    await rates.count("reads", address(number))
                except TooMany:
                    refused += 1
            costs.append((time.process_time() - began) / (clients / PARTS) * 1e6)
        print(
            f"ours, {clients:,} {family} clients: {costs[0]:.1f} µs a count in the first tenth,"
            f" {costs[-1]:.1f} µs in the last, {_megabytes() - held:.1f} MB more, {refused} refused"
        )
    print(f"ours, idle: {await _idle() * 100:.2f} % of a core")


def before(clients: int) -> None:
    """The same with the storage of ``limits``."""
    held = _megabytes()
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
    limit = RateLimitItemPerMinute(600)
    began = time.process_time()
    for number in range(clients):
        limiter.hit(limit, "reads", _ipv4(number))
    cost = (time.process_time() - began) / clients * 1e6
    print(f"before, {clients:,} IPv4 clients: {cost:.1f} µs a count, {_megabytes() - held:.1f} MB")
    # This storage searches all names as long as anybody is counted.
    busy, ends = time.process_time(), time.monotonic() + IDLE_SECONDS
    while time.monotonic() < ends:
        limiter.hit(limit, "reads", "192.0.2.1")
        time.sleep(0.01)
    share = (time.process_time() - busy) / IDLE_SECONDS
    print(f"before, a hundred counts a second: {share * 100:.1f} % of a core")


async def _idle() -> float:
    began = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    return (time.process_time() - began) / IDLE_SECONDS


def _ipv4(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _ipv6(number: int) -> str:
    """Clients in many networks, as most clients of one /32 would be refused."""
    return f"{0x2400 + (number & 255):04x}:{number >> 8 & 65535:04x}:0000:0000"


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
