"""Options that several commands share, and messages made of them."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from schemas.messages import Member, Message
from services.terminal import parsing
from services.terminal.console import Mistake, problems

Given = TypeVar("Given")
Typed = TypeVar("Typed")
AnyMessage = TypeVar("AnyMessage", bound=Message)
Scope = Literal["member", "group"]
Incomplete = Literal["as-reached", "none", "cancel-all"]


class Method(StrEnum):
    """How it is paid; a class, as the frame takes no list of literals."""

    shop = "shop"
    card = "card"
    invoice = "invoice"


AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
File = Annotated[
    str | None,
    typer.Option("--file", help="The message as JSON, - for stdin; other options win over it."),
]
At = Annotated[
    str | None,
    typer.Option("--at", help="When it happens, RFC 3339; now if not given. Also the record's."),
]
Product = Annotated[str | None, typer.Option("--product", help="The product's name.")]
ProductId = Annotated[str | None, typer.Option("--product-id", help="The shop's id of it.")]
Price = Annotated[
    int | None, typer.Option("--price", min=0, help="Of one, in minor units: 4900 is 49.00 EUR.")
]
Currency = Annotated[str | None, typer.Option("--currency", help="ISO 4217, such as EUR.")]
Tiers = Annotated[
    list[str] | None,
    typer.Option(
        "--tier",
        help="FROM:FAVOR, repeatable: 10:5% (off), 50:-200 (amount off each), 50:=900 (unit"
        " price), '50:gift=A mug', value=50000:5% (from a value).",
    ),
]
IfIncomplete = Annotated[
    Incomplete | None, typer.Option("--if-incomplete", help="What an incomplete group gets.")
]
FavorScope = Annotated[
    Scope | None, typer.Option("--favor-scope", help="Reduce each own value, or one sum.")
]
PaymentScope = Annotated[
    Scope | None, typer.Option("--scope", help="Who pays: each member, or one for the group.")
]
Methods = Annotated[
    list[Method] | None, typer.Option("--method", help="shop, card or invoice; repeatable.")
]


def draft(file: str | None, options: Mapping[str, Any], known: type[Message]) -> dict[str, Any]:
    """A message of a file's fields, with those of options put over them; ``None`` is not given."""
    fields: Any = {}
    if file is not None:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise Mistake(f"{file} is no JSON: {error}", usage=True) from None
        if not isinstance(fields, dict):
            raise Mistake(f"{file} holds no JSON object: give one message", usage=True)
    for name, value in options.items():
        given = (
            {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        )
        if given is None or given == {}:
            continue
        nested = isinstance(given, dict) and isinstance(fields.get(name), dict)
        fields[name] = fields[name] | given if nested else given
    unknown = sorted(set(fields) - set(known.model_fields))
    if unknown:
        raise Mistake(f"{unknown[0]}: {known.__name__} has no such field", usage=True)
    return {"type": known.__name__, **fields}


def checked(
    kind: type[AnyMessage], fields: dict[str, Any], said_by: Mapping[str, str]
) -> AnyMessage:
    """The message, or every problem in a line that names the option."""
    try:
        return kind.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise Mistake(*problems(error, said_by), usage=True) from None


def checked_members(listed: Any) -> list[Member]:
    """Members as a file has them, of whatever number."""
    try:
        return TypeAdapter(list[Member]).validate_json(json.dumps(listed))
    except ValidationError as error:
        raise Mistake(*(f"members.{line}" for line in problems(error)), usage=True) from None


def typed(read: Callable[[Typed], Given], text: Typed) -> Given:
    """What was typed, or why it can't be read."""
    try:
        return read(text)
    except ValidationError as error:
        raise Mistake(*problems(error), usage=True) from None
    except ValueError as error:
        raise Mistake(str(error), usage=True) from None


def time_of(at: str | None) -> datetime:
    """The time that was typed, else now."""
    return typed(parsing.instant, at) if at else datetime.now(UTC)


def moment(
    at_option: str, at: str | None, in_option: str, length: str | None, now: datetime
) -> str | None:
    """A time that is given as such, or as a span from now."""
    if at and length:
        raise Mistake(f"give {at_option} or {in_option}, not both", usage=True)
    if length:
        return (now + typed(parsing.duration, length)).isoformat()
    return typed(parsing.instant, at).isoformat() if at else None


def ladder(tiers: list[str] | None, scope: Scope | None) -> dict[str, Any]:
    """The favor as far as it is given."""
    steps = [typed(parsing.tier, text).model_dump(exclude_none=True) for text in tiers or ()]
    return {"tiers": steps or None, "scope": scope}
