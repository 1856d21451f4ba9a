"""Limits that several web processes count together, in a real Redis."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from services.storefront import access
from services.storefront.access.rates import Count, Rates
from services.storefront.problems import TooMany
from services.storefront.settings import PageSettings
from tests.system.redis_server import RedisError, RedisServer, redis_server

PROCESSES = 3


@pytest.fixture
def server() -> Iterator[RedisServer]:
    pytest.importorskip("redis", reason="pip install jointbuy[redis]")
    try:
        with redis_server() as made:
            yield made
    except RedisError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def rates(server: RedisServer, **settings: int) -> Rates:
    said: dict[str, Any] = {"rates_url": server.url, "link_secret": "a-secret-of-the-tests"}
    return Rates(PageSettings(**said, **settings))


async def tried(rates: Rates, *counts: Count) -> bool:
    try:
        await rates.count_all(counts)
    except TooMany:
        return False
    return True


async def test_processes_count_together_whole_letters_and_each_client(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine, sixty connections at once take longer than a process waits.
    monkeypatch.setattr(access.rates, "REDIS_SECONDS", 60.0)
    processes = [rates(server, letters_per_hour=20) for _ in range(PROCESSES)]
    every = [
        tried(processes[number % PROCESSES], Count("letters", f"192.0.2.{client}"))
        for number in range(30)
        for client in range(2)
    ]
    assert sum(await asyncio.gather(*every)) == 2 * 20
    mixed = Count("letters", "192.0.2.9", 15), Count("letters-to-one", "ann@x.example")
    assert await tried(processes[0], *mixed)
    assert not await tried(processes[1], *mixed), "all of it or nothing"
    assert await tried(processes[2], Count("letters", "192.0.2.9", 5))


async def test_a_process_whose_redis_has_gone_counts_alone(server: RedisServer) -> None:
    made = rates(server, letters_per_hour=5)
    assert await tried(made, Count("letters", "192.0.2.1", 5))
    server.stop()
    alone = [await tried(made, Count("letters", "192.0.2.1")) for _ in range(6)]
    assert alone == [True] * 5 + [False]
