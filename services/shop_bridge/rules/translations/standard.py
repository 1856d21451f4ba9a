"""Order messages of our own, as shops send them that speak our language.

The body is the message, or ``{"type": …, "timestamp": …, "data": {…}}`` as Standard Webhooks
recommends. A shop speaks for itself only: ``source`` is its name, whether it says so or not.
"""

import json
from dataclasses import dataclass
from typing import Any

from domain.ids import read_aloud
from schemas.orders import ORDERS
from schemas.parts import Message
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.payloads import UnreadableError

#: Fields of order messages that are whole numbers: units, and minor units of money.
NUMBERS = ("quantity", "unit_price", "value")


@dataclass(frozen=True)
class Spoken:
    """An order message; ``mistyped`` if its group's id is none, and ops must mend it."""

    message: Message
    mistyped: bool = False


def read(body: Any, source: str) -> Spoken:
    """The message of a body. Raises ``UnreadableError`` with every field that is wrong."""
    if not isinstance(body, dict):
        raise UnreadableError("the body is not an object")
    fields = dict(body)
    if isinstance(fields.get("data"), dict):
        fields = {**fields["data"], "type": fields.get("type")}
    if fields.setdefault("source", source) != source:
        raise UnreadableError("source: is another shop's")
    # A shop may name only its own people, as an address changes where a person's letters go.
    fields.pop("person_id", None)
    if fields.get("type") == "TimePassed":
        raise UnreadableError("type: no shop can say that time has passed")
    mistyped = False
    try:
        fields["group_id"] = read_aloud(str(fields.get("group_id") or ""))
    except ValueError:
        mistyped = True
    try:
        message: Message = ORDERS.adapter.validate_json(
            json.dumps(_with_whole_numbers(fields), default=str)
        )
    except ValueError as error:
        raise UnreadableError(_in_one_line(error)) from None
    return Spoken(message, mistyped)


def _with_whole_numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with whole decimals as whole numbers: many databases write 2 as 2.0 or "2.00"."""
    found = dict(fields)
    for name in NUMBERS:
        value = payloads.number(fields.get(name))
        if value is not None and value == value.to_integral_value():
            found[name] = int(value)
    return found


def _in_one_line(error: ValueError) -> str:
    """What pydantic found, without the values, which may be addresses."""
    problems = getattr(error, "errors", None)
    if problems is None:
        return "the body can't be written as JSON"
    found = problems(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(each) for each in problem['loc']) or 'body'}: {problem['msg']}"
        for problem in found[:5]
    )
