"""Which of two offers is better."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.offers import Condition, best_price_to_beat, compare

SHOWN = Condition(1_000, 20)
COMPARED: list[tuple[Condition, int, str]] = [
    # offered, step, comparison with SHOWN
    (Condition(990, 20), 10, "better"),
    (Condition(990, 5), 10, "better"),
    (Condition(991, 20), 10, "step-too-small"),
    (Condition(991, 5), 10, "step-too-small"),
    (Condition(1_000, 19), 10, "better"),
    (Condition(1_000, 20), 10, "price-not-lower"),
    (Condition(1_001, 1), 10, "price-not-lower"),
    (Condition(1, 21), 10, "higher-minimum"),
    (Condition(1, 20), 1_000, "step-too-small"),
]


@pytest.mark.parametrize(("offered", "step", "expected"), COMPARED)
def test_an_offer_is_compared_with_the_one_shown(
    offered: Condition, step: int, expected: str
) -> None:
    assert compare(offered, SHOWN, step) == expected


CONDITIONS = st.builds(Condition, st.integers(1, 30), st.integers(1, 5))
STEPS = st.integers(1, 10)


@given(CONDITIONS, CONDITIONS, STEPS)
def test_of_two_offers_at_most_one_is_better(one: Condition, other: Condition, step: int) -> None:
    assert [compare(one, other, step), compare(other, one, step)].count("better") < 2


@given(CONDITIONS, CONDITIONS, CONDITIONS, STEPS)
def test_what_betters_a_better_offer_betters_the_first(
    first: Condition, second: Condition, third: Condition, step: int
) -> None:
    if compare(second, first, step) == compare(third, second, step) == "better":
        assert compare(third, first, step) == "better"


@given(CONDITIONS, STEPS)
def test_the_best_price_to_beat_is_just_enough(shown: Condition, step: int) -> None:
    price = best_price_to_beat(shown, step)
    same = shown.minimum_reservations
    assert compare(Condition(price, same), shown, step) == "better"
    assert compare(Condition(price + 1, same), shown, step) != "better"
