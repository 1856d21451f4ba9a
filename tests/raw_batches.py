"""Record batches made byte by byte, as no client makes them: https://kafka.apache.org/documentation/#recordbatch."""

import gzip
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.record.util import calc_crc32c, encode_varint

HEADER = struct.Struct(">qiibIhiqqqhii")
ATTRIBUTES_AT, CRC_AT = 21, 17
TRANSACTIONAL, CONTROL = 0x10, 0x20


class Raw(NamedTuple):
    """A record; header names are bytes here."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def varint(number: int) -> bytes:
    """As records have it."""
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)


def record(each: Raw, delta: int) -> bytes:
    """One record, ``delta`` behind its batch's base offset."""
    body = b"\0" + varint(0) + varint(delta)
    for field in (each.key, each.value):
        body += varint(-1) if field is None else varint(len(field)) + field
    body += varint(len(each.headers))
    for name, text in each.headers:
        body += varint(len(name)) + name
        body += varint(-1) if text is None else varint(len(text)) + text
    return varint(len(body)) + body


def batch(
    records: Sequence[Raw],
    *,
    offset: int = 0,
    at_ms: int = 1_000,
    attributes: int = 0,
    packed: bytes | None = None,
    producer_id: int = -1,
    first_delta: int = 0,
) -> bytes:
    """A batch of these records; ``packed`` instead of them, as ``attributes`` say they are.

    With ``first_delta`` the records say that they lie so far behind the batch's first offset.
    """
    body = b"".join(record(each, delta) for delta, each in enumerate(records, first_delta))
    made = HEADER.pack(
        *(offset, 0, 0, 2, 0, attributes, len(records) - 1, at_ms, at_ms, producer_id),
        *(0 if producer_id >= 0 else -1, -1, len(records)),
    ) + (body if packed is None else packed)
    return sealed(made)


def sealed(made: bytes) -> bytes:
    """The batch with the length and the checksum that are right for its bytes."""
    fixed = bytearray(made)
    struct.pack_into(">i", fixed, 8, len(fixed) - 12)
    struct.pack_into(">I", fixed, CRC_AT, calc_crc32c(bytes(fixed[ATTRIBUTES_AT:])))
    return bytes(fixed)


def gzipped(records: Sequence[Raw], **given: Any) -> bytes:
    """A batch that is compressed."""
    body = b"".join(record(each, delta) for delta, each in enumerate(records))
    return batch(records, attributes=1, packed=gzip.compress(body), **given)
