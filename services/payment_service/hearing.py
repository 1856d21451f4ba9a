"""What comes back from outside about payments: a provider's answers, a shop's or a bank's reports.

An answer may come twice, late, or before the reply to what was asked: what is known for certain is
never taken back by what was said before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from runtime.rows import Call, Rows, UnusableError, spread_pause
from schemas.parts import SUM_MAX, Message
from schemas.payments import PaymentDisputed, PaymentReported, PaymentRetried
from schemas.reasons import BEYOND_LIMITS
from services.payment_service import disputes
from services.payment_service.book import Book
from services.payment_service.purses import received_by_invoice
from services.payment_service.rows import (
    Move,
    PaymentStatus,
    Receipt,
    Report,
    call_name,
    key_of,
    move_name,
)
from services.payment_service.settling import close_book

Action = Literal["ask", "withdraw", "capture", "lift", "refund"]
Outcome = Literal[
    "pending", "authorised", "succeeded", "cancelled", "declined", "disputed", "again", "ours"
]

TRIED_FOR = timedelta(days=3)
#: After the first, the second, … try in vain; the last for all further ones.
PAUSES = tuple(timedelta(seconds=each) for each in (5, 15, 60, 300, 900, 3600, 7200))
#: How long the provider knows an idempotency key, less an hour.
KEY_KEPT = timedelta(hours=23)
#: When a page is looked at whose end nobody told: it is open for a day.
PAGE_LOOKED_AT = timedelta(hours=25)
#: Pause before the next try of a refund that was refused for an unreported dispute.
DISPUTE_LOOKED_AT = timedelta(days=1)
#: So many receipts of an invoice are said; all of them are counted.
RECEIPTS_SAID = 20
#: Kinds for which to have been done unknown to us would move money.
MOVES_MONEY = frozenset({"capture", "refund", "release"})


@dataclass(slots=True)
class Request:
    """What the caller of a method is to do.

    ``key`` is the idempotency key; ``looks``: it may have been done under a key that the provider
    has forgotten. ``of`` and ``session`` are the provider's references.
    """

    action: Action
    payment_id: str
    group_id: str
    payer_id: str
    amount: int
    currency: str
    key: str
    looks: bool
    is_hold: bool = False
    of: str = ""
    session: str = ""
    reference: str = ""


@dataclass(slots=True)
class Reply:
    """What came of it.

    ``pending``: the payer or the provider is to act next. ``again``: not known, or not now;
    ``spent``: under this key the same answer would come for ever. ``ours``: to be mended here.
    ``disputed``: a refund waits for the end of a dispute.
    """

    outcome: Outcome
    text: str = ""
    reference: str | None = None
    session: str | None = None
    page: str | None = None
    spent: bool = False


# --- what is asked -------------------------------------------------------------------------------

#: The server of all payments by card.
STRIPE = "Stripe"


def stripe(row_name: str, rows: Rows) -> str:
    """The server that a payment by card goes to."""
    return STRIPE


def request(row_name: str, rows: Rows, now: datetime) -> Request:
    """What the caller is to do about a payment as it stands; the key is its row's."""
    payment_id = row_name.rpartition("/")[2]
    move: Move = rows[move_name(payment_id)]
    call: Call = rows[row_name]
    parent: Move | None = rows.get(move_name(move.parent)) if move.parent else None
    since = move.first_tried_at or call.since
    was_tried = move.attempts > 0 or call.ambiguous
    return Request(
        action=_action(move),
        payment_id=payment_id,
        group_id=rows.key,
        payer_id=move.payer,
        amount=move.amount,
        currency=move.currency,
        key=key_of(payment_id, move),
        looks=move.looks or (was_tried and now - since > KEY_KEPT),
        is_hold=move.kind == "authorisation",
        of=(parent.reference or "") if parent else "",
        session=move.session or "",
        reference=move.reference or "",
    )


def _action(move: Move) -> Action:
    match move.kind:
        case "capture":
            return "capture"
        case "release":
            return "lift"
        case "refund":
            return "refund"
    return "withdraw" if move.is_void else "ask"


# --- what is answered ----------------------------------------------------------------------------


def settle(row_name: str, reply: Reply, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep what a try came to; another follows later unless that was for good."""
    payment_id = row_name.rpartition("/")[2]
    call: Call = rows[row_name]
    move: Move = rows[move_name(payment_id)]
    del rows[row_name]
    book = Book(move.payer, rows, now)
    tried = replace(
        move,
        attempts=move.attempts + 1,
        first_tried_at=move.first_tried_at or now,
        reference=reply.reference or move.reference,
        session=reply.session or move.session,
        page=reply.page or move.page,
    )
    if move.status != "pending":  # a report was faster
        return close_book(book)
    if reply.outcome in ("again", "ours"):
        _try_later(book, payment_id, tried, reply, call)
    elif reply.outcome == "disputed":
        if disputes.refused(book, payment_id, tried):
            at = now + DISPUTE_LOOKED_AT
            rows[row_name] = Call(at=at, since=at)
    elif reply.outcome == "declined":
        book.put(payment_id, replace(tried, status="failed", problem=reply.text))
    elif reply.outcome == "pending":
        book.put(payment_id, replace(tried, attempts=0, first_tried_at=None, looks=False))
        at = now if move.is_void else now + PAGE_LOOKED_AT
        rows[row_name] = Call(at=at, since=at)
    else:
        book.put(payment_id, replace(tried, looks=False))
        take_word(book, payment_id, reply.outcome, reply.reference, reply.text)
    return close_book(book)


def _try_later(book: Book, payment_id: str, tried: Move, reply: Reply, call: Call) -> None:
    tried.problem = None
    if reply.spent:
        tried.keys += 1
        tried.looks = True
    assert tried.first_tried_at is not None
    at = book.now + spread_pause(payment_id, tried.attempts, PAUSES)
    if at <= tried.first_tried_at + TRIED_FOR:
        book.put(payment_id, tried)
        book.rows[call_name(payment_id)] = Call(at=at, since=call.since)
        return
    tried.status = "failed"
    tried.problem = "no-answer" if reply.outcome == "again" else "not-accepted"
    tried.is_unsure = reply.outcome == "again" and tried.kind in MOVES_MONEY
    book.put(payment_id, tried)


# --- what is reported ----------------------------------------------------------------------------


def take_report(message: PaymentReported, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a report on a known payment, once: it may come again after a later report.

    Raises ``UnusableError`` if the payer's total would be beyond the limit.
    """
    move: Move | None = rows.get(move_name(message.payment_id))
    name = f"report/{message.report_id}"
    if move is None or name in rows:
        return ()
    book = Book(move.payer, rows, now)
    received = 0
    if move.kind == "invoice" and message.status == "succeeded":
        received = message.amount if message.amount is not None else _open_amount(book, move)
        in_all = received_by_invoice(book) + received
        if in_all > SUM_MAX:
            raise UnusableError(
                f"{BEYOND_LIMITS}: {in_all} minor units would have come from the payer of"
                f" {message.payment_id}, at most {SUM_MAX} are possible",
                BEYOND_LIMITS,
            )
    rows[name] = Report()
    if move.kind == "invoice":
        if message.status != "succeeded":
            return ()
        receipt = Receipt(message.report_id, received, message.provider_reference, message.at)
        receipts = (*move.receipts, receipt)[-RECEIPTS_SAID:]
        more = replace(move, received=move.received + received, receipts=receipts)
        book.put(message.payment_id, more)
    else:
        take_word(
            book,
            message.payment_id,
            message.status,
            message.provider_reference,
            message.reason or "",
            message.code,
        )
    return close_book(book)


def take_dispute(message: PaymentDisputed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a report of a dispute of a known card payment, once."""
    move: Move | None = rows.get(move_name(message.payment_id))
    name = f"report/{message.report_id}"
    if move is None or name in rows:
        return ()
    if move.method != "card" or move.kind not in ("charge", "authorisation"):
        return ()
    rows[name] = Report()
    book = Book(move.payer, rows, now)
    disputes.hear(book, message)
    return close_book(book)


def _open_amount(book: Book, invoice: Move) -> int:
    """What is open of an invoice, at most what is open of all: credit notes make that less."""
    amounts = {"invoice": 0, "credit": 0, "refund": 0}
    for _, move in book.each("invoice", "invoice", "credit", "refund"):
        # An invoice that is called off is one that credit notes cover.
        is_there = move.kind == "invoice" or move.status != "cancelled"
        amounts[move.kind] += move.amount if is_there else 0
        amounts["invoice"] -= move.received
    open_in_all = amounts["invoice"] - amounts["credit"] + amounts["refund"]
    return max(0, min(invoice.amount - invoice.received, open_in_all))


def retry(message: PaymentRetried, rows: Rows, now: datetime) -> Sequence[Message]:
    """Try a payment again that failed; one that did not is left alone."""
    move: Move | None = rows.get(move_name(message.payment_id))
    if move is None or move.status != "failed":
        return ()
    book = Book(move.payer, rows, now)
    book.retry(message.payment_id)
    return close_book(book)


def take_word(
    book: Book,
    payment_id: str,
    status: Outcome | PaymentStatus,
    reference: str | None,
    reason: str,
    code: str | None = None,
) -> None:
    """Let a payment become what is said of it, unless more is known already."""
    move = book[payment_id]
    said = _after(move, status)
    if said is None:
        return
    is_there = said in ("authorised", "succeeded")
    book.put(
        payment_id,
        replace(
            move,
            status=said,
            reference=reference or move.reference,
            was_there=move.was_there or is_there,
            is_unsure=False,
            problem=(reason or "refused") if said == "failed" else None,
            code=code if said == "succeeded" else None,
        ),
    )
    if said in ("succeeded", "cancelled") and move.parent:
        _follow(book, payment_id, move, said)


def _after(move: Move, status: str) -> PaymentStatus | None:
    """The status after what is said, or None if that is nothing new."""
    is_hold = move.kind == "authorisation"
    if status == "authorised":
        # A hold that was set once is known; its page can be paid after it was given up here.
        return "authorised" if is_hold and not move.was_there else None
    if status == "succeeded":
        is_new = not is_hold and (not move.was_there or move.status == "failed")
        return "succeeded" if is_new else None
    if status == "cancelled":
        can_lapse = move.status in ("pending", "authorised")
        return "cancelled" if can_lapse else None
    if move.kind == "refund" and move.status == "succeeded" and status == "failed":
        return "failed"  # a bank may send money back
    if status == "failed" and move.status == "pending":
        return "cancelled" if move.is_void else "failed"
    return None


def _follow(book: Book, payment_id: str, move: Move, said: PaymentStatus) -> None:
    """What a capture or a release means for the hold it is of."""
    hold = book[move.parent]
    if hold.kind != "authorisation" or hold.status != "authorised":
        return
    if move.kind == "capture":
        # A capture that can't be any more: the hold has lapsed.
        book.become(move.parent, "succeeded" if said == "succeeded" else "cancelled")
    elif move.kind == "release":
        book.become(move.parent, "cancelled")
