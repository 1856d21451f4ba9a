"""What many ask for at the same moment is made once, and shared for a moment more."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Answers that are the same for everybody, each kept for ``seconds``, ``size`` at most.

    What fails is not kept: the next who asks tries anew.
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
        # Who leaves ends the own waiting, not the making for the others.
        return await asyncio.shield(task)

    def _forget(self, now: float) -> None:
        """Drop what is no longer fresh, and the oldest where there is too much."""
        stale = [key for key, (began, _) in self._made.items() if now - began > self._seconds]
        for key in stale or list(self._made)[: max(0, len(self._made) + 1 - self._size)]:
            del self._made[key]


async def _awaited(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


def _failed(task: asyncio.Task[T]) -> bool:
    return task.cancelled() or task.exception() is not None
