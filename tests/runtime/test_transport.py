"""What a consumer promises when it is stopped, whatever its client is doing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import NodeNotReadyError

from services.runtime.settings import Settings
from services.runtime.transport import consumer


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
