"""Money as integer minor units with an ISO 4217 code, and how parts of it are counted."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

# Active codes of ISO 4217 list one; funds and precious metals are left out, no shop prices in them.
CURRENCIES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
    GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
    KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS
    UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905  # a list would take a screen a letter
)

#: Minor units as ISO 4217 has them; CLDR's are fewer for a dozen currencies whose cents are not
#: used in cash, which would move the decimal point of what shops send.
_WITHOUT_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"}
    | {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_WITH_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """How many digits of an amount in minor units stand after the decimal point."""
    if currency in _WITHOUT_CENTS:
        return 0
    return 3 if currency in _WITH_THOUSANDTHS else 2


def in_decimals(amount: int, currency: str, thousands: Literal["", ","] = "") -> str:
    """Minor units as decimal text, such as ``12.05``; whole if the currency has no decimals."""
    digits = decimals(currency)
    whole, part = divmod(abs(amount), 10**digits)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:{thousands}}{f'.{part:0{digits}}' if digits else ''}"


def minor_units(amount: Decimal, currency: str) -> int | None:
    """A decimal amount in minor units; None if it has more decimals than the currency."""
    exact = amount.scaleb(decimals(currency))
    return int(exact) if exact == int(exact) else None


def worth(quantity: int, unit_price: int | None, value: int | None) -> int | None:
    """The worth of an order in minor units: its value if given, else its units times a price.

    ``None`` if it has neither. It may be more than ``parts.SUM_MAX``; the caller must check that.
    """
    if value is not None or unit_price is None:
        return value
    return quantity * unit_price


def half_up(amount: Fraction) -> int:
    """Round a non-negative amount of minor units to a whole one, halves up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def share(value: int, part: int, whole: int) -> int:
    """The share of ``value`` that ``part`` of ``whole`` has, rounded half up; none is negative."""
    return (2 * value * part + whole) // (2 * whole)


def percent_of(value: int, percent: float) -> int:
    """``percent`` (at most two decimals count) of ``value`` minor units, rounded half up."""
    return share(value, round(percent * 100), 10_000)


def largest_remainder_floor(total: int, value: int, sum_of_values: int) -> tuple[int, int]:
    """One member's floor share of ``total`` by ``value``, and the remainder that ranks it.

    The units that the floors leave over go to the largest remainders, one each.
    """
    return divmod(total * value, sum_of_values)
