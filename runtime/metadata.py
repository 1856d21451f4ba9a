"""What the brokers say of topics and of themselves, asked for by name.

A question about all topics costs a shared cluster, and the one who asks, a second of processor time
for ten thousand partitions; aiokafka's own questions are about all topics. None here makes a topic.
"""

import random
from collections.abc import Collection, Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, RequestTimedOutError
from aiokafka.protocol.metadata import MetadataRequest

#: A broker that is away does not answer: another one is asked.
AWAY = (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError)


async def asked(
    client: AIOKafkaClient, names: Collection[str] = (), node: int | None = None
) -> Any:
    """The answer about these topics, and about the brokers; of one broker, or of any that answers.

    Raises ``KafkaError``.
    """
    request = MetadataRequest(sorted(names), allow_auto_topic_creation=False)
    nodes = [each.nodeId for each in client.cluster.brokers()] if node is None else [node]
    random.shuffle(nodes)
    for each in nodes[:-1]:
        try:
            return await client.send(each, request)
        except AWAY:
            continue
    return await client.send(nodes[-1] if nodes else "bootstrap", request)


async def partitions_of(
    client: AIOKafkaClient, names: Collection[str]
) -> dict[str, Sequence[dict[str, Any]]]:
    """The partitions of each of these topics that is there, by its name; raises ``KafkaError``.

    Each has its number, ``leader``, ``replicas`` and ``isr``.
    """
    # The embedded broker answers a question about no topic with all.
    told = (await asked(client, names)).to_object()["topics"] if names else []
    # A topic that the broker is deleting has no partition.
    return {each["topic"]: each["partitions"] for each in told if each["partitions"]}


async def counts_of(client: AIOKafkaClient, names: Collection[str]) -> dict[str, int]:
    """The number of partitions of each of these topics that is there; raises ``KafkaError``."""
    return {name: len(its) for name, its in (await partitions_of(client, names)).items()}
