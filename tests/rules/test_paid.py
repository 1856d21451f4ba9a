"""Whether a member has paid, as the organizer sees it."""

from typing import Any

import pytest

from schemas.parts import Member
from schemas.payments import Payment
from services.storefront.rules.paid import is_paid
from tests.rules.test_held_links import AT_SHOP, BY_CARD, BY_ORGANIZER, group

BY_INVOICE = {"scope": "member", "method": "invoice"}
OWN_INVOICE = Member.model_validate({"id": "m", "payment": {"method": "invoice"}})


def paying(kind: str, status: str, method: str = "invoice", **fields: Any) -> Payment:
    said = {"payment_id": f"{kind}{status}", "group_id": "g-1", "member_id": "m", "kind": kind}
    said |= {"method": method, "amount": 900, "currency": "EUR", "status": status}
    more: dict[str, Any] = {"cause": {"kind": "favor"}, "version": 1}
    return Payment.model_validate(said | more | fields)


OPEN, PART = paying("invoice", "pending"), paying("invoice", "pending", received=899)
CASES: list[tuple[str, dict[str, Any], Member | None, int, list[Payment], bool | None]] = [
    ("the organizer pays", BY_ORGANIZER, None, 2, [OPEN], None),
    ("nothing ordered", BY_CARD, None, 0, [], None),
    ("at the shop", AT_SHOP, None, 2, [], True),
    ("by card", BY_CARD, None, 2, [paying("authorisation", "authorised", "card")], True),
    ("a failed charge", BY_CARD, None, 2, [paying("charge", "failed", "card")], False),
    ("a failed refund", BY_CARD, None, 2, [paying("refund", "failed", "card")], True),
    ("no invoice yet", BY_INVOICE, None, 2, [], None),
    ("an open invoice", BY_INVOICE, None, 2, [OPEN], False),
    ("a part is missing", BY_INVOICE, None, 2, [PART], False),
    ("a paid invoice", BY_INVOICE, None, 2, [paying("invoice", "succeeded", received=900)], True),
    ("one credited", BY_INVOICE, None, 2, [OPEN, paying("credit", "succeeded")], True),
    ("an own method", AT_SHOP, OWN_INVOICE, 2, [OPEN], False),
]


@pytest.mark.parametrize(
    ("what", "payment", "member", "quantity", "payments", "paid"), CASES,
    ids=[each[0] for each in CASES],
)  # fmt: skip
def test_who_has_paid(
    what: str,
    payment: dict[str, Any],
    member: Member | None,
    quantity: int,
    payments: list[Payment],
    paid: bool | None,
) -> None:
    terms, _ = group(payment=payment)
    assert is_paid(terms, member, quantity, payments) is paid
