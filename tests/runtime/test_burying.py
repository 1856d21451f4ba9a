"""Dead letters: which service writes them, with which reason and task, and how they are told."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from domain.ids import derive
from runtime import dead_letters as module
from runtime.dead_letters import TOLD_SECONDS, Buried, Burying, DeadLetters, Teller
from runtime.metrics import DEAD_LETTERS as COUNTER
from runtime.metrics import DeadLetterCounts
from runtime.records import (
    BadRecordError,
    Encoder,
    OutputRecord,
    Partitioner,
    Unreadable,
    decode,
    encode,
)
from runtime.store import Meta, positions_value, with_positions
from schemas.catalogue import CATALOGUE, buries
from schemas.groups import GROUP_PURCHASES
from schemas.ops import DEAD_LETTERS, TASKS, Task, record_task_id
from schemas.orders import ORDERS, OrderPaid

ONE = Partitioner(1)
ORDER = OrderPaid(
    order_id="1",
    source="shop",
    group_id="g",
    member_id="ann",
    quantity=1,
    ordered_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@dataclass
class Record:
    """A record as a consumer gives it."""

    value: bytes | None = b"not json"
    key: bytes | None = b"g"
    topic: str = "p.orders"
    partition: int = 0
    offset: int = 7
    timestamp: int = 5
    headers: Any = field(default_factory=tuple)


def unreadable() -> Unreadable:
    """A batch with a wrong checksum."""
    return Unreadable("p.orders", 0, 7, 9, 5, "checksum", "wrong checksum", is_batch=True)


def burying(service: str, counts: dict[str, int] | None = None) -> Burying:
    """The dead letters of a service's partition."""
    return Burying(DeadLetters(service, "p.dead-letters", ONE), counts or {})


def task_of(records: list[OutputRecord]) -> Task:
    """The task among what is sent."""
    (value,) = [each.value for each in records if each.topic == "p.tasks"]
    return Task.model_validate_json(value or b"")


# --- reasons -------------------------------------------------------------------------------------

REASONS: dict[str, tuple[Any, str]] = {
    "not JSON": (Record(), "schema"),
    "another topic's message": (Record(b'{"type": "GroupPurchase"}'), "schema"),
    "no value": (Record(None), "no-value"),
    "more than a record may have": (Record(b" " * 900_001), "too-large"),
    "another key": (Record(encode(ORDER), b"h"), "wrong-key"),
    "no key": (Record(encode(ORDER), None), "wrong-key"),
    "another partition": (Record(encode(ORDER), partition=3), "wrong-partition"),
    "a CloudEvent without data": (
        Record(b"{}", headers=(("content-type", b"application/cloudevents+json"),)),
        "schema",
    ),
    "a batch that can't be read": (unreadable(), "unreadable"),
}


@pytest.mark.parametrize("name", REASONS)
def test_an_unreadable_record_has_a_short_reason(name: str) -> None:
    record, reason = REASONS[name]
    with pytest.raises(BadRecordError) as error:
        decode(ORDERS, record, ONE)
    assert error.value.reason == reason


# --- who writes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "writes"),
    [("order_service", True), ("payment_service", False), ("shop_bridge", False)],
)
def test_a_record_that_nobody_can_read_is_written_by_the_first_reader_only(
    service: str, writes: bool
) -> None:
    made = burying(service)
    sent = made.bury_unread(ORDERS, Record(), "not JSON", "schema", 5)
    assert [each.topic for each in sent] == (["p.dead-letters", "p.tasks"] if writes else [])
    assert made.counts == {f"orders/schema/{'yes' if writes else 'no'}": 1}
    (told,) = made.open.values()
    assert ("order_service" in told.kept) is not writes


def test_what_one_service_can_t_use_is_written_by_that_service() -> None:
    made = burying("shop_bridge")
    sent = made.bury(ORDERS, Record(encode(ORDER)), "beyond", "beyond-limits", 5)
    letter = next(each for each in sent if each.topic == "p.dead-letters")
    assert dict(letter.headers)["reason"] == b"beyond-limits"
    assert dict(letter.headers)["service"] == b"shop_bridge"
    assert made.counts == {"orders/beyond-limits/yes": 1}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_writer_of_a_topic_s_dead_letters_is_a_reader_that_may_write_them(name: str) -> None:
    topic = CATALOGUE[name]
    writer = buries(topic)
    assert writer is None or (writer in topic.consumers and writer in DEAD_LETTERS.producers)
    assert writer is None or writer in TASKS.producers


# --- tasks ---------------------------------------------------------------------------------------


def test_a_dead_letter_leaves_a_task_that_names_the_record_s_place() -> None:
    task = task_of(burying("order_service").bury_unread(ORDERS, Record(), "odd", "schema", 5_000))
    assert (task.task_id, task.kind, task.about) == ("record-orders-0-7", "record", "orders/0/7")
    assert (task.reason, task.problem, task.done_at) == ("schema", "odd", None)
    assert task.since == datetime.fromtimestamp(5, UTC)


def test_a_task_is_the_record_that_its_schema_and_the_encoder_make() -> None:
    """The runtime puts it together by hand, as it must be cheap."""
    made = burying("order_service").bury_unread(
        ORDERS, Record(), "odd", "schema", 1_700_000_000_123
    )
    encoder = Encoder("jointbuy/order_service", {Task: "p.tasks"}, ONE)
    same = encoder(task_of(made), 1_700_000_000_123, "orders/0/7", "dead-letter")
    assert Task.model_validate_json(same.value or b"") == task_of(made)
    assert made[1] == same._replace(value=made[1].value)


@pytest.mark.parametrize(
    "problem", ["x" * 5_000, "the key is 'ann@example.com'", "4242424242424242"]
)
def test_a_task_s_problem_is_short_and_holds_no_address_or_card(problem: str) -> None:
    task = task_of(burying("order_service").bury_unread(ORDERS, Record(), problem, "schema", 0))
    assert len(task.problem) <= 1_000
    assert "@" not in task.problem
    assert "424242424242" not in task.problem


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "plain"),
    [
        ("orders", 0, 0, True),
        ("group-purchase-requests", 3, 10**18, True),
        ("a" * 52, 1, 22, True),
        ("a" * 53, 1, 22, False),
        ("shop.outbox." + "x" * 200, 1, 22, False),
        ("orders", 1, "shop/orders/create/17", False),
        ("órders", 1, 1, False),
    ],
)
def test_a_place_makes_one_id(topic: str, partition: int, offset: Any, plain: bool) -> None:
    task_id = record_task_id(topic, partition, offset)
    assert (task_id == f"record-{topic}-{partition}-{offset}") is plain
    assert Task.model_validate(
        {
            "task_id": task_id,
            "kind": "record",
            "about": "",
            "reason": "",
            "problem": "",
            "since": datetime(2026, 11, 1, tzinfo=UTC),
        }
    )
    assert record_task_id(topic, str(partition), str(offset)) == task_id
    assert record_task_id(topic, partition, f"{offset}1") != task_id


# --- counts --------------------------------------------------------------------------------------


def test_counts_go_on_after_a_restart() -> None:
    made = burying("order_service")
    for _ in range(3):
        made.bury_unread(ORDERS, Record(), "odd", "schema", 0)
    made.bury(GROUP_PURCHASES, Record(), "much", "beyond-limits", 0)
    kept = positions_value(Meta(cluster="c", dead=made.counts))
    restored = with_positions(Meta(cluster="c"), kept)
    again = burying("order_service", restored.dead)
    again.bury_unread(ORDERS, Record(), "odd", "schema", 0)
    assert again.counts == {"orders/schema/yes": 4, "group-purchases/beyond-limits/yes": 1}


def test_positions_of_an_older_version_have_no_counts() -> None:
    told = b'{"positions": {"orders": 5}, "now": 1, "stashed": 0}'
    assert with_positions(Meta(cluster="c", dead={"orders/schema/yes": 1}), told).dead == {}
    assert b"dead" not in positions_value(Meta(cluster="c"))


def shown(processor: str) -> dict[tuple[str, ...], float]:
    """What the page of metrics says of a processor's dead letters."""
    return {
        tuple(sample.labels[name] for name in ("partition", "topic", "reason", "written")): (
            sample.value
        )
        for metric in COUNTER.collect()
        for sample in metric.samples
        if sample.name == "jointbuy_dead_letters_total" and sample.labels["processor"] == processor
    }


def test_the_counter_is_shown_where_the_partition_is_open() -> None:
    counts = DeadLetterCounts(("counted", "2"))
    counts.show({"orders/schema/yes": 40})
    counts.show({"orders/schema/yes": 42, "webhooks/shop/unreadable/yes": 1})
    assert shown("counted") == {
        ("2", "orders", "schema", "yes"): 42,
        ("2", "webhooks/shop", "unreadable", "yes"): 1,
    }
    counts.hide()
    assert shown("counted") == {}
    counts.show({"orders/schema/yes": 42})
    assert shown("counted") == {("2", "orders", "schema", "yes"): 42}


# --- lines in the log ----------------------------------------------------------------------------


def told(reason: str = "schema", offset: int = 1) -> Buried:
    """A dead letter of ``orders``."""
    return Buried("orders", 0, offset, reason, "odd")


def test_ten_thousand_dead_letters_are_a_line_and_a_count_each_minute() -> None:
    teller = Teller()
    with structlog.testing.capture_logs() as lines:
        for number in range(10_000):
            teller.note(told(offset=number), number / 1_000)
            teller.tell(number / 1_000)
        teller.note(told("no-value"), 10)
        teller.tell(TOLD_SECONDS - 1)
        assert [each["event"] for each in lines] == ["a record is set aside"] * 2
        teller.tell(TOLD_SECONDS)
        assert (lines[2]["count"], lines[2]["reason"]) == (9_999, "schema")
        teller.note(told(), TOLD_SECONDS + 1)
        teller.tell(2 * TOLD_SECONDS)
        assert lines[3]["count"] == 1
        teller.tell(3 * TOLD_SECONDS)
        teller.note(told(offset=5), 3 * TOLD_SECONDS + 1)
        assert (lines[4]["event"], lines[4]["offset"]) == ("a record is set aside", 5)
        assert len(lines) == 5


def test_what_was_not_told_yet_is_told_at_the_end() -> None:
    teller = Teller()
    with structlog.testing.capture_logs() as lines:
        teller.note(told(), 0)
        teller.note(told(), 1)
        teller.tell(2, is_last=True)
        teller.tell(2, is_last=True)
    assert [each.get("count") for each in lines] == [None, 1]


def test_a_batch_is_told_of_once_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELLER", Teller())
    made = burying("order_service")
    with structlog.testing.capture_logs() as lines:
        made.bury_unread(ORDERS, unreadable(), "wrong checksum", "unreadable", 0)
        assert lines == []
        made.committed()
        made.committed()
    assert [each["offset"] for each in lines] == [7]


def test_the_line_of_a_dead_letter_names_its_group_and_its_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TELLER", Teller())
    group, trace = derive("a request"), "0af7651916cd43dd8448eb211c80319c"
    parent = f"00-{trace}-b7ad6b7169203331-01".encode()
    made = burying("order_service")
    with structlog.testing.capture_logs() as lines:
        record = Record(key=f"{group}/ann".encode(), headers=(("traceparent", parent),))
        made.bury_unread(ORDERS, record, "not JSON", "schema", 5)
        strange = Record(b"", b"ann@people.example", headers=(("traceparent", None),))
        made.bury_unread(ORDERS, strange, "no JSON", "no-value", 5)
        made.committed()
    assert (lines[0]["group_purchase_id"], lines[0]["trace_id"]) == (group, trace)
    assert "ann" not in str(lines)
    assert "trace_id" not in lines[1]
