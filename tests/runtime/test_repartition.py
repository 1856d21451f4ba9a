"""Where records go in another number of partitions, and what they say of other records' places."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from runtime import admin
from runtime.key_digests import KeyDigests
from runtime.records import OutputRecord, Partitioner, partition_of
from runtime.repartition import (
    TOPICS,
    Kept,
    Move,
    Places,
    Reader,
    References,
    Survey,
    new_positions,
    while_copied,
)
from runtime.settings import Settings
from runtime.store import POSITIONS_KEY
from runtime.topic_plan import topics_of
from schemas.catalogue import CATALOGUE
from schemas.ops import record_task_id


@dataclass
class Consumed:
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


SPLIT = Move("old-", "new-", 4, 8)
#: Four ids in each of the four partitions.
IDS = {
    number: [f"g-{each}" for each in range(200) if Partitioner(4)(f"g-{each}") == number][:4]
    for number in range(4)
}


# --- partitions ----------------------------------------------------------------------------------

KEYS: list[tuple[str, Move, bytes | None, int, int]] = [
    ("split", SPLIT, b"g-1", partition_of(b"g-1", 4), partition_of(b"g-1", 8)),
    ("merged", Move("", "n", 8, 4), b"g-1", partition_of(b"g-1", 8), partition_of(b"g-1", 4)),
    ("the same number", Move("", "n", 4, 4), b"g-1", partition_of(b"g-1", 4),
     partition_of(b"g-1", 4)),
    ("no key", SPLIT, None, 3, 3),
    ("no key, fewer partitions", Move("", "n", 8, 3), None, 7, 1),
    ("not text", SPLIT, b"\xff", partition_of(b"\xff", 4), partition_of(b"\xff", 8)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "move", "record_id", "old", "new"), KEYS, ids=[each[0] for each in KEYS]
)
def test_a_record_goes_where_its_key_belongs(
    what: str, move: Move, record_id: bytes | None, old: int, new: int
) -> None:
    assert move.partition(record_id, old) == new


def test_a_record_in_a_wrong_partition_stays_in_a_wrong_one() -> None:
    """So that it is refused there too, and comes from no other partition than its neighbours."""
    for name in (f"g-{number}" for number in range(100)):
        wrong = (Partitioner(4)(name) + 1) % 4
        new = SPLIT.partition(name.encode(), wrong)
        assert new % 4 == wrong
        assert new != Partitioner(8)(name)


@pytest.mark.parametrize(("old", "new"), [(4, 8), (4, 64), (8, 4), (4, 6), (6, 4), (3, 5), (1, 7)])
def test_each_key_comes_from_a_source_of_its_new_partition(old: int, new: int) -> None:
    move = Move("", "n", old, new)
    for name in (f"g-{number}".encode() for number in range(300)):
        assert partition_of(name, old) in move.sources(partition_of(name, new))
    for number in range(old):
        assert number in move.sources(move.partition(None, number))
    assert move.merges == any(len(move.sources(each)) > 1 for each in range(new))


# --- places --------------------------------------------------------------------------------------


def known_places() -> Places:
    """Records of orders, partition 1: offset 5 goes to 5/0, and 7 to 1/0."""
    places = Places()
    places.add("orders", 1, 5, (5, 0))
    places.add("orders", 1, 7, (1, 0))
    return places


REFERENCES = References(SPLIT, known_places())
CAUSES: list[tuple[str, bytes, bytes]] = [
    ("a record that is kept", b"orders/1/5", b"orders/5/0"),
    ("one that is no longer kept", b"orders/1/6", b"orders/1/6@old-"),
    ("one beyond those kept", b"orders/1/8", b"orders/1/8@old-"),
    ("one of an empty partition", b"orders/2/0", b"orders/2/0@old-"),
    ("one of an earlier move", b"orders/1/5@older-", b"orders/1/5@older-"),
    ("a due time", b"clock/due/close", b"clock/due/close"),
    ("a call", b"call/letter/n-1", b"call/letter/n-1"),
    ("a chunk", b"chunk/invite", b"chunk/invite"),
    ("a shop's outbox", b"outbox/1/5", b"outbox/1/5"),
    ("a shop's order", b"4711", b"4711"),
    ("no text", b"\xff/1/5", b"\xff/1/5"),
]


@pytest.mark.parametrize(("what", "old", "new"), CAUSES, ids=[each[0] for each in CAUSES])
def test_a_cause_names_the_record_by_its_new_place(what: str, old: bytes, new: bytes) -> None:
    headers = (("ce_rule", b"count"), ("ce_cause", old), ("other", b"orders/1/5"))
    made = REFERENCES.record("purchases", consumed("purchases", b"g-1", b"{}", headers=headers))
    assert made.headers == [("ce_rule", b"count"), ("ce_cause", new), ("other", b"orders/1/5")]


def consumed(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    offset: int = 0,
    partition: int | None = None,
    headers: Any = (),
    timestamp: int = 1_000,
) -> Consumed:
    """A record of the old topics, where its key belongs."""
    record_id = (key or b"").partition(b"/")[0].partition(b"\x00")[0]
    place = partition_of(record_id, 4) if partition is None else partition
    return Consumed(f"old-{topic}", place, offset, timestamp, key, value, tuple(headers))


def test_what_names_no_place_is_copied_byte_for_byte() -> None:
    headers = (("a", b"1"), ("a", b"2"), ("ce_cause", None))
    made = REFERENCES.record(
        "purchases", consumed("purchases", b"g-1/member/ann", None, headers=headers, timestamp=7)
    )
    assert made == OutputRecord(
        "new-purchases", partition_of(b"g-1", 8), b"g-1/member/ann", None, 7, list(headers)
    )


LETTERS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (
        "of a record that is kept",
        {"topic": "old-orders", "partition": "1", "offset": "5"},
        {"topic": "new-orders", "partition": "5", "offset": "0"},
    ),
    (
        "of one that is gone",
        {"topic": "old-orders", "partition": "1", "offset": "6"},
        {"topic": "new-orders", "partition": "1", "offset": "6@old-"},
    ),
    (
        "of a batch",
        {"topic": "old-orders", "partition": "1", "offset": "8", "last-offset": "9"},
        {"topic": "new-orders", "partition": "1", "offset": "8@old-", "last-offset": "9@old-"},
    ),
    (
        "of a webhook",
        {"topic": "webhooks/acme", "partition": "1", "offset": "5", "task": "order-1"},
        {"topic": "webhooks/acme", "partition": "1", "offset": "5", "task": "order-1"},
    ),
    (
        "of a shop's outbox",
        {"topic": "orders", "partition": "1", "offset": "5"},
        {"topic": "orders", "partition": "1", "offset": "5"},
    ),
]


@pytest.mark.parametrize(("what", "old", "new"), LETTERS, ids=[each[0] for each in LETTERS])
def test_a_dead_letter_names_its_record_by_the_new_place_and_topic(
    what: str, old: dict[str, str], new: dict[str, str]
) -> None:
    own = (("topic", b"old-orders"), ("offset", b"5"))
    begin = ("service", b"order_service")

    def headers(told: dict[str, str]) -> tuple[tuple[str, bytes], ...]:
        return (*own, begin, *((name, text.encode()) for name, text in told.items()))

    letter = consumed("dead-letters", b"x", b"not JSON", headers=headers(old))
    assert tuple(REFERENCES.record("dead-letters", letter).headers) == headers(new)


TASKS: list[tuple[str, dict[str, str], str, str]] = [
    ("of a record that is kept", {"about": "orders/1/5"}, "orders/5/0", "record-orders-5-0"),
    ("of one that is gone", {"about": "orders/1/6"}, "orders/1/6@old-", "record-orders-1-6@old-"),
    ("of an outbox", {"about": "outbox/1/5"}, "outbox/1/5", "record-outbox-1-5"),
    ("of a transfer", {"kind": "transfer", "about": "orders/1/5"}, "orders/1/5",
     "record-orders-1-5"),
    ("with another id", {"task_id": "mine", "about": "orders/1/5"}, "orders/1/5", "mine"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "told", "about", "task_id"), TASKS, ids=[each[0] for each in TASKS]
)
def test_a_dead_letter_s_task_has_the_id_that_the_letter_gives_it(
    what: str, told: dict[str, str], about: str, task_id: str
) -> None:
    old = {"kind": "record", "task_id": record_task_id(*told["about"].split("/")), **told}
    record = consumed(
        "tasks",
        old["task_id"].encode(),
        orjson.dumps(old | {"more": 1}),
        headers=[("ce_id", f"Task:{old['task_id']}@1".encode()), ("ce_cause", b"orders/1/5")],
    )
    made = REFERENCES.record("tasks", record)
    assert orjson.loads(made.value or b"") == old | {"more": 1, "about": about, "task_id": task_id}
    assert made.key == task_id.encode()
    assert made.partition == partition_of(task_id.encode(), 8)
    assert made.headers == [
        ("ce_id", f"Task:{task_id}@1".encode()),
        ("ce_cause", b"orders/5/0"),
    ]


def test_tasks_are_read_when_all_other_places_are_known() -> None:
    assert TOPICS[-1] == "tasks"
    assert sorted(TOPICS) == sorted(CATALOGUE)


STASHED = ["orders", 1, 5, 77, 88, "{}"]
ROWS: list[tuple[str, str, Any, Any]] = [
    ("a record that waits", "stash/1", STASHED, ["orders", 5, 0, 77, 88, "{}"]),
    ("one that is no longer kept", "stash/1", ["orders", 1, 6, 77, 88, "{}"],
     ["orders", partition_of(b"g-1", 8), -1, 77, 88, "{}"]),
    ("a message that waits", "waiting/1", {"type": "A", "place": "orders/1/5"},
     {"type": "A", "place": "orders/5/0"}),
    ("one whose record is gone", "waiting/1", {"place": "orders/1/6"}, {"place": ""}),
    ("one without a place", "waiting/1", {"place": ""}, {"place": ""}),
    ("any other row", "member/ann", {"place": "orders/1/5"}, {"place": "orders/1/5"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "name", "old", "new"), ROWS, ids=[each[0] for each in ROWS])
def test_rows_of_records_that_wait_name_the_new_places(
    what: str, name: str, old: Any, new: Any
) -> None:
    key = f"g-1\x00{name}".encode()
    made = REFERENCES.row("c", consumed("c", key, orjson.dumps(old)))
    assert orjson.loads(made.value or b"") == new
    assert (made.topic, made.key, made.partition) == ("new-c", key, partition_of(b"g-1", 8))
    assert REFERENCES.row("c", consumed("c", key, None)).value is None


# --- where readers stand -------------------------------------------------------------------------


def surveyed(move: Move, readers: list[Reader], *records: Consumed) -> Survey:
    survey = Survey(move, readers)
    for record in records:
        survey.take("orders", record)
    return survey


def test_a_group_goes_on_behind_the_records_that_it_has_handled() -> None:
    """Partition 1 has six records with gaps between; the group stands in their midst."""
    ids = IDS[1]
    records = [
        consumed("orders", name.encode(), b"{}", offset=offset)
        for offset, name in zip((3, 4, 6, 7, 9, 12), [*ids, *ids[:2]], strict=True)
    ]
    reader = Reader("g", "orders", [0, 7, 0, 0])
    survey = surveyed(SPLIT, [reader], *records)
    of = [partition_of(each.key or b"", 8) for each in records]
    assert reader.handled == Counter(of[:3])
    assert reader.unread == 3
    assert survey.counts["orders"] == Counter(of)
    for partition in {*of}:
        offsets = [
            survey.places.of("orders", 1, each.offset)
            for each, new in zip(records, of, strict=True)
            if new == partition
        ]
        assert offsets == [(partition, number) for number in range(len(offsets))]


@pytest.mark.parametrize(("at", "handled", "unread"), [(0, 0, 2), (8, 1, 1), (9, 1, 1), (10, 2, 0)])
def test_an_offset_counts_the_records_before_it(at: int, handled: int, unread: int) -> None:
    records = [consumed("orders", b"g-1", b"{}", offset=offset) for offset in (7, 9)]
    reader = Reader("g", "orders", [at] * 4)
    surveyed(SPLIT, [reader], *records)
    assert (reader.handled[partition_of(b"g-1", 8)], reader.unread) == (handled, unread)


POSITIONS = {
    0: {"positions": {"orders": 9}, "now": 50, "stashed": 3, "dead": {"orders/schema/yes": 2}},
    1: {"positions": {"orders": 4}, "now": 70, "stashed": 1},
}


@pytest.mark.parametrize(
    ("move", "partition", "now", "stashed", "dead"),
    [
        (Move("o", "n", 2, 4), 0, 50, 3, {"orders/schema/yes": 2}),
        (Move("o", "n", 2, 4), 2, 50, 3, None),
        (Move("o", "n", 2, 4), 3, 70, 1, None),
        (Move("o", "n", 2, 1), 0, 70, 3, {"orders/schema/yes": 2}),
        (Move("o", "n", 2, 3), 2, 70, 3, None),
    ],
    ids=["with the counts", "its sister", "the other's", "both merged", "a part of both"],
)
def test_a_new_partition_has_the_clock_and_the_counts_of_its_sources(
    move: Move, partition: int, now: int, stashed: int, dead: dict[str, int] | None
) -> None:
    reader = Reader("g", "orders", [], handled=Counter({partition: 5}))
    made = orjson.loads(new_positions(move, POSITIONS, [reader], partition) or b"{}")
    told = {"positions": {"orders": 5}, "now": now, "stashed": stashed}
    assert made == (told | {"dead": dead} if dead else told)


def test_a_partition_without_positions_gets_none() -> None:
    assert new_positions(SPLIT, {0: POSITIONS[0]}, [], 1) is None


CLAIMS: list[tuple[str, list[bytes | None], int]] = [
    ("asked for", [b'{"owner":""}'], 0),
    ("claimed", [b'{"owner":""}', b'{"owner":"w"}'], 1),
    ("given back", [b'{"owner":"w"}', b'{"owner":""}'], 0),
    ("done", [b'{"owner":"w"}', None], 0),
]


@pytest.mark.parametrize(("what", "values", "count"), CLAIMS, ids=[each[0] for each in CLAIMS])
def test_a_call_whose_reply_may_be_in_a_file_is_seen(
    what: str, values: list[bytes | None], count: int
) -> None:
    kept = Kept()
    kept.take(consumed("c", POSITIONS_KEY, b'{"now":1}', partition=2))
    for value in values:
        kept.take(consumed("c", b"ann\x00call/letter/n", value))
        kept.take(consumed("c", b"ann\x00letter/n", b'{"owner":"w"}'))
    assert len(kept.claimed) == count
    assert kept.positions == {2: {"now": 1}}


@pytest.mark.parametrize(("prefix", "told"), [("", "c-1"), ("shop-", "c-1/shop-")])
async def test_local_rows_are_of_a_cluster_and_a_prefix(
    prefix: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of the topics before are not taken for those of the new ones."""

    async def cluster_id(_: Settings) -> str:
        return "c-1"

    monkeypatch.setattr(admin, "cluster_id", cluster_id)
    assert await admin.origin(Settings(topic_prefix=prefix)) == told


# --- topics and digests --------------------------------------------------------------------------


def test_nothing_is_deleted_or_stamped_while_it_is_copied() -> None:
    settings = Settings(dead_letter_days=3, min_insync_replicas=2)
    for each in topics_of(settings):
        made = while_copied(each).settings
        assert made["retention.ms"] == "-1"
        assert made["cleanup.policy"] == "delete"
        assert made["message.timestamp.type"] == "CreateTime"
        assert "segment.ms" not in made
        assert made["min.insync.replicas"] == "2"
        assert made.get("max.message.bytes") == each.settings.get("max.message.bytes")


A, B = (consumed("t", key, b"1", partition=0) for key in (b"a", b"b"))
CHANGES: list[tuple[str, list[Consumed], list[bytes]]] = [
    ("the same", [A, A, B], []),
    ("another order of the keys", [B, A, A], []),
    ("one lost", [A, B], [b"a"]),
    ("one twice", [A, A, B, B], [b"b"]),
    ("a key lost", [A, A], [b"b"]),
    ("a key more", [A, A, B, consumed("t", b"c", b"1", partition=0)], [b"c"]),
    ("another value", [A, A, consumed("t", b"b", b"2", partition=0)], [b"b"]),
    ("a tombstone", [A, A, consumed("t", b"b", None, partition=0)], [b"b"]),
    ("another time", [A, A, consumed("t", b"b", b"1", partition=0, timestamp=2)], [b"b"]),
    ("a header", [A, A, consumed("t", b"b", b"1", partition=0, headers=[("h", b"")])], [b"b"]),
    ("another offset", [A, A, consumed("t", b"b", b"1", partition=0, offset=9)], []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "records", "differing"), CHANGES, ids=[each[0] for each in CHANGES]
)
def test_a_digest_differs_with_whatever_a_key_says(
    what: str, records: list[Consumed], differing: list[bytes]
) -> None:
    before, after = KeyDigests(), KeyDigests()
    for record in (A, A, B):
        before.take(record)
    for record in records:
        after.take(record)
    assert [key for _, key in before.differing(after)] == differing
    assert (str(before) == str(after)) == (not differing)


def test_a_digest_tells_order_within_a_key_and_the_partition() -> None:
    later = consumed("t", b"a", b"2", partition=0)
    digests = []
    for records in ([A, later], [later, A], [A, consumed("t", b"a", b"2", partition=1)]):
        digests.append(KeyDigests())
        for record in records:
            digests[-1].take(record)
    assert len({str(each) for each in digests}) == 3
