"""What the supervisor says of itself in ``run.json``, so that commands find the running stack."""

import json
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from runtime.settings import Settings, read_settings
from schemas.topic import PARTITIONS

FILE = "run.json"
#: Beside it: the key by which whoever may read it is the admin of this machine's stack.
ADMIN_KEY_FILE = "admin-key"
#: The secret of its links, unless LINK_SECRET is given.
LINK_SECRET_FILE = "link-secret"


class RunningWorker(BaseModel):
    """One worker process: the base URL of its pages for ops, and its public one, if any.

    ``stopped`` is the lasting error that ended it, if any.
    """

    service: str
    pid: int | None = None
    ops: str
    web: str | None = None
    restarts: int = 0
    stopped: str = ""


class Running(BaseModel):
    """A stack under its supervisor."""

    supervisor_pid: int
    broker: str
    broker_pid: int | None
    bootstrap_servers: str
    transactions: bool
    clock: Literal["wall", "log"]
    topic_prefix: str
    partitions: int = PARTITIONS
    workers: list[RunningWorker] = []

    def write(self, home: Path) -> None:
        """Replace the file in one step."""
        draft = home / f"{FILE}.{os.getpid()}"
        draft.write_text(self.model_dump_json(indent=2))
        draft.replace(home / FILE)


def home_folder() -> Path:
    """Where a stack on this machine keeps everything: ``JOINTBUY_HOME``, else ``.jointbuy``."""
    return Path(os.environ.get("JOINTBUY_HOME", ".jointbuy")).absolute()


def read_running(home: Path) -> Running | None:
    """The stack that runs from this folder, or ``None``."""
    try:
        running = Running.model_validate(json.loads((home / FILE).read_text()))
    except (FileNotFoundError, ValueError):
        return None
    return running if is_alive(running.supervisor_pid) else None


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not reaped yet does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        # Gone in between, or a system without /proc, where the signal's answer is all there is.
        return not Path("/proc/self").exists()


def settings_here(home: Path | None = None) -> Settings:
    """Settings of the running stack; the environment wins where it says something.

    Raises ``SettingsError``.
    """
    running = read_running(home or home_folder())
    if running is None:
        return read_settings(Settings)
    told = {
        "KAFKA_BOOTSTRAP_SERVERS": ("kafka_bootstrap_servers", running.bootstrap_servers),
        "KAFKA_TRANSACTIONS": ("kafka_transactions", running.transactions),
        "TOPIC_PREFIX": ("topic_prefix", running.topic_prefix),
        "CLOCK": ("clock", running.clock),
        "PARTITIONS": ("partitions", running.partitions),
    }
    known = {field: value for name, (field, value) in told.items() if name not in os.environ}
    return read_settings(Settings, **known)
