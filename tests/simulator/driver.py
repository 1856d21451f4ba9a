"""Runs a processor's rules over logs in memory, without a broker and as fast as they allow.

It does what the runtime does for one partition: merges the logs by the timestamps of their heads,
fires what is due before each record, lets the records of a key wait while it has chunks, and sends
the facts of changed rows. It is generic over the declaration and knows no service.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from runtime.processor import Processor
from runtime.rows import Due, GivenUp, MemoryRows, Table
from schemas.auctions import Seller
from schemas.parts import Message

from .auctions import History, Record

EARLIEST = datetime.min.replace(tzinfo=UTC)
#: More turns than this for one chunk would never end.
TURNS_MAX = 10_000
#: Fewer than the runtime takes, so that more can come between.
UNSTASHED_PER_TURN = 2


class Fact(NamedTuple):
    """A fact of a topic that is read whole, and from when on it is seen."""

    visible: datetime
    message: Message


class ContractError(Exception):
    """A rule did what the runtime has no room for."""


class KeyRows(MemoryRows):
    """The rows of one key; tells its driver what is put and deleted."""

    def __init__(self, key: str, driver: "Driver") -> None:
        super().__init__(key)
        self._driver = driver
        #: Chunks in progress, records that wait for them, and what fell due meanwhile.
        self.chunks: list[str] = []
        self.stash: deque[tuple[datetime, Message]] = deque()
        self.overdue: list[tuple[datetime, str]] = []

    def __setitem__(self, name: str, row: Any) -> None:
        if row is None:
            raise ContractError(f"row {name} of {self.key} is put as None")
        super().__setitem__(name, row)
        self._driver.changed(self, name, row)

    def __delitem__(self, name: str) -> None:
        if name in self:
            self._driver.before_deleted(self, name)
            super().__delitem__(name)
            self._driver.changed(self, name, None)

    def scan(
        self, table: Table[Any] | str, *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """As ``Rows.scan``; a row deleted meanwhile is not seen."""
        prefix = table if isinstance(table, str) else table.prefix(*parts)
        for name in sorted((name for name in self if name.startswith(prefix)), reverse=reverse):
            if not after or (name < after if reverse else name > after):
                row = self.get(name)
                if row is not None:
                    yield name, row

    def _not_there(self, *_: Any, **__: Any) -> Any:
        raise ContractError("rows have get, [], del, in and scan alone")

    pop = popitem = clear = update = setdefault = _not_there  # type: ignore[assignment]


class StoredRows(KeyRows):
    """Rows that are written and read again each time, as a worker's store does it."""

    def __setitem__(self, name: str, row: Any) -> None:
        super().__setitem__(name, self._driver.restored(name, row))

    def __getitem__(self, name: str) -> Any:
        return self._driver.restored(name, super().__getitem__(name))

    def get(self, name: str, default: Any = None) -> Any:
        """As ``Rows.get``."""
        row = super().get(name)
        return default if row is None else self._driver.restored(name, row)


class Driver:
    """One processor over one partition.

    - ``facts``: what the topic read whole comes to say, in the order in which it is seen.
    - ``patience``: how many records go by between two turns of a key that has chunks; with 0 its
      chunks run to their end at once.
    - ``stored``: whether rows are encoded on the way, so that nothing but their fields lives on.
    """

    def __init__(
        self,
        processor: Processor,
        *,
        facts: Iterable[Fact] = (),
        patience: int = 0,
        stored: bool = False,
    ) -> None:
        self.processor = processor
        self.clock = EARLIEST
        self.sent: list[Message] = []
        self._facts = deque(sorted(facts, key=lambda fact: fact.visible))
        self._seen: dict[str, Message] = {}
        self._wholes: tuple[Mapping[str, Message], ...] = ()
        self._see()
        self._patience = patience
        self._since_turn = 0
        self._rows_class = StoredRows if stored else KeyRows
        self._rows: dict[str, KeyRows] = {}
        self._held: dict[str, KeyRows] = {}
        self._due: list[tuple[datetime, str, str]] = []
        # Facts of changed rows not sent yet: by key, the rows' names in the order of change.
        self._pending: dict[str, dict[str, None]] = {}
        self._outputs = {
            message: topic.kind for topic in processor.outputs for message in topic.messages
        }
        self._tables = {*processor.rows, "due"}
        self._decode = _decoders(processor) if stored else {}

    # --- the partition ---------------------------------------------------------------------------

    def run(self, logs: Sequence[Sequence[Record]], ends_at: datetime) -> list[Message]:
        """Apply the logs, given in the order of the processor's inputs, and let time pass on."""
        for record in merged(logs):
            self.apply(record)
        self._patience = 0
        self._take_turns()
        self.pass_time(ends_at)
        return self.sent

    def apply(self, record: Record) -> None:
        """Apply one record, after all that is due by then."""
        self.pass_time(record.at)
        key = record.message.key.partition("/")[0]
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = self._rows_class(key, self)
        if key in self._held:
            rows.stash.append((self.clock, record.message))
        else:
            self._hear(rows, record.message, self.clock)
        self._since_turn += 1
        if self._held and self._since_turn > self._patience:
            self._since_turn = 0
            self._take_turns()
        if self._pending:
            self._end_batch()

    def pass_time(self, until: datetime) -> None:
        """Move the clock on to a time, if it is not there yet, and fire what is due by then."""
        until = max(until, self.clock)
        while self._due and self._due[0][0] <= until:
            at, key, name = heapq.heappop(self._due)
            self._set_clock(max(self.clock, at))
            rows = self._rows[key]
            if key in self._held:
                heapq.heappush(rows.overdue, (at, name))
                continue
            self._fire(rows, at, name)
            if self._held and not self._patience:
                self._take_turns()
            if self._pending:
                self._end_batch()
        self._set_clock(until)

    def _set_clock(self, now: datetime) -> None:
        self.clock = now
        if self._facts and self._facts[0].visible <= now:
            self._see()

    def _see(self) -> None:
        """Take the facts that are seen by now; the mapping is in key order."""
        while self._facts and self._facts[0].visible <= self.clock:
            message = self._facts.popleft().message
            self._seen[message.key] = message
        if self.processor.reads_whole:
            self._wholes = (MappingProxyType(dict(sorted(self._seen.items()))),)

    # --- rules -----------------------------------------------------------------------------------

    def _hear(self, rows: KeyRows, message: Message, now: datetime) -> None:
        rule = self.processor.on.get(type(message))
        if rule is not None:
            self._send(rows, rule(message, rows, now, *self._wholes))

    def _fire(self, rows: KeyRows, at: datetime, name: str) -> None:
        """Call the rule of a due row, unless it is gone or was put off."""
        row = rows.get(name)
        if row is None or row.at != at:
            return
        del rows[name]
        rule = self.processor.due[name.split("/")[1]]
        self._send(rows, rule(name, rows, at, *self._wholes))

    def _take_turns(self) -> None:
        """One turn for each key that is held; without patience all that it needs."""
        for key in list(self._held):
            rows = self._held[key]
            self._turn(rows)
            turns = 1
            while not self._patience and key in self._held:
                self._turn(rows)
                turns += 1
                if turns > TURNS_MAX:
                    raise ContractError(f"{key} is still held after {turns} turns: {rows.chunks}")

    def _turn(self, rows: KeyRows) -> None:
        """A chunk, else some records that waited, else the key is held no more."""
        if rows.chunks:
            rule = self.processor.chunks[min(rows.chunks).split("/")[1]]
            self._send(rows, rule(rows, self.clock, *self._wholes))
        elif rows.stash:
            self._unstash(rows)
        else:
            del self._held[rows.key]
            for at, name in rows.overdue:
                heapq.heappush(self._due, (at, rows.key, name))
            rows.overdue = []

    def _unstash(self, rows: KeyRows) -> None:
        for _ in range(min(UNSTASHED_PER_TURN, len(rows.stash))):
            now, message = rows.stash[0]
            while rows.overdue and rows.overdue[0][0] <= now and not rows.chunks:
                self._fire(rows, *heapq.heappop(rows.overdue))
            if rows.chunks:
                return
            rows.stash.popleft()
            self._hear(rows, message, now)
            if rows.chunks:
                return

    # --- rows ------------------------------------------------------------------------------------

    def changed(self, rows: KeyRows, name: str, row: Any) -> None:
        """Note what follows from a row that was put, or with ``None`` deleted."""
        table = name.partition("/")[0]
        if table not in self._tables:
            raise ContractError(f"{name} is of no table of {self.processor.group_id}")
        if table == "due":
            if row is not None:
                self._put_due(rows, name, row)
        elif table == "chunk":
            if row is None:
                rows.chunks.remove(name)
            elif name not in rows.chunks:
                rows.chunks.append(name)
                self._held[rows.key] = rows
        elif table in self.processor.facts:
            pending = self._pending.setdefault(rows.key, {})
            pending.pop(name, None)
            pending[name] = None

    def _put_due(self, rows: KeyRows, name: str, row: Due) -> None:
        if name.split("/")[1] not in self.processor.due:
            raise ContractError(f"no rule answers to {name}")
        heapq.heappush(self._due, (row.at, rows.key, name))
        if rows.key in self._held:
            heapq.heappush(rows.overdue, (row.at, name))

    def before_deleted(self, rows: KeyRows, name: str) -> None:
        """What a row stood for until now is still to be told."""
        if name in self._pending.get(rows.key, ()):
            self._send_facts(rows, set())

    def restored(self, name: str, row: Any) -> Any:
        """The row as it comes out of a worker's store."""
        return self._decode[name.partition("/")[0]](msgspec.json.encode(row))

    # --- what goes out ---------------------------------------------------------------------------

    def _send(self, rows: KeyRows, answers: Sequence[Message | GivenUp]) -> None:
        # What is given up becomes a dead letter, which nobody reads here.
        messages = [each for each in answers if not isinstance(each, GivenUp)]
        if not messages:
            return
        told = set()
        for message in messages:
            topic_kind = self._outputs.get(type(message))
            if topic_kind is None:
                raise ContractError(f"{type(message).__name__} is in none of the outputs")
            if topic_kind != "command" and message.key.partition("/")[0] == rows.key:
                told.add(message.key)
        if told:
            self._send_facts(rows, told)
        self.sent += messages

    def _send_facts(self, rows: KeyRows, but: set[str]) -> None:
        for name in self._pending.pop(rows.key, ()):
            if name in rows:
                fact = self.processor.facts[name.partition("/")[0]](name, rows)
                if fact.key not in but:
                    self.sent.append(fact)

    def _end_batch(self) -> None:
        for key in list(self._pending):
            self._send_facts(self._rows[key], set())


def _decoders(processor: Processor) -> dict[str, Callable[[bytes], Any]]:
    tables = {**processor.rows, "due": Due}
    return {table: msgspec.json.Decoder(row).decode for table, row in tables.items()}


def merged(logs: Sequence[Sequence[Record]]) -> Iterator[Record]:
    """The logs as one: of their heads the oldest, of equally old ones that of the first log."""
    heads = [(log[0].at, number, 0) for number, log in enumerate(logs) if log]
    heapq.heapify(heads)
    while heads:
        _, number, place = heads[0]
        log = logs[number]
        yield log[place]
        if place + 1 < len(log):
            heapq.heapreplace(heads, (log[place + 1].at, number, place + 1))
        else:
            heapq.heappop(heads)


# --- auctions ------------------------------------------------------------------------------------


class Ran(NamedTuple):
    """What the desk and the auctions sent, each in order."""

    sellers: list[Message]
    auctions: list[Message]


def run(
    processors: Sequence[Processor], history: History, *, patience: int = 0, stored: bool = False
) -> Ran:
    """Run the seller desk, and then the auctions over the facts that it made."""
    desk_processor, auction_processor = processors
    desk = Driver(desk_processor, stored=stored)
    facts = []
    for record, visible in zip(history.sellers, history.visible, strict=True):
        sent = len(desk.sent)
        desk.apply(record)
        told = [message for message in desk.sent[sent:] if isinstance(message, Seller)]
        facts += [Fact(visible, message) for message in told]
    desk.pass_time(history.ends_at)
    auctions = Driver(auction_processor, facts=facts, patience=patience, stored=stored)
    auctions.run((history.offers, history.applications), history.ends_at)
    return Ran(desk.sent, auctions.sent)
