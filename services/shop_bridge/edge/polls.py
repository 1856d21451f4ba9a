"""What WooCommerce's webhooks lost, read from its REST API: orders by the time they changed.

WooCommerce does not repeat a webhook, and stops sending after five failures. So each shop with REST
keys is asked again and again for what changed since, and refunds, whose lines no webhook tells, are
read with their orders. How far that is stands in a file (``poll_state``); without it, it begins
some days back, which changes nothing that is known.

An order that can't be fetched or read does not stop the poll. It is asked for again in growing
pauses, and people have a task until it gets through.
"""

import asyncio
import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import structlog

from runtime.records import OutputRecord, milliseconds
from runtime.settings import Settings
from schemas.reasons import OrderReason
from schemas.shop_orders import ShopOrderRead, ShopOrderUnread
from services.shop_bridge.edge.door import WAIT_SECONDS_MAX
from services.shop_bridge.edge.metrics import POLL_FAILURES, POLL_WAITING, POLLED, POLLED_UP_TO
from services.shop_bridge.edge.poll_state import Position, State
from services.shop_bridge.edge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.edge.woo_listing import (
    FAILED_MAX,
    Answer,
    Entry,
    Listing,
    OrderError,
    Page,
)
from services.shop_bridge.rules import unusable
from services.shop_bridge.rules.translations import woocommerce
from services.shop_bridge.rules.translations.goods import Reading
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told, shop_order
from services.shop_bridge.rules.versions import is_settled
from services.shop_bridge.shops import BridgeSettings, Shop

#: Changes of one moment may become visible one after the other; so each poll looks back a little.
OVERLAP = timedelta(minutes=2)
#: ``any`` leaves out what lies in the trash.
STATUSES = ("any", "trash")
#: Polls in a row that broke off, for any reason. Then orders that fail are taken to be at fault.
BREAKS_MAX = 3
#: Orders that are asked for again in one poll.
AGAIN_MAX = 20
NOT_FETCHED_HELP = (
    "jointbuy asks for it again. Open and save the order in the shop, and look into the shop's"
    " error log if that fails."
)
_log = structlog.get_logger()


class AllFailError(Exception):
    """Order after order fails, so it is the shop that is at fault."""


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
        failure = ""
        while True:
            wait = ours.poll_seconds
            try:
                await poll.once(datetime.now(UTC) - back)
            except (
                httpx.HTTPError,
                GarbledError,
                UnreadableError,
                NotAcknowledgedError,
                AllFailError,
            ) as error:
                POLL_FAILURES.labels(shop.name).inc()
                wait = max(wait, _asked_to_wait(error))
                if _without_address(error) != failure:
                    failure = _without_address(error)
                    _log.warning(
                        "a poll broke off", source=shop.name, error=failure, wait_seconds=wait
                    )
            else:
                if failure:
                    _log.info("a shop is polled again", source=shop.name)
                failure = ""
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
        self._listing = Listing(client)
        self._publisher = publisher
        self._position = position
        self._how = how
        #: What was seen of an order, and whether nothing of the same second could follow.
        self._seen: dict[str, tuple[str, bool]] = {}
        self._nameless = 0
        self._breaks = 0

    async def once(self, first: datetime) -> None:
        """Bring all that changed to Kafka, ``first`` and later if it is not known up to when.

        The position moves on page by page, so that a poll that breaks off goes on from there.
        """
        state = self._position.read()
        seen: dict[str, tuple[str, bool]] = {}
        nameless = 0
        self._listing.gives_up = self._breaks < BREAKS_MAX
        try:
            for status in STATUSES:
                # A position in the future would skip changes once all clocks are right again.
                after = min(state.up_to.get(status, first), datetime.now(UTC))
                async for page in self._listing.pages(status, after - OVERLAP):
                    nameless += page.nameless
                    await self._take(page, state, seen)
                    changes = [each.changed for each in page.entries if each.changed is not None]
                    # A change of the shop's future may be followed by one of an earlier time.
                    after = max(after, min(max(changes, default=after), page.until))
                    state.up_to[status] = after
                    self._position.write(state)
            await self._ask_again(state)
        except BaseException:
            self._seen |= seen
            self._breaks += 1
            raise
        self._seen, self._breaks = seen, 0
        if nameless and nameless != self._nameless:
            _log.warning(
                "a list of orders holds errors that name no order",
                source=self._source,
                entries=nameless,
            )
        self._nameless = nameless
        POLLED_UP_TO.labels(self._source).set(min(state.up_to.values()).timestamp())

    async def _take(self, page: Page, state: State, seen: dict[str, tuple[str, bool]]) -> None:
        """Bring a page to Kafka, and note which of its orders failed."""
        records: list[OutputRecord] = []
        failed: dict[str, str] = {}
        now_seen: dict[str, tuple[str, bool]] = {}
        fetched = 0
        for entry in page.entries:
            version = (f"{entry.changed} {entry.status}", _is_settled(entry))
            known = seen.get(entry.order_id) or self._seen.get(entry.order_id) or ("", False)
            now_seen[entry.order_id] = max(version, known) if known[0] == version[0] else version
            if known[0] == version[0] and known[1] >= version[1]:
                continue
            try:
                if entry.answer is None:
                    raise OrderError(entry.problem)
                found = await self._records(
                    entry.order_id, entry.answer, state, is_repeat=known[0] == version[0]
                )
                records += found
                fetched += 1
            except OrderError as error:
                failed[entry.order_id] = str(error)
                if len(failed) >= FAILED_MAX and not fetched and self._listing.gives_up:
                    raise AllFailError(str(error)) from None
        for order_id, problem in failed.items():
            records.append(self._fails(order_id, problem, state))
        await self._publisher.send(records)
        seen |= now_seen
        POLL_WAITING.labels(self._source).set(len(state.again))

    async def _ask_again(self, state: State) -> None:
        """Ask for the orders that failed before, those whose time has come."""
        failed = 0
        for done, order_id in enumerate(state.due(datetime.now(UTC), AGAIN_MAX)):
            try:
                answer = await self._listing.order(order_id)
                records = await self._records(order_id, answer, state, is_repeat=False)
            except OrderError as error:
                failed += 1
                if error.is_gone:
                    records = self._gone(order_id, state)
                else:
                    records = [self._fails(order_id, str(error), state)]
            await self._publisher.send(records)
            self._position.write(state)
            if failed >= FAILED_MAX and failed == done + 1:
                break  # the others have time until the next poll
        POLL_WAITING.labels(self._source).set(len(state.again))

    async def _records(
        self, order_id: str, answer: Answer, state: State, *, is_repeat: bool
    ) -> list[OutputRecord]:
        """What an order says, for Kafka; with its dead letter, unless it is told as a repeat."""
        POLLED.labels(self._source).inc()
        order = answer.body
        refunds = await self._listing.refunds(order, order_id)
        now = datetime.now(UTC)
        try:
            told = woocommerce.read_order(order, self._source, refunds, self._how)
        except ValueError as error:
            return self._unreadable(order_id, order, error, state, now)
        records = self._told(order_id, told, answer, now, is_repeat=is_repeat)
        if state.again.pop(order_id, None) is not None:
            _log.info("an order that failed before was read", source=self._source, order=order_id)
            key = shop_order(self._source, order_id)
            if all(each.key != key for each in told.at(now)):
                # A sub-order is told under its parent's key, and an order that counts nowhere is
                # not told: under its own key there is only the task.
                done = ShopOrderRead(shop_order=key, at=now)
                records.append(
                    self._publisher.event(done, milliseconds(now), self._cause(order_id))
                )
        return records

    def _told(
        self, order_id: str, told: Told, answer: Answer, now: datetime, *, is_repeat: bool
    ) -> list[OutputRecord]:
        cause, now_ms = self._cause(order_id), milliseconds(now)
        told = told.as_read(answer.asked_at, answer.read_at)
        records = [self._publisher.event(each, now_ms, cause) for each in told.at(now)]
        if told.mistyped is not None and not is_repeat:
            order_id = told.mistyped.order_id
            letter = self._publisher.mistyped(self._source, told.mistyped, order_id, now_ms, cause)
            records.append(letter)
        if told.problem is not None and not is_repeat:
            body = json.dumps(answer.body, default=str).encode()
            records.append(self._publisher.uncounted(self._source, told, body, now_ms, cause))
        return records

    def _unreadable(
        self, order_id: str, order: Any, error: ValueError, state: State, now: datetime
    ) -> list[OutputRecord]:
        """A task for an order that can't be read, and a dead letter for each reason."""
        cause, now_ms = self._cause(order_id), milliseconds(now)
        body = json.dumps(order, default=str).encode()
        event = unusable.unread(self._source, order, body, error, now)
        records = [self._publisher.event(event, now_ms, cause)]
        _, said = unusable.said(error)
        if state.fails(order_id, said, now):
            _log.warning("a polled order can't be read", source=self._source, error=said)
            records.append(self._publisher.unread(event, body, now_ms, cause, said))
        return records

    def _fails(self, order_id: str, problem: str, state: State) -> OutputRecord:
        """The task for an order that can't be fetched."""
        now = datetime.now(UTC)
        if state.fails(order_id, problem, now):
            _log.warning(
                "an order can't be fetched", source=self._source, order=order_id, error=problem
            )
        event = ShopOrderUnread(
            shop_order=shop_order(self._source, order_id),
            source=self._source,
            order_id=order_id,
            reason=OrderReason.NOT_FETCHED,
            problem=f"{problem[0].upper()}{problem[1:]}. {NOT_FETCHED_HELP}",
            at=now,
        )
        return self._publisher.event(event, milliseconds(now), self._cause(order_id))

    def _gone(self, order_id: str, state: State) -> list[OutputRecord]:
        """The records for an order that failed before and that the shop has deleted."""
        now = datetime.now(UTC)
        del state.again[order_id]
        told = Told(gone=shop_order(self._source, order_id)).at(now)
        return [
            self._publisher.event(each, milliseconds(now), self._cause(order_id)) for each in told
        ]

    def _cause(self, order_id: str) -> str:
        return f"{self._source}/poll/{order_id}"


def _is_settled(entry: Entry) -> bool:
    """Whether nothing of the second of the order's change can follow."""
    if entry.changed is None or entry.answer is None or entry.answer.read_at is None:
        return False
    return is_settled(entry.changed, entry.answer.read_at)


def _without_address(error: Exception) -> str:
    """The error without the address it was asked of."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the shop answers {error.response.status_code}"
    if isinstance(error, AllFailError):
        return f"order after order fails: {error}"
    return type(error).__name__


def _asked_to_wait(error: Exception) -> float:
    """Seconds, where the shop says so."""
    if not isinstance(error, httpx.HTTPStatusError):
        return 0.0
    text = error.response.headers.get("retry-after", "")
    return min(float(text), WAIT_SECONDS_MAX) if re.fullmatch(r"[0-9]{1,9}", text) else 0.0
