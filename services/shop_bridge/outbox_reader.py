"""Follows the topic of a Debezium outbox: its events become order messages, each one once.

The topic is the shop's own, so its name has no prefix of ours. Offsets are committed when Kafka has
the orders; what comes again then is known by the header ``id``, and after a restart by the order's
own id, which counts once whatever comes.
"""

from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from schemas.topics import DEAD_LETTERS
from services.runtime import metrics, transport
from services.runtime.burying import DeadLetters
from services.runtime.cache import TwoGenerations
from services.runtime.records import (
    OutputRecord,
    Partitioner,
    Unreadable,
    milliseconds,
    offset_after,
)
from services.runtime.settings import Settings
from services.shop_bridge import outbox
from services.shop_bridge.metrics import MISTYPED, OUTBOX_EVENTS
from services.shop_bridge.publisher import Publisher
from services.shop_bridge.receiving import MISTYPED_ERROR
from services.shop_bridge.shops import Shop

IDS_KEPT = 50_000
RECORDS_AT_ONCE = 500
_log = structlog.get_logger()


async def follow_outbox(shop: Shop, publisher: Publisher, settings: Settings) -> None:
    """Follow the outbox of a shop for ever; raises when Kafka does not take what it says."""
    assert shop.topic is not None
    reader = transport.consumer(settings, f"{settings.topic_prefix}shop_bridge-outbox-{shop.name}")
    reader.subscribe([shop.topic])
    await reader.start()
    events = Events(shop.name, publisher, settings)
    try:
        while True:
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
    except KafkaError as error:
        _log.warning("an outbox can't be followed", source=shop.name, error=type(error).__name__)
        raise
    finally:
        await reader.stop()


class Events:
    """Reads events, and remembers the ids of those that Kafka has."""

    def __init__(self, source: str, publisher: Publisher, settings: Settings) -> None:
        self._source = source
        self._publisher = publisher
        self._partitioner = Partitioner(DEAD_LETTERS.partitions)
        dead_letters = settings.topic(DEAD_LETTERS.name)
        self._letters = DeadLetters("shop_bridge", dead_letters, self._partitioner)
        self._known: TwoGenerations[bool] = TwoGenerations(IDS_KEPT)
        self._reading: set[str] = set()

    def read(self, record: Any) -> list[OutputRecord]:
        """The records that an event makes: none if it is known or a tombstone."""
        if isinstance(record, Unreadable):
            OUTBOX_EVENTS.labels(self._source, "unreadable").inc()
            return self._buried(record, record.problem, "unreadable")
        event_id = outbox.event_id(record.headers)
        if event_id is not None and (event_id in self._reading or self._known.get(event_id)):
            OUTBOX_EVENTS.labels(self._source, "repeated").inc()
            return []
        if event_id is not None:
            self._reading.add(event_id)
        if record.value is None:
            OUTBOX_EVENTS.labels(self._source, "tombstone").inc()
            return []
        now_ms = milliseconds(datetime.now(UTC))
        cause = f"{record.topic}/{record.partition}/{record.offset}"
        try:
            spoken = outbox.read(record.value, record.headers, self._source)
        except ValueError as error:
            OUTBOX_EVENTS.labels(self._source, "unreadable").inc()
            return self._buried(record, str(error), "schema")
        if spoken.mistyped:
            MISTYPED.labels(self._source).inc()
            OUTBOX_EVENTS.labels(self._source, "mistyped").inc()
            letter = self._publisher.dead_letter(spoken.message, now_ms, cause, MISTYPED_ERROR)
            return [letter]
        OUTBOX_EVENTS.labels(self._source, "accepted").inc()
        return [self._publisher.event(spoken.message, now_ms, cause)]

    def _buried(self, record: Any, error: str, reason: str) -> list[OutputRecord]:
        partition = self._partitioner((record.key or b"").decode("utf-8", "replace"))
        now_ms = milliseconds(datetime.now(UTC))
        return self._letters.of(record.topic, record, error, reason, now_ms, partition)

    def keep(self) -> None:
        """What was read is with Kafka."""
        for event_id in self._reading:
            self._known.put(event_id, True)
        self._reading.clear()
