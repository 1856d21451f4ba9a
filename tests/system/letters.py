"""Many letters through a mail server that misbehaves, with the notifier killed again and again."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runtime.records import instant
from schemas.auctions import ShownOffer
from schemas.letters import Notice, notices
from schemas.parts import Party, Product
from schemas.people import Person
from tests.system.faulty_smtp import Shares
from tests.system.mail import FaultySmtp
from tests.system.stack import Stack, until

#: As a bad day at a mail provider: 451 to 10 %, 2 % of connections dropped, 1 % hang, 1 % refused.
BAD_DAY = Shares(
    seed=5, defer=0.10, drop_before_data=0.01, drop_after_dot=0.01, hang=0.01, refuse=0.01
)
MAIL = {
    "SMTP_HOST": "127.0.0.1",
    "SMTP_TIMEOUT_FACTOR": "0.07",
    "LINK_SECRET": "only-for-tests, and long enough to sign",
    "MAIL_FROM": "jointbuy@shop.example",
    "MERGE_MINUTES": "0",
}


def mail_env(port: int, **more: str) -> dict[str, str]:
    """The notifier's settings for a mail server on this port."""
    return {**MAIL, "SMTP_PORT": str(port), **more}


def buyer(number: int, at: datetime) -> Person:
    """A buyer of a number, whose address is known since then."""
    name = f"buyer-{number:06}"
    return Person(
        person_id=f"acme:{name}", email=f"{name}@mail.example", name=f"B {number}", seen_at=at
    )


def letter_to(number: int, at: datetime, about: str = "cameras") -> Notice:
    """A buyer's letter of a contract."""
    (notice,) = notices(
        "contract-concluded",
        Party(id=f"buyer-{number:06}", person_id=buyer(number, at).person_id),
        about,
        at,
        role="applicant",
        product=Product(name="Ricoh GR IV camera"),
        shown=ShownOffer(offer_id="o", seller_id="sato", unit_price=85_000, minimum_reservations=3),
        currency="EUR",
        quantity=1,
        reservations=30,
        applicants=27,
        request_id="au-cameras",
    )
    return notice


def feed_letters(stack: Stack, count: int, at: datetime) -> None:
    """Send the letters of so many buyers, and the buyers' addresses before them."""
    stack.feed("people", *((buyer(number, at), None) for number in range(count)))
    stack.feed("notices", *((letter_to(number, at), None) for number in range(count)))


@dataclass
class Tally:
    """What came of a run; ``seconds`` from the first notice to the last letter settled."""

    letters: int
    taken: int
    refused: int
    duplicates: int
    ambiguous: int
    seconds: float
    problems: list[str]

    def line(self) -> str:
        """For people."""
        return (
            f"{self.letters:,} letters in {self.seconds:.0f} s: {self.taken:,} arrived,"
            f" {self.refused:,} addresses refused, {self.duplicates} twice,"
            f" {self.ambiguous} counted as ambiguous; {len(self.problems)} problems"
        )


def run(stack: Stack, folder: Path, count: int, kills: int, shares: Shares = BAD_DAY) -> Tally:
    """Send letters to a misbehaving server, the notifier killed at work, and count afterwards."""
    server = FaultySmtp.start(folder, shares)
    try:
        started = time.monotonic()
        env = mail_env(server.port, SMTP_TIMEOUT_FACTOR="0.005")
        (worker,) = stack.start("tests.system.quick_notifier", **env)
        now = instant(int(datetime.now(UTC).timestamp() * 1000))
        feed_letters(stack, count, now)
        for number in range(1, kills + 1):
            arrived = count * number // (kills + 2)
            until(
                f"{arrived} letters arrived",
                lambda arrived=arrived: len(server.received()) >= arrived,
                timeout=300,
            )
            worker.kill()
            worker.start()
        wanted = [(buyer(number, now), letter_to(number, now)) for number in range(count)]
        return _tally(stack, server, wanted, started)
    finally:
        server.stop()


def _tally(
    stack: Stack, server: FaultySmtp, wanted: Collection[tuple[Person, Notice]], started: float
) -> Tally:
    def settled() -> bool:
        statuses = Counter(each["status"] for each in stack.latest("deliveries").values())
        return statuses["sent"] + statuses["bounced"] >= len(wanted)

    until("every letter settled", settled, timeout=600)
    seconds = time.monotonic() - started
    deliveries = stack.latest("deliveries")
    taken = Counter(each["message_id"] for each in server.received())
    problems = list(_problems(wanted, deliveries, taken, server))
    refused = sum(server.shares.is_refused(person.email) for person, _ in wanted)
    return Tally(
        len(wanted),
        len(taken),
        refused,
        sum(taken.values()) - len(taken),
        sum(each["ambiguous"] for each in deliveries.values()),
        seconds,
        problems,
    )


def _problems(
    wanted: Iterable[tuple[Person, Notice]],
    deliveries: dict[str, dict[str, object]],
    taken: Counter[str],
    server: FaultySmtp,
) -> Iterator[str]:
    for person, notice in wanted:
        who = person.person_id
        fact = deliveries[f"{who}/{notice.notice_id}"]
        is_refused = server.shares.is_refused(person.email)
        status = "bounced" if is_refused else "sent"
        if fact["status"] != status:
            yield f"{who} is {fact}, should be {status}"
        arrived = taken[str(fact["message_id"])]
        if not is_refused and not arrived:
            yield f"{who} never got the letter: {fact}"
        if is_refused and arrived:
            yield f"{who} got a letter though refused"
        if arrived > 1 and not fact["ambiguous"]:
            yield f"{who} got it {arrived} times, uncounted: {fact}"
