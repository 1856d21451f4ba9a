"""What the links of letters say, whatever became of the reservation or the order meanwhile."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from schemas.auctions import ApplicationRefused, Applied
from schemas.orders import OrderRefused
from schemas.reasons import ApplicationReason, OrderRefusal
from tests.storefront.pages_app import Storefront, storefront_on
from tests.storefront.test_joining import (
    CONFIRM,
    NOW,
    SHOP,
    auction,
    group,
    holds,
    invoice,
    plain,
    state,
    text_of,
)
from tests.storefront.test_read_model import write
from tests.storefront.test_two_visitors import LINKS

ANN = "ann@people.example"


@pytest.fixture
async def shop(url: str) -> AsyncIterator[Storefront]:
    await write(url, auction(), SHOP, group(), state(62))
    with storefront_on(url) as made:
        yield made
        await made.close()


async def reserve(shop: Storefront, quantity: int = 2, email: str = ANN) -> tuple[str, str]:
    """The paths of the letter that confirms a reservation, and of the one that withdraws it."""
    form = {"email": email, "quantity": str(quantity), "name": ""}
    headers = {"origin": "https://shop.example"}
    answer = await shop.ask("POST", "/auctions/a-1/apply", "192.0.2.1", form=form, headers=headers)
    assert answer.status == 303, answer.text
    id_ = next(each.application_id for _, each in reversed(shop.sent) if isinstance(each, Applied))
    confirm = LINKS.token("confirm-application", "a-1", id_, str(quantity))
    return f"/confirm/{confirm}", f"/applications/{LINKS.token('application', 'a-1', id_)}"


async def ways(shop: Storefront, path: str) -> tuple[str, str]:
    """What the page says, and what its button brings."""
    return await text_of(shop, path), await text_of(shop, path, form={})


def sent(shop: Storefront, kind: str) -> int:
    return sum(message.type == kind for _, message in shop.sent)  # type: ignore[attr-defined]


# --- reservations --------------------------------------------------------------------------------


async def test_a_confirmed_reservation_is_said_with_its_units_and_the_count(
    shop: Storefront,
) -> None:
    confirm, _ = await reserve(shop)
    holds(await text_of(shop, confirm), "Your reservation counts once you confirm it")
    text = await text_of(shop, confirm, form={})
    holds(text, "Thank you: your reservation is confirmed", "2 units of Camera at €1,199.00 each")
    holds(text, "So far", "are reserved, and the minimum is 45.", "It is counted in a moment")
    for text in await ways(shop, confirm):
        holds(text, "You have already confirmed this reservation", "2 units of Camera")
        assert "once you confirm it" not in text
    assert sent(shop, "ApplicationConfirmed") == 1


@pytest.mark.parametrize("before", ["confirmed", "unconfirmed"])
async def test_a_withdrawn_reservation_never_counts_by_its_old_letter(
    shop: Storefront, before: str
) -> None:
    confirm, withdraw = await reserve(shop)
    if before == "confirmed":
        await text_of(shop, confirm, form={})
    holds(await text_of(shop, withdraw), "Withdraw your reservation", "2 units at €")
    text = await text_of(shop, withdraw, form={})
    holds(text, "Your reservation is withdrawn", "It no longer counts.")
    assert "still counts" not in text, "the auction runs"
    shop.sent.clear()
    for text in (*await ways(shop, confirm), await text_of(shop, withdraw)):
        holds(text, "You have withdrawn this reservation", "It does not count.", "Reserve again")
        assert "Thank you" not in text
    assert shop.sent == []


async def test_a_later_reservation_says_what_it_replaces_and_the_earlier_one_that_it_is_replaced(
    shop: Storefront,
) -> None:
    first, _ = await reserve(shop, 2)
    await text_of(shop, first, form={})
    second, withdraw = await reserve(shop, 3)
    holds(await text_of(shop, second), "It replaces your earlier reservation of 2 units.")
    holds(await text_of(shop, first), "You have already confirmed")
    holds(await text_of(shop, second, form={}), "3 units of Camera")
    holds(await text_of(shop, first), "A later reservation of yours replaced this one")
    other, _ = await reserve(shop, 4, "bob@people.example")
    assert "replaces your" not in await text_of(shop, other), "of another person"
    await text_of(shop, withdraw, form={})
    holds(await text_of(shop, first), "A later reservation of yours replaced this one")
    again, _ = await reserve(shop, 4)
    assert "replaces your" not in await text_of(shop, again), "nothing is left to replace"


async def test_after_the_end_nothing_is_confirmed(url: str, shop: Storefront) -> None:
    confirmed, withdraw = await reserve(shop)
    await text_of(shop, confirmed, form={})
    late, _ = await reserve(shop, 1, "bob@people.example")
    unknown = f"/confirm/{LINKS.token('confirm-application', 'a-1', 'early', '1')}"
    await write(url, auction(closes_at=NOW - timedelta(seconds=1), version=2))
    shop.sent.clear()
    for text in await ways(shop, late):
        holds(text, "This reservation was not confirmed in time", "does not count")
    for text in await ways(shop, confirmed):
        holds(text, "You have already confirmed", "2 units of")
    for text in await ways(shop, unknown):
        holds(text, "The auction has ended", "that you withdrew, does not count.")
    assert shop.sent == []
    holds(await text_of(shop, withdraw, form={}), "We have your withdrawal", "came too late")
    await write(url, auction(closes_at=NOW - timedelta(seconds=1), status="concluded", version=3))
    text = await text_of(shop, confirmed)
    holds(text, "The auction has ended", "that you withdrew, does not count.")


async def test_after_the_contract_a_reservation_is_not_asked_to_be_withdrawn(
    url: str, shop: Storefront
) -> None:
    confirm, withdraw = await reserve(shop)
    await text_of(shop, confirm, form={})
    await write(url, auction(status="concluded", version=2))
    holds(await text_of(shop, withdraw, 409), "reservations stand as they are")
    holds(await text_of(shop, confirm), "You have already confirmed", "The auction has ended: 12")


async def test_a_refused_reservation_says_so_when_its_link_is_opened(
    url: str, shop: Storefront
) -> None:
    confirm, _ = await reserve(shop)
    id_ = next(each.application_id for _, each in shop.sent if isinstance(each, Applied))
    refused = ApplicationRefused(
        application_id=id_, auction_id="a-1", quantity=2, reason=ApplicationReason.OWN_AUCTION
    )
    await write(url, refused)
    holds(await text_of(shop, confirm, 409), "Your reservation does not count")


# --- what is said before -------------------------------------------------------------------------


async def test_the_form_and_the_page_that_confirms_say_that_it_binds(shop: Storefront) -> None:
    confirm, _ = await reserve(shop)
    names = "page names the seller"
    for path, is_auctions_page in (("/auctions/a-1", True), (confirm, False)):
        text = await text_of(shop, path)
        holds(text, "you are bound to buy. Until then you can withdraw it.")
        assert (names in text) != is_auctions_page, "its own page names the seller itself"
    holds(await text_of(shop, "/auctions/a-1"), "it replaces an earlier reservation")


@pytest.mark.parametrize(
    ("path", "form", "words", "change"),
    [
        (
            "/auctions/a-1/apply",
            {"email": ANN, "quantity": "1"},
            f"We sent a link to {ANN}",
            "/auctions/a-1#apply",
        ),
        ("/links", {"email": ANN}, f"If we know {ANN}", "/links"),
    ],
    ids=["reserving", "links again"],
)
async def test_check_your_email_names_the_address_to_who_typed_it_and_to_nobody_else(
    shop: Storefront, path: str, form: dict[str, str], words: str, change: str
) -> None:
    origin = {"origin": "https://shop.example"}
    answer = await shop.ask("POST", path, "192.0.2.1", form=form, headers=origin)
    assert answer.status == 303, answer.text
    place, cookie = answer.headers["location"], answer.headers["set-cookie"]
    assert "@" not in place + cookie
    assert f"Path={place}" in cookie
    assert "HttpOnly" in cookie
    mine = await shop.ask("GET", place, "192.0.2.1", headers={"cookie": cookie.split(";")[0]})
    holds(plain(mine.text), "Check your email", words)
    assert f'href="{change}"' in mine.text
    for other in ("", "typed=%3Cb%3Ex", "typed=nobody"):
        answer = await shop.ask("GET", place, "192.0.2.2", headers={"cookie": other})
        assert answer.status == 200
        assert words not in answer.text


# --- orders --------------------------------------------------------------------------------------


async def test_a_confirmed_order_is_said_to_be_confirmed_when_its_link_is_opened_again(
    shop: Storefront,
) -> None:
    holds(await text_of(shop, CONFIRM), "does not count until you confirm it")
    holds(await text_of(shop, CONFIRM, form={}), "Thank you: your order is confirmed")
    text = await text_of(shop, CONFIRM)
    holds(text, "You have already confirmed this order", "3 units of Sencha")
    assert "does not count until" not in text


async def test_the_link_of_an_order_that_counts_leads_to_its_invoice(
    url: str, shop: Storefront
) -> None:
    bill = invoice("m-1", cause={"kind": "order", "source": "storefront", "order_id": "w-1"})
    await write(url, group(version=2, payment={"method": "invoice"}), bill)
    await text_of(shop, CONFIRM, form={})
    text = await text_of(shop, CONFIRM)
    holds(text, "Your order counts", "Invoice g-1-I1 is open: €84.00 to pay.", "Pay the invoice")
    for gone in ("already confirmed", "as soon as it counts", "once we have issued"):
        assert gone not in text


@pytest.mark.parametrize(
    ("reason", "status", "words"),
    [
        (OrderRefusal.EXPIRED, 410, "This link has expired"),
        (OrderRefusal.WITHDRAWN, 422, "This order can no longer count"),
    ],
)
async def test_a_refused_order_is_not_asked_to_be_confirmed(
    url: str, shop: Storefront, reason: Any, status: int, words: str
) -> None:
    refused = OrderRefused(
        group_id="g-1", order_id="w-1", source="storefront", quantity=3, reason=reason
    )
    await write(url, refused)
    holds(await text_of(shop, CONFIRM, status), words)
