"""Refusals as programs read them; what definitions are refused for; what bodies are."""

from typing import Any

import pytest

from schemas.api.auctions import ApplicationGiven, AuctionGiven
from schemas.api.groups import DefinitionGiven, GroupGiven
from schemas.api.sellers import SellerGiven
from services.storefront import problems
from services.storefront.problems import Invalid, Refusal, TooMany
from services.storefront.rules.definitions import definition_problems
from services.storefront.web.bodies import given

TEA = {"product": {"name": "Tea"}, "unit_price": 500, "currency": "EUR"}
KINDS = [
    each
    for each in vars(problems).values()
    if isinstance(each, type) and issubclass(each, Refusal) and each is not Refusal
]


def test_every_kind_of_problem_has_a_name_of_its_own() -> None:
    names = [each.kind for each in KINDS]
    assert sorted(names) == sorted(set(names))
    assert all(400 <= each.status < 600 for each in KINDS)
    document = TooMany(7).document()
    assert document.type == "urn:jointbuy:problem:too-many"
    assert TooMany(0).headers == {"Retry-After": "1"}


def named(shape: Any, body: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        given(shape, body)
    return {each.field: each.problem for each in raised.value.problems}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"product", "unit_price", "currency"}),
        (TEA | {"unit_price": "5"}, {"unit_price"}),
        (TEA | {"unit_price": True}, {"unit_price"}),
        (TEA | {"unit_price": 5.5}, {"unit_price"}),
        (TEA | {"unit_price": 10**30}, {"unit_price"}),
        (TEA | {"price": 5}, {"price"}),
        (TEA | {"product": {"name": "a\r\nBcc: x"}}, {"product.name"}),
        (TEA | {"product": {"name": "nul\x00"}}, {"product.name"}),
        (TEA | {"product": {"name": "x" * 201}}, {"product.name"}),
        (TEA | {"product": {"name": "T", "id": "a/b"}}, {"product.id"}),
        (TEA | {"favor": {"tiers": [{"percent_off": "1"}]}}, {"favor.tiers[0].percent_off"}),
        (b"[]", {"body"}),
        (b"{", {"body"}),
        (b"\xff", {"body"}),
        (b'{"a":' * 5000, {"body"}),
        (b'{"unit_price": ' + b"9" * 6000 + b"}", None),
        (b'{"product": {"name": "\\ud800"}}', {"body"}),
    ],
)
def test_every_field_that_is_not_as_documented_is_named(body: Any, fields: set[str] | None) -> None:
    found = named(DefinitionGiven, body)
    assert fields is None or set(found) == fields, found


def test_what_was_given_is_not_said_again() -> None:
    found = named(SellerGiven, {"name": "S", "email": "marked@@marked", "locale": "marked marked"})
    assert set(found) == {"email", "locale"}
    assert "marked" not in str(found)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\n",
        "a@b.example\r\nBcc: c@d.example",
        "a@b",
        "a b@c.example",
        "<a@b.example>",
        "a@b.example,c@d.example",
        "a@-b.example",
        '"a b@c.example',
        "a@[192.0.2.1]",
        "a(b)@c.example",
        f"{'x' * 65}@b.example",
        "a@b..example",
    ],
)
def test_an_address_is_one_address(address: str) -> None:
    assert "email" in named(SellerGiven, {"name": "S", "email": address})


@pytest.mark.parametrize(
    "moment",
    ["2026-11-30", "2026-11-30T18:00:00", "1700000000", 1_700_000_000, "2026-11-30T18:00Z", "", [],
     "2026-13-30T18:00:00Z", "2026-11-30T18:00:00Z\n", "٢٠٢٦-11-30T18:00:00Z"],
)  # fmt: skip
def test_a_time_is_rfc_3339(moment: Any) -> None:
    body = TEA | {"minimum_reservations": 1, "closes_at": moment}
    assert "closes_at" in named(AuctionGiven, body)


def test_times_and_numbers_that_json_allows_are_taken() -> None:
    body = TEA | {"minimum_reservations": 1.0, "closes_at": "0001-01-01T00:00:00+14:00"}
    taken = given(AuctionGiven, body)
    assert taken.minimum_reservations == 1
    assert taken.closes_at.year == 1, "impossible, which the rules say"
    assert given(GroupGiven, {"closes_at": "2026-11-30t18:00:00.5-01:30"}).closes_at.hour == 19
    person = given(ApplicationGiven, {"applicant": {"name": "山田"}, "quantity": 2})
    assert person.applicant.name == "山田"


# --- definitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"currency": "ZZZ"}, "currency"),
        ({"unit_price": 10**13}, "unit_price"),
        ({"limits": {"number_min": 5, "number_max": 4}}, "limits.number_min"),
        ({"favor": {"tiers": [{"percent_off": 5}]}}, "favor.tiers[0]"),
        ({"favor": {"tiers": [{"from_quantity": 1}]}}, "favor.tiers[0]"),
        ({"favor": {"tiers": [{"from_quantity": 0, "gift": "g"}]}}, "favor.tiers[0].from_quantity"),
        (
            {"favor": {"tiers": [{"from_quantity": 1, "percent_off": 101}]}},
            "favor.tiers[0].percent_off",
        ),
        (
            {"favor": {"tiers": [{"from_quantity": 1, "percent_off": 1.005}]}},
            "favor.tiers[0].percent_off",
        ),
        (
            {"favor": {"tiers": [{"from_quantity": 1, "amount_off": 501}]}},
            "favor.tiers[0].amount_off",
        ),
        (
            {"favor": {"tiers": [{"from_quantity": 1, "gift": "g"}] * 2}},
            "favor.tiers",
        ),
        (
            {
                "favor": {
                    "tiers": [{"from_quantity": 1, "gift": "g"}, {"from_value": 1, "gift": "g"}]
                }
            },
            "favor.tiers",
        ),
    ],
)
def test_a_definition_that_nobody_could_take_is_refused(
    changed: dict[str, Any], field: str
) -> None:
    found = list(definition_problems(given(DefinitionGiven, TEA | changed)))
    assert [each.field for each in found] == [field]


def test_a_good_definition_has_no_problem() -> None:
    ladder = {
        "tiers": [{"from_quantity": 3, "percent_off": 10.5}, {"from_quantity": 9, "gift": "g"}]
    }
    body = TEA | {"favor": ladder, "limits": {"number_min": 2, "number_max": 2}}
    assert not list(definition_problems(given(DefinitionGiven, body)))
