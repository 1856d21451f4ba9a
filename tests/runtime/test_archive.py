"""Backups: what is written is read back as it was, and each damage is named."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.archive import (
    FORMAT,
    ArchiveError,
    Manifest,
    Segment,
    Stored,
    StoredOutbox,
    StoredPartition,
    StoredReader,
    StoredTopic,
    check_same,
    decode,
    encode,
    note,
    opened,
    sealed,
    segment_name,
)

INTEGERS = st.integers(-(2**63), 2**63 - 1)
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
RECORDS = st.builds(
    Stored,
    topic=NAMES,
    partition=st.integers(0, 10_000),
    offset=INTEGERS,
    timestamp=INTEGERS,
    key=st.none() | st.binary(max_size=40),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=20)), max_size=4).map(tuple),
)
NAME = segment_name("orders", 0)
ONE = Stored("shop-orders", 1, 57, 1_000, b"GB-1", b"{}", (("ce_id", b"1"),))


@given(st.lists(RECORDS, max_size=20))
def test_a_segment_has_each_record_as_it_was(records: list[Stored]) -> None:
    raw, told = encode(records)
    assert decode(NAME, raw, told) == records


@given(st.lists(RECORDS, min_size=1, max_size=5), st.data())
def test_no_byte_of_a_segment_can_change_or_be_lost_unseen(
    records: list[Stored], data: st.DataObject
) -> None:
    raw, told = encode(records)
    at = data.draw(st.integers(0, len(raw) - 1))
    flipped = raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :]
    with pytest.raises(ArchiveError, match="was changed"):
        decode(NAME, flipped, told)
    with pytest.raises(ArchiveError, match=f"has {at} bytes, and {len(raw)} were written"):
        decode(NAME, raw[:at], told)


def test_a_segment_that_was_written_wrong_is_named() -> None:
    raw, told = encode([ONE])
    more = msgspec.structs.replace(told, records=2)
    with pytest.raises(ArchiveError, match="has 1 records, and 2 were written"):
        decode(NAME, raw, more)
    other, of_other = encode([])
    plain = b"no zstd"
    for bad in (plain, plain + other):
        hashed = Segment(len(bad), _sha256(bad), of_other.records)
        with pytest.raises(ArchiveError, match=r"topics/orders/000000\.msgpack\.zst can't be read"):
            decode(NAME, bad, hashed)


def _sha256(raw: bytes) -> str:
    import hashlib

    return hashlib.sha256(raw).hexdigest()


# --- manifests -----------------------------------------------------------------------------------


def manifest(**fields: Any) -> Manifest:
    """A backup of a deployment with two partitions and one order."""
    orders = StoredTopic([StoredPartition(), StoredPartition()], [encode([ONE])[1]])
    note(orders, ONE)
    given: dict[str, Any] = {
        "format": FORMAT,
        "jointbuy": "9.9",
        "made_at": datetime(2026, 5, 1, 12, tzinfo=UTC),
        "cluster_id": "c-1",
        "topic_prefix": "shop-",
        "partitions": 2,
        "clock": "wall",
        "topics": {"orders": orders, "tasks": StoredTopic([StoredPartition(), StoredPartition()])},
        "groups": [StoredReader("order_service-purchases", "orders", [0, 58])],
        "outboxes": [StoredOutbox("shop_bridge-outbox-erp", "erp", 0, 7)],
        "dead_letters_expire": {"retention.ms": "1"},
        "left_out": [],
    }
    return Manifest(**given | fields)


KNOWN = ["orders", "tasks"]


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert opened(sealed(manifest()), KNOWN) == manifest()
    assert manifest().records == 1
    assert manifest().topics["orders"].partitions[1] == StoredPartition(57, 57, 1)


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A manifest that somebody has edited, without its hash."""
    document = orjson.loads(sealed(manifest()))
    change(document["manifest"])
    return orjson.dumps(document)


def two_lengths() -> Manifest:
    return manifest(groups=[StoredReader("order_service-purchases", "orders", [0])])


def other_count() -> Manifest:
    topic = StoredTopic([StoredPartition(), StoredPartition(0, 4, 5)], [Segment(1, "", 4)])
    return manifest(topics={"orders": topic})


WRONG: list[tuple[str, bytes, str]] = [
    ("empty", b"", "is not the manifest"),
    ("no JSON", b"\xff", "is not the manifest"),
    ("another document", b"[]", "is not the manifest"),
    ("cut short", sealed(manifest())[:-40], "is not the manifest"),
    ("another count", changed(lambda it: it.update(partitions=4)), "manifest.json was changed"),
    ("another hash", changed(lambda it: it["topics"]["orders"]["segments"][0].update(sha256="")),
     "manifest.json was changed"),
    ("a later format", sealed(manifest(format=2)),
     "format 2, and this version reads 1: restore it with jointbuy 9.9"),
    ("a topic of a later version", sealed(manifest(topics={"new": StoredTopic([], [])})),
     "this version has no topic new: restore it with jointbuy 9.9"),
    ("a group of other partitions", sealed(two_lengths()),
     "order_service-purchases on orders has 1 partitions, the deployment 2"),
    ("counts that differ", sealed(other_count()), "the records of orders are not as many"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "raw", "said"), WRONG, ids=[each[0] for each in WRONG])
def test_a_manifest_that_can_t_be_used_says_why(what: str, raw: bytes, said: str) -> None:
    with pytest.raises(ArchiveError, match=said) as refused:
        opened(raw, KNOWN)
    assert "\n" not in str(refused.value)


@given(st.data())
def test_no_byte_of_a_manifest_can_change_its_meaning_unseen(data: st.DataObject) -> None:
    raw = sealed(manifest())
    at = data.draw(st.integers(0, len(raw) - 1))
    other = raw[:at] + bytes([data.draw(st.integers(0, 255))]) + raw[at + 1 :]
    try:
        assert opened(other, KNOWN) == manifest()
    except ArchiveError:
        assert other != raw


PARTITIONS: list[tuple[str, StoredPartition]] = [
    ("a record less", StoredPartition(3, 9, 6)),
    ("another first", StoredPartition(2, 9, 7)),
    ("another last", StoredPartition(3, 8, 7)),
    ("none", StoredPartition()),
]


@pytest.mark.parametrize(("what", "found"), PARTITIONS, ids=[each[0] for each in PARTITIONS])
def test_a_topic_with_other_records_than_were_written_is_named(
    what: str, found: StoredPartition
) -> None:
    told = StoredTopic([StoredPartition(), StoredPartition(3, 9, 7)], [])
    check_same("orders", told, [StoredPartition(), StoredPartition(3, 9, 7)])
    with pytest.raises(ArchiveError, match="partition 1 of orders has"):
        check_same("orders", told, [StoredPartition(), found])
