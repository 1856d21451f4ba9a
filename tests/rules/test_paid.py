"""Whether what a payer ordered is paid, as payment facts tell: a table of cases."""

from typing import Any

import pytest

from schemas.payments import Payment
from services.storefront.rules.paid import is_unpaid_order, paid_state


def payment(kind: str, status: str, amount: int = 1_000, **fields: Any) -> Payment:
    said: dict[str, Any] = {
        "payment_id": f"{kind}-{status}-{amount}",
        "group_id": "g",
        "member_id": "m",
        "kind": kind,
        "method": "invoice" if kind in ("invoice", "credit") else "card",
        "amount": amount,
        "currency": "EUR",
        "status": status,
        "cause": {"kind": "favor" if kind in ("credit", "refund") else "order"},
        "version": 1,
    }
    return Payment.model_validate(said | fields)


HOLD, HELD = payment("authorisation", "pending"), payment("authorisation", "authorised")
CAPTURED = payment("authorisation", "succeeded")
CAPTURE = payment("capture", "succeeded")
BILLED = payment("invoice", "pending")


@pytest.mark.parametrize(
    ("payments", "state"),
    [
        ([], "none"),
        ([HOLD], "unpaid"),
        ([payment("authorisation", "failed")], "unpaid"),
        ([payment("charge", "pending")], "unpaid"),
        ([payment("charge", "failed")], "unpaid"),
        ([payment("authorisation", "cancelled")], "none"),
        ([HELD], "reserved"),
        ([HELD, payment("capture", "pending")], "reserved"),
        ([HELD, payment("capture", "failed")], "unpaid"),
        ([CAPTURED, CAPTURE], "paid"),
        ([payment("charge", "succeeded")], "paid"),
        ([payment("charge", "succeeded"), payment("refund", "pending", 50)], "paid"),
        # one of two orders waits
        ([CAPTURED, CAPTURE, HOLD], "unpaid"),
        ([HELD, HOLD], "unpaid"),
        # invoices: what is open counts, whatever covers it
        ([BILLED], "unpaid"),
        ([payment("invoice", "pending", received=400)], "unpaid"),
        ([payment("invoice", "succeeded", received=1_000)], "paid"),
        ([BILLED, payment("credit", "succeeded")], "paid"),
        ([BILLED, payment("credit", "succeeded", 100)], "unpaid"),
        ([payment("invoice", "cancelled")], "none"),
    ],
)
def test_what_is_paid(payments: list[Payment], state: str) -> None:
    assert paid_state(payments) == state
    assert paid_state(payments[::-1]) == state, "in any order"


def test_units_that_count_at_a_shop_are_paid_unless_something_is_to_pay() -> None:
    assert paid_state([], counts_once_paid=True) == "paid"
    assert paid_state([HOLD], counts_once_paid=True) == "unpaid"


@pytest.mark.parametrize(
    ("one", "is_unpaid"),
    [
        (HOLD, True),
        (payment("charge", "failed"), True),
        (HELD, False),
        (BILLED, False),
        (payment("capture", "failed"), False),
        (payment("charge", "pending", method="shop"), False),
        (payment("charge", "pending", cause={"kind": "favor"}), False),
    ],
)
def test_an_order_without_its_card_payment_is_told_apart(one: Payment, is_unpaid: bool) -> None:
    assert is_unpaid_order(one) is is_unpaid
