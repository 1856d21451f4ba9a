"""The read model under everything that can happen to the projector: it is what the log says."""

import asyncio
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, select, update

from domain.ids import derive
from runtime.records import BadRecordError, OutputRecord, as_record, decode, encode
from schemas.auctions import Auction, OfferJudged, ShownOffer
from schemas.catalogue import CATALOGUE
from schemas.favors import Favor
from schemas.groups import Definition, GroupPurchase
from schemas.letters import Delivery
from schemas.ops import Task
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import FavorTerms, Message, PaymentCause, Period, Product
from schemas.payments import Payment
from schemas.people import Person
from schemas.topic import PARTITIONS
from services.storefront.readmodel.copying import TOPICS
from services.storefront.readmodel.database import migrate
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.shown import NotBuiltError
from services.storefront.readmodel.tables import FACTS, POSITIONS, READ_MODEL
from services.storefront.readmodel.writer import Writer
from services.storefront.rules.columns import PARTS
from stack.brokers import RunningBroker
from tests.raw_batches import Raw, batch
from tests.read_model import make_model, newest_of
from tests.system.broken_logs import produce
from tests.system.postgres import Postgres
from tests.system.stack import Stack, Worker, partition_of, stack_on, until

pytestmark = pytest.mark.system
PROJECTOR = "services.storefront.projector"
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MS = int(NOW.timestamp() * 1000)
PRODUCTS = ("Green tea 100 g", "緑茶 100g", "Teapot, cast iron", "Kaffee Nº 5", "nul \x00 name")


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'model.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh(f"t{time.monotonic_ns()}")


# --- facts, and what is to be there --------------------------------------------------------------


def auction(number: int, version: int, **fields: Any) -> Auction:
    said: dict[str, Any] = {
        "auction_id": f"a-{number}",
        "version": version,
        "status": "open",
        "product": Product(name=PRODUCTS[number % len(PRODUCTS)]),
        "opened_by": f"s-{number % 3}",
        "opened_at": NOW,
        "shown": ShownOffer(
            offer_id="o", seller_id="s-1", unit_price=1_000 - version, minimum_reservations=50
        ),
        "currency": "EUR",
        "minimum_step": 1,
        "reservations": version * 3,
        "applicants": version,
        "invites_at": NOW,
        "closes_at": NOW + timedelta(hours=number),
    }
    return Auction.model_validate({**said, **fields})


def terms(number: int, version: int = 1) -> GroupPurchase:
    return GroupPurchase(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        definition_id=f"d-{number}" if number % 2 else None,
        version=version,
        requested_at=NOW,
        issued_at=NOW,
        product=Product(name=PRODUCTS[number % len(PRODUCTS)]),
        number_of_products=100 + number,
        opens_at=NOW,
        closes_at=NOW + timedelta(days=1, minutes=number % 7),
        visibility="unlisted" if number % 5 == 0 else "public",
    )


def state(number: int, version: int) -> PurchaseState:
    return PurchaseState(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        version=version,
        status="complete" if version > 8 else "open",
        quantity=version * 20,
        value=version * 2_000,
        members=version,
    )


def row(number: int, member: int, version: int) -> PurchaseRow:
    return PurchaseRow(
        group_id=derive(f"r-{number}"),
        request_id=f"r-{number}",
        member_id=f"m-{member}",
        version=version,
        quantity=version,
        value=version * 100,
        period=Period(opens_at=NOW, closes_at=NOW + timedelta(days=1)),
        orders=version,
    )


def person(number: int, version: int) -> Person:
    """Somebody whose newest address came in so many microseconds after noon."""
    return Person(
        person_id=f"shop:m-{number}",
        email=f"{version}@people.example",
        name="nul \x00" if number % 2 else None,
        seen_at=NOW + timedelta(microseconds=version),
    )


def other(number: int, version: int, chance: random.Random) -> tuple[str, Message]:
    """A fact of another topic."""
    group = {"group_id": derive(f"r-{number}"), "request_id": f"r-{number}", "version": version}
    judged = OfferJudged(
        offer_id=f"o-{version}",
        auction_id=f"a-{number}",
        seller_id=f"s-{number % 3}",
        verdict="not-better",
        reason="higher price",
    )
    favor = Favor.model_validate({**group, "member_id": "m-1", "basis": "late", "amount": version})
    definition = Definition(
        definition_id=f"d-{number}",
        shop_id="shop",
        product=Product(name=PRODUCTS[(number + version // 3) % len(PRODUCTS)]),
        unit_price=100,
        currency="EUR",
        favor=FavorTerms(),
        published_at=NOW + timedelta(seconds=number),
        withdrawn_at=NOW if version % 4 == 0 else None,
        version=version,
    )
    return chance.choice(
        [
            ("auctions", judged),
            ("favors", favor),
            ("definitions", definition),
            *left_to_people(number, version),
        ]
    )


def left_to_people(number: int, version: int) -> list[tuple[str, Message]]:
    """A payment, a letter and a task, each left to people in every other version."""
    is_left, group_id = version % 2 == 1, derive(f"r-{number}")
    payment = Payment(
        payment_id=f"p-{number}",
        group_id=group_id,
        member_id="m-1",
        kind="refund",
        method="shop",
        amount=version,
        currency="EUR",
        status="pending" if is_left else "succeeded",
        cause=PaymentCause(kind="favor", favor_version=1),
        begun_at=NOW,
        version=version,
    )
    delivery = Delivery(
        recipient_id=f"m-{number}",
        notice_id="n",
        kind="favor-given" if number % 3 else "contract-concluded",
        about=group_id if number % 3 else f"a-{number}",
        status="bounced" if is_left else "queued",
        attempts=version,
        queued_at=NOW,
        at=NOW,
        version=version,
    )
    task = Task(
        task_id=f"order-{number}",
        kind="order",
        shop_id=f"shop-{number % 2}",
        about=f"{number}",
        reason="unreadable",
        problem="nul \x00",
        since=NOW,
        done_at=None if is_left else NOW,
        version=version,
    )
    return [("payments", payment), ("deliveries", delivery), ("tasks", task)]


def life(seed: int) -> Iterator[tuple[str, Message]]:
    """Facts without end, as a faulty feed brings them: now and then an older one again."""
    chance = random.Random(seed)
    versions: dict[str, int] = {}
    while True:
        number = chance.randrange(60)
        kind = chance.choice(["auction", "terms", "state", "row", "person", "other"])
        version = versions[f"{kind}{number}"] = versions.get(f"{kind}{number}", 0) + 1
        version = chance.choice([version, version, version, max(version - 2, 1)])
        if kind == "auction":
            yield "auctions", auction(number, version)
        elif kind == "terms":
            yield "group-purchases", terms(number, version)
        elif kind == "state":
            yield "purchases", state(number, version)
        elif kind == "row":
            yield "purchases", row(number, chance.randrange(5), version)
        elif kind == "person":
            yield "people", person(number, version)
        else:
            yield other(number, version, chance)


def feed(stack: Stack, facts: Iterator[tuple[str, Message]], count: int) -> None:
    stack.feed_raw(as_record(fact, topic, partition_of, MS) for topic, fact in islice(facts, count))


def said(stack: Stack) -> dict[tuple[str, str], Message]:
    """The newest fact of every key, as the log has it."""
    newest: dict[tuple[str, str], Message] = {}
    for topic in TOPICS:
        for record in stack.read_raw(topic.name):
            key = (topic.name, record.key.decode())
            if record.value is None:
                newest.pop(key, None)
                continue
            try:
                fact = decode(topic, record, partition_of)
            except BadRecordError:
                continue
            before = newest.get(key)
            if before is None or version_of(fact) >= version_of(before):
                newest[key] = fact
    return newest


def version_of(fact: Message) -> Any:
    return fact.seen_at if isinstance(fact, Person) else getattr(fact, "version", 0)


def rows_of(url: str, *tables: Table) -> dict[str, list[Any]]:
    """Everything that is in these tables."""

    async def go() -> dict[str, list[Any]]:
        engine = await newest_of(url)
        # As each projector does now and then: whose a todo is may come after it.
        await Writer(engine).count_todos(NOW)
        try:
            async with engine.connect() as connection:
                return {
                    table.name: list(
                        map(
                            tuple,
                            await connection.execute(select(table).order_by(*table.primary_key)),
                        )
                    )
                    for table in tables or READ_MODEL
                }
        finally:
            await engine.dispose()

    return asyncio.run(go())


def check(stack: Stack, url: str) -> None:
    """The read model is what the log says: every fact, and every list."""
    newest = said(stack)
    names = [each.name for each in FACTS.columns]
    rows = [dict(zip(names, row, strict=True)) for row in rows_of(url, FACTS)["facts"]]
    facts = {(row["topic"], row["key"]): row["value"] for row in rows}
    assert facts.keys() == newest.keys()
    lists: dict[str, dict[Any, dict[str, Any]]] = {}
    for (topic, key), fact in newest.items():
        assert CATALOGUE[topic].adapter.validate_json(facts[topic, key]) == fact, key
        for part in PARTS.get(type(fact), ()):
            columns = part.columns(fact, MS)
            if columns is None:
                continue
            row_id = tuple(columns[name] for name in part.id)
            # Whose a todo is follows from other facts.
            told = {k: v for k, v in columns.items() if (k, v) != ("owner", None)}
            lists.setdefault(part.table, {}).setdefault(row_id, {}).update(told)
    for name, expected in lists.items():
        table = next(each for each in READ_MODEL if each.name == name)
        found = {}
        for each in rows_of(url, table)[name]:
            columns = dict(zip(table.c.keys(), each, strict=True))
            found[tuple(columns[key.name] for key in table.primary_key)] = columns
        assert found.keys() == expected.keys(), name
        for row_id, columns in expected.items():
            assert columns.items() <= found[row_id].items(), name


def projector(stack: Stack, url: str, *arguments: str) -> Worker:
    worker = stack.worker(PROJECTOR, start=False, DATABASE_URL=url)
    worker.arguments = arguments
    worker.start()
    return worker


@contextmanager
def flowing(stack: Stack, seed: int) -> Iterator[None]:
    """Facts flow for as long as the block lasts."""
    enough = threading.Event()

    def flow() -> None:
        facts = life(seed)
        while not enough.wait(0.1):
            feed(stack, facts, 200)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()


# --- tests ---------------------------------------------------------------------------------------


def test_rebuilt_is_incremental_is_what_the_log_says(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Whole tables, after repeats, older versions, tombstones and records that are not facts."""
    with stack_on(kafka, tmp_path) as stack:
        worker = projector(stack, url)
        facts = life(0)
        for turn in range(4):
            feed(stack, facts, 400)
            gone = [("auctions", "a-3"), ("group-purchases", derive("r-4")), ("definitions", "d-1")]
            gone += [("purchases", derive(f"r-{turn}")), ("auctions", "a-2/offer/o-1")]
            gone += [("people", "shop:m-1")]
            stack.feed_raw(
                OutputRecord(topic, partition_of(key.split("/")[0]), key.encode(), None, MS, [])
                for topic, key in gone
            )
            garbage = as_record(auction(1, 99), "auctions", partition_of, MS)
            stack.feed_raw([garbage._replace(partition=(garbage.partition + 1) % PARTITIONS)])
            stack.feed_raw([garbage._replace(key=b"a-2"), garbage._replace(value=b"\xff{")])
            # Nobody can read the second of these; the first, which nobody has seen yet, counts.
            tellable, good = Raw(garbage.key, garbage.value, [(b"\xff", b"1")]), auction(1, 2)
            produce(
                stack,
                stack.settings.topic("auctions"),
                garbage.partition,
                batch([Raw(garbage.key, encode(good)), tellable], at_ms=MS),
            )
            stack.wait_idle()
        metrics = worker.page("metrics")
        assert metrics is not None
        assert "jointbuy_projector_unreadable_total 16.0" in metrics.text
        assert 'jointbuy_open_tasks{kind="order"}' in metrics.text
        worker.stop()
        check(stack, url)
        incremental = rows_of(url)
        assert len(incremental["search"]) > 100
        projector(stack, url, "--rebuild")
        stack.wait_idle()
        assert rows_of(url) == incremental


def test_killed_at_any_moment_it_loses_nothing_and_shows_nothing_else(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """While facts flow it is killed; every state that a reader sees is one of the log's, and newer
    than the one before."""
    chance = random.Random(7)
    seen: dict[str, set[tuple[int, int]]] = {}
    with stack_on(kafka, tmp_path) as stack:
        worker = projector(stack, url)
        with flowing(stack, 100):
            for kill in range(6):
                # Now and then it is killed before it has read anything.
                if kill % 3:
                    until("ready", worker.ready)
                look(url, seen, chance.uniform(0, 1))
                worker.kill()
                worker.start()
            until("enough is shown", lambda: look(url, seen, 0.5) > 100)
        stack.wait_idle()
        check(stack, url)
        states = {
            (record.key, record.value["version"], record.value["reservations"])
            for record in stack.read("auctions")
            if "/" not in str(record.key)
        }
        shown = {(key, *each) for key, of_one in seen.items() for each in of_one}
        assert shown <= states


def look(url: str, seen: dict[str, set[tuple[int, int]]], seconds: float) -> int:
    """Read the home page's auctions again and again; no auction may ever go back.

    Returns how many states have been seen by now.
    """

    async def go() -> None:
        reader = Reader(url)
        newest: dict[str, int] = {}
        await migrate(reader.engine)
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends:
                with suppress(NotBuiltError):
                    for each in (await reader.auctions(limit=100)).rows:
                        assert each.version >= newest.get(each.auction_id, 0)
                        newest[each.auction_id] = each.version
                        state = (each.version, each.reservations)
                        seen.setdefault(each.auction_id, set()).add(state)
        finally:
            await reader.close()

    asyncio.run(go())
    return sum(map(len, seen.values()))


def test_two_at_once_and_one_that_wakes_up_late(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Partitions are shared; who was asleep while they were given away writes nothing over."""
    with stack_on(kafka, tmp_path) as stack:
        first, second = projector(stack, url), projector(stack, url)
        until("both share", lambda: len(first.partitions()) + len(second.partitions()) == 4)
        with flowing(stack, 200):
            first.signal(signal.SIGSTOP)
            until("all is the other's", lambda: len(second.partitions()) == 4)
            first.signal(signal.SIGCONT)
            until("both share", lambda: len(first.partitions()) + len(second.partitions()) == 4)
        stack.wait_idle()
        check(stack, url)


def test_positions_that_are_wrong_end_in_what_the_log_says(
    kafka: RunningBroker, tmp_path: Path, url: str
) -> None:
    """Behind: read again. Beyond the end, negative: of another log, so all is built anew."""
    with stack_on(kafka, tmp_path) as stack:
        feed(stack, life(1), 600)
        worker = projector(stack, url)
        stack.wait_idle()
        right = rows_of(url)
        for statement in (
            delete(POSITIONS).where(POSITIONS.c.topic == "auctions"),
            update(POSITIONS).where(POSITIONS.c.next_offset > 5).values(next_offset=3),
            update(POSITIONS).where(POSITIONS.c.topic == "purchases").values(next_offset=10**9),
            update(POSITIONS).where(POSITIONS.c.topic == "auctions").values(next_offset=-1),
        ):
            worker.stop()
            execute(url, statement)
            worker.start()
            stack.wait_idle()
            assert rows_of(url) == right


def test_another_cluster_s_rows_are_not_taken_for_its_own(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """The same database under another prefix is a model of other topics."""
    url = f"sqlite:///{tmp_path / 'model.db'}"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        with stack_on(kafka, tmp_path / name) as stack:
            feed(stack, life(len(name)), 200)
            projector(stack, url)
            stack.wait_idle()
            check(stack, url)


def execute(url: str, statement: Any) -> None:
    async def go() -> None:
        engine = await newest_of(url)
        async with engine.begin() as connection:
            await connection.execute(statement)
        await engine.dispose()

    asyncio.run(go())


# --- a server that was away ----------------------------------------------------------------------


async def test_questions_are_answered_after_the_server_ended_their_connections(
    postgres: Postgres,
) -> None:
    """Nobody is told of a connection that was lost while nobody asked."""
    name = f"t{time.monotonic_ns()}"
    url = await asyncio.to_thread(postgres.fresh, name)
    await make_model(url)
    reader = Reader(url)
    try:
        for _ in range(2):
            asked = await asyncio.gather(*(reader.groups(words="tea") for _ in range(5)))
            assert [each.rows for each in asked] == [[]] * 5
            await asyncio.to_thread(postgres.let_in, name, allowed=False)
            await asyncio.to_thread(postgres.let_in, name, allowed=True)
    finally:
        await reader.close()
