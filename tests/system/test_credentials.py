"""Every route without, with a wrong, an expired and another's credential; held to the routes."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from fastapi.routing import APIRoute

from runtime.links import Links, Purpose
from schemas.letters import Delivery
from schemas.ops import Task
from schemas.parts import PaymentCause
from schemas.payments import Payment
from services.storefront.access.callers import COOKIE, MAX_AGE
from services.storefront.api import events
from services.storefront.api.document import PREFIX, ROUTERS
from stack.brokers import RunningBroker
from tests.attack.attacks import Means, attacks_of, page_routes, some_of
from tests.attack.judging import problems_of
from tests.attack.targets import OverHttp, means_of
from tests.system import plain_http
from tests.system.api_stack import LINKS, SECRET, Api, Client, api_on
from tests.system.stack import until

pytestmark = pytest.mark.system

ANYONE = "anyone"


@dataclass(frozen=True)
class Line:
    """Who may use a route, and a request that would be good from the right one.

    ``others`` are good credentials of somebody who is not the right one.
    """

    by: str
    body: Any = None
    others: tuple[str, ...] = ()


TEA = {"product": {"name": "Tea"}, "unit_price": 5, "currency": "EUR"}
ORDER = {"order_id": "1", "member": {"id": "m"}, "quantity": 1}
OFFER = {"minimum_reservations": 3, "unit_price": 5}
AUCTION = {**TEA, "minimum_reservations": 3, "closes_at": "2100-01-01T00:00:00Z"}
TRANSFERS = {"transfers": [{"reference": "B1", "reason": "no-number", "problem": "no number"}]}
ALL = ("seller", "shop", "organizer", "member", "applicant", "invited", "requester", "payer")


def others(*right: str) -> tuple[str, ...]:
    return tuple(each for each in ALL if each not in right)


#: The member's own link and the shop's key are good too.
NOT_PAYERS = ("rival-payer", "rival-member", "rival-shop", *others("shop", "member", "payer"))
#: Every route of the API; one that is missing here fails the test.
LINES: dict[str, Line] = {
    "GET /definitions": Line(ANYONE),
    "GET /definitions/{definition_id}": Line(ANYONE),
    "POST /definitions": Line("shop", TEA, others("shop")),
    "POST /definitions/{definition_id}/withdrawal": Line(
        "shop", None, ("rival-shop", *others("shop"))
    ),
    "GET /group-purchases": Line(ANYONE),
    "GET /group-purchases/{group_id}": Line(ANYONE),
    "POST /group-purchases": Line(ANYONE, {"number_of_products": 2}),
    "GET /group-purchases/{group_id}/members": Line(
        "organizer", None, ("rival-organizer", "rival-shop", *others("shop", "organizer"))
    ),
    "GET /group-purchases/{group_id}/order-sheet.csv": Line(
        "organizer", None, ("rival-organizer", "rival-shop", *others("shop", "organizer"))
    ),
    # Nobody is in the group, so the right one is refused for that.
    "POST /group-purchases/{group_id}/messages": Line(
        "organizer",
        {"words": "Hello"},
        ("rival-organizer", "rival-shop", *others("shop", "organizer")),
    ),
    "POST /group-purchases/{group_id}/withdrawal": Line(
        "organizer", {}, ("rival-organizer", "rival-shop", *others("shop", "organizer"))
    ),
    "POST /group-purchases/{group_id}/orders": Line(
        "shop", ORDER, ("rival-shop", "rival-member", *others("shop", "member"))
    ),
    "POST /group-purchases/{group_id}/cancellations": Line(
        "shop", {"order_id": "1"}, ("rival-shop", *others("shop"))
    ),
    "POST /group-purchases/{group_id}/returns": Line(
        "shop",
        {"return_id": "1", "member_id": "m", "quantity": 1},
        ("rival-shop", *others("shop")),
    ),
    "GET /group-purchases/{group_id}/events": Line(ANYONE),
    "GET /group-purchases/{group_id}/payments": Line(
        "organizer", None, ("rival-organizer", "rival-shop", *others("shop", "organizer"))
    ),
    "GET /payments/{payment_id}": Line("payer", None, NOT_PAYERS),
    "GET /payments/{payment_id}/document": Line("payer", None, NOT_PAYERS),
    "POST /payments/{payment_id}/received": Line(
        "admin", {"amount": 5, "currency": "EUR", "reference": "B1"}, ALL
    ),
    "GET /todo": Line("shop", None, others("shop")),
    "POST /todo/{task_id}/done": Line("shop", {"reason": "x"}, ("rival-shop", *others("shop"))),
    "POST /transfers": Line("admin", TRANSFERS, ALL),
    "POST /payments/{payment_id}/retry": Line("payer", None, NOT_PAYERS),
    "POST /payments/{payment_id}/outcome": Line(
        "shop", {"state": "succeeded"}, ("rival-shop", *others("shop"))
    ),
    "GET /requests/{request_id}": Line(
        "requester", None, ("rival-requester", *others("requester"))
    ),
    "GET /auctions": Line(ANYONE),
    "GET /auctions/{auction_id}": Line(ANYONE),
    "GET /auctions/{auction_id}/events": Line(ANYONE),
    "GET /events": Line(ANYONE),
    "POST /auctions": Line("seller", AUCTION, others("seller")),
    "POST /auctions/{auction_id}/offers": Line(
        "seller", OFFER, ("rival-invited", *others("seller", "invited"))
    ),
    "GET /auctions/{auction_id}/offers/{offer_id}": Line(
        "seller", None, ("rival-seller", *others("seller", "invited"))
    ),
    "POST /auctions/{auction_id}/withdrawal": Line(
        "seller", None, ("rival-seller", *others("seller"))
    ),
    "POST /auctions/{auction_id}/applications": Line(
        ANYONE, {"applicant": {"email": "a@b.example"}, "quantity": 1}
    ),
    "POST /auctions/{auction_id}/applications/{application_id}/withdrawal": Line(
        "applicant", None, ("rival-applicant", "rival-shop", *others("applicant", "shop"))
    ),
    "POST /sellers": Line(ANYONE, {"name": "S", "email": "s@b.example"}),
    "GET /sellers": Line("admin", None, ALL),
    "GET /sellers/me": Line("seller", None, others("seller")),
    "GET /sellers/me/offers": Line("seller", None, others("seller")),
    "POST /sellers/{seller_id}/approval": Line("admin", {}, ALL),
    "POST /sellers/{seller_id}/suspension": Line("admin", {}, ALL),
    "POST /sellers/{seller_id}/reinstatement": Line("admin", {}, ALL),
    "POST /sellers/{seller_id}/keys": Line("seller", None, ("rival-seller", *others("seller"))),
    "POST /shops/{shop_id}/keys": Line("admin", None, ALL),
    "PUT /sellers/{seller_id}": Line("seller", {}, ("rival-seller", *others("seller"))),
    # Another's key is not even said to be there.
    "POST /keys/{key_id}/revocation": Line("seller", None, others("seller", "shop")),
    "GET /shops": Line("admin", None, ALL),
    "GET /shops/{shop_id}": Line(ANYONE),
    "PUT /shops/{shop_id}": Line("shop", {"name": "S"}, ("rival-shop", *others("shop"))),
    "GET /sellers/{seller_id}": Line(ANYONE),
    # JSON is not an image, so the right one is refused for that, with 415.
    "POST /images": Line("shop", {}, others("shop", "seller")),
    "GET /keys": Line("admin", None, ALL),
    "GET /letters": Line("admin", None, ALL),
    "GET /letters/{notice_id}": Line("admin", None, ALL),
    "POST /letters/{notice_id}/resend": Line("admin", {}, ALL),
    "POST /people/search": Line("admin", {"email": "a@b.example"}, ALL),
    "GET /people/{person_id}/data": Line("shop", None, ("rival-shop", *others("shop"))),
    "DELETE /people/{person_id}": Line("shop", None, ("rival-shop", *others("shop"))),
    "POST /links-again": Line(ANYONE, {"email": "a@b.example"}),
    "POST /data-link": Line(ANYONE, {"email": "a@b.example"}),
}
NOT_SAID = {"POST /keys/{key_id}/revocation": ("rival-seller", "shop")}


def routes() -> dict[str, str]:
    """Every route of the API: name, and the path with its parameters."""
    found = [each for router in (*ROUTERS, events.router) for each in router.routes]
    return {
        f"{method} {route.path.removeprefix(PREFIX)}": route.path.removeprefix(PREFIX)
        for route in found
        if isinstance(route, APIRoute) and route.path.startswith(PREFIX)
        for method in route.methods
    }


def test_every_route_has_a_line() -> None:
    assert set(LINES) == set(routes())


@dataclass
class World:
    """One of everything, and everybody's credentials."""

    api: Api
    ids: dict[str, str]
    credentials: dict[str, str]
    #: Links' tokens: what they were made of.
    tokens: dict[str, tuple[Purpose, tuple[str, ...]]]

    def path(self, name: str) -> str:
        return routes()[name].format(**self.ids)

    def send(self, name: str, credential: str | None) -> Any:
        method = name.partition(" ")[0]
        client = Client(self.api.nobody.url, credential)
        return client.send(method, self.path(name), LINES[name].body)


@pytest.fixture(scope="module")
def world(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with api_on(kafka, tmp_path_factory.mktemp("credentials")) as api:
        yield populated(api)


def invoiced(api: Api, group_id: str) -> str:
    """An invoice of the member m1, as payment_service says it."""
    payment = Payment(
        payment_id="invoice-of-m1",
        group_id=group_id,
        member_id="m1",
        kind="invoice",
        method="invoice",
        amount=1000,
        currency="EUR",
        status="pending",
        cause=PaymentCause(kind="order", source="s", order_id="1"),
        provider_reference=f"{group_id}-I1",
        version=1,
    )
    api.stack.feed("payments", (payment, None))
    place = f"/payments/{payment.payment_id}"
    until("the invoice", lambda: api.admin.send("GET", place).status_code == 200)
    return payment.payment_id


def left_to_people(api: Api, shop_id: str) -> str:
    """An order of a shop that could not be read, as shop_bridge says it."""
    task = Task(
        task_id="order-1",
        kind="order",
        shop_id=shop_id,
        about="1042",
        reason="unreadable",
        problem="a line has no quantity",
        since=datetime.now(UTC),
    )
    api.stack.feed("tasks", (task, None))
    until("the task", lambda: api.admin.get("/todo", kind="order")["items"] != [])
    return task.task_id


def undelivered(api: Api, group_id: str) -> str:
    """A letter about a group, as the notifier says it."""
    letter = Delivery(
        recipient_id="m-ada",
        notice_id="letter-1",
        kind="order-counted",
        about=group_id,
        status="bounced",
        attempts=3,
        reply="550 no such mailbox",
        queued_at=datetime.now(UTC),
        at=datetime.now(UTC),
        version=1,
    )
    api.stack.feed("deliveries", (letter, None))
    place = f"/letters/{letter.notice_id}"
    until("the letter", lambda: api.admin.send("GET", place).status_code == 200)
    return letter.notice_id


def populated(api: Api) -> World:
    shop, rival_shop = api.shop(), api.shop()
    (seller_id, seller), (rival_id, rival_seller) = api.seller(), api.seller()
    definition = api.definition(shop)
    plain = {"definition_id": definition["definition_id"], "number_of_products": 2}
    organizer = plain | {"organizer": {"email": "ada@people.example"}}
    asked, other = (api.nobody.post("/group-purchases", organizer) for _ in range(2))
    auction, another = api.auction(seller), api.auction(rival_seller)
    place = f"/auctions/{auction['auction_id']}/applications"
    person = {"applicant": {"email": "a@b.example"}, "quantity": 1}
    applied, withheld = (api.nobody.post(place, person) for _ in range(2))
    payment_id = invoiced(api, asked["group_id"])
    ids = {
        "payment_id": payment_id,
        "notice_id": undelivered(api, asked["group_id"]),
        "task_id": left_to_people(api, definition["shop_id"]),
        "shop_key_id": str(shop.credential).split("_")[1],
        "definition_id": definition["definition_id"],
        "group_id": asked["group_id"],
        "request_id": asked["request_id"],
        "auction_id": auction["auction_id"],
        "offer_id": auction["offer_id"],
        "application_id": applied["application_id"],
        "seller_id": seller_id,
        "shop_id": definition["shop_id"],
        "person_id": f"{definition['shop_id']}:m",
        "key_id": str(seller.credential).split("_")[1],
    }
    tokens: dict[str, tuple[Purpose, tuple[str, ...]]] = {
        "organizer": ("group", (ids["group_id"], "m-ada")),
        "rival-organizer": ("group", (other["group_id"], "m-ada")),
        "member": ("order", (ids["group_id"], "m1")),
        "rival-member": ("order", (other["group_id"], "m1")),
        "payer": ("payer", (ids["group_id"], "m1", "")),
        "rival-payer": ("payer", (ids["group_id"], "m2", "")),
        "requester": ("request", (ids["request_id"],)),
        "rival-requester": ("request", (other["request_id"],)),
        "applicant": ("application", (ids["auction_id"], ids["application_id"])),
        "rival-applicant": ("application", (ids["auction_id"], withheld["application_id"])),
        "invited": ("counter-offer", (ids["auction_id"], rival_id)),
        "rival-invited": ("counter-offer", (another["auction_id"], rival_id)),
    }
    credentials = {
        "admin": str(api.admin.credential),
        "shop": str(shop.credential),
        "rival-shop": str(rival_shop.credential),
        "seller": str(seller.credential),
        "rival-seller": str(rival_seller.credential),
    } | {name: LINKS.token(purpose, *what) for name, (purpose, what) in tokens.items()}
    return World(api, ids, credentials, tokens)


def test_without_a_credential(world: World) -> None:
    for name, line in LINES.items():
        if name.endswith("events"):
            continue
        status = world.send(name, None).status_code
        if line.by == ANYONE:
            assert status not in (401, 500), name
        else:
            assert status == 401, name


def wrong(world: World) -> dict[str, str]:
    """Credentials that look like good ones."""
    key = world.credentials["seller"]
    past = time.time() - 500 * 24 * 3600
    with patch("itsdangerous.timed.time.time", lambda: past):
        expired = {
            f"expired {name}": LINKS.token(purpose, *what)
            for name, (purpose, what) in world.tokens.items()
        }
    foreign = Links("another secret")
    revoked = world.api.seller()[1]
    revoked.post(f"/keys/{str(revoked.credential).split('_')[1]}/revocation", None, 200)
    return {
        "nonsense": "nonsense",
        "another's secret with the key's id": key[:22] + "x" * (len(key) - 22),
        "a key of no one": f"jb_{uuid.uuid4().hex[:16]}_{key.rpartition('_')[2]}",
        "half a key": key[:-1],
        "a revoked key": str(revoked.credential),
        "the admin's key, longer": world.credentials["admin"] + "x",
        "a token of another deployment": foreign.token("group", world.ids["group_id"], "m"),
        "a token of letters": LINKS.token("unsubscribe", "m", "all", "mailbox"),
        "a session": LINKS.token("session", world.ids["seller_id"], world.ids["key_id"], "r"),
        "a token changed": world.credentials["organizer"][:-1],
    } | expired


def test_with_a_wrong_or_expired_credential(world: World) -> None:
    assert all(age is None or age < 500 * 24 * 3600 for age in MAX_AGE.values())
    for what, credential in wrong(world).items():
        for name in LINES:
            if name.endswith("events"):
                continue
            answer = world.send(name, credential)
            assert answer.status_code == 401, (what, name, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_with_another_s_credential(world: World) -> None:
    for name, line in LINES.items():
        for other in line.others:
            answer = world.send(name, world.credentials[other])
            assert answer.status_code == 403, (name, other, answer.text)
        for other in NOT_SAID.get(name, ()):
            assert world.send(name, world.credentials[other]).status_code == 404, (name, other)


def test_nothing_has_happened_by_any_of_that(world: World) -> None:
    """Runs after those above: what they were about stands as it was."""
    nobody = world.api.nobody
    assert nobody.get(world.path("GET /definitions/{definition_id}"))["withdrawn_at"] is None
    group = nobody.get(world.path("GET /group-purchases/{group_id}"))
    assert (group["status"], group["quantity"], group["version"]) == ("open", 0, group["version"])
    assert nobody.get(world.path("GET /auctions/{auction_id}"))["status"] == "open"
    assert nobody.as_(world.credentials["seller"]).get("/sellers/me")["standing"] == "good"


def test_with_the_right_one(world: World) -> None:
    """So that what was refused above was refused for want of it."""
    for name, line in LINES.items():
        if line.by == ANYONE:
            continue
        answer = world.send(name, world.credentials[line.by])
        assert answer.status_code in (200, 201, 202, 204, 409, 415, 422), (name, answer.text)


def test_a_token_lasts_as_long_as_it_should(world: World) -> None:
    for name, (purpose, what) in world.tokens.items():
        age = MAX_AGE[purpose]
        assert age is not None
        made = datetime.now(UTC) - timedelta(seconds=age + 60)
        with patch("itsdangerous.timed.time.time", made.timestamp):
            token = Links(SECRET).token(purpose, *what)
        answer = Client(world.api.nobody.url, token).send("GET", "/auctions")
        assert answer.status_code == 401, name
        assert "expired" in answer.json()["detail"]


# --- attacks on the same stack: `make attack` has all of them ------------------------------------


def who_of() -> dict[str, str]:
    """Who may use a route, by its method and whole path."""
    return {
        f"{name.partition(' ')[0]} {PREFIX}{name.partition(' ')[2]}": line.by
        for name, line in LINES.items()
    }


def means(world: World) -> Means:
    """What an attacker has: the seller's key is a new one, as the matrix ends that of before."""
    issued = world.api.admin.post(f"/sellers/{world.ids['seller_id']}/keys")
    ids = world.ids | {"key_id": issued["key_id"], "area": "auctions"}
    ids |= {"image_id": "0" * 64}
    return means_of(ids, {"shop": world.credentials["shop"], "seller": issued["api_key"]})


def test_a_copied_cookie_ends_with_its_session_in_every_process(world: World) -> None:
    api = world.api
    key = str(api.seller()[1].credential)
    with httpx.Client(base_url=api.nobody.url, headers={"Sec-Fetch-Site": "same-origin"}) as page:
        assert page.post("/sign-in", data={"key": key}).status_code == 303
        copied = {"Cookie": f"{COOKIE}={page.cookies[COOKIE]}"}
        elsewhere = [plain_http.get(f"{api.other.url}/seller/open", headers=copied).status_code]
        assert page.post("/sign-out").status_code == 303
    for url in (api.nobody.url, api.other.url):
        elsewhere.append(plain_http.get(f"{url}/seller/open", headers=copied).status_code)
    assert elsewhere == [200, 401, 401]


def test_a_page_of_the_admin_is_the_admin_s_alone(world: World) -> None:
    """In every process, and not with the session of a seller or a shop."""
    its = means(world)
    for url in (world.api.nobody.url, world.api.other.url):
        for name in page_routes():
            method, _, template = name.partition(" ")
            if not template.startswith("/admin"):
                continue
            for cookie in ({}, {"Cookie": its.session()}, {"Cookie": its.shop_session()}):
                headers = {**cookie, "Sec-Fetch-Site": "same-origin"}
                target = url + its.path(template)
                assert plain_http.request(method, target, headers=headers).status_code == 401, name


#: How many of each kind.
SHORT = {
    "fields of the API": 60,
    "fields of forms": 60,
    "addresses": 60,
    "headers": 40,
    "forms from other sites": 160,
    "tokens": 100,
    "keys": 40,
}


def test_a_running_stack_stands_what_attackers_send(world: World) -> None:
    target = OverHttp(world.api.nobody.url)
    found: list[str] = []
    its = means(world)
    for kind, count in SHORT.items():
        attacks = attacks_of(kind, its, who_of())
        answers = target.all(some_of(attacks, count, seed=16))
        found += [each for attack, answer in answers for each in problems_of(attack, answer)]
    assert not found, "\n".join(found[:40])
    stack = world.api.stack
    # What was taken could be read by every service, and none of them is down.
    assert [record.value for record in stack.read("dead-letters")] == []
    assert [each.module for each in stack.workers if not each.ready()] == []
