"""One SMTP connection, and the dialogue over it that hands a letter to the mail server.

MAIL, RCPT, DATA, the content; the three in one write where the server takes that (RFC 2920). What
comes of it is a ``Reply``; where the dialogue stops short of one, ``NotDone`` carries it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, cast

import aiosmtplib

from domain.mailboxes import AddressError, usable
from runtime.masking import without_addresses
from schemas.reasons import LetterReply
from services.notifier.edge.replies import Replies, Said
from services.notifier.edge.timeouts import Timeouts
from services.notifier.rules.verdicts import Stage, Verdict, is_about_sending_limit, verdict
from texts.facts import ADDRESSES
from texts.reasons import reason

T = TypeVar("T")

TEXT_LENGTH_MAX = 500
START_INPUT = 354
NEEDS_SMTPUTF8 = (
    f"the address can't be reached through your mail server: it {LetterReply.NEEDS_SMTPUTF8},"
    " which the server does not offer. Ask for an address in ASCII, or send through a server that"
    " offers it"
)
SERVICE_CLOSING = 421


@dataclass(frozen=True)
class Reply:
    """What came of one letter.

    ``deferred`` may be tried again; ``bounced`` may not. ``code`` is the server's, if the
    server answered, and ``verdict`` is the meaning of its refusal. ``text`` is one line, and
    names no person's address.
    ``is_open``: the whole letter was sent without an answer, so it may have been delivered.
    ``is_limit``: we have sent as much as the server lets us send for now.
    """

    outcome: Literal["sent", "deferred", "bounced"]
    code: int | None
    text: str
    stage: Stage
    verdict: Verdict | None = None
    is_open: bool = False
    is_limit: bool = False


class NotDone(Exception):
    """A step failed; `is_gone` says that the connection was closed or lost under it."""

    def __init__(self, reply: Reply, *, is_gone: bool = False) -> None:
        super().__init__(reply)
        self.reply = reply
        self.is_gone = is_gone


@dataclass(frozen=True, slots=True)
class Envelope:
    """Two addresses as they stand in commands; ``is_utf8`` where they need SMTPUTF8 for it."""

    sender: str
    recipient: str
    is_utf8: bool


def envelope(sender: str, recipient: str) -> Envelope:
    """The addresses as SMTP writes them. Raises NotDone for a text that is not an address."""
    try:
        sender = usable(sender)
    except AddressError as error:
        told = (
            f"{one_line(sender)} is not an address to send from: {_why(error)}; correct MAIL_FROM"
        )
        raise NotDone(Reply("deferred", None, told, "mail", "ours")) from None
    try:
        recipient = usable(recipient)
    except AddressError as error:
        told = f"mail can't be sent to the address: {_why(error)}"
        raise NotDone(Reply("bounced", None, told, "rcpt", "refused")) from None
    return Envelope(sender, recipient, not (sender + recipient).isascii())


def _why(error: AddressError) -> str:
    return reason(ADDRESSES, error.reason)


def words(text: str) -> str:
    """What a server said, as ``one_line``, and without the addresses that it repeats."""
    return one_line(without_addresses(text))


def one_line(text: str) -> str:
    """A text without control characters, as one line of at most 500 characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:TEXT_LENGTH_MAX]


class Connection:
    """A connection to the mail server; between dialogues it is closed or ready for the next."""

    def __init__(self, client: aiosmtplib.SMTP, timeouts: Timeouts) -> None:
        self._client = client
        self._replies: Replies | None = None
        self._timeouts = timeouts
        self.letters = 0
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it was not closed by us or, as far as we know, by the server."""
        return self._replies is not None and self._replies.is_open

    async def open(
        self,
        *,
        start_tls: bool,
        username: str,
        password: str,
        logins: AbstractAsyncContextManager[None],
    ) -> None:
        """Connect, encrypt if told, greet, and log in within `logins` if there is a user name."""
        try:
            limits = self._timeouts
            await _step("connect", self._connect())
            if start_tls:
                await _step("connect", self._client.starttls(timeout=limits.starttls))
            await _step("connect", self._greet())
            if username:
                async with logins:
                    login = self._client.login(username, password, timeout=limits.login)
                    await _step("login", login)
            self._replies = Replies(cast(asyncio.Transport, self._client.transport))
        except BaseException:
            self.drop()
            raise

    async def converse(
        self, envelope: Envelope, content: bytes, begin: Callable[[], None]
    ) -> Reply:
        """Hand over a letter, its lines ended by CRLF. Raises NotDone, and what `begin` raises."""
        self.letters += 1
        try:
            return await self._converse(envelope, content, begin)
        except NotDone as failure:
            # Only after a proper refusal does the server stand where it can be asked to forget.
            code = failure.reply.code
            if code is None or not 400 <= code < 600 or code == SERVICE_CLOSING:
                self.drop()
            else:
                await self._forget()
            raise
        except BaseException:
            self.drop()
            raise

    async def offer(self, envelope: Envelope) -> None:
        """Ask whether the server takes a letter from this sender, and take it back.

        Raises NotDone.
        """
        said = await _step(
            "mail", self._ask(self._commands(envelope, b"")["mail"], self._timeouts.mail)
        )
        if not 200 <= said.code < 300:
            raise _refusal("mail", said.code, said.text)
        await self._forget()

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """The server's certificate, as ``getpeercert`` has it; ``None`` if it has shown none."""
        transport = self._client.transport
        found: Mapping[str, Any] | None = (
            None if transport is None else transport.get_extra_info("peercert")
        )
        return found

    async def quit(self) -> None:
        """Close it as a polite client does, if the server answers soon."""
        try:
            await self._ask(b"QUIT\r\n", self._timeouts.quit)
        except Exception:  # it is closed one way or the other
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """Close it at once: a polite close would wait for a server that does not read."""
        transport = self._client.transport
        if transport is not None and hasattr(transport, "abort"):
            transport.abort()
        self._client.close()

    async def _connect(self) -> None:
        """Connect, and wait longer for the greeting once the connection is open."""
        loop = asyncio.get_running_loop()
        deadline = asyncio.timeout(None)

        def look() -> None:
            if self._client.transport is None:
                deadline.reschedule(loop.time())

        looking = loop.call_later(self._timeouts.connect, look)
        try:
            async with deadline:
                await self._client.connect(timeout=self._timeouts.greeting)
        except TimeoutError:
            if not deadline.expired():  # the library's own, for the greeting
                raise
            where = f"{self._client.hostname} on port {self._client.port}"
            raise aiosmtplib.SMTPConnectTimeoutError(f"no connection to {where}") from None
        finally:
            looking.cancel()

    async def _greet(self) -> None:
        try:
            await self._client.ehlo(timeout=self._timeouts.ehlo)
        except aiosmtplib.SMTPHeloError:
            if not self._client.is_connected:
                raise
            await self._client.helo(timeout=self._timeouts.ehlo)

    async def _converse(
        self, envelope: Envelope, content: bytes, begin: Callable[[], None]
    ) -> Reply:
        commands = self._commands(envelope, content)
        at_once = self._client.supports_extension("pipelining")
        if at_once:
            await _step("mail", self._send(b"".join(commands.values()), len(commands)))
        for stage, command in commands.items():
            seconds: float = getattr(self._timeouts, stage)
            said = await _step(
                stage, self._reply(seconds) if at_once else self._ask(command, seconds)
            )
            is_good = said.code == START_INPUT if stage == "data" else 200 <= said.code < 300
            if not is_good:
                if at_once and said.code != SERVICE_CLOSING:
                    await self._hear_out(stage)
                raise _refusal(stage, said.code, said.text)
        begin()
        try:
            said = await _step("data", self._ask(_dotted(content), self._timeouts.after_begin))
        except NotDone as failure:
            raise NotDone(replace(failure.reply, is_open=True), is_gone=failure.is_gone) from None
        if not 200 <= said.code < 300:
            raise _refusal("data", said.code, said.text)
        return Reply("sent", said.code, words(said.text), "data")

    def _commands(self, envelope: Envelope, content: bytes) -> dict[Stage, bytes]:
        """What comes before the content; the addresses hold nothing that could end a command."""
        mail = " ".join((f"MAIL FROM:<{envelope.sender}>", *self._options(envelope, content)))
        return {
            "mail": f"{mail}\r\n".encode(),
            "rcpt": f"RCPT TO:<{envelope.recipient}>\r\n".encode(),
            "data": b"DATA\r\n",
        }

    async def _hear_out(self, stage: Stage) -> None:
        """The replies to what was sent along with a command that is refused.

        A server that asks for the content all the same gets none: no recipient was taken.
        """
        try:
            for _ in range({"mail": 2, "rcpt": 1}.get(stage, 0)):
                said = await self._reply(self._timeouts.data)
                if said.code == START_INPUT:
                    await self._ask(b".\r\n", self._timeouts.end)
        except Exception:  # whatever it was: the connection cannot be trusted
            self.drop()

    async def _send(self, commands: bytes, replies: int) -> None:
        if self._replies is None:
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
        self._replies.send(commands, replies)

    async def _reply(self, seconds: float) -> Said:
        assert self._replies is not None
        return await self._replies.reply(seconds)

    async def _ask(self, command: bytes, seconds: float) -> Said:
        await self._send(command, 1)
        return await self._reply(seconds)

    def _options(self, envelope: Envelope, content: bytes) -> list[str]:
        offers = self._client.supports_extension
        options = [f"SIZE={len(content)}"] if offers("size") else []
        if content.isascii() and not envelope.is_utf8:
            return options
        head = content[: content.find(b"\r\n\r\n")]
        if offers("smtputf8"):
            options += ["SMTPUTF8"] if envelope.is_utf8 or not head.isascii() else []
        elif envelope.is_utf8:
            raise NotDone(Reply("bounced", None, NEEDS_SMTPUTF8, "rcpt", "refused"))
        return [*options, "BODY=8BITMIME"] if offers("8bitmime") else options

    async def _forget(self) -> None:
        """RSET, so that no half of a dialogue is left; a connection that will not is dropped."""
        try:
            said = await self._ask(b"RSET\r\n", self._timeouts.rset)
            if not 200 <= said.code < 300:
                self.drop()
        except Exception:  # whatever it was: the connection cannot be trusted
            self.drop()
        except BaseException:
            self.drop()
            raise


def _dotted(content: bytes) -> bytes:
    """The content as the server is to read it, and its end."""
    if b"\n." in content:  # looking takes half the time of replacing nothing
        content = content.replace(b"\r\n.", b"\r\n..")
    return b"".join((b"." if content.startswith(b".") else b"", content, b".\r\n"))


async def _step(stage: Stage, step: Awaitable[T]) -> T:
    """Do a step. Only the library and the server have a part in it: any failure is theirs."""
    try:
        return await step
    except aiosmtplib.SMTPResponseException as refused:
        raise _refusal(stage, refused.code, refused.message) from refused
    except Exception as failure:
        text = words(str(failure)) or type(failure).__name__
        is_gone = isinstance(failure, ConnectionError)
        reply = Reply("deferred", None, text, stage, "later")
        raise NotDone(reply, is_gone=is_gone) from failure


def _refusal(stage: Stage, code: int, text: str) -> NotDone:
    means = verdict(stage, code, text)
    outcome: Literal["deferred", "bounced"] = (
        "bounced" if means in ("gone", "refused") else "deferred"
    )
    known = code if 100 <= code < 600 else None  # what could not be read has a code of its own
    is_limit = is_about_sending_limit(code, text)
    reply = Reply(outcome, known, words(text), stage, means, is_limit=is_limit)
    return NotDone(reply, is_gone=code == SERVICE_CLOSING)
