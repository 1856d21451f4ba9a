"""What a fetch brought is read record by record, and what can't be read is named in its place."""

import gzip
from collections.abc import Iterator
from typing import Any

import aiokafka.codec
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import UnsupportedCodecError
from hypothesis import given
from hypothesis import strategies as st

from runtime import batch_bytes, batches, clients
from runtime.batches import Batches, Doubts, Records
from runtime.clock import Input
from runtime.lasting_errors import lasting
from runtime.records import (
    LETTER_BYTES_MAX,
    BadRecordError,
    Partitioner,
    Unreadable,
    dead_letter,
    decode,
    offset_after,
)
from schemas.orders import ORDERS
from schemas.topic import RECORD_BYTES_MAX
from tests.raw_batches import CONTROL, TRANSACTIONAL, Raw, batch, gzipped, record, sealed

TP = TopicPartition("orders", 2)
GOOD = [Raw(b"k", b"one"), Raw(None, None, [(b"h", None), (b"", b"\xff")]), Raw(b"", b"three")]
STRANGE = Raw(b"k", b"strange", [(b"fine", b"1"), (b"\xff\xfe", b"2")])
FAR_DEEP = gzip.compress(bytes(batch_bytes.UNCOMPRESSED_BYTES_MAX + 1))


@pytest.fixture(autouse=True)
def _no_doubts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_doubts", Doubts())


class Certain(Doubts):
    """Judges at the first look."""

    def is_certain(self, tp: TopicPartition, raw: memoryview, now: float) -> bool:
        return True


def fetched(raw: bytes, position: int = 0, aborted: Any = ()) -> Records:
    """A fetch's answer."""
    return Records(
        TP, Batches(raw), list(aborted), position, None, None, True, fetcher.READ_COMMITTED
    )


def read(raw: bytes, position: int = 0, aborted: Any = ()) -> tuple[list[Any], Records]:
    """What comes of it."""
    records = fetched(raw, position, aborted)
    return list(records), records


def told(found: list[Any]) -> list[Any]:
    """Values of records; reason and offsets of what can't be read."""
    return [
        (each.reason, each.offset, each.last_offset) if isinstance(each, Unreadable) else each.value
        for each in found
    ]


def with_codec(codec: int, packed: bytes | None = None) -> bytes:
    return batch(GOOD, offset=1, attributes=codec, packed=packed)


VALUES = [each.value for each in GOOD]
#: What stands between the records at offsets 0 and 4: its bytes, and what comes of it.
BETWEEN: dict[str, tuple[bytes, list[Any]]] = {
    "good": (batch(GOOD, offset=1), VALUES),
    "good, compressed": (gzipped(GOOD, offset=1), VALUES),
    "compacted to two of three": (
        sealed(batch(GOOD, offset=1)[:57] + (2).to_bytes(4, "big") + batch(GOOD[:2])[61:]),
        VALUES[:2],
    ),
    "a header name that is not UTF-8": (
        batch([GOOD[0], STRANGE, GOOD[2]], offset=1),
        [b"one", ("header-name", 2, 2), b"three"],
    ),
    "the same, compressed": (
        gzipped([GOOD[0], STRANGE, GOOD[2]], offset=1),
        [b"one", ("header-name", 2, 2), b"three"],
    ),
    "each header name so": (
        batch([STRANGE] * 3, offset=1),
        [("header-name", each, each) for each in (1, 2, 3)],
    ),
    "a codec nobody knows": (with_codec(7), [("codec", 1, 3)]),
    "no gzip": (with_codec(1, b"garbage"), [("compression", 1, 3)]),
    "no gzip but its first bytes": (with_codec(1, b"\x1f\x8b\x08\0abc"), [("compression", 1, 3)]),
    "gzip cut off": (with_codec(1, gzip.compress(b"abc" * 99)[:-9]), [("compression", 1, 3)]),
    "gzip of garbage": (with_codec(1, gzip.compress(b"\xff" * 99)), [("records", 1, 3)]),
    "64 MB of zeros in 64 kB": (with_codec(1, FAR_DEEP), [("too-large", 1, 3)]),
    "garbage after the first record": (
        sealed(batch(GOOD, offset=1)[: len(batch(GOOD[:1]))] + b"\xff" * 9),
        [b"one", ("records", 2, 3)],
    ),
    "fewer records than it says": (
        sealed(batch(GOOD, offset=1)[: len(batch(GOOD[:2]))]),
        [b"one", None, ("records", 3, 3)],
    ),
    "a record that says it is at offset 1001": (
        sealed(
            batch(GOOD[:1], offset=1)[:61]
            + record(GOOD[0], 1_000)
            + batch(GOOD, offset=1)[len(batch(GOOD[:1])) :]
        ),
        [("records", 1, 1)],
    ),
    "a record longer than its batch": (
        sealed(batch(GOOD, offset=1)[:61] + b"\xfe\xff\x7f" + bytes(20)),
        [("records", 1, 3)],
    ),
}


def around(between: bytes) -> bytes:
    """The bytes with a record before and one behind."""
    return batch([Raw(b"k", b"before")]) + between + batch([Raw(b"k", b"behind")], offset=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", BETWEEN)
def test_neighbours_count_whatever_stands_between(name: str) -> None:
    between, expected = BETWEEN[name]
    found, records = read(around(between))
    assert told(found) == [b"before", *expected, b"behind"]
    assert records.next_fetch_offset == 5
    assert not records.in_doubt


@pytest.mark.slow
@pytest.mark.parametrize("name", BETWEEN)
def test_reading_goes_on_in_the_middle_of_a_batch(name: str) -> None:
    """A restart after any record gives the others, and none twice."""
    between, _ = BETWEEN[name]
    everything, _ = read(around(between))
    for count, last in enumerate(everything, 1):
        again, _ = read(around(between)[len(batch([Raw(b"k", b"before")])) :], offset_after(last))
        assert told(again) == told(everything[count:]), f"from {offset_after(last)} on"


def test_a_strange_record_keeps_its_key_value_and_headers() -> None:
    found, _ = read(batch([STRANGE], at_ms=7))
    (strange,) = found
    assert (strange.key, strange.value, strange.timestamp) == (b"k", b"strange", 7)
    assert strange.headers == (("fine", b"1"), (r"\xff\xfe", b"2"))
    assert "UTF-8" in strange.problem
    assert not strange.is_batch


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["snappy", "lz4", "zstd"])
def test_a_codec_is_read_within_a_limit_or_named(codec: str) -> None:
    """The records count; a batch of garbage or of a gigabyte is named."""
    number = {"snappy": 2, "lz4": 3, "zstd": 4}[codec]
    found, _ = read(around(with_codec(number, b"garbage that nothing makes")))
    assert told(found)[1][0] == "compression"
    cramjam = aiokafka.codec.cramjam
    plain = batch(GOOD, offset=1)[61:]
    pack = getattr(aiokafka.codec, f"{codec}_encode")
    found, _ = read(around(with_codec(number, pack(plain))))
    assert told(found) == [b"before", *VALUES, b"behind"]
    if codec == "snappy":
        raw = bytes(cramjam.snappy.compress_raw(plain))
        assert told(read(around(with_codec(number, raw)))[0]) == [b"before", *VALUES, b"behind"]
    large = pack(plain + bytes(3_000_000))
    assert told(read(around(with_codec(number, large)))[0])[0] == b"before"
    bomb = pack(bytes(batch_bytes.UNCOMPRESSED_BYTES_MAX + 1))
    assert told(read(around(with_codec(number, bomb)))[0])[1] == ("too-large", 1, 3)


@pytest.mark.parametrize(("number", "codec"), [(2, "snappy"), (3, "lz4"), (4, "zstd")])
def test_a_batch_whose_library_is_missing_is_not_set_aside(
    number: int, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is wrong with it: reading stops with what to do, and goes on once it is installed."""
    packed = getattr(aiokafka.codec, f"{codec}_encode")(batch(GOOD, offset=1)[61:])
    raw = around(with_codec(number, packed))
    with monkeypatch.context() as without:
        without.setattr(aiokafka.codec, "cramjam", None)
        assert told([next(iter(fetched(raw)))]) == [b"before"]
        with pytest.raises(UnsupportedCodecError, match=f"orders/2/1: .*{codec}") as error:
            read(raw)
        assert "pip install" in str(lasting(error.value))
    assert told(read(raw)[0]) == [b"before", *VALUES, b"behind"]


# --- transactions --------------------------------------------------------------------------------


def in_transaction(codec: int = 0) -> bytes:
    return batch(GOOD, offset=1, attributes=TRANSACTIONAL | codec, producer_id=5)


def marker(offset: int, key: bytes) -> bytes:
    """The end of producer 5's transaction: abort is 0, commit is 1."""
    return batch(
        [Raw(key, bytes(6))], offset=offset, attributes=TRANSACTIONAL | CONTROL, producer_id=5
    )


def test_what_was_aborted_is_not_named() -> None:
    raw = in_transaction(7) + marker(4, bytes(4))
    assert told(read(raw, aborted=[(5, 1)])[0]) == []
    assert told(read(raw)[0]) == [("codec", 1, 3)]


def test_a_marker_that_cannot_be_read_ends_the_answer() -> None:
    """Else what its producer sent afterwards would pass for aborted."""
    raw = in_transaction() + marker(4, b"?") + batch(GOOD, offset=5, producer_id=5)
    found, records = read(raw, aborted=[(5, 1)])
    assert told(found) == [("records", 4, 4)]
    assert records.next_fetch_offset == 5


# --- what may come better the next time ----------------------------------------------------------


def broken(offset: int = 1) -> bytes:
    """A batch with one bit that is not as it was."""
    raw = bytearray(batch(GOOD, offset=offset))
    raw[-1] ^= 1
    return bytes(raw)


def test_a_wrong_checksum_is_fetched_again() -> None:
    found, records = read(around(broken()))
    assert told(found) == [b"before"]
    assert records.in_doubt
    assert records.next_fetch_offset == 1


def test_a_checksum_that_is_right_the_next_time_counts() -> None:
    read(around(broken()))
    found, records = read(around(batch(GOOD, offset=1)), 1)
    assert told(found) == [*VALUES, b"behind"]
    assert not records.in_doubt


ENDS: dict[str, tuple[bytes, list[Any], int]] = {
    "before another": (around(broken()), [b"before", ("checksum", 1, 3)], 4),
    "as the last": (
        around(broken())[: -len(batch([Raw(b"k", b"behind")]))],
        [b"before", ("checksum", 1, 3)],
        4,
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_checksum_that_stays_wrong_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And reading goes on behind it with a fetch of its own."""
    monkeypatch.setattr(batches, "_doubts", Certain())
    raw, expected, then = ENDS[name]
    found, records = read(raw)
    assert told(found) == expected
    assert found[-1].value == broken()
    assert found[-1].timestamp == -1, "its time is as little to be trusted"
    assert records.next_fetch_offset == then


#: Seconds at which bytes came (the letter says which), and whether they are judged then.
LOOKS = {
    "once": [(0, "a", False)],
    "often at once": [(0, "a", False), (0.1, "a", False), (0.2, "a", False), (0.3, "a", False)],
    "twice, long after": [(0, "a", False), (60, "a", False)],
    "often enough for long enough": [(0, "a", False), (1, "a", False), (5, "a", True)],
    "just too early": [(0, "a", False), (1, "a", False), (4.9, "a", False), (5, "a", True)],
    "again when it is judged": [(0, "a", False), (1, "a", False), (5, "a", True), (5, "a", True)],
    "other bytes each time": [(0, "a", False), (3, "b", False), (6, "c", False), (9, "d", False)],
    "other bytes once": [(0, "a", False), (3, "a", False), (4, "b", False), (6, "a", False)],
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_same_bytes_must_come_often_enough_for_long_enough(name: str) -> None:
    doubts = Doubts()
    for at, letters, certain in LOOKS[name]:
        assert doubts.is_certain(TP, memoryview(letters.encode()), at) is certain, at


@pytest.mark.parametrize(
    "raw",
    [b"\0" * 5, batch(GOOD)[:-1], b"\0" * 8 + b"\xff" * 4 + b"\0" * 99, bytes(200)],
    ids=["a few bytes", "cut off", "a length below nothing", "zeros"],
)
def test_what_comes_cut_off_is_never_passed_over_silently(
    raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka steps over it: https://github.com/aio-libs/aiokafka/issues/1173."""
    found, records = read(raw, 8)
    assert (found, records.in_doubt, records.next_fetch_offset) == ([], True, 8)
    monkeypatch.setattr(batches, "_doubts", Certain())
    found, records = read(raw, 8)
    assert told(found) == [("cut-off", 8, 8)]


def test_aiokafka_reads_by_these() -> None:
    """An aiokafka that names them otherwise would raise again."""
    assert clients.consumer
    assert (fetcher.MemoryRecords, fetcher.PartitionRecords) == (Batches, Records)
    assert fetcher.FetchResult is batches.Fetched
    names = fetcher.Fetcher._proc_fetch_request.__code__.co_names
    assert {"MemoryRecords", "PartitionRecords", "FetchResult"} <= set(names)


# --- whatever comes ------------------------------------------------------------------------------


@st.composite
def mauled(draw: st.DrawFn) -> bytes:
    """A batch with bytes changed; the checksum fits them or does not."""
    raw = bytearray(draw(st.sampled_from([batch(GOOD, offset=1), gzipped(GOOD, offset=1)])))
    fits = draw(st.booleans())
    if fits:
        # The broker takes no other attributes, and no other count of offsets, from a producer.
        raw[22] = draw(st.integers(0, 7))
    for at, byte in draw(
        st.lists(st.tuples(st.integers(57 if fits else 17, len(raw) - 1), st.integers(0, 255)))
    ):
        raw[at] = byte
    return sealed(bytes(raw)) if fits else bytes(raw)


def consumed(between: bytes) -> Iterator[Any]:
    """As a consumer reads: fetch after fetch from where the last one ended."""
    before, behind = (
        around(b"")[: -len(batch([Raw(b"k", b"behind")], offset=4))],
        batch([Raw(b"k", b"behind")], offset=4),
    )
    position = 0
    for _ in range(20):
        answer = (before if position < 1 else b"") + (between if position < 4 else b"") + behind
        found, records = read(answer, position)
        yield from found
        position = records.next_fetch_offset
        if position >= 5:
            return
    pytest.fail("reading does not come to the end")


@given(mauled())
def test_whatever_a_batch_holds_its_neighbours_count_and_no_offset_is_told_twice(
    between: bytes,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_doubts", Certain())
        found = list(consumed(between))
    assert told(found)[0] == b"before"
    assert told(found)[-1] == b"behind"
    at = 0
    for each in found:
        assert each.offset >= at
        at = offset_after(each)


# --- what becomes of it --------------------------------------------------------------------------


def unreadable(**given: Any) -> Unreadable:
    """A batch at offsets 4 to 6."""
    told = {"value": b"raw", "is_batch": True, "timestamp": -1} | given
    return Unreadable("t-orders", 2, 4, 6, reason="codec", problem="codec 7", **told)


def test_decoding_names_the_problem() -> None:
    with pytest.raises(BadRecordError, match="codec 7"):
        decode(ORDERS, unreadable(), Partitioner(4))


def test_offsets_go_on_behind_all_that_cannot_be_read() -> None:
    """Else a restart would set the rest of the batch aside once more."""
    orders = Input("orders", next_offset=4, read_to=8)
    good, _ = read(batch([Raw(b"k", b"v")], offset=7), 7)
    orders.buffer.extend([unreadable(), *good])
    orders.take()
    assert orders.next_offset == 7


def test_the_dead_letter_of_a_batch_says_what_it_is() -> None:
    letter = dead_letter(
        "dead-letters", 2, unreadable(), "order_service", "codec 7", "unreadable", 9
    )
    said = {name: text.decode() for name, text in letter.headers}
    assert (letter.key, letter.value, letter.timestamp) == (None, b"raw", 9)
    assert said == {
        "service": "order_service",
        "topic": "t-orders",
        "partition": "2",
        "offset": "4",
        "error": "codec 7",
        "reason": "unreadable",
        "attempt": "1",
        "record-timestamp": "-1",
        "unreadable": "codec",
        "last-offset": "6",
        "letter-content": "record-batch",
    }


TOO_LARGE = [
    {"value": b"x" * (LETTER_BYTES_MAX + 1)},
    {"value": b"x", "headers": (("h", b"x" * LETTER_BYTES_MAX),)},
    {"key": b"k" * 1_001, "value": b"x" * LETTER_BYTES_MAX},
    {"key": b"k" * 1_000, "value": b"x" * LETTER_BYTES_MAX},
]


@pytest.mark.parametrize("given", TOO_LARGE)
def test_a_dead_letter_fits_its_topic_whatever_it_is_of(given: dict[str, Any]) -> None:
    """A key is kept while it is short; an error's text may quote what was sent."""
    letter = dead_letter("dead-letters", 2, unreadable(**given), "s", "x" * 3_000_000, "r")
    said = dict(letter.headers)
    size = len(letter.key or b"") + sum(len(text) for _, text in letter.headers)
    assert letter.value is None
    assert size < 10_000
    assert said["letter-content"] == b"left-out"
    assert int(said["left-out-bytes"]) > LETTER_BYTES_MAX
    assert bool(letter.key) == (len(given.get("key", b"x" * 2_000)) <= 1_000)


def test_a_record_larger_than_the_contract_allows_is_no_message() -> None:
    """What one service takes, the next one's topics must take with what is added to it."""
    found, _ = read(batch([Raw(b"k", b"{" + b" " * RECORD_BYTES_MAX)]))
    with pytest.raises(BadRecordError, match="900000"):
        decode(ORDERS, found[0], Partitioner(4))
