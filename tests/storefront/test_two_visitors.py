"""What one visitor uses up never limits another: every page and every route, as the app has them.

A new route fails ``test_every_route_is_walked`` until ``WALKS`` says how two visitors use it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from time import time
from typing import Any
from unittest.mock import patch

import pytest
from PIL import Image as Pillow

from domain.people import of_seller
from runtime.links import Links, Purpose
from schemas.auctions import Auction, OfferJudged, Seller
from schemas.groups import Definition, GroupPurchase, IdIssued
from schemas.letters import mailbox_of
from schemas.ops import ApiKey, Task
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import Message
from schemas.payments import Payment
from schemas.people import Person
from schemas.shops import Shop
from services.storefront.access.callers import COOKIE, Access, Actor, digest_of
from services.storefront.access.rates import Count, Rates
from services.storefront.settings import PageSettings
from services.storefront.wares.pictures import encoded
from tests.read_model import copy_model
from tests.rules.test_todo import letter
from tests.storefront.pages_app import (
    ADMIN_KEY,
    PAGE_URL,
    SECRET,
    Answer,
    Storefront,
    storefront_on,
)
from tests.storefront.test_read_model import write
from tests.storefront.wares_world import image_of

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)
CLOSES_AT = NOW + timedelta(days=7)
LATER = (NOW + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
LINKS = Links(SECRET)
_SECONDS = count()
#: No key and no ended session is looked up where only a cookie is made.
NOTHING: Any = None


@dataclass(frozen=True)
class Visitor:
    """Somebody at an address of their own, with keys, an auction and a mailbox of their own."""

    number: int

    @property
    def client(self) -> str:
        return f"192.0.2.{self.number}"

    @property
    def email(self) -> str:
        return f"buyer{self.number}@buyers.example"

    @property
    def seller_id(self) -> str:
        return f"s-{self.number}"

    @property
    def auction_id(self) -> str:
        return f"a-{self.number}"

    def key_id(self, role: str) -> str:
        return f"{role}{self.number}".ljust(16, "0")

    def key(self, role: str) -> str:
        return f"jb_{self.key_id(role)}_secret"


A, B = Visitor(1), Visitor(2)


def facts(visitor: Visitor) -> list[Message]:
    """What is known of a visitor's."""
    good = {"standing": "good", "since": NOW}
    keys = [
        ApiKey(
            key_id=visitor.key_id(role),
            role=role,
            holder_id=holder_id,
            digest=digest_of(visitor.key(role)),
            issued_at=NOW,
            version=1,
        )
        for role, holder_id in (("seller", visitor.seller_id), ("shop", "tea-house"))
    ]
    shown: Any = {"offer_id": "o-1", "seller_id": visitor.seller_id}
    return [
        *keys,
        Seller.model_validate(
            {
                "seller_id": visitor.seller_id,
                "name": "Nord Foto",
                "email": f"seller{visitor.number}@sellers.example",
                "registered_at": NOW,
                "version": 1,
                "standings": (good,),
                "standing": "good",
            }
        ),
        Auction.model_validate(
            {
                "auction_id": visitor.auction_id,
                "version": 1,
                "status": "open",
                "product": {"name": "Camera"},
                "opened_by": visitor.seller_id,
                "opened_at": NOW,
                "shown": shown | {"unit_price": 900, "minimum_reservations": 50},
                "currency": "EUR",
                "minimum_step": 1,
                "reservations": 0,
                "applicants": 0,
                "invites_at": NOW,
                "closes_at": CLOSES_AT,
            }
        ),
        Person(
            person_id=of_seller(visitor.seller_id),
            email=f"seller{visitor.number}@sellers.example",
            seen_at=NOW,
        ),
        OfferJudged(
            **shown, auction_id=visitor.auction_id, verdict="shown", reason="opened", version=1
        ),
    ]


def payment(payment_id: str, **fields: Any) -> Payment:
    said: Any = {"group_id": "g-1", "member_id": "m-ann", "amount": 900, "currency": "EUR"}
    said |= {"begun_at": NOW, "version": 1, "payment_id": payment_id}
    return Payment.model_validate(said | {"cause": {"kind": "favor"}} | fields)


def picture() -> bytes:
    """A small picture's file."""
    file = BytesIO()
    Pillow.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


PICTURE = encoded(picture())

SHARED: list[Message] = [
    Definition.model_validate(
        {
            "definition_id": "d-1",
            "shop_id": "tea-house",
            "product": {"name": "Sencha"},
            "unit_price": 900,
            "currency": "EUR",
            "payment": {"methods": ("card",)},
            "favor": {},
            "published_at": NOW,
        }
    ),
    IdIssued(request_id="r-1", group_id="g-1", issued_at=NOW),
    GroupPurchase.model_validate(
        {
            "group_id": "g-1",
            "request_id": "r-1",
            "version": 1,
            "definition_id": "d-1",
            "requested_at": NOW,
            "issued_at": NOW,
            "product": {"name": "Sencha"},
            "unit_price": 900,
            "currency": "EUR",
            "organizer": {"id": "m-org", "person_id": "m-org"},
            "number_of_products": 100,
            "opens_at": NOW - timedelta(days=1),
            "closes_at": CLOSES_AT,
            "payment": {"scope": "member", "method": "card"},
        }
    ),
    PurchaseState(
        group_id="g-1", request_id="r-1", version=1, status="open", quantity=0, value=0, members=0
    ),
    PurchaseRow.model_validate(
        {
            "group_id": "g-1",
            "request_id": "r-1",
            "member_id": "m-ann",
            "person_id": "m-ann",
            "version": 1,
            "quantity": 0,
            "value": 0,
            "orders": 0,
            "first_ordered_at": NOW,
            "period": {"opens_at": NOW, "closes_at": CLOSES_AT},
        }
    ),
    Shop(shop_id="tea-house", name="Tea House", at=NOW, version=1),
    image_of(PICTURE),
    payment("p-failed", kind="charge", method="card", status="failed"),
    payment("p-shop", kind="refund", method="shop", status="pending"),
    payment("p-invoice", kind="invoice", method="invoice", status="pending"),
    letter("bounced", "550 no").model_copy(
        update={"notice_id": "n-1", "about": "g-1", "queued_at": NOW}
    ),
    Task(
        task_id="order-1",
        kind="order",
        shop_id="tea-house",
        about="1042",
        reason="unreadable",
        problem="line_items[0].quantity: not a whole number",
        since=NOW,
    ),
]

Link = tuple[Purpose, tuple[str, ...]]
GROUP: Link = ("group", ("g-1", "m-org"))
MEMBER: Link = ("order", ("g-1", "m-ann"))
ANYBODY: Link = ("order", ("g-1", ""))
PAYER: Link = ("payer", ("g-1", "m-ann", ""))
#: Where a path's ``{token}`` depends on the path.
TOKENS: dict[str, Link] = {
    "/groups/{group_id}/order": ANYBODY,
    "/groups/{group_id}/manage": GROUP,
    "/groups/{group_id}/payments": PAYER,
    "/started": ("request", ("r-1",)),
    "/confirm": ("confirm-application", ("a-1", "b-1")),
    "/confirm-order": (
        "confirm-order",
        ("g-1", "m-ann", "storefront", "w-1", "1", "2100-01-01T00:00:00+00:00"),
    ),
    "/applications": ("application", ("a-1", "b-1")),
    "/unsubscribe": ("unsubscribe", ("m-ann", "invitation", "mailbox")),
    "/resubscribe": ("unsubscribe", ("m-ann", "invitation", "mailbox")),
}
SAID: dict[str, Any] = {
    "product": {"name": "Camera"},
    "currency": "EUR",
    "unit_price": 800,
    "minimum_reservations": 10,
}
Fields = Callable[[Visitor], dict[str, Any]]


@dataclass(frozen=True)
class Walk:
    """How a route is used: ``by`` a role's key, or a link's purpose; and what it answers then.

    ``counts`` are the limits beyond those of all reads and writes.
    """

    status: int = 200
    by: str = ""
    body: Fields | None = None
    form: Fields | None = None
    raw: bytes = b""
    counts: tuple[str, ...] = ()
    query: str = ""
    payment_id: str = "p-failed"


LETTERS = ("letters", "letters-of-strangers", "letters-to-one")
#: Of a message to people who have ordered.
SOME_LETTERS = ("letters-of-strangers",)
SHARED_COUNTS = {"letters-to-one", "letters-of-strangers", "group-messages"}


def fixed(**fields: Any) -> Fields:
    """A body or form that says the same for every visitor."""
    return lambda _: fields


def _group(who: Visitor) -> dict[str, Any]:
    members = [{"email": f"friend-of-{who.number}@buyers.example", "name": "Bo"}]
    people = {"organizer": {"email": who.email}, "members": members}
    return {"definition_id": "d-1", "number_of_products": 10, "closes_at": LATER, **people}


def _definition(_: Visitor) -> dict[str, Any]:
    return {"product": {"name": "Sencha"}, "unit_price": 900, "currency": "EUR"}


def _auction(_: Visitor) -> dict[str, Any]:
    return SAID | {"closes_at": LATER}


def _offer(_: Visitor) -> dict[str, Any]:
    return {"unit_price": 700, "minimum_reservations": 10}


def _application(who: Visitor) -> dict[str, Any]:
    return {"applicant": {"email": who.email}, "quantity": 1}


def _mailbox(who: Visitor) -> dict[str, Any]:
    return {"email": who.email}


def _seller(who: Visitor) -> dict[str, Any]:
    return {"name": "Nord Foto", "email": who.email}


def _order_form(who: Visitor) -> dict[str, Any]:
    return {"email": who.email, "quantity": "1"}


def _start_form(who: Visitor) -> dict[str, Any]:
    return {"email": who.email, "number": "10", "days": "3"}


def _open_form(_: Visitor) -> dict[str, Any]:
    terms = {"product": "Camera", "currency": "EUR", "price": "8.00", "minimum": "10"}
    return terms | {"step": "0.01", "closes_at": LATER[:16], "zone": "UTC", "sure": "yes"}


#: Whose session the admin's pages need.
ADMINS = "admin session"
PUBLISH_FORM = {
    **{"shop": "tea-house", "name": "Sencha", "price": "9.00", "currency": "EUR"},
    **{"starts": "from_quantity", "start_1": "5", "gives_1": "percent_off", "value_1": "5"},
    **{"scope": "member", "payers": "member", "if_incomplete": "as-reached", "method_card": "yes"},
}
OFFER_FORM = fixed(price="7.00", minimum="10")
V1 = "/api/v1"
WALKS: dict[str, Walk] = {
    # The API.
    f"GET {V1}/definitions": Walk(),
    f"POST {V1}/definitions": Walk(201, "shop", _definition, counts=("writes-of-key",)),
    f"GET {V1}/definitions/{{definition_id}}": Walk(),
    f"POST {V1}/definitions/{{definition_id}}/withdrawal": Walk(
        200, "shop", counts=("writes-of-key",)
    ),
    f"POST {V1}/group-purchases": Walk(202, body=_group, counts=("requests", *LETTERS)),
    f"GET {V1}/group-purchases": Walk(),
    f"GET {V1}/group-purchases/{{group_id}}": Walk(),
    f"GET {V1}/group-purchases/{{group_id}}/members": Walk(by="organizer"),
    f"GET {V1}/group-purchases/{{group_id}}/order-sheet.csv": Walk(by="organizer"),
    f"POST {V1}/group-purchases/{{group_id}}/messages": Walk(
        201, "shop", fixed(words="Hello"), counts=("writes-of-key", "group-messages")
    ),
    f"POST {V1}/group-purchases/{{group_id}}/withdrawal": Walk(202, "organizer"),
    f"POST {V1}/group-purchases/{{group_id}}/orders": Walk(
        201,
        "anybody",
        lambda who: {"member": {"email": who.email}, "quantity": 1},
        counts=LETTERS,
    ),
    f"POST {V1}/group-purchases/{{group_id}}/cancellations": Walk(
        201, "shop", fixed(order_id="1"), counts=("writes-of-key",)
    ),
    f"POST {V1}/group-purchases/{{group_id}}/returns": Walk(
        201,
        "shop",
        fixed(return_id="1", member_id="ann", quantity=1),
        counts=("writes-of-key",),
    ),
    f"GET {V1}/requests/{{request_id}}": Walk(by="requester"),
    f"GET {V1}/group-purchases/{{group_id}}/payments": Walk(by="organizer"),
    f"GET {V1}/payments/{{payment_id}}": Walk(by="payer"),
    f"GET {V1}/payments/{{payment_id}}/document": Walk(404, "payer"),
    f"POST {V1}/payments/{{payment_id}}/received": Walk(
        202,
        "admin",
        fixed(amount=900, currency="EUR"),
        payment_id="p-invoice",
        counts=("writes-of-key",),
    ),
    f"POST {V1}/payments/{{payment_id}}/retry": Walk(202, "payer", counts=LETTERS),
    f"POST {V1}/payments/{{payment_id}}/outcome": Walk(
        202,
        "shop",
        fixed(state="succeeded"),
        payment_id="p-shop",
        counts=("writes-of-key",),
    ),
    f"GET {V1}/todo": Walk(by="shop"),
    f"POST {V1}/todo/{{task_id}}/done": Walk(
        200, "shop", fixed(reason="mended"), counts=("writes-of-key",)
    ),
    f"POST {V1}/transfers": Walk(
        200,
        "admin",
        fixed(transfers=[{"reference": "B1", "reason": "no-number", "problem": "no number"}]),
        counts=("writes-of-key",),
    ),
    f"GET {V1}/auctions": Walk(),
    f"GET {V1}/auctions/{{auction_id}}": Walk(),
    f"POST {V1}/auctions": Walk(202, "seller", _auction, counts=("writes-of-key", "offers")),
    f"POST {V1}/auctions/{{auction_id}}/offers": Walk(202, "invited", _offer, counts=("offers",)),
    f"GET {V1}/auctions/{{auction_id}}/offers/{{offer_id}}": Walk(by="seller"),
    f"POST {V1}/auctions/{{auction_id}}/withdrawal": Walk(202, "seller", counts=("writes-of-key",)),
    f"POST {V1}/auctions/{{auction_id}}/applications": Walk(201, body=_application, counts=LETTERS),
    f"POST {V1}/auctions/{{auction_id}}/applications/{{application_id}}/withdrawal": Walk(
        200, "applicant"
    ),
    f"GET {V1}/sellers/{{seller_id}}": Walk(),
    f"PUT {V1}/sellers/{{seller_id}}": Walk(
        202, "seller", fixed(phone="+49 30 1"), counts=("writes-of-key",)
    ),
    f"GET {V1}/shops/{{shop_id}}": Walk(),
    f"PUT {V1}/shops/{{shop_id}}": Walk(
        200, "shop", fixed(name="Tea House"), counts=("writes-of-key",)
    ),
    f"POST {V1}/images": Walk(201, "shop", raw=picture(), counts=("writes-of-key", "image-bytes")),
    f"POST {V1}/sellers": Walk(202, body=_seller, counts=("registrations", *LETTERS)),
    f"GET {V1}/sellers": Walk(by="admin"),
    f"GET {V1}/sellers/me": Walk(by="seller"),
    f"GET {V1}/sellers/me/offers": Walk(by="seller"),
    f"POST {V1}/sellers/{{seller_id}}/approval": Walk(
        200, "admin", fixed(), counts=("writes-of-key",)
    ),
    f"POST {V1}/sellers/{{seller_id}}/suspension": Walk(
        200, "admin", fixed(), counts=("writes-of-key",)
    ),
    f"POST {V1}/sellers/{{seller_id}}/reinstatement": Walk(
        200, "admin", fixed(), counts=("writes-of-key",)
    ),
    f"POST {V1}/sellers/{{seller_id}}/keys": Walk(201, "seller", counts=("writes-of-key",)),
    f"POST {V1}/shops/{{shop_id}}/keys": Walk(201, "admin", counts=("writes-of-key",)),
    f"POST {V1}/keys/{{key_id}}/revocation": Walk(200, "seller", counts=("writes-of-key",)),
    f"DELETE {V1}/people/{{person_id}}": Walk(200, "admin", counts=("writes-of-key",)),
    f"GET {V1}/people/{{person_id}}/data": Walk(by="admin"),
    f"POST {V1}/links-again": Walk(204, body=_mailbox, counts=LETTERS),
    f"POST {V1}/data-link": Walk(204, body=_mailbox, counts=LETTERS),
    f"GET {V1}/shops": Walk(by="admin"),
    f"GET {V1}/keys": Walk(by="admin"),
    f"GET {V1}/letters": Walk(by="admin"),
    f"GET {V1}/letters/{{notice_id}}": Walk(by="admin"),
    f"POST {V1}/letters/{{notice_id}}/resend": Walk(
        200, "admin", fixed(version=1), counts=("writes-of-key",)
    ),
    f"POST {V1}/people/search": Walk(
        200, "admin", lambda who: {"email": who.email}, counts=("writes-of-key",)
    ),
    f"GET {V1}/openapi.json": Walk(),
    "GET /api/docs": Walk(),
    "GET /api/docs/{area}": Walk(),
    # Streams.
    f"GET {V1}/auctions/{{auction_id}}/events": Walk(),
    f"GET {V1}/group-purchases/{{group_id}}/events": Walk(),
    f"GET {V1}/events": Walk(query="?group=g-1"),
    "GET /auctions/{auction_id}/events": Walk(),
    "GET /groups/{group_id}/events": Walk(),
    "GET /events": Walk(query="?auction=a-1"),
    # Pages.
    "GET /": Walk(),
    "GET /help": Walk(),
    "GET /static/{name}": Walk(),
    "GET /images/{image_id}": Walk(),
    "GET /auctions/{auction_id}": Walk(),
    "GET /auctions/{auction_id}/apply": Walk(303),
    "POST /auctions/{auction_id}/apply": Walk(303, form=_order_form, counts=LETTERS),
    "GET /auctions/{auction_id}/applied": Walk(),
    "GET /auctions/{auction_id}/card.png": Walk(),
    "GET /auctions/{auction_id}/qr.svg": Walk(),
    "GET /auctions/{auction_id}/deadline.ics": Walk(),
    "GET /auctions/{auction_id}/embed": Walk(),
    "GET /groups/{group_id}": Walk(),
    "GET /groups/{group_id}/card.png": Walk(),
    "GET /groups/{group_id}/qr.svg": Walk(),
    "GET /groups/{group_id}/deadline.ics": Walk(),
    "GET /groups/{group_id}/embed": Walk(),
    "GET /groups/{group_id}/order/{token}": Walk(),
    "POST /groups/{group_id}/order/{token}": Walk(303, form=_order_form, counts=LETTERS),
    "GET /groups/{group_id}/order/{token}/done": Walk(),
    "GET /definitions/{definition_id}": Walk(),
    "GET /definitions/{definition_id}/start": Walk(303),
    "POST /definitions/{definition_id}/start": Walk(
        303, form=_start_form, counts=("requests", *LETTERS)
    ),
    "GET /started/{token}": Walk(303),
    "GET /groups/{group_id}/manage/{token}": Walk(),
    "GET /groups/{group_id}/manage/{token}/invitation.svg": Walk(),
    "GET /groups/{group_id}/manage/{token}/list": Walk(),
    "GET /groups/{group_id}/manage/{token}/order-sheet.csv": Walk(),
    "GET /groups/{group_id}/manage/{token}/message": Walk(303),
    "POST /groups/{group_id}/manage/{token}/message": Walk(
        303, form=fixed(words="Hello", sure="yes"), counts=("group-messages", *SOME_LETTERS)
    ),
    "GET /groups/{group_id}/manage/{token}/sent": Walk(),
    "GET /groups/{group_id}/manage/{token}/withdraw": Walk(303),
    "POST /groups/{group_id}/manage/{token}/withdraw": Walk(303, form=fixed(sure="yes")),
    "GET /groups/{group_id}/manage/{token}/withdrawn": Walk(),
    "GET /groups/{group_id}/payments/{token}": Walk(),
    "POST /groups/{group_id}/payments/{token}/{payment_id}/retry": Walk(303, counts=LETTERS),
    "GET /groups/{group_id}/payments/{token}/{payment_id}": Walk(404),
    "GET /links": Walk(),
    "POST /links": Walk(303, form=_mailbox, counts=LETTERS),
    "GET /links/sent": Walk(),
    "GET /my-data": Walk(),
    "POST /my-data": Walk(303, form=_mailbox, counts=LETTERS),
    "GET /my-data/sent": Walk(),
    "GET /my-data/{token}": Walk(),
    "GET /my-data/{token}/data.json": Walk(),
    "POST /my-data/{token}": Walk(200, form=fixed(sure="yes")),
    "GET /shops/{shop_id}": Walk(),
    "GET /shops/{shop_id}/edit": Walk(by="shop session"),
    "POST /shops/{shop_id}/edit": Walk(303, "shop session", form=fixed(name="Tea")),
    "GET /sellers": Walk(),
    "GET /seller/profile": Walk(by="session"),
    "POST /seller/profile": Walk(303, "session", form=fixed(phone="+49 30 1")),
    "POST /sellers": Walk(201, form=_seller, counts=("registrations", *LETTERS)),
    "GET /sign-in": Walk(),
    "POST /sign-in": Walk(303, form=lambda who: {"key": who.key("seller")}, counts=("sign-ins",)),
    "POST /sign-out": Walk(303),
    "GET /seller/sign-in/{token}": Walk(),
    "POST /seller/sign-in/{token}": Walk(303),
    "GET /seller": Walk(by="session"),
    "GET /seller/open": Walk(by="session"),
    "POST /seller/open": Walk(303, "session", form=_open_form, counts=("offers",)),
    "GET /seller/auctions/{auction_id}": Walk(by="session"),
    "GET /seller/auctions/{auction_id}/withdraw": Walk(by="session"),
    "GET /seller/auctions/{auction_id}/offers": Walk(303),
    "POST /seller/auctions/{auction_id}/offers": Walk(
        303, "session", form=OFFER_FORM, counts=("offers",)
    ),
    "POST /seller/auctions/{auction_id}/withdraw": Walk(303, "session", form=fixed(sure="yes")),
    "GET /todo": Walk(by="shop session"),
    "GET /todo/{task_id}/done": Walk(by="shop session"),
    "POST /todo/{task_id}/done": Walk(303, "shop session", form=fixed(reason="mended")),
    "GET /todo/{task_id}/retry": Walk(303, "shop session"),
    "POST /todo/{task_id}/retry": Walk(303, "shop session"),
    # The admin's pages.
    "GET /admin": Walk(by=ADMINS),
    "GET /admin/todo": Walk(by=ADMINS),
    "GET /admin/todo/{task_id}/done": Walk(by=ADMINS),
    "POST /admin/todo/{task_id}/done": Walk(303, ADMINS, form=fixed(reason="mended")),
    "GET /admin/todo/{task_id}/retry": Walk(303, ADMINS),
    "POST /admin/todo/{task_id}/retry": Walk(303, ADMINS),
    "GET /admin/sellers": Walk(by=ADMINS),
    "GET /admin/sellers/{seller_id}": Walk(by=ADMINS),
    "POST /admin/sellers/{seller_id}/approval": Walk(303, ADMINS, form=fixed()),
    "POST /admin/sellers/{seller_id}/suspension": Walk(303, ADMINS, form=fixed(reason="fraud")),
    "POST /admin/sellers/{seller_id}/reinstatement": Walk(303, ADMINS, form=fixed()),
    "GET /admin/sellers/{seller_id}/keys": Walk(303, ADMINS),
    "POST /admin/sellers/{seller_id}/keys": Walk(201, ADMINS, form=fixed()),
    "GET /admin/shops": Walk(by=ADMINS),
    "POST /admin/shops": Walk(201, ADMINS, form=fixed(shop="book-shop")),
    "GET /admin/shops/{shop_id}": Walk(by=ADMINS),
    "GET /admin/keys/{key_id}": Walk(by=ADMINS),
    "POST /admin/keys/{key_id}": Walk(303, ADMINS, form=fixed(sure="yes")),
    "GET /admin/definitions": Walk(by=ADMINS),
    "GET /admin/publish": Walk(by=ADMINS),
    "POST /admin/publish": Walk(303, ADMINS, form=lambda _: PUBLISH_FORM),
    "GET /admin/definitions/{definition_id}": Walk(by=ADMINS),
    "GET /admin/definitions/{definition_id}/publish": Walk(by=ADMINS),
    "POST /admin/definitions/{definition_id}/publish": Walk(
        303, ADMINS, form=lambda _: PUBLISH_FORM | {"version": "1"}
    ),
    "GET /admin/definitions/{definition_id}/withdraw": Walk(303, ADMINS),
    "POST /admin/definitions/{definition_id}/withdraw": Walk(303, ADMINS, form=fixed(sure="yes")),
    "GET /admin/groups": Walk(by=ADMINS),
    "GET /admin/groups/{group_id}": Walk(by=ADMINS),
    "GET /admin/auctions": Walk(by=ADMINS),
    "GET /admin/auctions/{auction_id}": Walk(by=ADMINS),
    "GET /admin/letters": Walk(by=ADMINS),
    "POST /admin/letters": Walk(303, ADMINS, form=fixed(q="g-1")),
    "GET /admin/letters/{notice_id}": Walk(by=ADMINS),
    "POST /admin/letters/{notice_id}": Walk(303, ADMINS, form=fixed(version="1")),
    "GET /admin/people": Walk(by=ADMINS),
    "POST /admin/people": Walk(200, ADMINS, form=lambda who: {"q": who.email}),
    "GET /admin/people/{person_id}": Walk(by=ADMINS),
    "GET /admin/people/{person_id}/data.json": Walk(by=ADMINS),
    "POST /admin/people/{person_id}": Walk(303, ADMINS, form=fixed(sure="yes")),
    "GET /counter-offer/{token}": Walk(),
    "POST /counter-offer/{token}": Walk(303, form=OFFER_FORM, counts=("offers",)),
    "GET /counter-offer/{token}/offers/{offer_id}": Walk(),
    "GET /confirm/{token}": Walk(),
    "POST /confirm/{token}": Walk(),
    "GET /confirm-order/{token}": Walk(),
    "POST /confirm-order/{token}": Walk(),
    "GET /applications/{token}": Walk(),
    "POST /applications/{token}": Walk(),
    "GET /unsubscribe/{token}": Walk(),
    "POST /unsubscribe/{token}": Walk(),
    "POST /resubscribe/{token}": Walk(),
}
#: Asked by machines of ours, and not counted.
UNCOUNTED = {"GET /livez", "GET /readyz", "GET /metrics"}


def credential(who: Visitor, by: str) -> dict[str, str]:
    """The headers of a visitor with a role's key, a session, or a link that others have too."""
    if by == "session":
        token = LINKS.token("session", who.seller_id, who.key_id("seller"), "r")
        return {"cookie": f"{COOKIE}={token}", "origin": PAGE_URL}
    if by == ADMINS:
        return {"cookie": admin_cookie(), "origin": PAGE_URL}
    if by == "shop session":
        token = LINKS.token("session", "tea-house", who.key_id("shop"), "r")
        return {"cookie": f"{COOKIE}={token}", "origin": PAGE_URL}
    tokens: dict[str, Link] = {
        "requester": ("request", ("r-1",)),
        "organizer": GROUP,
        "anybody": ANYBODY,
        "payer": PAYER,
        "invited": ("counter-offer", (who.auction_id, who.seller_id)),
        "applicant": ("application", (who.auction_id, "b-1")),
    }
    if by in tokens:
        purpose, what = tokens[by]
        return {"authorization": f"Bearer {LINKS.token(purpose, *what)}"}
    key = ADMIN_KEY if by == "admin" else who.key(by)
    return {"authorization": f"Bearer {key}"}


def admin_cookie() -> str:
    """The cookie of a browser that the admin has signed in with."""
    settings = PageSettings(link_secret=SECRET, admin_key=ADMIN_KEY)
    access = Access(settings, LINKS, NOTHING, NOTHING)
    return f"{COOKIE}={access.session_token(Actor('admin', client='192.0.2.1'))}"


def filled(route: str, who: Visitor, walk: Walk) -> str:
    """A route's path for a visitor."""
    path = route.partition(" ")[2]
    values = {
        "definition_id": "d-1",
        "group_id": "g-1",
        "request_id": "r-1",
        "payment_id": walk.payment_id,
        "auction_id": who.auction_id,
        "offer_id": "o-1",
        "application_id": "b-1",
        "seller_id": who.seller_id,
        "shop_id": "tea-house",
        "person_id": "tea-house:ann",
        "task_id": "order-1" if path.endswith("/done") else "p-failed",
        "key_id": who.key_id("seller"),
        "notice_id": "n-1",
        "name": "style.css",
        "image_id": PICTURE.image_id,
        "area": "auctions",
    }
    if "{token}" in path:
        invitation: Link = ("counter-offer", (who.auction_id, who.seller_id))
        letter = mailbox_of(of_seller(who.seller_id), f"seller{who.number}@sellers.example")
        sign_in: Link = ("seller", (who.seller_id, letter))
        own_data: Link = ("person", (of_seller(who.seller_id), letter))
        tokens = TOKENS | {"/counter-offer": invitation, "/seller/sign-in": sign_in}
        tokens |= {"/my-data": own_data}
        purpose, what = tokens[path.partition("/{token}")[0]]
        # A link that signs in or erases works once, and tokens of one second are the same.
        with patch("itsdangerous.timed.time.time", lambda: time() - next(_SECONDS)):
            values["token"] = LINKS.token(purpose, *what)
    return path.format(**values) + walk.query


async def go(storefront: Storefront, route: str, who: Visitor) -> Answer:
    """What a visitor is answered there."""
    walk = WALKS[route]
    return await storefront.ask(
        route.partition(" ")[0],
        filled(route, who, walk),
        who.client,
        headers=credential(who, walk.by) if walk.by else None,
        body=walk.body(who) if walk.body else None,
        form=walk.form(who) if walk.form else None,
        raw=walk.raw,
    )


@pytest.fixture(scope="module")
def world(migrated: Path) -> str:
    """A read model with something of everything."""
    url = copy_model(migrated, migrated.parent / "two_visitors.db")
    asyncio.run(write(url, *SHARED, *facts(A), *facts(B)))
    return url


@pytest.fixture
async def storefront(world: str) -> AsyncIterator[Storefront]:
    with storefront_on(world) as made:
        yield made
        await made.close()


async def test_every_route_is_walked(storefront: Storefront) -> None:
    found = {f"{method} {path}" for method, path in storefront.routes} - UNCOUNTED
    assert found - set(WALKS) == set(), "say in WALKS how two visitors use it"
    assert set(WALKS) - found == set(), "there is no such route any more"


@pytest.mark.parametrize("route", WALKS)
async def test_every_counter_is_the_visitor_s_own(storefront: Storefront, route: str) -> None:
    """Those of a recipient, a group and all strangers together are shared on purpose."""
    counted: list[Count] = []
    count_all = Rates.count_all

    async def spied(self: Rates, counts: Any) -> None:
        counted.extend(counts)
        await count_all(self, counts)

    with patch.object(Rates, "count_all", spied):
        answer = await go(storefront, route, A)
    walk = WALKS[route]
    assert answer.status == walk.status, answer.text
    kinds = {"reads"} if route.startswith("GET") else {"writes"}
    if route.startswith("GET /static"):
        kinds = set()
    if route.startswith("GET /images"):
        kinds = {"images"}
    assert {each.what for each in counted} == kinds | set(walk.counts)
    own = {A.client, A.key_id("seller"), A.key_id("shop"), "admin", "shop/tea-house"}
    for each in counted:
        if each.what == "offers":
            assert each.who.startswith(f"{A.seller_id}/")
        elif each.what not in SHARED_COUNTS:
            assert each.who in own, each


LOW: dict[str, Any] = {
    "reads and writes": {
        "reads_per_minute": 2,
        "images_per_minute": 2,
        "writes_per_minute": 2,
    },
    "commands": {
        "requests_per_hour": 2,
        "registrations_per_hour": 2,
        "offers_per_hour": 2,
        "letters_per_hour": 4,
        "sign_ins_per_hour": 2,
        "streams_per_address": 2,
    },
}


@pytest.mark.parametrize("limits", LOW)
@pytest.mark.parametrize("route", WALKS)
async def test_what_one_uses_up_another_still_has(world: str, route: str, limits: str) -> None:
    shared = {"letters_to_one_per_hour": 1000, "writes_per_minute_of_key": 1000}
    shared["messages_of_group_per_day"] = 1000
    with storefront_on(world, **(shared | LOW[limits])) as storefront:
        first = [(await go(storefront, route, A)).status for _ in range(5)]
        second = (await go(storefront, route, B)).status
        await storefront.close()
    walk = WALKS[route]
    assert first[0] == walk.status
    shared = {"writes-of-key", "image-bytes", *SHARED_COUNTS}
    limited = set(walk.counts) - shared or route.endswith("/events")
    if limits == "reads and writes":
        limited = not route.startswith("GET /static")
    assert (first[-1] == 429) == bool(limited), first
    assert second == walk.status
