"""A partition's inputs merged by record timestamp, and the clock that follows from them.

All times are milliseconds. Nothing here asks the wall clock: who calls says what it shows.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Literal

from runtime.records import InputRecord, in_range, milliseconds, offset_after

#: The clock stops here, so that a time that a rule computes from it is still valid.
LATEST_MS = milliseconds(datetime(9900, 1, 1, tzinfo=UTC))


@dataclass(slots=True)
class Input:
    """One input topic of the partition, as far as it is fetched.

    ``read_to`` is the offset after the last record fetched (beyond control records). ``ends_at``
    is the end of the log as the broker last answered at ``answered_ms``, or ``None`` when it can't
    be known: nothing answered yet, or a transaction is open on it.
    """

    topic: str
    next_offset: int = 0
    read_to: int = 0
    ends_at: int | None = None
    answered_ms: int = 0
    fetched_ms: int = 0
    stands_since_ms: int | None = None
    buffer: deque[InputRecord] = field(default_factory=deque)

    def start_at(self, offset: int) -> None:
        """Nothing is fetched, and the next record is the one at this offset."""
        self.buffer.clear()
        self.next_offset = self.read_to = offset
        self.ends_at = self.stands_since_ms = None

    def answered(self, read_to: int, ends_at: int | None, answered_ms: int, quiet_ms: int) -> None:
        """A fetch was answered; a silence longer than ``quiet_ms`` counts as a reconnection."""
        if answered_ms - self.answered_ms > quiet_ms:
            self.stands_since_ms = None
        self.read_to, self.ends_at, self.answered_ms = read_to, ends_at, answered_ms
        if not self.buffer:
            self.next_offset = read_to
        if not self.at_end:
            self.stands_since_ms = None
        elif self.stands_since_ms is None:
            self.stands_since_ms = answered_ms

    @property
    def at_end(self) -> bool:
        """Whether all that the broker knew of at ``answered_ms`` has been taken."""
        return not self.buffer and self.ends_at is not None and self.read_to >= self.ends_at

    def take(self) -> InputRecord:
        """The oldest fetched record."""
        record = self.buffer.popleft()
        self.next_offset = offset_after(record) if self.buffer else self.read_to
        return record


class Wait(Enum):
    """Why there is no next record."""

    FOR_FETCH = "an input is not known to be read to its end"
    AT_END = "every input is read to its end"


def next_input(inputs: list[Input]) -> Input | Wait:
    """The input whose head is the oldest record, ties in the declared order.

    An empty input must be known to be at its end by a fetch answered no earlier than the one that
    brought that head, as an older record could still lie in it.
    """
    oldest: Input | None = None
    for candidate in inputs:
        if candidate.buffer and (
            oldest is None or candidate.buffer[0].timestamp < oldest.buffer[0].timestamp
        ):
            oldest = candidate
    for other in inputs:
        if not other.buffer and not (
            other.at_end and (oldest is None or other.answered_ms >= oldest.fetched_ms)
        ):
            return Wait.FOR_FETCH
    return oldest or Wait.AT_END


@dataclass(slots=True)
class Clock:
    """The partition's ``now``; never goes back."""

    mode: Literal["wall", "log"]
    grace_ms: int
    now_ms: int = 0

    def at_record(self, timestamp: int, wall_ms: int) -> int:
        """The time at which a record of that timestamp is applied."""
        if self.mode == "log":
            return max(self.now_ms, min(in_range(timestamp), LATEST_MS))
        if timestamp > wall_ms + self.grace_ms:
            # From a clock that is wrong: it says nothing of the time.
            return self.now_ms
        return max(self.now_ms, min(timestamp, wall_ms))

    def at_rest(self, inputs: list[Input], wall_ms: int) -> int:
        """The time when every input is at its end: the wall clock less the grace, once all have
        stood there for the grace; under ``log`` the largest timestamp seen.
        """
        if self.mode == "log":
            return self.now_ms
        for each in inputs:
            if each.stands_since_ms is None:
                return self.now_ms
            if each.answered_ms - each.stands_since_ms < self.grace_ms:
                return self.now_ms
        answered_ms = min(each.answered_ms for each in inputs)
        return max(self.now_ms, min(answered_ms, wall_ms) - self.grace_ms)
