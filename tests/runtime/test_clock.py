"""The partition's clock and the merge of its inputs, without a broker."""

from collections import deque
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import Clock, Input, Wait, next_input
from runtime.records import TIMESTAMP_MAX_MS, instant

QUIET_MS = 2_000


def record(timestamp: int, offset: int = 0) -> Any:
    return SimpleNamespace(timestamp=timestamp, offset=offset)


def given_input(
    name: str, *timestamps: int, end: int | None = 0, answered: int = 100, fetched: int = 100
) -> Input:
    """An input with these records fetched; ``end`` is what the last answer said of its end."""
    each = Input(name)
    each.buffer = deque(record(at, number) for number, at in enumerate(timestamps))
    each.fetched_ms = fetched
    each.answered(len(timestamps), end, answered, QUIET_MS)
    return each


MERGES = [
    ("the oldest head goes first", [given_input("a", 30), given_input("b", 20)], "b"),
    ("equal ones in the declared order", [given_input("a", 20), given_input("b", 20)], "a"),
    ("an input at its end does not hold the others", [given_input("a", 20), given_input("b")], "a"),
    (
        "an input not read to its end does",
        [given_input("a", 20), given_input("b", end=7)],
        Wait.FOR_FETCH,
    ),
    (
        "an open transaction leaves the end unknown",
        [given_input("a", 20), given_input("b", end=None)],
        Wait.FOR_FETCH,
    ),
    (
        "an end told before the head was fetched says nothing of what came since",
        [given_input("a", 20, fetched=200, answered=200), given_input("b", answered=199)],
        Wait.FOR_FETCH,
    ),
    (
        "told by the same answer it does",
        [given_input("a", 20, fetched=200, answered=200), given_input("b", answered=200)],
        "a",
    ),
    ("all at their end", [given_input("a"), given_input("b")], Wait.AT_END),
    ("nothing answered yet", [Input("a"), given_input("b")], Wait.FOR_FETCH),
]


@pytest.mark.parametrize(("what", "inputs", "expected"), MERGES, ids=[case[0] for case in MERGES])
def test_merge(what: str, inputs: list[Input], expected: str | Wait) -> None:
    """Records come oldest first, as far as that can be known."""
    chosen = next_input(inputs)
    assert (chosen if isinstance(chosen, Wait) else chosen.topic) == expected, what


@given(st.lists(st.lists(st.integers(0, 50), max_size=8).map(sorted), min_size=1, max_size=4))
def test_ordered_inputs_merge_into_one_order(logs: list[list[int]]) -> None:
    """Inputs that are in order each are in order together, and none is lost."""
    inputs = [given_input(str(number), *log) for number, log in enumerate(logs)]
    merged = []
    while isinstance(chosen := next_input(inputs), Input):
        merged.append(chosen.take().timestamp)
    assert chosen is Wait.AT_END
    assert merged == sorted(at for log in logs for at in log)


AT_RECORD = [
    ("wall: the record's time", "wall", 0, 500, 900, 500),
    ("wall: never later than the wall clock", "wall", 0, 2_500, 900, 900),
    ("wall: a time of the future says nothing", "wall", 300, 2_901, 900, 300),
    ("wall: never back", "wall", 700, 500, 900, 700),
    ("log: the record's time, whatever the wall says", "log", 0, 5_000, 900, 5_000),
    ("log: never back", "log", 7_000, 5_000, 900, 7_000),
]


@pytest.mark.parametrize(("what", "mode", "now", "at", "wall", "expected"), AT_RECORD)
def test_time_at_a_record(
    what: str, mode: Any, now: int, at: int, wall: int, expected: int
) -> None:
    """While there are records, now is theirs."""
    assert Clock(mode, 2_000, now).at_record(at, wall) == expected, what


def stood(since: int | None, answered: int) -> Input:
    each = given_input("a", answered=answered)
    each.stands_since_ms = since
    return each


AT_REST = [
    ("all stood for the grace: the wall less the grace", [stood(0, 5_000)], 5_000, 3_000),
    ("one has not stood long enough", [stood(0, 5_000), stood(4_000, 5_000)], 5_000, 1),
    ("one does not stand", [stood(0, 5_000), stood(None, 5_000)], 5_000, 1),
    ("one was answered long ago", [stood(0, 9_000), stood(0, 5_000)], 9_000, 3_000),
    ("never back", [stood(0, 2_000)], 2_000, 1),
]


@pytest.mark.parametrize(("what", "inputs", "wall", "expected"), AT_REST)
def test_time_at_rest(what: str, inputs: list[Input], wall: int, expected: int) -> None:
    """With nothing to read, time passes a grace behind, counted from when all stood still."""
    assert Clock("wall", 2_000, 1).at_rest(inputs, wall) == expected, what


def test_log_time_stands_still_at_rest() -> None:
    """Under log the wall clock is never asked."""
    assert Clock("log", 2_000, 77).at_rest([stood(0, 10**12)], 10**12) == 77


def test_log_time_ends_where_what_a_rule_adds_still_is_a_time() -> None:
    """Rules add months to the clock: a record of the last year there is must not break that."""
    now = instant(Clock("log", 2_000, 0).at_record(TIMESTAMP_MAX_MS, 0))
    assert now + timedelta(days=365) < datetime.max.replace(tzinfo=UTC)


def test_standing_counts_anew_after_a_reconnection() -> None:
    """A silence longer than the grace may hide records that a slow upstream has yet to commit."""
    each = given_input("a", answered=1_000)
    each.answered(0, 0, 1_050, QUIET_MS)
    assert each.stands_since_ms == 1_000
    each.answered(0, 0, 9_000, QUIET_MS)
    assert each.stands_since_ms == 9_000


def test_standing_ends_with_a_record() -> None:
    """What came in counts from anew."""
    each = given_input("a", answered=1_000)
    each.buffer.append(record(1))
    each.answered(1, 1, 1_050, QUIET_MS)
    assert each.stands_since_ms is None
