"""What a processor has done outside: claimed, then done, then recorded; never lost, never silently
done twice.

A ``call/…`` row says that something is to be done. A claim on it, with a lease, is committed before
anything is done; the reply is appended to a local file before anything else, and then committed
with what the rule makes of it. After a crash the same worker finds the reply in the file, or knows
from it that the point from which on the outcome is open was not reached; another worker waits the
lease out. What remains, a crash between that point and the reply, is done again and counted.

While a server is down, the calls to it are not claimed, so they cost no record; see ``breaker``.
"""

import asyncio
import heapq
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from runtime.breaker import ServerDownError, Strained, Turn, Unasked, reply_of
from runtime.call_queue import CallQueue
from runtime.caller import Caller
from runtime.fold import Fold
from runtime.journal import Claim, Journal, Line, owner_of
from runtime.metrics import PartitionMetrics
from runtime.processor import Processor
from runtime.records import instant, milliseconds
from runtime.rows import Call
from runtime.servers import Servers, WaitingCalls
from runtime.store import Store
from runtime.traces import WORK, Work, tracing

#: The caller gives up so long before the claim's lease ends.
LEASE_MARGIN_SECONDS = 15.0
#: Claims of a partition that are under way at once.
CLAIMS_MAX = 256
#: Most calls that one turn looks at, so that the event loop does not wait.
LOOKED_MAX = 1_000
#: How long a worker that stops waits for replies.
DRAIN_SECONDS = 10.0
HELD_RETRY_MS = 500
JOURNAL_BYTES_MAX = 8 * 1024 * 1024

_decode_call = msgspec.json.Decoder(Call).decode


def _call_of(row_key: str) -> str:
    """Which of the processor's calls a ``call/<name>…`` row asks for."""
    return row_key.partition("\x00")[2].split("/")[1]


class Calls:
    """The calls of one partition."""

    def __init__(
        self,
        processor: Processor,
        partition: int,
        folder: Path,
        callers: Mapping[str, Caller],
        servers: Servers,
    ) -> None:
        self.answered = asyncio.Event()
        #: Claims made when an earlier try may have been done.
        self.repeated = 0
        self._repeated_told = 0
        self._processor = processor
        self._callers = callers
        self._owner = owner_of(folder)
        self._journal = Journal(folder / f"{partition}.calls")
        self._servers = servers
        self._tracing = tracing()
        servers.on_shut.add(self._call_off)
        self._queue = CallQueue()
        self._since: dict[str, datetime] = {}
        self._oldest: list[tuple[datetime, str]] = []
        # Claims that were begun and not answered, by row key: whether they were done is open.
        self._open: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._replies: deque[tuple[Claim, Any, int]] = deque()
        # Claims that ended without a reply, and whether the call may have been made.
        self._given_up: deque[tuple[Claim, bool]] = deque()
        # The exception that a caller raised, and the call's row.
        self._failed: tuple[str, Exception] | None = None

    # --- what is to be done ----------------------------------------------------------------------

    def open(self, store: Store) -> None:
        """Take up where this worker, or another, left off."""
        begun: set[tuple[str, str]] = set()
        answered: dict[tuple[str, str], Line] = {}
        for line in self._journal.lines():
            begun.add((line.row, line.claim))
            if line.at:
                answered[line.row, line.claim] = line
        for row_key in store.calls():
            stored = store.get(row_key.encode())
            if stored is None:
                continue
            row = _decode_call(stored)
            self._note(row_key, row)
            if row.owner != self._owner:
                continue
            if (row_key, row.claim) in begun:
                self._open[row_key] = row.claim
            reply_line = answered.get((row_key, row.claim))
            if reply_line is not None:
                kind = self._processor.calls[_call_of(row_key)].reply
                claim = Claim(row_key, row.claim, None, row.lease_until or row.at)
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
        self._queue.drop(row_key)
        if row is None:
            self._since.pop(row_key, None)
            self._open.pop(row_key, None)
            return
        # A call that begins anew, such as a look in a day, has not waited since the one before.
        if self._since.get(row_key) != row.since:
            self._since[row_key] = row.since
            heapq.heappush(self._oldest, (row.since, row_key))
        if row_key not in self._claims:
            self._queue.add(self._due_ms(row), row_key)

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
            if self._ended(claim, fold) is not None:
                fold.settle(key, name, reply, at_ms, claim.trace)
        for _ in range(len(self._given_up)):
            claim, is_open = self._given_up.popleft()
            key, _, name = claim.row_key.partition("\x00")
            row = self._ended(claim, fold)
            if row is not None:
                again = replace(row, ambiguous=row.ambiguous or is_open)
                fold.rows(key)[name] = replace(again, owner="", lease_until=None)

    def _ended(self, claim: Claim, fold: Fold) -> Call | None:
        """The row of a claim that has ended, if it is still claimed."""
        self._claims.pop(claim.row_key, None)
        self._open.pop(claim.row_key, None)
        key, _, name = claim.row_key.partition("\x00")
        row: Call | None = fold.rows(key).get(name)
        if row is not None and row.owner == self._owner and row.claim == claim.claim_id:
            return row
        fold.called.add(claim.row_key)  # a call that replaced it waited for its end
        return None

    def claim(self, fold: Fold, wall_ms: int) -> list[Claim]:
        """Claim what may be done now; to be launched once that is committed."""
        for server in self._queue.held():
            turn = self._servers.turn(server)
            if turn != "no":
                self._queue.free(server, all_of_them=turn == "yes")
        claimed: list[Claim] = []
        for _ in range(LOOKED_MAX):
            due = self._queue.take(wall_ms) if len(self._claims) < CLAIMS_MAX else None
            if due is None:
                break
            at_ms, row_key = due
            key, _, name = row_key.partition("\x00")
            rows = fold.rows(key)
            row: Call | None = rows.get(name)
            if row is None or row_key in self._claims or self._due_ms(row) > at_ms:
                continue
            if not fold.can_call(key):
                self._queue.add(wall_ms + HELD_RETRY_MS, row_key)
                continue
            server = self._processor.calls[_call_of(row_key)].server(name, rows)
            if self._turn(server, row_key) == "no":
                self._queue.hold(server, at_ms, row_key)
            else:
                claimed.append(self._claim(row_key, row, server, fold, wall_ms))
        return claimed

    def _turn(self, server: str, row_key: str) -> Turn:
        if not server:
            return "yes"
        self._servers.lacks(server, self._callers[_call_of(row_key)].missing(server))
        return self._servers.turn(server)

    def _claim(self, row_key: str, row: Call, server: str, fold: Fold, wall_ms: int) -> Claim:
        key, _, name = row_key.partition("\x00")
        # A claim that nobody answered: done or not is open unless our file says it was not begun.
        is_open = bool(row.owner) and (
            row.owner != self._owner or self._open.pop(row_key, None) == row.claim
        )
        self.repeated += is_open
        now = instant(wall_ms)
        claimed = replace(
            row,
            owner=self._owner,
            lease_until=now + timedelta(seconds=self._callers[_call_of(row_key)].lease.seconds),
            claim=uuid.uuid4().hex,
            ambiguous=row.ambiguous or is_open,
        )
        fold.rows(key)[name] = claimed
        request = fold.request(key, name, wall_ms)
        assert claimed.lease_until is not None
        is_probe = bool(server) and self._servers.begin(server)
        claim = Claim(row_key, claimed.claim, request, claimed.lease_until, server, is_probe)
        claim.trace = fold.trace_of(row_key)
        self._claims[row_key] = claim
        return claim

    def launch(self, claims: list[Claim], wall_ms: int) -> None:
        """Do what is claimed."""
        for claim in claims:
            seconds = (milliseconds(claim.lease_until) - wall_ms) / 1000 - LEASE_MARGIN_SECONDS
            task = self._tasks[claim.row_key] = asyncio.create_task(self._do(claim, seconds))
            task.add_done_callback(partial(self._has_ended, claim))

    async def _do(self, claim: Claim, seconds: float) -> None:
        """Make a call, as a span of its own if traces are on."""
        name = _call_of(claim.row_key)
        about = {} if claim.request is None else self._processor.calls[name].about(claim.request)
        work = Work(claim.row_key.partition("\x00")[0], about)
        # The task has a context of its own.
        WORK.set(work)
        if self._tracing is None:
            await self._make(claim, seconds)
            return
        with self._tracing.call(name, claim.server, work.told(), claim.trace) as span:
            claim.trace = work.trace = span.trace
            span.outcome = await self._make(claim, seconds)

    async def _make(self, claim: Claim, seconds: float) -> str:
        """Make a call and keep its reply; returns the outcome in a word."""
        caller = self._callers[_call_of(claim.row_key)]
        ends = asyncio.get_running_loop().time() + seconds
        deadline = asyncio.timeout_at(ends - caller.lease.after_begin)

        def begin() -> None:
            self._open[claim.row_key] = claim.claim_id
            self._journal.begun(claim.row_key, claim.claim_id)
            deadline.reschedule(ends)

        try:
            async with deadline:
                reply = await caller(claim.request, begin)
            at_ms = int(time.time() * 1000)
            plain = reply_of(reply)
            self._journal.answered(claim, plain, at_ms)
            self._replies.append((claim, plain, at_ms))
            self._heard(claim, reply)
        except ServerDownError as error:
            self._give_up(claim, is_open=error.is_open)
            self._heard(claim, error)
            return "server-down"
        except TimeoutError:
            self._too_late(claim)
            return "no-answer"
        except Exception as error:
            self._failed = (claim.row_key, error)
            return "failed"
        return str(getattr(plain, "outcome", "done"))

    def _has_ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        """A task has ended, or was cancelled before its first line."""
        if task.cancelled() and claim.called_off:
            self._give_up(claim, is_open=False)
        if self._tasks.get(claim.row_key) is task:
            del self._tasks[claim.row_key]
        self.answered.set()

    def _too_late(self, claim: Claim) -> None:
        """There is no reply within the lease; a call that had begun is claimed anew after it."""
        if claim.row_key not in self._open:
            self._give_up(claim, is_open=False)
        else:
            self._claims.pop(claim.row_key, None)
            self._queue.add(milliseconds(claim.lease_until), claim.row_key)
        self._heard(claim, Strained(None, "it did not answer in time"))

    def _give_up(self, claim: Claim, *, is_open: bool) -> None:
        self._given_up.append((claim, is_open and claim.row_key in self._open))

    def _heard(self, claim: Claim, what: Any) -> None:
        """Take the finding of a call about its server."""
        self._tasks.pop(claim.row_key, None)  # it has ended, so it can't be cancelled
        server, is_probe, claim.is_probe = claim.server, claim.is_probe, False
        if not server:
            return
        if isinstance(what, ServerDownError):
            self._servers.down(server, str(what), what.seconds, is_probe=is_probe)
        elif isinstance(what, Strained):
            self._servers.strained(server, what.why, what.seconds, is_probe=is_probe)
        elif isinstance(what, Unasked):
            self._servers.untold(server, is_probe=is_probe)
        else:
            self._servers.up(server)

    def _call_off(self, server: str) -> None:
        """Cancel the calls to a server that went down, except those that have begun."""
        for row_key, task in self._tasks.items():
            claim = self._claims.get(row_key)
            if claim is None or claim.server != server or row_key in self._open:
                continue
            claim.called_off = True
            task.cancel()

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
        is_due = self._queue.is_due(wall_ms)
        return self.answered.is_set() or (is_due and len(self._claims) < CLAIMS_MAX)

    def is_idle(self, wall_ms: int) -> bool:
        """Whether no call is under way or due, except calls that wait for a server."""
        at_work = any(self._servers.turn(each.server) == "yes" for each in self._claims.values())
        return not at_work and not self.has_work(wall_ms)

    def status(self) -> dict[str, object]:
        """The number of open calls, and those of them that wait for servers."""
        return {"calls": self.waiting, "waits_for": [asdict(each) for each in self.waiting_for()]}

    def tell(self, measured: PartitionMetrics) -> None:
        """Show the number of open calls, the age of the oldest, and the number of repeats."""
        self._servers.tell()
        measured.calls_ambiguous.inc(self.repeated - self._repeated_told)
        self._repeated_told = self.repeated
        measured.calls_waiting.set(self.waiting)
        measured.calls_oldest.set(self.oldest_seconds())

    def waiting_for(self) -> list[WaitingCalls]:
        """The calls that wait for servers."""
        counts = self._queue.held()
        for claim in self._claims.values():
            if claim.server and self._servers.turn(claim.server) != "yes":
                counts[claim.server] = counts.get(claim.server, 0) + 1
        return [
            WaitingCalls(server, calls, self._servers.why(server))
            for server, calls in sorted(counts.items())
        ]

    @property
    def waiting(self) -> int:
        """How many are not done yet."""
        return len(self._since)

    def oldest_seconds(self) -> float:
        """The age of the oldest that is not done yet; 0 if none is, or all begin later."""
        while self._oldest and self._since.get(self._oldest[0][1]) != self._oldest[0][0]:
            heapq.heappop(self._oldest)
        return max(time.time() - self._oldest[0][0].timestamp(), 0.0) if self._oldest else 0.0

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
            has_begun = self._open.get(row_key) == claim.claim_id
            if row is not None and row.claim == claim.claim_id and not has_begun:
                fold.rows(key)[name] = replace(row, owner="", lease_until=None)

    async def cancel(self) -> None:
        """Stop what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Close the file; if a test call was under way, another call takes its place."""
        self._servers.on_shut.discard(self._call_off)
        for claim in self._claims.values():
            self._servers.untold(claim.server, is_probe=claim.is_probe)
        self._journal.close()
