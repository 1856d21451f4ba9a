"""The one module that speaks Kafka for the host: aiokafka, in the two ways to commit.

On a broker with transactions, a partition's producer carries a transactional id of its own, and a
batch's changelog, outputs and offsets commit together. Without, outputs are acknowledged first,
then the changelog batch with the positions in it, then offsets.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation

from runtime.clients import BATCH_BYTES_MAX, TransportError, producer
from runtime.records import OutputRecord
from runtime.settings import Settings

_log = structlog.get_logger()


async def send(
    sender: AIOKafkaProducer, records: Sequence[OutputRecord]
) -> dict[tuple[str, int], int]:
    """Send records, those of one partition in order, and wait until all are acknowledged.

    Returns the offset after the last record of each topic and partition. Raises ``TransportError``.
    """
    by_partition: dict[tuple[str, int], list[OutputRecord]] = {}
    for record in records:
        by_partition.setdefault((record.topic, record.partition), []).append(record)
    acknowledged: list[asyncio.Future[Any]] = []
    counts: list[int] = []
    for (topic, partition), records_of_one in by_partition.items():
        for builder in _batches(sender, topic, records_of_one):
            counts.append(builder.record_count())
            acknowledged.append(await sender.send_batch(builder, topic, partition=partition))
    ends: dict[tuple[str, int], int] = {}
    results = await asyncio.gather(*acknowledged, return_exceptions=True)
    for count, result in zip(counts, results, strict=True):
        if isinstance(result, BaseException):
            raise TransportError(f"a record was not acknowledged: {result}") from result
        ends[result.topic, result.partition] = result.offset + count
    return ends


def _batches(sender: AIOKafkaProducer, topic: str, records: list[OutputRecord]) -> Iterator[Any]:
    builder = sender.create_batch()
    for record in records:
        if not _append(builder, record):
            builder.close()
            yield builder
            builder = sender.create_batch()
            if not _append(builder, record):
                raise TransportError(
                    f"a record for {topic} of {len(record.value or b'')} bytes is larger than a"
                    f" batch may be ({BATCH_BYTES_MAX})"
                )
    builder.close()
    yield builder


def _append(builder: Any, record: OutputRecord) -> bool:
    appended = builder.append(
        key=record.key,
        value=record.value,
        timestamp=record.timestamp,
        headers=record.headers,
    )
    return appended is not None


def why_broken(sender: Any) -> BaseException | None:
    """Why a producer takes no more records in its transaction, such as a missing right.

    aiokafka raises ``IllegalOperation`` to who sends then, and keeps the reason for the commit.
    """
    waiter = sender._txn_manager._transaction_waiter
    if waiter is None or not waiter.done() or waiter.cancelled():
        return None
    found: BaseException | None = waiter.exception()
    return found


class PartitionSender:
    """Commits the batches of one partition."""

    def __init__(
        self, settings: Settings, group_id: str, partition: int, outputs: Sequence[str]
    ) -> None:
        self._group_id = settings.topic_prefix + group_id
        self._rank = {settings.topic(name): rank for rank, name in enumerate(outputs)}
        self._transactions = settings.kafka_transactions
        transactional_id = f"{self._group_id}-{partition}" if self._transactions else None
        self._producer = producer(settings, transactional_id)

    async def start(self) -> None:
        """Connect; with transactions, end those of a predecessor and fence it."""
        await self._producer.start()

    async def commit(
        self,
        outputs: Sequence[OutputRecord],
        changelog: Sequence[OutputRecord],
        offsets: dict[TopicPartition, int],
        group_consumer: AIOKafkaConsumer,
    ) -> int:
        """Make a batch durable; returns the changelog's offset after it (0 without changelog).

        If this raises, whether the batch is durable is unknown.
        """
        if self._transactions:
            async with self._producer.transaction():
                try:
                    ends = await send(self._producer, [*changelog, *outputs])
                    if offsets:
                        await self._producer.send_offsets_to_transaction(offsets, self._group_id)
                except IllegalOperation as error:
                    raise why_broken(self._producer) or error from error
        else:
            # Each topic's before the next one's, as the processor declares them: who sees an id
            # may rely on its terms being there.
            for topic in sorted({each.topic for each in outputs}, key=self._rank_of):
                await send(self._producer, [each for each in outputs if each.topic == topic])
            ends = await send(self._producer, changelog)
            if offsets:
                await group_consumer.commit(offsets)
        if not changelog:
            return 0
        return ends[changelog[0].topic, changelog[0].partition]

    def _rank_of(self, topic: str) -> int:
        return self._rank.get(topic, -1)

    async def stop(self) -> None:
        """Disconnect; an open transaction is left to the next holder of the id."""
        await self._producer.stop()


async def committed_of(reader: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The offset that a consumer's group has committed; ``None`` if it has none, or beyond the end.

    An offset beyond the end is of an earlier topic, which was deleted and created anew.
    """
    committed: int | None = await reader.committed(partition)
    if committed:
        end: int = (await reader.end_offsets([partition]))[partition]
        if committed > end:
            _log.warning(
                "the topic was created anew: it is read from its beginning",
                topic=partition.topic,
                partition=partition.partition,
                committed=committed,
                end=end,
            )
            return None
    return committed


async def fetch_until(
    fetch: Coroutine[Any, Any, dict[TopicPartition, list[Any]]], ends: Sequence[asyncio.Event]
) -> dict[TopicPartition, list[Any]]:
    """What was fetched, or nothing once one of the events is set.

    In a rebalance the fetch waits for the next assignment, and the assignment waits until the
    partition has stopped.
    """
    fetching = asyncio.ensure_future(fetch)
    waiting = [asyncio.ensure_future(event.wait()) for event in ends]
    try:
        await asyncio.wait({fetching, *waiting}, return_when=asyncio.FIRST_COMPLETED)
        return fetching.result() if fetching.done() else {}
    finally:
        for each in (fetching, *waiting):
            each.cancel()
