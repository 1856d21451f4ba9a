"""Lists WooCommerce's orders by its REST API, though one of them may fail.

A list may hold an error in an order's place (woocommerce#12102), and one order that PHP fails
on makes the whole list an error (woocommerce#29407). Then the list is asked for again with the
orders' ids and times alone, and each order by itself. So only the faulty orders fail.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError

PAGE = 100
SECOND = timedelta(seconds=1)
#: The fields of a list without the orders' contents.
SLIM = "id,status,date_modified_gmt,date_created_gmt"
#: Answers about one faulty order; all others are about the shop as a whole.
OF_ORDER = frozenset({400, 404, 410, 500, 502, 504})
GONE = "woocommerce_rest_shop_order_invalid_id"
#: If so many orders in a row fail, the shop is at fault.
FAILED_MAX = 3


class OrderError(Exception):
    """One order could not be fetched; the text says why. ``is_gone``: the shop has deleted it."""

    def __init__(self, text: str, *, is_gone: bool = False) -> None:
        super().__init__(text)
        self.is_gone = is_gone


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop said.

    ``asked_at`` is when it was asked, on our clock; ``read_at`` is on the shop's clock and not
    later than the moment at which the shop looked; absent if its answer has no date.
    """

    body: Any
    asked_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An order in a list; ``problem`` says why there is no ``answer`` with it."""

    order_id: str
    changed: datetime | None
    status: str
    answer: Answer | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. ``nameless`` is the number of errors in it without an order's id."""

    entries: list[Entry]
    nameless: int
    until: datetime

    @property
    def is_last(self) -> bool:
        """Whether it is the last page."""
        return len(self.entries) + self.nameless < PAGE


class Listing:
    """Asks one shop.

    If order after order fails and ``gives_up`` is set, the shop is taken to be at fault.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.gives_up = True

    async def pages(self, status: str, after: datetime) -> AsyncIterator[Page]:
        """Pages of orders in the order of their changes.

        What changes meanwhile moves to the end, and would shift numbered pages under our feet. So
        each page begins where the last ended, and numbers only count within one second.
        """
        number = 1
        while True:
            page = await self._page(
                {
                    "status": status,
                    "modified_after": after.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                    "dates_are_gmt": "true",
                    "orderby": "modified",
                    "order": "asc",
                    "per_page": str(PAGE),
                    "page": str(number),
                }
            )
            yield page
            if page.is_last:
                return
            changes = [entry.changed for entry in page.entries if entry.changed is not None]
            # The bound itself is left out by WordPress, so a second earlier keeps its others.
            last = changes[-1] - SECOND if changes else after
            after, number = (last, 1) if last > after else (after, number + 1)

    async def order(self, order_id: str) -> Answer:
        """A single order. Raises ``OrderError``, and errors of the shop as a whole."""
        answer = await self._of_order(f"orders/{order_id}", {}, "the order")
        if not isinstance(answer.body, dict) or _id_of(answer.body) != order_id:
            raise OrderError("the shop's answer is not the order")
        return answer

    async def refunds(self, order: Mapping[str, Any], order_id: str) -> list[dict[str, Any]]:
        """All the refunds that an order names.

        Raises ``OrderError``. An error among them is passed over if no refund is missing.
        """
        named = {_id_of(each) for each in payloads.entries(order, "refunds")} - {None}
        if not named:
            return []
        query = {"per_page": str(PAGE)}
        answer = await self._of_order(f"orders/{order_id}/refunds", query, "its refunds")
        if not isinstance(answer.body, list):
            raise OrderError("the shop's answer is not a list of its refunds")
        found = {_id_of(each): each for each in answer.body if isinstance(each, dict)}
        found.pop(None, None)
        if len(found) < PAGE and named - found.keys():
            raise OrderError("one of its refunds is missing in the list of refunds")
        return list(found.values())

    async def _page(self, query: dict[str, str]) -> Page:
        try:
            answer = await self._ask("orders", query)
            listed = _entries(answer)
        except (httpx.HTTPError, GarbledError, UnreadableError) as error:
            if not _is_of_order(error):
                raise
            return await self._one_by_one(query, {}, error)
        named = {entry.order_id: entry for entry in listed if entry is not None}
        if len(named) < len(listed):
            return await self._one_by_one(query, named, UnreadableError("the list has errors"))
        return Page(list(named.values()), 0, answer.read_at or answer.asked_at)

    async def _one_by_one(
        self, query: dict[str, str], known: Mapping[str, Entry], why: Exception
    ) -> Page:
        """The same page, with a request for each order that is not known.

        Raises the page's error if none of them can be fetched.
        """
        answer = await self._ask("orders", query | {"_fields": SLIM})
        slim = _entries(answer)
        entries: list[Entry] = []
        failed = 0
        for each in slim:
            if each is None:
                continue
            entry = known.get(each.order_id)
            if entry is None:
                try:
                    entry = _entry(await self.order(each.order_id))
                except OrderError as error:
                    entry = Entry(each.order_id, each.changed, each.status, None, str(error))
                    failed += 1
            entries.append(entry or each)
            if self.gives_up and failed >= FAILED_MAX and failed == len(entries):
                raise why
        return Page(entries, slim.count(None), answer.read_at or answer.asked_at)

    async def _of_order(self, path: str, query: Mapping[str, str], what: str) -> Answer:
        try:
            return await self._ask(path, query)
        except httpx.HTTPStatusError as error:
            if not _is_of_order(error):
                raise
            status = error.response.status_code
            is_gone = status == 404 and GONE in error.response.text
            raise OrderError(f"the shop answers {status} for {what}", is_gone=is_gone) from None
        except (httpx.ReadTimeout, httpx.RemoteProtocolError):
            raise OrderError(f"the shop gives no answer for {what}") from None
        except GarbledError as error:
            raise OrderError(f"the shop's answer for {what} can't be read: {error}") from None

    async def _ask(self, path: str, query: Mapping[str, str]) -> Answer:
        asked_at, began = datetime.now(UTC), time.monotonic()
        response = await self._client.get(path, params=dict(query))
        lasted = timedelta(seconds=time.monotonic() - began)
        response.raise_for_status()
        try:
            date: datetime | None = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            date = None
        read_at = date.astimezone(UTC) - lasted if date is not None else None
        return Answer(payloads.parse(response.content), asked_at, read_at)


def _is_of_order(error: Exception) -> bool:
    """Whether one order may be at fault, not the shop, our key or the connection."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in OF_ORDER
    of_one = (httpx.ReadTimeout, httpx.RemoteProtocolError, GarbledError, UnreadableError)
    return isinstance(error, of_one)


def _entries(answer: Answer) -> list[Entry | None]:
    """The orders in a list; None for an entry that is not an order. Raises ``UnreadableError``."""
    if not isinstance(answer.body, list):
        raise UnreadableError("the answer is not a list")
    return [_entry(Answer(each, answer.asked_at, answer.read_at)) for each in answer.body]


def _entry(answer: Answer) -> Entry | None:
    order = answer.body
    order_id = _id_of(order)
    if order_id is None:
        return None
    try:
        changed = payloads.instant(order, "date_modified_gmt", "date_created_gmt")
    except UnreadableError:
        changed = None
    return Entry(order_id, changed, str(order.get("status"))[:40], answer)


def _id_of(order: Any) -> str | None:
    return payloads.identity_or_none(order, "id") if isinstance(order, dict) else None
