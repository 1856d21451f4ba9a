"""Deals partitions to the workers of a group as ``shares`` says, by Kafka's group protocol.

The leader is one of the workers. What workers tell it, and it tells them, is in the user data of
the protocol, so no topic is needed.

It has the name of Kafka's range assignor, which workers of releases before use: so old and new ones
are in one group. Old ones tell nothing, and as leaders give no standbys. A second name would not
do, as aiokafka (0.14) joins once for each.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

from runtime.shares import Held, Share, shares

VERSION = 0
_encode = msgspec.json.Encoder().encode
_held = msgspec.json.Decoder(Held).decode
_share = msgspec.json.Decoder(Share).decode


def _told(user_data: bytes) -> Held:
    return _held(user_data) if user_data else Held()


class Assignor:
    """One consumer's part; aiokafka calls it where it would call one of its classes.

    ``held`` says what this worker has when it joins. ``share`` is what it was given last.
    """

    name = "range"

    def __init__(self, held: Callable[[], Held], standbys: int) -> None:
        self.share = Share()
        self._held = held
        self._standbys = standbys

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this worker tells the leader."""
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), _encode(self._held()))

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Deal out, as the leader."""
        topics = {topic for each in members.values() for topic in each.subscription}
        counts = {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        held = {member: _told(each.user_data) for member, each in members.items()}
        dealt = shares(held, max(counts.values(), default=0), self._standbys)
        return {
            member: ConsumerProtocolMemberAssignment(
                VERSION,
                [
                    # A number stands for the partition of each topic that the member reads.
                    (topic, sorted(each for each in share.runs if each < counts[topic]))
                    for topic in sorted(members[member].subscription)
                ],
                _encode(share),
            )
            for member, share in dealt.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Note what this worker is given."""
        told = assignment.user_data
        self.share = _share(told) if told else Share()
