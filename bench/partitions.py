"""What partitions cost: connections, memory, idle CPU, and pauses when a worker comes or goes.

One process of order_service with 4 and with 64 partitions, and eight with 64. A pause is the time
in which not all partitions are open; of a worker that is added, without its start.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench.workers import settings_on, start_worker, usage
from runtime.ports import free_port
from runtime.settings import Settings
from stack import brokers
from tests.system import plain_http

SERVICE = "order_service"
READY_SECONDS_MAX = 300.0
#: Each look asks all workers, which costs each some milliseconds.
LOOK_SECONDS = 0.2
#: After a start, clients ask for metadata, and fetches become rarer.
SETTLE_SECONDS = 10.0
ESTABLISHED = "01"


@dataclass
class Worker:
    """One process, and where its page is."""

    process: subprocess.Popen[bytes]
    port: int

    def status(self) -> list[dict[str, Any]]:
        """How each of its partitions stands."""
        try:
            answer = plain_http.get(f"http://127.0.0.1:{self.port}/status", timeout=10)
        except httpx.HTTPError:
            return []
        return answer.json() if answer.is_success else []

    def ready(self) -> int:
        """How many partitions it has open."""
        return sum(each["ready"] for each in self.status())

    def resident_mb(self) -> float:
        """Its memory now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS")) / 1024

    def connections(self, broker_port: int) -> int:
        """Its connections to the broker."""
        pid = self.process.pid
        links = [
            os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()
        ]
        mine = {each[8:-1] for each in links if each.startswith("socket:[")}
        found = 0
        for family in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
                _, _, remote, state, *_, inode = line.split()[:10]
                port = int(remote.rpartition(":")[2], 16)
                found += inode in mine and state == ESTABLISHED and port == broker_port
        return found


@dataclass
class Figures:
    """Of all processes together; times in seconds, CPU in percent of a core."""

    workers: int
    partitions: int
    started: float
    connections: int
    resident_mb: float
    idle_cpu: float
    removed: float | None = None
    added: float | None = None

    def line(self) -> str:
        """A line of the table in docs/deploy.md."""
        pauses = ("" if each is None else f"{each:.1f} s" for each in (self.removed, self.added))
        cells = (
            str(self.workers),
            str(self.partitions),
            f"{self.started:.1f} s",
            str(self.connections),
            f"{self.resident_mb:.0f} MB",
            f"{self.idle_cpu:.0f} %",
            *pauses,
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| workers | partitions | start | connections | memory | idle CPU | one leaves | one joins |\n"
    "|---|---|---|---|---|---|---|---|"
)


def until(condition: Callable[[], bool]) -> float:
    """Wait; returns the time on the monotonic clock at which it held."""
    ends = time.monotonic() + READY_SECONDS_MAX
    while not condition():
        if time.monotonic() > ends:
            raise SystemExit("not in time: see the workers' logs")
        time.sleep(LOOK_SECONDS)
    return time.monotonic()


@contextmanager
def workers_on(
    settings: Settings, variables: Sequence[Mapping[str, str]], folder: Path
) -> Iterator[list[Worker]]:
    """A worker for each of these sets of variables, started one after another.

    What is left of them is ended.
    """
    workers = [start(settings, number, folder, **own) for number, own in enumerate(variables)]
    try:
        yield workers
    finally:
        for each in workers:
            each.process.terminate()
        for each in workers:
            each.process.wait(60)


def start(settings: Settings, number: int, folder: Path, **more: str) -> Worker:
    """A worker with rows of its own."""
    port = free_port()
    own = settings.model_copy(update={"state_dir": folder / f"{settings.topic_prefix}{number}"})
    log = folder / f"{settings.topic_prefix}{number}.log"
    count = str(settings.partitions)
    return Worker(start_worker(own, SERVICE, port, log, PARTITIONS=count, **more), port)


def measured(settings: Settings, count: int, idle_seconds: float, folder: Path) -> Figures:
    """Start so many workers, look at them while they are idle, then let one leave and one join."""
    broker_port = int(settings.kafka_bootstrap_servers.rpartition(":")[2])
    began = time.monotonic()
    with workers_on(settings, [{}] * count, folder) as workers:
        opened = until(lambda: is_open(settings, workers))
        time.sleep(SETTLE_SECONDS)
        before = sum(usage(each.process.pid)[0] for each in workers)
        time.sleep(idle_seconds)
        used = sum(usage(each.process.pid)[0] for each in workers) - before
        figures = Figures(
            count,
            settings.partitions,
            opened - began,
            sum(each.connections(broker_port) for each in workers),
            sum(each.resident_mb() for each in workers),
            100 * used / idle_seconds,
        )
        if count > 1:
            figures.removed = pause_of_leaving(settings, workers)
            figures.added = pause_of_joining(settings, workers, count, folder)
        return figures


def is_open(settings: Settings, workers: Sequence[Worker]) -> bool:
    """Whether each partition is open, and each worker has some."""
    ready = [each.ready() for each in workers]
    return sum(ready) == settings.partitions and all(ready)


def pause_of_leaving(settings: Settings, workers: list[Worker]) -> float:
    """End one in order; until the others have its partitions."""
    gone = workers.pop()
    began = time.monotonic()
    gone.process.terminate()
    ended = until(lambda: is_open(settings, workers))
    gone.process.wait(60)
    return ended - began


def pause_of_joining(settings: Settings, workers: list[Worker], number: int, folder: Path) -> float:
    """Start one more; from when the others give up partitions until all are open."""
    workers.append(start(settings, number, folder))
    began = until(lambda: sum(each.ready() for each in workers[:-1]) < settings.partitions)
    return until(lambda: is_open(settings, workers)) - began


def main(
    idle_seconds: Annotated[float, typer.Option(help="How long the idle CPU is measured.")] = 30.0,
) -> None:
    """Print the table."""
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            for number, (count, partitions) in enumerate(((1, 4), (1, 64), (8, 64))):
                settings = settings_on(broker, folder, f"p{number}-", "wall")
                settings = settings.model_copy(update={"partitions": partitions})
                print(measured(settings, count, idle_seconds, folder).line(), flush=True)
        finally:
            broker.stop()


if __name__ == "__main__":
    typer.run(main)
