"""What sellers see before an offer binds them, and where they may make none."""

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape

import pytest

from schemas.auctions import AuctionOpened, CounterOffered, OfferJudged, Seller, Standing
from tests.storefront.pages_app import PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_joining import auction, holds, plain
from tests.storefront.test_mistyped import seller
from tests.storefront.test_read_model import definition, write
from tests.storefront.test_two_visitors import NOW, A, B, facts

LATER = (NOW + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
OPENING = {
    **{"product": "Lamp", "price": "40.00", "currency": "EUR", "minimum": "10"},
    **{"closes_at": LATER, "zone": "UTC", "once": "once"},
}
OFFERS = f"/seller/auctions/{B.auction_id}/offers"


@pytest.fixture
async def shop(url: str) -> AsyncIterator[Storefront]:
    await write(url, *facts(A), *facts(B))
    with storefront_on(url) as made:
        yield made
        await made.close()


async def ask(
    shop: Storefront, path: str, form: dict[str, str] | None = None, language: str = "en"
) -> Answer:
    """What the first seller is answered, signed in by the key."""
    own = {"origin": PAGE_URL, "accept-language": language}
    signed_in = await shop.ask(
        "POST", "/sign-in", A.client, headers=own, form={"key": A.key("seller")}
    )
    own["cookie"] = signed_in.headers["set-cookie"].partition(";")[0]
    method = "GET" if form is None else "POST"
    return await shop.ask(method, path, A.client, headers=own, form=form)


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


def sent(shop: Storefront, kind: type) -> int:
    return sum(isinstance(message, kind) for _, message in shop.sent)


async def test_an_auction_is_opened_from_the_page_that_says_what_it_binds_to(
    url: str, shop: Storefront
) -> None:
    (known,) = (each for each in facts(A) if isinstance(each, Seller))
    said = {"delivery": "By parcel.", "terms_url": "https://nord.example/terms", "version": 2}
    await write(url, known.model_copy(update=said))
    check = await ask(shop, "/seller/open", OPENING)
    text = plain(check.text)
    holds(text, "Your auction is not open yet", "Lamp", "€40.00", "EUR · Euro", "€400.00")
    holds(text, "By parcel.", "https://nord.example/terms", "An offer that is shown at the end")
    assert sent(shop, AuctionOpened) == 0
    kept = hidden(check.text)
    assert {**kept, **OPENING} == kept
    change = await ask(shop, "/seller/open", kept | {"change": "yes"})
    assert 'name="price" type="text" value="40.00"' in change.text
    assert (await ask(shop, "/seller/open", kept | {"sure": "yes"})).status == 303
    assert sent(shop, AuctionOpened) == 1


@pytest.mark.parametrize(
    ("price", "is_asked"),
    [("8.99", False), ("6.30", False), ("6.29", True), ("0.90", True)],
)
async def test_a_price_far_below_is_asked_for_a_second_time_before_it_binds(
    shop: Storefront, price: str, is_asked: bool
) -> None:
    """Shown is €9.00; a slip of the point binds nobody."""
    form = {"price": price, "minimum": "50", "once": "once", "sure": ""}
    first = await ask(shop, OFFERS, form)
    assert (first.status, sent(shop, CounterOffered)) == ((422, 0) if is_asked else (303, 1))
    if is_asked:
        holds(plain(first.text), "below the price that is shown now, €9.00.")
        again = hidden(first.text)
        assert again["sure"] == price
        other = await ask(shop, OFFERS, form | again | {"price": "0.09"})
        assert (other.status, sent(shop, CounterOffered)) == (422, 0), "another price is doubted"
        assert (await ask(shop, OFFERS, form | again)).status == 303
        assert sent(shop, CounterOffered) == 1


async def test_a_program_may_have_a_doubtful_price_refused_and_else_its_offer_is_taken(
    shop: Storefront,
) -> None:
    """Shown is €9.00. The same key is good for the offer that the program then confirms."""
    headers = {"authorization": f"Bearer {A.key('seller')}", "idempotency-key": "0123456789abcdef"}
    body = {"unit_price": 90, "minimum_reservations": 50}

    async def offer(**more: object) -> Answer:
        path = f"/api/v1/auctions/{B.auction_id}/offers"
        return await shop.ask("POST", path, A.client, headers=headers, body=body | more)

    doubted = await offer(refuse_if_doubtful=True)
    assert doubted.status == 422
    (problem,) = json.loads(doubted.text)["problems"]
    assert (problem["field"], problem["code"]) == ("unit_price", "doubtful-price")
    assert problem["params"] == {"percent": 90, "shown": 900}
    assert sent(shop, CounterOffered) == 0
    assert (await offer()).status in (201, 202)
    assert sent(shop, CounterOffered) == 1


@pytest.mark.parametrize(
    ("standing", "words"),
    [("pending", "once an administrator has approved you"), ("suspended", "for now")],
)
async def test_who_may_make_no_offer_reads_so_instead_of_the_form(
    url: str, shop: Storefront, standing: Standing, words: str
) -> None:
    await write(url, seller(standing).model_copy(update={"seller_id": A.seller_id, "version": 2}))
    for path in ("/seller/open", f"/seller/auctions/{B.auction_id}"):
        page = (await ask(shop, path)).text
        holds(
            plain(page), {"pending": "once an administrator has", "suspended": "for now"}[standing]
        )
        assert 'name="price"' not in page
    assert 'href="/seller/open"' not in (await ask(shop, "/seller")).text


@pytest.mark.parametrize(
    ("own", "language", "currency"),
    [("GBP", "en", "GBP"), (None, "en", "USD"), (None, "ja", "USD"), ("", "ja", "JPY")],
    ids=["the seller's last", "that of most", "that of most in Japanese", "the reader's"],
)
async def test_a_new_auction_has_the_currency_that_the_seller_most_likely_means(
    url: str, own: str | None, language: str, currency: str
) -> None:
    await write(url, *(each for each in facts(A) if each.type in ("Seller", "ApiKey")))  # type: ignore[attr-defined]
    if own != "":
        await write(url, auction(currency="EUR"))
        await write(url, *(definition(number, currency="USD") for number in range(2)))
    if own:
        mine = {"opened_by": A.seller_id, "opened_at": NOW, "status": "failed"}
        await write(url, auction(auction_id="a-8", currency=own, **mine))
        earlier = mine | {"opened_at": NOW - timedelta(days=9), "closes_at": NOW}
        await write(url, auction(auction_id="a-9", currency="CHF", **earlier))
    with storefront_on(url) as shop:
        page = (await ask(shop, "/seller/open", language=language)).text
        await shop.close()
    assert f'<option value="{currency}" selected>' in page


async def test_an_offer_that_was_outbid_is_said_to_be_with_the_way_to_improve_it(
    url: str, shop: Storefront
) -> None:
    mine = OfferJudged(
        offer_id="o-9", auction_id=B.auction_id, seller_id=A.seller_id, verdict="shown",
        reason="better",
    )  # fmt: skip
    await write(url, mine)
    desk = await ask(shop, "/seller")
    holds(plain(desk.text), "A better offer took its place", "Make a better offer", "Desk")
    assert "so it is on the page now" not in desk.text
    (way,) = re.findall(r'href="([^"]+)#counter"', desk.text)
    page = (await ask(shop, way)).text
    form = plain(page)
    assert len(set(re.findall(r"(?:Offer|For example) (\S+)", form))) == 1, "both name the highest"
    assert 'data-part="example">For example' in page, "and fall with the price while it is open"


async def test_an_empty_desk_has_the_button_that_opens_an_auction(
    url: str,
) -> None:
    await write(url, *(each for each in facts(A) if each.type in ("Seller", "ApiKey")))  # type: ignore[attr-defined]
    with storefront_on(url) as shop:
        page = (await ask(shop, "/seller")).text
        await shop.close()
    assert page.count('href="/seller/open"') == 1


async def test_an_auction_is_withdrawn_only_after_a_question(shop: Storefront) -> None:
    desk = (await ask(shop, f"/seller/auctions/{A.auction_id}")).text
    path = f"/seller/auctions/{A.auction_id}/withdraw"
    assert f'action="{path}"' not in desk
    assert f'href="{path}"' in desk
    question = (await ask(shop, path)).text
    holds(plain(question), "Withdraw the auction?", "Camera")
    assert f'method="post" action="{path}"' in question


async def test_a_withdrawn_auction_is_dated_when_it_was_withdrawn(
    url: str, shop: Storefront
) -> None:
    closes_at = NOW.replace(year=NOW.year + 3)
    gone = auction(status="withdrawn", version=2, opened_by=A.seller_id, closes_at=closes_at)
    await write(url, gone)  # recorded a second after 1970 began
    for path in ("/auctions/a-1", "/seller/auctions/a-1"):
        page = (await ask(shop, path)).text
        (day,) = re.findall(r"<dt>Withdrawn</dt><dd>.*?datetime=\"([0-9]{4})", page)
        assert day == "1970"
        assert "<dt>Closed</dt>" not in page
    story = (await ask(shop, "/auctions/a-1")).text.partition('class="story"')[2]
    assert str(closes_at.year) not in story.partition("</ol>")[0]
