"""The lag of each consumer group, counted to the last stable offset, and its age.

A group that has committed nothing yet is behind by all records of its topics. The age is that of
the first record that can be read from the committed offset on: offsets may be those of an aborted
transaction, of a commit marker, or of a record that compaction has deleted.
"""

import asyncio
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError

from runtime import clients
from runtime.clients import admin
from runtime.follower import partitions_of
from runtime.metadata import counts_of
from runtime.on_cluster import groups_there, members_of
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from terminal import topics

#: Readers of topics that are not a consumer group.
NO_SERVICES: Final = frozenset({"terminal", "replay"})
#: The place of a member's metadata in the answer of DescribeGroups.
METADATA: Final = 3


@dataclass(frozen=True)
class Lag:
    """A group on a topic, both named without the prefix; sums over partitions, and the worst.

    ``oldest_unread_at`` is the timestamp of the oldest record that is not read, if one is there.
    Its writer sets it: it may be when the order was placed, not when the record came.
    """

    group: str
    topic: str
    partitions: int
    end: int
    committed: int
    lag: int
    lag_max: int
    oldest_unread_at: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """The age of that record, at least 0; ``None`` if all is read."""
        if self.oldest_unread_at is None:
            return None
        return max(now - self.oldest_unread_at, timedelta())

    def as_json(self, now: datetime) -> dict[str, Any]:
        """All of it, with ``oldest_unread_seconds``."""
        age = self.age(now)
        seconds = None if age is None else round(age.total_seconds(), 3)
        return {**asdict(self), "oldest_unread_seconds": seconds}


def without_group(found: Iterable[Lag]) -> list[str]:
    """Services that read topics and of which no consumer group is known."""
    known = {each.group.partition("-")[0] for each in found}
    readers = {service for topic in CATALOGUE.values() for service in topic.consumers}
    return sorted(readers - known - NO_SERVICES)


async def lags(settings: Settings) -> list[Lag]:
    """The lag of every group of ours on every catalogue topic that it reads."""
    async with topics.connected(admin(settings), settings) as client:
        there = await groups_there(client)
        groups = sorted(name for name in there if name.startswith(settings.topic_prefix))
        names = {settings.topic(name) for name in CATALOGUE}
        topics.check_there(settings, await counts_of(client._client, names), names)
        reads = await _reads(client, groups)
    partitions = [tp for topic in CATALOGUE.values() for tp in partitions_of(settings, topic)]
    # Offsets are read before ends: a commit in between would look ahead of the end.
    committed = {group: await committed_by(settings, group, partitions) for group in groups}
    begins, ends = await topics.stable_ends(settings, partitions)
    found = [
        _Place(group, name, _at(settings, name, offsets, begins))
        for group, offsets in committed.items()
        for name in CATALOGUE
        if settings.topic(name) in reads.get(group, ())
        or any(tp.topic == settings.topic(name) for tp in offsets)
    ]
    behind = {(tp, at) for place in found for tp, at in place.at.items() if at < ends[tp]}
    stamps = await topics.timestamps_from(settings, behind)
    return [_lag(settings, place, ends, stamps) for place in found]


@dataclass(frozen=True)
class _Place:
    """The next offset of a group in each partition of a topic."""

    group: str
    topic: str
    at: dict[TopicPartition, int]


def _at(
    settings: Settings,
    name: str,
    offsets: dict[TopicPartition, int],
    begins: dict[TopicPartition, int],
) -> dict[TopicPartition, int]:
    own = partitions_of(settings, CATALOGUE[name])
    # A partition that nothing is committed on will be read from its beginning.
    return {tp: max(offsets.get(tp, 0), begins[tp]) for tp in own}


async def _reads(client: AIOKafkaAdminClient, groups: list[str]) -> dict[str, set[str]]:
    """The topics that members of each group have asked for; none if a group has no members."""
    try:
        found = await members_of(client, groups)
    except KafkaError:
        # A broker that can't describe groups still has their offsets.
        return {}
    return {
        group: {topic for member in members for topic in asked_for(member[METADATA])}
        for group, members in found.items()
    }


def asked_for(metadata: bytes) -> list[str]:
    """The topics in a member's part of the consumer protocol; none if it can't be read."""
    try:
        found: list[str] = ConsumerProtocolMemberMetadata.decode(metadata).subscription
    except (ValueError, struct.error):
        return []
    return found


async def committed_by(
    settings: Settings, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """The committed offsets of a group, without joining it (the embedded broker lists none)."""
    async with topics.connected(clients.consumer(settings, group), settings) as member:
        member.assign(partitions)
        offsets = await asyncio.gather(*(member.committed(tp) for tp in partitions))
    return {
        tp: offset for tp, offset in zip(partitions, offsets, strict=True) if offset is not None
    }


def _lag(
    settings: Settings,
    place: _Place,
    ends: dict[TopicPartition, int],
    stamps: Mapping[tuple[TopicPartition, int], int],
) -> Lag:
    behind = [max(ends[tp] - at, 0) for tp, at in place.at.items()]
    oldest = min((stamps[each] for each in place.at.items() if each in stamps), default=None)
    return Lag(
        group=settings.without_prefix(place.group),
        topic=place.topic,
        partitions=len(place.at),
        end=sum(ends[tp] for tp in place.at),
        committed=sum(place.at.values()),
        lag=sum(behind),
        lag_max=max(behind),
        oldest_unread_at=None if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC),
    )
