"""What money promises: whole minor units, halves up, and shares that lose nothing."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import CURRENCIES, half_up, largest_remainder_floor, percent_of

AMOUNTS = st.integers(0, 10**15)


@pytest.mark.parametrize(
    ("amount", "whole"),
    [
        (Fraction(0), 0),
        (Fraction(49, 100), 0),
        (Fraction(1, 2), 1),
        (Fraction(3, 2), 2),
        (Fraction(5, 2), 3),
        (Fraction(149, 100), 1),
        (Fraction(7), 7),
        (Fraction(10**18 + 1, 2), 5 * 10**17 + 1),
    ],
)
def test_half_a_unit_is_rounded_up(amount: Fraction, whole: int) -> None:
    """Never to the even neighbour."""
    assert half_up(amount) == whole


@given(st.fractions(0, 10**12))
def test_rounding_moves_by_half_a_unit_at_most(amount: Fraction) -> None:
    assert half_up(amount) == floor(amount + Fraction(1, 2))


@pytest.mark.parametrize(
    ("value", "percent", "amount"),
    [
        (1_005, 10, 101),
        (1_004, 10, 100),
        (999, 0, 0),
        (999, 100, 999),
        (1_000, 2.5, 25),
        (10_000, 0.01, 1),
        (10_000, 2.35, 235),  # 2.35 is a little more than its float
        (5_000, 0.01, 1),
        (4_999, 0.01, 0),
        (0, 15, 0),
        (10**15, 99.99, 999_900_000_000_000),
    ],
)
def test_percent_is_exact_to_two_decimals(value: int, percent: float, amount: int) -> None:
    assert percent_of(value, percent) == amount


@given(AMOUNTS, st.integers(0, 10_000))
def test_percent_agrees_with_fractions(value: int, hundredths: int) -> None:
    """Whatever the float of the percent is, and never more than the value."""
    amount = percent_of(value, hundredths / 100)
    assert amount == half_up(Fraction(value * hundredths, 10_000))
    assert amount <= value


@given(AMOUNTS, st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_floor_shares_and_remainders_add_up_to_the_sum(total: int, values: list[int]) -> None:
    """What the floors leave over is less than a unit each."""
    whole = sum(values)
    shares = [largest_remainder_floor(total, value, whole) for value in values]
    assert all(0 <= remainder < whole for _, remainder in shares)
    assert sum(units * whole + remainder for units, remainder in shares) == total * whole


def test_value_of_nothing_can_not_be_shared_by() -> None:
    """Who shares looks at the value first."""
    with pytest.raises(ZeroDivisionError):
        largest_remainder_floor(0, 0, 0)


def test_currencies_are_codes_of_three_capitals() -> None:
    assert {"EUR", "JPY", "GBP", "CNY", "USD"} <= CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert not CURRENCIES & {"XAU", "XXX", "XTS"}
