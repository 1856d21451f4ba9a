"""Generations of the read model: one is built beside another, and takes its place when ready.

Pages never see half a model. Each generation has tables of its own: a schema of PostgreSQL, or a
file beside SQLite's. The table ``read_models`` lists them. Projectors feed the newest one that is
ready and of their ``MODEL``, storefronts read it. One that was replaced is kept for a while, for
storefronts of the release before.
"""

import fcntl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Select, delete, func, insert, inspect, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateIndex, CreateTable

from services.storefront.readmodel.database import (
    TROUBLE,
    connect,
    file_of,
    is_missing,
    let_readers_read,
    schema_of,
)
from services.storefront.readmodel.tables import MODEL, READ_MODEL, READ_MODELS
from services.storefront.readmodel.writer import FencedError, Writer

#: How long a generation is kept after a newer one was ready.
KEPT: Final = timedelta(hours=1)
#: How long a build that was broken off can be continued: a tombstone is kept for as long.
UNFINISHED_KEPT: Final = timedelta(days=1)
#: Any number that nobody else locks on this database.
_BUILD_LOCK: Final = 7_263_104_952
#: Tables that releases before the first generation had among the storefront's own.
_OF_EARLIER_RELEASES: Final = (
    *("positions", "origin", "facts", "auctions", "groups", "definitions", "offers", "payments"),
    *("todos", "takeovers", "sellers", "shops", "api_keys", "letters", "images", "search"),
)
_MS: Final = timedelta(milliseconds=1)
_g: Final = READ_MODELS.c
_log = structlog.get_logger()


class Generations:
    """The list of generations, for projectors. Raises what the database raises."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        """``engine`` is of the storefront's own tables."""
        self._url = url
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"

    def connect(self, generation: int) -> AsyncEngine:
        """An engine of a generation's tables."""
        return connect(self._url, generation)

    async def newest(self, above: int = 0) -> int | None:
        """The newest generation of this model that is ready, if its number is above this one."""
        async with self._engine.connect() as connection:
            found: int | None = await connection.scalar(_newest(above))
        return found

    # --- building --------------------------------------------------------------------------------

    @asynccontextmanager
    async def building(self) -> AsyncIterator[bool]:
        """Whether this process may build or drop generations, as no other does.

        What is locked is free when the process ends, whatever ends it.
        """
        if (own := file_of(self._url)) is not None:
            with own.with_name(f"{own.stem}-read-model.lock").open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                else:
                    yield True
            return
        async with self._engine.connect() as connection:
            # No transaction stays open for as long as a build takes.
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            is_ours = await alone.scalar(text(f"SELECT pg_try_advisory_lock({_BUILD_LOCK})"))
            try:
                yield bool(is_ours)
            finally:
                if is_ours:
                    # The pool keeps the connection, and with it the lock.
                    await alone.execute(text(f"SELECT pg_advisory_unlock({_BUILD_LOCK})"))

    async def begin(self, above: int) -> int:
        """A generation to be built, empty, or as far as a builder came that was broken off."""
        begun = select(func.max(_g.generation)).where(
            _g.model == MODEL,
            _g.state == "building",
            _g.generation > above,
            _g.since > _now() - UNFINISHED_KEPT // _MS,
        )
        async with self._engine.begin() as connection:
            number = await connection.scalar(begun)
        if number is None:
            async with self._engine.begin() as connection:
                number = (await connection.scalar(select(func.max(_g.generation))) or 0) + 1
                row = {"generation": number, "model": MODEL, "state": "building", "since": _now()}
                await connection.execute(insert(READ_MODELS).values(row))
        await self._make_tables(int(number))
        return int(number)

    async def _make_tables(self, generation: int) -> None:
        if (file := file_of(self._url, generation)) is not None:
            file.touch()
        engine = self.connect(generation)
        try:
            if self._is_sqlite:
                await let_readers_read(engine)
            async with engine.begin() as connection:
                if not self._is_sqlite:
                    schema = schema_of(generation)
                    await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
                await connection.run_sync(_create)
        finally:
            await engine.dispose()

    async def make_ready(self, generation: int) -> None:
        """From now on storefronts read it, and projectors feed it. Raises ``FencedError``."""
        its = (_g.generation == generation, _g.state == "building")
        ready = update(READ_MODELS).where(*its).values(state="ready", since=_now())
        async with self._engine.begin() as connection:
            if (await connection.execute(ready)).rowcount != 1:
                raise FencedError(f"generation {generation} of the read model was dropped")

    # --- what is no longer needed ----------------------------------------------------------------

    async def drop(self, generation: int) -> None:
        """Drop a generation; its tables first, so that none is left that nobody knows of."""
        if (file := file_of(self._url, generation)) is not None:
            for name in (file.name, f"{file.name}-wal", f"{file.name}-shm"):
                file.with_name(name).unlink(missing_ok=True)
        async with self._engine.begin() as connection:
            if not self._is_sqlite:
                schema = schema_of(generation)
                await connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
            await connection.execute(delete(READ_MODELS).where(_g.generation == generation))
        _log.info("a generation of the read model is dropped", generation=generation)

    async def sweep(self, mine: int) -> None:
        """Drop generations that the ready one in use replaced, and builds that nobody finishes."""
        outdated, is_old = await self._outdated(mine)
        has_earlier = is_old and await self._has_earlier()
        if not outdated and not has_earlier:
            return
        async with self.building() as is_ours:
            if not is_ours:
                return
            # A builder may have finished one since.
            for generation in (await self._outdated(mine))[0]:
                await self.drop(generation)
            if has_earlier:
                async with self._engine.begin() as connection:
                    for table in _OF_EARLIER_RELEASES:
                        await connection.execute(text(f"DROP TABLE IF EXISTS {table}"))

    async def _outdated(self, mine: int) -> tuple[list[int], bool]:
        """The generations that nobody needs, and whether that is so of all below ours."""
        now, rows = _now(), await self._rows()
        is_old = any(each.generation == mine and now - each.since >= KEPT // _MS for each in rows)
        found = []
        for each in rows:
            is_left = each.state == "building" and now - each.since >= UNFINISHED_KEPT // _MS
            if is_old if each.generation < mine else is_left:
                found.append(each.generation)
        return found, is_old

    async def _has_earlier(self) -> bool:
        async with self._engine.connect() as connection:
            return await connection.run_sync(lambda it: bool(inspect(it).has_table("facts")))

    async def _rows(self) -> list[Any]:
        async with self._engine.connect() as connection:
            return list(await connection.execute(select(READ_MODELS)))

    async def forget(self, mine: int, people: Mapping[str, tuple[int, int]]) -> None:
        """Delete people from all other generations, which may not read their tombstones any more.

        ``people`` is as in ``Writer.forget``.
        """
        for each in await self._rows():
            if each.generation == mine:
                continue
            engine = self.connect(each.generation)
            try:
                await Writer(engine).forget(people)
            except TROUBLE as error:
                # It is being made, or was dropped just now.
                if not is_missing(error):
                    raise
            finally:
                await engine.dispose()
        if await self._has_earlier():
            await Writer(self._engine).forget(people)


def _create(connection: Connection) -> None:
    """Make the tables that are not there yet, and their indexes in one order on all machines.

    Of two indexes that seem equally good to it, SQLite takes the one that was made last. An index
    of a part of the rows is the better one then. ``create_all`` makes indexes in any order.
    """
    for table in READ_MODEL:
        connection.execute(CreateTable(table, if_not_exists=True))
        parts = {
            each: each.dialect_options["sqlite"]["where"] is not None for each in table.indexes
        }
        for index in sorted(parts, key=lambda each: (parts[each], str(each.name))):
            connection.execute(CreateIndex(index, if_not_exists=True))


def _newest(above: int = 0) -> Select[Any]:
    return select(func.max(_g.generation)).where(
        _g.model == MODEL, _g.state == "ready", _g.generation > above
    )


def _now() -> int:
    return int(time.time() * 1000)
