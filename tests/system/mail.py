"""Mail servers for tests and benchmarks: started on 127.0.0.1, ended with the process.

`Mailpit` shows what arrived; it is built once from its Go module. `sink` takes letters and forgets
them, for load: ``smtp-sink`` of Debian's postfix, else aiosmtpd in a thread. `FaultySmtp` is a
process of tests/system/faulty_smtp.py.
"""

import os
import shutil
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from demo.mailbox import Mailbox
from runtime.ports import free_port
from stack.brokers import ends_with_this_process
from tests import debian
from tests.system import plain_http
from tests.system.faulty_smtp import Shares
from tests.system.go_tools import go_tool
from tests.system.stack import until

MAILPIT_MODULE = Path(__file__).resolve().parents[1] / "mailpit"
MAILPIT = "github.com/axllent/mailpit"
START_SECONDS_MAX = 30.0


class MailServerError(RuntimeError):
    """No such mail server can be had; the message is one line that says what to do."""


@dataclass
class MailServer:
    """One that is running."""

    port: int
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


@dataclass
class Mailpit(MailServer):
    """Keeps every letter, and shows it by REST."""

    url: str

    @classmethod
    def start(cls, folder: Path) -> "Mailpit":
        """Build it if need be, and return when it answers. Raises GoToolError, MailServerError."""
        binary, port, page = go_tool(MAILPIT_MODULE, MAILPIT), free_port(), free_port()
        listening = ["--listen", f"127.0.0.1:{page}", "--smtp", f"127.0.0.1:{port}"]
        keeping = ["--database", str(folder / "mailpit.db"), "--max", "0"]
        quiet = ["--disable-version-check", "--smtp-disable-rdns", "--enable-chaos"]
        # Whoever logs in is let in, and whoever does not, too.
        logins = ["--smtp-auth-accept-any", "--smtp-auth-allow-insecure"]
        command = [str(binary), *listening, *keeping, *quiet, *logins]
        process = _start(command, folder / "mailpit.log", port)
        mailpit = cls(port, process, f"http://127.0.0.1:{page}")
        until("mailpit's pages", mailpit._answers, START_SECONDS_MAX)
        return mailpit

    def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        """Summaries of the letters (to an address), the latest first."""
        found: list[dict[str, Any]] = []
        while True:
            query: dict[str, Any] = {"start": len(found), "limit": 500}
            page = self._get("messages", params=query).json()["messages"]
            found += page
            if len(page) < query["limit"]:
                return [
                    each
                    for each in found
                    if to is None or any(address["Address"] == to for address in each["To"])
                ]

    def message(self, id: str) -> dict[str, Any]:
        """A letter as mailpit understands it; ``ListUnsubscribe`` is parsed."""
        return dict(self._get(f"message/{id}").json())

    def raw(self, id: str) -> bytes:
        """A letter as it came."""
        return self._get(f"message/{id}/raw").content

    def wait_for(self, count: int, to: str | None = None) -> list[dict[str, Any]]:
        """Wait for at least so many letters (to an address)."""

        def arrived() -> list[dict[str, Any]] | None:
            found = self.messages(to)
            return found if len(found) >= count else None

        letters: list[dict[str, Any]] = until(f"{count} letters to {to or 'anybody'}", arrived)
        return letters

    def delete_all(self) -> None:
        """Forget every letter."""
        httpx.delete(f"{self.url}/api/v1/messages", timeout=10).raise_for_status()

    def chaos(self, **triggers: tuple[int, int]) -> None:
        """``recipient=(451, 30)``: that code for 30 %; also ``sender``, ``authentication``.

        What is not named is in order again.
        """
        body = {
            name.capitalize(): {"ErrorCode": code, "Probability": percent}
            for name, (code, percent) in triggers.items()
        }
        httpx.put(f"{self.url}/api/v1/chaos", json=body, timeout=10).raise_for_status()

    def _get(self, path: str, **options: Any) -> httpx.Response:
        return plain_http.get(f"{self.url}/api/v1/{path}", timeout=10, **options).raise_for_status()

    def _answers(self) -> bool:
        try:
            return plain_http.get(f"{self.url}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False


@dataclass
class FaultySmtp(MailServer):
    """A mail server that misbehaves, by shares."""

    shares: Shares
    file: Path

    @classmethod
    def start(cls, folder: Path, shares: Shares, port: int | None = None) -> "FaultySmtp":
        """Return when it answers; with a `port`, one that was ended can come back on its own."""
        port, file = free_port(port), folder / "received.jsonl"
        options = [f"--{n.replace('_', '-')}={v}" for n, v in vars(shares).items()]
        module = [sys.executable, "-m", "tests.system.faulty_smtp"]
        command = [*module, *options, f"--received={file}", str(port)]
        return cls(port, _start(command, folder / "faulty-smtp.log", port), shares, file)

    def received(self) -> list[dict[str, Any]]:
        """The letters it took, as tests/system/faulty_smtp.py writes them, in order."""
        if not self.file.exists():
            return []
        return [orjson.loads(line) for line in self.file.read_bytes().splitlines()]


def smtp_sink() -> str | None:
    """The path of Debian's ``smtp-sink``; root installs it where it can."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin"
    found = shutil.which("smtp-sink", path=places)
    if found is None and shutil.which("debconf-set-selections"):
        # Postfix itself is not wanted: with this answer it has no configuration and cannot start.
        answer = "postfix postfix/main_mailer_type select No configuration\n"
        subprocess.run(["debconf-set-selections"], input=answer, text=True, check=False)
        debian.install("postfix")
        found = shutil.which("smtp-sink", path=places)
    return found


@contextmanager
def sink(folder: Path) -> Iterator[int]:
    """The port of a server that takes all letters and forgets them, as fast as can be had."""
    binary = smtp_sink()
    if binary is None:
        with Mailbox(keeps=False) as mailbox:
            yield mailbox.port
        return
    port = free_port()
    # It refuses to be root, and a later change of user would lose the tie to this process.
    nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    user = nobody if os.geteuid() == 0 else {}
    process = _start([binary, f"127.0.0.1:{port}", "1000"], folder / "sink.log", port, **user)
    try:
        yield port
    finally:
        MailServer(port, process).stop()


def _start(command: list[str], log: Path, port: int, **options: Any) -> subprocess.Popen[bytes]:
    main_thread = threading.current_thread() is threading.main_thread()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            # Only from the main thread, where no other thread can hold a lock of the child's.
            preexec_fn=ends_with_this_process() if main_thread else None,  # noqa: PLW1509
            **options,
        )
    try:
        until(f"{command[0]} on port {port}, see {log}", lambda: _greets(process, port))
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process


def _greets(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise MailServerError(f"{process.args!r} ended at once, with {process.returncode}")
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5):
            return True
    except (OSError, smtplib.SMTPException):
        return False
