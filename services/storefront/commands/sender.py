"""Sends commands and facts to their topics, and waits until the broker acknowledges them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from runtime import traces, transport
from runtime.broker_watch import BrokerWatch
from runtime.clients import TransportError
from runtime.late_producer import LateProducer
from runtime.records import Encoder, OutputRecord, Partitioner, milliseconds
from runtime.sent_counts import Tally
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchaseRequested
from schemas.parts import Message
from schemas.topic import Topic

SOURCE = "jointbuy/storefront"
#: A person waits for the answer; aiokafka alone would try for half a minute.
ACKNOWLEDGE_SECONDS = 5.0


class Sender:
    """One producer for a web process."""

    def __init__(self, settings: Settings, watch: BrokerWatch) -> None:
        self._producer = LateProducer(settings, watch)
        self._watch = watch
        self._tally = Tally()
        self._encoders = {
            topic.name: Encoder(
                SOURCE,
                dict.fromkeys(_sent_to(topic), settings.topic(topic.name)),
                Partitioner(settings.partitions),
            )
            for topic in CATALOGUE.values()
        }

    async def start(self) -> None:
        """Begin to connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        await self._producer.stop()

    async def send(self, topic: Topic, *messages: Message, at: datetime | None = None) -> None:
        """Send messages, those of one key in order, and wait until they are safe.

        Raises ``TransportError`` when they are not, or may not be.
        """
        stamp = milliseconds(at or datetime.now(UTC))
        records = [self._record(topic, message, stamp) for message in messages]
        traces.stamp(records)
        with self._tally.sending(len(records)):
            if why := self._watch.unready():
                raise TransportError(why)
            # ``wait`` cancels nothing: a batch that others share must not lose a record.
            sending = asyncio.ensure_future(transport.send(self._producer.get(), records))
            done, _ = await asyncio.wait({sending}, timeout=ACKNOWLEDGE_SECONDS)
            if not done:
                sending.add_done_callback(_drop)
                raise TransportError(f"no broker acknowledged within {ACKNOWLEDGE_SECONDS:g} s")
            try:
                await sending
            except TransportError as error:
                self._producer.note(error)
                raise

    def status(self) -> dict[str, object]:
        """Counts of the records that the sender has sent."""
        return self._tally.status()

    def _record(self, topic: Topic, message: Message, stamp: int) -> OutputRecord:
        record = self._encoders[topic.name](message, stamp, "storefront", type(message).__name__)
        if topic.tombstone is not None and isinstance(message, topic.tombstone):
            return record._replace(value=None)
        if not isinstance(message, GroupPurchaseRequested):
            return record
        # The definition decides every field that the request leaves open, so defaults are not sent.
        said = message.model_copy(update={"type": message.type})
        value = said.model_dump_json(exclude_unset=True, exclude_none=True)
        return record._replace(value=value.encode())


def _sent_to(topic: Topic) -> tuple[type[Message], ...]:
    return (*topic.messages, topic.tombstone) if topic.tombstone else topic.messages


def _drop(sending: "asyncio.Future[Any]") -> None:
    """Take the late result of a record that nobody waits for, so that asyncio does not log it."""
    if not sending.cancelled():
        sending.exception()
