"""Which links a person gets again: what is held, how long, how many, and in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.auctions import Auction, Seller
from schemas.groups import GroupPurchase
from schemas.letters import LINKS_MAX
from schemas.orders import PurchaseState
from services.storefront.rules.held_links import GroupHeld, Held, links_of

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BY_CARD = {"scope": "member", "method": "card"}
AT_SHOP = {"scope": "member", "method": "shop"}
BY_ORGANIZER = {"scope": "group", "method": "invoice"}


def group(
    group_id: str = "g-1", closes_in: timedelta = DAY, status: str | None = None, **fields: Any
) -> tuple[GroupPurchase, PurchaseState | None]:
    said = {
        "group_id": group_id,
        "request_id": f"r-{group_id}",
        "version": 1,
        "requested_at": NOW - 500 * DAY,
        "issued_at": NOW - 500 * DAY,
        "product": {"name": "Tea"},
        "organizer": {"id": "m-olga", "person_id": "m-person"},
        "number_of_products": 9,
        "opens_at": NOW - 500 * DAY,
        "closes_at": NOW + closes_in,
        "payment": BY_CARD,
    }
    terms = GroupPurchase.model_validate(said | fields)
    if status is None:
        return terms, None
    state = PurchaseState(
        group_id=group_id, request_id=terms.request_id, version=1, status=status,  # type: ignore[arg-type]
        quantity=1, value=1, members=1, closed_at=NOW + closes_in,
    )  # fmt: skip
    return terms, state


def auction(auction_id: str, **fields: Any) -> Auction:
    said = {
        "auction_id": auction_id,
        "version": 1,
        "status": "open",
        "product": {"name": "Lamp"},
        "opened_by": "s-1",
        "opened_at": NOW,
        "shown": {"offer_id": "o", "seller_id": "t", "unit_price": 9, "minimum_reservations": 5},
        "currency": "EUR",
        "minimum_step": 1,
        "reservations": 0,
        "applicants": 0,
        "invites_at": NOW,
        "closes_at": NOW + DAY,
    }
    return Auction.model_validate(said | fields)


SELLER = Seller.model_validate(
    {
        "seller_id": "s-1", "name": "Nord", "email": "n@x.example", "registered_at": NOW,
        "standing": "suspended", "standings": ({"standing": "suspended", "since": NOW},),
        "version": 1,
    }
)  # fmt: skip


def told(held: Held) -> list[tuple[str, str, str]]:
    return [(link.role, link.about, link.party_id) for link in links_of(held, NOW)]


GROUPS: list[tuple[str, tuple[GroupPurchase, PurchaseState | None], bool, list[str]]] = [
    ("an organizer's", group(), True, ["organizer"]),
    (
        "a payer's in an open group: the page to order on has the payments",
        group(),
        False,
        ["member"],
    ),
    ("a payer's after the end", group(closes_in=-DAY, status="complete"), False, ["payer"]),
    ("one that closed early", group(status="complete"), False, ["payer"]),
    ("a buyer's at a shop", group(payment=AT_SHOP), False, ["payer"]),
    ("where the organizer pays", group(payment=BY_ORGANIZER), False, ["member"]),
    ("of it, ended", group(payment=BY_ORGANIZER, closes_in=-DAY), False, []),
    ("withdrawn", group(withdrawn_at=NOW - DAY), False, ["payer"]),
    ("ended 399 days ago", group(closes_in=-399 * DAY), True, ["organizer"]),
    ("ended 400 days ago", group(closes_in=-400 * DAY), True, []),
    ("withdrawn 400 days ago", group(withdrawn_at=NOW - 400 * DAY), True, []),
]


@pytest.mark.parametrize(
    ("what", "found", "organizes", "roles"), GROUPS, ids=[each[0] for each in GROUPS]
)
def test_what_is_held_in_a_group(
    what: str,
    found: tuple[GroupPurchase, PurchaseState | None],
    organizes: bool,
    roles: list[str],
) -> None:
    held = GroupHeld(*found, organizes, () if organizes else ("m-ann",))
    party = "m-olga" if organizes else "m-ann"
    assert told(Held((held,))) == [(role, "g-1", party) for role in roles]


def test_an_organizer_who_buys_gets_both_and_two_rows_are_two_payers() -> None:
    held = GroupHeld(*group(closes_in=-DAY), True, ("m-ann", "leaf:ann"))
    assert told(Held((held,))) == [
        ("organizer", "g-1", "m-olga"), ("payer", "g-1", "m-ann"), ("payer", "g-1", "leaf:ann"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "is_held"),
    [({}, True), ({"status": "concluded"}, False), ({"status": "withdrawn"}, False),
     ({"closes_at": NOW}, False)],
)  # fmt: skip
def test_a_reservation_is_held_until_it_binds(fields: dict[str, Any], is_held: bool) -> None:
    (*links,) = links_of(Held(reservations=((auction("a-1", **fields), "b-1"),)), NOW)
    assert [(each.about, each.application_id) for each in links] == [("a-1", "b-1")] * is_held


def test_the_newest_come_first_after_the_desk_and_no_more_than_a_letter_holds() -> None:
    groups = tuple(
        GroupHeld(*group(f"g-{day}", issued_at=NOW - day * DAY), True, ())
        for day in range(2, LINKS_MAX + 20)
    )
    reservation = auction("a-1", opened_at=NOW - 3 * DAY), "b-1"
    links = links_of(Held(groups[::-1], (reservation,), SELLER), NOW)
    assert len(links) == LINKS_MAX
    assert [each.about for each in links[:4]] == ["s-1", "g-2", "g-3", "a-1"]


def test_nothing_held_is_no_link() -> None:
    assert links_of(Held(), NOW) == ()
