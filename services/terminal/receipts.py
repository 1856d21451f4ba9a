"""Which money of a statement is for which invoice, and what somebody has to look at. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

from services.terminal.answers import PaymentShown
from services.terminal.console import money
from services.terminal.statements import Credit

#: Why money is left to people, as a code; ``Left.problem`` says it in words.
Reason = Literal[
    "odd-entry", "odd-amount", "odd-date", "odd-batch", "reversal", "returned", "no-number",
    "unknown-number", "credit-note", "cut-number", "contradictory-numbers", "other-currency",
    "other-sum", "paid-already", "maybe-known",
]  # fmt: skip
REASONS: tuple[str, ...] = get_args(Reason)


class Receipt(NamedTuple):
    """Money to be counted for an invoice; ``note`` says what more there is to it."""

    credit: Credit
    invoice: PaymentShown
    amount: int
    note: str


class Left(NamedTuple):
    """Money that is not counted: ``problem`` says why, and what people are to do."""

    credit: Credit
    reason: Reason
    problem: str

    def as_json(self) -> dict[str, Any]:
        """The whole of it: ``amount`` in minor units, ``date`` by ISO 8601, either may be null.

        ``reference`` is the mark by which the money counts once, whoever counts it.
        """
        credit = self.credit
        return {
            "reason": self.reason,
            "problem": self.problem,
            "amount": credit.amount,
            "currency": credit.currency,
            "date": credit.booked_on.isoformat() if credit.booked_on else None,
            "payer": credit.payer,
            "text": credit.text,
            "reference": credit.reference,
        }


@dataclass(frozen=True)
class Plan:
    """What is to be counted, what was before, and what is left to somebody."""

    receipts: tuple[Receipt, ...] = ()
    known: tuple[Credit, ...] = ()
    left: tuple[Left, ...] = ()


def plan(credits: Sequence[Credit], invoices: Mapping[str, PaymentShown]) -> Plan:
    """What comes of the money of a statement; ``invoices`` are those that it names, by number."""
    left_open = {number: each.open for number, each in invoices.items()}
    seen: set[str] = set()
    made = Plan()
    for credit in credits:
        if credit.reference in seen or _is_counted(credit, invoices):
            made = replace(made, known=(*made.known, credit))
            continue
        seen.add(credit.reference)
        found = _receipts(credit, invoices, left_open)
        if isinstance(found, Left):
            made = replace(made, left=(*made.left, found))
            continue
        for receipt in found:
            number = receipt.invoice.number or ""
            left_open[number] = max(0, left_open[number] - receipt.amount)
        made = replace(made, receipts=(*made.receipts, *found))
    return made


def _is_counted(credit: Credit, invoices: Mapping[str, PaymentShown]) -> bool:
    named = [invoices[number] for number in credit.numbers if number in invoices]
    return any(receipt.reference == credit.reference for each in named for receipt in each.receipts)


def _receipts(
    credit: Credit, invoices: Mapping[str, PaymentShown], left_open: Mapping[str, int]
) -> list[Receipt] | Left:
    """What a credit is for, or why that can't be said."""
    by_hand = f"`jointbuy invoice paid NUMBER {credit.amount} --reference '{credit.reference}'`"
    if credit.odd:
        return Left(credit, "odd-entry", credit.odd)
    named = [
        (invoices[each], left_open[each])
        for each in credit.numbers
        if each in invoices and invoices[each].kind == "invoice"
    ]
    if not named:
        reason, said = _unnamed(credit, invoices)
        return Left(credit, reason, f"{said}: ask who paid, then {by_hand}")
    numbers = ", ".join(invoice.number or "" for invoice, _ in named)
    if any(invoice.currency != credit.currency for invoice, _ in named):
        problem = f"{numbers} is in another currency: change the money, then {by_hand}"
        return Left(credit, "other-currency", problem)
    in_all = sum(its for _, its in named)
    if not in_all:
        problem = f"{numbers} is paid already: give it back, or {by_hand}"
        return Left(credit, "paid-already", problem)
    if len(named) == 1:
        return [Receipt(credit, named[0][0], credit.amount, _note(credit, in_all))]
    if in_all != credit.amount:
        problem = f"names {numbers}, which come to another sum: {by_hand} for each"
        return Left(credit, "other-sum", problem)
    return [Receipt(credit, invoice, its, "one of several") for invoice, its in named if its]


def _unnamed(credit: Credit, invoices: Mapping[str, PaymentShown]) -> tuple[Reason, str]:
    if not credit.numbers:
        return "no-number", "names no invoice"
    numbers = ", ".join(credit.numbers)
    if any(each in invoices for each in credit.numbers):
        return "credit-note", f"{numbers} is a credit note"
    return "unknown-number", f"{numbers} is not known here"


def _note(credit: Credit, still_open: int) -> str:
    over = credit.amount - still_open
    if over > 0:
        return f"{money(over, credit.currency)} too much: goes back"
    return f"{money(-over, credit.currency)} stays open" if over else ""
