"""A Redis server for tests: on 127.0.0.1, of Debian's package, ends with us and keeps nothing."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests import debian
from tests.system.stack import until


class RedisError(RuntimeError):
    """No server can be had; the message is one line that says what to do."""


@dataclass
class RedisServer:
    """One that runs until it is told to stop."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """As ``RATES_URL`` takes it."""
        return f"redis://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as made:
                made.sendall(b"PING\r\n")
                return made.recv(5) == b"+PONG"
        except OSError:
            return False

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """An empty server. Raises ``RedisError``."""
    program, port = _program(), free_port()
    said = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(
        [program, *said],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=ends_with_this_process(),  # noqa: PLW1509 - one call to the system and nothing else
    )
    server = RedisServer(port, process)
    try:
        until("Redis ready", server.answers)
        yield server
    finally:
        server.stop()


def _program() -> str:
    found = shutil.which("redis-server")
    if found is None:
        debian.install("redis-server")
        found = shutil.which("redis-server")
    if found is None:
        raise RedisError("no Redis: apt-get install redis-server")
    return found
