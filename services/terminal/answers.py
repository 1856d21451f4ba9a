"""Sending, and waiting until what was sent is answered or handled."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.messages import Message
from schemas.topics import Topic
from services.runtime import transport
from services.runtime.admin import admin
from services.runtime.records import OutputRecord
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.console import Mistake, waiting

Answer = TypeVar("Answer")

FETCH_MS = 200
LOOK_SECONDS = 0.05
#: A command that answers by what it finds afterwards waits this long for it to be handled.
HANDLED_SECONDS = 30.0


async def ask(
    settings: Settings,
    records: Sequence[OutputRecord],
    listening: Sequence[tuple[Topic, str]],
    answer_of: Callable[[Message], Answer | None],
    patience: float,
) -> Answer | None:
    """Send, and wait for the answer that comes after, on these topics where these ids lie."""
    by_name = {settings.topic(topic.name): topic for topic, _ in listening}
    async with (
        topics.connected(transport.consumer(settings), settings) as reader,
        topics.connected(transport.producer(settings), settings) as sender,
    ):
        partitions = [
            tp
            for topic, key_id in listening
            for tp in topics.partitions_of(settings, topic, key_id)
        ]
        await topics.assign(reader, settings, partitions)
        await reader.seek_to_end()
        await topics.send_by(sender, settings, records)
        deadline = time.monotonic() + patience
        with waiting("waiting for the answer"):
            while time.monotonic() < deadline:
                for fetched in (await reader.getmany(timeout_ms=FETCH_MS)).values():
                    for record in fetched:
                        message = topics.message_of(by_name[record.topic], record)
                        answer = None if message is None else answer_of(message)
                        if answer is not None:
                            return answer
    return None


async def send_and_see(settings: Settings, records: Sequence[OutputRecord], facts: Topic) -> None:
    """Send, and wait until the service that writes these facts has committed beyond it.

    What it made of it then lies on its topics, unless the key is set aside.
    """
    ends = await topics.send(settings, records)
    service = facts.producers[0]
    with waiting(f"waiting for {service}"):
        try:
            async with asyncio.timeout(HANDLED_SECONDS):
                await _handled(settings, ends, service)
        except TimeoutError:
            raise Mistake(
                f"sent, but not handled within {HANDLED_SECONDS:g} s: see that {service} runs with"
                " `jointbuy status`; it goes on from there"
            ) from None


async def _handled(settings: Settings, ends: Mapping[tuple[str, int], int], service: str) -> None:
    behind = {TopicPartition(*place): end for place, end in ends.items()}
    ours = f"{settings.topic_prefix}{service}-"
    members: dict[str, AIOKafkaConsumer] = {}
    async with topics.connected(admin(settings), settings) as client:
        try:
            while behind:
                # A group appears with its first commit.
                groups = [name for name, *_ in await client.list_consumer_groups()]
                for group in (name for name in groups if name.startswith(ours)):
                    if group not in members:
                        members[group] = transport.consumer(settings, group)
                        await members[group].start()
                    # Asked without joining the group.
                    for tp in [*behind]:
                        if (await members[group].committed(tp) or 0) >= behind[tp]:
                            del behind[tp]
                await asyncio.sleep(LOOK_SECONDS if behind else 0)
        finally:
            await asyncio.gather(*(member.stop() for member in members.values()))
