"""A process that keeps the services' imports, and forks a worker each time it is asked. On Linux.

A worker that is started by its command spends one to two seconds of processor time on imports.
``jointbuy up`` starts ten, and the system tests hundreds. A forked one runs the same module as
``__main__`` with the environment, arguments and log that it is given, and only shares what was
imported.
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
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stack.brokers import LIBC, end_with_parent

#: Variables that a process reads before its first line runs: a fork would come too late.
READ_AT_START = ("LD_", "PYTHON", "FAKETIME")
ASKED_BYTES_MAX = 1 << 18
PR_SET_NAME = 15
#: How long the processes may take to end when the one that asked for them has.
END_SECONDS = 20.0


def _has_ended(handle: int, timeout: float | None) -> bool:
    """Whether a process ends within so many seconds. ``select`` takes no handle above 1,023."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


class Forked:
    """A forked process, with what is used here of ``subprocess.Popen``."""

    def __init__(self, server: "ForkServer", pid: int) -> None:
        self._server = server
        self._handle = os.pidfd_open(pid)
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or ``None`` while it runs; the number of a signal is negative."""
        if self.returncode is None and _has_ended(self._handle, 0.0):
            self.returncode = self._server.exit_code(self.pid)
            os.close(self._handle)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None and not _has_ended(self._handle, timeout):
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
    """Starts the server's process at the first request, and again if it has died.

    It ends with the process that started it, and what it started ends with it. ``env`` is the
    server's environment: it needs no secret, and each process is given its own.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def can_start(self, env: dict[str, str]) -> bool:
        """Whether a process with this environment may be forked."""
        changed = {name for name, value in env.items() if os.environ.get(name) != value}
        return not any(name.startswith(READ_AT_START) for name in changed)

    def start(
        self,
        module: str,
        arguments: tuple[str, ...],
        env: dict[str, str],
        log: Path,
        errors: Path | None = None,
    ) -> Forked:
        """Run a module as ``python -m`` would; its output goes to the end of ``log``.

        What it writes to its standard error goes there too, or to ``errors``.
        """
        asked = {"module": module, "arguments": arguments, "env": env}
        with self._lock, log.open("ab") as output, (errors or log).open("ab") as error_output:
            files = output.fileno(), error_output.fileno()
            pid = self._ask(asked, *files)
            if pid is None:
                self._launch()
                pid = self._ask(asked, *files)
        if pid is None:
            raise OSError("the process that starts services has died twice")
        return Forked(self, pid)

    def exit_code(self, pid: int) -> int:
        """The exit code of a process that has ended."""
        with self._lock:
            code = self._ask({"ended": pid})
        # It died with the server.
        return -signal.SIGKILL if code is None else code

    def stop(self) -> None:
        """End the server, and with it what it started and still runs."""
        if self._process is not None and self._socket is not None:
            self._socket.close()
            self._process.wait()

    def _ask(self, asked: dict[str, Any], *files: int) -> int | None:
        """The answer; ``None`` if the server does not live."""
        if self._socket is None:
            return None
        try:
            socket.send_fds(self._socket, [json.dumps(asked).encode()], files)
            answer = self._socket.recv(64)
        except OSError:
            answer = b""
        return int(answer) if answer else None

    def _launch(self) -> None:
        self.stop()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                env=self._env,
                stdin=subprocess.DEVNULL,
            )


def start(
    server: ForkServer | None,
    module: str,
    arguments: tuple[str, ...],
    env: dict[str, str],
    log: Path,
) -> subprocess.Popen[bytes] | Forked:
    """Run a module: as a fork where there is a server that may, else by its command."""
    if server is not None and server.can_start(env):
        return server.start(module, arguments, env, log)
    command = [sys.executable, "-m", module, *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


# --- the server's process ------------------------------------------------------------------------


def serve(asking: socket.socket) -> dict[str, Any] | None:
    """Answer until nobody asks any more, then return ``None``; in a fork, what it is to run."""
    running: set[int] = set()
    server = os.getpid()
    while True:
        content, files, _, _ = socket.recv_fds(asking, ASKED_BYTES_MAX, 2)
        if not content:
            _end(running)
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
            end_with_parent(server)
            asking.close()
            for file, stream in zip(files, (1, 2), strict=True):
                os.dup2(file, stream)
                os.close(file)
            return asked
        for file in files:
            os.close(file)
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


def _end(running: set[int]) -> None:
    """SIGTERM to all, then SIGKILL to those that have not ended in ``END_SECONDS``."""
    handles = {}
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            handles[os.pidfd_open(pid)] = pid
            os.kill(pid, signal.SIGTERM)
    ends = time.monotonic() + END_SECONDS
    for handle, pid in handles.items():
        if not _has_ended(handle, max(ends - time.monotonic(), 0.0)):
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Serve; a fork leaves here as the module that it was asked for."""
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        asked = serve(asking)
    if asked is not None:
        os.environ.clear()
        os.environ.update(asked["env"])
        time.tzset()
        # Else ps and top would show the same name for all.
        LIBC.prctl(PR_SET_NAME, asked["module"].removeprefix("services.").encode())
        sys.argv = [asked["module"], *asked["arguments"]]
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
