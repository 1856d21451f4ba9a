"""Reads what a fetch brought, batch by batch, and names what can't be read instead of raising.

aiokafka raises out of ``getmany`` for a header name that is not UTF-8, a codec it does not know, a
wrong checksum or garbled bytes. It raises again at every later try, so one such record stops a
partition for good. It also passes over a batch that came cut off without handing it on. Here each
of these becomes an ``Unreadable`` that stands where its records stood, in the order of offsets.

A checksum that does not match may be the network's fault. Such a batch is fetched again, and only
judged when the same bytes have come several times over some seconds.
"""

import asyncio
import gzip
import io
import struct
import time
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiokafka.codec
import structlog
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord

from services.runtime import metrics
from services.runtime.records import Unreadable

#: A batch whose checksum is wrong is judged when its same bytes came this often, …
LOOKS_MIN: Final = 3
#: … over at least this long.
PATIENCE_SECONDS: Final = 5.0
#: Between two fetches of such a batch.
PAUSE_SECONDS: Final = 0.5
#: A compressed batch may not become larger: two megabytes can hold gigabytes of zeros.
UNCOMPRESSED_BYTES_MAX: Final = 64 * 1024 * 1024

# As Apache Kafka writes a batch, https://kafka.apache.org/documentation/#recordbatch: base offset,
# length, leader epoch, magic, checksum, attributes, last offset delta, base and largest timestamp,
# producer id and epoch, base sequence, count.
_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT, _OVERHEAD, _MAGIC_AT, _ATTRIBUTES_AT = 8, 12, 16, 21
#: By the format's number: an empty record of the two old formats.
_LEGACY_BYTES_MIN: Final = {0: 26, 1: 34}
_CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_CODEC_MASK, _APPEND_TIME = 0x07, 0x08

_log = structlog.get_logger()


class BatchError(ValueError):
    """A batch can't be read; ``reason`` is a label, the text a sentence."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


# --- the bytes of a batch ------------------------------------------------------------------------


def end_of_batch(raw: memoryview, start: int) -> int | None:
    """Where the batch that begins at ``start`` ends, or ``None`` if it is not whole."""
    if len(raw) - start <= _MAGIC_AT:
        return None
    (length,) = struct.unpack_from(">i", raw, start + _LENGTH_AT)
    least = _LEGACY_BYTES_MIN.get(raw[start + _MAGIC_AT], _HEADER.size)
    if length < least - _OVERHEAD or start + _OVERHEAD + length > len(raw):
        return None
    return int(start + _OVERHEAD + length)


@dataclass(frozen=True, slots=True)
class _Header:
    """What is used of a batch's header; times in milliseconds."""

    base_offset: int
    next_offset: int
    attributes: int
    base_timestamp: int
    timestamp_max: int
    count: int

    @staticmethod
    def of(batch: memoryview) -> "_Header":
        offset, _, _, _, _, attributes, delta, base, largest, _, _, _, count = _HEADER.unpack_from(
            batch
        )
        return _Header(offset, offset + delta + 1, attributes, base, largest, count)

    def time_of(self, delta: int) -> int:
        """The time of a record that is ``delta`` behind the batch's first."""
        is_append_time = self.attributes & _APPEND_TIME
        return self.timestamp_max if is_append_time else self.base_timestamp + delta


def inflated(batch: memoryview) -> memoryview:
    """The batch with its records uncompressed; the checksum no longer fits. Raises ``BatchError``.

    aiokafka would unpack without a limit.
    """
    codec = batch[_ATTRIBUTES_AT + 1] & _CODEC_MASK
    if codec == 0:
        return batch
    records = _uncompressed(codec, bytes(batch[_HEADER.size :]))
    made = bytearray(batch[: _HEADER.size])
    made[_ATTRIBUTES_AT + 1] &= ~_CODEC_MASK
    struct.pack_into(">i", made, _LENGTH_AT, len(made) - _OVERHEAD + len(records))
    return memoryview(bytes(made) + records)


def _uncompressed(codec: int, packed: bytes) -> bytes:
    name = _CODECS.get(codec)
    if name is None:
        raise BatchError("codec", f"compressed with codec {codec}, which nobody knows")
    if name == "gzip":
        return _gunzipped(packed)
    cramjam = aiokafka.codec.cramjam
    if cramjam is None:
        raise BatchError("codec", f"compressed with {name}: install aiokafka[{name}] to read it")
    try:
        if name == "snappy":
            return b"".join(_snappy_blocks(cramjam.snappy, packed))
        return _into_growing(getattr(cramjam, name).decompress_into, packed)
    except cramjam.DecompressionError as error:
        raise BatchError("compression", f"not what {name} makes: {error}") from None


def _gunzipped(packed: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            unpacked = file.read(UNCOMPRESSED_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BatchError("compression", f"not what gzip makes: {error}") from None
    _check_size(len(unpacked))
    return unpacked


def _into_growing(decompress_into: Any, packed: bytes) -> bytes:
    """Unpack into a buffer that is made larger while it is too small."""
    size = min(max(8 * len(packed), 64 * 1024), UNCOMPRESSED_BYTES_MAX)
    while True:
        unpacked = bytearray(size)
        try:
            return bytes(memoryview(unpacked)[: decompress_into(packed, unpacked)])
        except aiokafka.codec.cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            _check_size(size + 1)
            size = min(8 * size, UNCOMPRESSED_BYTES_MAX)


def _snappy_blocks(snappy: Any, packed: bytes) -> Iterator[bytes]:
    """Java's producers frame snappy in blocks of their own, others do not."""
    total, at = 0, 16
    framed = packed.startswith(b"\x82SNAPPY\x00")
    while at < len(packed) if framed else total == 0:
        block = packed
        if framed:
            size = int.from_bytes(packed[at : at + 4], "big")
            block, at = packed[at + 4 : at + 4 + size], at + 4 + size
        total += max(int(snappy.decompress_raw_len(block)), 1)
        _check_size(total)
        yield bytes(snappy.decompress_raw(block))


def _check_size(size: int) -> None:
    if size > UNCOMPRESSED_BYTES_MAX:
        raise BatchError(
            "too-large", f"more than {UNCOMPRESSED_BYTES_MAX} bytes when it is uncompressed"
        )


def salvaged(batch: memoryview, tp: TopicPartition) -> Iterator[ConsumerRecord | Unreadable]:
    """The records of an uncompressed batch one by one, as far as they can be told apart.

    A record whose header names are not UTF-8 comes as ``Unreadable`` with its own key, value and
    headers. Raises ``ValueError`` or ``IndexError`` where the bytes are no record any more.
    """
    header, buffer, at = _Header.of(batch), bytearray(batch), _HEADER.size
    for _ in range(header.count):
        length, at = decode_varint(buffer, at)
        if not 0 < length <= len(buffer) - at:
            raise BatchError("records", "a record is longer than its batch")
        yield _record(buffer[at : at + length], header, tp)
        at += length


def _record(body: bytearray, header: _Header, tp: TopicPartition) -> ConsumerRecord | Unreadable:
    time_delta, at = decode_varint(body, 1)
    offset_delta, at = decode_varint(body, at)
    key, at = _field(body, at)
    value, at = _field(body, at)
    count, at = decode_varint(body, at)
    if count < 0:
        raise BatchError("records", f"a record has {count} headers")
    headers: list[tuple[str, Any]] = []
    strange = None
    for _ in range(count):
        name, at = _field(body, at)
        text, at = _field(body, at)
        if name is None:
            raise BatchError("records", "a header has no name")
        try:
            headers.append((name.decode(), text))
        except UnicodeDecodeError:
            strange = name
            headers.append((name.decode("utf-8", "backslashreplace"), text))
    if at != len(body):
        raise BatchError("records", f"a record of {len(body)} bytes ends after {at}")
    offset, timestamp = header.base_offset + offset_delta, header.time_of(time_delta)
    if strange is not None:
        return Unreadable(
            tp.topic,
            tp.partition,
            offset,
            offset,
            timestamp,
            "header-name",
            f"the header name {strange[:80]!r} is not UTF-8",
            key=key,
            value=value,
            headers=tuple(headers),
        )
    sizes = (-1 if each is None else len(each) for each in (key, value))
    kind = int(bool(header.attributes & _APPEND_TIME))
    return ConsumerRecord(
        tp.topic, tp.partition, offset, timestamp, kind, key, value, None, *sizes, tuple(headers)
    )


def _field(body: bytearray, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(body, at)
    if length < 0:
        return None, at
    if at + length > len(body):
        raise BatchError("records", "a field is longer than its record")
    return bytes(body[at : at + length]), at + length


# --- batches that may come better the next time --------------------------------------------------


class Doubts:
    """Which broken batches came how often, by partition; one clock for all readers of a process."""

    def __init__(self) -> None:
        #: What came, when first, how often.
        self._seen: dict[TopicPartition, tuple[int, float, int]] = {}

    def is_certain(self, tp: TopicPartition, raw: memoryview, now: float) -> bool:
        """Note that these bytes came; whether they came often and long enough to be judged."""
        told = hash(bytes(raw))
        known, since, looks = self._seen.get(tp, (None, now, 0))
        if known != told:
            since, looks = now, 0
        self._seen[tp] = (told, since, looks + 1)
        return looks + 1 >= LOOKS_MIN and now - since >= PATIENCE_SECONDS


_doubts = Doubts()


# --- in aiokafka's places ------------------------------------------------------------------------


class Batches:
    """The bytes a fetch brought for a partition; in the place of aiokafka's ``MemoryRecords``.

    That one hands no bytes on, passes over a batch that came cut off, and may raise in the task
    that fetches, which then ends without a word.
    """

    def __init__(self, raw: bytes | None) -> None:
        self.raw = memoryview(raw or b"")

    def has_next(self) -> bool:
        """Whether anything came."""
        return len(self.raw) > 0

    def size_in_bytes(self) -> int:
        """How much came."""
        return len(self.raw)


class Records(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of a partition that a fetch brought, and ``Unreadable`` where there are none."""

    #: A batch is broken and should be fetched again, after a pause.
    in_doubt = False
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[ConsumerRecord | Unreadable]:
        raw, start = self._records.raw, 0
        while start < len(raw):
            end = end_of_batch(raw, start)
            if end is None:
                # The last batch of an answer may be cut off; the next fetch begins with it.
                if start == 0:
                    problem = "the broker hands over no whole batch"
                    yield from self._doubted(raw, "cut-off", problem, self.next_fetch_offset + 1)
                return
            batch = raw[start:end]
            if problem := self._broken(batch):
                yield from self._doubted(batch, "checksum", problem, self._end_of(batch, raw, end))
                return
            found = yield from self._read(batch)
            if not found:
                # What was aborted is told anew for the offsets behind it.
                return
            start = end

    def _broken(self, batch: memoryview) -> str:
        magic = batch[_MAGIC_AT]
        if magic > 2:
            return f"the batch has format {magic}, which nobody knows"
        if self._check_crcs and not _opened(batch).validate_crc():
            return "the checksum of the batch does not match its bytes"
        return ""

    def _end_of(self, batch: memoryview, raw: memoryview, end: int) -> int:
        """The offset after a batch whose header can't be trusted: as near as can be known."""
        at = self.next_fetch_offset
        told = _Header.of(batch) if len(batch) >= _HEADER.size else None
        if len(raw) - end >= _LENGTH_AT:
            (following,) = struct.unpack_from(">q", raw, end)
            if following > at:
                is_likely = told is not None and at < told.next_offset <= following
                return told.next_offset if told is not None and is_likely else int(following)
        if told is not None and at < told.next_offset == told.base_offset + told.count:
            return told.next_offset
        return int(at + 1)

    def _doubted(
        self, raw: memoryview, reason: str, problem: str, next_offset: int
    ) -> Iterator[Unreadable]:
        """Have bytes fetched again that may come better, or name them when they do not."""
        if not _doubts.is_certain(self._tp, raw, time.monotonic()):
            self.in_doubt = True
            _log.warning(
                "a broken batch is fetched again",
                topic=self._tp.topic,
                partition=self._tp.partition,
                offset=self.next_fetch_offset,
                problem=problem,
            )
            return
        # Nothing in it is to be trusted, its time included.
        yield self._unreadable(raw, reason, problem, next_offset, -1)

    def _unreadable(
        self, raw: memoryview, reason: str, problem: str, next_offset: int, timestamp: int
    ) -> Unreadable:
        first, self.next_fetch_offset = self.next_fetch_offset, next_offset
        (base,) = struct.unpack_from(">q", raw) if len(raw) >= _LENGTH_AT else (first,)
        if first < base < next_offset:
            # Compaction leaves gaps before a batch.
            first = int(base)
        return Unreadable(
            self._tp.topic,
            self._tp.partition,
            first,
            next_offset - 1,
            timestamp,
            reason,
            problem,
            value=bytes(raw),
            is_batch=True,
        )

    def _read(self, raw: memoryview) -> Generator[Any, None, bool]:
        """The records of a batch whose checksum is right; returns whether the next may follow."""
        batch = _opened(raw)
        if batch.next_offset <= self.next_fetch_offset:
            return True
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            try:
                if batch.is_control_batch and self._contains_abort_marker(batch):
                    self._aborted_producers.discard(batch.producer_id)
            except MemoryError:
                raise
            except Exception as error:
                yield from self._rest(raw, error)
                return False
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                self._go_to(batch.next_offset)
                return True
        if not batch.is_control_batch:
            yield from self._data(raw, batch.next_offset)
        self._go_to(batch.next_offset)
        return True

    def _data(self, raw: memoryview, end: int) -> Iterator[ConsumerRecord | Unreadable]:
        plain = raw
        try:
            if raw[_MAGIC_AT] >= 2:
                plain = inflated(raw)
            for record in _opened(plain):
                offset = record.offset
                if offset >= self.next_fetch_offset:
                    if offset >= end:
                        _refuse_offset(offset)
                    found = self._consumer_record(self._tp, record)
                    self.next_fetch_offset = offset + 1
                    yield found
        except MemoryError:
            # That says nothing about the batch.
            raise
        except Exception as error:
            yield from self._salvaged(raw, plain, end, error)

    def _salvaged(
        self, raw: memoryview, plain: memoryview, end: int, error: Exception
    ) -> Iterator[ConsumerRecord | Unreadable]:
        """What is left of a batch after ``error``: its good records count, the others are named."""
        if raw[_MAGIC_AT] >= 2 and not isinstance(error, BatchError):
            try:
                for each in salvaged(plain, self._tp):
                    if each.offset >= self.next_fetch_offset:
                        if each.offset >= end:
                            _refuse_offset(each.offset)
                        self._go_to(each.offset + 1)
                        yield each
            except (ValueError, IndexError) as further:
                error = further
            else:
                return
        yield from self._rest(raw, error)

    def _rest(self, raw: memoryview, error: Exception) -> Iterator[Unreadable]:
        """All of a batch from the next offset on, if anything is left of it."""
        reason = error.reason if isinstance(error, BatchError) else "records"
        end = _opened(raw).next_offset
        at_ms = _Header.of(raw).time_of(0) if raw[_MAGIC_AT] >= 2 else -1
        if end > self.next_fetch_offset:
            yield self._unreadable(raw, reason, f"the batch can't be read: {error}", end, at_ms)

    def _go_to(self, offset: int) -> None:
        self.next_fetch_offset = max(self.next_fetch_offset, offset)


def _refuse_offset(offset: int) -> None:
    """The broker takes any offset of a record within its batch, and reading would go on there."""
    raise BatchError("records", f"a record says it is at offset {offset}, behind its batch")


def _opened(batch: memoryview) -> Any:
    magic = batch[_MAGIC_AT]
    return DefaultRecordBatch(batch) if magic >= 2 else LegacyRecordBatch(batch, magic)


class Fetched(FetchResult):  # type: ignore[misc]  # aiokafka has no types
    """What a fetch brought for a partition; rests the partition while a batch is in doubt."""

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records."""
        records = self._partition_records
        found: list[Any] = super().getall(max_records)
        if records is not None and records.in_doubt:
            self._rest()
        return found

    def getone(self) -> Any:
        """The next record."""
        records = self._partition_records
        found = super().getone()
        if records is not None and records.in_doubt:
            self._rest()
        return found

    def _rest(self) -> None:
        state = self._assignment.state_value(self._topic_partition)
        if state is not None and not state.paused:
            state.pause()
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, state.resume)


def note_unreadable(record: Unreadable, kept: str) -> None:
    """Name what is passed over in the log, and count it; ``kept`` says where it can be found."""
    metrics.UNREADABLE.labels(record.topic, record.reason).inc()
    _log.error(
        "what can't be read is passed over",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        last_offset=record.last_offset,
        reason=record.reason,
        problem=record.problem,
        kept=kept,
    )


def install() -> None:
    """Have aiokafka's fetcher use these: it takes no classes of anybody, so its names are set."""
    fetcher.MemoryRecords, fetcher.PartitionRecords, fetcher.FetchResult = Batches, Records, Fetched
