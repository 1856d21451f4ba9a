"""The bytes of a record batch: where it ends, unpacked within a limit, record by record.

The format is https://kafka.apache.org/documentation/#recordbatch. aiokafka's own decoder is
quicker, but it unpacks without a limit and gives up a whole batch because of one bad record.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import aiokafka.codec
from aiokafka import TopicPartition
from aiokafka.errors import UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint
from aiokafka.structs import ConsumerRecord

from runtime.records import Unreadable

#: Most bytes of a batch once it is uncompressed: two megabytes can hold gigabytes of zeros.
UNCOMPRESSED_BYTES_MAX: Final = 64 * 1024 * 1024

# Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, base and
# largest timestamp, producer id and epoch, base sequence, count.
HEADER: Final = struct.Struct(">qiibIhiqqqhii")
LENGTH_AT, OVERHEAD, MAGIC_AT, ATTRIBUTES_AT = 8, 12, 16, 21
#: The size of an empty record in the two old formats, by the format's number.
_LEGACY_BYTES_MIN: Final = {0: 26, 1: 34}
_CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_CODEC_MASK, _APPEND_TIME = 0x07, 0x08


class BatchError(ValueError):
    """A batch can't be read; ``reason`` is a label, the text a sentence."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


def end_of_batch(raw: memoryview, start: int) -> int | None:
    """Where the batch that begins at ``start`` ends, or ``None`` if it is not whole."""
    if len(raw) - start <= MAGIC_AT:
        return None
    (length,) = struct.unpack_from(">i", raw, start + LENGTH_AT)
    least = _LEGACY_BYTES_MIN.get(raw[start + MAGIC_AT], HEADER.size)
    if length < least - OVERHEAD or start + OVERHEAD + length > len(raw):
        return None
    return int(start + OVERHEAD + length)


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a batch's header that are used; times are in milliseconds."""

    base_offset: int
    next_offset: int
    attributes: int
    base_timestamp: int
    timestamp_max: int
    count: int

    @staticmethod
    def of(batch: memoryview) -> "Header":
        """The header of a batch in the current format."""
        offset, _, _, _, _, attributes, delta, base, largest, _, _, _, count = HEADER.unpack_from(
            batch
        )
        return Header(offset, offset + delta + 1, attributes, base, largest, count)

    def time_of(self, delta: int) -> int:
        """The time of a record that is ``delta`` after the batch's first."""
        is_append_time = self.attributes & _APPEND_TIME
        return self.timestamp_max if is_append_time else self.base_timestamp + delta


def inflated(batch: memoryview) -> memoryview:
    """The batch with its records uncompressed; the checksum no longer fits. Raises ``BatchError``.

    aiokafka itself would unpack without a limit. Raises ``UnsupportedCodecError`` if the library of
    one of Kafka's codecs is not installed: the batch itself is valid.
    """
    codec = batch[ATTRIBUTES_AT + 1] & _CODEC_MASK
    if codec == 0:
        return batch
    records = _uncompressed(codec, bytes(batch[HEADER.size :]))
    made = bytearray(batch[: HEADER.size])
    made[ATTRIBUTES_AT + 1] &= ~_CODEC_MASK
    struct.pack_into(">i", made, LENGTH_AT, len(made) - OVERHEAD + len(records))
    return memoryview(bytes(made) + records)


def _uncompressed(codec: int, packed: bytes) -> bytes:
    name = _CODECS.get(codec)
    if name is None:
        raise BatchError("codec", f"compressed with codec {codec}, which is unknown")
    if name == "gzip":
        return _gunzipped(packed)
    cramjam = aiokafka.codec.cramjam
    if cramjam is None:
        raise UnsupportedCodecError(name)
    try:
        if name == "snappy":
            return b"".join(_snappy_blocks(cramjam.snappy, packed))
        return _into_growing(getattr(cramjam, name).decompress_into, packed)
    except cramjam.DecompressionError as error:
        raise BatchError("compression", f"not valid {name} data: {error}") from None


def _gunzipped(packed: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            unpacked = file.read(UNCOMPRESSED_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BatchError("compression", f"not valid gzip data: {error}") from None
    _check_size(len(unpacked))
    return unpacked


def _into_growing(decompress_into: Any, packed: bytes) -> bytes:
    """Unpack into a buffer, which grows while it is too small."""
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
    """Unpack snappy data, with the block format of Java's producers or without it."""
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
    """The records of an uncompressed batch one by one, as far as their limits can be read.

    A record whose header names are not UTF-8 comes as ``Unreadable`` with its own key, value and
    headers. Raises ``ValueError`` or ``IndexError`` at bytes that are not a record.
    """
    header, buffer, at = Header.of(batch), bytearray(batch), HEADER.size
    for _ in range(header.count):
        length, at = decode_varint(buffer, at)
        if not 0 < length <= len(buffer) - at:
            raise BatchError("records", "a record is longer than its batch")
        yield _record(buffer[at : at + length], header, tp)
        at += length


def _record(body: bytearray, header: Header, tp: TopicPartition) -> ConsumerRecord | Unreadable:
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


def refuse_offset(offset: int) -> None:
    """Raise for an offset beyond its batch: the broker takes it, and reading would go on there."""
    raise BatchError("records", f"a record has offset {offset}, which is beyond its batch")


def opened(batch: memoryview) -> Any:
    """The batch as aiokafka reads it."""
    magic = batch[MAGIC_AT]
    return DefaultRecordBatch(batch) if magic >= 2 else LegacyRecordBatch(batch, magic)
