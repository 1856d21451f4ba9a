"""A PostgreSQL server for tests and benchmarks: on 127.0.0.1, of Debian's package, ends with us."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg

from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests import debian
from tests.system.stack import until


class PostgresError(RuntimeError):
    """No server can be had; the message is one line that says what to do."""


@dataclass(frozen=True)
class Postgres:
    """One that is running."""

    port: int

    def fresh(self, name: str) -> str:
        """The URL of a new database."""
        asyncio.run(self._execute(f'CREATE DATABASE "{name}"'))
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def let_in(self, name: str, *, allowed: bool) -> None:
        """Whether a database can be used; when not, whoever uses it is thrown out."""
        asyncio.run(self._execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}'))
        if not allowed:
            of_it = f"FROM pg_stat_activity WHERE datname = '{name}'"
            asyncio.run(self._execute(f"SELECT pg_terminate_backend(pid) {of_it}"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database="postgres"
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            asyncio.run(self._execute("SELECT 1"))
        except (OSError, asyncpg.PostgresError):
            return False
        return True


@contextmanager
def postgres_server(*options: str) -> Iterator[Postgres]:
    """A server with an empty cluster; ``options`` are ``name=value``. Raises PostgresError."""
    programs = _programs()
    as_whom = {"user": "postgres", "group": "postgres", "extra_groups": []}
    # It refuses to run as root.
    run = partial(subprocess.run, check=True, capture_output=True)
    popen = subprocess.Popen
    if os.geteuid() == 0:
        run, popen = partial(run, **as_whom), partial(popen, **as_whom)
    folder = Path(tempfile.mkdtemp(prefix="jointbuy-postgres-"))
    process = None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        # A collation of people's, so that a query that relies on the server's own is found out.
        words = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        made = ["--pgdata", str(folder / "pg"), "--username=postgres", "--auth=trust", *words]
        run([programs / "initdb", *made, "--no-sync"], cwd=folder)
        server = Postgres(free_port())
        given = [f"port={server.port}", "listen_addresses=127.0.0.1", "max_connections=50"]
        given += [f"unix_socket_directories={folder}", *options]
        flags = [flag for option in given for flag in ("-c", option)]
        with (folder / "log").open("wb") as output:
            process = popen(
                [programs / "postgres", "-D", folder / "pg", *flags],
                cwd=folder,
                stdout=output,
                stderr=output,
                preexec_fn=ends_with_this_process(),
            )
        until("PostgreSQL ready", server.answers)
        yield server
    except subprocess.CalledProcessError as error:
        raise PostgresError(f"initdb failed: {error.stderr.decode()[-300:]}") from None
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = _found()
    if found is None:
        debian.install("postgresql")
        found = _found()
    if found is None:
        raise PostgresError("no PostgreSQL: apt-get install postgresql")
    return found


def _found() -> Path | None:
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None
