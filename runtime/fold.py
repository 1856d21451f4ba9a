"""Folding: records, due rows and chunks go through a processor's rules into rows and records.

Nothing here waits or talks to a broker. A fold belongs to one partition and lives as long as the
partition is open; if anything goes wrong it is dropped whole and made anew from the store.
"""

import heapq
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from runtime.dead_letters import Burying, DeadLetters
from runtime.due import DueQueue
from runtime.held import Held, WaitingRows, due_ms, given_up, waited
from runtime.key_rows import KeyRows
from runtime.overlay import VALUE_BYTES_MAX, Overlay, RowError, Stashed
from runtime.processor import Processor, Rule
from runtime.records import (
    BadRecordError,
    Encoder,
    Headers,
    InputRecord,
    OutputRecord,
    Partitioner,
    decode,
    encode,
    in_range,
    instant,
    key_id,
)
from runtime.rows import DUE, Due, GivenUp, UnusableError
from runtime.rule_errors import RuleError, shown
from runtime.store import Store
from runtime.traces import Work, tracing
from schemas.ops import DEAD_LETTERS
from schemas.parts import Message, TimePassed

if TYPE_CHECKING:
    from runtime.fold_spans import FoldSpans

STASHED_PER_TURN = 200

_at = lru_cache(maxsize=1024)(instant)


class Fold:
    """The rules of one processor over one partition's rows."""

    def __init__(
        self,
        processor: Processor,
        store: Store,
        encoder: Encoder,
        partitioner: Partitioner,
        dead_letters: str,
        wholes: Sequence[Mapping[str, Message]] = (),
        parked: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.processor = processor
        self.overlay = Overlay(processor, store)
        self.due = DueQueue(store)
        self.now_ms = store.meta.now
        self.stashed = store.meta.stashed
        self.outputs: list[OutputRecord] = []
        letters = DeadLetters(processor.service, dead_letters, partitioner)
        self.burying = Burying(letters, store.meta.dead)
        self.fired = 0
        #: The key that is worked on, and its span's headers, for log lines.
        self.work = Work()
        self._spans = _spans_of(processor, dead_letters, self.work)
        self._encoder = encoder
        self._partitioner = partitioner
        self._dead_letters = dead_letters
        self._wholes = wholes
        self._parked = parked
        self._topics = {topic.name: topic for topic in processor.inputs}
        self._special = {*processor.facts, "due", "chunk", "stash", "call"}
        # Messages whose order among a key's facts matters to readers. A command or a letter is for
        # another service, so it may go out before any fact.
        self._story = {
            message
            for topic in processor.outputs
            if topic.kind != "command"
            for message in topic.messages
        }
        # Row keys of calls that were put or deleted since they were last looked at.
        self.called: set[str] = set()
        self.waits = WaitingRows(store.waiting())
        self._keys: dict[str, KeyRows] = {}
        self._held: dict[str, Held] = {}
        # Facts of changed rows not sent yet: by key, row name -> what changed the row.
        self._pending: dict[str, dict[str, tuple[int, Any, str, Headers]]] = {}
        # What is being applied: time, cause, rule, the headers of its span.
        self._applying: tuple[int, Any, str, Headers] = (0, None, "", ())
        # The last input that was applied to each key of the batch.
        self._applied: dict[str, tuple[int, Any, str, Headers]] = {}
        # The number of rows put so far.
        self._puts = 0
        for row_key in store.held():
            key, _, name = row_key.partition("\x00")
            self._hold(key, name)

    # --- what rules do to rows -------------------------------------------------------------------

    def put(self, rows: KeyRows, name: str, row: Any) -> None:
        """Put (or with ``None`` delete) a row, and note what follows from its table."""
        if row is None and name in self._pending.get(rows.key, ()):
            # What the row stood for until now is still to be told.
            self._send_facts(rows.key, set())
        self._puts += 1
        table = name.partition("/")[0]
        if table == "waiting":
            row = self.waits.take(f"{rows.key}\x00{name}", row, self._applying[1])
        self.overlay.put(rows.key, name, row)
        if table not in self._special:
            return
        if self._spans is not None:
            self._spans.put(rows.key, name, present=row is not None)
        if table == "due":
            if row is not None:
                self._add_due(rows.key, name, due_ms(row))
        elif table == "call":
            self.called.add(f"{rows.key}\x00{name}")
        elif table in ("chunk", "stash"):
            self._hold(rows.key, name, present=row is not None)
        else:
            pending = self._pending.setdefault(rows.key, {})
            pending.pop(name, None)
            pending[name] = self._applying

    def _add_due(self, key: str, name: str, at_ms: int) -> None:
        self.due.add(at_ms, f"{key}\x00{name}")
        held = self._held.get(key)
        if held is not None:
            heapq.heappush(held.dues, (at_ms, name))

    def _hold(self, key: str, name: str, *, present: bool = True) -> None:
        held = self._held_key(key)
        if name.startswith("chunk/"):
            (held.chunks.add if present else held.chunks.discard)(name)
        elif present:
            held.stashed.append(name)
        else:
            held.stashed.popleft()

    def _held_key(self, key: str) -> Held:
        """The key as held, with all that is due on it: the queue's part may come too late."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = Held()
            held.dues = [(due_ms(row), name) for name, row in self.rows(key).scan(DUE)]
            heapq.heapify(held.dues)
        return held

    # --- records ---------------------------------------------------------------------------------

    def apply(self, topic_name: str, record: InputRecord) -> None:
        """Fold one record at the clock's time; ``topic_name`` is the catalogue's.

        Raises ``RuleError`` when a rule does.
        """
        topic = self._topics[topic_name]
        try:
            message = decode(topic, record, self._partitioner)
        except BadRecordError as error:
            bury = self.burying.bury_unread
            self.outputs += bury(topic, record, str(error), error.reason, self.now_ms)
            return
        if isinstance(message, TimePassed):
            return
        key = key_id(message.key)
        if key in self._held or self._parked(key):
            self._stash(key, topic_name, record, message)
            return
        self._call(key, topic_name, record, message, self.now_ms)

    def _stash(self, key: str, topic_name: str, record: InputRecord, message: Message) -> None:
        self.stashed += 1
        name = f"stash/{self.stashed:016d}"
        if self._spans is not None:
            self._spans.stash(key, name, record.headers)
        self.rows(key)[name] = Stashed(
            topic=topic_name,
            partition=record.partition,
            offset=record.offset,
            timestamp=in_range(record.timestamp),
            now=self.now_ms,
            value=encode(message).decode(),
        )

    def rows(self, key: str) -> KeyRows:
        """The rows of a key, as its rules see them."""
        rows = self._keys.get(key)
        if rows is None:
            rows = self._keys[key] = KeyRows(key, self.overlay, self.put)
        return rows

    def _call(
        self, key: str, topic_name: str, record: InputRecord, message: Message, now_ms: int
    ) -> None:
        """Call the message's rule as of ``now_ms``; a message it can't use is a dead letter."""
        rule = self.processor.on.get(type(message))
        if rule is None:
            return
        puts = self._puts
        cause = (topic_name, record.partition, record.offset)
        timestamp = in_range(record.timestamp)
        try:
            given = (message, self.rows(key), _at(now_ms))
            self._run(key, rule, timestamp, cause, record.headers, *given)
        except UnusableError as error:
            if self._puts != puts:
                late = AssertionError(f"refused the record after it had put a row ({error})")
                raise self._blame(key, f"rule {rule.__name__}", cause, late) from error
            topic, problem = self._topics[topic_name], str(error)
            self.outputs += self.burying.bury(topic, record, problem, error.reason, self.now_ms)

    def _run(
        self, key: str, rule: Rule, timestamp: int, cause: Any, parent: Headers, *given: Any
    ) -> None:
        """Call a rule and send its messages; ``RuleError`` if the rule or the sending fails.

        With traces on, what it sends continues the trace of the ``parent`` headers.
        """
        self.work.key = key
        if self._spans is None:
            self._apply(key, rule, timestamp, cause, given)
            return
        with self._spans.step(key, cause, rule.__name__, parent, given):
            self._apply(key, rule, timestamp, cause, given)

    def _apply(
        self, key: str, rule: Rule, timestamp: int, cause: Any, given: tuple[Any, ...]
    ) -> None:
        applying = (timestamp, cause, rule.__name__, self.work.trace)
        self._applying = self._applied[key] = applying
        try:
            messages = rule(*given, *self._wholes)
            if messages:
                self._send(key, messages)
        except RuleError:
            raise
        except UnusableError as error:
            if not isinstance(cause, tuple):  # no record that could be set aside
                raise self._blame(key, f"rule {rule.__name__}", cause, error) from error
            raise
        except Exception as error:
            raise self._blame(key, f"rule {rule.__name__}", cause, error) from error

    def _blame(self, key: str, what: str, cause: Any, error: Exception) -> RuleError:
        self.work.key = key
        about = self.work.told()
        return RuleError(self.processor.service, key, what, shown(cause), error, about)

    # --- what is due -----------------------------------------------------------------------------

    def fire(self) -> None:
        """Take the earliest due row and call its rule at its own time; stale ones are dropped."""
        at_ms, row_key = self.due.pop()
        key, _, name = row_key.partition("\x00")
        if not self._is_current(at_ms, key, name):
            return
        if key in self._held or self._parked(key):
            self._held_key(key)
            return
        self._fire(at_ms, key, name)

    def _is_current(self, at_ms: int, key: str, name: str) -> bool:
        row: Due | None = self.overlay.get(key, name)
        return row is not None and due_ms(row) == at_ms

    def _fire(self, at_ms: int, key: str, name: str) -> None:
        rows = self.rows(key)
        row: Due = rows[name]
        rule = self._rule_of(key, name, self.processor.due)
        del rows[name]
        self.fired += 1
        self._run(key, rule, at_ms, f"clock/{name}", (), name, rows, row.at)

    def _rule_of(self, key: str, name: str, rules: Mapping[str, Rule]) -> Rule:
        """The rule that a row calls; ``RuleError`` if the rule no longer exists."""
        try:
            return rules[name.split("/")[1]]
        except KeyError as error:
            raise self._blame(key, f"finding the rule of row {name}", name, error) from error

    # --- calls -----------------------------------------------------------------------------------

    def can_call(self, key: str) -> bool:
        """Whether a key may be called for now: records of one that is held come first."""
        return key not in self._held and not self._parked(key)

    def request(self, key: str, name: str, at_ms: int) -> Any:
        """The request of a call for its caller, as of the wall clock's ``at_ms``."""
        try:
            request = self.processor.calls[name.split("/")[1]].request
            return request(name, self.rows(key), _at(at_ms), *self._wholes)
        except Exception as error:
            raise self._blame(key, "the request of a call", name, error) from error

    def call_failed(self, key: str, name: str, error: Exception) -> RuleError:
        """The error of a call whose caller raised, a bug; a parked key makes no calls."""
        return self._blame(key, "the caller", name, error)

    def trace_of(self, row_key: str) -> Headers:
        """The trace that a call continues; empty if none is known."""
        key, _, name = row_key.partition("\x00")
        return self._begun(key, name)

    def _begun(self, key: str, name: str) -> Headers:
        return () if self._spans is None else self._spans.begun(key, name)

    def settle(self, key: str, name: str, reply: Any, at_ms: int, trace: Headers = ()) -> None:
        """Tell the rule of a call what came of it, at the wall clock's ``at_ms``.

        ``trace`` is that of the call.
        """
        rows = self.rows(key)
        before = rows[name]
        rule = self.processor.calls[name.split("/")[1]].settle
        self._run(key, rule, at_ms, name, trace, name, reply, rows, _at(at_ms))
        if rows.get(name) is before:
            del rows[name]

    # --- keys that are held ----------------------------------------------------------------------

    def ready(self) -> list[str]:
        """Held keys that can go on: they have chunks or stashed records and are not parked."""
        return [key for key in self._held if not self._parked(key)]

    @property
    def waiting(self) -> int:
        """How many keys are held, parked ones included."""
        return len(self._held)

    def advance(self, key: str) -> None:
        """One turn for a held key: a chunk, else some stashed records, else it is held no more."""
        held = self._held[key]
        if held.chunks:
            self._chunk(key, min(held.chunks))
        elif held.stashed:
            self._unstash(key, held)
        else:
            del self._held[key]
            for at_ms, name in held.dues:
                self.due.add(at_ms, f"{key}\x00{name}")

    def _chunk(self, key: str, name: str) -> None:
        rule = self._rule_of(key, name, self.processor.chunks)
        parent = self._begun(key, name)
        self._run(key, rule, self.now_ms, name, parent, self.rows(key), _at(self.now_ms))

    def _unstash(self, key: str, held: Held) -> None:
        rows = self.rows(key)
        for name in list(islice(held.stashed, STASHED_PER_TURN)):
            stashed: Stashed = rows[name]
            self._fire_held(key, held, stashed.now)
            if held.chunks:
                return
            trace = self._begun(key, name)
            del rows[name]
            message = self._read(key, stashed)
            record = waited(stashed, message.key, self._dead_letters, trace)
            self._call(key, stashed.topic, record, message, stashed.now)
            if held.chunks:
                return

    def _read(self, key: str, stashed: Stashed) -> Message:
        try:
            message: Message = self._topics[stashed.topic].adapter.validate_json(stashed.value)
        except Exception as error:
            cause = (stashed.topic, stashed.partition, stashed.offset)
            raise self._blame(key, "a record that waited", cause, error) from error
        return message

    def _fire_held(self, key: str, held: Held, until_ms: int) -> None:
        while held.dues and held.dues[0][0] <= until_ms and not held.chunks:
            at_ms, name = heapq.heappop(held.dues)
            if self._is_current(at_ms, key, name):
                self._fire(at_ms, key, name)

    # --- what goes out ---------------------------------------------------------------------------

    def _send(self, key: str, messages: Sequence[Message | GivenUp]) -> None:
        timestamp, cause, rule, trace = self._applying
        told = {
            message.key
            for message in messages
            if type(message) in self._story
            and not isinstance(message, GivenUp)
            and key_id(message.key) == key
        }
        if told:
            self._send_facts(key, told)
        for message in messages:
            if isinstance(message, GivenUp):
                self.outputs += self._given_up(message)
            else:
                self._put_out(self._encoder(message, timestamp, shown(cause), rule), trace)

    def _given_up(self, given: GivenUp) -> list[OutputRecord]:
        topic, record = given_up(given, self._topics, self._dead_letters, self._partitioner)
        return self.burying.bury(topic, record, given.problem, given.reason, self.now_ms)

    def _put_out(self, record: OutputRecord, trace: Headers) -> None:
        size = len(record.value or b"")
        if size > VALUE_BYTES_MAX:
            raise ValueError(f"{size} bytes for {record.topic}, which takes {VALUE_BYTES_MAX}")
        record.headers.extend(trace)
        self.outputs.append(record)

    def _send_facts(self, key: str, but: set[str]) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        rows = self.rows(key)
        for name, (timestamp, cause, rule, trace) in pending.items():
            if name not in rows:
                continue
            try:
                fact = self.processor.facts[name.partition("/")[0]](name, rows)
                if fact.key not in but:
                    self._put_out(self._encoder(fact, timestamp, shown(cause), rule), trace)
            except Exception as error:
                what = f"the fact of row {name}, changed by rule {rule},"
                raise self._blame(key, what, cause, error) from error

    def take(self) -> tuple[list[tuple[bytes, bytes | None]], list[OutputRecord]]:
        """The rows and records of the batch; the next one begins.

        Raises ``RuleError`` if a changed row can't be stored or its fact can't be sent.
        """
        for key in list(self._pending):
            self._send_facts(key, set())
        try:
            rows = self.overlay.take()
        except RowError as error:
            raise self._cannot_keep(error) from error
        outputs, self.outputs = self.outputs, []
        self._keys = {}
        self._applied = {}
        return rows, outputs

    def committed(self) -> None:
        """The batch that was taken is durable."""
        self.burying.committed()
        if self._spans is not None:
            self._spans.committed()

    def _cannot_keep(self, row: RowError) -> RuleError:
        _, cause, rule, _ = self._applied.get(row.key, (0, "no record", "none", ()))
        what = f"keeping row {row.name}, with rule {rule} the last of its key,"
        why = row.__cause__
        return self._blame(row.key, what, cause, why if isinstance(why, Exception) else row)


def _spans_of(processor: Processor, dead_letters: str, work: Work) -> "FoldSpans | None":
    """What makes the spans of a fold; ``None`` if traces are off."""
    makes = tracing()
    if makes is None:
        return None
    # OpenTelemetry may not be installed.
    from runtime.fold_spans import FoldSpans

    return FoldSpans(makes, processor, dead_letters.removesuffix(DEAD_LETTERS.name), work)
