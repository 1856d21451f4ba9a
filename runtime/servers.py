"""The servers that a processor's calls go to, on this worker: their breakers, log and metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from prometheus_client import Gauge

from runtime import metrics
from runtime.breaker import Breaker, Turn

#: A server that stays down is in the log once in so many seconds.
TOLD_SECONDS = 60.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WaitingCalls:
    """Calls that wait for a server: how many, and one line that says why."""

    server: str
    calls: int
    why: str


class Servers:
    """All partitions of a processor share it, so one call tests a server for all of them.

    It is kept in memory: after a restart the first call tests the server.
    """

    def __init__(self, processor: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._processor = processor
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._missing: dict[str, str] = {}
        self._told_at: dict[str, float] = {}
        #: Callbacks that run as soon as a server goes down.
        self.on_shut: set[Callable[[str], None]] = set()

    def turn(self, server: str) -> Turn:
        """Whether a call to it may begin."""
        if server in self._missing:
            return "no"
        return self._breaker(server).turn(self._clock())

    def begin(self, server: str) -> bool:
        """A call to it begins; returns whether it is the test call."""
        after = self._breakers[server] = self._breaker(server).begun()
        return after.is_probing

    def lacks(self, server: str, setting: str) -> None:
        """Note the setting without which the server can't be asked; empty if none is missing."""
        if not setting:
            self._missing.pop(server, None)
        elif server not in self._missing:
            self._missing[server] = setting
            self._down(server).set(1)
            _log.warning(
                f"no call is made until {setting} is set: calls are kept",
                processor=self._processor,
                server=server,
            )

    def down(self, server: str, why: str, seconds: float, *, is_probe: bool) -> None:
        """A call found it down."""
        breaker = self._breaker(server)
        self._put(server, breaker.down(self._clock(), why, seconds, is_probe=is_probe))

    def strained(self, server: str, why: str, seconds: float, *, is_probe: bool) -> None:
        """A call got no answer, or an answer that puts off all calls."""
        breaker = self._breaker(server)
        self._put(server, breaker.strained(self._clock(), why, seconds, is_probe=is_probe))

    def up(self, server: str) -> None:
        """A call got an answer."""
        self._put(server, self._breaker(server).up())

    def untold(self, server: str, *, is_probe: bool) -> None:
        """A call ended without a finding about the server."""
        self._breakers[server] = self._breaker(server).untold(is_probe=is_probe)

    def why(self, server: str) -> str:
        """Why calls to it wait, as one line; empty if they need not."""
        if setting := self._missing.get(server):
            return f"{setting} is not set"
        breaker = self._breaker(server)
        if not breaker.is_shut:
            return ""
        now = self._clock()
        wait = max(breaker.next_at - now, 0)
        tried = "it is tried now" if breaker.is_probing else f"the next try is in {wait:.0f} s"
        return f"down for {now - breaker.since:.0f} s: {breaker.why}; {tried}"

    def notes(self) -> list[str]:
        """A line for each server that calls wait for."""
        known = sorted({*self._breakers, *self._missing})
        return [f"{server}: {why}" for server in known if (why := self.why(server))]

    def tell(self) -> None:
        """Log the servers that are still down, each at most once a minute."""
        now = self._clock()
        for server, breaker in self._breakers.items():
            if breaker.is_shut and now - self._told_at[server] >= TOLD_SECONDS:
                self._told_at[server] = now
                _log.warning("still down: calls wait", **self._said(server, breaker))

    def _breaker(self, server: str) -> Breaker:
        return self._breakers.get(server) or Breaker()

    def _put(self, server: str, after: Breaker) -> None:
        before = self._breaker(server)
        self._breakers[server] = after
        if after.is_shut and not before.is_shut:
            self._told_at[server] = self._clock()
            self._down(server).set(1)
            _log.warning("a server is down: calls wait", **self._said(server, after))
            for told in [*self.on_shut]:
                told(server)
        elif before.is_shut and not after.is_shut:
            self._down(server).set(0)
            seconds = round(self._clock() - before.since)
            _log.info("a server is back", processor=self._processor, server=server, seconds=seconds)

    def _said(self, server: str, breaker: Breaker) -> dict[str, object]:
        now = self._clock()
        return {
            "processor": self._processor,
            "server": server,
            "error": breaker.why,
            "seconds": round(now - breaker.since),
            "next_try_seconds": round(max(breaker.next_at - now, 0)),
        }

    def _down(self, server: str) -> Gauge:
        return metrics.SERVER_DOWN.labels(self._processor, server)
