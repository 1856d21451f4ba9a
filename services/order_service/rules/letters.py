"""Letters to members: orders to confirm, to pay, that count or not, and the deadline.

Each letter is sent where the row changes that it tells of, so a repeat tells nothing again. Nothing
is told of a group whose rows are gone: an order that is refused then may be one that counted.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.goals import held_tier
from domain.orders import confirm_by
from domain.tiers import progress, start_of
from runtime.rows import Rows
from schemas.letters import LetterKind, Notice, notices
from schemas.orders import OrderPaid, OrderPlaced
from schemas.parts import Contact, FavorTerms, Party, Tier
from services.order_service.rows import (
    MEMBERS,
    PURCHASE,
    TERMS,
    Admitted,
    Order,
    Purchase,
    Return,
    Terms,
    listed_person,
    method_of,
    order_refused,
    reached_as,
)

LONG_PERIOD = timedelta(hours=48)
REMINDS_BEFORE_CLOSE = timedelta(hours=24)


def contact_to_keep(message: OrderPlaced | OrderPaid, rows: Rows) -> Contact | None:
    """An order's contact, or none if the list of members says where the member is reached."""
    contact = message.contact
    if contact is None or listed_person(message.member_id, rows) is not None:
        return None
    return contact


def confirm_order(name: str, order: Order, rows: Rows, now: datetime) -> Sequence[Notice]:
    """The letter that asks to confirm an order, and says until when."""
    return _of_order(
        "confirm-order", name, order, rows, now, confirm_by=confirm_by(order.ordered_at)
    )


def counted(
    name: str, order: Order, purchase: Purchase, rows: Rows, now: datetime
) -> Sequence[Notice]:
    """That an order counts, and what the group has with it: ``purchase``."""
    terms = rows[TERMS]
    return _of_order(
        "order-counted",
        name,
        order,
        rows,
        now,
        total_quantity=purchase.quantity,
        number_of_products=terms.number_of_products,
        **_steps(order, purchase, rows),
    )


def _steps(order: Order, purchase: Purchase, rows: Rows) -> dict[str, Tier]:
    """The step of the discount that holds with an order, and the next, if a letter tells them."""
    terms = rows[TERMS]
    is_told = _party(order.member_id, order.person_id, rows) is not None
    if not terms.favor or not is_told or rows[PURCHASE].status != "open":
        return {}
    tiers = sorted(FavorTerms.model_validate_json(terms.favor).tiers, key=start_of)
    sums = (purchase.quantity, purchase.value)
    number, as_reached = terms.number_of_products, terms.is_as_reached
    held = held_tier(tiers, number, *sums, is_as_reached=as_reached)
    reached = progress(tiers, *sums)
    # What is reached before the goal may hold only from the goal on: then neither is told.
    places = {"tier": held, "next_tier": reached.following if held == reached.reached else None}
    return {name: tiers[place] for name, place in places.items() if place is not None}


def waits(name: str, order: Order, rows: Rows, now: datetime) -> Sequence[Notice]:
    """That an order counts once it is paid, while the group is open.

    There is none where nobody has to pay before that: an order by invoice counts as soon as its
    invoice is issued, and one of no value at once. No date is named, as an order that was made in
    time counts whenever it is paid.
    """
    method = method_of(order.member_id, rows[TERMS], rows)
    if rows[PURCHASE].status != "open" or method == "invoice" or not order.value:
        return ()
    return _of_order("order-waits", name, order, rows, now, method=method)


def _of_order(
    kind: LetterKind, name: str, order: Order, rows: Rows, now: datetime, **more: Any
) -> Sequence[Notice]:
    party = _party(order.member_id, order.person_id, rows)
    terms = rows[TERMS]
    if party is None or terms.product is None:
        return ()
    _, source, order_id = name.split("/")
    return notices(
        kind,
        party,
        rows.key,
        now,
        source,
        order_id,
        group_id=rows.key,
        source=source,
        order_id=order_id,
        quantity=order.quantity,
        value=order.value,
        currency=terms.currency,
        closes_at=terms.closes_at,
        **_sold(terms),
        **more,
    )


def refused(
    name: str, row: Order | Return, person_id: str | None, rows: Rows, now: datetime
) -> Sequence[Notice]:
    """That an order or return is refused, as its row ``name`` says by now."""
    return _refused(name, row, _party(row.member_id, person_id, rows), rows, now)


def refused_elsewhere(
    name: str, row: Order, contact: Contact | None, rows: Rows, now: datetime
) -> Sequence[Notice]:
    """The letter that an order of another shop is refused, to the order's person only.

    The other shop's member may be another person than the group's member with the same id.
    """
    return _refused(name, row, contact.party() if contact else None, rows, now)


def _refused(
    name: str, row: Order | Return, party: Party | None, rows: Rows, now: datetime
) -> Sequence[Notice]:
    if party is None:
        return ()
    answer = order_refused(name, row, rows)
    return notices(
        "order-refused",
        party,
        rows.key,
        now,
        *name.split("/"),
        group_id=rows.key,
        source=answer.source,
        order_id=answer.order_id,
        quantity=answer.quantity,
        reason=answer.reason,
        **(_sold(rows[TERMS]) if TERMS in rows else {}),
    )


def reminds_at(opens_at: datetime, closes_at: datetime) -> datetime:
    """When listed members are reminded: a day before the close; of a short period, at 3/4."""
    period = closes_at - opens_at
    if period >= LONG_PERIOD:
        return closes_at - REMINDS_BEFORE_CLOSE
    return opens_at + period * 3 // 4


def reminders(listed: Iterable[tuple[str, Admitted]], rows: Rows) -> Sequence[Notice]:
    """Reminders to those of ``listed`` who can be reached and have no order that counts.

    Each names the time that was fixed for it, even if this rule runs later.
    """
    terms = rows[TERMS]
    purchase = rows[PURCHASE]
    letters: list[Notice] = []
    for name, admitted in listed:
        if admitted.person_id is None or terms.product is None:
            continue
        member_id = name.partition("/")[2]
        member = rows.get(MEMBERS(member_id))
        if member is not None and member.quantity:
            continue
        letters += notices(
            "deadline-reminder",
            Party(id=member_id, person_id=admitted.person_id),
            rows.key,
            reminds_at(terms.opens_at, terms.closes_at),
            group_id=rows.key,
            number_of_products=terms.number_of_products,
            total_quantity=purchase.quantity,
            closes_at=terms.closes_at,
            **_sold(terms),
        )
    return letters


def group_message(
    message_id: str, words: str, recipient: Party, rows: Rows, now: datetime
) -> Sequence[Notice]:
    """The organizer's words to one person."""
    terms = rows[TERMS]
    if terms.product is None:
        return ()
    return notices(
        "group-message",
        recipient,
        rows.key,
        now,
        message_id,
        recipient.person_id,  # members of two shops may have one id
        group_id=rows.key,
        words=words,
        closes_at=terms.closes_at,
        **_sold(terms),
    )


def _party(member_id: str, in_orders: str | None, rows: Rows) -> Party | None:
    """A member who can be reached, as listed, else as orders said."""
    person_id = reached_as(member_id, in_orders, rows)
    return Party(id=member_id, person_id=person_id) if person_id else None


def _sold(terms: Terms) -> dict[str, Any]:
    """What is sold, and by whom; no product for rows written before they named it."""
    return {
        "product": terms.product.told() if terms.product else None,
        "shop_id": terms.shop_id,
        "seller_id": terms.seller_id,
    }
