"""Callers, which do the outside calls of a processor, and their time limits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """How long a claim holds, and how much of that time is kept for the part after ``begin``.

    A call that has not begun by then is given up and was not made. A call that has begun must end
    within the lease. Otherwise it would be made twice.
    """

    seconds: float = 300.0
    after_begin: float = 0.0


class Caller(Protocol):
    """Makes outside calls; one caller for all partitions of a processor on a worker."""

    lease: Lease

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Close connections."""

    def missing(self, server: str) -> str:
        """The setting without which a server can't be asked; empty: none is missing."""

    async def __call__(self, request: Any, begin: Callable[[], None]) -> Any:
        """Make the call and return its reply, plain or in ``Strained`` or ``Unasked``.

        Call ``begin`` right before the point after which a crash leaves the outcome open. For
        errors of the server it raises ``ServerDownError`` and nothing else.
        """
