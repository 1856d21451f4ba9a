"""Records in and out: bytes to validated messages, messages to bytes with CloudEvents headers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import orjson
from aiokafka.partitioner import murmur2
from pydantic import ValidationError

from runtime.cache import TwoGenerations
from runtime.masking import without_cards
from schemas.parts import Message
from schemas.reasons import RecordReason
from schemas.topic import RECORD_BYTES_MAX, Topic

TIMESTAMP_MAX_MS = 253_402_300_799_999
#: Most bytes of a dead letter's key, value and headers, as a topic takes no more.
LETTER_BYTES_MAX = 2 * 1024 * 1024
#: The header ``letter-content`` of a dead letter whose value is not a record's value.
LETTER_OF_BATCH, LETTER_LEFT_OUT = b"record-batch", b"left-out"
_ERROR_BYTES_MAX = _KEY_BYTES_MAX = 1_000

Headers = tuple[tuple[str, bytes], ...]


class InputRecord(Protocol):
    """What the runtime needs of a consumed record (aiokafka's ``ConsumerRecord`` has it)."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One or more records in Kafka that can't be read, in their place.

    They have the offsets ``offset`` to ``last_offset``. ``reason`` is a label, ``problem`` a
    sentence. With ``is_batch`` the value is the batch's bytes as the broker keeps them, and there
    is neither key nor headers; else all three are the record's own. ``timestamp`` is -1 if it
    is unknown.
    """

    topic: str
    partition: int
    offset: int
    last_offset: int
    timestamp: int
    reason: str
    problem: str
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    is_batch: bool = False

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset} to {self.last_offset}: {self.problem}"


def offset_after(record: InputRecord) -> int:
    """The offset after a record, or after all records of an ``Unreadable``."""
    return (record.last_offset if isinstance(record, Unreadable) else record.offset) + 1


class OutputRecord(NamedTuple):
    """A record to be sent; ``timestamp`` in milliseconds."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Cause:
    """The input that a record or a firing comes from, as ops find it again."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class BadRecordError(ValueError):
    """The record can't be used: the text and the short code ``reason`` are the dead letter's."""

    def __init__(self, problem: str, reason: RecordReason) -> None:
        super().__init__(problem)
        self.reason = reason


class Partitioner:
    """murmur2 over the id that a key begins with, as the Java client does; remembers hot ids."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._known: TwoGenerations[int] = TwoGenerations(100_000)

    def __call__(self, key_id: str) -> int:
        """The partition of an id."""
        partition = self._known.get(key_id)
        if partition is None:
            partition = self.of_new(key_id)
            self._known.put(key_id, partition)
        return partition

    def of_new(self, key_id: str) -> int:
        """The partition of an id that comes once, and so is not remembered."""
        return partition_of(key_id.encode(), self.partitions)


def partition_of(record_id: bytes, partitions: int) -> int:
    """The partition of an id among so many, by murmur2."""
    return int((murmur2(record_id) & 0x7FFFFFFF) % partitions)


def instant(milliseconds: int) -> datetime:
    """A record's timestamp as a time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def in_range(timestamp: int) -> int:
    """The nearest timestamp in milliseconds that has a date: from 1970 to the end of 9999."""
    return min(max(timestamp, 0), TIMESTAMP_MAX_MS)


def milliseconds(at: datetime) -> int:
    """A time as a record's timestamp, rounded up so that nothing falls due before its time."""
    return -int(-at.timestamp() * 1000 // 1)


def decode(topic: Topic, record: InputRecord, partitioner: Partitioner) -> Message:
    """The message of a record that sits where it belongs.

    Raises ``BadRecordError`` for what can't be read or is too large, bytes that are not JSON, a
    value that breaks its schema, a key that is not the message's, and a partition that murmur2
    does not give.
    """
    if isinstance(record, Unreadable):
        raise BadRecordError(record.problem, RecordReason.UNREADABLE)
    if record.value is None:
        message = _tombstone(topic, record)
    else:
        message = _message(topic, record, record.value)
    expected = message.key
    if not expected:
        return message
    key = record.key
    if key is None or key != expected.encode():
        said = f"the key is {_shown(key)}, the message's is {expected!r}"
        raise BadRecordError(said, RecordReason.WRONG_KEY)
    partition = partitioner(expected.partition("/")[0])
    if record.partition != partition:
        raise BadRecordError(
            f"the record is in partition {record.partition}, its id {key_id(expected)!r} belongs in"
            f" {partition}: produce with the murmur2 partitioner (librdkafka:"
            " partitioner=murmur2_random)",
            RecordReason.WRONG_PARTITION,
        )
    return message


def _tombstone(topic: Topic, record: InputRecord) -> Message:
    """What a record without a value says, where the topic has such records."""
    if topic.tombstone is None:
        said = "the value is null; this topic has no tombstones"
        raise BadRecordError(said, RecordReason.NO_VALUE)
    kind = topic.tombstone
    try:
        return kind.model_validate({kind.keyed_by: (record.key or b"").decode()})
    except ValueError:
        said = f"the key is {_shown(record.key)}, which is not the key of a {kind.__name__}"
        raise BadRecordError(said, RecordReason.WRONG_KEY) from None


def _message(topic: Topic, record: InputRecord, value: bytes) -> Message:
    """The message in the value of a record."""
    if len(value) > RECORD_BYTES_MAX:
        raise BadRecordError(
            f"the value has {len(value)} bytes; a record of this system has at most"
            f" {RECORD_BYTES_MAX}",
            RecordReason.TOO_LARGE,
        )
    if record.headers:
        value = _cloud_event_data(record.headers, value)
    try:
        message: Message = topic.adapter.validate_json(value)
    except ValidationError as error:
        raise BadRecordError(_in_one_line(error), RecordReason.SCHEMA) from None
    return message


def key_id(key: str) -> str:
    """The id that a record's key begins with."""
    return key.partition("/")[0]


def encode(message: Message) -> bytes:
    """A message's value on the wire."""
    return message.model_dump_json(exclude_none=True).encode()


def as_record(
    message: Message,
    topic: str,
    partitioner: Partitioner,
    timestamp: int,
    value: bytes | None = None,
    headers: list[tuple[str, bytes]] | None = None,
) -> OutputRecord:
    """A message as a record in its key's partition; ``value`` if it is not to be all of it."""
    key = message.key
    return OutputRecord(
        topic,
        partitioner(key_id(key)),
        key.encode(),
        encode(message) if value is None else value,
        timestamp,
        [] if headers is None else headers,
    )


class Encoder:
    """Turns messages of one processor into records with CloudEvents 1.0 headers, binary mode."""

    def __init__(self, source: str, topics: dict[type[Message], str], partitioner: Partitioner):
        self._topics = topics
        self._partitioner = partitioner
        self._fixed = [
            ("ce_specversion", b"1.0"),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        ]
        self._types = {kind: ("ce_type", kind.__name__.encode()) for kind in topics}

    def __call__(self, message: Message, timestamp: int, cause: str, rule: str) -> OutputRecord:
        """The record that a rule sends.

        ``ce_id`` is the type with the message's own id, so the same cause gives the same;
        ``ce_cause`` and ``ce_rule`` are what ``jointbuy why`` shows.
        """
        kind = type(message)
        headers = self.headers(kind, message.event_id, timestamp, cause, rule)
        return as_record(message, self._topics[kind], self._partitioner, timestamp, headers=headers)

    def headers(
        self, kind: type[Message], event_id: str, timestamp: int, cause: str, rule: str
    ) -> list[tuple[str, bytes]]:
        """The headers of a message that has this id among those of its type."""
        return [
            *self._fixed,
            self._types[kind],
            ("ce_id", f"{kind.__name__}:{event_id}".encode()),
            ("ce_time", rfc3339(timestamp)),
            ("ce_cause", cause.encode()),
            ("ce_rule", rule.encode()),
        ]


def dead_letter(
    topic: str,
    partition: int,
    record: InputRecord,
    service: str,
    error: str,
    reason: str,
    at_ms: int = 0,
    attempt: int = 1,
) -> OutputRecord:
    """The record as it came, its own headers included, with headers that say where from and why.

    Only card numbers are masked, as we must not store them. A value or key that is too large for a
    topic is left out, and ``letter-content`` says so. ``reason`` is the short code of ``error``.
    ``at_ms`` is the letter's time if the record has none.
    """
    key, value, headers, about = record.key, record.value, record.headers, []
    size = len(key or b"") + len(value or b"")
    size += sum(len(name.encode()) + len(text or b"") for name, text in headers)
    if isinstance(record, Unreadable):
        about = [
            ("unreadable", record.reason.encode()),
            ("last-offset", str(record.last_offset).encode()),
        ]
        if record.is_batch:
            about.append(("letter-content", LETTER_OF_BATCH))
    if size > LETTER_BYTES_MAX:
        about = [each for each in about if each[0] != "letter-content"]
        about += [("letter-content", LETTER_LEFT_OUT), ("left-out-bytes", str(size).encode())]
        value, headers = None, ()
        key = key if key is not None and len(key) <= _KEY_BYTES_MAX else None
    return OutputRecord(
        topic=topic,
        partition=partition,
        key=key and without_cards(key),
        value=value and without_cards(value),
        timestamp=record.timestamp if record.timestamp >= 0 else max(at_ms, 0),
        headers=[
            *((name, text and without_cards(text)) for name, text in headers),
            ("service", service.encode()),
            ("topic", record.topic.encode()),
            ("partition", str(record.partition).encode()),
            ("offset", str(record.offset).encode()),
            ("error", error.encode("utf-8", "replace")[:_ERROR_BYTES_MAX]),
            ("reason", reason.encode()),
            ("attempt", str(attempt).encode()),
            ("record-timestamp", str(record.timestamp).encode()),
            *about,
        ],
    )


def rfc3339(timestamp: int) -> bytes:
    """A record's timestamp in milliseconds as RFC 3339 in UTC."""
    seconds, rest = divmod(timestamp, 1000)
    return b"%s.%03dZ" % (_whole_seconds(seconds), rest)


@lru_cache(maxsize=1024)
def _whole_seconds(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def _cloud_event_data(headers: Headers, value: bytes) -> bytes:
    for name, content_type in headers:
        if name == "content-type" and (content_type or b"").startswith(b"application/cloudevents"):
            try:
                return orjson.dumps(orjson.loads(value)["data"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                said = "a structured CloudEvent without JSON data"
                raise BadRecordError(said, RecordReason.SCHEMA) from None
    return value


def _in_one_line(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    shown = "; ".join(f"{_path(problem['loc'])}: {problem['msg']}" for problem in problems[:5])
    return shown if len(problems) <= 5 else f"{shown}; and {len(problems) - 5} more"


def _path(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location) or "value"


def _shown(key: bytes | None) -> str:
    return "null" if key is None else repr(key[:80].decode("utf-8", "replace"))
