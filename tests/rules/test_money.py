"""What money promises: whole minor units, halves up, and shares that add up to the cent."""

from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import (
    CURRENCIES,
    half_up,
    largest_remainder_floor,
    percent_of,
    share_by_value,
)

AMOUNTS = st.integers(0, 10**15)
VALUES = st.dictionaries(st.text(max_size=4), st.integers(0, 10**6), min_size=1, max_size=20)


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


@pytest.mark.parametrize(
    ("total", "values", "shares"),
    [
        (100, {"ann": 1, "bob": 1, "cy": 1}, {"ann": 34, "bob": 33, "cy": 33}),
        (101, {"cy": 1, "bob": 1, "ann": 1}, {"ann": 34, "bob": 34, "cy": 33}),
        (10, {"ann": 1, "bob": 2}, {"ann": 3, "bob": 7}),
        (1, {"ann": 1, "bob": 99}, {"ann": 0, "bob": 1}),
        (7, {"ann": 0, "bob": 5}, {"ann": 0, "bob": 7}),
        (0, {"ann": 3, "bob": 5}, {"ann": 0, "bob": 0}),
        (5, {"ann": 5}, {"ann": 5}),
    ],
)
def test_sum_is_shared_by_largest_remainder(
    total: int, values: dict[str, int], shares: dict[str, int]
) -> None:
    """Equal remainders by member id."""
    assert share_by_value(total, [*values.items()]) == shares


@given(AMOUNTS, VALUES.filter(lambda values: sum(values.values()) > 0))
def test_shares_add_up_to_the_cent(total: int, values: dict[str, int]) -> None:
    """Each within a unit of its exact part, and larger values get no less."""
    shares = share_by_value(total, [*values.items()])
    assert sum(shares.values()) == total
    whole = sum(values.values())
    for member, value in values.items():
        assert abs(shares[member] - Fraction(total * value, whole)) < 1
        assert largest_remainder_floor(total, value, whole)[0] <= shares[member]
        assert value or not shares[member]
    by_value = sorted(values, key=lambda member: values[member])
    for less, more in pairwise(by_value):
        assert values[less] == values[more] or shares[less] <= shares[more]


@given(st.integers(0, 10**6), VALUES.filter(lambda values: sum(values.values()) > 0))
def test_shares_do_not_depend_on_the_order_of_members(total: int, values: dict[str, int]) -> None:
    pairs = [*values.items()]
    assert share_by_value(total, pairs) == share_by_value(total, pairs[::-1])


def test_value_of_nothing_can_not_be_shared_by() -> None:
    """Who shares looks at the value first."""
    with pytest.raises(ZeroDivisionError):
        share_by_value(0, [("ann", 0)])


def test_currencies_are_codes_of_three_capitals() -> None:
    assert {"EUR", "JPY", "GBP", "CNY", "USD"} <= CURRENCIES
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)
    assert not CURRENCIES & {"XAU", "XXX", "XTS"}
