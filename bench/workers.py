"""Worker processes under measurement: started as a platform team would, watched by their pages."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from runtime.ports import free_port
from runtime.settings import Settings
from schemas.topic import PARTITIONS, Topic
from stack import brokers


def start_worker(
    settings: Settings, service: str, ops_port: int, log: Path, **more: str
) -> subprocess.Popen[bytes]:
    """``python -m services.<service>`` as a platform team would run it."""
    env = {
        **os.environ,
        **more,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
        "STATE_DIR": str(settings.state_dir),
        "CLOCK": settings.clock,
        "OPS_PORT": str(ops_port),
    }
    command = [sys.executable, "-m", f"services.{service}"]
    with log.open("ab") as output:
        return subprocess.Popen(command, env=env, stdout=output, stderr=output)


def committed(port: int, topic: Topic | None) -> int:
    """How far the worker has committed in a topic, all partitions; -1 before it is ready."""
    try:
        partitions = httpx.get(f"http://127.0.0.1:{port}/status", timeout=10).json()
    except httpx.HTTPError:
        return -1
    if len(partitions) < PARTITIONS or not all(each["ready"] for each in partitions):
        return -1
    return sum(each["committed"].get(topic.name, 0) for each in partitions) if topic else 0


@contextmanager
def worker_on(
    settings: Settings, service: str, folder: Path, **more: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A worker, ready, and its port."""
    port = free_port()
    worker = start_worker(settings, service, port, folder / "worker.log", **more)
    try:
        wait_for(worker, port, None, 0)
        yield worker, port
    finally:
        worker.terminate()
        worker.wait(60)


def wait_for(worker: subprocess.Popen[bytes], port: int, topic: Topic | None, count: int) -> None:
    """Until the worker has committed so many records of a topic."""
    while committed(port, topic) < count:
        if worker.poll() is not None:
            raise SystemExit("the worker died: see its log")
        time.sleep(0.02)


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds so far and peak memory in MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    peak = next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return cpu, peak / 1024


def settings_on(broker: brokers.RunningBroker, folder: Path, prefix: str, clock: str) -> Settings:
    return Settings.model_validate(
        {
            "kafka_bootstrap_servers": broker.bootstrap_servers,
            "topic_prefix": prefix,
            "clock": clock,
            "state_dir": folder / f"state-{prefix}",
        }
    )
