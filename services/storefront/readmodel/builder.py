"""Builds a generation of the read model beside the one that pages show.

It reads all partitions without a consumer group. So the projectors, which are in a group, go on
feeding the present generation. Its positions are in SQL, so a builder that was killed is continued.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.clients import consumer
from runtime.settings import Settings
from services.storefront.readmodel.copying import TOPICS, Copier
from services.storefront.readmodel.generations import Generations

_POLL_MS: Final = 100
_log = structlog.get_logger()


class Builder:
    """Builds one generation at a time; use it under ``Generations.building``."""

    def __init__(
        self, settings: Settings, generations: Generations, stopping: asyncio.Event
    ) -> None:
        #: How far it is, for ops; empty while it does not build.
        self.progress = ""
        self._settings = settings
        self._generations = generations
        self._stopping = stopping

    async def build(self, origin: str, replaced: int) -> None:
        """Build a generation of this log, ready unless it is stopped.

        ``replaced`` is the newest generation of the same model, or 0. It is closed at the end, and
        the new one has all of it: so nothing that a page showed is gone after the swap.
        """
        number = await self._generations.begin(replaced)
        _log.info("a generation of the read model is built", generation=number)
        copier = Copier(self._settings, self._generations, number)
        reader = consumer(self._settings)
        self.progress = f"builds generation {number} of the read model"
        try:
            await reader.start()
            topics = [self._settings.topic(topic.name) for topic in TOPICS]
            partitions = [
                TopicPartition(topic, each)
                for topic in topics
                for each in range(self._settings.partitions)
            ]
            reader.assign(partitions)
            is_ours = await copier.writer.open(origin)
            positions = await copier.find(reader, partitions) if is_ours else None
            if positions is None:
                _log.warning("what was built is of another log", generation=number)
                await self._generations.drop(number)
                return
            copier.open(reader, positions)
            # The second time, what came in the meantime: little.
            for _ in range(2):
                await self._read_to(reader, copier, await reader.end_offsets(partitions))
            if replaced and not self._stopping.is_set():
                ends = await self._close(reader, replaced, origin, partitions)
                await self._read_to(reader, copier, ends)
            if not self._stopping.is_set():
                await self._generations.make_ready(number)
                _log.info("a generation of the read model is ready", generation=number)
        finally:
            self.progress = ""
            await reader.stop()
            await copier.close()

    async def _close(
        self,
        reader: AIOKafkaConsumer,
        replaced: int,
        origin: str,
        partitions: list[TopicPartition],
    ) -> Mapping[TopicPartition, int]:
        """Let nobody write to a generation any more, and answer how far it has read this log."""
        copier = Copier(self._settings, self._generations, replaced)
        try:
            if not await copier.writer.open(origin):
                return {}
            closed = await copier.writer.close([copier.place(tp) for tp in partitions])
            ends = await reader.end_offsets(partitions)
            # One that is ahead of its log is of another one.
            return {tp: min(closed[copier.place(tp)], ends[tp]) for tp in partitions}
        finally:
            await copier.close()

    async def _read_to(
        self, reader: AIOKafkaConsumer, copier: Copier, ends: Mapping[TopicPartition, int]
    ) -> None:
        while any(copier.at[tp] < end for tp, end in ends.items()):
            if self._stopping.is_set():
                return
            found = await reader.getmany(
                timeout_ms=_POLL_MS, max_records=self._settings.batch_records_max
            )
            await copier.take(reader, found)
            read = sum(min(copier.at[tp], end) for tp, end in ends.items())
            self.progress = (
                f"builds generation {copier.generation} of the read model:"
                f" {read} of {sum(ends.values())} records are read"
            )
