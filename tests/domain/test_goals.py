"""What a group has to reach next: tables of cases."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.goals import Goal, held_tier, next_goal, tier_beyond
from schemas.parts import Tier

LADDER = tuple(Tier(from_quantity=start, percent_off=5) for start in (30, 60, 120))
BY_VALUE = tuple(Tier(from_value=start, percent_off=5) for start in (3_000, 12_000))
ONE = (Tier(from_quantity=100, percent_off=10),)


def number_of(missing: int, target: int, tier: int | None, beyond: int | None = None) -> Goal:
    return Goal("number", missing, target, tier=tier, beyond=beyond)


def step(missing: int, target: int, tier: int, *, reached: bool = False) -> Goal:
    return Goal("tier", missing, target, tier=tier, is_number_reached=reached)


def money(missing: int, target: int, tier: int, *, reached: bool = False) -> Goal:
    return Goal("tier", missing, target, True, tier, reached)


TOP = Goal("top", is_number_reached=True)


@pytest.mark.parametrize(
    ("tiers", "number", "quantity", "goal"),
    [
        # without tiers, only the number counts
        ((), 10, 0, number_of(10, 10, None)),
        ((), 10, 9, number_of(1, 10, None)),
        ((), 10, 10, TOP),
        ((), 10, 99, TOP),
        # a number below the first step brings nothing, and is the nearer
        (ONE, 50, 20, number_of(30, 50, None, beyond=0)),
        (ONE, 50, 50, step(50, 100, 0, reached=True)),
        (ONE, 50, 100, TOP),
        # a number at a step: one thing to reach, with what it brings
        (ONE, 100, 60, number_of(40, 100, 0)),
        (LADDER, 60, 40, number_of(20, 60, 1)),
        # a number above the first step: the steps come first
        (LADDER, 100, 0, step(30, 30, 0)),
        (LADDER, 100, 29, step(1, 30, 0)),
        (LADDER, 100, 30, step(30, 60, 1)),
        (LADDER, 100, 60, number_of(40, 100, None)),
        (LADDER, 100, 99, number_of(1, 100, None)),
        # after the number: what more buyers would bring
        (LADDER, 100, 100, step(20, 120, 2, reached=True)),
        (LADDER, 20, 20, step(10, 30, 0, reached=True)),
        (LADDER, 100, 120, TOP),
        (LADDER, 100, 5_000, TOP),
        # all steps are reached before the number
        (LADDER, 500, 200, number_of(300, 500, None)),
    ],
)
def test_the_next_goal_where_each_step_holds_at_once(
    tiers: Any, number: int, quantity: int, goal: Goal
) -> None:
    value = quantity * 100
    found = next_goal(tiers, number, quantity, value, is_as_reached=True, unit_price=100)
    assert found == goal


@pytest.mark.parametrize(
    ("tiers", "number", "quantity", "goal"),
    [
        ((), 10, 3, number_of(7, 10, None)),
        (LADDER, 100, 0, number_of(100, 100, 1)),
        (LADDER, 100, 30, number_of(70, 100, 1)),
        (LADDER, 100, 60, number_of(40, 100, 1)),
        (LADDER, 100, 100, step(20, 120, 2, reached=True)),
        (LADDER, 120, 119, number_of(1, 120, 2)),
        (ONE, 50, 20, number_of(30, 50, None, beyond=0)),
        (ONE, 50, 60, step(40, 100, 0, reached=True)),
        (LADDER, 100, 120, TOP),
    ],
)
def test_the_next_goal_where_nothing_holds_before_the_number(
    tiers: Any, number: int, quantity: int, goal: Goal
) -> None:
    """A step below the number is no goal: it would promise a discount that nobody gets there."""
    value = quantity * 100
    found = next_goal(tiers, number, quantity, value, is_as_reached=False, unit_price=100)
    assert found == goal


@pytest.mark.parametrize(
    ("number", "quantity", "value", "price", "goal"),
    [
        # 3,000 are 30 units at 100 each
        (100, 0, 0, 100, money(3_000, 3_000, 0)),
        (20, 0, 0, 100, number_of(20, 20, None, beyond=0)),
        (30, 0, 0, 100, number_of(30, 30, 0)),
        (20, 20, 2_000, 100, money(1_000, 3_000, 0, reached=True)),
        (20, 20, 2_999, 100, money(1, 3_000, 0, reached=True)),
        (20, 200, 20_000, 100, TOP),
        # without a price, what comes first is not known: the step is what buyers get
        (20, 0, 0, None, money(3_000, 3_000, 0)),
        (20, 15, 3_000, None, money(9_000, 12_000, 1)),
        (20, 15, 12_000, None, number_of(5, 20, None)),
    ],
)
def test_the_next_goal_where_steps_start_from_a_value(
    number: int, quantity: int, value: int, price: int | None, goal: Goal
) -> None:
    found = next_goal(BY_VALUE, number, quantity, value, is_as_reached=True, unit_price=price)
    assert found == goal


@given(
    starts=st.lists(st.integers(1, 50), unique=True, max_size=4),
    number=st.integers(1, 60),
    quantity=st.integers(0, 80),
    is_as_reached=st.booleans(),
)
def test_what_holds_changes_at_the_goal_and_not_before(
    starts: list[int], number: int, quantity: int, is_as_reached: bool
) -> None:
    tiers = [Tier(from_quantity=each, percent_off=1) for each in sorted(starts)]

    def at(units: int) -> tuple[Goal, int | None]:
        held = held_tier(tiers, number, units, units, is_as_reached=is_as_reached)
        goal = next_goal(tiers, number, units, units, is_as_reached=is_as_reached, unit_price=1)
        return goal, held

    goal, held = at(quantity)
    if goal.kind == "top":
        assert quantity >= max([number, *starts])
        return
    assert goal.missing == goal.target - quantity > 0
    following, then_held = at(goal.target)
    assert following.kind == "top" or following.target > goal.target
    assert then_held == (held if goal.tier is None else goal.tier)
    assert goal.tier is None or goal.tier != held
    for between in range(quantity + 1, goal.target):
        assert at(between)[1] == held


@pytest.mark.parametrize(
    ("number", "quantity", "is_as_reached", "held"),
    [
        (100, 29, True, None),
        (100, 30, True, 0),
        (100, 99, False, None),
        (100, 100, False, 1),
        (20, 20, False, None),
    ],
)
def test_the_step_that_holds_if_the_group_closes_now(
    number: int, quantity: int, is_as_reached: bool, held: int | None
) -> None:
    found = held_tier(LADDER, number, quantity, 0, is_as_reached=is_as_reached)
    assert found == held


@pytest.mark.parametrize(
    ("tiers", "number", "price", "is_beyond"),
    [
        ((), 1, 100, False),
        (LADDER, 29, 100, True),
        (LADDER, 30, 100, False),
        (LADDER, 31, None, False),
        (BY_VALUE, 29, 100, True),
        (BY_VALUE, 30, 100, False),
        (BY_VALUE, 1, None, False),
    ],
)
def test_a_number_below_the_first_step_is_known(
    tiers: Any, number: int, price: int | None, is_beyond: bool
) -> None:
    assert tier_beyond(tiers, number, price) == (tiers[0] if is_beyond else None)
