"""Servers written in Go, for tests: built once from a module of our own that pins them by hash."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

BUILD_SECONDS_MAX = 800


class GoToolError(RuntimeError):
    """It can't be had; the message is one line that says what to do."""


def go_tool(module: Path, package: str, own: str = "") -> Path:
    """The program of a package, built into the cache when it is not there yet.

    ``module`` is a folder with ``go.mod`` and ``go.sum``. ``own`` is the name of the program there
    that uses the package, which then is a library. Raises GoToolError.
    """
    name = own or package.rpartition("/")[2]
    pinned = b"".join((module / each).read_bytes() for each in ("go.mod", "go.sum"))
    required = re.findall(r"(\S+) v(\S+)", pinned.decode())
    version = next(v for of, v in required if f"{package}/".startswith(f"{of}/"))
    pinned += b"".join(each.read_bytes() for each in sorted(module.glob("*.go")))
    cache = Path(os.environ.get("JOINTBUY_CACHE") or Path.home() / ".cache" / "jointbuy")
    # A changed module is another file, so that it is built anew.
    binary = cache / f"{name}-{version}-{hashlib.sha256(pinned).hexdigest()[:12]}"
    if binary.exists():
        return binary
    cache.mkdir(parents=True, exist_ok=True)
    with open(f"{binary}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():  # perhaps another run built it meanwhile
            partial, built = f"{binary}.partial", "." if own else package
            _go(module, name, "build", "-mod=readonly", "-ldflags=-s -w", "-o", partial, built)
            os.rename(partial, binary)
    return binary


def go_sources(module: Path, package: str) -> Path:
    """The folder with what the package was made of. Raises GoToolError."""
    _go(module, package, "mod", "download")
    return Path(_go(module, package, "list", "-m", "-f", "{{.Dir}}", package))


def _go(module: Path, name: str, *command: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise GoToolError(f"no {name}: install Go 1.25+, which builds it")
    done = subprocess.run(
        [go, *command],
        cwd=module,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        told = " | ".join(said.splitlines()[-3:])
        raise GoToolError(f"go {command[0]} of {name} failed: {told}")
    return said.strip()
