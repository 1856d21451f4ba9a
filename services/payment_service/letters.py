"""What payers are told by letter: that money moved, or could not be moved.

Nothing is told of a hold on a card that is set or lifted, as no money moves; nor of nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from runtime.rows import Rows
from schemas.letters import Notice, notices
from schemas.parts import Person
from services.payment_service.rows import ORGANIZER, Listed, Move, Payer, Terms, payer_name

SILENT_KINDS = frozenset({"authorisation", "release"})


def done(payment_id: str, move: Move, rows: Rows, now: datetime) -> Sequence[Notice]:
    """To the payer: that this payment is through."""
    if move.kind in SILENT_KINDS or not move.amount:
        return ()
    person = _payer(move.payer, rows)
    if person is None:
        return ()
    return notices(
        "payment-done", person, rows.key, now, payment_id, **_said(payment_id, move, rows.key)
    )


def failed(payment_id: str, move: Move, rows: Rows, now: datetime) -> Sequence[Notice]:
    """To the payer and the organizer: that this payment failed, once for each time it is tried."""
    terms: Terms = rows["terms"]
    organizer = terms.organizer.of(terms.organizer_id) if terms.organizer else None
    payer = None if move.kind == "release" else _payer(move.payer, rows)
    people = {person.id: person for person in (payer, organizer) if person is not None}
    said = _said(payment_id, move, rows.key)
    return [
        notice
        for person in people.values()
        for notice in notices(
            "payment-failed",
            person,
            rows.key,
            now,
            payment_id,
            move.keys,
            # What a shop said is for whoever mends it: it stands in the payment.
            reason=None if move.method == "shop" else move.problem,
            **said,
        )
    ]


def _said(payment_id: str, move: Move, group_id: str) -> dict[str, object]:
    return {
        "group_id": group_id,
        "payment_id": payment_id,
        "payment_kind": move.kind,
        "method": move.method,
        "amount": move.amount,
        "currency": move.currency,
        "code": move.code,
    }


def _payer(payer_id: str, rows: Rows) -> Person | None:
    """Who pays, with the address that the list of members has, else that of the orders."""
    terms: Terms = rows["terms"]
    if payer_id == ORGANIZER:
        return terms.organizer.of(terms.organizer_id) if terms.organizer else None
    listed: Listed | None = rows.get(f"listed/{payer_id}")
    payer: Payer | None = rows.get(payer_name(payer_id))
    found = (listed.address if listed else None) or (payer.address if payer else None)
    return found.of(payer_id) if found else None
