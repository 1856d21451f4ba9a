"""Rows of partitions that other workers run, kept near their changelogs' ends.

When such a partition comes to this worker, little is left to restore.
"""

import asyncio
from collections.abc import Callable, Sequence, Set
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime import metrics
from runtime.clients import consumer, ends_session
from runtime.lasting_errors import LastingError
from runtime.processor import Processor
from runtime.restore import UnreadableChangelogError, take
from runtime.settings import Settings
from runtime.store import Store
from runtime.whole_topics import cancelled

RETRY_SECONDS = 1.0
#: How long records are waited for while a standby is not known to be at the end, and after that.
COLD_WAIT_MS = 200
WARM_WAIT_MS = 1_000
RECORDS_MAX = 5_000
_log = structlog.get_logger()


class Standbys:
    """The standbys of one processor on this worker; one client reads all of their changelogs.

    ``on_warm`` is called when one has caught up, and ``on_end`` when the task that reads has ended,
    for example because the disk is full.
    """

    def __init__(
        self,
        processor: Processor,
        settings: Settings,
        cluster: str,
        on_warm: Callable[[], None],
        on_end: Callable[["asyncio.Task[None]"], None],
    ) -> None:
        #: Those whose rows have been at the end of the changelog.
        self.warm: set[int] = set()
        #: Those whose changelogs can't be read; who runs the partition will say so.
        self.unreadable: set[int] = set()
        self._processor = processor
        self._settings = settings
        self._cluster = cluster
        self._on_warm = on_warm
        self._on_end = on_end
        self._stores: dict[int, Store] = {}
        self._followed: Set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        shown = metrics.STANDBYS.labels(processor.group_id, "warm")
        shown.set_function(lambda: len(self.warm))
        shown = metrics.STANDBYS.labels(processor.group_id, "cold")
        shown.set_function(lambda: len(self._stores.keys() - self.warm))

    async def follow(self, numbers: Set[int]) -> None:
        """Keep the rows of these, and close those of others."""
        stands = numbers == self._followed == self._stores.keys()
        if stands and (not numbers or self._is_following):
            return
        self._followed = set(numbers)
        await self._halt()
        for number in self._stores.keys() - numbers:
            self._stores.pop(number).close()
        for number in sorted(numbers - self._stores.keys()):
            path = self._settings.state_dir / self._processor.group_id / str(number)
            self._stores[number] = Store(path, self._cluster, self._settings.state_kept_seconds)
            # Opening one takes some milliseconds.
            await asyncio.sleep(0)
        self.warm &= numbers
        self.unreadable &= numbers
        if numbers:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._on_end)

    async def handed(self, numbers: Set[int]) -> dict[int, Store]:
        """The rows, still open, of those that this worker will run; the others stand still."""
        if numbers & self._stores.keys():
            await self._halt()
        self.warm -= numbers
        return {number: self._stores.pop(number) for number in numbers & self._stores.keys()}

    def adopt(self, number: int, store: Store) -> None:
        """Take over the rows of one that this worker has run until now; ``follow`` reads on."""
        self._stores[number] = store
        self.warm.add(number)

    async def _halt(self) -> None:
        if self._task is not None:
            await cancelled(self._task)
            self._task = None

    @property
    def are_warm(self) -> bool:
        """Whether all have caught up, but for those that can't be read."""
        return self._stores.keys() <= self.warm | self.unreadable

    @property
    def _is_following(self) -> bool:
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Close all."""
        await self.follow(set())
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception as error:
                if isinstance(error, LastingError) or not ends_session(error):
                    raise
                _log.warning(
                    "standbys connect again",
                    processor=self._processor.group_id,
                    error=f"{type(error).__name__}: {error}",
                )
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        topic = self._settings.topic(self._processor.changelog)
        stores = {TopicPartition(topic, number): each for number, each in self._stores.items()}
        reader = consumer(self._settings, follows=True)
        starting = asyncio.create_task(reader.start())
        try:
            await asyncio.shield(starting)
            reader.assign(list(stores))
            firsts = await reader.beginning_offsets(list(stores))
            for tp, store in stores.items():
                reader.seek(tp, max(store.meta.changelog_offset, firsts[tp]))
            while True:
                wait_ms = WARM_WAIT_MS if self.are_warm else COLD_WAIT_MS
                fetched = await reader.getmany(timeout_ms=wait_ms, max_records=RECORDS_MAX)
                for tp, store in stores.items():
                    if tp in fetched or tp.partition not in self.warm | self.unreadable:
                        await self._take(reader, tp, store, fetched.get(tp, []))
                # getmany() may return without yielding, so yield here.
                await asyncio.sleep(0)
        finally:
            # The next worker of a partition does not wait until the connection is closed.
            closing = asyncio.create_task(_closed(reader, starting))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _take(
        self, reader: AIOKafkaConsumer, tp: TopicPartition, store: Store, records: Sequence[Any]
    ) -> None:
        try:
            at_end = await take(reader, tp, store, records, self._cluster)
        except UnreadableChangelogError as error:
            _log.error("a standby's changelog can't be read", topic=tp.topic, error=str(error))
            reader.pause(tp)
            self.unreadable.add(tp.partition)
            self._on_warm()
            return
        if at_end and tp.partition not in self.warm:
            self.warm.add(tp.partition)
            self._on_warm()


async def _closed(reader: AIOKafkaConsumer, starting: "asyncio.Task[None]") -> None:
    """Disconnect; a start that is cancelled would leave its connection open."""
    await asyncio.wait({starting})
    await reader.stop()
