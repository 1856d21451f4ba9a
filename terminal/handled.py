"""Sends records, and waits until a service has handled them."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime import clients
from runtime.clients import admin
from runtime.on_cluster import groups_there
from runtime.records import OutputRecord
from runtime.settings import Settings
from schemas.topic import Topic
from terminal import topics
from terminal.console import Mistake, waiting

LOOK_SECONDS = 0.05
#: How long a command waits until its records are handled.
HANDLED_SECONDS = 30.0


async def send_and_see(settings: Settings, records: Sequence[OutputRecord], facts: Topic) -> None:
    """Send, and wait until the service that writes these facts has committed beyond the records.

    Then its facts are on the topic, unless the key is parked.
    """
    ends = await topics.send(settings, records)
    service = facts.producers[0]
    with waiting(f"waiting for {service}"):
        try:
            async with asyncio.timeout(HANDLED_SECONDS):
                await _handled(settings, ends, service)
        except TimeoutError:
            raise Mistake(
                f"sent, but not handled within {HANDLED_SECONDS:g} s: check with `jointbuy status`"
                f" that {service} runs; it is handled later"
            ) from None


async def _handled(settings: Settings, ends: Mapping[tuple[str, int], int], service: str) -> None:
    behind = {TopicPartition(*place): end for place, end in ends.items()}
    ours = f"{settings.topic_prefix}{service}-"
    members: dict[str, AIOKafkaConsumer] = {}
    async with topics.connected(admin(settings), settings) as client:
        try:
            while behind:
                # A group appears with its first commit.
                groups = await groups_there(client)
                for group in (name for name in groups if name.startswith(ours)):
                    if group not in members:
                        members[group] = clients.consumer(settings, group)
                        await members[group].start()
                    # Asked without joining the group.
                    for tp in [*behind]:
                        if (await members[group].committed(tp) or 0) >= behind[tp]:
                            del behind[tp]
                await asyncio.sleep(LOOK_SECONDS if behind else 0)
        finally:
            await asyncio.gather(*(member.stop() for member in members.values()))
