"""All recorded shop data through ``jointbuy`` while services are killed, held to the oracle.

``python -m tests.chaos.recorded --help``. A run starts a stack of its own in a new folder, replays,
kills services by SIGKILL at moments spread over the run, and then compares what ``jointbuy export``
prints with what the files must come to. The system tests use its parts on a part of the data.
"""

import asyncio
import csv
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from io import StringIO
from pathlib import Path
from random import Random
from typing import Annotated, Any

import httpx
import orjson
import typer

from runtime.follower import partitions_of
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.topic import PARTITIONS
from tests.oracle.compare import compare, purchase_keys
from tests.oracle.recorded import Recorded, beibei, online_retail, read_lines
from tests.system import plain_http
from tests.system.stack import read_all

#: Who is killed, and the topic whose committed positions say how far it is.
VICTIMS = {"order_service": "orders", "favor_service": "purchases"}
SHUFFLE_SECONDS = 3_600
LOOK_SECONDS = 0.2
HANDLED_SECONDS = 1_800
DATA = Path(os.environ.get("JOINTBUY_DATA", Path(__file__).resolve().parents[3] / "shared/data"))
JOINTBUY = [sys.executable, "-m", "terminal"]


# --- what is replayed ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Replay:
    """What ``replay`` is told, and what that must come to."""

    source: str
    arguments: Sequence[str]
    recorded: Recorded

    @property
    def records(self) -> Mapping[str, int]:
        """At least how many records each topic of ``VICTIMS`` gets; hours are told to all."""
        groups = self.recorded.groups.values()
        span = max(group.terms.due for group in groups) - min(
            group.terms.opens_at for group in groups
        )
        hours = span // timedelta(hours=1) * PARTITIONS
        keys = sum(sum(1 for _ in purchase_keys(group)) for group in groups)
        return {"orders": self.recorded.fed.total() + hours, "purchases": keys}

    def told(self, *more: str) -> list[str]:
        """The words after ``replay``."""
        return [self.source, *more, *self.arguments]


def retail_replay(*files: Path) -> Replay:
    """UCI Online Retail, these files."""
    recorded = online_retail(read_lines(file) for file in files)
    return Replay("online-retail", [str(file) for file in files], recorded)


def beibei_replay(folder: Path, limit: int | None = None, grace_seconds: int = 0) -> Replay:
    """BeiBei, the first ``limit`` lines of each of both files."""
    successful, failed = folder / "successful.tsv.gz", folder / "failed.tsv.gz"
    recorded = beibei(read_lines(successful), read_lines(failed), limit, grace_seconds)
    arguments = ["--successful", str(successful), "--failed", str(failed)]
    arguments += ["--limit", str(limit)] if limit is not None else []
    arguments += ["--grace-seconds", str(grace_seconds)]
    return Replay("beibei", arguments, recorded)


def cut(file: Path, folder: Path, limit: int) -> Path:
    """A file of the same name with at most ``limit`` lines: all those of some products.

    Whole products rather than the first lines, so that groups keep their size and weeks stay many.
    """
    table = csv.DictReader(read_lines(file))
    lines = list(table)
    counts = Counter(line["StockCode"] for line in lines)
    kept: set[str] = set()
    for code in sorted(counts, key=lambda code: zlib.crc32(code.encode())):
        if counts[code] <= limit:
            limit -= counts[code]
            kept.add(code)
    text = StringIO(newline="")
    writer = csv.DictWriter(text, table.fieldnames or ())
    writer.writeheader()
    writer.writerows(line for line in lines if line["StockCode"] in kept)
    made = folder / file.name
    made.write_bytes(gzip.compress(text.getvalue().encode()))
    return made


# --- what came of it -----------------------------------------------------------------------------


@dataclass
class WholeTopic:
    """A topic read from its beginning: the latest value of each key, and what versions did.

    ``repeated`` counts, by type, records whose key and version were there before with the same
    value; ``fell`` records of a lower version than one before. A batch that is done again may be
    cut elsewhere and so tell of other versions: without transactions both happen after a kill.
    ``changed`` names versions that came again with another value, which must never be.
    """

    latest: dict[str, bytes] = field(default_factory=dict)
    records: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    fell: int = 0
    changed: list[str] = field(default_factory=list)
    _said: dict[tuple[str, int], int] = field(default_factory=dict)
    _highest: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, said: bytes) -> None:
        """Take the next record."""
        value = orjson.loads(said)
        version, digest = value["version"], hash(said)
        before = self._said.get((key, version))
        if before is None:
            self._said[key, version] = digest
        elif before == digest:
            self.repeated[value["type"]] += 1
        else:
            self.changed.append(f"{key}@{version} was another before: {value}")
        self.fell += version < self._highest.get(key, 0)
        self._highest[key] = max(version, self._highest.get(key, 0))
        self.latest[key] = said
        self.records += 1

    def behind(self) -> list[str]:
        """Keys whose last record is not of their highest version."""
        return [
            key
            for key, version in self._highest.items()
            if orjson.loads(self.latest[key])["version"] < version
        ]

    def lines(self) -> Iterator[str]:
        """As ``jointbuy export`` prints them, as far as the oracle looks."""
        for key, said in self.latest.items():
            yield f'{{"key": {json.dumps(key)}, "value": {said.decode()}}}'


def read_whole(settings: Settings, topic: str) -> WholeTopic:
    """Every committed record of a topic of versioned facts, a partition at a time in order."""
    whole = WholeTopic()
    partitions = partitions_of(settings, CATALOGUE[topic])
    asyncio.run(
        read_all(settings, partitions, lambda each: whole.add(each.key.decode(), each.value))
    )
    return whole


# --- kills ---------------------------------------------------------------------------------------


@dataclass
class Kills:
    """SIGKILLs of one worker at points spread over the ``records`` that it has still to read.

    Two points that are passed between two looks give two kills: the second as soon as the worker
    has come back. ``at`` says where each fell, ``at_work`` how many found records to be read.
    """

    topic: str
    records: int
    times: int
    random: Random
    before: int = 0
    at: list[int] = field(default_factory=list)
    at_work: int = 0

    def __post_init__(self) -> None:
        width = self.records / (self.times + 1)
        shares = range(1, self.times + 1)
        self._points = [width * (n + self.random.uniform(-0.5, 0.5)) for n in shares]

    @property
    def done(self) -> bool:
        """Whether all have been dealt."""
        return len(self.at) == self.times

    def look(self, partitions: Sequence[Mapping[str, Any]], kill: Callable[[], object]) -> None:
        """Kill if ``/status`` says that the next point has been passed."""
        if self.done or not partitions or not all(part["ready"] for part in partitions):
            return
        read = sum(part["committed"].get(self.topic, 0) for part in partitions) - self.before
        if read >= self._points[len(self.at)]:
            kill()
            self.at.append(read)
            self.at_work += not all(part["idle"] for part in partitions)


# --- the command ---------------------------------------------------------------------------------


class Source(StrEnum):
    """Whose recorded data."""

    online_retail = "online-retail"
    beibei = "beibei"
    all = "all"


class BrokerKind(StrEnum):
    """Which broker ``jointbuy up`` starts."""

    kafka = "kafka"
    embedded = "embedded"


@dataclass(frozen=True)
class Terminal:
    """The ``jointbuy`` command of a stack in a folder of its own."""

    home: Path

    def run(self, *words: str, output: Any = subprocess.PIPE) -> str:
        """What a command prints; raises ``CalledProcessError`` when it fails."""
        told = subprocess.run(
            [*JOINTBUY, *words], env=self._env(), stdout=output, text=True, check=True
        )
        return told.stdout or ""

    def start(self, *words: str, output: Path) -> "subprocess.Popen[bytes]":
        """A command beside this one."""
        with output.open("wb") as file:
            return subprocess.Popen([*JOINTBUY, *words], env=self._env(), stdout=file)

    def export(self, topic: str) -> Path:
        """A file with what ``export`` prints."""
        path = self.home / f"{topic}.jsonl"
        with path.open("wb") as file:
            self.run("export", topic, output=file)
        return path

    def status(self) -> dict[str, Any]:
        """What ``status`` says."""
        said: dict[str, Any] = json.loads(self.run("status", "--json"))
        return said

    def kill(self, service: str) -> None:
        """SIGKILL to a service, which the supervisor starts again."""
        pids = {worker["service"]: worker["pid"] for worker in self.status()["workers"]}
        os.kill(pids[service], signal.SIGKILL)

    def settings(self) -> Settings:
        """How to read the topics of the stack."""
        said = self.status()
        return Settings.model_validate(
            {
                "kafka_bootstrap_servers": said["bootstrap_servers"],
                "kafka_transactions": said["transactions"],
                "topic_prefix": said["topic_prefix"],
            }
        )

    def _env(self) -> dict[str, str]:
        others = ("KAFKA_", "TOPIC_PREFIX", "CLOCK", "STATE_DIR")
        ours = {name: text for name, text in os.environ.items() if not name.startswith(others)}
        return {**ours, "JOINTBUY_HOME": str(self.home)}


@contextmanager
def stack_up(broker: BrokerKind) -> Iterator[Terminal]:
    """A running stack; its folder is kept, and named, if the block fails."""
    terminal = Terminal(Path(tempfile.mkdtemp(prefix="jointbuy-recorded-")))
    try:
        print(terminal.run("up", "--broker", broker, "--clock", "log", "--fresh"), end="")
        try:
            yield terminal
        finally:
            terminal.run("down")
    except BaseException:
        print(f"kept: {terminal.home}", file=sys.stderr)
        raise
    shutil.rmtree(terminal.home)


def replay_and_kill(terminal: Terminal, told: list[str], plan: Mapping[str, Kills]) -> None:
    """Replay, killing by plan, until everything is handled; the supervisor restarts the killed."""
    output = terminal.home / "replay.json"
    ops = terminal.status()["ops"]
    replay = terminal.start("replay", *told, "--json", output=output)
    try:
        while not (replay.poll() or all(kills.done for kills in plan.values())):
            for service, kills in plan.items():
                kills.look(partitions_at(ops[service]), partial(terminal.kill, service))
            # A process can only be asked; the pause is between questions, not for an outcome.
            signal.sigtimedwait([], LOOK_SECONDS)
        if replay.wait(HANDLED_SECONDS):
            raise RuntimeError(f"the replay failed: see {output}")
    finally:
        replay.kill()
    terminal.run("wait", "--idle", "--timeout", str(HANDLED_SECONDS))


def partitions_at(ops: str) -> list[dict[str, Any]]:
    """What ``/status`` of a service says; nothing while it does not answer."""
    try:
        said: list[dict[str, Any]] = plain_http.get(f"{ops}/status", timeout=5).json()
    except httpx.HTTPError:
        return []
    return said


def problems_of(terminal: Terminal, replay: Replay, *, exactly_once: bool) -> list[str]:
    """All that is not as it should be on the topics; prints figures."""
    purchases, favors = terminal.export("purchases"), terminal.export("favors")
    found = compare(replay.recorded, read_lines(purchases), read_lines(favors))
    compared = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.compared.items()))
    print(f"  {found.total} differences; compared {compared}")
    problems = [*found.lines, *(f"{count} {kind}" for kind, count in found.kinds.items())]
    if dead := sum(1 for _ in read_lines(terminal.export("dead-letters"))):
        problems.append(f"{dead} dead letters")
    for name in ("purchases", "favors"):
        topic = read_whole(terminal.settings(), name)
        doubled = topic.repeated.total() - topic.repeated["OrderRefused"]
        print(f"  {name}: {topic.records:,} records, repeated {dict(topic.repeated)}", end="")
        print(f", {topic.fell} of a lower version than before")
        problems += [*topic.changed, *topic.behind()]
        if exactly_once and (doubled or topic.fell):
            problems.append(f"{name}: {doubled} outputs doubled, {topic.fell} versions fell")
    return problems


def main(
    *,
    source: Annotated[Source, typer.Option(help="Which data.")] = Source.all,
    broker: Annotated[BrokerKind, typer.Option(help="Which broker.")] = BrokerKind.kafka,
    limit: Annotated[int | None, typer.Option(help="Lines of each file, about.")] = None,
    repeat_percent: Annotated[float, typer.Option(help="So many records come twice.")] = 5.0,
    shuffle: Annotated[
        bool, typer.Option(help="BeiBei's orders come up to an hour late, within their grace.")
    ] = False,
    kills: Annotated[int, typer.Option(help="Of each of order_service and favor_service.")] = 5,
    seed: Annotated[int, typer.Option(help="Of kills, repeats and disorder.")] = 0,
    data: Annotated[Path, typer.Option(help="Folder of the recorded data.")] = DATA,
) -> None:
    """Replay recorded data with kills and compare; exits with 1 if anything is not as it should."""
    late = SHUFFLE_SECONDS if shuffle else 0
    problems: list[str] = []
    with stack_up(broker) as terminal:
        for replay in replays(source, data, limit, terminal.home, late):
            faults = ["--repeat-percent", str(repeat_percent), "--seed", str(seed)]
            if shuffle and replay.source == "beibei":
                faults += ["--shuffle-seconds", str(late)]
            random = Random(seed)
            before = positions_of(terminal)
            plan = {
                service: Kills(topic, replay.records[topic], kills, random, before[service])
                for service, topic in VICTIMS.items()
            }
            started = time.monotonic()
            replay_and_kill(terminal, replay.told(*faults), plan)
            seconds = time.monotonic() - started
            summary = json.loads((terminal.home / "replay.json").read_text())
            sent = sum(summary["sent"].values())
            dealt = ", ".join(
                f"{name} at {each.at} ({each.at_work} at work)" for name, each in plan.items()
            )
            print(f"{replay.source} on {broker}: {seconds:.1f} s, {sent:,} records fed,", end=" ")
            print(f"{sent / seconds:,.0f} records/s; killed: {dealt}")
            exactly_once = broker is BrokerKind.kafka
            found = problems_of(terminal, replay, exactly_once=exactly_once)
            print("\n".join(found), flush=True)
            problems += found
    if problems:
        raise typer.Exit(1)


def replays(
    source: Source, data: Path, limit: int | None, folder: Path, late: int
) -> Iterator[Replay]:
    """What to replay, the earlier times first."""
    if source in (Source.online_retail, Source.all):
        files = sorted((data / "online-retail").glob("*.csv.gz"))
        if limit is not None:
            files = [cut(file, folder, limit) for file in files]
        yield retail_replay(*files)
    if source in (Source.beibei, Source.all):
        yield beibei_replay(data / "beibei", limit, grace_seconds=late)


def positions_of(terminal: Terminal) -> dict[str, int]:
    """How far each of ``VICTIMS`` has committed."""
    partitions = terminal.status()["partitions"]
    return {
        service: sum(part["committed"].get(topic, 0) for part in partitions[service])
        for service, topic in VICTIMS.items()
    }


if __name__ == "__main__":
    typer.run(main)
