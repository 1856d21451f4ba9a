"""How far this worker's clock is off the broker's: a worker that can't tell the time fires nothing.

The ``clock`` topic stamps records with the broker's time as they are appended, and the
acknowledgement says it.
"""

import asyncio
import time

import structlog
from aiokafka import AIOKafkaProducer

from runtime import metrics
from runtime.clients import producer
from runtime.settings import Settings
from runtime.topic_plan import CLOCK

EVERY_SECONDS = 10.0
#: Stamps are whole milliseconds, rounded down.
_STAMP_SECONDS = 0.001
_log = structlog.get_logger()


class BrokerClock:
    """Asks the broker for its time every few seconds."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic(CLOCK)
        self._grace_seconds = settings.clock_grace_seconds
        self._producer = producer(settings)
        self._off_seconds: float | None = None
        self._stamps = True

    async def start(self) -> None:
        """Ask once."""
        await self._producer.start()
        await self._ask()

    async def follow(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self._ask()

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    def is_right(self) -> bool:
        """Whether the worker's clock is within the grace of the broker's, as last asked."""
        if not self._stamps:
            return True
        return self._off_seconds is not None and abs(self._off_seconds) <= self._grace_seconds

    def off_seconds(self) -> float:
        """How far the worker's clock is ahead, as last asked."""
        return self._off_seconds or 0.0

    async def _ask(self) -> None:
        off = await off_seconds(self._producer, self._topic)
        self._stamps = off is not None
        if off is None:
            return
        self._off_seconds = off
        metrics.CLOCK_OFF.set(self._off_seconds)
        if not self.is_right():
            _log.error(
                "this worker's clock is off the broker's: nothing due is fired until it is right;"
                " check time synchronisation on both",
                off_seconds=round(self._off_seconds, 3),
                grace_seconds=self._grace_seconds,
            )


async def off_seconds(sender: AIOKafkaProducer, topic: str) -> float | None:
    """How far this machine's clock is ahead of the broker's, by a record to its ``clock`` topic.

    ``None`` from a broker that keeps the producer's time, as it can't be asked; the embedded one
    does, and shares this machine's clock.
    """
    before = time.time()
    acknowledged = await sender.send_and_wait(topic, b"", partition=0)
    after = time.time()
    if acknowledged.timestamp_type != 1:
        return None
    stamped = acknowledged.timestamp / 1000
    # A stamp between question and answer shows no fault, however slow the answer was.
    off: float = max(before - stamped - _STAMP_SECONDS, 0) or min(after - stamped, 0)
    return off
