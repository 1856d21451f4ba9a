"""What money promises: whole minor units, halves up, and shares that lose nothing."""

from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import (
    CURRENCIES,
    half_up,
    in_decimals,
    largest_remainder_floor,
    minor_units,
    percent_of,
    share,
)

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


@pytest.mark.slow
@given(AMOUNTS, st.data())
def test_a_share_is_rounded_half_up_and_never_more_than_all(
    value: int, data: st.DataObject
) -> None:
    whole = data.draw(st.integers(1, 10**9))
    part = data.draw(st.integers(0, whole))
    assert share(value, part, whole) == half_up(Fraction(value * part, whole)) <= value


WRITTEN = [
    # minor units, currency, separator of thousands, text
    (0, "EUR", "", "0.00"),
    (5, "EUR", "", "0.05"),
    (123_450, "EUR", "", "1234.50"),
    (123_450, "EUR", ",", "1,234.50"),
    (-5, "EUR", ",", "-0.05"),
    (123_450, "JPY", "", "123450"),
    (-123_450, "JPY", ",", "-123,450"),
    (1_234_567, "KWD", ",", "1,234.567"),
    (10**40, "EUR", "", f"1{'0' * 38}.00"),
]


@pytest.mark.parametrize(("amount", "currency", "thousands", "text"), WRITTEN)
def test_minor_units_are_written_with_the_decimals_of_their_currency(
    amount: int, currency: str, thousands: Any, text: str
) -> None:
    assert in_decimals(amount, currency, thousands) == text


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_what_is_written_is_read_as_the_same_amount(amount: int, currency: str) -> None:
    assert minor_units(Decimal(in_decimals(amount, currency)), currency) == amount


@pytest.mark.parametrize(
    ("text", "currency"), [("0.005", "EUR"), ("0.5", "JPY"), ("1.0001", "KWD")]
)
def test_less_than_a_minor_unit_is_not_an_amount(text: str, currency: str) -> None:
    assert minor_units(Decimal(text), currency) is None
