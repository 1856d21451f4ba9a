"""Purchases, favors and payments on their rules alone, with a provider, a shop, a bank and buyers.

The topics are lists that every service reads at its own pace, in an order that chance picks; the
provider keeps idempotency keys for a day, loses replies after doing the work, and refuses what it
should refuse by failing the test.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from runtime.rows import Call
from schemas.favors import FAVORS
from schemas.groups import GroupPurchase
from schemas.orders import (
    PURCHASES,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
)
from schemas.parts import (
    FavorTerms,
    Member,
    MemberPayment,
    Message,
    Party,
    PaymentTerms,
    Product,
    Tier,
)
from schemas.payments import GroupSettled, Payment, PaymentDisputed, PaymentReported, PaymentRetried
from services.favor_service.processor import FAVORS_PROCESSOR
from services.order_service.processor import PROCESSOR as PURCHASES_PROCESSOR
from services.payment_service.processor import PROCESSOR
from services.payment_service.rules.provider import Reply, Request
from tests.simulator.auctions import Record
from tests.simulator.driver import Driver

T = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GROUP = "GB-KQSWB-YNRXY-7"


class CallingDriver(Driver):
    """A driver that also has calls done."""

    def __init__(self, *, stored: bool = False) -> None:
        super().__init__(PROCESSOR, stored=stored)
        self._tables.add("call")
        if stored:
            self._decode["call"] = lambda raw: __import__("msgspec").json.decode(raw, type=Call)

    @property
    def rows(self) -> Any:
        return self._rows[GROUP]

    def calls(self, until: datetime) -> list[str]:
        """Calls that may be done by then."""
        rows = self._rows.get(GROUP)
        if rows is None:
            return []
        return [name for name, call in rows.scan("call/") if call.at <= until]

    def next_call(self) -> datetime | None:
        rows = self._rows.get(GROUP)
        ats = [call.at for _, call in rows.scan("call/")] if rows is not None else []
        return min(ats, default=None)

    def next_due(self) -> datetime | None:
        rows = self._rows.get(GROUP)
        ats = [due.at for _, due in rows.scan("due/")] if rows is not None else []
        return min(ats, default=None)

    def claim(self, name: str, now: datetime) -> Request:
        call: Call = self.rows[name]
        self.rows[name] = replace(call, owner="w")
        return PROCESSOR.calls["card"].request(name, self.rows, now)

    def crash(self, name: str) -> None:
        """Whoever had claimed it died; it may have been done."""
        call: Call = self.rows[name]
        self.rows[name] = replace(call, owner="", ambiguous=True)

    def settle(self, name: str, reply: Reply, now: datetime) -> None:
        self.clock = max(self.clock, now)
        self._send(self.rows, PROCESSOR.calls["card"].settle(name, reply, self.rows, now))
        self._take_turns()
        self._end_batch()


# --- the provider --------------------------------------------------------------------------------


@dataclass
class Session:
    payment_id: str
    amount: int
    is_hold: bool
    created: datetime
    status: str = "open"
    intent: str = ""


@dataclass
class Intent:
    payment_id: str
    payer: str
    amount: int
    status: str
    received: int = 0
    refunds: dict[str, int] = field(default_factory=dict)
    #: How the dispute of it stands, and what it is about.
    dispute: str = ""
    disputed: int = 0

    @property
    def went_back(self) -> int:
        return sum(self.refunds.values()) + (self.disputed if self.dispute == "lost" else 0)


class Provider:
    """Stripe as far as payments need it: fails the test where money would move wrongly."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.intents: dict[str, Intent] = {}
        self.events: list[PaymentReported | PaymentDisputed] = []
        self.payer_of: dict[str, str] = {}
        self._keys: dict[str, tuple[datetime, Request, Reply]] = {}
        self.declines: set[str] = set()
        self.told = 0

    def net(self, payer: str) -> int:
        return sum(
            each.received - each.went_back for each in self.intents.values() if each.payer == payer
        )

    def do(self, request: Request, now: datetime) -> Reply:
        key = f"{request.key}-{request.action}"
        kept = self._keys.get(key)
        if kept is not None and now - kept[0] < DAY and not request.session:
            assert kept[1].amount == request.amount, "another request under the same key"
            return kept[2]
        reply: Reply = getattr(self, f"_{request.action}")(request, now)
        self._keys[key] = (now, request, reply)
        return reply

    def _ask(self, request: Request, now: datetime) -> Reply:
        self.payer_of[request.payment_id] = request.payer_id
        if request.session:
            session = self.sessions[request.session]
            if session.status == "expired":
                return Reply("declined", "not-paid")
            if session.status == "open":
                return Reply("pending", session=request.session)
            return self._as_paid(session)
        name = f"cs_{len(self.sessions)}"
        self.sessions[name] = Session(request.payment_id, request.amount, request.is_hold, now)
        return Reply("pending", session=name, page=f"https://pay.example/{name}")

    def _as_paid(self, session: Session) -> Reply:
        intent = self.intents[session.intent]
        status = {"requires_capture": "authorised", "canceled": "cancelled"}.get(
            intent.status, "succeeded"
        )
        return Reply(status, reference=session.intent)  # type: ignore[arg-type]

    def _withdraw(self, request: Request, now: datetime) -> Reply:
        if not request.session:
            return Reply("cancelled")
        session = self.sessions[request.session]
        if session.status == "complete":
            return self._as_paid(session)
        self._expire(request.session, now)
        return Reply("cancelled")

    def _capture(self, request: Request, now: datetime) -> Reply:
        intent = self.intents[request.of]
        if intent.status == "canceled":
            return Reply("cancelled")
        if intent.status == "succeeded":
            assert intent.received == request.amount, "captured another sum"
            return Reply("succeeded", reference=request.of)
        assert 0 < request.amount <= intent.amount, "captured more than was authorised"
        intent.status, intent.received = "succeeded", request.amount
        return Reply("succeeded", reference=request.of)

    def _lift(self, request: Request, now: datetime) -> Reply:
        intent = self.intents[request.of]
        assert intent.status != "succeeded", "lifted what was captured"
        intent.status = "canceled"
        return Reply("succeeded", reference=request.of)

    def _refund(self, request: Request, now: datetime) -> Reply:
        intent = self.intents[request.of]
        if request.looks and request.payment_id in intent.refunds:
            return Reply("succeeded", reference=f"re_{request.payment_id}")
        if intent.dispute in ("open", "lost"):
            return Reply("disputed", "charge_disputed", spent=True)
        if request.payment_id in self.declines:
            self.declines.discard(request.payment_id)
            return Reply("declined", "refused")
        assert request.payment_id not in intent.refunds, "refunded twice"
        left = intent.received - sum(intent.refunds.values())
        assert request.amount <= left, "refunded more than was paid"
        intent.refunds[request.payment_id] = request.amount
        return Reply("succeeded", reference=f"re_{request.payment_id}")

    # --- what buyers do on its pages -------------------------------------------------------------

    def pay(self, name: str, now: datetime) -> None:
        session = self.sessions[name]
        assert session.status == "open"
        session.status, session.intent = "complete", f"pi_{len(self.intents)}"
        status = "requires_capture" if session.is_hold else "succeeded"
        received = 0 if session.is_hold else session.amount
        payer = self.payer_of[session.payment_id]
        self.intents[session.intent] = Intent(
            session.payment_id, payer, session.amount, status, received
        )
        told = "authorised" if session.is_hold else "succeeded"
        self._tell(session.payment_id, told, now, session.intent)

    def abandon(self, name: str, now: datetime) -> None:
        self._expire(name, now)

    def lapse(self, name: str, now: datetime) -> None:
        """A hold ends by itself."""
        intent = self.intents[name]
        if intent.status == "requires_capture":
            intent.status = "canceled"
            self._tell(intent.payment_id, "cancelled", now, name)

    def say_disputed(self, name: str, state: Any, now: datetime) -> None:
        """The payer's bank disputes what is left of a payment, or the dispute is won or lost."""
        intent = self.intents[name]
        left = intent.received - intent.went_back
        if intent.dispute != ("" if state == "open" else "open") or (state == "open" and not left):
            return
        intent.dispute, intent.disputed = state, intent.disputed or left
        self.told += 1
        self.events.append(
            PaymentDisputed(
                report_id=f"evt_{self.told}",
                group_id=GROUP,
                payment_id=intent.payment_id,
                dispute_id=f"dp_{name}",
                state=state,
                amount=intent.disputed,
                at=now,
            )
        )

    def _expire(self, name: str, now: datetime) -> None:
        session = self.sessions[name]
        if session.status == "open":
            session.status = "expired"
            self._tell(session.payment_id, "failed", now, name)

    def _tell(self, payment_id: str, status: Any, now: datetime, reference: str | None) -> None:
        self.told += 1
        self.events.append(
            PaymentReported(
                report_id=f"evt_{self.told}",
                group_id=GROUP,
                payment_id=payment_id,
                status=status,
                provider_reference=reference,
                reason="not-paid" if status == "failed" else None,
                at=now,
            )
        )


# --- the world -----------------------------------------------------------------------------------


class World:
    """One group, its services, and everyone who pays or is paid."""

    def __init__(self, random: Random, terms: GroupPurchase, *, stored: bool = False) -> None:
        self.random = random
        self.terms = terms
        self.now = T
        self.provider = Provider()
        self.purchases = Driver(PURCHASES_PROCESSOR)
        self.favors = Driver(FAVORS_PROCESSOR)
        self.payments = CallingDriver(stored=stored)
        self.commands: dict[str, list[Message]] = defaultdict(list)
        self._read: Counter[tuple[str, str]] = Counter()
        self._services: dict[str, Driver] = {
            "order": self.purchases,
            "favor": self.favors,
            "payment": self.payments,
        }
        #: What shops took by themselves, carried out for us, and banks received.
        self.at_shop: Counter[str] = Counter()
        self.at_bank: Counter[str] = Counter()
        self.agreed: Counter[str] = Counter()
        self.orders: dict[str, OrderPlaced | OrderPaid] = {}
        self.log: list[str] = []
        self._in_flight: dict[str, tuple[str, Reply]] = {}
        self._reported: set[tuple[str, int]] = set()
        self.commands["group-purchases"].append(terms)

    # --- topics ----------------------------------------------------------------------------------

    def topic(self, name: str) -> list[Message]:
        if name == "payments":
            return [each for each in self.payments.sent if isinstance(each, Payment)]
        for topic, driver in ((PURCHASES, self.purchases), (FAVORS, self.favors)):
            if name == topic.name:
                return [each for each in driver.sent if isinstance(each, topic.messages)]
        return self.commands[name]

    def unread(self) -> list[tuple[str, str]]:
        return [
            (service, topic.name)
            for service, driver in self._services.items()
            for topic in driver.processor.inputs
            if self._read[service, topic.name] < len(self.topic(topic.name))
        ]

    def read(self, service: str, topic: str, *, again: bool = False) -> None:
        """A service takes the next record of a topic, or one that it has read before again."""
        place = self._read[service, topic]
        if again:
            place = self.random.randrange(place)
        else:
            self._read[service, topic] += 1
        message = self.topic(topic)[place]
        self._services[service].apply(Record(topic, self.now, message))

    def drain(self) -> None:
        self.pass_time(self.now)
        while unread := self.unread():
            self.read(*self.random.choice(unread))
            self.pass_time(self.now)

    # --- what buyers and shops do ----------------------------------------------------------------

    def order(
        self,
        member: str,
        quantity: int,
        *,
        paid: bool = False,
        value: int = 0,
        unconfirmed: bool = False,
    ) -> str:
        number = len(self.orders)
        message: OrderPlaced | OrderPaid = (OrderPaid if paid else OrderPlaced)(
            order_id=f"o{number}",
            source="shop",
            group_id=GROUP,
            member_id=member,
            member_email=f"{member}@x.example",
            quantity=quantity,
            value=value or None,
            ordered_at=min(self.now, self.terms.closes_at - timedelta(seconds=1)),
        )
        if unconfirmed:
            message = message.model_copy(update={"unconfirmed": True})
        self.orders[message.order_id] = message
        self.agreed[self.payer(member)] += value or quantity * (self.terms.unit_price or 0)
        self.commands["orders"].append(message)
        return message.order_id

    def pay_at_shop(self, order_id: str) -> None:
        message = self.orders[order_id]
        fields = {**dict(message), "type": "OrderPaid"}
        self.commands["orders"].append(OrderPaid(**fields))

    def confirm(self, order_id: str) -> None:
        self.commands["orders"].append(
            OrderConfirmed(order_id=order_id, source="shop", group_id=GROUP, at=self.now)
        )

    def cancel(self, order_id: str) -> None:
        self.commands["orders"].append(
            OrderCancelled(order_id=order_id, source="shop", group_id=GROUP, cancelled_at=self.now)
        )

    def give_back(self, member: str, quantity: int, order_id: str | None = None) -> None:
        self.commands["orders"].append(
            OrderReturned(
                return_id=f"r{len(self.commands['orders'])}",
                source="shop",
                group_id=GROUP,
                member_id=member,
                order_id=order_id,
                quantity=quantity,
                returned_at=self.now,
            )
        )

    def withdraw(self) -> None:
        again = self.terms.model_copy(update={"version": 2, "withdrawn_at": self.now})
        self.commands["group-purchases"].append(again)

    def payer(self, member: str) -> str:
        return "" if self.terms.payment.scope == "group" else member

    # --- what is outside -------------------------------------------------------------------------

    def latest(self) -> dict[str, Payment]:
        return {each.payment_id: each for each in self.topic("payments")}

    def call(self, how: str = "well") -> None:
        """Have one call done: well, its reply lost, the worker killed, or nothing done at all."""
        names = self.payments.calls(self.now)
        if not names:
            return
        name = self.random.choice(names)
        request = self.payments.claim(name, self.now)
        reply = Reply("again", "no answer") if how == "not" else self.provider.do(request, self.now)
        if how in ("killed", "killed-before"):
            self.payments.crash(name)
            return
        if how == "lost":
            reply = Reply("again", "no answer")
        self.payments.settle(name, replace(reply, key=request.key), self.now)

    def hear_provider(self, *, again: bool = False) -> None:
        """A webhook arrives."""
        if self.provider.events:
            place = self.random.randrange(len(self.provider.events))
            event = self.provider.events[place]
            if not again:
                del self.provider.events[place]
            self.commands["payment-reports"].append(event)

    def answer_instruction(self, *, succeeds: bool = True) -> None:
        """A shop carries out one instruction, or a bank tells of one transfer."""
        for payment_id, payment in self.latest().items():
            mark = (payment_id, payment.version)
            if payment.method == "card" or payment.status != "pending" or mark in self._reported:
                continue
            if payment.kind == "invoice" and not (succeeds and self._open(payment)):
                continue
            self._reported.add(mark)
            amount = None
            if succeeds:
                sign = -1 if payment.kind == "refund" else 1
                books = self.at_shop if payment.method == "shop" else self.at_bank
                amount = payment.amount
                if payment.kind == "invoice":
                    amount = self._open(payment)
                books[payment.member_id or ""] += sign * amount
            self._report(payment, "succeeded" if succeeds else "failed", amount)
            return

    def _open(self, invoice: Payment) -> int:
        """What a payer who reads invoice and credit notes still pays of it."""
        payer = invoice.member_id or ""
        mine = [each for each in self.latest().values() if (each.member_id or "") == payer]
        claimed = sum(each.amount for each in mine if each.kind == "invoice")
        claimed -= sum(each.amount for each in mine if each.kind == "credit")
        return max(0, min(invoice.amount - (invoice.received or 0), claimed - self.at_bank[payer]))

    def _report(self, payment: Payment, status: Any, amount: int | None) -> None:
        self.commands["payment-reports"].append(
            PaymentReported(
                report_id=f"rep-{len(self.commands['payment-reports'])}",
                group_id=GROUP,
                payment_id=payment.payment_id,
                status=status,
                amount=amount,
                at=self.now,
            )
        )

    def retry_failed(self) -> None:
        """Ops have every payment tried again that failed."""
        for payment_id, payment in self.latest().items():
            if payment.status == "failed":
                self.commands["payment-reports"].append(
                    PaymentRetried(group_id=GROUP, payment_id=payment_id, at=self.now)
                )

    def open_sessions(self) -> list[str]:
        return [name for name, each in self.provider.sessions.items() if each.status == "open"]

    # --- time ------------------------------------------------------------------------------------

    def pass_time(self, until: datetime) -> None:
        self.now = max(self.now, until)
        for driver in self._services.values():
            driver.pass_time(self.now)
        for name, each in self.provider.sessions.items():
            if each.status == "open" and self.now - each.created > DAY:
                self.provider.abandon(name, self.now)

    def come_to_rest(self, *, pays: Callable[[str], bool] = lambda _: True) -> None:
        """Everyone does what they have to, until nothing is left to be done."""
        for _ in range(400):
            self.drain()
            if self.payments.calls(self.now):
                self.call()
                continue
            if self.provider.events:
                self.hear_provider()
                continue
            if disputed := [n for n, i in self.provider.intents.items() if i.dispute == "open"]:
                state = self.random.choice(("won", "lost"))
                self.provider.say_disputed(disputed[0], state, self.now)
                continue
            sessions = self.open_sessions()
            if sessions:
                known = [s for s in sessions if self._is_known(s)]
                for name in known:
                    if pays(self.provider.sessions[name].payment_id):
                        self.provider.pay(name, self.now)
                    else:
                        self.provider.abandon(name, self.now)
                for name in set(sessions) - set(known):
                    self.provider.abandon(name, self.now)  # nobody ever saw its page
                continue
            before = len(self.commands["payment-reports"])
            self.answer_instruction()
            if len(self.commands["payment-reports"]) > before:
                continue
            upcoming = [self.payments.next_call(), self.payments.next_due()]
            nexts = [at for at in upcoming if at is not None and at < self.now + 30 * DAY]
            if self.now < self.terms.closes_at + HOUR:
                nexts.append(self.terms.closes_at + HOUR)
            if nexts:
                self.pass_time(max(self.now, min(nexts)))
                continue
            failed = [
                each
                for each in self.latest().values()
                if each.status == "failed"
                and not (each.cause.order_id and each.kind in ("authorisation", "charge"))
            ]
            if not failed:
                return
            self.retry_failed()
        raise AssertionError(f"it never comes to rest: {self.payments.rows}")

    def _is_known(self, session: str) -> bool:
        payment = self.latest().get(self.provider.sessions[session].payment_id)
        return payment is not None and (payment.page or "").endswith(f"/{session}")

    # --- the books -------------------------------------------------------------------------------

    def owed(self) -> dict[str, int]:
        """What each payer owes by the facts of purchases and favors, as they ended."""
        rows: dict[str, int] = Counter()
        favors: dict[str, int] = Counter()
        status = "open"
        latest_row: dict[str, int] = {}
        for each in self.purchases.sent:
            if type(each).__name__ == "PurchaseRow":
                latest_row[each.member_id] = each.value  # type: ignore[attr-defined]
            elif type(each).__name__ == "PurchaseState":
                status = each.status  # type: ignore[attr-defined]
        latest_favor = {
            each.member_id: each.amount  # type: ignore[attr-defined]
            for each in self.favors.sent
            if type(each).__name__ == "Favor"
        }
        for member, value in latest_row.items():
            rows[self.payer(member)] += value
        for member, amount in latest_favor.items():
            favors[self.payer(member)] += amount
        everyone = set(rows) | set(self.agreed)
        if status == "withdrawn":
            return dict.fromkeys(everyone, 0)
        return {payer: rows[payer] - favors[payer] for payer in everyone}

    def shop_took(self, payer: str) -> int:
        """What the shop has of the payer's money by itself: all that counts, or the paid orders."""
        row = self.payments.rows.get(f"payer/{payer}")
        if row is None:
            return 0
        own = self.terms.payment.scope == "member" and self._method(payer) == "shop"
        return row.value if own else min(row.value, row.shop)

    def _method(self, payer: str) -> str:
        for member in self.terms.members:
            if member.id == payer and member.payment:
                return member.payment.method
        return self.terms.payment.method

    def paid(self, payer: str) -> int:
        return (
            self.shop_took(payer)
            + self.at_shop[payer]
            + self.at_bank[payer]
            + self.provider.net(payer)
        )

    def is_settled(self) -> bool:
        group = self.payments.rows["group"]
        return bool(group.is_settled)

    def settled(self) -> list[GroupSettled]:
        return [each for each in self.payments.sent if isinstance(each, GroupSettled)]


def terms(
    scope: str = "member",
    method: str = "card",
    *,
    methods: dict[str, str] | None = None,
    days: float = 3,
    number: int = 1_000,
    if_incomplete: str = "as-reached",
    favor: FavorTerms | None = None,
) -> GroupPurchase:
    """A group that anyone may join unless ``methods`` lists its members, with 10 % from one."""
    return GroupPurchase(
        group_id=GROUP,
        request_id="R",
        version=1,
        requested_at=T,
        issued_at=T,
        organizer=Party(id="org", person_id="m-org"),
        product=Product(name="tea"),
        number_of_products=number,
        unit_price=1_000,
        currency="EUR",
        opens_at=T,
        closes_at=T + timedelta(days=days),
        grace_seconds=0,
        members=tuple(
            Member(id=member, payment=MemberPayment(method=of))  # type: ignore[arg-type]
            for member, of in (methods or {}).items()
        ),
        payment=PaymentTerms(scope=scope, method=method),  # type: ignore[arg-type]
        favor=favor or FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
        if_incomplete=if_incomplete,  # type: ignore[arg-type]
    )
