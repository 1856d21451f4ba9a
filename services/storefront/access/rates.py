"""Rate limits, counted over a sliding window.

Counters are in this process, or in a Redis for all processes (``RATES_URL``). While the Redis
can't be reached, each process counts alone.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from math import ceil
from typing import Literal, NamedTuple, get_args

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError

from schemas.refusals import RefusalCode
from services.storefront.access.counters import BoundedStorage
from services.storefront.problems import TooMany
from services.storefront.settings import PageSettings

#: The kinds that are counted by the client's network.
OfClient = Literal["reads", "images", "writes", "requests", "registrations", "letters", "sign-ins"]
OfOthers = Literal[
    "writes-of-key",
    "image-bytes",
    "offers",
    "letters-to-one",
    "letters-of-strangers",
    "group-messages",
]
What = Literal[OfClient, OfOthers]
_OF_CLIENT = frozenset(get_args(OfClient))
#: Limits whose refusal says more than the seconds.
_CODES: dict[What, RefusalCode] = {"group-messages": RefusalCode.MESSAGES_USED_UP}
#: Somebody with an IPv6 network wider than a /64 has many /64s, so wider networks are counted, too:
#: the characters of a client that are its /32, /48 and /56, and the factor of their limits.
WIDER = ((9, 256), (14, 16), (17, 4))
_CLIENT_GROUPS = 4
#: A Redis on the same network answers sooner; after a failure it is not asked for so long.
REDIS_SECONDS = 0.5
REDIS_REST_SECONDS = 10.0

_log = structlog.get_logger()


class RatesError(ValueError):
    """``RATES_URL`` can't be used; the text says what to do."""


class Count(NamedTuple):
    """A number to count under a name: of the client, key, seller or recipient."""

    what: What
    who: str
    times: int = 1


class _Counter(NamedTuple):
    """One of the counters that a count adds to."""

    what: What
    limit: RateLimitItem
    name: str
    times: int


class Rates:
    """The limits of one deployment. Raises ``RatesError`` for a ``RATES_URL`` that can't be used.

    Each kind has its own counters, so that many readers never displace the counters of letters.
    """

    def __init__(self, settings: PageSettings) -> None:
        self._limits: dict[What, RateLimitItem] = {
            "reads": RateLimitItemPerMinute(settings.reads_per_minute),
            "images": RateLimitItemPerMinute(settings.images_per_minute),
            "image-bytes": RateLimitItemPerHour(settings.image_bytes_per_hour),
            "writes": RateLimitItemPerMinute(settings.writes_per_minute),
            "writes-of-key": RateLimitItemPerMinute(settings.writes_per_minute_of_key),
            "requests": RateLimitItemPerHour(settings.requests_per_hour),
            "registrations": RateLimitItemPerHour(settings.registrations_per_hour),
            "sign-ins": RateLimitItemPerHour(settings.sign_ins_per_hour),
            "offers": RateLimitItemPerHour(settings.offers_per_hour),
            "letters": RateLimitItemPerHour(settings.letters_per_hour),
            "letters-to-one": RateLimitItemPerHour(settings.letters_to_one_per_hour),
            "letters-of-strangers": RateLimitItemPerHour(settings.letters_of_strangers_per_hour),
            "group-messages": RateLimitItemPerDay(settings.messages_of_group_per_day),
        }
        self._wider = {
            (what, characters): type(self._limits[what])(self._limits[what].amount * more)
            for what in _OF_CLIENT
            for characters, more in WIDER
        }
        self._here = {
            what: SlidingWindowCounterRateLimiter(BoundedStorage()) for what in self._limits
        }
        url = settings.rates_url.get_secret_value()
        self._redis = SlidingWindowCounterRateLimiter(_redis(url)) if url else None
        self._rests_until = 0.0
        self._secret = sha256(settings.link_secret.get_secret_value().encode()).digest()

    async def count(self, what: What, who: str, times: int = 1) -> None:
        """Count once, or raise ``TooMany``, which says when to try again."""
        await self.count_all([Count(what, who, times)])

    async def count_all(self, counts: Sequence[Count]) -> None:
        """Count all, or count nothing and raise ``TooMany``, which says when to try again.

        Names are kept as keyed hashes. Raises ``ValueError`` for a count without a name, as
        everybody would share its limit.
        """
        counters = [counter for each in counts for counter in self._counters(each)]
        if self._redis is not None and time.monotonic() >= self._rests_until:
            try:
                async with asyncio.timeout(REDIS_SECONDS * len(counters)):
                    await _count([(self._redis, each) for each in counters])
            except (StorageError, TimeoutError) as error:
                # The error's text may contain RATES_URL with its password.
                cause = error.storage_error if isinstance(error, StorageError) else error
                _log.warning("rates are counted by each process alone", error=type(cause).__name__)
                self._rests_until = time.monotonic() + REDIS_REST_SECONDS
            else:
                return
        await _count([(self._here[each.what], each) for each in counters])

    def _counters(self, count: Count) -> Iterator[_Counter]:
        """The counters of a count; for an IPv6 client also those of its wider networks."""
        what, who, times = count
        if not who:
            raise ValueError(f"{what} are counted without a name: everybody would share the limit")
        if what in _OF_CLIENT and who.count(":") == _CLIENT_GROUPS - 1:
            for characters, _ in WIDER:
                limit = self._wider[what, characters]
                yield _Counter(what, limit, self._name(what, who[:characters]), times)
        yield _Counter(what, self._limits[what], self._name(what, who), times)

    def _name(self, what: What, who: str) -> str:
        said = f"{what}/{who}".encode()
        return blake2b(said, digest_size=16, key=self._secret).hexdigest()


async def _count(
    counters: Sequence[tuple[SlidingWindowCounterRateLimiter, _Counter]],
) -> None:
    if len(counters) > 1:
        # If one counter is full, none of them counts.
        for limiter, each in counters:
            if not await limiter.test(each.limit, each.name, cost=each.times):
                await _refuse(limiter, each)
    for limiter, each in counters:
        if not await limiter.hit(each.limit, each.name, cost=each.times):
            await _refuse(limiter, each)


async def _refuse(limiter: SlidingWindowCounterRateLimiter, counter: _Counter) -> None:
    if counter.what == "letters-of-strangers":
        _log.warning("the hour's letters of strangers are used up", limit=counter.limit.amount)
    stats = await limiter.get_window_stats(counter.limit, counter.name)
    raise TooMany(ceil(stats.reset_time - time.time()), _CODES.get(counter.what))


def _redis(url: str) -> RedisStorage:
    if not url.startswith(("redis://", "rediss://", "redis+unix://")):
        raise RatesError("RATES_URL is not a Redis: give redis://host:port, or leave it empty")
    try:
        return RedisStorage(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="jointbuy-rates",
        )
    except ConfigurationError:
        raise RatesError("RATES_URL needs the Redis client: install jointbuy[redis]") from None
