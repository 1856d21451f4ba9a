"""Amounts as shops write them: decimal text with as many digits as ISO 4217 gives the currency."""

from fractions import Fraction

from schemas.money import decimals


def in_decimals(amount: int, currency: str) -> str:
    """Minor units as decimal text, such as ``12.05``; whole where there are no parts."""
    digits = decimals(currency)
    if not digits:
        return str(amount)
    whole, part = divmod(amount, 10**digits)
    return f"{whole}.{part:0{digits}}"


def shown(amount: int, currency: str) -> str:
    """An amount for people, such as ``12.05 EUR``."""
    return f"{in_decimals(amount, currency)} {currency}"


def whole_units(amount: Fraction) -> int:
    """So many minor units as are there in whole; never more than there is."""
    return max(amount.numerator // amount.denominator, 0)
