"""The stack on one machine as its user has it: the ``jointbuy`` command in processes of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def jointbuy(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "terminal", *arguments],
        env={**os.environ, "JOINTBUY_HOME": str(home), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def status(home: Path) -> dict[str, Any]:
    """What ``jointbuy status`` says; empty where nothing runs."""
    answer = jointbuy(home, "status", "--json")
    found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return found


@contextmanager
def up(home: Path, *arguments: str, **env: str) -> Iterator[dict[str, Any]]:
    """A stack that ends with the block; gives its status, and what ``up`` ``said``."""
    started = jointbuy(home, "up", *arguments, **env)
    try:
        assert started.returncode == 0, started.stderr
        yield {**status(home), "said": started.stdout}
    finally:
        jointbuy(home, "down")
