"""Amounts as Stripe writes them: mostly in ISO 4217's minor units, but not always.

From https://docs.stripe.com/currencies, where it says how to write amounts in requests.
"""

from domain.money import decimals

#: Stripe knows no parts of these.
_WHOLE = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
    | {"PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
#: Whole by ISO, but written with two decimals, which are to be zeros.
_WITH_ZEROS = frozenset({"ISK", "UGX"})
#: Written with three decimals, of which the last is to be a zero.
_IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class AmountError(ValueError):
    """Stripe can't move this amount; the text says why."""


def from_stripe_units(amount: int, currency: str) -> int:
    """An amount that Stripe says, in minor units; less than one of them is dropped."""
    if currency in _WITH_ZEROS:
        return amount // 100
    return amount * int(10 ** decimals(currency)) if currency in _WHOLE else amount


def in_stripe_units(amount: int, currency: str) -> int:
    """The amount of minor units as Stripe wants it. Raises ``AmountError``."""
    if currency in _WITH_ZEROS:
        return amount * 100
    if currency in _IN_TENS and amount % 10:
        raise AmountError(f"{currency} is moved in tens of its minor unit, {amount} is none")
    if currency not in _WHOLE:
        return amount
    unit: int = 10 ** decimals(currency)
    whole, rest = divmod(amount, unit)
    if rest:
        raise AmountError(f"{currency} is moved in whole units, {amount} minor units are none")
    return whole
