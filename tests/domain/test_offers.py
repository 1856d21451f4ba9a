"""Which of two offers is better."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.offers import Condition, best_price_to_beat, compare, is_doubtful, percent_below

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


@pytest.mark.parametrize(
    ("price", "percent", "is_doubted"),
    [(1_001, -0.1, False), (1_000, 0, False), (701, 29.9, False), (700, 30, False),
     (699, 30.1, True), (1, 99.9, True)],
)  # fmt: skip
def test_a_price_more_than_30_percent_below_the_one_shown_is_doubtful(
    price: int, percent: float, is_doubted: bool
) -> None:
    assert percent_below(1_000, price) == percent
    assert is_doubtful(price, 1_000) is is_doubted


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
