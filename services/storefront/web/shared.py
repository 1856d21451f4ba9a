"""Answers that many requests need at the same moment: made once, and kept for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Answers that are the same for everybody, each kept for ``seconds``, ``size`` at most.

    A failed answer is not kept: the next caller makes it again.
    """

    def __init__(self, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._made: dict[Hashable, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The answer to ``key``: one that is being made or fresh, else a new one."""
        now = asyncio.get_running_loop().time()
        began, task = self._made.get(key, (0.0, None))
        if task is None or (task.done() and (now - began > self._seconds or _failed(task))):
            self._forget(now)
            task = asyncio.ensure_future(_awaited(make))
            self._made[key] = now, task
        # Cancelling one caller must not cancel the shared task.
        return await asyncio.shield(task)

    def _forget(self, now: float) -> None:
        """Drop answers that are too old, and the oldest ones beyond ``size``."""
        stale = [key for key, (began, _) in self._made.items() if now - began > self._seconds]
        for key in stale or list(self._made)[: max(0, len(self._made) + 1 - self._size)]:
            del self._made[key]


async def _awaited(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


def _failed(task: asyncio.Task[T]) -> bool:
    return task.cancelled() or task.exception() is not None
