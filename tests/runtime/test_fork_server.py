"""Workers of the system tests are forks: they must run as the command would."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.ports import free_port
from stack.fork_server import Forked, ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks and waits as Linux does")


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer()
    yield running
    running.stop()


def test_a_fork_has_the_arguments_the_environment_and_the_log_it_is_given(
    server: ForkServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"a": "\N{TEACUP WITHOUT HANDLE}"}))
    process = server.start("json.tool", (str(given),), {"HOME": "/"}, log)
    assert process.wait(20) == 0
    assert log.read_text() == 'before\n{\n    "a": "\\ud83c\\udf75"\n}\n'


def test_its_exit_code_and_its_last_words_are_those_of_the_command(
    server: ForkServer, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    process = server.start("json.tool", (str(tmp_path / "nothing"),), {"HOME": "/"}, log)
    assert process.wait(20) == 2
    assert process.poll() == 2
    assert "No such file or directory" in log.read_text()


@pytest.mark.slow
def test_it_is_told_of_signals_and_ends_with_the_server(tmp_path: Path) -> None:
    def serve() -> Forked:
        arguments = (str(free_port()), "--bind", "127.0.0.1", "--directory", str(tmp_path))
        return server.start("http.server", arguments, dict(os.environ), tmp_path / "log")

    server = ForkServer()
    killed, left = serve(), serve()
    with pytest.raises(subprocess.TimeoutExpired):
        killed.wait(0.05)
    assert killed.poll() is None
    killed.kill()
    assert killed.wait(20) == -signal.SIGKILL
    killed.terminate()
    handle = os.pidfd_open(left.pid)
    server.stop()
    assert select.select([handle], [], [], 20)[0], "it goes on"
    os.close(handle)


@pytest.mark.slow
def test_what_a_process_reads_before_its_first_line_asks_for_the_command(
    server: ForkServer,
) -> None:
    env = dict(os.environ)
    assert server.can_start(env | {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert not server.can_start(env | {"LD_PRELOAD": "libfaketime.so.1"})


@pytest.mark.slow
def test_a_server_that_has_died_is_started_again(tmp_path: Path) -> None:
    """What it had started ends with it, and is said to have been killed."""
    server, log = ForkServer(), tmp_path / "log"
    arguments = (str(free_port()), "--bind", "127.0.0.1", "--directory", str(tmp_path))
    left = server.start("http.server", arguments, dict(os.environ), log)
    assert server._process is not None
    server._process.kill()
    assert left.wait(20) == -signal.SIGKILL
    assert server.start("json.tool", (str(tmp_path / "none"),), {"HOME": "/"}, log).wait(20) == 2
    server.stop()


def test_a_child_whose_parent_has_died_already_ends_at_once() -> None:
    another = os.getpid()
    code = (
        f"from stack.brokers import end_with_parent; end_with_parent({another}); print('goes on')"
    )
    # The shell stands between, so that this process is not the parent.
    shell = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1"; echo $?', sys.executable, code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == f"{128 + signal.SIGTERM}\n"
