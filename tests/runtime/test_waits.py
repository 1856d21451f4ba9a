"""Rows of messages that wait: counted, named by their record, and given up as dead letters."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.ids import derive
from runtime.fold import Fold
from runtime.held import WaitingRows
from runtime.records import Encoder, OutputRecord, Partitioner, encode, milliseconds
from runtime.rows import Waiting
from runtime.store import Meta, Store
from schemas.ops import Task
from schemas.orders import OrderCancelled, OrderPaid
from schemas.parts import Message
from services.order_service.processor import PROCESSOR

T = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
A, B = derive("a"), derive("b")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty one."""
    opened = Store(tmp_path / "rows", "c", 1_000.0)
    yield opened
    opened.close()


class Partition:
    """order_service over one partition, without a broker."""

    def __init__(self, store: Store) -> None:
        one = Partitioner(1)
        topics = {kind: topic.name for topic in PROCESSOR.outputs for kind in topic.messages}
        self.store = store
        self.fold = Fold(PROCESSOR, store, Encoder("test", topics, one), one, "p.dead-letters")

    def take(self, message: Message, offset: int, at: datetime) -> None:
        """Fold a record."""
        self.fold.now_ms = max(self.fold.now_ms, milliseconds(at))
        record: Any = SimpleNamespace(
            topic="p.orders",
            partition=0,
            offset=offset,
            timestamp=milliseconds(at),
            key=message.key.encode(),
            value=encode(message),
            headers=(),
        )
        self.fold.apply("orders", record)

    def commit(self) -> list[OutputRecord]:
        """What is sent; the rows are kept."""
        rows, outputs = self.fold.take()
        self.store.write(rows, Meta(cluster="c", now=self.fold.now_ms))
        return outputs

    def pass_time(self, at: datetime) -> None:
        """Fire what is due by then."""
        until = milliseconds(at)
        while (earliest := self.fold.due.earliest()) is not None and earliest <= until:
            self.fold.now_ms = max(self.fold.now_ms, earliest)
            self.fold.fire()
        self.fold.now_ms = until

    @property
    def standing(self) -> tuple[int, float]:
        """How many wait, and the age of the oldest."""
        return len(self.fold.waits), self.fold.waits.oldest_seconds(self.fold.now_ms)


def cancelled(group_id: str) -> OrderCancelled:
    """A cancellation, which no fact can answer."""
    return OrderCancelled(order_id="1", source="shop", group_id=group_id, cancelled_at=T)


def paid(group_id: str) -> OrderPaid:
    """An order."""
    return OrderPaid(
        order_id="2", source="shop", group_id=group_id, member_id="ann", quantity=1, ordered_at=T
    )


def test_what_waits_is_counted_over_a_restart(store: Store) -> None:
    partition = Partition(store)
    partition.take(cancelled(A), 5, T)
    partition.take(paid(B), 6, T + 10 * timedelta(minutes=1))
    partition.commit()
    assert partition.standing == (2, 600.0)
    again = Partition(store)
    assert again.standing == (2, 600.0)
    again.pass_time(T + HOUR)
    assert again.standing == (1, 3_000.0)
    again.commit()
    assert Partition(store).standing == (1, 3_000.0)
    again.pass_time(T + 2 * HOUR)
    assert again.standing == (0, 0.0)


def test_what_waited_in_vain_is_a_dead_letter_of_its_own_record(store: Store) -> None:
    """With its reason and its task, so that it can be sent again when the group is there."""
    partition = Partition(store)
    partition.take(cancelled(A), 5, T)
    assert partition.fold.rows(A)["waiting/000000000001"].place == "orders/0/5"
    partition.commit()
    again = Partition(store)
    again.pass_time(T + HOUR)
    sent = again.commit()
    (letter,) = [each for each in sent if each.topic == "p.dead-letters"]
    headers = dict(letter.headers)
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"p.orders", b"0", b"5")
    assert (headers["reason"], headers["service"]) == (b"unknown-group", b"order_service")
    assert OrderCancelled.model_validate_json(letter.value or b"") == cancelled(A)
    assert (letter.key, letter.partition) == (A.encode(), 0)
    (task,) = [
        Task.model_validate_json(each.value or b"") for each in sent if "tasks" in each.topic
    ]
    assert (task.task_id, task.reason) == ("record-orders-0-5", "unknown-group")
    assert again.fold.burying.counts == {"orders/unknown-group/yes": 1}


def test_a_message_that_waits_since_an_older_version_is_given_up_without_its_place(
    store: Store,
) -> None:
    partition = Partition(store)
    partition.take(cancelled(A), 5, T)
    rows = partition.fold.rows(A)
    before: Waiting = rows["waiting/000000000001"]
    partition.fold._applying = (0, "an older version", "")
    rows["waiting/000000000001"] = Waiting(before.type, before.message, before.arrived_at)
    partition.pass_time(T + HOUR)
    (letter,) = [each for each in partition.commit() if each.topic == "p.dead-letters"]
    headers = dict(letter.headers)
    assert (headers["topic"], headers["offset"], letter.partition) == (b"p.orders", b"-1", 0)


@pytest.mark.parametrize(
    ("what", "count", "age"),
    [
        ([("a", 5), ("b", 3), ("c", 9)], 3, 7.0),
        ([("a", 5), ("b", 3), ("b", None)], 1, 5.0),
        ([("a", 5), ("a", 5), ("a", None)], 0, 0.0),
        ([("a", 5), ("a", None), ("a", 8)], 1, 2.0),
        ([("a", 12)], 1, 0.0),
        ([("a", None)], 0, 0.0),
    ],
)
def test_the_oldest_is_found_without_a_look_at_all(
    what: list[tuple[str, int | None]], count: int, age: float
) -> None:
    """Seconds since the beginning; by now it is ten."""
    begin = datetime(1970, 1, 1, tzinfo=UTC)
    waits = WaitingRows([])
    for row_key, since in what:
        row = None if since is None else Waiting("", "", begin + timedelta(seconds=since))
        waits.take(row_key, row, None)
    assert (len(waits), waits.oldest_seconds(10_000)) == (count, age)
