"""Small compacted topics read whole by every worker: restored first, followed afterwards."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress

import structlog
from aiokafka import TopicPartition

from schemas.messages import Message
from schemas.topics import Topic
from services.runtime.records import BadRecordError, InputRecord, Partitioner, decode
from services.runtime.settings import Settings
from services.runtime.transport import consumer, read_end

_log = structlog.get_logger()


class WholeRead(Mapping[str, Message]):
    """The latest message of every key of a topic, in key order."""

    def __init__(self, topic: Topic, settings: Settings) -> None:
        self.topic = topic
        self._settings = settings
        self._latest: dict[str, Message] = {}
        self._sorted = True
        self._partitioner = Partitioner(topic.partitions)
        self._reader = consumer(settings)

    def __getitem__(self, key: str) -> Message:
        return self._latest[key]

    def __contains__(self, key: object) -> bool:
        return key in self._latest

    def __len__(self) -> int:
        return len(self._latest)

    def __iter__(self) -> Iterator[str]:
        if not self._sorted:
            self._latest = dict(sorted(self._latest.items()))
            self._sorted = True
        return iter(self._latest)

    async def start(self) -> None:
        """Read the topic to its end."""
        name = self._settings.topic(self.topic.name)
        await self._reader.start()
        partitions = [TopicPartition(name, number) for number in range(self.topic.partitions)]
        self._reader.assign(partitions)
        await self._reader.seek_to_beginning(*partitions)
        while not await self._at_end(partitions):
            await self._take(timeout_ms=50)

    async def follow(self) -> None:
        """Keep up with the topic until cancelled."""
        while True:
            await self._take(timeout_ms=1_000)

    async def stop(self) -> None:
        """Disconnect."""
        await self._reader.stop()

    async def _at_end(self, partitions: list[TopicPartition]) -> bool:
        for partition in partitions:
            end = read_end(self._reader, partition)
            answered = self._reader.last_poll_timestamp(partition)
            if end is None or not answered or await self._reader.position(partition) < end:
                return False
        return True

    async def _take(self, timeout_ms: int) -> None:
        fetched = await self._reader.getmany(timeout_ms=timeout_ms)
        for records in fetched.values():
            for record in records:
                self._put(record)

    def _put(self, record: InputRecord) -> None:
        if record.value is None:
            self._latest.pop((record.key or b"").decode("utf-8", "replace"), None)
            return
        try:
            message = decode(self.topic, record, self._partitioner)
        except BadRecordError as error:
            # Every worker reads this record; a dead letter from each would say the same.
            _log.error(
                "unreadable record passed over",
                topic=record.topic,
                offset=record.offset,
                partition=record.partition,
                error=str(error),
            )
            return
        if message.key not in self._latest:
            self._sorted = False
        self._latest[message.key] = message


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
