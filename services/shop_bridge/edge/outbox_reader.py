"""Follows the topic of a Debezium outbox: its events become order messages, each one once.

The topic is the shop's own, so its name has no prefix of ours. Offsets are committed when Kafka has
the orders; what comes again then is known by the header ``id``, and after a restart by the order's
own id, which counts once whatever comes.
"""

import time
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer

from runtime import clients, metrics
from runtime.cache import TwoGenerations
from runtime.lasting_errors import LastingError
from runtime.records import (
    OutputRecord,
    Partitioner,
    Unreadable,
    dead_letter,
    milliseconds,
    offset_after,
)
from runtime.settings import Settings
from schemas.ops import DEAD_LETTERS
from schemas.reasons import OrderReason
from services.shop_bridge.edge.metrics import MISTYPED, OUTBOX_EVENTS
from services.shop_bridge.edge.publisher import Publisher
from services.shop_bridge.rules import unusable
from services.shop_bridge.rules.translations import outbox
from services.shop_bridge.rules.translations.payloads import GarbledError
from services.shop_bridge.shops import Shop

IDS_KEPT = 50_000
RECORDS_AT_ONCE = 500
#: Seconds between two checks of the topic: aiokafka does not report that it was deleted.
LOOK_SECONDS = 30.0


async def follow_outbox(shop: Shop, publisher: Publisher, settings: Settings) -> None:
    """Follow the outbox of a shop for ever.

    Raises Kafka's errors, and ``LastingError`` if the topic does not exist or was deleted.
    """
    assert shop.topic is not None
    reader = clients.consumer(settings, f"{settings.topic_prefix}shop_bridge-outbox-{shop.name}")
    await reader.start()
    events = Events(shop.name, publisher, settings)
    looked_at = -LOOK_SECONDS
    try:
        while True:
            if time.monotonic() - looked_at >= LOOK_SECONDS:
                await _check_there(reader, shop)
                looked_at = time.monotonic()
            if not reader.subscription():
                reader.subscribe([shop.topic])
            batch = await reader.getmany(timeout_ms=1_000, max_records=RECORDS_AT_ONCE)
            if not batch:
                continue
            found = [record for records in batch.values() for record in records]
            await publisher.send([each for record in found for each in events.read(record)])
            events.keep()
            await reader.commit(
                {partition: offset_after(records[-1]) for partition, records in batch.items()}
            )
            for record in found:
                if isinstance(record, Unreadable):
                    metrics.UNREADABLE.labels(record.topic, record.reason).inc()
    finally:
        await reader.stop()


async def _check_there(reader: AIOKafkaConsumer, shop: Shop) -> None:
    """Check the topic before reading it, as reading a missing topic may create it."""
    if shop.topic not in await reader.topics():
        raise LastingError(
            f"there is no topic {shop.topic} for shop {shop.name}: create it, let this process read"
            " it, or correct its name in SHOPS"
        )


class Events:
    """Reads events, and remembers the ids of those that Kafka has."""

    def __init__(self, source: str, publisher: Publisher, settings: Settings) -> None:
        self._source = source
        self._publisher = publisher
        self._partitioner = Partitioner(settings.partitions)
        self._dead_letters = settings.topic(DEAD_LETTERS.name)
        self._known: TwoGenerations[bool] = TwoGenerations(IDS_KEPT)
        self._reading: set[str] = set()

    def read(self, record: Any) -> list[OutputRecord]:
        """The records that an event makes: none if it is known or a tombstone."""
        if isinstance(record, Unreadable):
            OUTBOX_EVENTS.labels(self._source, "unreadable").inc()
            return self._buried(record, GarbledError(record.problem, OrderReason.UNREADABLE))
        event_id = outbox.event_id(record.headers)
        if event_id is not None and (event_id in self._reading or self._known.get(event_id)):
            OUTBOX_EVENTS.labels(self._source, "repeated").inc()
            return []
        if event_id is not None:
            self._reading.add(event_id)
        if record.value is None:
            OUTBOX_EVENTS.labels(self._source, "tombstone").inc()
            return []
        now = datetime.now(UTC)
        cause = f"{record.topic}/{record.partition}/{record.offset}"
        try:
            spoken = outbox.read(record.value, record.headers, self._source)
        except ValueError as error:
            OUTBOX_EVENTS.labels(self._source, "unreadable").inc()
            return self._buried(record, error)
        if spoken.mistyped:
            MISTYPED.labels(self._source).inc()
            OUTBOX_EVENTS.labels(self._source, "mistyped").inc()
            return self._publisher.mistyped_message(self._source, spoken.message, now, cause)
        OUTBOX_EVENTS.labels(self._source, "accepted").inc()
        return [self._publisher.event(spoken.message, milliseconds(now), cause)]

    def _buried(self, record: Any, error: ValueError) -> list[OutputRecord]:
        """The dead letter of an event, and its task for people."""
        now = datetime.now(UTC)
        place = f"{record.topic}/{record.partition}/{record.offset}"
        event = unusable.unread_event(self._source, record.key, place, error, now)
        partition = self._partitioner((record.key or b"").decode("utf-8", "replace"))
        _, said = unusable.said(error)
        left = unusable.left(self._source, event.order_id, event.reason)
        letter = dead_letter(
            self._dead_letters,
            partition,
            record,
            "shop_bridge",
            said,
            left.reason,
            milliseconds(now),
        )
        letter.headers.append(("task", left.task.encode()))
        return [letter, self._publisher.event(event, milliseconds(now), place)]

    def keep(self) -> None:
        """What was read is with Kafka."""
        for event_id in self._reading:
            self._known.put(event_id, True)
        self._reading.clear()
