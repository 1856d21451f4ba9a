"""A generation of the read model is built beside the one that pages show, and takes its place."""

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from domain.ids import derive
from runtime.records import OutputRecord, as_record
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import Message, Period, Product
from schemas.people import PEOPLE, Person
from services.storefront.readmodel.database import connect, file_of
from services.storefront.readmodel.tables import FACTS, READ_MODELS
from stack.brokers import RunningBroker
from tests.system import plain_http
from tests.system.postgres import Postgres
from tests.system.stack import Stack, Worker, partition_of, stack_on, until

pytestmark = pytest.mark.system
PROJECTOR, QUICK = "services.storefront.projector", "tests.system.quick_projector"
NEXT, NEXT_PAGES = "tests.system.next_projector", "tests.system.next_storefront"
NOW = datetime.now(UTC)
MS = int(NOW.timestamp() * 1000)
GROUPS = 40
EMAIL = "ann@people.example"
READY = "ready"
SECRET = "link-secret-of-the-tests-of-generations"


SQLITE = pytest.param("sqlite", marks=pytest.mark.long)


@pytest.fixture(params=[SQLITE, "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'storefront.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh(f"t{time.monotonic_ns()}")


# --- facts ---------------------------------------------------------------------------------------


def terms(number: int) -> GroupPurchase:
    return GroupPurchase(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        version=1,
        requested_at=NOW,
        issued_at=NOW,
        product=Product(name=f"Green tea {number}"),
        number_of_products=1_000_000,
        opens_at=NOW,
        closes_at=NOW + timedelta(days=1),
        visibility="public",
    )


def state(number: int, quantity: int) -> PurchaseState:
    return PurchaseState(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        version=quantity,
        status="open",
        quantity=quantity,
        value=0,
        members=1,
    )


def row(number: int, member: int) -> PurchaseRow:
    return PurchaseRow(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        member_id=f"m-{member}",
        version=1,
        quantity=1,
        value=100,
        period=Period(opens_at=NOW, closes_at=NOW + timedelta(days=1)),
        orders=1,
    )


def send(stack: Stack, *facts: tuple[str, Message]) -> None:
    stack.feed_raw(as_record(fact, topic, partition_of, MS) for topic, fact in facts)


def fill(stack: Stack, members: int = 0) -> None:
    """Groups with an order each, and rows of members, so that a build takes a while."""
    begun = groups(range(GROUPS))
    ann = Person(person_id="shop:ann", email=EMAIL, seen_at=NOW)
    rows = [("purchases", row(number % GROUPS, number)) for number in range(members)]
    send(stack, *begun, ("people", ann), *rows)


def groups(numbers: range) -> list[tuple[str, Message]]:
    """Groups with an order each."""
    return [
        each
        for number in numbers
        for each in (("group-purchases", terms(number)), ("purchases", state(number, 1)))
    ]


# --- who looks -----------------------------------------------------------------------------------


@dataclass
class Visitor:
    """Asks a storefront for the list of groups without a pause; no answer may have less."""

    page: Worker
    #: The units of each group as last shown.
    shown: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: How long each answer took.
    seconds: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Ask once."""
        began = time.monotonic()
        answer = plain_http.get(
            f"http://127.0.0.1:{self.page.port}/api/v1/group-purchases",
            params={"limit": 100},
            timeout=30,
        )
        self.seconds.append(time.monotonic() - began)
        if answer.status_code != 200:
            self.problems.append(f"{answer.status_code}: {answer.text[:200]}")
            return
        now = {each["group_id"]: each["quantity"] for each in answer.json()["items"]}
        less = {key: n for key, n in self.shown.items() if now.get(key, -1) < n}
        if less:
            self.problems.append(f"an answer has less than before of {less}")
        self.shown |= now

    def shows(self, number: int, quantity: int) -> bool:
        """Whether a group has been shown with at least so many units."""
        return self.shown.get(derive(f"r-{number}"), 0) >= quantity


@contextmanager
def visiting(page: Worker) -> Iterator[Visitor]:
    """A visitor for as long as the block lasts."""
    visitor, is_over = Visitor(page), threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            visitor.look()

    visitor.look()
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield visitor
    finally:
        is_over.set()
        thread.join()
    assert visitor.problems == []


@contextmanager
def ordering(stack: Stack) -> Iterator[list[int]]:
    """Orders in all groups, one after the other, for as long as the block lasts: how many."""
    is_over, ordered = threading.Event(), [1]

    def order() -> None:
        for quantity in count(2):
            send(stack, *(("purchases", state(number, quantity)) for number in range(GROUPS)))
            ordered[0] = quantity
            if is_over.wait(0.1):
                return

    thread = threading.Thread(target=order)
    thread.start()
    try:
        yield ordered
    finally:
        is_over.set()
        thread.join()


def all_shown(visitor: Visitor, quantity: int) -> bool:
    return all(visitor.shows(number, quantity) for number in range(GROUPS))


def generations(url: str) -> dict[int, tuple[int, str]]:
    """The model and the state of each generation."""

    async def go() -> list[Any]:
        engine = connect(url)
        async with engine.connect() as connection:
            found = list(await connection.execute(select(READ_MODELS)))
        await engine.dispose()
        return found

    return {each.generation: (each.model, each.state) for each in asyncio.run(go())}


def reason(worker: Worker) -> str:
    """Why a worker is not ready."""
    try:
        answer = plain_http.get(f"{worker.ops}/readyz", timeout=5)
    except httpx.HTTPError:
        return ""
    return "" if answer.is_success else answer.text


def worker(stack: Stack, module: str, url: str, *arguments: str, **env: str) -> Worker:
    of_pages = {"LINK_SECRET": SECRET, "READS_PER_MINUTE": "1000000"}
    made = stack.worker(module, start=False, DATABASE_URL=url, **of_pages, **env)
    made.arguments = arguments
    made.start()
    return made


# --- tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_pages_have_all_of_it_while_another_one_is_built_and_after_the_swap(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Its builder is killed once; the next one goes on where it was. The old one goes in time."""
    with stack_on(kafka, tmp_path) as stack:
        fill(stack, members=2_000)
        page = worker(stack, "storefront", url)
        fed = worker(stack, QUICK, url)
        stack.until_ready(fed, page)
        assert generations(url) == {1: (1, READY)}
        with visiting(page) as visitor, ordering(stack) as ordered:
            assert len(visitor.shown) == GROUPS
            # In small batches, until it is killed.
            builder = worker(stack, QUICK, url, "--rebuild", BATCH_RECORDS_MAX="20")
            until("something is built", lambda: "records are read" in reason(builder))
            builder.kill()
            assert generations(url) == {1: (1, READY), 2: (1, "building")}
            during = ordered[0] + 1
            until("orders are shown during the build", lambda: all_shown(visitor, during))
            del builder.env["BATCH_RECORDS_MAX"]
            builder.start()
            until("the swap", lambda: generations(url).get(2) == (1, READY))
            after = ordered[0] + 1
            until("orders are shown after the swap", lambda: all_shown(visitor, after))
            until("the old one is gone", lambda: generations(url) == {2: (1, READY)})
            stack.until_ready(builder, fed)
        assert not tables_of(url, 1)
        assert tables_of(url, 2)


def tables_of(url: str, generation: int) -> bool:
    """Whether anything is left of a generation."""
    if (file := file_of(url, generation)) is not None:
        return bool(list(file.parent.glob(f"{file.name}*")))

    async def go() -> bool:
        engine = connect(url)
        async with engine.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT 1 FROM information_schema.schemata"
                f" WHERE schema_name = 'read_model_{generation}'"
            )
            is_there = found.first() is not None
        await engine.dispose()
        return is_there

    return asyncio.run(go())


def test_of_two_builders_one_builds_and_all_go_on_in_what_it_built(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    with stack_on(kafka, tmp_path) as stack:
        fill(stack, members=500)
        page, fed = worker(stack, "storefront", url), worker(stack, PROJECTOR, url)
        stack.until_ready(fed, page)
        with visiting(page) as visitor, ordering(stack) as ordered:
            both = [worker(stack, PROJECTOR, url, "--rebuild") for _ in range(2)]
            stack.until_ready(*both)
            after = ordered[0] + 1
            until("orders are shown", lambda: all_shown(visitor, after))
        assert generations(url) == {1: (1, READY), 2: (1, READY)}


def test_a_builder_that_dies_after_closing_the_old_one_is_replaced_by_a_running_projector(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Nobody writes to the old one any more, so somebody must finish."""
    with stack_on(kafka, tmp_path) as stack:
        fill(stack)
        page, fed = worker(stack, "storefront", url), worker(stack, PROJECTOR, url)
        stack.until_ready(fed, page)
        dying = worker(stack, "tests.system.dying_builder", url, "--rebuild")
        assert dying.exit_code() == -signal.SIGKILL
        with visiting(page) as visitor, ordering(stack) as ordered:
            until("it is finished", lambda: generations(url).get(2) == (1, READY))
            after = ordered[0] + 1
            until("orders are shown", lambda: all_shown(visitor, after))


def test_a_later_release_builds_its_own_while_the_one_before_serves_on(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    with stack_on(kafka, tmp_path) as stack:
        fill(stack, members=1_000)
        page, fed = worker(stack, "storefront", url), worker(stack, PROJECTOR, url)
        stack.until_ready(fed, page)
        with visiting(page) as visitor:
            new_page = worker(stack, NEXT_PAGES, url)
            until("it says why", lambda: "being built" in reason(new_page))
            for path in ("/", "/api/v1/group-purchases"):
                answer = plain_http.get(f"http://127.0.0.1:{new_page.port}{path}", timeout=30)
                assert answer.status_code == 503
                assert "being prepared" in answer.text
            builder = worker(stack, NEXT, url, BATCH_RECORDS_MAX="20")
            until("it builds", lambda: "records are read" in reason(builder))
            assert not new_page.ready()
            stack.until_ready(builder, new_page)
            assert generations(url) == {1: (1, READY), 2: (2, READY)}
            fed.stop()
            new_visitor = Visitor(new_page)
            new_visitor.look()
            assert new_visitor.shown == visitor.shown
            # The old page's list stands still from here on.
            send(stack, *(("purchases", state(number, 9)) for number in range(GROUPS)))
            until("orders are shown", lambda: new_visitor.look() or all_shown(new_visitor, 9))
            assert not visitor.shows(0, 9)


def test_pages_show_the_log_before_until_all_of_another_one_is_there(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    (tmp_path / "other").mkdir()
    with stack_on(kafka, tmp_path) as before, stack_on(kafka, tmp_path / "other") as stack:
        fill(before)
        page, fed = worker(before, "storefront", url), worker(before, PROJECTOR, url)
        before.until_ready(fed, page)
        fed.stop()
        send(stack, *groups(range(100, 190)))
        old = {derive(f"r-{number}") for number in range(GROUPS)}
        new = {derive(f"r-{number}") for number in range(100, 190)}
        worker(stack, PROJECTOR, url, BATCH_RECORDS_MAX="1")
        seen: list[set[str]] = []

        def looks() -> bool:
            visitor = Visitor(page)
            visitor.look()
            assert visitor.problems == []
            seen.append(set(visitor.shown))
            return seen[-1] == new

        until("the other log is shown", looks)
        assert all(each in (old, new) for each in seen)
        assert old in seen


@pytest.mark.long
@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_a_hundred_thousand_facts_are_built_beside_quick_pages(
    kafka: RunningBroker, tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures are printed; pages wait for nothing that a build does."""
    with stack_on(kafka, tmp_path) as stack:
        fill(stack, members=100_000)
        page, fed = worker(stack, "storefront", url), worker(stack, PROJECTOR, url)
        stack.until_ready(fed, page)
        with visiting(page) as visitor, ordering(stack) as ordered:
            until("a thousand answers", lambda: len(visitor.seconds) > 1_000)
            before, visitor.seconds = visitor.seconds, []
            began = time.monotonic()
            worker(stack, PROJECTOR, url, "--rebuild")
            until("the swap", lambda: generations(url).get(2) == (1, READY))
            took = time.monotonic() - began
            after = ordered[0] + 1
            until("orders are shown after the swap", lambda: all_shown(visitor, after))
            shown = time.monotonic() - began - took
        with capsys.disabled():
            print(
                f"\n{url.partition(':')[0]}: 100,000 facts built in {took:.1f} s, new orders shown"
                f" {shown:.1f} s later; answers p50/p99 before {figures(before)}, during"
                f" {figures(visitor.seconds)}, longest {max(visitor.seconds) * 1000:.0f} ms"
            )
        assert sorted(visitor.seconds)[len(visitor.seconds) * 99 // 100] < 1


def figures(seconds: list[float]) -> str:
    """The median and what one in a hundred exceeds."""
    taken = sorted(seconds)
    p50, p99 = (taken[len(taken) * share // 100] * 1000 for share in (50, 99))
    return f"{p50:.0f}/{p99:.0f} ms ({len(taken)})"


def test_an_erased_person_is_in_no_generation(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Nor in one that was replaced, which no projector feeds any more."""
    with stack_on(kafka, tmp_path) as stack:
        fill(stack)
        fed = worker(stack, PROJECTOR, url)
        stack.until_ready(fed)
        stack.until_ready(worker(stack, PROJECTOR, url, "--rebuild"))
        stack.wait_idle()
        assert [is_kept(url, number) for number in (1, 2)] == [True, True]
        key = b"shop:ann"
        stack.feed_raw([OutputRecord(PEOPLE.name, partition_of("shop:ann"), key, None, MS, [])])
        until("she is gone from both", lambda: not any(is_kept(url, each) for each in (1, 2)))


def is_kept(url: str, generation: int) -> bool:
    """Whether a generation knows Ann's address; of SQLite, in any byte of its files."""

    async def go() -> bool:
        engine = connect(url, generation)
        async with engine.connect() as connection:
            values = list((await connection.execute(select(FACTS.c.value))).scalars())
        await engine.dispose()
        return any(EMAIL in value for value in values)

    file = file_of(url, generation)
    files = [] if file is None else file.parent.glob(f"{file.name}*")
    return asyncio.run(go()) or any(EMAIL.encode() in each.read_bytes() for each in files)
