"""The rows that a batch has changed, over those in the store."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from runtime.cache import TwoGenerations
from runtime.processor import Processor
from runtime.rows import Call, Due
from runtime.store import Store

ROWS_CACHED = 50_000
#: Most bytes of a value that we send: topics and changelogs take 2 MB with key and headers. A
#: larger record could never be sent, and would stop the partition without naming the row.
VALUE_BYTES_MAX = 2 * 1024 * 1024 - 16 * 1024
_ABSENT = object()


class RowError(Exception):
    """A row can't be stored; the cause says why."""

    def __init__(self, key: str, name: str) -> None:
        super().__init__(f"row {name} of {key}")
        self.key = key
        self.name = name


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
        types: dict[str, type[Any]] = {
            **processor.rows,
            "due": Due,
            "stash": Stashed,
            "call": Call,
        }
        self._decode: dict[str, Callable[[bytes], Any]] = {
            table: msgspec.json.Decoder(kind).decode for table, kind in types.items()
        }
        # By key, then by name, so that a scan looks at no other key's rows.
        self._changed: dict[str, dict[str, Any]] = {}

    def get(self, key: str, name: str) -> Any:
        """A key's row of that name, or ``None``."""
        mine = self._changed.get(key)
        if mine is not None:
            row = mine.get(name, _ABSENT)
            if row is not _ABSENT:
                return row
        row_key = f"{key}\x00{name}"
        row = self._cache.get(row_key)
        if row is None:
            stored = self._store.get(row_key.encode())
            if stored is None:
                return None
            row = self._decoded(name, stored)
            self._cache.put(row_key, row)
        return row

    def _decoded(self, name: str, stored: bytes) -> Any:
        return self._decode[name.partition("/")[0]](stored)

    def put(self, key: str, name: str, row: Any) -> None:
        """Put a row; ``None`` deletes it."""
        mine = self._changed.get(key)
        if mine is None:
            mine = self._changed[key] = {}
        mine[name] = row

    def scan(
        self, key: str, prefix: str, after: str, *, reverse: bool
    ) -> Iterator[tuple[str, Any]]:
        """A key's rows with ``prefix``, beyond ``after``, the batch's changes included."""
        mine = self._changed.get(key, {})
        changed = {name: row for name, row in mine.items() if name.startswith(prefix)}
        put = sorted(
            (
                name
                for name, row in changed.items()
                if row is not None and _beyond(name, after, reverse)
            ),
            reverse=reverse,
        )
        return _merge(put, changed, self._stored(key, prefix, after, reverse=reverse), reverse)

    def _stored(
        self, key: str, prefix: str, after: str, *, reverse: bool
    ) -> Iterator[tuple[str, Any]]:
        of_key = f"{key}\x00".encode()
        first = of_key + prefix.encode()
        start = first + b"\xff" if reverse else first
        if after:
            start = (min if reverse else max)(start, of_key + after.encode())
        for row_key, value in self._store.scan(first, start, reverse=reverse):
            name = row_key[len(of_key) :].decode()
            if _beyond(name, after, reverse):
                yield name, self._decoded(name, value)

    def take(self) -> list[tuple[bytes, bytes | None]]:
        """What changed since the last call, encoded; the cache has it from now on.

        Raises ``RowError`` for a row that can't be encoded, or is too large for the changelog.
        """
        taken: list[tuple[bytes, bytes | None]] = []
        for key, mine in self._changed.items():
            for name, row in mine.items():
                row_key = f"{key}\x00{name}"
                if row is None:
                    self._cache.drop(row_key)
                    taken.append((row_key.encode(), None))
                else:
                    self._cache.put(row_key, row)
                    taken.append((row_key.encode(), self._encoded(key, name, row)))
        self._changed = {}
        return taken

    def _encoded(self, key: str, name: str, row: Any) -> bytes:
        try:
            value = self._encode(row)
        except Exception as error:
            raise RowError(key, name) from error
        if len(value) > VALUE_BYTES_MAX:
            size = ValueError(f"{len(value)} bytes, but at most {VALUE_BYTES_MAX} are possible")
            raise RowError(key, name) from size
        return value


def _beyond(name: str, after: str, reverse: bool) -> bool:
    return not after or (name < after if reverse else name > after)


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
