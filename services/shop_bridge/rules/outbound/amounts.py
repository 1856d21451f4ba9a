"""Amounts as shops write them: decimal text with as many digits as ISO 4217 gives the currency."""

from fractions import Fraction

from domain.money import in_decimals


def shown(amount: int, currency: str) -> str:
    """An amount for people, such as ``12.05 EUR``."""
    return f"{in_decimals(amount, currency)} {currency}"


def whole_units(amount: Fraction) -> int:
    """So many minor units as are there in whole; never more than there is."""
    return max(amount.numerator // amount.denominator, 0)
