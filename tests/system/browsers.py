"""Clients of event streams that do as browsers do: they come back, and say what they have seen."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.system.stack import until

#: Browsers wait as long as ``retry:`` says; tests do not.
RETRY_SECONDS = 0.1
#: Longer than between pings.
SILENCE_SECONDS = 60


@dataclass(frozen=True)
class Told:
    """An event: its id, its state, and when it came (monotonic)."""

    version: int
    state: dict[str, Any]
    at: float


class Browser:
    """An open page: one stream, opened again whenever it ends."""

    def __init__(self, url: str, last: int = 0) -> None:
        self.told: list[Told] = []
        self.answers: list[int] = []
        self.pings = 0
        self._url = url
        parts = urlsplit(url)
        self._host = parts.netloc
        self._path = f"{parts.path}?{parts.query}"
        self._last = last
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def versions(self) -> list[int]:
        """Of all events so far."""
        return [each.version for each in self.told]

    @property
    def opened(self) -> int:
        """How often it was answered with a stream."""
        return self.answers.count(200)

    def until_open(self, times: int = 1) -> "Browser":
        """Wait until it has been answered so often."""
        until(f"{self._url} open", lambda: self.opened >= times)
        return self

    def until_told(self, version: int) -> Told:
        """Wait for the first event of this version or a later one."""

        def found() -> Told | None:
            return next((each for each in self.told if each.version >= version), None)

        told: Told = until(f"{self._url} at {version}, told {self.versions[-3:]}", found)
        return told

    def close(self) -> None:
        """Leave, with the next line that comes."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            with suppress(OSError, HTTPException):
                self._listen()
            self._closing.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        headers = {"Last-Event-ID": str(self._last)} if self._last else {}
        # A client with more features costs more than the server when it connects this often.
        connection = HTTPConnection(self._host, timeout=SILENCE_SECONDS)
        try:
            connection.request("GET", self._path, headers=headers)
            answer = connection.getresponse()
            self.answers.append(answer.status)
            if answer.status == 200:
                self._read(answer)
        finally:
            connection.close()

    def _read(self, answer: HTTPResponse) -> None:
        version = 0
        while not self._closing.is_set() and (line := answer.readline()):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                version = int(value)
            elif name == "data":
                self._last = version
                self.told.append(Told(version, orjson.loads(value), time.monotonic()))
            elif line == b": ping\n":
                self.pings += 1


@contextmanager
def browsers(url: Callable[[str], str], *names: str) -> Iterator[dict[str, Browser]]:
    """An open page for each name; closed with the block."""
    opened = {name: Browser(url(name)) for name in names}
    try:
        yield opened
    finally:
        for each in opened.values():
            each.close()
