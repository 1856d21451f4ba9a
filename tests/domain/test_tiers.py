"""Ladders: the tier that totals reach, what it takes off, and which ladders are valid."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.tiers import (
    Overlap,
    Progress,
    given_by,
    is_percent_off,
    mixes_starts,
    overlaps,
    price_at,
    progress,
    start_of,
    tier_reached,
)
from schemas.parts import Tier


def units(start: int, **gives: Any) -> Tier:
    return Tier(from_quantity=start, **gives)


def worth(start: int, **gives: Any) -> Tier:
    return Tier(from_value=start, **gives)


TEN = (units(5, percent_off=5), units(10, percent_off=10))
REACHED: list[tuple[str, tuple[Tier, ...], int, int, Progress]] = [
    # what, tiers, quantity, value, (reached, following, missing)
    ("no ladder", (), 7, 700, Progress(None, None, None)),
    ("nothing yet", TEN, 0, 0, Progress(None, 0, 5)),
    ("one short", TEN, 4, 9_999, Progress(None, 0, 1)),
    ("the first", TEN, 5, 0, Progress(0, 1, 5)),
    ("one short of the second", TEN, 9, 0, Progress(0, 1, 1)),
    ("the last", TEN, 10, 0, Progress(1, None, None)),
    ("beyond the last", TEN, 11, 0, Progress(1, None, None)),
    ("by value", (worth(500), worth(900)), 100, 899, Progress(0, 1, 1)),
    ("no start at all", (Tier(gift="mug"),), 0, 0, Progress(0, None, None)),
    # No group has these two: request_service refuses them.
    ("mixed", (units(5), worth(900)), 5, 100, Progress(0, 1, 800)),
    ("equal starts", (units(5, gift="a"), units(5, gift="b")), 5, 0, Progress(0, None, None)),
]


@pytest.mark.parametrize(
    ("what", "tiers", "quantity", "value", "expected"), REACHED, ids=[each[0] for each in REACHED]
)
def test_the_tier_reached_and_the_next(
    what: str, tiers: tuple[Tier, ...], quantity: int, value: int, expected: Progress
) -> None:
    assert progress(tiers, quantity, value) == expected
    best = None if expected.reached is None else tiers[expected.reached]
    assert tier_reached(tiers, quantity, value) == best


LADDERS = st.one_of(
    st.lists(st.integers(1, 50), unique=True).map(lambda all_: [units(each) for each in all_]),
    st.lists(st.integers(1, 50), unique=True).map(lambda all_: [worth(each) for each in all_]),
)


@given(LADDERS, st.integers(0, 60), st.integers(0, 60))
def test_what_is_missing_leads_to_the_next_tier(
    ladder: list[Tier], quantity: int, value: int
) -> None:
    tiers = sorted(ladder, key=start_of)
    found = progress(tiers, quantity, value)
    best = None if found.reached is None else tiers[found.reached]
    assert best == tier_reached(ladder, quantity, value), "the order of tiers does not matter"
    if found.following is None or found.missing is None:
        assert found.reached == (len(tiers) - 1 if tiers else None)
        return
    assert found.missing > 0
    more = progress(tiers, quantity + found.missing, value + found.missing)
    assert more.reached == found.following
    assert found.following == (0 if found.reached is None else found.reached + 1)


GIVEN: list[tuple[Tier, int, int, tuple[int, str | None]]] = [
    # tier, units, value, (amount, gift)
    (units(1, percent_off=10), 2, 1_005, (101, None)),
    (units(1, percent_off=2.5), 1, 1_000, (25, None)),
    (units(1, percent_off=120), 1, 1_000, (1_000, None)),
    (units(1, percent_off=-1), 1, 1_000, (0, None)),
    (units(1, amount_off=200), 3, 3_000, (600, None)),
    (units(1, amount_off=2_000), 3, 3_000, (3_000, None)),
    (units(1, amount_off=-5), 3, 3_000, (0, None)),
    (units(1, unit_price=900), 3, 3_000, (300, None)),
    (units(1, unit_price=1_100), 3, 3_000, (0, None)),
    (units(1, unit_price=-5), 3, 3_000, (3_000, None)),
    (units(1, gift="mug"), 3, 3_000, (0, "mug")),
    (units(1, gift="mug"), 0, 0, (0, None)),
]


@pytest.mark.parametrize(("tier", "quantity", "value", "expected"), GIVEN)
def test_what_a_tier_gives(
    tier: Tier, quantity: int, value: int, expected: tuple[int, str | None]
) -> None:
    assert given_by(tier, quantity, value) == expected


ANY_TIER = st.one_of(
    st.floats(-10, 200, allow_nan=False).map(lambda percent: units(1, percent_off=percent)),
    st.integers(-10, 10**12).map(lambda amount: units(1, amount_off=amount)),
    st.integers(-10, 10**12).map(lambda price: units(1, unit_price=price)),
)


@given(ANY_TIER, st.integers(0, 10**9), st.integers(0, 10**15))
def test_a_tier_never_takes_off_more_than_the_value(tier: Tier, quantity: int, value: int) -> None:
    amount, _ = given_by(tier, quantity, value)
    assert 0 <= amount <= value


PRICES: list[tuple[Tier, int | None]] = [
    (units(1, percent_off=15), 2_040),
    (units(1, amount_off=200), 2_200),
    (units(1, unit_price=1_999), 1_999),
    (units(1, gift="mug"), None),
]


@pytest.mark.parametrize(("tier", "price"), PRICES)
def test_the_price_of_a_unit_in_a_tier(tier: Tier, price: int | None) -> None:
    assert price_at(tier, 2_400) == price


PERCENT = [(0, True), (100, True), (2.35, True), (99.99, True), (2.355, False), (100.01, False)]


@pytest.mark.parametrize(("percent", "is_one"), [*PERCENT, (-0.01, False), (float("nan"), False)])
def test_percent_has_two_decimals_at_most(percent: float, is_one: bool) -> None:
    assert is_percent_off(percent) is is_one


INVALID: list[tuple[tuple[Tier, ...], bool, list[Overlap]]] = [
    ((), False, []),
    (TEN, False, []),
    ((worth(500), worth(900)), False, []),
    ((units(5), worth(900)), True, []),
    ((units(5), units(5), units(9)), False, [Overlap("from_quantity", 5, 2)]),
    ((worth(5), worth(5), worth(5)), False, [Overlap("from_value", 5, 3)]),
    ((units(5), units(5), worth(5)), True, [Overlap("from_quantity", 5, 2)]),
]


@pytest.mark.parametrize(("tiers", "is_mixed", "shared"), INVALID)
def test_what_is_wrong_with_a_ladder(
    tiers: tuple[Tier, ...], is_mixed: bool, shared: list[Overlap]
) -> None:
    assert mixes_starts(tiers) is is_mixed
    assert list(overlaps(tiers)) == shared
