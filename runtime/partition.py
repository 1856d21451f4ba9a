"""One open partition: restore its rows, then fetch, merge, fold and commit until it is stopped."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime import metrics
from runtime.caller import Caller
from runtime.calls import Calls
from runtime.clients import TransportError, idle_wait_ms, read_end
from runtime.clock import Clock, Input, Wait, next_input
from runtime.dead_letters import TELLER
from runtime.fold import Fold
from runtime.journal import Claim
from runtime.processor import Processor
from runtime.records import Encoder, OutputRecord, Partitioner
from runtime.restore import restore
from runtime.servers import Servers
from runtime.settings import Settings
from runtime.store import POSITIONS_KEY, Meta, Store, positions_value
from runtime.traces import WORK
from runtime.transport import PartitionSender, committed_of, fetch_until
from schemas.ops import DEAD_LETTERS
from schemas.parts import Message

#: How long a fold may keep the event loop, and so heartbeats, waiting.
SLICE_SECONDS = 0.1
BATCH_SECONDS = 0.4
#: Without transactions a batch's rows and positions must fit one record batch of the changelog.
BATCH_BYTES_MAX = 128 * 1024
BLOCKED_POLL_MS = 5


class PartitionRun:
    """A processor's partition on this worker."""

    def __init__(
        self,
        processor: Processor,
        partition: int,
        settings: Settings,
        group_consumer: AIOKafkaConsumer,
        cluster: str,
        wholes: Sequence[Mapping[str, Message]],
        parked: Callable[[str], bool],
        clock_is_right: Callable[[], bool],
        off_seconds: Callable[[], float],
        callers: Mapping[str, Caller],
        servers: Servers,
        store: Store | None = None,
    ) -> None:
        self.processor = processor
        self.partition = partition
        self.ready = False
        #: Set once it is ready, or has ended before.
        self.opened = asyncio.Event()
        self.clock = Clock(settings.clock, int(settings.clock_grace_seconds * 1000))
        self.inputs = [Input(topic.name) for topic in processor.inputs]
        self._settings = settings
        self._idle_ms = idle_wait_ms(settings)
        self._consumer = group_consumer
        self._cluster = cluster
        self._wholes = wholes
        self._parked = parked
        self._clock_is_right = clock_is_right
        self._off_seconds = off_seconds
        # Set while it should stop or rest: ends a fetch, and a fold after its slice.
        self._halting = asyncio.Event()
        self._is_stopping = False
        self._resting = asyncio.Event()
        self._resumed = asyncio.Event()
        outputs = [topic.name for topic in processor.outputs]
        self._sender = PartitionSender(settings, processor.group_id, partition, outputs)
        self._callers = callers
        self._servers = servers
        self._calls: Calls | None = None
        # Open already if this worker had it as a standby.
        self._store = store
        self._log = structlog.get_logger().bind(processor=processor.group_id, partition=partition)
        self._tps = [TopicPartition(settings.topic(each.topic), partition) for each in self.inputs]
        self._committed: dict[TopicPartition, int] = {}
        self._blocked_by_clock = False
        # From a fold's beginning until its rows are written.
        self._busy = False
        self._measured = metrics.of_partition(processor.group_id, partition)

    # --- life ------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let the current batch end, then stop."""
        self._is_stopping = True
        self._halting.set()
        self._resumed.set()

    async def rest(self) -> None:
        """Let the batch and the calls in hand end, and wait with all open: a rebalance begins."""
        self._halting.set()
        await self._resting.wait()

    def resume(self) -> None:
        """Go on after a rest; nobody else has run the partition meanwhile."""
        for tp, each in zip(self._tps, self.inputs, strict=True):
            # The client has forgotten how far it had fetched.
            self._consumer.seek(tp, each.next_offset)
            each.start_at(each.next_offset)
        self._halting.clear()
        self._resting.clear()
        self._resumed.set()

    def handed(self) -> Store | None:
        """Its rows, still open, once it rests and will not go on."""
        store, self._store = self._store, None
        return store

    async def run(self) -> None:
        """Open, and work until stopped; raises whatever goes wrong."""
        try:
            await self._open()
            while self.ready and not self._is_stopping:
                while not self._halting.is_set():
                    await self._turn()
                await self._end_calls()
                if not self._is_stopping:
                    self._resumed.clear()
                    self._resting.set()
                    await self._resumed.wait()
        finally:
            self.ready = False
            self.opened.set()
            self._measured.hide()
            TELLER.tell(time.monotonic(), is_last=True)
            if self._calls is not None:
                await self._calls.cancel()
                self._calls.close()
            with suppress(Exception):
                await asyncio.shield(self._sender.stop())
            if self._store is not None:
                self._store.close()

    async def _end_calls(self) -> None:
        """Wait for calls in hand, as another worker may have the partition next."""
        if self._calls is not None:
            await self._calls.drain(self._fold)
            await self._commit()

    async def _open(self) -> None:
        started = time.monotonic()
        self._measured.opens()
        # The predecessor is fenced before anything of its is read.
        await self._sender.start()
        if (store := self._store) is None:
            path = self._settings.state_dir / self.processor.group_id / str(self.partition)
            store = self._store = Store(path, self._cluster, self._settings.state_kept_seconds)
        changelog = TopicPartition(self._settings.topic(self.processor.changelog), self.partition)
        await restore(store, changelog, self._settings, self._cluster, self._halting)
        if self._halting.is_set():
            # Another worker may have the partition next, and a long restore would hold up all.
            return
        if self.processor.calls:
            folder = self._settings.state_dir / self.processor.group_id
            self._calls = Calls(
                self.processor, self.partition, folder, self._callers, self._servers
            )
            self._calls.open(store)
        meta = store.meta
        for tp, each in zip(self._tps, self.inputs, strict=True):
            if self._settings.kafka_transactions:
                start = await committed_of(self._consumer, tp)
            else:
                committed = await self._consumer.committed(tp)
                start = max(committed or 0, meta.positions.get(each.topic, 0))
            if start is not None:
                self._consumer.seek(tp, start)
            self._committed[tp] = start or 0
            each.start_at(start or 0)
        self.clock.now_ms = meta.now
        self._fold = self._new_fold(store)
        WORK.set(self._fold.work)
        self._measured.dead.show(meta.dead)
        self.ready = True
        self.opened.set()
        seconds = time.monotonic() - started
        self._measured.opened(seconds, self._behind_seconds, self._deadline_late_seconds)
        self._log.info("partition open", seconds=round(seconds, 3))

    def _new_fold(self, store: Store) -> Fold:
        partitioner = Partitioner(self._settings.partitions)
        topics = {
            message: self._settings.topic(topic.name)
            for topic in self.processor.outputs
            for message in topic.messages
        }
        return Fold(
            self.processor,
            store,
            Encoder(f"jointbuy/{self.processor.service}", topics, partitioner),
            partitioner,
            self._settings.topic(DEAD_LETTERS.name),
            self._wholes,
            self._parked,
        )

    # --- work ------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        wait_ms = self._wait_ms()
        await self._fetch(wait_ms)
        self._busy = True
        folded = await self._fold_batch()
        claims = self._claim_calls()
        self._measured.stands(self.clock.now_ms, self._fold.waiting, self._fold.waits)
        if folded or claims or self._fold.outputs or self._fold.called or self._positions_moved():
            await self._commit()
        if self._calls is not None:
            self._calls.launch(claims, self._wall_ms())
        self._busy = False
        # The batch is in the store or there was none, so the window of due rows may move on.
        self._fold.due.load()
        self._measured.due.set(self._overdue())
        TELLER.tell(time.monotonic())

    def _claim_calls(self) -> list[Claim]:
        """Settle the calls that were answered, and claim those that may be done now."""
        if (calls := self._calls) is None:
            return []
        wall_ms = self._wall_ms()
        calls.settle(self._fold)
        self._fold.work.key = ""
        claims = calls.claim(self._fold, wall_ms)
        calls.tell(self._measured)
        return claims

    def _wait_ms(self) -> int:
        if self._calls is not None and self._calls.has_work(self._wall_ms()):
            return 0
        if self._fold.ready() or (self._overdue() and not self._blocked_by_clock):
            return 0
        if any(each.buffer for each in self.inputs):
            blocked = isinstance(next_input(self.inputs), Wait) or self._blocked_by_clock
            return BLOCKED_POLL_MS if blocked else 0
        # Before the broker has answered again, there is nothing new.
        return self._idle_ms

    async def _fetch(self, wait_ms: int) -> None:
        """Fill the inputs that have nothing fetched, and learn where the logs end."""
        wanted = [tp for tp, each in zip(self._tps, self.inputs, strict=True) if not each.buffer]
        fetched = {}
        if wanted:
            limit = self._settings.batch_records_max
            # A rebalance waits until this run stops, and an answered call must not wait.
            ends = [self._halting, self._calls.answered] if self._calls else [self._halting]
            fetched = await fetch_until(
                self._consumer.getmany(*wanted, timeout_ms=wait_ms, max_records=limit), ends
            )
        quiet_ms = self.clock.grace_ms
        for tp, each in zip(self._tps, self.inputs, strict=True):
            answered_ms = self._consumer.last_poll_timestamp(tp)
            if tp in fetched:
                each.buffer.extend(fetched[tp])
                each.fetched_ms = answered_ms or 0
            if answered_ms is not None:
                read_to = await self._consumer.position(tp)
                if read_to < each.next_offset:
                    raise TransportError(f"the topic of {tp} was created anew")
                each.answered(read_to, read_end(self._consumer, tp), answered_ms, quiet_ms)

    async def _fold_batch(self) -> bool:
        """Fold what is fetched, in slices; whether there is anything to commit."""
        fold = self._fold
        ends = time.monotonic() + BATCH_SECONDS
        count = size = fired = 0
        before = fold.fired
        started = time.perf_counter()
        while not self._halting.is_set():
            more, records, bytes_read = self._slice(self._room(count, size))
            self._fold.work.key = ""
            count, size, fired = count + records, size + bytes_read, fold.fired - before
            if not more or time.monotonic() > ends or self._room(count + fired, size) <= 0:
                break
            await asyncio.sleep(0)
        turns = self._advance_held(ends)
        self._fold.work.key = ""
        self._measured.folded.inc(count)
        self._measured.fold_seconds.inc(time.perf_counter() - started)
        return bool(count or fired or turns or fold.outputs)

    def _room(self, count: int, size: int) -> int:
        if not self._settings.kafka_transactions and size >= BATCH_BYTES_MAX:
            return 0
        return self._settings.batch_records_max - count

    def _slice(self, room: int) -> tuple[bool, int, int]:
        """Fold for a slice of time: whether there is more, how many records, how many bytes."""
        ends = time.monotonic() + SLICE_SECONDS
        wall_ms = self._wall_ms()
        records = size = 0
        bytes_max = BATCH_BYTES_MAX if not self._settings.kafka_transactions else 1 << 30
        while records < room and size < bytes_max:
            chosen = next_input(self.inputs)
            if isinstance(chosen, Wait):
                at_ms = self.clock.now_ms
                if chosen is Wait.AT_END:
                    if self._clock_is_right():
                        at_ms = self.clock.at_rest(self.inputs, wall_ms)
                    self._fire_until(at_ms, ends)
                return False, records, size
            at_ms = self.clock.at_record(chosen.buffer[0].timestamp, wall_ms)
            if not self._fire_until(at_ms, ends):
                return not self._blocked_by_clock and not self._fold.due.exhausted, records, size
            record = chosen.take()
            size += len(record.value or b"")
            records += 1
            self._fold.apply(chosen.topic, record)
            if not records & 63 and time.monotonic() > ends:
                break
        return True, records, size

    def _fire_until(self, at_ms: int, ends: float) -> bool:
        """Fire what is due at ``at_ms`` and move the clock there; False if that is not all done."""
        fold, due = self._fold, self._fold.due
        fired = 0
        while True:
            if due.exhausted:
                return False
            earliest = due.earliest()
            if earliest is None or earliest > at_ms:
                break
            self._blocked_by_clock = not self._clock_is_right()
            if self._blocked_by_clock:
                return False
            self.clock.now_ms = fold.now_ms = max(self.clock.now_ms, earliest)
            fold.fire()
            fired += 1
            if not fired & 63 and time.monotonic() > ends:
                return False
        self._blocked_by_clock = False
        self.clock.now_ms = fold.now_ms = max(self.clock.now_ms, at_ms)
        return True

    def _advance_held(self, ends: float) -> int:
        """One turn for each key whose records wait, as long as the batch has time."""
        turns = 0
        for key in self._fold.ready():
            self._fold.advance(key)
            turns += 1
            # Without transactions each turn's rows must fit beside the batch's.
            if time.monotonic() > ends or not self._settings.kafka_transactions:
                break
        return turns

    def _positions(self) -> dict[TopicPartition, int]:
        return {tp: each.next_offset for tp, each in zip(self._tps, self.inputs, strict=True)}

    def _positions_moved(self) -> bool:
        return any(at > self._committed[tp] for tp, at in self._positions().items())

    async def _commit(self) -> None:
        started = time.perf_counter()
        burying = self._fold.burying
        rows, outputs = self._fold.take()
        assert self._store is not None
        meta = Meta(
            cluster=self._cluster,
            changelog_offset=self._store.meta.changelog_offset,
            positions={each.topic: each.next_offset for each in self.inputs},
            now=self.clock.now_ms,
            stashed=self._fold.stashed,
            dead=dict(burying.counts),
        )
        # Under log nothing else knows the time: a batch of TimePassed alone is kept too.
        moved = self.clock.mode == "log" and meta.now != self._store.meta.now
        moved |= bool(rows or outputs or burying.open)
        changelog = self._changelog(rows, meta) if moved else []
        offsets = self._positions()
        # A batch of calls alone reads nothing.
        moved_to = offsets if self._positions_moved() else {}
        written_to = await self._sender.commit(outputs, changelog, moved_to, self._consumer)
        if changelog:
            meta.changelog_offset = written_to
            self._store.write(rows, meta)
        if self._calls is not None:
            self._calls.committed(self._fold)
            self._calls.written()
        self._committed = offsets
        self._fold.committed()
        self._measured.committed(len(outputs), burying.counts, time.perf_counter() - started)

    def _changelog(
        self, rows: Iterable[tuple[bytes, bytes | None]], meta: Meta
    ) -> list[OutputRecord]:
        topic = self._settings.topic(self.processor.changelog)
        now_ms = self._wall_ms()
        return [
            OutputRecord(topic, self.partition, key, value, now_ms, [])
            for key, value in [*rows, (POSITIONS_KEY, positions_value(meta))]
        ]

    def _wall_ms(self) -> int:
        """The broker's time: nothing is stamped or decided by a clock that is known to be off."""
        return int((time.time() - self._off_seconds()) * 1000)

    def _overdue(self) -> int:
        earliest = self._fold.due.earliest()
        return int(earliest is not None and earliest <= self.clock.now_ms)

    def _behind_seconds(self) -> float:
        """How far the clock is behind the broker's; 0 under ``log`` and before the first record."""
        is_known = self.clock.mode == "wall" and self.clock.now_ms > 0
        return max(self._wall_ms() - self.clock.now_ms, 0) / 1000 if is_known else 0.0

    def _deadline_late_seconds(self) -> float:
        """How long the earliest deadline is late, beyond the grace; 0 under ``log``."""
        earliest = self._fold.due.earliest()
        if earliest is None or self.clock.mode == "log":
            return 0.0
        return max(self._wall_ms() - self.clock.grace_ms - earliest, 0) / 1000

    def _idle(self) -> bool:
        """Everything read and committed, and nothing left to do."""
        earliest = self._fold.due.earliest()
        until_ms = self.clock.now_ms
        if self.clock.mode == "wall":
            # After an outage the clock has yet to reach what is overdue.
            until_ms = max(until_ms, self._wall_ms() - self.clock.grace_ms)
        return (
            not self._busy
            and (self._calls is None or self._calls.is_idle(self._wall_ms()))
            and all(each.at_end for each in self.inputs)
            and not self._positions_moved()
            and (earliest is None or earliest > until_ms)
            and not self._fold.due.exhausted
            and not self._fold.ready()
        )

    def status(self) -> dict[str, object]:
        """How the partition stands, for ``/status``."""
        fold = self._fold if self.ready else None
        return {
            "processor": self.processor.group_id,
            "partition": self.partition,
            "ready": self.ready,
            "now_ms": self.clock.now_ms,
            "positions": {each.topic: each.next_offset for each in self.inputs},
            "answered_ms": min(each.answered_ms for each in self.inputs),
            "committed": {
                each.topic: self._committed.get(tp, 0)
                for tp, each in zip(self._tps, self.inputs, strict=True)
            },
            "due_unhandled": self._overdue() if fold else 0,
            "keys_waiting": fold.waiting if fold else 0,
            "idle": fold is not None and self._idle(),
            "blocked_by_clock": self._blocked_by_clock,
            **(self._calls.status() if fold and self._calls else {}),
        }
