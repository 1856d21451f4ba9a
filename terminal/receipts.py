"""Assigns the money of a statement to invoices, and lists the rest for people. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from domain.money import in_decimals
from domain.references import Mention
from schemas.api.payments import PaymentDetail
from schemas.reasons import TransferReason
from terminal.console import money
from terminal.marks import Mark, Standing, mark_in, standings
from terminal.statements import Credit


class Receipt(NamedTuple):
    """Money to count for an invoice, with a ``note`` for people."""

    credit: Credit
    invoice: PaymentDetail
    amount: int
    note: str


class Left(NamedTuple):
    """Money that is not counted; ``problem`` has the reason and what to do."""

    credit: Credit
    reason: TransferReason
    problem: str

    def as_json(self) -> dict[str, Any]:
        """The whole of it: ``amount`` in minor units, ``date`` by ISO 8601, either may be null.

        ``reference`` has the mark by which the money counts once, by an import or by hand.
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
    """Money to count, money that was counted before, and money for people."""

    receipts: tuple[Receipt, ...] = ()
    known: tuple[Credit, ...] = ()
    left: tuple[Left, ...] = ()


def plan(credits: Sequence[Credit], invoices: Mapping[str, PaymentDetail]) -> Plan:
    """Plan what to count in statements; ``invoices`` are those that may be named, by number."""
    planning = _Planning(invoices)
    for credit, standing in _standings(credits, invoices):
        planning.take(credit, standing)
    return planning.made


def lookups(credits: Sequence[Credit]) -> list[str]:
    """The numbers that a plan of credits needs: those named, and those that may have been cut."""
    mentions = [mention for credit in credits for mention in credit.mentions]
    numbers = (number for each in mentions for number in (each.number, *each.longer))
    return list(dict.fromkeys(numbers))


def _standings(
    credits: Sequence[Credit], invoices: Mapping[str, PaymentDetail]
) -> Iterator[tuple[Credit, Standing]]:
    """Whether each credit was counted before, or stands in an earlier one of these statements."""
    before: dict[str, set[Mark]] = defaultdict(set)
    for invoice in invoices.values():
        for receipt in invoice.receipts:
            if mark := mark_in(receipt.reference):
                before[mark.kind].add(mark)
    alike: dict[Mark, dict[Mark, None]] = defaultdict(dict)
    for credit in credits:
        alike[credit.mark._replace(number=0)][credit.mark] = None
    found: dict[Mark, Standing] = {}
    for shared, marks in alike.items():
        its = dict(zip(marks, standings(list(marks), before[shared.kind]), strict=True))
        before[shared.kind] |= {mark for mark, standing in its.items() if standing != "known"}
        found |= its
    for credit in credits:
        yield credit, found[credit.mark]
        found[credit.mark] = "known"


class _Planning:
    """A plan in the making: each receipt reduces the open amounts."""

    def __init__(self, invoices: Mapping[str, PaymentDetail]) -> None:
        self._invoices = invoices
        self._open = {number: each.open for number, each in invoices.items()}
        self._told: set[Mark] = set()
        self.made = Plan()

    def take(self, credit: Credit, standing: Standing) -> None:
        """Add a credit to the plan."""
        named = self._invoices_of(credit)
        counted = _counted(credit, named)
        is_broken_off = 0 < len(counted) < len(named) and sum(counted.values()) < (
            credit.amount or 0
        )
        if standing == "known" and (credit.mark in self._told or not is_broken_off):
            self.made = replace(self.made, known=(*self.made.known, credit))
            return
        self._told.add(credit.mark)
        found = self._unsure(credit, standing, named) or self._shares(credit, named, counted)
        if isinstance(found, Left):
            self.made = replace(self.made, left=(*self.made.left, found))
            return
        for receipt in found:
            number = receipt.invoice.number or ""
            self._open[number] = max(0, self._open[number] - receipt.amount)
        self.made = replace(self.made, receipts=(*self.made.receipts, *found))

    def _invoices_of(self, credit: Credit) -> dict[str, PaymentDetail]:
        known = {each: self._invoices.get(each) for each in credit.numbers}
        return {number: each for number, each in known.items() if each and each.kind == "invoice"}

    def _unsure(
        self, credit: Credit, standing: Standing, named: Mapping[str, PaymentDetail]
    ) -> Left | None:
        """Why the invoices of a credit are not certain; None if they are."""
        by_hand = _by_hand(credit)
        cut = [each for each in credit.mentions if self._longer(each)]
        reason: TransferReason | None = credit.reason
        problem = credit.odd
        if reason is None and standing == "unclear":
            reason = TransferReason.MAYBE_KNOWN
            problem = (
                "looks like money of another statement that was counted, and the statements do not"
                f" show whether it is the same: check in the account whether it came twice; if so,"
                f" {by_hand}"
            )
        elif reason is None and cut:
            longer = " or ".join(self._longer(cut[0]))
            problem = f"names {cut[0].number}, which may be the beginning of {longer}"
            if cut[0].is_doubtful:
                problem = (
                    f"names {cut[0].number} in a reference whose check digits do not fit: it may be"
                    " cut off or mistyped"
                )
            reason, problem = TransferReason.CUT_NUMBER, f"{problem}: ask who paid, then {by_hand}"
        elif reason is None and not named:
            reason, said = _unnamed(credit, self._invoices)
            problem = f"{said}: ask who paid, then {by_hand}"
        elif reason is None and any(i.currency != credit.currency for i in named.values()):
            reason = TransferReason.OTHER_CURRENCY
            problem = f"{', '.join(named)} is in another currency: change the money, then {by_hand}"
        return Left(credit, reason, problem) if reason else None

    def _longer(self, mention: Mention) -> list[str]:
        """Numbers that exist and that a mention may be cut from; itself if it is doubtful."""
        if mention.is_doubtful:
            return [mention.number]
        return [each for each in mention.longer if each in self._invoices]

    def _shares(
        self, credit: Credit, invoices: Mapping[str, PaymentDetail], counted: Mapping[str, int]
    ) -> list[Receipt] | Left:
        """The part of each named invoice, or why the parts are not certain.

        A sum for several is split only if it is exactly what is open of them (``genkgo/camt#58``).
        If an import broke off between two of them, the rest is split as the whole would have been.
        """
        assert credit.amount is not None
        amount = credit.amount - sum(counted.values())
        named = {each: invoice for each, invoice in invoices.items() if each not in counted}
        still = {number: self._open[number] for number in named}
        in_all = sum(still.values())
        is_exact = 0 < in_all == amount
        unknown = [each for each in credit.numbers if each not in self._invoices]
        said = _said(still, credit.currency)
        by_hand = _by_hand(credit)
        reason: TransferReason
        if not in_all:
            reason = TransferReason.PAID_ALREADY
            problem = f"{said} is paid already: transfer it back, or {by_hand}"
        elif credit.is_contradictory and not (is_exact and all(still.values())):
            reason = TransferReason.CONTRADICTORY_NUMBERS
            problem = f"names {said} in fields that disagree: ask who paid, then {by_hand}"
        elif not is_exact and unknown:
            reason = TransferReason.UNKNOWN_NUMBER
            problem = f"names {said}, and {', '.join(unknown)}, which is not known here"
            problem = f"{problem}: ask who paid, then {by_hand}"
        elif not is_exact and (len(named) > 1 or counted):
            reason = TransferReason.OTHER_SUM
            together = f", {money(in_all, credit.currency)} together" if len(named) > 1 else ""
            came = f"{money(amount, credit.currency)} {'is left' if counted else 'came'}"
            problem = f"names {said}{together}, but {came}: ask who paid, then {by_hand} for each"
        elif len(named) == 1 and not counted:
            (invoice,) = named.values()
            return [Receipt(credit, invoice, amount, _note(credit, in_all))]
        else:
            return [
                Receipt(credit, named[number], its, "one of several")
                for number, its in still.items()
                if its
            ]
        return Left(credit, reason, problem)


def _counted(credit: Credit, named: Mapping[str, PaymentDetail]) -> dict[str, int]:
    """The amounts of a credit that were counted before, by invoice."""
    return {
        number: receipt.amount
        for number, each in named.items()
        for receipt in each.receipts
        if receipt.reference == credit.reference
    }


def _by_hand(credit: Credit) -> str:
    amount = "AMOUNT" if credit.amount is None else in_decimals(credit.amount, credit.currency)
    return f"`jointbuy invoice paid NUMBER {amount} --reference '{credit.reference}'`"


def _said(still: Mapping[str, int], currency: str) -> str:
    """Invoices with the open amount of each."""
    return ", ".join(f"{number} ({money(its, currency)} open)" for number, its in still.items())


def _unnamed(credit: Credit, invoices: Mapping[str, PaymentDetail]) -> tuple[TransferReason, str]:
    if not credit.numbers:
        return TransferReason.NO_NUMBER, "names no invoice"
    numbers = ", ".join(credit.numbers)
    if any(each in invoices for each in credit.numbers):
        return TransferReason.CREDIT_NOTE, f"{numbers} is a credit note"
    return TransferReason.UNKNOWN_NUMBER, f"{numbers} is not known here"


def _note(credit: Credit, still_open: int) -> str:
    over = (credit.amount or 0) - still_open
    if over > 0:
        return f"{money(over, credit.currency)} too much: goes back"
    return f"{money(-over, credit.currency)} stays open" if over else ""
