"""Reading what shops send: JSON as they mean it, with exact amounts and ids of any length."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

from domain.mailboxes import AddressError, mailbox
from domain.money import CURRENCIES, decimals
from schemas.parts import EMAIL_MAX, NUMBER_MAX, SUM_MAX
from schemas.reasons import OrderReason
from schemas.shop_orders import NAME_MAX

_NUMBER = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")
#: Exponents of ten: larger or smaller numbers are refused, as they would fill the memory.
_DIGITS_BEFORE_MAX, _DIGITS_AFTER_MAX = 20, 60
_ID = re.compile(r"[^/\x00-\x1f\x7f]{1,40}")
#: WordPress and PHP write this where there is no time.
_NO_TIME = re.compile(r"0000-00-00.*|\s*")
_PHP = re.compile(
    r"(PHP )?(Notice|Warning|Deprecated|Strict Standards|(Fatal|Parse|Catchable fatal) error)\b"
)
_JSON_BEGINS = re.compile(r"(?<![^\s>])[{\[]")
_CHUNK = re.compile(r"\s*[0-9a-fA-F]{1,8}\s*")
_OBJECTS_TRIED = 50
_ERROR_CODE = re.compile(r"[a-z][a-z0-9_-]{2,59}")
_YES = frozenset({"1", "true", "yes"})


class GarbledError(ValueError):
    """The body is not UTF-8, or not JSON; ``reason`` is a code for it."""

    def __init__(self, text: str, reason: OrderReason = OrderReason.NOT_JSON) -> None:
        super().__init__(text)
        self.reason = reason


class UnreadableError(ValueError):
    """The JSON does not fit its topic; the text names the field, never its value.

    ``reason`` is a code for it.
    """

    def __init__(self, text: str, reason: OrderReason = OrderReason.UNREADABLE) -> None:
        super().__init__(text)
        self.reason = reason


def parse(body: bytes) -> Any:
    """The JSON of a body; numbers with a point as ``Decimal``. Raises ``GarbledError``.

    A byte order mark is passed over, and so are messages of PHP around an object or a list: shops
    with ``WP_DEBUG_DISPLAY`` print them into every answer (wc-api-python#40). Lengths of
    chunks, which some servers leave in the body, are passed over, too (woocommerce#28474).
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise GarbledError("the body is not UTF-8", OrderReason.NOT_UTF_8) from None
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        found = _json_among_php(text)
        if found is None:
            raise _garbled(text) from None
        return found


def _json_among_php(text: str) -> dict[str, Any] | list[Any] | None:
    """The first JSON object or list in a text that holds messages of PHP beside it."""
    for match in islice(_JSON_BEGINS.finditer(text), _OBJECTS_TRIED):
        try:
            found, end = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        before, after = text[: match.start()], text[end:]
        is_list = isinstance(found, list) and all(isinstance(each, dict) for each in found)
        is_said = (found if isinstance(found, dict) else is_list) and (
            _PHP.search(before + after) or (_CHUNK.fullmatch(before) and _CHUNK.fullmatch(after))
        )
        return found if is_said else None
    return None


def _garbled(text: str) -> GarbledError:
    if not text.strip():
        return GarbledError("the body is empty", OrderReason.EMPTY)
    if _PHP.search(text[:1_000]):
        return GarbledError(
            "the body is a message of PHP: see the shop's error log", OrderReason.PHP_ERROR
        )
    if text.lstrip().startswith("<"):
        return GarbledError(
            "the body is a page of HTML, as of an error, a login or maintenance", OrderReason.HTML
        )
    return GarbledError("the body is not JSON")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def order_object(body: Any) -> dict[str, Any]:
    """The object that an order, a refund or an edit is.

    Raises ``UnreadableError`` for anything else, above all for an error that a shop sends in its
    place: ``{"errors": …}`` (Shopify) or ``{"code": …, "message": …}`` (WordPress).
    """
    if isinstance(body, list):
        raise UnreadableError("the body is a list, not an order", OrderReason.NOT_AN_OBJECT)
    if not isinstance(body, dict):
        raise UnreadableError("the body is not an object", OrderReason.NOT_AN_OBJECT)
    code = body.get("code")
    is_error = "errors" in body or "error" in body or (code is not None and "message" in body)
    if is_error and "id" not in body:
        named = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "no code"
        raise UnreadableError(
            f"the body is an error of the shop ({named}), not an order: check that the shop's"
            " webhook or key may read orders",
            OrderReason.ERROR_BODY,
        )
    return body


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


def inner(body: Any, name: str) -> dict[str, Any]:
    """A field that is an object; empty if it is anything else."""
    found = body.get(name) if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def entries(body: Any, name: str) -> list[dict[str, Any]]:
    """The objects in a field; other values are left out.

    PHP writes a list with gaps as an object, ``{"0": …, "2": …}``: its values are the entries.
    """
    found = body.get(name) if isinstance(body, dict) else None
    if isinstance(found, dict):
        found = list(found.values())
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def lines(body: Any, name: str) -> list[dict[str, Any]]:
    """The lines of an order. Raises ``UnreadableError`` if the field can hold none."""
    found = body.get(name)
    if found is not None and not isinstance(found, list | dict):
        raise UnreadableError(f"{name} is not a list")
    return entries(body, name)


def identity(body: dict[str, Any], name: str) -> str:
    """An id, which shops write as a number of up to 19 digits or as text."""
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UnreadableError(f"{name} is not an id")
    return value


def identity_or_none(body: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that is an id; 0 is not, as WooCommerce writes it for a guest."""
    for name in names:
        if body.get(name):
            try:
                return identity(body, name)
            except UnreadableError:
                continue
    return None


def order_number(body: dict[str, Any], *names: str) -> str | None:
    """The order's name for people: the first of these fields that is text or a number."""
    for name in names:
        value = body.get(name)
        text = str(value).strip() if isinstance(value, str | int) and value else ""
        if 0 < len(text) <= NAME_MAX and text.isprintable():
            return text
    return None


def number(value: object) -> Decimal | None:
    """A number, or text that is one with a point and maybe an exponent; else None, as for 12,50."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return None
    found = Decimal(value)
    if not found.is_finite():
        return None
    exponent = found.as_tuple().exponent
    if found.adjusted() > _DIGITS_BEFORE_MAX or -int(exponent) > _DIGITS_AFTER_MAX:
        return None
    return found


def units(body: dict[str, Any], name: str, default: int | None = None) -> int:
    """A number of units, not negative; ``2.0`` and ``"2.00"`` are 2 (woocommerce#52198)."""
    value = body.get(name)
    found = number(default if value is None else value)
    if found is None or not 0 <= found <= NUMBER_MAX or found != int(found):
        raise UnreadableError(f"{name} is not a number of units")
    return int(found)


def currency_of(body: dict[str, Any]) -> str:
    """The ISO 4217 code of an order."""
    value = body.get("currency")
    code = value.strip().upper() if isinstance(value, str) else ""
    if code not in CURRENCIES:
        raise UnreadableError("currency is not an ISO 4217 code")
    return code


def amount(body: dict[str, Any], name: str, currency: str) -> Fraction:
    """An amount, written as decimal text or a number, in minor units; exact, so not yet whole.

    It may have more decimals than its currency: shops write what they have calculated. A line is
    rounded once, half up, when all its amounts are added up.
    """
    found = number(body.get(name))
    if found is None:
        raise UnreadableError(f"{name} is not an amount")
    minor = Fraction(found) * int(10 ** decimals(currency))
    if abs(minor) > SUM_MAX:
        raise UnreadableError(f"{name} is larger than the largest amount")
    return minor


def is_yes(value: object) -> bool:
    """Whether a field means yes: true, 1, or a text such as "yes"."""
    return value is True or (isinstance(value, str | int) and str(value).lower() in _YES)


def has_time(body: dict[str, Any], name: str) -> bool:
    """Whether a field has a time, which means that the event has happened."""
    value = body.get(name)
    return isinstance(value, str) and not _NO_TIME.fullmatch(value)


def instant(body: dict[str, Any], *names: str) -> datetime:
    """The first of these fields that is a time; one without a zone is in UTC."""
    wrong = ""
    for name in names:
        value = body.get(name)
        if value is None or (isinstance(value, str) and _NO_TIME.fullmatch(value)):
            continue
        try:
            at = datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            wrong = wrong or name
    raise UnreadableError(f"{wrong} is not a time" if wrong else f"{names[0]} is missing")


def email(*candidates: object) -> str | None:
    """The first valid address of these, or else the first that looks like one.

    One that only looks like an address is kept, so that the outcome of the letter says what is
    wrong with it.
    """
    texts = [each for each in candidates if isinstance(each, str) and len(each) <= EMAIL_MAX]
    for each in texts:
        with suppress(AddressError):
            return mailbox(each).written
    return next((each for each in texts if "@" in each), None)
