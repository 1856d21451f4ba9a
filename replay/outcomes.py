"""Which id each request was given, as the topic ``request-outcomes`` tells."""

from collections.abc import Collection, Iterable
from time import monotonic

from aiokafka import TopicPartition

from replay.sender import ReplayError
from runtime.follower import Follower
from runtime.settings import Settings
from schemas.groups import REQUEST_OUTCOMES, IdIssued, RequestRefused

POLL_MS = 200


class Outcomes:
    """Reads all outcomes there are and come, without a consumer group.

    From the topic's beginning, not from its end: when a replay is run again, the ids of the first
    time are what it goes on with, whether or not a repeated request is answered anew.
    """

    def __init__(self, settings: Settings, topic: str, partitions: Iterable[int]) -> None:
        self._follower = Follower(settings)
        self._partitions = [TopicPartition(topic, partition) for partition in partitions]
        self._known: dict[str, str | RequestRefused] = {}

    async def start(self) -> None:
        """Connect; raises aiokafka's ``KafkaConnectionError``."""
        await self._follower.start(*self._partitions)

    async def stop(self) -> None:
        """Disconnect."""
        await self._follower.stop()

    async def ids(self, asked: Collection[str], patience_seconds: float) -> dict[str, str]:
        """The group id of each request asked for, once all are known.

        Raises ``ReplayError`` when one is refused, or when none that is missing comes for
        ``patience_seconds``.
        """
        ids: dict[str, str] = {}
        heard_at = monotonic()
        while True:
            missing = [request_id for request_id in asked if request_id not in ids]
            for request_id in missing:
                outcome = self._known.get(request_id)
                if isinstance(outcome, RequestRefused):
                    raise ReplayError(_refusal(outcome))
                if outcome is not None:
                    ids[request_id] = outcome
                    heard_at = monotonic()
            if len(ids) == len(asked):
                return ids
            if monotonic() - heard_at > patience_seconds:
                raise ReplayError(_silence(asked, ids, patience_seconds))
            await self._read()

    async def _read(self) -> None:
        for record in await self._follower.batch(wait_ms=POLL_MS):
            if record.value is not None:
                outcome = REQUEST_OUTCOMES.adapter.validate_json(record.value)
                issued = isinstance(outcome, IdIssued)
                self._known[outcome.request_id] = outcome.group_id if issued else outcome


def _refusal(outcome: RequestRefused) -> str:
    problems = "; ".join(f"{found.field}: {found.problem}" for found in outcome.problems)
    return f"request {outcome.request_id} is refused, mend its terms: {problems}"


def _silence(asked: Collection[str], ids: dict[str, str], seconds: float) -> str:
    first = next(request_id for request_id in asked if request_id not in ids)
    return (
        f"no outcome of {first} (and {len(asked) - len(ids) - 1} more) came for {seconds:.0f} s:"
        " see whether request_service runs and keeps up, with `jointbuy status` and `jointbuy lag`"
    )
