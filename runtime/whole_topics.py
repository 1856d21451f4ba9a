"""Small compacted topics read whole by every worker: restored first, followed afterwards.

Where a processor of the same service writes the topic, it first catches up with what its inputs
hold: else, after an outage, rules would decide by facts that only wait to be written.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress

import structlog

from runtime.clients import consumer
from runtime.follower import Follower, partitions_of
from runtime.processor import Processor
from runtime.records import BadRecordError, InputRecord, Partitioner, decode
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
        self._partitioner = Partitioner(settings.partitions)
        self._follower = Follower(settings, follows=True)

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
        await self._follower.start(*partitions_of(self._settings, self.topic))
        async for batch in self._follower.to_ends():
            self._take(batch)

    async def follow(self) -> None:
        """Keep up with the topic until cancelled."""
        while True:
            self._take(await self._follower.batch(wait_ms=1_000))

    async def stop(self) -> None:
        """Disconnect."""
        await self._follower.stop()

    def _take(self, batch: list[InputRecord]) -> None:
        for record in batch:
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


async def _caught_up(writer: Processor, settings: Settings) -> None:
    """Wait until a processor has committed all that its inputs hold at the first look."""
    reader = consumer(settings, settings.topic_prefix + writer.group_id)
    await reader.start()
    try:
        inputs = [each for topic in writer.inputs for each in partitions_of(settings, topic)]
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
