"""Double entry: what each payment puts into the books of its group, as a reading of its fact.

Accounts, each of a payer or of the group as a whole: ``receivable`` (what a payer owes, or below
zero is owed), ``seller`` (what was sold, credited), ``favor`` (what was given, debited), ``card``,
``bank`` and ``shop`` (where the money is), ``held`` and ``held-of`` (what cards hold; no money).
Every payment's entries sum to zero, so those of a group do; when a group is settled, nothing is
left on ``receivable`` and ``held``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

from domain.invoices import Movement

Account = Literal["receivable", "seller", "favor", "card", "bank", "shop", "held", "held-of"]
#: Where the money of a method is.
_PLACE: Mapping[str, Account] = {"card": "card", "invoice": "bank", "shop": "shop"}


class Cause(Protocol):
    """What a payment is for."""

    @property
    def kind(self) -> str:
        """``order``, ``favor`` or ``withdrawal``."""


class Payment(Movement, Protocol):
    """A payment as the books need it, which its fact is."""

    @property
    def payment_id(self) -> str:
        """Its id."""

    @property
    def member_id(self) -> str | None:
        """Whose it is; None if it is the group's."""

    @property
    def cause(self) -> Cause:
        """What it is for."""


class Entry(NamedTuple):
    """An amount put to an account for a payment: debit above zero, credit below."""

    payment_id: str
    account: Account
    payer: str
    amount: int


def entries(payments: Iterable[Payment]) -> Iterator[Entry]:
    """The entries of payments as they stand; give each payment once, as it was last told."""
    for payment in payments:
        for debit, credit, amount in _bookings(payment):
            if amount:
                payer = payment.member_id or ""
                yield Entry(payment.payment_id, debit, payer, amount)
                yield Entry(payment.payment_id, credit, payer, -amount)


def balances(booked: Iterable[Entry]) -> dict[tuple[Account, str], int]:
    """What is on each account of each payer; an account that is at zero is left out."""
    sums: Counter[tuple[Account, str]] = Counter()
    for entry in booked:
        sums[entry.account, entry.payer] += entry.amount
    return {account: amount for account, amount in sums.items() if amount}


def _bookings(payment: Payment) -> Iterator[tuple[Account, Account, int]]:
    """Debit, credit and amount: first what is claimed, then what of it moved."""
    amount, place = payment.amount, _PLACE[payment.method]
    given: Account = "favor" if payment.cause.kind == "favor" else "seller"
    is_done = payment.status == "succeeded"
    is_claimed = payment.status != "cancelled"
    match payment.kind:
        case "authorisation" if payment.status == "authorised":
            yield "held", "held-of", amount
        case "charge" | "capture":
            # A payer who was asked owes nothing by that; an instruction to a shop is a claim.
            if is_done or (is_claimed and payment.method == "shop"):
                yield "receivable", "seller", amount
            if is_done:
                yield place, "receivable", amount
        case "refund":
            # What an invoice's refund pays back, a credit note has given before.
            if is_claimed and payment.method != "invoice":
                yield given, "receivable", amount
            if is_done:
                yield "receivable", place, amount
        case "invoice":
            yield "receivable", "seller", amount
            yield place, "receivable", payment.received or 0
        case "credit":
            yield given, "receivable", amount
