"""Hosts a processor on a worker: joins the consumer group and runs the partitions it is given.

Whatever goes wrong in a partition ends the session: all partitions close, the worker leaves the
group and joins again. So a fenced run never fences the rightful owner, and an unknown outcome of a
commit is settled by opening anew. A rule that raises stops the worker instead, and so does a
lasting error (see ``lasting_errors``).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from runtime import metrics
from runtime.admin import origin
from runtime.assignor import Assignor
from runtime.broker_clock import BrokerClock
from runtime.broker_watch import BrokerWatch
from runtime.caller import Caller
from runtime.clients import (
    TransportError,
    consumer,
    ends_session,
    generation_of,
    is_being_cancelled,
    rejoin,
)
from runtime.lasting_errors import Judge
from runtime.partition import PartitionRun
from runtime.processor import Processor
from runtime.servers import Servers
from runtime.settings import Settings
from runtime.shares import Held
from runtime.standbys import Standbys
from runtime.store import Store
from runtime.whole_topics import WholeRead, cancelled
from schemas.ops import PARKED_KEYS
from schemas.parts import Message

REJOIN_SECONDS = 1.0
#: The pause doubles up to this while one session after the other ends within ``CALM_SECONDS``.
REJOIN_SECONDS_MAX = 15.0
CALM_SECONDS = 20.0
STOP_SECONDS = 20.0
_log = structlog.get_logger()
#: Opens a partition, with its rows if they are at hand.
_Open = Callable[[int, Store | None], PartitionRun]


class Host:
    """One processor on this worker."""

    def __init__(
        self,
        processor: Processor,
        settings: Settings,
        watch: BrokerWatch,
        siblings: Sequence[Processor] = (),
        callers: Mapping[str, Caller] | None = None,
    ) -> None:
        self.processor = processor
        self._callers = dict(callers or {})
        self.servers = Servers(processor.group_id)
        # Which of the service's processors writes what this one reads whole.
        self._writers = {topic: each for each in siblings for topic in each.outputs}
        self._settings = settings
        self._watch = watch
        self._judge = Judge()
        self._runs: dict[int, PartitionRun] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._failed: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        # What the group gave last, open or not.
        self._given: Set[int] = set()
        self._standbys: Standbys | None = None
        # Follows the standbys once partitions are open.
        self._following: asyncio.Task[None] | None = None
        # Which deal of the group this worker knows.
        self._generation = -1
        self._assigned = False
        self._leaving = False

    @property
    def ready(self) -> bool:
        """Whether the worker is in its group and has the rows of all that it was given.

        That includes the standbys: until they are there, another worker should not leave.
        """
        return (
            self._assigned
            and all(run.ready for run in self._runs.values())
            and (self._following is None or self._following.done())
            and (self._standbys is None or self._standbys.are_warm)
        )

    def held(self) -> Held:
        """What it tells its group when it joins."""
        warm = self._standbys.warm if self._standbys is not None else set()
        return Held(frozenset(self._given), frozenset(warm))

    def status(self) -> list[dict[str, object]]:
        """How each partition stands."""
        return [run.status() for run in self._runs.values()]

    def stop(self) -> None:
        """End after the batches in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped.

        Raises ``RuleError`` when a rule raises, and ``LastingError`` when no session helps.
        """
        pause = REJOIN_SECONDS
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._session()
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                await self._end_of_session(error)
            except Exception as error:
                if (failure := self._judge.stays(error, time.monotonic())) is not None:
                    raise failure from error
                if not ends_session(error):
                    raise
                await self._end_of_session(error)
            if time.monotonic() - began > CALM_SECONDS:
                pause = REJOIN_SECONDS
            await self._pause(pause)
            pause = min(2 * pause, REJOIN_SECONDS_MAX)

    async def _end_of_session(self, error: BaseException) -> None:
        """Log the error if the broker answers; otherwise wait for it, as the watch logs that."""
        if await self._watch.until_there(self._stopping):
            _log.warning(
                "leaving the group to join again",
                processor=self.processor.group_id,
                error=f"{type(error).__name__}: {error}",
            )

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _session(self) -> None:
        wholes = [
            WholeRead(topic, self._settings, self._writers.get(topic))
            for topic in self.processor.reads_whole
        ]
        parked = WholeRead(PARKED_KEYS, self._settings)
        clock = BrokerClock(self._settings)
        members: list[WholeRead | BrokerClock] = [*wholes, parked]
        callers = [self._callers[name] for name in self.processor.calls]
        if self._settings.clock == "wall":
            members.append(clock)
        followers: list[asyncio.Task[None]] = []
        try:
            await asyncio.gather(*(each.start() for each in (*members, *callers)))
            followers = [asyncio.create_task(member.follow()) for member in members]
            await self._work(wholes, parked, clock, followers)
        finally:
            for task in followers:
                await cancelled(task)
            for each in (*members, *callers):
                await each.stop()

    async def _work(
        self,
        wholes: list[WholeRead],
        parked: Mapping[str, Message],
        clock: BrokerClock,
        followers: list[asyncio.Task[None]],
    ) -> None:
        service = self.processor.service
        group_id = self._settings.topic_prefix + self.processor.group_id
        self._failed = asyncio.get_running_loop().create_future()
        self._leaving = False
        self._generation = -1
        self._given = set()
        cluster = await origin(self._settings)
        assignor = Assignor(self.held, self._settings.standby_replicas)
        group_consumer = consumer(self._settings, group_id, assignor=assignor)

        def on_warm() -> None:
            assert self._standbys is not None
            awaited = assignor.share.awaited
            if awaited and awaited <= self._standbys.warm:
                rejoin(group_consumer)

        self._standbys = Standbys(self.processor, self._settings, cluster, on_warm, self._ended)
        await group_consumer.start()

        def open_partition(partition: int, store: Store | None) -> PartitionRun:
            return PartitionRun(
                self.processor,
                partition,
                self._settings,
                group_consumer,
                cluster,
                wholes,
                lambda key: f"{key}/{service}" in parked,
                clock.is_right if self._settings.clock == "wall" else lambda: True,
                clock.off_seconds,
                self._callers,
                self.servers,
                store,
            )

        topics = [self._settings.topic(topic.name) for topic in self.processor.inputs]
        listener = _Rebalance(self, open_partition, on_warm, group_consumer, assignor)
        group_consumer.subscribe(topics, listener=listener)
        stopped = asyncio.create_task(self._stopping.wait())
        refused = asyncio.create_task(group_consumer.until_refused())
        try:
            ends: list[asyncio.Future[Any]] = [stopped, self._failed, refused, *followers]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (self._failed, refused, *followers):
                if task.done():
                    task.result()
        finally:
            stopped.cancel()
            refused.cancel()
            await self._leave(group_consumer)

    async def _leave(self, group_consumer: AIOKafkaConsumer) -> None:
        """Let others take over once nothing is in hand; then close files, which may take long."""
        # The group may still hand partitions to a worker that waits for its last batches.
        self._leaving = True
        await self.rest_partitions()
        await group_consumer.stop()
        await self._close(set(self._runs))
        if self._following is not None:
            await cancelled(self._following)
            self._following = None
        if self._standbys is not None:
            await self._standbys.stop()
            self._standbys = None

    # --- what the rebalance listener does --------------------------------------------------------

    async def rest_partitions(self) -> None:
        """Let batches and calls in hand end; what is not open, or takes too long, is closed."""
        self._assigned = False
        opening = {number for number, run in self._runs.items() if not run.ready}
        await self._close(opening)
        runs = list(self._runs.values())
        await asyncio.gather(*(self._rest(run, self._tasks[run.partition]) for run in runs))

    async def _rest(self, run: PartitionRun, task: asyncio.Task[None]) -> None:
        resting = asyncio.create_task(run.rest())
        await asyncio.wait(
            {task, resting}, timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if not resting.done():
            resting.cancel()
            await self._close({run.partition}, wait=False)

    async def take_partitions(
        self,
        numbers: Set[int],
        standbys: Set[int],
        generation: int,
        open_partition: _Open,
        on_warm: Callable[[], None],
    ) -> None:
        """Work on these partitions, unless the session is about to end.

        One that it had before goes on, if the group has dealt once since: nobody else had it.
        """
        if self._leaving:
            return
        is_next, self._generation = generation == self._generation + 1, generation
        kept = numbers & self._runs.keys() if is_next else set()
        if numbers != self._given:
            metrics.REBALANCES.labels(self.processor.group_id).inc()
        self._given = numbers
        for number in kept:
            self._runs[number].resume()
        assert self._standbys is not None
        if self._following is not None:
            await cancelled(self._following)
        stores = await self._standbys.handed(numbers - kept)
        gone = self._runs.keys() - kept
        # Their rows are as good as a standby's that has caught up.
        for number in gone & standbys if is_next else ():
            if (store := self._runs[number].handed()) is not None:
                self._standbys.adopt(number, store)
        await self._close(gone)
        for number in sorted(numbers - kept):
            self._runs[number] = open_partition(number, stores.get(number))
            task = asyncio.create_task(self._runs[number].run())
            task.add_done_callback(self._ended)
            self._tasks[number] = task
        self._following = asyncio.create_task(self._follow(standbys, on_warm))
        self._following.add_done_callback(self._ended)
        self._assigned = True

    async def _follow(self, standbys: Set[int], on_warm: Callable[[], None]) -> None:
        """Follow the standbys, after the partitions are open: these wait for nothing."""
        assert self._standbys is not None
        for run in list(self._runs.values()):
            await run.opened.wait()
        await self._standbys.follow(standbys)
        # It may have caught up while the group dealt out.
        on_warm()

    async def _close(self, numbers: Iterable[int], *, wait: bool = True) -> None:
        """Close them, after the batch in hand; what takes too long is cancelled, and fenced."""
        runs = [self._runs.pop(number) for number in list(numbers) if number in self._runs]
        tasks = [self._tasks.pop(run.partition) for run in runs]
        for run in runs:
            run.stop()
        late: Iterable[asyncio.Task[None]] = tasks
        if tasks and wait:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
        for task in late:
            await cancelled(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error: BaseException | None
        if not task.cancelled():
            error = task.exception()
        elif task in self._tasks.values():
            # Not ours, which come only when the partitions close: the client gave up underneath.
            error = TransportError("a partition's work was cancelled")
        else:
            error = None
        # The first failure ends the session; the others' tell no more.
        if error is not None and self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(
        self,
        host: Host,
        open_partition: _Open,
        on_warm: Callable[[], None],
        group_consumer: AIOKafkaConsumer,
        assignor: Assignor,
    ) -> None:
        self._host = host
        self._open = open_partition
        self._on_warm = on_warm
        self._consumer = group_consumer
        self._assignor = assignor

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._host.rest_partitions()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        numbers = {tp.partition for tp in assigned}
        standbys = self._assignor.share.standbys
        _log.info(
            "partitions assigned",
            processor=self._host.processor.group_id,
            partitions=sorted(numbers),
            standbys=sorted(standbys),
        )
        await self._host.take_partitions(
            numbers, standbys, generation_of(self._consumer), self._open, self._on_warm
        )
