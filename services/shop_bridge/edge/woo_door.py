"""A WooCommerce shop, asked through its REST API."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from services.shop_bridge.edge.door import Gate, body_of
from services.shop_bridge.edge.woo_listing import PAGE
from services.shop_bridge.rules.looks import Look
from services.shop_bridge.rules.outbound import woo_requests
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.shops import RestApi

#: The shop or its payment gateway said no, and took back what it had begun.
REFUSALS = frozenset(
    {"woocommerce_rest_cannot_create_order_refund", "woocommerce_rest_invalid_order_refund"}
)
TAKEN = "woocommerce_rest_coupon_code_already_exists"


class WooDoor:
    """One shop."""

    def __init__(
        self, api: RestApi, seconds: float, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.gate = Gate()
        self._client = httpx.AsyncClient(
            base_url=f"{api.url.rstrip('/')}/wp-json/wc/v3/",
            auth=(api.key.get_secret_value(), api.secret.get_secret_value()),
            timeout=seconds,
            transport=transport,
        )

    async def stop(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def look(self) -> Look:
        """The id of one order: the smallest question that needs the key."""
        asked = {"per_page": "1", "_fields": "id"}
        _objects(body_of(await self._client.get("orders", params=asked)))
        return Look()

    async def refund(self, request: Request, begin: Callable[[], None]) -> Reply:
        """Look whether it is done; else refund, if as much is left."""
        path = f"orders/{request.order_id}"
        response = await self._client.get(path)
        if response.status_code == 404:
            return Reply(outcome="refused", text="the shop has no such order")
        order = _object(body_of(response))
        async for listed in self._pages(f"{path}/refunds"):
            found = woo_requests.found_refund(listed, request)
            if found is not None:
                return found
        refusal = woo_requests.plan(order, request)
        if refusal is not None:
            return refusal
        begin()
        made = await self._client.post(f"{path}/refunds", json=woo_requests.refund(request))
        code, message = _refusal(made)
        if code in REFUSALS:
            return Reply(outcome="refused", text=message or code)
        return woo_requests.refunded(_object(body_of(made)), request, is_answer=True)

    async def code(self, name: str, request: Request, begin: Callable[[], None]) -> Reply:
        """Look whether the coupon is there; else make it."""
        listed = _objects(body_of(await self._client.get("coupons", params={"code": name})))
        found = woo_requests.found_coupon(listed, name, request)
        if found is not None:
            return found
        begin()
        made = await self._client.post("coupons", json=woo_requests.coupon(name, request))
        code, message = _refusal(made)
        if code != TAKEN:
            if code and made.status_code == 400:
                return Reply(outcome="refused", text=message or code)
            body_of(made)
        return woo_requests.made_coupon(name, request)

    async def _pages(self, path: str) -> AsyncIterator[list[dict[str, Any]]]:
        number = 1
        while True:
            asked = {"per_page": str(PAGE), "page": str(number)}
            page = _objects(body_of(await self._client.get(path, params=asked)))
            yield page
            if len(page) < PAGE:
                return
            number += 1


def _refusal(response: httpx.Response) -> tuple[str, str]:
    """The code and the message of a refusal; empty if it is not WooCommerce's own."""
    if response.is_success:
        return "", ""
    try:
        return woo_requests.refusal(payloads.parse(response.content))
    except GarbledError:
        return "", ""


def _objects(body: Any) -> list[dict[str, Any]]:
    return list(payloads.parts({"answer": body}, "answer"))


def _object(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise UnreadableError("the answer is not an object")
    return body
