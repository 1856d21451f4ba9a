"""How long each service pauses while its two processes are restarted, under load on all services.

Of services that are not rolled there is one process.

For a service that reads topics, the pause of a partition is the longest time from when a record was
in it until the offset behind it was committed; ends and offsets are looked at ten times a second,
so a pause is up to a tenth of a second more. For the storefront, a client asks for a page again and
again, of the other process where one does not answer, and streams open again at the other one when
they are ended: the pauses are the longest time until an answer, and without an open stream.
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiokafka import TopicPartition

from runtime.clients import consumer, producer
from runtime.records import Partitioner, as_record, milliseconds
from runtime.transport import send
from runtime.whole_topics import cancelled
from schemas.auctions import SellerRegistered
from schemas.groups import GroupPurchaseRequested
from schemas.parts import FavorTerms, Message, PaymentTerms, Product, Tier
from schemas.shop_orders import ShopLine, ShopOrderSeen
from schemas.topic import PARTITIONS
from stack import brokers
from stack.fork_server import ForkServer
from tests.system import stack as system_stack
from tests.system.api_stack import SETTINGS
from tests.system.letters import mail_env
from tests.system.mail import sink
from tests.system.postgres import PostgresError, postgres_server
from tests.system.purchases import group_until, groups_in, order_at
from tests.system.stack import DEADLINE_SECONDS, Stack, Worker, stack_on, until
from tests.system.test_counter_auction import (
    application,
    feed_sellers,
    opening,
    wait_for_sellers,
)

SERVICES = (
    "request_service",
    "order_service",
    "favor_service",
    "payment_service",
    "auction_service",
    "notifier",
    "shop_bridge",
    "services.storefront.projector",
    "storefront",
)
GROUPS = [each for number in range(PARTITIONS) for each in groups_in(number, 3)]
AUCTIONS = [f"au-{each}" for each in GROUPS]
TICK_SECONDS = 0.25
LOOK_SECONDS = 0.1
STEADY_SECONDS = 5.0
ASK_SECONDS = 0.02
STREAMS = 40
#: What each line of a shop's order has.
_LINE = {"line_id": "1", "removed": 0, "products": (), "compared": True}


@dataclass
class Look:
    """Where the topics end, and where a service stands in them, at a time."""

    at: float
    ends: dict[TopicPartition, int]
    committed: dict[tuple[str, TopicPartition], int]


@dataclass
class Pauses:
    """The longest pause of each partition, stream or client, by its name."""

    longest: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def note(self, name: str, seconds: float) -> None:
        """One more."""
        self.longest[name] = max(self.longest[name], seconds)

    def words(self) -> str:
        """Median and longest."""
        found = list(self.longest.values()) or [0.0]
        return f"{statistics.median(found):.2f} s | {max(found):.2f} s"


def pauses_in(looks: Sequence[Look]) -> Pauses:
    """The pauses of the partitions, by processor and number."""
    found = Pauses()
    for name, tp in {each for look in looks for each in look.committed}:
        place, after = (name, tp), 0
        for look in looks:
            # The first look at which all that was there by then is committed.
            while after < len(looks) and looks[after].committed.get(place, 0) < look.ends[tp]:
                after += 1
            if after == len(looks):
                # Not within the looks: at least so long.
                found.note(f"{name} {tp.partition}", looks[-1].at - look.at)
                break
            found.note(f"{name} {tp.partition}", looks[after].at - look.at)
    return found


# --- load ----------------------------------------------------------------------------------------


def round_of(number: int, now: datetime) -> Iterator[tuple[str, Message]]:
    """Something for each processor: the topic, and the message."""
    which = number % len(GROUPS)
    group, name = GROUPS[which], f"{number}-{which}"
    told = {"member_id": f"m-{name}", "member_email": f"m-{name}@rolling.example"}
    yield "orders", order_at(group, number, now).model_copy(update=told)
    yield (
        "group-purchase-requests",
        GroupPurchaseRequested(
            request_id=f"r-{number}",
            requested_at=now,
            product=Product(name="Sencha, 1 kg"),
            number_of_products=5,
            closes_at=now + timedelta(days=1),
        ),
    )
    for message, _ in application(f"b{number}", now, 1, AUCTIONS[which]):
        yield "applications", message
    seller = f"s-{number}"
    yield (
        "seller-registrations",
        SellerRegistered(
            seller_id=seller, name=seller, email=f"{seller}@rolling.example", registered_at=now
        ),
    )
    yield (
        "shop-events",
        ShopOrderSeen(
            shop_order=f"shop:{number}",
            source="shop",
            order_id=f"w-{number}",
            member_id=f"w-{number}",
            currency="EUR",
            ordered_at=now,
            updated_at=now,
            paid=True,
            cancelled=False,
            lines=(ShopLine(quantity=1, value=1_000, group_id=group, **_LINE),),
            told_at=now,
            deliveries=(),
            number=f"#{number}",
            strictly=False,
        ),
    )


async def feed(stack: Stack) -> None:
    """A round each tick, until cancelled."""
    settings, number = stack.settings, 0
    place = Partitioner(settings.partitions)
    async with producer(settings) as sender:
        began = time.monotonic()
        while True:
            records = []
            while number * TICK_SECONDS < time.monotonic() - began:
                now = datetime.now(UTC)
                for topic, message in round_of(number, now):
                    name, at = settings.topic(topic), milliseconds(now)
                    records.append(as_record(message, name, place, at))
                number += 1
            if records:
                await send(sender, records)
            await asyncio.sleep(TICK_SECONDS)


def prepare(stack: Stack) -> None:
    """Groups with a discount, and auctions; the services are there."""
    now = datetime.now(UTC)
    told = {
        "unit_price": 1_000,
        "currency": "EUR",
        "favor": FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
        "payment": PaymentTerms(),
    }
    ends = now + timedelta(days=1)
    groups = [group_until(each, ends, now).model_copy(update=told) for each in GROUPS]
    stack.feed("group-purchases", *((each, None) for each in groups))
    feed_sellers(stack, "nord", at=now)
    wait_for_sellers(stack, 1)
    opened = [opening("nord", now, ends, each, 1_000) for each in AUCTIONS]
    stack.feed("offers", *((each, None) for each in opened))
    stack.wait_idle()


# --- looks ---------------------------------------------------------------------------------------


async def look(workers: Sequence[Worker], stack: Stack, looks: list[Look]) -> None:
    """Look at a service's topics and offsets, again and again, until cancelled."""
    known: dict[tuple[str, TopicPartition], int] = {}
    async with (
        consumer(stack.settings) as reader,
        httpx.AsyncClient(verify=False, timeout=2) as client,
    ):
        while True:
            told = await asyncio.gather(*(_status(client, each) for each in workers))
            # Offsets before ends: what is committed between the two is seen a look later.
            at = time.monotonic()
            for entry in (each for entries in told for each in entries):
                for topic, offset in entry["committed"].items():
                    tp = TopicPartition(stack.settings.topic(topic), entry["partition"])
                    place = (entry["processor"], tp)
                    known[place] = max(known.get(place, 0), offset)
            if known:
                ends = await reader.end_offsets(sorted({tp for _, tp in known}))
                looks.append(Look(at, ends, dict(known)))
            await asyncio.sleep(LOOK_SECONDS)


async def _status(client: httpx.AsyncClient, worker: Worker) -> list[dict[str, Any]]:
    try:
        answer = await client.get(f"{worker.ops}/status")
    except httpx.HTTPError:
        return []
    found: list[dict[str, Any]] = answer.json() if answer.is_success else []
    # What is being opened does not know its offsets yet.
    return [each for each in found if each["ready"]]


async def ask(workers: Sequence[Worker], pauses: Callable[[], Pauses]) -> None:
    """Ask for a page again and again, of the next process where one does not answer."""
    turn = 0
    async with httpx.AsyncClient(verify=False, timeout=10) as client:
        while True:
            began, answered = time.monotonic(), False
            while not answered:
                with suppress(httpx.TransportError):
                    address = f"http://127.0.0.1:{workers[turn % len(workers)].port}/groups/"
                    answer = await client.get(address + GROUPS[0])
                    if answer.is_client_error or answer.is_redirect:
                        raise SystemExit(f"{answer.url} answers {answer.status_code}")
                    answered = answer.is_success
                turn += 1
                await asyncio.sleep(ASK_SECONDS)
            pauses().note("page", time.monotonic() - began - ASK_SECONDS)


async def stream(number: int, workers: Sequence[Worker], pauses: Callable[[], Pauses]) -> None:
    """Keep a stream open as a browser does: when it ends, it opens again after ``retry``."""
    turn, seconds, ended = number, 3.0, 0.0
    path = f"/groups/{GROUPS[number % len(GROUPS)]}/events"
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            port = workers[turn % len(workers)].port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                async for line in _lines(reader):
                    if line.startswith(b"retry:"):
                        seconds = int(line.split(b":")[1]) / 1000
                    if line.startswith(b"data:"):
                        if ended:
                            pauses().note(f"stream {number}", time.monotonic() - ended)
                        ended = 0.0
            finally:
                writer.close()
        ended = ended or time.monotonic()
        turn += 1
        await asyncio.sleep(seconds)


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while line := await reader.readline():
        yield line


# --- runs ----------------------------------------------------------------------------------------


@asynccontextmanager
async def running(*works: Awaitable[None]) -> AsyncIterator[None]:
    """All of them beside the block."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        yield
        for each in tasks:
            if each.done():
                await each
    finally:
        for each in tasks:
            await cancelled(each)  # type: ignore[arg-type]


async def restart(worker: Worker, pair: Sequence[Worker]) -> str:
    """End one in order, start it again, and wait until both are ready; what it took."""
    began = time.monotonic()
    worker.signal(15)
    await asyncio.to_thread(worker.exit_code)
    ended = time.monotonic()
    worker.start()
    await asyncio.to_thread(until, "ready", lambda: all(each.ready() for each in pair))
    return f"{ended - began:.1f} s, {time.monotonic() - ended:.1f} s"


async def rolled(stack: Stack, pair: Sequence[Worker]) -> list[str]:
    """Restart both processes of a service; the lines of the table."""
    name = pair[0].module.removeprefix("services.")
    steps: list[tuple[str, float, Pauses, str]] = []
    looks: list[Look] = []
    current = Pauses()
    if pair[0].has_partitions:
        works: list[Awaitable[None]] = [look(pair, stack, looks)]
    else:
        works = [stream(number, pair, lambda: current) for number in range(STREAMS)]
        works.append(ask(pair, lambda: current))
    async with running(*works):
        await asyncio.sleep(STEADY_SECONDS)
        steps.append(("none", time.monotonic(), current, ""))
        for number, worker in enumerate(pair):
            current = Pauses()
            told = await restart(worker, pair)
            await asyncio.sleep(STEADY_SECONDS)
            steps.append((str(number), time.monotonic(), current, told))
    lines, began = [], 0.0
    for step, ended, found, told in steps:
        own = [each for each in looks if began <= each.at <= ended]
        pauses = pauses_in(own) if own else found
        lines.append(f"| {name} | {step} | {pauses.words()} | {told} |")
        began = ended
    return lines


async def all_rolled(stack: Stack, pairs: Sequence[Sequence[Worker]]) -> None:
    """Roll one service after the other, and print the table as it grows."""
    async with running(feed(stack)):
        await asyncio.sleep(STEADY_SECONDS)
        for pair in pairs:
            for line in await rolled(stack, pair):
                print(line, flush=True)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """PostgreSQL if it is there, else SQLite."""
    try:
        with postgres_server() as server:
            yield server.fresh("rolling")
    except PostgresError:
        yield f"sqlite:///{folder / 'storefront.db'}"


HEAD = (
    "| service | restarted | pause, median | pause, longest | ended after, ready after |\n"
    "|---|---|---|---|---|"
)


def started(stack: Stack, chosen: Sequence[str], port: int) -> list[list[Worker]]:
    """The stack, with two processes of each of those chosen; these pairs."""
    mail = mail_env(port) | {"LINK_SECRET": SETTINGS["LINK_SECRET"]}
    # Restarts are not forked: a container's process imports all that it needs, too.
    system_stack.fork_server = ForkServer()
    try:
        pairs = []
        for service in SERVICES:
            name = service.removeprefix("services.")
            env = mail if service == "notifier" else {}
            is_chosen = not chosen or name in chosen
            found = [stack.worker(service, **env) for _ in range(1 + is_chosen)]
            pairs += [found] if is_chosen else []
        stack.until_ready(*stack.workers, timeout=3 * DEADLINE_SECONDS)
    finally:
        system_stack.fork_server = None
    return pairs


def run(chosen: Sequence[str], folder: Path) -> None:
    """Two processes of each service that is chosen, or of all; roll these."""
    print(HEAD, flush=True)
    broker = brokers.start("kafka", home=folder, fresh=True)
    try:
        with (
            database(folder) as url,
            sink(folder) as port,
            stack_on(broker, folder, "wall", **SETTINGS, DATABASE_URL=url) as stack,
        ):
            pairs = started(stack, chosen, port)
            prepare(stack)
            asyncio.run(all_rolled(stack, pairs))
    finally:
        broker.stop()
