"""The pages by which people join: what they agree to, what is left, what is next, what is paid."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from domain.ids import derive
from runtime.links import Links
from schemas.auctions import Applied, Auction
from schemas.groups import Definition, GroupPurchase
from schemas.orders import OrderPlaced, PurchaseRow, PurchaseState
from schemas.parts import Message
from schemas.payments import Payment
from schemas.shops import Shop
from services.storefront.formats import Formats
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, SECRET, Storefront, storefront_on
from tests.storefront.test_read_model import write

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
LINKS = Links(SECRET)
ID = derive("r-1")
#: With another check character.
MISTYPED = ID[:-1] + ("0" if ID[-1] != "0" else "1")
LADDER = ({"from_quantity": 30, "percent_off": 5}, {"from_quantity": 60, "amount_off": 500})
SHOP = Shop(
    shop_id="corner",
    name="Corner Shop",
    delivery="By parcel within 3 days.",
    terms_url="https://corner.example/terms",
    at=NOW,
    version=1,
)


def group(**fields: Any) -> GroupPurchase:
    said: dict[str, Any] = {
        "group_id": "g-1",
        "request_id": "r-1",
        "version": 1,
        "requested_at": NOW,
        "issued_at": NOW,
        "definition_id": "d-1",
        "organizer": {"id": "ada"},
        "product": {"name": "Sencha <1 kg>", "category": "Tea & more", "tags": ("Organic",)},
        "number_of_products": 100,
        "unit_price": 4_200,
        "currency": "EUR",
        "opens_at": NOW - HOUR,
        "closes_at": NOW + 50 * HOUR,
        "favor": {"tiers": LADDER},
        "payment": {"method": "card"},
        "shop_id": "corner",
    }
    return GroupPurchase.model_validate(said | fields)


def state(quantity: int, **fields: Any) -> PurchaseState:
    said: dict[str, Any] = {
        **{"group_id": "g-1", "request_id": "r-1", "version": 2, "status": "open"},
        **{"quantity": quantity, "value": quantity * 4_200, "currency": "EUR", "members": 3},
    }
    return PurchaseState.model_validate(said | fields)


def definition(**fields: Any) -> Definition:
    said: dict[str, Any] = {
        "definition_id": "d-1",
        "shop_id": "corner",
        "product": {"name": "Sencha"},
        "unit_price": 4_200,
        "currency": "EUR",
        "favor": {"tiers": LADDER},
        "published_at": NOW,
    }
    return Definition.model_validate(said | fields)


def auction(**fields: Any) -> Auction:
    said: dict[str, Any] = {
        **{"auction_id": "a-1", "version": 1, "status": "open", "opened_by": "s"},
        **{"product": {"name": "Camera"}, "opened_at": NOW - HOUR, "currency": "EUR"},
        "shown": {
            "offer_id": "o",
            "seller_id": "s",
            "unit_price": 119_900,
            "minimum_reservations": 45,
        },
        **{"minimum_step": 100, "reservations": 12, "applicants": 7, "invites_at": NOW},
        **{"closes_at": NOW + 5 * HOUR, "quantity_max_per_applicant": 8},
    }
    return Auction.model_validate(said | fields)


def row(member: str, quantity: int) -> PurchaseRow:
    said: dict[str, Any] = {
        **{"group_id": "g-1", "request_id": "r-1", "member_id": member, "version": 1},
        **{"quantity": quantity, "value": quantity * 4_200, "currency": "EUR", "orders": 1},
        "period": {"opens_at": NOW, "closes_at": NOW + HOUR},
        **{"first_ordered_at": NOW, "last_ordered_at": NOW},
    }
    return PurchaseRow.model_validate(said)


def by_card(member: str, status: str, **fields: Any) -> Payment:
    said: dict[str, Any] = {
        **{"payment_id": f"p-{member}", "group_id": "g-1", "member_id": member},
        **{"kind": "authorisation", "method": "card", "amount": 8_400, "currency": "EUR"},
        **{"status": status, "begun_at": NOW, "version": 1},
        "cause": {"kind": "order", "source": "storefront", "order_id": f"o-{member}"},
    }
    return Payment.model_validate(said | fields)


@pytest.fixture
async def shop(url: str) -> AsyncIterator[Storefront]:
    with storefront_on(url) as made:
        yield made
        await made.close()


async def text_of(
    shop: Storefront, path: str, status: int = 200, language: str = "en", **ask: Any
) -> str:
    """What a page says, in one line."""
    headers = {"accept-language": language, "origin": "https://shop.example"}
    method = "POST" if "form" in ask else "GET"
    headers |= ask.pop("headers", {})
    answer = await shop.ask(method, path, "192.0.2.1", headers=headers, **ask)
    assert answer.status == status, answer.text
    return plain(answer.text)


def plain(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u2068", "").split())


def holds(text: str, *said: str) -> None:
    missing = [each for each in said if each not in text]
    assert not missing, text


ORDER = f"/groups/g-1/order/{LINKS.token('order', 'g-1', '')}"
CONFIRM = "/confirm-order/" + LINKS.token(
    "confirm-order", "g-1", "m-1", "storefront", "w-1", "3", "2999-01-01T00:00:00+00:00"
)
UNTIL = (NOW + 50 * HOUR).strftime("%Y")


# --- what one agrees to --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "units", "total", "saved"),
    [(ORDER, "1 unit", "€42.00", "€2.10"), (CONFIRM, "3 units", "€126.00", "€6.30")],
    ids=["the form", "the page that confirms"],
)
async def test_the_form_and_the_page_that_confirms_say_all_that_an_order_agrees_to(
    url: str, shop: Storefront, path: str, units: str, total: str, saved: str
) -> None:
    await write(url, SHOP, group(), state(62))
    text = await text_of(shop, path)
    holds(text, "Sencha <1 kg>", "Price each €42.00", f"Total for {units} {total}")
    holds(text, "from 30 units 5% off reached €39.90", saved, "€5.00 off each reached €37.00")
    holds(text, "If the goal is not reached, the step reached by then applies.", UNTIL)
    holds(text, "By card", "your card is authorised.")
    holds(text, "Corner Shop", "By parcel within 3 days.", "Terms of the shop")
    japanese = await text_of(shop, path, language="ja")
    holds(japanese, "お申し込みの内容", total, saved, "By parcel within 3 days.")


async def test_what_the_shop_has_not_said_is_said_to_be_missing(url: str, shop: Storefront) -> None:
    await write(url, group(shop_id=None, definition_id=None), state(1))
    text = await text_of(shop, ORDER)
    holds(text, "has not said here how it delivers", "has not published its terms here")
    assert "Ask it" not in text
    await write(url, SHOP.model_copy(update={"delivery": None, "phone": "+49 30 123"}), group())
    holds(await text_of(shop, ORDER), "Ask it before you order: +49 30 123")


async def test_a_shop_that_says_nothing_of_itself_is_not_named_to_ask(
    url: str, shop: Storefront
) -> None:
    await write(url, group(payment={"method": "shop"}), state(1), definition())
    nameless = "The shop has not published its name and contact here."
    holds(await text_of(shop, "/groups/g-1"), f"Order at the shop and give this ID. {nameless}")
    text = await text_of(shop, "/definitions/d-1")
    holds(text, "The shop has not said here who it is and how it delivers.")
    assert "The shop delivers." not in text


async def test_the_form_to_start_says_when_the_group_would_close(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, definition())
    closes = Formats.of("en").day(datetime.now(UTC) + timedelta(days=14))
    text = await text_of(shop, "/definitions/d-1")
    holds(text, f"The group closes 14 days from now, on {closes}. You can withdraw it")


async def test_who_starts_a_group_reads_price_and_discount_before_the_form(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, definition())
    offered, _, form = (await text_of(shop, "/definitions/d-1")).partition("Your group")
    holds(offered, "€42.00", "5% off", "€39.90")
    holds(form, "How many units do you want to reach?")


async def test_a_group_s_page_says_what_a_unit_costs_at_each_step(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, group())
    holds(await text_of(shop, "/groups/g-1"), "5% off from 30 units · €39.90 each")


async def test_fields_that_narrow_the_lists_do_not_say_that_each_is_optional(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, definition())
    text = await text_of(shop, "/")
    holds(text, "Price each, from")
    assert "optional" not in text


async def test_a_reservation_says_all_in_its_form_and_where_it_is_confirmed(
    url: str, shop: Storefront
) -> None:
    await write(url, auction())
    confirm = f"/confirm/{LINKS.token('confirm-application', 'a-1', 'x', '3')}"
    earlier = f"/confirm/{LINKS.token('confirm-application', 'a-1', 'x')}"
    for path, total in (
        ("/auctions/a-1", "Total for 1 unit €1,199.00"),
        (confirm, "Units 3"),
        (confirm, "Total for 3 units €3,597.00"),
        (earlier, "Total for 1 unit €1,199.00"),
    ):
        text = await text_of(shop, path)
        holds(text, "Camera", "Price each, at most €1,199.00", total)
        holds(text, "Minimum number of reservations 45", "You pay nothing before the contract.")
        holds(text, "The seller with the best offer at the end delivers")
    assert "Units 1" not in await text_of(shop, earlier), "an early letter does not tell them"


async def test_an_offer_says_what_it_binds_to(url: str, shop: Storefront) -> None:
    await write(url, auction())
    path = f"/counter-offer/{LINKS.token('counter-offer', 'a-1', 's')}"
    text = await text_of(shop, path)
    holds(text, "What you agree to", "you deliver to everyone who reserved, at this price")


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ({"payment": {"method": "card"}}, "or pay it back to your card."),
        ({"payment": {"method": "invoice"}}, "a credit note takes off the discount"),
        ({"payment": {"method": "shop"}}, "the shop pays the discount back to you"),
        ({"payment": {"scope": "group", "method": "invoice"}}, "The organizer pays after"),
        ({"favor": {"tiers": ({"from_quantity": 2, "gift": "a cup"},)}}, None),
        ({"favor": {}}, None),
    ],
    ids=["card", "invoice", "shop", "the organizer pays", "a gift", "no discount"],
)
async def test_the_form_and_the_group_page_say_how_the_discount_comes(
    url: str, shop: Storefront, terms: dict[str, Any], says: str | None
) -> None:
    await write(url, SHOP, group(**terms), state(62))
    for path in (ORDER, "/groups/g-1"):
        text = await text_of(shop, path)
        if says:
            holds(text, says, "at the latest")
        else:
            assert "at the latest" not in text


@pytest.mark.parametrize(
    ("method", "says", "never"),
    [
        ("invoice", "We then send you the invoice.", "issued the invoice"),
        ("card", "and your card is authorised.", "invoice"),
    ],
)
async def test_one_sentence_says_when_an_order_counts(
    url: str, shop: Storefront, method: str, says: str, never: str
) -> None:
    await write(url, SHOP, group(payment={"method": method}), state(62))
    for path in (ORDER, "/groups/g-1", f"{ORDER}/done?state=unconfirmed"):
        text = await text_of(shop, path)
        assert text.count("Your order counts") == 1, text
        holds(text, says)
        assert never not in text, path


async def test_the_page_that_asks_to_look_for_the_email_names_the_typed_address(
    url: str, shop: Storefront
) -> None:
    """The address is in no address of a page, and a stranger with the link does not see it."""
    await write(url, SHOP, group(payment={"method": "invoice"}), state(62))
    form = {"quantity": "1", "email": "bo@people.example"}
    sent = await shop.ask("POST", ORDER, "192.0.2.1", headers={"origin": PAGE_URL}, form=form)
    assert sent.status == 303, sent.text
    path = sent.headers["location"]
    assert "state=unconfirmed" in path
    assert "people.example" not in path
    cookie = sent.headers["set-cookie"].partition(";")[0]
    for headers, is_named in (({"cookie": cookie}, True), ({}, False)):
        page = await shop.ask("GET", path, "192.0.2.1", headers=headers)
        assert ("bo@people.example" in page.text) is is_named


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Bo", ""),
        ("", ""),
        ("see evil.example", "leave out web and email addresses"),
        ("x" * 61, "is too long: give at most 60 characters"),
    ],
)
async def test_a_name_may_be_given_with_an_order_and_with_a_reservation(
    url: str, shop: Storefront, name: str, problem: str
) -> None:
    await write(url, SHOP, group(payment={"method": "invoice"}), state(62), auction())
    form = {"quantity": "1", "email": "bo@people.example", "name": name}
    for path in (ORDER, "/auctions/a-1/apply"):
        text = await text_of(shop, path, 422 if problem else 303, form=form)
        assert problem in text.lower()
    sent = [
        each.member_name if isinstance(each, OrderPlaced) else each.applicant.name
        for _, each in shop.sent
        if isinstance(each, OrderPlaced | Applied)
    ]
    assert sent == ([] if problem else [name or None] * 2)


# --- what is left --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stops", "most", "hint", "problem"),
    [
        (True, 38, "38 left: the group closes at its goal.", "38 left now: order at most 38"),
        (False, 100, "At most 100 in one order.", "at most 100"),
    ],
)
async def test_units_above_what_is_left_are_caught_in_the_form(
    url: str, shop: Storefront, stops: bool, most: int, hint: str, problem: str
) -> None:
    await write(url, group(stop_at_number=stops), state(62))
    answer = await shop.ask("GET", ORDER, "192.0.2.1")
    assert f'min="1" max="{most}"' in answer.text
    holds(plain(answer.text), hint)
    form = {"quantity": str(most + 1), "email": "bo@people.example"}
    holds(await text_of(shop, ORDER, 422, form=form), problem)
    assert not shop.sent
    await text_of(shop, ORDER, 303, form=form | {"quantity": str(most)})
    assert [each.quantity for _, each in shop.sent if hasattr(each, "quantity")] == [most]


async def test_a_reservation_above_the_limit_is_caught_in_the_form(
    url: str, shop: Storefront
) -> None:
    await write(url, auction())
    answer = await shop.ask("GET", "/auctions/a-1", "192.0.2.1")
    assert 'min="1" max="8"' in answer.text
    form = {"quantity": "9", "email": "bo@people.example"}
    holds(await text_of(shop, "/auctions/a-1/apply", 422, form=form), "at most 8")


# --- goals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "quantity", "goal"),
    [
        ({}, 10, "20 more units bring: 5% off"),
        ({}, 59, "1 more unit brings: €5.00 off each"),
        ({}, 62, "38 more units and the goal is reached"),
        ({}, 100, "The goal and all steps are reached"),
        (
            {"number_of_products": 20},
            10,
            "10 more units and the goal is reached (5% off only from 30 units)",
        ),
        ({"number_of_products": 30}, 10, "20 more units and the goal is reached: 5% off"),
        (
            {"number_of_products": 20},
            20,
            "The goal is reached. 10 more units bring: 5% off",
        ),
        ({"if_incomplete": "none"}, 62, "38 more units and the goal is reached: €5.00 off each"),
        ({"favor": {}}, 99, "1 more unit and the goal is reached"),
        ({"favor": {}}, 100, "The goal is reached"),
        (
            {"favor": {"tiers": ({"from_value": 100_000, "gift": "a cup"},)}},
            20,
            "€160.00 more in orders bring: a gift: a cup",
        ),
    ],
)
async def test_the_page_the_list_and_the_frame_name_one_and_the_same_goal(
    url: str, shop: Storefront, terms: dict[str, Any], quantity: int, goal: str
) -> None:
    await write(url, group(**terms), state(quantity))
    for path in ("/groups/g-1", "/", "/groups/g-1/embed", manage()):
        answer = await shop.ask("GET", path, "192.0.2.1")
        found = re.findall(r'<(p|span) class="go[ "][^>]*>(.*?)</\1>', answer.text)
        assert [unescape(text) for _, text in found] == [goal], path
    answer = await shop.ask("GET", "/groups/g-1", "192.0.2.1")
    described = re.search(r'name="description" content="([^"]*)"', answer.text)
    assert described
    assert f"{goal}." in unescape(described[1])


async def test_a_group_that_has_ended_has_no_goal_to_reach(url: str, shop: Storefront) -> None:
    await write(url, group(), state(62, status="elapsed", closed_at=NOW))
    for path in ("/groups/g-1", "/groups/g-1/embed", manage()):
        answer = await shop.ask("GET", path, "192.0.2.1")
        assert not re.search(r'class="go[ "]', answer.text)


async def test_a_goal_below_the_first_step_is_warned_of_and_taken_if_it_is_meant(
    url: str, shop: Storefront
) -> None:
    await write(url, definition())
    form = {"number": "29", "days": "7", "email": "bo@people.example"}
    text = await text_of(shop, "/definitions/d-1/start", 422, form=form)
    holds(text, "The first step (5% off) begins at 30 units, above your goal.")
    holds(text, "Start the group with this goal all the same")
    assert not shop.sent
    await text_of(shop, "/definitions/d-1/start", 303, form=form | {"anyway": "yes"})
    assert shop.sent
    shop.sent.clear()
    await text_of(shop, "/definitions/d-1/start", 303, form=form | {"number": "30"})
    assert shop.sent


async def test_a_goal_below_the_least_is_told_that_alone(url: str, shop: Storefront) -> None:
    await write(url, definition(limits={"number_min": 2}))
    form = {"number": "1", "days": "7", "email": "bo@people.example"}
    text = await text_of(shop, "/definitions/d-1/start", 422, form=form)
    holds(text, "How many units do you want to reach?", "Give at least 2.")
    assert "The first step" not in text


@pytest.mark.parametrize(("units", "says"), [(3, "3 of 3 ordered"), (4, "4 ordered (goal 3)")])
async def test_what_goes_beyond_a_goal_is_not_told_as_a_part_of_it(
    url: str, shop: Storefront, units: int, says: str
) -> None:
    await write(url, SHOP, group(number_of_products=3), state(units))
    for path in ("/", "/shops/corner", manage() + "/list"):
        holds(await text_of(shop, path), says)
    for path in (manage(), "/groups/g-1/embed"):
        assert (f"{units} ordered (goal 3)" in await text_of(shop, path)) == (units > 3)


@pytest.mark.parametrize("reserved", [12, 48])
async def test_reservations_beyond_the_minimum_are_not_told_as_a_part_of_it(
    url: str, shop: Storefront, reserved: int
) -> None:
    await write(url, auction(reservations=reserved))
    confirm = f"/confirm/{LINKS.token('confirm-application', 'a-1', 'x', '3')}"
    for path in ("/", "/auctions/a-1", "/auctions/a-1/embed", confirm):
        text = await text_of(shop, path)
        assert f"{reserved} of" not in text, path
        if path != confirm:
            holds(text, f"{reserved} reserved (minimum 45")


# --- what is paid --------------------------------------------------------------------------------


def manage() -> str:
    return f"/groups/g-1/manage/{LINKS.token('group', 'g-1', 'ada')}"


def payer(member: str) -> str:
    return LINKS.token("payer", "g-1", member, "")


MONEY: Sequence[Message] = (
    group(),
    state(6),
    *(row("bob", 1), row("carl", 2), row("dora", 3)),
    by_card("bob", "succeeded"),
    by_card("carl", "authorised"),
    by_card("dora", "pending", page="https://pay.example/1"),
    by_card("eve", "pending"),
)


@pytest.mark.parametrize(
    ("member", "title"),
    [("bob", "Paid"), ("carl", "Reserved on your card"), ("dora", "Unpaid"), ("eve", "Unpaid")],
)
async def test_pages_say_whether_an_order_is_paid(
    url: str, shop: Storefront, member: str, title: str
) -> None:
    await write(url, *MONEY)
    own = f"/groups/g-1/order/{LINKS.token('order', 'g-1', member)}"
    for path in (
        f"/groups/g-1/payments/{payer(member)}",
        f"{ORDER}/done?payments={payer(member)}",
        own,
    ):
        answer = await shop.ask("GET", path, "192.0.2.1")
        assert re.findall(r'<p class="title">([^<]*)', answer.text) == [title], path
        assert ("https://pay.example/1" in answer.text) == (member == "dora"), path


def invoice(member: str, amount: int = 8_400, **fields: Any) -> Payment:
    said = {"kind": "invoice", "method": "invoice", "amount": amount}
    return by_card(member, "pending", **(said | {"provider_reference": "g-1-I1"} | fields))


@pytest.mark.parametrize(
    ("payment", "says", "never"),
    [
        (invoice("bob"), "None of it is paid yet.", "by card"),
        (invoice("bob", received=4_200), "Some of it is not paid yet.", "by card"),
        (
            by_card("bob", "pending"),
            "None of it is paid yet. An order by card counts once its payment has gone through.",
            "invoice",
        ),
    ],
    ids=["an invoice", "an invoice in part", "a card"],
)
async def test_what_is_unpaid_is_told_in_words_that_fit_its_method(
    url: str, shop: Storefront, payment: Payment, says: str, never: str
) -> None:
    await write(url, SHOP, group(payment={"method": payment.method}), state(2), payment)
    text = await text_of(shop, f"/groups/g-1/payments/{payer('bob')}")
    holds(text, "Unpaid", says, "sold by Corner Shop")
    assert never not in text.partition(says)[0] + text.partition(says)[2][:40]


async def test_the_organizer_sees_who_has_paid_and_how_many_orders_wait(
    url: str, shop: Storefront
) -> None:
    await write(url, *MONEY)
    text = await text_of(shop, manage())
    holds(text, "bob 1 Paid €42.00", "carl 2 Reserved on card €84.00", "dora 3 Unpaid €126.00")
    holds(text, "2 orders by card wait for their payment, and do not count yet.")
    await write(url, by_card("eve", "authorised", version=2))
    holds(await text_of(shop, manage()), "1 order by card waits for its payment")


async def test_where_the_shop_is_paid_what_counts_is_paid(url: str, shop: Storefront) -> None:
    await write(url, group(payment={"method": "shop"}), state(1), row("bob", 1), row("carl", 0))
    text = await text_of(shop, manage())
    holds(text, "bob 1 Paid €42.00", "carl 0 €0.00")
    assert text.count("Paid") == 1, "bob"


async def test_where_the_organizer_pays_no_buyer_is_said_to_owe_anything(
    url: str, shop: Storefront
) -> None:
    await write(
        url, group(payment={"scope": "group", "method": "invoice"}), state(1), row("bob", 1)
    )
    text = await text_of(shop, manage())
    assert "Unpaid" not in text
    assert "Payment" not in text.partition("Purchases")[2].partition("First order")[0]
    done = await text_of(shop, f"{ORDER}/done?payments={payer('bob')}")
    assert "Unpaid" not in done
    holds(done, "the organizer pays for the group")


@pytest.mark.parametrize(
    ("shop_said", "asks"),
    [
        (SHOP.model_copy(update={"email": "hi@corner.example"}), "ask Corner Shop: hi@corner"),
        (SHOP, "the shop has not published a contact here."),
        (None, "the shop has not published a contact here."),
    ],
    ids=["a shop with a contact", "a shop without one", "no shop"],
)
@pytest.mark.parametrize("scope", ["member", "group"])
async def test_who_has_ordered_sees_the_order_and_how_to_cancel_it(
    url: str, shop: Storefront, shop_said: Shop | None, asks: str, scope: str
) -> None:
    terms = group(
        shop_id=shop_said and "corner",
        definition_id=None,
        payment={"scope": scope, "method": "invoice"},
    )
    await write(url, *filter(None, [shop_said]), terms, state(2), row("bob", 2), invoice("bob"))
    path = f"/groups/g-1/order/{LINKS.token('order', 'g-1', 'bob')}"
    text = await text_of(shop, path)
    holds(text, "Your order of Sencha", "You have ordered 2 units that count.", "Order more")
    holds(text, asks)
    assert "ask the organizer" not in text.lower()
    if scope == "member":
        holds(await text_of(shop, f"/groups/g-1/payments/{payer('bob')}"), asks)
    assert "Order more" not in await text_of(shop, ORDER)


async def test_the_form_says_who_asks_for_the_address(url: str, shop: Storefront) -> None:
    await write(url, SHOP.model_copy(update={"phone": "+49 30 123"}), group(), state(2))
    holds(await text_of(shop, ORDER), "Corner Shop asks you for the address. +49 30 123")


async def test_a_payers_link_of_another_group_shows_nothing_here(
    url: str, shop: Storefront
) -> None:
    await write(url, *MONEY)
    other = LINKS.token("payer", "g-2", "bob", "")
    answer = await shop.ask("GET", f"{ORDER}/done?payments={other}", "192.0.2.1")
    assert answer.status >= 400


# --- lists ---------------------------------------------------------------------------------------


async def test_the_home_page_narrows_its_lists_by_links_and_a_form(
    url: str, shop: Storefront
) -> None:
    hidden = {"product": {"name": "Hidden", "category": "Hidden"}, "visibility": "unlisted"}
    await write(
        url,
        SHOP,
        group(),
        state(82),
        group(group_id="g-2", product={"name": "Lamp"}, unit_price=900, shop_id="other"),
        group(group_id="g-3", **hidden),
        auction(),
    )
    text = await text_of(shop, "/")
    holds(
        text, "Group purchases 2 in all", "Counter auctions 1 in all", "Tea & more", "Corner Shop"
    )
    assert "Hidden" not in text
    for query, names in (
        ("category=Tea+%26+more", {"Sencha"}),
        ("tag=organic", {"Sencha"}),
        ("shop=other", {"Lamp"}),
        ("only=nearly", {"Sencha"}),
        ("only=ending", {"Camera"}),
        ("price_max=10&currency=EUR", {"Lamp"}),
        ("price_min=10&currency=EUR&sort=nearest", {"Sencha", "Camera"}),
        ("category=Hidden", set()),
        ("q=lamp&tag=organic", set()),
        ("q=sencha&tag=organic&only=nearly", {"Sencha"}),
    ):
        answer = await shop.ask("GET", f"/?{query}", "192.0.2.1")
        found = set(re.findall(r"<h3><a [^>]*><bdi>(\w+)", answer.text))
        assert found == names, query
        assert 'href="/"' in answer.text
    holds(await text_of(shop, "/?category=Hidden"), "Nothing matches all filters right now.")
    holds(await text_of(shop, "/?price_max=ten&currency=EUR"), "Give an amount such as")


async def test_lists_show_the_discount_that_is_reached_and_the_first_that_can_be(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, group(), state(62), group(group_id="g-2"), definition())
    text = await text_of(shop, "/")
    holds(text, "€37.00 each with the discount so far", "€42.00 each", "Corner Shop g-2")
    holds(text.partition("Start your own group")[2], "5% off from 30 units")


@pytest.mark.parametrize("typed", [ID, ID.lower(), ID.replace("-", " "), ID.replace("-", "")])
async def test_a_group_s_id_in_the_search_opens_the_group(
    url: str, shop: Storefront, typed: str
) -> None:
    await write(url, SHOP, group(group_id=ID, visibility="unlisted"))
    answer = await shop.ask("GET", f"/?q={quote(typed)}", "192.0.2.1")
    assert (answer.status, answer.headers["location"]) == (303, f"/groups/{ID}")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (MISTYPED, "This ID has a typing error."),
        ("GB-7K3M9", "This ID has a typing error."),
        (ID, f"There is no group purchase with the ID {ID}"),
        ("Sencha", None),
        ("GB flags", None),
    ],
)
async def test_a_search_says_what_is_wrong_with_an_id(
    url: str, shop: Storefront, typed: str, says: str | None
) -> None:
    await write(url, SHOP, group())
    text = await text_of(shop, f"/?q={quote(typed)}")
    if says:
        holds(text, says)
    else:
        assert "typing error" not in text
        assert "There is no group" not in text


async def test_prices_in_the_wrong_order_are_told(url: str, shop: Storefront) -> None:
    await write(url, SHOP, group(), state(62))
    text = await text_of(shop, "/?price_min=30&price_max=20&currency=EUR")
    holds(text, "“From” is above “up to”.", "Please correct the price")
    assert "Nothing matches" not in text


async def test_where_nothing_is_found_links_lead_on(url: str, shop: Storefront) -> None:
    await write(url, SHOP, group(), state(62))
    answer = await shop.ask("GET", "/?q=lamp", "192.0.2.1")
    holds(plain(answer.text), "We found nothing.", "Or look through a category: Tea & more")
    assert 'href="/?category=Tea+%26+more"' in answer.text
    path = "/?category=Tea+%26+more&tag=Organic&price_max=1&currency=EUR"
    answer = await shop.ask("GET", path, "192.0.2.1")
    holds(plain(answer.text), "Remove a filter: Tea & more · #Organic · Price each, up to 1")
    links = [unescape(each) for each in re.findall(r'<a href="([^"]*)"><bdi>', answer.text)]
    assert "/?category=Tea+%26+more&tag=Organic&currency=EUR" in links


@pytest.mark.parametrize(
    ("price", "finds"),
    [("42,00", True), ("41,99", False), ("42.00", True), ("4,200.00", True)],
)
async def test_a_price_filter_is_read_with_a_comma_before_cents(
    url: str, shop: Storefront, price: str, finds: bool
) -> None:
    await write(url, SHOP, group(), state(62))
    text = await text_of(shop, f"/?price_max={price}")
    assert ("Sencha <1 kg>" in text) == finds
    holds(text, "Filtered")


async def test_a_price_that_can_t_be_read_shows_no_list_as_filtered(
    url: str, shop: Storefront
) -> None:
    await write(url, SHOP, group(), state(62))
    text = await text_of(shop, "/?price_max=4,5,0&currency=EUR")
    holds(text, "We can't read the price.", "Give an amount such as 24.00")
    assert "Filtered" not in text
    assert "Sencha <1 kg>" not in text


async def test_a_time_left_is_red_only_in_the_last_hour(url: str, shop: Storefront) -> None:
    now = datetime.now(UTC)
    await write(
        url,
        group(closes_at=now + timedelta(minutes=59)),
        group(group_id="g-2", closes_at=now + timedelta(minutes=70)),
    )
    page = (await shop.ask("GET", "/", "192.0.2.1")).text
    assert re.findall(r'<time( class="soon")? datetime="[^"]*" data-left', page) == [
        ' class="soon"',
        "",
    ]


async def test_an_empty_home_page_says_one_thing_and_shows_an_admin_what_to_do_first(
    url: str, shop: Storefront
) -> None:
    text = await text_of(shop, "/")
    holds(text, "Nothing is running right now, and no shop offers a product to start with.")
    assert "What to do first" not in text
    assert "No auction is running" not in text
    signed_in = await shop.ask(
        "POST",
        "/sign-in",
        "192.0.2.1",
        headers={"origin": "https://shop.example"},
        form={"key": ADMIN_KEY},
    )
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    answer = await shop.ask("GET", "/", "192.0.2.1", headers={"cookie": cookie})
    holds(plain(answer.text), "What to do first")
    steps = answer.text.partition('id="first"')[2].partition("</ol>")[0]
    paths = re.findall(r'href="([^"]+)"', steps)
    assert len(paths) >= 4
    for path in paths:
        there = await shop.ask("GET", path, "192.0.2.1", headers={"cookie": cookie})
        assert there.status == 200, path
    await write(url, definition())
    later = await shop.ask("GET", "/?lang=en", "192.0.2.1", headers={"cookie": cookie})
    assert "What to do first" not in later.text


async def test_the_api_takes_the_same_filters_and_counts(url: str, shop: Storefront) -> None:
    await write(url, group(), state(82), auction(), definition())
    for path, count in (
        ("group-purchases?category=Tea%20%26%20more&tag=ORGANIC&nearly_there=true", 1),
        ("group-purchases?shop_id=corner&currency=EUR&price_min=1&price_max=4200", 1),
        ("group-purchases?closes_by=2020-01-01T00:00:00Z", 0),
        ("auctions?nearly_there=false&currency=EUR", 1),
        ("auctions?category=Tea", 0),
        ("definitions?shop_id=corner&currency=EUR", 1),
        ("definitions?shop_id=other", 0),
    ):
        answer = await shop.ask("GET", f"/api/v1/{path}", "192.0.2.1")
        assert answer.status == 200, answer.text
        told = (len(answer.json["items"]), answer.json["count"], answer.json["is_count_exact"])
        assert told == (count, count, True), path
    answer = await shop.ask("GET", "/api/v1/auctions?price_max=5", "192.0.2.1")
    assert answer.status == 422
    assert answer.json["problems"][0]["field"] == "currency"
