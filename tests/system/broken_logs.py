"""Records as no client sends them, and logs as no broker writes them.

The broker checks codec and checksum of what it takes, so a batch that is broken in these is made on
its disk: it hands over the bytes of a log's file as they are.
"""

import asyncio
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import CorruptRecordException, MessageSizeTooLargeError, for_code
from aiokafka.protocol.produce import ProduceRequest

from runtime.clients import admin, producer
from tests.raw_batches import ATTRIBUTES_AT, HEADER, sealed
from tests.shared_broker import folder_of_run
from tests.system.stack import DEADLINE_SECONDS, Stack

SEGMENT = "00000000000000000000.log"


def produce(stack: Stack, topic: str, partition: int, batch: bytes) -> int:
    """Send a batch as it is; the offset it got. Raises aiokafka's error of the broker's refusal."""

    async def go() -> int:
        sender = producer(stack.settings)
        await sender.start()
        try:
            await sender.partitions_for(topic)
            leader = sender.client.cluster.leader_for_partition(TopicPartition(topic, partition))
            request = ProduceRequest(None, -1, 60_000, [(topic, [(partition, batch)])])
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    answer = await sender.client.send(leader, request)
                    ((_, ((_, code, offset, *_),)),) = answer.topics
                    if not code:
                        return int(offset)
                    error = for_code(code)
                    # The broker says that a limit is set before the partition's log has it.
                    is_early = error is MessageSizeTooLargeError
                    if not is_early and (not error.retriable or error is CorruptRecordException):
                        raise error
        finally:
            await sender.stop()

    return asyncio.run(go())


def take_up_to(stack: Stack, topic: str, bytes_max: int) -> None:
    """Let a topic take batches of that size."""

    async def go() -> None:
        client = admin(stack.settings)
        await client.start()
        try:
            told = {"max.message.bytes": str(bytes_max)}
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, told)])
        finally:
            await client.close()

    asyncio.run(go())


@dataclass(frozen=True)
class LogFile:
    """A partition's log on the broker's disk."""

    path: Path

    def change(self, offset: int, how: Callable[[bytes], bytes]) -> None:
        """Put other bytes, as many, where the batch with this offset lies."""
        with self.path.open("r+b") as file:
            at = 0
            while head := file.read(HEADER.size):
                base, length = struct.unpack_from(">qi", head)
                last = base + HEADER.unpack(head)[6]
                if base <= offset <= last:
                    file.seek(at)
                    batch = file.read(12 + length)
                    changed = how(batch)
                    assert len(changed) == len(batch)
                    file.seek(at)
                    file.write(changed)
                    return
                at += 12 + length
                file.seek(at)
        raise AssertionError(f"{self.path} has no offset {offset}")


def log_file(factory: pytest.TempPathFactory, topic: str, partition: int) -> LogFile:
    """The log of a partition on the broker that the testers of this run share."""
    found = list(folder_of_run(factory).rglob(f"{topic}-{partition}/{SEGMENT}"))
    if not found:
        reason = "the broker keeps its logs where this test can't reach them"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return LogFile(found[0])


def one_bit_off(batch: bytes) -> bytes:
    """As a disk that rots."""
    return batch[:-1] + bytes([batch[-1] ^ 1])


def with_codec(codec: int) -> Callable[[bytes], bytes]:
    """The batch said to be compressed, which it is not; the checksum fits."""

    def change(batch: bytes) -> bytes:
        told = bytearray(batch)
        told[ATTRIBUTES_AT + 1] |= codec
        return sealed(bytes(told))

    return change
