"""The stack on one machine as its user sees it: ``jointbuy up`` to ``down``, and the story."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from runtime import clients
from runtime.admin import topics_of_ours
from runtime.ports import free_port
from runtime.running_stack import ADMIN_KEY_FILE, is_alive
from runtime.settings import Settings
from stack.brokers import RunningBroker
from stack.supervisor import SECRETS, SERVICES
from terminal.topics import connected
from tests.system import plain_http
from tests.system.purchases import T, group_until, groups_in
from tests.system.stack import stack_on, until
from tests.system.whole_stack import jointbuy, status, up

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stack that the first two tests share: nine processes take long to start."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[dict[str, Any]]:
    """What is said of that stack. The last test that uses it kills its supervisor."""
    with up(home, "--broker", "embedded") as running:
        yield running


def test_up_is_ready_and_restarts_what_dies(home: Path, running: dict[str, Any]) -> None:
    """A killed service comes back by itself."""
    assert running["bootstrap_servers"].startswith("127.0.0.1:")
    assert set(running["ops"]) == set(SERVICES)
    assert set(running["pages"]) == {"storefront"}
    page, key = running["pages"]["storefront"], home / ADMIN_KEY_FILE
    assert f"the home page: {page}\n" in running["said"]
    assert f"the admin's page: {page}/admin, with the key in the file {key}\n" in running["said"]
    assert not set(running["ops"].values()) & set(running["pages"].values())
    assert all(running["status"].values()), "each says how it stands"
    assert running["status"]["storefront"]["sender"]["failed"] == 0
    for path in ("livez", "readyz", "status", "metrics", "/livez", "%6civez"):
        public = plain_http.get(f"{running['pages']['storefront']}/{path}")
        assert public.status_code == 404, "only for ops"
    assert stat.S_IMODE((home / ADMIN_KEY_FILE).stat().st_mode) == 0o600
    again = jointbuy(home, "up", "--broker", "embedded")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert len(again.stderr.strip().splitlines()) == 1
    _keeps_everything_private(home, running)
    killed = running["workers"][1]
    os.kill(killed["pid"], signal.SIGKILL)

    def is_back() -> bool:
        worker = status(home)["workers"][1]
        return worker["restarts"] == 1 and worker["pid"] not in (None, killed["pid"])

    until("the killed service back", is_back)
    assert jointbuy(home, "wait", "--idle", "--timeout", "60").returncode == 0


def _keeps_everything_private(home: Path, running: dict[str, Any]) -> None:
    """Files are its user's alone; what the system shows of a process names no secret."""
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    open_to_others = [path for path in home.rglob("*") if path.stat().st_mode & 0o077]
    assert not open_to_others
    for worker in running["workers"]:
        env = Path(f"/proc/{worker['pid']}/environ").read_text().split("\0")
        names = {line.partition("=")[0].removesuffix("_FILE") for line in env}
        assert not names & set(SECRETS)


def test_killed_supervisor_leaves_nothing_behind(home: Path, running: dict[str, Any]) -> None:
    """Broker and services end with it, and the next up is not in their way."""
    pids = [worker["pid"] for worker in status(home)["workers"]] + [running["broker_pid"]]
    os.kill(running["supervisor_pid"], signal.SIGKILL)
    until("every process ended", lambda: not any(is_alive(pid) for pid in pids))
    assert "nothing runs" in jointbuy(home, "status").stderr


def test_fresh_asks_before_it_deletes_on_a_broker_of_others(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """--fresh on a given cluster needs --yes-delete, and then starts with empty topics.

    ``down`` leaves no process behind.
    """
    with stack_on(kafka, tmp_path, "wall") as stack:
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA_TRANSACTIONS": str(kafka.transactions),
            "TOPIC_PREFIX": stack.prefix,
        }
        definition = ("define", "--shop", "s", "--product", "Tea", "--price", "9.00")
        (group,) = groups_in(0, 1)
        stack.feed("group-purchases", (group_until(group, T + timedelta(days=1), T), None))
        assert jointbuy(tmp_path, "export", "group-purchases", **env).stdout.count("\n") == 1
        refused = jointbuy(tmp_path, "up", "--fresh", **env)
        assert refused.returncode == 1
        assert "--yes-delete" in refused.stderr
        with up(tmp_path, "--fresh", "--yes-delete", **env) as running:
            assert jointbuy(tmp_path, "export", "group-purchases", **env).stdout == ""
            assert jointbuy(tmp_path, *definition, "--currency", "EUR", **env).returncode == 0
            assert jointbuy(tmp_path, "export", "definitions", **env).stdout.count("\n") == 1
            pids = [worker["pid"] for worker in running["workers"]]
            pids.append(running["supervisor_pid"])
        until("every process ended", lambda: not any(is_alive(pid) for pid in pids))
        assert "nothing runs" in jointbuy(tmp_path, "status").stderr


def test_a_weak_link_secret_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """With a word that can be guessed, anybody could forge the links in letters."""
    failed = jointbuy(tmp_path, "up", "--broker", "embedded", LINK_SECRET="changeme")
    assert failed.returncode == 1
    assert "LINK_SECRET is shorter than 32 characters" in failed.stderr
    assert "nothing runs" in jointbuy(tmp_path, "status").stderr


def test_a_service_that_can_not_start_is_named_at_once_and_all_is_ended(tmp_path: Path) -> None:
    """Its own line says why, and nothing that was started stays."""
    failed = jointbuy(
        tmp_path, "up", "--timeout", "240", "--broker", "embedded", READS_PER_MINUTE="many"
    )
    assert failed.returncode == 1
    # On a busy machine, lines before it name services that start slowly.
    line = failed.stderr.strip().splitlines()[-1]
    assert line.startswith("jointbuy: storefront stopped: READS_PER_MINUTE: ")
    assert "nothing runs" in jointbuy(tmp_path, "status").stderr
    ports = json.loads((tmp_path / "ports.json").read_text())
    assert [free_port(port) for port in ports.values()] == [*ports.values()], "nothing listens"


def test_broker_that_can_not_be_started_is_said_in_one_line(tmp_path: Path) -> None:
    """A user's mistake is told with what to do, not with a traceback."""
    failed = jointbuy(tmp_path, "up", "--broker", "docker", DOCKER_HOST="tcp://127.0.0.1:1")
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    assert "docker" in failed.stderr.lower()


def test_topics_of_another_application_are_left_alone(kafka: RunningBroker, tmp_path: Path) -> None:
    """One line names all of them, and nothing is written into them."""
    prefix = f"others-{os.getpid()}-"
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": prefix}
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix)

    async def make(**partitions: int) -> None:
        async with connected(clients.admin(settings), settings) as client:
            await client.create_topics([NewTopic(prefix + n, p, 1) for n, p in partitions.items()])

    asyncio.run(make(orders=1, payments=4))
    failed = jointbuy(tmp_path, "up", **env)
    assert failed.returncode == 1
    # On a busy machine, lines before it name services that start slowly.
    line = failed.stderr.strip().splitlines()[-1]
    orders, payments, clock = (prefix + name for name in ("orders", "payments", "clock"))
    assert f"{orders} (1 partition, 4 are needed)" in line
    assert payments in line
    assert f"no topic {clock}, which jointbuy makes first" in line
    assert "nothing runs" in jointbuy(tmp_path, "status").stderr
    assert asyncio.run(topics_of_ours(settings)) == sorted([orders, payments])


def test_story_is_told_to_its_end(tmp_path: Path) -> None:
    """make story: every step seen, within its minute and a half."""
    told = subprocess.run(
        [sys.executable, "-m", "demo", "--story"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    said = " ".join(told.stdout.split())  # Lines are folded at 80 columns.
    assert "3 discounts of 7.20 EUR in all" in said
    assert "24 discounts of 112.80 EUR in all" in said
    assert "sato, west, east are called to outbid, nobody else" in said
    assert "the contract is concluded with sato at 850.00 EUR" in said
    assert "the home page lists the group purchase" in said
    assert "the open page of the auction counted along: 0, " in said
    assert "all 6 have ordered what they reserved: complete" in said
