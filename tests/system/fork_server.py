"""A process that keeps the services' imports, and forks a worker each time it is asked.

A worker that is started by its command spends one to two seconds of processor time on imports. The
system tests start hundreds. A forked one runs the same module as ``__main__`` with the environment,
arguments and log that it is given, and only shares what was imported.
"""

import ast
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Variables that a process reads before its first line runs: a fork would come too late.
READ_AT_START = ("LD_", "PYTHON", "FAKETIME")
ASKED_BYTES_MAX = 1 << 18


class Forked:
    """A forked process, with what the tests use of ``subprocess.Popen``."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self._server = server
        self._handle = os.pidfd_open(pid)
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or ``None`` while it runs; the number of a signal is negative."""
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            self.returncode = self._server.exit_code(self.pid)
            os.close(self._handle)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None and not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The tests' side: starts the server's process at the first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def can_start(self, env: dict[str, str]) -> bool:
        """Whether a process with this environment may be forked."""
        changed = {name for name, value in env.items() if os.environ.get(name) != value}
        return not any(name.startswith(READ_AT_START) for name in changed)

    def start(self, module: str, arguments: tuple[str, ...], env: dict[str, str], log: Path) -> Any:
        """Run a module as ``python -m`` would; its output goes to the end of ``log``."""
        asked = {"module": module, "arguments": arguments, "env": env}
        with self._lock, log.open("ab") as output:
            pid = self._ask(asked, output.fileno())
        return Forked(self, pid)

    def exit_code(self, pid: int) -> int:
        """The exit code of a process that has ended."""
        with self._lock:
            return self._ask({"ended": pid})

    def stop(self) -> None:
        """End the server, and with it what it started and still runs."""
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.wait()

    def _ask(self, asked: dict[str, Any], *files: int) -> int:
        if self._socket is None:
            self._launch()
        assert self._socket is not None
        socket.send_fds(self._socket, [json.dumps(asked).encode()], files)
        answer = self._socket.recv(64)
        assert answer, "the fork server has died"
        return int(answer)

    def _launch(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=(theirs.fileno(),))


# --- the server's process ------------------------------------------------------------------------


def serve(asking: socket.socket) -> dict[str, Any] | None:
    """Answer until the tests end, then return ``None``; in a fork, return what it is to run."""
    running: set[int] = set()
    while True:
        content, files, _, _ = socket.recv_fds(asking, ASKED_BYTES_MAX, 1)
        if not content:
            _kill(running)
            return None
        asked: dict[str, Any] = json.loads(content)
        if "ended" in asked:
            _, status = os.waitpid(asked["ended"], 0)
            running.discard(asked["ended"])
            asking.send(b"%d" % os.waitstatus_to_exitcode(status))
            continue
        import_for(asked["module"])
        pid = os.fork()
        if pid == 0:
            asking.close()
            for stream in (1, 2):
                os.dup2(files[0], stream)
            os.close(files[0])
            return asked
        os.close(files[0])
        running.add(pid)
        asking.send(b"%d" % pid)


@cache
def import_for(module: str) -> None:
    """Import what a module imports, wherever in it, but not the module: a fork runs that."""
    spec = find_spec(module)
    if spec is not None and spec.submodule_search_locations is not None:
        spec = find_spec(f"{module}.__main__")
    assert spec is not None, module
    assert spec.origin is not None, module
    for node in ast.walk(ast.parse(Path(spec.origin).read_bytes())):
        if isinstance(node, ast.ImportFrom):
            import_module(str(node.module))
        elif isinstance(node, ast.Import):
            for each in node.names:
                import_module(each.name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{module} started {threads - 1} threads, which a fork would not have"
    # What is shared stays so: the collector would write to it.
    gc.collect()
    gc.freeze()


def _kill(running: set[int]) -> None:
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Serve; a fork leaves here as the module that it was asked for."""
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        asked = serve(asking)
    if asked is not None:
        os.environ.clear()
        os.environ.update(asked["env"])
        time.tzset()
        sys.argv = [asked["module"], *asked["arguments"]]
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
