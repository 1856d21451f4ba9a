"""Small compacted topics read whole by every worker: restored first, followed afterwards.

Where a processor of the same service writes the topic, it first catches up with what its inputs
hold: else, after an outage, rules would decide by facts that only wait to be written.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress

import structlog
from aiokafka import TopicPartition

from runtime.batches import note_unreadable
from runtime.clients import consumer, read_end
from runtime.processor import Processor
from runtime.records import BadRecordError, InputRecord, Partitioner, Unreadable, decode
from runtime.settings import Settings
from schemas.parts import Message
from schemas.topic import Topic

CATCH_UP_LOOK_SECONDS = 0.1
_log = structlog.get_logger()


class WholeRead(Mapping[str, Message]):
    """The latest message of every key of a topic, in key order."""

    def __init__(self, topic: Topic, settings: Settings, writer: Processor | None = None) -> None:
        self.topic = topic
        self._writer = writer
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
        """Read the topic to its end, and to where its writer's inputs end now."""
        if self._writer is not None:
            await _caught_up(self._writer, self._settings)
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
        if isinstance(record, Unreadable):
            note_unreadable(record, "in the topic only")
            return
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


async def _caught_up(writer: Processor, settings: Settings) -> None:
    """Wait until a processor has committed all that its inputs hold at the first look."""
    reader = consumer(settings, settings.topic_prefix + writer.group_id)
    await reader.start()
    try:
        inputs = [
            TopicPartition(settings.topic(topic.name), number)
            for topic in writer.inputs
            for number in range(topic.partitions)
        ]
        first = await reader.beginning_offsets(inputs)
        ends = await reader.end_offsets(inputs)
        behind = [each for each in inputs if ends[each] > first[each]]
        looks = 0
        while behind:
            committed = {each: await reader.committed(each) for each in behind}
            behind = [each for each in behind if (committed[each] or 0) < ends[each]]
            if behind:
                if looks % 100 == 0:
                    _log.info("waiting for a writer to catch up", writer=writer.group_id)
                looks += 1
                await asyncio.sleep(CATCH_UP_LOOK_SECONDS)
    finally:
        await reader.stop()


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
