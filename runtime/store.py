"""A partition's rows on disk: RocksDB behind the changelog, rebuilt from it whenever in doubt.

Row keys are ``<id>\\0<row name>``. Beside them lie an index of due rows by time, one of keys
whose records wait (tables ``chunk`` and ``stash``), one of calls and one of messages that wait for
their group or auction, made from the rows as they are written.
"""

import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import orjson
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from runtime.lasting_errors import of_rows
from runtime.records import milliseconds
from runtime.rows import Due, Waiting

#: No id begins with a control character, so these never meet a row.
_META = b"\x00meta"
_DUE = b"\x01"
_HELD = b"\x02"
_CALL = b"\x03"
_WAITING = b"\x04"
#: The changelog's key of the positions and the clock.
POSITIONS_KEY = b"\x00positions"

_BLOCK_CACHE = Cache(64 * 1024 * 1024)
_decode_due = msgspec.json.Decoder(Due).decode
_decode_waiting = msgspec.json.Decoder(Waiting).decode


class Meta(msgspec.Struct):
    """How far the rows are: offsets are the next to read, times in milliseconds."""

    cluster: str
    changelog_offset: int = 0
    positions: dict[str, int] = {}
    now: int = 0
    stashed: int = 0
    #: Dead letters so far, by topic, reason and whether this service writes them.
    dead: dict[str, int] = {}
    written_at: float = 0.0


_decode_meta = msgspec.json.Decoder(Meta).decode


class Store:
    """The rows of one partition of one processor."""

    def __init__(self, path: Path, cluster: str, kept_seconds: float) -> None:
        self.path = path
        self._is_broken = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _open(path)
        except Exception as error:
            if (failure := of_rows(path, error)) is not None:
                raise failure from error
            # Garbled files are worth nothing: the changelog has all.
            shutil.rmtree(path, ignore_errors=True)
            self._db = _opened(path)
        self.meta = self._read_meta(cluster)
        idle_seconds = time.time() - self.meta.written_at
        if self.meta.cluster != cluster or idle_seconds > kept_seconds:
            # Rows of another cluster, or so old that tombstones may be gone from the changelog.
            self.wipe(cluster)

    def _read_meta(self, cluster: str) -> Meta:
        stored = self._db.get(_META)
        if stored is None:
            return Meta(cluster=cluster, written_at=time.time())
        return _decode_meta(stored)

    def wipe(self, cluster: str) -> None:
        """Start empty: everything comes back from the changelog."""
        self._db.close()
        shutil.rmtree(self.path, ignore_errors=True)
        self._db = _opened(self.path)
        self.meta = Meta(cluster=cluster, written_at=time.time())

    def get(self, key: bytes) -> bytes | None:
        """A row's bytes."""
        value: bytes | None = self._db.get(key)
        return value

    def scan(self, prefix: bytes, start: bytes, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """Rows that begin with ``prefix``, from ``start`` on, by key."""
        # A live iterator would keep the files open, so it is read to its end or closed here.
        items = self._db.items(backwards=reverse, from_key=start)
        for key, value in items:
            if not key.startswith(prefix):
                if reverse and key > prefix:
                    continue
                return
            yield key, value

    def write(self, rows: Iterable[tuple[bytes, bytes | None]], meta: Meta) -> None:
        """One atomic batch of rows (``None`` deletes), their indexes, and how far they are.

        Raises ``LastingError`` if the disk is full or can't be written.
        """
        batch = WriteBatch(raw_mode=True)
        for key, value in rows:
            self._index(batch, key, value)
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        meta.written_at = time.time()
        batch.put(_META, msgspec.json.encode(meta))
        try:
            self._db.write(batch)
        except Exception as error:
            self._is_broken = True
            if (failure := of_rows(self.path, error)) is None:
                raise
            raise failure from error
        self.meta = meta

    def _index(self, batch: WriteBatch, key: bytes, value: bytes | None) -> None:
        name = key[key.index(b"\x00") + 1 :]
        if name.startswith(b"due/"):
            before = self._db.get(key)
            if before is not None:
                batch.delete(_due_key(before, key))
            if value is not None:
                batch.put(_due_key(value, key), b"")
        elif name.startswith((b"chunk/", b"stash/")):
            if value is None:
                batch.delete(_HELD + key)
            else:
                batch.put(_HELD + key, b"")
        elif name.startswith(b"call/"):
            if value is None:
                batch.delete(_CALL + key)
            else:
                batch.put(_CALL + key, b"")
        elif name.startswith(b"waiting/"):
            if value is None:
                batch.delete(_WAITING + key)
            else:
                since = milliseconds(_decode_waiting(value).arrived_at)
                batch.put(_WAITING + key, since.to_bytes(8, "big", signed=True))

    def due_after(self, after: bytes, limit: int) -> list[tuple[int, str, bytes]]:
        """The next ``limit`` of (due time in milliseconds, row key, index key) beyond ``after``."""
        found: list[tuple[int, str, bytes]] = []
        for key, _ in self.scan(_DUE, after + b"\x00" if after else _DUE, reverse=False):
            found.append((int.from_bytes(key[1:9], "big"), key[9:].decode(), key))
            if len(found) == limit:
                break
        return found

    def held(self) -> Iterator[str]:
        """Row keys of tables ``chunk`` and ``stash``."""
        for key, _ in self.scan(_HELD, _HELD, reverse=False):
            yield key[1:].decode()

    def calls(self) -> Iterator[str]:
        """Row keys of table ``call``."""
        for key, _ in self.scan(_CALL, _CALL, reverse=False):
            yield key[1:].decode()

    def waiting(self) -> Iterator[tuple[int, str]]:
        """Since when, in milliseconds, and the row key, of each row of table ``waiting``."""
        for key, since in self.scan(_WAITING, _WAITING, reverse=False):
            yield int.from_bytes(since, "big", signed=True), key[1:].decode()

    def close(self) -> None:
        """Flush and let the files go."""
        try:
            self._db.close()
        except Exception:
            # After a write that failed this fails, too, and would hide why.
            if not self._is_broken:
                raise


def positions_value(meta: Meta) -> bytes:
    """What the changelog keeps under ``POSITIONS_KEY``."""
    told = {"positions": meta.positions, "now": meta.now, "stashed": meta.stashed}
    return orjson.dumps(told | {"dead": meta.dead} if meta.dead else told)


def with_positions(meta: Meta, value: bytes) -> Meta:
    """``meta`` moved to what the changelog says."""
    stored = orjson.loads(value)
    return msgspec.structs.replace(
        meta,
        positions=stored["positions"],
        now=stored["now"],
        stashed=stored["stashed"],
        dead=stored.get("dead", {}),
    )


def due_index_key(at_ms: int, row_key: bytes) -> bytes:
    """Where a due row lies in the index."""
    return _DUE + max(at_ms, 0).to_bytes(8, "big") + row_key


def _due_key(value: bytes, row_key: bytes) -> bytes:
    return due_index_key(milliseconds(_decode_due(value).at), row_key)


def _opened(path: Path) -> Rdict:
    """The rows. Raises ``LastingError`` if the file system refuses."""
    try:
        return _open(path)
    except Exception as error:
        if (failure := of_rows(path, error)) is None:
            raise
        raise failure from error


def _open(path: Path) -> Rdict:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_max_open_files(64)
    options.set_write_buffer_size(16 * 1024 * 1024)
    options.set_max_write_buffer_number(3)
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(64 * 1024 * 1024)
    tables = BlockBasedOptions()
    tables.set_block_cache(_BLOCK_CACHE)
    tables.set_bloom_filter(10, False)
    options.set_block_based_table_factory(tables)
    return Rdict(str(path), options)
