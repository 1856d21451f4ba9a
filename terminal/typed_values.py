"""Typed values, parsed. Pure; a ``ValueError`` tells how to write the value."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.amounts import AmountError, minor_units_of
from domain.ids import read_aloud
from domain.money import CURRENCIES
from schemas.parts import Tier
from schemas.refusals import ProblemCode
from texts.reasons import problem_text
from texts.shapes import AMOUNT_CODES

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: A thousand years: a time of today plus this is still a valid time.
_SPAN_SECONDS_MAX = 1_000 * 366 * 86_400


def _wrong(code: ProblemCode, **params: str | int) -> ValueError:
    return ValueError(problem_text(code, params))


def amount(text: str, currency: str | None, locale: str) -> int:
    """An amount of money in minor units of its currency."""
    if currency is None:
        raise _wrong(ProblemCode.TYPED_AMOUNT_CURRENCY)
    if currency not in CURRENCIES:
        raise _wrong(ProblemCode.NOT_A_CURRENCY, currency=currency)
    try:
        return minor_units_of(text, currency, locale)
    except AmountError as error:
        raise _wrong(AMOUNT_CODES[error.reason], **error.params) from None


def tier(text: str, currency: str | None, locale: str) -> Tier:
    """A step of the ladder.

    ``10:5%`` percent off from 10 products on, ``50:-2.00`` an amount off each, ``50:=9.00`` a unit
    price, ``50:gift=A mug`` a gift; ``value=500:5%`` from a value on.
    """
    start, colon, favor = text.partition(":")
    start, favor = start.strip(), favor.strip()
    number = start.removeprefix("value=")
    if not colon or not re.match(r"[0-9]", number, re.ASCII):
        raise _wrong(ProblemCode.TYPED_TIER_NUMBER, text=text)
    begin: dict[str, Any]
    if number != start:
        begin = {"from_value": _of_tier(text, number, currency, locale)}
    elif re.fullmatch(r"[0-9]{1,16}", number):
        begin = {"from_quantity": int(number)}
    else:
        raise _wrong(ProblemCode.TYPED_TIER_NUMBER, text=text)
    if found := re.fullmatch(r"([0-9]{1,16})(\.[0-9]{1,16})?\s*%", favor):
        whole, part = found.groups()
        return Tier(**begin, percent_off=float(whole + part) if part else int(whole))
    if found := re.fullmatch(r"([-=])\s*(\S.*)", favor):
        its = _of_tier(text, found[2], currency, locale)
        begin["amount_off" if found[1] == "-" else "unit_price"] = its
        return Tier(**begin)
    if favor.startswith("gift=") and favor != "gift=":
        return Tier(**begin, gift=favor.removeprefix("gift="))
    raise _wrong(ProblemCode.TYPED_TIER_FAVOR, text=text)


def _of_tier(tier: str, text: str, currency: str | None, locale: str) -> int:
    try:
        return amount(text, currency, locale)
    except ValueError as error:
        raise ValueError(f"tier {tier!r}: {error}") from None


def duration(text: str) -> timedelta:
    """``90s``, ``15m``, ``2h``, ``3d``, ``2w``, or several: ``1d12h``."""
    squeezed = "".join(text.split()).lower()
    if not re.fullmatch(r"([0-9]{1,9}[smhdw])+", squeezed):
        raise _wrong(ProblemCode.TYPED_SPAN, text=text)
    parts = re.findall(r"([0-9]+)([smhdw])", squeezed)
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _SPAN_SECONDS_MAX:
        raise _wrong(ProblemCode.TYPED_SPAN_TOO_LONG, text=text)
    return timedelta(seconds=seconds)


def instant(text: str) -> datetime:
    """An RFC 3339 time with its offset, in UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise _wrong(ProblemCode.TYPED_TIME, text=text) from None
    if at.tzinfo is None:
        raise _wrong(ProblemCode.TYPED_TIME_NO_ZONE, text=text)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise _wrong(ProblemCode.TYPED_TIME_OUT_OF_RANGE, text=text) from None


def group_id(text: str) -> str:
    """A group's id as it was typed: one that looks like ``GB-…`` is read as over the phone.

    Any other is taken as it is, since ids are opaque.
    """
    return read_aloud(text) if re.match(r"\s*gb[\s-]", text, re.IGNORECASE) else text
