"""Histories of counter auctions through a real worker on a real broker, killed at work."""

from collections.abc import Iterator
from datetime import timedelta

import orjson

from runtime.records import Partitioner, milliseconds
from schemas.catalogue import CATALOGUE
from schemas.parts import Message
from schemas.topic import PARTITIONS
from tests.system.stack import Stack, Worker, until

from .auctions import History, Record
from .compare import Gathered, differences, gather
from .driver import Ran
from .oracle import Expected, expect

#: Few enough that a worker is at work long enough to be killed there.
RECORDS_IN_BATCH = 200

_partition = Partitioner(PARTITIONS)


def expected_of(history: History) -> Expected:
    """What the oracle expects when each partition merges its own logs."""
    parts = [
        expect(history.of_partition(lambda key, number=number: _partition(key) == number))
        for number in range(PARTITIONS)
    ]
    return Expected(
        parts[0].sellers,
        {name: each for part in parts for name, each in part.auctions.items()},
        {person for part in parts for person in part.people},
    )


def run_on(stack: Stack, history: History, kills: int) -> list[str]:
    """Let auction_service work off a history, killed so often on the way; the differences.

    The logs are whole before it begins, as what it makes of them depends on how they merge.
    """
    worker = stack.worker("auction_service", start=False, BATCH_RECORDS_MAX=str(RECORDS_IN_BATCH))
    stack.feed("seller-registrations", *map(_stamped, history.sellers))
    stack.feed("offers", *map(_stamped, history.offers))
    stack.feed("applications", *map(_stamped, history.applications))
    stack.pass_time(history.ends_at + timedelta(days=1), "offers", "applications")
    worker.start()
    count = len(history.offers) + len(history.applications)
    for number in range(1, kills + 1):
        wanted = count * number // (kills + 1)
        until(f"{wanted} records read", lambda wanted=wanted: _read(worker) >= wanted)
        worker.kill()
        worker.start()
    until("the worker ready", worker.ready)
    stack.wait_idle(timeout=240)
    found = differences(expected_of(history), gathered_from(stack))
    if not stack.broker.transactions:
        # Without transactions a kill may repeat what was said; the state is exact all the same.
        found = [line for line in found if not line.startswith("fault: ")]
    return found


def gathered_from(stack: Stack) -> Gathered:
    """What the service said."""
    said = [
        message
        for topic in ("auctions", "group-purchase-requests", "notices", "people")
        for message in _messages(stack, topic)
    ]
    return gather(Ran(list(_messages(stack, "sellers")), said))


def _messages(stack: Stack, topic: str) -> Iterator[Message]:
    for record in stack.read(topic):
        yield CATALOGUE[topic].adapter.validate_json(orjson.dumps(record.value))


def _stamped(record: Record) -> tuple[Message, int]:
    return record.message, milliseconds(record.at)


def _read(worker: Worker) -> int:
    """How many records of auctions the worker has committed."""
    return sum(
        part["committed"].get(topic, 0)
        for part in worker.partitions()
        for topic in ("offers", "applications")
    )
