"""The topics of a stopped deployment, to be copied or backed up."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runtime import clients
from runtime.admin import set_of_topic
from runtime.on_cluster import found_topics, groups_there
from runtime.processor import Processor
from runtime.records import InputRecord, Unreadable
from runtime.repartition import Reader
from runtime.settings import Settings
from runtime.topic_plan import CLOCK, EXPIRES_BY, OUTBOXES, topics_of
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS
from terminal import topics
from terminal.console import Mistake, Step
from terminal.copying import changed
from terminal.lags import committed_by
from terminal.whole import Whole, whole

FENCED_AT_ONCE: Final = 16


class Stopped:
    """A ``Source`` of the records of a deployment whose processes have all ended."""

    def __init__(
        self,
        client: AIOKafkaAdminClient,
        settings: Settings,
        processors: Sequence[Processor],
        whole: Whole,
        step: Step,
    ) -> None:
        self._client = client
        self._settings = settings
        self._processors = processors
        self._whole = whole
        self._step = step
        self._there: set[str] = set()
        #: Steps done, and how many there are as far as it is known.
        self.done = self.of = 0

    async def check(self) -> None:
        """Refuse topics that are not a deployment's, or have another number of partitions."""
        settings = self._settings
        planned = [each.name for each in topics_of(settings, self._processors)]
        found = await found_topics(self._client, planned, configured=False)
        self._there = {settings.without_prefix(name) for name in found}
        if not self._there & {*CATALOGUE}:
            raise Mistake(
                f"the broker at {settings.kafka_bootstrap_servers} has no topics with the prefix"
                f" {settings.topic_prefix!r}: set TOPIC_PREFIX to that of the deployment"
            )
        counts = {name: each.partitions for name, each in found.items()}
        counts.pop(settings.topic(CLOCK), None)
        topics.check_partitions(settings, counts, counts)

    async def outboxes(self) -> dict[str, dict[TopicPartition, Any]]:
        """What groups on shops' outboxes have committed. Those topics are the shops'."""
        begin = self._settings.topic(OUTBOXES)
        return {
            name: await self._client.list_consumer_group_offsets(name)
            for name in await groups_there(self._client)
            if name.startswith(begin)
        }

    async def dead_letters_expire(self) -> dict[str, str]:
        """The settings by which dead letters expire, where they do."""
        name = DEAD_LETTERS.name
        if name not in self._there:
            return {}
        kept = await set_of_topic(self._client, self._settings.topic(name))
        return {each: kept[each] for each in EXPIRES_BY if each in kept}

    async def fence(self) -> None:
        """End what workers left open, and keep one that nobody knows of from committing."""
        gate = asyncio.Semaphore(FENCED_AT_ONCE)
        settings = self._settings

        async def fence(transactional_id: str) -> None:
            async with (
                gate,
                topics.connected(clients.producer(settings, transactional_id), settings),
            ):
                pass

        await asyncio.gather(
            *(
                fence(f"{settings.topic(each.group_id)}-{number}")
                for each in self._processors
                for number in range(settings.partitions)
            )
        )

    async def read(self, name: str) -> AsyncGenerator[InputRecord, None]:
        """All records of a topic; none if it is not there."""
        if name not in self._there:
            return
        settings = self._settings
        async for record in self._whole.read(settings.topic(name), settings.partitions):
            self.done += 1
            self._step(self.done, max(self.of, self.done))
            yield record

    async def readers(self) -> list[Reader]:
        """Where each processor goes on in each of its inputs."""
        _, ends = await topics.stable_ends(
            self._settings,
            [place for name in self._there & {*CATALOGUE} for place in self._places(name)],
        )
        return [found for each in self._processors for found in await self._readers_of(each, ends)]

    def _places(self, name: str) -> list[TopicPartition]:
        topic = self._settings.topic(name)
        return [TopicPartition(topic, number) for number in range(self._settings.partitions)]

    async def _readers_of(
        self, processor: Processor, ends: Mapping[TopicPartition, int]
    ) -> list[Reader]:
        """Where a processor goes on, as ``runtime.partition`` has it."""
        names = [each.name for each in processor.inputs if each.name in self._there]
        places = [place for name in names for place in self._places(name)]
        group = self._settings.topic(processor.group_id)
        found = await committed_by(self._settings, group, places)

        def at(place: TopicPartition) -> int:
            committed = found.get(place, 0)
            # Beyond the end, the topic was made anew and is read from its beginning.
            return committed if committed <= ends[place] else 0

        return [
            Reader(processor.group_id, name, [at(place) for place in self._places(name)])
            for name in names
        ]

    def passed_over(self, readers: Iterable[Reader]) -> list[Unreadable]:
        """What could not be read. Raises ``Mistake`` if somebody has still to read it."""
        for record in self._whole.unreadable:
            name = self._settings.without_prefix(record.topic)
            if name not in CATALOGUE or any(
                each.at[record.partition] <= record.last_offset
                for each in readers
                if each.topic == name
            ):
                raise Mistake(
                    f"{record}: it can't be copied. If it is a service's input, start the service,"
                    " which writes a dead letter; else restore the topic from a replica or a backup"
                )
        return [*self._whole.unreadable]

    def again(self) -> dict[TopicPartition, int]:
        """The ends of what was read; from now on all is read once more."""
        ends, self._whole.ends = self._whole.ends, {}
        self.of = 2 * self.done
        return ends

    async def check_unchanged(self, ends: Mapping[TopicPartition, int]) -> None:
        """Refuse topics that have got records since."""
        _, now = await topics.stable_ends(self._settings, [*ends])
        for place, end in ends.items():
            if now[place] != end:
                raise changed(place.topic)


@asynccontextmanager
async def stopped(
    client: AIOKafkaAdminClient, settings: Settings, processors: Sequence[Processor], step: Step
) -> AsyncIterator[Stopped]:
    """The topics of a deployment, which were checked."""
    async with whole(settings) as reader:
        made = Stopped(client, settings, processors, reader, step)
        await made.check()
        yield made
