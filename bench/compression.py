"""What compression costs and saves: none, lz4 and zstd by turns on one broker.

order_service, the projector (SQLite) and Apache Kafka, all real. In each round, for each codec:
orders at a steady rate, then a backlog at full speed; both run until the projector has the last
fact. The load compresses as the services do. Bytes on the wire are those of all connections to the
broker, in both directions; bytes on disk are the logs of all topics of that run. Medians of rounds.
"""

import asyncio
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench.orders import CHUNK, group, order
from bench.workers import settings_on, start_worker, usage, wait_for
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.ports import free_port
from runtime.records import Partitioner, as_record, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.groups import GROUP_PURCHASES
from schemas.orders import ORDERS
from schemas.topic import Topic
from stack import brokers

CODECS = ("none", "lz4", "zstd")
GROUPS = 200
TICK_SECONDS = 0.05
#: It knows the ends of topics as of its last fetch, which waits at the broker.
IDLE_SECONDS = 0.7
SHOWN_SECONDS_MAX = 300.0
SERVICES = ("order_service", "storefront.projector")


@dataclass(frozen=True)
class Figures:
    """Of one phase of one run: CPU seconds of each process, megabytes, seconds."""

    service_cpu: float
    projector_cpu: float
    broker_cpu: float
    wire_mb: float
    disk_mb: float
    counted_seconds: float

    @staticmethod
    def median(runs: Sequence["Figures"]) -> "Figures":
        """Each figure's own."""
        return Figures(*(statistics.median(each) for each in zip(*map(astuple, runs), strict=True)))


class Running:
    """The processes of one run, and what they have used."""

    def __init__(
        self, settings: Settings, broker: brokers.RunningBroker, home: Path, folder: Path
    ) -> None:
        self.settings = settings
        self._broker = broker
        self._home = home
        url = f"sqlite:///{folder / settings.topic_prefix}model.db"
        self.ports = [free_port() for _ in SERVICES]
        self.workers = [
            start_worker(
                settings,
                service,
                port,
                folder / f"{settings.topic_prefix}{service}.log",
                COMPRESSION=settings.compression,
                DATABASE_URL=url,
            )
            for service, port in zip(SERVICES, self.ports, strict=True)
        ]

    def used(self) -> Figures:
        """Since the start; ``counted_seconds`` is the time now."""
        assert self._broker.pid is not None
        pids = [each.pid for each in self.workers] + [self._broker.pid]
        cpu = [usage(pid)[0] for pid in pids]
        logs = self._home.rglob(f"{self.settings.topic_prefix}*/*.log")
        disk = sum(each.stat().st_size for each in logs)
        port = self._broker.bootstrap_servers.rpartition(":")[2]
        return Figures(*cpu, wire_bytes(port) / 1e6, disk / 1e6, time.monotonic())

    def committed(self, topic: Topic, count: int) -> None:
        """Wait until order_service has committed so many records of a topic."""
        wait_for(self.workers[0], self.ports[0], topic, count)

    def shown(self) -> None:
        """Wait until the projector has written all that there is."""
        began = since = time.monotonic()
        while time.monotonic() - since < IDLE_SECONDS:
            time.sleep(0.05)
            if not all(each["idle"] for each in self._status()):
                since = time.monotonic()
            if since - began > SHOWN_SECONDS_MAX:
                raise SystemExit("the projector is not in time: see its log")

    def _status(self) -> list[dict[str, Any]]:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.ports[1]}/status", timeout=10)
        except httpx.HTTPError:
            return [{"idle": False}]
        told = answer.json() if answer.is_success else []
        return told or [{"idle": False}]


@contextmanager
def running(
    settings: Settings, broker: brokers.RunningBroker, home: Path, folder: Path
) -> Iterator[Running]:
    """Both services; they are ended with the block."""
    made = Running(settings, broker, home, folder)
    with ExitStack() as ends:
        for each in made.workers:
            ends.callback(each.wait, 60)
            ends.callback(each.terminate)
        yield made


def wire_bytes(port: str) -> int:
    """Bytes sent and received so far on the broker's open connections."""
    command = ["ss", "--tcp", "--info", "--numeric", "--no-header", f"sport = :{port}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(each) for each in re.findall(r"bytes_(?:sent|received):(\d+)", told))


class Load:
    """Orders of the run, numbered on, from one producer."""

    def __init__(self, settings: Settings, sender: Any) -> None:
        self.sent = 0
        self.ids = [derive(f"compressed-{number}") for number in range(GROUPS)]
        self._sender = sender
        self._orders = settings.topic(ORDERS.name)
        self._groups = settings.topic(GROUP_PURCHASES.name)
        self._place = Partitioner(settings.partitions)

    async def open(self) -> None:
        """The groups."""
        now = datetime.now(UTC)
        terms = [group(each, now) for each in self.ids]
        at = milliseconds(now)
        await send(self._sender, [as_record(e, self._groups, self._place, at) for e in terms])

    async def orders(self, count: int) -> None:
        """The next ones, at once."""
        now, first = datetime.now(UTC), self.sent
        self.sent += count
        placed = (
            order(number, self.ids[number % GROUPS], number, now)
            for number in range(first, self.sent)
        )
        records = [as_record(e, self._orders, self._place, milliseconds(now)) for e in placed]
        await send(self._sender, records)

    async def steady(self, rate: int, seconds: int) -> None:
        """Orders at a rate."""
        began, first = time.monotonic(), self.sent
        while self.sent - first < rate * seconds:
            due = min(int((time.monotonic() - began) * rate), rate * seconds)
            if due > self.sent - first:
                await self.orders(due - (self.sent - first))
            await asyncio.sleep(TICK_SECONDS)


def measured(before: Figures, after: Figures) -> Figures:
    """What was used between."""
    pairs = zip(astuple(before), astuple(after), strict=True)
    return Figures(*(late - early for early, late in pairs))


async def run(run: Running, rate: int, seconds: int, backlog: int) -> tuple[Figures, Figures]:
    """Steady load, then a backlog."""
    async with producer(run.settings) as sender:
        load = Load(run.settings, sender)
        await load.open()
        run.committed(GROUP_PURCHASES, GROUPS)
        await load.orders(CHUNK // 10)
        run.committed(ORDERS, load.sent)
        run.shown()

        before = run.used()
        await load.steady(rate, seconds)
        run.committed(ORDERS, load.sent)
        run.shown()
        steady = measured(before, run.used())

        before = run.used()
        await load.orders(backlog)
        began = time.monotonic()
        run.committed(ORDERS, load.sent)
        counted = time.monotonic() - began
        run.shown()
        after = measured(before, run.used())
        full = Figures(*astuple(after)[:-1], counted)
    return steady, full


def line(codec: str, phase: str, orders: int, found: Figures) -> str:
    """A line of the table in docs/performance.md."""
    speed = f"{orders / found.counted_seconds:,.0f}" if phase == "full speed" else ""
    per_million = 1e6 / orders
    cpu = (found.service_cpu, found.projector_cpu, found.broker_cpu)
    cells = (
        *(phase, codec, speed),
        *(f"{each * per_million:,.0f} s" for each in cpu),
        *(f"{each * 1e6 / orders:,.0f} B" for each in (found.wire_mb, found.disk_mb)),
    )
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| load | codec | orders/s | CPU of order_service, a million orders | of the projector |"
    " of Kafka | wire, an order | disk, an order |\n|---|---|---|---|---|---|---|---|"
)


def main(
    rounds: Annotated[int, typer.Option(help="Of all codecs.")] = 3,
    rate: Annotated[int, typer.Option(help="Orders a second of the steady load.")] = 500,
    seconds: Annotated[int, typer.Option(help="Of the steady load.")] = 6,
    backlog: Annotated[int, typer.Option(help="Orders at full speed.")] = 20_000,
) -> None:
    """Print the table."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found: dict[tuple[str, str], list[Figures]] = {}
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        home = Path(name)
        broker = brokers.start("kafka", home=home, fresh=True)
        try:
            for turn in range(rounds):
                for codec in CODECS[turn % 3 :] + CODECS[: turn % 3]:
                    settings = settings_on(broker, home, f"c{turn}{codec}-", "wall")
                    settings = settings.model_copy(update={"compression": codec})
                    asyncio.run(create_topics(settings))
                    with running(settings, broker, home, home) as both:
                        steady, full = asyncio.run(run(both, rate, seconds, backlog))
                    for phase, orders, each in (
                        ("steady", rate * seconds, steady),
                        ("full speed", backlog, full),
                    ):
                        found.setdefault((phase, codec), []).append(each)
                        print(line(codec, phase, orders, each), file=sys.stderr, flush=True)
        finally:
            broker.stop()
    # The runs are on standard error.
    print(HEAD)
    for phase, orders in (("steady", rate * seconds), ("full speed", backlog)):
        for codec in CODECS:
            print(line(codec, phase, orders, Figures.median(found[phase, codec])))


if __name__ == "__main__":
    typer.run(main)
