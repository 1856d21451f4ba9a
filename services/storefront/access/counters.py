"""Counters of sliding windows in memory of a fixed size: a storage of the library ``limits``.

The library's storage in memory keeps a counter for every name, and searches all of them for
expired ones. Here a window has a fixed number of counters in sets of eight, and each name belongs
to one set. A new name whose set is full takes over the counter with the lowest count, and goes on
from that count ("Space-Saving", Metwally, Agrawal and El Abbadi, 2005). So a count is never too
low: nobody gets a fresh start by filling the memory. A count is too high by at most an eighth of
the total of its set. Names with high counts keep their own counters.
"""

import secrets
import time
from array import array
from collections.abc import Callable
from hashlib import blake2b
from math import floor
from typing import NoReturn

from limits.aio.storage import SlidingWindowCounterSupport, Storage

#: Counters in one window, of 16 bytes each; a storage has two windows for each length.
COUNTERS = 65_536
_WAYS = 8


class _Window:
    """The counters of one window of time."""

    __slots__ = ("_counts", "_sets", "_tags")

    def __init__(self, counters: int) -> None:
        self._sets = counters // _WAYS
        self._tags = array("Q", bytes(8 * self._sets * _WAYS))
        self._counts = array("Q", bytes(8 * self._sets * _WAYS))

    def count(self, tag: int) -> int:
        """The count of a name; it may be too high, never too low."""
        start, way, counts = self._find(tag)
        return counts[way] if self._tags[start + way] == tag else min(counts)

    def add(self, tag: int, amount: int) -> None:
        """Add to the count of a name."""
        start, way, counts = self._find(tag)
        self._tags[start + way] = tag
        self._counts[start + way] = counts[way] + amount

    def _find(self, tag: int) -> tuple[int, int, "array[int]"]:
        """Where the set begins, the place of the tag or else of the lowest count, all counts."""
        start = tag % self._sets * _WAYS
        counts = self._counts[start : start + _WAYS]
        try:
            return start, self._tags[start : start + _WAYS].index(tag), counts
        except ValueError:
            return start, counts.index(min(counts)), counts


class _Windows:
    """The current window, and the one before it."""

    __slots__ = ("before", "now", "number")

    def __init__(self, number: int, counters: int) -> None:
        self.number = number
        self.before, self.now = _Window(counters), _Window(counters)


class BoundedStorage(Storage, SlidingWindowCounterSupport):
    """Counts in this process, in constant time and memory, without a timer.

    ``clock`` gives seconds. A window begins at a multiple of its length, as in the library's
    storages.
    """

    STORAGE_SCHEME = None

    def __init__(self, counters: int = COUNTERS, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._counters = max(counters, _WAYS)
        self._clock = clock or time.time
        self._windows: dict[int, _Windows] = {}
        # The random key hides the sets, so a client can't choose names that share one.
        self._secret = secrets.token_bytes(16)

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count unless the limit would be passed; returns whether it was counted."""
        tag, now = self._tag(key), self._clock()
        windows = self._turned(expiry, now)
        before = windows.before.count(tag) * _left(expiry, now)
        if floor(before + windows.now.count(tag)) + amount > limit:
            return False
        windows.now.add(tag, amount)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and remaining seconds of the window before, then those of the current window."""
        tag, now = self._tag(key), self._clock()
        windows = self._turned(expiry, now)
        left = _left(expiry, now) * expiry
        before = windows.before.count(tag)
        return before, left if before else 0.0, windows.now.count(tag), left + expiry

    def _turned(self, expiry: int, now: float) -> _Windows:
        """The current and the previous window of this length."""
        number = int(now // expiry)
        windows = self._windows.get(expiry)
        if windows is None or number > windows.number + 1:
            windows = self._windows[expiry] = _Windows(number, self._counters)
        elif number == windows.number + 1:
            windows.number = number
            windows.before, windows.now = windows.now, _Window(self._counters)
        # If the clock is set back, counting goes on in the latest window.
        return windows

    def _tag(self, key: str) -> int:
        digest = blake2b(key.encode(), digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest) or 1

    # --- the rest of the library's interface -----------------------------------------------------

    @property
    def base_exceptions(self) -> type[Exception]:
        """Errors to expect: none, as only a bug can raise here."""
        return ValueError

    async def check(self) -> bool:
        """Whether the storage works: always."""
        return True

    async def reset(self) -> int | None:
        """Forget all counts."""
        self._windows.clear()
        return None

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Not supported: names share counters, so one name can't be cleared alone."""
        _only_sliding_windows()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Fixed windows are not counted here."""
        _only_sliding_windows()

    async def get(self, key: str) -> int:
        """Fixed windows are not counted here."""
        _only_sliding_windows()

    async def get_expiry(self, key: str) -> float:
        """Fixed windows are not counted here."""
        _only_sliding_windows()

    async def clear(self, key: str) -> None:
        """Fixed windows are not counted here."""
        _only_sliding_windows()


def _only_sliding_windows() -> NoReturn:
    raise NotImplementedError("this storage counts sliding windows: use another for the rest")


def _left(expiry: int, now: float) -> float:
    """The part of the previous window that is less than a window's length ago."""
    return 1 - now / expiry % 1
