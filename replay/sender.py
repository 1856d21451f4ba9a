"""Sends records to the broker: batched, in order within a partition, every delivery confirmed."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from aiokafka.errors import KafkaConnectionError, KafkaError

from runtime.clients import producer
from runtime.metadata import counts_of
from runtime.records import Partitioner, encode, milliseconds
from runtime.settings import Settings
from schemas.parts import Message

#: A batch waits until it is full or the stretch is over; topics allow records of 900 kB.
BATCH_BYTES = 256 * 1024
REQUEST_BYTES = 1024 * 1024


class ReplayError(RuntimeError):
    """The replay can't go on; the text is one line that says what to do."""


class _Record(NamedTuple):
    key: bytes | None
    value: bytes
    timestamp_ms: int
    message: Message


@dataclass(slots=True)
class _Batch:
    topic: str
    partition: int
    builder: Any
    first: Message
    last: Message


class Sender:
    """Fills a batch for each partition of its topics and sends it when it is full.

    aiokafka takes a batch when the one before it is on its way, so at most three of a partition
    are in memory. Without ``KAFKA_TRANSACTIONS`` the broker can't take an idempotent producer, and
    a retry may send a batch twice.
    """

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.kafka_bootstrap_servers
        self._producer: Any = producer(
            settings,
            enable_idempotence=settings.kafka_transactions,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
        )
        self._partitioners: dict[str, Partitioner] = {}
        self._filling: dict[tuple[str, int], _Batch] = {}
        self._under_way: deque[tuple[_Batch, Any]] = deque()

    async def start(self, topics: Sequence[str]) -> Mapping[str, int]:
        """Connect, and tell how many partitions each topic has.

        Raises ``ReplayError`` when no broker answers, it has not the topics, or it is not one for
        ``transactions``.
        """
        try:
            await self._producer.start()
            counts = await counts_of(self._producer.client, topics)
        except KafkaConnectionError as error:
            raise ReplayError(
                f"no broker answers at {self._servers} ({error}):"
                " run `jointbuy up --clock log`, or set KAFKA_BOOTSTRAP_SERVERS"
            ) from None
        except KafkaError as error:
            raise ReplayError(
                f"the broker at {self._servers} takes no producer ({error!r}):"
                " if it has no transactions, as the embedded one, set KAFKA_TRANSACTIONS=0"
            ) from None
        for topic in topics:
            if topic not in counts:
                raise ReplayError(
                    f"the broker at {self._servers} has no topic {topic}:"
                    " run `jointbuy up --clock log`, and look at TOPIC_PREFIX"
                )
            self._partitioners[topic] = Partitioner(counts[topic])
        return counts

    async def stop(self) -> None:
        """Disconnect; what was not flushed may be lost."""
        await self._producer.stop()
        # After a failure the other deliveries failed too: the first is told, and that is enough.
        await asyncio.gather(*(delivery for _, delivery in self._under_way), return_exceptions=True)

    async def send(self, topic: str, at: datetime, message: Message) -> int:
        """Send a message, to its key's partition or without a key to all; returns to how many.

        ``at`` becomes the record's timestamp.
        """
        key, partitioner = message.key, self._partitioners[topic]
        partitions = [partitioner(key)] if key else range(partitioner.partitions)
        record = _Record(key.encode() or None, encode(message), milliseconds(at), message)
        for partition in partitions:
            await self._append(topic, partition, record)
        return len(partitions)

    async def flush(self) -> None:
        """Return when all that was sent is confirmed; raises ``ReplayError`` with what is not."""
        for topic, partition in list(self._filling):
            await self._submit(topic, partition)
        for batch, delivery in self._under_way:
            await _confirm(batch, delivery)
        self._under_way.clear()

    async def _append(self, topic: str, partition: int, record: _Record) -> None:
        key, value, timestamp_ms, message = record
        while True:
            batch = self._filling.get((topic, partition))
            if batch is None:
                batch = _Batch(topic, partition, self._producer.create_batch(), message, message)
                self._filling[topic, partition] = batch
            # An empty batch takes a record of any size, so this ends.
            if batch.builder.append(timestamp=timestamp_ms, key=key, value=value) is not None:
                batch.last = message
                return
            await self._submit(topic, partition)

    async def _submit(self, topic: str, partition: int) -> None:
        batch = self._filling.pop((topic, partition))
        batch.builder.close()
        # Waits until the partition's batch before this one is on its way: the bound on memory.
        sent = self._producer.send_batch(batch.builder, topic, partition=partition)
        self._under_way.append((batch, await _confirm(batch, sent)))
        while self._under_way and self._under_way[0][1].done():
            await _confirm(*self._under_way.popleft())


async def _confirm(batch: _Batch, delivery: Awaitable[Any]) -> Any:
    try:
        return await delivery
    except KafkaError as error:
        raise ReplayError(
            f"{_name_of(batch.first)} to {_name_of(batch.last)} did not get into {batch.topic}"
            f" partition {batch.partition} ({error!r}): look after the broker, then replay again"
        ) from error


def _name_of(message: Message) -> str:
    own = getattr(message, "order_id", None) or getattr(message, "return_id", None) or message.key
    return f"{type(message).__name__} {own}"
