"""WooCommerce's REST API as its public documentation has it: strict about what it is asked.

Orders are listed with ``modified_after`` (the bound itself left out), ``orderby=modified``,
pages of at most 100, ``status=any`` without what lies in the trash. An unknown or impossible
parameter or field, one that is missing, a missing key: refused, as the real one may ignore it
without a word. Refunds are never of more than is left, and have no idempotency: two requests are
two refunds.
"""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any, Literal

import httpx

from tests.shop_faults import Faults, NoAnswer, transport

KEY, SECRET = "ck_of_this_test", "cs_of_this_test"
ORDERS = "/wp-json/wc/v3/orders"
ONE = rf"{ORDERS}/\d+"
REFUNDS = rf"{ONE}/refunds"
COUPONS = "/wp-json/wc/v3/coupons"
READ_AND_WRITTEN = rf"{REFUNDS}|{COUPONS}"
#: What a list without the orders' insides may be asked for, by WordPress's own ``_fields``.
FIELDS = {"id", "status", "date_modified_gmt", "date_created_gmt"}
#: What is wrong with an order: ``list`` makes PHP fail in every list with it, and alone; ``entry``
#: is an error in its place in a list; ``order`` fails alone; ``refunds`` fails when these are asked
#: for; ``refund-entry`` has errors among them (woocommerce#12102), ``refund-lost`` has one in place
#: of one; ``nameless`` is an error even in a list of ids.
Sick = Literal[
    "list", "entry", "order", "refunds", "refund-entry", "refund-lost", "refunds-html", "nameless"
]
WP_ERROR = {
    "errors": {"woocommerce_rest_invalid_order_refund_id": ["Invalid order refund ID."]},
    "error_data": {"woocommerce_rest_invalid_order_refund_id": 404},
}
#: The documented parameters that a poll needs; every other is a mistake here.
ALLOWED: dict[str, Callable[[str], bool]] = {
    "status": lambda text: text in {"any", "trash"},
    "modified_after": lambda text: datetime.fromisoformat(text).tzinfo is None,
    "dates_are_gmt": lambda text: text == "true",
    "orderby": lambda text: text == "modified",
    "order": lambda text: text == "asc",
    "per_page": lambda text: 1 <= int(text) <= 100,
    "page": lambda text: int(text) >= 1,
    "code": lambda text: text != "",
    "_fields": lambda text: set(text.split(",")) <= FIELDS,
}
#: The doctor's question.
LOOK = {"per_page": "1", "_fields": "id"}
_DECIMAL = re.compile(r"\d+(\.\d{1,3})?")


def _is_meta(value: Any) -> bool:
    return isinstance(value, list) and all(set(each) == {"key", "value"} for each in value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, str) and _DECIMAL.fullmatch(value) is not None and Decimal(value) > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


#: Fields that may be posted; those of the second set have to be, as their defaults do harm.
POSTED: dict[str, tuple[dict[str, Callable[[Any], bool]], set[str]]] = {
    "refunds": (
        {
            "amount": _is_amount,
            "reason": _is_text,
            "api_refund": lambda value: isinstance(value, bool),
            "api_restock": lambda value: isinstance(value, bool),
            "meta_data": _is_meta,
        },
        {"amount", "api_refund", "api_restock"},
    ),
    "coupons": (
        {
            "code": _is_text,
            "discount_type": lambda value: value in {"percent", "fixed_cart", "fixed_product"},
            "amount": _is_amount,
            "usage_limit": lambda value: isinstance(value, int),
            "description": _is_text,
            "meta_data": _is_meta,
        },
        {"code", "discount_type", "amount"},
    ),
}
Json = dict[str, Any]
#: What WordPress answers when PHP stops.
CRITICAL = httpx.Response(
    500,
    json={
        "code": "internal_server_error",
        "message": "<p>There has been a critical error on this website.</p>",
        "data": {"status": 500},
    },
)


class WooRest:
    """A shop's orders, refunds and coupons; ``mishaps`` answer the next requests instead."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.orders: dict[int, Json] = {}
        self.refunds: dict[int, list[Json]] = {}
        self.coupons: list[Json] = []
        #: Order ids whose gateway refunds nothing by itself.
        self.declines: set[int] = set()
        #: Order ids whose refunds are written down, and move nothing.
        self.unmoved: set[int] = set()
        self.asked: list[str] = []
        self.mishaps: list[httpx.Response] = []
        self.sick: dict[int, set[Sick]] = {}
        #: What a plugin makes of each body.
        self.garbles: Callable[[bytes], bytes] = lambda body: body
        #: The shop's clock, as its answers tell it.
        self.clock: datetime | None = None
        self.between_pages: Callable[[], None] = lambda: None
        self._numbers = 700

    def put(self, order: Json) -> None:
        """Create an order, or change it."""
        self.orders[order["id"]] = order

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client is given in place of a network."""
        return transport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the shop says to a request."""
        self.asked.append(str(request.url))
        if self.mishaps:
            return self.mishaps.pop(0)
        answer = self._meet(request)
        answer = httpx.Response(
            answer.status_code, headers=answer.headers, content=self.garbles(answer.content)
        )
        if self.clock is not None:
            answer.headers["date"] = format_datetime(self.clock, usegmt=True)
        return answer

    def _meet(self, request: httpx.Request) -> httpx.Response:
        fault = self.faults.next(is_write=request.method == "POST")
        if fault == "dropped":
            raise NoAnswer(fault)
        if fault == "busy":
            return httpx.Response(429, headers={"Retry-After": "1"})
        if fault == "error":
            return httpx.Response(503, text="unavailable")
        answer = self._answer(request)
        if fault in ("lost", "slow"):
            raise NoAnswer(fault)
        return answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        path = request.url.path
        refusal = _refusal(request, query)
        if refusal is not None:
            return refusal
        if path == ORDERS:
            return self._listed(query)
        if path == COUPONS:
            return self._coupon(request, query)
        return self._of_order(request, query, path)

    def _of_order(self, request: httpx.Request, query: dict[str, str], path: str) -> httpx.Response:
        order_id = int(path.split("/")[5])
        if order_id not in self.orders:
            return _refused(404, "woocommerce_rest_shop_order_invalid_id")
        sick = self.sick.get(order_id, set())
        if not path.endswith("/refunds"):
            return CRITICAL if sick & {"list", "order"} else _said(self.orders[order_id])
        if request.method == "POST":
            return self._refund(order_id, json.loads(request.content))
        if sick & {"refunds", "refunds-html"}:
            return CRITICAL if "refunds" in sick else httpx.Response(200, text="<html>wait</html>")
        refunds = self.refunds.get(order_id, [])[::-1]
        if "refund-entry" in sick:
            refunds = [WP_ERROR, *refunds, WP_ERROR]
        if "refund-lost" in sick:
            refunds = [WP_ERROR, *refunds[1:]]
        size, number = int(query.get("per_page", "10")), int(query.get("page", "1"))
        return _said(refunds[(number - 1) * size : number * size])

    def _refund(self, order_id: int, told: Json) -> httpx.Response:
        order = self.orders[order_id]
        left = Decimal(order["total"])
        left += sum((Decimal(each["total"]) for each in order["refunds"]), Decimal(0))
        failed = "woocommerce_rest_cannot_create_order_refund"
        if Decimal(told["amount"]) > left:
            return _refused(500, failed, "Invalid refund amount.")
        if told["api_refund"] and order_id in self.declines:
            why = "The payment gateway for this order does not support automatic refunds."
            return _refused(500, failed, why)
        self._numbers += 1
        refund = {
            "id": self._numbers,
            "date_created_gmt": order["date_modified_gmt"],
            "amount": told["amount"],
            "reason": told.get("reason", ""),
            "refunded_payment": told["api_refund"] and order_id not in self.unmoved,
            "meta_data": told.get("meta_data", []),
            "line_items": [],
        }
        self.refunds.setdefault(order_id, []).append(refund)
        short = {"id": refund["id"], "reason": refund["reason"], "total": f"-{told['amount']}"}
        whole = Decimal(told["amount"]) == left
        self.orders[order_id] = order | {
            "refunds": [*order["refunds"], short],
            "status": "refunded" if whole else order["status"],
        }
        return httpx.Response(201, json=refund)

    def _coupon(self, request: httpx.Request, query: dict[str, str]) -> httpx.Response:
        if request.method == "GET":
            wanted = query.get("code", "").lower()
            return _said([each for each in self.coupons if wanted in ("", each["code"])])
        told = json.loads(request.content)
        # WooCommerce keeps codes in small letters.
        coupon = told | {"id": len(self.coupons) + 1, "code": told["code"].lower()}
        if any(each["code"] == coupon["code"] for each in self.coupons):
            return _refused(400, "woocommerce_rest_coupon_code_already_exists")
        self.coupons.append(coupon)
        return httpx.Response(201, json=coupon)

    def _listed(self, query: dict[str, str]) -> httpx.Response:
        if query == LOOK:
            return _said([{"id": each} for each in [*self.orders][:1]])
        if {"modified_after", "orderby", "dates_are_gmt"} - set(query):
            return _refused(400, "rest_missing_callback_param")
        found = [
            order
            for order in self.orders.values()
            if order["date_modified_gmt"] > query["modified_after"]
            and (order["status"] == "trash") == (query["status"] == "trash")
        ]
        found.sort(key=lambda order: (order["date_modified_gmt"], order["id"]))
        size, number = int(query.get("per_page", "10")), int(query.get("page", "1"))
        page = found[(number - 1) * size : number * size]
        self.between_pages()
        fields = query.get("_fields", "").split(",") if "_fields" in query else None
        sick = [self.sick.get(order["id"], set()) for order in page]
        if fields is None and any("list" in each for each in sick):
            return CRITICAL
        errors = {"nameless"} if fields else {"nameless", "entry"}
        return _said(
            [
                WP_ERROR if each & errors else _slim(order, fields)
                for order, each in zip(page, sick, strict=True)
            ]
        )


def _refusal(request: httpx.Request, query: dict[str, str]) -> httpx.Response | None:
    """What the shop says to a request that is not as documented."""
    expected = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    if request.headers.get("authorization", "") != expected:
        return _refused(401, "woocommerce_rest_cannot_view")
    path = request.url.path
    routes = {"GET": rf"{ORDERS}|{ONE}|{READ_AND_WRITTEN}", "POST": READ_AND_WRITTEN}
    is_private = request.url.scheme == "https" or request.url.host == "127.0.0.1"
    if not is_private or not re.fullmatch(routes.get(request.method, "-"), path):
        return _refused(404, "rest_no_route")
    if request.method == "POST":
        return _wrong_body(path.rpartition("/")[2], json.loads(request.content))
    for name, value in query.items():
        if name not in ALLOWED or not ALLOWED[name](value):
            return _refused(400, f"rest_invalid_param: {name}")
    return None


def _wrong_body(what: str, told: Json) -> httpx.Response | None:
    allowed, needed = POSTED[what]
    for name, value in told.items():
        if name not in allowed or not allowed[name](value):
            return _refused(400, f"rest_invalid_param: {name}")
    missing = needed - set(told)
    return _refused(400, f"rest_missing_callback_param: {sorted(missing)}") if missing else None


def _slim(order: Json, fields: list[str] | None) -> Json:
    return {name: value for name, value in order.items() if fields is None or name in fields}


def _said(body: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(body).encode())


def _refused(status: int, code: str, message: str = "") -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": message})
