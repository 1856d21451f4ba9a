"""Where the demo's mail goes: an SMTP server in a thread that keeps every letter."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller

from demo.watching import MissingStep
from runtime.ports import free_port

LETTER_SECONDS_MAX = 40.0
#: What kind of letter it is, for those who sort their mail.
KIND_HEADER = "X-Jointbuy-Kind"


@dataclass(frozen=True)
class Letter:
    """A letter to one recipient, as it arrived."""

    to: str
    raw: bytes
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Readable, on one line."""
        return " ".join(str(self.message.get("Subject", "")).split())

    @property
    def kind(self) -> str:
        """``order-counted``, …; empty when it does not say."""
        return str(self.message.get(KIND_HEADER, ""))

    @property
    def notice_id(self) -> str:
        """The notice it tells of: the first half of its Message-ID."""
        return str(self.message.get("Message-ID", "")).strip("<> ").partition("@")[0]

    @property
    def text(self) -> str:
        """Its plain text."""
        body = self.message.get_body(("plain",))
        return str(body.get_content()) if body is not None else ""


class Mailbox:
    """Takes letters on a free port of 127.0.0.1 as long as the ``with`` block runs.

    `announce` is called with each letter, from the server's thread. Without `keeps`, it
    drops them: for tests under load.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        announce: Callable[[Letter], None] | None = None,
        keeps: bool = True,
    ) -> None:
        self.port = free_port(port)
        self._announce = announce
        self._keeps = keeps
        self._letters: list[Letter] = []
        self._changed = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.stop()

    def letters(self, to: str = "", kind: str = "", about: str = "") -> list[Letter]:
        """Those that came, in order: to an address, of a kind, with this in subject or text."""
        with self._changed:
            return [
                each
                for each in self._letters
                if (not to or each.to == to)
                and (not kind or each.kind == kind)
                and (not about or about in each.subject or about in each.text)
            ]

    def wait_for(
        self, to: str = "", kind: str = "", about: str = "", seconds: float = LETTER_SECONDS_MAX
    ) -> Letter:
        """The first such letter; raises ``MissingStep`` when there is none in time.

        It blocks: in a coroutine, call it by ``asyncio.to_thread``.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self.letters(to, kind, about)), seconds)
            if found := self.letters(to, kind, about):
                return found[0]
            came = ", ".join(f"{each.kind or each.subject} to {each.to}" for each in self._letters)
        wanted = " ".join(each for each in ("a letter", kind, to and f"to {to}", about) if each)
        raise MissingStep(f"{wanted}; these came: {came or 'none'}")

    def wait_for_id(self, notice_id: str, what: str, seconds: float = LETTER_SECONDS_MAX) -> Letter:
        """The letter of a notice; raises ``MissingStep`` when it does not come in time."""

        def found() -> Letter | None:
            return next((each for each in self._letters if each.notice_id == notice_id), None)

        with self._changed:
            letter = self._changed.wait_for(found, seconds)
        if letter is None:
            raise MissingStep(f"a letter {what}")
        return letter

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a letter: called by aiosmtpd, in its thread."""
        if not self._keeps:
            return "250 taken"
        message = message_from_bytes(envelope.content, policy=policy.default)
        for to in envelope.rcpt_tos:
            letter = Letter(to, envelope.content, message)
            with self._changed:
                self._letters.append(letter)
                self._changed.notify_all()
            if self._announce is not None:
                self._announce(letter)
        return "250 taken"
