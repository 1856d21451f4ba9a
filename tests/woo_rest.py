"""WooCommerce's REST API as its public documentation has it: strict about what it is asked.

Orders are listed with ``modified_after`` (the bound itself left out), ``orderby=modified``,
pages of at most 100, ``status=any`` without what lies in the trash. An unknown or impossible
parameter, a missing key, anything but GET: refused, as the real one may ignore it without a word.
"""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

KEY, SECRET = "ck_of_this_test", "cs_of_this_test"
ORDERS = "/wp-json/wc/v3/orders"
REFUNDS = rf"{ORDERS}/\d+/refunds"
#: The documented parameters that a poll needs; every other is a mistake here.
ALLOWED: dict[str, Callable[[str], bool]] = {
    "status": lambda text: text in {"any", "trash"},
    "modified_after": lambda text: datetime.fromisoformat(text).tzinfo is None,
    "dates_are_gmt": lambda text: text == "true",
    "orderby": lambda text: text == "modified",
    "order": lambda text: text == "asc",
    "per_page": lambda text: 1 <= int(text) <= 100,
    "page": lambda text: int(text) >= 1,
}
Json = dict[str, Any]


class WooRest:
    """A shop's orders and refunds; ``mishaps`` answer the next requests instead."""

    def __init__(self) -> None:
        self.orders: dict[int, Json] = {}
        self.refunds: dict[int, list[Json]] = {}
        self.asked: list[str] = []
        self.mishaps: list[httpx.Response] = []
        self.between_pages: Callable[[], None] = lambda: None

    def put(self, order: Json) -> None:
        """Create an order, or change it."""
        self.orders[order["id"]] = order

    @property
    def transport(self) -> httpx.MockTransport:
        """What a client is given in place of a network."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self.mishaps:
            return self.mishaps.pop(0)
        query = dict(request.url.params)
        path = request.url.path
        refusal = _refusal(request, query)
        if refusal is not None:
            return refusal
        if path == ORDERS:
            return self._listed(query)
        order_id = int(path.split("/")[-2])
        if order_id not in self.orders:
            return _refused(404, "woocommerce_rest_order_invalid_id")
        return _said(self.refunds.get(order_id, []))

    def _listed(self, query: dict[str, str]) -> httpx.Response:
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
        answer = _said(found[(number - 1) * size : number * size])
        self.between_pages()
        return answer


def _refusal(request: httpx.Request, query: dict[str, str]) -> httpx.Response | None:
    """What the shop says to a request that is not as documented."""
    expected = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    if request.headers.get("authorization", "") != expected:
        return _refused(401, "woocommerce_rest_cannot_view")
    is_known = request.url.path == ORDERS or re.fullmatch(REFUNDS, request.url.path)
    if request.method != "GET" or request.url.scheme != "https" or not is_known:
        return _refused(404, "rest_no_route")
    for name, value in query.items():
        if name not in ALLOWED or not ALLOWED[name](value):
            return _refused(400, f"rest_invalid_param: {name}")
    return None


def _said(body: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(body).encode())


def _refused(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, content=json.dumps({"code": code}).encode())
