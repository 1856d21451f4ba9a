"""What a consumer promises when it is stopped, whatever its client is doing."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import (
    CorruptRecordException,
    IllegalStateError,
    NodeNotReadyError,
    UnknownError,
)
from aiokafka.protocol.fetch import FetchRequest

from runtime.clients import REFUSED_SECONDS, consumer
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

        reader._refusals._send = send
        await reader._client.send(1, FetchRequest.__new__(FetchRequest))
    if error is None:
        reader._refusals.check()
        return
    with pytest.raises(error, match="topic orders, partition 2"):
        await reader.getmany()


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
