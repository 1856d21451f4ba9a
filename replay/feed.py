"""Replays stretches of recorded shop data: recorded files ─▶ group-purchase-requests, orders.

A buyer can't order before the id is known. So a stretch's requests go out first, then their ids
are awaited in request-outcomes, then its orders go out under these ids. A record's timestamp is
its event's own time, and ``TimePassed`` goes to every partition of both topics each hour of it;
see ``timetable.py`` for what holds between the two.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

from aiokafka.errors import KafkaError

from replay.outcomes import Outcomes
from replay.sender import ReplayError, Sender
from replay.stretch import Stretch, Timed, deadline_of, request_of, under_id
from replay.timetable import Faults, Timetable
from runtime.settings import Settings
from schemas.groups import GROUP_PURCHASE_REQUESTS, REQUEST_OUTCOMES, GroupPurchaseRequested
from schemas.orders import ORDERS, OrderPaid, OrderReturned


@dataclass
class Summary:
    """What a replay did: records sent by type, copies among them, lines skipped by reason."""

    source: str
    groups: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        counts = {"sent": dict(self.sent), "skipped": dict(self.skipped)}
        return {**vars(self), **counts, "seconds": round(self.seconds, 3)}


async def replay(
    source: str,
    stretches: Iterable[Stretch],
    *,
    settings: Settings,
    faults: Faults,
    patience_seconds: float,
    progress: Callable[[Stretch], None] = lambda stretch: None,
) -> Summary:
    """Send all stretches, and time up to past the last deadline; returns when all is confirmed.

    ``patience_seconds`` is how long no outcome may come while some are missing; ``progress`` is
    called when a stretch is over. Raises ``ReplayError`` and what reading ``stretches`` raises.
    """
    begun = monotonic()
    requests, orders, outcomes = (
        settings.topic(topic.name) for topic in (GROUP_PURCHASE_REQUESTS, ORDERS, REQUEST_OUTCOMES)
    )
    servers = settings.kafka_bootstrap_servers
    sender = Sender(settings)
    summary = Summary(source)
    try:
        async with AsyncExitStack() as at_end:
            at_end.push_async_callback(sender.stop)
            partitions = await sender.start([requests, orders, outcomes])
            reader = Outcomes(settings, outcomes, range(partitions[outcomes]))
            at_end.push_async_callback(reader.stop)
            await reader.start()
            feed = _Feed(sender, reader, requests, orders, faults, patience_seconds, summary)
            for stretch in stretches:
                await feed.stretch(stretch)
                progress(stretch)
            await feed.end()
    except KafkaError as error:
        raise ReplayError(
            f"the broker at {servers} fails ({error!r}): look after it, then replay again"
        ) from error
    summary.seconds = monotonic() - begun
    return summary


@dataclass
class _Feed:
    sender: Sender
    outcomes: Outcomes
    requests_topic: str
    orders_topic: str
    faults: Faults
    patience_seconds: float
    summary: Summary
    timetable: Timetable | None = None
    deadline: datetime | None = None

    async def stretch(self, stretch: Stretch) -> None:
        """Requests, their ids, then the orders and the hours between these."""
        if self.timetable is None:
            self.timetable = Timetable(stretch.starts_at, self.faults)
        await self._send(self.timetable.until(stretch.starts_at))
        await self._send(self.timetable.repeat(stretch.requests))
        await self.sender.flush()
        requests = [request_of(timed) for timed in stretch.requests]
        asked = [request.request_id for request in requests]
        ids = await self.outcomes.ids(asked, self.patience_seconds)
        self.timetable.add(Timed(at, under_id(order, ids)) for at, order in stretch.orders)
        await self._send(self.timetable.until(stretch.ends_at))
        await self.sender.flush()
        deadlines = [deadline_of(request) for request in requests]
        self.deadline = max(self.deadline or stretch.ends_at, stretch.ends_at, *deadlines)
        self.summary.groups += len(requests)
        self.summary.skipped += stretch.skipped

    async def end(self) -> None:
        """What is still held back, and time up to past the last deadline."""
        if self.timetable is not None and self.deadline is not None:
            await self._send(self.timetable.rest(self.deadline))
            await self.sender.flush()
            self.summary.repeated = self.timetable.repeated

    async def _send(self, records: Iterable[Timed]) -> None:
        for at, message in records:
            sent = 0
            if not isinstance(message, OrderPaid | OrderReturned):
                sent += await self.sender.send(self.requests_topic, at, message)
            if not isinstance(message, GroupPurchaseRequested):
                sent += await self.sender.send(self.orders_topic, at, message)
            self.summary.sent[type(message).__name__] += sent
