"""What a processor has done outside: claimed, then done, then recorded; never lost, never silently
done twice.

A ``call/…`` row says that something is to be done. A claim on it, with a lease, is committed before
anything is done; the reply is appended to a local file before anything else, and then committed
with what the rule makes of it. After a crash the same worker finds the reply in the file, or knows
from it that the point from which on the outcome is open was not reached; another worker waits the
lease out. What remains, a crash between that point and the reply, is done again and counted.
"""

import asyncio
import heapq
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from services.runtime.fold import Fold
from services.runtime.processor import Processor
from services.runtime.records import instant, milliseconds
from services.runtime.rows import Call
from services.runtime.store import Store

#: A claim holds for this long; whoever does it gives up a little before.
LEASE_SECONDS = 300.0
LEASE_MARGIN_SECONDS = 15.0
#: Claims of a partition that are under way at once.
CLAIMS_MAX = 256
#: How long a worker that stops waits for replies.
DRAIN_SECONDS = 10.0
HELD_RETRY_MS = 500
JOURNAL_BYTES_MAX = 8 * 1024 * 1024

_log = structlog.get_logger()
_decode_call = msgspec.json.Decoder(Call).decode


class Caller(Protocol):
    """Does something outside; one for all partitions of a processor on a worker."""

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Let go of what is open."""

    async def __call__(self, request: Any, begin: Callable[[], None]) -> Any:
        """Do it and say what came of it; never raises for what the other side does.

        ``begin`` is to be called right before the point from which on a crash leaves it open
        whether it was done.
        """


@dataclass(slots=True)
class Claim:
    """A call under way."""

    row_key: str
    tries: int
    request: Any
    lease_until: datetime


class _Line(msgspec.Struct, omit_defaults=True):
    """A line of the journal: begun, or answered at a time in milliseconds."""

    row: str
    tries: int
    reply: msgspec.Raw = msgspec.Raw(b"")
    at: int = 0


class Journal:
    """Replies on disk before they are anywhere else; one line each, of one partition.

    It outlives the process, not the machine: lines are handed to the system, not forced to disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._opened()

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def lines(self) -> Iterator[_Line]:
        """What it holds; a last line that a crash cut short is left out."""
        for line in self._path.read_bytes().split(b"\n"):
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=_Line)

    def begun(self, row_key: str, tries: int) -> None:
        """From here on a crash leaves it open whether it was done."""
        os.write(self._file, _begun(row_key, tries))

    def answered(self, claim: Claim, reply: Any, at_ms: int) -> None:
        """What came of it."""
        os.write(self._file, _answered(claim, reply, at_ms))

    def forget(self) -> None:
        """Nothing it holds is open any more."""
        os.ftruncate(self._file, 0)

    def keep(self, begun: Mapping[str, int], answered: Iterable[tuple[Claim, Any, int]]) -> None:
        """Nothing else is open any more: in one step, so that a crash finds the one or the other.

        What was begun and forgotten would be taken for not begun, and done again uncounted.
        """
        partial = self._path.with_name(f"{self._path.name}.partial")
        with partial.open("wb") as file:
            file.writelines(_begun(row_key, tries) for row_key, tries in begun.items())
            file.writelines(_answered(*each) for each in answered)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        self.close()
        self._file = self._opened()

    @property
    def size(self) -> int:
        """In bytes."""
        return os.fstat(self._file).st_size

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _begun(row_key: str, tries: int) -> bytes:
    return msgspec.json.encode(_Line(row_key, tries)) + b"\n"


def _answered(claim: Claim, reply: Any, at_ms: int) -> bytes:
    encoded = msgspec.Raw(msgspec.json.encode(reply))
    return msgspec.json.encode(_Line(claim.row_key, claim.tries, encoded, at_ms)) + b"\n"


def owner_of(folder: Path) -> str:
    """The name under which the worker of this folder claims, the same after a restart."""
    path = folder / "owner"
    with suppress(FileNotFoundError):
        return path.read_text()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(uuid.uuid4().hex)
    return path.read_text()


def _call_of(row_key: str) -> str:
    """Which of the processor's calls a ``call/<name>…`` row asks for."""
    return row_key.partition("\x00")[2].split("/")[1]


class Calls:
    """The calls of one partition."""

    def __init__(
        self, processor: Processor, partition: int, folder: Path, callers: Mapping[str, Caller]
    ) -> None:
        self.answered = asyncio.Event()
        #: Claims made when an earlier try may have been done.
        self.repeated = 0
        self._processor = processor
        self._callers = callers
        self._owner = owner_of(folder)
        self._journal = Journal(folder / f"{partition}.calls")
        # (not before, in milliseconds of the wall clock; row key); entries may be stale.
        self._heap: list[tuple[int, str]] = []
        self._since: dict[str, datetime] = {}
        self._oldest: list[tuple[datetime, str]] = []
        # Tries that were begun and not answered, by row key: whether they were done is open.
        self._open: dict[str, int] = {}
        self._claims: dict[str, Claim] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._replies: deque[tuple[Claim, Any, int]] = deque()
        # The exception that a caller raised, and the call's row.
        self._failed: tuple[str, Exception] | None = None

    # --- what is to be done ----------------------------------------------------------------------

    def open(self, store: Store) -> None:
        """Take up where this worker, or another, left off."""
        begun: set[tuple[str, int]] = set()
        answered: dict[tuple[str, int], _Line] = {}
        for line in self._journal.lines():
            begun.add((line.row, line.tries))
            if line.at:
                answered[line.row, line.tries] = line
        for row_key in store.calls():
            stored = store.get(row_key.encode())
            if stored is None:
                continue
            row = _decode_call(stored)
            self._note(row_key, row)
            if row.owner != self._owner:
                continue
            if (row_key, row.tries) in begun:
                self._open[row_key] = row.tries
            reply_line = answered.get((row_key, row.tries))
            if reply_line is not None:
                kind = self._processor.calls[_call_of(row_key)].reply
                claim = Claim(row_key, row.tries, None, row.lease_until or row.at)
                self._claims[row_key] = claim
                reply = msgspec.json.decode(reply_line.reply, type=kind)
                self._replies.append((claim, reply, reply_line.at))

    def committed(self, fold: Fold) -> None:
        """Look at what a batch that is committed now has put and deleted."""
        called, fold.called = fold.called, set()
        for row_key in called:
            key, _, name = row_key.partition("\x00")
            self._note(row_key, fold.rows(key).get(name))

    def _note(self, row_key: str, row: Call | None) -> None:
        if row is None:
            self._since.pop(row_key, None)
            self._open.pop(row_key, None)
            return
        if row_key not in self._since:
            self._since[row_key] = row.since
            heapq.heappush(self._oldest, (row.since, row_key))
        if row_key not in self._claims:
            heapq.heappush(self._heap, (self._due_ms(row), row_key))

    def _due_ms(self, row: Call) -> int:
        if row.owner and row.owner != self._owner and row.lease_until is not None:
            return milliseconds(row.lease_until)
        return milliseconds(row.at)

    # --- claim, do, record -----------------------------------------------------------------------

    def settle(self, fold: Fold) -> None:
        """Tell the rules what came of the calls that were answered.

        Raises ``RuleError`` if a caller raised, which is a bug.
        """
        if self._failed is not None:
            row_key, error = self._failed
            key, _, name = row_key.partition("\x00")
            raise fold.call_failed(key, name, error) from error
        self.answered.clear()
        for _ in range(len(self._replies)):
            claim, reply, at_ms = self._replies.popleft()
            key, _, name = claim.row_key.partition("\x00")
            if not fold.can_call(key):
                self._replies.append((claim, reply, at_ms))
                continue
            self._claims.pop(claim.row_key, None)
            self._open.pop(claim.row_key, None)
            row: Call | None = fold.rows(key).get(name)
            if row is not None and row.owner == self._owner and row.tries == claim.tries:
                fold.settle(key, name, reply, at_ms)

    def claim(self, fold: Fold, wall_ms: int) -> list[Claim]:
        """Claim what may be done now; to be launched once that is committed."""
        claimed: list[Claim] = []
        while self._heap and self._heap[0][0] <= wall_ms and len(self._claims) < CLAIMS_MAX:
            at_ms, row_key = heapq.heappop(self._heap)
            key, _, name = row_key.partition("\x00")
            rows = fold.rows(key)
            row: Call | None = rows.get(name)
            if row is None or row_key in self._claims or self._due_ms(row) > at_ms:
                continue
            if not fold.can_call(key):
                heapq.heappush(self._heap, (wall_ms + HELD_RETRY_MS, row_key))
                continue
            claimed.append(self._claim(row_key, row, fold, wall_ms))
        return claimed

    def _claim(self, row_key: str, row: Call, fold: Fold, wall_ms: int) -> Claim:
        key, _, name = row_key.partition("\x00")
        # A claim that nobody answered: done or not is open unless our file says it was not begun.
        is_open = bool(row.owner) and (
            row.owner != self._owner or self._open.pop(row_key, 0) == row.tries
        )
        self.repeated += is_open
        now = instant(wall_ms)
        claimed = replace(
            row,
            owner=self._owner,
            lease_until=now + timedelta(seconds=LEASE_SECONDS),
            tries=row.tries + 1,
            ambiguous=row.ambiguous or is_open,
        )
        fold.rows(key)[name] = claimed
        request = fold.request(key, name, wall_ms)
        assert claimed.lease_until is not None
        claim = Claim(row_key, claimed.tries, request, claimed.lease_until)
        self._claims[row_key] = claim
        return claim

    def launch(self, claims: list[Claim], wall_ms: int) -> None:
        """Do what is claimed."""
        for claim in claims:
            seconds = (milliseconds(claim.lease_until) - wall_ms) / 1000 - LEASE_MARGIN_SECONDS
            self._tasks[claim.row_key] = asyncio.create_task(self._do(claim, seconds))

    async def _do(self, claim: Claim, seconds: float) -> None:
        def begin() -> None:
            self._open[claim.row_key] = claim.tries
            self._journal.begun(claim.row_key, claim.tries)

        caller = self._callers[_call_of(claim.row_key)]
        try:
            async with asyncio.timeout(seconds):
                reply = await caller(claim.request, begin)
            at_ms = int(time.time() * 1000)
            self._journal.answered(claim, reply, at_ms)
            self._replies.append((claim, reply, at_ms))
        except TimeoutError:
            # Not answered within the lease: it is claimed anew when that has ended.
            self._claims.pop(claim.row_key, None)
            heapq.heappush(self._heap, (milliseconds(claim.lease_until), claim.row_key))
        except Exception as error:
            self._failed = (claim.row_key, error)
        finally:
            self._tasks.pop(claim.row_key, None)
            self.answered.set()

    def written(self) -> None:
        """All that was settled is committed: keep the file short."""
        size = self._journal.size
        if size and not self._open and not self._replies:
            self._journal.forget()
        elif size > JOURNAL_BYTES_MAX:
            self._journal.keep(self._open, self._replies)

    # --- how it stands ---------------------------------------------------------------------------

    def has_work(self, wall_ms: int) -> bool:
        """Whether there is something to settle or to claim now."""
        is_due = bool(self._heap) and self._heap[0][0] <= wall_ms
        return self.answered.is_set() or (is_due and len(self._claims) < CLAIMS_MAX)

    def is_idle(self, wall_ms: int) -> bool:
        """Whether nothing is under way or to be done now."""
        return not self._claims and not self.has_work(wall_ms)

    @property
    def waiting(self) -> int:
        """How many are not done yet."""
        return len(self._since)

    def oldest_seconds(self) -> float:
        """The age of the oldest that is not done yet; 0 without one."""
        while self._oldest and self._since.get(self._oldest[0][1]) != self._oldest[0][0]:
            heapq.heappop(self._oldest)
        return time.time() - self._oldest[0][0].timestamp() if self._oldest else 0.0

    # --- the end ---------------------------------------------------------------------------------

    async def drain(self, fold: Fold) -> None:
        """Wait for replies, then hand what was not begun to whoever comes next."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        await self.cancel()
        self.settle(fold)
        for row_key, claim in self._claims.items():
            key, _, name = row_key.partition("\x00")
            row: Call | None = fold.rows(key).get(name)
            has_begun = self._open.get(row_key) == claim.tries
            if row is not None and row.tries == claim.tries and not has_begun:
                fold.rows(key)[name] = replace(row, owner="", lease_until=None)

    async def cancel(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Let the file go."""
        self._journal.close()
