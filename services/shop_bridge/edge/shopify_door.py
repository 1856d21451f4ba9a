"""A Shopify shop, asked through its GraphQL Admin API."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from services.shop_bridge.edge.door import Gate, NotNowError, NotTakenError, body_of
from services.shop_bridge.rules.looks import Look
from services.shop_bridge.rules.outbound import shopify_admin
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.payloads import UnreadableError
from services.shop_bridge.shops import AdminApi

#: Points that a step takes beside its dearest query: it is a look and a change.
MORE_POINTS = 20.0


class ShopifyDoor:
    """One shop."""

    def __init__(
        self,
        api: AdminApi,
        domain: str,
        seconds: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.gate = Gate()
        self._dearest = 0.0
        url = (api.url or f"https://{domain}").rstrip("/")
        self._client = httpx.AsyncClient(
            base_url=f"{url}/admin/api/{api.version}/",
            headers={"X-Shopify-Access-Token": api.token.get_secret_value()},
            timeout=seconds,
            transport=transport,
        )

    async def stop(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    async def look(self) -> Look:
        """The shop's own domain, and what our token may do."""
        return shopify_admin.looked(await self._ask(shopify_admin.SHOP, {}))

    async def refund(self, request: Request, begin: Callable[[], None]) -> Reply:
        """Look whether it is done; else refund from the transactions that have as much left."""
        answer = await self._ask(shopify_admin.ORDER, shopify_admin.order_id(request))
        order = payloads.part(answer, "order")
        if not order:
            return Reply(outcome="refused", text="the shop has no such order")
        found = shopify_admin.found_refund(order, request)
        if isinstance(found, str):
            told = await self._ask(shopify_admin.REFUND_BY_ID, {"id": found})
            refund = payloads.part(told, "refund")
            if not refund:
                raise UnreadableError("the order has a refund that the shop does not show")
            return shopify_admin.went_back(refund, request)
        if found is not None:
            return found
        planned = shopify_admin.plan(order, request)
        if isinstance(planned, Reply):
            return planned
        begin()
        asked = shopify_admin.refund(planned, request)
        return shopify_admin.refunded(await self._ask(shopify_admin.REFUND, asked), request)

    async def code(self, name: str, request: Request, begin: Callable[[], None]) -> Reply:
        """Look whether the code is there; else make it."""
        if not shopify_admin.has_code(await self._ask(shopify_admin.CODE_BY_NAME, {"code": name})):
            begin()
            asked = shopify_admin.code(name, request, datetime.now(UTC))
            answer = await self._ask(shopify_admin.CODE, asked)
            return shopify_admin.made_code(answer, name, request)
        return Reply("done", reference=name, amount=request.as_code, is_code=True)

    async def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        response = await self._client.post(
            "graphql.json", json={"query": query, "variables": variables}
        )
        answer = body_of(response)
        if not isinstance(answer, dict):
            raise UnreadableError("the answer is not an object")
        self._dearest = max(self._dearest, shopify_admin.cost_of(answer))
        wait = shopify_admin.wait_seconds(answer, self._dearest + MORE_POINTS)
        self.gate.close_for(wait)
        if shopify_admin.is_throttled(answer):
            raise NotNowError("throttled", wait, is_certain=True)
        codes = shopify_admin.error_codes(answer)
        if "INTERNAL_SERVER_ERROR" in codes:
            raise NotNowError("the shop has an error of its own")
        if codes:
            told = f"the shop does not take our request: {', '.join(codes)}"
            raise NotTakenError(told, is_for_all="ACCESS_DENIED" in codes)
        return payloads.part(answer, "data")
