"""How often somebody may do something: counted in this process, over a sliding window."""

from hashlib import sha256
from math import ceil
from time import time
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from services.storefront.problems import TooMany
from services.storefront.settings import PageSettings

What = Literal["reads", "writes", "writes-of-key", "requests", "registrations", "letters"]


class Rates:
    """One for a web process: with several, each allows as much."""

    def __init__(self, settings: PageSettings) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limits: dict[What, RateLimitItem] = {
            "reads": RateLimitItemPerMinute(settings.reads_per_minute),
            "writes": RateLimitItemPerMinute(settings.writes_per_minute),
            "writes-of-key": RateLimitItemPerMinute(settings.writes_per_minute_of_key),
            "requests": RateLimitItemPerHour(settings.requests_per_hour),
            "registrations": RateLimitItemPerHour(settings.registrations_per_hour),
            "letters": RateLimitItemPerHour(settings.letters_per_hour),
        }

    def count(self, what: What, who: str, times: int = 1) -> None:
        """Count it, or raise ``TooMany`` with when to come again. Mail addresses are not kept."""
        limit = self._limits[what]
        name = sha256(f"{what}/{who}".encode()).hexdigest()[:24]
        if not self._limiter.hit(limit, what, name, cost=min(times, limit.amount)):
            stats = self._limiter.get_window_stats(limit, what, name)
            raise TooMany(ceil(stats.reset_time - time()))
