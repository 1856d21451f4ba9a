"""What order_service promises, as tables: what counts, what completes a group, what is refused."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import ROWS_KEPT, Due, GivenUp, MemoryRows, Waits
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.letters import Notice, notices
from schemas.orders import (
    GroupMessage,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import (
    FavorTerms,
    Member,
    MemberPayment,
    Message,
    PaymentCause,
    PaymentTerms,
    Product,
    Tier,
    TimePassed,
)
from schemas.payments import Payment
from schemas.people import Person
from services.order_service.processor import PROCESSOR
from services.order_service.rows import Admitted, Chunk, Ended, Listed
from services.order_service.rules import purchases

GROUP = "GB-KQSWB-YNRXY-7"
OPENS = datetime(2024, 3, 1, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=1)
DEADLINE = CLOSES + timedelta(seconds=60)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LATEST = DEADLINE + timedelta(hours=72)
ENDED = DEADLINE + timedelta(days=90)
INSTANT = timedelta(milliseconds=1)
#: When a feed that lags behind sends what was ordered an hour after the opening.
FED = OPENS + timedelta(days=6)

Event = tuple[datetime, Message]

#: What every address ends with.
MAIL = "@x.example"
ANN, BOB, CEM_MAIL = f"ann{MAIL}", f"bob{MAIL}", f"cem{MAIL}"

# --- messages ------------------------------------------------------------------------------------


def group(*listed: str, **terms: Any) -> GroupPurchase:
    """Three pieces at 100 euro cents within a day, by the members named or by anyone."""
    given: dict[str, Any] = {
        "group_id": GROUP,
        "request_id": "R",
        "version": 1,
        "requested_at": OPENS,
        "issued_at": OPENS,
        "product": Product(name="tea"),
        "number_of_products": 3,
        "unit_price": 100,
        "currency": "EUR",
        "opens_at": OPENS,
        "closes_at": CLOSES,
        "members": tuple(Member(id=member) for member in listed),
    }
    return GroupPurchase(**given | terms)


def withdrawn(*listed: str) -> GroupPurchase:
    return group(*listed, version=2, withdrawn_at=OPENS)


def admitted(part: int, parts: int, *members: str) -> MembersAdmitted:
    listed = tuple(Member(id=member) for member in members)
    return MembersAdmitted(group_id=GROUP, part=part, parts=parts, members=listed)


def order(order_id: str, member: str, quantity: int, **more: Any) -> dict[str, Any]:
    given = {
        "order_id": order_id,
        "source": "shop",
        "group_id": GROUP,
        "member_id": member,
        "quantity": quantity,
        "ordered_at": OPENS + HOUR,
    }
    return given | more


def paid(order_id: str, member: str, quantity: int = 1, **more: Any) -> OrderPaid:
    return OrderPaid(**order(order_id, member, quantity, **more))


def placed(order_id: str, member: str, quantity: int = 1, **more: Any) -> OrderPlaced:
    return OrderPlaced(**order(order_id, member, quantity, **more))


def cancelled(order_id: str) -> OrderCancelled:
    return OrderCancelled(order_id=order_id, source="shop", group_id=GROUP, cancelled_at=OPENS)


def returned(
    return_id: str, member: str, quantity: int = 1, order_id: str | None = None
) -> OrderReturned:
    return OrderReturned(
        return_id=return_id,
        source="shop",
        group_id=GROUP,
        member_id=member,
        order_id=order_id,
        quantity=quantity,
        returned_at=OPENS,
    )


def payment(order_id: str, kind: Any = "authorisation", status: Any = "authorised") -> Payment:
    return Payment(
        payment_id=f"p-{order_id}",
        group_id=GROUP,
        kind=kind,
        method="invoice" if kind == "invoice" else "card",
        amount=100,
        currency="EUR",
        status=status,
        cause=PaymentCause(kind="order", source="shop", order_id=order_id),
        version=1,
    )


def message(message_id: str = "gm", words: str = "Roasted on Friday.") -> GroupMessage:
    return GroupMessage(message_id=message_id, group_id=GROUP, words=words, at=OPENS)


BY_CARD = group(payment=PaymentTerms(method="card"))
BY_GROUP = group(payment=PaymentTerms(scope="group"))
BY_INVOICE = group(payment=PaymentTerms(method="invoice"))
STOPS = group(stop_at_number=True)
STOPS_LATER = group(stop_at_number=True, closes_at=OPENS + timedelta(days=9))
ANN_BY_CARD = group(members=(Member(id="ann", payment=MemberPayment(method="card")),))


# --- playing -------------------------------------------------------------------------------------


class WatchedRows(MemoryRows):
    """Rows that notice which facts are to be sent, and whether a rule changed a row in place.

    None of them may hold an address.
    """

    def __init__(self) -> None:
        super().__init__(GROUP)
        self.changed: dict[str, None] = {}
        self.as_put: dict[str, str] = {}

    def __setitem__(self, name: str, row: Any) -> None:
        super().__setitem__(name, row)
        self.as_put[name] = repr(row)
        assert MAIL not in self.as_put[name], f"{name} holds an address"
        if name.partition("/")[0] in PROCESSOR.facts:
            self.changed[name] = None


class Played:
    """A group played the way the runtime plays it; every event is a batch of its own.

    Whatever is played, an address is in ``people`` alone.
    """

    def __init__(self) -> None:
        self.rows = WatchedRows()
        self.sent: list[Message] = []
        self.given_up: list[GivenUp] = []

    def play(self, events: Iterable[Event]) -> "Played":
        for at, message in events:
            self.fire_until(at)
            rule = PROCESSOR.on.get(type(message))
            if rule:
                self.send(rule(message, self.rows, at))
            self.run_chunks(at)
        for name, row in self.rows.items():
            assert repr(row) == self.rows.as_put[name], f"{name} was changed in place"
        return self

    def fire_until(self, now: datetime) -> None:
        while True:
            dues = [(row.at, name) for name, row in self.rows.items() if name.startswith("due/")]
            at, name = min(dues, default=(now + MINUTE, ""))
            if at > now:
                return
            del self.rows[name]
            self.send(PROCESSOR.due[name.split("/")[1]](name, self.rows, at))
            self.run_chunks(at)

    def run_chunks(self, now: datetime) -> None:
        while chunks := sorted(name for name in self.rows if name.startswith("chunk/")):
            self.send(PROCESSOR.chunks[chunks[0].split("/")[1]](self.rows, now))

    def send(self, answers: Iterable[Message | GivenUp]) -> None:
        answers, already_sent = list(answers), len(self.sent)
        self.given_up += [each for each in answers if isinstance(each, GivenUp)]
        messages = [each for each in answers if not isinstance(each, GivenUp)]
        keys = {message.key for message in messages}
        for name in [name for name in self.rows.changed if name in self.rows]:
            fact = PROCESSOR.facts[name.partition("/")[0]](name, self.rows)
            if fact.key not in keys:
                self.sent.append(fact)
        self.rows.changed.clear()
        self.sent += messages
        for message in self.sent[already_sent:]:
            assert isinstance(message, Person) or MAIL not in repr(message)

    @property
    def state(self) -> PurchaseState:
        return [message for message in self.sent if isinstance(message, PurchaseState)][-1]

    @property
    def members(self) -> dict[str, PurchaseRow]:
        return {each.member_id: each for each in self.sent if isinstance(each, PurchaseRow)}

    @property
    def people(self) -> list[Person]:
        return [message for message in self.sent if isinstance(message, Person)]

    @property
    def letters(self) -> list[Notice]:
        return [message for message in self.sent if isinstance(message, Notice)]

    @property
    def refused(self) -> list[tuple[str, int, str]]:
        return [
            (message.order_id, message.quantity, message.reason)
            for message in self.sent
            if isinstance(message, OrderRefused)
        ]


def play(*events: Message | Event) -> Played:
    """Play events, those without a time an hour after the opening."""
    return Played().play(
        event if isinstance(event, tuple) else (OPENS + HOUR, event) for event in events
    )


def time(at: datetime) -> Event:
    return at, TimePassed(at=at)


def check(played: Played) -> None:
    """What holds of every story: rows add up to the summary of the close, and versions rise.

    And no letter is sent twice.
    """
    assert max(Counter(letter.notice_id for letter in played.letters).values(), default=1) == 1
    versions: dict[str, Message] = {}
    table: dict[str, PurchaseRow] = {}
    was_open = True
    for message in played.sent:
        if isinstance(message, Notice | Person):
            continue
        before: Any = versions.get(message.key)
        if isinstance(message, OrderRefused):
            assert before in (None, message), "the same answer again"
        elif before is not None:
            assert message.version > before.version, (before, message)  # type: ignore[attr-defined]
        versions[message.key] = message
        if isinstance(message, PurchaseRow):
            table[message.member_id] = message
        if isinstance(message, PurchaseState) and message.status != "open" and was_open:
            check_sums(message, table)
            was_open = False
    check_sums(played.state, table)


def check_sums(state: PurchaseState, table: Mapping[str, PurchaseRow]) -> None:
    assert state.quantity == sum(row.quantity for row in table.values())
    assert state.value == sum(row.value for row in table.values())
    assert state.members == sum(row.quantity > 0 for row in table.values())


# --- what counts and what is refused -------------------------------------------------------------


@dataclass
class Case:
    """A promise, what happens, and what the table and the refusals say then."""

    promise: str
    events: list[Message | Event]
    #: By member: quantity, value, orders.
    table: dict[str, tuple[int, int, int]]
    status: str = "open"
    refused: tuple[tuple[str, int, str], ...] = ()


REFUSED_ANN = (("a", 1, "not-a-member"),)

COUNTING = [
    Case("a paid order counts", [group(), paid("a", "ann", 2)], {"ann": (2, 200, 1)}),
    Case(
        "an order counts once, whatever the feed repeats",
        [group(), placed("a", "ann"), paid("a", "ann"), paid("a", "ann"), placed("a", "ann")],
        {"ann": (1, 100, 1)},
    ),
    Case("by shop, a placed order does not count yet", [group(), placed("a", "ann")], {}),
    Case(
        "by shop, a payment through us is not the shop's word",
        [group(), placed("a", "ann"), payment("a"), payment("b"), placed("b", "ann")],
        {},
    ),
    Case(
        "what was placed stands, even if what is paid differs",
        [group(), placed("a", "ann", 2), paid("a", "ann", 1)],
        {"ann": (2, 200, 1)},
    ),
    Case(
        "where the group pays, placed is enough",
        [BY_GROUP, placed("a", "ann")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "by card, an order counts when authorised",
        [BY_CARD, placed("a", "ann"), payment("a"), payment("a")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "a payment may come before its order",
        [BY_CARD, payment("a"), placed("a", "ann"), placed("a", "ann")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "an invoice counts when it is out",
        [BY_CARD, placed("a", "ann"), payment("a", "invoice", "pending")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "a payment that is pending, failed or of another kind counts for nothing",
        [
            BY_CARD,
            placed("a", "ann"),
            payment("a", "authorisation", "pending"),
            payment("a", "charge", "failed"),
            payment("a", "refund", "succeeded"),
        ],
        {},
    ),
    Case("by card too, the shop may vouch", [BY_CARD, paid("a", "ann")], {"ann": (1, 100, 1)}),
    Case(
        "a member may have another method than the group",
        [ANN_BY_CARD, placed("a", "ann"), payment("a")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "sources number their orders on their own",
        [group(), paid("a", "ann"), paid("a", "ann", source="fair")],
        {"ann": (2, 200, 2)},
    ),
    Case(
        "the value is the order's, else its price's, else the group's",
        [
            group(),
            paid("a", "ann", 2, value=7, unit_price=3),
            paid("b", "bob", 2, unit_price=3),
            paid("c", "cem", 2),
            paid("d", "dan", 2, value=0, unit_price=3),
        ],
        {"ann": (2, 7, 1), "bob": (2, 6, 1), "cem": (2, 200, 1), "dan": (2, 0, 1)},
    ),
    Case(
        "without any price an order is worth nothing, and counts",
        [group(unit_price=None), paid("a", "ann", 2)],
        {"ann": (2, 0, 1)},
    ),
    Case(
        "an order as the period opens is in",
        [group(), paid("a", "ann", ordered_at=OPENS)],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "an order before the period is out, and told so each time",
        [group(), *[paid("a", "ann", ordered_at=OPENS - INSTANT)] * 2],
        {},
        refused=(("a", 1, "before-period"),) * 2,
    ),
    Case(
        "an order as the period closes is out, one just before is in",
        [
            group(),
            paid("a", "ann", ordered_at=CLOSES),
            paid("b", "ann", ordered_at=CLOSES - INSTANT),
        ],
        {"ann": (1, 100, 1)},
        refused=(("a", 1, "after-period"),),
    ),
    Case(
        "with members listed, others are out, paid or not",
        [group("bob"), placed("a", "ann"), paid("a", "ann")],
        {},
        refused=REFUSED_ANN * 2,
    ),
    Case(
        "another currency is out, none on either side is not",
        [
            group(),
            paid("a", "ann", currency="USD"),
            paid("b", "ann"),
            paid("c", "ann", currency="EUR"),
        ],
        {"ann": (2, 200, 2)},
        refused=(("a", 1, "other-currency"),),
    ),
    Case(
        "a sum that could not be sent is out",
        [group(), paid("a", "ann", value=10**15), paid("b", "ann"), paid("b", "ann")],
        {"ann": (1, 10**15, 1)},
        refused=(("b", 1, "beyond-limits"),) * 2,
    ),
    Case(
        "a payment for a refused order changes nothing",
        [group("bob", payment=PaymentTerms(method="card")), placed("a", "ann"), payment("a")],
        {},
        refused=REFUSED_ANN,
    ),
]

TAKING_BACK = [
    Case(
        "a cancelled order is out, once",
        [
            group(),
            paid("a", "ann"),
            paid("b", "ann"),
            cancelled("a"),
            cancelled("a"),
            paid("a", "ann"),
        ],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "a member whose only order is cancelled keeps a row",
        [group(), paid("a", "ann"), cancelled("a")],
        {"ann": (0, 0, 0)},
    ),
    Case(
        "who cancelled may order again",
        [group(), paid("a", "ann"), cancelled("a"), paid("b", "ann", 2)],
        {"ann": (2, 200, 1)},
    ),
    Case("a cancellation that comes first wins", [group(), cancelled("a"), paid("a", "ann")], {}),
    Case(
        "a cancellation wins over payment",
        [BY_CARD, payment("a"), cancelled("a"), placed("a", "ann"), payment("a")],
        {},
    ),
    Case(
        "a refused order stays refused when cancelled",
        [group("bob"), paid("a", "ann"), cancelled("a"), paid("a", "ann")],
        {},
        refused=REFUSED_ANN * 2,
    ),
    Case(
        "a return takes from the order it names, once",
        [
            group(),
            paid("a", "ann", 2),
            paid("b", "ann", 2, value=90),
            *[returned("r", "ann", 1, "a")] * 2,
        ],
        {"ann": (3, 190, 2)},
    ),
    Case(
        "what is left of an order keeps its share of the value, half up",
        [group(), paid("a", "ann", 3, value=100), returned("r", "ann", 1), returned("q", "ann", 1)],
        {"ann": (1, 33, 1)},
    ),
    Case(
        "what exceeds the named order is refused each time, the rest counts once",
        [group(), paid("a", "ann", 2), paid("b", "ann", 2), *[returned("r", "ann", 3, "a")] * 2],
        {"ann": (2, 200, 2)},
        refused=(("r", 1, "exceeds-orders"),) * 2,
    ),
    Case(
        "a return without an order takes from the latest, by the order's own time",
        [
            group(),
            paid("a", "ann", 2, value=20, ordered_at=OPENS + 2 * HOUR),
            paid("b", "ann", 2, value=40, ordered_at=OPENS + HOUR),
            returned("r", "ann", 3),
        ],
        {"ann": (1, 20, 2)},
    ),
    Case(
        "of orders at the same time the one that arrived last is taken from",
        [
            group(),
            paid("a", "ann", value=1),
            paid("b", "ann", value=2),
            paid("c", "ann", value=4),
            returned("r", "ann"),
        ],
        {"ann": (2, 3, 3)},
    ),
    Case(
        "an order arrives when placed, not when paid",
        [
            group(),
            placed("a", "ann", value=1),
            placed("b", "ann", value=2),
            paid("c", "ann", value=4),
            paid("b", "ann", value=2),
            paid("a", "ann", value=1),
            returned("r", "ann", 1),
            returned("q", "ann", 1),
        ],
        {"ann": (1, 1, 3)},
    ),
    Case(
        "a return takes from what counts, of that member, only",
        [
            group(),
            paid("b", "bob"),
            placed("a", "ann"),
            returned("r", "ann", 1),
            returned("q", "ann", 1, "a"),
            returned("p", "ann", 1, "b"),
        ],
        {"bob": (1, 100, 1)},
        refused=(
            ("r", 1, "exceeds-orders"),
            ("q", 1, "exceeds-orders"),
            ("p", 1, "exceeds-orders"),
        ),
    ),
    Case(
        "a cancellation after a return takes the rest",
        [group(), paid("a", "ann", 3, value=100), returned("r", "ann", 2), cancelled("a")],
        {"ann": (0, 0, 0)},
    ),
    Case(
        "an order returned in whole is still an order, until cancelled",
        [group(), paid("a", "ann"), paid("b", "ann"), returned("r", "ann", 2), cancelled("b")],
        {"ann": (0, 0, 1)},
    ),
]

CLOSING = [
    Case(
        "a listed group is complete when all have ordered and the number is reached",
        [group("ann", "bob"), paid("a", "ann", 5), paid("b", "bob")],
        {"ann": (5, 500, 1), "bob": (1, 100, 1)},
        status="complete",
    ),
    Case(
        "a listed group waits for every member",
        [group("ann", "bob"), paid("a", "ann", 5)],
        {"ann": (5, 500, 1)},
    ),
    Case(
        "a listed group waits for its number",
        [group("ann", "bob"), paid("a", "ann"), paid("b", "bob"), (CLOSES, paid("c", "ann"))],
        {"ann": (2, 200, 2), "bob": (1, 100, 1)},
        status="complete",
    ),
    Case(
        "who returned everything does not cover the group, until a new order",
        [group("ann", "bob"), paid("a", "ann", 2), returned("r", "ann", 2), paid("b", "bob", 9)],
        {"ann": (0, 0, 1), "bob": (9, 900, 1)},
    ),
    Case(
        "members may come in parts before the group, and twice",
        [
            *[admitted(1, 2, "ann", "bob")] * 2,
            admitted(2, 2, "cem"),
            group("ann"),
            admitted(2, 2, "dan"),
            paid("a", "ann"),
            paid("b", "bob"),
            paid("c", "cem"),
            paid("d", "dan"),
        ],
        {"ann": (1, 100, 1), "bob": (1, 100, 1), "cem": (1, 100, 1)},
        status="complete",
        refused=(("d", 1, "not-a-member"),),
    ),
    Case("an open group runs on", [group(), paid("a", "ann", 9)], {"ann": (9, 900, 1)}),
    Case(
        "an open group stops at its number if so told",
        [STOPS, paid("a", "ann", 2), paid("b", "bob", 2)],
        {"ann": (2, 200, 1), "bob": (2, 200, 1)},
        status="complete",
    ),
    Case(
        "a group is open until period and grace are over",
        [group(), paid("a", "ann", 3), time(DEADLINE - INSTANT)],
        {"ann": (3, 300, 1)},
    ),
    Case(
        "an open group that reached its number is complete at the deadline",
        [group(), paid("a", "ann", 3), time(DEADLINE)],
        {"ann": (3, 300, 1)},
        status="complete",
    ),
    Case(
        "an open group that did not is elapsed",
        [group(), paid("a", "ann", 2), time(DEADLINE)],
        {"ann": (2, 200, 1)},
        status="elapsed",
    ),
    Case(
        "a listed group that is not complete is elapsed, number or not",
        [group("ann", "bob"), paid("a", "ann", 9), time(DEADLINE)],
        {"ann": (9, 900, 1)},
        status="elapsed",
    ),
    Case(
        "a group is withdrawn by a later version",
        [group(), withdrawn(), withdrawn()],
        {},
        "withdrawn",
    ),
    Case("terms that come withdrawn open and withdraw it", [withdrawn(), group()], {}, "withdrawn"),
    Case(
        "a group that closed can't be withdrawn",
        [STOPS, paid("a", "ann", 3), withdrawn(), (DEADLINE, group())],
        {"ann": (3, 300, 1)},
        status="complete",
    ),
    Case(
        "orders of a withdrawn group are refused, even those placed before",
        [group(), placed("a", "ann"), withdrawn(), paid("a", "ann"), paid("b", "ann")],
        {},
        "withdrawn",
        refused=(("a", 1, "withdrawn"), ("b", 1, "withdrawn")),
    ),
    Case(
        "a cancellation or return does not undo a close",
        [group("ann"), paid("a", "ann", 3), paid("b", "ann"), cancelled("a"), returned("r", "ann")],
        {"ann": (0, 0, 1)},
        status="complete",
    ),
]

LATE = [
    Case(
        "an order made in time counts 72 hours after the close",
        [group(), (LATEST, paid("a", "ann", 3))],
        {"ann": (3, 300, 1)},
        status="elapsed",
    ),
    Case(
        "and not an instant later",
        [group(), *[(LATEST + INSTANT, paid("a", "ann"))] * 2],
        {},
        status="elapsed",
        refused=(("a", 1, "too-late"),) * 2,
    ),
    Case(
        "a group completed early takes late orders until 72 hours after that",
        [
            STOPS,
            (OPENS + HOUR, paid("a", "ann", 3)),
            (OPENS + 73 * HOUR, paid("b", "bob")),
            (OPENS + 73 * HOUR + INSTANT, paid("c", "cem")),
        ],
        {"ann": (3, 300, 1), "bob": (1, 100, 1)},
        status="complete",
        refused=(("c", 1, "too-late"),),
    ),
    Case(
        "orders fed days late leave as much time to others",
        [
            STOPS_LATER,
            (FED, paid("a", "ann", 3)),
            (FED + 72 * HOUR, paid("b", "bob")),
            (FED + 72 * HOUR + INSTANT, paid("c", "cem")),
            (FED + ROWS_KEPT - INSTANT, returned("r", "ann")),
            (FED + ROWS_KEPT, returned("q", "ann")),
        ],
        {"ann": (2, 200, 1), "bob": (1, 100, 1)},
        status="complete",
        refused=(("c", 1, "too-late"), ("q", 1, "exceeds-orders")),
    ),
    Case(
        "an order that was here in time counts whenever it is paid",
        [group(), placed("a", "ann"), (LATEST + HOUR, paid("a", "ann"))],
        {"ann": (1, 100, 1)},
        status="elapsed",
    ),
    Case(
        "a late repeat changes nothing",
        [group(), paid("a", "ann"), (LATEST + HOUR, paid("a", "ann"))],
        {"ann": (1, 100, 1)},
        status="elapsed",
    ),
    Case(
        "returns have no deadline",
        [group(), paid("a", "ann", 2), (ENDED - INSTANT, returned("r", "ann"))],
        {"ann": (1, 100, 1)},
        status="elapsed",
    ),
    Case(
        "after ninety days all is refused, and nothing is known",
        [
            group(),
            paid("a", "ann", 2),
            (ENDED, paid("a", "ann", 2)),
            (ENDED, returned("r", "ann", 2)),
            (ENDED, cancelled("a")),
            (ENDED, payment("a")),
            (ENDED, withdrawn()),
            (ENDED, admitted(1, 1, "ann")),
        ],
        {"ann": (2, 200, 1)},
        status="elapsed",
        refused=(("a", 2, "too-late"), ("r", 2, "exceeds-orders")),
    ),
]

WAITING = [
    Case(
        "what came before its group is applied when it comes, in order",
        [
            paid("a", "ann", 2),
            cancelled("b"),
            paid("b", "bob"),
            returned("r", "ann", 3),
            placed("c", "cem"),
            paid("a", "ann", 2),
            group(),
            paid("c", "cem"),
        ],
        {"ann": (0, 0, 1), "cem": (1, 100, 1)},
        refused=(("r", 1, "exceeds-orders"),),
    ),
    Case(
        "a payment may wait for the group too",
        [payment("a"), BY_CARD, placed("a", "ann")],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "a group that comes after its deadline counts what waited before it closes",
        [
            (CLOSES - INSTANT, paid("a", "ann", 3)),
            (DEADLINE + MINUTE, group()),
            time(DEADLINE + MINUTE),
        ],
        {"ann": (3, 300, 1)},
        status="complete",
    ),
    Case(
        "what waited may complete the group, and the rest of it is late",
        [*[paid(str(n), "ann") for n in range(5)], STOPS],
        {"ann": (5, 500, 5)},
        status="complete",
    ),
    Case(
        "what waited for a withdrawn group is refused",
        [paid("a", "ann"), withdrawn()],
        {},
        "withdrawn",
        refused=(("a", 1, "withdrawn"),),
    ),
    Case(
        "within the hour nothing is refused",
        [(OPENS, paid("a", "ann")), (OPENS + HOUR - INSTANT, group())],
        {"ann": (1, 100, 1)},
    ),
    Case(
        "after an hour it is, and stays so when the group comes",
        [
            (OPENS, paid("a", "ann")),
            (OPENS, returned("r", "ann", 4)),
            (OPENS, cancelled("b")),
            (OPENS, payment("c")),
            (OPENS + HOUR, paid("a", "ann")),
            (OPENS + 2 * HOUR, group()),
            paid("a", "ann"),
            returned("r", "ann", 4),
            paid("b", "ann"),
        ],
        {"ann": (1, 100, 1)},
        refused=(
            ("a", 1, "unknown-group"),
            ("r", 4, "unknown-group"),
            ("a", 1, "unknown-group"),
            ("a", 1, "unknown-group"),
            ("r", 4, "unknown-group"),
        ),
    ),
]


@pytest.mark.parametrize(
    "case",
    [*COUNTING, *TAKING_BACK, *CLOSING, *LATE, *WAITING],
    ids=lambda case: case.promise.replace(" ", "-"),
)
def test_promise(case: Case) -> None:
    """The table, the status and the refusals are as promised, and sums and versions hold."""
    check_promise(case)


def check_promise(case: Case) -> None:
    """Play a case, and hold its outcome against what it promises."""
    played = play(*case.events)
    table = {
        member: (row.quantity, row.value, row.orders) for member, row in played.members.items()
    }
    assert table == case.table
    assert played.state.status == case.status
    assert tuple(played.refused) == case.refused
    check(played)


# --- what is sent, and when ----------------------------------------------------------------------


def test_the_terms_come_before_the_summary() -> None:
    """A group's story begins with its terms."""
    assert [type(message) for message in play(group()).sent] == [PurchaseOpened, PurchaseState]


@pytest.mark.parametrize(
    ("events", "closed_at"),
    [
        ([group("ann"), paid("a", "ann", 3)], OPENS + HOUR),
        ([STOPS_LATER, (FED, paid("a", "ann", 3))], OPENS + HOUR),
        ([(OPENS, STOPS), (OPENS, paid("a", "ann", 3))], OPENS + HOUR),
        ([STOPS, (OPENS + 2 * HOUR, paid("a", "ann", 3, ordered_at=OPENS))], OPENS),
        (
            [STOPS, paid("a", "ann", 2), (OPENS + 2 * HOUR, paid("b", "bob", ordered_at=OPENS))],
            OPENS,
        ),
        ([STOPS, placed("a", "ann", 3), (OPENS + 2 * HOUR, paid("a", "ann", 3))], OPENS + HOUR),
        ([paid("a", "ann", 3), (OPENS + 2 * HOUR - INSTANT, group("ann"))], OPENS + HOUR),
        ([group(), time(DEADLINE + HOUR)], DEADLINE),
        ([group(), (OPENS + 2 * HOUR, withdrawn())], OPENS + 2 * HOUR),
        ([group(grace_seconds=0), time(CLOSES)], CLOSES),
    ],
    ids=[
        "completing",
        "completing-though-fed-days-late",
        "completing-ahead-of-the-clock",
        "completing-by-the-order-s-own-time",
        "completing-by-the-time-of-the-order-that-completes",
        "completing-when-paid",
        "completing-while-waiting",
        "deadline",
        "withdrawal",
        "no-grace",
    ],
)
def test_a_group_closes_when_its_cause_happened(
    events: list[Message | Event], closed_at: datetime
) -> None:
    """Completion is as of the order that completes, elapse and withdrawal as of the clock."""
    assert play(*events).state.closed_at == closed_at


def test_a_close_is_sent_before_any_later_row() -> None:
    """Who reads the summary of a close has seen exactly the rows it sums up."""
    played = play(*[paid(str(n), f"m{n}") for n in range(9)], STOPS)
    check(played)
    closes = [message for message in played.sent if isinstance(message, PurchaseState)]
    assert [state.quantity for state in closes if state.status == "complete"] == [3, 9]


def test_first_and_last_order_follow_cancellations() -> None:
    """The period of a member's orders is that of those that count."""
    at = [OPENS + n * HOUR for n in range(4)]
    events: list[Message] = [group()]
    events += [paid(str(n), "ann", ordered_at=at[n]) for n in (2, 1, 3)]
    spans = [((at[1], at[3]), None), ((at[1], at[2]), "3"), ((at[2], at[2]), "1")]
    for span, order_id in spans:
        events += [cancelled(order_id)] if order_id else []
        row = play(*events).members["ann"]
        assert (row.first_ordered_at, row.last_ordered_at) == span
    row = play(*events, cancelled("2")).members["ann"]
    assert (row.first_ordered_at, row.last_ordered_at) == (None, None)


def test_a_duplicate_sends_nothing() -> None:
    """Repeats of what counts, is void or is taken back go unanswered."""
    events = [
        group(),
        paid("a", "ann", 2),
        placed("b", "ann"),
        cancelled("c"),
        returned("r", "ann"),
    ]
    once, twice = play(*events), play(*events, *events)
    assert twice.sent == once.sent
    assert dict(twice.rows) == dict(once.rows)


@pytest.mark.slow
def test_rows_shrink_to_a_marker() -> None:
    """Ninety days after its end nothing is left of a group but how it ended."""
    orders = [paid(f"o{n}", f"m{n % 30}", ordered_at=OPENS + n * INSTANT) for n in range(250)]
    played = play(admitted(1, 1, *(f"m{n}" for n in range(30))), group(), *orders,
                  placed("p", "m1"), returned("r", "m1"), time(ENDED))  # fmt: skip
    assert dict(played.rows) == {"ended": Ended("complete", played.state.version)}


def test_refusals_without_a_group_are_dropped() -> None:
    """A group that never comes leaves no rows for ever."""
    events: list[Event] = [(OPENS, paid(str(n), "ann")) for n in range(3)]
    assert not play(*events, (OPENS, payment("a")), time(OPENS + HOUR + ROWS_KEPT)).rows


def test_most_members_need_three_rows() -> None:
    """An only order is named by its member's row; pointers begin with the second."""
    played = play(group(), paid("a", "ann"))
    assert not list(played.rows.scan("latest/"))
    played = play(group(), paid("a", "ann"), paid("b", "ann"))
    assert [row.order for _, row in played.rows.scan("latest/")] == ["order/shop/a", "order/shop/b"]


@pytest.mark.slow
def test_waiting_is_drained_in_chunks() -> None:
    """No call of a rule handles more than a chunk."""
    played = play(*[paid(str(n), "ann") for n in range(purchases.ROWS_PER_CALL + 1)])
    PROCESSOR.on[GroupPurchase](group(), played.rows, OPENS + HOUR)
    purchases.drain_waiting(played.rows, OPENS + HOUR)
    assert len(list(played.rows.scan("waiting/"))) == 1
    assert played.rows["chunk/drain"] == Chunk()
    purchases.drain_waiting(played.rows, OPENS + HOUR)
    purchases.drain_waiting(played.rows, OPENS + HOUR)
    assert {name.partition("/")[0] for name in played.rows} == {
        "due", "latest", "member", "order", "purchase", "terms",
    }  # fmt: skip


def test_endless_grace_does_not_overflow() -> None:
    """Terms that the schema allows stop no worker."""
    assert play(group(grace_seconds=10**15)).rows["due/close"].at.year == 9999


def test_every_row_survives_the_store() -> None:
    """Each table's dataclass is what its rows are read back as."""
    stories = [case.events for case in (*COUNTING, *TAKING_BACK, *CLOSING, *LATE, *WAITING)]
    stories += [[admitted(1, 1, "ann"), paid("a", "ann")], [group(), time(ENDED)]]
    stories += [[paid("a", "ann", member_email=ANN)], [group(), message()]]
    types = {**PROCESSOR.rows, "due": Due}
    seen = set()
    for events in stories:
        for name, row in play(*events).rows.items():
            table = name.partition("/")[0]
            assert msgspec.json.decode(msgspec.json.encode(row), type=types[table]) == row
            seen.add(table)
    assert seen == types.keys() - {"chunk", "told"}


# --- letters -------------------------------------------------------------------------------------

CEM = Member(id="cem", person_id="m-cem")
MAILED = (Member(id="ann", person_id="m-ann"), Member(id="bob"), CEM)
#: The addresses that came with the list, as request_service sends them.
LISTED_AT = {"m-ann": ANN, "m-cem": CEM_MAIL}
#: The list says where ann and cem are reached, and not where bob is.
LISTED = group(members=MAILED)
LISTED_BY_CARD = group(members=MAILED, payment=PaymentTerms(method="card"))


def told(played: Played) -> list[tuple[Any, ...]]:
    """Letters: kind, address, the order's id and quantity, the group's total or the reason.

    The address is the one that ``people`` has for the recipient when the letter is sent.
    """
    found: list[tuple[Any, ...]] = []
    addresses = dict(LISTED_AT)
    for message in played.sent:
        if isinstance(message, Person):
            addresses[message.person_id] = message.email
        elif isinstance(message, Notice):
            says = message.says
            order_says = (says.order_id, says.quantity) if says.order_id else ()
            found.append((message.kind, addresses[message.recipient_id], *order_says,
                          says.total_quantity if says.reason is None else says.reason))  # fmt: skip
    return found


@dataclass
class Told:
    """A promise, what happens, and the letters."""

    promise: str
    events: list[Message | Event]
    letters: list[tuple[Any, ...]]


WAITS_ANN = ("order-waits", ANN, "a", 1, None)
COUNTED_ANN = ("order-counted", ANN, "a", 1, 1)
NOT_ANN = ("order-refused", ANN, "a", 1)

OF_ORDERS = [
    Told(
        "an order that counts is told once, whatever the feed repeats",
        [group(), *[paid("a", "ann", member_email=ANN)] * 3, placed("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told("without an address nothing is told", [group(), paid("a", "ann")], []),
    Told("an empty address is none", [group(), paid("a", "ann", member_email="")], []),
    Told(
        "the total is the group's, with those who are not told",
        [group(), paid("b", "bob", 2), paid("a", "ann", member_email=ANN), paid("c", "cem")],
        [("order-counted", ANN, "a", 1, 3)],
    ),
    Told(
        "each of a member's orders is told, to the address it gives",
        [group(), paid("a", "ann", member_email=ANN), paid("b", "ann", member_email=BOB),
         paid("c", "ann")],
        [COUNTED_ANN, ("order-counted", BOB, "b", 1, 2)],
    ),
    Told(
        "the list's address goes before the order's",
        [LISTED, paid("a", "ann", member_email=BOB)],
        [COUNTED_ANN],
    ),
    Told("the list's address is enough", [LISTED, paid("a", "ann")], [COUNTED_ANN]),
    Told(
        "who is listed without an address is told at the order's",
        [LISTED, paid("a", "bob", member_email=BOB), paid("b", "bob")],
        [("order-counted", BOB, "a", 1, 1)],
    ),
    Told(
        "members who came in parts have the addresses of the parts",
        [MembersAdmitted(group_id=GROUP, part=1, parts=1, members=MAILED), group(),
         paid("a", "ann")],
        [COUNTED_ANN],
    ),
    Told(
        "an order that awaits its money is told, once, and told again when that comes",
        [group(), *[placed("a", "ann", member_email=ANN)] * 2,
         (OPENS + 2 * HOUR, paid("a", "ann")), placed("a", "ann", member_email=ANN)],
        [WAITS_ANN, COUNTED_ANN],
    ),
    Told(
        "what is paid already waits for nothing",
        [group(), paid("a", "ann", member_email=ANN), placed("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told(
        "nor does an order of a group that pays as one",
        [BY_GROUP, placed("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told(
        "nor one by invoice, which counts when it is billed",
        [BY_INVOICE, placed("a", "ann", member_email=ANN), payment("a", "invoice", "pending")],
        [COUNTED_ANN],
    ),
    Told(
        "nor one of no value, for which nobody pays",
        [BY_CARD, placed("a", "ann", member_email=ANN, value=0), payment("a", "charge")],
        [COUNTED_ANN],
    ),
    Told(
        "a member's own method counts, not the group's",
        [group(members=(Member(id="ann", person_id="m-ann",
                               payment=MemberPayment(method="invoice")),)),
         placed("a", "ann")],
        [],
    ),
    Told(
        "what is void waits for nothing",
        [group(), cancelled("a"), *[placed("a", "ann", member_email=ANN)] * 2],
        [],
    ),
    Told(
        "nor what is refused",
        [group(), *[placed("a", "ann", member_email=ANN, ordered_at=CLOSES)] * 2],
        [(*NOT_ANN, "after-period")],
    ),
    Told(
        "an order in the very last instant before the close waits for its money",
        [group(), (DEADLINE - INSTANT, placed("a", "ann", member_email=ANN))],
        [WAITS_ANN],
    ),
    Told(
        "once the group has closed, a late order is told when its money comes",
        [group(), (DEADLINE, placed("a", "ann", member_email=ANN)),
         (DEADLINE + HOUR, paid("a", "ann"))],
        [COUNTED_ANN],
    ),
    Told(
        "so it is where the group is complete",
        [STOPS, paid("b", "bob", 3), placed("a", "ann", member_email=ANN)],
        [],
    ),
    Told(
        "and in a withdrawn one it is refused",
        [withdrawn(), *[placed("a", "ann", member_email=ANN)] * 2],
        [(*NOT_ANN, "withdrawn")],
    ),
    Told(
        "what waits for its group waits for its money then",
        [*[placed("a", "ann", member_email=ANN)] * 2, group()],
        [WAITS_ANN],
    ),
    Told(
        "the paid message may bring the address",
        [group(), placed("a", "ann"), paid("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told(
        "but not that of somebody else",
        [group(), placed("a", "ann"), paid("a", "bob", member_email=BOB)],
        [],
    ),
    Told(
        "by card, an order is told when authorised",
        [BY_CARD, placed("a", "ann", member_email=ANN), payment("a"), payment("a")],
        [WAITS_ANN, COUNTED_ANN],
    ),
    Told(
        "by card, the list's address is enough",
        [LISTED_BY_CARD, placed("a", "ann"), payment("a")],
        [WAITS_ANN, COUNTED_ANN],
    ),
    Told(
        "a payment may come first",
        [BY_CARD, payment("a"), placed("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told(
        "a void order is not told",
        [group(), cancelled("a"), paid("a", "ann", member_email=ANN),
         placed("b", "ann", member_email=ANN), cancelled("b"), paid("b", "ann")],
        [("order-waits", ANN, "b", 1, None)],
    ),
    Told(
        "the order that completes the group is told too, and late ones",
        [STOPS, paid("a", "ann", 3, member_email=ANN),
         (OPENS + 9 * HOUR, paid("b", "bob", member_email=BOB))],
        [("order-counted", ANN, "a", 3, 3), ("order-counted", BOB, "b", 1, 4)],
    ),
    Told(
        "what waited for its group is told when that comes, once",
        [*[paid("a", "ann", member_email=ANN)] * 2, group(), paid("a", "ann", member_email=ANN)],
        [COUNTED_ANN],
    ),
    Told(
        "who is not listed is told at the order's address, once",
        [group("bob"), *[paid("a", "ann", member_email=ANN)] * 3],
        [(*NOT_ANN, "not-a-member")],
    ),
    Told("a refusal without an address is not told", [group("bob"), paid("a", "ann")], []),
    Told(
        "what was ordered too early or too late is told",
        [
            group(),
            *[paid("a", "ann", member_email=ANN, ordered_at=OPENS - INSTANT)] * 2,
            *[paid("b", "ann", member_email=ANN, ordered_at=CLOSES)] * 2,
        ],
        [(*NOT_ANN, "before-period"), ("order-refused", ANN, "b", 1, "after-period")],
    ),
    Told(
        "and what came too late",
        [LISTED, *[(LATEST + INSTANT, paid("a", "ann"))] * 2],
        [
            ("deadline-reminder", ANN, 0),
            ("deadline-reminder", CEM_MAIL, 0),
            (*NOT_ANN, "too-late"),
        ],
    ),
    Told(
        "an order that the withdrawal made void is told, at the address it was placed with",
        [group(), placed("a", "ann", member_email=ANN), withdrawn(), *[paid("a", "ann")] * 2],
        [WAITS_ANN, (*NOT_ANN, "withdrawn")],
    ),
    Told(
        "an order that would take a sum too far is told",
        [group(), paid("b", "bob", value=10**15), *[paid("a", "ann", member_email=ANN)] * 2],
        [(*NOT_ANN, "beyond-limits")],
    ),
    Told(
        "an order of an unknown group is told after the hour, and not again when it comes",
        [
            *[(OPENS, paid("a", "ann", member_email=ANN))] * 2,
            (OPENS + HOUR, paid("a", "ann", member_email=ANN)),
            (OPENS + 2 * HOUR, group()),
            paid("a", "ann", member_email=ANN),
        ],
        [(*NOT_ANN, "unknown-group")],
    ),
    Told(
        "a return that exceeds the orders is told once, with what exceeds them",
        [LISTED, paid("a", "ann"), *[returned("r", "ann", 3)] * 2],
        [COUNTED_ANN, ("order-refused", ANN, "r", 2, "exceeds-orders")],
    ),
    Told(
        "at the address of the member's orders if the list has none",
        [group(), paid("a", "ann", member_email=ANN), paid("b", "ann"), returned("r", "ann", 3)],
        [COUNTED_ANN, ("order-refused", ANN, "r", 1, "exceeds-orders")],
    ),
    Told(
        "or of the order it names, if that is the member's",
        [
            group(),
            placed("a", "ann", member_email=ANN),
            returned("r", "ann", 1, "a"),
            returned("q", "bob", 1, "a"),
            returned("p", "ann", 1),
            returned("o", "ann", 1, "b"),
        ],
        [WAITS_ANN, ("order-refused", ANN, "r", 1, "exceeds-orders")],
    ),
    Told("a return that counts is not told", [LISTED, paid("a", "ann"), returned("r", "ann")],
         [COUNTED_ANN]),
    Told(
        "a return of an unknown group is not told",
        [returned("r", "ann"), (OPENS + 3 * HOUR, group()), returned("r", "ann")],
        [],
    ),
    Told(
        "where nothing is known any more, nothing is told: the order may have counted",
        [group(), paid("a", "ann", member_email=ANN), (ENDED, paid("a", "ann", member_email=ANN))],
        [COUNTED_ANN],
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", OF_ORDERS, ids=lambda case: case.promise.replace(" ", "-"))
def test_letters_of_orders(case: Told) -> None:
    """Who has an address is told once of each order that counts or is refused."""
    played = play(*case.events)
    assert told(played) == case.letters
    check(played)


def test_letters_say_all_there_is_to_say() -> None:
    """Whole letters; what waited is told as of when it came."""
    by_cem = {"value": 70, "ordered_at": OPENS}
    played = play((OPENS, paid("a", "cem", 2, **by_cem)), (OPENS + MINUTE, LISTED),
                  paid("b", "cem", ordered_at=CLOSES))  # fmt: skip
    same = {"group_id": GROUP, "source": "shop", "product": Product(name="tea")}
    assert played.letters == [
        *notices("order-counted", CEM, GROUP, OPENS, "shop", "a", **same, order_id="a",
                 quantity=2, value=70, currency="EUR", closes_at=CLOSES, total_quantity=2,
                 number_of_products=3),
        *notices("order-refused", CEM, GROUP, OPENS + HOUR, "order", "shop", "b", **same,
                 order_id="b", quantity=1, reason="after-period"),
    ]  # fmt: skip


def test_an_order_and_a_return_of_one_name_are_told_apart() -> None:
    """Shops may number them alike; the letter of one must not pass for that of the other."""
    played = play(LISTED, paid("a", "ann", ordered_at=CLOSES), returned("a", "ann"))
    assert told(played) == [(*NOT_ANN, "after-period"), (*NOT_ANN, "exceeds-orders")]
    assert len({letter.notice_id for letter in played.letters}) == 2


def test_a_refusal_for_want_of_the_group_names_no_product() -> None:
    (letter,) = play((OPENS, paid("a", "ann", member_email=ANN)), time(OPENS + HOUR)).letters
    assert letter.says.product is None
    assert letter.at == OPENS + HOUR


def test_who_has_no_address_leaves_no_trace_of_one() -> None:
    """Rows and messages are as many and say no more; nothing falls due for a reminder."""
    played = play(group("ann", "bob"), paid("a", "ann"), placed("b", "bob"))
    rows = dict(played.rows)
    assert not played.letters
    assert rows["admitted/ann"] == Admitted(None)
    assert (rows["member/ann"].person_id, rows["order/shop/b"].person_id) == (None, None)
    assert "due/remind" not in rows
    assert all(row.person_id is None for row in played.members.values())
    assert not played.people


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ([placed("a", "ann", member_email=ANN)], "shop:ann"),
        ([placed("a", "ann", member_email=ANN), paid("a", "ann")], None),
        ([placed("a", "ann", member_email=ANN), cancelled("a")], None),
        ([placed("a", "ann", member_email=ANN), withdrawn(), paid("a", "ann")], None),
        ([paid("a", "ann", member_email=ANN, ordered_at=CLOSES)], None),
    ],
    ids=["placed", "counts", "cancelled", "refused-later", "refused"],
)
def test_an_order_names_its_person_only_while_its_money_is_awaited(
    events: list[Message], kept: str | None
) -> None:
    assert play(group(), *events).rows["order/shop/a"].person_id == kept
    by_list = play(LISTED, *events)
    assert by_list.rows["order/shop/a"].person_id is None, "the list's person is kept in the list"
    assert all(row.person_id is None for _, row in by_list.rows.scan("member/"))


JA = {"locale": "ja", "time_zone": "Asia/Tokyo"}


@pytest.mark.parametrize(
    ("terms", "orders", "person_id", "known"),
    [
        (group(), [paid("a", "ann")], None, {}),
        (group(), [paid("a", "ann", member_email=ANN)], "shop:ann", {"email": ANN}),
        (group(),
         [paid("a", "ann", member_email=ANN, member_locale="ja", member_time_zone="Asia/Tokyo")],
         "shop:ann", {"email": ANN, **JA}),
        (group(), [paid("a", "ann", member_locale="ja")], None, {}),
        (group(), [paid("a", "ann", member_email=ANN), paid("b", "ann")],
         "shop:ann", {"email": ANN}),
        (group(), [paid("a", "ann", member_email=ANN), paid("b", "ann", member_email=BOB)],
         "shop:ann", {"email": BOB}),
        (group(), [paid("a", "ann", member_email=ANN), cancelled("a"), paid("b", "ann")],
         "shop:ann", {"email": ANN}),
        (group(), [paid("a", "ann", person_id="m-1", member_email=ANN)], "m-1", {"email": ANN}),
        (group(), [paid("a", "ann", person_id="m-1")], "m-1", {}),
        (LISTED, [paid("a", "ann", member_email=BOB)], "m-ann", {}),
        (LISTED, [paid("a", "bob")], None, {}),
        (LISTED, [paid("a", "bob", member_email=BOB)], "shop:bob", {"email": BOB}),
        (LISTED, [paid("a", "cem")], "m-cem", {}),
    ],
    ids=["none", "the-order-s", "in-its-language", "nowhere-to-write-to", "kept",
         "the-latest", "after-a-cancellation", "under-its-own-id", "known-elsewhere",
         "the-list-s-first", "listed-without", "listed-without-but-ordered-with", "listed"],
)  # fmt: skip
def test_a_row_says_whom_its_letters_go_to(
    terms: GroupPurchase, orders: list[Message], person_id: str | None, known: dict[str, str]
) -> None:
    """So favor_service can write letters too. The address is the person's latest."""
    played = play(terms, *orders)
    (row,) = played.members.values()
    assert row.person_id == person_id
    wanted = Person(person_id=person_id or "", seen_at=OPENS + HOUR, **known) if known else None
    assert (played.people[-1] if played.people else None) == wanted


# --- reminders -----------------------------------------------------------------------------------

DAY = timedelta(days=1)
THREE_QUARTERS = OPENS + 18 * HOUR


@pytest.mark.parametrize(
    ("period", "after"),
    [
        (14 * DAY, 13 * DAY),
        (2 * DAY + INSTANT, DAY + INSTANT),
        (2 * DAY, DAY),
        (2 * DAY - 4 * INSTANT, 36 * HOUR - 3 * INSTANT),
        (DAY, 18 * HOUR),
        (HOUR, 45 * MINUTE),
    ],
    ids=str,
)
def test_members_are_reminded_a_day_before_the_close(period: timedelta, after: timedelta) -> None:
    """Of a period under two days, when three quarters of it are over; at that time, and once."""
    terms = group(members=MAILED, closes_at=OPENS + period)
    before = play((OPENS, terms), time(OPENS + after - INSTANT))
    assert not before.letters
    played = play((OPENS, terms), time(OPENS + after), (OPENS + after, terms),
                  time(OPENS + period), time(OPENS + period + 3 * DAY))  # fmt: skip
    assert played.letters == [
        notice
        for person in (MAILED[0], CEM)
        for notice in notices(
            "deadline-reminder", person, GROUP, OPENS + after, group_id=GROUP,
            product=Product(name="tea"), number_of_products=3, total_quantity=0,
            closes_at=OPENS + period,
        )
    ]  # fmt: skip


REMINDED_CEM = ("deadline-reminder", CEM_MAIL, 1)
IN_TIME, AFTER = THREE_QUARTERS - INSTANT, THREE_QUARTERS + INSTANT

OF_THE_DEADLINE = [
    Told(
        "who has an order that counts is not reminded",
        [LISTED, paid("a", "ann"), time(AFTER)],
        [COUNTED_ANN, REMINDED_CEM],
    ),
    Told(
        "who is listed without an address is not, even if an order gave one",
        [LISTED_BY_CARD, placed("a", "bob", member_email=BOB), payment("b"), time(AFTER)],
        [
            ("order-waits", BOB, "a", 1, None),
            ("deadline-reminder", ANN, 0),
            ("deadline-reminder", CEM_MAIL, 0),
        ],
    ),
    Told(
        "who has an order that does not count yet, or no more, is reminded",
        [
            LISTED,
            paid("a", "ann"),
            paid("b", "bob"),
            placed("c", "cem"),
            returned("r", "ann"),
            time(AFTER),
        ],
        [
            COUNTED_ANN,
            ("order-waits", CEM_MAIL, "c", 1, None),
            ("deadline-reminder", ANN, 1),
            REMINDED_CEM,
        ],
    ),
    Told(
        "an order just before spares the reminder, one just after comes too late for that",
        [LISTED, (IN_TIME, paid("a", "ann")), (AFTER, paid("c", "cem")), time(CLOSES)],
        [COUNTED_ANN, REMINDED_CEM, ("order-counted", CEM_MAIL, "c", 1, 2)],
    ),
    Told(
        "members who came in parts are reminded, and those of the request",
        [
            MembersAdmitted(group_id=GROUP, part=1, parts=2, members=MAILED[:1]),
            MembersAdmitted(group_id=GROUP, part=2, parts=2, members=MAILED[1:2]),
            group(members=MAILED[2:]),
            time(AFTER),
        ],
        [("deadline-reminder", ANN, 0), ("deadline-reminder", CEM_MAIL, 0)],
    ),
    Told(
        "of a group open to anyone nobody is",
        [group(), paid("a", "ann", member_email=ANN), returned("r", "ann"), time(AFTER)],
        [COUNTED_ANN],
    ),
    Told("of a withdrawn group nobody is", [LISTED, group(withdrawn_at=OPENS), time(AFTER)], []),
    Told("nor of one that came withdrawn", [group(members=MAILED, withdrawn_at=OPENS)], []),
    Told(
        "of a complete group nobody is",
        [
            group(members=MAILED[:1]),
            paid("a", "ann", 3),
            cancelled("a"),
            time(AFTER),
        ],
        [("order-counted", ANN, "a", 3, 3)],
    ),
    Told(
        "nor of one that what waited completes",
        [paid("a", "ann", 3), group(members=MAILED[:1]), cancelled("a"), time(AFTER)],
        [("order-counted", ANN, "a", 3, 3)],
    ),
    Told(
        "a group known only later is told of by its id's letter alone",
        [(THREE_QUARTERS, LISTED), time(CLOSES + DAY)],
        [],
    ),
]


@pytest.mark.parametrize("case", OF_THE_DEADLINE, ids=lambda case: case.promise.replace(" ", "-"))
def test_reminders(case: Told) -> None:
    """While the group is open, listed members who have an address and nothing that counts."""
    played = play(*case.events)
    assert told(played) == case.letters
    check(played)
    assert "due/remind" not in played.rows


@pytest.mark.slow
@pytest.mark.parametrize("listed", [1, 499, 500, 501, 1_000, 1_250])
def test_reminders_go_in_chunks(listed: int) -> None:
    """No call sees more than its rows, and each member gets one; others' records wait meanwhile."""
    names = [f"m{n:04}" for n in range(listed)]
    members = tuple(Member(id=name, person_id=name) for name in names)
    parts = [members[start : start + 1_000] for start in range(0, listed, 1_000)]
    played = play(
        *(MembersAdmitted(group_id=GROUP, part=part, parts=len(parts), members=some)
          for part, some in enumerate(parts, 1)),
        group(), *(paid(name, name) for name in names[::7]),
    )  # fmt: skip
    counted = len(played.letters)
    del played.rows["due/remind"]
    purchases.begin_reminding("due/remind", played.rows, THREE_QUARTERS)
    calls = []
    while "chunk/remind" in played.rows:
        calls.append(purchases.remind_members(played.rows, THREE_QUARTERS))
    assert all(len(call) <= purchases.ROWS_PER_CALL for call in calls)
    assert len(calls) == listed // purchases.ROWS_PER_CALL + 1
    reminded = [letter.key for letter in itertools.chain.from_iterable(calls)]
    assert reminded == [name for n, name in enumerate(names) if n % 7]
    assert counted + len(reminded) == listed


#: What rows did not have before there were letters.
NEW = {
    "terms": ("product", "shop_id", "seller_id"),
    "admitted": ("person_id", "name_mark"),
    "listed": ("has_reachable",),
    "member": ("person_id",),
    "order": ("person_id",),
    "chunk": ("after", "step", "words"),
}


def test_a_group_from_before_there_were_letters_goes_on() -> None:
    """Its rows are read and it closes as ever; nothing is told where the product is not known."""
    played = play(LISTED, paid("a", "ann"), placed("b", "ann"), (IN_TIME, payment("c")))
    del played.rows["due/remind"]
    played.sent.clear()
    others = {"listed": Listed(1), "chunk/drain": Chunk(), "waits": Waits(0)}
    for name, row in {**played.rows, **others}.items():
        table = name.partition("/")[0]
        written = msgspec.json.decode(msgspec.json.encode(row))
        for field in NEW.get(table, ()):
            del written[field]
        kind = {**PROCESSOR.rows, "due": Due}[table]
        played.rows[name] = msgspec.json.decode(msgspec.json.encode(written), type=kind)
    played.play([(AFTER, paid("b", "ann", member_email=ANN)), time(DEADLINE)])
    assert not played.letters
    assert (played.state.status, played.state.quantity) == ("elapsed", 2)
    assert played.members["ann"].person_id == "shop:ann"


def test_an_order_that_waits_says_all_there_is_to_say() -> None:
    """By whom it is sold too; and of the product what a letter shows, however much there is."""
    sold = Product(
        id="RB-300", name="tea", description="x" * 10_000, url="https://acme.example/tea",
        images=("a" * 64, "b" * 64), category="drinks", tags=("green",),
    )  # fmt: skip
    terms = group(members=MAILED, payment=PaymentTerms(method="card"), product=sold,
                  shop_id="acme", seller_id="mori")  # fmt: skip
    same = {"group_id": GROUP, "source": "shop", "order_id": "a", "quantity": 2, "value": 200,
            "currency": "EUR", "closes_at": CLOSES, "product": sold.brief(), "shop_id": "acme",
            "seller_id": "mori"}  # fmt: skip
    played = play(terms, placed("a", "cem", 2), payment("a"))
    assert played.letters == [
        *notices("order-waits", CEM, GROUP, OPENS + HOUR, "shop", "a", **same, method="card"),
        *notices("order-counted", CEM, GROUP, OPENS + HOUR, "shop", "a", **same,
                 total_quantity=2, number_of_products=3),
    ]  # fmt: skip
    (opened,) = (each for each in played.sent if isinstance(each, PurchaseOpened))
    assert opened.product == sold
    assert sold.description not in repr(played.rows)


# --- any feed ------------------------------------------------------------------------------------

ORDER_IDS = "abcdef"
MEMBERS = ("ann", "bob", "cem")


@st.composite
def messages_of_one_order(draw: st.DrawFn, order_id: str) -> list[Message]:
    """What may be said of an order, none of it depending on when it comes."""
    member = draw(st.sampled_from(MEMBERS))
    about: dict[str, Any] = {
        "member": member,
        "member_email": f"{member}{MAIL}",
        "quantity": draw(st.integers(1, 4)),
        "value": draw(st.none() | st.integers(0, 50)),
        "ordered_at": OPENS + MINUTE * draw(st.integers(-1, 2)),
    }
    possible = [
        placed(order_id, **about),
        paid(order_id, **about),
        payment(order_id),
        cancelled(order_id),
    ]
    return draw(st.lists(st.sampled_from(possible), min_size=1, unique_by=id))


@st.composite
def feeds(draw: st.DrawFn) -> tuple[GroupPurchase, list[Message], list[Message]]:
    """Terms, some messages, and the same ones in another order with repeats."""
    terms = draw(
        st.sampled_from((group(), BY_CARD, BY_GROUP, STOPS, group(*MEMBERS), group("ann")))
    )
    said = [
        draw(messages_of_one_order(order_id)) for order_id in ORDER_IDS[: draw(st.integers(1, 6))]
    ]
    messages = list(itertools.chain.from_iterable(said))
    repeats = draw(st.lists(st.sampled_from(messages), max_size=6))
    return terms, messages, draw(st.permutations([*messages, *repeats]))


def totals(played: Played) -> object:
    """What must not depend on the feed; a withdrawn row and no row say the same."""
    rows = {
        (
            row.member_id,
            row.quantity,
            row.value,
            row.orders,
            row.first_ordered_at,
            row.last_ordered_at,
        )
        for row in played.members.values()
        if row.orders
    }
    state = played.state
    return rows, state.quantity, state.value, state.members


def one_letter(letter: Notice) -> tuple[str, object]:
    return letter.notice_id, letter.says


def letters_that_stand(played: Played, messages: list[Message]) -> set[str]:
    """Which letters were sent, of orders that nothing cancels.

    An order waits for its money only if that does not come before it.
    """
    void = {each.order_id for each in messages if isinstance(each, OrderCancelled)}
    return {
        each.notice_id
        for each in played.letters
        if each.says.order_id not in void and each.kind != "order-waits"
    }


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(feeds())
def test_totals_do_not_depend_on_repeats_or_order(
    feed: tuple[GroupPurchase, list[Message], list[Message]],
) -> None:
    """Any interleaving of the same messages, repeated at will, comes to the same."""
    terms, messages, jumbled = feed
    plain, other = play(terms, *messages), play(terms, *jumbled)
    check(plain)
    check(other)
    assert totals(plain) == totals(other)
    assert letters_that_stand(plain, messages) == letters_that_stand(other, messages)
    cancelled_ids = {each.order_id for each in messages if isinstance(each, OrderCancelled)}
    final = [
        {refused for refused in played.refused if refused[0] not in cancelled_ids}
        for played in (plain, other)
    ]
    assert final[0] == final[1]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(feeds(), st.integers(0, 30))
def test_totals_do_not_depend_on_when_the_group_is_known(
    feed: tuple[GroupPurchase, list[Message], list[Message]], at: int
) -> None:
    """Topics race each other: the group may come anywhere among its orders."""
    terms, _, messages = feed
    first, late = play(terms, *messages), play(*messages[:at], terms, *messages[at:])
    check(late)
    assert totals(first) == totals(late)
    assert Counter(map(one_letter, first.letters)) == Counter(map(one_letter, late.letters))
    assert Counter(first.refused) == Counter(late.refused)
    assert first.state.closed_at == late.state.closed_at


@st.composite
def returns(draw: st.DrawFn) -> OrderReturned:
    """A return of anything by anyone."""
    order_id = draw(st.none() | st.sampled_from(ORDER_IDS))
    return_id = draw(st.sampled_from(("r1", "r2", "r3", "r4")))
    return returned(return_id, draw(st.sampled_from(MEMBERS)), draw(st.integers(1, 5)), order_id)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(feeds(), st.lists(returns(), max_size=6), st.randoms(use_true_random=False))
def test_returns_never_take_more_than_there_is(
    feed: tuple[GroupPurchase, list[Message], list[Message]],
    back: list[OrderReturned],
    random: Any,
) -> None:
    """Sums and versions hold whatever returns say, and each event said again changes nothing."""
    terms, _, messages = feed
    messages = [*messages, *back]
    random.shuffle(messages)
    once = play(terms, *messages)
    check(once)
    assert all(row.quantity >= 0 and row.value >= 0 for row in once.members.values())
    at_once = play(terms, *(each for each in messages for _ in range(2)))
    assert totals(at_once) == totals(once)
    assert at_once.state == once.state
    assert dict(at_once.rows) == dict(once.rows)


# --- what the letter of an order says of the discount --------------------------------------------


@pytest.mark.parametrize(
    ("if_incomplete", "quantity", "says"),
    [
        ("as-reached", 1, (None, 5)),
        ("as-reached", 2, (5, 10)),
        ("as-reached", 4, (10, None)),
        ("none", 1, (None, 5)),
        ("none", 2, (None, None)),
        ("none", 3, (5, 10)),
    ],
)
def test_the_letter_of_an_order_says_what_the_group_has_earned(
    if_incomplete: str, quantity: int, says: tuple[int | None, int | None]
) -> None:
    """The goal is 3; 5 % begin at 2, and 10 % at 4. Some earn none before the goal."""
    tiers = (Tier(from_quantity=4, percent_off=10), Tier(from_quantity=2, percent_off=5))
    terms = group(favor=FavorTerms(tiers=tiers), if_incomplete=if_incomplete)
    (letter,) = play(terms, paid("a", "ann", quantity, member_email=ANN)).letters
    told = (letter.says.tier, letter.says.next_tier)
    assert tuple(each and each.percent_off for each in told) == says
