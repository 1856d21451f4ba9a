"""The format of backups; pure.

A backup is a manifest and segments. A segment has records of one topic in the order in which they
are to be copied: those of a partition in their order, partitions merged by time. It is an array of
arrays in MessagePack, compressed by zstd. The manifest is JSON, and written last: it names the
segments' sizes and hashes, and where each consumer group goes on. docs/backup.md describes both.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, cast

import cramjam
import msgspec
import orjson

from runtime.records import InputRecord

#: Of what this version writes and reads.
FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
#: A segment ends at the record that brings it beyond one of these.
SEGMENT_BYTES: Final = 8_000_000
SEGMENT_RECORDS: Final = 50_000
_LEVEL: Final = 3


class ArchiveError(ValueError):
    """A backup can't be used; the message is one line."""


class Stored(msgspec.Struct, array_like=True):
    """A record as a segment has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Segment(msgspec.Struct):
    """The size of a segment as it is stored, its hash, and the number of its records."""

    size: int
    sha256: str
    records: int


class StoredPartition(msgspec.Struct):
    """A partition's records, with the offsets of the first and the last; 0 and -1 if it has none.

    Offsets between may be missing, as Kafka compacts.
    """

    first: int = 0
    last: int = -1
    records: int = 0


class StoredTopic(msgspec.Struct):
    """A topic: its partitions by number, and its segments in order."""

    partitions: list[StoredPartition]
    segments: list[Segment] = []

    @property
    def records(self) -> int:
        """The number of records."""
        return sum(each.records for each in self.segments)


class StoredReader(msgspec.Struct):
    """A consumer group on a topic: the first offset of each partition that is not handled."""

    group: str
    topic: str
    at: list[int]


class StoredOutbox(msgspec.Struct):
    """What a consumer group has committed in a partition of a shop's own topic."""

    group: str
    topic: str
    partition: int
    offset: int


class Manifest(msgspec.Struct):
    """What a backup has. Names of topics and groups are without the prefix."""

    format: int
    jointbuy: str
    made_at: datetime
    cluster_id: str
    topic_prefix: str
    partitions: int
    clock: str
    topics: dict[str, StoredTopic]
    groups: list[StoredReader]
    outboxes: list[StoredOutbox]
    #: The settings of ``dead-letters`` by which they expire, where they do.
    dead_letters_expire: dict[str, str]
    #: Records that could not be read, and that every reader had passed.
    left_out: list[str]

    @property
    def records(self) -> int:
        """The number of all records."""
        return sum(each.records for each in self.topics.values())

    @property
    def size(self) -> int:
        """The bytes of all segments."""
        return sum(part.size for each in self.topics.values() for part in each.segments)


# --- segments ------------------------------------------------------------------------------------

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Stored]).decode


def segment_name(topic: str, number: int) -> str:
    """The name of a topic's segment in the backup; numbers count from 0."""
    return f"topics/{topic}/{number:06}.msgpack.zst"


def stored(record: InputRecord) -> Stored:
    """A record that was read, to be stored."""
    return Stored(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )


def size_of(record: Stored) -> int:
    """About as many bytes as a record takes before compression."""
    headers = sum(len(name) + len(text or b"") for name, text in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers + 32


def encode(records: Sequence[Stored]) -> tuple[bytes, Segment]:
    """A segment of these records, and what the manifest says of it."""
    raw = bytes(cramjam.zstd.compress(_encode(records), level=_LEVEL))
    return raw, Segment(len(raw), sha256(raw).hexdigest(), len(records))


def decode(name: str, raw: bytes, told: Segment) -> list[InputRecord]:
    """The records of a segment that is as the manifest says. Raises ``ArchiveError``."""
    if len(raw) != told.size:
        raise ArchiveError(f"{name} has {len(raw)} bytes, and {told.size} were written")
    if sha256(raw).hexdigest() != told.sha256:
        raise ArchiveError(f"{name} was changed: its SHA-256 is not the one in {MANIFEST}")
    try:
        records = _decode(bytes(cramjam.zstd.decompress(raw)))
    except (msgspec.MsgspecError, cramjam.DecompressionError) as error:
        raise ArchiveError(f"{name} can't be read: {error}") from None
    if len(records) != told.records:
        raise ArchiveError(f"{name} has {len(records)} records, and {told.records} were written")
    # Headers of others may have no value, which the type of an input record does not tell.
    return cast("list[InputRecord]", records)


def note(topic: StoredTopic, record: InputRecord | Stored) -> None:
    """Count a record in its partition."""
    partition = topic.partitions[record.partition]
    if not partition.records:
        partition.first = record.offset
    partition.last = record.offset
    partition.records += 1


# --- manifests -----------------------------------------------------------------------------------


def sealed(manifest: Manifest) -> bytes:
    """A manifest with its own hash, as JSON for people."""
    told = msgspec.to_builtins(manifest)
    document = {"sha256": _hash_of(told), "manifest": told}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def opened(raw: bytes, known: Collection[str]) -> Manifest:
    """The manifest in these bytes; ``known`` are the topics that this version has.

    Raises ``ArchiveError``.
    """
    try:
        document: Any = orjson.loads(raw)
        told, said = document["manifest"], document["sha256"]
        version = told["format"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ArchiveError(f"{MANIFEST} is not the manifest of a backup, or was changed") from None
    if _hash_of(told) != said:
        raise ArchiveError(f"{MANIFEST} was changed: its SHA-256 is not the one in it")
    if version != FORMAT:
        raise ArchiveError(
            f"the backup has format {version}, and this version reads {FORMAT}: restore it with"
            f" jointbuy {told.get('jointbuy')}, which made it"
        )
    try:
        manifest = msgspec.convert(told, Manifest)
    except msgspec.ValidationError as error:
        raise ArchiveError(f"{MANIFEST} is not the manifest of a backup: {error}") from None
    if problem := _problem(manifest, known):
        raise ArchiveError(f"{MANIFEST} can't be used: {problem}")
    return manifest


def _hash_of(told: Any) -> str:
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _problem(manifest: Manifest, known: Collection[str]) -> str:
    """Why a manifest contradicts itself, or is not for this version; empty if it is good."""
    if unknown := sorted(manifest.topics.keys() - {*known}):
        return (
            f"this version has no topic {unknown[0]}: restore it with jointbuy {manifest.jointbuy},"
            " which made it"
        )
    lengths = [(name, len(each.partitions)) for name, each in manifest.topics.items()]
    lengths += [(f"{each.group} on {each.topic}", len(each.at)) for each in manifest.groups]
    for name, length in lengths:
        if length != manifest.partitions:
            return f"{name} has {length} partitions, the deployment {manifest.partitions}"
    for name, each in manifest.topics.items():
        if each.records != sum(part.records for part in each.partitions):
            return f"the records of {name} are not as many as those of its partitions"
    return ""


def check_same(name: str, told: StoredTopic, found: Iterable[StoredPartition]) -> None:
    """Refuse a topic whose records are not those that were written. Raises ``ArchiveError``."""
    for number, (one, other) in enumerate(zip(told.partitions, found, strict=True)):
        if one != other:
            raise ArchiveError(
                f"partition {number} of {name} has {other.records} records from offset"
                f" {other.first} to {other.last}, and {one.records} from {one.first} to {one.last}"
                " were written"
            )
