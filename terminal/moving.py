"""Copies a stopped deployment's topics to another prefix and number of partitions, and compares.

The old ``clock`` is deleted when all is done, so that the old deployment does not start again.
"""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient

from runtime import clients
from runtime.admin import delete_topics
from runtime.metadata import counts_of
from runtime.processor import Processor
from runtime.repartition import Move
from runtime.settings import Settings
from runtime.topic_plan import CLOCK
from terminal import topics
from terminal.console import Step
from terminal.copying import Proof, Target, check_stopped, surveyed
from terminal.stopped import stopped
from terminal.whole import QUICK


class Moving:
    """One run. The new settings differ from the old in prefix and number of partitions."""

    def __init__(
        self, old: Settings, new: Settings, processors: Sequence[Processor], step: Step
    ) -> None:
        self._old, self._new = old.model_copy(update=QUICK), new.model_copy(update=QUICK)
        self._processors = processors
        self._step = step
        self._move = Move(old.topic_prefix, new.topic_prefix, old.partitions, new.partitions)

    async def run(self) -> Proof:
        """Copy and compare. If something differs, the copy stays incomplete.

        Raises ``Mistake`` where it would be wrong to begin, or to go on.
        """
        async with topics.connected(clients.admin(self._old), self._old) as client:
            target = Target(client, self._new, self._processors)
            if await target.was_complete():
                await self._hand_over(client, target)
                return Proof(was_complete=True)
            async with stopped(client, self._old, self._processors, self._step) as source:
                outboxes = await source.outboxes()
                both = self._old, self._new
                await check_stopped(client, both, self._processors, outboxes)
                await source.fence()
                found = await surveyed(source, self._move, self._processors)
                proof = Proof(left_out=source.passed_over(found.readers))
                ends = source.again()
                await target.make_topics()
                proof.topics = await target.copy(source, self._move, found)
                proof.readers = await target.commit(found)
                for group, kept in outboxes.items():
                    at = {place: each.offset for place, each in kept.items()}
                    await target.commit_for(self._old.without_prefix(group), at)
                if not proof.is_same:
                    return proof
                await source.check_unchanged(ends)
                await check_stopped(client, both, self._processors, outboxes)
                await target.complete(await source.dead_letters_expire())
            await self._hand_over(client, target)
            return proof

    async def _hand_over(self, client: AIOKafkaAdminClient, target: Target) -> None:
        """Let the new deployment start and the old one no more."""

        async def close_old() -> None:
            old = self._old.topic(CLOCK)
            if await counts_of(client._client, [old]):
                await delete_topics(self._old, [old])

        await target.open(close_old)
