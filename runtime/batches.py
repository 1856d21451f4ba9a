"""Reads a fetch batch by batch, and returns unreadable records by name instead of raising.

aiokafka raises out of ``getmany`` for a header name that is not UTF-8, a codec it does not know, a
wrong checksum or garbled bytes. It raises again at every later try, so one such record stops a
partition for good. It also skips a batch that arrives cut off. Here each of these becomes an
``Unreadable`` in the place of its records, in the order of offsets.

A wrong checksum may be the network's fault. So such a batch is fetched again, and given up only
after the same bytes came several times over some seconds.
"""

import asyncio
import struct
import time
from collections.abc import Generator, Iterator
from typing import Any, Final

import structlog
from aiokafka import TopicPartition, codec
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import UnsupportedCodecError
from aiokafka.structs import ConsumerRecord

from runtime import metrics
from runtime.batch_bytes import (
    HEADER,
    LENGTH_AT,
    MAGIC_AT,
    BatchError,
    Header,
    end_of_batch,
    inflated,
    opened,
    refuse_offset,
    salvaged,
)
from runtime.records import Unreadable

#: A batch with a wrong checksum is given up after the same bytes came this often, …
LOOKS_MIN: Final = 3
#: … and over at least this many seconds.
PATIENCE_SECONDS: Final = 5.0
#: Seconds between two fetches of such a batch.
PAUSE_SECONDS: Final = 0.5
_log = structlog.get_logger()


# --- batches that may arrive whole at the next fetch ---------------------------------------------


class Doubts:
    """How often each broken batch came, by partition; all readers of a process share it."""

    def __init__(self) -> None:
        #: A hash of the bytes, when they first came, and how often.
        self._seen: dict[TopicPartition, tuple[int, float, int]] = {}

    def is_certain(self, tp: TopicPartition, raw: memoryview, now: float) -> bool:
        """Note that these bytes came; returns whether it was often and long enough to give up."""
        told = hash(bytes(raw))
        known, since, looks = self._seen.get(tp, (None, now, 0))
        if known != told:
            since, looks = now, 0
        self._seen[tp] = (told, since, looks + 1)
        return looks + 1 >= LOOKS_MIN and now - since >= PATIENCE_SECONDS


_doubts = Doubts()


# --- classes that replace aiokafka's -------------------------------------------------------------


class Batches:
    """The bytes that a fetch brought for a partition; replaces aiokafka's ``MemoryRecords``.

    aiokafka's class does not give access to the bytes, and skips a batch that is cut off. If it
    raises in the task that fetches, the task ends without a message.
    """

    def __init__(self, raw: bytes | None) -> None:
        self.raw = memoryview(raw or b"")

    def has_next(self) -> bool:
        """Whether there are any bytes."""
        return len(self.raw) > 0

    def size_in_bytes(self) -> int:
        """The number of bytes."""
        return len(self.raw)


class Records(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records that a fetch brought for a partition, with ``Unreadable`` among them."""

    #: Whether a batch is broken and should be fetched again, after a pause.
    in_doubt = False
    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[ConsumerRecord | Unreadable]:
        raw, start = self._records.raw, 0
        while start < len(raw):
            end = end_of_batch(raw, start)
            if end is None:
                # The last batch of an answer may be cut off; the next fetch begins with that batch.
                if start == 0:
                    problem = "the broker returns no whole batch"
                    yield from self._doubted(raw, "cut-off", problem, self.next_fetch_offset + 1)
                return
            batch = raw[start:end]
            if problem := self._broken(batch):
                yield from self._doubted(batch, "checksum", problem, self._end_of(batch, raw, end))
                return
            found = yield from self._read(batch)
            if not found:
                # What was aborted is told anew for the offsets behind it.
                return
            start = end

    def _broken(self, batch: memoryview) -> str:
        magic = batch[MAGIC_AT]
        if magic > 2:
            return f"the batch has format {magic}, which is unknown"
        if self._check_crcs and not opened(batch).validate_crc():
            return "the checksum of the batch does not match its bytes"
        return ""

    def _end_of(self, batch: memoryview, raw: memoryview, end: int) -> int:
        """The best guess of the offset after a batch whose header can't be trusted."""
        at = self.next_fetch_offset
        told = Header.of(batch) if len(batch) >= HEADER.size else None
        if len(raw) - end >= LENGTH_AT:
            (following,) = struct.unpack_from(">q", raw, end)
            if following > at:
                is_likely = told is not None and at < told.next_offset <= following
                return told.next_offset if told is not None and is_likely else int(following)
        if told is not None and at < told.next_offset == told.base_offset + told.count:
            return told.next_offset
        return int(at + 1)

    def _doubted(
        self, raw: memoryview, reason: str, problem: str, next_offset: int
    ) -> Iterator[Unreadable]:
        """Have a broken batch fetched again; after enough fetches, return it as unreadable."""
        if not _doubts.is_certain(self._tp, raw, time.monotonic()):
            self.in_doubt = True
            _log.warning(
                "a broken batch is fetched again",
                topic=self._tp.topic,
                partition=self._tp.partition,
                offset=self.next_fetch_offset,
                problem=problem,
            )
            return
        # Nothing in the batch can be trusted, not even its time.
        yield self._unreadable(raw, reason, problem, next_offset, -1)

    def _unreadable(
        self, raw: memoryview, reason: str, problem: str, next_offset: int, timestamp: int
    ) -> Unreadable:
        first, self.next_fetch_offset = self.next_fetch_offset, next_offset
        (base,) = struct.unpack_from(">q", raw) if len(raw) >= LENGTH_AT else (first,)
        if first < base < next_offset:
            # Compaction leaves gaps before a batch.
            first = int(base)
        return Unreadable(
            self._tp.topic,
            self._tp.partition,
            first,
            next_offset - 1,
            timestamp,
            reason,
            problem,
            value=bytes(raw),
            is_batch=True,
        )

    def _read(self, raw: memoryview) -> Generator[Any, None, bool]:
        """The records of a batch with a right checksum; returns whether to go on after it."""
        batch = opened(raw)
        if batch.next_offset <= self.next_fetch_offset:
            return True
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            try:
                if batch.is_control_batch and self._contains_abort_marker(batch):
                    self._aborted_producers.discard(batch.producer_id)
            except MemoryError:
                raise
            except Exception as error:
                yield from self._rest(raw, error)
                return False
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                self._go_to(batch.next_offset)
                return True
        if not batch.is_control_batch:
            yield from self._data(raw, batch.next_offset)
        self._go_to(batch.next_offset)
        return True

    def _data(self, raw: memoryview, end: int) -> Iterator[ConsumerRecord | Unreadable]:
        plain = raw
        try:
            if raw[MAGIC_AT] >= 2:
                plain = inflated(raw)
            for record in opened(plain):
                offset = record.offset
                if offset >= self.next_fetch_offset:
                    if offset >= end:
                        refuse_offset(offset)
                    found = self._consumer_record(self._tp, record)
                    self.next_fetch_offset = offset + 1
                    yield found
        except MemoryError:
            # A lack of memory says nothing about the batch.
            raise
        except UnsupportedCodecError as error:
            if codec.cramjam is not None:
                # Kafka does not have this codec.
                yield from self._salvaged(raw, plain, end, error)
                return
            # A missing library is not an error of the batch: with the library it can be read.
            place = f"{self._tp.topic}/{self._tp.partition}/{self.next_fetch_offset}"
            raise UnsupportedCodecError(f"{place}: {error}") from error
        except Exception as error:
            yield from self._salvaged(raw, plain, end, error)

    def _salvaged(
        self, raw: memoryview, plain: memoryview, end: int, error: Exception
    ) -> Iterator[ConsumerRecord | Unreadable]:
        """The rest of a batch after ``error``: its good records, and ``Unreadable`` for others."""
        if raw[MAGIC_AT] >= 2 and not isinstance(error, BatchError):
            try:
                for each in salvaged(plain, self._tp):
                    if each.offset >= self.next_fetch_offset:
                        if each.offset >= end:
                            refuse_offset(each.offset)
                        self._go_to(each.offset + 1)
                        yield each
            except (ValueError, IndexError) as further:
                error = further
            else:
                return
        yield from self._rest(raw, error)

    def _rest(self, raw: memoryview, error: Exception) -> Iterator[Unreadable]:
        """One ``Unreadable`` for the batch from the next offset on, unless all of it was read."""
        reason = error.reason if isinstance(error, BatchError) else "records"
        end = opened(raw).next_offset
        at_ms = Header.of(raw).time_of(0) if raw[MAGIC_AT] >= 2 else -1
        if end > self.next_fetch_offset:
            yield self._unreadable(raw, reason, f"the batch can't be read: {error}", end, at_ms)

    def _go_to(self, offset: int) -> None:
        self.next_fetch_offset = max(self.next_fetch_offset, offset)


class Fetched(FetchResult):  # type: ignore[misc]  # aiokafka has no types
    """The result of a fetch for a partition, which is paused while a batch is in doubt."""

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records."""
        records = self._partition_records
        found: list[Any] = super().getall(max_records)
        if records is not None and records.in_doubt:
            self._rest()
        return found

    def getone(self) -> Any:
        """The next record."""
        records = self._partition_records
        found = super().getone()
        if records is not None and records.in_doubt:
            self._rest()
        return found

    def _rest(self) -> None:
        state = self._assignment.state_value(self._topic_partition)
        if state is not None and not state.paused:
            state.pause()
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, state.resume)


def note_unreadable(record: Unreadable) -> None:
    """Log and count a record that can't be read and of which no dead letter is made."""
    metrics.UNREADABLE.labels(record.topic, record.reason).inc()
    _log.error(
        "what can't be read is passed over",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        last_offset=record.last_offset,
        reason=record.reason,
        problem=record.problem,
        kept="in the topic only",
    )


def install() -> None:
    """Make aiokafka's fetcher use our classes: it takes none as arguments, so set its names."""
    fetcher.MemoryRecords, fetcher.PartitionRecords, fetcher.FetchResult = Batches, Records, Fetched
