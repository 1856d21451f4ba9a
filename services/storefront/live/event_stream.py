"""A subscription as server-sent events: one task for what is told, one that sees the client go.

The protocol is sse-starlette's (id, retry, comments as pings). Its response runs four tasks and two
locks for each stream and encodes each event for each of them; see ARCHITECTURE.md for what that
costs at 5,000 streams.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from prometheus_client import Counter as Total
from prometheus_client import Gauge
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.refusals import RefusalCode
from services.storefront.live.feeds import Subscription
from services.storefront.problems import NotNow, TooMany

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
}
#: How long a client whose server ended waits before it comes back; spread, as all come at once.
RETRY_MS = (2_000, 3_000)
RETRY_AFTER_SECONDS = 10
OPEN = Gauge("storefront_streams", "Open event streams")
EVENTS = Total("storefront_stream_writes_total", "Events, or several at once, written to streams")


class Places:
    """How many streams each address has open, so that one address can't take all."""

    def __init__(self, each: int, altogether: int) -> None:
        self._each = each
        self._altogether = altogether
        self._held: Counter[str] = Counter()
        self._count = 0

    def take(self, address: str) -> None:
        """One more. Raises ``TooMany`` or ``NotNow``."""
        if self._held[address] >= self._each:
            raise TooMany(RETRY_AFTER_SECONDS)
        if self._count >= self._altogether:
            raise NotNow(RefusalCode.TOO_MANY_PAGES)
        self._held[address] += 1
        self._count += 1
        OPEN.inc()

    def give_back(self, address: str) -> None:
        """One less."""
        self._held[address] -= 1
        self._count -= 1
        OPEN.dec()
        if not self._held[address]:
            del self._held[address]


class EventStream(Response):
    """Tells a subscription until the client goes or the subscription ends; ``close`` comes last."""

    def __init__(self, subscription: Subscription, close: Callable[[], None]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._subscription = subscription
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        last = {"type": "http.response.body", "body": b"", "more_body": False}
        watcher: asyncio.Task[None] | None = None
        try:
            await send(start)
            watcher = asyncio.create_task(self._watch(receive))
            await self._tell(send)
            await send(last)
        finally:
            if watcher is not None:
                watcher.cancel()
            self._close()

    async def _tell(self, send: Send) -> None:
        subscription, loop = self._subscription, asyncio.get_running_loop()
        written = b"retry: %d\n\n" % random.randint(*RETRY_MS)
        while True:
            written += subscription.take()
            if written:
                subscription.spoke_at = loop.time()
                await send({"type": "http.response.body", "body": written, "more_body": True})
                EVENTS.inc()
                written = b""
            if subscription.ended:
                return
            await subscription.wait()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._subscription.end()
