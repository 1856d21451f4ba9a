"""Counters of limits: never too low, in memory of a fixed size, each kind and network apart."""

import time
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from runtime.networks import network_of
from services.storefront.access import rates as module
from services.storefront.access.counters import BoundedStorage
from services.storefront.access.rates import Count, Rates, RatesError, What
from services.storefront.problems import TooMany
from services.storefront.settings import PageSettings

MINUTE = 60


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000 * MINUTE + 0.0

    def __call__(self) -> float:
        return self.now


def rates(**settings: int) -> Rates:
    return Rates(PageSettings(**{"link_secret": "a-secret-of-the-tests"} | settings))  # type: ignore[arg-type]


async def allowed(rates: Rates, what: What, who: str, most: int = 10_000) -> int:
    """How often it may be done until it is refused."""
    for number in range(most):
        try:
            await rates.count(what, who)
        except TooMany:
            return number
    return most


# --- the storage ---------------------------------------------------------------------------------


@pytest.mark.slow
async def test_counts_are_exact_while_there_is_room() -> None:
    storage = BoundedStorage(clock=Clock())
    for number in range(2_000):
        for _ in range(number % 3 + 1):
            assert await storage.acquire_sliding_window_entry(f"k{number}", 3, MINUTE)
    for number in range(2_000):
        assert (await storage.get_sliding_window(f"k{number}", MINUTE))[2] == number % 3 + 1
    assert not await storage.acquire_sliding_window_entry("k2", 3, MINUTE)
    assert not await storage.acquire_sliding_window_entry("new", 3, MINUTE, 4)
    assert await storage.acquire_sliding_window_entry("new", 3, MINUTE, 3)


@pytest.mark.parametrize(
    ("later", "left"),
    [(0, 0), (59, 0), (60, 0), (90, 5), (110, 9), (120, 10), (180, 10), (10_000, 10)],
)
async def test_what_was_counted_lapses_as_the_window_moves_on(later: int, left: int) -> None:
    clock = Clock()
    storage = BoundedStorage(clock=clock)
    assert await storage.acquire_sliding_window_entry("k", 10, MINUTE, 10)
    clock.now += later
    made = 0
    while await storage.acquire_sliding_window_entry("k", 10, MINUTE):
        made += 1
    assert made == left


async def test_a_clock_that_is_set_back_gives_nobody_a_fresh_start() -> None:
    clock = Clock()
    storage = BoundedStorage(clock=clock)
    assert await storage.acquire_sliding_window_entry("k", 3, MINUTE, 3)
    clock.now -= 3 * MINUTE
    assert not await storage.acquire_sliding_window_entry("k", 3, MINUTE)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 4)), max_size=300))
async def test_no_count_is_ever_too_low_however_many_come(
    counted: Sequence[tuple[int, int]],
) -> None:
    """Sixteen counters for forty names; too high by no more than an eighth of what came."""
    storage, exact = BoundedStorage(16, Clock()), Counter[int]()
    for name, amount in counted:
        assert await storage.acquire_sliding_window_entry(str(name), 10**9, MINUTE, amount)
        exact[name] += amount
    for name in range(41):
        told = (await storage.get_sliding_window(str(name), MINUTE))[2]
        assert exact[name] <= told <= exact[name] + exact.total() // 8


@pytest.mark.slow
async def test_who_fills_the_memory_does_not_start_anew() -> None:
    """A hundred thousand others come between; the one who is at the limit stays there."""
    storage = BoundedStorage(8_192, Clock())
    assert await storage.acquire_sliding_window_entry("attacker", 100, MINUTE, 100)
    for number in range(100_000):
        await storage.acquire_sliding_window_entry(f"other{number}", 100, MINUTE)
    assert not await storage.acquire_sliding_window_entry("attacker", 100, MINUTE)
    assert await storage.acquire_sliding_window_entry("honest", 100, MINUTE, 80)


@pytest.mark.slow
async def test_memory_does_not_grow_and_no_task_is_left_behind() -> None:
    """What the library's own storage does not promise: it looks through all names, and often."""
    made = rates()
    await made.count("reads", "192.0.2.1")
    tracemalloc.start()
    try:
        for number in range(10_000):
            await made.count("reads", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000


@pytest.mark.slow
async def test_a_count_costs_the_same_however_many_came_before() -> None:
    """The best of several turns, as a busy machine makes any of them slow."""
    limiter = SlidingWindowCounterRateLimiter(BoundedStorage())
    limit = RateLimitItemPerMinute(600)

    async def cost(first: int) -> float:
        turns = []
        for turn in range(5):
            began = time.process_time()
            for number in range(1_000):
                await limiter.hit(limit, f"{first + turn * 1_000 + number}")
            turns.append(time.process_time() - began)
        return min(turns)

    empty = await cost(0)
    for number in range(100_000):
        await limiter.hit(limit, f"k{number}")
    assert await cost(10**6) < 3 * empty


# --- who is counted ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:0db8:0001:0002"),
        ("192.0.2.1:50123", "192.0.2.1"),
        ("[2001:db8:1:2:3::4]:50123", "2001:0db8:0001:0002"),
        ("[2001:db8:1:2:3::4]", "2001:0db8:0001:0002"),
        ("unix:1", "unix:1"),
        ("unix", "unix"),
        ("", "unknown"),
    ],
)
def test_a_client_is_its_network_and_never_nothing(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_nothing_is_counted_without_a_name() -> None:
    with pytest.raises(ValueError, match="without a name"):
        await rates().count("letters", "")


async def test_clients_keys_and_kinds_are_counted_apart() -> None:
    made = rates(reads_per_minute=3, writes_per_minute=3)
    assert await allowed(made, "reads", "192.0.2.1") == 3
    assert await allowed(made, "reads", "192.0.2.2") == 3
    assert await allowed(made, "writes", "192.0.2.1") == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "more"),
    [
        ("2001:0db8:0000:00{:02x}", 4),
        ("2001:0db8:0000:{:02x}00", 16),
        ("2001:0db8:{:04x}:0000", 256),
    ],
)
async def test_a_wide_ipv6_network_is_no_crowd(network: str, more: int) -> None:
    """Who has a /56, a /48 or a /32 has 256 /64 and more."""
    made = rates(letters_per_hour=2)
    got = sum([await allowed(made, "letters", network.format(number)) for number in range(256)])
    assert got == min(2 * more, 2 * 256)
    assert await allowed(made, "letters", "2001:0db9:0000:0000") == 2
    assert await allowed(made, "letters", "192.0.2.1") == 2


async def test_who_is_refused_uses_up_nothing_of_the_wider_network() -> None:
    made = rates(writes_per_minute=2)
    for _ in range(100):
        await allowed(made, "writes", "2001:0db8:0000:0000")
    assert await allowed(made, "writes", "2001:0db8:0000:0001") == 2


async def test_several_counts_are_made_together_or_not_at_all() -> None:
    made = rates(letters_per_hour=10, letters_to_one_per_hour=2)
    full = [Count("letters-to-one", "full@x.example", 2)]
    await made.count_all(full)
    with pytest.raises(TooMany):
        await made.count_all(
            [Count("letters", "192.0.2.1", 5), Count("letters-to-one", "ann"), *full]
        )
    assert await allowed(made, "letters", "192.0.2.1") == 10
    assert await allowed(made, "letters-to-one", "ann") == 2


async def test_more_at_once_than_there_may_be_is_refused() -> None:
    with pytest.raises(TooMany):
        await rates(letters_per_hour=10).count("letters", "192.0.2.1", 11)


# --- a Redis for all processes -------------------------------------------------------------------


@pytest.mark.parametrize("url", ["localhost:6379", "http://x", "memory://"])
def test_an_address_that_is_no_redis_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(RatesError, match="RATES_URL"):
        Rates(PageSettings(rates_url=url))  # type: ignore[arg-type]


@pytest.mark.slow
async def test_without_its_redis_a_process_counts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis", reason="pip install jointbuy[redis]")
    tried = 0
    limits_of = module._count

    async def count(counters: Any) -> None:
        nonlocal tried
        tried += counters[0][0] is made._redis
        await limits_of(counters)

    monkeypatch.setattr(module, "_count", count)
    secret: Any = "redis://:a-password@127.0.0.1:1"
    made = Rates(PageSettings(rates_url=secret, letters_per_hour=3))
    assert await allowed(made, "letters", "192.0.2.1") == 3
    assert tried == 1, "one that does not answer is left alone for a while"
