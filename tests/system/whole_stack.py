"""The stack on one machine as its user has it: the ``jointbuy`` command in processes of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.system import stack

#: No command takes so long, on any machine.
COMMAND_SECONDS = 300


def jointbuy(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = {**os.environ, "JOINTBUY_HOME": str(home), **env}
    command = [sys.executable, "-m", "terminal", *arguments]
    if stack.fork_server is None or not stack.fork_server.can_start(env):
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = stack.fork_server.start("terminal", arguments, env, output, errors)
        try:
            code = process.wait(COMMAND_SECONDS)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())


def status(home: Path) -> dict[str, Any]:
    """What ``jointbuy status`` says; empty where nothing runs."""
    answer = jointbuy(home, "status", "--json")
    found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return found


@contextmanager
def up(home: Path, *arguments: str, **env: str) -> Iterator[dict[str, Any]]:
    """A stack that ends with the block; gives its status, and what ``up`` ``said``."""
    # As long as anything may take on a busy machine.
    started = jointbuy(home, "up", "--timeout", "240", *arguments, **env)
    try:
        assert started.returncode == 0, started.stderr
        yield {**status(home), "said": started.stdout}
    finally:
        jointbuy(home, "down")
