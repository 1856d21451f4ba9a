"""The connections of one listener, their number per address, and the bytes of their bodies.

Waiting connections and unfinished bodies are ordered by age, and the oldest is closed first. A
client that is slow on purpose is among the oldest, an honest one hardly ever.
"""

from collections import Counter
from typing import Protocol

from prometheus_client import Counter as Total
from prometheus_client import Gauge

OPEN = Gauge("jointbuy_web_connections", "Open connections, by listener.", ["listener"])
BODY_BYTES = Gauge(
    "jointbuy_web_body_bytes", "Bytes of bodies whose requests are not answered yet.", ["listener"]
)
REFUSED = Total(
    "jointbuy_web_refused_total",
    "Connections and requests that the server ended itself, by reason: connections,"
    " connections-of-address, made-room, head-bytes, headers, head-seconds, body-seconds,"
    " body-bytes, pipelined, malformed.",
    ["listener", "reason"],
)


class Member(Protocol):
    """A connection."""

    network: str

    def make_room(self) -> None:
        """Close this waiting connection, as a new one needs its place."""

    def give_up_body(self) -> None:
        """Close, as all bodies have too many bytes and this one is the slowest."""


class Crowd:
    """The connections of one listener."""

    def __init__(
        self, listener: str, connections: int, of_one: int | None, body_bytes: int
    ) -> None:
        self.listener = listener
        self._connections = connections
        self._of_one = of_one
        self._body_bytes = body_bytes
        self._members: set[Member] = set()
        self._by_network: Counter[str] = Counter()
        # Connections without a request, the longest waiting first. A dictionary keeps its order.
        self._waiting: dict[Member, None] = {}
        # Connections with an unfinished body, the oldest body first.
        self._slow: dict[Member, None] = {}
        self._held: dict[Member, int] = {}
        self._held_bytes = 0
        self._open = OPEN.labels(listener)
        self._bytes = BODY_BYTES.labels(listener)

    def __len__(self) -> int:
        return len(self._members)

    def enter(self, member: Member) -> str:
        """Take a connection; returns why not, or an empty text."""
        if self._of_one is not None and self._by_network[member.network] >= self._of_one:
            return "connections-of-address"
        if len(self._members) >= self._connections:
            if not self._waiting:
                return "connections"
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.make_room()
        self._members.add(member)
        self._by_network[member.network] += 1
        self._waiting[member] = None
        self._open.set(len(self._members))
        return ""

    def leave(self, member: Member) -> None:
        """Forget a connection."""
        self.answered(member)
        self._waiting.pop(member, None)
        if member not in self._members:
            return
        self._members.discard(member)
        self._by_network[member.network] -= 1
        if not self._by_network[member.network]:
            del self._by_network[member.network]
        self._open.set(len(self._members))

    def waits(self, member: Member) -> None:
        """Note that a connection has no request and waits."""
        if member in self._members:
            self._waiting[member] = None

    def asked(self, member: Member) -> None:
        """Note that the head of a request is complete."""
        self._waiting.pop(member, None)

    def body_came(self, member: Member, count: int) -> None:
        """Count more bytes of a body; if all have too many, give up the oldest unfinished one."""
        self._slow.setdefault(member)
        self._held[member] = self._held.get(member, 0) + count
        self._held_bytes += count
        while self._held_bytes > self._body_bytes and self._slow:
            oldest = next(iter(self._slow))
            self.answered(oldest)
            oldest.give_up_body()
        self._bytes.set(self._held_bytes)

    def body_is_whole(self, member: Member) -> None:
        """Note that the body is complete, so it is not slow any more."""
        self._slow.pop(member, None)

    def answered(self, member: Member) -> None:
        """Note that the request is answered and its body no longer held."""
        self._slow.pop(member, None)
        if member in self._held:
            self._held_bytes -= self._held.pop(member)
            self._bytes.set(self._held_bytes)
