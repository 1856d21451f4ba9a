"""Sums that no message can hold are refused where they come, by each service that adds them up.

At the limit all counts, one beyond it nothing does, and what was there stays as it is.
"""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from domain.money import worth
from runtime.processor import Processor
from runtime.rows import MemoryRows, UnusableError
from schemas.favors import Favor
from schemas.groups import GroupPurchase
from schemas.orders import (
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import NUMBER_MAX, SUM_MAX, Message, Period, Product
from schemas.payments import Payment, PaymentReported
from services.favor_service.processor import FAVORS_PROCESSOR
from services.order_service.processor import PROCESSOR as PURCHASES
from services.payment_service import rows as payment_rows
from services.payment_service.processor import PROCESSOR as PAYMENTS
from services.payment_service.rules import facts as payment_facts
from services.shop_bridge.processor import INSTRUCTIONS
from tests.rules.payment_world import GROUP, T, World, terms

PRICE = 1_000_001


def apply(processor: Processor, rows: MemoryRows, *messages: Message) -> list[Message]:
    """Take messages, and what goes in chunks; what is sent."""
    sent: list[Message] = []
    for message in messages:
        sent += processor.on[type(message)](message, rows, T)
        while chunks := [name for name in rows if name.startswith("chunk/")]:
            sent += processor.chunks[chunks[0].split("/")[1]](rows, T)
    return sent


def priced(unit_price: int, scope: str = "member", method: str = "invoice") -> GroupPurchase:
    return terms(scope, method).model_copy(update={"unit_price": unit_price})


def order(order_id: str, quantity: int = 1, *, paid: bool = False, **fields: Any) -> Message:
    given: dict[str, Any] = {
        "order_id": order_id,
        "source": "shop",
        "group_id": GROUP,
        "member_id": "ann",
        "quantity": quantity,
        "ordered_at": T,
    }
    return (OrderPaid if paid else OrderPlaced)(**given | fields)


def row(member: str, quantity: int, value: int, version: int = 1) -> PurchaseRow:
    return PurchaseRow(
        group_id=GROUP,
        request_id="R",
        member_id=member,
        version=version,
        quantity=quantity,
        value=value,
        period=Period(opens_at=T, closes_at=T + timedelta(days=1)),
        orders=1,
    )


def favor(member: str, amount: int) -> Favor:
    return Favor(
        group_id=GROUP,
        request_id="R",
        member_id=member,
        version=1,
        basis="complete",
        amount=amount,
        row_version=1,
    )


def refusals(sent: list[Message]) -> list[tuple[str, str]]:
    return [(each.order_id, each.reason) for each in sent if isinstance(each, OrderRefused)]


@pytest.mark.parametrize(
    ("quantity", "unit_price", "value", "expected"),
    [(3, 5, None, 15), (3, 5, 7, 7), (3, 5, 0, 0), (3, None, None, None), (3, None, 7, 7)],
)
def test_an_order_is_worth_what_it_says_else_its_units_at_their_price(
    quantity: int, unit_price: int | None, value: int | None, expected: int | None
) -> None:
    assert worth(quantity, unit_price, value) == expected


# --- order_service -------------------------------------------------------------------------------

TOO_MUCH: list[tuple[str, int, list[Message], list[tuple[str, str]]]] = [
    ("as many as can be at a million", 1_000_000, [order("o", NUMBER_MAX, paid=True)], []),
    ("at a price of one more, placed", PRICE, [order("o", NUMBER_MAX)], [("o", "beyond-limits")]),
    ("the same, paid", PRICE, [order("o", NUMBER_MAX, paid=True)], [("o", "beyond-limits")]),
    (
        "at a price of its own",
        1,
        [order("o", NUMBER_MAX, unit_price=PRICE)],
        [("o", "beyond-limits")],
    ),
    (
        "a unit more than can be summed up",
        1,
        [order("o", NUMBER_MAX, paid=True), order("p", paid=True)],
        [("p", "beyond-limits")],
    ),
    (
        "placed when the sum is full",
        1,
        [order("o", value=SUM_MAX, paid=True), order("p", value=1)],
        [("p", "beyond-limits")],
    ),
    (
        "told again, and answered again",
        PRICE,
        [order("o", NUMBER_MAX)] * 2,
        [("o", "beyond-limits")] * 2,
    ),
]


@pytest.mark.parametrize(
    ("what", "price", "orders", "refused"), TOO_MUCH, ids=lambda x: str(x)[:40]
)
def test_an_order_that_is_worth_too_much_is_refused_when_it_comes(
    what: str, price: int, orders: list[Message], refused: list[tuple[str, str]]
) -> None:
    rows = MemoryRows(GROUP)
    sent = apply(PURCHASES, rows, priced(price), *orders)
    assert refusals(sent) == refused, what
    state = PURCHASES.facts["purchase"]("purchase", rows)
    assert isinstance(state, PurchaseState)
    assert state.quantity <= NUMBER_MAX


def test_an_order_that_waits_for_its_group_is_refused_when_that_comes() -> None:
    rows = MemoryRows(GROUP)
    sent = apply(PURCHASES, rows, order("o", NUMBER_MAX), priced(PRICE))
    assert refusals(sent) == [("o", "beyond-limits")]


def test_two_orders_that_fit_alone_count_once_their_money_comes_and_only_the_first() -> None:
    rows = MemoryRows(GROUP)
    first, second = (order(each, value=SUM_MAX) for each in "op")
    apply(PURCHASES, rows, priced(1), first, second)
    there = [order(each, value=SUM_MAX, paid=True) for each in "op"]
    assert refusals(apply(PURCHASES, rows, *there)) == [("p", "beyond-limits")]


# --- payment_service -----------------------------------------------------------------------------


def payments(rows: MemoryRows) -> list[Payment]:
    return [payment_facts.payment(each, rows) for each in rows if each.startswith("payment/")]


@pytest.mark.parametrize("method", ["invoice", "card", "shop"])
@pytest.mark.parametrize("scope", ["member", "group"])
@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_nothing_is_asked_for_an_order_that_is_worth_too_much(
    method: str, scope: str, paid: bool, early: bool
) -> None:
    rows = MemoryRows(GROUP)
    messages = [priced(PRICE, scope, method), order("o", NUMBER_MAX, paid=paid)]
    sent = apply(PAYMENTS, rows, *(reversed(messages) if early else messages))
    assert (payments(rows), sent) == ([], [])


def test_orders_by_invoice_that_no_sum_holds_are_refused_for_the_payer_alone() -> None:
    """The payment that says so makes order_service refuse the order; another payer's is asked."""
    rows = MemoryRows(GROUP)
    orders = [order("o", value=SUM_MAX), order("p", value=1), order("q", value=1, member_id="bob")]
    apply(PAYMENTS, rows, priced(1), *orders)
    told = payments(rows)
    assert [(each.kind, each.amount, each.status, each.problem) for each in told] == [
        ("invoice", SUM_MAX, "pending", None),
        ("charge", 1, "cancelled", "beyond-limits"),
        ("invoice", 1, "pending", None),
    ]
    counted = MemoryRows(GROUP)
    apply(PURCHASES, counted, priced(1), orders[0], orders[1])
    assert refusals(apply(PURCHASES, counted, told[1])) == [("p", "beyond-limits")]
    assert refusals(apply(PURCHASES, counted, told[1])) == []
    assert counted["order/shop/o"].state == "placed"


def test_the_whole_world_survives_orders_that_no_sum_holds() -> None:
    """Orders, favors and payments come to rest, and the member owes what counted."""
    it = World(Random(0), priced(PRICE))
    it.commands["orders"] += [order("o", NUMBER_MAX), order("p", 2)]
    it.come_to_rest()
    assert it.is_settled()
    assert it.paid("ann") == it.owed()["ann"] == 2 * PRICE - 200_000


SUMS = [
    ("units", "group", [row("ann", NUMBER_MAX, 1)], row("bob", 1, 1)),
    ("values", "group", [row("ann", 1, SUM_MAX)], row("bob", 1, 1)),
    ("values of many payers", "member", [row("ann", 1, SUM_MAX)], row("bob", 1, 1)),
    ("one row's units", "member", [], row("ann", NUMBER_MAX + 1, 1)),
    ("favors", "group", [row("ann", 1, 1), favor("ann", SUM_MAX)], favor("bob", 1)),
]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(("what", "scope", "before", "beyond"), SUMS, ids=[s[0] for s in SUMS])
def test_facts_that_no_sum_holds_are_set_aside(
    what: str, scope: str, before: list[Message], beyond: Message, early: bool
) -> None:
    """Before the terms too; nothing of the group has changed by them, and it goes on."""
    rows = MemoryRows(GROUP)
    apply(PAYMENTS, rows, *([] if early else [priced(1, scope)]), *before)
    kept = dict(rows)
    with pytest.raises(UnusableError, match=r"^beyond-limits: "):
        apply(PAYMENTS, rows, beyond)
    assert dict(rows) == kept
    apply(PAYMENTS, rows, *([priced(1, scope)] if early else []), row("ann", 0, 0, version=2))
    assert rows["member/ann"].version == 2


def received(payment_id: str, number: int, amount: int | None) -> PaymentReported:
    return PaymentReported(
        report_id=f"r{number}",
        group_id=GROUP,
        payment_id=payment_id,
        status="succeeded",
        amount=amount,
        at=T,
    )


@pytest.mark.parametrize("second", [0, 1], ids=["the same invoice", "another of the payer"])
def test_money_that_no_sum_holds_is_not_received(second: int) -> None:
    """What no message holds twice is set aside the second time; the first counts, once."""
    rows = MemoryRows(GROUP)
    apply(PAYMENTS, rows, priced(5), order("o"), order("p"))
    ids = [each.payment_id for each in payments(rows)]
    first = received(ids[0], 1, SUM_MAX)
    apply(PAYMENTS, rows, first, first)
    kept = dict(rows)
    for amount in (SUM_MAX, 1):
        with pytest.raises(UnusableError, match=r"^beyond-limits: "):
            apply(PAYMENTS, rows, received(ids[second], 2, amount))
    assert dict(rows) == kept
    assert [each.received for each in payments(rows) if each.kind == "invoice"] == [SUM_MAX, None]
    apply(PAYMENTS, rows, first, received(ids[second], 3, 0))


def test_more_than_one_payment_can_hold_goes_back_in_two() -> None:
    """The shop was told to charge all, then had it all too: after a withdrawal both go back."""
    rows = MemoryRows(GROUP)
    given = priced(1, "group", "shop")
    closed = PurchaseState(
        group_id=GROUP, request_id="R", version=9, status="withdrawn", quantity=1, value=SUM_MAX,
        members=1,
    )  # fmt: skip
    ended = rows
    apply(PAYMENTS, rows, given, row("ann", 1, SUM_MAX))
    rows["group"] = payment_rows.Group(
        ended="complete", decided=True, quantity=1, value=SUM_MAX, unsettled=1
    )
    apply(PAYMENTS, rows, row("ann", 2, SUM_MAX, version=2))
    (charge,) = payments(rows)
    assert (charge.kind, charge.amount) == ("charge", SUM_MAX)
    apply(PAYMENTS, rows, received(charge.payment_id, 1, None))
    rows["group"] = payment_rows.Group(quantity=2, value=SUM_MAX, unsettled=1)
    apply(PAYMENTS, rows, order("o", value=SUM_MAX, paid=True), closed)
    for number in (2, 3):
        refund = payments(ended)[-1]
        assert (refund.kind, refund.amount, refund.status) == ("refund", SUM_MAX, "pending")
        apply(PAYMENTS, rows, received(refund.payment_id, number, None))
    assert len(payments(rows)) == 3


# --- favor_service -------------------------------------------------------------------------------


def opened(**favor: Any) -> PurchaseOpened:
    return PurchaseOpened(
        group_id=GROUP,
        request_id="R",
        version=1,
        requested_at=T,
        issued_at=T,
        product=Product(name="tea"),
        number_of_products=1,
        opens_at=T,
        closes_at=T + timedelta(days=1),
        favor={"tiers": ({"from_quantity": 1} | favor,)},
    )


def complete(quantity: int, value: int) -> PurchaseState:
    return PurchaseState(
        group_id=GROUP, request_id="R", version=9, status="complete", quantity=quantity,
        value=value, members=1, closed_at=T,
    )  # fmt: skip


@pytest.mark.parametrize("beyond", [row("bob", 1, 1), row("bob", NUMBER_MAX, 0)])
def test_rows_that_no_sum_holds_get_no_favor(beyond: PurchaseRow) -> None:
    rows = MemoryRows(GROUP)
    apply(FAVORS_PROCESSOR, rows, opened(percent_off=100), row("ann", 1, SUM_MAX))
    kept = dict(rows)
    with pytest.raises(UnusableError, match=r"^beyond-limits: "):
        apply(FAVORS_PROCESSOR, rows, beyond)
    assert dict(rows) == kept
    sent = apply(FAVORS_PROCESSOR, rows, complete(1, SUM_MAX))
    assert [each.amount for each in sent if isinstance(each, Favor)] == [SUM_MAX]


@pytest.mark.parametrize(
    ("ladder", "amount"),
    [
        ({"percent_off": 1e308}, 700),
        ({"percent_off": -5}, 0),
        ({"amount_off": 10**40}, 700),
        ({"amount_off": -1}, 0),
        ({"unit_price": -(10**40)}, 700),
        ({"unit_price": 10**40}, 0),
    ],
)
def test_an_impossible_ladder_gives_from_nothing_to_the_value(
    ladder: dict[str, Any], amount: int
) -> None:
    rows = MemoryRows(GROUP)
    sent = apply(FAVORS_PROCESSOR, rows, opened(**ladder), row("ann", 2, 700), complete(2, 700))
    assert [each.amount for each in sent if isinstance(each, Favor)] == [amount]


def test_a_close_without_terms_is_set_aside_until_it_comes_after_them() -> None:
    rows = MemoryRows(GROUP)
    with pytest.raises(UnusableError):
        apply(FAVORS_PROCESSOR, rows, complete(1, 1))
    assert not rows
    sent = apply(FAVORS_PROCESSOR, rows, opened(percent_off=50), row("ann", 1, 4), complete(1, 4))
    assert [each.amount for each in sent if isinstance(each, Favor)] == [2]


# --- shop_bridge ---------------------------------------------------------------------------------


def test_a_shop_is_asked_nothing_for_an_order_that_is_worth_too_much() -> None:
    rows = MemoryRows(GROUP)
    apply(INSTRUCTIONS, rows, order("o", NUMBER_MAX, unit_price=PRICE, paid=True))
    assert rows["order/shop/o"].value == 0
