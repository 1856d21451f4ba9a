"""Which errors of the read model's database pass by themselves, and which stay."""

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

from runtime.lasting_errors import lasting
from services.storefront.readmodel.database import DatabaseError, connect, migrate, stays


def of_sqlite(text: str) -> Exception:
    """As SQLAlchemy raises it."""
    return OperationalError("SELECT 1", {}, sqlite3.OperationalError(text))


def of_postgres(sqlstate: str) -> Exception:
    """As asyncpg's adapter has it."""
    error = OperationalError("SELECT 1", {}, Exception("no"))
    error.orig = SimpleNamespace(sqlstate=sqlstate, args=())  # type: ignore[assignment]
    return error


def wrapped(inner: Exception) -> Exception:
    """As ours tell of it."""
    error = DatabaseError("the read model does not answer")
    error.__cause__ = inner
    return error


ERRORS = [
    ("no folder", of_sqlite("unable to open database file"), "set DATABASE_URL"),
    ("read-only", of_sqlite("attempt to write a readonly database"), "allow this user to write"),
    ("full", of_sqlite("database or disk is full"), "free some disk space"),
    ("garbled", of_sqlite("file is not a database"), "another file"),
    ("full, in ours", wrapped(of_sqlite("database or disk is full")), "free some disk space"),
    ("busy", of_sqlite("database is locked"), None),
    ("a wrong password", of_postgres("28P01"), "correct the password"),
    ("no such user", of_postgres("28000"), "sign in"),
    ("no such database", of_postgres("3D000"), "create the database"),
    ("no right", of_postgres("42501"), "change tables"),
    ("a full disk there", of_postgres("53100"), "free some disk space"),
    ("it starts up", of_postgres("57P03"), None),
    ("a deadlock", of_postgres("40P01"), None),
    ("no answer", wrapped(ConnectionRefusedError()), None),
    ("no state", wrapped(Exception("28P01 in other words")), None),
]


@pytest.mark.parametrize(("what", "error", "advice"), ERRORS, ids=[each[0] for each in ERRORS])
def test_an_error_of_the_database_is_a_line_exactly_if_it_stays(
    what: str, error: Exception, advice: str | None
) -> None:
    told = stays(error)
    if advice is None:
        assert told is None
        return
    assert advice in str(told)
    assert len(str(told).splitlines()) == 1


async def test_a_real_file_that_is_no_database_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "read.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 100)
    engine = connect(f"sqlite:///{path}")
    with pytest.raises(DatabaseError) as error:
        await migrate(engine)
    await engine.dispose()
    assert "another file" in str(stays(error.value))


async def test_a_file_in_the_place_of_its_folder_stays_there(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="File exists") as error:
        connect(f"sqlite:///{tmp_path / 'file' / 'read.db'}")
    assert "move the file" in str(lasting(error.value))
