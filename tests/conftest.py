"""Which broker the system tests use, said at the end; one of each kind for a whole run."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from stack import brokers
from stack.brokers import RunningBroker

# How fast examples come is the machine's business: it may be busy.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


# Each of the processes that test at once, with all that it starts, has ports of its own.
_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
os.environ.setdefault("JOINTBUY_PORTS", f"{20_000 + 3_000 * _number}-{23_000 + 3_000 * _number}")
# A broker here lives for minutes: what a JVM spends on its best code never comes back.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# Thousands of tests are collected, and stay: the collector need not look through them.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take minutes first: the quick ones fill what is left between the processes."""
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


def pytest_collection_finish() -> None:
    """From here on there is garbage."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line at the end of a run."""
    terminalreporter.write_line(f"broker for system tests: {brokers.choose()}")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A broker with transactions: a given one, in a container, or started here."""
    kind = brokers.choose()
    if kind == "embedded":
        reason = "no broker with transactions: install Java 17+ and Maven, or a Docker engine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    broker = brokers.start(kind, home=tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """The embedded broker, without transactions."""
    broker = brokers.start("embedded", home=tmp_path_factory.mktemp("embedded"))
    yield broker
    broker.stop()


@pytest.fixture
def data() -> Path:
    """The recorded shop data."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("JOINTBUY_DATA", beside))
    if not folder.is_dir():
        reason = "no recorded shop data: set JOINTBUY_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
