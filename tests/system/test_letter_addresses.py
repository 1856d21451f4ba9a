"""Letters to addresses of all kinds, over real SMTP, to servers with and without SMTPUTF8."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.controller import Controller

from runtime.ports import free_port
from services.notifier.edge.connections import Mailer, Reply
from services.notifier.letters import letter
from services.notifier.settings import MailSettings
from tests.keys import dkim_key
from tests.rules.letter_samples import SENDER, FixedLinks, samples
from tests.system.faulty_smtp import Faulty
from tests.system.mail import Mailpit

pytestmark = pytest.mark.system

#: As somebody typed it, and as it has to be in RCPT and in To.
IN_ASCII = [
    ("ada@example.org", "ada@example.org"),
    ("a..b@docomo.ne.jp", '"a..b"@docomo.ne.jp'),
    ("a.@docomo.ne.jp", '"a."@docomo.ne.jp'),
    ('"ada lovelace"@example.org', '"ada lovelace"@example.org'),
    ("ada/b@example.org", "ada/b@example.org"),
    ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("\uff41nn\uff20example.org", "ann@example.org"),
]
IN_UTF8 = [
    ("jörg@example.com", "jörg@example.com"),
    ("会員@例え.jp", "会員@xn--r8jz45g.jp"),
    ('"ö..x"@example.com', '"ö..x"@example.com'),
]


@dataclass
class Taking:
    """Keeps the options of MAIL, and the content as it came."""

    options: list[list[str]] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.options.append(envelope.mail_options)
        self.contents.append(envelope.original_content)
        return "250 taken"


@pytest.fixture
def serve() -> Iterator[Callable[[bool], tuple[int, Taking]]]:
    """Start aiosmtpd, with or without SMTPUTF8."""
    running = []

    def start(offers_utf8: bool) -> tuple[int, Taking]:
        port, taking = free_port(), Taking()
        options = {"enable_SMTPUTF8": offers_utf8, "decode_data": False}
        running.append(Controller(taking, hostname="127.0.0.1", port=port, **options))
        running[-1].start()
        return port, taking

    yield start
    for each in running:
        each.stop()


def mailer(port: int, key: Path) -> Mailer:
    given = {
        "smtp_host": "127.0.0.1",
        "dkim_domain": "example.org",
        "dkim_selector": "s1",
        "dkim_key_file": key,
    }
    return Mailer(MailSettings.model_validate({"smtp_port": port, **given}))


async def send(to_: Mailer, email: str) -> Reply:
    written = letter(*samples("en")["order-counted"].to(email=email)[:2], SENDER, FixedLinks())
    return await to_.send(written.content, SENDER.mail_from, written.recipient)


@pytest.mark.parametrize(("email", "wire"), [*IN_ASCII, *IN_UTF8])
async def test_a_signed_letter_arrives_where_the_server_offers_smtputf8(
    email: str, wire: str, serve: Callable[[bool], tuple[int, Taking]], tmp_path: Path
) -> None:
    key, dns = dkim_key(tmp_path)
    port, taking = serve(True)
    async with mailer(port, key) as sending:
        assert (await send(sending, email)).outcome == "sent"
    ((content,), (options,)) = taking.contents, taking.options
    assert ("SMTPUTF8" in options) is not wire.isascii()
    head = content.partition(b"\r\n\r\n")[0]
    assert f"<{wire}>\r\n".encode() in head
    assert dkim.verify(content, dnsfunc=dns)


@pytest.mark.parametrize(("email", "wire"), IN_ASCII)
async def test_an_address_that_has_a_form_in_ascii_needs_no_smtputf8(
    email: str, wire: str, tmp_path: Path
) -> None:
    key, _ = dkim_key(tmp_path)
    async with Faulty(extensions=("PIPELINING", "8BITMIME")) as server:
        async with mailer(server.port, key) as sending:
            assert (await send(sending, email)).outcome == "sent"
        assert f"RCPT TO:<{wire}>" in server.commands
        assert server.contents[0].isascii()


async def test_a_letter_that_needs_smtputf8_bounces_alone_where_the_server_lacks_it(
    serve: Callable[[bool], tuple[int, Taking]], tmp_path: Path
) -> None:
    """The next letters go over the same connection; the address is not suppressed."""
    key, _ = dkim_key(tmp_path)
    port, taking = serve(False)
    async with mailer(port, key) as sending:
        replies = [await send(sending, each) for each in ("jörg@example.com", "ada@example.org")]
    assert [each.outcome for each in replies] == ["bounced", "sent"]
    assert replies[0].verdict == "refused"
    assert "it needs SMTPUTF8" in replies[0].text
    assert len(taking.contents) == 1


@pytest.mark.parametrize(("email", "wire"), IN_UTF8)
async def test_the_bytes_on_the_wire_are_utf8(email: str, wire: str, tmp_path: Path) -> None:
    key, _ = dkim_key(tmp_path)
    async with Faulty() as server:
        async with mailer(server.port, key) as sending:
            assert (await send(sending, email)).outcome == "sent"
        assert f"RCPT TO:<{wire}>" in server.commands
        (mail,) = [each for each in server.commands if each.startswith("MAIL")]
        assert mail.endswith(" SMTPUTF8 BODY=8BITMIME")
        assert wire.encode() in server.contents[0].partition(b"\r\n\r\n")[0]


async def test_mailpit_shows_whom_a_letter_went_to(mailpit: Mailpit, tmp_path: Path) -> None:
    key, _ = dkim_key(tmp_path)
    typed = {
        "a..b@docomo.ne.jp": "a..b@docomo.ne.jp",
        "ann@bücher.example": "ann@xn--bcher-kva.example",
        "jörg@example.com": "jörg@example.com",
    }
    async with mailer(mailpit.port, key) as sending:
        for email in typed:
            assert (await send(sending, email)).outcome == "sent"
    shown = {to["Address"] for each in mailpit.messages() for to in each["To"]}
    mailpit.delete_all()
    assert set(typed.values()) <= shown
