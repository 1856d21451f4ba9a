"""Where a page of a list ended, as opaque text: the values of its last row in the list's order."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from schemas.refusals import RefusalCode
from services.storefront.rules.columns import NUMBER_MAX, can_be_asked

_LENGTH_MAX = 4_000


class BadCursor(ValueError):
    """A cursor that no page of this list gave; ``code`` says what is wrong with it."""

    def __init__(self, code: RefusalCode = RefusalCode.NOT_A_CURSOR, **params: str) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def cursor(order: str, values: Sequence[str | int]) -> str:
    """The cursor of a list in an order after the row with these values."""
    return urlsafe_b64encode(orjson.dumps([order, *values])).rstrip(b"=").decode()


def read_cursor(text: str, order: str, types: Sequence[type]) -> list[Any]:
    """The values of a cursor of a list in an order. Raises ``BadCursor``."""
    try:
        if len(text) > _LENGTH_MAX:
            raise ValueError("too long")
        found = orjson.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
    except ValueError:
        raise BadCursor from None
    if not isinstance(found, list) or [str, *types] != [type(each) for each in found]:
        raise BadCursor(RefusalCode.CURSOR_OF_OTHER_LIST)
    name, *values = found
    if name != order:
        raise BadCursor(RefusalCode.CURSOR_OF_OTHER_ORDER, order=name)
    if not all(_is_held(each) for each in values):
        raise BadCursor
    return values


def _is_held(value: str | int) -> bool:
    """Whether a row of ours may have it."""
    return can_be_asked(value) if isinstance(value, str) else abs(value) <= NUMBER_MAX
