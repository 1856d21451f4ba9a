"""Copies every fact into the read model, and says how far it is.

A batch's rows and the offsets after it commit together in SQL, so whatever is killed goes on
exactly where it was. What the consumer group has committed is only for who watches its lag.
"""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from runtime import acls
from runtime.admin import cluster_id, create_topics
from runtime.broker_watch import BrokerWatch, wanted_of
from runtime.clients import consumer, ends_session, is_being_cancelled, read_end
from runtime.lasting_errors import Judge
from runtime.settings import Settings
from runtime.whole_topics import cancelled
from services.storefront.readmodel import figures
from services.storefront.readmodel.builder import Builder
from services.storefront.readmodel.copying import TOPICS, Copier
from services.storefront.readmodel.database import (
    TROUBLE,
    DatabaseError,
    connect,
    in_short,
    migrate,
    stays,
)
from services.storefront.readmodel.generations import Generations
from services.storefront.readmodel.writer import FencedError
from services.storefront.rules.todo_reasons import TODO_KINDS

GROUP: Final = "storefront-projector"
AGAIN_SECONDS: Final = 1.0
#: The pause doubles up to this while one session after the other ends within ``CALM_SECONDS``.
AGAIN_SECONDS_MAX: Final = 15.0
CALM_SECONDS: Final = 20.0
POLL_MS: Final = 100
LAG_SECONDS: Final = 1.0
COUNT_SECONDS: Final = 15.0
FIGURES_SECONDS: Final = 30.0
#: How often a newer generation is looked for, and how often one that another process builds.
NEWER_SECONDS: Final = 1.0
BUILT_SECONDS: Final = 0.25
#: A builder needs less from closing a generation to having the next one ready.
HANDOVER_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 60.0
OPEN_TASKS: Final = Gauge("jointbuy_open_tasks", "Open tasks (`jointbuy todo`) by kind.", ["kind"])
_log = structlog.get_logger()


class Projector(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the partitions it is given, from where the read model stands."""

    def __init__(self, settings: Settings, url: str) -> None:
        acls.note_needs(read=wanted_of(settings, *TOPICS))
        self.watch = BrokerWatch(settings, wanted_of(settings, *TOPICS))
        self._judge = Judge()
        self._settings = settings
        #: Of the storefront's own tables.
        self._engine = connect(url)
        self._generations = Generations(url, self._engine)
        self._topics = [settings.topic(topic.name) for topic in TOPICS]
        self._origin = ""
        #: Generations up to this one are not used: they are to be replaced.
        self._above = 0
        self._copier: Copier | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._given: set[TopicPartition] | None = None
        self._joined = False
        self._writing = asyncio.Lock()
        self._told: dict[TopicPartition, int] = {}
        self._told_at = 0.0
        self._counted_at = -COUNT_SECONDS
        self._looked_at = 0.0
        self._swept_at = -SWEEP_SECONDS
        self._stopping = asyncio.Event()
        self._builder = Builder(settings, self._generations, self._stopping)

    # --- sessions --------------------------------------------------------------------------------

    async def run(self, *, rebuild: bool = False) -> None:
        """Work until stopped; with ``rebuild``, build a new generation of the read model first.

        Raises ``LastingError`` for a lasting error.
        """
        again = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await create_topics(self._settings, needed=self._topics)
                await migrate(self._engine)
                if rebuild:
                    self._above = await self._generations.newest() or 0
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
        self._origin = f"{await cluster_id(self._settings)}/{self._settings.topic_prefix}"
        copier = await self._usable()
        if copier is None:
            return
        reader = consumer(self._settings, self._settings.topic_prefix + GROUP)
        self._reader, self._given, self._copier, self._joined = reader, None, copier, False
        reader.subscribe(sorted(self._topics), listener=self)
        counting = asyncio.create_task(self._count_figures())
        try:
            await reader.start()
            while not self._stopping.is_set():
                if self._given is not None:
                    await self._open(reader, self._given)
                await self._copy(reader)
                await self._count_todos()
        finally:
            await cancelled(counting)
            self._reader = None
            await self._copier.close()
            await reader.stop()

    async def _copy(self, reader: AIOKafkaConsumer) -> None:
        """Write the next batch, or go on in a newer generation."""
        found = await reader.getmany(
            timeout_ms=POLL_MS, max_records=self._settings.batch_records_max
        )
        copier = self._copying
        try:
            async with self._writing:
                await copier.take(reader, found)
        except FencedError:
            if not await copier.writer.is_closed():
                raise
            await self._wait_for_newer(reader)
            return
        await self._tell(reader, is_idle=not found)
        if time.monotonic() - self._looked_at > NEWER_SECONDS:
            self._looked_at = time.monotonic()
            await self._go_over(reader)
        if time.monotonic() - self._swept_at > SWEEP_SECONDS:
            self._swept_at = time.monotonic()
            await self._generations.sweep(self._copying.generation)

    @property
    def _copying(self) -> Copier:
        assert self._copier is not None
        return self._copier

    # --- generations -----------------------------------------------------------------------------

    async def _usable(self) -> Copier | None:
        """The newest generation of this log, which is built if there is none; ``None``: stopped."""
        while not self._stopping.is_set():
            if (number := await self._generations.newest(self._above)) is not None:
                copier = Copier(self._settings, self._generations, number)
                if not await copier.writer.open(self._origin):
                    _log.warning("the read model is of another log", generation=number)
                elif not await copier.writer.is_closed():
                    return copier
                await copier.close()
                self._above = number
                continue
            async with self._generations.building() as is_ours:
                if is_ours and await self._generations.newest(self._above) is None:
                    await self._builder.build(self._origin, self._above)
                    continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BUILT_SECONDS)
        return None

    async def _go_over(self, reader: AIOKafkaConsumer) -> bool:
        """Go on in a newer generation of this log, if there is one, without leaving the group."""
        before = self._copying
        number = await self._generations.newest(before.generation)
        if number is None:
            return False
        newer = Copier(self._settings, self._generations, number)
        if not await newer.writer.open(self._origin):
            # Somebody else uses the same database for another log.
            await newer.close()
            return False
        _log.info("goes on in a newer generation of the read model", generation=number)
        async with self._writing:
            self._copier, self._given = newer, set(reader.assignment())
        await before.close()
        return True

    async def _wait_for_newer(self, reader: AIOKafkaConsumer) -> None:
        """Wait for the generation that takes over. Raises ``FencedError`` if it does not come."""
        ends = time.monotonic() + HANDOVER_SECONDS
        while not await self._go_over(reader):
            if time.monotonic() > ends or self._stopping.is_set():
                # Its builder died: a new session builds on.
                raise FencedError("the read model is closed, and no newer one is ready")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BUILT_SECONDS)

    # --- partitions ------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """After the batch in hand, nothing of these is written any more."""
        async with self._writing:
            self._copying.at = {}

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """To be opened before the next batch; what fails there must end the session."""
        self._given, self._joined = set(assigned), True

    async def _open(self, reader: AIOKafkaConsumer, given: set[TopicPartition]) -> None:
        """Seek to where the read model stands; if its log ends before that, build another one."""
        copier = self._copying
        positions = await copier.find(reader, given)
        if positions is None:
            self._above = copier.generation
            raise FencedError("the read model is of another log")
        if self._given is not given:
            return
        copier.open(reader, positions)
        self._told = {}
        self._given = None

    # --- what is told ----------------------------------------------------------------------------

    async def _tell(self, reader: AIOKafkaConsumer, *, is_idle: bool) -> None:
        """Commit to the group what is written, now and then, for those who watch its lag."""
        news = {tp: at for tp, at in self._copying.at.items() if self._told.get(tp) != at}
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
        found = await self._copying.writer.count_todos(datetime.now(UTC))
        for kind in TODO_KINDS:
            OPEN_TASKS.labels(kind).set(found.get(kind, 0))
        self._counted_at = time.monotonic()

    async def _count_figures(self) -> None:
        """Count the figures of the business now and then, beside the batches."""
        while True:
            try:
                await figures.show(self._copying.engine, datetime.now(UTC))
            except (DatabaseError, *TROUBLE) as error:
                _log.warning("the figures of the business are old", error=in_short(error))
            await asyncio.sleep(FIGURES_SECONDS)

    # --- pages -----------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether it is in its group, and has opened what it was given."""
        return self._reader is not None and self._joined and self._given is None

    def unready(self) -> str:
        """Why it does not copy yet; empty if it does."""
        return self._builder.progress or ("" if self.ready else "not yet")

    def status(self) -> list[dict[str, Any]]:
        """How each partition number stands, as workers say it."""
        if self._reader is None:
            return []
        numbers = sorted({tp.partition for tp in self._copying.at})
        return [self._status(self._copying, number) for number in numbers]

    def _status(self, copier: Copier, number: int) -> dict[str, Any]:
        mine = {tp: at for tp, at in copier.at.items() if tp.partition == number}
        positions = {copier.place(tp).topic: at for tp, at in sorted(mine.items())}
        return {
            "processor": GROUP,
            "partition": number,
            "ready": self.ready,
            "now_ms": copier.now_ms,
            "positions": positions,
            "answered_ms": min((_answered(self._reader, tp) for tp in mine), default=0),
            "committed": positions,
            "keys_waiting": 0,
            "idle": all(read_end(self._reader, tp) == at for tp, at in mine.items()),
        }


def _answered(reader: AIOKafkaConsumer, partition: TopicPartition) -> int:
    return reader.last_poll_timestamp(partition) or 0
