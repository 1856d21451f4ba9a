"""Reads partitions without a consumer group: to the ends found at the first fetch, or for ever.

An end is what a fetch tells. ``end_offsets`` of aiokafka ignores open transactions, and is too low
on the embedded broker.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from itertools import chain

from aiokafka import TopicPartition

from runtime.batches import note_unreadable
from runtime.clients import consumer
from runtime.records import InputRecord, Partitioner, Unreadable
from runtime.settings import Settings
from schemas.topic import Topic

#: How long a fetch is waited for, so that the caller has its turn.
WAIT_MS = 20
RECORDS_MAX = 5_000


def partitions_of(
    settings: Settings, topic: Topic, of_id: str | None = None
) -> list[TopicPartition]:
    """All partitions of a topic, or the one in which the records of an id lie."""
    name = settings.topic(topic.name)
    if of_id is not None:
        return [TopicPartition(name, Partitioner(settings.partitions)(of_id))]
    return [TopicPartition(name, number) for number in range(settings.partitions)]


class Follower:
    """Gives records as they are in the topic; the caller decodes them.

    ``pass_over`` gets what can't be read; by default, it is logged and counted. With
    ``leaves_open``, a partition ends before its first open transaction; else ``to_end`` waits until
    that has ended. One that ``follows`` reads on for long, see ``consumer``. To assign, seek or
    pause, use ``reader``.
    """

    def __init__(
        self,
        settings: Settings,
        pass_over: Callable[[Unreadable], None] = note_unreadable,
        *,
        leaves_open: bool = False,
        follows: bool = False,
    ) -> None:
        self.reader = consumer(settings, follows=follows)
        self.ends: dict[TopicPartition, int] = {}
        self._pass_over = pass_over
        self._leaves_open = leaves_open

    async def start(self, *partitions: TopicPartition) -> None:
        """Connect, and read these partitions from their beginnings."""
        await self.reader.start()
        if partitions:
            self.reader.assign(partitions)

    async def stop(self) -> None:
        """Disconnect."""
        await self.reader.stop()

    async def batch(
        self, *partitions: TopicPartition, wait_ms: int = WAIT_MS, records_max: int = RECORDS_MAX
    ) -> list[InputRecord]:
        """The next records of these partitions, or of all; none if none came in time."""
        fetched = await self.reader.getmany(
            *partitions, timeout_ms=wait_ms, max_records=records_max
        )
        # getmany() may return without yielding, so yield here.
        await asyncio.sleep(0)
        readable = []
        for record in chain.from_iterable(fetched.values()):
            if isinstance(record, Unreadable):
                self._pass_over(record)
            else:
                readable.append(record)
        return readable

    async def to_end(
        self, partition: TopicPartition, records_max: int = RECORDS_MAX
    ) -> AsyncGenerator[list[InputRecord], None]:
        """The batches of a partition up to its end; an empty one each ``WAIT_MS`` without records.

        The others are fetched meanwhile, so the ends of all are of about one moment.
        """
        while True:
            self._note_ends()
            if (end := self.ends.get(partition)) is not None:
                # Control records leave gaps, so the position tells, not the last record. A topic
                # that was created anew may end earlier.
                end = min(end, self.reader.highwater(partition))
                if await self.reader.position(partition) >= end:
                    return
            batch = await self.batch(partition, records_max=records_max)
            yield [each for each in batch if end is None or each.offset < end]

    async def to_ends(self) -> AsyncGenerator[list[InputRecord], None]:
        """The batches of all partitions up to their ends, one partition after the other."""
        for partition in sorted(self.reader.assignment()):
            async for batch in self.to_end(partition):
                yield batch

    def _note_ends(self) -> None:
        for each in self.reader.assignment() - self.ends.keys():
            end: int | None = self.reader.highwater(each)
            if end is not None:
                stable: int | None = self.reader.last_stable_offset(each)
                if self._leaves_open and stable is not None and 0 <= stable < end:
                    end = stable
                self.ends[each] = end
