"""Every Kafka client is made here: consumers, producers, clients for administration.

So the connection to the cluster is set in one place.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, for_code
from aiokafka.protocol.fetch import FetchRequest

from runtime import batches, security
from runtime.assignor import Assignor
from runtime.lasting_errors import comes_from_client
from runtime.settings import Settings

#: A record is at most 900 kB, and a batch without transactions is one record batch.
BATCH_BYTES_MAX = 1_500_000
#: A fetch that is refused for so long with an error that the client does not raise ends a session.
REFUSED_SECONDS = 10.0
#: Without a record for so long, a consumer is idle.
IDLE_SECONDS = 1.0
#: How long fetches of an idle follower wait at the broker, which answers at once if a record comes.
FOLLOW_WAIT_MS = 5_000
#: How often a follower looks without a reason whether there is anything to fetch.
FOLLOW_LOOK_MS = 1_000

batches.install()
security.install()


class TransportError(RuntimeError):
    """Something could not be sent or read; the partition must be opened anew."""


def is_being_cancelled() -> bool:
    """Whether somebody wants this task to end; else a ``CancelledError`` is a client's own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def ends_session(error: BaseException) -> bool:
    """Whether Kafka or the network caused it, so that a new session may help; else it is a bug.

    aiokafka also raises ``AssertionError`` and others when its state is lost under it.
    """
    return isinstance(error, KafkaError | TransportError | OSError) or comes_from_client(error)


def _broker(settings: Settings) -> dict[str, Any]:
    """The options by which every client reaches the cluster, and signs in."""
    known = security.access_of(settings).options()
    return {"bootstrap_servers": settings.kafka_bootstrap_servers, **known}


class _Fetches:
    """The answers to a consumer's fetches: partitions that are refused, and when records came.

    aiokafka only logs a refusal, and fetches on.
    """

    def __init__(self, send: Any, on_answer: Callable[[], None]) -> None:
        self._send = send
        self._on_answer = on_answer
        self._kind: dict[TopicPartition, tuple[type[KafkaError], float]] = {}
        self._records_at = time.monotonic()

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """Send a request for the client, and note what a fetch is answered."""
        response = await self._send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            for topic, partitions in response.topics:
                for partition, code, *_, records in partitions:
                    self._note(TopicPartition(topic, partition), code)
                    if records:
                        self._records_at = time.monotonic()
            self._on_answer()
        return response

    @property
    def is_idle(self) -> bool:
        """Whether no record has come for a while."""
        return time.monotonic() - self._records_at >= IDLE_SECONDS

    def _note(self, partition: TopicPartition, code: int) -> None:
        kind = for_code(code)
        if not code or kind.retriable:
            self._kind.pop(partition, None)
            return
        known, since = self._kind.get(partition, (kind, time.monotonic()))
        self._kind[partition] = kind, since if known is kind else time.monotonic()

    def check(self) -> None:
        """Raise the error of a partition whose fetches have been refused for long."""
        for partition, (kind, since) in self._kind.items():
            if time.monotonic() - since >= REFUSED_SECONDS:
                raise kind(f"topic {partition.topic}, partition {partition.partition}")


class _Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """Raises errors that aiokafka only logs, and ``IllegalStateError`` where it asserts.

    Its fetches wait longer at the broker while it is idle.
    """

    def __init__(self, *, fetch_max_wait_ms: int, idle_fetch_wait_ms: int, **options: Any) -> None:
        super().__init__(fetch_max_wait_ms=fetch_max_wait_ms, **options)
        self._waits_ms = fetch_max_wait_ms, idle_fetch_wait_ms
        self._fetches = _Fetches(self._client.send, self._adapt)
        self._client.send = self._fetches.send

    async def getmany(self, *partitions: TopicPartition, **options: Any) -> Any:
        """The next records by partition. Raises if nothing will come any more."""
        self._fetches.check()
        self._adapt()
        fetching = self._fetcher.error_future if self._fetcher is not None else None
        if fetching is not None and fetching.done() and not fetching.cancelled():
            raise fetching.exception() or IllegalStateError("the client has stopped fetching")
        return await super().getmany(*partitions, **options)

    def _adapt(self) -> None:
        """Let the next fetch wait as long as fits; aiokafka reads that for each that it sends.

        A partition whose records are not taken yet is left out of it.
        """
        if self._fetcher is not None:
            self._fetcher._fetch_max_wait_ms = self._waits_ms[self._fetches.is_idle]

    def highwater(self, partition: TopicPartition) -> Any:
        """The end of the log as the last fetch told."""
        self._must_have(partition)
        return super().highwater(partition)

    def last_stable_offset(self, partition: TopicPartition) -> Any:
        """The end of what is committed, as the last fetch told."""
        self._must_have(partition)
        return super().last_stable_offset(partition)

    def last_poll_timestamp(self, partition: TopicPartition) -> Any:
        """When the last fetch was answered, in milliseconds."""
        self._must_have(partition)
        return super().last_poll_timestamp(partition)

    def _must_have(self, partition: TopicPartition) -> None:
        if not self._subscription.is_assigned(partition):
            raise IllegalStateError(
                f"partition {partition} is no longer assigned: was its topic deleted?"
            )

    async def until_refused(self) -> None:
        """Wait for an error of the group, such as a missing right, and raise it.

        aiokafka raises it only to who fetches, and nobody fetches while no partition is given.
        """
        while True:
            self._coordinator.check_errors()
            await asyncio.sleep(1)

    async def stop(self) -> None:
        """Disconnect, whatever became of the last fetch.

        aiokafka lets its own cancellation of a fetch that failed a moment ago out of ``stop``: the
        task that stops would end by it without a word, and the connection would stay.
        """
        try:
            await super().stop()
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            await self._client.close()


#: How often a worker asks whether its group deals out anew: its partitions wait for the last.
HEARTBEAT_MS = 500


def consumer(
    settings: Settings,
    group_id: str | None = None,
    *,
    offset_reset: str = "earliest",
    assignor: Assignor | None = None,
    follows: bool = False,
) -> AIOKafkaConsumer:
    """A consumer of committed records, from the beginning where nothing is committed.

    A record that can't be read comes as an ``Unreadable``; nothing is raised for it.
    With ``offset_reset`` ``none`` it raises where an offset is not there (any more).
    One that ``follows`` only wants records, and not to hear now and then that there are none.
    """
    idle_ms = FOLLOW_WAIT_MS if follows else idle_wait_ms(settings)
    return _Consumer(
        **_broker(settings),
        group_id=group_id,
        isolation_level="read_committed" if settings.kafka_transactions else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset=offset_reset,
        # Equal partition counts meet: either gives one worker the same numbers of all topics.
        partition_assignment_strategy=(assignor or RangePartitionAssignor,),
        # An id of its own keeps a worker's partitions for it while it starts again.
        group_instance_id=settings.kafka_group_instance_id if group_id else None,
        session_timeout_ms=settings.kafka_session_timeout_ms,
        heartbeat_interval_ms=HEARTBEAT_MS,
        max_poll_interval_ms=600_000,
        fetch_max_wait_ms=settings.fetch_wait_ms,
        idle_fetch_wait_ms=idle_ms,
        **({"consumer_timeout_ms": FOLLOW_LOOK_MS} if follows else {}),
        max_partition_fetch_bytes=2 * 1024 * 1024,
        metadata_max_age_ms=60_000,
    )


def generation_of(member: AIOKafkaConsumer) -> int:
    """How often the member's group has dealt out its partitions."""
    generation: int = member._coordinator.generation
    return generation


def rejoin(member: AIOKafkaConsumer) -> None:
    """Let the member's group deal out its partitions anew."""
    member._coordinator.request_rejoin()


def idle_wait_ms(settings: Settings) -> int:
    """How long a fetch of an idle consumer waits at the broker, in milliseconds.

    A partition's clock moves with the answers, and takes a silence as long as the grace for an
    outage.
    """
    longest = int(settings.clock_grace_seconds * 1000 / 4)
    return max(min(settings.idle_fetch_wait_ms, longest), settings.fetch_wait_ms)


def producer(
    settings: Settings, transactional_id: str | None = None, **options: Any
) -> AIOKafkaProducer:
    """A producer that waits for all replicas; transactional if it has an id for it.

    ``options`` of aiokafka replace those given here.
    """
    defaults = {
        "compression_type": None if settings.compression == "none" else settings.compression,
        "transactional_id": transactional_id,
        "transaction_timeout_ms": 60_000,
        "acks": "all",
        "max_batch_size": BATCH_BYTES_MAX,
        "max_request_size": 2 * BATCH_BYTES_MAX,
        "request_timeout_ms": 30_000,
        "metadata_max_age_ms": 60_000,
    }
    return AIOKafkaProducer(**_broker(settings), **defaults | options)


def admin(settings: Settings, **options: Any) -> AIOKafkaAdminClient:
    """A client for administration; start it before use."""
    return AIOKafkaAdminClient(**_broker(settings), **options)


def metadata_client(settings: Settings, **options: Any) -> AIOKafkaClient:
    """A client that only asks for metadata, and creates no topic by it."""
    return AIOKafkaClient(**_broker(settings), **options)


def read_end(reader: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of the log as the last fetch told, or ``None`` while a transaction is open on it."""
    highwater: int | None = reader.highwater(partition)
    stable: int | None = reader.last_stable_offset(partition)
    if stable is not None and stable >= 0 and highwater is not None and stable < highwater:
        return None
    return highwater
