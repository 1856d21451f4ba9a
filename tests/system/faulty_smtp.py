"""``python -m tests.system.faulty_smtp``: a mail server that misbehaves, as told and by chance.

What goes wrong hangs on the seed, the recipient and how often a letter to it was tried, not on the
order in which letters come. Every letter that is taken stands in a file of JSON lines before the
client hears of it, so that a test can count afterwards. ``replied`` is false where the client was
left without the 250: such a letter may come again, any other may not.
"""

import asyncio
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Annotated, Literal, Self

import orjson
import typer

Stage = Literal["greeting", "ehlo", "mail", "rcpt", "data", "content", "taken", "rset", "quit"]
DROP, HANG = "drop", "hang"
#: What to do at a stage (``content``: all of it is there; ``taken``: and it is written down), for
#: a recipient at the n-th try: a reply, DROP or HANG, or ``None`` to go on as one should.
Decide = Callable[[Stage, str, int], str | None]
CONTENT_MAX = 32 * 2**20


@dataclass
class Shares:
    """Faults by chance, each a share of all tries between 0 and 1, together at most 1."""

    seed: int = 0
    #: 451 to RCPT.
    defer: float = 0.0
    #: No reply to RCPT but the end of the connection.
    drop_before_data: float = 0.0
    #: The same after the last dot; the letter is lost.
    drop_after_dot: float = 0.0
    #: The same, but the letter was taken.
    lose_reply: float = 0.0
    #: No reply at all, to RCPT or after the last dot.
    hang: float = 0.0
    #: 550 to a share of addresses, always the same ones.
    refuse: float = 0.0

    def is_refused(self, recipient: str) -> bool:
        """Whether this address gets a 550."""
        return self._drawn(recipient) < self.refuse

    def __call__(self, stage: Stage, recipient: str, tried: int) -> str | None:
        """The fault of this try, at its stage."""
        if stage not in {"rcpt", "content", "taken"}:
            return None
        if self.is_refused(recipient):
            # As many servers do, it says whose.
            return f"550 5.1.1 <{recipient}>: no such mailbox" if stage == "rcpt" else None
        faults: list[tuple[float, Stage, str]] = [
            (self.defer, "rcpt", "451 4.7.1 greylisted, try again later"),
            (self.drop_before_data, "rcpt", DROP),
            (self.drop_after_dot, "content", DROP),
            (self.lose_reply, "taken", DROP),
            (self.hang / 2, "rcpt", HANG),
            (self.hang / 2, "content", HANG),
        ]
        drawn = self._drawn(recipient, tried)
        for share, at, what in faults:
            if drawn < share:
                return what if at == stage else None
            drawn -= share
        return None

    def _drawn(self, *about: object) -> float:
        digest = hashlib.sha256(repr((self.seed, *about)).encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


class _Gone(Exception):
    """The connection is to be closed without another word."""


@dataclass
class Faulty:
    """The server; also for use within a test, with any `decide`. Counts what it saw."""

    decide: Decide = lambda stage, recipient, tried: None
    received: Path | None = None
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 33554432", "8BITMIME", "SMTPUTF8")
    #: Whether it asks for the content when it has taken no recipient, as some servers do.
    asks_for_nobody_s: bool = False
    port: int = 0
    connections: int = 0
    open_now: int = 0
    open_max: int = 0
    #: How many clients said QUIT, and how many connections ended otherwise.
    quits: int = 0
    deserters: int = 0
    commands: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    tried: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Self:
        self._dialogues: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, limit=CONTENT_MAX
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._dialogues.values():
            writer.transport.abort()
        await asyncio.gather(*self._dialogues)

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until what was counted fulfils this."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(holds)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._dialogues[task] = writer
        self.connections += 1
        self.open_now += 1
        self.open_max = max(self.open_max, self.open_now)
        try:
            await _Dialogue(self, reader, writer).run()
            self.quits += 1
            writer.close()
        except (_Gone, OSError, EOFError):
            self.deserters += 1
        finally:
            self.open_now -= 1
            del self._dialogues[task]
            if not writer.is_closing():
                writer.transport.abort()
            await self.notify()

    async def notify(self) -> None:
        """Let those look who wait in `until`."""
        async with self.changed:
            self.changed.notify_all()


class _Dialogue:
    def __init__(
        self, server: Faulty, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._recipient, self._tried = "", 0
        self._has_sender = self._has_recipient = False

    async def run(self) -> None:
        """From the greeting to QUIT. Raises _Gone, OSError or EOFError where it does not end so."""
        await self._answer("greeting", "220 faulty.localhost ESMTP")
        while True:
            line = (await self._line()).decode("utf-8", "replace").strip()
            self._server.commands.append(line)
            await self._server.notify()
            match line.split(" ")[0].upper():
                case "MAIL" if self._has_sender:
                    await self._say("503 5.5.1 one letter at a time")
                case "RCPT" | "DATA" if not self._has_sender:
                    await self._say("503 5.5.1 who sends it?")
                case "DATA" if not (self._has_recipient or self._server.asks_for_nobody_s):
                    await self._say("554 5.5.1 no valid recipients")
                case "EHLO":
                    told = "\r\n250-".join(("250-faulty.localhost", *self._server.extensions))
                    await self._answer("ehlo", f"{told}\r\n250 HELP")
                case "HELO":
                    await self._answer("ehlo", "250 faulty.localhost")
                case "MAIL":
                    self._has_sender = await self._answer("mail", "250 2.1.0 go on")
                case "RCPT":
                    self._recipient = re.sub(r"(?i)^RCPT TO:\s*<([^>]*)>.*$", r"\1", line)
                    self._server.tried[self._recipient] += 1
                    self._tried = self._server.tried[self._recipient]
                    self._has_recipient = await self._answer("rcpt", "250 2.1.5 go on")
                case "DATA":
                    if await self._answer("data", "354 end with a dot"):
                        await self._content()
                        self._has_sender = self._has_recipient = False
                case "RSET" | "NOOP":
                    self._has_sender = self._has_recipient = False
                    await self._answer("rset", "250 2.0.0 forgotten")
                case "QUIT":
                    await self._answer("quit", "221 2.0.0 bye")
                    return
                case _:
                    await self._say("500 5.5.2 what?")

    async def _content(self) -> None:
        lines = []
        while (line := await self._line()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        content = b"".join(lines)
        if not await self._answer("content", None):
            return
        if not self._has_recipient:
            await self._say("554 5.5.1 no valid recipients")
            return
        decided = self._server.decide("taken", self._recipient, self._tried)
        self._take(content, replied=decided is None)
        await self._answer("taken", "250 2.0.0 taken")

    def _take(self, content: bytes, *, replied: bool) -> None:
        self._server.contents.append(content)
        if self._server.received is None:
            return
        taken = {
            "message_id": message_from_bytes(content).get("Message-ID"),
            "recipient": self._recipient,
            "sha256": hashlib.sha256(content).hexdigest(),
            "replied": replied,
        }
        file = os.open(self._server.received, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, orjson.dumps(taken, option=orjson.OPT_APPEND_NEWLINE))
        finally:
            os.close(file)

    async def _line(self) -> bytes:
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        return line

    async def _answer(self, stage: Stage, usual: str | None) -> bool:
        """Say what is decided, else the usual; tells whether it was the usual."""
        decided = self._server.decide(stage, self._recipient, self._tried)
        await self._server.notify()
        if decided == DROP:
            raise _Gone
        if decided == HANG:
            await self._reader.read()
            raise _Gone
        if (say := decided or usual) is not None:
            await self._say(say)
        return decided is None

    async def _say(self, text: str) -> None:
        self._writer.write(f"{text}\r\n".encode("utf-8", "surrogateescape"))
        await self._writer.drain()


def main(
    port: int,
    received: Annotated[Path, typer.Option(help="JSON lines of the letters taken.")],
    seed: int = 0,
    defer: float = 0.0,
    drop_before_data: float = 0.0,
    drop_after_dot: float = 0.0,
    lose_reply: float = 0.0,
    hang: float = 0.0,
    refuse: float = 0.0,
) -> None:
    """Serve on 127.0.0.1 until ended; shares are between 0 and 1."""
    shares = Shares(seed, defer, drop_before_data, drop_after_dot, lose_reply, hang, refuse)

    async def serve() -> None:
        async with Faulty(shares, received, port=port):
            await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    typer.run(main)
