"""An amount of money as people type it, read as minor units. Pure.

An amount is written as the reader's locale writes it (CLDR, by Babel), or plainly: digits, and a
point before the decimals. Separators of thousands must stand where the locale puts them, so that
``24,00`` is not taken for 2,400. The currency's sign, code or name may stand beside the number, as
``domain.figures`` writes it. Wide characters, as Japanese keyboards write them, are read as the
narrow ones.
"""

import re
from decimal import Decimal
from enum import StrEnum

from babel.numbers import (
    NumberFormatError,
    get_currency_name,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
    parse_decimal,
)

from domain.figures import number
from domain.money import CURRENCIES, decimals, in_decimals

#: Digits of an amount at most: so many are exact, and enough for ``parts.SUM_MAX``.
_DIGITS_MAX = 16
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {ord("\uffe5"): "¥"}
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u3000"), " ")
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SPACED = re.compile(r"[0-9]{1,3}(?: [0-9]{3})+(?![0-9])")


class AmountReason(StrEnum):
    """Why a text is not an amount of a currency."""

    NOT_AN_AMOUNT = "not-an-amount"
    TOO_MANY_DECIMALS = "too-many-decimals"
    NO_DECIMALS = "no-decimals"
    TWO_AMOUNTS = "two-amounts"


class AmountError(ValueError):
    """The text is not an amount; ``params`` are the values of the reason's text.

    ``example`` is an amount as the locale writes it. For ``TWO_AMOUNTS``, ``example`` and ``other``
    are what the text can mean.
    """

    def __init__(self, reason: AmountReason, **params: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


def minor_units_of(text: str, currency: str, locale: str = "en") -> int:
    """Minor units of a typed amount: 2400 for ``24``, ``24.00`` or, where so written, ``24,00``.

    ``currency`` is a code of ISO 4217, ``locale`` one that Babel knows. Raises ``AmountError``:
    also if there are more decimals than the currency has, and if the locale's reading and the plain
    one are two amounts, as of ``1.234`` KWD in German.
    """
    typed = _bare(text.translate(_NARROW).translate(_SPACES).strip(), currency, locale)
    readings = [each for each in (_as_locale(typed, locale), _as_plain(typed)) if each is not None]
    if not readings or sum(map(str.isdigit, typed)) > _DIGITS_MAX:
        raise AmountError(AmountReason.NOT_AN_AMOUNT, example=example(currency, locale))
    digits = decimals(currency)
    fine = {each.scaleb(digits) for each in readings if -_exponent(each) <= digits}
    if not fine:
        reason = AmountReason.TOO_MANY_DECIMALS if digits else AmountReason.NO_DECIMALS
        shown = example(currency, locale)
        raise AmountError(reason, currency=currency, digits=digits, example=shown)
    if len(fine) > 1:
        low, high = (_written(int(each), currency, locale) for each in sorted(fine))
        raise AmountError(AmountReason.TWO_AMOUNTS, example=low, other=high)
    return int(fine.pop())


def example(currency: str, locale: str = "en") -> str:
    """How an amount is written: ``24.00``, or ``2,400`` where there are no decimals."""
    return _written(2_400, currency, locale)


def whole_number_of(text: str, locale: str = "en") -> int | None:
    """A typed whole number, ``1,234``; None for any other text."""
    typed = text.translate(_NARROW).translate(_SPACES).strip()
    found = _as_locale(typed, locale)
    if found is None or _exponent(found) < 0 or sum(map(str.isdigit, typed)) > _DIGITS_MAX:
        return None
    return int(found)


def _bare(typed: str, currency: str, locale: str) -> str:
    """The text without the currency's sign, code or name beside it."""
    if currency not in CURRENCIES:
        return typed
    known = {
        get_currency_symbol(currency, locale),
        get_currency_name(currency, 2, locale),
        currency,
    }
    beside_it = {each.translate(_NARROW).translate(_SPACES) for each in known}
    for beside in sorted(beside_it, key=len, reverse=True):
        for rest in (typed.removeprefix(beside), typed.removesuffix(beside)):
            if rest != typed:
                return rest.strip()
    return typed


def _as_plain(typed: str) -> Decimal | None:
    return Decimal(typed) if _PLAIN.fullmatch(typed) else None


def _as_locale(typed: str, locale: str) -> Decimal | None:
    """The number as the locale writes it, with the decimals as typed; None for other texts."""
    point, group = get_decimal_symbol(locale), get_group_symbol(locale)
    plain_group = group.translate(_SPACES)
    # Thousands may stand apart everywhere: no locale has a space before decimals.
    if plain_group != " " and _SPACED.match(typed):
        typed = typed.replace(" ", "")
    if plain_group == "\u2019":
        typed = typed.replace("'", plain_group)
    kinds = f"[0-9{re.escape(plain_group)}]"
    if not re.fullmatch(rf"[0-9](?:{kinds}*[0-9])?(?:{re.escape(point)}[0-9]+)?", typed):
        return None
    try:
        return parse_decimal(typed.replace(plain_group, group), locale=locale, strict=True)
    except NumberFormatError:
        return None


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), "a number that was typed is finite"
    return exponent


def _written(amount: int, currency: str, locale: str) -> str:
    """The number as the locale writes it, to be typed again."""
    whole, _, part = in_decimals(amount, currency).partition(".")
    written = number(int(whole), locale)
    return f"{written}{get_decimal_symbol(locale)}{part}" if part else written
