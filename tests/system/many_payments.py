"""Many payments by card through a provider on a bad day, payment_service killed again and again."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.groups import GroupPurchase
from schemas.orders import OrderPlaced, OrderReturned
from schemas.parts import FavorTerms, Member, PaymentTerms, Product, Tier
from tests.system.payments import (
    Around,
    around,
    by_card,
    owed,
    wrongs_in_books,
    wrongs_in_ledger,
)
from tests.system.stack import Stack, until
from tests.system.strict_stripe import Shares

#: The replies of 5 % are lost after the work is done, 2 % never come, 1 % are kept errors, and 3 %
#: of the refunds are not taken by the bank the first time, as 3 % of the cards are declined.
BAD_DAY = Shares(seed=7, lose=0.05, hang=0.02, fail=0.01, decline_refunds=0.03, repeat=0.05)
BAD_CARDS = 0.03
MEMBERS = 5
#: Of every group: five asks, five captures or refunds; of every fifth a return more.
PAYMENTS_PER_GROUP = 10


def group(number: int, now: datetime) -> GroupPurchase:
    """Five members who complete it; every other one runs longer than a card holds."""
    days = 20 if number % 2 else 1
    return GroupPurchase(
        group_id=f"group-{number:05}",
        request_id=f"request-{number:05}",
        version=1,
        requested_at=now,
        issued_at=now,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=MEMBERS,
        unit_price=1_999,
        currency="EUR",
        opens_at=now - timedelta(hours=1),
        closes_at=now + timedelta(days=days),
        members=tuple(Member(id=f"m{each}") for each in range(MEMBERS)),
        payment=PaymentTerms(scope="member", method="card"),
        favor=FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
    )


def orders(number: int, now: datetime) -> Iterator[OrderPlaced]:
    """One of each member, of one to three pieces."""
    for member in range(MEMBERS):
        yield OrderPlaced(
            order_id=f"{number}-{member}",
            source="shop",
            group_id=f"group-{number:05}",
            member_id=f"m{member}",
            quantity=1 + (number + member) % 3,
            ordered_at=now,
        )


@dataclass
class Tally:
    """What came of a run, counted from the provider's books."""

    payments: int
    groups: int
    kills: int
    seconds: float
    counts: dict[str, int]
    problems: list[str]

    def line(self) -> str:
        """For people."""
        said = ", ".join(
            f"{self.counts.get(what, 0):,} {what}"
            for what in (
                "sessions", "captures", "refunds", "lost replies", "hung before", "hung after",
                "failed", "declined cards", "declined refunds", "replayed",
            )
        )  # fmt: skip
        return (
            f"{self.payments:,} payments of {self.groups:,} groups in {self.seconds:.0f} s,"
            f" {self.kills} kills: {said}; {len(self.problems)} problems"
        )


def run(stack: Stack, payments: int, kills: int, shares: Shares = BAD_DAY) -> Tally:
    """Have so many payments made, the service killed at work, and compare the books."""
    count = payments // PAYMENTS_PER_GROUP
    with around(stack, shares, bad_cards=BAD_CARDS) as outside:
        started, now = time.monotonic(), datetime.now(UTC)
        returned = list(range(0, count, 5))
        stack.feed("group-purchases", *((group(each, now), None) for each in range(count)))
        stack.feed("orders", *((each, None) for n in range(count) for each in orders(n, now)))
        done = 0
        for number in range(1, kills + 1):
            wanted = payments * number // (kills + 2)
            until(
                f"{wanted} payments are through after {number - 1} kills",
                lambda wanted=wanted: _through(outside) >= wanted,
                timeout=600,
            )
            outside.payments.kill()
            outside.payments.start()
            done += 1
        until(
            "all groups settled",
            lambda: outside.outside.problems or len(outside.outside.settled) == count,
            timeout=600,
        )
        assert not outside.outside.problems, outside.outside.problems
        stack.feed("orders", *((_return(each, now), None) for each in returned))
        until(
            "settled again after goods came back",
            lambda: all(
                outside.outside.settled[f"group-{each:05}"]["version"] > 1 for each in returned
            ),
            timeout=300,
        )
        until("all is told", lambda: not outside.stripe.books()["untold"])
        stack.wait_idle(timeout=120)
        seconds = time.monotonic() - started
        books = outside.stripe.books()
        problems = list(_problems(stack, outside, books))
        return Tally(len(outside.outside.latest), count, done, seconds, books["counts"], problems)


def _through(outside: Around) -> int:
    statuses = Counter(each["status"] for each in list(outside.outside.latest.values()))
    return statuses["succeeded"] + statuses["authorised"]


def _return(number: int, now: datetime) -> OrderReturned:
    return OrderReturned(
        return_id=f"return-{number}",
        source="shop",
        group_id=f"group-{number:05}",
        member_id="m0",
        quantity=1,
        returned_at=now,
    )


def _problems(stack: Stack, outside: Around, books: dict[str, Any]) -> Iterator[str]:
    yield from outside.outside.problems
    facts = outside.outside.latest
    yield from wrongs_in_books(books)
    yield from wrongs_in_ledger(facts)
    paid = by_card(books, facts)
    expected = owed(stack)
    for payer, amount in expected.items():
        if paid[payer] != amount:
            yield f"{payer} paid {paid[payer]}, owes {amount}"
    for payer in set(paid) - set(expected):
        yield f"{payer} paid {paid[payer]} for nothing"
    if books["counts"].get("refused refunds"):
        yield f"{books['counts']['refused refunds']} refunds beyond what was paid were asked for"
    for value in facts.values():
        if value["status"] not in ("succeeded", "cancelled"):
            yield f"left in between: {value}"
    dead = stack.read("dead-letters")
    if dead:
        yield f"{len(dead)} dead letters, the first {dead[0]}"
