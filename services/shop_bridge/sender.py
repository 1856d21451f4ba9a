"""Sends records to the broker: batched, in order within a partition, every delivery confirmed."""

from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.runtime.records import Partitioner

#: A batch waits until it is full or the stretch is over; topics allow records of 900 kB.
BATCH_BYTES = 256 * 1024
REQUEST_BYTES = 1024 * 1024


class ReplayError(RuntimeError):
    """The replay can't go on; the text is one line that says what to do."""


@dataclass(slots=True)
class _Batch:
    topic: str
    partition: int
    builder: Any
    first: str
    last: str


class Sender:
    """Fills a batch for each partition of its topics and sends it when it is full.

    aiokafka takes a batch when the one before it is on its way, so at most three of a partition
    are in memory. With ``transactions`` false the broker can't take an idempotent producer, and
    a retry may send a batch twice.
    """

    def __init__(self, bootstrap_servers: str, transactions: bool) -> None:
        self._servers = bootstrap_servers
        self._producer: Any = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            enable_idempotence=transactions,
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
            # Unlike asking for one topic, asking for all makes none with a default's partitions.
            cluster = await self._producer.client.fetch_all_metadata()
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
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        for topic, partitions in counts.items():
            if not partitions:
                raise ReplayError(
                    f"the broker at {self._servers} has no topic {topic}:"
                    " run `jointbuy up --clock log`, and look at TOPIC_PREFIX"
                )
            self._partitioners[topic] = Partitioner(partitions)
        return counts

    async def stop(self) -> None:
        """Disconnect; what was not flushed may be lost."""
        await self._producer.stop()

    async def send(self, topic: str, key: str, value: bytes, timestamp_ms: int, name: str) -> None:
        """Send a record to its key's partition; ``name`` is what an error calls it by."""
        await self._append(topic, self._partitioners[topic](key), key, value, timestamp_ms, name)

    async def send_to_all(self, topic: str, value: bytes, timestamp_ms: int, name: str) -> int:
        """Send a record without a key to every partition; returns how many there are."""
        partitions = self._partitioners[topic].partitions
        for partition in range(partitions):
            await self._append(topic, partition, None, value, timestamp_ms, name)
        return partitions

    async def flush(self) -> None:
        """Return when all that was sent is confirmed; raises ``ReplayError`` with what is not."""
        for topic, partition in list(self._filling):
            await self._submit(topic, partition)
        for batch, delivery in self._under_way:
            await _confirm(batch, delivery)
        self._under_way.clear()

    async def _append(
        self, topic: str, partition: int, key: str | None, value: bytes, at_ms: int, name: str
    ) -> None:
        encoded = key.encode() if key is not None else None
        while True:
            batch = self._filling.get((topic, partition))
            if batch is None:
                batch = _Batch(topic, partition, self._producer.create_batch(), name, name)
                self._filling[topic, partition] = batch
            # An empty batch takes a record of any size, so this ends.
            if batch.builder.append(timestamp=at_ms, key=encoded, value=value) is not None:
                batch.last = name
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
            f"{batch.first} to {batch.last} did not get into {batch.topic} partition"
            f" {batch.partition} ({error!r}): look after the broker, then replay again"
        ) from error
