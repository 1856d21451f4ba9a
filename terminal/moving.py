"""Copies a stopped deployment's topics to another prefix and number of partitions, and compares.

The topic ``repartition`` of the new prefix is there until all is done; it gets a record when the
copy is compared and complete. The new topic ``clock`` is made after that: without it no worker
starts, so half a copy is never used. The old ``clock`` is deleted then, so that the old deployment
does not start again.
"""

import asyncio
import heapq
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runtime import clients, transport
from runtime.admin import create, delete_topics, replace_settings, set_of_topic
from runtime.follower import Follower
from runtime.key_digests import KeyDigests
from runtime.on_cluster import found_topics, members_of
from runtime.processor import Processor
from runtime.records import InputRecord, OutputRecord, Unreadable
from runtime.repartition import (
    TOPICS,
    Kept,
    Move,
    Reader,
    Survey,
    new_positions,
    while_copied,
)
from runtime.settings import Settings
from runtime.store import POSITIONS_KEY
from runtime.topic_plan import CLOCK, EXPIRES_BY, OUTBOXES, PROJECTOR, PlannedTopic, topics_of
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS
from terminal import topics
from terminal.console import Mistake, Step
from terminal.lags import committed_by

#: The topic that says how far a copy is.
MARKER: Final = "repartition"
PREFIX: Final = re.compile(r"[a-zA-Z0-9._-]{0,100}")
#: An open transaction ends by itself after a minute.
SILENCE_SECONDS: Final = 90.0
SENT_AT_ONCE: Final = 4_000
BYTES_AT_ONCE: Final = 4_000_000
FENCED_AT_ONCE: Final = 16


@dataclass(frozen=True)
class Compared:
    """A topic before and after, without its prefix; ``differing`` are partitions and keys."""

    topic: str
    before: KeyDigests
    after: KeyDigests
    differing: Sequence[tuple[int, bytes | None]]


@dataclass
class Proof:
    """What was compared, and records that could not be read and are left out."""

    topics: list[Compared] = field(default_factory=list)
    #: Consumer groups, and how many records each has not read: before, after.
    readers: list[tuple[Reader, int]] = field(default_factory=list)
    left_out: list[Unreadable] = field(default_factory=list)
    was_complete: bool = False

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        rows = all(not each.differing for each in self.topics)
        return rows and all(reader.unread == after for reader, after in self.readers)


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


class Moving:
    """One run. The new settings differ from the old in prefix and number of partitions."""

    def __init__(
        self, old: Settings, new: Settings, processors: Sequence[Processor], step: Step
    ) -> None:
        # Most partitions are at their end: no fetch need wait there.
        quick = {"fetch_wait_ms": 1, "idle_fetch_wait_ms": 1}
        self._old, self._new = old.model_copy(update=quick), new.model_copy(update=quick)
        self._processors = processors
        self._step = step
        self._move = Move(old.topic_prefix, new.topic_prefix, old.partitions, new.partitions)
        self._there: dict[str, int] = {}
        self._readers: list[Reader] = []
        self._kept: dict[str, Kept] = {}
        self._proof = Proof()
        self._done = self._of = 0

    async def run(self) -> Proof:
        """Copy and compare. If something differs, the copy stays incomplete.

        Raises ``Mistake`` where it would be wrong to begin, or to go on.
        """
        async with topics.connected(clients.admin(self._old), self._old) as client:
            if await self._was_complete(client):
                await self._hand_over(client)
                return Proof(was_complete=True)
            await self._check_source(client)
            outboxes = await self._outboxes(client)
            await self._check_stopped(client, outboxes)
            await self._fence()
            async with whole(self._old) as source:
                survey = await self._survey(source)
                ends, source.ends = source.ends, {}
                await self._make_topics(client)
                await self._copy_all(source, survey)
            await self._commit(survey, outboxes)
            if not self._proof.is_same:
                return self._proof
            await self._check_unchanged(ends)
            await self._check_stopped(client, outboxes)
            await self._complete(client)
            return self._proof

    # --- before ----------------------------------------------------------------------------------

    async def _was_complete(self, client: AIOKafkaAdminClient) -> bool:
        """Whether an earlier run was stopped when its copy was complete."""
        marker = TopicPartition(self._new.topic(MARKER), 0)
        if marker.topic not in await client.list_topics():
            return False
        async with topics.connected(clients.consumer(self._new), self._new) as reader:
            ends = await reader.end_offsets([marker])
        return bool(ends[marker])

    async def _check_source(self, client: AIOKafkaAdminClient) -> None:
        planned = [each.name for each in topics_of(self._old, self._processors)]
        found = await found_topics(client, planned, configured=False)
        self._there = {
            self._old.without_prefix(name): each.partitions for name, each in found.items()
        }
        if not {*self._there} & {*CATALOGUE}:
            raise Mistake(
                f"the broker at {self._old.kafka_bootstrap_servers} has no topics with the prefix"
                f" {self._old.topic_prefix!r}: set TOPIC_PREFIX to that of the deployment to move"
            )
        counts = {name: each.partitions for name, each in found.items()}
        counts.pop(self._old.topic(CLOCK), None)
        topics.check_partitions(self._old, counts, counts)

    async def _outboxes(self, client: AIOKafkaAdminClient) -> dict[str, dict[TopicPartition, Any]]:
        """What groups on shops' outboxes have committed. Those topics are the shops', and stay."""
        begin = self._old.topic(OUTBOXES)
        names = [name for name, *_ in await client.list_consumer_groups() if name.startswith(begin)]
        return {name: await client.list_consumer_group_offsets(name) for name in names}

    async def _check_stopped(self, client: AIOKafkaAdminClient, outboxes: Iterable[str]) -> None:
        ours = [*(each.group_id for each in self._processors), PROJECTOR]
        groups = [settings.topic(name) for settings in (self._old, self._new) for name in ours]
        if members := await members_of(client, [*groups, *outboxes]):
            said = ", ".join(f"{group} ({len(each)})" for group, each in sorted(members.items()))
            raise Mistake(
                f"these consumer groups have members: {said}: stop all processes, and wait until"
                " the broker has noticed, at most 10 s after a kill"
            )

    async def _fence(self) -> None:
        """End what workers left open, and keep one that nobody knows of from committing."""
        gate = asyncio.Semaphore(FENCED_AT_ONCE)

        async def fence(transactional_id: str) -> None:
            async with (
                gate,
                topics.connected(clients.producer(self._old, transactional_id), self._old),
            ):
                pass

        await asyncio.gather(
            *(
                fence(f"{self._old.topic(each.group_id)}-{number}")
                for each in self._processors
                for number in range(self._old.partitions)
            )
        )

    # --- what is there ---------------------------------------------------------------------------

    async def _survey(self, source: Whole) -> Survey:
        """Read everything once: where each record goes, and whether all may go there."""
        for each in self._processors:
            kept = self._kept[each.group_id] = Kept()
            async for record in self._read(source, each.changelog):
                kept.take(record)
        self._check_claims()
        _, ends = await topics.stable_ends(
            self._old,
            [
                TopicPartition(self._old.topic(name), number)
                for name in {*self._there} & {*CATALOGUE}
                for number in range(self._old.partitions)
            ],
        )
        self._readers = [
            reader for each in self._processors for reader in await self._readers_of(each, ends)
        ]
        survey = Survey(self._move, self._readers)
        for name in TOPICS:
            async for record in self._read(source, name):
                survey.take(name, record)
        self._check_unreadable(source.unreadable)
        self._check_read()
        return survey

    async def _read(self, source: Whole, name: str) -> AsyncGenerator[InputRecord, None]:
        """All records of one of the old topics; none if it is not there."""
        if name in self._there:
            async for record in source.read(self._old.topic(name), self._old.partitions):
                self._done += 1
                self._step(self._done, max(self._of, self._done))
                yield record

    def _check_claims(self) -> None:
        for each in self._processors:
            if claimed := len(self._kept[each.group_id].claimed):
                raise Mistake(
                    f"{each.service} has {claimed} calls whose replies only its STATE_DIR may have:"
                    " start it again, end it with SIGTERM, then run this again"
                )

    async def _readers_of(
        self, processor: Processor, ends: Mapping[TopicPartition, int]
    ) -> list[Reader]:
        """Where a processor goes on in each of its inputs, as ``runtime.partition`` has it."""
        names = [each.name for each in processor.inputs if each.name in self._there]
        places = [
            TopicPartition(self._old.topic(name), number)
            for name in names
            for number in range(self._old.partitions)
        ]
        found = await committed_by(self._old, self._old.topic(processor.group_id), places)

        def at(place: TopicPartition) -> int:
            committed = found.get(place, 0)
            # Beyond the end, the topic was made anew and is read from its beginning.
            return committed if committed <= ends[place] else 0

        return [
            Reader(
                processor.group_id,
                name,
                [at(TopicPartition(self._old.topic(name), number))
                 for number in range(self._old.partitions)],
            )
            for name in names
        ]  # fmt: skip

    def _check_unreadable(self, found: Sequence[Unreadable]) -> None:
        for record in found:
            name = self._old.without_prefix(record.topic)
            readers = [each for each in self._readers if each.topic == name]
            if name not in CATALOGUE or any(
                each.at[record.partition] <= record.last_offset for each in readers
            ):
                raise Mistake(
                    f"{record}: it can't be copied. If it is a service's input, start the service,"
                    " which writes a dead letter; else restore the topic from a replica or a backup"
                )
        self._proof.left_out = [*found]

    def _check_read(self) -> None:
        # A group that never ran has no rows, and begins at the beginning.
        begun = {each.group for each in self._readers if each.handled.total()}
        behind = [each for each in self._readers if each.unread and each.group in begun]
        if self._move.merges and behind:
            first = behind[0]
            raise Mistake(
                f"{first.group} has not read {first.unread} records of {first.topic}: start the"
                " services and wait until `jointbuy lag` shows 0, or take a multiple of"
                f" {self._move.old} for --to"
            )

    # --- the copy --------------------------------------------------------------------------------

    async def _make_topics(self, client: AIOKafkaAdminClient) -> None:
        """Make the new topics but the clock, after deleting what an earlier run left behind."""
        planned = [while_copied(each) for each in topics_of(self._new, self._processors)]
        planned = [each for each in planned if each.name != self._new.topic(CLOCK)]
        names = [self._new.topic(CLOCK), *(each.name for each in planned)]
        found = await found_topics(client, [*names, self._new.topic(MARKER)], configured=False)
        if self._new.topic(MARKER) not in found:
            await self._check_empty({name: each.partitions for name, each in found.items()})
        left = [name for name in names if name in found]
        if left:
            await delete_topics(self._new, left)
        marker = PlannedTopic(self._new.topic(MARKER), 1, self._new.replication_factor)
        wanted = [each for each in (marker, *planned) if each.name not in {*found} - {*left}]
        if refused := await create(client, wanted):
            raise Mistake(f"we may not create {refused[0]}: run this as a user who may")
        await self._check_empty({each.name: each.partitions for each in planned})

    async def _check_empty(self, found: dict[str, int]) -> None:
        """Refuse topics with records; those of the clock do not matter."""
        places = [
            TopicPartition(name, number)
            for name, count in found.items()
            for number in range(count)
            if name != self._new.topic(CLOCK)
        ]
        if not places:
            return
        async with topics.connected(clients.consumer(self._new), self._new) as reader:
            ends = await reader.end_offsets(places)
        if full := sorted({place.topic for place, end in ends.items() if end}):
            raise Mistake(
                f"there are records in {full[0]} already: choose another --prefix, or delete the"
                " topics of that prefix if nobody needs them"
            )

    async def _copy_all(self, source: Whole, survey: Survey) -> None:
        self._of = 2 * self._done
        async with (
            topics.connected(
                clients.producer(self._new, enable_idempotence=True), self._new
            ) as sender,
            whole(self._new) as target,
        ):
            for name in TOPICS:
                copied = _Copy(sender)
                async for record in self._read(source, name):
                    made = survey.references.record(name, record)
                    place = made.partition, copied.counts[made.partition]
                    if survey.places.of(name, record.partition, record.offset) != place:
                        raise self._changed(name)
                    await copied.add(made)
                await copied.send()
                await self._compare(name, target, copied.digests)
            for each in self._processors:
                await self._copy_rows(each, source, target, survey, sender)

    async def _copy_rows(
        self,
        processor: Processor,
        source: Whole,
        target: Whole,
        survey: Survey,
        sender: AIOKafkaProducer,
    ) -> None:
        """Copy a changelog; the last record of each partition is its positions."""
        copied = _Copy(sender)
        name = processor.changelog
        async for record in self._read(source, name):
            if record.key != POSITIONS_KEY:
                await copied.add(survey.references.row(name, record))
        readers = [each for each in self._readers if each.group == processor.group_id]
        kept = self._kept[processor.group_id].positions
        now_ms = int(time.time() * 1000)
        for number in range(self._new.partitions):
            value = new_positions(self._move, kept, readers, number)
            if value is not None:
                topic = self._new.topic(name)
                await copied.add(OutputRecord(topic, number, POSITIONS_KEY, value, now_ms, []))
        await copied.send()
        await self._compare(name, target, copied.digests)

    async def _compare(self, name: str, target: Whole, before: KeyDigests) -> None:
        """Read a new topic back, and compare it with what was read of the old one."""
        after = KeyDigests()
        async for record in target.read(self._new.topic(name), self._new.partitions):
            after.take(record)
        if target.unreadable:
            raise Mistake(f"the copy can't be read: {target.unreadable[0]}")
        self._proof.topics.append(Compared(name, before, after, before.differing(after)))

    def _changed(self, name: str) -> Mistake:
        return Mistake(
            f"{self._old.topic(name)} has changed while it was copied: stop all that writes to it,"
            " shops' own producers too, then run this again: it starts over"
        )

    # --- after -----------------------------------------------------------------------------------

    async def _commit(self, survey: Survey, outboxes: dict[str, dict[TopicPartition, Any]]) -> None:
        """Commit where each group goes on, and look what it has not read."""
        for group in {each.group: None for each in self._readers}:
            readers = [each for each in self._readers if each.group == group]
            offsets = {
                TopicPartition(self._new.topic(each.topic), number): each.handled[number]
                for each in readers
                for number in range(self._new.partitions)
            }
            await self._commit_for(self._new.topic(group), offsets)
            there = await committed_by(self._new, self._new.topic(group), [*offsets])
            for each in readers:
                ends = survey.counts[each.topic]
                unread = sum(
                    max(
                        ends[number]
                        - there.get(TopicPartition(self._new.topic(each.topic), number), 0),
                        0,
                    )
                    for number in range(self._new.partitions)
                )
                self._proof.readers.append((each, unread))
        for group, kept in outboxes.items():
            name = self._new.topic(self._old.without_prefix(group))
            await self._commit_for(name, {place: at.offset for place, at in kept.items()})

    async def _commit_for(self, group: str, offsets: dict[TopicPartition, int]) -> None:
        if not offsets:
            return
        async with topics.connected(clients.consumer(self._new, group), self._new) as member:
            member.assign([*offsets])
            await member.commit(offsets)

    async def _check_unchanged(self, ends: dict[TopicPartition, int]) -> None:
        _, now = await topics.stable_ends(self._old, [*ends])
        for place, end in ends.items():
            if now[place] != end:
                raise self._changed(self._old.without_prefix(place.topic))

    async def _complete(self, client: AIOKafkaAdminClient) -> None:
        """Give the topics their settings, and hand over."""
        planned = topics_of(self._new, self._processors)
        wanted = {each.name: dict(each.settings) for each in planned}
        del wanted[self._new.topic(CLOCK)]
        if self._old.dead_letter_days is None:
            kept = await set_of_topic(client, self._old.topic(DEAD_LETTERS.name))
            expiry: dict[str, str] = {name: kept[name] for name in EXPIRES_BY if name in kept}
            wanted[self._new.topic(DEAD_LETTERS.name)] |= expiry
        await replace_settings(client, wanted)
        async with topics.connected(clients.producer(self._new), self._new) as sender:
            await sender.send_and_wait(self._new.topic(MARKER), b"complete", partition=0)
        await self._hand_over(client)

    async def _hand_over(self, client: AIOKafkaAdminClient) -> None:
        """Let the new deployment start and the old one no more."""
        clock, *_ = topics_of(self._new)
        old = self._old.topic(CLOCK)
        there = {*await client.list_topics()}
        if clock.name not in there:
            await create(client, [clock])
        if old in there:
            await delete_topics(self._old, [old])
        await delete_topics(self._new, [self._new.topic(MARKER)])


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[Whole]:
    """A reader of whole topics, connected."""
    made = Whole(settings)
    async with topics.connected(made.follower, settings):
        yield made


class _Copy:
    """Sends the records of a topic, those of a partition in order."""

    def __init__(self, sender: AIOKafkaProducer) -> None:
        self.digests = KeyDigests()
        #: Records so far by partition.
        self.counts: Counter[int] = Counter()
        self._sender = sender
        self._waiting: list[OutputRecord] = []
        self._bytes = 0

    async def add(self, record: OutputRecord) -> None:
        """Send a record, at once or with others."""
        self.digests.take(record)
        self.counts[record.partition] += 1
        self._waiting.append(record)
        self._bytes += len(record.value or b"")
        if len(self._waiting) >= SENT_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            await self.send()

    async def send(self) -> None:
        """Send what waits, and wait until it is acknowledged."""
        sent, self._waiting, self._bytes = self._waiting, [], 0
        for (topic, partition), end in (await transport.send(self._sender, sent)).items():
            if end != self.counts[partition]:
                raise Mistake(f"another program writes to {topic}: end it, then run this again")
