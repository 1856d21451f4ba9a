"""What is shown of facts: figures, and that people are left out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.auctions import Auction, ConditionReplaced, ContractConcluded, ShownOffer
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import FavorTerms, Member, Party, Period, Product, Tier
from services.storefront.rules.views import (
    auction_detail,
    auction_view,
    group_progress,
    group_view,
    table_row,
)

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


def offer(price: int, minimum: int, seller: str = "seller-x") -> ShownOffer:
    return ShownOffer(
        offer_id=f"offer-{price}", seller_id=seller, unit_price=price, minimum_reservations=minimum
    )


def auction(**changed: Any) -> Auction:
    said: dict[str, Any] = {
        "auction_id": "cameras",
        "version": 7,
        "status": "open",
        "product": Product(name="Camera"),
        "opened_by": "seller-y",
        "opened_at": NOW,
        "shown": offer(800, 5),
        "currency": "JPY",
        "minimum_step": 10,
        "reservations": 3,
        "applicants": 2,
        "invites_at": NOW,
        "closes_at": LATER,
    }
    return Auction(**said | changed)


def group(**changed: Any) -> GroupPurchase:
    said: dict[str, Any] = {
        "group_id": "GB-1",
        "request_id": "r-secret",
        "version": 1,
        "requested_at": NOW,
        "issued_at": NOW,
        "organizer": Party(id="o-secret", person_id="shop:ada-secret"),
        "product": Product(name="Tea"),
        "number_of_products": 10,
        "unit_price": 500,
        "currency": "EUR",
        "opens_at": NOW,
        "closes_at": LATER,
        "members": (Member(id="m-secret", person_id="m-secret"),),
        "favor": FavorTerms(
            tiers=(
                Tier(from_quantity=10, percent_off=20),
                Tier(from_quantity=5, percent_off=10),
            )
        ),
    }
    return GroupPurchase(**said | changed)


def state(quantity: int, **changed: Any) -> PurchaseState:
    said: dict[str, Any] = {
        "group_id": "GB-1",
        "request_id": "r-secret",
        "version": 4,
        "status": "open",
        "quantity": quantity,
        "value": quantity * 500,
        "currency": "EUR",
        "members": 2,
    }
    return PurchaseState(**said | changed)


def test_an_auction_says_what_is_missing_and_no_seller() -> None:
    view = auction_view(auction())
    assert (view.missing, view.unit_price, view.minimum_reservations) == (2, 800, 5)
    assert "seller" not in view.model_dump_json()
    assert auction_view(auction(reservations=9)).missing == 0


def test_an_auction_s_story_begins_with_its_opening() -> None:
    steps = [
        ConditionReplaced(
            auction_id="cameras",
            version=version,
            before=offer(before, 5, "seller-y"),
            shown=offer(after, 5),
            currency="JPY",
            at=NOW + timedelta(hours=version),
        )
        for version, before, after in ((5, 900, 800), (2, 1000, 900))
    ]
    concluded = ContractConcluded(
        auction_id="cameras",
        shown=offer(800, 5),
        currency="JPY",
        reservations=5,
        applicants=3,
        at=LATER,
        group_request_id="au-cameras",
    )
    detail = auction_detail(auction(), steps, concluded, "GB-1")
    assert [(each.at, each.unit_price) for each in detail.history] == [
        (NOW, 1000),
        (NOW + timedelta(hours=2), 900),
        (NOW + timedelta(hours=5), 800),
    ]
    assert (detail.concluded_at, detail.group_id) == (LATER, "GB-1")
    # The seller of the offer shown, and no other.
    assert detail.seller_id == "seller-x"
    assert "seller-y" not in detail.model_dump_json()
    assert "au-" not in detail.model_dump_json()
    (only,) = auction_detail(auction()).history
    assert (only.at, only.unit_price) == (NOW, 800)


@pytest.mark.parametrize(
    ("quantity", "reached", "following", "missing"),
    [(0, None, 0, 5), (4, None, 0, 1), (5, 0, 1, 5), (9, 0, 1, 1), (10, 1, None, None)],
)
def test_a_group_says_the_tier_reached_and_the_next(
    quantity: int, reached: int | None, following: int | None, missing: int | None
) -> None:
    view = group_view(group(), state(quantity))
    assert [tier.from_quantity for tier in view.favor.tiers] == [5, 10], "lowest first"
    assert (view.tier_reached, view.next_tier, view.missing_to_next) == (
        reached,
        following,
        missing,
    )
    assert view.missing == max(10 - quantity, 0)


@pytest.mark.parametrize(
    ("payment", "sources", "takes"),
    [
        ({"method": "card"}, (), True),
        ({"method": "card"}, ("leaf", "storefront"), True),
        ({"method": "card"}, ("leaf", "admin"), False),
        ({"method": "shop"}, (), False),
        ({"method": "shop"}, ("storefront",), False),
        ({"method": "shop", "scope": "group"}, (), True),
        ({"method": "shop", "scope": "group"}, ("leaf",), False),
    ],
)
def test_our_pages_take_orders_where_they_can_be_paid_and_count(
    payment: Any, sources: tuple[str, ...], *, takes: bool
) -> None:
    view = group_view(group(payment=payment, sources=sources))
    assert view.takes_orders_here is takes
    assert view.sources == sources


def test_a_group_names_nobody() -> None:
    decision = FavorDecision(
        group_id="GB-1", request_id="r-secret", version=1, total=100, currency="EUR", members=2
    )
    text = group_view(group(), state(5), decision).model_dump_json()
    assert "secret" not in text.lower()
    assert '"members_listed":true' in text
    assert "secret" not in group_progress(state(5), 10).model_dump_json()


def test_a_group_without_progress_is_open_or_withdrawn() -> None:
    view = group_view(group())
    assert (view.version, view.status, view.quantity, view.missing) == (0, "open", 0, 10)
    assert group_view(group(withdrawn_at=NOW)).status == "withdrawn"
    complete = state(10, status="complete", closed_at=NOW)
    assert group_view(group(withdrawn_at=NOW), complete).status == "complete"


def test_a_tier_may_start_from_a_value() -> None:
    favor = FavorTerms(tiers=(Tier(from_value=2_000, gift="a cup"),))
    view = group_view(group(favor=favor), state(3))
    assert (view.next_tier, view.missing_to_next) == (0, 500)


def test_progress_is_missing_only_where_the_number_is_known() -> None:
    assert group_progress(state(4), 10).missing == 6
    assert group_progress(state(12), 10).missing == 0
    assert group_progress(state(4), None).missing is None


def test_an_address_is_in_the_table_only_when_it_is_given_to_it() -> None:
    row = PurchaseRow(
        group_id="GB-1",
        request_id="r",
        member_id="m1",
        version=1,
        quantity=2,
        value=1000,
        currency="EUR",
        period=Period(opens_at=NOW, closes_at=LATER),
        orders=1,
        person_id="m1",
    )
    favor = Favor(
        group_id="GB-1",
        request_id="r",
        member_id="m1",
        version=1,
        basis="complete",
        amount=100,
        gift="a cup",
    )
    shown = table_row(row, favor, name="Bo")
    assert (shown.name, shown.email, shown.favor_amount, shown.gift) == ("Bo", None, 100, "a cup")
    nameless = table_row(row, None, email="bo@x.example")
    assert (nameless.name, nameless.email) == (None, "bo@x.example")
