"""A small app behind the server of the public processes, in a process of its own: to test it."""

import asyncio
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from runtime.broker_watch import BrokerWatch
from runtime.ports import free_port
from runtime.settings import Settings
from runtime.web_settings import WebSettings
from tests.system import plain_http

#: Far longer than anything here takes on a busy machine.
DEADLINE_SECONDS = 60.0


def build() -> FastAPI:
    """What is served: an answer, the length of a body, and a stream that goes on for ever."""
    app = FastAPI()
    gone = 0

    @app.get("/")
    async def hello() -> Response:
        return PlainTextResponse("hello")

    @app.get("/headers")
    async def headers(request: Request) -> list[str]:
        return request.headers.keys()

    @app.post("/length")
    async def length(request: Request) -> int:
        nonlocal gone
        try:
            return len(await request.body())
        except ClientDisconnect:
            gone += 1
            raise

    @app.get("/gone")
    async def count_gone() -> int:
        return gone

    @app.get("/stream")
    async def stream() -> Response:
        async def ticks() -> AsyncIterator[bytes]:
            never = asyncio.Event()
            while True:
                yield b"tick\n"
                with suppress(TimeoutError):
                    await asyncio.wait_for(never.wait(), 0.05)

        return StreamingResponse(ticks())

    return app


class _NoBroker(BrokerWatch):
    """This app has nothing to do with Kafka."""

    async def run(self) -> None:
        """Look at nothing."""
        await self.failed()

    def unready(self) -> str:
        """Nothing is missing."""
        return ""


def main() -> None:
    """Serve it."""
    from runtime.web_server import serve

    async def status() -> dict[str, str]:
        return {"all": "well"}

    async def unready() -> str:
        return ""

    settings = Settings()
    serve(build(), WebSettings(), settings, _NoBroker(settings, {}), status=status, unready=unready)


# --- for the tests -------------------------------------------------------------------------------


@dataclass
class Served:
    """The running process."""

    process: subprocess.Popen[bytes]
    port: int
    ops: str

    def connect(self, source: str = "127.0.0.1") -> "Line":
        """A connection, from this address of the loopback."""
        made = socket.create_connection(
            ("127.0.0.1", self.port), timeout=DEADLINE_SECONDS, source_address=(source, 0)
        )
        return Line(made)

    def ask(self, *lines: str, body: bytes = b"", source: str = "127.0.0.1") -> bytes:
        """One request on a connection of its own, and all that is answered."""
        head = "\r\n".join((*lines, "Host: x", "Connection: close", "", "")).encode()
        with self.connect(source) as line:
            line.send(head + body)
            return line.all()

    def refused(self, reason: str, listener: str = "public") -> float:
        """How often the server ended something for this reason."""
        series = f'jointbuy_web_refused_total{{listener="{listener}",reason="{reason}"}} '
        return self.metric(series)

    def metric(self, series: str) -> float:
        """A figure of ``/metrics``."""
        text = plain_http.get(f"{self.ops}/metrics").text
        return next(
            (
                float(each.removeprefix(series))
                for each in text.splitlines()
                if each.startswith(series)
            ),
            0.0,
        )

    def memory(self) -> float:
        """Resident MB now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6


class Line:
    """A connection as plain bytes."""

    def __init__(self, made: socket.socket) -> None:
        self.socket = made

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send, as far as the other end takes it."""
        try:
            self.socket.sendall(data)
        except ConnectionError:
            return

    def some(self) -> bytes:
        """What comes next; nothing when it was closed."""
        try:
            return self.socket.recv(65_536)
        except ConnectionError:
            return b""

    def until(self, ending: bytes) -> bytes:
        """What comes, up to this."""
        found = b""
        while ending not in found:
            more = self.some()
            assert more, f"closed before {ending!r}: {found!r}"
            found += more
        return found

    def all(self) -> bytes:
        """What comes until it is closed."""
        found = b""
        while more := self.some():
            found += more
        return found

    def drip(self, drop: bytes, seconds: float = 0.02) -> bytes:
        """Send a drop again and again until it is closed; all that was answered."""
        found, ends = b"", time.monotonic() + DEADLINE_SECONDS
        self.socket.settimeout(seconds)
        while time.monotonic() < ends:
            self.send(drop)
            try:
                more = self.some()
            except TimeoutError:
                continue
            if not more:
                return found
            found += more
        raise AssertionError(f"still open after {DEADLINE_SECONDS:.0f} s")

    def is_silent(self) -> bool:
        """Whether nothing has come, not even its end."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(65_536)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        else:
            return False
        finally:
            self.socket.settimeout(DEADLINE_SECONDS)


def closed(lines: Sequence[Line], seconds: float) -> int:
    """How many of these are closed by the server within so many seconds."""
    selector, count = selectors.DefaultSelector(), 0
    for line in lines:
        line.socket.setblocking(False)
        selector.register(line.socket, selectors.EVENT_READ, line)
    ends = time.monotonic() + seconds
    while count < len(lines) and (left := ends - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            if not key.data.some():
                selector.unregister(key.fileobj)
                count += 1
    selector.close()
    return count


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """The process, ready, with these settings."""
    port, ops_port = free_port(), free_port()
    env = {name.upper(): str(value) for name, value in settings.items()}
    env = {**os.environ, "WEB_PORT": str(port), "OPS_PORT": str(ops_port), **env}
    log = folder / f"served-{port}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "tests.runtime.served"]
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    it = Served(process, port, f"http://127.0.0.1:{ops_port}")
    try:
        _until_ready(it, log)
        yield it
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def _until_ready(it: Served, log: Path) -> None:
    ends = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < ends and it.process.poll() is None:
        try:
            if plain_http.get(f"{it.ops}/readyz").is_success:
                return
        except httpx.HTTPError:
            # A process can only be asked; the pause is between questions, not for an outcome.
            signal.sigtimedwait([], 0.02)
    raise AssertionError(log.read_text())


if __name__ == "__main__":
    main()
