"""One broker for all processes that test at once: the first to need it starts it."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack import brokers
from stack.brokers import RunningBroker

#: Of the broker that runs: what another process needs to know of it.
FIELDS = ("kind", "bootstrap_servers", "transactions", "pid")


def folder_of_run(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run, the same for all of its testers."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "broker"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def shared_broker(kind: str, folder: Path) -> Iterator[RunningBroker]:
    """The broker that runs on behalf of those who share ``folder``, or one that is started.

    Whoever started it stops it once the last of the others has left. A process that is killed has
    left: its lock goes with it.
    """
    told = folder / "broker.json"
    with (folder / "users").open("a") as users:
        with _alone(folder):
            started = None if told.exists() else _start(kind, folder)
            if started is not None:
                told.write_text(json.dumps({name: getattr(started, name) for name in FIELDS}))
            broker = started or RunningBroker(**json.loads(told.read_text()))
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield broker
        finally:
            if started is not None:
                with _alone(folder):
                    told.unlink()
                fcntl.flock(users, fcntl.LOCK_EX)
                started.stop()


def _start(kind: str, folder: Path) -> RunningBroker:
    return brokers.start(kind, home=Path(tempfile.mkdtemp(prefix=kind, dir=folder)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
