"""Letters arrive, each once, whatever the mail server does and whoever is killed."""

import asyncio
import email
import email.message
import email.policy
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.ports import free_port
from runtime.records import OutputRecord, Partitioner
from schemas.letters import (
    LetterResend,
    Notice,
    Resubscribed,
    ShownOffer,
    Unsubscribed,
    notices,
)
from schemas.parts import Party, Product
from schemas.people import PEOPLE
from schemas.shops import Shop
from schemas.topic import PARTITIONS
from stack.brokers import RunningBroker
from terminal.lags import lags
from tests.system import plain_http
from tests.system.faulty_smtp import Shares
from tests.system.letters import BAD_DAY, MAIL, buyer, feed_letters, letter_to, mail_env, run
from tests.system.mail import FaultySmtp, Mailpit
from tests.system.stack import Stack, Worker, stack_on, until
from tests.system.test_counter_auction import (
    AUCTION,
    HOUR,
    MINUTE,
    T,
    application,
    counter,
    feed_sellers,
    opening,
    stamped,
    wait_for_sellers,
)

pytestmark = pytest.mark.system


@pytest.mark.parametrize("broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)])
def test_every_letter_of_an_auction_arrives_once_and_well_formed(
    broker_kind: str, mailpit: Mailpit, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    mailpit.delete_all()
    closes_at = T + 4 * HOUR
    with stack_on(broker, tmp_path) as stack:
        stack.start("auction_service")
        stack.start("notifier", **mail_env(mailpit.port))
        feed_sellers(stack, "nord", "sato", "west", at=T)
        wait_for_sellers(stack, 3)
        stack.feed("offers", stamped(opening("nord", T, closes_at), T))
        stack.feed("applications", *application("ann", T + HOUR, 2), *application("bob", T + HOUR))
        stack.feed(
            "offers",
            stamped(counter("sato", T + 3 * HOUR + MINUTE, 85_000), T + 3 * HOUR + MINUTE),
            stamped(counter("west", T + 3 * HOUR + 2 * MINUTE, 85_000), T + 3 * HOUR + 2 * MINUTE),
        )
        stack.pass_time(closes_at + HOUR, "offers", "applications")
        stack.wait_for("auctions", AUCTION, status="concluded")
        stack.wait_idle()
        notices = [record.value for record in stack.read("notices")]
        people = stack.latest("people")
        listed = mailpit.wait_for(len(notices))
        deliveries = stack.latest("deliveries")
        raw = [mailpit.raw(each["ID"]) for each in listed]

    strict = email.policy.SMTP.clone(raise_on_defect=True)
    letters = [email.message_from_bytes(each, policy=strict) for each in raw]
    told = Counter((each["X-Jointbuy-Kind"], each["To"].addresses[0].addr_spec) for each in letters)
    assert told == Counter(
        (each["kind"], people[each["recipient_id"]]["email"].lower()) for each in notices
    )
    assert {each["Message-ID"] for each in letters} == {
        each["message_id"] for each in deliveries.values()
    }
    assert {each["status"] for each in deliveries.values()} == {"sent"}
    (concluded,) = [
        each
        for each in letters
        if each["X-Jointbuy-Kind"] == "contract-concluded"
        and each["To"].addresses[0].addr_spec == "ann@example.com"
    ]
    for kind in ("plain", "html"):
        body = concluded.get_body((kind,)).get_content()
        for said in ("Ricoh GR IV camera", "850.00", "3"):
            assert said in body, (kind, said)


@pytest.mark.parametrize(
    ("broker_kind", "count", "kills"),
    [
        ("kafka", 400, 2),
        pytest.param("kafka", 800, 2, marks=pytest.mark.long),
        pytest.param("embedded", 600, 2, marks=pytest.mark.long),
    ],
)
def test_letters_arrive_on_a_bad_day_with_the_notifier_killed(
    broker_kind: str, count: int, kills: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    with stack_on(broker, tmp_path, clock="wall") as stack:
        tally = run(stack, tmp_path, count, kills)
    print(tally.line())
    assert not tally.problems, "\n".join(tally.problems[:20])
    assert tally.taken == tally.letters - tally.refused
    assert tally.duplicates <= tally.ambiguous
    # Eight dialogues are under way at once when a kill hits. A content without answer counts, too.
    unanswered = count * (BAD_DAY.drop_after_dot + BAD_DAY.lose_reply + BAD_DAY.hang / 2)
    assert tally.ambiguous <= 8 * kills + 2 * unanswered


def test_letters_wait_for_a_mail_server_that_is_away_and_nothing_else_does(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """Without SMTP_HOST no letter is tried; while the server is down, one at a time is.

    A kill loses none, an auction goes on, and a worker elsewhere sends each of them once.
    """

    def waiting(worker: Worker) -> Counter[str]:
        """How many letters wait for the mail server, by why."""
        found: Counter[str] = Counter()
        for part in worker.partitions():
            for each in part.get("waits_for", ()):  # it opens
                found[each["why"].partition(";")[0]] += each["calls"]
        return found

    def all_wait(worker: Worker) -> bool:
        return sum(waiting(worker).values()) == 50

    mailpit.delete_all()
    with stack_on(kafka, tmp_path, clock="wall") as stack:
        unset = mail_env(free_port(), SMTP_HOST="")
        (worker,) = stack.start("tests.system.quick_notifier", **unset)
        feed_letters(stack, 50, T)
        until("all wait for a setting", lambda: waiting(worker) == {"SMTP_HOST is not set": 50})
        stack.wait_idle()
        page = worker.page("readyz")
        assert page is not None
        assert page.text == "ok\nthe mail server: SMTP_HOST is not set\n"
        assert worker.log.read_text().count("no call is made until SMTP_HOST is set") == 1
        worker.stop()
        (worker,) = stack.start("tests.system.quick_notifier", **mail_env(free_port()))
        until("all wait for the server", lambda: all_wait(worker))
        # Until that is committed, a kill leaves it open whether the letters were sent.
        stack.wait_idle()
        worker.kill()
        worker.start()
        until("all wait again", lambda: all_wait(worker))
        stack.wait_idle()
        records = stack.read("deliveries")
        assert Counter(each.value["status"] for each in records) == {"queued": 50}
        stack.start("auction_service")
        feed_sellers(stack, "nord", at=T)
        wait_for_sellers(stack, 1)
        worker.stop()
        assert "a server is down: calls wait" in worker.log.read_text()
        (other,) = stack.start("tests.system.quick_notifier", **mail_env(mailpit.port))
        # One more tells the seller of the approval.
        until("all sent", lambda: _statuses(stack)["sent"] == 51)
        assert {each["attempts"] for each in stack.latest("deliveries").values()} == {1}
        assert len(mailpit.messages()) == 51
        assert other.ready()
        deliveries = stack.latest("deliveries").values()
    # The killed worker may have been trying its one letter.
    assert sum(each["ambiguous"] for each in deliveries) <= 1


def test_a_mail_server_that_hangs_holds_nothing_up_but_letters(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Nobody lags, not even the notifier, which stays in its group; only letters wait."""
    server = FaultySmtp.start(tmp_path, Shares(hang=1.0))
    try:
        with stack_on(kafka, tmp_path, clock="wall") as stack:
            env = mail_env(server.port, SMTP_TIMEOUT_FACTOR="0.005")
            _, notifier = stack.start("auction_service", "tests.system.quick_notifier", **env)
            at = datetime.now(UTC)
            feed_letters(stack, 50, at)
            until("a letter timed out", lambda: _statuses(stack)["deferred"])
            feed_sellers(stack, "nord", "sato", at=at)
            wait_for_sellers(stack, 2)
            stack.feed("offers", (opening("nord", at, at + 4 * HOUR), None))
            stack.wait_for("auctions", AUCTION, status="open")
            until("all that was told has been taken", lambda: _lags(stack) == {0})
            before = _tries(stack)
            until("letters go on in vain", lambda: _tries(stack) > before)
            until("still", lambda: _lags(stack) == {0})
            assert not _statuses(stack)["sent"]
            assert notifier.ready()
            assert notifier.log.read_text().count("partitions assigned") == 1
            assert "leaving the group" not in notifier.log.read_text()
    finally:
        server.kill()


def test_letters_wait_for_addresses_and_go_to_the_newest_one(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """The topics are read independently: here the people come after the notices."""
    mailpit.delete_all()
    at = datetime.now(UTC)
    ann, bob = buyer(1, at), buyer(2, at)
    moved = ann.model_copy(update={"email": "moved@mail.example", "seen_at": at + MINUTE})
    first, other, second = letter_to(1, at), letter_to(2, at), letter_to(1, at, "lenses")
    with stack_on(kafka, tmp_path, clock="wall") as stack:
        stack.start("notifier", **mail_env(mailpit.port))
        stack.feed("notices", (first, None), (other, None))
        for each in (first, other):
            stack.wait_for("deliveries", _key(each), status="queued")
        stack.feed("people", (ann, None))
        stack.wait_for("deliveries", _key(first), status="sent")
        stack.feed("people", (moved, None), (ann, None))
        stack.wait_idle()
        stack.feed("notices", (second, None))
        stack.wait_for("deliveries", _key(second), status="sent")
        stack.feed_raw([_tombstone(bob.person_id)])
        ended = stack.wait_for("deliveries", _key(other), status="suppressed")
        stack.feed_raw([_tombstone(ann.person_id)])
        stack.feed("notices", (letter_to(1, at, "tripods"), None))
        stack.wait_for("deliveries", _key(letter_to(1, at, "tripods")), status="queued")
        rows = {each.key: each.value for each in stack.read_raw("notifier-letters-changelog")}
    assert ended["reply"] == "the person was erased"
    arrived = [each["To"][0]["Address"] for each in mailpit.messages()]
    assert sorted(arrived) == sorted((ann.email, moved.email))
    kept = b"".join(name + (value or b"") for name, value in rows.items())
    assert b"buyer-000001" in kept
    assert b"@mail.example" not in kept


def test_in_a_replay_an_address_is_waited_for_by_the_time_of_the_log(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """Nothing waits where the person was known at that time, though the notice is read first."""
    mailpit.delete_all()
    known, unknown = letter_to(1, T), letter_to(2, T)
    with stack_on(kafka, tmp_path) as stack:
        stack.feed("notices", stamped(known, T), stamped(unknown, T))
        stack.feed("people", stamped(buyer(1, T), T), stamped(buyer(2, T), T + 2 * HOUR))
        stack.start("notifier", **mail_env(mailpit.port))
        sent = stack.wait_for("deliveries", _key(known), status="sent")
        ended = stack.wait_for("deliveries", _key(unknown), status="suppressed")
    assert sent["version"] == 2
    assert ended["reply"] == "no address is known"
    assert len(mailpit.messages()) == 1


def _key(notice: Notice) -> str:
    return f"{notice.recipient_id}/{notice.notice_id}"


def _tombstone(person_id: str) -> OutputRecord:
    partition = Partitioner(PARTITIONS)(person_id)
    now = int(datetime.now(UTC).timestamp() * 1000)
    return OutputRecord(PEOPLE.name, partition, person_id.encode(), None, now, [])


def _lags(stack: Stack) -> set[int]:
    """How far the groups of a notifier and an auction service are behind, as far as they differ."""
    found = asyncio.run(lags(stack.settings))
    assert {"notifier-letters", "auction_service-auction"} <= {each.group for each in found}
    return {each.lag for each in found}


def test_preferences_and_ops_have_the_last_word(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """Who unsubscribed gets no invitation, who came back does; a letter is sent again by hand."""
    mailpit.delete_all()
    with stack_on(kafka, tmp_path) as stack:
        stack.start("notifier", **mail_env(mailpit.port))
        stack.start("auction_service")
        feed_sellers(stack, "nord", "sato", "west", at=T)
        wait_for_sellers(stack, 3)
        sato, west = "seller:sato", "seller:west"
        stack.feed(
            "mail-preferences",
            stamped(Unsubscribed(recipient_id=sato, kind="invitation", at=T), T),
            stamped(Unsubscribed(recipient_id=west, kind="all", at=T), T),
            stamped(Resubscribed(recipient_id=west, kind="all", at=T + MINUTE), T + MINUTE),
        )
        stack.wait_idle()
        stack.feed("offers", stamped(opening("nord", T + HOUR, T + 5 * HOUR), T + HOUR))
        stack.pass_time(T + 6 * HOUR, "offers", "applications")
        stack.wait_for("auctions", AUCTION, status="failed")
        stack.wait_idle()
        deliveries = stack.latest("deliveries")
        invited = {
            each["recipient_id"]: each
            for each in deliveries.values()
            if each["kind"] == "invitation"
        }
        again = invited[west]
        resend = LetterResend(
            recipient_id=west, notice_id=again["notice_id"], at=T + timedelta(days=1)
        )
        stack.feed("notices", stamped(resend, T + timedelta(days=1)))
        key = f"{west}/{again['notice_id']}"
        stack.wait_for("deliveries", key, status="sent", attempts=2)
        arrived = [each for each in mailpit.messages() if "west" in each["To"][0]["Address"]]

    assert {who: each["status"] for who, each in invited.items()} == {
        sato: "suppressed",
        west: "sent",
    }
    assert invited[sato]["reply"] == "unsubscribed from invitation"
    same = Counter(each["MessageID"] for each in arrived)
    assert same[again["message_id"].strip("<>")] == 2


def _tries(stack: Stack) -> int:
    return sum(each["attempts"] for each in stack.latest("deliveries").values())


def _statuses(stack: Stack) -> Counter[str]:
    return Counter(each["status"] for each in stack.latest("deliveries").values())


def test_takeovers_become_one_letter_of_the_newest_shop_although_the_notifier_is_killed(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """The shop's name and the second takeover come while no notifier runs."""
    mailpit.delete_all()
    now = datetime.now(UTC)

    def offer(price: int) -> ShownOffer:
        return ShownOffer(offer_id=f"o{price}", seller_id="s", unit_price=price,
                          minimum_reservations=3)  # fmt: skip

    def improved(before: int, shown: int) -> Notice:
        person_id = buyer(1, now).person_id
        (notice,) = notices(
            "condition-improved", Party(id="b", person_id=person_id), "cameras", now, shown,
            product=Product(name="Ricoh GR IV camera"), currency="EUR", quantity=1, reservations=2,
            before=offer(before), shown=offer(shown), closes_at=now + HOUR, shop_id="corner",
        )  # fmt: skip
        return notice

    def shop(name: str, version: int) -> Shop:
        return Shop(shop_id="corner", name=name, email="hi@corner.example", at=now, version=version)

    first, second = improved(90_000, 85_000), improved(85_000, 80_000)
    with stack_on(kafka, tmp_path, clock="wall") as stack:
        # Half a minute is enough to be killed and start again in.
        (worker,) = stack.start("notifier", **mail_env(mailpit.port, MERGE_MINUTES="0.5"))
        stack.feed("shops", (shop("Corner", 1), None))
        stack.feed("people", (buyer(1, now), None))
        stack.feed("notices", (first, None))
        until("the first waits", lambda: len(stack.latest("deliveries")) == 1)
        worker.kill()
        stack.feed("shops", (shop("The Corner Shop", 2), None))
        stack.feed("notices", (second, None))
        worker.start()
        (listed,) = mailpit.wait_for(1)
        until("it is recorded", lambda: statuses(stack)[first.notice_id] == "sent")
        deliveries = {each["notice_id"]: each for each in stack.latest("deliveries").values()}
        letter = email.message_from_bytes(mailpit.raw(listed["ID"]), policy=email.policy.SMTP)
    assert deliveries[second.notice_id]["status"] == "suppressed"
    assert deliveries[second.notice_id]["reply"] == f"merged into {first.notice_id}"
    assert letter["Message-ID"] == deliveries[first.notice_id]["message_id"]
    assert letter["From"].addresses[0].display_name == "The Corner Shop via jointbuy"
    assert letter["Reply-To"] == "hi@corner.example"
    said = letter.get_body(("plain",)).get_content()
    assert "800.00" in said
    assert "900.00" in said
    assert "850.00" not in said


def statuses(stack: Stack) -> dict[str, str]:
    return {each["notice_id"]: each["status"] for each in stack.latest("deliveries").values()}


def test_one_click_unsubscribes_by_post_only(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path
) -> None:
    """The link of a letter, opened by a scanner, changes nothing; the mail program's POST does."""
    mailpit.delete_all()
    with stack_on(kafka, tmp_path) as stack:
        pages = ("storefront", "services.storefront.projector")
        storefront, _ = stack.start(*pages, LINK_SECRET=MAIL["LINK_SECRET"])
        address = f"http://127.0.0.1:{storefront.port}"
        stack.start("auction_service")
        stack.start("notifier", **mail_env(mailpit.port), PAGE_URL=address)
        feed_sellers(stack, "nord", "sato", at=T)
        wait_for_sellers(stack, 2)
        invited = _invited(stack, "first", T + HOUR)
        (letter,) = [
            each
            for each in (_raw(mailpit, listed) for listed in mailpit.messages())
            if each["X-Jointbuy-Kind"] == "invitation"
        ]
        link = letter["List-Unsubscribe"].strip("<>")
        one_click = {"List-Unsubscribe": "One-Click"}
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        seen = plain_http.get(link)
        assert seen.status_code == 200
        assert "invitations to make a better offer" in seen.text
        assert not stack.read("mail-preferences")
        assert plain_http.post(f"{link}x", data=one_click).status_code == 404
        assert not stack.read("mail-preferences")
        assert plain_http.post(link, data=one_click).status_code == 200
        (said,) = stack.read("mail-preferences")
        later = datetime.now(UTC) + HOUR
        again = _invited(stack, "second", later)
    assert said.key == "seller:sato/invitation"
    assert (invited, again) == ("sent", "suppressed")


def _raw(mailpit: Mailpit, listed: dict[str, Any]) -> email.message.EmailMessage:
    message = email.message_from_bytes(mailpit.raw(listed["ID"]), policy=email.policy.SMTP)
    assert isinstance(message, email.message.EmailMessage)
    return message


def _invited(stack: Stack, auction: str, at: datetime) -> str:
    """Open an auction, let its date pass; what became of sato's invitation."""
    stack.feed("offers", stamped(opening("nord", at, at + 4 * HOUR, auction), at))
    stack.pass_time(at + 3 * HOUR + MINUTE, "offers", "applications")
    stack.wait_idle()
    (fact,) = [
        each
        for each in stack.latest("deliveries").values()
        if each["kind"] == "invitation" and each["about"] == auction
    ]
    return str(fact["status"])
