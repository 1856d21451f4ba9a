"""Copies a deployment's records to topics of another prefix or cluster, and compares.

They come from a ``Source``: the topics of a stopped deployment, or a backup. The topic
``repartition`` of the new prefix is there until all is done; it gets a record when the copy is
compared and complete. The new topic ``clock`` is made after that: without it no worker starts, so
half a copy is never used.
"""

import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runtime import clients, transport
from runtime.admin import create, delete_topics, replace_settings
from runtime.key_digests import KeyDigests
from runtime.metadata import counts_of
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
from runtime.topic_plan import CLOCK, PROJECTOR, PlannedTopic, topics_of
from schemas.ops import DEAD_LETTERS
from terminal import topics
from terminal.console import Mistake
from terminal.lags import committed_by
from terminal.whole import Whole, whole

#: The topic that says how far a copy is.
MARKER: Final = "repartition"
PREFIX: Final = re.compile(r"[a-zA-Z0-9._-]{0,100}")
SENT_AT_ONCE: Final = 4_000
BYTES_AT_ONCE: Final = 4_000_000
#: How long a cluster may take to say who has joined a group: a new one first makes a topic.
GROUPS_SECONDS: Final = 30.0


class Source(Protocol):
    """Records to copy; topics are named without a prefix."""

    def read(self, name: str) -> AsyncIterator[InputRecord]:
        """All records of a topic or changelog, in the order to copy them; none if there is none."""
        ...

    async def readers(self) -> list[Reader]:
        """Where each group goes on in each of its topics."""
        ...


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
    left_out: Sequence[Unreadable] = ()
    was_complete: bool = False

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        rows = all(not each.differing for each in self.topics)
        return rows and all(reader.unread == after for reader, after in self.readers)


# --- what there is to copy -----------------------------------------------------------------------


@dataclass(frozen=True)
class Surveyed:
    """What a source has: where each record goes, and the rows that are made anew, by group."""

    survey: Survey
    kept: Mapping[str, Kept]
    readers: Sequence[Reader]


async def surveyed(source: Source, move: Move, processors: Sequence[Processor]) -> Surveyed:
    """Read everything once. Raises ``Mistake`` if not all may be copied."""
    kept = await rows_kept(source, processors)
    readers = await source.readers()
    survey = Survey(move, readers)
    for name in TOPICS:
        async for record in source.read(name):
            survey.take(name, record)
    _check_read(move, readers)
    return Surveyed(survey, kept, readers)


async def rows_kept(source: Source, processors: Iterable[Processor]) -> dict[str, Kept]:
    """Read the changelogs. Raises ``Mistake`` if a call was claimed and has no reply."""
    found: dict[str, Kept] = {}
    for each in processors:
        kept = found[each.group_id] = Kept()
        async for record in source.read(each.changelog):
            kept.take(record)
        if claimed := len(kept.claimed):
            raise Mistake(
                f"{each.service} has {claimed} calls whose replies only its STATE_DIR may have:"
                " start it again, end it with SIGTERM, then run this again"
            )
    return found


def _check_read(move: Move, readers: Iterable[Reader]) -> None:
    # A group that never ran has no rows, and begins at the beginning.
    begun = {each.group for each in readers if each.handled.total()}
    behind = [each for each in readers if each.unread and each.group in begun]
    if move.merges and behind:
        first = behind[0]
        raise Mistake(
            f"{first.group} has not read {first.unread} records of {first.topic}: start the"
            " services and wait until `jointbuy lag` shows 0, or take a multiple of"
            f" {move.old} partitions"
        )


async def check_stopped(
    client: AIOKafkaAdminClient,
    deployments: Iterable[Settings],
    processors: Iterable[Processor],
    outboxes: Iterable[str] = (),
) -> None:
    """Refuse to go on while a group of these deployments has members."""
    ours = [*(each.group_id for each in processors), PROJECTOR]
    groups = [settings.topic(name) for settings in deployments for name in ours]
    if members := await members_of(client, [*groups, *outboxes], GROUPS_SECONDS):
        said = ", ".join(f"{group} ({len(each)})" for group, each in sorted(members.items()))
        raise Mistake(
            f"these consumer groups have members: {said}: stop all processes, and wait until"
            " the broker has noticed, at most 10 s after a kill"
        )


# --- the copy ------------------------------------------------------------------------------------


class Target:
    """The new topics; ``content`` names the records that they get, for a run after a kill."""

    def __init__(
        self,
        client: AIOKafkaAdminClient,
        settings: Settings,
        processors: Sequence[Processor],
        content: bytes = b"complete",
    ) -> None:
        self._client = client
        self._settings = settings
        self._processors = processors
        self._content = content

    async def was_complete(self) -> bool:
        """Whether an earlier run was stopped when its copy of the same records was complete."""
        marker = self._settings.topic(MARKER)
        if not await counts_of(self._client._client, [marker]):
            return False
        async with whole(self._settings) as reader:
            said = [each.value async for each in reader.read(marker, 1)]
        return said[-1:] == [self._content]

    async def _say(self, said: bytes) -> None:
        async with topics.connected(clients.producer(self._settings), self._settings) as sender:
            await sender.send_and_wait(self._settings.topic(MARKER), said, partition=0)

    async def make_topics(self) -> None:
        """Make the new topics but the clock, after deleting what an earlier run left behind."""
        settings = self._settings
        planned = [while_copied(each) for each in topics_of(settings, self._processors)]
        planned = [each for each in planned if each.name != settings.topic(CLOCK)]
        names = [settings.topic(CLOCK), *(each.name for each in planned)]
        marker = PlannedTopic(settings.topic(MARKER), 1, settings.replication_factor)
        found = await found_topics(self._client, [*names, marker.name], configured=False)
        if marker.name not in found:
            await self._check_empty({name: each.partitions for name, each in found.items()})
        elif settings.topic(CLOCK) in found:
            raise Mistake(
                f"the prefix {settings.topic_prefix!r} has a complete copy of something else, and"
                " may be in use: choose another --prefix"
            )
        else:
            # If it was complete with other records, it is half a copy from now on.
            await self._say(b"begun")
        left = [name for name in names if name in found]
        if left:
            await delete_topics(settings, left)
        wanted = [each for each in (marker, *planned) if each.name not in {*found} - {*left}]
        if refused := await create(self._client, wanted):
            raise Mistake(f"we may not create {refused[0]}: run this as a user who may")
        await self._check_empty({each.name: each.partitions for each in planned})

    async def _check_empty(self, found: Mapping[str, int]) -> None:
        """Refuse topics with records; those of the clock do not matter."""
        places = [
            TopicPartition(name, number)
            for name, count in found.items()
            for number in range(count)
            if name != self._settings.topic(CLOCK)
        ]
        if not places:
            return
        async with topics.connected(clients.consumer(self._settings), self._settings) as reader:
            ends = await reader.end_offsets(places)
        if full := sorted({place.topic for place, end in ends.items() if end}):
            raise Mistake(
                f"there are records in {full[0]} already: choose another --prefix, or delete the"
                " topics of that prefix if nobody needs them"
            )

    async def copy(self, source: Source, move: Move, found: Surveyed) -> list[Compared]:
        """Copy all, and compare each topic once it is copied."""
        settings, survey = self._settings, found.survey
        compared = []
        async with (
            topics.connected(
                clients.producer(settings, enable_idempotence=True), settings
            ) as sender,
            whole(settings) as target,
        ):
            for name in TOPICS:
                copied = _Copy(sender)
                async for record in source.read(name):
                    made = survey.references.record(name, record)
                    place = made.partition, copied.counts[made.partition]
                    if survey.places.of(name, record.partition, record.offset) != place:
                        raise changed(move.old_prefix + name)
                    await copied.add(made)
                await copied.send()
                compared.append(await self._compared(name, target, copied.digests))
            for each in self._processors:
                copied = _Copy(sender)
                await self._copy_rows(each, source, move, found, copied)
                compared.append(await self._compared(each.changelog, target, copied.digests))
        return compared

    async def _copy_rows(
        self,
        processor: Processor,
        source: Source,
        move: Move,
        found: Surveyed,
        copied: "_Copy",
    ) -> None:
        """Copy a changelog; the last record of each partition is its positions."""
        name = processor.changelog
        async for record in source.read(name):
            if record.key != POSITIONS_KEY:
                await copied.add(found.survey.references.row(name, record))
        readers = [each for each in found.readers if each.group == processor.group_id]
        kept = found.kept[processor.group_id].positions
        now_ms = int(time.time() * 1000)
        for number in range(move.new):
            value = new_positions(move, kept, readers, number)
            if value is not None:
                topic = self._settings.topic(name)
                await copied.add(OutputRecord(topic, number, POSITIONS_KEY, value, now_ms, []))
        await copied.send()

    async def _compared(self, name: str, target: Whole, before: KeyDigests) -> Compared:
        """Read a new topic back, and compare it with what was sent."""
        after = KeyDigests()
        async for record in target.read(self._settings.topic(name), self._settings.partitions):
            after.take(record)
        if target.unreadable:
            raise Mistake(f"the copy can't be read: {target.unreadable[0]}")
        return Compared(name, before, after, before.differing(after))

    async def commit(self, found: Surveyed) -> list[tuple[Reader, int]]:
        """Commit where each group goes on, and count what it has not read."""
        settings, told = self._settings, []
        for group in {each.group: None for each in found.readers}:
            readers = [each for each in found.readers if each.group == group]
            offsets = {
                TopicPartition(settings.topic(each.topic), number): each.handled[number]
                for each in readers
                for number in range(settings.partitions)
            }
            await self.commit_for(group, offsets)
            there = await committed_by(settings, settings.topic(group), [*offsets])
            for each in readers:
                ends = found.survey.counts[each.topic]
                unread = (
                    ends[number] - there.get(TopicPartition(settings.topic(each.topic), number), 0)
                    for number in range(settings.partitions)
                )
                told.append((each, sum(max(count, 0) for count in unread)))
        return told

    async def commit_for(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets of a group that is named without the prefix."""
        if not offsets:
            return
        name = self._settings.topic(group)
        async with topics.connected(clients.consumer(self._settings, name), self._settings) as one:
            one.assign([*offsets])
            await one.commit(dict(offsets))

    async def complete(self, dead_letters_expire: Mapping[str, str]) -> None:
        """Give the topics their settings, and note that they are complete.

        Without DEAD_LETTER_DAYS, dead letters expire as they did.
        """
        planned = topics_of(self._settings, self._processors)
        wanted = {each.name: dict(each.settings) for each in planned}
        del wanted[self._settings.topic(CLOCK)]
        if self._settings.dead_letter_days is None:
            wanted[self._settings.topic(DEAD_LETTERS.name)] |= dead_letters_expire
        await replace_settings(self._client, wanted)
        await self._say(self._content)

    async def open(self, before: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let the new deployment start: make its clock; do ``before`` between that and the end."""
        clock, *_ = topics_of(self._settings)
        if not await counts_of(self._client._client, [clock.name]):
            await create(self._client, [clock])
        if before is not None:
            await before()
        await delete_topics(self._settings, [self._settings.topic(MARKER)])


def changed(topic: str) -> Mistake:
    """What to say of a topic that is another one than when it was first read."""
    return Mistake(
        f"{topic} has changed while it was copied: stop all that writes to it,"
        " shops' own producers too, then run this again: it starts over"
    )


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
