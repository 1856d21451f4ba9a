"""Keys with stashed records, and messages that wait for an unknown group or auction."""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runtime.overlay import Stashed
from runtime.records import Headers, InputRecord, Partitioner, key_id, milliseconds
from runtime.rows import Due, GivenUp, Waiting
from runtime.rule_errors import shown
from schemas.ops import DEAD_LETTERS
from schemas.topic import Topic


class Held:
    """A key whose records wait: for chunks to end, for stashed records, or for ops."""

    __slots__ = ("chunks", "dues", "stashed")

    def __init__(self) -> None:
        self.chunks: set[str] = set()
        # Names in the order of arrival; the first is taken first.
        self.stashed: deque[str] = deque()
        self.dues: list[tuple[int, str]] = []


@dataclass(slots=True)
class _Waited:
    """A stashed record, with the fields that were kept."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def waited(stashed: Stashed, key: str, dead_letters: str, headers: Headers = ()) -> InputRecord:
    """A stashed record for its dead letter; its topic gets the prefix of ``dead_letters``.

    Of its headers only those of its trace were kept.
    """
    return _Waited(
        dead_letters.removesuffix(DEAD_LETTERS.name) + stashed.topic,
        stashed.partition,
        stashed.offset,
        stashed.timestamp,
        key.encode(),
        stashed.value.encode(),
        headers,
    )


def given_up(
    given: GivenUp, topics: Mapping[str, Topic], dead_letters: str, partitioner: Partitioner
) -> tuple[Topic, InputRecord]:
    """The topic and the record of a message that waited in vain, for its dead letter.

    If the place of the record was not kept, the offset is -1.
    """
    message, waiting = given.message, given.waiting
    name, partition, offset = (waiting.place or "//").split("/")
    topic = topics.get(name)
    if topic is None:
        topic = next(each for each in topics.values() if type(message) in each.messages)
    record = _Waited(
        dead_letters.removesuffix(DEAD_LETTERS.name) + topic.name,
        int(partition) if partition else partitioner(key_id(message.key)),
        int(offset) if offset else -1,
        milliseconds(waiting.arrived_at),
        message.key.encode(),
        waiting.message.encode(),
    )
    return topic, record


class WaitingRows:
    """The rows of table ``waiting`` of a partition: how many there are, and the oldest."""

    def __init__(self, rows: Iterable[tuple[int, str]]) -> None:
        self._since = {row_key: since for since, row_key in rows}
        # Deleted rows are removed when they reach its top.
        self._heap = [(since, row_key) for row_key, since in self._since.items()]
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._since)

    def take(self, row_key: str, row: Waiting | None, cause: Any) -> Waiting | None:
        """Note a row that is put or, with ``None``, deleted; returns it with its record's place."""
        if row is None:
            self._since.pop(row_key, None)
            return None
        since = milliseconds(row.arrived_at)
        if self._since.get(row_key) != since:
            self._since[row_key] = since
            heapq.heappush(self._heap, (since, row_key))
        is_new = not row.place and isinstance(cause, tuple)
        return replace(row, place=shown(cause)) if is_new else row

    def oldest_seconds(self, now_ms: int) -> float:
        """How long the oldest waits by now; 0 if none does."""
        while self._heap and self._since.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(now_ms - self._heap[0][0], 0) / 1000 if self._heap else 0.0


def due_ms(row: Due) -> int:
    """When a row is due, in the store's index, which can't hold times before 1970."""
    return max(milliseconds(row.at), 0)
