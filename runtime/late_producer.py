"""A producer of a process that must not wait for the broker."""

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime.broker_watch import BrokerWatch
from runtime.clients import TransportError, producer
from runtime.lasting_errors import LastingError, lasting, refused_right
from runtime.settings import Settings

RECONNECT_SECONDS = 1.0


class LateProducer:
    """A producer that connects in the background, so that the broker may start later."""

    def __init__(self, settings: Settings, watch: BrokerWatch) -> None:
        self._settings = settings
        self._watch = watch
        self._producer: AIOKafkaProducer | None = None
        self._connecting: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether it was connected once; the broker may not answer now."""
        return self._producer is not None

    def get(self) -> AIOKafkaProducer:
        """The producer. Raises ``TransportError`` if no broker has answered yet."""
        if self._producer is None:
            raise TransportError("no broker has answered yet")
        return self._producer

    def note(self, error: BaseException) -> None:
        """End the process if the broker refuses a right: no later record would fare better."""
        if (failure := refused_right(error)) is not None:
            self._watch.give_up(failure)

    async def start(self) -> None:
        """Begin to connect."""
        self._connecting = asyncio.create_task(self._connect())

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        if self._producer is not None:
            await self._producer.stop()

    async def _connect(self) -> None:
        while True:
            await self._watch.until_there()
            connecting = producer(self._settings)
            try:
                await connecting.start()
            except (KafkaError, LastingError, OSError) as error:
                await connecting.stop()
                if (failure := lasting(error)) is not None:
                    self._watch.give_up(failure)
                    return
                await asyncio.sleep(RECONNECT_SECONDS)
            else:
                self._producer = connecting
                return
