"""The pages on a real stack, without JavaScript: both stories' forms, and what no page may show."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.letters import Notice
from services.notifier.letters.links import SignedLinks
from tests.system.api_stack import LINKS, Api, after
from tests.system.reader import Reader
from tests.system.stack import until

pytestmark = pytest.mark.system
NASTY = '<script>alert("1")</script>&{n}{{7*7}}\u202eא'
Open = Callable[..., Reader]


@pytest.fixture
def somebody(api: Api) -> Iterator[Open]:
    """A browser of its own each time."""
    opened: list[Reader] = []

    def new(language: str = "en") -> Reader:
        opened.append(Reader(api.nobody.url, language))
        return opened[-1]

    yield new
    for each in opened:
        each.close()


def address() -> str:
    return f"ada-{uuid.uuid4().hex[:8]}@people.example"


def local(**span: float) -> str:
    """A time from now as ``datetime-local`` gives it, in UTC."""
    return (datetime.now(UTC) + timedelta(**span)).strftime("%Y-%m-%dT%H:%M")


# --- the counter auction -------------------------------------------------------------------------


def alias(email: str) -> str:
    """The same mailbox, written otherwise."""
    local, _, domain = email.partition("@")
    return f"{local.upper()}+again@{domain}"


def confirmation(api: Api, auction_id: str, email: str) -> tuple[dict[str, Any], str]:
    """What an address applied for last, and the page that its letter leads to."""
    (*_, applied) = [
        record.value
        for record in api.stack.read("applications")
        if record.value["auction_id"] == auction_id
        and record.value.get("applicant", {}).get("email") == email
    ]
    token = LINKS.token("confirm-application", auction_id, applied["application_id"])
    return applied, f"/confirm/{token}"


def register(api: Api, seller: Reader, name: str, email: str = "") -> str:
    """Register by the form and be approved; the key."""
    email = email or address()
    page = seller.send(seller.get("/sellers"), "/sellers", 201, name=name, email=email)
    key = re.search(r"jb_[0-9a-f]{16}_[\w-]{43}", page.text)
    found = re.search(r"\bs-[0-9a-f]{20}\b", page.text)
    assert key
    assert found
    assert key[0] not in seller.get("/seller").html, "shown once"
    api.admin.post(f"/sellers/{found[0]}/approval", {}, 200)
    until("approved", lambda: 'class="status good"' in seller.get("/seller").html)
    return key[0]


def test_an_auction_by_its_forms_from_registration_to_a_takeover(api: Api, somebody: Open) -> None:
    nord, sato, ada = somebody(), somebody("ja"), somebody()
    product = f"Camera {uuid.uuid4().hex[:6]}"
    of_nord = address()
    key = register(api, nord, "Nordlicht", of_nord)
    out = nord.send(nord.get("/seller"), "/sign-out")
    assert out.url.endswith("/sign-in")
    asked = nord.get("/seller/open", 401)
    wrong = nord.send(asked, "/sign-in", 422, key="jb_" + "0" * 16 + "_x")
    assert "not a key" in wrong.text
    assert "0" * 16 not in wrong.html
    form = nord.send(wrong, "/sign-in", key=key)
    assert form.url.endswith("/seller/open")

    terms = {"product": product, "price": "1,199.00", "currency": "EUR", "minimum": "3"}
    refused = nord.send(form, "/seller/open", 422, **terms, closes_at=local(hours=-1), zone="UTC")
    assert "a time in the future" in refused.text
    assert refused.form("/seller/open").values["price"] == "1,199.00", "what was typed is kept"
    check = nord.send(refused, "/seller/open", closes_at=local(hours=9))
    assert "Your auction is not open yet" in check.text
    opened = nord.send(check, "/seller/open", sure="yes")
    assert "Your auction is open" in opened.text
    auction_id = re.search(r"/seller/auctions/([\w-]+)\?", opened.url)
    assert auction_id
    place = f"/auctions/{auction_id[1]}"
    assert product in ada.get("/").text

    page = ada.get(place)
    assert "€1,199.00" in page.text
    bad = ada.send(page, "/apply", 422, email="ada@", quantity="0")
    assert "The part after the @ is not a domain name" in bad.text
    assert "Give a whole number" in bad.text
    assert bad.form("/apply").values["email"] == "ada@"
    mail = address()
    assert "At most 100 per person" in page.text
    many = ada.send(page, "/apply", 422, email=mail, quantity="101")
    assert "Give at most 100." in many.text
    sent = ada.send(page, "/apply", email=mail, quantity="2", name="Ada")
    assert "Check your email" in sent.text
    first, link = confirmation(api, auction_id[1], mail)
    question = ada.get(link)
    assert product in question.text
    ada.send(question, "/confirm/")
    until("counted", lambda: re.search(r"\b2 reserved \(minimum 3\)", ada.get(place).text))

    ada.send(page, "/apply", email=alias(mail), quantity="1", name="Ada")
    second, link = confirmation(api, auction_id[1], alias(mail))
    assert second["applicant"]["id"] == first["applicant"]["id"]
    done = ada.send(ada.get(link), "/confirm/")
    until(
        "one mailbox, one applicant",
        lambda: re.search(r"\b1 reserved \(minimum 3\)", ada.get(place).text),
    )
    ada.send(page, "/apply", email=alias(of_nord), quantity="3")
    _, link = confirmation(api, auction_id[1], alias(of_nord))
    # It was refused as it came, so the link has no question any more.
    until("refused", lambda: ada.status(link) == 409)
    own = ada.get(link, 409)
    assert "A seller who has made an offer in an auction can't reserve in it" in own.text
    assert "1 reserved (minimum 3)" in ada.get(place).text

    register(api, sato, "佐藤商店")
    desk = sato.get(f"/seller/{place.removeprefix('/')}")
    dear = sato.send(desk, "/offers", 422, price="1199", minimum="3")
    assert "以下の価格" in dear.text
    better = sato.send(dear, "/offers", price="1099.50", minimum="2")
    assert "条件が掲載されました" in better.text
    shown = ada.get(place).text
    assert "€1,099.50" in shown
    assert "8.3% below the opening price" in shown
    assert "A better offer took over: €1,099.50, minimum 2" in shown
    assert "Another seller's offer is shown" in nord.get(f"/seller/{place.removeprefix('/')}").text
    assert "took its place" not in ada.get("/").text
    for secret in (mail, "Ada", "Nordlicht", "sellers.example"):
        assert secret not in ada.get(place).html + ada.get("/").html
    assert "佐藤商店" in ada.get(place).text, "buyers see who makes the offer that is shown"
    assert "佐藤商店" not in ada.get("/").text

    withdrawal = re.search(r'href="(/applications/[^"]+)"', done.html)
    assert withdrawal
    gone = ada.send(ada.get(withdrawal[1]), "/applications/")
    assert "is withdrawn" in gone.text
    until("not counted", lambda: re.search(r"\b0 reserved \(minimum 2\)", ada.get(place).text))


def test_an_invited_seller_outbids_by_the_letter_s_link(api: Api, somebody: Open) -> None:
    _, opener = api.seller()
    seller_id, _ = api.seller()
    auction_id = api.auction(opener)["auction_id"]
    link = f"/counter-offer/{LINKS.token('counter-offer', auction_id, seller_id)}"
    reader = somebody()
    until("there", lambda: "¥90,000" in reader.get(link).text)
    page = reader.send(reader.get(link), "/counter-offer/", price="85000", minimum="3")
    assert "Your offer is now on the page" in page.text
    assert "¥85,000" in reader.get(f"/auctions/{auction_id}").text
    assert reader.get(f"{link}x", 404).text.count("This link does not work") >= 1


def test_only_the_winning_seller_sees_the_buyers_and_only_after_the_contract(
    api: Api, somebody: Open
) -> None:
    seller_id, opener = api.seller()
    _, other = api.seller()
    place = api.auction(opener, minimum_reservations=1, closes_at=after(seconds=15))["auction_id"]
    mail = address()
    body = {"applicant": {"id": "ada", "email": mail, "name": "Ada"}, "quantity": 2}
    api.shop().post(f"/auctions/{place}/applications", body)
    winner, loser, public = somebody(), somebody(), somebody()
    for reader, client in ((winner, opener), (loser, other)):
        asked = reader.get("/seller")
        reader.send(asked, "/sign-in", key=str(client.credential))
    assert mail not in winner.get(f"/seller/auctions/{place}").html
    until("concluded", lambda: "Contract concluded" in public.get(f"/auctions/{place}").text)
    until("listed", lambda: mail in winner.get(f"/seller/auctions/{place}").html)
    buyers = winner.get(f"/seller/auctions/{place}").html
    assert re.search(
        r'Reserved</th>.*Ordered</th>.*num">2</td><td class="amount num">0</td>', buyers, re.S
    )
    assert mail not in loser.get(f"/seller/auctions/{place}").html
    shown = public.get(f"/auctions/{place}")
    assert "It's a deal at ¥90,000 each" in shown.text
    group = re.search(r'href="(/groups/[^"]+)"', shown.html)
    assert group
    for page in (shown, public.get(group[1]), public.get("/")):
        assert mail not in page.html
        assert seller_id not in page.html


# --- the group purchase --------------------------------------------------------------------------


def confirm(api: Api, group_id: str, reader: Reader, to: str, says: str) -> None:
    """Follow the link of the letter about an order, twice; the question alone changes nothing."""

    def letter() -> Any:
        people = [record.value for record in api.stack.read("people")]
        ids = {each["person_id"] for each in people if each["email"] == to}
        found = (record.value for record in api.stack.read("notices"))
        return next((each for each in found if each["recipient_id"] in ids), None)

    asked = until(f"a letter to {to}", letter)
    assert (asked["kind"], asked["about"]) == ("confirm-order", group_id)
    signed = SignedLinks(reader.url, LINKS)
    path = signed.confirm_order(Notice.model_validate_json(json.dumps(asked))).removeprefix(
        reader.url
    )
    question = reader.get(path)
    for _ in range(2):
        assert says in reader.send(question, "/confirm-order/").text
    assert "このご注文はすでに確定済みです" in reader.get(path).text


def late(order: dict[str, str]) -> str:
    """The link of an order that could be confirmed until a second ago."""
    ended = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    return f"/confirm-order/{LINKS.token('confirm-order', *order.values(), '1', ended)}"


def test_an_order_that_expired_can_t_be_confirmed_and_the_page_says_what_to_do(
    api: Api, somebody: Open
) -> None:
    definition = api.definition(api.shop(), payment={"scope": "group"})
    asked = {"definition_id": definition["definition_id"], "number_of_products": 3}
    group = api.nobody.post("/group-purchases", asked)["group_id"]
    order = {"group": group, "member": "m-1", "source": "storefront", "order": "w-1"}
    reader = somebody()
    page = reader.get(late(order), 410)
    assert "order again on the group's page" in page.text
    assert f'href="/groups/{group}"' in page.html
    # Nor by the form of a page that was open all the while.
    open_still = f'<form method="post" action="{late(order)}"></form>'
    sent = reader.send(replace(page, html=open_still), "/confirm-order/", 410)
    assert "If you confirmed yours in time, it is valid" in sent.text
    assert "48時間以内" in somebody("ja").get(late(order), 410).text
    for wrong in (late(order)[:-3], "/confirm-order/" + LINKS.token("order", group, "")):
        reader.get(wrong, 404)
    assert not [each for each in api.stack.read("orders") if each.value["group_id"] == group]


def test_a_group_purchase_by_its_forms(api: Api, somebody: Open) -> None:
    shop = api.shop()
    name = f"Tea {uuid.uuid4().hex[:6]}"
    limits = {"number_min": 2, "number_max": 50, "period_days_max": 30}
    definition = api.definition(
        shop, product={"name": name}, limits=limits, payment={"scope": "group"}
    )
    ada, bob = somebody(), somebody("ja")
    page = ada.get(f"/definitions/{definition['definition_id']}")
    assert "2 to 50" in page.text
    mail = address()
    few = ada.send(page, "/start", 422, number="1", days="99", email=mail)
    assert "Give at least 2." in few.text
    assert "Give at most 30." in few.text
    managed = ada.send(few, "/start", number="3", days="7", name="Ada", stop="yes")
    assert "Save the link to this page" in managed.text
    assert "Nobody has ordered yet." in managed.text
    link = re.search(r'value="http://[^"/]+(/groups/[^"]+/order/[^"]+)"', managed.html)
    assert link
    group = re.search(r"/groups/(GB-[\w-]+)/manage/", managed.url)
    assert group
    place = f"/groups/{group[1]}"
    assert name in bob.get("/").text
    assert "10%引き" in bob.get(place).text
    for secret in (mail, "Ada"):
        assert secret not in bob.get(place).html

    ordering = bob.get(link[1])
    wrong = bob.send(ordering, "/order/", 422, quantity="x", email="b@")
    assert "1以上の整数" in wrong.text
    buyer = address()
    for _ in range(2):
        # Sent twice, as by an impatient finger: it is the same order.
        done = bob.send(ordering, "/order/", quantity="2", email=buyer)
    assert "ご注文の確認メールをお送りしました" in done.text
    assert re.search(r"\b0 of 3\b", ada.get(managed.url).text)
    many = bob.send(ordering, "/order/", 422, quantity="4", email=buyer)
    assert "現在の残りは3点です" in many.text
    confirm(api, group[1], bob, buyer, "ご注文を受け付けました")
    until("two of three", lambda: re.search(r"\b2 of 3\b", ada.get(managed.url).text))
    assert buyer not in ada.get(managed.url).html, "the organizer sees no addresses"
    another = bob.get(link[1])
    other = address()
    assert "残りは1点です" in bob.send(another, "/order/", 422, quantity="2", email=other).text
    bob.send(another, "/order/", quantity="1", email=other)
    confirm(api, group[1], bob, other, "ご注文を受け付けました")
    until("complete", lambda: "The group is complete" in ada.get(place).text)
    until("decided", lambda: "10% off" in ada.get(place).text)
    assert "注文を締め切りました" in bob.get(link[1]).text


def test_an_organizer_takes_a_group_back(api: Api, somebody: Open) -> None:
    definition = api.definition(api.shop())
    ada = somebody()
    page = ada.get(f"/definitions/{definition['definition_id']}")
    managed = ada.send(page, "/start", number="5", days="7", email=address(), unlisted="yes")
    url = managed.url.partition("?")[0]
    unsure = ada.send(managed, "/withdraw", 422, reason="rain")
    assert "Tick the box" in unsure.text
    assert ada.send(unsure, "/withdraw", sure="yes").status == 200
    until("taken back", lambda: 'class="status withdrawn"' in ada.get(url).html)
    ada.get(url.replace("/manage/", "/manage/x"), 404)


def test_unlisted_groups_are_on_no_list(api: Api, somebody: Open) -> None:
    word = f"secret{uuid.uuid4().hex[:8]}"
    definition = api.definition(api.shop(), product={"name": word})
    asked = {"definition_id": definition["definition_id"], "number_of_products": 3}
    group = api.nobody.post("/group-purchases", asked | {"visibility": "unlisted"})["group_id"]
    reader = somebody()
    until("there", lambda: word in reader.get(f"/groups/{group}").text)
    for page in ("/", f"/?q={word}", f"/?q={word}&sort=nearest", "/?sort=nearest"):
        assert group not in reader.get(page).html
    assert 'name="robots" content="noindex"' in reader.get(f"/groups/{group}").html
    assert "Order under this ID" not in reader.get(f"/groups/{group}").text


# --- every page ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [NASTY, "長" * 200, "W" * 200, "  .  ", "{count}%s"])
def test_names_are_text_wherever_they_stand(api: Api, somebody: Open, name: str) -> None:
    _, opener = api.seller()
    auction = api.auction(opener, product={"name": name})["auction_id"]
    definition = api.definition(api.shop(), product={"name": name})["definition_id"]
    asked = {"definition_id": definition, "number_of_products": 3}
    group = api.nobody.post("/group-purchases", asked)["group_id"]
    reader = somebody()
    until("there", lambda: reader.get("/").html.count(f"/auctions/{auction}"))
    reader.get(f"/groups/{group}")
    for path in (
        *("/", f"/auctions/{auction}", f"/groups/{group}", f"/definitions/{definition}"),
        *(f"/?q={'長長'}", f"/groups/{group}/order/{LINKS.token('order', group, '')}"),
        f"/confirm/{LINKS.token('confirm-application', auction, 'b-1')}",
    ):
        page = reader.get(path)
        assert "<script>" not in page.html
        assert page.html.count("<script") == 1
        if path.startswith(("/auctions", "/groups", "/definitions", "/confirm")):
            assert " ".join(name.split()) in page.text


def test_what_can_t_be_shown_says_so_in_the_reader_s_language(api: Api, somebody: Open) -> None:
    reader = somebody("ja")
    for path in ("/auctions/none", "/groups/GB-00000-00000-0", "/definitions/none", "/nowhere"):
        assert "ページが見つかりません" in reader.get(path, 404).text
    for path in ("/confirm/x", "/unsubscribe/x", "/counter-offer/x", "/applications/x"):
        assert "このリンクは使えません" in reader.get(path, 404).text
    reader.get("/?auctions=x", 422)
    reader.get("/auctions/none/apply", 404)


def test_the_language_is_kept_and_every_answer_has_its_headers(api: Api, somebody: Open) -> None:
    reader = somebody("en-GB")
    assert "Buy together, pay less" in reader.get("/").text
    assert "みんなで買えば" in reader.get("/?lang=ja").text
    page = reader.get("/help")
    assert "しくみ" in page.text
    assert page.headers["content-language"] == "ja"
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    style = re.search(r'href="(/static/style\.css\?v=[0-9a-f]+)"', page.html)
    assert style
    assert "immutable" in reader.get(style[1]).headers["cache-control"]
    reader.get("/static/nothing.css", 404)
    reader.get("/static/..%2fapp.py", 404)


def test_letters_are_ended_and_wanted_again_by_post(api: Api, somebody: Open) -> None:
    reader = somebody()
    recipient = f"m-{uuid.uuid4().hex[:12]}"
    page = reader.get(
        f"/unsubscribe/{LINKS.token('unsubscribe', recipient, 'invitation', 'mailbox')}"
    )
    assert "invitations to make a better offer" in page.text
    key = f"{recipient}/invitation"
    assert key not in api.stack.latest("mail-preferences")
    ended = reader.send(page, "/unsubscribe/")
    assert api.stack.latest("mail-preferences")[key]["type"] == "Unsubscribed"
    assert "again" in reader.send(ended, "/resubscribe/").text
    assert api.stack.latest("mail-preferences")[key]["type"] == "Resubscribed"
