"""The mailer against servers that behave, misbehave, hang up and hang."""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from runtime.breaker import ServerDownError, Strained, reply_of
from runtime.checkup import ends_at
from runtime.ports import free_port
from runtime.rows import MemoryRows
from runtime.security_rules import certificate_in
from schemas.letters import Notice, Says
from schemas.parts import Product
from schemas.people import Person
from services.notifier import rows as rows_of
from services.notifier.edge import connections as sending
from services.notifier.edge.connections import Mailer, Reply
from services.notifier.edge.mailer import LetterCaller
from services.notifier.rules import deliveries, people
from services.notifier.settings import MailSettings, MailSettingsError
from tests.keys import dkim_key, openssl
from tests.system.faulty_smtp import DROP, HANG, Faulty, Stage
from tests.system.letters import MAIL

pytestmark = pytest.mark.system

SENDER = "jointbuy@example.org"
RECIPIENT = "member@example.com"


def letter(to: str = RECIPIENT, text: str = "It counts.\n") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = SENDER, to, "Your order"
    message["Message-ID"] = "<1@example.org>"
    message.set_content(text)
    return message.as_bytes()


LETTER = letter()


def settings(port: int, **more: Any) -> MailSettings:
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_timeout_factor": 0.03, **more}
    return MailSettings.model_validate(given)


class Fault:
    """What a server does at one stage while it is on."""

    def __init__(self, stage: Stage, what: str) -> None:
        self.stage, self.what, self.on = stage, what, True
        self.hits = 0

    def __call__(self, stage: Stage, recipient: str, tried: int) -> str | None:
        if not self.on or stage != self.stage:
            return None
        self.hits += 1
        return self.what


class Begun:
    """Counts calls, as the caller's journal would."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self) -> None:
        self.at.append(time.monotonic())


# --- the pool ------------------------------------------------------------------------------------


async def test_letters_share_few_connections_and_leave_politely() -> None:
    async with Faulty() as server:
        async with Mailer(settings(server.port, smtp_connections=3)) as mailer:
            sends = [mailer.send(LETTER, SENDER, f"m{n}@example.com") for n in range(60)]
            replies = await asyncio.gather(*sends)
        assert {(each.outcome, each.code, each.stage) for each in replies} == {
            ("sent", 250, "data")
        }
        assert len(server.contents) == 60
        assert server.connections == server.open_max == 3
        await server.until(lambda: server.quits == 3)
        assert server.deserters == 0


async def test_one_after_the_other_needs_one_connection() -> None:
    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        for _ in range(5):
            assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"
        assert server.connections == 1


async def test_a_connection_ends_after_so_many_letters() -> None:
    async with Faulty() as server:
        async with Mailer(settings(server.port, smtp_messages_per_connection=2)) as mailer:
            for _ in range(6):
                assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"
        assert server.connections == 3
        await server.until(lambda: server.quits == 3)
        assert server.open_max == 1


@pytest.mark.parametrize("refusal", ["421 4.7.0 too many connections from you", DROP])
async def test_a_server_that_takes_fewer_connections_gets_all_letters_over_those(
    refusal: str,
) -> None:
    """As with hosts that take three or four of one client (PHPMailer#908): it is not down."""

    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        return refusal if stage == "greeting" and server.open_now > 3 else None

    async with Faulty(decide) as server:
        async with Mailer(settings(server.port, smtp_connections=8)) as mailer:
            with capture_logs() as logs:
                sends = [mailer.send(LETTER, SENDER, f"m{n}@example.com") for n in range(100)]
                async with asyncio.timeout(20):
                    replies = await asyncio.gather(*sends)
        assert {each.outcome for each in replies} == {"sent"}
        assert len(server.contents) == 100
        assert len(logs) == 1


async def test_an_idle_connection_is_closed_and_the_next_letter_opens_another() -> None:
    async with (
        Faulty() as server,
        Mailer(settings(server.port, smtp_connections=2), idle_seconds=0.05) as mailer,
    ):
        await asyncio.gather(*(mailer.send(LETTER, SENDER, RECIPIENT) for _ in range(2)))
        await server.until(lambda: server.quits == 2)
        assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"
        await server.until(lambda: server.quits == 3)
        assert server.deserters == 0


@pytest.mark.parametrize("what", [DROP, "421 4.4.2 you were idle for too long"])
async def test_a_connection_that_was_lost_while_idle_is_replaced(what: str) -> None:
    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        return what if stage == "mail" and len(server.contents) == server.connections else None

    async with Faulty(decide) as server, Mailer(settings(server.port)) as mailer:
        begun = Begun()
        for number in range(1, 4):
            assert (await mailer.send(LETTER, SENDER, RECIPIENT, begun)).outcome == "sent"
            assert len(begun.at) == len(server.contents) == server.connections == number


async def test_letters_keep_to_the_rate() -> None:
    begun = Begun()
    async with (
        Faulty() as server,
        Mailer(settings(server.port, smtp_messages_per_second=40)) as mailer,
    ):
        started = time.monotonic()
        await asyncio.gather(*(mailer.send(LETTER, SENDER, RECIPIENT, begun) for _ in range(13)))
    # The first letter has the token that was there, each of the others waits for one.
    assert begun.at[-1] - started >= 12 / 40 - 0.01
    assert len(server.contents) == 13


async def test_a_stopped_mailer_ends_what_is_under_way_and_defers_the_rest() -> None:
    async with Faulty() as server:
        mailer = Mailer(settings(server.port, smtp_connections=1))
        sends = [asyncio.create_task(mailer.send(LETTER, SENDER, RECIPIENT)) for _ in range(3)]
        await server.until(lambda: server.connections == 1)
        await mailer.stop()
        replies = [await each for each in sends]
        assert sorted(each.outcome for each in replies) == ["deferred", "deferred", "sent"]
        assert (await mailer.send(LETTER, SENDER, RECIPIENT)).text == "the mailer has been stopped"
        await server.until(lambda: server.open_now == 0)
        assert (server.quits, server.deserters) == (1, 0)


# --- faults --------------------------------------------------------------------------------------

GARBAGE = "what is this"
FAULTS: list[tuple[Stage, str, str, int | None, str, int]] = [
    ("greeting", "554 5.3.2 not you", "deferred", 554, "connect", 0),
    ("greeting", "421 4.3.2 too busy", "deferred", 421, "connect", 0),
    ("greeting", GARBAGE, "deferred", None, "connect", 0),
    ("greeting", DROP, "deferred", None, "connect", 0),
    ("greeting", HANG, "deferred", None, "connect", 0),
    ("ehlo", "550 5.7.1 not you", "deferred", 550, "connect", 0),
    ("ehlo", DROP, "deferred", None, "connect", 0),
    ("ehlo", HANG, "deferred", None, "connect", 0),
    ("mail", "451 4.3.0 later", "deferred", 451, "mail", 0),
    ("mail", "421 4.3.2 closing", "deferred", 421, "mail", 0),
    ("mail", "550 5.7.1 you may not send", "deferred", 550, "mail", 0),
    ("mail", GARBAGE, "deferred", None, "mail", 0),
    ("mail", DROP, "deferred", None, "mail", 0),
    ("mail", HANG, "deferred", None, "mail", 0),
    ("rcpt", "451 4.7.1 greylisted", "deferred", 451, "rcpt", 0),
    ("rcpt", "421 4.3.2 closing", "deferred", 421, "rcpt", 0),
    ("rcpt", "550 5.1.1 no such mailbox", "bounced", 550, "rcpt", 0),
    ("rcpt", "530 5.7.0 login first", "deferred", 530, "rcpt", 0),
    ("rcpt", GARBAGE, "deferred", None, "rcpt", 0),
    ("rcpt", DROP, "deferred", None, "rcpt", 0),
    ("rcpt", HANG, "deferred", None, "rcpt", 0),
    ("data", "451 4.3.0 later", "deferred", 451, "data", 0),
    ("data", "554 5.5.1 no valid recipients", "bounced", 554, "data", 0),
    ("data", GARBAGE, "deferred", None, "data", 0),
    ("data", DROP, "deferred", None, "data", 0),
    ("data", HANG, "deferred", None, "data", 0),
    ("content", "452 4.3.1 no room", "deferred", 452, "data", 1),
    ("content", "421 4.3.2 closing", "deferred", 421, "data", 1),
    ("content", "552 5.2.3 too big", "bounced", 552, "data", 1),
    ("content", "700 what", "deferred", None, "data", 1),
    ("content", DROP, "deferred", None, "data", 1),
    ("content", HANG, "deferred", None, "data", 1),
    ("taken", DROP, "deferred", None, "data", 1),
    ("taken", HANG, "deferred", None, "data", 1),
]


#: A server that takes one command at a time, one that takes several, and one that takes several
#: and asks for the content of a letter to nobody.
SERVERS: dict[str, dict[str, Any]] = {
    "one": {"extensions": ("SIZE 33554432", "8BITMIME")},
    "several": {},
    "lenient": {"asks_for_nobody_s": True},
}


@pytest.mark.parametrize("server_kind", SERVERS)
@pytest.mark.parametrize(("stage", "what", "outcome", "code", "at", "begun"), FAULTS)
async def test_a_fault_has_its_reply_and_spoils_no_later_letter(
    stage: Stage, what: str, outcome: str, code: int | None, at: str, begun: int, server_kind: str
) -> None:
    fault, journal = Fault(stage, what), Begun()
    # A step that hangs is waited for 0.6 s, the reply to a content 1.6 s.
    patience = 0.002 if what == HANG else 0.03
    # Only a connection that a server has properly refused something on is used again.
    is_kept = at != "connect" and code not in {None, 421}
    async with Faulty(fault, **SERVERS[server_kind]) as server:
        hasty = settings(server.port, smtp_connections=1, smtp_timeout_factor=patience)
        async with Mailer(hasty) as mailer:
            async with asyncio.timeout(20):
                reply = await mailer.send(LETTER, SENDER, RECIPIENT, journal)
            assert (reply.outcome, reply.code, reply.stage) == (outcome, code, at)
            assert len(journal.at) == begun
            assert reply.text
            if code is not None:
                assert reply.text == what[4:]
            assert len(server.contents) == (stage == "taken")
            await server.until(lambda: is_kept or server.open_now == 0)
            fault.on = False
            server.contents.clear()
            server.commands.clear()
            assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"
            assert server.contents == [LETTER]
            # It began afresh, wherever the other one had stopped.
            names = [each.split(" ")[0] for each in server.commands]
            assert [each for each in names if each not in {"EHLO", "HELO"}] == [
                "MAIL",
                "RCPT",
                "DATA",
            ]
        await server.until(lambda: server.open_now == 0)
        assert server.open_max == 1
        assert server.connections == (1 if is_kept else 2)


GONE = "550 5.1.1 no such mailbox"
SPAM = "554 5.7.1 the name in it is spam"
OURS = "550 5.7.1 your host is on a blocklist"
MEANT: list[tuple[dict[Stage, str], str, str, str]] = [
    ({"rcpt": GONE}, "bounced", "rcpt", "gone"),
    ({"rcpt": GONE, "data": SPAM}, "bounced", "rcpt", "gone"),
    ({"rcpt": OURS}, "deferred", "rcpt", "ours"),
    ({"rcpt": "552 5.2.2 full"}, "deferred", "rcpt", "later"),
    ({"rcpt": "550 go away"}, "bounced", "rcpt", "refused"),
    ({"mail": OURS, "rcpt": GONE}, "deferred", "mail", "ours"),
    ({"mail": "451 4.3.0 later", "rcpt": GONE}, "deferred", "mail", "later"),
    ({"data": GONE}, "bounced", "data", "refused"),
    ({"data": SPAM}, "bounced", "data", "refused"),
    ({"content": GONE}, "bounced", "data", "refused"),
    ({"content": SPAM}, "bounced", "data", "refused"),
    ({"content": "550 5.7.26 not authenticated"}, "deferred", "data", "ours"),
    ({"greeting": "554 5.7.1 blocked"}, "deferred", "connect", "ours"),
    ({"greeting": DROP}, "deferred", "connect", "later"),
]


@pytest.mark.parametrize("server_kind", SERVERS)
@pytest.mark.parametrize(("says", "outcome", "at", "means"), MEANT)
async def test_a_refusal_means_what_its_own_stage_means(
    says: dict[Stage, str], outcome: str, at: str, means: str, server_kind: str
) -> None:
    """Also where three commands go at once, and three answers come back."""

    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        return says.get(stage)

    async with (
        Faulty(decide, **SERVERS[server_kind]) as server,
        Mailer(settings(server.port)) as mailer,
    ):
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert (reply.outcome, reply.stage, reply.verdict) == (outcome, at, means)


async def test_nobody_listens() -> None:
    async with Mailer(settings(free_port())) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert (reply.outcome, reply.code, reply.stage) == ("deferred", None, "connect")
    assert "Connect call failed" in reply.text


async def test_no_such_host() -> None:
    async with Mailer(settings(25, smtp_host="no.such.host.invalid")) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert (reply.outcome, reply.stage) == ("deferred", "connect")


async def test_what_a_server_says_becomes_one_short_printable_line() -> None:
    said = "550-5.1.1 no\x1b[31m\tsuch\udcff\r\n550-mailbox \u202e\r\n550 " + "x" * 2_000
    async with Faulty(Fault("rcpt", said)) as server, Mailer(settings(server.port)) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert reply.text.startswith("5.1.1 no [31m such mailbox xxx")
    assert len(reply.text) == 500
    assert reply.text.isprintable()


@pytest.mark.parametrize("seed", range(40))
async def test_no_noise_makes_it_raise(seed: int) -> None:
    chance = random.Random(seed)
    stages: list[Stage] = ["greeting", "ehlo", "mail", "rcpt", "data", "content", "rset", "quit"]
    pieces = [
        "250 ",
        "250-",
        "354 ",
        "4",
        "55",
        "550 x",
        "\r\n",
        "\n",
        "\x00",
        "\udcfe",
        "é",
        "-1 ",
    ]

    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        if chance.random() < 0.6 or stage not in stages:
            return None
        return "".join(chance.choices(pieces, k=chance.randrange(6)))

    async with Faulty(decide) as server:
        noisy = settings(server.port, smtp_connections=1, smtp_timeout_factor=0.0004)
        async with Mailer(noisy) as mailer:
            for _ in range(6):
                assert isinstance(await mailer.send(LETTER, SENDER, RECIPIENT), Reply)


async def test_a_cancelled_letter_closes_its_connection() -> None:
    fault = Fault("content", HANG)
    async with (
        Faulty(fault) as server,
        Mailer(settings(server.port, smtp_connections=1)) as mailer,
    ):
        begun = Begun()
        sending = asyncio.create_task(mailer.send(LETTER, SENDER, RECIPIENT, begun))
        await server.until(lambda: bool(begun.at) and fault.hits == 1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await server.until(lambda: server.deserters == 1)
        fault.on = False
        assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"


@pytest.mark.parametrize("seed", range(5))
async def test_cancelling_whenever_loses_no_connection_of_the_pool(seed: int) -> None:
    chance = random.Random(seed)
    async with (
        Faulty() as server,
        Mailer(settings(server.port, smtp_connections=2, smtp_messages_per_connection=3)) as mailer,
    ):
        for _ in range(100):
            sends = [asyncio.create_task(mailer.send(LETTER, SENDER, RECIPIENT)) for _ in range(4)]
            _, late = await asyncio.wait(sends, timeout=chance.random() * 0.005)
            for each in late:
                each.cancel()
            for each in await asyncio.gather(*sends, return_exceptions=True):
                assert isinstance(each, asyncio.CancelledError) or each.outcome == "sent"
        before = server.connections
        await server.until(lambda: server.open_now <= 2)
        async with asyncio.timeout(10):
            sends = [mailer.send(LETTER, SENDER, RECIPIENT) for _ in range(12)]
            assert {each.outcome for each in await asyncio.gather(*sends)} == {"sent"}
        assert before > 2
    await server.until(lambda: server.open_now == 0)


async def test_what_begin_raises_comes_out_and_closes_the_connection() -> None:
    def full() -> None:
        raise OSError("no room on the disk")

    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        with pytest.raises(OSError, match="no room"):
            await mailer.send(LETTER, SENDER, RECIPIENT, full)
        await server.until(lambda: server.deserters == 1)
        assert server.contents == []
        assert (await mailer.send(LETTER, SENDER, RECIPIENT)).outcome == "sent"


# --- contents and addresses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        (b".", b".\r\n"),
        (b"S: x\n\n.\n..\n.a\n", b"S: x\r\n\r\n.\r\n..\r\n.a\r\n"),
        (b"S: x\r\n\r\na\rb\nc\r\n.", b"S: x\r\n\r\na\r\nb\r\nc\r\n.\r\n"),
        (b"S: x\r\n\r\n" + b"y" * 100 + b"\r\n" * 20_000, None),
    ],
    ids=["dot", "dots", "ends", "long"],
)
async def test_contents_arrive_as_they_were(sent: bytes, arrives: bytes | None) -> None:
    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        assert (await mailer.send(sent, SENDER, RECIPIENT)).outcome == "sent"
        assert server.contents == [arrives or sent]


async def test_an_address_in_other_letters_is_sent_as_it_is_where_the_server_can() -> None:
    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        assert (await mailer.send(LETTER, SENDER, "会員@例え.jp")).outcome == "sent"
        mail = next(each for each in server.commands if each.startswith("MAIL"))
        assert mail == f"MAIL FROM:<{SENDER}> SIZE={len(LETTER)} SMTPUTF8 BODY=8BITMIME"
        assert "RCPT TO:<会員@xn--r8jz45g.jp>" in server.commands


async def test_an_address_in_other_letters_bounces_where_the_server_cannot() -> None:
    async with Faulty(extensions=("8BITMIME",)) as server, Mailer(settings(server.port)) as mailer:
        reply = await mailer.send(LETTER, SENDER, "会員@example.jp")
        assert reply.text.startswith(
            "the address can't be reached through your mail server: it needs SMTPUTF8"
        )
        assert reply == Reply("bounced", None, reply.text, "rcpt", "refused")
        # A domain alone has an ASCII form.
        assert (await mailer.send(LETTER, SENDER, "member@例え.jp")).outcome == "sent"
        assert "RCPT TO:<member@xn--r8jz45g.jp>" in server.commands
        assert f"MAIL FROM:<{SENDER}>" in server.commands


@pytest.mark.parametrize(
    "address",
    [
        '"a b"@example.com',
        r'"a\"b\\"@example.com',
        '"a@b>"@example.com',
        "o'hara+x/y=z@example.com",
    ],
)
async def test_addresses_that_look_strange_are_sent_as_they_are(address: str) -> None:
    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        assert (await mailer.send(LETTER, SENDER, address)).outcome == "sent"
        assert f"RCPT TO:<{address}>" in server.commands


@pytest.mark.parametrize(
    "address",
    [
        *["", "member", "@example.com", "a b@example.com", "a@b@c", "<a@b>", "A <a@b>", "a@b,c@d"],
        *[
            "a@b\r\nRSET",
            "a@b\x00",
            "a\udcff@b",
            "a@b>",
            '"a"b"@c',
            '"a\r\nb"@c',
            "a@" + "é" * 300,
            "a@b SIZE=1",
            "a@[127.0.0.1]",
        ],
    ],
)
async def test_what_is_no_address_bounces_before_the_server_hears_of_it(address: str) -> None:
    async with Faulty() as server, Mailer(settings(server.port)) as mailer:
        reply = await mailer.send(LETTER, SENDER, address)
        assert (reply.outcome, reply.code, reply.stage) == ("bounced", None, "rcpt")
        reply = await mailer.send(LETTER, address, RECIPIENT)
        assert (reply.outcome, reply.code, reply.stage) == ("deferred", None, "mail")
        assert server.connections == 0


# --- encryption, login, signature ----------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One that nobody but itself has signed, for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    for_address = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", *curve, *for_address, "-keyout", key, "-out", cert)
    return cert, key


class Taking:
    """A handler that keeps what the session was like."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, str | None]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        user = session.auth_data
        self.seen.append((session.ssl is not None, user.login.decode() if user else None))
        return "250 taken"


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[int, Taking]]]:
    """Start aiosmtpd with options; gives its port and what it has seen."""
    running = []

    def start(**options: Any) -> tuple[int, Taking]:
        port, taking = free_port(), Taking()
        running.append(Controller(taking, hostname="127.0.0.1", port=port, **options))
        running[-1].start()
        return port, taking

    yield start
    for each in running:
        each.stop()


def server_context(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letters_go_encrypted_to_a_server_that_is_trusted(
    tls: str, certificate: tuple[Path, Path], serve: Callable[..., tuple[int, Taking]]
) -> None:
    context = server_context(certificate)
    port, taking = serve(
        **({"tls_context": context} if tls == "starttls" else {"ssl_context": context})
    )
    trusting = settings(port, smtp_tls=tls, smtp_ca_file=certificate[0])
    async with Mailer(trusting) as mailer:
        replies = [await mailer.send(LETTER, SENDER, RECIPIENT) for _ in range(3)]
    assert [each.outcome for each in replies] == ["sent"] * 3
    if tls == "starttls":
        assert [encrypted for encrypted, _ in taking.seen] == [True] * 3

    # The doctor's look: no letter, and the end of the certificate.
    async with Mailer(trusting) as mailer:
        assert await mailer.greet(SENDER) == ends_at(certificate_in(certificate[0]))
    assert len(taking.seen) == 3

    async with Mailer(settings(port, smtp_tls=tls)) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert (reply.outcome, reply.code, reply.stage) == ("deferred", None, "connect")
    assert "CERTIFICATE_VERIFY_FAILED" in reply.text
    assert len(taking.seen) == 3


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_nothing_goes_in_plain_text_where_encryption_is_asked_for(tls: str) -> None:
    async with Faulty() as server:
        async with Mailer(settings(server.port, smtp_tls=tls, smtp_username="u")) as mailer:
            reply = await mailer.send(LETTER, SENDER, RECIPIENT)
        assert (reply.outcome, reply.code, reply.stage) == ("deferred", None, "connect")
        assert server.contents == []
        assert not any(each.startswith(("MAIL", "AUTH")) for each in server.commands)


async def test_a_handshake_that_hangs_ends_in_time() -> None:
    async with Faulty(Fault("greeting", HANG)) as server:
        hasty = settings(server.port, smtp_tls="tls", smtp_timeout_factor=0.001)
        async with Mailer(hasty) as mailer, asyncio.timeout(5):
            reply = await mailer.send(LETTER, SENDER, RECIPIENT)
        assert (reply.outcome, reply.stage) == ("deferred", "connect")


def test_a_certificate_file_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").touch()
        with pytest.raises(MailSettingsError, match=r"SMTP_CA_FILE .* correct it"):
            Mailer(settings(25, smtp_tls="tls", smtp_ca_file=path))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # nobody listens on 127.0.0.1
@pytest.mark.parametrize("password", ["right", "wrong"])
async def test_login(password: str, serve: Callable[..., tuple[int, Taking]]) -> None:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        good = (data.login, data.password) == (b"shop", b"right")
        return AuthResult(success=good, handled=False, auth_data=data)

    port, taking = serve(authenticator=check, auth_required=True, auth_require_tls=False)
    known = settings(port, smtp_username="shop", smtp_password=password)
    async with Mailer(known) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    if password == "right":
        assert reply.outcome == "sent"
        assert taking.seen == [(False, "shop")]
    else:
        assert (reply.outcome, reply.code, reply.stage) == ("deferred", 535, "login")

    async with Mailer(settings(port)) as mailer:
        reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    assert (reply.outcome, reply.code, reply.stage) == ("deferred", 530, "mail")


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # nobody listens on 127.0.0.1
async def test_a_refused_password_is_tried_again_after_growing_pauses(
    serve: Callable[..., tuple[int, Taking]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many letters wait, and however many connections they could have."""
    monkeypatch.setattr(sending, "LOGIN_PAUSES", (0.5, 1.0))
    tried: list[float] = []
    is_right = False

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        tried.append(time.monotonic())
        return AuthResult(success=is_right, handled=False, auth_data=data)

    port, taking = serve(
        authenticator=check,
        auth_required=True,
        auth_require_tls=False,
        auth_exclude_mechanism=["PLAIN"],
    )
    known = settings(port, smtp_username="shop", smtp_password="?")
    async with Mailer(known) as mailer:

        async def send() -> set[tuple[str, str]]:
            sends = [mailer.send(LETTER, SENDER, f"m{n}@example.com") for n in range(30)]
            replies = await asyncio.gather(*sends)
            assert {each.code for each in replies} <= {250, 535}
            return {(each.outcome, each.stage) for each in replies}

        while len(tried) < 3:
            assert await send() == {("deferred", "login")}
        assert tried[1] - tried[0] >= 0.5
        assert tried[2] - tried[1] >= 1.0
        is_right = True
        async with asyncio.timeout(10):
            while ("sent", "data") not in await send():
                assert len(tried) == 3
        assert await send() == {("sent", "data")}
        assert len(taking.seen) >= 30


async def test_a_server_without_login_is_told_no_password() -> None:
    async with Faulty() as server:
        known = settings(server.port, smtp_username="shop", smtp_password="secret")
        async with Mailer(known) as mailer:
            reply = await mailer.send(LETTER, SENDER, RECIPIENT)
        assert (reply.outcome, reply.code, reply.stage) == ("deferred", None, "login")
        assert "secret" not in " ".join([reply.text, *server.commands])


async def test_a_signature_holds_after_the_way(tmp_path: Path) -> None:
    key, dns = dkim_key(tmp_path)
    signing = {"dkim_domain": "example.org", "dkim_selector": "s1", "dkim_key_file": key}
    async with Faulty() as server, Mailer(settings(server.port, **signing)) as mailer:
        text = ".dots\n..\nand words in 日本語\n"
        assert (await mailer.send(letter(text=text), SENDER, RECIPIENT)).outcome == "sent"
    assert dkim.verify(server.contents[0], dnsfunc=dns)


# --- a server that takes its time ----------------------------------------------------------------

#: RFC 5321, 4.5.3.2, in seconds; 600 are for the reply to the last dot alone.
MINIMA = {"greeting": 300, "mail": 300, "rcpt": 300, "data": 120, "content": 180, "end": 600}


def test_each_step_has_the_time_that_the_standard_says_and_the_lease_is_longer() -> None:
    limits = MailSettings().timeouts
    assert {name: getattr(limits, name) for name in MINIMA} == MINIMA
    for factor in (0.001, 1.0, 10.0):
        caller = LetterCaller(
            settings(25, link_secret=MAIL["LINK_SECRET"], smtp_timeout_factor=factor)
        )
        limits = MailSettings(smtp_timeout_factor=factor).timeouts
        assert caller.lease.after_begin == limits.content + limits.end
        assert caller.lease.seconds > limits.before_content + limits.content + limits.end


class Filtering(Taking):
    """Looks through each letter for some seconds before it answers the last dot."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await asyncio.Event().wait()
        return await super().handle_DATA(server, session, envelope)


#: The unit in which these tests count; 30 of it were the old limit of a step.
SCALE = 1 / 300


@pytest.mark.parametrize(("minutes", "is_sent"), [(0.75, True), (9, True), (20, False)])
async def test_a_server_that_looks_through_letters_is_waited_for(
    minutes: float, *, is_sent: bool
) -> None:
    """Ten minutes after the last dot, and the content's three; else each try is delivered."""
    filtering = Filtering(minutes * 60 * SCALE)
    port = free_port()
    controller = Controller(filtering, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        slow = settings(port, smtp_connections=1, smtp_timeout_factor=SCALE)
        async with Mailer(slow) as mailer:
            reply = await mailer.send(LETTER, SENDER, RECIPIENT)
    finally:
        controller.stop()
    assert reply.outcome == ("sent" if is_sent else "deferred")
    assert reply.is_open is not is_sent, "without a reply it may have been delivered"
    assert len(filtering.seen) == is_sent


async def test_a_letter_that_is_looked_through_holds_up_its_own_connection_alone() -> None:
    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        return HANG if stage == "content" and recipient == "slow@example.com" else None

    async with (
        Faulty(decide) as server,
        Mailer(settings(server.port, smtp_connections=2)) as mailer,
    ):
        slow = asyncio.create_task(
            mailer.send(letter("slow@example.com"), SENDER, "slow@example.com")
        )
        await server.until(lambda: server.tried["slow@example.com"] == 1)
        async with asyncio.timeout(10):
            for number in range(20):
                reply = await mailer.send(LETTER, SENDER, f"m{number}@example.com")
                assert reply.outcome == "sent"
        assert not slow.done()
        slow.cancel()
        await asyncio.wait([slow])


# --- what becomes of letters ---------------------------------------------------------------------


def _notice(number: int) -> Notice:
    return Notice(
        notice_id=f"n{number}",
        kind="offer-judged",
        recipient_id="ann",
        about="tea",
        at=datetime(2026, 5, 4, 9, tzinfo=UTC),
        says=Says(party_id="ann", verdict="shown", reason="better", product=Product(name="tea")),
    )


def _rows() -> MemoryRows:
    """The rows of a person whose address is known."""
    rows, at = MemoryRows("ann"), datetime(2026, 5, 4, 9, tzinfo=UTC)
    person = Person(person_id="ann", email=RECIPIENT, seen_at=at)
    people.take_person(person, rows, at, merge_for=timedelta(0))
    return rows


async def _sent(caller: LetterCaller, rows: MemoryRows, number: int) -> str:
    """What became of a letter, from its notice to its row, over a real dialogue."""
    notice = _notice(number)
    deliveries.take_notice(notice, rows, notice.at, merge_for=timedelta(0))
    call = f"call/letter/{notice.notice_id}"
    if call in rows:
        told = await caller(deliveries.request(call, rows, notice.at, {}, {}), lambda: None)
        deliveries.settle(call, reply_of(told), rows, notice.at)
    return str(rows[f"letter/{notice.notice_id}"].status)


@pytest.mark.parametrize(
    ("says", "first", "then"),
    [
        ({"content": SPAM}, "bounced", "sent"),
        ({"data": SPAM}, "bounced", "sent"),
        ({"rcpt": OURS}, "deferred", "sent"),
        ({"content": "550 5.7.26 not authenticated"}, "deferred", "sent"),
        ({"mail": "550 5.7.1 not from you"}, "deferred", "sent"),
        ({"rcpt": GONE}, "bounced", "suppressed"),
    ],
)
async def test_only_a_mailbox_that_is_not_there_gets_no_later_letter(
    says: dict[Stage, str], first: str, then: str
) -> None:
    """Whatever a stranger wrote into the letter that was refused."""

    def decide(stage: Stage, recipient: str, tried: int) -> str | None:
        return says.get(stage) if is_refusing else None

    rows, is_refusing = _rows(), True
    async with Faulty(decide) as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        assert await _sent(caller, rows, 1) == first
        is_refusing = False
        assert await _sent(caller, rows, 2) == then
        await caller.stop()


async def test_notices_that_were_merged_are_one_letter_unless_nobody_wants_it_any_more() -> None:
    rows = _rows()
    for number in (1, 2):
        deliveries.take_notice(_notice(number), rows, _notice(1).at, merge_for=timedelta(minutes=5))
    assert [name for name in rows if name.startswith("call/")] == ["call/letter/n1"]
    async with Faulty(lambda stage, recipient, tried: None) as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        asked = deliveries.request("call/letter/n1", rows, _notice(1).at, {}, {})
        assert asked is not None
        unwanted = await caller(replace(asked, unwanted="unsubscribed"), lambda: None)
        assert reply_of(unwanted) == rows_of.Reply("unwanted", "write", "unsubscribed")
        assert server.tried[RECIPIENT] == 0
        assert reply_of(await caller(asked, lambda: None)).outcome == "sent"
        assert server.tried[RECIPIENT] == 1
        await caller.stop()


#: What a server does, and what its caller says of it: down, for how long it is left alone at least
#: (0: only some in a row count), or nothing.
OF_SERVER: list[tuple[dict[Stage, str], Any]] = [
    ({}, None),
    ({"greeting": "554 5.7.1 blocked"}, "connect: 554 5.7.1 blocked"),
    ({"greeting": "421 4.3.2 too busy"}, "connect: 421 4.3.2 too busy"),
    ({"greeting": DROP}, "connect: .*Unexpected EOF.*|connect: .*lost.*"),
    ({"greeting": HANG}, "connect: Timed out waiting for server ready message"),
    ({"ehlo": DROP}, "connect: .+"),
    ({"ehlo": "550 5.7.1 not you"}, "connect: 550 .+"),
    ({"mail": DROP}, 0.0),
    ({"mail": "421 4.3.2 closing"}, 0.0),
    ({"mail": "451 4.3.0 later"}, 0.0),
    ({"mail": "550 5.7.1 not from you"}, 0.0),
    ({"rcpt": "421 4.3.2 closing"}, 0.0),
    ({"rcpt": DROP}, 0.0),
    ({"content": HANG}, 0.0),
    ({"content": DROP}, 0.0),
    ({"rcpt": GONE}, None),
    ({"rcpt": OURS}, None),
    ({"rcpt": "451 4.7.1 greylisted"}, None),
    ({"rcpt": "552 5.2.2 full"}, None),
    ({"content": SPAM}, None),
    ({"content": "550 5.4.5 Daily user sending quota exceeded"}, 900.0),
    ({"rcpt": "550-5.7.1 Daily SMTP relay\r\n550 5.7.1 limit exceeded for customer"}, 900.0),
    ({"content": "454 Throttling failure: Daily message quota exceeded"}, 900.0),
]


@pytest.mark.parametrize(("says", "means"), OF_SERVER)
async def test_a_dialogue_says_of_the_server_what_is_the_server_s(
    says: dict[Stage, str], means: Any
) -> None:
    """What may be one letter's own opens no breaker by itself."""
    rows = _rows()
    notice = _notice(1)
    deliveries.take_notice(notice, rows, notice.at, merge_for=timedelta(0))
    async with Faulty(lambda stage, recipient, tried: says.get(stage)) as server:
        patience = 0.002 if HANG in says.values() else 0.03
        known = settings(server.port, link_secret=MAIL["LINK_SECRET"], smtp_timeout_factor=patience)
        caller = LetterCaller(known)
        await caller.start()
        asked = deliveries.request("call/letter/n1", rows, notice.at, {}, {})
        if isinstance(means, str):
            with pytest.raises(ServerDownError, match=means):
                await caller(asked, lambda: None)
        else:
            told = await caller(asked, lambda: None)
            assert (told.seconds if isinstance(told, Strained) else None) == means
        await caller.stop()


REPEATING = (
    f"550 5.1.1 <{RECIPIENT}>: no such mailbox",
    f"550 5.1.1 no mailbox {RECIPIENT.upper()} here",
    f"550-5.1.1 {'so ' * 160}\r\n550 5.1.1 {RECIPIENT}",
    f"550 5.1.1 {'x' * 480} {RECIPIENT}",
)


@pytest.mark.parametrize("stage", ["rcpt", "content"])
@pytest.mark.parametrize("said", REPEATING)
async def test_what_is_kept_of_a_server_s_words_has_no_address(stage: Stage, said: str) -> None:
    """Not even the beginning of one, where the words are cut."""
    rows = _rows()
    async with Faulty(Fault(stage, said)) as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        assert await _sent(caller, rows, 1) == "bounced"
        await caller.stop()
    kept = [row for name, row in rows.items() if name not in ("person", "content/n1")]
    name = RECIPIENT.partition("@")[0]
    assert name not in repr(kept).lower()
    assert rows["letter/n1"].reply.startswith("550 5.1.1 ")


async def test_of_a_server_s_consent_no_address_is_kept_either() -> None:
    rows = _rows()
    async with Faulty(Fault("taken", f"250 2.0.0 taken for <{RECIPIENT}>")) as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        assert await _sent(caller, rows, 1) == "sent"
        await caller.stop()
    assert rows["letter/n1"].reply == "250 2.0.0 taken for <(an address)>"


async def test_a_letter_to_somebody_who_was_erased_is_not_tried() -> None:
    async with Faulty() as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        told = reply_of(await caller(None, lambda: None))
        await caller.stop()
        assert server.connections == 0
    assert (told.outcome, told.text) == ("erased", "the person was erased")


async def test_a_refused_connection_is_the_server_s_state() -> None:
    caller = LetterCaller(settings(free_port(), link_secret=MAIL["LINK_SECRET"]))
    await caller.start()
    rows, notice = _rows(), _notice(1)
    deliveries.take_notice(notice, rows, notice.at, merge_for=timedelta(0))
    with pytest.raises(ServerDownError, match="Connect call failed"):
        await caller(deliveries.request("call/letter/n1", rows, notice.at, {}, {}), lambda: None)
    await caller.stop()


async def test_without_a_host_there_is_a_setting_to_name_and_nothing_to_try() -> None:
    caller = LetterCaller(settings(25, link_secret=MAIL["LINK_SECRET"], smtp_host=""))
    assert caller.missing("the mail server") == "SMTP_HOST"
    with_host = LetterCaller(settings(25, link_secret=MAIL["LINK_SECRET"]))
    assert with_host.missing("the mail server") == ""


async def test_who_refuses_us_is_told_to_ops_once_a_minute_and_counted_each_time() -> None:
    """By a line of log that repeats no address, and a figure that can be alerted on."""

    def counted() -> float:
        labels = {"stage": "rcpt", "verdict": "ours"}
        return REGISTRY.get_sample_value("jointbuy_mail_refusals_total", labels) or 0.0

    before = counted()
    refusal = f"550 5.7.1 <{RECIPIENT}> is not for you, blocked"
    async with Faulty(Fault("rcpt", refusal)) as server:
        caller = LetterCaller(settings(server.port, link_secret=MAIL["LINK_SECRET"]))
        await caller.start()
        with capture_logs() as logs:
            for number in range(5):
                assert await _sent(caller, _rows(), number) == "deferred"
        await caller.stop()
    assert counted() == before + 5
    (line,) = [each for each in logs if each["log_level"] == "error"]
    assert (line["stage"], line["code"], line["status"]) == ("rcpt", 550, "5.7.1")
    assert RECIPIENT not in str(line)
