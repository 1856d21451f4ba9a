"""Many letters through a mail server that misbehaves, with the notifier killed again and again."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runtime.records import instant
from schemas.auctions import ShownOffer
from schemas.letters import Notice, notices
from schemas.parts import Person, Product
from tests.system.faulty_smtp import Shares
from tests.system.mail import FaultySmtp
from tests.system.stack import Stack, Worker, until

#: As a bad day at a mail provider: 451 to 10 %, 2 % of connections dropped, 1 % hang, 1 % refused.
BAD_DAY = Shares(
    seed=5, defer=0.10, drop_before_data=0.01, drop_after_dot=0.01, hang=0.01, refuse=0.01
)
MAIL = {
    "SMTP_HOST": "127.0.0.1",
    "SMTP_TIMEOUT_FACTOR": "0.07",
    "LINK_SECRET": "only-for-tests, and long enough to sign",
    "MAIL_FROM": "jointbuy@shop.example",
}


def mail_env(port: int, **more: str) -> dict[str, str]:
    """The notifier's settings for a mail server on this port."""
    return {**MAIL, "SMTP_PORT": str(port), **more}


def letter_to(number: int, at: datetime) -> Notice:
    """A buyer's letter of a contract."""
    (notice,) = notices(
        "contract-concluded",
        Person(
            id=f"buyer-{number:06}", email=f"buyer-{number:06}@mail.example", name=f"B {number}"
        ),
        "cameras",
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
        wanted = [letter_to(number, now) for number in range(count)]
        stack.feed("notices", *((each, None) for each in wanted))
        for number in range(1, kills + 1):
            arrived = count * number // (kills + 2)
            until(
                f"{arrived} letters arrived",
                lambda arrived=arrived: len(server.received()) >= arrived,
                timeout=300,
            )
            worker.kill()
            worker.start()
        return _tally(stack, server, worker, wanted, started)
    finally:
        server.stop()


def _tally(
    stack: Stack, server: FaultySmtp, worker: Worker, wanted: Iterable[Notice], started: float
) -> Tally:
    def settled() -> bool:
        statuses = Counter(each["status"] for each in stack.latest("deliveries").values())
        return statuses["sent"] + statuses["bounced"] >= len(letters)

    letters = {each.notice_id: each for each in wanted}
    until("every letter settled", settled, timeout=600)
    seconds = time.monotonic() - started
    deliveries = stack.latest("deliveries")
    taken = Counter(each["message_id"] for each in server.received())
    problems = list(_problems(letters, deliveries, taken, server))
    refused = sum(server.shares.is_refused(str(each.recipient.email)) for each in letters.values())
    return Tally(
        len(letters),
        len(taken),
        refused,
        sum(taken.values()) - len(taken),
        sum(each["ambiguous"] for each in deliveries.values()),
        seconds,
        problems,
    )


def _problems(
    letters: dict[str, Notice],
    deliveries: dict[str, dict[str, object]],
    taken: Counter[str],
    server: FaultySmtp,
) -> Iterator[str]:
    for notice_id, notice in letters.items():
        fact = deliveries[f"{notice.recipient.id}/{notice_id}"]
        is_refused = server.shares.is_refused(str(notice.recipient.email))
        status = "bounced" if is_refused else "sent"
        if fact["status"] != status:
            yield f"{notice.recipient.id} is {fact}, should be {status}"
        arrived = taken[str(fact["message_id"])]
        if not is_refused and not arrived:
            yield f"{notice.recipient.id} never got the letter: {fact}"
        if is_refused and arrived:
            yield f"{notice.recipient.id} got a letter though refused"
        if arrived > 1 and not fact["ambiguous"]:
            yield f"{notice.recipient.id} got it {arrived} times, uncounted: {fact}"
