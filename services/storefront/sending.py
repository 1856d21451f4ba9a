"""Commands and preferences to their topics; what is answered has been acknowledged."""

from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from schemas.messages import Message
from schemas.topics import Topic
from services.runtime import transport
from services.runtime.records import Partitioner, as_record, milliseconds
from services.runtime.settings import Settings


class Sender:
    """One producer for a web process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        self._producer = transport.producer(self._settings)
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def send(self, topic: Topic, message: Message, at: datetime | None = None) -> None:
        """Send a message and wait until it is safe. Raises ``TransportError`` when it is not."""
        assert self._producer is not None
        stamp = milliseconds(at or datetime.now(UTC))
        name = self._settings.topic(topic.name)
        record = as_record(message, name, Partitioner(topic.partitions), stamp)
        await transport.send(self._producer, [record])
