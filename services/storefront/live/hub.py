"""The hub of a web process: what the log says just now, for open pages and for answers awaited.

It reads every record once, drops records whose key nobody watches, and keeps the newest
summaries. A stream begins with the newer of what the hub and the database know. The database may
lag behind the offset from which the hub knows all; then what it says is read again as it advances.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

import structlog
from prometheus_client import Histogram

from runtime.broker_watch import BrokerWatch
from runtime.records import BadRecordError, InputRecord, Partitioner, decode, encode, key_id
from runtime.settings import Settings
from schemas.auctions import AUCTIONS, SELLERS
from schemas.catalogue import CATALOGUE
from schemas.groups import DEFINITIONS, GROUP_PURCHASES, REQUEST_OUTCOMES
from schemas.ops import API_KEYS
from schemas.orders import PURCHASES
from schemas.parts import Message
from schemas.payments import PAYMENTS
from schemas.topic import Topic
from services.storefront.live.feeds import (
    Draw,
    Feed,
    Newest,
    Place,
    Subject,
    Subscription,
    version_of,
)
from services.storefront.live.follower import Follower

#: Whose summaries, keyed by an id alone, are kept and shown.
SHOWN = (PURCHASES, AUCTIONS)
FOLLOWED = (*SHOWN, REQUEST_OUTCOMES, GROUP_PURCHASES, DEFINITIONS, SELLERS, API_KEYS, PAYMENTS)
NEWEST_SIZE = 20_000
POSITIONED_SECONDS = 10.0
#: Most subjects in one query, as each is a parameter of the statement.
READ_AT_ONCE = 500
#: Streams woken between two turns of the event loop.
SLICE = 100
REST = 0.25
PING_SECONDS = 15.0
LOOK_SECONDS = 1.0
TICK_SECONDS = 0.1
DELAY = Histogram(
    "storefront_live_delay_seconds",
    "From what caused a state, an order say, to the state in this process",
    buckets=(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 30),
)
_log = structlog.get_logger()


T = TypeVar("T")


def batched(all_of_them: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in chunks of this size."""
    return (all_of_them[at : at + size] for at in range(0, len(all_of_them), size))


class Stored(Protocol):
    """The queries of the hub; they may raise any error of the database."""

    async def facts_of(self, topic: str, keys: Sequence[str]) -> Mapping[str, Message]:
        """The newest facts of the known keys, by key."""
        ...

    async def positions(self) -> Mapping[Place, int]:
        """How far the database has read each partition."""
        ...


class Expected:
    """A message that somebody waits for; see ``Hub.expect``."""

    def __init__(self, when: Callable[[Message], bool] | None) -> None:
        self._when = when
        self._arrived: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def offer(self, message: Message) -> None:
        """Take it, if it is the one."""
        if not self._arrived.done() and (self._when is None or self._when(message)):
            self._arrived.set_result(message)

    async def within(self, seconds: float) -> Message | None:
        """The first that has come since ``expect``, or ``None`` when none comes in time."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._arrived), seconds)
        return None


class Hub:
    """Start it before use, and stop it at the end."""

    def __init__(self, settings: Settings, stored: Stored, watch: BrokerWatch) -> None:
        self._stored = stored
        self._stored_positions: Mapping[Place, int] = {}
        self._newest = Newest(NEWEST_SIZE)
        self._feeds: dict[Subject, Feed] = {}
        self._unsettled: dict[Feed, None] = {}
        self._changed: dict[Feed, None] = {}
        self._changes = asyncio.Event()
        self._streams: dict[Subscription, None] = {}
        self._expected: dict[tuple[str, bytes], list[Expected]] = {}
        self._partitioner = Partitioner(settings.partitions)
        self._follower = Follower(settings, FOLLOWED, watch, self._take, self._begin)
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False
        self._by_wall_clock = settings.clock == "wall"

    async def start(self) -> None:
        """Begin to read; returns when it is known from where on, or goes on without a broker."""
        runs = (self._follower.run(), self._fan_out(), self._settle(), self._tick())
        self._tasks = [asyncio.create_task(each) for each in runs]
        with suppress(TimeoutError):
            await asyncio.wait_for(self._follower.positioned.wait(), POSITIONED_SECONDS)

    async def stop(self) -> None:
        """End all streams, and disconnect."""
        self.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- answers awaited -------------------------------------------------------------------------

    @contextmanager
    def expect(
        self, topic: Topic, *keys: str, when: Callable[[Message], bool] | None = None
    ) -> Iterator[Expected]:
        """The first message under one of the keys that comes from now on.

        Send the command inside the block, so that its answer can't come before it is expected::

            with hub.expect(REQUEST_OUTCOMES, request_id) as outcome:
                await sender.send(GROUP_PURCHASE_REQUESTS, message)
                answer = await outcome.within(2.0)
        """
        expected = Expected(when)
        expected_at = [(topic.name, key.encode()) for key in keys]
        for name in expected_at:
            self._expected.setdefault(name, []).append(expected)
        try:
            yield expected
        finally:
            for name in expected_at:
                self._expected[name].remove(expected)
                if not self._expected[name]:
                    del self._expected[name]

    # --- streams ---------------------------------------------------------------------------------

    async def subscribe(
        self, draws: Mapping[Subject, Draw], *, after: int = 0, spacing: float = 0.0
    ) -> Subscription:
        """A stream of the newest states of these subjects; give it to ``unsubscribe`` at the end.

        It begins behind the version ``after``. Raises what the database raises, if only the
        database knows a state.
        """
        subscription = Subscription(spacing)
        self._streams[subscription] = None
        try:
            # From here on records reach the feeds: none falls between them and what is read.
            for subject, draw in draws.items():
                subscription.add(self._feed(subject, draw), after)
            await self._read(feed for feed in subscription.feeds if not feed.is_read)
        except BaseException:
            self.unsubscribe(subscription)
            raise
        if self._leaving:
            subscription.end()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a stream, and the feeds that nobody watches any more."""
        self._streams.pop(subscription, None)
        for feed in subscription.feeds:
            feed.subscriptions.pop(subscription, None)
            if not feed.subscriptions:
                self._unsettled.pop(feed, None)
                if self._feeds.get(feed.subject) is feed:
                    del self._feeds[feed.subject]

    def end_streams(self) -> None:
        """End every stream; their clients come back, and begin with what is true then."""
        for subscription in self._streams:
            subscription.end()

    def leave(self) -> None:
        """End every stream, and those that are just being opened: the process is about to end."""
        self._leaving = True
        self.end_streams()

    @property
    def positions(self) -> Mapping[Place, int]:
        """The offset that this process has read in each partition that it follows."""
        return self._follower.positions

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._streams)

    def _feed(self, subject: Subject, draw: Draw) -> Feed:
        feed = self._feeds.get(subject)
        if feed is not None:
            return feed
        feed = self._feeds[subject] = Feed(subject, draw)
        kept = self._newest.get(subject)
        if kept is not None:
            feed.offer(CATALOGUE[subject.topic].adapter.validate_json(kept[1]))
            feed.is_read = True
            return feed
        place = self._place(subject)
        floor = self._newest.floor(place)
        if floor is None or self._stored_positions.get(place, 0) < floor:
            self._unsettled[feed] = None
        return feed

    async def _read(self, feeds: Iterable[Feed]) -> None:
        """Read the facts of feeds from the database, with one query for many feeds."""
        by_topic: dict[str, list[Feed]] = {}
        for feed in feeds:
            by_topic.setdefault(feed.subject.topic, []).append(feed)
        for topic, wanted in by_topic.items():
            for some in batched(wanted, READ_AT_ONCE):
                found = await self._stored.facts_of(topic, [feed.subject.key for feed in some])
                for feed in some:
                    feed.is_read = True
                    fact = found.get(feed.subject.key)
                    if fact is not None and feed.offer(fact):
                        self._publish(feed)

    def has_heard(self, subject: Subject) -> bool:
        """Whether a recent record of the log has its state."""
        return self._newest.get(subject) is not None

    def _place(self, subject: Subject) -> Place:
        return subject.topic, self._partitioner(key_id(subject.key))

    # --- the log ---------------------------------------------------------------------------------

    def _begin(self, place: Place, offset: int, lost: bool) -> None:
        if lost:
            self._newest.forget()
            self._feeds.clear()
            self._unsettled.clear()
            self.end_streams()
        self._newest.begin(place, offset)

    def _take(self, topic: Topic, record: InputRecord) -> None:
        key = record.key
        if key is None or record.value is None:
            return
        is_shown = topic in SHOWN and b"/" not in key
        expected = self._expected.get((topic.name, key))
        if not is_shown and not expected:
            return
        try:
            message = decode(topic, record, self._partitioner)
        except BadRecordError as error:
            _log.error(
                "unreadable record passed over",
                topic=topic.name,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
            return
        for each in expected or ():
            each.offer(message)
        if is_shown:
            if self._by_wall_clock:
                DELAY.observe(max(time.time() - record.timestamp / 1_000, 0.0))
            self._show(Subject(topic.name, key.decode()), message)

    def _show(self, subject: Subject, message: Message) -> None:
        positions = self._follower.positions
        self._newest.put(subject, version_of(message), encode(message), positions)
        feed = self._feeds.get(subject)
        if feed is None:
            return
        feed.is_read = True
        self._unsettled.pop(feed, None)
        if feed.offer(message):
            self._publish(feed)

    # --- to the streams --------------------------------------------------------------------------

    def _publish(self, feed: Feed) -> None:
        self._changed[feed] = None
        self._changes.set()

    async def _fan_out(self) -> None:
        """Wake the streams of what changed, a slice at a time.

        A feed rests for a part of the time that its last fan-out took: a crowd gets fewer states,
        not later ones, and others get their turn.
        """
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            ready = [feed for feed in self._changed if feed.not_before <= now]
            for feed in ready:
                del self._changed[feed]
                began = loop.time()
                for number, each in enumerate(list(feed.subscriptions), 1):
                    if each.spacing:
                        each.changed = True
                    else:
                        each.wake()
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                ended = loop.time()
                feed.not_before = ended + REST * (ended - began)
            if ready:
                await asyncio.sleep(0)
                continue
            self._changes.clear()
            next_at = min((feed.not_before for feed in self._changed), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_at):
                    await self._changes.wait()

    async def _tick(self) -> None:
        """Wake overviews whose time has come, and streams that were quiet for long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = loop.time()
            for each in self._streams:
                quiet = now - each.spoke_at
                if each.changed and quiet >= each.spacing:
                    each.wake()
                elif quiet >= PING_SECONDS:
                    each.ping_due = True
                    each.wake()

    # --- the database behind ---------------------------------------------------------------------

    async def _settle(self) -> None:
        """Read outdated states again, while the database catches up with the topics."""
        while True:
            try:
                await self._look_again()
            except Exception as error:  # the pages say that the database is away
                _log.warning("positions unknown", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look_again(self) -> None:
        before, now = self._stored_positions, await self._stored.positions()
        self._stored_positions = now
        places = {feed: self._place(feed.subject) for feed in self._unsettled}
        moved = [feed for feed, at in places.items() if now.get(at, 0) != before.get(at, 0)]
        await self._read(moved)
        for feed in moved:
            floor = self._newest.floor(places[feed])
            if floor is not None and now.get(places[feed], 0) >= floor:
                self._unsettled.pop(feed, None)
