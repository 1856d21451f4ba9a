"""Keys whose records are stashed, and those stashed records."""

from collections import deque
from dataclasses import dataclass

from schemas.topics import DEAD_LETTERS
from services.runtime.overlay import Stashed
from services.runtime.records import Headers, InputRecord, milliseconds
from services.runtime.rows import Due


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


def waited(stashed: Stashed, key: str, dead_letters: str) -> InputRecord:
    """A stashed record for its dead letter; its topic gets the prefix of ``dead_letters``."""
    return _Waited(
        dead_letters.removesuffix(DEAD_LETTERS.name) + stashed.topic,
        stashed.partition,
        stashed.offset,
        stashed.timestamp,
        key.encode(),
        stashed.value.encode(),
    )


def due_ms(row: Due) -> int:
    """When a row is due, in the store's index, which can't hold times before 1970."""
    return max(milliseconds(row.at), 0)
