"""What other services are told: the facts that rows stand for, and letters to payers. Pure.

A letter says that money moved, or could not be moved. There is none about a hold on a card, as a
hold moves no money, and none about an amount of 0.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from domain.invoices import open_of
from runtime.rows import Name, Rows
from schemas.letters import Billed, Notice, notices
from schemas.parts import Party, PaymentCause
from schemas.parts import Receipt as ReceiptSaid
from schemas.payments import GroupSettled, Payment
from services.payment_service.rows import (
    DISPUTE_LOST,
    DISPUTED,
    LISTED,
    ORGANIZER,
    TERMS,
    Cause,
    Move,
    Settled,
    move_name,
    order_name,
    payer_name,
)

SILENT_KINDS = frozenset({"authorisation", "release"})


def payment(row_name: Name[Move], rows: Rows) -> Payment:
    """The fact that a ``payment`` row stands for; money in minor units."""
    move = rows[row_name]
    return Payment(
        payment_id=row_name.partition("/")[2],
        group_id=rows.key,
        member_id=move.payer or None,
        kind=move.kind,
        method=move.method,
        amount=move.amount,
        currency=move.currency,
        status=move.status,
        cause=PaymentCause(**move.cause._asdict()),
        provider_reference=move.reference,
        page=move.page if move.status == "pending" and not move.is_void else None,
        received=move.received or None,
        receipts=tuple(ReceiptSaid(**each._asdict()) for each in move.receipts) or None,
        problem=move.problem or _problem_of(move),
        code=move.code,
        begun_at=move.begun_at,
        quantity=move.quantity,
        value=move.value,
        favor=move.favor,
        version=move.version,
    )


def _problem_of(move: Move) -> str | None:
    if move.is_disputed:
        return DISPUTED
    return DISPUTE_LOST if move.is_lost else None


def settled(row_name: Name[Settled], rows: Rows) -> GroupSettled:
    """The fact that the row ``settled`` stands for."""
    row = rows[row_name]
    terms = rows[TERMS]
    return GroupSettled(
        group_id=rows.key,
        request_id=terms.request_id,
        settled_at=row.at,
        version=row.version,
    )


# --- letters -------------------------------------------------------------------------------------


class Change(NamedTuple):
    """A payment before and after a change; ``before`` is None for a new one."""

    payment_id: str
    before: Move | None
    after: Move


def letters(changes: Iterable[Change], rows: Rows, now: datetime) -> list[Notice]:
    """Letters about payments that are done or failed; an invoice is done when it is issued."""
    sent: list[Notice] = []
    for payment_id, before, move in changes:
        is_done = move.status == ("pending" if move.kind == "invoice" else "succeeded")
        if before is not None and before.status == move.status:
            continue
        if move.status == "failed":
            sent += _failed(payment_id, move, rows, now)
        elif is_done and move.amount and move.kind not in SILENT_KINDS:
            sent += _done(payment_id, move, rows, now)
    return sent


def _done(payment_id: str, move: Move, rows: Rows, now: datetime) -> Iterator[Notice]:
    """To the payer, who knows the result of a lost dispute from the bank."""
    payer = _payer(move, rows)
    if payer is not None and move.problem != DISPUTE_LOST:
        said = _said(payment_id, move, rows) | _link_to(move, payer, rows)
        said |= _billed(payment_id, rows)
        if move.kind == "invoice" and move.cause.kind == "order" and move.payer != ORGANIZER:
            said["closes_at"] = rows[TERMS].discount_at
        yield from notices("payment-done", payer, rows.key, now, payment_id, **said)


def _failed(payment_id: str, move: Move, rows: Rows, now: datetime) -> Iterator[Notice]:
    """To the payer and the organizer, once for each try."""
    owner = _payer(move, rows)
    payer = None if move.kind == "release" else owner
    # One id may be two people: the organizer's, and that of another shop's member.
    parties = dict.fromkeys(each for each in (payer, _organizer(rows)) if each is not None)
    said = _said(payment_id, move, rows)
    # The payment has the reason that a shop gave. It is for the people who repair it.
    said["reason"] = None if move.method == "shop" else move.problem
    for party in parties:
        is_own = move.payer == ORGANIZER or party == owner
        more = _link_to(move, party, rows) if is_own else {"role": "organizer"}
        yield from notices(
            "payment-failed", party, rows.key, now, payment_id, move.keys, **said, **more
        )


def _said(payment_id: str, move: Move, rows: Rows) -> dict[str, object]:
    terms = rows[TERMS]
    return {
        "group_id": rows.key,
        "product": terms.product.told() if terms.product else None,
        "shop_id": terms.shop_id,
        "seller_id": terms.seller_id,
        "payment_id": payment_id,
        "payment_kind": move.kind,
        "method": move.method,
        "amount": move.amount,
        "currency": move.currency,
        "code": move.code,
    }


def _billed(payment_id: str, rows: Rows) -> dict[str, object]:
    """What the paper of an invoice or a credit note says, as all of the payer's payments are now.

    Nothing for terms of earlier versions, which did not name the product.
    """
    terms = rows[TERMS]
    name = move_name(payment_id)
    fact = payment(name, rows)
    if fact.number is None or terms.product is None:
        return {}
    payer_id = rows[name].payer
    mine = [rows[move_name(each)] for each in rows[payer_name(payer_id)].payments]
    mark = terms.organizer_name_mark
    if payer_id != ORGANIZER:
        listed, payer = rows.get(LISTED(payer_id)), rows[payer_name(payer_id)]
        mark = (listed if listed and listed.person_id else payer).name_mark
    return {
        "request_id": terms.request_id,
        "billed": Billed(payment=fact, still_open=open_of(fact, mine), name_mark=mark),
    }


def _link_to(move: Move, payer: Party, rows: Rows) -> dict[str, str | None]:
    """The order that a letter's link shows alone, if the payer is not the member's person.

    The payments and papers of the member's other orders are another person's.
    """
    if move.payer == ORGANIZER or payer.person_id == _person_of(move.payer, rows):
        return {}
    return {"order_id": move.cause.order_id}


def _payer(move: Move, rows: Rows) -> Party | None:
    """A payer who can be reached, as the list of members says, else as the orders did.

    Of an order, the person whom that order named: members of two shops may have one id.
    """
    if move.payer == ORGANIZER:
        return _organizer(rows)
    listed = rows.get(LISTED(move.payer))
    found = listed.person_id if listed else None
    found = found or _ordered_as(move.cause, rows) or _person_of(move.payer, rows)
    return Party(id=move.payer, person_id=found) if found else None


def _person_of(payer_id: str, rows: Rows) -> str | None:
    """The member's person: as listed, else the first whom an order named."""
    listed, payer = rows.get(LISTED(payer_id)), rows.get(payer_name(payer_id))
    return (listed.person_id if listed else None) or (payer.person_id if payer else None)


def _ordered_as(cause: Cause, rows: Rows) -> str | None:
    if cause.source is None or cause.order_id is None:
        return None
    order = rows.get(order_name(cause.source, cause.order_id))
    return order.person_id if order else None


def _organizer(rows: Rows) -> Party | None:
    terms = rows[TERMS]
    found = terms.organizer_person_id
    return Party(id=terms.organizer_id, person_id=found) if found else None
