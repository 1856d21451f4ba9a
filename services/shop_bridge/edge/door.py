"""The door of one shop: one request at a time, none while it asked us to wait, errors sorted."""

import asyncio
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

import httpx

from services.shop_bridge.rules.looks import Look
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations import payloads

WAIT_SECONDS_MAX = 3600.0
#: A request that waits longer for its turn is claimed anew, well within its lease.
PATIENCE_SECONDS = 60.0
#: The key is wrong or lacks a permission, or the shop is unpaid or locked.
BARRED = frozenset({401, 402, 403, 423})


class NotNowError(Exception):
    """The shop can't now. ``is_certain``: nothing was done."""

    def __init__(self, text: str, seconds: float = 0.0, *, is_certain: bool = False) -> None:
        super().__init__(text)
        self.seconds = seconds
        self.is_certain = is_certain


class NotTakenError(Exception):
    """The shop refuses our request, as a key or a setting is wrong. Nothing was done.

    ``is_for_all``: it would refuse any other request, too.
    """

    def __init__(self, text: str, *, is_for_all: bool = False) -> None:
        super().__init__(text)
        self.is_for_all = is_for_all


class Gate:
    """Lets one through at a time, and nobody before the shop is to be asked again."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._opens_at = 0.0

    def close_for(self, seconds: float) -> None:
        """Let nobody through for some time."""
        self._opens_at = max(self._opens_at, time.monotonic() + min(seconds, WAIT_SECONDS_MAX))

    @property
    def seconds(self) -> float:
        """How long it stays closed."""
        return max(self._opens_at - time.monotonic(), 0.0)

    async def __aenter__(self) -> None:
        """Wait for one's turn. Raises ``TimeoutError`` when that takes too long."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._lock.acquire()
            try:
                await asyncio.sleep(self.seconds)
            except BaseException:
                self._lock.release()
                raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


class Door(Protocol):
    """What a shop can be asked for. ``begin`` is called right before the point of no return.

    Raises ``NotNowError``, ``NotTakenError``, ``httpx.HTTPError`` and what reading raises.
    """

    gate: Gate

    async def refund(self, request: Request, begin: Callable[[], None]) -> Reply:
        """Refund money of an order, unless that is done already."""

    async def code(self, name: str, request: Request, begin: Callable[[], None]) -> Reply:
        """Make a code of this name, unless it is there already."""

    async def look(self) -> Look:
        """What the shop says about itself, if it takes our key; nothing is changed."""

    async def stop(self) -> None:
        """Disconnect."""


def asked_to_wait(response: httpx.Response) -> float:
    """Seconds, where the shop says so."""
    text = response.headers.get("retry-after", "")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return 0.0
    return min(float(text), WAIT_SECONDS_MAX)


def body_of(response: httpx.Response) -> Any:
    """The JSON of an answer that is one.

    Raises ``NotNowError``, ``NotTakenError`` and ``GarbledError``.
    """
    status = response.status_code
    if status == 429:
        raise NotNowError("too many requests", asked_to_wait(response), is_certain=True)
    if status >= 500:
        raise NotNowError(f"the shop answers {status}", asked_to_wait(response))
    if not response.is_success:
        raise NotTakenError(f"the shop answers {status}", is_for_all=status in BARRED)
    return payloads.parse(response.content)
