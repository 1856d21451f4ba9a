"""How long each partition pauses while workers are restarted one after the other, under load.

Orders come at a steady rate to all partitions of ``order_service``. The pause of a partition is the
longest time from an order's produce call to its committed row: an order that comes just as its
partition stops waits all of it. Each worker gets SIGTERM, and is started again when it has ended.
Of more, the first two are restarted. ``--static`` gives each worker a KAFKA_GROUP_INSTANCE_ID.
``--all-services`` rolls every service of the stack instead (see ``rolling_stack``).
"""

import asyncio
import logging
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer

from bench import rolling_stack
from bench.orders import CHUNK, group, order
from bench.partitions import Worker, is_open, start, until, workers_on
from bench.workers import settings_on, usage
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.records import Partitioner, as_record, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.groups import GROUP_PURCHASES
from schemas.orders import ORDERS, PURCHASES
from stack import brokers

#: Restarted, of all workers.
RESTARTS = 2
GROUPS_OF_PARTITION = 5
#: How long the load goes on around each restart.
STEADY_SECONDS = 5.0
#: How long the last orders may take.
LAST_SECONDS_MAX = 60.0
#: Orders are sent in bursts so far apart.
TICK_SECONDS = 0.02


@dataclass
class Watch:
    """When each order of the load was sent and seen, by its number, and in which partition."""

    rate: int
    sent: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    partition: dict[int, int] = field(default_factory=dict)

    def missing(self) -> list[tuple[int, int]]:
        """The partition and the number of each order that was not seen."""
        return [(self.partition[number], number) for number in self.sent.keys() - self.seen.keys()]

    def pauses(self, began: float, ended: float) -> list[tuple[float, float]]:
        """The longest delay of each partition's orders that were sent between, and when it began.

        In seconds, the shortest first.
        """
        longest: dict[int, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        for number, at in self.sent.items():
            if began <= at <= ended:
                place = self.partition[number]
                longest[place] = max(longest[place], (self.seen[number] - at, at))
        return sorted(longest.values())


def ticks() -> tuple[int, int]:
    """Of all cores since the start of the machine: in all, and idle or waiting for a disk."""
    first = Path("/proc/stat").read_text().split("\n")[0]
    found = list(map(int, first.split()[1:9]))
    return sum(found), found[3] + found[4]


class Cores:
    """How busy the machine's cores were, all processes together, between any two times."""

    def __init__(self) -> None:
        self._looks: list[tuple[float, int, int]] = []

    async def follow(self) -> None:
        """Look until cancelled."""
        while True:
            self._looks.append((time.monotonic(), *ticks()))
            await asyncio.sleep(TICK_SECONDS)

    def busy(self, began: float, ended: float) -> float:
        """The share between two times."""
        looks = [each for each in self._looks if began - TICK_SECONDS <= each[0] <= ended]
        (_, all_before, idle_before), (_, all_after, idle_after) = looks[0], looks[-1]
        return 1 - (idle_after - idle_before) / max(all_after - all_before, 1)


def groups_of(settings: Settings) -> list[str]:
    """Ids of groups, the same number in each partition, by turns."""
    place, found = Partitioner(settings.partitions), defaultdict[int, list[str]](list)
    number = 0
    while sum(map(len, found.values())) < GROUPS_OF_PARTITION * settings.partitions:
        candidate = derive(f"rolling-{number}")
        if len(found[place(candidate)]) < GROUPS_OF_PARTITION:
            found[place(candidate)].append(candidate)
        number += 1
    return [each for turn in zip(*(found[n] for n in sorted(found)), strict=True) for each in turn]


async def prepare(settings: Settings, groups: Sequence[str], members: int) -> None:
    """Open the groups, and give each partition members enough."""
    place, now = Partitioner(settings.partitions), datetime.now(UTC)
    topics = settings.topic(GROUP_PURCHASES.name), settings.topic(ORDERS.name)
    at = milliseconds(now)
    async with producer(settings) as sender:
        await send(sender, [as_record(group(each, now), topics[0], place, at) for each in groups])
        for first in range(0, members, CHUNK):
            # Below zero: the numbers of the load's orders begin at zero.
            placed = (
                order(-number - 1, groups[number % len(groups)], -number - 1, now)
                for number in range(first, min(first + CHUNK, members))
            )
            await send(sender, [as_record(each, topics[1], place, at) for each in placed])


async def feed(
    settings: Settings, groups: Sequence[str], watch: Watch, ends: asyncio.Event
) -> None:
    """Send orders at the rate until the end."""
    place, topic, number = Partitioner(settings.partitions), settings.topic(ORDERS.name), 0
    async with producer(settings) as sender:
        began = time.monotonic()
        while not ends.is_set():
            now = datetime.now(UTC)
            records = []
            while number < (time.monotonic() - began) * watch.rate:
                placed = order(number, groups[number % len(groups)], number, now)
                watch.sent[number] = time.monotonic()
                watch.partition[number] = place(placed.group_id)
                records.append(as_record(placed, topic, place, milliseconds(now)))
                number += 1
            if records:
                await send(sender, records)
            await asyncio.sleep(TICK_SECONDS)


async def see(settings: Settings, watch: Watch, sees: asyncio.Event, ends: asyncio.Event) -> None:
    """Note when the row of each order's member is there to read, from when ``sees`` is set."""
    reader = AIOKafkaConsumer(
        settings.topic(PURCHASES.name),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        fetch_max_wait_ms=10,
    )
    await reader.start()
    try:
        await reader.seek_to_end()
        for each in reader.assignment():
            await reader.position(each)
        sees.set()
        while not ends.is_set() or len(watch.seen) < len(watch.sent):
            for records in (await reader.getmany(timeout_ms=200)).values():
                arrived = time.monotonic()
                for record in records:
                    _, _, member = record.key.decode().partition("/member/m-")
                    if member and int(member) >= 0:
                        watch.seen.setdefault(int(member), arrived)
    finally:
        await reader.stop()


def static(number: int) -> dict[str, str]:
    """A name for a worker that no other has."""
    return {"KAFKA_GROUP_INSTANCE_ID": f"rolling-{number}"}


def restart(
    settings: Settings, workers: list[Worker], number: int, folder: Path, *, is_static: bool
) -> str:
    """End one in order, start it again, and wait until all partitions are open on all."""
    began = time.monotonic()
    workers[number].process.terminate()
    workers[number].process.wait(60)
    ended = time.monotonic()
    more = static(number) if is_static else {}
    workers[number] = start(settings, number, folder, **more)
    back = until(lambda: is_open(settings, workers))
    return f"ended after {ended - began:.1f} s, back after {back - ended:.1f} s"


async def rolled(
    settings: Settings, count: int, members: int, rate: int, folder: Path, *, is_static: bool
) -> list[str]:
    """Restart workers under load; the lines of the table."""
    groups, watch = groups_of(settings), Watch(rate)
    await create_topics(settings)
    cores = Cores()
    names = [static(number) if is_static else {} for number in range(count)]
    with workers_on(settings, names, folder) as workers:
        # By then each partition has a leader.
        await asyncio.to_thread(until, lambda: is_open(settings, workers))
        await prepare(settings, groups, members)
        await asyncio.to_thread(until, lambda: is_open(settings, workers) and idle(workers))
        sees, ends = asyncio.Event(), asyncio.Event()
        seeing = asyncio.create_task(see(settings, watch, sees, ends))
        looking = asyncio.create_task(cores.follow())
        await sees.wait()
        feeding = asyncio.create_task(feed(settings, groups, watch, ends))
        steps: list[tuple[str, float, float, str]] = []
        await asyncio.sleep(STEADY_SECONDS)
        steps.append(("none", feeding_began(watch) + 2, time.monotonic(), ""))
        before = sum(usage(each.process.pid)[0] for each in workers)
        await asyncio.sleep(STEADY_SECONDS)
        used = sum(usage(each.process.pid)[0] for each in workers) - before
        for number in range(min(count, RESTARTS)):
            began = time.monotonic()
            told = await asyncio.to_thread(
                restart, settings, workers, number, folder, is_static=is_static
            )
            await asyncio.sleep(STEADY_SECONDS)
            steps.append((str(number), began - 1, time.monotonic(), told))
        ends.set()
        await feeding
        try:
            await asyncio.wait_for(seeing, LAST_SECONDS_MAX)
        except TimeoutError:
            raise SystemExit(f"orders do not count: {watch.missing()}") from None
        looking.cancel()
    lines = []
    for name, began, ended, told in steps:
        pauses = watch.pauses(began, ended)
        longest, at = pauses[-1]
        median = statistics.median(seconds for seconds, _ in pauses)
        kind = f"{count}, static" if is_static else str(count)
        lines.append(
            f"| {kind} | {settings.partitions} | {members:,} | {name} | {median:.2f} s |"
            f" {longest:.2f} s | {cores.busy(at, at + longest):.0%} | {told} |"
        )
    return [*lines, f"CPU of all workers in steady load: {100 * used / STEADY_SECONDS:.0f} %"]


def feeding_began(watch: Watch) -> float:
    """When the first order was sent."""
    return watch.sent[0]


def idle(workers: Sequence[Worker]) -> bool:
    """Whether all that was sent before is handled."""
    return all(each["idle"] for worker in workers for each in worker.status())


HEAD = (
    "| workers | partitions | members before | restarted | pause, median | pause, longest"
    " | cores busy in that | worker |\n"
    "|---|---|---|---|---|---|---|---|"
)


def main(
    partitions: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    members: Annotated[int, typer.Option(help="Whose rows are there before, in all.")] = 0,
    rate: Annotated[int, typer.Option(help="Orders a second.")] = 200,
    workers: Annotated[int, typer.Option(help="How many there are.")] = 2,
    is_static: Annotated[bool, typer.Option("--static", help="Each has an id of its own.")] = False,
    all_services: Annotated[
        bool, typer.Option("--all-services", help="Two processes of each service.")
    ] = False,
    service: Annotated[
        list[str] | None, typer.Option(help="Of all services, roll only this; repeatable.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder for workers' logs.")] = None,
) -> None:
    """Print the table."""
    # New topics have no leader yet for a moment, which the client logs for each try.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        if all_services or service:
            rolling_stack.run(service or (), keep or folder)
            return
        print(HEAD, flush=True)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            for count in partitions or [4, 16]:
                settings = settings_on(broker, keep or folder, f"r{count}-", "wall")
                settings = settings.model_copy(update={"partitions": count})
                rolling = rolled(
                    settings, workers, members, rate, keep or folder, is_static=is_static
                )
                for line in asyncio.run(rolling):
                    print(line, flush=True)
        finally:
            broker.stop()


if __name__ == "__main__":
    typer.run(main)
