"""Whether a server may be asked: a breaker for each server, as a pure state machine.

If a server is down, this says nothing of the calls that go to it. So they wait without a try, and
one call at a time finds out, after growing pauses, whether the server is back.
Times are seconds of one clock that never goes back; the caller gives them.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

#: Until the next try of a server, after the first, the second, … failure in a row; the last for all
#: further ones.
PAUSES = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 180.0)
#: So many calls in a row that a server left without an answer shut it. One alone may be about that
#: call.
STRIKES_MAX = 3

#: ``yes``: any call may begin. ``probe``: one may, to find out. ``no``: none may.
Turn = Literal["yes", "probe", "no"]


class ServerDownError(Exception):
    """A caller did not get as far as its call: its server can't be reached or takes no login.

    The text is one line. The call stays as it was and is not counted as a try. ``seconds``: the
    server is left alone for at least so long. ``is_open``: what was asked may have been done if the
    caller had called ``begin``.
    """

    def __init__(self, why: str, seconds: float = 0.0, *, is_open: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.is_open = is_open


@dataclass(frozen=True, slots=True)
class Strained:
    """A caller's reply that also says that its server is not well.

    ``why`` is one line. Some in a row shut the server, as one may be about that call alone. With
    ``seconds`` it is shut at once, for at least so long.
    """

    reply: Any
    why: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unasked:
    """A caller's reply that it gave without asking its server."""

    reply: Any


def reply_of(told: Any) -> Any:
    """The reply of a caller, without what it says of the server."""
    return told.reply if isinstance(told, Strained | Unasked) else told


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a server stands. A new one is closed: every call may begin.

    - ``strikes``: calls in a row without an answer, while it is closed.
    - ``failures``: how often in a row it was found down; 0 while it is closed.
    - ``since`` when it is shut, ``next_at`` the next call may find out, and ``why``.
    - ``is_probing``: a call is finding out.
    """

    strikes: int = 0
    failures: int = 0
    since: float = 0.0
    next_at: float = 0.0
    why: str = ""
    is_probing: bool = False

    @property
    def is_shut(self) -> bool:
        """Whether calls wait."""
        return self.failures > 0

    def turn(self, now: float) -> Turn:
        """Whether a call may begin."""
        if not self.is_shut:
            return "yes"
        return "probe" if not self.is_probing and now >= self.next_at else "no"

    def begun(self) -> "Breaker":
        """A call begins; while it is shut, that call finds out."""
        return replace(self, is_probing=True) if self.is_shut else self

    def down(self, now: float, why: str, seconds: float = 0.0, *, is_probe: bool) -> "Breaker":
        """A call found the server down.

        Calls that began before it was shut tell nothing new, so they do not make the pause grow.
        """
        if self.is_shut and not is_probe:
            return replace(self, next_at=max(self.next_at, now + seconds))
        pause = PAUSES[min(self.failures, len(PAUSES) - 1)]
        return Breaker(
            failures=self.failures + 1,
            since=self.since if self.is_shut else now,
            next_at=now + max(pause, seconds),
            why=why,
        )

    def strained(self, now: float, why: str, seconds: float = 0.0, *, is_probe: bool) -> "Breaker":
        """A call was left without an answer, or was told to come later for a reason of us all."""
        if seconds or self.is_shut or self.strikes + 1 >= STRIKES_MAX:
            return self.down(now, why, seconds, is_probe=is_probe)
        return replace(self, strikes=self.strikes + 1)

    def up(self) -> "Breaker":
        """A call got an answer."""
        return Breaker()

    def untold(self, *, is_probe: bool) -> "Breaker":
        """A call ended without a word of the server; the next one finds out."""
        return replace(self, is_probing=False) if is_probe else self
