"""Counters of sliding windows in memory of a fixed size: a storage of the library ``limits``.

Its own storage in memory keeps a counter for everybody who ever came, and looks through all of them
to find the old ones. Here a window has a fixed number of counters in sets of eight, and a name may
stand in one set only. A name that finds its set full takes the place of the least one and goes on
from that one's count ("Space-Saving", Metwally, Agrawal and El Abbadi, 2005). So a count is never
too low, whoever else comes: nobody gets a fresh start by filling the memory. It is too high by at
most what its set counted, divided by eight. What counts much keeps its own counter.
"""

import secrets
import time
from array import array
from collections.abc import Callable
from hashlib import blake2b
from math import floor
from typing import NoReturn

from limits.aio.storage import SlidingWindowCounterSupport, Storage

#: Of one window: 16 bytes each, and a storage has two windows for each length.
COUNTERS = 65_536
_WAYS = 8


class _Window:
    """What was counted in one window of time."""

    __slots__ = ("_counts", "_sets", "_tags")

    def __init__(self, counters: int) -> None:
        self._sets = counters // _WAYS
        self._tags = array("Q", bytes(8 * self._sets * _WAYS))
        self._counts = array("Q", bytes(8 * self._sets * _WAYS))

    def count(self, tag: int) -> int:
        """How often, or somewhat more."""
        start, way, counts = self._find(tag)
        return counts[way] if self._tags[start + way] == tag else min(counts)

    def add(self, tag: int, amount: int) -> None:
        """Count a name on."""
        start, way, counts = self._find(tag)
        self._tags[start + way] = tag
        self._counts[start + way] = counts[way] + amount

    def _find(self, tag: int) -> tuple[int, int, "array[int]"]:
        """Where the set begins, the place of the tag or else of the least count, and all counts."""
        start = tag % self._sets * _WAYS
        counts = self._counts[start : start + _WAYS]
        try:
            return start, self._tags[start : start + _WAYS].index(tag), counts
        except ValueError:
            return start, counts.index(min(counts)), counts


class _Windows:
    """The window that runs, and the one before it."""

    __slots__ = ("before", "now", "number")

    def __init__(self, number: int, counters: int) -> None:
        self.number = number
        self.before, self.now = _Window(counters), _Window(counters)


class BoundedStorage(Storage, SlidingWindowCounterSupport):
    """Counts in this process, in constant time and memory, without a timer.

    ``clock`` gives seconds. A window begins at a multiple of its length, as with the other storages
    of ``limits``.
    """

    STORAGE_SCHEME = None

    def __init__(self, counters: int = COUNTERS, clock: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._counters = max(counters, _WAYS)
        self._clock = clock or time.time
        self._windows: dict[int, _Windows] = {}
        # Nobody outside can choose names that meet in one set.
        self._secret = secrets.token_bytes(16)

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count, unless that would be beyond the limit; whether it was counted."""
        tag, now = self._tag(key), self._clock()
        windows = self._turned(expiry, now)
        before = windows.before.count(tag) * _left(expiry, now)
        if floor(before + windows.now.count(tag)) + amount > limit:
            return False
        windows.now.add(tag, amount)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """The count before and for how many seconds it matters, and the same of the count now."""
        tag, now = self._tag(key), self._clock()
        windows = self._turned(expiry, now)
        left = _left(expiry, now) * expiry
        before = windows.before.count(tag)
        return before, left if before else 0.0, windows.now.count(tag), left + expiry

    def _turned(self, expiry: int, now: float) -> _Windows:
        """The windows of this length at this time."""
        number = int(now // expiry)
        windows = self._windows.get(expiry)
        if windows is None or number > windows.number + 1:
            windows = self._windows[expiry] = _Windows(number, self._counters)
        elif number == windows.number + 1:
            windows.number = number
            windows.before, windows.now = windows.now, _Window(self._counters)
        # A clock that was set back counts on in the window that it left.
        return windows

    def _tag(self, key: str) -> int:
        digest = blake2b(key.encode(), digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest) or 1

    # --- what the library's interface has beside that --------------------------------------------

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong here: nothing but a bug."""
        return ValueError

    async def check(self) -> bool:
        """Whether it can count."""
        return True

    async def reset(self) -> int | None:
        """Forget all counts."""
        self._windows.clear()
        return None

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Counters share their places, so that none can be cleared alone."""
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
    """The part of the window before that lies within a window's length of now."""
    return 1 - now / expiry % 1
