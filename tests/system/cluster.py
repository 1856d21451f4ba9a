"""Three brokers of one cluster: each is a process of its own, and each topic has a copy on each.

A topic takes records as long as two of the three have them.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from runtime.ports import free_port
from stack import brokers
from stack.brokers import RunningBroker
from tests.system.stack import until

NODES = 3
PROPERTIES = """
node.id={number}
controller.quorum.voters={voters}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
"""


@dataclass
class Node:
    """A broker of the cluster, with ports that it keeps."""

    number: int
    home: Path
    port: int
    controller_port: int
    properties: str
    cluster_id: str
    running: RunningBroker | None = None

    def start(self) -> None:
        """Start it, or start it again; returns when it answers."""
        self.running = brokers.start(
            "kafka",
            home=self.home,
            port=self.port,
            controller_port=self.controller_port,
            properties=self.properties,
            cluster_id=self.cluster_id,
        )

    def stop(self) -> None:
        """End it in order: it hands over what it leads."""
        if self.running is not None:
            self.running.stop()


@dataclass
class Cluster:
    """The brokers; ``broker`` is the cluster as a stack uses it."""

    nodes: list[Node]

    @property
    def broker(self) -> RunningBroker:
        """All brokers' addresses, as one."""
        servers = ",".join(f"127.0.0.1:{each.port}" for each in self.nodes)
        return RunningBroker("kafka", servers, True)

    def until_in_sync(self) -> None:
        """Wait until each broker has all copies that it should have."""
        until("all copies in sync", lambda: asyncio.run(self._copies_missing()) == 0)

    async def _copies_missing(self) -> int:
        client = AIOKafkaAdminClient(bootstrap_servers=self.broker.bootstrap_servers)
        try:
            await client.start()
            partitions: list[Any] = [
                each for topic in await client.describe_topics() for each in topic["partitions"]
            ]
        except KafkaError:
            # The broker that was asked is not ready; another one is asked next time.
            return -1
        finally:
            await client.close()
        return sum(NODES - len(each["isr"]) for each in partitions)


@contextmanager
def cluster_on(folder: Path) -> Iterator[Cluster]:
    """Three brokers that end with the block."""
    ports = [(free_port(), free_port()) for _ in range(NODES)]
    voters = ",".join(f"{n}@127.0.0.1:{control}" for n, (_, control) in enumerate(ports, 1))
    cluster_id = brokers.new_cluster_id()
    nodes = [
        Node(
            number,
            folder / f"broker-{number}",
            *own,
            PROPERTIES.format(number=number, voters=voters),
            cluster_id,
        )
        for number, own in enumerate(ports, 1)
    ]
    try:
        # None answers before a second one is there.
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(Node.start, nodes))
        yield Cluster(nodes)
    finally:
        for each in reversed(nodes):
            each.stop()
