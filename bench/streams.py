"""Thousands of event streams read by one thread, at some microseconds an event.

A client of its own for each stream would cost more than the server: this one only notes when bytes
came, on plain sockets, and looks into them by searching, not by parsing.
"""

import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence

CONNECT_AT_ONCE = 200


def raise_file_limit() -> int:
    """As many open files as this process may have; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Streams:
    """Open streams; ``heard(index, data, at)`` is called in the reading thread."""

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        heard: Callable[[int, bytes, float], None],
    ) -> None:
        self._port = port
        self._paths = paths
        self._heard = heard
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._ending = False
        self.closed = 0
        self.cpu_seconds = 0.0
        #: When each was last written to.
        self.last_at = [0.0] * len(paths)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def open(self) -> float:
        """Connect all; the seconds until each has been answered. Raises ``TimeoutError``."""
        began = time.monotonic()
        self._thread.start()
        for number, path in enumerate(self._paths):
            made = socket.create_connection(("127.0.0.1", self._port), timeout=30)
            made.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            made.setblocking(False)
            self._sockets.append(made)
            self._selector.register(made, selectors.EVENT_READ, number)
            if number % CONNECT_AT_ONCE == CONNECT_AT_ONCE - 1:
                self._until_answered(number + 1)
        self._until_answered(len(self._paths))
        return time.monotonic() - began

    def _until_answered(self, count: int) -> None:
        ends = time.monotonic() + 60
        while not all(self.last_at[:count]):
            if time.monotonic() > ends:
                silent = sum(1 for at in self.last_at[:count] if not at)
                raise TimeoutError(f"{silent} of {count} streams were not answered in 60 s")
            time.sleep(0.002)

    @property
    def alive(self) -> int:
        """How many have not been closed by the server."""
        return len(self._paths) - self.closed

    def close(self) -> None:
        """Leave."""
        self._ending = True
        self._thread.join(10)
        for each in self._sockets:
            each.close()

    def _read(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(0.2):
                try:
                    data = key.fileobj.recv(65_536)
                except OSError:
                    data = b""
                at = time.monotonic()
                if not data:
                    self.closed += 1
                    self._selector.unregister(key.fileobj)
                    continue
                self.last_at[key.data] = at
                self._heard(key.data, data, at)
            self.cpu_seconds = time.thread_time()
