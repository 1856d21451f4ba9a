"""How fast ``order_service`` folds a backlog, at what cost, and how soon a live order counts.

Everything is real: Apache Kafka, transactions, pydantic validation, one worker process. A backlog
is written before the worker starts, into groups that it has opened before; time runs from when it
is ready to the last commit.
"""

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer

from bench.workers import committed, settings_on, usage, wait_for, worker_on
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.records import OutputRecord, Partitioner, as_record, encode, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.groups import GROUP_PURCHASES, GroupPurchase
from schemas.orders import ORDERS, PURCHASES, OrderPaid
from schemas.parts import Product
from stack import brokers

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 20_000


@dataclass(frozen=True)
class Load:
    """``orders`` orders, dealt in turn to ``groups`` groups of ``members`` members each."""

    orders: int
    groups: int
    members: int


@dataclass(frozen=True)
class Figures:
    """One run; seconds, megabytes. Start-up is not in them."""

    load: Load
    seconds: float
    cpu_seconds: float
    peak_mb: float

    def line(self) -> str:
        """For people."""
        per_million = self.cpu_seconds / self.load.orders * 1e6
        return (
            f"{self.load.orders:>9,} orders in {self.load.groups:>7,} groups of"
            f" {self.load.members:>7,}: {self.load.orders / self.seconds:>8,.0f} orders/s,"
            f" {per_million:5.1f} CPU s/million, peak {self.peak_mb:.0f} MB"
        )


def group_ids(load: Load) -> list[str]:
    """The groups' ids."""
    return [derive(f"bench-{number}") for number in range(load.groups)]


def group(group_id: str, now: datetime) -> GroupPurchase:
    """An open group, far from its end."""
    return GroupPurchase(
        group_id=group_id,
        request_id=f"r-{group_id}",
        version=1,
        requested_at=now,
        issued_at=now,
        product=Product(name="tea"),
        number_of_products=10**9,
        unit_price=1_000,
        currency="EUR",
        opens_at=now,
        closes_at=now + timedelta(days=365),
    )


def order(number: int, group_id: str, member: int, at: datetime) -> OrderPaid:
    """The ``number``-th order."""
    return OrderPaid(
        order_id=f"o-{number}",
        source="bench",
        group_id=group_id,
        member_id=f"m-{member}",
        quantity=1 + number % 3,
        unit_price=1_000,
        currency="EUR",
        ordered_at=at,
    )


async def write(settings: Settings, load: Load, *, groups: bool) -> None:
    """Write the groups' terms, or the orders, a millisecond apart."""
    ids = group_ids(load)
    partitioner = Partitioner(settings.partitions)
    sender = producer(settings)
    await sender.start()

    def record(number: int) -> OutputRecord:
        turn, index = divmod(number, load.groups)
        at = BEGINS if groups else BEGINS + timedelta(milliseconds=number)
        topic = GROUP_PURCHASES if groups else ORDERS
        message = (
            group(ids[index], at) if groups else order(number, ids[index], turn % load.members, at)
        )
        return as_record(message, settings.topic(topic.name), partitioner, milliseconds(at))

    count = load.groups if groups else load.orders
    try:
        for start in range(0, count, CHUNK):
            numbers = range(start, min(start + CHUNK, count))
            await send(sender, [record(number) for number in numbers])
    finally:
        await sender.stop()


def run_backlog(settings: Settings, load: Load, folder: Path) -> Figures:
    """Open the groups; write a backlog; start a worker on it and watch until all is committed."""
    asyncio.run(create_topics(settings))
    asyncio.run(write(settings, load, groups=True))
    with worker_on(settings, "order_service", folder) as (worker, port):
        wait_for(worker, port, GROUP_PURCHASES, load.groups)
    asyncio.run(write(settings, load, groups=False))
    with worker_on(settings, "order_service", folder) as (worker, port):
        began, before = time.monotonic(), usage(worker.pid)[0]
        wait_for(worker, port, ORDERS, load.orders)
        seconds = time.monotonic() - began
        cpu, peak = usage(worker.pid)
    return Figures(load, seconds, cpu - before, peak)


async def latencies(settings: Settings, port: int, seconds: int, rate: int) -> list[float]:
    """From an order's produce call to the committed row that a reader sees, in milliseconds."""
    load = Load(orders=rate * seconds, groups=100, members=10**6)
    ids = group_ids(load)
    now = datetime.now(UTC)
    sender = producer(settings)
    reader = AIOKafkaConsumer(
        settings.topic(PURCHASES.name),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=10,
    )
    await sender.start()
    await reader.start()
    produced: dict[str, float] = {}
    seen: dict[str, float] = {}

    async def feed() -> None:
        for group_id in ids:
            opened = group(group_id, now)
            await sender.send(GROUP_PURCHASES.name, encode(opened), group_id.encode())
        # Another process can only be asked.
        while committed(port, GROUP_PURCHASES) < len(ids):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        began = time.monotonic()
        for number in range(load.orders):
            if number % 10 == 0:
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            placed = order(number, ids[number % len(ids)], number, datetime.now(UTC))
            produced[placed.member_id] = time.monotonic()
            await sender.send(ORDERS.name, encode(placed), placed.group_id.encode())

    async def watch() -> None:
        while len(seen) < load.orders:
            for records in (await reader.getmany(timeout_ms=200)).values():
                arrived = time.monotonic()
                for record in records:
                    _, _, member = record.key.decode().partition("/member/")
                    if member:
                        seen.setdefault(member, arrived)

    try:
        await asyncio.wait_for(asyncio.gather(feed(), watch()), seconds + 120)
    finally:
        await sender.stop()
        await reader.stop()
    # The first second is the producer's and the broker's warm-up.
    return sorted((seen[member] - at) * 1e3 for member, at in list(produced.items())[rate:])


def run_latency(settings: Settings, folder: Path, seconds: int, rate: int) -> str:
    """A worker on an empty log, orders at a steady rate."""
    asyncio.run(create_topics(settings))
    with worker_on(settings, "order_service", folder) as (worker, port):
        taken = asyncio.run(latencies(settings, port, seconds, rate))
        cpu, peak = usage(worker.pid)
    p50, p99 = statistics.median(taken), taken[int(len(taken) * 0.99)]
    return (
        f"steady {rate:,}/s for {seconds} s: produce to committed p50 {p50:.0f} ms,"
        f" p99 {p99:.0f} ms; {cpu:.1f} CPU s, peak {peak:.0f} MB"
    )


def main(
    backlog: Annotated[list[str] | None, typer.Option(help="ORDERSxGROUPSxMEMBERS")] = None,
    latency: Annotated[bool, typer.Option(help="Measure latency too.")] = True,
    seconds: Annotated[int, typer.Option(help="Of the steady load.")] = 20,
    rate: Annotated[int, typer.Option(help="Orders a second.")] = 1_000,
    runs: Annotated[int, typer.Option(help="Of each backlog.")] = 1,
) -> None:
    """Print the figures; see ARCHITECTURE.md for what they were elsewhere."""
    wanted = backlog or ["300000x500x1000000", "2000000x500x1000000", "300000x100000x1000000"]
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            for number, text in enumerate(wanted * runs):
                load = Load(*(int(part) for part in text.split("x")))
                settings = settings_on(broker, folder, f"b{number}-", "log")
                print(run_backlog(settings, load, folder).line(), flush=True)
            if latency:
                settings = settings_on(broker, folder, "", "wall")
                print(run_latency(settings, folder, seconds, rate))
        finally:
            broker.stop()


if __name__ == "__main__":
    typer.run(main)
