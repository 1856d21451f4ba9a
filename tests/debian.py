"""Debian packages that tests need: installed where this is root's machine, one test at a time."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LOCK = Path(tempfile.gettempdir()) / "jointbuy-tests-apt.lock"
SECONDS = 600


def install(*packages: str) -> None:
    """Install packages if this process may; the caller looks whether what it needs is there then.

    Other test processes may install something too, and so may the machine: both are waited for.
    Servers among the packages are not started.
    """
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    patient = [apt, "-o", "DPkg::Lock::Timeout=300", "--yes", "-qq"]
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update"], ["install", "--no-install-recommends", *packages]):
            subprocess.run(
                [*patient, *command], env=env, capture_output=True, check=False, timeout=SECONDS
            )
