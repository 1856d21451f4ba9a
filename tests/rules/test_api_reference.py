"""The API's documentation for people: complete, and with examples that fit."""

import json
import shlex
from typing import Any

import pytest

from services.storefront.api.document import own
from services.storefront.api.examples import EXAMPLES
from services.storefront.api.parameters import SHAPES
from services.storefront.pages.api_docs import AREAS
from services.storefront.pages.api_reference import Operation, areas
from services.storefront.web.bodies import given

ADDRESS = "https://shop.example"
ALL = {
    f"{each.method} {each.path}": each
    for operations in areas(own(), ADDRESS).values()
    for each in operations
}


def fields(name: str) -> dict[str, str]:
    return {each.name: each.kind for each in ALL[name].fields}


def test_every_operation_of_the_document_has_its_place() -> None:
    told = {
        f"{method.upper()} {path}" for path, methods in own()["paths"].items() for method in methods
    }
    assert set(ALL) == told
    assert set(AREAS) == set(areas(own(), ADDRESS)), "say in AREAS what people call it"
    assert len({each.id for each in ALL.values()}) == len(ALL), "ids are anchors"


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_each_body_has_an_example_that_the_api_takes(shape: type[Any]) -> None:
    assert given(shape, EXAMPLES[shape]).model_dump(exclude_unset=True)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ALL.values(), ids=ALL)
def test_each_command_line_asks_for_its_operation(operation: Operation) -> None:
    words = shlex.split(operation.curl)
    assert words[0] == "curl"
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    assert method == operation.method
    (address,) = [word for word in words if word.startswith(ADDRESS)]
    assert address.count("/") == f"{ADDRESS}{operation.path}".count("/")
    assert "{" not in address
    assert ("Authorization: Bearer YOUR_KEY" in words) == (operation.access == "key")
    if operation.body:
        assert json.loads(words[words.index("-d") + 1]) == json.loads(operation.body)


@pytest.mark.slow
@pytest.mark.parametrize("operation", ALL.values(), ids=ALL)
def test_each_operation_says_what_it_answers(operation: Operation) -> None:
    good = [each for each in operation.answers if not each.is_problem]
    assert good
    assert all(each.about for each in operation.answers)
    assert "429" in {each.status for each in operation.answers if each.is_problem}
    assert operation.about
    assert not [each for each in operation.about if "``" in each]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("definition_id", "string, at most 64 characters"),
        ("organizer", "object"),
        ("organizer.email", "email address, at most 320 characters"),
        ("number_of_products", "integer"),
        ("closes_at", "date and time (RFC 3339)"),
        ("favor.tiers[]", "list of object, at most 100 entries"),
        ("favor.tiers[].percent_off", "number"),
        ("members[].payment.method", "shop | card | invoice"),
        ("visibility", 'public | unlisted; if left out: "public"'),
        ("stop_at_number", "boolean; if left out: false"),
    ],
)
def test_a_field_is_told_by_its_path_and_kind(name: str, kind: str) -> None:
    assert fields("POST /api/v1/group-purchases")[name] == kind


def test_what_may_be_left_out_is_told_from_what_may_not() -> None:
    auction = ALL["POST /api/v1/auctions"]
    needed = {each.name for each in auction.fields if each.is_required}
    assert {"product", "unit_price", "closes_at"} <= needed
    assert "minimum_step" not in needed
    assert ALL["GET /api/v1/auctions"].access == "open"
    assert auction.access == "key"


def test_a_stream_is_known_as_one() -> None:
    streams = {name for name, each in ALL.items() if each.is_stream}
    assert streams == {name for name in ALL if name.endswith("/events")}
    assert all("curl -N " in ALL[name].curl for name in streams)
