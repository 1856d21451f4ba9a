"""Which broker the system tests use, said at the end; one of each kind for a whole run."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from stack import brokers
from stack.brokers import RunningBroker
from stack.fork_server import ForkServer
from tests.shared_broker import folder_of_run, shared_broker

# How fast examples come is the machine's business: it may be busy.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")
#: How many of the examples that a test asks for are tried: fewer in each run, all in `make long`.
EXAMPLES_PERCENT = int(os.environ.get("EXAMPLES_PERCENT", "50"))
EXAMPLES_MIN = 10
#: What Hypothesis keeps a test's settings in: it gives no other way to change them.
SETTINGS_OF_TEST = "_hypothesis_internal_use_settings"


# Each of the processes that test at once, with all that it starts, has ports of its own.
_first, _last = map(int, os.environ.get("JOINTBUY_PORTS", "20000-32000").split("-"))
_count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_share = (_last - _first) // _count
_first += _number * _share
os.environ["JOINTBUY_PORTS"] = f"{_first}-{_first + _share}"
# A broker here lives for minutes: what a JVM spends on its best code never comes back.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# Thousands of tests are collected, and stay: the collector need not look through them.
gc.disable()
#: Objects made since the last collection, 700 by default: of tests, few are in circles.
GARBAGE = 50_000


#: These take the longest. One that began last would keep one process busy when all others are done.
LONGEST = (
    "test_stack",
    "test_letters",
    "test_deadlines",
    "test_terminal",
    "test_accessibility",
    "test_replay",
    "test_unreadable",
    "test_pages",
    "test_credentials",
    "test_story_in_browser",
    "test_live",
    "test_documented_commands",
    "test_least_rights",
    "test_poison",
    "test_repartition",
    "test_secured",
    "test_marked_values",
    "test_api",
    "test_erase",
    "test_invoices",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take minutes first: the quick ones fill what is left between the processes."""

    def place(item: pytest.Item) -> tuple[bool, int]:
        is_quick = item.get_closest_marker("system") is None
        name = item.path.stem
        return is_quick, LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)
    # Each function once: parameters share it.
    for function in {item.function for item in items if isinstance(item, pytest.Function)}:
        if is_hypothesis_test(function):
            asked: settings = getattr(function, SETTINGS_OF_TEST, settings.default)
            count = max(asked.max_examples * EXAMPLES_PERCENT // 100, EXAMPLES_MIN)
            fewer = settings(asked, max_examples=min(count, asked.max_examples))
            setattr(function, SETTINGS_OF_TEST, fewer)


#: Testers of xdist tell their controller nothing of this, so there it is as if there were some.
_has_system_tests = True


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on there is garbage."""
    global _has_system_tests  # noqa: PLW0603 - of this run
    _has_system_tests = any(each.get_closest_marker("system") for each in session.items)
    gc.freeze()
    gc.set_threshold(GARBAGE, 10, 10)
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line at the end of a run with system tests: looking for Docker takes a while."""
    if not _has_system_tests:
        return
    terminalreporter.write_line(f"broker for system tests: {brokers.choose()}")


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    """Starts processes that share their imports; ``None`` where that is not possible."""
    if sys.platform != "linux":
        yield None
        return
    server = ForkServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> RunningBroker:
    """A broker with transactions: a given one, in a container, or started here."""
    kind = brokers.choose()
    if kind == "embedded":
        reason = "no broker with transactions: install Java 17+ and Maven, or a Docker engine"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # Not with the last test of this process, whose deadline is no matter of the other processes.
    users = contextlib.ExitStack()
    pytestconfig.add_cleanup(users.close)
    return users.enter_context(shared_broker(kind, folder_of_run(tmp_path_factory)))


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
