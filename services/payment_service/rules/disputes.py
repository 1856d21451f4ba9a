"""Disputes of card payments at the payer's bank, and their effect on refunds. Pure.

While a dispute is open, refunds of its payment wait with the problem ``disputed``: Stripe refuses
them too, and a payer must never get the same money twice. A lost dispute moves the money back to
the payer, so it is booked as a refund with the dispute's id. If the payer then owes money again, no
charge is made. It becomes a payment that failed with the problem ``dispute-lost``, for people.
After a won dispute the refunds go on.
"""

from dataclasses import replace

from schemas.payments import PaymentDisputed
from services.payment_service.rows import DISPUTE_LOST, DISPUTED, Dispute, Move, select, standing
from services.payment_service.rules.balance import Begin
from services.payment_service.rules.book import Book

_RANKS = {"open": 0, "won": 1, "lost": 2}


def take_state(book: Book, message: PaymentDisputed) -> None:
    """Take a report of a dispute, unless a later one is known."""
    charge = book.moves[message.payment_id]
    amount = charge.amount if message.amount is None else message.amount
    said = Dispute(message.dispute_id, message.state, message.at, amount)
    known = {each.dispute_id: each for each in charge.disputes}
    before = known.get(said.dispute_id)
    if before is not None and not _is_news(before, said):
        return
    known[said.dispute_id] = said
    book.put(message.payment_id, replace(charge, disputes=tuple(known.values())))
    _enter_lost(book, message.payment_id, said)
    _let_refunds(book, message.payment_id)


def _is_news(before: Dispute, said: Dispute) -> bool:
    """The later report counts; of two at one moment, the worse. After a loss only a win counts."""
    if before.state == "lost" and said.state == "open":
        return False
    return (said.at, _RANKS[said.state]) > (before.at, _RANKS[before.state])


def _enter_lost(book: Book, payment_id: str, dispute: Dispute) -> None:
    """Book the money that a dispute took as a refund, and only that."""
    charge = book.moves[payment_id]
    refunds = standing(select(book.moves, "card", "refund", parent=payment_id))
    booked = {name: move for name, move in refunds.items() if move.reference == dispute.dispute_id}
    if dispute.state != "lost":
        for name, move in booked.items():
            book.put(name, replace(move, status="cancelled", is_void=True))
    elif not booked and dispute.amount:
        taken = Begin("refund", "card", dispute.amount, charge.cause, payment_id)
        book.begin(
            taken._replace(status="succeeded", problem=DISPUTE_LOST, reference=dispute.dispute_id)
        )


def _let_refunds(book: Book, payment_id: str) -> None:
    """Hold, drop or go on with the refunds of a payment that Stripe does not have yet.

    A refund that was tried before may have been made: its own answer decides.
    """
    charge = book.moves[payment_id]
    for name, move in select(book.moves, "card", "refund", parent=payment_id).items():
        if move.status != "pending":
            continue
        if charge.is_disputed:
            book.hold(name)
        elif move.problem == DISPUTED and charge.is_lost:
            # The part that the dispute did not take is refunded anew.
            book.put(name, replace(move, status="cancelled", is_void=True, problem=None))
        elif move.problem == DISPUTED:
            book.go_on(name)


def keep_refused(book: Book, payment_id: str, tried: Move) -> bool:
    """Keep a payment that Stripe refused for a dispute; returns whether to try again in a day.

    Nothing was moved, so the next try is a new one. If the dispute of a refund's charge is lost,
    people decide.
    """
    charge = book.moves[tried.parent] if tried.parent else None
    is_disputed = charge is not None and charge.is_disputed
    tried = replace(tried, attempts=0, first_tried_at=None, keys=tried.keys + 1, looks=True)
    if charge is not None and charge.is_lost and not is_disputed:
        book.put(payment_id, replace(tried, status="failed", problem=DISPUTE_LOST))
        return False
    book.put(payment_id, replace(tried, problem=DISPUTED))
    return not is_disputed
