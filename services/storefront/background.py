"""Work that would keep the event loop busy: done in a thread, one after the other, in a queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from schemas.refusals import RefusalCode
from services.storefront.problems import NotNow

T = TypeVar("T")


class Background:
    """One thread of a web process for one kind of work.

    The thread leaves the event loop free for other requests. A second thread would slow them down
    again, as all threads share one interpreter.
    """

    def __init__(self, name: str, most: int, too_many: RefusalCode) -> None:
        """At most ``most`` pieces of work run or wait; more are refused with ``too_many``."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most = most
        self._too_many = too_many
        self._inside: set[Future[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns. Raises ``NotNow`` if too much work waits already."""
        if len(self._inside) >= self._most:
            raise NotNow(self._too_many)
        done = self._thread.submit(work)
        self._inside.add(done)
        # A cancelled caller frees its place only when its work is done or was never started.
        done.add_done_callback(self._inside.discard)
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Do nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
