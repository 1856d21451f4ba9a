"""The database by its URL: the storefront's own tables, and each generation of the read model.

The own tables are brought up to date by whichever process starts first. A generation is a schema of
PostgreSQL, or a file beside that of SQLite (see ``generations``).
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Executable, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from runtime.lasting_errors import LastingError

#: Any number that nobody else locks on this database.
_MIGRATION_LOCK = 7_263_104_951
_BUSY_SECONDS = 30.0
_LOCK_RETRY_SECONDS = 0.05
_THREADS = 4
#: Connections of a process that ask questions, none more: in a crowd, questions that wait for one
#: are answered sooner than by new ones, which begin with nothing prepared and nothing cached.
_ON_A_SERVER: dict[str, Any] = {
    "pool_pre_ping": True,
    "pool_size": 10,
    "max_overflow": 0,
    "pool_use_lifo": True,
    "connect_args": {"timeout": 10},
}
#: What a driver raises of its own accord when the server is not there.
TROUBLE = (SQLAlchemyError, OSError, TimeoutError)


class DatabaseError(RuntimeError):
    """The database can't be used just now, or its URL is wrong; the text says which."""


class FileGoneError(OSError):
    """The file of a generation of the read model was dropped."""


def connect(url: str, generation: int | None = None) -> AsyncEngine:
    """An engine for ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Its statements find the storefront's own tables, or those of a generation of the read model.
    Raises ``DatabaseError`` when the URL is neither.
    """
    address = _with_driver(url)
    if address.get_backend_name() != "sqlite":
        engine = create_async_engine(address, **_ON_A_SERVER)
    else:
        _make_folder(address)
        address = _with_generation(address, generation)
        engine = create_async_engine(address, connect_args={"timeout": _BUSY_SECONDS})
    _prepare(engine.sync_engine, generation)
    return engine


def schema_of(generation: int) -> str:
    """The schema of PostgreSQL that has a generation's tables."""
    return f"read_model_{generation}"


def file_of(url: str, generation: int | None = None) -> Path | None:
    """The file of SQLite that has a generation's tables, or the own ones; else ``None``."""
    address = _with_driver(url)
    if address.get_backend_name() != "sqlite":
        return None
    return Path(_with_generation(address, generation).database or "")


def _with_generation(address: URL, generation: int | None) -> URL:
    if generation is None:
        return address
    own = Path(address.database or "")
    return address.set(database=str(own.with_name(f"{own.stem}-read-model-{generation}.db")))


def _prepare(engine: Engine, generation: int | None) -> None:
    """See to it that each connection is quick and safe, and finds the generation's tables."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _quick_and_safe)
        if generation is not None:
            event.listen(engine, "do_connect", _only_if_there)
    elif generation is not None:
        event.listen(engine, "connect", partial(_in_schema, schema_of(generation)))


def _only_if_there(_: object, __: object, given: Sequence[Any], ___: object) -> None:
    """Refuse a file that was dropped: SQLite would make a new one."""
    if not Path(given[0]).exists():
        raise FileGoneError(f"there is no file {Path(given[0]).name}")


def _in_schema(schema: str, connection: Any, _: object) -> None:
    # Not a parameter of the connection, as poolers refuse or ignore those that they don't know.
    connection.run_async(lambda driver: driver.execute(f"SET search_path TO {schema}"))


class Questions:
    """Asks single statements, each for itself, outside any transaction.

    SQLite is asked by threads: its asynchronous driver would go to one and back ten times for each
    question, and the page that asks a few would wait longer for that than for the answers.
    """

    def __init__(self, url: str, generation: int | None = None) -> None:
        """Ask the storefront's own tables, or those of a generation of the read model."""
        address = _with_driver(url)
        self._alone: AsyncEngine | None = None
        self._in_threads: Engine | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="questions")
        if address.get_backend_name() != "sqlite":
            # A ping before each question would take as long as most answers.
            options = _ON_A_SERVER | {"pool_pre_ping": False}
            self._alone = create_async_engine(address, isolation_level="AUTOCOMMIT", **options)
            _prepare(self._alone.sync_engine, generation)
            return
        _make_folder(address)
        address = _with_generation(address, generation)
        self._in_threads = create_engine(
            address.set(drivername="sqlite"),
            isolation_level="AUTOCOMMIT",
            pool_size=_THREADS,
            max_overflow=0,
            pool_use_lifo=True,
            pool_reset_on_return=None,
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
        )
        _prepare(self._in_threads, generation)

    async def all(self, statement: Executable) -> Sequence[Any]:
        """Every row of the answer. Raises ``DatabaseError``."""
        try:
            if self._in_threads is not None:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, _all, self._in_threads, statement)
            try:
                return await self._ask_server(statement)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
                # It was lost since the last question, with all others: now new ones are made.
                return await self._ask_server(statement)
        except TROUBLE as error:
            raise DatabaseError(f"the read model does not answer: {in_short(error)}") from error

    async def _ask_server(self, statement: Executable) -> Sequence[Any]:
        assert self._alone is not None
        async with self._alone.connect() as connection:
            return (await connection.execute(statement)).all()

    async def close(self) -> None:
        """Disconnect, once what was asked is answered."""
        await asyncio.to_thread(self._threads.shutdown)
        if self._in_threads is not None:
            self._in_threads.dispose()
        if self._alone is not None:
            await self._alone.dispose()


def _all(engine: Engine, statement: Executable) -> Sequence[Any]:
    with engine.connect() as connection:
        return connection.execute(statement).all()


def _make_folder(address: URL) -> None:
    Path(address.database or "").parent.mkdir(parents=True, exist_ok=True)


def _with_driver(url: str) -> URL:
    """The URL with the asynchronous driver, and libpq's ``sslmode`` in the driver's words."""
    try:
        address = make_url(url)
    except ArgumentError:
        address = URL.create("unknown")
    backend = address.drivername.partition("+")[0]
    if backend == "sqlite" and address.database:
        return address.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        query = dict(address.query)
        if mode := query.pop("sslmode", None):
            query["ssl"] = mode
        return address.set(drivername="postgresql+asyncpg", query=query)
    raise DatabaseError(
        "DATABASE_URL is neither sqlite:///FILE nor postgresql://USER:PASSWORD@HOST/NAME"
    )


def _quick_and_safe(connection: Any, _: object) -> None:
    """After a loss of power the last batches may be gone, with their positions: they come again."""
    connection.execute("PRAGMA synchronous=NORMAL")
    # An erased person's address must not stay in free space of the file.
    connection.execute("PRAGMA secure_delete=ON")
    connection.execute("PRAGMA cache_size=-65536")


async def migrate(engine: AsyncEngine) -> None:
    """Bring the own tables up to date; a second process waits, and finds it done.

    Raises ``DatabaseError``.
    """
    try:
        if engine.dialect.name == "sqlite":
            await let_readers_read(engine)
        async with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            await connection.run_sync(_upgrade)
            await connection.commit()
    except TROUBLE as error:
        raise DatabaseError(
            f"the database can't be brought up to date: {in_short(error)}"
        ) from error


async def let_readers_read(engine: AsyncEngine) -> None:
    """Write-ahead logging, kept in the file: readers and the one writer don't wait for each other.

    SQLite doesn't wait when several processes switch a new file at once, so they take turns here.
    """
    ends = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            async with engine.connect() as connection:
                await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
        except OperationalError:
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(_LOCK_RETRY_SECONDS)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


#: Lasting errors of databases, by SQLite's words or PostgreSQL's SQLSTATE.
_STAYS = {
    "unable to open database file": "allow this user to write its folder, or set DATABASE_URL",
    "attempt to write a readonly database": "allow this user to write the file and its folder",
    "database or disk is full": "free some disk space",
    "file is not a database": "set DATABASE_URL to another file: the projector fills it anew",
    "28P01": "correct the password in DATABASE_URL",
    "28000": "allow this user to sign in, or set another user in DATABASE_URL",
    "3D000": "create the database, or correct its name in DATABASE_URL",
    "42501": "allow this user to create schemas in the database, and to create and change tables",
    "53100": "free some disk space",
}


def stays(error: BaseException) -> LastingError | None:
    """The error as a line for ops if it is lasting; ``None`` if the database may come back."""
    each: BaseException | None = error
    while each is not None:
        found = getattr(each, "orig", None) or each
        for told in (str(found), str(getattr(found, "sqlstate", ""))):
            for sign, advice in _STAYS.items():
                if told == sign or (" " in sign and sign in told):
                    return LastingError(
                        f"the read model can't be kept: {in_short(found)}: {advice}"
                    )
        each = each.__cause__
    return None


def is_missing(error: BaseException | None) -> bool:
    """Whether an error says that a table, its schema or its file is not there."""
    while error is not None:
        found = getattr(error, "orig", None) or error
        state = getattr(found, "sqlstate", None)
        if isinstance(found, FileGoneError) or state in ("42P01", "3F000"):
            return True
        if "no such table" in str(found):
            return True
        error = error.__cause__
    return False


def in_short(error: BaseException) -> str:
    """An error in one line, without the statement and its values, which may be personal."""
    cause = getattr(error, "orig", None) or error
    return f"{type(cause).__name__}: {cause}".splitlines()[0]
