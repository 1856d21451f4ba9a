"""A broker and worker processes for system tests: feed, watch, kill, and wait with a deadline."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiokafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from runtime.admin import create_topics
from runtime.clients import producer
from runtime.follower import Follower
from runtime.ports import free_port
from runtime.records import OutputRecord, Partitioner, as_record, encode, milliseconds
from runtime.settings import Settings
from runtime.transport import send
from schemas.orders import ORDERS
from schemas.parts import Message, TimePassed
from schemas.topic import PARTITIONS
from stack.brokers import RunningBroker
from stack.fork_server import Forked, ForkServer, start
from stack.progress import Standing
from stack.supervisor import EMBEDDED, end_all
from tests.system import plain_http

#: Far longer than anything takes on a busy machine: what fails by it has not happened.
DEADLINE_SECONDS = 150.0

partition_of = Partitioner(PARTITIONS)


#: Set by pytest's sessions: their workers are forks of one process, which start quicker.
fork_server: ForkServer | None = None


@dataclass
class Worker:
    """One worker process: ``port`` is the public one, where it has one."""

    module: str
    port: int
    ops_port: int
    env: dict[str, str]
    log: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def has_partitions(self) -> bool:
        """Whether it processes topics; the others answer pages."""
        return self.module != "services.storefront" and not self.module.endswith(".webhooks")

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = start(fork_server, self.module, self.arguments, self.env, self.log)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.exit_code()

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def exit_code(self, timeout: float = DEADLINE_SECONDS) -> int:
        """Wait until it has ended."""
        assert self.process is not None
        return self.process.wait(timeout)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        if self.process is not None:
            end_all([self.process])

    def page(self, path: str) -> httpx.Response | None:
        """One of its pages for ops, or ``None`` when it does not answer well."""
        try:
            answer = plain_http.get(f"{self.ops}/{path}", timeout=5)
        except httpx.HTTPError:
            return None
        return answer if answer.is_success else None

    @property
    def ops(self) -> str:
        """Where ops ask."""
        return f"http://127.0.0.1:{self.ops_port}"

    def ready(self) -> bool:
        """Whether it says so."""
        return self.page("readyz") is not None

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the value of each sample of a metric."""
        answer = self.page("metrics")
        assert answer is not None, f"{self.module} shows no metrics"
        return [
            (sample.labels, sample.value)
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.name == name
        ]

    def metric(self, name: str) -> dict[str, float]:
        """The samples of a metric by partition; by an empty text if it has none."""
        return {labels.get("partition", ""): value for labels, value in self.samples(name)}

    def partitions(self) -> list[dict[str, Any]]:
        """What ``/status`` says."""
        answer = self.page("status")
        return answer.json() if answer is not None else []


@dataclass(frozen=True)
class Seen:
    """A record read from a topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: Any
    headers: dict[str, str]


async def read_all(
    settings: Settings, partitions: Iterable[TopicPartition], take: Callable[[Any], None]
) -> None:
    """Take every committed record, and all that can't be read, one partition after the other."""
    follower = Follower(settings, take)
    try:
        await follower.start(*partitions)
        async for batch in follower.to_ends():
            for record in batch:
                take(record)
    finally:
        await follower.stop()


def until(what: str, condition: Callable[[], Any], timeout: float = DEADLINE_SECONDS) -> Any:
    """Ask again and again until ``condition`` gives something true; fail with ``what`` if late."""
    ends = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < ends, f"not in {timeout:.0f} s: {what}"
        # A process can only be asked; the pause is between questions, not for an outcome.
        signal.sigtimedwait([], 0.05)
    return found


@dataclass
class Stack:
    """Topics with a prefix of their own on a broker, and workers on them."""

    broker: RunningBroker
    folder: Path
    prefix: str
    clock: str = "log"
    env: dict[str, str] = field(default_factory=dict)
    partitions: int = PARTITIONS
    makes_topics: bool = True
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = self._settings(self.folder / "state")
        if self.makes_topics:
            asyncio.run(create_topics(self.settings))

    def _settings(self, state: Path) -> Settings:
        return Settings.model_validate(
            {
                "kafka_bootstrap_servers": self.broker.bootstrap_servers,
                "kafka_transactions": self.broker.transactions,
                "kafka_session_timeout_ms": EMBEDDED["kafka_session_timeout_ms"],
                **({} if self.broker.transactions else EMBEDDED),
                "topic_prefix": self.prefix,
                "clock": self.clock,
                "partitions": self.partitions,
                "state_dir": state,
                **{key.lower(): self.env[key] for key in ("COMPRESSION",) if key in self.env},
            }
        )

    def worker(self, module: str, *, start: bool = True, **env: str) -> Worker:
        """A worker of ``services.<name>`` (or any module with a dot) with state of its own."""
        name = module if "." in module else f"services.{module}"
        number = len(self.workers)
        told = self._settings(self.folder / f"state-{number}").model_dump(mode="json")
        # How to sign in, a worker reads from the environment, as these tests do.
        signs_in = ("kafka_security_", "kafka_sasl_", "kafka_ssl_")
        given = {
            key.upper(): str(value)
            for key, value in told.items()
            if value is not None and not key.startswith(signs_in)
        }
        port, ops_port = free_port(), free_port()
        ports = {"WEB_PORT": str(port), "OPS_PORT": str(ops_port)}
        # One read model for the projector and the pages of a stack.
        here = {"DATABASE_URL": f"sqlite:///{self.folder / 'storefront.db'}"}
        worker = Worker(
            name,
            port,
            ops_port,
            {**os.environ, **given, **here, **self.env, **ports, **env},
            self.folder / f"{name}-{number}.log",
        )
        self.workers.append(worker)
        if start:
            worker.start()
        return worker

    def start(self, *modules: str, **env: str) -> list[Worker]:
        """Workers, ready."""
        started = [self.worker(module, **env) for module in modules]
        self.until_ready(*started)
        return started

    def until_ready(self, *workers: Worker, timeout: float = DEADLINE_SECONDS) -> None:
        """Wait until each says that it is."""
        for worker in workers:
            until(f"{worker.module} ready, see {worker.log}", worker.ready, timeout)

    def feed(self, topic: str, *messages: tuple[Message, int | None]) -> None:
        """Send messages with timestamps in milliseconds (``None``: now) where they belong."""
        partitioner = Partitioner(self.settings.partitions)
        now = int(time.time() * 1000)
        self.feed_raw(
            as_record(message, topic, partitioner, now if at is None else at)
            for message, at in messages
        )

    def feed_raw(self, records: Iterable[OutputRecord]) -> None:
        """Send records as they are; topics without the prefix."""

        async def go() -> None:
            sender = producer(self.settings)
            await sender.start()
            try:
                await send(
                    sender,
                    [each._replace(topic=self.settings.topic(each.topic)) for each in records],
                )
            finally:
                await sender.stop()

        asyncio.run(go())

    def pass_time(self, at: datetime, *topics: str, partition: int | None = None) -> None:
        """``TimePassed`` to all partitions, or one, of these command topics (default: orders)."""
        self.feed_raw(
            OutputRecord(name, number, None, encode(TimePassed(at=at)), milliseconds(at), [])
            for name in topics or (ORDERS.name,)
            for number in range(self.settings.partitions)
            if partition in (None, number)
        )

    def read(self, topic: str) -> list[Seen]:
        """Every committed record of a topic, by partition and offset."""
        return [_seen(topic, record) for record in self.read_raw(topic)]

    def read_raw(self, topic: str) -> list[Any]:
        """The same of a topic or a changelog, as the records lie there."""
        return asyncio.run(self._read_raw(topic))

    async def _read_raw(self, topic: str) -> list[Any]:
        name, count = self.settings.topic(topic), self.settings.partitions
        partitions = [TopicPartition(name, number) for number in range(count)]
        found: list[Any] = []
        await read_all(self.settings, partitions, found.append)
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def latest(self, topic: str) -> dict[str, Any]:
        """The latest value of every key."""
        return {str(record.key): record.value for record in self.read(topic)}

    def wait_for(
        self, topic: str, key: str, timeout: float = DEADLINE_SECONDS, **fields: Any
    ) -> dict[str, Any]:
        """Wait until the latest value of a key has these fields, and return it."""

        def found() -> dict[str, Any] | None:
            value = self.latest(topic).get(key)
            if value and all(value.get(name) == wanted for name, wanted in fields.items()):
                return dict(value)
            return None

        value: dict[str, Any] = until(f"{topic} {key} with {fields}", found, timeout)
        return value

    def wait_idle(self, timeout: float = DEADLINE_SECONDS) -> None:
        """Wait until every worker has read, committed and handled all, and nothing moves."""
        looks = Standing()

        def standing() -> bool:
            told = [
                each.partitions()
                for each in self.workers
                if each.process and each.process.poll() is None and each.has_partitions
            ]
            return looks.look([each for mine in told for each in mine] if all(told) else None)

        until("all workers idle", standing, timeout)

    def close(self) -> None:
        """End the workers."""
        end_all(each.process for each in self.workers if each.process is not None)


@contextmanager
def stack_on(
    broker: RunningBroker,
    folder: Path,
    clock: str = "log",
    partitions: int = PARTITIONS,
    **env: str,
) -> Iterator[Stack]:
    """A stack that ends with the block; a failure prints the tails of the workers' logs."""
    prefix = f"t{os.getpid()}-{time.monotonic_ns()}-"
    stack = Stack(broker, folder, prefix, clock, env, partitions)
    try:
        yield stack
    except BaseException:
        for worker in stack.workers:
            print(f"--- {worker.log}")
            print(worker.log.read_text(errors="replace")[-3_000:] if worker.log.exists() else "")
        raise
    finally:
        stack.close()


def _seen(topic: str, record: Any) -> Seen:
    value: Any = record.value
    try:
        value = None if value is None else orjson.loads(value)
    except orjson.JSONDecodeError:
        value = record.value
    return Seen(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        None if record.key is None else record.key.decode("utf-8", "replace"),
        value,
        {name: text.decode("utf-8", "replace") for name, text in record.headers},
    )


# --- an upstream that is slow --------------------------------------------------------------------


class OpenTransaction:
    """A transaction that an upstream has begun and not ended."""

    def __init__(self, stack: Stack) -> None:
        self._settings = stack.settings
        self._runner = asyncio.Runner()
        self._producer: Any = None

    def begin(self, at: datetime, messages: dict[str, Message]) -> None:
        """Begin, and send a message to each of these topics, where it belongs."""
        place = Partitioner(self._settings.partitions)
        records = [
            as_record(message, self._settings.topic(topic), place, milliseconds(at))
            for topic, message in messages.items()
        ]

        async def go() -> None:
            self._producer = producer(self._settings, f"{self._settings.topic_prefix}upstream")
            await self._producer.start()
            await self._producer.begin_transaction()
            await send(self._producer, records)

        self._runner.run(go())

    def end(self, how: str) -> None:
        """Commit or abort."""
        end = {"committed": "commit_transaction", "aborted": "abort_transaction"}[how]

        async def go() -> None:
            await getattr(self._producer, end)()

        self._runner.run(go())

    def close(self) -> None:
        """Disconnect."""
        if self._producer is not None:
            self._runner.run(self._producer.stop())
        self._runner.close()


@contextmanager
def open_transaction(stack: Stack) -> Iterator[OpenTransaction]:
    """One that is disconnected at the end."""
    upstream = OpenTransaction(stack)
    try:
        yield upstream
    finally:
        upstream.close()
