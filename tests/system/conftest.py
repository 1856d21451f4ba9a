"""Mail and database servers for system tests."""

import os
from collections.abc import Iterator

import pytest

from tests.system.mail import BUILD_SECONDS_MAX, Mailpit, MailServerError
from tests.system.postgres import Postgres, PostgresError, postgres_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first to need mailpit may have to wait for it to be built."""
    for item in items:
        if "mailpit" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS_MAX + 300))


@pytest.fixture(scope="session")
def mailpit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailpit]:
    """A mail server that shows what arrived; tests use addresses of their own."""
    try:
        server = Mailpit.start(tmp_path_factory.mktemp("mailpit"))
    except MailServerError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; tests make databases of their own."""
    try:
        with postgres_server("fsync=off") as server:
            yield server
    except PostgresError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
