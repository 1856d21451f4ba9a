"""Where a shop's order names its group and its buyer, and whether the id was typed right.

An id stands under a name of its own (a line's property, an attribute, a meta field), or it is a
coupon's code. Under such a name anything is meant to be an id; a code is only where it begins as
ours do, as shops have coupons of their own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from domain.ids import read_aloud
from schemas.shop_orders import NAME_MAX

GROUP_NAMES = frozenset(
    {"groupid", "groupbuyid", "grouppurchaseid"}
    | {"jointbuy", "jointbuyid", "jointbuygroup", "jointbuygroupid"}
)
MEMBER_NAMES = frozenset({"memberid", "groupmemberid", "jointbuymember", "jointbuymemberid"})
_NOT_LETTERS = re.compile(r"[\W_]+")
_CODE = re.compile(r"GB([-\s]?[0-9A-Z]){8,14}")
_ID = re.compile(r"[^/\x00-\x1f\x7f]{1,64}")


class Named(NamedTuple):
    """A group as an order names it: by an id, or by something that is none."""

    group_id: str | None = None
    mistyped: str | None = None


def pairs(fields: object, name: str) -> list[tuple[str, str]]:
    """Fields as shops write them, without those that are malformed or have no text.

    They are a list of ``{name: …, "value": …}``, an object of such (PHP's list with gaps), or one
    object of names and values.
    """
    found = []
    for key, value in _written(fields, name):
        if isinstance(key, str) and isinstance(value, str) and value.strip():
            found.append((plain_name(key), value.strip()))
    return found


def plain_name(key: str) -> str:
    """The name of a field for comparison: lower case, letters only."""
    return _NOT_LETTERS.sub("", key).lower()


def _written(fields: object, name: str) -> Iterator[tuple[object, object]]:
    named = fields.items() if isinstance(fields, Mapping) else ()
    listed = [each for _, each in named] if named else fields
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, Mapping):
            yield each.get(name), each.get("value")
    yield from named


def in_fields(fields: Iterable[tuple[str, str]]) -> set[Named]:
    """The groups that fields name."""
    return {_read(value) for name, value in fields if name in GROUP_NAMES}


def in_codes(codes: Iterable[object]) -> set[Named]:
    """The groups that codes name; a code that is not ours is left out."""
    return {
        _read(code)
        for code in codes
        if isinstance(code, str) and _CODE.fullmatch(code.strip().upper())
    }


def the_one(named: set[Named]) -> Named:
    """The group that all of these name; if they differ, their texts as a mistyped id."""
    if not named:
        return Named()
    if len(named) == 1:
        return next(iter(named))
    told = sorted(each.group_id or each.mistyped or "" for each in named)
    return Named(mistyped=" ".join(told)[:NAME_MAX])


def member_in(fields: Iterable[tuple[str, str]]) -> str | None:
    """The buyer's id where fields give it."""
    for name, value in fields:
        if name in MEMBER_NAMES and _ID.fullmatch(value):
            return value
    return None


def _read(text: str) -> Named:
    try:
        return Named(group_id=read_aloud(text))
    except ValueError:
        return Named(mistyped=text[:NAME_MAX])
