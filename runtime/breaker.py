"""Whether a server may be asked: a breaker for each server, as a pure state machine.

The calls to a server are not to blame when it is down. So they wait without a try, and after
growing pauses one call at a time tests whether the server answers again.
Times are seconds of one clock that never goes back; the caller gives them.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

#: Seconds until the next test of a server, after the first, second, … failure in a row; the last
#: value is for all further ones.
PAUSES = (2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 180.0)
#: After so many calls in a row without an answer a server counts as down. A single one may be
#: the fault of that call.
STRIKES_MAX = 3

#: ``yes``: any call may begin. ``probe``: one may, as a test. ``no``: none may.
Turn = Literal["yes", "probe", "no"]


class ServerDownError(Exception):
    """The caller could not make its call: the server can't be reached or refuses the login.

    The text is one line. The call stays as it was and is not counted as a try. ``seconds``: the
    server gets no call for at least so long. ``is_open``: if the caller had called ``begin``, the
    server may have done the call.
    """

    def __init__(self, why: str, seconds: float = 0.0, *, is_open: bool = False) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.is_open = is_open


@dataclass(frozen=True, slots=True)
class Strained:
    """A caller's reply that also reports trouble of its server.

    ``why`` is one line. Some in a row make the server count as down, as a single one may be the
    fault of that call. With ``seconds`` it counts as down at once, for at least so long.
    """

    reply: Any
    why: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Unasked:
    """A caller's reply that it gave without asking its server."""

    reply: Any


def reply_of(told: Any) -> Any:
    """The reply of a caller, without its finding about the server."""
    return told.reply if isinstance(told, Strained | Unasked) else told


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a server stands. A new one is closed: every call may begin.

    - ``strikes``: calls in a row without an answer, while it is closed.
    - ``failures``: how often in a row it was found down; 0 while it is closed.
    - ``since`` it is down, ``next_at`` the next test may begin, and ``why`` it is down.
    - ``is_probing``: a test call is under way.
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
        """A call begins; while the server is down, this call is the test."""
        return replace(self, is_probing=True) if self.is_shut else self

    def down(self, now: float, why: str, seconds: float = 0.0, *, is_probe: bool) -> "Breaker":
        """A call found the server down.

        Calls that began before it was down show nothing new, so they do not make the pause grow.
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
        """A call got no answer, or an answer that puts off all calls."""
        if seconds or self.is_shut or self.strikes + 1 >= STRIKES_MAX:
            return self.down(now, why, seconds, is_probe=is_probe)
        return replace(self, strikes=self.strikes + 1)

    def up(self) -> "Breaker":
        """A call got an answer."""
        return Breaker()

    def untold(self, *, is_probe: bool) -> "Breaker":
        """A call ended without a finding about the server; the next one is the test."""
        return replace(self, is_probing=False) if is_probe else self
