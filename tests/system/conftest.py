"""What system tests share: a stack with its API, mail and database servers."""

import os
from collections.abc import Iterator

import pytest

from services.runtime.brokers import RunningBroker
from tests.system.api_stack import Api, api_on
from tests.system.mail import BUILD_SECONDS_MAX, Mailpit, MailServerError
from tests.system.postgres import Postgres, PostgresError, postgres_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first to need mailpit may have to wait for it to be built."""
    for item in items:
        if "mailpit" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS_MAX + 300))


@pytest.fixture(scope="session")
def api(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API of a stack that tests share: each has subjects of its own and stops nothing."""
    with api_on(kafka, tmp_path_factory.mktemp("api")) as running:
        yield running


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
