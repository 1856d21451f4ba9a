"""Handing letters to the mail server: a pool of SMTP connections, and a limit on the rate.

The network and the server can do what they like: what comes of a letter is a ``Reply``.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

import aiosmtplib
import structlog

from runtime.checkup import ends_at
from services.notifier.edge.dialogue import Connection, Envelope, NotDone, Reply, envelope
from services.notifier.edge.dkim import signer_of, with_mail_line_ends
from services.notifier.rules.verdicts import Stage
from services.notifier.settings import MailSettings, MailSettingsError

__all__ = ["Mailer", "Reply", "Stage"]

IDLE_SECONDS = 30.0
#: Seconds without a new connection after the server refused one beside others.
FEWER_SECONDS = 60.0
#: After the first, the second, … login refused; the last for all further ones.
LOGIN_PAUSES = (30.0, 60.0, 120.0, 300.0, 900.0)

_log = structlog.get_logger()


class Mailer:
    """Sends letters over at most ``smtp_connections`` connections, opened when they are needed.

    One that stands idle for `idle_seconds` is closed. Raises MailSettingsError.
    """

    def __init__(self, settings: MailSettings, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        self._signer = signer_of(settings)
        self._tls = _tls_context(settings)
        self._timeouts = settings.timeouts
        self._rate = _Rate(settings.smtp_messages_per_second)
        self._idle_seconds = idle_seconds
        # Who opens, uses or closes a connection holds a slot. A new one is opened only when none
        # is idle, so idle ones and slots taken are together never more than there are slots.
        self._slots = asyncio.Semaphore(settings.smtp_connections)
        self._idle: deque[Connection] = deque()  # the longest idle first
        # The number of letters with a slot, and of slots that are unused for some time.
        self._at_work = 0
        self._has_noted = False
        self._laid_aside: deque[asyncio.TimerHandle] = deque()
        self._closing_idle: asyncio.Task[None] | None = None
        self._stopped = False
        self._logins = _Logins()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def send(
        self,
        message: bytes,
        sender: str,
        recipient: str,
        begin: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Hand over one letter, and tell what came of it.

        `begin` is called once the server has asked for the content, right before that is sent:
        from there on a crash leaves open whether the letter was taken. What `begin` raises comes
        out here, as does a cancellation; both close the connection.
        """
        try:
            addresses = envelope(sender, recipient)
            sign = self._signer.sign if self._signer is not None else with_mail_line_ends
            content = sign(message)
            while (reply := await self._in_turn(addresses, content, begin)) is None:
                pass  # it waits for one of the open connections
            return reply
        except NotDone as failure:
            return failure.reply

    async def _in_turn(
        self, addresses: Envelope, content: bytes, begin: Callable[[], None]
    ) -> Reply | None:
        """A dialogue in a slot, or None if the server takes no more connections beside others."""
        await self._slots.acquire()
        has_slot = True
        try:
            if self._stopped:
                return Reply("deferred", None, "the mailer has been stopped", "connect")
            await self._rate.wait()
            self._at_work += 1
            try:
                return await self._hand_over(addresses, content, begin)
            finally:
                self._at_work -= 1
        except NotDone as failure:
            # Other connections are open: the server may accept only those. The last failure counts.
            if failure.reply.stage == "connect" and self._at_work:
                has_slot = False
                self._lay_aside_slot()
                return None
            if failure.reply.stage == "connect":
                self._take_back_slots()
            raise
        finally:
            if has_slot:
                self._slots.release()

    async def _hand_over(
        self, addresses: Envelope, content: bytes, begin: Callable[[], None]
    ) -> Reply:
        while True:
            connection = await self._take()
            try:
                reply = await connection.converse(addresses, content, begin)
                self._note_fewer()
                return reply
            except NotDone as failure:
                # It was closed while idle, which does not show whether the server is down now.
                was_stale = connection.letters > 1 and failure.reply.stage == "mail"
                if not (was_stale and failure.is_gone):
                    raise
            finally:
                self._put_back(connection)

    def _lay_aside_slot(self) -> None:
        """Use one connection less for some time: servers limit how many a client may have."""
        loop = asyncio.get_running_loop()
        self._laid_aside.append(loop.call_later(FEWER_SECONDS, self._take_back_slot))

    def _note_fewer(self) -> None:
        """Log once that the server accepts letters, but over fewer connections."""
        if self._laid_aside and not self._has_noted:
            self._has_noted = True
            _log.warning(
                "the mail server takes fewer connections than SMTP_CONNECTIONS",
                smtp_connections=self._settings.smtp_connections,
            )

    def _take_back_slot(self) -> None:
        self._laid_aside.popleft().cancel()
        self._slots.release()

    def _take_back_slots(self) -> None:
        """Use as many connections as are set."""
        while self._laid_aside:
            self._take_back_slot()

    async def greet(self, sender: str) -> datetime | None:
        """Connect, sign in, and ask whether the server takes letters from this address.

        No letter is sent. Returns when the server's certificate ends. Raises NotDone.
        """
        connection = await self._take()
        try:
            await connection.offer(envelope(sender, sender))
            return ends_at(connection.certificate)
        finally:
            await connection.quit()

    @property
    def login_rest_seconds(self) -> float:
        """Seconds until the next login, after the last one was refused."""
        return self._logins.rest_seconds

    async def stop(self) -> None:
        """Close the connections, politely, once the letters under way are through.

        Those that still wait for a connection are deferred. What must end at once is to be
        cancelled before.
        """
        self._stopped = True
        self._take_back_slots()
        if self._closing_idle is not None:
            self._closing_idle.cancel()
            await asyncio.wait([self._closing_idle])
            self._closing_idle = None
        for _ in range(self._settings.smtp_connections):
            await self._slots.acquire()
        await asyncio.gather(*(each.quit() for each in self._idle))
        self._idle.clear()
        for _ in range(self._settings.smtp_connections):
            self._slots.release()

    async def _take(self) -> Connection:
        """An idle connection that can be used, the latest first, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.letters >= self._settings.smtp_messages_per_connection:
                await connection.quit()
            elif connection.is_open:
                return connection
        settings = self._settings
        self._logins.check()
        connection = Connection(
            aiosmtplib.SMTP(
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                # Looked up nowhere: the full name would need DNS, which can take its time.
                local_hostname=settings.smtp_helo_name or socket.gethostname(),
                use_tls=settings.smtp_tls == "tls",
                start_tls=False,  # not by itself: `open` does, and fails where the server cannot
                tls_context=self._tls,
            ),
            self._timeouts,
        )
        await connection.open(
            start_tls=settings.smtp_tls == "starttls",
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value(),
            logins=self._logins,
        )
        return connection

    def _put_back(self, connection: Connection) -> None:
        if not connection.is_open:
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if self._closing_idle is None and not self._stopped:
            self._closing_idle = asyncio.create_task(self._close_idle())

    async def _close_idle(self) -> None:
        """Close each connection when it has been idle for too long; ends when none is left."""
        now = asyncio.get_running_loop().time
        while self._idle:
            age = now() - self._idle[0].idle_since
            if age < self._idle_seconds:
                await asyncio.sleep(self._idle_seconds - age)
                continue
            async with self._slots:
                # Perhaps it was used while this waited for the slot.
                if self._idle and now() - self._idle[0].idle_since >= self._idle_seconds:
                    await self._idle.popleft().quit()
        self._closing_idle = None


class _Logins:
    """Logins one after the other, and pauses after those that were refused.

    A wrong password that every new connection tried again would lock the account.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._refused: Reply | None = None
        self._refusals = 0
        self._not_before = 0.0

    @property
    def rest_seconds(self) -> float:
        """Seconds until the next login."""
        return max(self._not_before - asyncio.get_running_loop().time(), 0.0)

    def check(self) -> None:
        """Raise NotDone, with what the server last said, where it is too early for another."""
        now = asyncio.get_running_loop().time()
        if self._refused is not None and now < self._not_before:
            later = f"the next login is tried in {self.rest_seconds:.0f} s"
            raise NotDone(replace(self._refused, text=f"{self._refused.text}; {later}"))

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        try:
            self.check()
        except NotDone:
            self._turn.release()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._turn.release()
        if error is None:
            self._refused, self._refusals = None, 0
        elif isinstance(error, NotDone) and error.reply.code is not None:
            pause = LOGIN_PAUSES[min(self._refusals, len(LOGIN_PAUSES) - 1)]
            self._not_before = asyncio.get_running_loop().time() + pause
            self._refused = error.reply
            self._refusals += 1


class _Rate:
    """A bucket that holds one token and gets the next one when its time has come."""

    def __init__(self, per_second: float) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def wait(self) -> None:
        if self._gap:
            now = asyncio.get_running_loop().time()
            at = max(now, self._next)
            self._next = at + self._gap
            await asyncio.sleep(at - now)


def _tls_context(settings: MailSettings) -> ssl.SSLContext | None:
    if settings.smtp_tls == "none":
        return None
    context = ssl.create_default_context()
    if settings.smtp_ca_file is not None:
        try:
            context.load_verify_locations(cafile=settings.smtp_ca_file)
        except OSError as error:  # an SSLError is one
            told = f"SMTP_CA_FILE {settings.smtp_ca_file} is not a PEM file with certificates"
            raise MailSettingsError(f"{told} ({error.strerror or error}): correct it") from error
    return context
