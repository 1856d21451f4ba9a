"""What the OpenAPI document promises to people who write programs for the API."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.parts import MINOR_UNITS
from services.storefront.api import document

#: Names of fields that hold money wherever they stand.
MONEY = frozenset(
    {"unit_price", "amount", "amount_off", "from_value", "value", "received", "open", "total"}
    | {"favor_amount", "minimum_step"}
)


def _fields() -> Iterator[tuple[str, dict[str, Any]]]:
    said = json.loads(bytes(document.answer().body))
    for shape, schema in said["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            if name in MONEY and "integer" in str(field):
                yield f"{shape}.{name}", field


@pytest.mark.parametrize(("name", "field"), [pytest.param(*each, id=each[0]) for each in _fields()])
def test_every_field_of_money_says_that_it_is_in_minor_units(
    name: str, field: dict[str, Any]
) -> None:
    assert MINOR_UNITS in str(field), name


def test_fields_of_money_are_found() -> None:
    assert {
        "OrderGiven.value",
        "GroupView.unit_price",
        "Tier.amount_off",
        "PaymentView.amount",
    } <= {name for name, _ in _fields()}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/sellers", ["GET", "POST"]),
        ("/sellers/me", ["GET"]),
        ("/sellers/s-1", ["GET", "PUT"]),
        ("/people/search", ["POST"]),
        ("/people/acme:ann", ["DELETE"]),
        ("/nothing", []),
    ],
)
def test_a_refused_method_s_answer_names_those_of_the_document(
    path: str, methods: list[str]
) -> None:
    assert document.methods_of(f"/api/v1{path}") == methods
