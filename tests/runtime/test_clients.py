"""What a consumer promises when it is stopped, whatever its client is doing."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    NodeNotReadyError,
    UnknownError,
)
from aiokafka.protocol.fetch import FetchRequest

from runtime.clients import FOLLOW_WAIT_MS, REFUSED_SECONDS, consumer, idle_wait_ms
from runtime.settings import Settings


async def test_a_stop_just_after_a_failed_fetch_does_not_cancel_who_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aiokafka cancels its pause before the next fetch, and lets that out of its own ``stop``."""
    reader = consumer(Settings())
    failed, closed = asyncio.Event(), asyncio.Event()

    async def send(*_: object) -> None:
        failed.set()
        raise NodeNotReadyError("the broker has just gone")

    async def close() -> None:
        closed.set()

    monkeypatch.setattr(reader._client, "send", send)
    monkeypatch.setattr(reader._client, "close", close)
    fetcher: Any = Fetcher(reader._client, reader._subscription)
    reader._fetcher = fetcher
    fetch = fetcher._proc_fetch_request(None, 1, SimpleNamespace(topics=()))
    fetching = asyncio.create_task(fetch)
    await failed.wait()
    fetcher._pending_tasks.add(fetching)
    await reader.stop()
    assert closed.is_set(), "the connection stays"


FETCHES = [
    ("all well", [(0, 0), (30, 0)], None),
    ("corrupt for a moment", [(0, 2), (5, 0), (30, 0)], None),
    ("corrupt, just not long", [(0, 2), (REFUSED_SECONDS - 1, 2)], None),
    ("corrupt", [(0, 2), (5, 2), (REFUSED_SECONDS, 2)], CorruptRecordException),
    ("one after the other", [(0, 2), (8, 42), (16, 2)], None),
    ("an error of no name", [(0, 87), (REFUSED_SECONDS, 87)], UnknownError),
    ("no topic, which the watch tells", [(0, 3), (60, 3)], None),
    ("another leader", [(0, 6), (60, 6)], None),
]


@pytest.mark.parametrize(("what", "fetches", "error"), FETCHES, ids=[each[0] for each in FETCHES])
async def test_a_fetch_that_is_refused_for_long_is_raised_where_the_client_only_logs(
    what: str,
    fetches: list[tuple[float, int]],
    error: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A broker that answers CORRUPT_MESSAGE was asked for ever."""
    reader = consumer(Settings())
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    for clock, code in fetches:  # noqa: B007 - the clock of the lambda

        async def send(*_: object, code: int = code) -> SimpleNamespace:
            return SimpleNamespace(topics=[("orders", [(2, code, 0)])])

        reader._fetches._send = send
        await reader._client.send(1, FetchRequest.__new__(FetchRequest))
    if error is None:
        reader._fetches.check()
        return
    with pytest.raises(error, match="topic orders, partition 2"):
        await reader.getmany()


RECORDS = b"a batch"
IDLE = [
    ("it has just begun", [], 0.9, 50),
    ("nothing has come", [], 1.0, 500),
    ("a record has come", [(3.0, RECORDS)], 3.9, 50),
    ("none since", [(3.0, RECORDS), (3.9, b"")], 4.0, 500),
    ("a refusal is not a record", [(3.0, None)], 3.1, 500),
]


@pytest.mark.parametrize(("what", "answers", "at", "waits_ms"), IDLE, ids=[e[0] for e in IDLE])
async def test_an_idle_consumer_s_fetches_wait_longer_at_the_broker(
    what: str,
    answers: list[tuple[float, bytes | None]],
    at: float,
    waits_ms: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While records come, a long wait would hold up the partition that was just read."""
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    reader = consumer(Settings())
    fetcher: Any = Fetcher(reader._client, reader._subscription)
    reader._fetcher = fetcher

    async def getmany(*_: object) -> None:
        """No record is asked of a broker."""

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", getmany)
    for clock, records in answers:  # noqa: B007 - the clock of the lambda

        async def send(*_: object, records: bytes | None = records) -> SimpleNamespace:
            return SimpleNamespace(
                topics=[("orders", [(2, 0 if records is not None else 6, records)])]
            )

        reader._fetches._send = send
        await reader._client.send(1, FetchRequest.__new__(FetchRequest))
    clock = at
    await reader.getmany()
    assert fetcher._fetch_max_wait_ms == waits_ms


async def test_after_a_record_the_next_fetch_of_an_idle_follower_waits_shortly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client may send it before anybody takes the record, whose partition it leaves out."""
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    reader = consumer(Settings(), follows=True)
    fetcher: Any = Fetcher(reader._client, reader._subscription)
    reader._fetcher = fetcher
    records: bytes | None = None

    async def send(*_: object) -> SimpleNamespace:
        return SimpleNamespace(topics=[("orders", [(2, 0, records)])])

    reader._fetches._send = send
    waits = []
    for clock, records in [(5.0, None), (6.0, b"a record"), (7.5, None)]:  # noqa: B007
        await reader._client.send(1, FetchRequest.__new__(FetchRequest))
        waits.append(fetcher._fetch_max_wait_ms)
    assert waits == [FOLLOW_WAIT_MS, Settings().fetch_wait_ms, FOLLOW_WAIT_MS]


WAITS = [
    ("the default", {}, 500),
    ("a short grace, by which silence is an outage", {"clock_grace_seconds": 0.4}, 100),
    ("not shorter than that of busy times", {"clock_grace_seconds": 0.1}, 50),
    ("a setting", {"idle_fetch_wait_ms": 80}, 80),
]


@pytest.mark.parametrize(("what", "settings", "waits_ms"), WAITS, ids=[each[0] for each in WAITS])
def test_an_idle_wait_is_shorter_than_the_silence_that_means_an_outage(
    what: str, settings: dict[str, Any], waits_ms: int
) -> None:
    assert idle_wait_ms(Settings.model_validate(settings)) == waits_ms


async def test_a_lost_partition_raises_an_error_and_no_assertion() -> None:
    """It ended a worker when topics were wiped under it."""
    reader = consumer(Settings())
    for asked in (reader.highwater, reader.last_stable_offset, reader.last_poll_timestamp):
        with pytest.raises(IllegalStateError, match="orders"):
            asked(TopicPartition("orders", 0))


async def test_a_stop_that_is_cancelled_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the client's own cancellations are kept from who stops."""
    reader = consumer(Settings())
    closing = asyncio.Event()

    async def close() -> None:
        closing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(reader._client, "close", close)
    stopping = asyncio.create_task(reader.stop())
    await closing.wait()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
