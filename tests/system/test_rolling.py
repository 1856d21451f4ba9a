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
#: A quiet machine takes a second (``python -m bench.rolling``). A busy one takes as much longer as
#: an order takes longer there, so this many of the slowest steady order's waits are added.
PAUSE_SECONDS_MAX = 12.0
PAUSE_OF_STEADY = 10
#: A worker that a busy machine holds up must not lose its place in the group: it would open its
#: partitions anew, and this is about workers that leave in order.
PATIENT = {"KAFKA_SESSION_TIMEOUT_MS": "120000"}
#: Rounds of orders before the first restart.
STEADY_ROUNDS = 20


class Load:
    """An order of a new member to each group, again and again, each sent twice."""

    tick_seconds = 0.05

    def __init__(self, stack: Stack) -> None:
        self.rounds = 0
        self.stack = stack
        self._ends = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Until it is ended."""
        try:
            while not self._ends.wait(self.tick_seconds):
                self.send(self.rounds, datetime.now(UTC))
                self.rounds += 1
        except BaseException as error:
            self._error = error

    def send(self, number: int, now: datetime) -> None:
        """The n-th round."""
        orders = [self.order(group, number, now) for group in GROUPS]
        self.stack.feed("orders", *((each, None) for each in orders * 2))

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


def until_both_work(workers: list[Worker]) -> None:
    """Wait until each has half of the partitions, and the rows of the others beside.

    A worker that stops before that hands partitions to one that has not got their rows.
    """
    until(
        "both work",
        lambda: open_in(*workers) == [2, 2] and all(each.ready() for each in workers),
    )


def longest_waits(stack: Stack, rounds: int) -> tuple[float, float]:
    """From when an order was sent to when its member's row was committed, in seconds.

    The longest of the orders of the first ``rounds``, and that of the others.
    """
    sent: dict[tuple[str, str], int] = {}
    for each in stack.read("orders"):
        sent.setdefault((each.value["group_id"], each.value["member_id"]), each.timestamp)
    rows = {}
    for record in stack.read_raw(CHANGELOG):
        group, _, name = record.key.decode().partition("\0")
        if name.startswith("member/"):
            rows.setdefault((group, name.removeprefix("member/")), record.timestamp)
    assert rows.keys() == sent.keys()
    early = {f"m-{number}" for number in range(rounds)}
    waits = {each: (rows[each] - at) / 1000 for each, at in sent.items()}
    return (
        max(wait for (_, member), wait in waits.items() if member in early),
        max(wait for (_, member), wait in waits.items() if member not in early),
    )


def test_both_workers_restart_and_each_order_counts_once_without_a_long_wait(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """What stays with a worker stays open, and the other gets partitions when it has their rows."""
    now = datetime.now(UTC)
    with stack_on(kafka, tmp_path, "wall", **PATIENT) as stack:
        terms = [group_until(group, now + timedelta(days=1), now) for group in GROUPS]
        stack.feed("group-purchases", *((each, None) for each in terms))
        workers = stack.start("order_service", "order_service")
        until_both_work(workers)
        with load_on(stack) as load:
            until("steady orders", lambda: load.rounds > STEADY_ROUNDS)
            steady = load.rounds
            for leaving, other in (workers, reversed(workers)):
                opened, told = len(said(other, "partition open")), len(said(leaving, ASSIGNED))
                leaving.stop()
                until("the other has all", lambda o=other: open_in(o) == [PARTITIONS])
                assert len(said(other, "partition open")) == opened + 2, "two stayed open"
                began = load.rounds
                leaving.start()
                until_both_work(workers)
                first = said(leaving, ASSIGNED)[told]
                assert first["partitions"] == []
                assert first["standbys"] == list(range(PARTITIONS))
                until("orders came", lambda n=began: load.rounds > n + 5)
        stack.wait_idle()
        for group in GROUPS:
            stack.wait_for("purchases", group, quantity=load.rounds)
        before, longest = longest_waits(stack, steady)
        assert longest < PAUSE_SECONDS_MAX + PAUSE_OF_STEADY * before
        assert stack.read("dead-letters") == []
