"""What does something outside for a processor, and how long it may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a claim holds, and how much of that is kept for what follows ``begin``.

    A call that has not begun by then is given up and was not done. One that has begun must be able
    to end within the lease: else it would be done twice.
    """

    seconds: float = 300.0
    after_begin: float = 0.0


class Caller(Protocol):
    """Does something outside; one for all partitions of a processor on a worker."""

    lease: Lease

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Let go of what is open."""

    def missing(self, server: str) -> str:
        """The setting without which a server can't be asked; empty: none is missing."""

    async def __call__(self, request: Any, begin: Callable[[], None]) -> Any:
        """Do it and say what came of it, plain or in ``Strained`` or ``Unasked``.

        ``begin`` is to be called right before the point from which on a crash leaves it open
        whether it was done. Raises ``ServerDownError`` and nothing else for what the other side
        does.
        """
