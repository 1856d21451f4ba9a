"""The hub of open pages, without a broker: what a stream is told, and what is awaited."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.broker_watch import BrokerWatch
from runtime.records import Partitioner, encode, instant, key_id
from runtime.settings import Settings
from schemas.groups import REQUEST_OUTCOMES, IdIssued, RequestRefused
from schemas.orders import PURCHASES, PurchaseState
from schemas.parts import Message
from schemas.topic import PARTITIONS, Topic
from services.storefront.live.event_stream import EventStream, Places
from services.storefront.live.feeds import PING, Event, Feed, Newest, Place, Subject, Subscription
from services.storefront.live.hub import Hub
from services.storefront.problems import NotNow, TooMany

GROUP = Subject(PURCHASES.name, "g-1")
OTHER = Subject(PURCHASES.name, "g-2")
SECONDS = 5.0


def state(version: int, group_id: str = "g-1", **fields: Any) -> PurchaseState:
    said = {"quantity": version, "value": 10 * version, "members": 1, "status": "open"} | fields
    return PurchaseState(group_id=group_id, request_id="r", version=version, **said)


def draw(message: Message) -> bytes:
    return b'{"version":%d}' % getattr(message, "version", 0)


@dataclass
class Record:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Database:
    """The read model: what it knows, and how far it is."""

    def __init__(self) -> None:
        self.facts: dict[Subject, Message] = {}
        self.at: dict[Place, int] = {}
        self.error: Exception | None = None
        self.asked = 0

    async def facts_of(self, topic: str, keys: Sequence[str]) -> Mapping[str, Message]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        subjects = [Subject(topic, key) for key in keys]
        return {each.key: self.facts[each] for each in subjects if each in self.facts}

    async def positions(self) -> Mapping[Place, int]:
        return dict(self.at)


class Live(Hub):
    """A hub whose log is what the test says."""

    def __init__(self, database: Database) -> None:
        super().__init__(Settings(), database, BrokerWatch(Settings(), {}))
        self.partitioner = Partitioner(PARTITIONS)
        self.offset = 100

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(each) for each in (self._fan_out(), self._tick())]
        for number in range(PARTITIONS):
            self._begin((PURCHASES.name, number), 100, False)

    def log(self, message: Message, topic: Topic = PURCHASES, **fields: Any) -> None:
        """A record arrives."""
        partition = self.partitioner(key_id(message.key))
        said = {"key": message.key.encode(), "value": encode(message), "partition": partition}
        self._take(topic, Record(topic.name, offset=self.offset, **(said | fields)))
        self.offset += 1
        self._follower.positions[topic.name, partition] = self.offset


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[Live]:
    live = Live(database)
    await live.start()
    yield live
    await live.stop()


def told(subscription: Subscription) -> list[int]:
    return [event.version for event in subscription.events()]


async def next_of(subscription: Subscription) -> list[int]:
    """What it is told when it is next woken."""
    await asyncio.wait_for(subscription.wait(), SECONDS)
    return told(subscription)


# --- what a stream begins with -------------------------------------------------------------------


@pytest.mark.parametrize(("stored", "logged", "newest"), [(3, 7, 7), (7, 3, 7), (3, None, 3)])
async def test_a_stream_begins_with_the_newer_of_database_and_log(
    hub: Live, database: Database, stored: int, logged: int | None, newest: int
) -> None:
    database.facts[GROUP] = state(stored)
    first = await hub.subscribe({GROUP: draw})
    if logged:
        hub.log(state(logged))
    second = await hub.subscribe({GROUP: draw})
    assert told(first) == told(second) == [newest]


async def test_what_the_log_told_before_anybody_watched_is_known(hub: Live) -> None:
    hub.log(state(4))
    assert told(await hub.subscribe({GROUP: draw})) == [4]


async def test_a_record_that_comes_while_the_database_is_asked_is_not_missed(
    hub: Live, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(topic: str, keys: Sequence[str]) -> Mapping[str, Message]:
        hub.log(state(5))
        return {keys[0]: state(4)}

    monkeypatch.setattr(database, "facts_of", slow)
    assert told(await hub.subscribe({GROUP: draw})) == [5]


@pytest.mark.parametrize(("seen", "first"), [(0, [4]), (3, [4]), (4, []), (9, [])])
async def test_a_stream_goes_on_behind_the_version_its_client_has(
    hub: Live, database: Database, seen: int, first: list[int]
) -> None:
    database.facts[GROUP] = state(4)
    stream = await hub.subscribe({GROUP: draw}, after=seen)
    assert told(stream) == first
    hub.log(state(10))
    assert told(stream) == [10]


async def test_an_old_version_is_told_to_nobody(hub: Live) -> None:
    hub.log(state(4))
    stream = await hub.subscribe({GROUP: draw})
    assert told(stream) == [4]
    hub.log(state(3))
    hub.log(state(4))
    assert told(stream) == []


async def test_a_slow_client_is_given_only_the_newest(hub: Live) -> None:
    stream = await hub.subscribe({GROUP: draw})
    for version in range(1, 1001):
        hub.log(state(version))
    assert stream.take() == b'id: 1000\ndata: {"version":1000}\n\n'
    assert stream.take() == b""


async def test_a_database_that_lags_is_read_again_until_it_is_where_the_log_was_begun(
    hub: Live, database: Database
) -> None:
    place = hub._place(GROUP)
    database.at[place] = 50
    database.facts[GROUP] = state(1)
    stream = await hub.subscribe({GROUP: draw})
    assert told(stream) == [1]
    await hub._look_again()
    database.facts[GROUP], database.at[place] = state(2), 90
    await hub._look_again()
    assert told(stream) == [2]
    database.facts[GROUP], database.at[place] = state(3), 100
    await hub._look_again()
    assert told(stream) == [3]
    asked = database.asked
    database.at[place] = 200
    await hub._look_again()
    assert database.asked == asked, "from here on the log tells all"


async def test_what_was_dropped_from_memory_is_looked_for_in_the_database(
    hub: Live, database: Database
) -> None:
    hub._newest._size = 2
    place = hub._place(GROUP)
    database.at[place] = 100
    await hub._look_again()
    hub.log(state(1))
    for number in range(10):
        hub.log(state(1, f"other-{number}"))
    stream = await hub.subscribe({GROUP: draw})
    assert told(stream) == [], "dropped, and the projector has not come so far"
    database.facts[GROUP], database.at[place] = state(1), hub.offset
    await hub._look_again()
    assert told(stream) == [1]


async def test_lost_records_end_the_streams_and_what_is_known(hub: Live) -> None:
    hub.log(state(4))
    stream = await hub.subscribe({GROUP: draw})
    hub._begin(hub._place(GROUP), 1_000, True)
    assert stream.ended
    assert told(await hub.subscribe({GROUP: draw})) == []


async def test_without_a_database_only_what_the_log_told_can_be_watched(
    hub: Live, database: Database
) -> None:
    hub.log(state(4))
    database.error = ConnectionError("away")
    stream = await hub.subscribe({GROUP: draw})
    with pytest.raises(ConnectionError):
        await hub.subscribe({OTHER: draw})
    assert hub.streams == 1
    assert set(hub._feeds) == {GROUP}
    hub.log(state(5))
    assert told(stream) == [5]


async def test_the_database_is_asked_once_for_many_that_it_does_not_know(
    hub: Live, database: Database
) -> None:
    subjects = {Subject(PURCHASES.name, f"unknown-{number}"): draw for number in range(100)}
    database.facts[GROUP] = state(1)
    stream = await hub.subscribe(subjects | {GROUP: draw})
    assert database.asked == 1
    assert told(stream) == [1]
    # And once more while it catches up, not once for each of them.
    database.at = {(PURCHASES.name, number): 50 for number in range(PARTITIONS)}
    await hub._look_again()
    assert database.asked == 2


async def test_nothing_is_kept_of_streams_that_ended(hub: Live) -> None:
    streams = [await hub.subscribe({GROUP: draw, OTHER: draw}) for _ in range(10)]
    for each in streams:
        hub.unsubscribe(each)
    assert not hub.streams
    assert not hub._feeds
    assert not hub._unsettled


# --- waking --------------------------------------------------------------------------------------


async def test_every_stream_is_woken(hub: Live) -> None:
    streams = [await hub.subscribe({GROUP: draw}) for _ in range(250)]
    for each in streams:
        each.take()
    waiting = asyncio.gather(*(next_of(each) for each in streams))
    hub.log(state(1))
    assert await waiting == [[1]] * 250


async def test_an_overview_is_told_all_that_changed_at_once(hub: Live) -> None:
    overview = await hub.subscribe({GROUP: draw, OTHER: draw}, spacing=0.05)
    overview.take()
    for version in (1, 2):
        hub.log(state(version))
        hub.log(state(version, "g-2"))
    await asyncio.wait_for(overview.wait(), SECONDS)
    assert told(overview) == [2, 2]


async def test_a_stream_that_was_quiet_for_long_is_pinged(hub: Live) -> None:
    stream = await hub.subscribe({GROUP: draw})
    stream.take()
    stream.spoke_at = asyncio.get_running_loop().time() - 20
    await asyncio.wait_for(stream.wait(), SECONDS)
    assert stream.take() == PING


# --- what is awaited -----------------------------------------------------------------------------


async def test_the_first_of_several_outcomes_is_given(hub: Live) -> None:
    with hub.expect(REQUEST_OUTCOMES, "r-1", "r-2") as outcome:
        refused = RequestRefused(request_id="r-2", problems=())
        hub.log(refused, REQUEST_OUTCOMES)
        hub.log(IdIssued(request_id="r-1", group_id="g", issued_at=instant(0)), REQUEST_OUTCOMES)
        assert await outcome.within(SECONDS) == refused
    assert not hub._expected


async def test_an_outcome_can_be_told_from_others_of_its_key(hub: Live) -> None:
    with hub.expect(PURCHASES, "g-1", when=lambda each: getattr(each, "version", 0) > 2) as outcome:
        hub.log(state(2))
        assert await outcome.within(0) is None
        hub.log(state(3))
        assert await outcome.within(SECONDS) == state(3)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"type":"PurchaseState"}', b"\xff"])
async def test_bad_records_are_passed_over(hub: Live, value: bytes | None) -> None:
    stream = await hub.subscribe({GROUP: draw})
    with hub.expect(PURCHASES, "g-1") as outcome:
        hub.log(state(1), value=value)
        hub.log(state(1), key=None)
        hub.log(state(1), key=b"\xff")
        hub.log(state(1), partition=99)
        assert await outcome.within(0) is None
        assert told(stream) == []
        hub.log(state(2))
        assert await outcome.within(SECONDS) == state(2)
        assert told(stream) == [2]


# --- the stream's protocol -----------------------------------------------------------------------


class Client:
    """The other end of an ASGI stream."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()
        self.sending = asyncio.Event()
        self.got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sending.set()
        await self.reading.wait()
        self.got.put_nowait(message)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.got.get(), SECONDS)

    def stream(self, stream: EventStream) -> asyncio.Task[None]:
        return asyncio.create_task(stream({"type": "http"}, self.receive, self.send))


async def test_a_stream_from_its_first_byte_to_its_last(hub: Live) -> None:
    hub.log(state(1))
    subscription, client, closed = await hub.subscribe({GROUP: draw}), Client(), asyncio.Event()
    running = client.stream(EventStream(subscription, closed.set))
    start = await client.next()
    headers = dict(start["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers
    retry, _, first = (await client.next())["body"].partition(b"\n\n")
    assert 2_000 <= int(retry.removeprefix(b"retry: ")) <= 3_000
    assert first == b'id: 1\ndata: {"version":1}\n\n'
    hub.log(state(2))
    assert (await client.next())["body"] == b'id: 2\ndata: {"version":2}\n\n'
    client.reading.clear()
    client.sending.clear()
    hub.log(state(3))
    await asyncio.wait_for(client.sending.wait(), SECONDS)
    for version in range(4, 30):
        hub.log(state(version))
    client.reading.set()
    # What was under way, and the newest.
    assert (await client.next())["body"].startswith(b"id: 3\n")
    assert (await client.next())["body"].startswith(b"id: 29\n")
    hub.end_streams()
    assert (await client.next())["more_body"] is False
    await asyncio.wait_for(running, SECONDS)
    assert closed.is_set()


async def test_a_client_that_goes_is_noticed(hub: Live) -> None:
    client, closed = Client(), asyncio.Event()
    running = client.stream(EventStream(await hub.subscribe({GROUP: draw}), closed.set))
    await client.next()
    client.gone.set()
    await asyncio.wait_for(running, SECONDS)
    assert closed.is_set()


def test_nobody_holds_all_streams() -> None:
    places = Places(each=2, altogether=3)
    places.take("a")
    places.take("a")
    with pytest.raises(TooMany):
        places.take("a")
    places.take("b")
    with pytest.raises(NotNow):
        places.take("c")
    places.give_back("a")
    places.take("c")


# --- any order of things -------------------------------------------------------------------------

Moves = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(0, 3)),
        st.tuples(st.just("read"), st.integers(0, 2)),
    ),
    max_size=40,
)


@given(moves=Moves, repeats=st.booleans())
def test_every_stream_tells_rising_versions_and_the_last(
    moves: list[tuple[str, int]], repeats: bool
) -> None:
    """Whatever the pace: only states of the log, each at most once, in order, and the newest."""
    feed, streams = Feed(GROUP, draw), [Subscription() for _ in range(3)]
    heard: list[list[Event]] = [[] for _ in streams]
    for each in streams:
        each.add(feed, 0)
    version = 0
    for what, number in moves:
        if what == "log":
            version = max(version + number - int(repeats), 0)
            if version:
                feed.offer(state(version))
        else:
            heard[number] += streams[number].events()
    for number, each in enumerate(streams):
        heard[number] += each.events()
        versions = [event.version for event in heard[number]]
        assert versions == sorted(set(versions))
        assert versions[-1:] == ([feed.version] if feed.version else [])
        assert all(orjson.loads(event.data)["version"] == event.version for event in heard[number])


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 5)), max_size=60),
    st.integers(1, 4),
)
def test_nothing_from_the_floor_on_is_dropped(puts: list[tuple[int, int]], size: int) -> None:
    newest, place = Newest(size), (PURCHASES.name, 0)
    newest.begin(place, 10)
    last: dict[Subject, tuple[int, int]] = {}
    for offset, (number, version) in enumerate(puts, 10):
        subject = Subject(PURCHASES.name, f"g-{number}")
        if version > last.get(subject, (0, 0))[0]:
            last[subject] = (version, offset)
        newest.put(subject, version, b"", {place: offset})
        floor = newest.floor(place)
        assert floor is not None
        kept = [each for each in last if newest.get(each)]
        assert len(kept) <= 2 * size
        for each, (known, at) in last.items():
            found = newest.get(each)
            assert found is not None or at < floor
            assert found is None or found[0] == known or at < floor
