"""The newest state of every subject, and the streams that show it: no clock of its own, no I/O.

A feed holds one state, never a queue: whoever reads slowly is given the newest when ready again, so
memory is bounded by the number of streams, not by what happens.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from schemas.parts import Message

#: A topic's partition, by the catalogue's name of the topic.
Place = tuple[str, int]
#: A message as an event's JSON.
Draw = Callable[[Message], bytes]

PING = b": ping\n\n"


class Subject(NamedTuple):
    """A group or an auction whose summary is watched, by topic and key."""

    topic: str
    key: str


class Event(NamedTuple):
    """A subject's state: its version, its JSON, and both as an event of the stream."""

    version: int
    data: bytes
    frame: bytes


def version_of(message: Message) -> int:
    """The version a fact carries."""
    version: int = getattr(message, "version", 1)
    return version


class Newest:
    """The newest value of each subject as the log told it, for the last ones that changed.

    Two generations: when the young one is full, the old one is dropped. ``floor`` says from where
    on nothing has been dropped: what lies before, only the database knows.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[Subject, tuple[int, bytes]] = {}
        self._old: dict[Subject, tuple[int, bytes]] = {}
        self._floor: dict[Place, int] = {}
        self._since: dict[Place, int] = {}

    def begin(self, place: Place, offset: int) -> None:
        """The log is read from this offset on; what was kept of before may be out of date."""
        self._floor[place] = self._since[place] = offset

    def forget(self) -> None:
        """Keep nothing: the log is not the one it was, or a part of it is gone."""
        self._young, self._old = {}, {}

    def floor(self, place: Place) -> int | None:
        """From this offset on all is kept; ``None`` while nothing is read of this partition."""
        return self._floor.get(place)

    def get(self, subject: Subject) -> tuple[int, bytes] | None:
        """Version and value."""
        return self._young.get(subject) or self._old.get(subject)

    def put(
        self, subject: Subject, version: int, value: bytes, positions: Mapping[Place, int]
    ) -> bool:
        """Keep a value unless it is old; ``positions``: how far the log was read before it."""
        known = self.get(subject)
        if known is not None and known[0] >= version:
            return False
        if subject not in self._young and len(self._young) >= self._size:
            self._old, self._young = self._young, {}
            self._floor, self._since = self._since, dict(positions)
        self._young[subject] = (version, value)
        return True


class Feed:
    """One subject's newest state, drawn once for all who watch it."""

    __slots__ = ("_draw", "_drawn", "_newest", "is_read", "not_before", "subject", "subscriptions")

    def __init__(self, subject: Subject, draw: Draw) -> None:
        self.subject = subject
        self.subscriptions: dict[Subscription, None] = {}
        #: Whether the database was asked, or the log has told a state.
        self.is_read = False
        #: The next fan-out is not before this time of the loop.
        self.not_before = 0.0
        self._draw = draw
        self._newest: Message | None = None
        self._drawn: Event | None = None

    @property
    def version(self) -> int:
        """Of the newest state; 0 before there is one."""
        return 0 if self._newest is None else version_of(self._newest)

    def offer(self, message: Message) -> bool:
        """Take a state; whether it is newer than what was known."""
        if version_of(message) <= self.version:
            return False
        self._newest, self._drawn = message, None
        return True

    def event(self) -> Event | None:
        """The newest state as an event."""
        if self._drawn is None and self._newest is not None:
            version, data = self.version, self._draw(self._newest)
            self._drawn = Event(version, data, b"id: %d\ndata: %s\n\n" % (version, data))
        return self._drawn


class Subscription:
    """The versions that one stream has sent of its feeds, and whether there are newer ones.

    An overview has a ``spacing``: the least time between two of its events.
    """

    __slots__ = (
        "_awake",
        "_sent",
        "_waiter",
        "changed",
        "ended",
        "feeds",
        "ping_due",
        "spacing",
        "spoke_at",
    )

    def __init__(self, spacing: float = 0.0) -> None:
        self.feeds: list[Feed] = []
        self.spacing = spacing
        self.ended = False
        #: There may be something to say when the spacing is over.
        self.changed = False
        self.ping_due = False
        #: When something was last written, in the loop's time.
        self.spoke_at = 0.0
        self._sent: list[int] = []
        self._awake = True
        self._waiter: asyncio.Future[None] | None = None

    def add(self, feed: Feed, after: int) -> None:
        """Show this feed too, from the version behind this one on."""
        self.feeds.append(feed)
        self._sent.append(after)
        feed.subscriptions[self] = None

    def events(self) -> Iterator[Event]:
        """Events that are newer than those already sent; each only once."""
        for number, feed in enumerate(self.feeds):
            if feed.version > self._sent[number] and (event := feed.event()) is not None:
                self._sent[number] = event.version
                yield event

    def take(self) -> bytes:
        """The bytes to be written now; empty if there is nothing to say."""
        self._awake = self.changed = False
        written = b"".join(event.frame for event in self.events())
        if not written and self.ping_due:
            written = PING
        self.ping_due = False
        return written

    def wake(self) -> None:
        """Look now whether there is something to say."""
        self._awake = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def end(self) -> None:
        """No more is said."""
        self.ended = True
        self.wake()

    async def wait(self) -> None:
        """Until it is woken."""
        if not self._awake:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
