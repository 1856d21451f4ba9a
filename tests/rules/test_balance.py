"""The three steps of a payer's balance on values alone: owed, done, the difference."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.payment_service.rows import Cause, Group, Move, Moves, Order, Payer, Terms
from services.payment_service.rules.balance import (
    Account,
    Action,
    Arrived,
    Become,
    Begin,
    CallOff,
    Owed,
    difference,
    difference_of_orders,
    done,
    is_level,
    owed,
    papers_covered,
)
from tests.rules.payment_world import DAY, T

ORDER = Cause("order")
FAVOR = Cause("favor", favor_version=1)
CLOSED = Group(ended="closed", decided=True)
OPEN_TERMS = Terms("r-1", "member", "card", "EUR", 1_000, T + 20 * DAY)


def move(kind: Any, method: Any, amount: int, status: Any = "succeeded", **more: Any) -> Move:
    fields = {"version": 1, "payer": "ann", "currency": "EUR", "cause": ORDER} | more
    return Move(kind=kind, method=method, amount=amount, status=status, **fields)


def account(payer: Payer, group: Group | None = None, **more: Any) -> Account:
    base = Account("ann", "card", OPEN_TERMS, group or Group(), payer, {}, 0)
    return base._replace(**more)


HELD = {"h": move("authorisation", "card", 2_000, "authorised")}
CHARGED = {"c": move("charge", "card", 2_000)}
BILLED = {"i": move("invoice", "invoice", 2_000, "pending", received=0)}


# --- what is owed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (account(Payer(value=2_000)), Owed("card", 2_000, 0, False, ORDER)),
        (account(Payer(value=2_000, favor=200, favor_version=1), CLOSED),
         Owed("card", 1_800, 0, True, FAVOR)),
        (account(Payer(value=2_000), Group(ended="withdrawn")),
         Owed("card", 0, 0, True, Cause("withdrawal"))),
        (account(Payer(value=2_000, shop=2_000, favor=200, favor_version=1), CLOSED),
         Owed("card", 0, -200, True, FAVOR)),
        (account(Payer(value=2_000, favor=200, favor_version=1), CLOSED, method="shop"),
         Owed("shop", 0, -200, True, FAVOR)),
        (account(Payer(value=2_000), payer_id="", terms=replace(OPEN_TERMS, scope="group")),
         Owed("card", 0, 0, False, ORDER)),
        (account(Payer(value=2_000, awaits=1)), None),
        (account(Payer(value=2_000), mark=1), None),
    ],
)  # fmt: skip
def test_what_is_owed(given: Account, expected: Owed | None) -> None:
    assert owed(given) == expected


# --- what is done, and the difference ------------------------------------------------------------


def card(amount: int, *, final: bool = True, shop: int = 0) -> Owed:
    return Owed("card", amount, shop, final, ORDER)


def bill(amount: int) -> Owed:
    return Owed("invoice", amount, 0, True, ORDER)


@pytest.mark.parametrize(
    ("sums", "moves", "expected"),
    [
        # A hold covers the sum until that is final; then it is captured, or released.
        (card(2_000, final=False), HELD, []),
        (card(1_800), HELD, [Begin("capture", "card", 1_800, ORDER, "h")]),
        (card(0), HELD, [Begin("release", "card", 2_000, ORDER, "h")]),
        # The rest is charged, the excess refunded.
        (card(2_500), HELD,
         [Begin("capture", "card", 2_000, ORDER, "h"), Begin("charge", "card", 500, ORDER)]),
        (card(1_800), CHARGED, [Begin("refund", "card", 200, ORDER, "c")]),
        (card(2_000), CHARGED, []),
        # A charge of another sum is called off, and the next one waits for the answer.
        (card(500), {"c": move("charge", "card", 400, "pending")}, [CallOff("c")]),
        # The shop refunds what it took beyond the sum; a failed instruction is replaced.
        (card(0, shop=-300), {}, [Begin("refund", "shop", 300, ORDER)]),
        (card(0, shop=-300), {"r": move("refund", "shop", 200, "failed")},
         [CallOff("r"), Begin("refund", "shop", 300, ORDER)]),
        (card(0, shop=-200), {"r": move("refund", "shop", 200, "failed")}, []),
        # Invoices and credit notes claim the sum; money beyond it is paid back.
        (bill(2_000), {}, [Begin("invoice", "invoice", 2_000, ORDER)]),
        (bill(1_800), BILLED, [Begin("credit", "invoice", 200, ORDER)]),
        (bill(1_800), {"i": move("invoice", "invoice", 2_000, received=2_000),
                       "n": move("credit", "invoice", 200)},
         [Begin("refund", "invoice", 200, ORDER)]),
    ],
)  # fmt: skip
def test_the_difference(sums: Owed, moves: Moves, expected: list[Action]) -> None:
    assert difference(sums, moves) == expected


def test_nothing_is_moved_while_a_payment_may_have_been_done() -> None:
    lost = {**CHARGED, "r": move("refund", "card", 200, "failed", parent="c", is_unsure=True)}
    assert done(lost).is_unsure
    assert difference(card(1_500), lost) == []
    assert not is_level(card(1_800), lost)


@pytest.mark.parametrize(
    ("received", "credit", "expected"),
    [(0, 0, []), (2_000, 0, [Become("i", "succeeded")]), (0, 2_000, [Become("i", "cancelled")])],
)
def test_an_invoice_ends_once_money_and_credit_notes_cover_it(
    received: int, credit: int, expected: list[Action]
) -> None:
    moves = {"i": replace(BILLED["i"], received=received), "n": move("credit", "invoice", credit)}
    assert list(papers_covered(moves)) == expected


# --- orders that are paid one by one -------------------------------------------------------------

PLACED = Order("placed", "ann", 2, 2_000)
OF_ORDER = Cause("order", "shop", "o1")


@pytest.mark.parametrize(
    ("order", "closes_in", "moves", "expected"),
    [
        (PLACED, 20 * DAY, {}, [Begin("charge", "card", 2_000, OF_ORDER, order="order/shop/o1")]),
        (PLACED, 3 * DAY, {},
         [Begin("authorisation", "card", 2_000, OF_ORDER, order="order/shop/o1")]),
        (replace(PLACED, by_shop=True), 3 * DAY, {}, []),
        (replace(PLACED, payment_id="h"), 3 * DAY, {"h": replace(HELD["h"], was_there=True)},
         [Arrived("order/shop/o1")]),
        (replace(PLACED, payment_id="h", is_there=True, state="dead"), 3 * DAY, HELD,
         [Begin("release", "card", 2_000, ORDER, "h")]),
    ],
)  # fmt: skip
def test_an_order_is_charged_by_itself(
    order: Order, closes_in: timedelta, moves: Moves, expected: list[Action]
) -> None:
    now: datetime = T + 20 * DAY - closes_in
    given = account(Payer(orders=("order/shop/o1",)), orders={"order/shop/o1": order})
    assert difference_of_orders(given, moves, now) == expected
