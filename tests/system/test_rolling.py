"""Workers restarted one after the other under load: each order counts once, none waits long."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.orders import OrderPaid
from schemas.topic import PARTITIONS
from stack.brokers import RunningBroker
from tests.system.purchases import group_until, groups_in, order_at
from tests.system.stack import Stack, Worker, stack_on, until

pytestmark = pytest.mark.system
GROUPS = [groups_in(partition, 1)[0] for partition in range(PARTITIONS)]
CHANGELOG = "order_service-purchases-changelog"
ASSIGNED = "partitions assigned"
#: A quiet machine takes a second (``python -m bench.rolling``), a busy one several.
PAUSE_SECONDS_MAX = 12.0


class Load:
    """An order of a new member to each group, again and again, each sent twice."""

    tick_seconds = 0.05

    def __init__(self, stack: Stack) -> None:
        self.rounds = 0
        self._stack = stack
        self._ends = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Until it is ended."""
        try:
            while not self._ends.wait(self.tick_seconds):
                now, number = datetime.now(UTC), self.rounds
                orders = [self.order(group, number, now) for group in GROUPS]
                self._stack.feed("orders", *((each, None) for each in orders * 2))
                self.rounds += 1
        except BaseException as error:
            self._error = error

    def order(self, group_id: str, number: int, now: datetime) -> OrderPaid:
        """The group's n-th order, of its n-th member."""
        return order_at(group_id, number, now).model_copy(update={"member_id": f"m-{number}"})

    def end(self) -> None:
        """Send no more. Raises what ended it before."""
        self._ends.set()
        if self._error is not None:
            raise self._error


@contextmanager
def load_on(stack: Stack, kind: type[Load] = Load) -> Iterator[Load]:
    """Orders that come until the block ends."""
    load = kind(stack)
    thread = threading.Thread(target=load.run)
    thread.start()
    try:
        yield load
    finally:
        load.end()
        thread.join()


def said(worker: Worker, event: str) -> list[dict[str, Any]]:
    """Its log lines of this kind."""
    lines = [json.loads(each) for each in worker.log.read_text().splitlines() if each[:1] == "{"]
    return [each for each in lines if each["event"] == event]


def open_in(*workers: Worker) -> list[int]:
    """How many partitions each has open."""
    return [sum(each["ready"] for each in worker.partitions()) for worker in workers]


def longest_wait(stack: Stack) -> float:
    """From when an order was sent to when its member's row was committed, in seconds."""
    sent: dict[tuple[str, str], int] = {}
    for each in stack.read("orders"):
        sent.setdefault((each.value["group_id"], each.value["member_id"]), each.timestamp)
    rows = {}
    for record in stack.read_raw(CHANGELOG):
        group, _, name = record.key.decode().partition("\0")
        if name.startswith("member/"):
            rows.setdefault((group, name.removeprefix("member/")), record.timestamp)
    assert rows.keys() == sent.keys()
    return max(rows[each] - at for each, at in sent.items()) / 1000


def test_both_workers_restart_and_each_order_counts_once_without_a_long_wait(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """What stays with a worker stays open, and the other gets partitions when it has their rows."""
    now = datetime.now(UTC)
    with stack_on(kafka, tmp_path, "wall") as stack:
        terms = [group_until(group, now + timedelta(days=1), now) for group in GROUPS]
        stack.feed("group-purchases", *((each, None) for each in terms))
        workers = stack.start("order_service", "order_service")
        until("both work", lambda: open_in(*workers) == [2, 2])
        with load_on(stack) as load:
            for leaving, other in (workers, reversed(workers)):
                opened, told = len(said(other, "partition open")), len(said(leaving, ASSIGNED))
                leaving.stop()
                until("the other has all", lambda o=other: open_in(o) == [PARTITIONS])
                assert len(said(other, "partition open")) == opened + 2, "two stayed open"
                began = load.rounds
                leaving.start()
                until("both work", lambda: open_in(*workers) == [2, 2])
                first = said(leaving, ASSIGNED)[told]
                assert first["partitions"] == []
                assert first["standbys"] == list(range(PARTITIONS))
                until("orders came", lambda n=began: load.rounds > n + 5)
        stack.wait_idle()
        for group in GROUPS:
            stack.wait_for("purchases", group, quantity=load.rounds)
        assert longest_wait(stack) < PAUSE_SECONDS_MAX
        assert stack.read("dead-letters") == []
