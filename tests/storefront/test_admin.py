"""The admin's pages over a read model: who may see them, what each act sends, and how often."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from markupsafe import escape

from domain.orders import deadline
from runtime.clients import TransportError
from schemas.auctions import Seller
from schemas.erasure import Place
from schemas.favors import FavorDecision
from schemas.groups import RequestRefused
from schemas.letters import LetterResend
from schemas.ops import ApiKey
from schemas.parts import Message, Problem
from schemas.people import Person
from schemas.shops import Shop
from services.storefront.commands.sender import Sender
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_read_model import auction, definition, group, state, write
from tests.storefront.test_todos import CLIENT, NOW, key_of, letter_of, task
from tests.storefront.test_two_visitors import ADMINS, WALKS, A, filled
from texts.erasure import STAYS

SHOP, SHOP_KEY = key_of("shop-0")
SELLER, SELLER_KEY = key_of("seller-1", "seller")
#: A name as long as one may be, without a place to break.
LONG = "N" * 200


def seller(number: int, standing: str = "pending", **fields: Any) -> Seller:
    said = {
        "seller_id": f"seller-{number}",
        "name": f"Seller {number}",
        "email": f"s{number}@sellers.example",
        "registered_at": NOW - timedelta(days=number),
        "standing": standing,
        "standings": ({"standing": standing, "since": NOW},),
        "version": 1,
    }
    return Seller.model_validate(said | fields)


def person(person_id: str, email: str, minute: int = 0) -> Person:
    return Person(person_id=person_id, email=email, seen_at=NOW + timedelta(minutes=minute))


WORLD: tuple[Message, ...] = (
    *(SHOP, SELLER, definition(0), definition(1)),
    *(seller(1), seller(2), seller(3, "good"), seller(4, "suspended", name=LONG)),
    *(group(0), state(0), group(9), state(9, quantity=3), auction(0)),
    *(letter_of(0, "n-0"), letter_of(9, "n-9", status="sent", reply="250 ok")),
    *(person("m-ann", "Ann@people.example"), person("shop-0:ann", "ann@people.example", 1)),
    task("record", about="orders/0/7"),
)


@pytest.fixture
async def storefront(url: str) -> AsyncIterator[Storefront]:
    await write(url, *WORLD)
    with storefront_on(url) as made:
        yield made
        await made.close()


async def form(storefront: Storefront, path: str, cookie: str = "", **fields: str) -> Answer:
    headers = {"origin": PAGE_URL, **({"cookie": cookie} if cookie else {})}
    return await storefront.ask("POST", path, CLIENT, headers=headers, form=fields)


async def signed_in(storefront: Storefront, key: str = ADMIN_KEY) -> str:
    answer = await form(storefront, "/sign-in", key=key)
    assert answer.status == 303
    return answer.headers["set-cookie"].partition(";")[0]


async def see(storefront: Storefront, path: str, cookie: str = "", lang: str = "en") -> Answer:
    headers = {"accept-language": lang, **({"cookie": cookie} if cookie else {})}
    return await storefront.ask("GET", path, CLIENT, headers=headers)


async def api(storefront: Storefront, method: str, path: str, body: Any = None) -> Answer:
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    return await storefront.ask(method, f"/api/v1{path}", CLIENT, headers=headers, body=body)


async def taken(storefront: Storefront, url: str) -> list[Message]:
    """What was sent, which from now on is in the read model if it is a fact."""
    sent = [message for _, message in storefront.sent]
    facts = [each for each in sent if isinstance(each, ApiKey) or "published_at" in dict(each)]
    await write(url, *facts)
    storefront.sent.clear()
    return sent


# --- who may -------------------------------------------------------------------------------------

PAGES = [route for route, walk in WALKS.items() if walk.by == ADMINS]


def test_all_pages_of_the_admin_are_walked_as_the_admin() -> None:
    under = [route for route in WALKS if route.partition(" ")[2].startswith("/admin")]
    assert sorted(under) == sorted(PAGES)


@pytest.mark.parametrize("route", PAGES)
async def test_a_page_of_the_admin_answers_nobody_else(storefront: Storefront, route: str) -> None:
    """It says nothing of what it is about, not even whether that exists."""
    method, walk = route.partition(" ")[0], WALKS[route]
    texts = set()
    for key in ("", SHOP_KEY, SELLER_KEY):
        cookie = await signed_in(storefront, key) if key else ""
        answer = await storefront.ask(
            method,
            filled(route, A, walk),
            CLIENT,
            headers={"origin": PAGE_URL, **({"cookie": cookie} if cookie else {})},
            form=walk.form(A) if walk.form else None,
        )
        assert answer.status == 401
        assert 'action="/sign-in?next=%2Fadmin' in answer.text
        texts.add(re.sub(r'data-now="[^"]+"', "", answer.text))
    assert len(texts) == 1
    assert storefront.sent == []


@pytest.mark.parametrize("route", [each for each in PAGES if each.startswith("POST")])
async def test_another_site_s_form_does_nothing(storefront: Storefront, route: str) -> None:
    walk, cookie = WALKS[route], await signed_in(storefront)
    answer = await storefront.ask(
        "POST",
        filled(route, A, walk),
        CLIENT,
        headers={"origin": "https://evil.example", "cookie": cookie},
        form=walk.form(A) if walk.form else {},
    )
    assert (answer.status, storefront.sent) == (403, [])


async def test_its_pages_are_not_kept_and_not_indexed(storefront: Storefront) -> None:
    answer = await see(storefront, "/admin", await signed_in(storefront))
    assert answer.headers["cache-control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in answer.text


async def test_the_cookie_is_for_our_pages_alone(storefront: Storefront) -> None:
    answer = await form(storefront, "/sign-in", key=ADMIN_KEY)
    cookie = answer.headers["set-cookie"].lower()
    assert all(each in cookie for each in ("httponly", "samesite=lax", "secure"))
    assert ADMIN_KEY not in cookie


# --- signing in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "then", "place"),
    [
        (ADMIN_KEY, "", "/admin"),
        (ADMIN_KEY, "/admin/letters", "/admin/letters"),
        (ADMIN_KEY, "/seller/open", "/admin"),
        (SHOP_KEY, "", "/todo"),
        (SHOP_KEY, "/admin/letters", "/todo"),
        (SELLER_KEY, "", "/seller"),
        (SELLER_KEY, "/seller/open", "/seller/open"),
        (ADMIN_KEY, "https://evil.example", "/admin"),
        (ADMIN_KEY, "//evil.example/admin", "/admin"),
        (ADMIN_KEY, "/admin/\\evil.example", "/admin"),
        (ADMIN_KEY, "/administer", "/admin"),
    ],
)
async def test_a_key_leads_to_what_its_holder_may_see(
    storefront: Storefront, key: str, then: str, place: str
) -> None:
    answer = await form(storefront, f"/sign-in?{urlencode({'next': then})}", key=key)
    assert (answer.status, answer.headers["location"]) == (303, place)


async def test_keys_can_be_tried_only_so_often(url: str) -> None:
    """Also the right one is not looked at any more; another address still can sign in."""
    with storefront_on(url, sign_ins_per_hour=3) as storefront:
        tries = [(await form(storefront, "/sign-in", key="wrong")).status for _ in range(3)]
        over = await form(storefront, "/sign-in", key=ADMIN_KEY)
        other = await storefront.ask(
            "POST", "/sign-in", "198.51.100.7", headers={"origin": PAGE_URL},
            form={"key": ADMIN_KEY},
        )  # fmt: skip
        await storefront.close()
    assert (tries, over.status, other.status) == ([422, 422, 422], 429, 303)
    assert "set-cookie" not in over.headers
    assert int(over.headers["retry-after"]) > 0


# --- the overview --------------------------------------------------------------------------------


async def test_the_overview_counts_what_needs_a_person(storefront: Storefront) -> None:
    text = (await see(storefront, "/admin", await signed_in(storefront))).text
    found = dict(re.findall(r'<dt><a href="([^"]+)">[^<]*</a></dt><dd>(\d+)</dd>', text))
    assert found["/admin/sellers?standing=pending"] == "2"
    assert found["/admin/letters"] == "1"
    assert found["/admin/todo?kind=record"] == "1"
    assert found["/admin/todo?kind=payment"] == "0"
    assert "What to do first" not in text


async def test_the_overview_names_shops_that_buyers_do_not_know(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront)
    text = (await see(storefront, "/admin", cookie)).text
    assert "Buyers don&#39;t see who sells" in text
    ids = re.findall(r'href="/shops/([^"/]+)/edit"', text)
    assert ids
    await write(url, *(Shop(shop_id=each, name="Leaf Tea", at=NOW, version=1) for each in ids))
    assert "see who sells" not in (await see(storefront, "/admin", cookie)).text


async def test_an_empty_deployment_says_what_to_do_first(url: str) -> None:
    with storefront_on(url) as storefront:
        cookie = await signed_in(storefront)
        text = (await see(storefront, "/admin", cookie)).text
        assert "What to do first" in text
        assert "There is nothing to do right now." in text
        await write(url, SHOP)
        assert text.count(">Done<") == 0
        assert (await see(storefront, "/admin", cookie)).text.count(">Done<") == 1
        await storefront.close()


# --- sellers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["seller-1", "seller-2", "seller-3", "seller-4"]),
        ("?standing=pending", ["seller-2", "seller-1"]),
        ("?standing=good", ["seller-3"]),
        ("?standing=suspended", ["seller-4"]),
        ("?q=seller+2", ["seller-2"]),
        ("?q=nobody", []),
    ],
)
async def test_sellers_are_listed_by_standing_and_name(
    storefront: Storefront, query: str, ids: list[str]
) -> None:
    text = (await see(storefront, f"/admin/sellers{query}", await signed_in(storefront))).text
    assert re.findall(r'href="/admin/sellers/([^"]+)"', text) == ids


@pytest.mark.parametrize(
    ("seller_id", "act", "fields", "kind"),
    [
        ("seller-1", "approval", {}, "SellerApproved"),
        ("seller-3", "suspension", {"reason": "fraud"}, "SellerSuspended"),
        ("seller-4", "reinstatement", {}, "SellerReinstated"),
    ],
)
async def test_a_seller_is_acted_on_once(
    storefront: Storefront, url: str, seller_id: str, act: str, fields: dict[str, str], kind: str
) -> None:
    cookie, place = await signed_in(storefront), f"/admin/sellers/{seller_id}"
    answer = await form(storefront, f"{place}/{act}", cookie, **fields)
    assert answer.headers["location"] == f"{place}?done={act}"
    assert [type(message).__name__ for _, message in storefront.sent] == [kind]
    storefront.sent.clear()
    good = "suspended" if act == "suspension" else "good"
    number = int(seller_id[-1])
    await write(url, seller(number, good, version=2))
    assert (await form(storefront, f"{place}/{act}", cookie, **fields)).status == 303
    assert storefront.sent == []


async def test_a_suspension_needs_its_reason_and_an_impossible_act_says_why(
    storefront: Storefront,
) -> None:
    cookie = await signed_in(storefront)
    empty = await form(storefront, "/admin/sellers/seller-3/suspension", cookie)
    assert (empty.status, 'aria-invalid="true"' in empty.text) == (422, True)
    impossible = await form(storefront, "/admin/sellers/seller-4/approval", cookie)
    assert (impossible.status, "reinstate instead" in impossible.text) == (422, True)
    assert (await see(storefront, "/admin/sellers/nobody", cookie)).status == 404
    assert storefront.sent == []


# --- keys ----------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_a_form_that_is_sent_twice_issues_one(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront)
    said = {"shop": "book-shop", "once": "a" * 32}
    answers = [await form(storefront, "/admin/shops", cookie, **said) for _ in range(2)]
    keys = [re.findall(r"jb_[0-9a-f]{16}_[0-9a-f]{40}", each.text) for each in answers]
    assert [each.status for each in answers] == [201, 201]
    assert len(set(keys[0])) == 1
    assert keys[0] == keys[1], "a double click still shows it"
    sent = await taken(storefront, url)
    assert len({each.key for each in sent}) == 1
    await form(storefront, "/admin/shops", cookie, **said)
    assert storefront.sent == []
    page = await see(storefront, "/admin/shops/book-shop", cookie)
    assert keys[0][0] not in page.text
    assert sent[0].key in page.text
    other = await form(storefront, "/admin/shops", cookie, shop="book-shop", once="b" * 32)
    assert keys[0][0] not in other.text


async def test_a_form_s_key_is_not_shown_again_later(storefront: Storefront, url: str) -> None:
    cookie, said = await signed_in(storefront), {"shop": "book-shop", "once": "a" * 32}
    await form(storefront, "/admin/shops", cookie, **said)
    (key,) = await taken(storefront, url)
    assert isinstance(key, ApiKey)
    old = {"issued_at": NOW - timedelta(minutes=2), "version": 2}
    await write(url, key.model_copy(update=old))
    again = await form(storefront, "/admin/shops", cookie, **said)
    assert (again.status, "jb_" in again.text, storefront.sent) == (409, False, [])


@pytest.mark.parametrize("shop_id", ["", "a/b", "a:b", "storefront", "x" * 65, "a\x07"])
async def test_an_impossible_shop_gets_no_key(storefront: Storefront, shop_id: str) -> None:
    answer = await form(storefront, "/admin/shops", await signed_in(storefront), shop=shop_id)
    assert (answer.status, storefront.sent) == (422, [])


async def test_shops_are_known_by_definitions_and_keys(storefront: Storefront) -> None:
    text = (await see(storefront, "/admin/shops", await signed_in(storefront))).text
    assert re.findall(r'href="/admin/shops/([^"]+)"', text) == ["shop-0", "shop-1"]
    assert text.count("No key has been issued yet.") == 1
    items = (await api(storefront, "GET", "/shops")).json["items"]
    assert [(each["shop_id"], each["issued_at"] is None) for each in items] == [
        ("shop-0", False),
        ("shop-1", True),
    ]


async def test_a_key_is_revoked_once_and_only_if_somebody_is_sure(
    storefront: Storefront, url: str
) -> None:
    cookie, place = await signed_in(storefront), f"/admin/keys/{SHOP.key_id}"
    assert (await form(storefront, place, cookie)).status == 422
    assert storefront.sent == []
    answer = await form(storefront, place, cookie, sure="yes")
    assert answer.headers["location"] == "/admin/shops/shop-0?done=revoked"
    (ended,) = await taken(storefront, url)
    assert isinstance(ended, ApiKey)
    assert ended.revoked_at is not None
    assert (await form(storefront, place, cookie, sure="yes")).status == 303
    assert storefront.sent == []
    assert "Revoked" in (await see(storefront, "/admin/shops/shop-0", cookie)).text
    assert (await see(storefront, "/admin/keys/none", cookie)).status == 404


async def test_the_api_lists_keys_without_their_digests(storefront: Storefront) -> None:
    answer = await api(storefront, "GET", "/keys?role=shop&holder_id=shop-0")
    assert [each["key_id"] for each in answer.json["items"]] == [SHOP.key_id]
    assert SHOP.digest not in answer.text
    every = (await api(storefront, "GET", "/keys")).json["items"]
    assert {each["holder_id"] for each in every} == {"shop-0", "seller-1"}


# --- definitions ---------------------------------------------------------------------------------

FORM = {
    **{"shop": "shop-0", "name": "Sencha", "product_id": "sencha-1", "price": "24.00"},
    **{"currency": "EUR", "starts": "from_quantity", "scope": "member", "payers": "member"},
    **{"if_incomplete": "none", "method_shop": "yes", "method_invoice": "yes"},
    **{"number_min": "2", "number_max": "50", "days_max": "30", "once": "c" * 32},
}
LADDER = {
    **{"start_1": "5", "gives_1": "percent_off", "value_1": "2.5"},
    **{"start_3": "10", "gives_3": "amount_off", "value_3": "1.20"},
    **{"start_4": "20", "gives_4": "unit_price", "value_4": "20"},
    **{"start_6": "30", "gives_6": "gift", "value_6": "a mug"},
}


async def test_a_definition_is_published_by_a_form_once(storefront: Storefront, url: str) -> None:
    cookie = await signed_in(storefront)
    first = await form(storefront, "/admin/publish", cookie, **FORM, **LADDER)
    (made,) = await taken(storefront, url)
    said: Any = made
    assert first.headers["location"] == f"/admin/definitions/{said.definition_id}?done=published"
    assert (said.shop_id, said.unit_price, said.if_incomplete) == ("shop-0", 2400, "none")
    assert said.payment.methods == ("shop", "invoice")
    assert said.limits.model_dump() == {"number_min": 2, "number_max": 50, "period_days_max": 30}
    assert [each.model_dump(exclude_none=True) for each in said.favor.tiers] == [
        {"from_quantity": 5, "percent_off": 2.5},
        {"from_quantity": 10, "amount_off": 120},
        {"from_quantity": 20, "unit_price": 2000},
        {"from_quantity": 30, "gift": "a mug"},
    ]
    again = await form(storefront, "/admin/publish", cookie, **FORM, **LADDER)
    assert (again.headers["location"], storefront.sent) == (first.headers["location"], [])
    page = await see(storefront, first.headers["location"], cookie)
    assert "The definition is published." in page.text


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({"name": ""}, "name"),
        ({"shop": ""}, "shop"),
        ({"shop": "a/b"}, "shop"),
        ({"price": "24.005"}, "price"),
        ({"price": "free"}, "price"),
        ({"currency": "EURO"}, "currency"),
        ({"start_1": "five", "value_1": "5"}, "start_1"),
        ({"start_1": "5", "value_1": ""}, "value_1"),
        ({"start_1": "5", "value_1": "five"}, "value_1"),
        ({"start_1": "5", "value_1": "101"}, "value_1"),
        ({"start_1": "5", "gives_1": "unit_price", "value_1": "30"}, "value_1"),
        ({"start_1": "5", "gives_1": "luck", "value_1": "30"}, "gives_1"),
        ({"number_min": "60"}, "number_min"),
        ({"number_max": "0"}, "number_max"),
        ({"days_max": "x"}, "days_max"),
        ({"method_shop": "", "method_invoice": ""}, "methods"),
    ],
)
async def test_what_can_t_be_published_is_named_at_its_field(
    storefront: Storefront, fields: dict[str, str], at: str
) -> None:
    cookie = await signed_in(storefront)
    given = FORM | {"gives_1": "percent_off"} | fields
    answer = await form(storefront, "/admin/publish", cookie, **given)
    assert (answer.status, storefront.sent) == (422, [])
    assert re.findall(r'<li><a href="#f-([^"]+)"', answer.text) == [at]
    assert f'id="p-{at}"' in answer.text
    assert 'value="sencha-1"' in answer.text, "what was typed is kept"


async def test_a_change_keeps_what_the_form_does_not_ask_for_and_loses_to_a_faster_one(
    storefront: Storefront, url: str
) -> None:
    cookie, place = await signed_in(storefront), "/admin/definitions/d-000/publish"
    page = (await see(storefront, place, cookie)).text
    values = dict(re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', page))
    assert (values["name"], values["price"], values["version"]) == ("Green tea", "9.00", "1")
    changed = {**FORM, "version": "1", "name": "Green tea, 1 kg"}
    await form(storefront, place, cookie, **changed)
    (made,) = await taken(storefront, url)
    said: Any = made
    assert (said.definition_id, said.version, said.shop_id) == ("d-000", 2, "shop-0")
    late = await form(storefront, place, cookie, **changed)
    assert late.headers["location"] == "/admin/definitions/d-000?done=changed"
    assert storefront.sent == []


async def test_a_definition_is_withdrawn_once_and_only_if_somebody_is_sure(
    storefront: Storefront, url: str
) -> None:
    cookie, place = await signed_in(storefront), "/admin/definitions/d-001"
    assert (await form(storefront, f"{place}/withdraw", cookie)).status == 422
    assert storefront.sent == []
    for times in (1, 0):
        answer = await form(storefront, f"{place}/withdraw", cookie, sure="yes")
        assert answer.headers["location"] == f"{place}?done=withdrawn"
        assert len(await taken(storefront, url)) == times


# --- letters -------------------------------------------------------------------------------------


async def letters_shown(storefront: Storefront, query: str, cookie: str) -> list[str]:
    text = (await see(storefront, f"/admin/letters{query}", cookie)).text
    return re.findall(r'href="/admin/letters/([^"]+)"', text)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["n-0"]),
        ("?state=sent", ["n-9"]),
        ("?state=waiting", []),
        ("?about=g-009", ["n-9"]),
        ("?about=g-009&state=undelivered", []),
        ("?to=m-ann", ["n-0", "n-9"]),
        ("?to=nobody", []),
    ],
)
async def test_letters_are_found_and_the_undelivered_come_first(
    storefront: Storefront, query: str, ids: list[str]
) -> None:
    found = await letters_shown(storefront, query, await signed_in(storefront))
    assert sorted(found) == ids


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("g-009", "/admin/letters?about=g-009"),
        ("m-ann", "/admin/letters?to=m-ann"),
        (" nobody ", "/admin/letters?to=nobody"),
    ],
)
async def test_a_search_for_letters_leads_to_them(
    storefront: Storefront, asked: str, place: str
) -> None:
    answer = await form(storefront, "/admin/letters", await signed_in(storefront), q=asked)
    assert answer.headers["location"] == place


async def test_an_address_leads_to_its_people_and_stands_in_no_address_bar(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront)
    several = await form(storefront, "/admin/letters", cookie, q="ANN@people.example")
    assert several.status == 200
    assert re.findall(r'/admin/letters\?to=([^"]+)"', several.text) == ["shop-0%3Aann", "m-ann"]
    await write(url, deleted=(("people", "shop-0:ann"),))
    one = await form(storefront, "/admin/letters", cookie, q="ann@people.example")
    assert one.headers["location"] == "/admin/letters?to=m-ann"
    none = await form(storefront, "/admin/letters", cookie, q="bo@people.example")
    assert (none.status, "We found no letters." in none.text) == (200, True)
    odd = await form(storefront, "/admin/letters", cookie, q="ann@")
    assert (odd.status, 'href="#f-q"' in odd.text) == (422, True)


ASKED = "/admin/letters/n-0?version=1&done=asked"


async def test_a_letter_is_sent_again_once_for_each_state_it_is_in(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront)
    for _ in range(2):
        answer = await form(storefront, "/admin/letters/n-0", cookie, version="1")
        assert answer.headers["location"] == ASKED
    waiting = await see(storefront, ASKED, cookie)
    assert ("is being sent again" in waiting.text, "Send it again" in waiting.text) == (True, False)
    await api(storefront, "POST", "/letters/n-0/resend")
    sent = [message for _, message in storefront.sent]
    assert [type(each) for each in sent] == [LetterResend]
    storefront.sent.clear()
    # The notifier took it up, and the server refused it again.
    await write(url, letter_of(0, "n-0", version=3))
    seen = await see(storefront, ASKED, cookie)
    assert seen.headers["location"] == "/admin/letters/n-0?done=resent"
    assert "Send it again" in (await see(storefront, seen.headers["location"], cookie)).text
    late = await form(storefront, "/admin/letters/n-0", cookie, version="1")
    assert (late.headers["location"], storefront.sent) == ("/admin/letters/n-0?done=resent", [])
    assert (await api(storefront, "POST", "/letters/n-0/resend", {"version": 1})).status == 409
    assert (await api(storefront, "POST", "/letters/n-0/resend", {"version": 3})).status == 200
    assert len(storefront.sent) == 1


async def test_a_letter_that_could_not_be_asked_for_can_be_asked_for_again(
    storefront: Storefront, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise TransportError("no broker")

    with monkeypatch.context() as broken:
        broken.setattr(Sender, "send", away)
        assert (await api(storefront, "POST", "/letters/n-0/resend")).status == 503
    assert (await api(storefront, "POST", "/letters/n-0/resend")).status == 200
    assert len(storefront.sent) == 1


@pytest.mark.parametrize(("age", "status"), [(29, 200), (30, 422)])
async def test_a_letter_that_is_no_longer_kept_is_not_asked_for(
    storefront: Storefront, url: str, age: int, status: int
) -> None:
    await write(url, letter_of(0, "n-old", queued_at=NOW - timedelta(days=age)))
    assert (await api(storefront, "POST", "/letters/n-old/resend")).status == status
    assert len(storefront.sent) == (status == 200)
    page = await see(storefront, "/admin/letters/n-old", await signed_in(storefront))
    assert ("Send it again" in page.text) == (status == 200)


async def test_no_page_or_answer_about_letters_repeats_an_address(
    storefront: Storefront, url: str
) -> None:
    await write(url, letter_of(0, "n-1", reply="550 <ann@people.example> unknown"))
    cookie = await signed_in(storefront)
    for answer in (
        await see(storefront, "/admin/letters", cookie),
        await see(storefront, "/admin/letters/n-1", cookie),
        await api(storefront, "GET", "/letters"),
        await api(storefront, "GET", "/letters/n-1"),
    ):
        assert answer.status == 200
        assert "ann@people.example" not in answer.text
        assert "550" in answer.text


# --- groups and auctions -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["g-000"]),
        ("?status=open", ["g-000"]),
        ("?status=complete", []),
        ("?unlisted=yes", ["g-009"]),
        ("?unlisted=yes&q=lamp", ["g-009"]),
        ("?q=lamp", []),
        ("?q=green", ["g-000"]),
        ("?unlisted=yes&q=green", []),
    ],
)
async def test_groups_are_found_listed_or_not(
    storefront: Storefront, query: str, ids: list[str]
) -> None:
    text = (await see(storefront, f"/admin/groups{query}", await signed_in(storefront))).text
    assert re.findall(r'href="/admin/groups/([^"]+)"', text) == ids


async def test_an_unlisted_group_stays_off_the_public_lists(storefront: Storefront) -> None:
    for query in ("", "?q=lamp"):
        assert "g-009" not in (await see(storefront, f"/{query}")).text
        assert "g-009" not in (await api(storefront, "GET", f"/group-purchases{query}")).text


@pytest.mark.parametrize(
    ("area", "asked", "place"),
    [
        ("groups", "g-009", "/admin/groups/g-009"),
        ("auctions", "a-000", "/admin/auctions/a-000"),
        ("definitions", "d-001", "/admin/definitions/d-001"),
        ("sellers", "seller-4", "/admin/sellers/seller-4"),
    ],
)
async def test_an_id_leads_to_what_it_names(
    storefront: Storefront, area: str, asked: str, place: str
) -> None:
    answer = await see(storefront, f"/admin/{area}?q={asked}", await signed_in(storefront))
    assert (answer.status, answer.headers["location"]) == (303, place)


async def test_a_refused_request_says_why(storefront: Storefront, url: str) -> None:
    problem = Problem(field="closes_at", problem="is past", code="closes-before-request")
    await write(url, RequestRefused(request_id="r-77", refused_at=NOW, problems=(problem,)))
    text = (await see(storefront, "/admin/groups?q=r-77", await signed_in(storefront))).text
    assert "The request r-77 was refused" in text


async def test_a_group_says_why_it_stands_as_it_does(storefront: Storefront, url: str) -> None:
    cookie = await signed_in(storefront)
    assert "Open until" in (await see(storefront, "/admin/groups/g-000", cookie)).text
    of = group(0)
    ended = {"status": "elapsed", "closed_at": deadline(of.closes_at, of.grace_seconds)}
    decided = FavorDecision(
        group_id="g-000", request_id="r-0", version=1, total=0, currency="EUR", members=1
    )
    await write(url, state(0, 3, **ended), decided)
    text = (await see(storefront, "/admin/groups/g-000", cookie)).text
    assert "It closed when its time was over" in text
    assert "No step of the discount was reached." in text
    assert "jointbuy why g-000" in text
    early = {"status": "complete", "closed_at": of.closes_at - timedelta(hours=1)}
    await write(url, state(0, 4, **early))
    text = (await see(storefront, "/admin/groups/g-000", cookie)).text
    assert "It closed when it reached its goal" in text


# --- people --------------------------------------------------------------------------------------


async def test_a_person_is_found_by_an_address_in_any_spelling(storefront: Storefront) -> None:
    cookie = await signed_in(storefront)
    found = await form(storefront, "/admin/people", cookie, q="ANN@PEOPLE.example")
    assert re.findall(r'href="/admin/people/([^"]+)"', found.text) == ["shop-0%3Aann", "m-ann"]
    by_id = await form(storefront, "/admin/people", cookie, q="shop-0:ann")
    assert by_id.headers["location"] == "/admin/people/shop-0%3Aann"
    searched = await api(storefront, "POST", "/people/search", {"email": "ann@people.example"})
    items = searched.json["items"]
    assert [each["person_id"] for each in items] == ["shop-0:ann", "m-ann"]


@pytest.mark.parametrize("asked", ["", "a/b", "bo@", "x" * 257])
async def test_what_is_neither_an_address_nor_an_id_is_said_to_be(
    storefront: Storefront, asked: str
) -> None:
    answer = await form(storefront, "/admin/people", await signed_in(storefront), q=asked)
    assert (answer.status, 'id="p-q"' in answer.text) == (422, True)


async def test_a_person_is_erased_only_if_somebody_is_sure(
    storefront: Storefront, url: str
) -> None:
    cookie, place = await signed_in(storefront), "/admin/people/m-ann"
    page = await see(storefront, place, cookie)
    assert "Ann@people.example" in page.text
    assert all(
        str(escape(said.why)) in page.text for place, said in STAYS.items() if place != Place.SELLER
    )
    file = await see(storefront, f"{place}/data.json", cookie)
    assert file.headers["content-disposition"] == 'attachment; filename="person.json"'
    assert file.json["address"]["email"] == "Ann@people.example"
    assert ((await form(storefront, place, cookie)).status, storefront.sent) == (422, [])
    answer = await form(storefront, place, cookie, sure="yes")
    assert answer.headers["location"] == f"{place}?done=erased"
    assert [topic for topic, _ in storefront.sent] == ["people"]
    await write(url, deleted=(("people", "m-ann"),))
    page = await see(storefront, f"{place}?done=erased", cookie)
    assert "Ann@people.example" not in page.text
    found = await form(storefront, "/admin/people", cookie, q="ann@people.example")
    assert "m-ann" not in found.text


# --- what strangers wrote ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", LONG]
)
async def test_strangers_words_break_no_page(storefront: Storefront, url: str, said: str) -> None:
    product = {"name": said}
    await write(
        url,
        seller(5, name=said),
        group(0, product=product, version=2),
        auction(0, product=product, version=2),
        definition(0, product=product, version=2),
        letter_of(0, "n-5", reply=said),
    )
    cookie = await signed_in(storefront)
    for path in (
        *("sellers", "sellers/seller-5", "groups", "groups/g-000", "auctions", "auctions/a-000"),
        *("definitions", "definitions/d-000", "definitions/d-000/publish", "letters"),
        *("letters/n-5", "shops/shop-0", f"sellers?q={'x' * 200}"),
    ):
        answer = await see(storefront, f"/admin/{path}", cookie)
        assert answer.status == 200, path
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert ">49<" not in answer.text
