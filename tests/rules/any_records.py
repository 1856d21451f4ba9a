"""Any records: messages that keep their schemas and mean as little as they may, from a few bytes.

Each choice takes one byte, the first option for want of one, so that what a test finds gets smaller
with the bytes. First options make sense together: a group that is open, an order in its period. Ids
are few, so that messages meet; numbers are at the limits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Le
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from domain.people import name_mark
from schemas.orders import Order
from schemas.parts import AMOUNT_MAX, NUMBER_MAX, SUM_MAX, Contact, Message
from schemas.people import Person
from schemas.shop_orders import ShopOrderSeen

C = TypeVar("C")

T = datetime(2026, 1, 1, tzinfo=UTC)
#: Bytes below this take the first option, whatever else there is.
FIRST = 80
LATER = tuple(T + timedelta(days=each) for each in (30, 3, 30))
ODD_TIMES = (
    *(datetime(1970, 1, 1, tzinfo=UTC), datetime(8999, 12, 31, tzinfo=UTC)),
    *(datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
)
TIMES = (T, T + timedelta(hours=1), T, *LATER, *ODD_TIMES)
TIMES_OF = {
    "closes_at": (*LATER, T, *ODD_TIMES),
    "invites_at": (T + timedelta(days=2), *TIMES),
    "published_at": (T - timedelta(days=1), *TIMES),
    "since": (T - timedelta(days=1), *TIMES),
    "registered_at": (T - timedelta(days=2), *TIMES),
}
NUMBERS = (
    *(1, NUMBER_MAX, SUM_MAX, 2, SUM_MAX // 2 + 1, 1_000_001, 0, AMOUNT_MAX, 10, SUM_MAX),
    *(NUMBER_MAX + 1, SUM_MAX - 1, 100, 50, -1, SUM_MAX + 1, 10**40, -(10**40)),
)
FLOATS = (10.0, 12.34, 100.0, 0.0, -5.0, 1e308, -1e308, 0.001)
SECONDS = (0.0, 30.0, 86_400.0)
WORDS = ("EUR", "EUR", "a", "", "ann@x.example", "JPY", "b", "茶\u2028 ", "x" * 10_000)
#: What a record's key is made of: nearly always the same.
#: The first are ids of groups, as they are issued; no group has the last one.
KEYS = (*("GB-KQSWB-YNRXY-7",) * 4, "b")
IDS = ("a", "b", "c" * 60, "d", "e")
KEY_FIELDS = frozenset(
    {"group_id", "request_id", "auction_id", "recipient_id", "person_id", "shop_order", "seller_id"}
)
#: What every address and name from outside holds, and nothing else.
PRIVATE = "Private"
_ADDRESSES = (f"{PRIVATE}@x.example", f"{PRIVATE}@y.example", f"{PRIVATE}+a@x.example", "")
_EMAILS = (*_ADDRESSES, None)
_WORDS = (PRIVATE, None)
#: The fields that say where a person's letters go, and their values.
PRIVATE_OF: Mapping[type[BaseModel], Mapping[str, Sequence[str | None]]] = {
    Contact: {"email": _EMAILS, "name": _WORDS, "locale": _WORDS, "time_zone": _WORDS},
    Person: {"email": _ADDRESSES, "name": _WORDS, "locale": _WORDS, "time_zone": _WORDS},
    ShopOrderSeen: {"member_email": _EMAILS},
    Order: {
        "member_email": _EMAILS,
        **dict.fromkeys(("member_name", "member_locale", "member_time_zone"), _WORDS),
    },
}
#: Words of a form of their own.
_URLS = ("https://x.example/", f"http://x.example/{'x' * 1_983}")
WORDS_OF: Mapping[str, Sequence[str]] = {
    "name_mark": (name_mark("a", PRIVATE), "0" * 16),
    **dict.fromkeys(("images", "logo"), ("a" * 64, "0" * 64)),
    **dict.fromkeys(("url", "terms_url", "privacy_url", "imprint_url"), _URLS),
}
OPTIONS_OF: Mapping[str, Sequence[Any]] = {"standing": ("good", "suspended", "pending")}


class Choices:
    """What bytes choose; ``known`` ids may be named, and versions rise with ``version``."""

    def __init__(self, given: bytes, known: Mapping[str, list[str]], version: int = 1) -> None:
        self._given = iter(given)
        self._known = known
        self._version = version

    def of(self, options: Sequence[C]) -> C:
        """One of the options, the first for want of a byte."""
        byte = next(self._given, 0)
        return options[0 if byte < FIRST else byte % len(options)]

    def evenly(self, options: Sequence[C]) -> C:
        """One of the options, none of them preferred."""
        return options[next(self._given, 0) % len(options)]

    def message(self, kind: type[Message]) -> Message:
        """Any message of a kind."""
        message = kind.model_validate(self._fields(kind))
        assert isinstance(message, kind)
        return message

    def reply(self, kind: type[Any]) -> Any:
        """Any answer of a caller."""
        hints = get_type_hints(kind)
        within = (Ge(0), Le(SUM_MAX))
        return kind(
            **{each.name: self.value(each.name, hints[each.name], within) for each in fields(kind)}
        )

    def _fields(self, kind: type[BaseModel]) -> dict[str, Any]:
        """All that must be there, and about half of what may."""
        private = next((of for each, of in PRIVATE_OF.items() if issubclass(kind, each)), {})
        return {
            name: self.of(private[name])
            if name in private
            else self.value(name, field.annotation, tuple(field.metadata))
            for name, field in kind.model_fields.items()
            if field.is_required() or self.evenly((False, True))
        }

    def value(self, name: str, kind: Any, limits: tuple[Any, ...] = ()) -> Any:
        """Any value of a type, within the limits."""
        origin, args = get_origin(kind), get_args(kind)
        if origin is Annotated:
            found = self.value(name, args[0], (*limits, *args[1:]))
        elif origin is Literal:
            found = self.evenly(OPTIONS_OF.get(name, args))
        elif origin in (Union, UnionType):
            found = self.value(
                name, self.of(sorted(args, key=lambda each: each is NoneType)), limits
            )
        elif origin is tuple:
            found = self._parts(name, args, limits)
        elif origin is dict:
            keys = {self.value(name, args[0]) for _ in range(self.of((0, 1, 2)))}
            found = {key: self.value(name, args[1]) for key in keys}
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            found = kind.model_validate(self._fields(kind))
        else:
            found = None if kind is NoneType else self._plain(name, kind, limits)
        return found

    def _parts(self, name: str, args: tuple[Any, ...], limits: tuple[Any, ...]) -> Any:
        if args[-1] is not Ellipsis:
            return tuple(self.value(name, each) for each in args)
        least = max((each.min_length for each in limits if hasattr(each, "min_length")), default=0)
        most = min((each.max_length for each in limits if hasattr(each, "max_length")), default=9)
        number = min(max(self.of((1, 0, 2, 3)), least), most)
        return tuple(self.value(name, args[0]) for _ in range(number))

    def _plain(self, name: str, kind: Any, limits: tuple[Any, ...]) -> Any:
        if kind in (datetime, AwareDatetime):
            return self.of(TIMES_OF.get(name, TIMES))
        if kind is bool:
            return self.evenly((False, True))
        if kind is int:
            rising = (self._version,) * 4 if name == "version" else ()
            return self.of((*rising, *_numbers(*_ends(limits))))
        if kind is float:
            return self.of(SECONDS if any(isinstance(each, Le) for each in limits) else FLOATS)
        assert kind is str, kind
        return self._word(name, [each for each in limits if isinstance(each, StringConstraints)])

    def _word(self, name: str, constraints: list[StringConstraints]) -> str:
        if name in WORDS_OF:
            return self.of(WORDS_OF[name])
        most = min((each.max_length for each in constraints if each.max_length), default=10_000)
        least = max((each.min_length or 0 for each in constraints), default=0)
        if any(each.pattern for each in constraints):
            ids = KEYS if name in KEY_FIELDS else (*self._known.get(name, []) * 3, *IDS)
            return self.evenly(ids)[:most]
        return self.of(WORDS)[:most].ljust(least, "x")


def _ends(limits: tuple[Any, ...]) -> tuple[int | None, int | None]:
    """The smallest and the largest number within limits, which ``Annotated`` may nest."""
    least = [each.ge for each in limits if isinstance(each, Ge)]
    most = [each.le for each in limits if isinstance(each, Le)]
    for each in limits:
        if isinstance(each, FieldInfo):
            ends = _ends(tuple(each.metadata))
            least += [ends[0]] if ends[0] is not None else []
            most += [ends[1]] if ends[1] is not None else []
    return max(least, default=None), min(most, default=None)  # type: ignore[type-var]


@lru_cache(maxsize=100)
def _numbers(least: int | None, most: int | None) -> tuple[int, ...]:
    fitting = [
        each
        for each in NUMBERS
        if (least is None or each >= least) and (most is None or each <= most)
    ]
    return (*fitting, *(each for each in (most, least) if each is not None))
