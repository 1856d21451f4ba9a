"""What a mail server says to each command, over a connection that is open and logged in.

aiosmtplib opens it; from then on it is read here, since aiosmtplib waits for the reply to a command
before it can send the next one, and takes three times as long for it.
"""

import asyncio
from collections import deque
from typing import NamedTuple

import aiosmtplib

LINE_BYTES_MAX = 8_192
REPLY_BYTES_MAX = 32_768


class Said(NamedTuple):
    """A reply; the lines of its text are divided by line feeds."""

    code: int
    text: str


class Replies(asyncio.Protocol):
    """Takes a connection over. Replies that nobody asked for are ignored.

    Raises aiosmtplib's exceptions; after any of them the connection is worth nothing.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._unread = b""
        self._lines: list[str] = []
        self._length = 0
        # How many replies are to come, those that came, and who waits for the next.
        self._due = 0
        self._said: deque[Said] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether it was not closed by us or, as far as we know, by the server."""
        return self._failure is None and not self._transport.is_closing()

    def send(self, commands: bytes, replies: int = 1) -> None:
        """Send what so many replies are due to."""
        if not self.is_open:
            raise self._failure or aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._due += replies
        self._transport.write(commands)

    async def reply(self, seconds: float) -> Said:
        """The next reply; those that came before the connection failed are told first."""
        if not self._said and self._failure is None:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            late = loop.call_later(seconds, self._fail, _too_late())
            try:
                await self._waiter
            finally:
                late.cancel()
                self._waiter = None
        if not self._said:
            assert self._failure is not None
            raise self._failure
        return self._said.popleft()

    # --- what the transport calls ----------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Divide it into replies."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        try:
            for line in lines:
                self._take(line)
            self._limit(len(self._unread))
        except aiosmtplib.SMTPResponseException as error:
            self._fail(error)
        if self._said:
            self._wake()

    def eof_received(self) -> None:
        """The server says no more; the transport closes itself."""
        self._fail(aiosmtplib.SMTPServerDisconnected("Unexpected EOF received"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        error = aiosmtplib.SMTPServerDisconnected("Connection lost")
        error.__cause__ = exc
        self._fail(error)

    def _take(self, line: bytes) -> None:
        if not self._due:
            return
        self._limit(len(line))
        self._length += len(line)
        try:
            code = int(line[:3])
        except ValueError:
            told = f"Malformed SMTP response line: {line.decode(errors='ignore')}"
            raise _unreadable(told) from None
        self._lines.append(line[4:].strip(b" \t\r").decode("utf-8", "surrogateescape"))
        if line[3:4] != b"-":
            self._said.append(Said(code, "\n".join(self._lines)))
            self._due -= 1
            self._lines, self._length = [], 0

    def _limit(self, length: int) -> None:
        if length > LINE_BYTES_MAX or self._length + length > REPLY_BYTES_MAX:
            raise _unreadable("Response too long")

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _too_late() -> aiosmtplib.SMTPReadTimeoutError:
    return aiosmtplib.SMTPReadTimeoutError("Timed out waiting for server response")


def _unreadable(told: str) -> aiosmtplib.SMTPResponseException:
    return aiosmtplib.SMTPResponseException(aiosmtplib.SMTPStatus.invalid_response, told)
