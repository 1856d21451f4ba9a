"""Requests of an attacker: each field, address, header and token of the storefront, changed.

Everything is built in a fixed order from what the routes declare; a seed only says which of them a
short run takes.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any, get_args
from urllib.parse import quote_from_bytes

from fastapi.routing import APIRoute
from pydantic import BaseModel

from runtime.links import Links, Purpose
from services.storefront.access.callers import COOKIE, Access, Actor
from services.storefront.api import events
from services.storefront.api.document import PREFIX, ROUTERS
from services.storefront.api.parameters import SHAPES
from services.storefront.pages.routes import ROUTERS as PAGES
from services.storefront.settings import PageSettings
from tests.attack.words import JSON_VALUES, TEXTS
from tests.system.api_stack import SECRET

_HOLE = "\ue0ff hole"
FORM = "application/x-www-form-urlencoded"
OURS = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Attack:
    """A request; ``wants`` are the only statuses that are right, if not all that refuse are."""

    label: str
    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wants: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Means:
    """What an attacker has: ids that there are, everybody's credentials, tokens of every link."""

    links: Links
    ids: Mapping[str, str]
    credentials: Mapping[str, str]
    tokens: Mapping[Purpose, str]

    def session(self, session: str = "a-session") -> str:
        """A seller's cookie; ``session`` tells it from others, of which one may be signed out."""
        token = self.links.token("session", self.ids["seller_id"], self.ids["key_id"], session)
        return f"{COOKIE}={token}"

    def shop_session(self, session: str = "a-session") -> str:
        """A shop's cookie."""
        ids = self.ids
        token = self.links.token("session", ids["shop_id"], ids["shop_key_id"], session)
        return f"{COOKIE}={token}"

    def admin_session(self) -> str:
        """A new cookie of the admin."""
        settings = PageSettings(
            link_secret=SECRET,  # type: ignore[arg-type]
            admin_key=self.credentials["admin"],  # type: ignore[arg-type]
        )
        unused: Any = None
        access = Access(settings, self.links, unused, unused)
        return f"{COOKIE}={access.session_token(Actor('admin', client='192.0.2.1'))}"

    def session_of(self, path: str) -> str:
        """The cookie of whoever may see a page, or else a seller's."""
        if path.startswith("/admin"):
            return self.admin_session()
        return self.shop_session() if path.startswith(("/todo", "/shops")) else self.session()

    def path(self, template: str, token: str = "") -> str:
        """A route's path with what there is."""
        return template.format(**self.ids, token=token)


# --- bodies of the API ---------------------------------------------------------------------------

PERSON = {"id": "p", "name": "Pat", "email": "p@b.example", "locale": "en", "time_zone": "UTC"}
TIER = {
    "from_quantity": 2,
    "from_value": None,
    "percent_off": 10,
    "amount_off": None,
    "unit_price": None,
    "gift": None,
}
FAVOR = {"scope": "member", "tiers": [TIER]}
PRODUCT = {
    "id": "tea",
    "name": "Tea",
    "description": "**Green**",
    "url": "https://b.example/tea",
    "images": [],
    "category": "Drinks",
    "tags": ["green"],
}
BUSINESS = {
    "url": "https://b.example",
    "order_link": "https://b.example/cart?note={group_id}",
    "logo": None,
    "postal_address": "1 Street\nTown",
    "phone": "+49 30 1",
    "terms_url": "https://b.example/terms",
    "privacy_url": "https://b.example/privacy",
    "imprint_url": "https://b.example/imprint",
    "delivery": "By post",
}
#: Each shape with all of its fields.
BODIES: dict[str, dict[str, Any]] = {
    "DefinitionGiven": {
        "definition_id": None,
        "shop_id": None,
        "product": PRODUCT,
        "unit_price": 1000,
        "currency": "EUR",
        "favor": FAVOR,
        "if_incomplete": "none",
        "limits": {"number_min": 1, "number_max": 9, "period_days_max": 30},
        "payment": {"scope": "member", "methods": ["shop"]},
    },
    "GroupGiven": {
        "definition_id": None,
        "organizer": PERSON,
        "number_of_products": 2,
        "product": PRODUCT,
        "unit_price": 1000,
        "currency": "EUR",
        "favor": FAVOR,
        "if_incomplete": "none",
        "grace_seconds": 60,
        "opens_at": None,
        "closes_at": "2100-01-01T00:00:00Z",
        "stop_at_number": False,
        "members": [PERSON | {"payment": {"method": "shop"}}],
        "payment": {"scope": "member", "method": "shop"},
        "visibility": "public",
        "sources": None,
    },
    "WithdrawalGiven": {"reason": "rain"},
    "OrderGiven": {
        "state": "placed",
        "order_id": "o-1",
        "source": None,
        "member": PERSON,
        "quantity": 1,
        "unit_price": 5,
        "value": 5,
        "currency": "EUR",
        "ordered_at": None,
    },
    "CancellationGiven": {"order_id": "o-1", "source": None, "cancelled_at": None},
    "ReturnGiven": {
        "return_id": "r-1",
        "member_id": "m1",
        "source": None,
        "order_id": None,
        "quantity": 1,
        "returned_at": None,
    },
    "ReceivedGiven": {"amount": 5, "currency": "EUR", "reference": "B1", "received_at": None},
    "OutcomeGiven": {"state": "succeeded", "reference": "B1", "reason": None},
    "TransfersGiven": {
        "transfers": [
            {
                "reference": "B1",
                "reason": "no-number",
                "problem": "names no invoice",
                "amount": 5,
                "currency": "EUR",
                "received_at": None,
            }
        ]
    },
    "DoneGiven": {"reason": "transferred back"},
    "AuctionGiven": {
        "seller_id": None,
        "product": PRODUCT,
        "minimum_reservations": 3,
        "unit_price": 900,
        "currency": "EUR",
        "closes_at": "2100-01-01T00:00:00Z",
        "invites_at": None,
        "minimum_step": 1,
        "quantity_max_per_applicant": 100,
    },
    "OfferGiven": {
        "seller_id": None,
        "minimum_reservations": 3,
        "unit_price": 5,
        "refuse_if_doubtful": False,
    },
    "ApplicationGiven": {"applicant": PERSON, "quantity": 1},
    "LinksAgainGiven": {"email": "a@b.example"},
    "DataLinkGiven": {"email": "a@b.example"},
    "MessageGiven": {"words": "Come on Saturday."},
    "ResendGiven": {"version": 1},
    "AddressGiven": {"email": "ada@b.example"},
    "SellerGiven": {
        **{"name": "S", "email": "s@b.example", "locale": "en", "time_zone": "UTC"},
        **BUSINESS,
    },
    "ProfileGiven": BUSINESS,
    "ShopGiven": {"name": "S", "email": "s@b.example", **BUSINESS},
}
Path = tuple[str | int, ...]


def shape_paths(shape: type[BaseModel]) -> Iterator[Path]:
    """Every field of a shape, at any depth; the first element of lists."""
    for name, its in shape.model_fields.items():
        yield (name,)
        for inner in _models(its.annotation):
            is_list = "tuple" in str(its.annotation)
            for path in shape_paths(inner):
                yield (name, 0, *path) if is_list else (name, *path)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def _value_at(body: Any, path: Path) -> Any:
    for step in path:
        body = body[step]
    return body


def _holding(body: Any, path: Path, full: Any) -> Any:
    """A copy of a body that holds a field; what it leaves open on the way there is filled in."""
    changed = deepcopy(body)
    for length in range(1, len(path)):
        if _value_at(changed, path[:length]) is None:
            _value_at(changed, path[: length - 1])[path[length - 1]] = deepcopy(
                _value_at(full, path[:length])
            )
    return changed


def _with(body: Any, path: Path, value: Any) -> Any:
    _value_at(body, path[:-1])[path[-1]] = value
    return body


def api_routes() -> dict[str, APIRoute]:
    """Every route of the API by ``METHOD /path``."""
    found = [each for router in (*ROUTERS, events.router) for each in router.routes]
    return {
        f"{method} {route.path}": route
        for route in found
        if isinstance(route, APIRoute) and route.path.startswith(PREFIX)
        for method in sorted(route.methods)
    }


def shape_of(route: APIRoute) -> type[BaseModel] | None:
    """What a route's body is to be."""
    asked = (route.openapi_extra or {}).get("requestBody")
    if asked is None:
        return None
    if "application/json" not in asked["content"]:
        return None
    name = asked["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return next(each for each in SHAPES if each.__name__ == name)


def body_attacks(means: Means, who_of: Mapping[str, str]) -> Iterator[Attack]:
    """Each field of each body with each value, and left out, twice, beside one too many."""
    for name, route in api_routes().items():
        shape = shape_of(route)
        if shape is None:
            continue
        who = who_of[name]
        method, _, template = name.partition(" ")
        headers = _as(means, who) | {"Content-Type": "application/json"}
        good = _for(shape.__name__, who, means)
        target = means.path(template)

        def made(label: str, text: str, at: tuple[str, str, dict[str, str]]) -> Attack:
            return Attack(label, at[0], at[1], at[2], text.encode("utf-8", "surrogatepass"))

        at = (method, target, headers)
        for path in shape_paths(shape):
            where = f"{name} {'.'.join(str(step) for step in path)}"
            held = _holding(good, path, BODIES[shape.__name__])
            text = json.dumps(_with(deepcopy(held), path, _HOLE))
            for label, value in JSON_VALUES.items():
                yield made(f"{where}: {label}", text.replace(json.dumps(_HOLE), value), at)
            del _value_at(held, path[:-1])[path[-1]]
            yield made(f"{where}: left out", json.dumps(held), at)
        whole = json.dumps(good)
        for label, text in (
            ("twice", whole[:-1] + "," + whole[1:]),
            ("one too many", whole[:-1] + ',"__proto__":{"a":1}}'),
            ("two bodies", whole * 2),
            ("a list of it", f"[{whole}]"),
            ("half", whole[: len(whole) // 2]),
            ("deep", "[" * 100_000),
            ("nothing", ""),
            ("null", "null"),
            ("a mark before", "\ufeff" + whole),
        ):
            yield made(f"{name} body: {label}", text, at)
        for label, raw in (
            ("UTF-16", whole.encode("utf-16")),
            ("not UTF-8", whole.encode().replace(b"a", b"\xff")),
            ("NULs", b"\0" * 1_000),
        ):
            yield Attack(f"{name} body: {label}", method, target, headers, raw)
        for kind in ("", "text/plain", "application/json; charset=utf-7", FORM, "a/b+json", "\x7f"):
            odd = _as(means, who) | {"Content-Type": kind}
            yield Attack(f"{name} as {kind!r}", method, target, odd, whole.encode())


def _for(shape: str, who: str, means: Means) -> dict[str, Any]:
    """A good body of somebody's."""
    body = deepcopy(BODIES[shape])
    if shape == "GroupGiven" and who == "anyone":
        for name in ("product", "unit_price", "currency", "favor", "if_incomplete"):
            body[name] = None
        body |= {"grace_seconds": None, "definition_id": means.ids["definition_id"]}
    return body


def _as(means: Means, who: str) -> dict[str, str]:
    return {} if who == "anyone" else {"Authorization": f"Bearer {means.credentials[who]}"}


# --- addresses and headers -----------------------------------------------------------------------

QUERY = (
    "cursor",
    "limit",
    "q",
    "sort",
    "status",
    "shop_id",
    "after",
    "auction",
    "group",
    "as",
    "kind",
    "shop",
    "state",
    "about",
    "recipient_id",
    "role",
    "holder_id",
)
PAGE_QUERY = (
    "q",
    "sort",
    "auctions",
    "groups",
    "definitions",
    "after",
    "new",
    "n",
    "lang",
    "offer",
    "kind",
    "shop",
    "status",
    "unlisted",
    "standing",
    "state",
    "about",
    "to",
    "next",
    "done",
)


def address_attacks(means: Means, who_of: Mapping[str, str]) -> Iterator[Attack]:
    """Each part of each path and each question of each address, with each text."""
    for name, route in {**api_routes(), **page_routes()}.items():
        method, _, template = name.partition(" ")
        who = who_of.get(name, "anyone")
        is_page = not template.startswith(PREFIX)
        headers = {"Cookie": means.session_of(template), **OURS} if is_page else _as(means, who)
        token = means.tokens.get(TOKEN_OF.get(name, "group"), "")  # type: ignore[arg-type]
        for part in [each.name for each in route.dependant.path_params]:
            for label, text in TEXTS.items():
                given = {**means.ids, "token": token, part: quote_from_bytes(text, safe="")}
                target = template.format(**given)
                yield Attack(f"{name} {part}: {label}", method, target, headers)
        if method != "GET":
            continue
        target = means.path(template, token)
        for part in PAGE_QUERY if is_page else QUERY:
            for label, text in TEXTS.items():
                query = f"{part}={quote_from_bytes(text, safe='')}"
                yield Attack(f"{name} ?{part}: {label}", method, f"{target}?{query}", headers)
            for cursor in odd_cursors():
                yield Attack(
                    f"{name} ?{part}: cursor {cursor[:12]}", method, f"{target}?{part}={cursor}",
                    headers,
                )  # fmt: skip


def odd_cursors() -> list[str]:
    """Cursors that no page gave, well encoded."""
    odd = [
        ["ending", 1, "\0"],
        ["ending", 2**63, "a"],
        ["ending", -(2**63) - 1, "a"],
        ["ending", 1, "a\x1b"],
        ["ending", True, "a"],
        ["ending", 1],
        ["members", "g-001/member/\0"],
        ["places", -1],
        ["places", 2**62],
        ["payments", "\x7f"],
        ["sellers", "\0"],
        ["shops", "\0"],
        ["latest", 1, "\0", "a"],
        ["newest", 2**63, "a"],
        ["todo", 1, "\0", "a"],
        ["todo", 2**63, "tasks", "a"],
        {"a": 1},
        "ending",
    ]
    raw = [json.dumps(each).encode() for each in odd] + [
        b'["ending",1,"\\ud800"]',
        b"\xff",
        b"[" * 900,
    ]
    return [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in raw]


HEADERS = (
    *("Authorization", "Idempotency-Key", "Content-Type", "Accept", "Accept-Language", "Cookie"),
    *("Last-Event-ID", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "Content-Length", "Host"),
)


def header_attacks(means: Means) -> Iterator[Attack]:
    """Each header that is read, with each text that a header can have."""
    target = f"{PREFIX}/auctions/{means.ids['auction_id']}/applications"
    body = json.dumps(BODIES["ApplicationGiven"] | {"applicant": {"email": "a@b.example"}})
    for header in HEADERS:
        for label, text in TEXTS.items():
            written = text.decode("latin-1")
            if any(each in written for each in "\r\n\0") or len(written) > 8_000:
                continue
            for method, where in (("POST", target), ("GET", "/"), ("GET", "/seller")):
                headers = {"Content-Type": "application/json", header: written}
                sent = body.encode() if method == "POST" else b""
                yield Attack(f"{method} {where} {header}: {label}", method, where, headers, sent)


# --- forms of pages ------------------------------------------------------------------------------


@dataclass(frozen=True)
class PageForm:
    """A form's good values; the purpose of the link it stands under, or whose session it is."""

    values: Mapping[str, str] = field(default_factory=dict)
    by: str = ""


_WHO = {"email": "ada@b.example", "name": "Ada", "zone": "UTC"}
#: A form has no field for a logo's id: it has a file.
_BUSINESS = {name: value for name, value in BUSINESS.items() if value}
ADMINS, SHOPS = "admin session", "shop session"
_DEFINITION = {
    **{"name": "Tea", "product_id": "tea-1", "price": "10", "currency": "EUR"},
    **{"starts": "from_quantity", "start_1": "3", "gives_1": "percent_off", "value_1": "5"},
    **{"scope": "member", "payers": "member", "if_incomplete": "none", "method_shop": "yes"},
    **{"number_min": "1", "number_max": "9", "days_max": "30"},
}
_OFFER = {"price": "5", "minimum": "3", "once": "once-1"}
FORMS: dict[str, PageForm] = {
    "POST /auctions/{auction_id}/apply": PageForm(_WHO | {"quantity": "2"}),
    "POST /definitions/{definition_id}/start": PageForm(
        _WHO | {"number": "3", "days": "7", "method": "shop", "stop": "yes", "unlisted": "yes",
                "once": "once-2"}
    ),
    "POST /groups/{group_id}/order/{token}": PageForm(
        _WHO | {"quantity": "2", "once": "once-3"}, "order"
    ),
    "POST /groups/{group_id}/manage/{token}/withdraw": PageForm(
        {"sure": "yes", "reason": "rain"}, "group"
    ),
    "POST /groups/{group_id}/manage/{token}/message": PageForm(
        {"words": "Come on Saturday.", "once": "once-5", "sure": "yes"}, "group"
    ),
    "POST /groups/{group_id}/payments/{token}/{payment_id}/retry": PageForm({}, "payer"),
    "POST /links": PageForm({"email": "ada@b.example"}),
    "POST /my-data": PageForm({"email": "ada@b.example"}),
    # Nothing is erased that later requests need, so no box is ticked.
    "POST /my-data/{token}": PageForm({"sure": "no"}, "person"),
    "POST /seller/sign-in/{token}": PageForm({}, "seller"),
    "POST /sellers": PageForm(_WHO),
    "POST /sign-in": PageForm({"key": "jb_x"}),
    "POST /sign-out": PageForm({}, "session"),
    "POST /seller/open": PageForm(
        {"product": "Camera", "price": "9.00", "currency": "EUR", "minimum": "3", "step": "1",
         "closes_at": "2100-01-01T00:00", "invites_at": "2099-01-01T00:00", "zone": "UTC",
         "once": "once-4", "sure": "yes"},
        "session",
    ),
    "POST /seller/profile": PageForm(_BUSINESS, "session"),
    "POST /shops/{shop_id}/edit": PageForm({"name": "S"} | _BUSINESS, SHOPS),
    "POST /seller/auctions/{auction_id}/offers": PageForm(_OFFER, "session"),
    "POST /seller/auctions/{auction_id}/withdraw": PageForm({}, "session"),
    "POST /todo/{task_id}/done": PageForm({"reason": "mended"}, SHOPS),
    "POST /todo/{task_id}/retry": PageForm({}, SHOPS),
    "POST /admin/todo/{task_id}/done": PageForm({"reason": "mended"}, ADMINS),
    "POST /admin/todo/{task_id}/retry": PageForm({}, ADMINS),
    "POST /admin/sellers/{seller_id}/approval": PageForm({"reason": "known"}, ADMINS),
    "POST /admin/sellers/{seller_id}/suspension": PageForm({"reason": ""}, ADMINS),
    "POST /admin/sellers/{seller_id}/reinstatement": PageForm({"reason": "known"}, ADMINS),
    "POST /admin/sellers/{seller_id}/keys": PageForm({"once": "once-5"}, ADMINS),
    "POST /admin/shops": PageForm({"shop": "book-shop", "once": "once-6"}, ADMINS),
    # Nothing is ended that later requests need, so no box is ticked.
    "POST /admin/keys/{key_id}": PageForm({"sure": "no"}, ADMINS),
    "POST /admin/publish": PageForm(_DEFINITION | {"shop": "shop-1", "once": "once-7"}, ADMINS),
    "POST /admin/definitions/{definition_id}/publish": PageForm(
        _DEFINITION | {"version": "1", "once": "once-8"}, ADMINS
    ),
    "POST /admin/definitions/{definition_id}/withdraw": PageForm({"sure": "no"}, ADMINS),
    "POST /admin/letters": PageForm({"q": "ada@b.example"}, ADMINS),
    "POST /admin/letters/{notice_id}": PageForm({"version": "1"}, ADMINS),
    "POST /admin/people": PageForm({"q": "ada@b.example"}, ADMINS),
    "POST /admin/people/{person_id}": PageForm({"sure": "no"}, ADMINS),
    "POST /counter-offer/{token}": PageForm(_OFFER, "counter-offer"),
    "POST /confirm/{token}": PageForm({}, "confirm-application"),
    "POST /confirm-order/{token}": PageForm({}, "confirm-order"),
    "POST /applications/{token}": PageForm({}, "application"),
    "POST /unsubscribe/{token}": PageForm({}, "unsubscribe"),
    "POST /resubscribe/{token}": PageForm({}, "unsubscribe"),
}  # fmt: skip
#: Pages under a link that have no form of their own.
TOKEN_OF: dict[str, Purpose] = {
    "GET /groups/{group_id}/order/{token}": "order",
    "GET /groups/{group_id}/order/{token}/done": "order",
    "GET /groups/{group_id}/manage/{token}/invitation.svg": "group",
    "GET /groups/{group_id}/manage/{token}/list": "group",
    "GET /groups/{group_id}/manage/{token}/order-sheet.csv": "group",
    "GET /groups/{group_id}/manage/{token}/sent": "group",
    "GET /seller/sign-in/{token}": "seller",
    "GET /my-data/{token}": "person",
    "GET /my-data/{token}/data.json": "person",
    "GET /groups/{group_id}/payments/{token}": "payer",
    "GET /groups/{group_id}/payments/{token}/{payment_id}": "payer",
    "GET /counter-offer/{token}": "counter-offer",
    "GET /counter-offer/{token}/offers/{offer_id}": "counter-offer",
    "GET /confirm/{token}": "confirm-application",
    "GET /confirm-order/{token}": "confirm-order",
    "GET /applications/{token}": "application",
    "GET /unsubscribe/{token}": "unsubscribe",
    "GET /started/{token}": "request",
}


def page_routes() -> dict[str, APIRoute]:
    """Every page by ``METHOD /path``, but for files."""
    return {
        f"{method} {route.path}": route
        for router in PAGES
        for route in router.routes
        if isinstance(route, APIRoute) and not route.path.startswith("/static/")
        for method in sorted(route.methods)
    }


def _form(means: Means, name: str) -> tuple[str, str, dict[str, str]]:
    """Method, address and headers of whoever may send a form."""
    method, _, template = name.partition(" ")
    form = FORMS[name]
    headers = {"Content-Type": FORM, **OURS}
    if form.by == "session":
        headers["Cookie"] = means.session(name)
    elif form.by == "shop session":
        headers["Cookie"] = means.shop_session(name)
    elif form.by == ADMINS:
        headers["Cookie"] = means.admin_session()
    token = means.tokens.get(form.by, "")  # type: ignore[call-overload]
    return method, means.path(template, token), headers


def _encoded(values: Mapping[str, bytes]) -> bytes:
    return "&".join(
        f"{name}={quote_from_bytes(value, safe='')}" for name, value in values.items()
    ).encode()


def form_attacks(means: Means) -> Iterator[Attack]:
    """Each field of each form with each text, left out and twice; and forms of other encodings."""
    for name, form in FORMS.items():
        at = _form(means, name)
        good = {key: value.encode() for key, value in form.values.items()}
        for key in good:
            for label, text in TEXTS.items():
                yield Attack(f"{name} {key}: {label}", *at, _encoded(good | {key: text}))
            left = {other: value for other, value in good.items() if other != key}
            yield Attack(f"{name} {key}: left out", *at, _encoded(left))
            yield Attack(f"{name} {key}: twice", *at, _encoded(good) + b"&" + _encoded(good))
        for charset in ("utf-8", "utf-16", "utf-7", "idna", "punycode", "unicode_escape", "hex"):
            kind = f"multipart/form-data; boundary=b; charset={charset}"
            parts = b"".join(
                b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\\ud800xn--\xff-\r\n'
                % key.encode()
                for key in good or {"a": b""}
            )
            headers = {**at[2], "Content-Type": kind}
            yield Attack(f"{name} in {charset}", at[0], at[1], headers, parts + b"--b--\r\n")
        for kind in ("text/plain", "application/json", "multipart/form-data", "\x7f"):
            headers = {**at[2], "Content-Type": kind}
            yield Attack(f"{name} as {kind!r}", at[0], at[1], headers, _encoded(good))


def cross_site_attacks(means: Means) -> Iterator[Attack]:
    """Each form with good values, as another site's page sends it: nothing comes of it."""
    forged: tuple[dict[str, str], ...] = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://attacked.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://attacked.example.evil.example"},
        {"Origin": "http://attacked.example:1"},
        {},
    )
    for name, form in FORMS.items():
        method, target, ours = _form(means, name)
        kept = {key: value for key, value in ours.items() if key not in OURS}
        body = _encoded({key: value.encode() for key, value in form.values.items()})
        for headers in forged:
            # Without any word of where it is from, what keeps it out is that it has no session.
            told = {"Host": "attacked.example", **kept, **headers}
            if not headers:
                told["Cookie"] = means.session()
            yield Attack(
                f"{name} from {headers or 'nowhere'}", method, target, told, body, frozenset({403})
            )


# --- credentials and tokens ----------------------------------------------------------------------

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def altered(token: str) -> Iterator[tuple[str, str]]:
    """A token with each of its characters changed, and whole parts of it changed."""
    for at, character in enumerate(token):
        # The bit that is changed is one that base64 has a use for, in the last character too.
        other = _BASE64[_BASE64.index(character) ^ 32] if character in _BASE64 else ":"
        yield f"character {at}", token[:at] + other + token[at + 1 :]
    payload, stamp, signature = token.rsplit(".", 2)
    for label, changed in (
        ("cut", token[:-1]),
        ("longer", token + "A"),
        ("unsigned", f"{payload}.{stamp}."),
        ("without a time", f"{payload}.{signature}"),
        ("another time", f"{payload}.{stamp[::-1]}.{signature}"),
        ("swapped", f"{signature}.{stamp}.{payload}"),
        ("upper", token.upper()),
        ("doubled", f"{token}.{token}"),
        ("compressed", f".{token}"),
        ("signed by nobody", f"{payload}.{stamp}." + "A" * len(signature)),
    ):
        if changed != token:
            yield label, changed


def token_attacks(means: Means) -> Iterator[Attack]:
    """Tokens of each purpose, changed anywhere, at the API, as links, and as sessions."""
    for purpose, token in means.tokens.items():
        for label, changed in altered(token):
            headers = {"Authorization": f"Bearer {changed}"}
            yield Attack(
                f"{purpose} {label}", "GET", f"{PREFIX}/auctions", headers, b"", frozenset({401})
            )
    for name, purpose in (TOKEN_OF | {each: form.by for each, form in FORMS.items()}).items():  # type: ignore[operator]
        if purpose in ("", "session", "shop session", ADMINS):
            continue
        method, _, template = name.partition(" ")
        for label, changed in altered(means.tokens[purpose]):
            target = means.path(template, quote_from_bytes(changed.encode(), safe=""))
            yield Attack(
                f"{name} by {purpose} {label}", method, target, {"Content-Type": FORM, **OURS}, b"",
                frozenset({404}),
            )  # fmt: skip
        # And whole ones that are for something else.
        for other, token in means.tokens.items():
            if other == purpose:
                continue
            yield Attack(
                f"{name} by {other}", method, means.path(template, token),
                {"Content-Type": FORM, **OURS}, b"", frozenset({404}),
            )  # fmt: skip
    cookie = means.session()
    name, _, token = cookie.partition("=")
    for label, changed in altered(token):
        headers = {"Cookie": f"{name}={changed}"}
        yield Attack(f"session {label}", "GET", "/seller/open", headers, b"", frozenset({401}))


def credential_attacks(means: Means) -> Iterator[Attack]:
    """Keys that are nearly good."""
    for who in ("shop", "seller", "admin"):
        key = means.credentials[who]
        wrong = [
            key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :] for at in range(len(key))
        ]
        for at, changed in enumerate([*wrong, key[:-1], key + "A", key[::-1], key.swapcase()]):
            headers = {"Authorization": f"Bearer {changed}"}
            yield Attack(
                f"{who}'s key {at}", "GET", f"{PREFIX}/auctions", headers, b"", frozenset({401})
            )


Make = Callable[[Means, Mapping[str, str]], Iterator[Attack]]
#: Every attack by its kind; what makes them takes who may use a route, too.
KINDS: dict[str, Make] = {
    "fields of the API": body_attacks,
    "fields of forms": lambda means, _: form_attacks(means),
    "addresses": address_attacks,
    "headers": lambda means, _: header_attacks(means),
    "forms from other sites": lambda means, _: cross_site_attacks(means),
    "tokens": lambda means, _: token_attacks(means),
    "keys": lambda means, _: credential_attacks(means),
}


def attacks_of(kind: str, means: Means, who_of: Mapping[str, str]) -> list[Attack]:
    """Every attack of a kind, in order."""
    return list(KINDS[kind](means, who_of))


def some_of(attacks: list[Attack], count: int, seed: int) -> list[Attack]:
    """So many of them, always the same for a seed."""
    return attacks if count >= len(attacks) else Random(seed).sample(attacks, count)
