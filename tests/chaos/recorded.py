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
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import orjson
from aiokafka import TopicPartition

from schemas.topics import CATALOGUE
from services.runtime.settings import Settings
from services.runtime.transport import consumer, read_end
from tests.oracle.compare import purchase_keys
from tests.oracle.recorded import Recorded, beibei, online_retail, read_lines

#: Who is killed, and the topic whose committed positions say how far it is.
VICTIMS = {"order_service": "orders", "favor_service": "purchases"}
SHUFFLE_SECONDS = 3_600
DATA = Path(os.environ.get("JOINTBUY_DATA", Path(__file__).resolve().parents[3] / "shared/data"))


# --- what is replayed ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Replay:
    """What ``replay`` is told, and what that must come to."""

    source: str
    arguments: Sequence[str]
    recorded: Recorded

    @property
    def records(self) -> Mapping[str, int]:
        """At least how many records each topic of ``VICTIMS`` gets."""
        groups = self.recorded.groups.values()
        keys = sum(sum(1 for _ in purchase_keys(group)) for group in groups)
        return {"orders": self.recorded.fed.total(), "purchases": keys}

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

    latest: dict[str, Any] = field(default_factory=dict)
    records: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    fell: int = 0
    changed: list[str] = field(default_factory=list)
    _said: dict[tuple[str, int], int] = field(default_factory=dict)
    _highest: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, value: dict[str, Any]) -> None:
        """Take the next record."""
        version, digest = value["version"], hash(orjson.dumps(value))
        if (before := self._said.get((key, version))) is None:
            self._said[key, version] = digest
        elif before == digest:
            self.repeated[value["type"]] += 1
        else:
            self.changed.append(f"{key}@{version}: {self.latest[key]}, then {value}")
        self.fell += version < self._highest.get(key, 0)
        self._highest[key] = max(version, self._highest.get(key, 0))
        self.latest[key] = value
        self.records += 1

    def behind(self) -> list[str]:
        """Keys whose last record is not of their highest version."""
        return [key for key, at in self._highest.items() if self.latest[key]["version"] < at]

    def lines(self) -> Iterator[str]:
        """As ``jointbuy export`` prints them, as far as the oracle looks."""
        for key, value in self.latest.items():
            yield json.dumps({"key": key, "value": value})


def read_whole(settings: Settings, topic: str) -> WholeTopic:
    """Every committed record of a topic of versioned facts, a partition at a time in order."""
    return asyncio.run(_read_whole(settings, topic))


async def _read_whole(settings: Settings, topic: str) -> WholeTopic:
    whole = WholeTopic()
    partitions = [
        TopicPartition(settings.topic(topic), number)
        for number in range(CATALOGUE[topic].partitions)
    ]
    reader = consumer(settings)
    await reader.start()
    try:
        reader.assign(partitions)
        while True:
            for records in (await reader.getmany(timeout_ms=100, max_records=20_000)).values():
                for record in records:
                    whole.add(record.key.decode(), orjson.loads(record.value))
            for each in partitions:
                end = read_end(reader, each)
                if end is None or await reader.position(each) < end:
                    break
            else:
                return whole
    finally:
        await reader.stop()


def closed_as_ordered(recorded: Recorded, lines: Iterable[str], late_seconds: int) -> Iterator[str]:
    """The lines of ``purchases``, with groups complete up to ``late_seconds`` late put right.

    A group is complete when the order that completes it comes, which may be later than it was made.
    """
    closes = {group.group_id: group.closed_at for group in recorded.groups.values()}
    late = timedelta(seconds=late_seconds)
    for line in lines:
        record = json.loads(line)
        value, should = record["value"], closes.get(record["key"])
        if should and value["status"] == "complete":
            if should <= datetime.fromisoformat(value["closed_at"]) <= should + late:
                value["closed_at"] = should.isoformat()
        yield json.dumps(record)


# --- kills ---------------------------------------------------------------------------------------


@dataclass
class Kills:
    """SIGKILLs of one worker at points spread over the records it has to read.

    Two points that are passed between two looks give two kills: the second when the worker has
    come back with work to do. It is not killed while it is idle, and so never after its last.
    """

    topic: str
    records: int
    times: int
    random: Random = field(default_factory=lambda: Random(0))
    at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        width = self.records // (self.times + 1)
        self._points = [
            width * n + self.random.randrange(max(width, 1)) for n in range(1, self.times + 1)
        ]

    @property
    def done(self) -> bool:
        """Whether all have been dealt."""
        return len(self.at) == self.times

    def look(self, partitions: Sequence[Mapping[str, Any]], kill: Callable[[], object]) -> None:
        """Kill if ``/status`` says that the next point has been passed, and there is work."""
        if self.done or not partitions or not all(part["ready"] for part in partitions):
            return
        read = sum(part["committed"].get(self.topic, 0) for part in partitions)
        if read >= self._points[len(self.at)] and not all(part["idle"] for part in partitions):
            kill()
            self.at.append(read)
