"""What WooCommerce's webhooks lost, read from its REST API: orders by the time they changed.

WooCommerce does not repeat a webhook, and stops sending after five failures. So each shop with REST
keys is asked again and again for what changed since, and refunds, whose lines no webhook tells, are
read with their orders. How far that is stands in a file; without it, it begins some days back,
which changes nothing that is known.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import structlog

from services.runtime.records import OutputRecord, milliseconds
from services.runtime.settings import Settings
from services.shop_bridge import payloads, woocommerce
from services.shop_bridge.goods import Reading
from services.shop_bridge.metrics import POLL_FAILURES, POLLED, POLLED_UP_TO
from services.shop_bridge.payloads import GarbledError, UnreadableError
from services.shop_bridge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.receiving import MISTYPED_ERROR
from services.shop_bridge.shops import BridgeSettings, Shop

PAGE = 100
#: Changes of one moment may become visible one after the other; so each poll looks back a little.
OVERLAP = timedelta(minutes=2)
SECOND = timedelta(seconds=1)
#: ``any`` leaves out what lies in the trash.
STATUSES = ("any", "trash")
WAIT_SECONDS_MAX = 3600.0
_log = structlog.get_logger()


class Position:
    """Up to when a shop's changes are with Kafka, in a file of its own."""

    def __init__(self, folder: Path, shop: str) -> None:
        self._path = folder / "shop_bridge" / f"polled-{shop}.json"

    def read(self) -> datetime | None:
        """The time, if it is known."""
        try:
            return datetime.fromisoformat(json.loads(self._path.read_text())["up_to"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, up_to: datetime) -> None:
        """Replace the file in one step."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps({"up_to": up_to.isoformat()}))
        draft.replace(self._path)


async def poll_shop(
    shop: Shop,
    publisher: Publisher,
    settings: Settings,
    ours: BridgeSettings,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Poll a shop for ever."""
    assert shop.rest is not None
    # It would log every address it asks.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    position = Position(settings.state_dir, shop.name)
    back = timedelta(days=ours.poll_back_days)
    async with httpx.AsyncClient(
        base_url=f"{shop.rest.url.rstrip('/')}/wp-json/wc/v3/",
        auth=(shop.rest.key.get_secret_value(), shop.rest.secret.get_secret_value()),
        timeout=30.0,
        transport=transport,
    ) as client:
        poll = Poll(shop.name, client, publisher, position, shop.reading())
        while True:
            began = datetime.now(UTC)
            wait = ours.poll_seconds
            try:
                await poll.once((position.read() or began - back) - OVERLAP)
            except (httpx.HTTPError, GarbledError, UnreadableError, NotAcknowledgedError) as error:
                POLL_FAILURES.labels(shop.name).inc()
                wait = max(wait, _asked_to_wait(error))
                _log.warning(
                    "a poll broke off", source=shop.name, error=_named(error), wait_seconds=wait
                )
            await asyncio.sleep(wait)


class Poll:
    """Polls of one shop; remembers what the last one saw, to leave out what has not changed."""

    def __init__(
        self,
        source: str,
        client: httpx.AsyncClient,
        publisher: Publisher,
        position: Position,
        how: Reading = Reading(),  # noqa: B008 (it is frozen)
    ) -> None:
        self._source = source
        self._client = client
        self._publisher = publisher
        self._position = position
        self._how = how
        self._seen: dict[str, str] = {}

    async def once(self, after: datetime) -> None:
        """Bring all that changed after a time to Kafka, then move the position."""
        seen: dict[str, str] = {}
        up_to = after + OVERLAP
        for status in STATUSES:
            async for page in self._pages(status, after):
                records: list[OutputRecord] = []
                for order in page:
                    order_id, changed = payloads.identity(order, "id"), _changed(order)
                    up_to = max(up_to, changed)
                    version = f"{changed.isoformat()} {order.get('status')}"
                    if version not in (seen.get(order_id), self._seen.get(order_id)):
                        records += await self._records(order)
                    seen[order_id] = version
                await self._publisher.send(records)
        # Only now are both lists with Kafka up to there.
        self._seen = seen
        self._position.write(up_to)
        POLLED_UP_TO.labels(self._source).set(up_to.timestamp())

    async def _pages(self, status: str, after: datetime) -> AsyncIterator[list[dict[str, Any]]]:
        """Pages of orders in the order of their changes.

        What changes meanwhile moves to the end, and would shift numbered pages under our feet. So
        each page begins where the last ended, and numbers only count within one second.
        """
        number = 1
        while True:
            page = await self._get(
                "orders",
                {
                    "status": status,
                    "modified_after": after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                    "dates_are_gmt": "true",
                    "orderby": "modified",
                    "order": "asc",
                    "per_page": str(PAGE),
                    "page": str(number),
                },
            )
            if page:
                yield page
            if len(page) < PAGE:
                return
            # The bound itself is left out by WordPress, so a second earlier keeps its others.
            last = _changed(page[-1]) - SECOND
            after, number = (last, 1) if last > after else (after, number + 1)

    async def _records(self, order: dict[str, Any]) -> list[OutputRecord]:
        POLLED.labels(self._source).inc()
        now = datetime.now(UTC)
        now_ms = milliseconds(now)
        order_id = payloads.identity(order, "id")
        cause = f"{self._source}/poll/{order_id}"
        refunds: list[dict[str, Any]] = []
        if order.get("refunds"):
            refunds = await self._get(f"orders/{order_id}/refunds", {"per_page": str(PAGE)})
        try:
            told = woocommerce.read_order(order, self._source, refunds, self._how)
        except ValueError as error:
            said = str(error) if isinstance(error, UnreadableError) else "it breaks our schema"
            _log.warning("a polled order can't be read", source=self._source, error=said)
            body = json.dumps(order, default=str).encode()
            return [self._publisher.dead_webhook(self._source, body, now_ms, cause, said)]
        records = [self._publisher.event(each, now_ms, cause) for each in told.at(now)]
        if told.mistyped is not None:
            letter = self._publisher.dead_letter(told.mistyped, now_ms, cause, MISTYPED_ERROR)
            records.append(letter)
        return records

    async def _get(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        response = await self._client.get(path, params=dict(query))
        response.raise_for_status()
        return list(payloads.parts({"answer": payloads.parse(response.content)}, "answer"))


def _changed(order: dict[str, Any]) -> datetime:
    return payloads.instant(order, "date_modified_gmt", "date_created_gmt")


def _named(error: Exception) -> str:
    """The error without the address it was asked of."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the shop answers {error.response.status_code}"
    return type(error).__name__


def _asked_to_wait(error: Exception) -> float:
    """Seconds, where the shop says so."""
    if not isinstance(error, httpx.HTTPStatusError):
        return 0.0
    text = error.response.headers.get("retry-after", "")
    return min(float(text), WAIT_SECONDS_MAX) if re.fullmatch(r"[0-9]{1,9}", text) else 0.0
