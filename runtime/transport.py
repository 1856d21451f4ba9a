"""The one module that speaks Kafka for the host: aiokafka, in the two ways to commit.

On a broker with transactions, a partition's producer carries a transactional id of its own, and a
batch's changelog, outputs and offsets commit together. Without, outputs are acknowledged first,
then the changelog batch with the positions in it, then offsets.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

from runtime import batches
from runtime.broker_watch import BrokerWatch
from runtime.lasting_errors import comes_from_client, lasting
from runtime.records import OutputRecord
from runtime.settings import Settings

#: A record is at most 900 kB, and a batch without transactions is one record batch.
BATCH_BYTES_MAX = 1_500_000
RECONNECT_SECONDS = 1.0
#: A fetch that is refused for so long with an error that the client does not raise ends a session.
REFUSED_SECONDS = 10.0

_log = structlog.get_logger()

batches.install()


class TransportError(RuntimeError):
    """Something could not be sent or read; the partition must be opened anew."""


def is_being_cancelled() -> bool:
    """Whether somebody wants this task to end; else a ``CancelledError`` is a client's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def ends_session(error: BaseException) -> bool:
    """Whether Kafka or the network caused it, so that a new session may help; else it is a bug.

    aiokafka also raises ``AssertionError`` and others when its state is lost under it.
    """
    return isinstance(error, KafkaError | TransportError | OSError) or comes_from_client(error)


class _Refusals:
    """Fetches that the broker refuses, by partition: aiokafka only logs them, and fetches on."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._kind: dict[TopicPartition, tuple[type[KafkaError], float]] = {}

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """Send a request for the client, and note what a fetch is answered."""
        response = await self._send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            for topic, partitions in response.topics:
                for partition, code, *_ in partitions:
                    self._note(TopicPartition(topic, partition), code)
        return response

    def _note(self, partition: TopicPartition, code: int) -> None:
        kind = for_code(code)
        if not code or kind.retriable:
            self._kind.pop(partition, None)
            return
        known, since = self._kind.get(partition, (kind, time.monotonic()))
        self._kind[partition] = kind, since if known is kind else time.monotonic()

    def check(self) -> None:
        """Raise the error of a partition whose fetches have been refused for long."""
        for partition, (kind, since) in self._kind.items():
            if time.monotonic() - since >= REFUSED_SECONDS:
                raise kind(f"topic {partition.topic}, partition {partition.partition}")


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Raises errors that aiokafka only logs, and ``IllegalStateError`` where it asserts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._refusals = _Refusals(self._client.send)
        self._client.send = self._refusals.send

    async def getmany(self, *partitions: TopicPartition, **options: Any) -> Any:
        """The next records by partition. Raises if nothing will come any more."""
        self._refusals.check()
        fetching = self._fetcher.error_future if self._fetcher is not None else None
        if fetching is not None and fetching.done() and not fetching.cancelled():
            raise fetching.exception() or IllegalStateError("the client has stopped fetching")
        return await super().getmany(*partitions, **options)

    def highwater(self, partition: TopicPartition) -> Any:
        """The end of the log as the last fetch told."""
        self._must_have(partition)
        return super().highwater(partition)

    def last_stable_offset(self, partition: TopicPartition) -> Any:
        """The end of what is committed, as the last fetch told."""
        self._must_have(partition)
        return super().last_stable_offset(partition)

    def last_poll_timestamp(self, partition: TopicPartition) -> Any:
        """When the last fetch was answered, in milliseconds."""
        self._must_have(partition)
        return super().last_poll_timestamp(partition)

    def _must_have(self, partition: TopicPartition) -> None:
        if not self._subscription.is_assigned(partition):
            raise IllegalStateError(
                f"partition {partition} is no longer assigned: was its topic deleted?"
            )

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


class LateProducer:
    """A producer that connects in the background, so that the broker may start later."""

    def __init__(self, settings: Settings, watch: BrokerWatch) -> None:
        self._settings = settings
        self._watch = watch
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether it was connected once; the broker may not answer now."""
        return self._producer is not None

    def get(self) -> AIOKafkaProducer:
        """The producer. Raises ``TransportError`` if no broker has answered yet."""
        if self._producer is None:
            raise TransportError("no broker has answered yet")
        return self._producer

    async def start(self) -> None:
        """Begin to connect."""
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer is not None:
            await self._producer.stop()

    async def _connect(self) -> None:
        while True:
            await self._watch.until_there()
            connecting = producer(self._settings)
            try:
                await connecting.start()
            except (KafkaError, OSError) as error:
                await connecting.stop()
                if (failure := lasting(error)) is not None:
                    self._watch.give_up(failure)
                    return
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                self._producer = connecting
                return


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


async def partition_counts(reader: AIOKafkaConsumer) -> dict[str, int]:
    """The number of partitions of each topic on the broker; asking makes none."""
    cluster = await reader._client.fetch_all_metadata()
    return {name: len(cluster.partitions_for_topic(name) or ()) for name in cluster.topics()}


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


def read_end(reader: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of the log as the last fetch told, or ``None`` while a transaction is open on it."""
    highwater: int | None = reader.highwater(partition)
    stable: int | None = reader.last_stable_offset(partition)
    if stable is not None and stable >= 0 and highwater is not None and stable < highwater:
        return None
    return highwater


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
