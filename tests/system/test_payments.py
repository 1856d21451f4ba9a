"""Payments from the order to the last refund, on real Kafka and a strict provider."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from schemas.groups import GroupPurchase
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import FavorTerms, Member, Party, PaymentTerms, Product, Tier
from stack.brokers import RunningBroker
from tests.system import many_payments
from tests.system.api_stack import ADMIN_KEY, SETTINGS
from tests.system.payments import (
    Around,
    around,
    by_card,
    owed,
    wrongs_in_books,
    wrongs_in_ledger,
)
from tests.system.stack import Stack, stack_on, until
from tests.system.strict_stripe import Shares
from tests.system.terminal import jointbuy, pointed_at

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SCOPES = ("member", "group")
METHODS = ("card", "invoice", "shop")
WHAT = ("sale", "favor", "cancel", "return", "incomplete", "none", "withdrawn", "charged")
PRICE = 1_000


def group(name: str, closes_at: datetime, now: datetime, **terms: Any) -> GroupPurchase:
    opens_at = now - timedelta(hours=1)
    given: dict[str, Any] = {
        "members": (Member(id="ann", person_id="ann"), Member(id="bob")),
        "favor": FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
        "number_of_products": 5,
    }
    return GroupPurchase(
        group_id=name,
        request_id=f"request-of-{name}",
        version=terms.pop("version", 1),
        requested_at=opens_at,
        issued_at=opens_at,
        organizer=Party(id="org", person_id="org"),
        product=Product(name="Sencha, 1 kg"),
        unit_price=PRICE,
        currency="EUR",
        opens_at=opens_at,
        closes_at=closes_at,
        grace_seconds=0,
        **given | terms,
    )


class Walk:
    """Every claim as a group of its own, all at once on one stack."""

    def __init__(self, stack: Stack, outside: Around) -> None:
        self.stack = stack
        self.around = outside
        self.now = datetime.now(UTC)
        self.terms: dict[str, GroupPurchase] = {}

    def open(self) -> None:
        soon = self.now + timedelta(seconds=25)
        later = {"charged": timedelta(days=20)}
        for scope, method, what in product(SCOPES, METHODS, WHAT):
            name = f"{scope}-{method}-{what}"
            terms: dict[str, Any] = {"payment": PaymentTerms(scope=scope, method=method)}
            closes_at = self.now + later.get(what, timedelta(days=1))
            if what == "sale":
                terms["favor"] = FavorTerms()
            if what in ("incomplete", "none"):
                closes_at = soon
                terms |= {"number_of_products": 100}
                terms["if_incomplete"] = "cancel-all" if what == "incomplete" else "none"
            if what == "withdrawn":
                terms["number_of_products"] = 100
            self.terms[name] = group(name, closes_at, self.now, **terms)
        self.stack.feed("group-purchases", *((each, None) for each in self.terms.values()))

    def order(self, name: str, number: int, member: str, quantity: int) -> None:
        payment = self.terms[name].payment
        by_shop = payment.method == "shop" and payment.scope == "member"
        kind = OrderPaid if by_shop else OrderPlaced
        order = kind(
            order_id=f"{name}-{number}",
            source="shop",
            group_id=name,
            member_id=member,
            quantity=quantity,
            ordered_at=self.now,
        )
        # Feeds repeat themselves.
        self.stack.feed("orders", (order, None), (order, None))

    def order_all(self) -> None:
        for name in self.terms:
            if name.endswith("-cancel"):
                self.order(name, 0, "ann", 1)
        self._wait_for_money("cancel", 1)
        for name in self.terms:
            if name.endswith("-cancel"):
                void = OrderCancelled(
                    order_id=f"{name}-0", source="shop", group_id=name, cancelled_at=self.now
                )
                self.stack.feed("orders", (void, None))
        for name in self.terms:
            self.order(name, 1, "ann", 2)
            self.order(name, 2, "bob", 3)

    def _wait_for_money(self, what: str, quantity: int) -> None:
        """Until what was ordered counts in every group of a kind."""
        names = [name for name in self.terms if name.endswith(f"-{what}")]

        def counts() -> bool:
            facts = self.stack.latest("purchases")
            return all(facts.get(name, {}).get("quantity") == quantity for name in names)

        until(f"{quantity} count in {what}", counts)

    def give_back(self) -> None:
        names = [name for name in self.terms if name.endswith("-return")]
        until("settled before goods come back", lambda: set(names) <= set(self.settled))
        for name in names:
            back = OrderReturned(
                return_id=f"{name}-r",
                source="shop",
                group_id=name,
                member_id="ann",
                quantity=1,
                returned_at=self.now,
            )
            self.stack.feed("orders", (back, None), (back, None))

    def withdraw(self) -> None:
        self._wait_for_money("withdrawn", 5)
        for name, terms in self.terms.items():
            if name.endswith("-withdrawn"):
                again = terms.model_copy(update={"version": 2, "withdrawn_at": datetime.now(UTC)})
                self.stack.feed("group-purchases", (again, None))

    @property
    def settled(self) -> dict[str, dict[str, Any]]:
        return self.around.outside.settled

    def missing(self) -> list[str]:
        twice = {name for name in self.terms if name.endswith("-return")}
        return [
            name
            for name in self.terms
            if self.settled.get(name, {}).get("version", 0) < 1 + (name in twice)
        ]


def ledgers_of(
    stack: Stack, names: Iterable[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """The ledger of each group, as the terminal prints it by way of the HTTP API."""
    pages = stack.worker("storefront")
    stack.until_ready(stack.worker("services.storefront.projector"), pages)
    pointed_at(stack, monkeypatch)
    monkeypatch.setenv("JOINTBUY_URL", f"http://127.0.0.1:{pages.port}")
    monkeypatch.setenv("JOINTBUY_KEY", ADMIN_KEY)
    stack.wait_idle()
    found = {}
    for name in names:
        said = jointbuy("ledger", name, "--json")
        assert said.exit_code == 0, said.err
        found[name] = said.json
    return found


@pytest.mark.long
def test_each_way_to_pay_ends_with_what_is_owed(
    kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Group or member; card, invoice or shop; sale, favor, cancel, return, incomplete, undone."""
    with (
        stack_on(kafka, tmp_path, clock="wall", **SETTINGS) as stack,
        around(stack, Shares()) as outside,
    ):
        walk = Walk(stack, outside)
        walk.open()
        walk.order_all()
        walk.withdraw()
        walk.give_back()
        until("all groups settled", lambda: not walk.missing(), timeout=120)
        stack.wait_idle()
        ledgers = ledgers_of(stack, walk.terms, monkeypatch)
        expected = owed(stack)
        payments = outside.outside.latest
        books = outside.stripe.books()
        rows = {
            (value["group_id"], value["member_id"]): value["value"]
            for value in stack.latest("purchases").values()
            if value["type"] == "PurchaseRow"
        }
        letters = [each.value for each in stack.read("notices")]
        dead = stack.read("dead-letters")

    problems = [*wrongs_in_books(books), *wrongs_in_ledger(payments), *outside.outside.problems]
    cards = by_card(books, payments)
    for name, ledger in ledgers.items():
        left = [each for each in ledger["balances"] if each["account"] in ("receivable", "held")]
        if ledger["sum"] or left:
            problems.append(f"{name}: the ledger sums to {ledger['sum']}, and has {left}")
        is_there = sum(
            each["amount"]
            for each in ledger["balances"]
            if each["account"] in ("card", "bank", "shop")
        )
        moved = sum(
            money[place]
            for money in (cards, outside.outside.at_bank, outside.outside.at_shop)
            for place in money
            if place[0] == name
        )
        if is_there != moved:
            problems.append(f"{name}: the ledger has {is_there}, of which {moved} moved")
    for (name, payer), amount in expected.items():
        scope, method, _ = name.split("-")
        paid = cards[name, payer] + outside.outside.at_bank[name, payer]
        paid += outside.outside.at_shop[name, payer]
        if method == "shop" and scope == "member":
            paid += rows[name, payer]
        if paid != amount:
            problems.append(f"{name}: {payer or 'the organizer'} paid {paid}, owes {amount}")
    assert not problems, "\n".join(problems)
    assert len(expected) >= len(SCOPES) * len(METHODS) * len(WHAT)
    assert dead == []
    assert "payment-done" in {each["kind"] for each in letters}
    assert books["counts"].get("refused refunds", 0) == 0


@pytest.mark.long
def test_a_disputed_payment_is_refunded_only_after_the_dispute_was_won(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """By an endpoint of an older API version, whose refund events have another name."""
    with (
        stack_on(kafka, tmp_path, clock="wall") as stack,
        around(stack, Shares(repeat=0.5, api_version="2024-06-20")) as outside,
    ):
        now = datetime.now(UTC)
        groups = {
            name: group(
                name,
                now + timedelta(days=20),
                now,
                number_of_products=100,
                favor=FavorTerms(),
                payment=PaymentTerms(scope="member", method="card"),
            )
            for name in ("won", "lost", "unheard")
        }
        stack.feed("group-purchases", *((each, None) for each in groups.values()))
        for name in groups:
            placed = OrderPlaced(
                order_id=f"{name}-1", source="shop", group_id=name, member_id="ann", quantity=2,
                ordered_at=now,
            )  # fmt: skip
            stack.feed("orders", (placed, None))

        def payments(name: str) -> list[tuple[str, str, str | None]]:
            latest = list(outside.outside.latest.values())  # a thread changes it
            found = [each for each in latest if each["group_id"] == name]
            told = ((each["kind"], each["status"], each.get("problem")) for each in found)
            return sorted(told, key=str)

        def intent_of(name: str) -> str:
            found = {
                each["metadata"]["group_id"]: each["id"]
                for each in outside.stripe.books()["intents"]
            }
            return str(found[name])

        def withdraw(name: str) -> None:
            again = groups[name].model_copy(update={"version": 2, "withdrawn_at": now})
            stack.feed("group-purchases", (again, None))

        def await_payments(name: str, *expected: tuple[str, str, str | None]) -> None:
            until(f"{name}: {expected}", lambda: payments(name) == sorted(expected, key=str))

        for name in groups:
            await_payments(name, ("charge", "succeeded", None))
        for name in ("won", "lost"):
            outside.stripe.dispute(intent_of(name), "needs_response")
            await_payments(name, ("charge", "succeeded", "disputed"))
            withdraw(name)
            waits = ("refund", "pending", "disputed")
            await_payments(name, ("charge", "succeeded", "disputed"), waits)
            outside.stripe.dispute(intent_of(name), name)
        await_payments("won", ("charge", "succeeded", None), ("refund", "succeeded", None))
        await_payments(
            "lost",
            ("charge", "succeeded", "dispute-lost"),
            ("refund", "cancelled", None),
            ("refund", "succeeded", "dispute-lost"),
        )
        # Stripe refuses: nobody was told before of a dispute.
        outside.stripe.dispute(intent_of("unheard"), "lost", tell=False)
        withdraw("unheard")
        await_payments("unheard", ("charge", "succeeded", None), ("refund", "pending", "disputed"))
        until("two are settled", lambda: {"won", "lost"} <= set(outside.outside.settled))
        books = outside.stripe.books()
        assert [each["payment_intent"] for each in books["refunds"]] == [intent_of("won")]
        assert books["counts"]["refunds refused for a dispute"] == 1
        assert stack.read("dead-letters") == []
        ended = {
            payment_id: each
            for payment_id, each in outside.outside.latest.items()
            if each["group_id"] != "unheard"
        }
        problems = [*outside.outside.problems, *wrongs_in_ledger(ended)]
        assert problems == []


def test_nobody_pays_twice_on_a_bad_day_with_the_service_killed(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Replies lost, time-outs, errors, declines, repeated webhooks; the whole: make payments."""
    with stack_on(kafka, tmp_path, clock="wall") as stack:
        tally = many_payments.run(stack, 300, 2)
    print(tally.line())
    assert not tally.problems, "\n".join(tally.problems[:20])
    assert tally.payments >= 300
    assert tally.counts["lost replies"] > 0
