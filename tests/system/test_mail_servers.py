"""The mail servers that tests stand on, seen through the mailer."""

import asyncio
import hashlib
import threading
from collections import Counter
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import pytest_asyncio

from demo.mailbox import KIND_HEADER, Mailbox
from demo.watching import MissingStep
from services.notifier.edge.connections import Mailer, Reply
from services.notifier.settings import MailSettings
from tests.system.faulty_smtp import Shares
from tests.system.mail import FaultySmtp, Mailpit, sink

pytestmark = pytest.mark.system

SENDER = "jointbuy@example.org"
UNSUBSCRIBE = "https://shop.example/unsubscribe/1"


def letter(to: str, subject: str = "It counts") -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = SENDER, to, subject
    message["Message-ID"] = f"<{hashlib.sha256(to.encode()).hexdigest()}@example.org>"
    message["List-Unsubscribe"] = f"<{UNSUBSCRIBE}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message[KIND_HEADER] = "order-counted"
    message.set_content("Your order counts: 注文が確定しました。\n")
    return message.as_bytes()


# --- mailpit -------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def mailer(mailpit: Mailpit) -> AsyncIterator[Mailer]:
    async with Mailer(
        MailSettings(smtp_host="127.0.0.1", smtp_port=mailpit.port, smtp_connections=2)
    ) as made:
        yield made
    mailpit.chaos()
    mailpit.delete_all()


async def test_mailpit_shows_a_letter_as_it_was_sent(mailpit: Mailpit, mailer: Mailer) -> None:
    sent = letter("one@pit.example", "注文")
    assert (await mailer.send(sent, SENDER, "one@pit.example")).outcome == "sent"
    (summary,) = mailpit.wait_for(1, to="one@pit.example")
    assert summary["Subject"] == "注文"
    shown = mailpit.message(summary["ID"])
    assert "注文が確定しました。" in shown["Text"]
    assert shown["ListUnsubscribe"]["Links"] == [UNSUBSCRIBE]
    assert shown["ListUnsubscribe"]["Errors"] == ""
    assert mailpit.raw(summary["ID"]).endswith(sent)
    mailpit.delete_all()
    assert mailpit.messages() == []


async def test_mailpit_refuses_as_it_is_told(mailpit: Mailpit, mailer: Mailer) -> None:
    async def reply() -> tuple[str, int | None, str]:
        got = await mailer.send(letter("two@pit.example"), SENDER, "two@pit.example")
        return got.outcome, got.code, got.stage

    mailpit.chaos(recipient=(451, 100))
    assert await reply() == ("deferred", 451, "rcpt")
    mailpit.chaos(recipient=(550, 100))
    assert await reply() == ("bounced", 550, "rcpt")
    mailpit.chaos(sender=(550, 100))
    assert await reply() == ("deferred", 550, "mail")
    mailpit.chaos()
    assert await reply() == ("sent", 250, "data")
    assert len(mailpit.messages(to="two@pit.example")) == 1


# --- the faulty server ---------------------------------------------------------------------------


@pytest.mark.long
async def test_every_letter_comes_through_a_faulty_server_once_where_it_said_so(
    tmp_path: Path,
) -> None:
    shares = Shares(
        seed=7,
        defer=0.2,
        drop_before_data=0.1,
        drop_after_dot=0.1,
        lose_reply=0.1,
        hang=0.02,
        refuse=0.1,
    )
    server = FaultySmtp.start(tmp_path, shares)
    everybody = [f"m{number}@faulty.example" for number in range(300)]
    tries: Counter[str] = Counter()

    async def insist(mailer: Mailer, to: str) -> Reply:
        while (reply := await mailer.send(letter(to), SENDER, to)).outcome == "deferred":
            tries[to] += 1
            assert tries[to] < 50
        return reply

    hasty = MailSettings(smtp_host="127.0.0.1", smtp_port=server.port, smtp_timeout_factor=0.015)
    async with Mailer(hasty) as mailer:
        replies = await asyncio.gather(*(insist(mailer, to) for to in everybody))
    server.stop()

    refused = {to for to in everybody if shares.is_refused(to)}
    assert {to for to, r in zip(everybody, replies, strict=True) if r.outcome == "bounced"} == (
        refused
    )
    received = server.received()
    assert {each["recipient"] for each in received} == set(everybody) - refused
    heard = Counter(each["recipient"] for each in received if each["replied"])
    assert set(heard.values()) == {1}
    for each in received:
        assert each["sha256"] == hashlib.sha256(letter(each["recipient"])).hexdigest()
        assert each["message_id"] in letter(each["recipient"]).decode()
    # All that was to go wrong did.
    assert 20 < len(refused) < 45
    assert len(received) > len(heard)
    assert sum(tries.values()) > 150


async def test_a_faulty_server_s_chances_hang_on_the_seed_alone() -> None:
    def faults(shares: Shares) -> list[str | None]:
        return [shares("rcpt", f"m{n}@x", tried) for n in range(200) for tried in (1, 2)]

    shares = Shares(seed=1, defer=0.5, refuse=0.1)
    assert faults(shares) == faults(Shares(seed=1, defer=0.5, refuse=0.1))
    assert faults(shares) != faults(Shares(seed=2, defer=0.5, refuse=0.1))
    assert 150 < sum(each is not None and each.startswith("451") for each in faults(shares)) < 210


# --- sinks ---------------------------------------------------------------------------------------


async def test_a_sink_takes_every_letter(tmp_path: Path) -> None:
    with sink(tmp_path) as port:
        async with Mailer(MailSettings(smtp_host="127.0.0.1", smtp_port=port)) as mailer:
            sends = [mailer.send(letter("a@b.example"), SENDER, "a@b.example") for _ in range(200)]
            replies = await asyncio.gather(*sends)
    assert {each.outcome for each in replies} == {"sent"}


async def test_the_demo_s_mailbox_keeps_letters_and_tells_of_them() -> None:
    announced: list[str] = []
    with Mailbox(announce=lambda letter: announced.append(letter.to)) as mailbox:
        waiting = asyncio.create_task(
            asyncio.to_thread(mailbox.wait_for, "b@example.com", "order-counted", "確定", 20)
        )
        async with Mailer(MailSettings(smtp_host="127.0.0.1", smtp_port=mailbox.port)) as mailer:
            for to in ("a@example.com", "b@example.com"):
                assert (await mailer.send(letter(to, "数量 1"), SENDER, to)).outcome == "sent"
        found = await waiting
        assert (found.to, found.kind, found.subject) == ("b@example.com", "order-counted", "数量 1")
        assert found.raw == letter("b@example.com", "数量 1")
        assert [each.to for each in mailbox.letters(kind="order-counted")] == [
            "a@example.com",
            "b@example.com",
        ]
        with pytest.raises(MissingStep, match=r"a letter favor-given to c@example.com; these came"):
            mailbox.wait_for("c@example.com", "favor-given", seconds=0.01)
    assert announced == ["a@example.com", "b@example.com"]
    assert threading.active_count() < 20
