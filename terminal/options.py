"""Options that several commands share, and their values."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from pydantic import ValidationError

from schemas import parts
from schemas.parts import Message
from terminal import typed_values
from terminal.console import Mistake, problems

Read = TypeVar("Read")
Typed = TypeVar("Typed")
AnyMessage = TypeVar("AnyMessage", bound=Message)
Scope = Literal["member", "group"]


class Method(StrEnum):
    """A method of payment; a class, as typer takes no list of literals."""

    shop = "shop"
    card = "card"
    invoice = "invoice"


AsJson = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="JOINTBUY_URL",
        help="The storefront's address; default: the local stack's.",
    ),
]
Once = Annotated[
    str | None,
    typer.Option(
        "--idempotency-key",
        help="Repeated with the same key, a command takes effect once; default: random.",
    ),
]
File = Annotated[
    str | None,
    typer.Option(
        "--file",
        help="JSON for the API, with money in minor units; - for stdin; options take precedence.",
    ),
]
Product = Annotated[str | None, typer.Option("--product", help="The product's name.")]
ProductId = Annotated[
    str | None, typer.Option("--product-id", help="The product's id at the shop.")
]
Description = Annotated[
    str | None, typer.Option("--description", help="The product's description, in Markdown.")
]
DescriptionFile = Annotated[
    Path | None, typer.Option("--description-file", help="A file with the description.")
]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", help="A picture's file or its id, repeatable; the first is for lists."),
]
ProductPage = Annotated[
    str | None, typer.Option("--product-url", help="The product's page in the shop.")
]
Category = Annotated[str | None, typer.Option("--category", help="The product's category.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag of the product, repeatable.")]
#: Options by the fields of a product.
PRODUCT_BY = {
    "product": "--product",
    "product.name": "--product",
    "product.id": "--product-id",
    "product.description": "--description",
    "product.url": "--product-url",
    "product.images": "--image",
    "product.category": "--category",
    "product.tags": "--tag",
}
Price = Annotated[
    str | None,
    typer.Option("--price", help="Price of one, in the currency: 49 or 49.00."),
]
Currency = Annotated[str | None, typer.Option("--currency", help="ISO 4217, such as EUR.")]
Tiers = Annotated[
    list[str] | None,
    typer.Option(
        "--tier",
        help="FROM:DISCOUNT, repeatable: 10:5% (off), 50:-2.00 (amount off each), 50:=9.00 (unit"
        " price), '50:gift=A mug', value=500:5% (from a value).",
    ),
]
IfIncomplete = Annotated[
    parts.IfIncomplete | None,
    typer.Option("--if-incomplete", help="What an incomplete group gets."),
]
FavorScope = Annotated[
    Scope | None,
    typer.Option("--favor-scope", help="Discount for each member, or one sum for the group."),
]
PaymentScope = Annotated[
    Scope | None, typer.Option("--scope", help="Each member pays, or the organizer for all.")
]
Methods = Annotated[
    list[Method] | None, typer.Option("--method", help="shop, card or invoice; repeatable.")
]


def file_fields(file: str | None) -> dict[str, Any]:
    """The fields of a body in a file. Raises ``Mistake``."""
    fields: Any = {}
    if file is not None:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise Mistake(f"{file} is not valid JSON: {error}", usage=True) from None
        if not isinstance(fields, dict):
            raise Mistake(f"{file} is not a JSON object", usage=True)
    body: dict[str, Any] = fields
    return body


def draft(fields: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """A body: fields of a file, replaced by those of options that are given."""
    body = dict(fields)
    for name, value in given(options).items():
        nested = isinstance(value, dict) and isinstance(body.get(name), dict)
        body[name] = body[name] | value if nested else value
    return body


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are given, at any depth."""
    nested = {k: given(v) if isinstance(v, dict) else v for k, v in fields.items()}
    return {k: v for k, v in nested.items() if v is not None and v != {}}


def checked(
    kind: type[AnyMessage], fields: dict[str, Any], said_by: Mapping[str, str]
) -> AnyMessage:
    """The message, or every problem in a line that names the option."""
    try:
        return kind.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise Mistake(*problems(error, said_by), usage=True) from None


def typed(read: Callable[[Typed], Read], text: Typed) -> Read:
    """A typed value, parsed. Raises ``Mistake`` if it can't be read."""
    try:
        return read(text)
    except ValidationError as error:
        raise Mistake(*problems(error), usage=True) from None
    except ValueError as error:
        raise Mistake(str(error), usage=True) from None


def time_of(at: str | None) -> str | None:
    """A typed time, as the API takes it."""
    return typed(typed_values.instant, at).isoformat() if at else None


def moment(
    at_option: str, at: str | None, in_option: str, length: str | None, now: datetime
) -> str | None:
    """A time, given as a time or as a length from now."""
    if at and length:
        raise Mistake(f"give {at_option} or {in_option}, not both", usage=True)
    if length:
        return (now + typed(typed_values.duration, length)).isoformat()
    return time_of(at)
