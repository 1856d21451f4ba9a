"""Counter auctions: work per application, and the end of a term with 100,000 applicants.

Work per application must not grow with the auction: 100,000 applicants in one auction against 1,000
auctions of 100, in turn; the ratio of CPU seconds is the claim (at most 1.5). Then one auction with
100,000 applicants concludes, while others of its partition are applied to at a steady rate: how
long until its last letter is written, and how long the others wait at worst.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from aiokafka import AIOKafkaConsumer

from bench.workers import settings_on, usage, wait_for, worker_on
from runtime.admin import create_topics
from runtime.clients import producer
from runtime.records import OutputRecord, Partitioner, as_record, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.auctions import (
    APPLICATIONS,
    AUCTIONS,
    OFFERS,
    ApplicationConfirmed,
    Applied,
    AuctionOpened,
    SellerApproved,
    SellerRegistered,
)
from schemas.catalogue import CATALOGUE
from schemas.letters import NOTICES
from schemas.parts import Contact, Message, Product
from schemas.topic import PARTITIONS, Topic
from stack import brokers

SERVICE = "auction_service"
APPLICANTS = 100_000
MANY_AUCTIONS = 1_000
RATIO_MAX = 1.5
CONCLUDED_SECONDS_MAX = 60.0
#: Applications a second to other auctions of the partition while the large one concludes.
RATE = 50
CHUNK = 20_000

_partition = Partitioner(PARTITIONS)


def opening(auction_id: str, at: datetime, closes_at: datetime) -> AuctionOpened:
    """An auction of the one seller."""
    return AuctionOpened(
        offer_id="first",
        auction_id=auction_id,
        seller_id="seller",
        product=Product(name="tea"),
        minimum_reservations=1,
        unit_price=1_000,
        currency="EUR",
        offered_at=at,
        closes_at=closes_at,
    )


def application(auction_id: str, number: int, at: datetime) -> tuple[Message, Message]:
    """An application that its front end vouches for."""
    name = f"a-{number}"
    return (
        ApplicationConfirmed(application_id=name, auction_id=auction_id, at=at),
        Applied(
            application_id=name,
            auction_id=auction_id,
            applicant=Contact(id=f"b-{number}", email=f"b-{number}@example.com", name="Buyer"),
            quantity=1,
            applied_at=at,
        ),
    )


def record(settings: Settings, topic: Topic, message: Message, at: datetime) -> OutputRecord:
    """A message where it belongs."""
    return as_record(message, settings.topic(topic.name), _partition, milliseconds(at))


async def write(settings: Settings, records: Iterator[OutputRecord]) -> None:
    """Send records, a chunk at a time."""
    sender = producer(settings)
    await sender.start()
    chunk: list[OutputRecord] = []
    try:
        for each in records:
            chunk.append(each)
            if len(chunk) >= CHUNK:
                await send(sender, chunk)
                chunk = []
        await send(sender, chunk)
    finally:
        await sender.stop()


def openings(
    settings: Settings, ids: list[str], at: datetime, closes_at: datetime
) -> Iterator[OutputRecord]:
    """The seller, and an opening for each id."""
    registrations = CATALOGUE["seller-registrations"]
    seller = SellerRegistered(seller_id="seller", name="S", email="s@example.com", registered_at=at)
    yield record(settings, registrations, seller, at)
    yield record(settings, registrations, SellerApproved(seller_id="seller", at=at), at)
    for auction_id in ids:
        yield record(settings, OFFERS, opening(auction_id, at, closes_at), at)


def applications(settings: Settings, ids: list[str], at: datetime) -> Iterator[OutputRecord]:
    """All applicants, dealt in turn to the auctions, a millisecond apart."""
    for number in range(APPLICANTS):
        made_at = at + timedelta(milliseconds=number)
        for message in application(ids[number % len(ids)], number, made_at):
            yield record(settings, APPLICATIONS, message, made_at)


def run_backlog(settings: Settings, ids: list[str], folder: Path) -> float:
    """CPU seconds of a worker that takes all applications from a backlog; prints a line."""
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    asyncio.run(create_topics(settings))
    asyncio.run(write(settings, openings(settings, ids, begins, begins + timedelta(days=365))))
    with worker_on(settings, SERVICE, folder) as (worker, port):
        wait_for(worker, port, OFFERS, len(ids))
    asyncio.run(write(settings, applications(settings, ids, begins + timedelta(hours=1))))
    with worker_on(settings, SERVICE, folder) as (worker, port):
        began, before = time.monotonic(), usage(worker.pid)[0]
        wait_for(worker, port, APPLICATIONS, 2 * APPLICANTS)
        seconds = time.monotonic() - began
        cpu, peak = usage(worker.pid)
    cpu -= before
    print(
        f"{APPLICANTS:,} applications in {len(ids):>5,} auctions: {APPLICANTS / seconds:>7,.0f}/s,"
        f" {cpu / APPLICANTS * 1e6:5.1f} CPU s/million, peak {peak:.0f} MB",
        flush=True,
    )
    return cpu


async def conclude(settings: Settings) -> tuple[float, list[float]]:
    """Seconds from a term's end to its last letter, and delays of others meanwhile in seconds."""
    names = (f"auction-{number}" for number in range(1_000))
    large, *others = [name for name in names if _partition(name) == 0][:11]
    now = datetime.now(UTC)
    opened_at, closes_at = now - timedelta(hours=1), now + timedelta(seconds=60)
    await write(settings, openings(settings, [large], opened_at, closes_at))
    await write(settings, openings(settings, others, opened_at, now + timedelta(days=1)))
    sent: dict[str, float] = {}
    delays: list[float] = []
    letters: dict[str, float] = {}
    done = asyncio.Event()
    reader = AIOKafkaConsumer(
        settings.topic(NOTICES.name),
        settings.topic(AUCTIONS.name),
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        fetch_max_wait_ms=10,
    )
    await reader.start()

    async def watch() -> None:
        while len(letters) < APPLICANTS + 1:
            for records in (await reader.getmany(timeout_ms=100)).values():
                arrived = time.time()
                for each in records:
                    value = orjson.loads(each.value)
                    if value["type"] == "Notice" and value["kind"] == "contract-concluded":
                        letters[value["notice_id"]] = arrived
                    elif value["type"] == "Auction" and value["auction_id"] in others:
                        for name in list(sent):
                            auction_id, _, count = name.partition("/")
                            if auction_id == value["auction_id"] and (
                                int(count) <= value["applicants"]
                            ):
                                delays.append(arrived - sent.pop(name))
        done.set()

    async def trickle() -> None:
        sender = producer(settings)
        await sender.start()
        counts = dict.fromkeys(others, 0)
        number = APPLICANTS
        try:
            await asyncio.sleep(max(0.0, closes_at.timestamp() - 2 - time.time()))
            while not done.is_set():
                auction_id = others[number % len(others)]
                counts[auction_id] += 1
                number += 1
                at = datetime.now(UTC)
                sent[f"{auction_id}/{counts[auction_id]}"] = time.time()
                messages = application(auction_id, number, at)
                await send(sender, [record(settings, APPLICATIONS, each, at) for each in messages])
                await asyncio.sleep(1 / RATE)
        finally:
            await sender.stop()

    try:
        loading = write(settings, applications(settings, [large], opened_at))
        await asyncio.wait_for(asyncio.gather(loading, watch(), trickle()), 300)
    finally:
        await reader.stop()
    return max(letters.values()) - closes_at.timestamp(), sorted(delays)


def main(
    runs: Annotated[int, typer.Option(help="Of each backlog, in turn; may be 0.")] = 3,
) -> None:
    """Print the figures; exit 1 when a claim does not hold."""
    cpu: dict[int, list[float]] = {1: [], MANY_AUCTIONS: []}
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            for run in range(runs):
                for count, taken in cpu.items():
                    settings = settings_on(broker, folder, f"a{run}-{count}-", "log")
                    ids = [f"auction-{number}" for number in range(count)]
                    taken.append(run_backlog(settings, ids, folder))
            settings = settings_on(broker, folder, "", "wall")
            asyncio.run(create_topics(settings))
            with worker_on(settings, SERVICE, folder):
                seconds, delays = asyncio.run(conclude(settings))
        finally:
            broker.stop()
    ratio = 0.0
    if runs:
        ratio = statistics.median(cpu[1]) / statistics.median(cpu[MANY_AUCTIONS])
    print(f"CPU per application, one auction to many: {ratio:.2f} (at most {RATIO_MAX})")
    print(
        f"{APPLICANTS:,} applicants told {seconds:.1f} s after the term's end (at most"
        f" {CONCLUDED_SECONDS_MAX:.0f}); meanwhile {len(delays)} applications to other auctions of"
        f" the partition: p50 {statistics.median(delays):.2f} s, worst {delays[-1]:.2f} s"
    )
    if ratio > RATIO_MAX or seconds > CONCLUDED_SECONDS_MAX:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
