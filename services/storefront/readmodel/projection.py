"""Copies every fact into the read model, and says how far it is.

A batch's rows and the offsets after it commit together in SQL, so whatever is killed goes on
exactly where it was. What the consumer group has committed is only for who watches its lag.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge, Histogram

from runtime import acls
from runtime.admin import cluster_id, create_topics
from runtime.batches import note_unreadable
from runtime.broker_watch import BrokerWatch, wanted_of
from runtime.clients import consumer, ends_session, is_being_cancelled, read_end
from runtime.lasting_errors import Judge
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
from runtime.whole_topics import cancelled
from schemas.catalogue import CATALOGUE
from schemas.parts import Message
from schemas.reasons import RecordReason
from schemas.topic import Topic
from services.storefront.readmodel import figures
from services.storefront.readmodel.database import (
    TROUBLE,
    DatabaseError,
    connect,
    in_short,
    migrate,
    stays,
)
from services.storefront.readmodel.writer import Batch, FencedError, Place, Writer
from services.storefront.rules.columns import clean
from services.storefront.rules.todo_reasons import TODO_KINDS

GROUP: Final = "storefront-projector"
TOPICS: Final[Sequence[Topic]] = tuple(
    topic for topic in CATALOGUE.values() if topic.kind == "fact" and topic.compacted
)
AGAIN_SECONDS: Final = 1.0
#: The pause doubles up to this while one session after the other ends within ``CALM_SECONDS``.
AGAIN_SECONDS_MAX: Final = 15.0
CALM_SECONDS: Final = 20.0
POLL_MS: Final = 100
LAG_SECONDS: Final = 1.0
COUNT_SECONDS: Final = 15.0
FIGURES_SECONDS: Final = 30.0
_HEADER_MAX: Final = 1_000
FACTS: Final = Counter("jointbuy_projector_facts_total", "Facts written to the read model.")
UNREADABLE: Final = Counter(
    "jointbuy_projector_unreadable_total", "Records that are not facts, and were left out."
)
BATCH_SECONDS: Final = Histogram(
    "jointbuy_projector_batch_seconds", "Seconds that a batch's transaction takes."
)
OPEN_TASKS: Final = Gauge("jointbuy_open_tasks", "Open tasks (`jointbuy todo`) by kind.", ["kind"])
_log = structlog.get_logger()


class Projector(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the partitions it is given, from where the read model stands."""

    def __init__(self, settings: Settings, url: str) -> None:
        acls.note_needs(read=wanted_of(settings, *TOPICS))
        self.watch = BrokerWatch(settings, wanted_of(settings, *TOPICS))
        self._judge = Judge()
        self._settings = settings
        self._engine = connect(url)
        self._writer = Writer(self._engine)
        self._topics = {settings.topic(topic.name): topic for topic in TOPICS}
        self._partitioner = Partitioner(settings.partitions)
        self._reader: AIOKafkaConsumer | None = None
        self._at: dict[TopicPartition, int] = {}
        self._given: set[TopicPartition] | None = None
        self._joined = False
        self._writing = asyncio.Lock()
        self._told: dict[TopicPartition, int] = {}
        self._told_at = 0.0
        self._counted_at = -COUNT_SECONDS
        self._now_ms = 0
        self._stopping = asyncio.Event()

    # --- sessions --------------------------------------------------------------------------------

    async def run(self, *, rebuild: bool = False) -> None:
        """Work until stopped; with ``rebuild``, drop the read model first.

        Raises ``LastingError`` for a lasting error.
        """
        again = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await create_topics(self._settings, needed=self._topics)
                await migrate(self._engine)
                if rebuild:
                    await self._writer.drop()
                    _log.info("the read model is dropped and built anew")
                    rebuild = False
                await self._session()
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                await self._rest(error, AGAIN_SECONDS)
            except Exception as error:
                failure = self._judge.stays(error, time.monotonic()) or stays(error)
                if failure is not None:
                    raise failure from error
                of_database = isinstance(error, (FencedError, DatabaseError, *TROUBLE))
                if not of_database and not ends_session(error):
                    raise
                # While the database does not answer, lines get rarer.
                again = 1 if time.monotonic() - began > CALM_SECONDS else again + 1
                await self._rest(error, min(AGAIN_SECONDS * 2 ** (again - 1), AGAIN_SECONDS_MAX))
        await self._engine.dispose()

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopping.set()

    async def _rest(self, error: BaseException, seconds: float) -> None:
        """Log what ended a session, unless the broker does not answer, and pause."""
        if await self.watch.until_there(self._stopping):
            _log.warning("reading on from the read model's positions", error=in_short(error))
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _session(self) -> None:
        """Read and write until stopped, or until something fails."""
        origin = f"{await cluster_id(self._settings)}/{self._settings.topic_prefix}"
        if not await self._writer.open(origin):
            _log.warning("the read model was of another cluster: built anew", cluster=origin)
        reader = consumer(self._settings, self._settings.topic_prefix + GROUP)
        self._reader, self._given, self._at, self._joined = reader, None, {}, False
        reader.subscribe(sorted(self._topics), listener=self)
        counting = asyncio.create_task(self._count_figures())
        try:
            await reader.start()
            while not self._stopping.is_set():
                if self._given is not None:
                    await self._open(reader, self._given)
                found = await reader.getmany(
                    timeout_ms=POLL_MS, max_records=self._settings.batch_records_max
                )
                async with self._writing:
                    await self._take(reader, found)
                await self._tell(reader, is_idle=not found)
                await self._count_todos()
        finally:
            await cancelled(counting)
            self._reader, self._at = None, {}
            await reader.stop()

    # --- partitions ------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """After the batch in hand, nothing of these is written any more."""
        async with self._writing:
            self._at = {}

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """To be opened before the next batch; what fails there must end the session."""
        self._given, self._joined = set(assigned), True

    async def _open(self, reader: AIOKafkaConsumer, given: set[TopicPartition]) -> None:
        """Seek to where the read model stands; build it anew if its log ends before that."""
        positions = await self._writer.positions([self._place(tp) for tp in given])
        ends = await reader.end_offsets(list(given)) if given else {}
        beyond = [
            (tp.topic, tp.partition)
            for tp in given
            if not 0 <= positions[self._place(tp)] <= ends[tp]
        ]
        if beyond:
            _log.error("the read model is ahead of its log: it is built anew", beyond=beyond[:3])
            await self._writer.drop()
            raise FencedError("the read model was of another log")
        if self._given is not given:
            return
        for tp in given:
            reader.seek(tp, positions[self._place(tp)])
        self._at = {tp: positions[self._place(tp)] for tp in given}
        self._told = {}
        self._given = None

    def _place(self, tp: TopicPartition) -> Place:
        return Place(self._topics[tp.topic].name, tp.partition)

    # --- batches ---------------------------------------------------------------------------------

    async def _take(
        self, reader: AIOKafkaConsumer, found: Mapping[TopicPartition, Sequence[InputRecord]]
    ) -> None:
        """Write what was found, and how far the partitions are read, control records included."""
        batch = Batch()
        moves: dict[TopicPartition, tuple[int, int]] = {}
        for tp, records in found.items():
            # What was fetched before a seek, or of a partition that is somebody else's by now.
            if (at := self._at.get(tp)) is None:
                continue
            for record in records:
                if record.offset >= at:
                    self._add(batch, self._topics[tp.topic], record)
            moves[tp] = (at, max(at, offset_after(records[-1])))
        for tp, at in self._at.items():
            # Beyond control records, once there is nothing else to write.
            if not found and (read_to := await reader.position(tp)) > at:
                moves[tp] = (at, read_to)
        if not moves:
            return
        began = time.perf_counter()
        await self._writer.write(batch, {self._place(tp): move for tp, move in moves.items()})
        BATCH_SECONDS.observe(time.perf_counter() - began)
        FACTS.inc(len(batch.facts))
        self._at |= {tp: end for tp, (_, end) in moves.items()}

    def _add(self, batch: Batch, topic: Topic, record: InputRecord) -> None:
        partitioner = self._partitioner
        self._now_ms = max(self._now_ms, in_range(record.timestamp))
        if isinstance(record, Unreadable):
            UNREADABLE.inc()
            note_unreadable(record)
            return
        try:
            if record.value is None:
                batch.delete(topic.name, _key_of_tombstone(record, partitioner))
                return
            message = decode(topic, record, partitioner)
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

    async def _tell(self, reader: AIOKafkaConsumer, *, is_idle: bool) -> None:
        """Commit to the group what is written, now and then, for those who watch its lag."""
        news = {tp: at for tp, at in self._at.items() if self._told.get(tp) != at}
        if not news or not (is_idle or time.monotonic() - self._told_at > LAG_SECONDS):
            return
        try:
            await reader.commit(news)
        except KafkaError as error:
            _log.warning("the group's lag could not be told", error=in_short(error))
        else:
            self._told |= news
        self._told_at = time.monotonic()

    async def _count_todos(self) -> None:
        """Update the metric of open tasks; each projector counts the tasks of all partitions."""
        if time.monotonic() - self._counted_at < COUNT_SECONDS:
            return
        found = await self._writer.count_todos(datetime.now(UTC))
        for kind in TODO_KINDS:
            OPEN_TASKS.labels(kind).set(found.get(kind, 0))
        self._counted_at = time.monotonic()

    async def _count_figures(self) -> None:
        """Count the figures of the business now and then, beside the batches."""
        while True:
            try:
                await figures.show(self._engine, datetime.now(UTC))
            except (DatabaseError, *TROUBLE) as error:
                _log.warning("the figures of the business are old", error=in_short(error))
            await asyncio.sleep(FIGURES_SECONDS)

    # --- pages -----------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether it is in its group, and has opened what it was given."""
        return self._reader is not None and self._joined and self._given is None

    def status(self) -> list[dict[str, Any]]:
        """How each partition number stands, as workers say it."""
        reader = self._reader
        numbers = sorted({tp.partition for tp in self._at}) if reader is not None else []
        return [self._status(number) for number in numbers]

    def _status(self, number: int) -> dict[str, Any]:
        mine = {tp: at for tp, at in self._at.items() if tp.partition == number}
        positions = {self._place(tp).topic: at for tp, at in sorted(mine.items())}
        return {
            "processor": GROUP,
            "partition": number,
            "ready": self.ready,
            "now_ms": self._now_ms,
            "positions": positions,
            "answered_ms": min((_answered(self._reader, tp) for tp in mine), default=0),
            "committed": positions,
            "keys_waiting": 0,
            "idle": all(read_end(self._reader, tp) == at for tp, at in mine.items()),
        }


def _answered(reader: AIOKafkaConsumer, partition: TopicPartition) -> int:
    return reader.last_poll_timestamp(partition) or 0


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
