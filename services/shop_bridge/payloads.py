"""Reading what shops send: JSON as they mean it, with exact amounts and ids of any length."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from schemas.mailboxes import AddressError, mailbox
from schemas.money import CURRENCIES, decimals
from schemas.parts import NUMBER_MAX

_AMOUNT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_UNITS = re.compile(r"[0-9]{1,10}")
_ID = re.compile(r"[^/\x00-\x1f\x7f]{1,40}")
EMAIL_MAX = 320


class GarbledError(ValueError):
    """The body is not UTF-8, or not JSON."""


class UnreadableError(ValueError):
    """The body is JSON, but not what its topic says; the text names the field, never its value."""


def parse(body: bytes) -> Any:
    """The JSON of a body; numbers with a point as ``Decimal``. Raises ``GarbledError``."""
    try:
        return json.loads(body.decode(), parse_float=Decimal, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise GarbledError("the body is not UTF-8") from None
    except (ValueError, RecursionError):
        raise GarbledError("the body is not JSON") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def part(body: Any, name: str) -> dict[str, Any]:
    """A field that is an object; empty if it is absent or null."""
    found = body.get(name) if isinstance(body, dict) else None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UnreadableError(f"{name} is not an object")
    return found


def parts(body: Any, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a field that is a list of them; none if it is absent or null."""
    found = body.get(name) if isinstance(body, dict) else None
    if found is None:
        return
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnreadableError(f"{name} is not a list of objects")
    yield from found


def identity(body: dict[str, Any], name: str) -> str:
    """An id, which shops write as a number of up to 19 digits or as text."""
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UnreadableError(f"{name} is not an id")
    return value


def units(body: dict[str, Any], name: str, default: int | None = None) -> int:
    """A number of units, not negative."""
    value = body.get(name, default)
    if value is None:
        value = default
    if isinstance(value, str) and _UNITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= NUMBER_MAX:
        raise UnreadableError(f"{name} is not a number of units")
    return value


def currency_of(body: dict[str, Any]) -> str:
    """The ISO 4217 code of an order."""
    value = body.get("currency")
    if not isinstance(value, str) or value not in CURRENCIES:
        raise UnreadableError("currency is not an ISO 4217 code")
    return value


def amount(body: dict[str, Any], name: str, currency: str) -> Fraction:
    """An amount, written as decimal text or a number, in minor units; exact, so not yet whole."""
    value = body.get(name)
    text = str(value) if isinstance(value, str | int | Decimal) else ""
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text):
        raise UnreadableError(f"{name} is not an amount")
    return Fraction(text) * int(10 ** decimals(currency))


def instant(body: dict[str, Any], *names: str) -> datetime:
    """The first of these fields that is a time; one without a zone is in UTC."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        try:
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise UnreadableError(f"{name} is not a time") from None
    raise UnreadableError(f"{names[0]} is missing")


def email(*candidates: object) -> str | None:
    """The first of these that a letter can go to, else the first that looks like an address.

    One that only looks like an address is kept, so that the outcome of the letter says what is
    wrong with it.
    """
    texts = [each for each in candidates if isinstance(each, str) and len(each) <= EMAIL_MAX]
    for each in texts:
        with suppress(AddressError):
            return mailbox(each).written
    return next((each for each in texts if "@" in each), None)
