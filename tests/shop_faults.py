"""What goes wrong between a shop and who asks it, and how a stand-in is reached in spite of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import httpx

#: ``busy``: asked to wait, nothing done. ``error``: 503, nothing done. ``dropped``: no answer,
#: nothing done. ``lost``: no answer, all done. ``slow``: no answer in time, all done.
Fault = Literal["", "busy", "error", "dropped", "lost", "slow"]
#: Longer than a test's client waits.
SLOW_SECONDS = 3.0
Answer = Callable[[httpx.Request], httpx.Response]


class NoAnswer(Exception):
    """The connection is closed instead of an answer, at once or after ``seconds``."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.seconds = SLOW_SECONDS if fault == "slow" else 0.0


class Faults:
    """Which fault the next requests meet: those in ``coming``, then every so many-th ``lasting``.

    ``coming`` counts all requests, ``lasting`` only those that change something.
    """

    def __init__(self) -> None:
        self.coming: list[Fault] = []
        self.lasting: list[Fault] = []
        self.met: list[Fault] = []
        self._writes = 0

    def next(self, *, is_write: bool) -> Fault:
        fault: Fault = ""
        if self.coming:
            fault = self.coming.pop(0)
        elif is_write and self.lasting:
            fault = self.lasting[self._writes % len(self.lasting)]
            self._writes += 1
        if fault:
            self.met.append(fault)
        return fault


def transport(answer: Answer) -> httpx.MockTransport:
    """What a client is given in place of a network."""

    def handle(request: httpx.Request) -> httpx.Response:
        try:
            return answer(request)
        except NoAnswer:
            raise httpx.ReadTimeout("no answer", request=request) from None

    return httpx.MockTransport(handle)


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A stand-in at an address of its own; requests one after the other, as it keeps books."""
    turn = threading.Lock()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._take()

        def do_POST(self) -> None:
            self._take()

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            url = f"http://{self.headers['host']}{self.path}"
            request = httpx.Request(self.command, url, headers=dict(self.headers), content=body)
            try:
                with turn:
                    told = answer(request)
            except NoAnswer as fault:
                over.wait(fault.seconds)
                self.close_connection = True
                return
            self.send_response(told.status_code)
            for name, value in told.headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("content-length", str(len(told.content)))
            self.end_headers()
            self.wfile.write(told.content)

        def log_message(self, *_: Any) -> None:
            """Nothing: tests print enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
