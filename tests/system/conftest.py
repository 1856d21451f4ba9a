"""What system tests share: a stack with its API; mail, database and payment servers."""

import os
from collections.abc import Iterator

import pytest

from stack.brokers import RunningBroker
from stack.fork_server import ForkServer
from tests.system import stack
from tests.system.api_stack import Api, api_on
from tests.system.go_tools import BUILD_SECONDS_MAX, GoToolError
from tests.system.mail import Mailpit, MailServerError
from tests.system.postgres import Postgres, PostgresError, postgres_server
from tests.system.s3_server import S3Server, s3_server
from tests.system.stripe_servers import Localstripe, StripeMock


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first to need one of these may have to wait for it to be built."""
    for item in items:
        if {"mailpit", "s3", "stripe_mock"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS_MAX + 300))


@pytest.fixture(scope="session", autouse=True)
def _forked_workers(fork_server: ForkServer | None) -> Iterator[None]:
    stack.fork_server = fork_server
    yield
    stack.fork_server = None


@pytest.fixture(scope="module")
def api(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API of a stack that a module's tests share: each has subjects of its own."""
    with api_on(kafka, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="session")
def mailpit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailpit]:
    """A mail server that shows what arrived; tests use addresses of their own."""
    try:
        server = Mailpit.start(tmp_path_factory.mktemp("mailpit"))
    except (GoToolError, MailServerError) as error:
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


@pytest.fixture(scope="session")
def stripe_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeMock]:
    """Stripe's own mock: whether a request has the right shape."""
    try:
        server = StripeMock.start(tmp_path_factory.mktemp("stripe-mock"))
    except GoToolError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstripe]:
    """Stripe's objects and states, as another project has them."""
    server = Localstripe.start(tmp_path_factory.mktemp("localstripe"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server; tests make buckets of their own."""
    try:
        with s3_server(tmp_path_factory.mktemp("s3")) as server:
            yield server
    except GoToolError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
