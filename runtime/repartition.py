"""A deployment's records under another prefix, in another number of partitions; pure.

A record goes to the partition that its key has there. Kafka numbers records anew, so whatever names
a record by its place (``topic/partition/offset``) gets the new place: the header ``ce_cause``, a
dead letter's own headers, the task of a dead letter, and rows of records that wait. If the record
is no longer kept, there is no new place; its offset then has the old prefix behind it
(``57@shop-``), so that it never names another record.
"""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Any, Final

import orjson

from runtime.records import Headers, InputRecord, OutputRecord, partition_of
from runtime.store import POSITIONS_KEY
from runtime.topic_plan import PlannedTopic
from schemas.catalogue import CATALOGUE
from schemas.ops import ABOUT_MAX, DEAD_LETTERS, TASKS, record_task_id
from schemas.topic import FOR_EVER

#: An offset in rows whose record is no longer kept, as ``runtime.held`` has it.
UNKNOWN: Final = -1
#: A topic is copied with these settings: the broker deletes nothing, and keeps the records' times.
FOR_COPYING: Final = {
    **{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"},
    **{"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": FOR_EVER},
}
#: Topics in the order in which they are read: the ids of tasks name places in all others.
TOPICS: Final = (*(name for name in CATALOGUE if name != TASKS.name), TASKS.name)


@dataclass(frozen=True)
class Move:
    """From one prefix and number of partitions to another."""

    old_prefix: str
    new_prefix: str
    old: int
    new: int

    @property
    def merges(self) -> bool:
        """Whether a new partition gets the records of several old ones."""
        return self.new % self.old != 0

    def partition(self, record_id: bytes | None, old: int) -> int:
        """The new partition of a record in partition ``old``, whose key begins with this id.

        A record without a key, or in a partition that is not its key's, stays in a wrong one.
        """
        if record_id is None or partition_of(record_id, self.old) != old:
            return old % self.new
        return partition_of(record_id, self.new)

    def sources(self, new: int) -> list[int]:
        """The old partitions whose records a new one may get."""
        step = gcd(self.old, self.new)
        return list(range(new % step, self.old, step))


# --- places --------------------------------------------------------------------------------------


class Places:
    """The new places of records, by the old ones; topics as the catalogue names them."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, int], array[int]] = defaultdict(lambda: array("q"))
        self._new: dict[tuple[str, int], tuple[array[int], array[int]]] = defaultdict(
            lambda: (array("l"), array("q"))
        )

    def add(self, topic: str, partition: int, offset: int, place: tuple[int, int]) -> None:
        """Note where a record goes; in the order of offsets."""
        self._offsets[topic, partition].append(offset)
        for kept, number in zip(self._new[topic, partition], place, strict=True):
            kept.append(number)

    def of(self, topic: str, partition: int, offset: int) -> tuple[int, int] | None:
        """The new partition and offset; ``None`` if there is no such record."""
        offsets = self._offsets.get((topic, partition))
        if offsets is None:
            return None
        at = bisect_left(offsets, offset)
        if at == len(offsets) or offsets[at] != offset:
            return None
        partitions, numbers = self._new[topic, partition]
        return partitions[at], numbers[at]


class References:
    """What records say of places, with the new places."""

    def __init__(self, move: Move, places: Places) -> None:
        self._move = move
        self._places = places

    def place(self, topic: str, partition: str, offset: str) -> tuple[str, str]:
        """The new partition and offset as texts; what is no place in a topic of ours stays."""
        if topic not in CATALOGUE or not (_is_number(partition) and _is_number(offset)):
            return partition, offset
        found = self._places.of(topic, int(partition), int(offset))
        if found is None:
            return partition, f"{offset}@{self._move.old_prefix}"
        return str(found[0]), str(found[1])

    def _in_one(self, text: str) -> str:
        """``topic/partition/offset`` with the new place; any other text stays."""
        parts = text.split("/")
        return "/".join((parts[0], *self.place(*parts))) if len(parts) == 3 else text

    def record(self, topic: str, record: InputRecord) -> OutputRecord:
        """A record of a topic of the catalogue, to be sent to its new partition.

        ``TASKS`` need the places of all other topics.
        """
        key, value, headers = record.key, record.value, record.headers
        if topic == DEAD_LETTERS.name:
            headers = self._of_letter(headers)
        elif topic == TASKS.name and value is not None:
            key, value, headers = self._task(key, value, headers)
        sent = [
            (name, self._cause(text) if name == "ce_cause" and text else text)
            for name, text in headers
        ]
        record_id = None if key is None else key.partition(b"/")[0]
        if topic == TASKS.name and key != record.key:
            partition = partition_of(record_id or b"", self._move.new)
        else:
            partition = self._move.partition(record_id, record.partition)
        name = self._move.new_prefix + topic
        return OutputRecord(name, partition, key, value, record.timestamp, sent)

    def _cause(self, text: bytes) -> bytes:
        # Others may write any bytes.
        return self._in_one(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    def _of_letter(self, headers: Headers) -> Headers:
        """A dead letter's headers. Its own begin with the last ``service``."""
        names = [name for name, _ in headers]
        if "service" not in names:
            return headers
        begin = len(names) - names[::-1].index("service")
        own = {name: (text or b"").decode("utf-8", "replace") for name, text in headers[begin:]}
        name = own.get("topic", "")
        topic = name.removeprefix(self._move.old_prefix)
        if not name.startswith(self._move.old_prefix) or topic not in CATALOGUE:
            return headers
        partition, offset = self.place(topic, own.get("partition", ""), own.get("offset", ""))
        said = {"topic": self._move.new_prefix + topic, "partition": partition, "offset": offset}
        if "last-offset" in own:
            said["last-offset"] = self.place(topic, own["partition"], own["last-offset"])[1]
        return headers[:begin] + tuple(
            (name, said[name].encode() if name in said else text) for name, text in headers[begin:]
        )

    def _task(
        self, key: bytes | None, value: bytes, headers: Headers
    ) -> tuple[bytes | None, bytes, Headers]:
        """The task of a dead letter under the id of its record's new place; others stay."""
        try:
            task: Any = orjson.loads(value)
            about = task["about"].split("/")
            old = task["task_id"]
            is_of_place = task["kind"] == "record" and len(about) == 3
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return key, value, headers
        if not is_of_place or record_task_id(*about) != old or key != old.encode():
            return key, value, headers
        topic, partition, offset = about[0], *self.place(*about)
        new = record_task_id(topic, partition, offset)
        task |= {"task_id": new, "about": f"{topic}/{partition}/{offset}"[:ABOUT_MAX]}
        named = tuple(
            (name, text.replace(old.encode(), new.encode()) if name == "ce_id" and text else text)
            for name, text in headers
        )
        return new.encode(), orjson.dumps(task), named

    def row(self, changelog: str, record: InputRecord) -> OutputRecord:
        """A record of a changelog, to be sent to its new partition."""
        key, value = record.key or b"", record.value
        row_id, _, name = key.partition(b"\x00")
        partition = self._move.partition(row_id, record.partition)
        if value is not None and name.startswith(b"stash/"):
            value = self._stashed(value, partition)
        elif value is not None and name.startswith(b"waiting/"):
            value = self._waiting(value)
        topic = self._move.new_prefix + changelog
        return OutputRecord(topic, partition, key, value, record.timestamp, list(record.headers))

    def _stashed(self, value: bytes, partition: int) -> bytes:
        topic, old, offset, *rest = orjson.loads(value)
        place = self._places.of(topic, old, offset) or (partition, UNKNOWN)
        return orjson.dumps([topic, *place, *rest])

    def _waiting(self, value: bytes) -> bytes:
        row = orjson.loads(value)
        if old := row.get("place"):
            place = self._in_one(old)
            # A place that is not known is empty in rows.
            row["place"] = "" if "@" in place else place
        return orjson.dumps(row)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


# --- where readers stand -------------------------------------------------------------------------


@dataclass
class Reader:
    """A consumer group on a topic: the first unhandled offset of each old partition.

    ``handled`` is the same of each new partition, ``unread`` counts records.
    """

    group: str
    topic: str
    at: Sequence[int]
    handled: Counter[int] = field(default_factory=Counter)
    unread: int = 0


class Survey:
    """Takes every record once, in the order in which it is copied, and notes where it goes."""

    def __init__(self, move: Move, readers: Iterable[Reader]) -> None:
        self.places = Places()
        self.references = References(move, self.places)
        #: Records of each topic in each new partition.
        self.counts: dict[str, Counter[int]] = defaultdict(Counter)
        self._readers: dict[str, list[Reader]] = defaultdict(list)
        for reader in readers:
            self._readers[reader.topic].append(reader)

    def take(self, topic: str, record: InputRecord) -> None:
        """Note a record."""
        new = self.references.record(topic, record).partition
        counts = self.counts[topic]
        self.places.add(topic, record.partition, record.offset, (new, counts[new]))
        counts[new] += 1
        for reader in self._readers[topic]:
            if record.offset < reader.at[record.partition]:
                reader.handled[new] += 1
            else:
                reader.unread += 1


# --- rows ----------------------------------------------------------------------------------------


@dataclass
class Kept:
    """The positions in a changelog by old partition, and the calls that are claimed."""

    positions: dict[int, dict[str, Any]] = field(default_factory=dict)
    claimed: set[bytes] = field(default_factory=set)

    def take(self, record: InputRecord) -> None:
        """Note a record."""
        key = record.key or b""
        if key == POSITIONS_KEY:
            self.positions[record.partition] = orjson.loads(record.value or b"{}")
        elif key.partition(b"\x00")[2].startswith(b"call/"):
            is_claimed = record.value is not None and orjson.loads(record.value)["owner"]
            (self.claimed.add if is_claimed else self.claimed.discard)(key)


def new_positions(
    move: Move, kept: Mapping[int, Mapping[str, Any]], readers: Iterable[Reader], partition: int
) -> bytes | None:
    """The row of positions of a new partition; ``None`` if none of its sources has one.

    Its clock is the latest of its sources: where there are several, all have read everything, as
    partitions that stand at rest together. Counts of dead letters go to one of several.
    """
    found = [kept[each] for each in move.sources(partition) if each in kept]
    if not found:
        return None
    dead: Counter[str] = Counter()
    for old, each in kept.items():
        if old % move.new == partition:
            dead.update(each.get("dead", {}))
    told = {
        "positions": {each.topic: each.handled[partition] for each in readers},
        "now": max(each["now"] for each in found),
        "stashed": max(each["stashed"] for each in found),
    }
    return orjson.dumps(told | {"dead": dict(dead)} if dead else told)


# --- topics --------------------------------------------------------------------------------------


def while_copied(topic: PlannedTopic) -> PlannedTopic:
    """A topic as it is made for the copy; it gets its own settings afterwards."""
    kept = {
        name: value
        for name, value in topic.settings.items()
        if name in ("max.message.bytes", "min.insync.replicas")
    }
    return PlannedTopic(topic.name, topic.partitions, topic.replicas, kept | FOR_COPYING)
