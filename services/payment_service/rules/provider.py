"""Requests to the provider of card payments, and its replies. Pure.

A report may come before the reply to its request; then the reply changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from domain.tries import PAUSES, TRIED_FOR
from runtime.rows import Call, Name, Rows, spread_pause
from schemas.parts import Message
from schemas.reasons import PaymentFailure
from services.payment_service.rows import Kind, Move, call_name, key_of, move_name
from services.payment_service.rules.book import Book
from services.payment_service.rules.disputes import keep_refused
from services.payment_service.rules.reports import Outcome, take_outcome

Action = Literal["ask", "withdraw", "capture", "lift", "refund"]
ReplyOutcome = Outcome | Literal["pending", "declined", "disputed", "again", "ours"]

#: How long the provider knows an idempotency key, less an hour.
KEY_KEPT = timedelta(hours=23)
#: When a page is looked at of whose end no report came: it is open for a day.
PAGE_LOOKED_AT = timedelta(hours=25)
#: Pause before the next try of a refund that was refused for an unreported dispute.
DISPUTE_LOOKED_AT = timedelta(days=1)
#: What a payment becomes by money that is there.
IS_THERE = frozenset({"authorised", "succeeded"})
#: All other kinds are asked of the payer, or withdrawn.
ACTIONS: Mapping[Kind, Action] = {"capture": "capture", "release": "lift", "refund": "refund"}
#: Kinds that moved money if they were done without our knowledge.
MOVES_MONEY = frozenset({"capture", "refund", "release"})


@dataclass(slots=True)
class Request:
    """A request to the caller of a method.

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
    """The result of a request.

    ``pending``: the payer or the provider acts next. ``again``: not known, or not now. ``ours``:
    the mistake is here. ``disputed``: a refund waits for the end of a dispute. ``spent``: the same
    answer would come for ever under this key. ``key`` is that of the request.
    """

    outcome: ReplyOutcome
    text: str = ""
    reference: str | None = None
    session: str | None = None
    page: str | None = None
    spent: bool = False
    key: str = ""


# --- requests ------------------------------------------------------------------------------------

#: The server of all payments by card.
STRIPE = "Stripe"


def stripe(row_name: str, rows: Rows) -> str:
    """The server that a payment by card goes to."""
    return STRIPE


def about(request: Request) -> dict[str, str]:
    """The fields of log lines and traces about a call for a payment."""
    return {"payment": request.action, "payment_id": request.payment_id}


def request(row_name: Name[Call], rows: Rows, now: datetime) -> Request:
    """The request for a payment as it is now; its row has the number of the key."""
    payment_id = row_name.rpartition("/")[2]
    move = rows[move_name(payment_id)]
    call = rows[row_name]
    parent: Move | None = rows.get(move_name(move.parent)) if move.parent else None
    since = move.first_tried_at or call.since
    was_tried = move.attempts > 0 or call.ambiguous
    return Request(
        action=ACTIONS.get(move.kind, "withdraw" if move.is_void else "ask"),
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


# --- replies -------------------------------------------------------------------------------------


def settle(row_name: Name[Call], reply: Reply, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the reply to a try; another try follows later, unless the reply is final."""
    payment_id = row_name.rpartition("/")[2]
    call = rows[row_name]
    move = rows[move_name(payment_id)]
    del rows[row_name]
    book = Book(move.payer, rows, now)
    if _is_of_earlier_try(reply, payment_id, move):
        book.go_on(payment_id)
        return book.level()
    tried = replace(
        move,
        attempts=move.attempts + 1,
        # A try whose reply died with its worker was the first, and under the key in use.
        first_tried_at=move.first_tried_at or (call.since if call.ambiguous else now),
        reference=reply.reference or move.reference,
        session=reply.session or move.session,
        page=reply.page or move.page,
    )
    # If it is not pending any more, a report was faster.
    match reply.outcome if move.status == "pending" else None:
        case "again" | "ours":
            _try_later(book, payment_id, tried, reply, call)
        case "disputed":
            if keep_refused(book, payment_id, tried):
                at = now + DISPUTE_LOOKED_AT
                rows[row_name] = Call(at=at, since=at)
        case "declined":
            past = tried.past_with(tried.tried_as)
            book.put(payment_id, replace(tried, status="failed", problem=reply.text, past=past))
        case "pending":
            book.put(payment_id, replace(tried, attempts=0, first_tried_at=None, looks=False))
            at = now if move.is_void else now + PAGE_LOOKED_AT
            rows[row_name] = Call(at=at, since=at)
        case "authorised" | "succeeded" | "cancelled" | "failed" as outcome:
            book.put(payment_id, replace(tried, looks=False))
            take_outcome(book, payment_id, outcome, reply.reference, reply.text)
    return book.level()


def _is_of_earlier_try(reply: Reply, payment_id: str, move: Move) -> bool:
    """Whether a payment was tried again while this reply was under way.

    The present try is asked for after it. Only money that is there counts, whenever it came; a
    refund that the bank has sent back since is not there.
    """
    is_of_it = not reply.key or reply.key == key_of(payment_id, move)
    is_there = reply.outcome in IS_THERE and reply.reference not in move.past
    return not is_of_it and move.status == "pending" and not is_there


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
    is_again = reply.outcome == "again"
    tried.problem = PaymentFailure.NO_ANSWER if is_again else PaymentFailure.NOT_ACCEPTED
    tried.is_unsure = reply.outcome == "again" and tried.kind in MOVES_MONEY
    book.put(payment_id, tried)
