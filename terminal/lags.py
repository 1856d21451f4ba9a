"""The lag of each consumer group, counted to the last stable offset.

A group that has committed nothing yet is behind by all records of its topics.
"""

import asyncio
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError

from runtime import clients
from runtime.clients import admin
from runtime.follower import partitions_of
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from terminal import topics

#: Readers of topics that are not a consumer group.
NO_SERVICES: Final = frozenset({"terminal", "replay"})
#: The place of a member's metadata in the answer of DescribeGroups.
METADATA: Final = 3


@dataclass(frozen=True)
class Lag:
    """A group on a topic, both named without the prefix; sums over partitions, and the worst."""

    group: str
    topic: str
    partitions: int
    end: int
    committed: int
    lag: int
    lag_max: int


def without_group(found: Iterable[Lag]) -> list[str]:
    """Services that read topics and of which no consumer group is known."""
    known = {each.group.partition("-")[0] for each in found}
    readers = {service for topic in CATALOGUE.values() for service in topic.consumers}
    return sorted(readers - known - NO_SERVICES)


async def lags(settings: Settings) -> list[Lag]:
    """The lag of every group of ours on every catalogue topic that it reads."""
    async with topics.connected(admin(settings), settings) as client:
        groups = sorted(
            name
            for name, *_ in await client.list_consumer_groups()
            if name.startswith(settings.topic_prefix)
        )
        there = await client.list_topics()
        reads = await _reads(client, groups)
    partitions = [tp for topic in CATALOGUE.values() for tp in partitions_of(settings, topic)]
    topics.check_there(settings, there, {tp.topic for tp in partitions})
    # Offsets are read before ends: a commit in between would look ahead of the end.
    committed = {group: await _committed(settings, group, partitions) for group in groups}
    begins, ends = await topics.stable_ends(settings, partitions)
    return [
        _lag(settings, group, name, offsets, begins, ends)
        for group, offsets in committed.items()
        for name in CATALOGUE
        if settings.topic(name) in reads.get(group, ())
        or any(tp.topic == settings.topic(name) for tp in offsets)
    ]


async def _reads(client: AIOKafkaAdminClient, groups: list[str]) -> dict[str, set[str]]:
    """The topics that members of each group have asked for; none if a group has no members."""
    if not groups:
        return {}
    try:
        answers = await client.describe_consumer_groups(groups)
    except KafkaError:
        # A broker that can't describe groups still has their offsets.
        return {}
    return {
        group: {topic for member in members for topic in asked_for(member[METADATA])}
        for answer in answers
        for _, group, _, _, _, members, *_ in answer.groups
    }


def asked_for(metadata: bytes) -> list[str]:
    """The topics in a member's part of the consumer protocol; none if it can't be read."""
    try:
        found: list[str] = ConsumerProtocolMemberMetadata.decode(metadata).subscription
    except (ValueError, struct.error):
        return []
    return found


async def _committed(
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
    group: str,
    name: str,
    offsets: dict[TopicPartition, int],
    begins: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
) -> Lag:
    own = partitions_of(settings, CATALOGUE[name])
    # A partition that nothing is committed on will be read from its beginning.
    at = {tp: max(offsets.get(tp, 0), begins[tp]) for tp in own}
    behind = [max(ends[tp] - at[tp], 0) for tp in own]
    return Lag(
        group=settings.without_prefix(group),
        topic=name,
        partitions=len(own),
        end=sum(ends[tp] for tp in own),
        committed=sum(at.values()),
        lag=sum(behind),
        lag_max=max(behind),
    )
