"""Every payment's entries sum to zero, and say where the money is."""

from typing import Any

import pytest

from domain.ledger import balances, entries
from schemas.payments import Payment

CASES: list[tuple[str, list[dict[str, Any]], dict[str, int]]] = [
    ("a hold is no money", [{"kind": "authorisation", "status": "authorised"}],
     {"held": 100, "held-of": -100}),
    ("a hold that was lifted", [{"kind": "authorisation", "status": "cancelled"}], {}),
    ("a payer who is asked", [{"kind": "charge", "status": "pending"}], {}),
    ("a charge", [{"kind": "charge"}], {"card": 100, "seller": -100}),
    ("a capture", [{"kind": "authorisation"}, {"kind": "capture", "amount": 90}],
     {"card": 90, "seller": -90}),
    ("a favor on its way", [{"kind": "charge"}, {"kind": "refund", "status": "pending",
     "amount": 10, "cause": {"kind": "favor", "favor_version": 1}}],
     {"card": 100, "seller": -100, "favor": 10, "receivable": -10}),
    ("a favor given", [{"kind": "charge"}, {"kind": "refund",
     "amount": 10, "cause": {"kind": "favor", "favor_version": 1}}],
     {"card": 90, "seller": -100, "favor": 10}),
    ("goods that came back", [{"kind": "charge"}, {"kind": "refund", "amount": 40}],
     {"card": 60, "seller": -60}),
    ("a shop told to refund", [{"kind": "refund", "method": "shop", "status": "failed"}],
     {"seller": 100, "receivable": -100}),
    ("a shop that refunded", [{"kind": "refund", "method": "shop"}],
     {"seller": 100, "shop": -100}),
    ("an open invoice", [{"kind": "invoice", "method": "invoice", "status": "pending"}],
     {"receivable": 100, "seller": -100}),
    ("a credit note", [{"kind": "invoice", "method": "invoice", "status": "pending"},
     {"kind": "credit", "method": "invoice", "amount": 10,
      "cause": {"kind": "favor", "favor_version": 1}}],
     {"receivable": 90, "seller": -100, "favor": 10}),
    ("an invoice paid too high", [{"kind": "invoice", "method": "invoice", "received": 100},
     {"kind": "credit", "method": "invoice", "amount": 10,
      "cause": {"kind": "favor", "favor_version": 1}},
     {"kind": "refund", "method": "invoice", "amount": 10}],
     {"bank": 90, "seller": -100, "favor": 10}),
]  # fmt: skip


def payment(number: int, **fields: Any) -> Payment:
    given = {
        "payment_id": f"p{number}",
        "group_id": "G",
        "member_id": "ann",
        "method": "card",
        "amount": 100,
        "currency": "EUR",
        "status": "succeeded",
        "cause": {"kind": "order"},
        "version": 1,
    }
    return Payment.model_validate(given | fields)


@pytest.mark.parametrize(("what", "told", "expected"), CASES, ids=[each[0] for each in CASES])
def test_what_payments_put_into_the_books(
    what: str, told: list[dict[str, Any]], expected: dict[str, int]
) -> None:
    booked = list(entries(payment(number, **each) for number, each in enumerate(told)))
    found = {account: amount for (account, _), amount in balances(booked).items()}
    assert found == expected
    assert sum(entry.amount for entry in booked) == 0
    assert {entry.payer for entry in booked} <= {"ann"}
