"""Batches of facts into the read model: rows and the positions they come from, in one transaction.

Nothing here depends on how facts are cut into batches, nor on a batch being read again: a fact is
written unless one of a higher version is there, and lists and words follow from the rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    bindparam,
    case,
    delete,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas.groups import GroupPurchase
from schemas.parts import Message
from schemas.people import PEOPLE
from services.storefront.readmodel import owners
from services.storefront.readmodel.database import TROUBLE, is_missing
from services.storefront.readmodel.lists import UNLISTED
from services.storefront.readmodel.tables import (
    FACTS,
    METADATA,
    ORIGIN,
    POSITIONS,
    SEARCH,
    TODOS,
)
from services.storefront.readmodel.todo_pages import counts
from services.storefront.rules.columns import (
    ONLY_IN_PARTS,
    PARTS,
    Columns,
    Part,
    deleted,
    holder_of,
    in_row,
    terms_of_product,
    version_of,
)

#: Subjects in one question.
_SUBJECTS_MAX: Final = 500
#: Kinds of facts that are only in a table of their own.
_NOT_KEPT: Final = frozenset(kind.__name__ for kind in ONLY_IN_PARTS)


class Place(NamedTuple):
    """A partition of a topic of the catalogue."""

    topic: str
    partition: int


class FencedError(RuntimeError):
    """Another projector has written from this place on, or a newer generation takes over.

    What was read here is not to be written.
    """


class _Fact(NamedTuple):
    columns: Columns
    listed: tuple[tuple[Part, Columns | None], ...]


@dataclass
class Batch:
    """Facts read, the newest of each key, and keys whose facts went."""

    facts: dict[tuple[str, str], _Fact] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)

    def put(
        self, topic: str, message: Message, value: str, at: int, rule: str = "", cause: str = ""
    ) -> None:
        """A fact, with its record's value and time, and what its headers say decided it."""
        key = message.key
        version = version_of(message)
        before = self.facts.get((topic, key))
        if before is not None and version < before.columns["version"]:  # type: ignore[operator]
            return
        columns: Columns = {
            "topic": topic,
            "key": key,
            "subject": key.partition("/")[0],
            "kind": type(message).__name__,
            "version": version,
            "at": at,
            "value": value,
            "holder": holder_of(message),
            "rule": rule or None,
            "cause": cause or None,
        }
        listed = tuple((part, part.columns(message, at)) for part in PARTS.get(type(message), ()))
        self.facts[topic, key] = _Fact(columns, listed)

    @property
    def groups(self) -> set[str]:
        """Groups of its terms and of its todos."""
        found = set()
        for fact in self.facts.values():
            if fact.columns["kind"] == GroupPurchase.__name__:
                found.add(str(fact.columns["subject"]))
            for part, columns in fact.listed:
                if part.table == TODOS.name and columns is not None and columns["group_id"]:
                    found.add(str(columns["group_id"]))
        return found

    def delete(self, topic: str, key: str) -> None:
        """A tombstone: whatever comes after it is new, of any version."""
        self.facts.pop((topic, key), None)
        self.deleted.add((topic, key))


class Writer:
    """Writes batches; as many processes may as there are partitions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._put_fact = self._upsert(FACTS, "version", [each.name for each in FACTS.c])
        self._put_part: dict[str, Any] = {}

    def _upsert(self, table: Table, version: str, names: Sequence[str]) -> Any:
        statement: Any = (sqlite if self._is_sqlite else postgresql).insert(table)
        statement = statement.values({name: bindparam(name) for name in names})
        new = statement.excluded
        ids = [each.name for each in table.primary_key]
        return statement.on_conflict_do_update(
            index_elements=ids,
            set_={name: new[name] for name in names if name not in ids},
            where=new[version] >= table.c[version],
        )

    async def open(self, origin: str) -> bool:
        """Whether the rows are of this log; if there are none yet, they are from now on.

        Tables that somebody took away are of no log.
        """
        try:
            if not await self._origins():
                async with self._engine.begin() as connection:
                    await self._add(connection, ORIGIN, [{"cluster_id": origin}])
            return await self._origins() == [origin]
        except TROUBLE as error:
            if is_missing(error):
                return False
            raise

    async def _origins(self) -> list[str]:
        async with self._engine.connect() as connection:
            return list((await connection.execute(select(ORIGIN.c.cluster_id))).scalars())

    async def positions(self, places: Sequence[Place]) -> dict[Place, int]:
        """Where to read on, 0 where nothing is written yet."""
        async with self._engine.begin() as connection:
            await self._add_places(connection, places)
            there = await _positions(connection)
        return {place: there[place] for place in places}

    async def close(self, places: Sequence[Place]) -> dict[Place, int]:
        """Let nobody write any more: the positions stay as they are answered.

        Whoever writes just now is waited for; whoever comes later gets ``FencedError``.
        """
        async with self._engine.begin() as connection:
            if not self._is_sqlite:
                # All at once: writers lock rows one after the other, and would meet this half-way.
                lock = f"LOCK TABLE {POSITIONS.name} IN SHARE ROW EXCLUSIVE MODE"
                await connection.execute(text(lock))
            await self._add_places(connection, places)
            await connection.execute(update(POSITIONS).values(is_closed=1))
            return await _positions(connection)

    async def is_closed(self) -> bool:
        """Whether a newer generation takes over."""
        closed = select(POSITIONS.c.topic).where(POSITIONS.c.is_closed == 1).limit(1)
        async with self._engine.connect() as connection:
            return (await connection.execute(closed)).first() is not None

    async def _add_places(self, connection: AsyncConnection, places: Sequence[Place]) -> None:
        fresh = [{**place._asdict(), "next_offset": 0} for place in sorted(places)]
        await self._add(connection, POSITIONS, fresh)

    async def write(self, batch: Batch, moves: Mapping[Place, tuple[int, int]]) -> None:
        """Write a batch that was read from and to these offsets, or nothing of it.

        Raises ``FencedError`` when the positions are not those it was read from.
        """
        async with self._engine.begin() as connection:
            # First of all, so that a second writer waits here, and then finds the position moved.
            for place, (old, new) in sorted(moves.items()):
                await self._move(connection, place, old, new)
            if batch.deleted:
                await _delete(connection, batch.deleted)
            if batch.facts:
                await self._put(connection, batch.facts)
            groups = sorted(batch.groups)
            for start in range(0, len(groups), _SUBJECTS_MAX):
                await connection.execute(owners.find(groups[start : start + _SUBJECTS_MAX]))
        if any(topic == PEOPLE.name for topic, _ in batch.deleted):
            await empty_write_ahead_log(self._engine)

    async def forget(self, people: Mapping[str, tuple[int, int]]) -> None:
        """Delete people whose tombstones are not read here yet.

        ``people`` is by id: the partition, and the offset up to which another writer has read it
        and found that the tombstone is the last word on the person.
        """
        wheres = [_unread(*each) for each in sorted(people.items())]
        async with self._engine.connect() as connection:
            # As a rule nobody is left, and then no writer has to wait.
            asked = [await connection.execute(select(FACTS.c.key).where(each)) for each in wheres]
            if not any(each.first() for each in asked):
                return
        async with self._engine.begin() as connection:
            for each in wheres:
                await connection.execute(delete(FACTS).where(each))
        await empty_write_ahead_log(self._engine)

    async def count_todos(self, now: datetime) -> dict[str, int]:
        """The number of open todos by kind.

        Also sets the owners of todos whose group or definition came later or at the same time.
        """
        async with self._engine.begin() as connection:
            await connection.execute(owners.find())
        # Counting takes longer, and a separate connection lets others write.
        async with self._engine.connect() as connection:
            found = await connection.execute(counts(now))
            return {row.kind: row.number for row in found}

    async def _move(self, connection: AsyncConnection, place: Place, old: int, new: int) -> None:
        c = POSITIONS.c
        at = and_(c.topic == place.topic, c.partition == place.partition, c.next_offset == old)
        is_it = and_(at, c.is_closed == 0)
        moved = await connection.execute(update(POSITIONS).where(is_it).values(next_offset=new))
        if moved.rowcount != 1:
            raise FencedError(f"{place.topic}/{place.partition} has moved on from {old}, or closed")

    async def _put(
        self, connection: AsyncConnection, facts: Mapping[tuple[str, str], _Fact]
    ) -> None:
        in_order = [fact for _, fact in sorted(facts.items())]
        kept = [fact.columns for fact in in_order if fact.columns["kind"] not in _NOT_KEPT]
        if kept:
            await connection.execute(self._put_fact, kept)
        rows: dict[str, tuple[Part, list[Columns]]] = {}
        closed: list[Columns] = []
        for fact in in_order:
            for part, columns in fact.listed:
                if columns is None:
                    closed.append(fact.columns)
                else:
                    rows.setdefault(f"{part.table}.{part.version}", (part, []))[1].append(columns)
        await _delete_closed(connection, closed)
        for name, (part, columns_of_all) in rows.items():
            if name not in self._put_part:
                table = METADATA.tables[part.table]
                self._put_part[name] = self._upsert(table, part.version, list(columns_of_all[0]))
            await connection.execute(self._put_part[name], columns_of_all)
            if part.table == TODOS.name:
                await _delete_outdated(connection, columns_of_all)
            if part.is_searched:
                subjects = [str(columns[part.id[0]]) for columns in columns_of_all]
                for start in range(0, len(subjects), _SUBJECTS_MAX):
                    await self._index(connection, part, subjects[start : start + _SUBJECTS_MAX])

    async def _index(self, connection: AsyncConnection, part: Part, subjects: list[str]) -> None:
        """Put words of products that are new or changed into rows and the search index."""
        table = METADATA.tables[part.table]
        id_ = table.c[part.id[0]]
        told = (table.c.product_name, table.c.category, table.c.tags)
        searched = select(id_, *told, table.c.words, _kind_of(table)).where(id_.in_(subjects))
        found = [
            (of, terms_of_product(name, category, tags), words, kind)
            for of, name, category, tags, words, kind in await connection.execute(searched)
        ]
        new = {of: (terms, kind) for of, terms, words, kind in found if in_row(terms) != words}
        if not new:
            return
        of_subject = and_(SEARCH.c.kind == bindparam("its"), SEARCH.c.subject == bindparam("of"))
        old = [{"its": kind, "of": of} for of, (_, kind) in new.items()]
        await connection.execute(delete(SEARCH).where(of_subject), old)
        await self._add(
            connection,
            SEARCH,
            [
                {"kind": kind, "term": term, "subject": of}
                for of, (terms, kind) in new.items()
                for term in terms
            ],
        )
        has_words = update(table).where(id_ == bindparam("of")).values(words=bindparam("in_row"))
        await connection.execute(
            has_words, [{"of": of, "in_row": in_row(terms)} for of, (terms, _) in new.items()]
        )

    async def _add(
        self, connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]
    ) -> None:
        statement = (sqlite if self._is_sqlite else postgresql).insert(table)
        if rows:
            await connection.execute(statement.on_conflict_do_nothing(), rows)


def _unread(person_id: str, read: tuple[int, int]) -> ColumnElement[bool]:
    """The fact of a person whose partition is not read up to there."""
    c, (partition, end) = POSITIONS.c, read
    at = and_(c.topic == PEOPLE.name, c.partition == partition, c.next_offset >= end)
    its = and_(FACTS.c.topic == PEOPLE.name, FACTS.c.key == person_id)
    return and_(its, ~select(c.topic).where(at).exists())


async def empty_write_ahead_log(engine: AsyncEngine) -> None:
    """Move all pages to SQLite's file, so that no earlier copy of a deleted row stays."""
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


async def _positions(connection: AsyncConnection) -> dict[Place, int]:
    c = POSITIONS.c
    rows = await connection.execute(select(c.topic, c.partition, c.next_offset))
    return {Place(topic, number): offset for topic, number, offset in rows}


def _kind_of(table: Table) -> Any:
    """The kind of a row's words in the index: groups off the public lists have their own."""
    if "visibility" not in table.c:
        return literal(table.name)
    return case((table.c.visibility == "public", literal(table.name)), else_=literal(UNLISTED))


#: The todo of a fact; only todos go while their fact stays.
_ITS_TODO: Final = and_(
    TODOS.c.topic == bindparam("its_topic"), TODOS.c.key == bindparam("its_key")
)


async def _delete_closed(connection: AsyncConnection, facts: Sequence[Columns]) -> None:
    """Delete the todos of facts that need nobody any more, unless a newer fact does."""
    if facts:
        its = [
            {f"its_{name}": each[name] for name in ("topic", "key", "version")} for each in facts
        ]
        is_older = TODOS.c.version <= bindparam("its_version")
        await connection.execute(delete(TODOS).where(_ITS_TODO, is_older), its)


async def _delete_outdated(connection: AsyncConnection, rows: Sequence[Columns]) -> None:
    """Delete todos of facts that were replaced by a newer fact without a row."""
    c = TODOS.c
    newer = select(FACTS.c.key).where(
        FACTS.c.topic == c.topic, FACTS.c.key == c.key, FACTS.c.version > c.version
    )
    its = [{"its_topic": each["topic"], "its_key": each["key"]} for each in rows]
    await connection.execute(delete(TODOS).where(_ITS_TODO, newer.exists()), its)


async def _delete(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> None:
    for topic, key in sorted(keys):
        await connection.execute(delete(FACTS).where(FACTS.c.topic == topic, FACTS.c.key == key))
        for part, id_ in deleted(topic, key):
            await _delete_part(connection, part, id_)
    if any(topic in owners.TELLING for topic, _ in keys):
        await connection.execute(owners.forget())


async def _delete_part(connection: AsyncConnection, part: Part, id_: tuple[str | int, ...]) -> None:
    table = METADATA.tables[part.table]
    is_it = and_(*(table.c[name] == value for name, value in zip(part.id, id_, strict=True)))
    if part.is_searched:
        kinds = (part.table, UNLISTED) if "visibility" in table.c else (part.table,)
        of_subject = and_(SEARCH.c.kind.in_(kinds), SEARCH.c.subject == id_[0])
        await connection.execute(delete(SEARCH).where(of_subject))
    if part.when_deleted is None:
        await connection.execute(delete(table).where(is_it))
        return
    await connection.execute(update(table).where(is_it).values(**part.when_deleted))
    others = {p.version for parts in PARTS.values() for p in parts if p.table == part.table}
    empty = and_(*(table.c[version] == 0 for version in sorted(others)))
    await connection.execute(delete(table).where(is_it, empty))
