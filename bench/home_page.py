"""The home page of a big shop: 100,000 groups and 10,000 auctions, in SQLite and in PostgreSQL.

Everything is real: the facts come from Apache Kafka through the projector, the page over HTTP from
a web process, asked at a steady rate whether or not the answers before have come. Requests are of
all kinds: both orders, pages further on, filters, and searches for rare words and common ones.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import httpx
import typer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.workers import settings_on, usage
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.ports import free_port
from runtime.records import OutputRecord, Partitioner, as_record
from runtime.settings import Settings
from runtime.transport import send
from schemas.auctions import AUCTIONS, Auction, ShownOffer
from schemas.groups import DEFINITIONS, GROUP_PURCHASES, Definition, GroupPurchase
from schemas.orders import PURCHASES, PurchaseRow, PurchaseState
from schemas.parts import FavorTerms, Message, Period, Product, Tier
from schemas.topic import Topic
from services.storefront.readmodel.database import connect
from services.storefront.readmodel.generations import Generations
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.tables import FACTS
from stack import brokers
from tests.system.postgres import postgres_server

NOW = datetime.now(UTC)
KINDS = ("tea", "coffee", "rice", "lamp", "chair", "kettle", "soap", "towel", "緑茶", "珈琲豆")
SORTS = ("green", "black", "small", "large", "plain", "fine", "old", "new", "blue", "red")
LATE_SECONDS_MAX = 30.0
P99_MS_MAX = 50.0


def product(number: int) -> Product:
    """A name of a common word or two, and one that only this has."""
    return Product(
        name=f"{SORTS[number // 10 % 10]} {KINDS[number % 10]} no{number}",
        # One in ten is of a category of few, and one in three has the tag.
        category=KINDS[number % 10] if number % 10 else f"few {number // 1_000}",
        tags=("organic",) if number % 3 == 0 else (),
    )


def facts(groups: int, auctions: int) -> Iterator[tuple[Topic, Message]]:
    """What the log says of the shop: terms, a row and a summary of each group, auctions, offers."""
    for number in range(groups):
        group_id, request_id = derive(f"bench-{number}"), f"bench-{number}"
        closes_at = NOW + timedelta(hours=1, seconds=number * 7919 % 1_000_000)
        terms = GroupPurchase(
            group_id=group_id,
            request_id=request_id,
            version=1,
            requested_at=NOW,
            issued_at=NOW,
            product=product(number),
            number_of_products=100 + number % 900,
            unit_price=1_000,
            currency="EUR",
            opens_at=NOW,
            closes_at=closes_at,
            favor=FavorTerms(tiers=(Tier(from_quantity=100, percent_off=5),)),
        )
        yield GROUP_PURCHASES, terms
        row = PurchaseRow(
            group_id=group_id,
            request_id=request_id,
            member_id="m-1",
            version=1,
            quantity=number % 700,
            value=number % 700 * 1_000,
            currency="EUR",
            period=Period(opens_at=NOW, closes_at=closes_at),
            orders=1,
        )
        yield PURCHASES, row
        state = PurchaseState(
            group_id=group_id,
            request_id=request_id,
            version=2,
            status="open" if number % 5 else "complete",
            quantity=row.quantity,
            value=row.value,
            currency="EUR",
            members=1,
        )
        yield PURCHASES, state
    for number in range(auctions):
        shown = ShownOffer(
            offer_id="o", seller_id="s", unit_price=900 + number, minimum_reservations=50
        )
        auction = Auction(
            auction_id=f"a-{number}",
            version=5,
            status="open" if number % 5 else "concluded",
            product=product(number),
            opened_by=f"s-{number % 100}",
            opened_at=NOW,
            shown=shown,
            currency="EUR",
            minimum_step=1,
            reservations=number % 60,
            applicants=number % 30,
            invites_at=NOW,
            closes_at=NOW + timedelta(hours=1, seconds=number * 7919 % 100_000),
        )
        yield AUCTIONS, auction
    for number in range(1_000):
        definition = Definition(
            definition_id=f"d-{number}",
            shop_id="shop",
            product=product(number),
            unit_price=1_000,
            currency="EUR",
            favor=FavorTerms(tiers=(Tier(from_quantity=100, percent_off=5),)),
            published_at=NOW + timedelta(seconds=number),
        )
        yield DEFINITIONS, definition


async def write(settings: Settings, groups: int, auctions: int) -> int:
    """Write the facts; how many there are."""
    await create_topics(settings)
    sender = producer(settings)
    await sender.start()
    partitioner, stamp, count = Partitioner(settings.partitions), int(time.time() * 1000), 0

    def record(topic: Topic, fact: Message) -> OutputRecord:
        return as_record(fact, settings.topic(topic.name), partitioner, stamp)

    try:
        more = facts(groups, auctions)
        while some := list(islice(more, 20_000)):
            await send(sender, [record(topic, fact) for topic, fact in some])
            count += len(some)
    finally:
        await sender.stop()
    return count


@contextmanager
def process(
    settings: Settings, module: str, url: str, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process of the storefront, and the address of its pages; the projector's are for ops."""
    port, ops_port = free_port(), free_port()
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
        "STATE_DIR": str(folder),
        "DATABASE_URL": url,
        "LINK_SECRET": "only for this bench, long enough",
        "READS_PER_MINUTE": "1000000",
        "WEB_PORT": str(port),
        "OPS_PORT": str(ops_port),
    }
    with (folder / f"{module}.log").open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", module], env=env, stdout=output, stderr=output
        )
    try:
        asked = ops_port if module.endswith(".projector") else port
        yield started, f"http://127.0.0.1:{asked}"
    finally:
        started.terminate()
        started.wait(60)


def until(condition: Callable[[], bool], watched: subprocess.Popen[bytes], pause: float) -> None:
    """Ask until it is so; another process can only be asked."""
    while not condition():
        if watched.poll() is not None:
            raise SystemExit("a process died: see its log")
        time.sleep(pause)


async def _shown(url: str) -> AsyncEngine:
    """An engine of the generation that pages show."""
    own = connect(url)
    number = await Generations(url, own).newest()
    await own.dispose()
    assert number is not None
    return connect(url, number)


async def count_facts(url: str) -> int:
    """How many facts are in the read model."""
    engine = await _shown(url)
    try:
        async with engine.connect() as connection:
            return int(await connection.scalar(select(func.count()).select_from(FACTS)) or 0)
    finally:
        await engine.dispose()


def project(settings: Settings, url: str, folder: Path, count: int) -> str:
    """Let a projector build a read model of the backlog; from its start to its having all."""

    def answer(path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"{page}/{path}", timeout=10).raise_for_status()
        except httpx.HTTPError:
            return None

    def through() -> bool:
        told = answer("metrics")
        found = told.text.partition("\njointbuy_projector_facts_total ")[2] if told else ""
        return bool(found) and float(found.split()[0]) >= count

    module = "services.storefront.projector"
    with process(settings, module, url, folder) as (worker, page):
        until(lambda: answer("metrics") is not None, worker, 0.02)
        began, cpu = time.monotonic(), usage(worker.pid)[0]
        until(through, worker, 0.1)
        seconds = time.monotonic() - began
        until(lambda: answer("readyz") is not None, worker, 0.1)
        cpu, peak = usage(worker.pid)[0] - cpu, usage(worker.pid)[1]
    assert asyncio.run(count_facts(url)) == count
    return (
        f"projector: {count:,} facts in {seconds:.1f} s, {count / seconds:,.0f} facts/s,"
        f" {cpu / count * 1e6:.0f} CPU s/million, peak {peak:.0f} MB"
    )


# --- the page ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """How long the answers took, in milliseconds from when each was to be asked."""

    milliseconds: list[float]
    failed: int

    def line(self, what: str) -> str:
        """For people."""
        if self.failed:
            what = f"{what}, {self.failed} WITHOUT AN ANSWER"
        taken = sorted(self.milliseconds) or [0.0]
        p50, longest = taken[len(taken) // 2], taken[-1]
        return f"{what}: p50 {p50:.1f} ms, p99 {self.p99:.1f} ms, longest {longest:.1f} ms"

    @property
    def p99(self) -> float:
        """All but one in a hundred took no longer."""
        taken = sorted(self.milliseconds) or [0.0]
        return taken[int(len(taken) * 0.99)]

    @property
    def is_quick(self) -> bool:
        """Whether it is as is promised."""
        return not self.failed and 0 < self.p99 <= P99_MS_MAX


async def addresses(url: str) -> dict[str, list[str]]:
    """Pages as people ask for them, by kind."""
    reader = Reader(url)
    later = []
    try:
        cursor: str | None = None
        for _ in range(20):
            cursor = (await reader.groups(cursor=cursor)).cursor
            later.append("/?" + urlencode({"groups": cursor}))
    finally:
        await reader.close()
    rare = [f"no{number}" for number in range(0, 9_000, 450)]
    common = ["tea", "green", "緑茶", "green tea", "no", "blue lamp", "fine 珈琲豆", "old soap"]
    return {
        "front": ["/"],
        "nearest": ["/?sort=nearest"],
        "later": later,
        "rare words": ["/?" + urlencode({"q": word}) for word in rare],
        "filters": [
            "/?" + urlencode(each)
            for each in (
                {"category": "few 3"},
                {"category": "coffee", "tag": "organic"},
                {"only": "nearly"},
                {"only": "ending", "sort": "nearest"},
                {"q": "green", "price_max": "20", "currency": "EUR"},
            )
        ],
        "common words": ["/?" + urlencode({"q": word}) for word in common],
    }


async def ask(page: str, paths: list[str], rate: int, seconds: int) -> Taken:
    """Ask for these in turn, so many a second."""
    taken: list[float] = []
    failures: list[str] = []
    async with httpx.AsyncClient(
        base_url=page, timeout=LATE_SECONDS_MAX, limits=httpx.Limits(max_connections=100)
    ) as client:

        async def one(path: str, due: float) -> None:
            try:
                (await client.get(path)).raise_for_status()
            except httpx.HTTPError as error:
                failures.append(f"{type(error).__name__}: {error}")
            else:
                taken.append((time.perf_counter() - due) * 1e3)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for number, path in zip(range(rate * seconds), cycle(paths), strict=False):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(one(path, due))
    return Taken(taken, len(failures))


def measure(
    settings: Settings, url: str, folder: Path, rate: int, seconds: int
) -> Iterator[tuple[str, bool]]:
    """Each kind of page by itself, then all of them in turn; in words, and whether it is quick."""
    kinds = asyncio.run(addresses(url))

    def ready() -> bool:
        try:
            return httpx.get(f"{page}/", timeout=10).is_success
        except httpx.HTTPError:
            return False

    with process(settings, "services.storefront", url, folder) as (worker, page):
        until(ready, worker, 0.1)
        asyncio.run(ask(page, [path for paths in kinds.values() for path in paths], rate, 3))
        for kind, paths in kinds.items():
            taken = asyncio.run(ask(page, paths, rate, max(seconds // 4, 2)))
            yield taken.line(kind), taken.is_quick
        cpu = usage(worker.pid)[0]
        turns = [cycle(paths) for paths in kinds.values()]
        mixed = [next(turn) for _ in range(200) for turn in turns]
        taken = asyncio.run(ask(page, mixed, rate, seconds))
        yield taken.line(f"all in turn at {rate}/s"), taken.is_quick
        yield f"web process: {(usage(worker.pid)[0] - cpu) / seconds:.0%} of a core", True


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'storefront.db'}"
        return
    with postgres_server() as server:
        yield server.fresh("bench")


async def analyze(url: str) -> None:
    """As PostgreSQL does by itself within minutes of such a load."""
    engine = await _shown(url)
    if engine.dialect.name == "postgresql":
        async with engine.connect() as connection:
            autonomous = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autonomous.exec_driver_sql("VACUUM ANALYZE")
    await engine.dispose()


def main(
    groups: Annotated[int, typer.Option(help="Group purchases.")] = 100_000,
    auctions: Annotated[int, typer.Option(help="Auctions.")] = 10_000,
    rate: Annotated[int, typer.Option(help="Requests a second.")] = 50,
    seconds: Annotated[int, typer.Option(help="Of the mixed load.")] = 20,
    database: Annotated[list[str] | None, typer.Option(help="sqlite, postgresql.")] = None,
) -> None:
    """Print the figures; end with 1 where one in a hundred takes longer than 50 ms."""
    slow = []
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            settings = settings_on(broker, folder, "home-", "wall")
            count = asyncio.run(write(settings, groups, auctions))
            for kind in database or ["sqlite", "postgresql"]:
                with new_database(kind, folder) as url:
                    print(f"{kind}: {project(settings, url, folder, count)}", flush=True)
                    asyncio.run(analyze(url))
                    for line, is_quick in measure(settings, url, folder, rate, seconds):
                        print(f"{kind}: {line}", flush=True)
                        if not is_quick:
                            slow.append(f"{kind}: {line}")
        finally:
            broker.stop()
    if slow:
        print(f"longer than {P99_MS_MAX:.0f} ms:", *slow, sep="\n  ")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
