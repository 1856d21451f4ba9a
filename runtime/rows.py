"""What a rule sees of its key's state: rows by name, in memory here, over a store in a worker.

A row is a dataclass under a name such as ``purchase`` or ``member/ann``; the part before the first
slash is the row's table. A ``Table`` or a ``Single`` makes the name and knows the row's type, so
``rows.get(MEMBERS("ann"))`` is a ``Member`` or ``None`` to mypy, and no other row can be put under
that name. A rule changes state only by putting a new row under a name or deleting
it; it never changes a row in place. Four tables mean something to the runtime:

- ``due/<rule>`` or ``due/<rule>/<anything>`` holds a ``Due``: at that time, the rule of that name
  is called once and the row is gone.
- ``chunk/<rule>`` holds a cursor of the rule's own: while it is there the rule of that name is
  called again and again, other keys being served between, and records of this key wait.
- ``call/<name>/<anything>`` holds a ``Call``: something is to be done outside, such as sending a
  letter; what came of it is told to the rule of that name, which deletes the row or puts it anew.
- ``waiting/<anything>`` holds a ``Waiting``: a message whose group, auction or person is not known
  yet. The runtime counts these rows, and ``jointbuy waiting`` lists them.
"""

from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import chain, islice
from typing import Any, Generic, Protocol, Self, TypeVar

from schemas.parts import Message
from schemas.reasons import RecordReason

#: The most rows that a rule reads or deletes in one call of a chunk.
ROWS_PER_CALL = 500
#: How long the rows of a group or an auction are kept after its end, so that what comes late has an
#: answer.
ROWS_KEPT = timedelta(days=90)
#: The share by which a pause may be shorter or longer.
JITTER = 0.2


class UnusableError(Exception):
    """A rule can't use a message, and no fact could answer it: the record is a dead letter.

    The text says why, ``reason`` in a short code. The rule must raise it before it puts or deletes
    a row. If a command has an answer, as an order has, the rule sends a refusal instead.
    """

    def __init__(self, problem: str, reason: RecordReason) -> None:
        super().__init__(problem)
        self.reason = reason


@dataclass(slots=True)
class Due:
    """Something is to be done at ``at``."""

    at: datetime


@dataclass(slots=True)
class Call:
    """Something is to be done outside, not before ``at`` on the wall clock; wanted ``since`` then.

    Rules give these two. The rest is the runtime's: who does it now, until when nobody else may,
    the id of this claim, and whether an earlier try may have been done without its reply known.
    """

    at: datetime
    since: datetime
    owner: str = ""
    lease_until: datetime | None = None
    claim: str = ""
    ambiguous: bool = False


def spread_pause(name: str, attempts: int, pauses: Sequence[timedelta]) -> timedelta:
    """How long until a call's next try after so many; the last pause is for all further ones.

    ``name`` spreads calls of one moment by a fifth of the pause.
    """
    base = pauses[min(attempts, len(pauses)) - 1]
    spread = int.from_bytes(sha256(f"{name}/{attempts}".encode()).digest()[:4]) / 2**32
    return base * (1 - JITTER + 2 * JITTER * spread)


@dataclass(slots=True)
class Waiting:
    """A message as JSON text, and when it came; it waits until ``until`` at most.

    ``place`` is where its record lies, ``topic/partition/offset``; the runtime fills it in. A row
    may also stand for all that waits on its key, and then has no message.
    """

    type: str
    message: str
    arrived_at: datetime
    until: datetime | None = None
    place: str = ""


@dataclass(slots=True)
class Waits:
    """The number of the last message that had to wait."""

    last: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A message that waited in vain and has no fact as an answer; it becomes a dead letter.

    A rule returns it among its messages. ``reason`` is the short code of ``problem``.
    """

    message: Message
    waiting: Waiting
    problem: str
    reason: RecordReason


R = TypeVar("R")


class Name(str, Generic[R]):
    """The name of a row of a type; while the program runs, any string."""


class Single(Name[R]):
    """The name of a table that has one row at most."""

    row: type[R]

    def __new__(cls, name: str, row: type[R]) -> Self:
        """Name the table, and say which dataclass its row is."""
        self = super().__new__(cls, name)
        self.row = row
        return self


class Table(Generic[R]):
    """Rows of a type, each named ``<table>/<part>`` or ``<table>/<part>/<part>``."""

    __slots__ = ("_prefix", "name", "row")

    def __init__(self, name: str, row: type[R]) -> None:
        self.name = name
        self.row = row
        self._prefix = f"{name}/"

    def __call__(self, part: str, *parts: str) -> Name[R]:
        """The name of a row."""
        name = self._prefix + part
        return "/".join((name, *parts)) if parts else name  # type: ignore[return-value]

    def stored(self, name: str) -> Name[R]:
        """The name of a row of this table, as another row holds it."""
        return name  # type: ignore[return-value]

    def prefix(self, *parts: str) -> str:
        """How the names of all rows with these first parts begin."""
        return self._prefix + "".join(f"{part}/" for part in parts)

    def part(self, name: str) -> str:
        """What makes a name of this table differ from the others: all behind the first slash."""
        return name[len(self._prefix) :]


def tables(*each: Table[Any] | Single[Any]) -> dict[str, type[Any]]:
    """The dataclass of each table, for ``Processor.rows``."""
    return {table.name if isinstance(table, Table) else str(table): table.row for table in each}


#: What the runtime acts on; see above.
DUE = Table("due", Due)
CALLS = Table("call", Call)
WAITING = Table("waiting", Waiting)
WAITS = Single("waits", Waits)


class Rows(Protocol):
    """The rows of one key."""

    key: str

    def get(self, name: Name[R]) -> R | None:
        """The row of that name, or ``None``."""

    def __getitem__(self, name: Name[R]) -> R:
        """The row of that name; raises ``KeyError`` if there is none."""

    def __setitem__(self, name: Name[R], row: R) -> None: ...
    def __delitem__(self, name: Name[Any]) -> None: ...
    def __contains__(self, name: object) -> bool: ...

    def scan(
        self, table: Table[R], *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Name[R], R]]:
        """Rows of a table whose names go on with ``parts``, by name.

        With ``after``, the name of a row, those beyond it. Rows put or deleted while scanning may
        or may not be seen.
        """


def next_rows(
    rows: Rows, table: Table[R], *, after: str = "", most: int = ROWS_PER_CALL
) -> list[tuple[Name[R], R]]:
    """The first rows of a table beyond the name ``after``, by name."""
    return list(islice(rows.scan(table, after=after), most))


def drop(rows: Rows, *names: Name[Any]) -> None:
    """Delete those of these rows that are there."""
    for name in names:
        if name in rows:
            del rows[name]


def drop_some(rows: Rows, tables: Iterable[Table[Any]], *, most: int = ROWS_PER_CALL) -> bool:
    """Delete the first rows of these tables; returns whether there were any."""
    names = [name for name, _ in islice(chain.from_iterable(map(rows.scan, tables)), most)]
    for name in names:
        del rows[name]
    return bool(names)


def keep_waiting(
    message: Message, rows: Rows, now: datetime, until: datetime, table: Table[Waiting] = WAITING
) -> str:
    """Keep a message that came before its group or auction; returns the last part of its name.

    Messages have names in the order of their arrival.
    """
    last = (rows.get(WAITS) or Waits(0)).last + 1
    rows[WAITS] = Waits(last)
    number = f"{last:012d}"
    text = message.model_dump_json(exclude_none=True)
    rows[table(number)] = Waiting(
        type=type(message).__name__, message=text, arrived_at=now, until=until
    )
    return number


class MemoryRows(dict[str, Any]):
    """Rows in a plain dict: what rules are tested with."""

    def __init__(self, key: str, rows: MutableMapping[str, Any] | None = None) -> None:
        super().__init__(rows or {})
        self.key = key

    def scan(
        self, table: Table[Any] | str, *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """As ``Rows.scan``; a string is what names begin with."""
        prefix = table if isinstance(table, str) else table.prefix(*parts)
        names = sorted((name for name in self if name.startswith(prefix)), reverse=reverse)
        for name in names:
            if not after or (name < after if reverse else name > after):
                yield name, self[name]
