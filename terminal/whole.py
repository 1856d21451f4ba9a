"""Reads whole topics, one after the other, in the order in which their records are copied."""

import heapq
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import TopicPartition

from runtime.follower import Follower
from runtime.records import InputRecord, Unreadable
from runtime.settings import Settings
from terminal import topics
from terminal.console import Mistake

#: An open transaction ends by itself after a minute.
SILENCE_SECONDS: Final = 90.0
#: Most partitions are at their end: no fetch need wait there.
QUICK: Final = {"fetch_wait_ms": 1, "idle_fetch_wait_ms": 1}


class Whole:
    """Reads topics from their beginnings to their ends, one topic after the other."""

    def __init__(self, settings: Settings) -> None:
        self.follower = Follower(settings, self._note)
        self.ends: dict[TopicPartition, int] = {}
        self.unreadable: list[Unreadable] = []

    def _note(self, record: Unreadable) -> None:
        self.unreadable.append(record)

    async def read(self, name: str, partitions: int) -> AsyncGenerator[InputRecord, None]:
        """All records, the partitions merged by the times of their next records."""
        places = [TopicPartition(name, number) for number in range(partitions)]
        self.follower.ends.clear()
        self.follower.reader.assign(places)
        streams = [self._records(each) for each in places]
        heads: list[tuple[int, int, InputRecord]] = []
        for number, stream in enumerate(streams):
            if (record := await anext(stream, None)) is not None:
                heads.append((record.timestamp, number, record))
        heapq.heapify(heads)
        while heads:
            _, number, record = heads[0]
            yield record
            following = await anext(streams[number], None)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (following.timestamp, number, following))
        self.ends |= self.follower.ends

    async def _records(self, place: TopicPartition) -> AsyncGenerator[InputRecord, None]:
        heard = time.monotonic()
        async for batch in self.follower.to_end(place):
            for record in batch:
                yield record
            if batch:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_SECONDS:
                raise Mistake(
                    f"no records of {place.topic} partition {place.partition} for"
                    f" {SILENCE_SECONDS:.0f} s: the broker does not answer, or another program has"
                    " a transaction open on it: end it, then run this again"
                )


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[Whole]:
    """A reader of whole topics, connected."""
    made = Whole(settings)
    async with topics.connected(made.follower, settings):
        yield made
