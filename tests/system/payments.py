"""A provider, payers, a shop and a bank around payment_service on a real broker."""

import asyncio
import hashlib
import json
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import orjson

from domain.ledger import balances, entries
from runtime.clients import producer
from runtime.follower import Follower, partitions_of
from runtime.ports import free_port
from runtime.records import as_record
from runtime.transport import send
from schemas.parts import Message
from schemas.payments import PAYMENT_REPORTS, PAYMENTS, Payment, PaymentReported, PaymentRetried
from stack.brokers import ends_with_this_process
from tests.system import plain_http
from tests.system.stack import Stack, Worker, partition_of, until
from tests.system.strict_stripe import Shares

SECRET = "whsec_for_tests"


@dataclass
class StrictStripe:
    """The stand-in, in a process of its own."""

    shares: Shares
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, shares: Shares) -> Self:
        """Start it, ready."""
        told = json.dumps(asdict(shares))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.strict_stripe", told],
            preexec_fn=ends_with_this_process(),  # noqa: PLW1509 - no threads yet
        )
        started = cls(shares, process)
        until("the stand-in answers", started._answers)
        return started

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.shares.port}"

    def books(self) -> dict[str, Any]:
        """Everything it did, as it wrote it down itself."""
        return dict(plain_http.get(f"{self.url}/books", timeout=30).json())

    def lapse(self, intent: str) -> None:
        """Let a hold end by itself."""
        plain_http.post(f"{self.url}/lapse/{intent}", timeout=10).raise_for_status()

    def dispute(self, intent: str, status: str, *, tell: bool = True) -> None:
        """Have a payment disputed, or the dispute go on; ``tell``: webhooks tell of it."""
        form = {"status": status, "tell": "yes" if tell else "no"}
        url = f"{self.url}/dispute/{intent}"
        plain_http.post(url, data=form, timeout=10).raise_for_status()

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return plain_http.get(f"{self.url}/books", timeout=5).is_success
        except httpx.HTTPError:
            return False


@dataclass
class Outside:
    """Everyone who answers to payments: follows the topic in a thread of its own.

    Payers pay the pages that payments name, ``bad_cards`` of them with a card that is declined the
    first time; shops and banks carry out what they are told; ops have tried again what failed.
    """

    stack: Stack
    bad_cards: float = 0.0
    retries: bool = True
    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    at_shop: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_bank: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._paid: set[str] = set()
        self._told: set[tuple[str, int]] = set()
        self._bank: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except Exception as error:  # told by the test, which waits in vain else
            self.problems.append(repr(error))

    async def _follow(self) -> None:
        settings = self.stack.settings
        follower, sender = Follower(settings), producer(settings)
        await sender.start()
        under_way: set[asyncio.Task[None]] = set()
        try:
            await follower.start(*partitions_of(settings, PAYMENTS))
            async with httpx.AsyncClient(timeout=10) as client:
                while not self._stopping.is_set():
                    for record in await follower.batch(wait_ms=50):
                        for step in self._steps(orjson.loads(record.value), sender, client):
                            task = asyncio.create_task(step)
                            under_way.add(task)
                            task.add_done_callback(under_way.discard)
                            task.add_done_callback(self._note_failure)
        finally:
            if under_way:
                await asyncio.wait(under_way, timeout=10)
            await follower.stop()
            await sender.stop()

    def _steps(
        self, value: dict[str, Any], sender: Any, client: httpx.AsyncClient
    ) -> Iterator[Any]:
        if value["type"] == "GroupSettled":
            self.settled[value["group_id"]] = value
            return
        before = self.latest.get(value["payment_id"])
        if before is not None and before["version"] >= value["version"]:
            self.problems.append(f"version {value['version']} after {before['version']}: {value}")
        self.latest[value["payment_id"]] = value
        payment = Payment.model_validate_json(orjson.dumps(value))
        if payment.status == "failed" and self.retries:
            yield self._send(
                sender,
                PaymentRetried(
                    group_id=payment.group_id,
                    payment_id=payment.payment_id,
                    at=datetime.now(UTC),
                ),
            )
        elif payment.status == "pending" and payment.page and payment.page not in self._paid:
            self._paid.add(payment.page)
            card = "bad" if self._is_bad(payment.payment_id) else "good"
            yield self._pay(client, payment.page, card)
        elif payment.method == "shop" and payment.status == "pending":
            yield self._carry_out(payment, sender)
        if payment.method == "invoice" and payment.status != "cancelled":
            report = self._transfer(payment)
            if report is not None:
                yield self._send(sender, report)

    def _is_bad(self, payment_id: str) -> bool:
        share = int(hashlib.sha256(payment_id.encode()).hexdigest()[:8], 16) / 2**32
        is_first = (payment_id, 0) not in self._told
        self._told.add((payment_id, 0))
        return share < self.bad_cards and is_first

    async def _pay(self, client: httpx.AsyncClient, page: str, card: str) -> None:
        # On a bad day many tries in a row may get no answer, so a payer pauses between them.
        for _ in range(200):
            with suppress(httpx.HTTPError):
                if (await client.post(page, data={"card": card})).is_success:
                    return
            await asyncio.to_thread(self._stopping.wait, 0.1)
        self.problems.append(f"the page {page} can't be paid")

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        """A step that fails is a problem that the test shows, not a silent stop."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problems.append(repr(error))

    def _carry_out(self, payment: Payment, sender: Any) -> Any:
        """The shop does what it is told, once for each time it is told."""
        sign = -1 if payment.kind == "refund" else 1
        mark = (payment.payment_id, payment.version)
        if mark not in self._told:
            self._told.add(mark)
            self.at_shop[payment.group_id, payment.member_id or ""] += sign * payment.amount
        return self._send(sender, self._report(payment, payment.amount))

    def _transfer(self, payment: Payment) -> PaymentReported | None:
        """The payer pays what is open of invoice and credit notes; we what is to be paid back."""
        key = (payment.group_id, payment.member_id or "")
        mine = [
            each
            for each in self.latest.values()
            if (each["group_id"], each.get("member_id") or "") == key
        ]
        claimed = sum(each["amount"] for each in mine if each["kind"] == "invoice")
        claimed -= sum(each["amount"] for each in mine if each["kind"] == "credit")
        if payment.kind == "refund" and payment.status == "pending":
            mark = (payment.payment_id, payment.version)
            if mark in self._told:
                return None
            self._told.add(mark)
            self.at_bank[key] -= payment.amount
            return self._report(payment, payment.amount)
        if payment.kind != "invoice" or payment.status != "pending":
            return None
        amount = min(
            payment.amount - self._bank[key].get(payment.payment_id, 0), claimed - self.at_bank[key]
        )
        if amount <= 0:
            return None
        self._bank[key][payment.payment_id] = amount
        self.at_bank[key] += amount
        return self._report(payment, amount)

    def _report(self, payment: Payment, amount: int) -> PaymentReported:
        mark = f"{payment.payment_id}/{payment.version}/{amount}"
        return PaymentReported(
            report_id=hashlib.sha256(mark.encode()).hexdigest()[:32],
            group_id=payment.group_id,
            payment_id=payment.payment_id,
            status="succeeded",
            amount=amount,
            at=datetime.now(UTC),
        )

    async def _send(self, sender: Any, message: Message) -> None:
        topic = self.stack.settings.topic(PAYMENT_REPORTS.name)
        now = int(datetime.now(UTC).timestamp() * 1000)
        record = as_record(message, topic, partition_of, now)
        # Feeds repeat themselves.
        await send(sender, [record, record])


@dataclass
class Around:
    """What stands around the services of a stack."""

    stripe: StrictStripe
    outside: Outside
    payments: Worker
    webhooks: Worker


@contextmanager
def around(stack: Stack, shares: Shares, *, bad_cards: float = 0.0) -> Iterator[Around]:
    """Purchases, favors and payments with everything that answers to them."""
    port = free_port()
    at_stripe = {
        "STRIPE_API_KEY": "sk_test_for_tests",
        "STRIPE_API_URL": f"http://127.0.0.1:{port}",
    }
    webhooks = stack.worker(
        "services.payment_service.webhooks",
        start=False,
        STRIPE_WEBHOOK_SECRETS=f"old,{SECRET}",
        **at_stripe,
    )
    shares = replace(
        shares,
        port=port,
        webhook_url=f"http://127.0.0.1:{webhooks.port}/stripe",
        webhook_secret=SECRET,
    )
    stripe = StrictStripe.start(shares)
    outside = Outside(stack, bad_cards=bad_cards)
    try:
        webhooks.start()
        stack.start("order_service", "favor_service")
        (payments,) = stack.start(
            "tests.system.quick_payments",
            **at_stripe,
            STRIPE_TIMEOUT_SECONDS="3",
            STRIPE_CONNECTIONS="32",
        )
        until("the webhooks answer", webhooks.ready)
        outside.start()
        yield Around(stripe, outside, payments, webhooks)
    finally:
        outside.stop()
        stripe.stop()


# --- the books against the facts -----------------------------------------------------------------


def owed(stack: Stack) -> dict[tuple[str, str], int]:
    """What each payer owes, by (group, member), as the facts say; the organizer is ''."""
    found: dict[tuple[str, str], int] = Counter()
    scopes, withdrawn = {}, set()
    for key, value in stack.latest("purchases").items():
        if value["type"] == "PurchaseOpened":
            scopes[value["group_id"]] = value["payment"]["scope"]
        elif value["type"] == "PurchaseState" and value["status"] == "withdrawn":
            withdrawn.add(key)
    facts = [*stack.latest("purchases").values(), *stack.latest("favors").values()]
    for value in facts:
        if value["type"] not in ("PurchaseRow", "Favor"):
            continue
        group = value["group_id"]
        payer = "" if scopes[group] == "group" else value["member_id"]
        amount = value["value"] if value["type"] == "PurchaseRow" else -value["amount"]
        found[group, payer] += 0 if group in withdrawn else amount
    return found


def by_card(books: dict[str, Any], payments: dict[str, dict[str, Any]]) -> Counter[tuple[str, str]]:
    """What came by card less what went back, by the provider's own books."""
    net: Counter[tuple[str, str]] = Counter()
    of_intent = {}
    for intent in books["intents"]:
        payment = payments[intent["metadata"]["payment_id"]]
        of_intent[intent["id"]] = (payment["group_id"], payment.get("member_id") or "")
        net[of_intent[intent["id"]]] += intent["amount_received"]
    for refund in books["refunds"]:
        if refund["status"] == "succeeded":
            net[of_intent[refund["payment_intent"]]] -= refund["amount"]
    return net


def wrongs_in_books(books: dict[str, Any]) -> Iterator[str]:
    """What must never be in the provider's books once all is settled."""
    for what in ("intents", "refunds"):
        times = Counter(
            each["metadata"]["payment_id"]
            for each in books[what]
            if each["status"] not in ("failed", "canceled")
        )
        for payment_id, count in times.items():
            if count > 1:
                yield f"{payment_id} was done {count} times in {what}"
    back: Counter[str] = Counter()
    for refund in books["refunds"]:
        if refund["status"] == "succeeded":
            back[refund["payment_intent"]] += refund["amount"]
    for intent in books["intents"]:
        if back[intent["id"]] > intent["amount_received"]:
            yield f"{intent['id']} was refunded {back[intent['id']]}: {intent}"
        if intent["status"] not in ("succeeded", "canceled"):
            yield f"{intent['id']} is left as {intent['status']}"
    for session in books["sessions"]:
        if session["status"] == "open":
            yield f"{session['id']} can still be paid"


def wrongs_in_ledger(payments: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Groups whose books do not balance, or in which something is left open."""
    groups: dict[str, list[Payment]] = defaultdict(list)
    for value in payments.values():
        groups[value["group_id"]].append(Payment.model_validate_json(orjson.dumps(value)))
    for group, facts in groups.items():
        booked = list(entries(facts))
        if sum(entry.amount for entry in booked):
            yield f"{group} does not balance"
        for (account, payer), amount in balances(booked).items():
            if account in ("receivable", "held"):
                yield f"{group}: {amount} is left on {account} of {payer}"
