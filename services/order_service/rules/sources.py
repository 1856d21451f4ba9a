"""Orders and returns of a source that the group does not list: they are refused."""

from collections.abc import Sequence
from datetime import datetime

from domain.sources import may_feed
from runtime.rows import Rows
from schemas.orders import OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import Message
from schemas.people import person_of
from schemas.reasons import OrderRefusal, ReturnRefusal
from services.order_service.rows import (
    TERMS,
    Order,
    Return,
    order_name,
    order_refused,
    return_name,
)
from services.order_service.rules import letters


def is_fed_by(source: str, rows: Rows) -> bool:
    """Whether orders of this source count in the group, whose terms are known."""
    terms = rows[TERMS]
    return may_feed(source, terms.sources)


def refuse_order(message: OrderPlaced | OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse an order of another shop; a repeat gets the same answer.

    No letter goes to the address of an unconfirmed order, as it may be a stranger's.
    """
    name = order_name(message.source, message.order_id)
    row = Order(
        state="refused",
        member_id=message.member_id,
        quantity=message.quantity,
        reason=OrderRefusal.NOT_THIS_SHOP,
    )
    known = rows.get(name)
    if known is not None and known.state == "refused":
        return (order_refused(name, known, rows),)
    rows[name] = row
    if isinstance(message, OrderPlaced) and message.unconfirmed:
        return (order_refused(name, row, rows),)
    contact = message.contact
    people = person_of(contact, now) if contact else ()
    letter = letters.refused_elsewhere(name, row, contact, rows, now)
    return order_refused(name, row, rows), *people, *letter


def refuse_return(message: OrderReturned, rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse a return of another shop, without a letter, as no order of the group came back."""
    name = return_name(message.source, message.return_id)
    known = rows.get(name)
    if known is None:
        known = Return(
            member_id=message.member_id,
            refused=message.quantity,
            reason=ReturnRefusal.NOT_THIS_SHOP,
        )
        rows[name] = known
    return (order_refused(name, known, rows),)
