"""Until when orders count, and how many units one may have."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.orders import confirm_by, deadline, units_by_link_max

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)

DEADLINES = [
    # close, grace in seconds, deadline
    (T, 0, T),
    (T, 60, T + timedelta(minutes=1)),
    (T, 10**9, T + timedelta(seconds=10**9)),
    (T, 10**12, LAST),
    (T, 10**30, LAST),
    (LAST, 1, LAST),
]


@pytest.mark.parametrize(("closes_at", "grace", "expected"), DEADLINES)
def test_a_group_is_decided_after_its_grace(
    closes_at: datetime, grace: int, expected: datetime
) -> None:
    assert deadline(closes_at, grace) == expected


@pytest.mark.parametrize(
    ("ordered_at", "expected"), [(T, T + timedelta(hours=48)), (LAST - timedelta(hours=1), LAST)]
)
def test_an_order_is_confirmed_within_two_days(ordered_at: datetime, expected: datetime) -> None:
    assert confirm_by(ordered_at) == expected


@pytest.mark.parametrize(
    ("number", "ordered", "stops", "most"),
    [
        (10, 0, True, 10),
        (10, 4, True, 6),
        (10, 10, True, 10),
        (10, 12, True, 10),
        (10, 4, False, 10),
    ],
)
def test_units_of_one_order_by_a_link(number: int, ordered: int, stops: bool, most: int) -> None:
    assert units_by_link_max(number, ordered, stops=stops) == most
