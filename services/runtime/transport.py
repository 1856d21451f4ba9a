"""The one module that speaks Kafka for the host: aiokafka, in the two ways to commit.

On a broker with transactions, a partition's producer carries a transactional id of its own, and a
batch's changelog, outputs and offsets commit together. Without, outputs are acknowledged first,
then the changelog batch with the positions in it, then offsets.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from services.runtime import batches
from services.runtime.records import OutputRecord
from services.runtime.settings import Settings

#: A record is at most 900 kB, and a batch without transactions is one record batch.
BATCH_BYTES_MAX = 1_500_000

batches.install()


class TransportError(RuntimeError):
    """Something could not be sent or read; the partition must be opened anew."""


def is_being_cancelled() -> bool:
    """Whether somebody wants this task to end; else a ``CancelledError`` is a client's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    async def stop(self) -> None:
        """Disconnect, whatever became of the last fetch.

        aiokafka lets its own cancellation of a fetch that failed a moment ago out of ``stop``: the
        task that stops would end by it without a word, and the connection would stay.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            await self._client.close()


def consumer(
    settings: Settings, group_id: str | None = None, *, offset_reset: str = "earliest"
) -> AIOKafkaConsumer:
    """A consumer of committed records, from the beginning where nothing is committed.

    A record that can't be read comes as an ``Unreadable``; nothing is raised for it.
    With ``offset_reset`` ``none`` it raises where an offset is not there (any more).
    """
    return _Consumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        group_id=group_id,
        isolation_level="read_committed" if settings.kafka_transactions else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset=offset_reset,
        # Equal partition counts meet: the range assignor gives one worker the same numbers.
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=max(settings.kafka_session_timeout_ms // 5, 500),
        max_poll_interval_ms=600_000,
        fetch_max_wait_ms=settings.fetch_wait_ms,
        max_partition_fetch_bytes=2 * 1024 * 1024,
        metadata_max_age_ms=60_000,
    )


def producer(settings: Settings, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A producer that waits for all replicas; transactional if it has an id for it."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        transactional_id=transactional_id,
        transaction_timeout_ms=60_000,
        acks="all",
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=2 * BATCH_BYTES_MAX,
        request_timeout_ms=30_000,
        metadata_max_age_ms=60_000,
    )


async def answers(sender: AIOKafkaProducer, seconds: float) -> bool:
    """Whether a broker answers this producer now, within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return bool(await sender.client.fetch_all_metadata())
    except (KafkaError, TimeoutError):
        return False


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
                ends = await send(self._producer, [*changelog, *outputs])
                if offsets:
                    await self._producer.send_offsets_to_transaction(offsets, self._group_id)
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


def read_end(reader: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of the log as the last fetch told, or ``None`` while a transaction is open on it."""
    highwater: int | None = reader.highwater(partition)
    stable: int | None = reader.last_stable_offset(partition)
    if stable is not None and stable >= 0 and highwater is not None and stable < highwater:
        return None
    return highwater
