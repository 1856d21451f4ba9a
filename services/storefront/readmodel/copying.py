"""What a consumer has fetched, written into one generation of the read model."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import Counter, Histogram

from runtime.batches import note_unreadable
from runtime.records import (
    BadRecordError,
    InputRecord,
    Partitioner,
    Unreadable,
    decode,
    encode,
    in_range,
    key_id,
    offset_after,
)
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.parts import Message
from schemas.people import PEOPLE
from schemas.reasons import RecordReason
from schemas.topic import Topic
from services.storefront.readmodel.generations import Generations
from services.storefront.readmodel.writer import Batch, Place, Writer
from services.storefront.rules.columns import clean

TOPICS: Final[Sequence[Topic]] = tuple(
    topic for topic in CATALOGUE.values() if topic.kind == "fact" and topic.compacted
)
_HEADER_MAX: Final = 1_000
FACTS: Final = Counter("jointbuy_projector_facts_total", "Facts written to the read model.")
UNREADABLE: Final = Counter(
    "jointbuy_projector_unreadable_total", "Records that are not facts, and were left out."
)
BATCH_SECONDS: Final = Histogram(
    "jointbuy_projector_batch_seconds", "Seconds that a batch's transaction takes."
)
_log = structlog.get_logger()


class Copier:
    """Copies partitions into a generation, from where it stands. Close it at the end."""

    def __init__(self, settings: Settings, generations: Generations, generation: int) -> None:
        self.generation = generation
        self.engine = generations.connect(generation)
        self.writer = Writer(self.engine)
        #: How far each partition that is open is read.
        self.at: dict[TopicPartition, int] = {}
        #: The latest time of a record, in epoch milliseconds.
        self.now_ms = 0
        self._generations = generations
        self._topics = {settings.topic(topic.name): topic for topic in TOPICS}
        self._partitioner = Partitioner(settings.partitions)
        self._has_transactions = settings.kafka_transactions

    def place(self, tp: TopicPartition) -> Place:
        """The partition by the catalogue's name of its topic."""
        return Place(self._topics[tp.topic].name, tp.partition)

    async def find(
        self, reader: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int] | None:
        """Where to read on in these; ``None`` if the log ends before that, so it is another one."""
        given = list(partitions)
        positions = await self.writer.positions([self.place(tp) for tp in given])
        ends = await reader.end_offsets(given) if given else {}
        found = {tp: positions[self.place(tp)] for tp in given}
        if not self._has_transactions:
            # The embedded broker tells too low an end where a batch has several records. It is
            # another cluster at each start, so the rows can't be of an earlier log.
            ends = {tp: max(end, found[tp]) for tp, end in ends.items()}
        beyond = [(tp.topic, tp.partition) for tp in given if not 0 <= found[tp] <= ends[tp]]
        if beyond:
            _log.error("the read model is ahead of its log", beyond=beyond[:3])
            return None
        return found

    def open(self, reader: AIOKafkaConsumer, positions: Mapping[TopicPartition, int]) -> None:
        """Read on there."""
        for tp, at in positions.items():
            reader.seek(tp, at)
        self.at = dict(positions)

    async def take(
        self, reader: AIOKafkaConsumer, found: Mapping[TopicPartition, Sequence[InputRecord]]
    ) -> None:
        """Write what was found, and how far the partitions are read, control records included."""
        batch = Batch()
        moves: dict[TopicPartition, tuple[int, int]] = {}
        for tp, records in found.items():
            # What was fetched before a seek, or of a partition that is somebody else's by now.
            if (at := self.at.get(tp)) is None:
                continue
            for record in records:
                if record.offset >= at:
                    self.add(batch, self._topics[tp.topic], record)
            moves[tp] = (at, max(at, offset_after(records[-1])))
        for tp, at in self.at.items():
            # Beyond control records, once there is nothing else to write.
            if not found and (read_to := await reader.position(tp)) > at:
                moves[tp] = (at, read_to)
        if not moves:
            return
        began = time.perf_counter()
        ends = {self.place(tp): end for tp, (_, end) in moves.items()}
        if erased := self._erased(batch, ends):
            # Before the position moves on: after a kill the tombstone comes again.
            await self._generations.forget(self.generation, erased)
        await self.writer.write(batch, {self.place(tp): move for tp, move in moves.items()})
        BATCH_SECONDS.observe(time.perf_counter() - began)
        FACTS.inc(len(batch.facts))
        self.at |= {tp: end for tp, (_, end) in moves.items()}

    def _erased(self, batch: Batch, ends: Mapping[Place, int]) -> dict[str, tuple[int, int]]:
        """People whose last word in a batch is a tombstone, with how far their log is read."""
        gone = [key for topic, key in batch.deleted - set(batch.facts) if topic == PEOPLE.name]
        places = {key: Place(PEOPLE.name, self._partitioner(key_id(key))) for key in gone}
        return {key: (place.partition, ends[place]) for key, place in places.items()}

    def add(self, batch: Batch, topic: Topic, record: InputRecord) -> None:
        """Put a record into a batch, unless it is not a fact."""
        self.now_ms = max(self.now_ms, in_range(record.timestamp))
        if isinstance(record, Unreadable):
            UNREADABLE.inc()
            note_unreadable(record)
            return
        try:
            if record.value is None:
                batch.delete(topic.name, _key_of_tombstone(record, self._partitioner))
                return
            message = decode(topic, record, self._partitioner)
        except BadRecordError as error:
            UNREADABLE.inc()
            _log.error(
                "a record is not a fact and is left out",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
            return
        if topic.tombstone is not None and isinstance(message, topic.tombstone):
            batch.delete(topic.name, message.key)
            return
        rule, cause = (_header(record, name) for name in ("ce_rule", "ce_cause"))
        at = in_range(record.timestamp)
        batch.put(topic.name, message, _text(record, message), at, rule, cause)

    async def close(self) -> None:
        """Disconnect from the database."""
        self.at = {}
        await self.engine.dispose()


def _key_of_tombstone(record: InputRecord, partitioner: Partitioner) -> str:
    """Whose fact goes. Raises ``BadRecordError``."""
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError:
        key = ""
    if not key or "\x00" in key:
        raise BadRecordError("a tombstone without a key", RecordReason.WRONG_KEY)
    if partitioner(key_id(key)) != record.partition:
        raise BadRecordError(
            "a tombstone in a partition that its key does not belong in",
            RecordReason.WRONG_PARTITION,
        )
    return key


def _header(record: InputRecord, name: str) -> str:
    """A header's text; empty if the record has none, or none that a database can hold."""
    found = dict(record.headers).get(name) or b""
    return clean(found.decode(errors="replace"))[:_HEADER_MAX]


def _text(record: InputRecord, message: Message) -> str:
    """A fact's value as it came, with whatever fields are not known here."""
    is_plain = all(not value.startswith(b"application/cloudevents") for _, value in record.headers)
    try:
        return (record.value if is_plain and record.value else encode(message)).decode()
    except UnicodeDecodeError:
        return encode(message).decode()
