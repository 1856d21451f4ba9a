"""Folding: records, due rows and chunks go through a processor's rules into rows and records.

Nothing here waits or talks to a broker. A fold belongs to one partition and lives as long as the
partition is open; if anything goes wrong it is dropped whole and made anew from the store.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from schemas.messages import Message, TimePassed
from services.runtime.due import DueQueue
from services.runtime.overlay import Overlay, Stashed
from services.runtime.processor import Processor, Rule
from services.runtime.records import (
    BadRecordError,
    Encoder,
    InputRecord,
    OutputRecord,
    Partitioner,
    Unreadable,
    dead_letter,
    decode,
    encode,
    in_range,
    instant,
    key_id,
    milliseconds,
)
from services.runtime.rows import Due
from services.runtime.store import Store

STASHED_PER_TURN = 200

_at = lru_cache(maxsize=1024)(instant)


class RuleError(Exception):
    """A rule raised: a bug. The text names the key and the record, so that ops can park it."""


class KeyRows:
    """The rows of one key over a batch; see ``rows.Rows``."""

    __slots__ = ("_fold", "_overlay", "key")

    def __init__(self, key: str, fold: "Fold") -> None:
        self.key = key
        self._fold = fold
        self._overlay = fold.overlay

    def get(self, name: str, default: Any = None) -> Any:
        """The row of that name, or ``default``."""
        row = self._overlay.get(self.key, name)
        return default if row is None else row

    def __getitem__(self, name: str) -> Any:
        row = self._overlay.get(self.key, name)
        if row is None:
            raise KeyError(name)
        return row

    def __contains__(self, name: object) -> bool:
        return self._overlay.get(self.key, str(name)) is not None

    def __setitem__(self, name: str, row: Any) -> None:
        self._fold.put(self, name, row)

    def __delitem__(self, name: str) -> None:
        self._fold.put(self, name, None)

    def scan(
        self, prefix: str, *, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[str, Any]]:
        """As ``rows.Rows.scan``."""
        return self._overlay.scan(self.key, prefix, after, reverse=reverse)


class Held:
    """A key whose records wait: for chunks to end, for stashed records, or for ops."""

    __slots__ = ("chunks", "dues", "stashed")

    def __init__(self) -> None:
        self.chunks: set[str] = set()
        # Names rise with arrival, and leave at the front.
        self.stashed: deque[str] = deque()
        self.dues: list[tuple[int, str]] = []


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
        self.dead = 0
        #: What could not be read at all in this batch; the others among the dead could be.
        self.unreadable: list[Unreadable] = []
        self.fired = 0
        self._encoder = encoder
        self._partitioner = partitioner
        self._dead_letters = dead_letters
        self._wholes = wholes
        self._parked = parked
        self._topics = {topic.name: topic for topic in processor.inputs}
        self._special = {*processor.facts, "due", "chunk", "stash", "call"}
        # What its readers take, with the facts, as the story of a key in order. A command is for
        # another service, as a letter is: it does not matter before which fact it goes out.
        self._story = {
            message
            for topic in processor.outputs
            if topic.kind != "command"
            for message in topic.messages
        }
        # Row keys of calls that were put or deleted since they were last looked at.
        self.called: set[str] = set()
        self._keys: dict[str, KeyRows] = {}
        self._held: dict[str, Held] = {}
        # Facts of changed rows not sent yet: by key, row name -> (time, cause, rule).
        self._pending: dict[str, dict[str, tuple[int, Any, str]]] = {}
        # What is being applied: time, cause, rule.
        self._applying: tuple[int, Any, str] = (0, None, "")
        for row_key in store.held():
            key, _, name = row_key.partition("\x00")
            self._hold(key, name)

    # --- what rules do to rows -------------------------------------------------------------------

    def put(self, rows: KeyRows, name: str, row: Any) -> None:
        """Put (or with ``None`` delete) a row, and note what follows from its table."""
        if row is None and name in self._pending.get(rows.key, ()):
            # What the row stood for until now is still to be told.
            self._send_facts(rows.key, set())
        self.overlay.put(rows.key, name, row)
        table = name.partition("/")[0]
        if table not in self._special:
            return
        if table == "due":
            if row is not None:
                self._add_due(rows.key, name, milliseconds(row.at))
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
            held.dues = [(milliseconds(row.at), name) for name, row in self._rows(key).scan("due/")]
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
            self._bury(topic_name, record, str(error))
            return
        if isinstance(message, TimePassed):
            return
        key = key_id(message.key)
        if key in self._held or self._parked(key):
            self._stash(key, topic_name, record, message)
            return
        cause = (topic_name, record.partition, record.offset)
        self._call(key, message, in_range(record.timestamp), self.now_ms, cause)

    def _bury(self, topic_name: str, record: InputRecord, error: str) -> None:
        self.dead += 1
        if isinstance(record, Unreadable):
            self.unreadable.append(record)
        letter = dead_letter(
            self._dead_letters,
            record.partition,
            record,
            self.processor.service,
            error,
            self.now_ms,
        )
        self.outputs.append(letter)

    def _stash(self, key: str, topic_name: str, record: InputRecord, message: Message) -> None:
        self.stashed += 1
        self._rows(key)[f"stash/{self.stashed:016d}"] = Stashed(
            topic=topic_name,
            partition=record.partition,
            offset=record.offset,
            timestamp=in_range(record.timestamp),
            now=self.now_ms,
            value=encode(message).decode(),
        )

    def _rows(self, key: str) -> KeyRows:
        rows = self._keys.get(key)
        if rows is None:
            rows = self._keys[key] = KeyRows(key, self)
        return rows

    def _call(self, key: str, message: Message, timestamp: int, now_ms: int, cause: Any) -> None:
        rule = self.processor.on.get(type(message))
        if rule is None:
            return
        self._run(key, rule, timestamp, cause, message, self._rows(key), _at(now_ms))

    def _run(self, key: str, rule: Rule, timestamp: int, cause: Any, *given: Any) -> None:
        """Call a rule and send what it returns; ``RuleError`` if it raises."""
        self._applying = (timestamp, cause, rule.__name__)
        try:
            messages = rule(*given, *self._wholes)
        except Exception as error:
            raise RuleError(self._blame(key, rule.__name__, cause, error)) from error
        if messages:
            self._send(key, messages)

    def _blame(self, key: str, rule: str, cause: Any, error: Exception) -> str:
        at = _shown(cause)
        service = self.processor.service
        return (
            f"{service}: rule {rule} raised {type(error).__name__}: {error} on {at}, key {key};"
            f" nothing is skipped. Set the key aside with: jointbuy park {key} --service {service}"
        )

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
        return row is not None and milliseconds(row.at) == at_ms

    def _fire(self, at_ms: int, key: str, name: str) -> None:
        rows = self._rows(key)
        row: Due = rows[name]
        del rows[name]
        rule = self.processor.due[name.split("/")[1]]
        self.fired += 1
        self._run(key, rule, at_ms, f"clock/{name}", name, rows, row.at)

    # --- calls -----------------------------------------------------------------------------------

    def can_call(self, key: str) -> bool:
        """Whether a key may be called for now: records of one that is held come first."""
        return key not in self._held and not self._parked(key)

    def rows(self, key: str) -> KeyRows:
        """The rows of a key, as its rules see them."""
        return self._rows(key)

    def settle(self, key: str, name: str, reply: Any, at_ms: int) -> None:
        """Tell the rule of a call what came of it, at the wall clock's ``at_ms``."""
        rows = self._rows(key)
        before = rows[name]
        rule = self.processor.calls[name.split("/")[1]].settle
        self._run(key, rule, at_ms, name, name, reply, rows, _at(at_ms))
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
        rule = self.processor.chunks[name.split("/")[1]]
        self._run(key, rule, self.now_ms, name, self._rows(key), _at(self.now_ms))

    def _unstash(self, key: str, held: Held) -> None:
        rows = self._rows(key)
        for name in list(islice(held.stashed, STASHED_PER_TURN)):
            stashed: Stashed = rows[name]
            self._fire_held(key, held, stashed.now)
            if held.chunks:
                return
            del rows[name]
            message = self._topics[stashed.topic].adapter.validate_json(stashed.value)
            cause = (stashed.topic, stashed.partition, stashed.offset)
            self._call(key, message, stashed.timestamp, stashed.now, cause)
            if held.chunks:
                return

    def _fire_held(self, key: str, held: Held, until_ms: int) -> None:
        while held.dues and held.dues[0][0] <= until_ms and not held.chunks:
            at_ms, name = heapq.heappop(held.dues)
            if self._is_current(at_ms, key, name):
                self._fire(at_ms, key, name)

    # --- what goes out ---------------------------------------------------------------------------

    def _send(self, key: str, messages: Sequence[Message]) -> None:
        timestamp, cause, rule = self._applying
        told = {message.key for message in messages if type(message) in self._story}
        if told:
            self._send_facts(key, told)
        for message in messages:
            self.outputs.append(self._encoder(message, timestamp, _shown(cause), rule))

    def _send_facts(self, key: str, but: set[str]) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            return
        rows = self._rows(key)
        for name, (timestamp, cause, rule) in pending.items():
            if name not in rows:
                continue
            fact = self.processor.facts[name.partition("/")[0]](name, rows)
            if fact.key not in but:
                self.outputs.append(self._encoder(fact, timestamp, _shown(cause), rule))

    def take(self) -> tuple[list[tuple[bytes, bytes | None]], list[OutputRecord]]:
        """The rows and records of the batch; the next one begins."""
        for key in list(self._pending):
            self._send_facts(key, set())
        outputs, self.outputs = self.outputs, []
        self._keys = {}
        return self.overlay.take(), outputs


def _shown(cause: Any) -> str:
    if isinstance(cause, tuple):
        topic, partition, offset = cause
        return f"{topic}/{partition}/{offset}"
    return str(cause)
