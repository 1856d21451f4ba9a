"""Reports about payments: by the provider's webhooks, by shops, by banks and by people. Pure.

A report may come twice or late: an older one never takes back what is known for certain.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from runtime.rows import Rows, UnusableError
from schemas.parts import SUM_MAX, Message
from schemas.payments import PaymentDisputed, PaymentReported, PaymentRetried
from schemas.reasons import PaymentFailure, RecordReason
from services.payment_service.rows import (
    REPORTS,
    Move,
    Moves,
    PaymentStatus,
    Receipt,
    Report,
    move_name,
)
from services.payment_service.rules.balance import done
from services.payment_service.rules.book import Book
from services.payment_service.rules.disputes import take_state

Outcome = Literal["authorised", "succeeded", "cancelled", "failed"]

#: The fact of an invoice has so many receipts, the latest; all of them count.
RECEIPTS_SAID = 20


def take_report(message: PaymentReported, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a report on a known payment, once: it may come again after a later report.

    Raises ``UnusableError`` if the payer's total would be beyond the limit.
    """
    move = rows.get(move_name(message.payment_id))
    name = REPORTS(message.report_id)
    if move is None or name in rows:
        return ()
    book = Book(move.payer, rows, now)
    receipt = _receipt(message, move, book.moves)
    rows[name] = Report()
    if receipt is not None:
        receipts = (*move.receipts, receipt)[-RECEIPTS_SAID:]
        received = move.received + receipt.amount
        book.put(message.payment_id, replace(move, received=received, receipts=receipts))
    elif move.kind != "invoice":
        reason, code = message.reason or "", message.code
        reference = message.provider_reference
        if not _is_of_another_try(move, message.status, reference):
            take_outcome(book, message.payment_id, message.status, reference, reason, code)
        elif message.status == "failed":
            book.put(message.payment_id, replace(move, past=move.past_with(reference)))
    return book.level()


def _is_of_another_try(move: Move, outcome: Outcome, reference: str | None) -> bool:
    """Whether a report is about a page or a refund that another one has replaced.

    It says nothing about the present try: its page may be open, its refund may be made.
    """
    if move.method != "card" or reference is None:
        return False
    if reference in move.past:  # what has failed stays failed: this was told before that
        return True
    return outcome == "failed" and move.tried_as is not None and move.tried_as != reference


def _receipt(message: PaymentReported, invoice: Move, moves: Moves) -> Receipt | None:
    """Money that came for an invoice, if any did. Raises ``UnusableError`` beyond the limit."""
    if invoice.kind != "invoice" or message.status != "succeeded":
        return None
    amount = open_amount(invoice, moves) if message.amount is None else message.amount
    in_all = done(moves).received + amount
    if in_all > SUM_MAX:
        raise UnusableError(
            f"{RecordReason.BEYOND_LIMITS}: {in_all} minor units would have come from the payer of"
            f" {message.payment_id}, at most {SUM_MAX} are possible",
            RecordReason.BEYOND_LIMITS,
        )
    return Receipt(message.report_id, amount, message.provider_reference, message.at)


def take_dispute(message: PaymentDisputed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a report of a dispute of a known card payment, once."""
    move = rows.get(move_name(message.payment_id))
    name = REPORTS(message.report_id)
    if move is None or name in rows:
        return ()
    if move.method != "card" or move.kind not in ("charge", "authorisation"):
        return ()
    rows[name] = Report()
    book = Book(move.payer, rows, now)
    take_state(book, message)
    return book.level()


def open_amount(invoice: Move, moves: Moves) -> int:
    """What is open of an invoice, at most what is open of all: credit notes make that less.

    ``domain.invoices.open_of`` shows the same for a pending invoice of a payer without cards. Here
    an invoice that is called off counts, as a receipt may come for it, and card money does too.
    """
    has = done(moves)
    return max(0, min(invoice.amount - invoice.received, has.claimed - has.own))


def retry(message: PaymentRetried, rows: Rows, now: datetime) -> Sequence[Message]:
    """Try a payment again that failed; one that did not is left alone."""
    move = rows.get(move_name(message.payment_id))
    if move is None or move.status != "failed":
        return ()
    book = Book(move.payer, rows, now)
    book.retry(message.payment_id)
    return book.level()


def take_outcome(
    book: Book,
    payment_id: str,
    outcome: Outcome,
    reference: str | None,
    reason: str,
    code: str | None = None,
) -> None:
    """Give a payment the status that is reported, unless more is known already."""
    move = book.moves[payment_id]
    if not _is_news(move, outcome):
        return
    is_called_off = move.is_void and move.status == "pending" and outcome == "failed"
    status: PaymentStatus = "cancelled" if is_called_off else outcome
    is_page = outcome == "failed" and move.has_page
    named = replace(
        move,
        reference=(None if is_page else reference) or move.reference,
        session=(reference if is_page else None) or move.session,
    )
    book.put(
        payment_id,
        replace(
            named,
            status=status,
            past=named.past_with(named.tried_as) if outcome == "failed" else move.past,
            was_there=move.was_there or status in ("authorised", "succeeded"),
            is_unsure=False,
            problem=(reason or PaymentFailure.REFUSED) if status == "failed" else None,
            code=code if status == "succeeded" else None,
        ),
    )
    hold = book.moves.get(move.parent)
    if hold is not None and hold.kind == "authorisation" and hold.status == "authorised":
        _end_hold(book, move, status)


def _is_news(move: Move, outcome: Outcome) -> bool:
    is_hold = move.kind == "authorisation"
    match outcome:
        case "authorised":
            # A hold that was set once is known; its page can be paid after it was given up here.
            return is_hold and not move.was_there
        case "succeeded":
            # A refund that the bank sent back was there, and is made again.
            return not is_hold and (not move.was_there or move.status in ("pending", "failed"))
        case "cancelled":
            return move.status in ("pending", "authorised")
    # A bank may send a refund back.
    is_sent_back = move.kind == "refund" and move.status == "succeeded"
    return move.status == "pending" or move.is_unsure or is_sent_back


def _end_hold(book: Book, move: Move, status: PaymentStatus) -> None:
    """End the hold of a capture or a release that has ended."""
    if move.kind == "capture" and status == "succeeded":
        book.become(move.parent, "succeeded")
    elif move.kind in ("capture", "release") and status in ("succeeded", "cancelled"):
        # A capture is cancelled if it came too late: the hold has lapsed.
        book.become(move.parent, "cancelled")
