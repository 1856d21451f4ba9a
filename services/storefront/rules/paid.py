"""Whether what a payer ordered in a group is paid, from payment facts. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from domain.invoices import open_of
from schemas.api.groups import PaidState
from schemas.payments import Payment
from texts.catalogue import mark

#: In the organizer's table, where something is to be said.
IN_TABLE: Final[Mapping[PaidState, str]] = {
    "unpaid": mark("Unpaid"),
    "reserved": mark("Reserved on card"),
    "paid": mark("Paid"),
}
#: What a payer does for an order by card.
_BY_CARD: Final = frozenset({"authorisation", "charge"})


def is_unpaid_order(payment: Payment) -> bool:
    """Whether it is an order's card payment that its payer did not make, or that failed."""
    is_of_order = payment.cause.kind == "order" and payment.kind in _BY_CARD
    return is_of_order and payment.method == "card" and payment.status in ("pending", "failed")


def paid_state(payments: Sequence[Payment], *, counts_once_paid: bool = False) -> PaidState:
    """How all of a payer's orders in a group stand; ``payments`` are all of that payer's.

    ``counts_once_paid``: the payer has units that count, and at a shop they count only once paid.
    """
    if any(map(is_unpaid_order, payments)) or to_pay(payments):
        return "unpaid"
    if any(_is(each, "capture", "failed") for each in payments):
        return "unpaid"
    # A hold is "succeeded" once it was captured, and "cancelled" once it was released.
    if any(_is(each, "authorisation", "authorised") for each in payments):
        return "reserved"
    if any(_is_money_in(each) for each in payments) or counts_once_paid:
        return "paid"
    return "none"


def has_come(payment: Payment) -> bool:
    """Whether money of the payer came, or is held, for it."""
    if payment.kind == "invoice":
        return (payment.received or 0) > 0 or payment.status == "succeeded"
    return payment.kind in _BY_CARD and payment.status in ("authorised", "succeeded")


def to_pay(payments: Sequence[Payment]) -> int:
    """What is open of a payer's invoices, in minor units."""
    return sum(open_of(each, payments) for each in payments)


def _is(payment: Payment, kind: str, status: str) -> bool:
    return (payment.kind, payment.status) == (kind, status)


def _is_money_in(payment: Payment) -> bool:
    """Whether money came, or credit notes cover what was claimed."""
    if payment.kind == "invoice":
        return payment.status in ("pending", "succeeded")
    return payment.kind in _BY_CARD and payment.status == "succeeded"
