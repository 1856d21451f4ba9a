"""What of a payer's invoices in a group is claimed, was received, and is open. Minor units."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class Movement(Protocol):
    """A payment as these sums need it: its fact, or a row that stands for it."""

    @property
    def kind(self) -> str:
        """``invoice``, ``credit`` (a credit note), ``refund`` or another one of ``schemas``."""

    @property
    def method(self) -> str:
        """``invoice``, ``card`` or ``shop``."""

    @property
    def status(self) -> str:
        """``pending``, ``authorised``, ``succeeded``, ``failed`` or ``cancelled``."""

    @property
    def amount(self) -> int:
        """What it is of."""

    @property
    def received(self) -> int | None:
        """What came for an invoice."""


class Sums(NamedTuple):
    """A payer's sums: ``claimed`` by invoices, less ``credited``; ``received``, less ``refunded``.

    An invoice that is called off is one that credit notes cover, so it counts. Credit notes and
    refunds that are called off do not.
    """

    claimed: int = 0
    credited: int = 0
    received: int = 0
    refunded: int = 0

    @property
    def open(self) -> int:
        """What is still to come; below zero if too much came."""
        return self.claimed - self.credited - self.received + self.refunded


def sums_of(payments: Iterable[Movement]) -> Sums:
    """The sums of all of a payer's payments in a group."""
    claimed = credited = received = refunded = 0
    for each in payments:
        if each.method != "invoice":
            continue
        if each.kind == "invoice":
            claimed += each.amount
            received += each.received or 0
        elif each.status != "cancelled":
            credited += each.amount if each.kind == "credit" else 0
            refunded += each.amount if each.kind == "refund" else 0
    return Sums(claimed, credited, received, refunded)


def open_of(invoice: Movement, payments: Iterable[Movement]) -> int:
    """What is open of an invoice: at most what is open in all, as credit notes make that less.

    ``payments`` are all of its payer in the group.
    """
    if invoice.kind != "invoice" or invoice.status != "pending":
        return 0
    return max(0, min(invoice.amount - (invoice.received or 0), sums_of(payments).open))
