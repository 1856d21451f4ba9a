"""Which dead letters a command means, what is done of them, and what a purge can delete."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runtime.records import InputRecord, milliseconds
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS, Task, next_version, record_task_id
from schemas.topic import Topic
from terminal import dead_letter_list
from terminal.console import Mistake
from terminal.dead_letter_list import DeadLetter, Wanted

T = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HERE = Settings(topic_prefix="p.")
OURS = [
    ("service", b"order_service"),
    ("topic", b"p.orders"),
    ("partition", b"1"),
    ("offset", b"5"),
    ("error", b"odd"),
    ("reason", b"schema"),
    ("attempt", b"1"),
    ("record-timestamp", b"77"),
]


def task(
    task_id: str = "record-orders-1-5", outcome: Any = None, done_at: datetime | None = None
) -> Task:
    """A dead letter's task."""
    return Task(
        task_id=task_id,
        kind="record",
        about="orders/1/5",
        reason="schema",
        problem="odd",
        since=T,
        outcome=outcome,
        done_at=done_at,
        version=3,
    )


REPLAYED = task(outcome="replayed", done_at=T)
PURGED = task(outcome="purged", done_at=T)


def letter(
    offset: int = 9,
    partition: int = 1,
    at: datetime = T,
    of: Task | None = None,
    headers: Any = OURS,
    **about: str,
) -> DeadLetter:
    """One as it is read."""
    record = SimpleNamespace(
        partition=partition,
        offset=offset,
        timestamp=milliseconds(at),
        key=b"g",
        value=b"{}",
        headers=headers,
    )
    found = dead_letter_list._letter(HERE, cast(InputRecord, record), {})
    return DeadLetter(found.record, found.about | about, of)


WANTED: list[tuple[str, Wanted, DeadLetter, bool]] = [
    ("all", Wanted(), letter(), True),
    ("the reason", Wanted(reason="schema"), letter(), True),
    ("another reason", Wanted(reason="sche"), letter(), False),
    ("no reason, of an older version", Wanted(reason="schema"), letter(reason=""), False),
    ("the topic", Wanted(topic="orders"), letter(), True),
    ("another topic", Wanted(topic="p.orders"), letter(), False),
    ("since then", Wanted(since=T), letter(), True),
    ("since later", Wanted(since=T + HOUR), letter(), False),
    ("until then", Wanted(until=T), letter(), False),
    ("until later", Wanted(until=T + HOUR), letter(), True),
    ("a span and a reason", Wanted("schema", None, T, T + HOUR), letter(), True),
    ("open without a task", Wanted(state="open"), letter(), True),
    ("open with one", Wanted(state="open"), letter(of=task()), True),
    ("open, but replayed", Wanted(state="open"), letter(of=REPLAYED), False),
    ("done, but open", Wanted(state="done"), letter(of=task()), False),
    ("replayed", Wanted(state="done"), letter(of=REPLAYED), True),
    ("purged", Wanted(state="done"), letter(of=PURGED), True),
    ("all of any state", Wanted(state="all"), letter(of=PURGED), True),
]


@pytest.mark.parametrize(("wanted", "found", "included"), [each[1:] for each in WANTED])
def test_a_list_holds_what_is_asked_for(wanted: Wanted, found: DeadLetter, included: bool) -> None:
    assert wanted.includes(found) is included


@pytest.mark.parametrize(
    ("found", "again", "why_not"),
    [
        (letter(), False, ""),
        (letter(of=task()), False, ""),
        (letter(of=REPLAYED), False, "was replayed already at"),
        (letter(of=REPLAYED), True, ""),
        (letter(of=PURGED), False, "was purged"),
        (letter(of=PURGED), True, "was purged"),
        (letter(of=task(outcome="expired", done_at=T)), False, "was expired already at"),
        (letter(of=task(done_at=T)), False, "was done already at"),
    ],
)
def test_a_second_replay_says_so(found: DeadLetter, again: bool, why_not: str) -> None:
    said = found.why_not_replayed(is_mended=False, again=again)
    assert why_not in said
    assert bool(said) is bool(why_not)
    assert ("--again" in said) is ("already" in why_not)


# --- the headers of a dead letter ----------------------------------------------------------------


def test_a_record_s_own_headers_are_not_taken_for_ours() -> None:
    """Whoever sends records could else have the task of another dead letter marked as done."""
    own = [("task", b"record-orders-0-0"), ("service", b"x"), ("topic", b"payments"), ("", b"")]
    found = letter(headers=[*own, *OURS])
    assert found.task_id == "record-orders-1-5"
    assert (found.about["topic"], found.about["service"]) == ("orders", "order_service")
    assert dead_letter_list.own_headers(found.record) == own


def test_a_dead_letter_may_name_its_own_task() -> None:
    assert letter(headers=[*OURS, ("task", b"order-shop-7")]).task_id == "order-shop-7"


@pytest.mark.parametrize(
    ("reason", "is_mended", "can"),
    [
        ("mistyped-group", False, False),
        ("mistyped-group", True, True),
        ("unknown-group", False, True),
    ],
)
def test_what_would_be_mistyped_again_is_sent_only_mended(
    reason: str, is_mended: bool, can: bool
) -> None:
    said = letter(reason=reason).why_not_replayed(is_mended=is_mended)
    assert (said == "") is can
    assert ("--value" in said) is not can


def test_dead_letters_are_named_by_their_task() -> None:
    """An order's task may have several: the latest comes last."""
    of_order = [*OURS, ("task", b"order-7")]
    first, other, last = letter(1, headers=of_order), letter(2), letter(3, headers=of_order)
    found = dead_letter_list.Found([first, other, last], [])
    assert found.of_task("order-7") == [first, last]
    assert found.of_task("record-orders-1-5") == [other]
    with pytest.raises(Mistake, match="no dead letter is of the task"):
        found.of_task("order-8")


@pytest.mark.parametrize("outcome", ["replayed", "purged"])
def test_the_task_of_an_order_is_done_with_its_dead_letter(outcome: Any) -> None:
    """Once, however many dead letters it has; and it stays an order's task of its shop."""
    of_order = [*OURS, ("task", b"order-7")]
    open_task = task("order-7").model_copy(update={"kind": "order", "shop_id": "s"})
    letters = [letter(number, headers=of_order, of=open_task) for number in (1, 2)]
    (record,) = dead_letter_list.done_records(HERE, letters, [], outcome, T + HOUR)
    made = Task.model_validate_json(record.value or b"")
    assert (made.task_id, made.kind, made.shop_id) == ("order-7", "order", "s")
    assert (made.done_at, made.outcome) == (T + HOUR, outcome)
    assert made.version == next_version(3, T + HOUR)


def test_an_order_s_task_that_is_not_there_yet_is_an_order_s_all_the_same() -> None:
    """shop_bridge writes it after the dead letter."""
    early = letter(headers=[*OURS, ("task", b"order-7")])
    (record,) = dead_letter_list.done_records(HERE, [early], [], "purged", T + HOUR)
    made = Task.model_validate_json(record.value or b"")
    assert (made.task_id, made.kind) == ("order-7", "order")


@pytest.mark.parametrize("is_late", [False, True])
def test_the_latest_word_on_a_task_stands_in_whichever_order_it_was_read(is_late: bool) -> None:
    words = [task(), task(done_at=T, outcome="replayed").model_copy(update={"version": 9})]
    known: dict[str, Task] = {}
    for word in reversed(words) if is_late else words:
        if dead_letter_list._is_latest(word, known):
            known[word.task_id] = word
    assert known["record-orders-1-5"].done_at == T


@pytest.mark.parametrize(
    ("said", "sent_at"), [("77", 77), ("", 5_000), ("-1", 5_000), ("9" * 30, 5_000), ("x", 5_000)]
)
def test_a_record_is_sent_again_with_its_own_time(said: str, sent_at: int) -> None:
    """The dead letter's time may be that of the broker."""
    found = letter(at=datetime.fromtimestamp(5, UTC), **{"record-timestamp": said})
    assert found.sent_at_ms == sent_at


def test_a_dead_letter_of_an_unknown_place_has_a_task_all_the_same() -> None:
    place = "shop/orders/create/17"
    found = letter(headers=[*OURS, ("offset", place.encode())])
    assert found.task_id == record_task_id("orders", "1", place)


# --- what is done --------------------------------------------------------------------------------


def done(*letters: DeadLetter, outcome: Any = "replayed", expired: Any = ()) -> list[Task]:
    """The tasks that are written."""
    records = dead_letter_list.done_records(HERE, letters, expired, outcome, T + HOUR)
    assert {each.topic for each in records} <= {"p.tasks"}
    return [Task.model_validate_json(each.value or b"") for each in records]


def test_what_was_replayed_is_done_with_the_next_version() -> None:
    (made,) = done(letter(of=task()))
    assert (made.done_at, made.outcome) == (T + HOUR, "replayed")
    assert made.version == next_version(3, T + HOUR) > 3
    assert (made.problem, made.since) == ("odd", T)


def test_a_dead_letter_without_a_task_gets_one_that_is_done() -> None:
    (made,) = done(letter())
    assert (made.task_id, made.outcome) == ("record-orders-1-5", "replayed")
    assert (made.about, made.reason) == ("orders/1/5", "schema")


def test_a_purged_dead_letter_s_problem_is_deleted() -> None:
    (made,) = done(letter(of=task()), outcome="purged")
    assert (made.outcome, made.problem, made.about) == ("purged", "", "orders/1/5")


def test_two_dead_letters_of_a_record_have_one_task() -> None:
    """Two services' rules may both refuse it; it is sent again once."""
    assert len(done(letter(3, of=task()), letter(4, of=task()))) == 1


def test_a_task_whose_dead_letter_is_gone_is_closed_as_expired() -> None:
    gone = task("record-orders-0-1")
    tasks = {each.task_id: each for each in done(letter(of=task()), expired=[gone])}
    assert tasks["record-orders-0-1"].outcome == "expired"
    assert tasks["record-orders-1-5"].outcome == "replayed"


# --- what a purge deletes ------------------------------------------------------------------------

A, B, C = letter(3), letter(5), letter(8)
OTHER = letter(4, partition=2)
ENDS = {0: 0, 1: 20, 2: 30}
DELETED: dict[str, tuple[list[DeadLetter], list[DeadLetter], dict[int, int]]] = {
    "the oldest": ([A, B, C], [A], {1: 5}),
    "the two oldest": ([A, B, C], [A, B], {1: 8}),
    "one in the middle stays until the older ones go": ([A, B, C], [B], {1: 3}),
    "the newest stays, too": ([A, B, C], [C], {1: 3}),
    "all of a partition, to its end": ([A, B, C], [C, A, B], {1: 20}),
    "what was purged before goes with what is older": (
        [A, letter(5, of=PURGED), C],
        [A],
        {1: 8},
    ),
    "what was only replayed stays": ([A, letter(5, of=REPLAYED)], [A], {1: 5}),
    "each partition by itself": ([A, B, OTHER], [A, OTHER], {1: 5, 2: 30}),
    "nothing": ([A], [], {}),
}


@pytest.mark.parametrize("name", DELETED)
def test_a_purge_deletes_up_to_the_oldest_that_stays(name: str) -> None:
    letters, doomed, up_to = DELETED[name]
    assert dead_letter_list.to_delete(letters, doomed, ENDS) == up_to


# --- expiry --------------------------------------------------------------------------------------


def retention(topic: Topic, days: int, *, log_time: bool = False) -> str | None:
    """How long the topic keeps a record, in milliseconds."""
    return topic.settings(log_time=log_time, dead_letter_days=days).get("retention.ms")


def test_dead_letters_expire_by_when_they_were_written() -> None:
    day = 24 * 3_600_000
    assert retention(DEAD_LETTERS, 0) == "-1"
    assert retention(DEAD_LETTERS, 30) == str(30 * day)
    settings = DEAD_LETTERS.settings(log_time=False, dead_letter_days=30)
    assert settings["message.timestamp.type"] == "LogAppendTime"
    assert settings["segment.ms"] == str(day)
    assert "message.timestamp.type" not in DEAD_LETTERS.settings(log_time=False)


def test_recorded_time_makes_nothing_expire() -> None:
    assert retention(DEAD_LETTERS, 30, log_time=True) == "-1"
    kept = DEAD_LETTERS.settings(log_time=True, dead_letter_days=30)
    assert kept == DEAD_LETTERS.settings(log_time=True)


@pytest.mark.parametrize("name", sorted(set(CATALOGUE) - {"dead-letters"}))
def test_no_other_topic_expires_by_it(name: str) -> None:
    """Open tasks, among them money without an invoice, must not vanish by their age."""
    topic = CATALOGUE[name]
    assert topic.settings(log_time=False, dead_letter_days=1) == topic.settings(log_time=False)
