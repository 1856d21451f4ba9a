"""HTTP/1.1 as uvicorn speaks it, with limits on what a client may send and how long it may take.

uvicorn limits neither heads nor times nor connections. Its parser keeps an unfinished header until
the header ends, so bytes are counted as they are fed to the parser.
"""

import asyncio
from http import HTTPStatus
from typing import Any, Literal

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from runtime.connections import REFUSED, Crowd
from runtime.networks import network_of
from runtime.web_settings import WebSettings

#: Most requests of one connection that wait for the answers to earlier ones.
PIPELINED_MAX = 16
#: After a refusal the server reads on for a while. Unread bytes would make the system reset the
#: connection, and the client would not see the answer.
LINGER_SECONDS = 2.0
LINGER_BYTES_MAX = 1_000_000

#: The part of a request that is arriving: nothing, a head, or a body.
Part = Literal["nothing", "head", "body"]


class TooMuchError(ValueError):
    """A request is beyond a limit; raised to stop the parser."""


class LimitedConfig(uvicorn.Config):
    """A server's configuration, with its limits and its connections."""

    def __init__(self, app: Any, limits: WebSettings, crowd: Crowd, **more: Any) -> None:
        super().__init__(
            app,
            http=LimitedProtocol,
            ws="none",
            timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type]  # goes to call_later
            log_config=None,
            access_log=False,
            # Only PROXIES decides whether X-Forwarded-For is trusted.
            proxy_headers=False,
            server_header=False,
            **more,
        )
        self.limits = limits
        self.crowd = crowd


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, LimitedConfig)
        self._limits = config.limits
        self._crowd = config.crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._part: Part = "nothing"
        # Bytes since the last complete head, part of a body or request: the parser may keep them.
        self._unfinished_bytes = 0
        self._head_bytes = 0
        self._too_much: tuple[int, str, str] | None = None
        self._is_refused = False
        self._lingered_bytes = 0
        self.network = ""

    # --- the connection --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it before reading a byte."""
        super().connection_made(transport)
        self.network = network_of(self.client[0] if self.client else "")
        reason = self._crowd.enter(self)
        if reason:
            self._refuse(503, reason, "too many connections: come again later", linger=False)
            return
        self._set_deadline("head")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._clear_deadline()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, at most as many bytes at once as a head may have."""
        if self._is_refused:
            self._lingered_bytes += len(data)
            if self._lingered_bytes > LINGER_BYTES_MAX:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        step = self._limits.head_bytes_max
        for begins in range(0, len(data), step):
            self._feed(data[begins : begins + step])
            if self._is_refused or self.transport.is_closing():
                return
        self._watch()

    def _feed(self, piece: bytes) -> None:
        self._unfinished_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # No other protocol is supported, so this is answered like any other request.
            return
        except httptools.HttpParserError:
            self._refuse(*(self._too_much or (400, "malformed", "this is not HTTP")))
            return
        if self._unfinished_bytes > self._limits.head_bytes_max:
            self._refuse(431, "head-bytes", self._head_limit())

    def _head_limit(self) -> str:
        return f"a request line and headers may have at most {self._limits.head_bytes_max} bytes"

    # --- what the parser finds -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._part = "head"
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Count a part of the URL."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; a trailer, which comes after the body, is dropped."""
        if self._part != "head":
            return
        if len(self.headers) >= self._limits.headers_max:
            most = self._limits.headers_max
            self._stop(431, "headers", f"a request may have at most {most} headers")
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if len(self.pipeline) >= PIPELINED_MAX:
            self._stop(503, "pipelined", "too many requests at once: wait for answers")
        self._part = "body"
        self._unfinished_bytes = 0
        self._clear_deadline()
        self._crowd.asked(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unfinished_bytes = 0
        if self._is_refused:
            return
        super().on_body(body)
        if not self.cycle.response_complete:
            self._crowd.body_came(self, len(body))

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._part = "nothing"
        self._unfinished_bytes = 0
        self._clear_deadline()
        self._crowd.body_is_whole(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered."""
        self._crowd.answered(self)
        super().on_response_complete()
        if not self._is_in_hand():
            self._crowd.waits(self)

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self._limits.head_bytes_max:
            self._stop(431, "head-bytes", self._head_limit())

    def _stop(self, status: int, reason: str, text: str) -> None:
        self._too_much = (status, reason, text)
        raise TooMuchError(text)

    # --- time ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Set a deadline for the part that has begun; further bytes do not extend it."""
        if self._deadline is not None:
            return
        if self._part == "body":
            self._set_deadline("body")
        elif self._part == "head" or (self._unfinished_bytes and not self._is_in_hand()):
            self._set_deadline("head")

    def _is_in_hand(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _set_deadline(self, part: Part) -> None:
        late, seconds = self._head_is_late, self._limits.head_seconds
        if part == "body":
            late, seconds = self._body_is_late, self._limits.body_seconds
        self._deadline = self.loop.call_later(seconds, late)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        self._refuse(408, "head-seconds", "the request takes too long: send it again")

    def _body_is_late(self) -> None:
        self._refuse(408, "body-seconds", "the body takes too long: send it again")

    # --- the end ---------------------------------------------------------------------------------

    def make_room(self) -> None:
        """Close this waiting connection, as a new one needs its place."""
        if self._is_refused:
            self.transport.abort()
            return
        self._refuse(503, "made-room", "too many connections: come again later", linger=False)

    def give_up_body(self) -> None:
        """Close, as all bodies have too many bytes and this one is the slowest."""
        self._refuse(503, "body-bytes", "too many bytes are arriving at once: send it again later")

    def _refuse(self, status: int, reason: str, text: str, *, linger: bool = True) -> None:
        """Send a last answer, unless one has begun, and close."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        REFUSED.labels(self._crowd.listener, reason).inc()
        self._clear_deadline()
        self._unset_keepalive_if_required()
        self._crowd.answered(self)
        is_begun = self._is_in_hand() and self.cycle.response_started
        if self._is_in_hand():
            # The app may wait for the rest of the body: tell it that the client has left.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if is_begun:
            self.transport.close()
            return
        self.transport.write(_answer(status, text))
        if not linger:
            self.transport.close()
            return
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def _answer(status: int, text: str) -> bytes:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "cache-control: no-store\r\n"
        "x-content-type-options: nosniff\r\n"
        + ("retry-after: 5\r\n" if status == 503 else "")
        + "connection: close\r\n\r\n"
    )
    return head.encode() + body
