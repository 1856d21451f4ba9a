"""From an order to the counts on open pages; and 5,000 open pages on one process.

Everything is real: Apache Kafka with transactions, order_service, projector and web process, each a
process of its own, on the same machine as the load. Orders come at a steady rate from this process.
Streams are read by another one (see ``streams``), which notes when which quantity came; both clocks
are the machine's monotonic one. Every order is one unit, so the n-th order of a group is seen by a
stream with the first event whose quantity is at least n: one measurement for each order and stream.
Late sending would hide latency, so an order's time runs from when it was due.
"""

import asyncio
import math
import multiprocessing
import os
import sys
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.orders import group, order
from bench.streams import Streams, raise_file_limit
from bench.workers import settings_on, start_worker, usage, wait_for, worker_on
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.ports import free_port
from runtime.records import Partitioner, as_record, encode, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.groups import GROUP_PURCHASES
from schemas.orders import ORDERS
from stack import brokers

P99_MS_MAX = 250.0
#: Orders before this are left out: producer, broker (its JVM compiles) and processes warm up.
WARM_UP_SECONDS = 5.0
HEARTBEAT_SECONDS = 15
MANY = 5_000
QUANTITY = b'"quantity":'


# --- streams, in a process of their own ----------------------------------------------------------


def read_streams(pipe: Connection, port: int, paths: list[str]) -> None:
    """Open streams, say so, read until told to end, and hand over what was heard when."""
    raise_file_limit()
    heard: list[tuple[int, float, int]] = []

    def note(number: int, data: bytes, at: float) -> None:
        begins = data.rfind(QUANTITY)
        if begins >= 0:
            begins += len(QUANTITY)
            heard.append((number, at, int(data[begins : data.index(b",", begins)])))

    streams = Streams(port, paths, note)
    pipe.send(streams.open())
    while pipe.recv() == "alive":
        now = time.monotonic()
        silent = sum(1 for at in streams.last_at if now - at > HEARTBEAT_SECONDS + 2)
        pipe.send((streams.alive, silent))
    streams.close()
    pipe.send((heard, streams.cpu_seconds))


class Watching:
    """Open streams."""

    def __init__(self, port: int, paths: list[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=read_streams, args=(theirs, port, paths))
        self._process.start()
        self.opened_seconds: float = self._pipe.recv()

    def alive(self) -> tuple[int, int]:
        """How many are open, and how many heard nothing within a heartbeat."""
        self._pipe.send("alive")
        return tuple(self._pipe.recv())

    def end(self) -> tuple[list[tuple[int, float, int]], float]:
        """Stream, time and quantity of each event, in order; and the reader's CPU seconds."""
        self._pipe.send("end")
        found = self._pipe.recv()
        self._process.join()
        return found


# --- load ----------------------------------------------------------------------------------------


@dataclass
class Sent:
    """When each group's orders were due, and by how much the sender was late at worst."""

    due_at: dict[str, list[float]]
    latest: float


async def open_groups(settings: Settings, ids: list[str]) -> None:
    """Their terms; who orders is anyone."""
    now, partitioner = datetime.now(UTC), Partitioner(settings.partitions)
    sender = producer(settings)
    await sender.start()
    try:
        name = settings.topic(GROUP_PURCHASES.name)
        opened = (group(group_id, now) for group_id in ids)
        await send(
            sender, [as_record(each, name, partitioner, milliseconds(now)) for each in opened]
        )
    finally:
        await sender.stop()


async def send_orders(
    settings: Settings, ids: list[str], rate: int, count: int, first: int
) -> Sent:
    """Orders of one unit, one by one at their times, by members of their own."""
    sender = producer(settings)
    await sender.start()
    sent = Sent({group_id: [] for group_id in ids}, 0.0)
    name, began = settings.topic(ORDERS.name), time.monotonic() + 0.1
    try:
        for number in range(count):
            due = began + number / rate
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            sent.latest = max(sent.latest, time.monotonic() - due)
            group_id = ids[number % len(ids)]
            placed = order(first + number, group_id, first + number, datetime.now(UTC))
            placed = placed.model_copy(update={"quantity": 1})
            sent.due_at[group_id].append(due)
            await sender.send(name, encode(placed), group_id.encode())
        await sender.flush()
    finally:
        await sender.stop()
    return sent


def delays(
    sent: Sent, heard: list[tuple[int, float, int]], watched: list[str]
) -> tuple[Counter[int], int]:
    """Milliseconds from each order to each stream of its group, by frequency; and those missing."""
    taken: Counter[int] = Counter()
    begins = min(due[0] for due in sent.due_at.values() if due) + WARM_UP_SECONDS
    seen = [0] * len(watched)
    for number, at, quantity in heard:
        due_at = sent.due_at[watched[number]]
        for due in due_at[seen[number] : quantity]:
            if due >= begins:
                taken[int((at - due) * 1_000)] += 1
        seen[number] = max(seen[number], quantity)
    missing = sum(
        len(sent.due_at[group_id]) - seen[number] for number, group_id in enumerate(watched)
    )
    return taken, missing


def percentile(taken: Counter[int], share: float) -> int:
    """Of frequencies."""
    values = sorted(taken)
    sums, total = [], 0
    for value in values:
        total += taken[value]
        sums.append(total)
    return values[bisect_right(sums, share * total - 1)]


# --- runs ----------------------------------------------------------------------------------------


@dataclass
class Page:
    """The web process."""

    port: int
    ops_port: int
    pid: int

    def memory(self) -> float:
        """Resident MB now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * 4_096 / 1e6

    def delays(self) -> dict[float, float]:
        """States by the seconds from their cause to this process, at most; cumulated."""
        lines = httpx.get(f"http://127.0.0.1:{self.ops_port}/metrics").text.splitlines()
        name = 'storefront_live_delay_seconds_bucket{le="'
        found = (line.removeprefix(name).split('"} ') for line in lines if line.startswith(name))
        return {float(most): float(count) for most, count in found}

    def cpu(self) -> float:
        """Seconds so far."""
        return usage(self.pid)[0]


@contextmanager
def page_on(settings: Settings, folder: Path, module: str) -> Iterator[Page]:
    """The web process, ready; limits for one address are out of the way."""
    port, ops_port = free_port(), free_port()
    more = {
        "WEB_PORT": str(port),
        "CONNECTIONS_PER_ADDRESS": "0",
        "LINK_SECRET": "only for this run, and long enough",
        "READS_PER_MINUTE": "1000000",
        "STREAMS_PER_ADDRESS": "100000",
    }
    process = start_worker(settings, module, ops_port, folder / "page.log", **more)
    try:
        ends = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{ops_port}/readyz").is_success:
                    break
            except httpx.HTTPError:
                pass
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit((folder / "page.log").read_text()[-2_000:])
            time.sleep(0.05)
        yield Page(port, ops_port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def run_rate(
    settings: Settings, page: Page, ids: list[str], streams: int, rate: int, seconds: int
) -> int:
    """Orders at a steady rate into open streams; prints two lines, returns the p99."""
    watched = [ids[number % len(ids)] for number in range(streams)]
    watching = Watching(page.port, [f"/groups/{group_id}/events" for group_id in watched])
    others, before = os.getloadavg()[0], page.delays()
    cpu, own, began = page.cpu(), time.process_time(), time.monotonic()
    sent = asyncio.run(send_orders(settings, ids, rate, rate * seconds, first=0))
    took, own = time.monotonic() - began, time.process_time() - own
    time.sleep(2)
    cpu = page.cpu() - cpu
    states = {most: count - before[most] for most, count in page.delays().items()}
    heard, reader_cpu = watching.end()
    taken, missing = delays(sent, heard, watched)
    p50, p99 = percentile(taken, 0.5), percentile(taken, 0.99)
    print(
        f"{rate} orders/s into {len(ids)} group(s), {streams:,} streams: order to event p50"
        f" {p50} ms, p99 {p99} ms, worst {max(taken)} ms; {len(heard) / took:,.0f} events/s,"
        f" {missing} orders unseen"
    )
    to_page = [
        min((most for most, count in states.items() if count >= share * states[math.inf]))
        for share in (0.5, 0.99)
    ]
    print(
        f"  of that up to the page's process (broker, order_service; the newest order of a state):"
        f" p50 at most {to_page[0] * 1e3:.0f} ms, p99 at most {to_page[1] * 1e3:.0f} ms;"
        f" load average before: {others:.1f}"
    )
    print(
        f"  of a core: page {cpu / took:.0%}, reader {reader_cpu / took:.0%}, sender"
        f" {own / took:.0%}; the sender was at most {sent.latest * 1e3:.0f} ms late",
        flush=True,
    )
    return p99 if not missing else sys.maxsize


def run_many(settings: Settings, page: Page, group_id: str) -> bool:
    """Open many streams on one group; whether all stay, are pinged, and hear of one order."""
    before, cpu = page.memory(), page.cpu()
    watching = Watching(page.port, [f"/groups/{group_id}/events"] * MANY)
    print(
        f"{MANY:,} streams opened in {watching.opened_seconds:.1f} s, {page.cpu() - cpu:.1f} CPU s;"
        f" {page.memory() - before:.0f} MB more, {page.memory():.0f} MB in all",
        flush=True,
    )
    cpu = page.cpu()
    time.sleep(2 * HEARTBEAT_SECONDS + 3)
    alive, silent = watching.alive()
    print(
        f"  after two heartbeats {alive:,} alive, {silent} without one; CPU of a core"
        f" {(page.cpu() - cpu) / (2 * HEARTBEAT_SECONDS + 3):.1%}"
    )
    cpu, waves = page.cpu(), 5
    sent = [
        asyncio.run(send_orders(settings, [group_id], 1, 1, first=10**6 + wave))
        for wave in range(waves)
        if not time.sleep(1)
    ]
    time.sleep(2)
    cpu = page.cpu() - cpu
    alive = min(alive, watching.alive()[0])
    heard, _ = watching.end()
    by_quantity: dict[int, list[float]] = {}
    for _, at, quantity in heard:
        by_quantity.setdefault(quantity, []).append(at)
    told = sorted(by_quantity.items())[-waves:]
    spread = [max(times) - min(times) for _, times in told]
    last = [
        max(times) - each.due_at[group_id][0] for (_, times), each in zip(told, sent, strict=True)
    ]
    complete = all(len(times) == MANY for _, times in told)
    print(
        f"  one order: first to last stream {max(spread) * 1e3:.0f} ms, order to last stream"
        f" {max(last) * 1e3:.0f} ms (worst of {waves}), {cpu / waves / MANY * 1e6:.0f} µs CPU a"
        f" stream; all told: {complete}"
    )
    return alive == MANY and not silent and complete


def main(
    streams: Annotated[int, typer.Option(help="Open while orders come.")] = 1_000,
    rate: Annotated[int, typer.Option(help="Orders a second.")] = 500,
    seconds: Annotated[int, typer.Option(help="Of the steady load.")] = 25,
    groups: Annotated[
        list[int] | None, typer.Option(help="That share the load, a run each.")
    ] = None,
    many: Annotated[bool, typer.Option(help="Open 5,000 streams too.")] = True,
    module: Annotated[str, typer.Option(help="The web process.")] = "storefront",
) -> None:
    """Print the figures; exit 1 when a claim does not hold."""
    worst, held = 0, True
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            settings = settings_on(broker, folder, "", "wall")
            asyncio.run(create_topics(settings))
            counts = groups or [100, 1]
            ids = {count: [derive(f"live-{count}-{n}") for n in range(count)] for count in counts}
            every = [each for some in ids.values() for each in some] + [derive("many")]
            with (
                worker_on(settings, "order_service", folder) as (worker, port),
                worker_on(settings, "storefront.projector", folder) as (projector, projects),
                page_on(settings, folder, module) as page,
            ):
                asyncio.run(open_groups(settings, every))
                wait_for(worker, port, GROUP_PURCHASES, len(every))
                wait_for(projector, projects, GROUP_PURCHASES, len(every))
                for some in ids.values():
                    before = usage(worker.pid)[0], usage(projector.pid)[0]
                    worst = max(worst, run_rate(settings, page, some, streams, rate, seconds))
                    used = usage(worker.pid)[0] - before[0], usage(projector.pid)[0] - before[1]
                    print(
                        f"  CPU: order_service {used[0]:.1f} s, projector {used[1]:.1f} s",
                        flush=True,
                    )
                if many:
                    held = run_many(settings, page, every[-1])
        finally:
            broker.stop()
    print(f"p99 {worst} ms (at most {P99_MS_MAX:.0f}); {MANY:,} streams: {held}")
    if worst > P99_MS_MAX or not held:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
