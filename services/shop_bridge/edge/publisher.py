"""Events, orders and dead letters to their topics; what is told as sent has been acknowledged.

One producer for a process. Many webhooks at once share its batches, which is what makes a thousand
a second affordable.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from runtime import acls, traces
from runtime.broker_watch import BrokerWatch, wanted_of
from runtime.clients import TransportError
from runtime.dead_letters import TELLER
from runtime.late_producer import LateProducer
from runtime.masking import without_cards
from runtime.records import Encoder, OutputRecord, Partitioner, encode, key_id, milliseconds
from runtime.sent_counts import Tally
from runtime.settings import Settings
from schemas.ops import DEAD_LETTERS
from schemas.orders import ORDERS
from schemas.parts import Message
from schemas.reasons import OrderReason
from schemas.shop_orders import SHOP_EVENTS, ShopOrderUnread
from schemas.topic import Topic
from services.shop_bridge.edge.letter_counts import LetterCounts
from services.shop_bridge.rules import unusable
from services.shop_bridge.rules.translations.shop_orders import Told
from services.shop_bridge.rules.unusable import Left

TELL_SECONDS = 5.0
MISTYPED_ERROR = "it names a group by an invalid id: set group_id, then replay it"


class NotAcknowledgedError(RuntimeError):
    """Kafka has not said that it has the records; it may have them all the same."""


class Publisher:
    """Encodes and sends. Connects in the background, so that a broker may come later."""

    def __init__(self, settings: Settings, acknowledge_seconds: float) -> None:
        self._settings = settings
        self._seconds = acknowledge_seconds
        wanted = wanted_of(settings, SHOP_EVENTS, ORDERS, DEAD_LETTERS)
        acls.note_needs(write=wanted)
        self.watch = BrokerWatch(settings, wanted)
        self._producer = LateProducer(settings, self.watch)
        self._tally = Tally()
        self._telling: asyncio.Task[None] | None = None
        self._counts = LetterCounts(settings.state_dir, settings.topic_prefix)
        self._dead_letters = settings.topic(DEAD_LETTERS.name)
        self._partitioner = Partitioner(settings.partitions)
        topics = {message: topic for topic in (SHOP_EVENTS, ORDERS) for message in topic.messages}
        named = {message: settings.topic(topic.name) for message, topic in topics.items()}
        self._topics = topics
        self._encoder = Encoder("jointbuy/shop_bridge", named, self._partitioner)

    @property
    def is_connected(self) -> bool:
        """Whether a broker has answered."""
        return self._producer.is_connected

    @property
    def is_away(self) -> bool:
        """Whether the broker does not answer; the watch logs that."""
        return bool(self.watch.unready())

    async def start(self) -> None:
        """Begin to connect."""
        self._counts.load()
        self._telling = asyncio.create_task(_tell_of_letters())
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        if self._telling is not None:
            self._telling.cancel()
            with suppress(asyncio.CancelledError):
                await self._telling
        TELLER.tell(time.monotonic(), is_last=True)
        await self._producer.stop()

    def event(self, message: Message, now_ms: int, cause: str) -> OutputRecord:
        """A message as a record of its topic; ``cause`` is what ops find it by in the shop."""
        return self._encoder(message, now_ms, cause, "webhook")

    def dead_letter(
        self, message: Message, now_ms: int, cause: str, error: str, left: Left
    ) -> OutputRecord:
        """A message that people must correct; the topic is its destination after that.

        ``left`` is its task for people.
        """
        topic = self._topics[type(message)]
        return self._letter(topic, message.key, encode(message), now_ms, cause, error, left)

    def dead_webhook(
        self,
        source: str,
        body: bytes,
        now_ms: int,
        cause: str,
        error: str,
        left: Left,
    ) -> OutputRecord:
        """A body that can't be read, as it came: there is no topic to send it to again.

        Card numbers in it are masked.
        """
        return self._letter(None, source, body, now_ms, cause, error, left)

    def mistyped(
        self, source: str, message: Message, order_id: str, now_ms: int, cause: str
    ) -> OutputRecord:
        """The dead letter of an order that names a group by an invalid id."""
        left = unusable.left(source, order_id, OrderReason.MISTYPED_GROUP)
        return self.dead_letter(message, now_ms, cause, MISTYPED_ERROR, left)

    def mistyped_message(
        self, source: str, message: Message, now: datetime, cause: str
    ) -> list[OutputRecord]:
        """The same of a message in our own format, with the event that opens the task."""
        event = unusable.mistyped(source, message, now)
        now_ms = milliseconds(now)
        letter = self.mistyped(source, message, event.order_id, now_ms, cause)
        return [letter, self.event(event, now_ms, cause)]

    def uncounted(
        self, source: str, told: Told, body: bytes, now_ms: int, cause: str
    ) -> OutputRecord:
        """The body of an order with a line of a group that can't be counted."""
        left = unusable.left(source, told.order_id, OrderReason.NOT_COUNTED)
        return self.dead_webhook(source, body, now_ms, cause, told.problem or "", left)

    def unread(
        self, event: ShopOrderUnread, body: bytes, now_ms: int, cause: str, error: str
    ) -> OutputRecord:
        """The body of an order that can't be read; ``event`` opens its task."""
        left = unusable.left(event.source, event.order_id, event.reason)
        return self.dead_webhook(event.source, body, now_ms, cause, error, left)

    def _letter(
        self,
        topic: Topic | None,
        key: str,
        value: bytes,
        now_ms: int,
        cause: str,
        error: str,
        left: Left,
    ) -> OutputRecord:
        partition = self._partitioner(key_id(key))
        name = f"webhooks/{key}" if topic is None else self._settings.topic(topic.name)
        about = {
            "service": "shop_bridge",
            "topic": name,
            "partition": str(partition),
            "offset": cause,
            "error": error,
            "attempt": "1",
            **left.headers(),
        }
        return OutputRecord(
            self._dead_letters,
            partition,
            key.encode(),
            without_cards(value),
            now_ms,
            [(header, text.encode()) for header, text in about.items()],
        )

    async def send(self, records: Sequence[OutputRecord]) -> None:
        """Send, and wait until all are acknowledged. Raises ``NotAcknowledgedError``."""
        traces.stamp(records)
        with self._tally.sending(len(records)):
            await self._send_all(records)
        if letters := [each for each in records if each.topic == self._dead_letters]:
            self._counts.add(letters)

    def status(self) -> dict[str, object]:
        """Whether the publisher is connected, and counts of its records."""
        return {"connected": self._producer.is_connected, **self._tally.status()}

    async def _send_all(self, records: Sequence[OutputRecord]) -> None:
        try:
            producer = self._producer.get()
            async with asyncio.timeout(self._seconds):
                sent = [await self._send(producer, record) for record in records]
                # Shielded: a batch that others share must not lose a delivery to our impatience.
                await asyncio.gather(*(asyncio.shield(delivery) for delivery in sent))
        except (KafkaError, TransportError, TimeoutError) as error:
            self._producer.note(error)
            raise NotAcknowledgedError(type(error).__name__) from error

    async def _send(self, producer: AIOKafkaProducer, record: OutputRecord) -> Any:
        return await producer.send(
            record.topic,
            record.value,
            record.key,
            partition=record.partition,
            timestamp_ms=record.timestamp,
            headers=record.headers,
        )


async def _tell_of_letters() -> None:
    """Log counts of dead letters when their minute is over, until cancelled."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        TELLER.tell(time.monotonic())
