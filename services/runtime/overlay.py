"""The rows that a batch has changed, over those in the store."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from services.runtime.cache import TwoGenerations
from services.runtime.processor import Processor
from services.runtime.rows import Due
from services.runtime.store import Store

ROWS_CACHED = 50_000
_ABSENT = object()


class Stashed(msgspec.Struct, array_like=True):
    """A record that waits because its key is held; times in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    now: int
    value: str


class Overlay:
    """Reads through to the store; what is put stays here until ``take``."""

    def __init__(self, processor: Processor, store: Store) -> None:
        self._store = store
        self._cache: TwoGenerations[Any] = TwoGenerations(ROWS_CACHED)
        self._encode = msgspec.json.Encoder().encode
        types: dict[str, type[Any]] = {**processor.rows, "due": Due, "stash": Stashed}
        self._decode: dict[str, Callable[[bytes], Any]] = {
            table: msgspec.json.Decoder(kind).decode for table, kind in types.items()
        }
        self.changed: dict[str, Any] = {}

    def get(self, row_key: str) -> Any:
        """The row of ``<id>\\0<name>``, or ``None``."""
        row = self.changed.get(row_key, _ABSENT)
        if row is not _ABSENT:
            return row
        row = self._cache.get(row_key)
        if row is None:
            stored = self._store.get(row_key.encode())
            if stored is None:
                return None
            row = self._decoded(row_key, stored)
            self._cache.put(row_key, row)
        return row

    def _decoded(self, row_key: str, stored: bytes) -> Any:
        table = row_key[row_key.index("\x00") + 1 :].partition("/")[0]
        return self._decode[table](stored)

    def put(self, row_key: str, row: Any) -> None:
        """Put a row; ``None`` deletes it."""
        self.changed[row_key] = row

    def scan(self, prefix: str, after: str, *, reverse: bool) -> Iterator[tuple[str, Any]]:
        """Rows by key with ``prefix``, beyond ``after``, the batch's changes included."""
        changed = {key: row for key, row in self.changed.items() if key.startswith(prefix)}
        mine = sorted(
            (
                key
                for key, row in changed.items()
                if row is not None and _beyond(key, after, reverse)
            ),
            reverse=reverse,
        )
        stored = self._stored(prefix, after, reverse=reverse)
        return _merge(mine, changed, stored, reverse)

    def _stored(self, prefix: str, after: str, *, reverse: bool) -> Iterator[tuple[str, Any]]:
        encoded = prefix.encode()
        start = after.encode() if after else encoded + (b"\xff" if reverse else b"")
        for key, value in self._store.scan(encoded, start, reverse=reverse):
            row_key = key.decode()
            if _beyond(row_key, after, reverse):
                yield row_key, self._decoded(row_key, value)

    def take(self) -> list[tuple[bytes, bytes | None]]:
        """What changed since the last call, encoded; the cache has it from now on."""
        taken: list[tuple[bytes, bytes | None]] = []
        for row_key, row in self.changed.items():
            if row is None:
                self._cache.drop(row_key)
                taken.append((row_key.encode(), None))
            else:
                self._cache.put(row_key, row)
                taken.append((row_key.encode(), self._encode(row)))
        self.changed = {}
        return taken


def _beyond(key: str, after: str, reverse: bool) -> bool:
    return not after or (key < after if reverse else key > after)


def _merge(
    mine: list[str], changed: dict[str, Any], stored: Iterator[tuple[str, Any]], reverse: bool
) -> Iterator[tuple[str, Any]]:
    index = 0
    for key, row in stored:
        while index < len(mine) and (mine[index] > key if reverse else mine[index] < key):
            yield mine[index], changed[mine[index]]
            index += 1
        if index < len(mine) and mine[index] == key:
            index += 1
        if key not in changed:
            yield key, row
        elif changed[key] is not None:
            yield key, changed[key]
    for key in mine[index:]:
        yield key, changed[key]
