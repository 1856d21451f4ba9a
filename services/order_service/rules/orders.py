"""Which orders count, from when on, and what they add to their member and to the group."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.ids import MARK_MAX
from domain.money import worth
from runtime.rows import Name, Rows
from schemas.orders import OrderPaid, OrderPlaced
from schemas.parts import NUMBER_MAX, SUM_MAX, Message
from schemas.payments import Payment
from schemas.people import Person, person_of
from schemas.reasons import OrderRefusal, PaymentFailure
from services.order_service.rows import (
    ADMITTED,
    MEMBERS,
    ORDERS,
    PURCHASE,
    TERMS,
    UNPAID,
    Latest,
    Member,
    Order,
    Purchase,
    Terms,
    Unpaid,
    latest_name,
    mark_of,
    method_of,
    order_name,
    order_refused,
)
from services.order_service.rules import confirmations, letters
from services.order_service.rules.periods import close, is_complete, reason_after_close

#: States of orders that have not come themselves.
AHEAD = ("paid-ahead", "confirmed-ahead")
#: (kind, status) of payments that say that an order's money is there, or will be asked for.
MONEY_IS_THERE = frozenset(
    {
        ("authorisation", "authorised"),
        ("authorisation", "succeeded"),
        ("charge", "authorised"),
        ("charge", "succeeded"),
        ("invoice", "pending"),
        ("invoice", "succeeded"),
    }
)


def paid_order(message: Payment) -> Name[Order] | None:
    """The name of the order whose money a payment says is there; None if it says no such thing."""
    cause = message.cause
    if cause.kind != "order" or (message.kind, message.status) not in MONEY_IS_THERE:
        return None
    if cause.source is None or cause.order_id is None:
        return None
    return order_name(cause.source, cause.order_id)


def unaskable_order(message: Payment) -> Name[Order] | None:
    """The order that can't be charged, as it would take its payer's sums beyond the limit.

    ``None`` if the payment does not say so.
    """
    cause = message.cause
    is_refused = (message.status, message.problem) == ("cancelled", PaymentFailure.BEYOND_LIMITS)
    if cause.kind != "order" or not is_refused:
        return None
    if cause.source is None or cause.order_id is None:
        return None
    return order_name(cause.source, cause.order_id)


def take_order(
    message: OrderPlaced | OrderPaid, rows: Rows, now: datetime, *, paid: bool
) -> Sequence[Message]:
    """Count a new order or keep it until its money is there, or refuse it; answer a known one."""
    name = order_name(message.source, message.order_id)
    known = rows.get(name)
    if known is not None and known.state not in AHEAD:
        return _take_known(name, known, message, rows, now, paid=paid)
    terms = rows[TERMS]
    purchase = rows[PURCHASE]
    contact = letters.contact_to_keep(message, rows)
    price = terms.unit_price if message.unit_price is None else message.unit_price
    value = worth(message.quantity, price or 0, message.value)
    order = Order(
        state="counts",
        member_id=message.member_id,
        quantity=message.quantity,
        value=value or 0,
        ordered_at=message.ordered_at,
        arrived_version=purchase.version + 1,
        person_id=contact.reached_as if contact else None,
        name_mark=contact.party_of(terms.request_id).name_mark if contact else None,
    )
    awaits_confirmation = confirmations.awaits_confirmation(message, known)
    money = known is not None and (known.state == "paid-ahead" or known.money)
    reason = _reason_to_refuse(
        message, terms, purchase, rows, now
    ) or confirmations.reason_to_refuse(message, known, terms, purchase, now)
    if not reason and _is_beyond_limits(order, purchase):
        reason = OrderRefusal.BEYOND_LIMITS
    if reason and awaits_confirmation:
        return _refuse(name, order, reason, rows, now, is_told=False)
    if reason:
        answer = _refuse(name, order, reason, rows, now)
    elif awaits_confirmation:
        kept = replace(order, state="unconfirmed", money=money)
        answer = confirmations.keep(name, kept, rows, now)
    else:
        answer = _take_in(name, order, rows, now, paid=paid, money=money)
    return (*person_of(contact, now), *answer) if contact else answer


def take_confirmation(
    name: Name[Order], at: datetime, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Take a confirmed order as if it came now; if it has not come yet, keep its confirmation.

    The order was placed in time, so the 72 hours after the close do not apply. An order that is
    confirmed too late, or was refused, is refused; for other orders a confirmation does nothing.
    """
    order = rows.get(name)
    if order is None or order.state == "paid-ahead":
        rows[name] = Order("confirmed-ahead", confirmed_at=at, money=order is not None)
        return ()
    if order.state == "refused":
        return (order_refused(name, order, rows),)
    if order.state != "unconfirmed":
        return ()
    if not confirmations.is_in_time(order, at):
        return expire(name, rows, now)
    return _take_confirmed(name, order, rows, now, paid=False)


def expire(name: Name[Order], rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse an order that nobody confirmed; no letter, as the address may be a stranger's."""
    order = rows.get(name)
    if order is None or order.state != "unconfirmed":
        return ()
    confirmations.end_waiting(name, rows)
    return _refuse(name, order, OrderRefusal.EXPIRED, rows, now, is_told=False)


def _take_confirmed(
    name: Name[Order], order: Order, rows: Rows, now: datetime, *, paid: bool
) -> Sequence[Message]:
    confirmations.end_waiting(name, rows)
    purchase = rows[PURCHASE]
    if purchase.status == "withdrawn":
        return _refuse(name, order, OrderRefusal.WITHDRAWN, rows, now)
    arrived = replace(order, state="counts", arrived_version=purchase.version + 1, money=False)
    return _take_in(name, arrived, rows, now, paid=paid, money=order.money)


def _take_in(
    name: Name[Order], order: Order, rows: Rows, now: datetime, *, paid: bool, money: bool
) -> Sequence[Message]:
    """Count an order that passed all checks, or keep it until it is paid, and say so."""
    terms = rows[TERMS]
    purchase = rows[PURCHASE]
    counts = paid or terms.scope == "group"
    if not counts and money:
        counts = method_of(order.member_id, terms, rows) != "shop"
    if counts:
        return _count(name, order, purchase, rows, now)
    _keep_unpaid(name, order, purchase, rows)
    return letters.waits(name, order, rows, now)


def take_money(name: Name[Order], rows: Rows, now: datetime) -> Sequence[Message]:
    """Count a placed order whose money has come, or keep that it has until the order comes."""
    order = rows.get(name)
    if order is None:
        rows[name] = Order("paid-ahead")
    elif order.state in ("confirmed-ahead", "unconfirmed"):
        rows[name] = replace(order, money=True)
    elif order.state == "placed" and method_of(order.member_id, rows[TERMS], rows) != "shop":
        return _count_placed(name, order, rows, now)
    return ()


def take_no_money(name: Name[Order], rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse a placed order that can't be charged; an order that already counts stays."""
    order = rows.get(name)
    if order is None or order.state != "placed":
        return ()
    return _refuse(name, order, OrderRefusal.BEYOND_LIMITS, rows, now)


def _take_known(
    name: Name[Order],
    order: Order,
    message: OrderPlaced | OrderPaid,
    rows: Rows,
    now: datetime,
    *,
    paid: bool,
) -> Sequence[Message]:
    if order.state == "refused":
        return (order_refused(name, order, rows),)
    if order.state in ("placed", "unconfirmed") and paid:
        people: Sequence[Person] = ()
        if order.person_id is None and message.member_id == order.member_id:
            contact = letters.contact_to_keep(message, rows)
            if contact is not None:
                named = contact.party_of(rows[TERMS].request_id)
                order = replace(order, person_id=named.person_id, name_mark=named.name_mark)
                people = person_of(contact, now)
        if order.state == "unconfirmed":
            return *people, *_take_confirmed(name, order, rows, now, paid=True)
        return *people, *_count_placed(name, order, rows, now)
    return ()


def _reason_to_refuse(
    message: OrderPlaced | OrderPaid, terms: Terms, purchase: Purchase, rows: Rows, now: datetime
) -> OrderRefusal | None:
    """The first reason that holds, the order's own before those of when it came."""
    if terms.listed and ADMITTED(message.member_id) not in rows:
        return OrderRefusal.NOT_A_MEMBER
    if message.ordered_at < terms.opens_at:
        return OrderRefusal.BEFORE_PERIOD
    if message.ordered_at >= terms.closes_at:
        return OrderRefusal.AFTER_PERIOD
    if message.currency and terms.currency and message.currency != terms.currency:
        return OrderRefusal.OTHER_CURRENCY
    return reason_after_close(purchase, now)


def _is_beyond_limits(order: Order, purchase: Purchase) -> bool:
    """Whether the order would take the group's sums beyond a limit; they include its member's.

    Checked when an order comes and again when it counts, as others may have counted since.
    """
    quantity = purchase.quantity + order.quantity
    return quantity > NUMBER_MAX or purchase.value + order.value > SUM_MAX


def _keep_unpaid(name: Name[Order], order: Order, purchase: Purchase, rows: Rows) -> None:
    """Keep an order until its money is there; its arrival ranks after all that count by now."""
    unpaid = (rows.get(UNPAID) or Unpaid(0)).count + 1
    rows[UNPAID] = Unpaid(unpaid)
    rows[name] = replace(
        order, state="placed", arrived_version=purchase.version, arrived_unpaid=unpaid
    )


def _count_placed(name: Name[Order], order: Order, rows: Rows, now: datetime) -> Sequence[Message]:
    purchase = rows[PURCHASE]
    if purchase.status == "withdrawn":
        return _refuse(name, order, OrderRefusal.WITHDRAWN, rows, now)
    return _count(name, replace(order, state="counts"), purchase, rows, now)


def _count(
    name: Name[Order], order: Order, purchase: Purchase, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Add an order to its member and to the group, and close the group if that completes it."""
    if _is_beyond_limits(order, purchase):
        return _refuse(name, order, OrderRefusal.BEYOND_LIMITS, rows, now)
    quantity = purchase.quantity + order.quantity
    value = purchase.value + order.value
    rows[name] = replace(order, person_id=None, name_mark=None) if order.person_id else order
    members = purchase.members + _add_to_member(name, order, rows)
    counted = Purchase(
        version=purchase.version + 1,
        status=purchase.status,
        quantity=quantity,
        value=value,
        members=members,
        closed_at=purchase.closed_at,
        late_until=purchase.late_until,
    )
    letter = letters.counted(name, order, counted, rows, now)
    if counted.status == "open" and is_complete(counted, rows[TERMS]):
        return *close(counted, "complete", order.ordered_at, rows, now), *letter
    rows[PURCHASE] = counted
    return letter


def _add_to_member(name: Name[Order], order: Order, rows: Rows) -> int:
    """Add an order to its member's sums; 1 if the member had nothing before, else 0."""
    member_name = MEMBERS(order.member_id)
    member = rows.get(member_name)
    at = order.ordered_at
    mark = mark_of(name, order.member_id, rows)
    if member is None or not member.orders:
        version = 1 if member is None else member.version + 1
        person_id = order.person_id or (member.person_id if member else None)
        rows[member_name] = Member(
            version=version,
            quantity=order.quantity,
            value=order.value,
            orders=1,
            first_ordered_at=at,
            last_ordered_at=at,
            only_order=name,
            person_id=person_id,
            mark=mark,
            name_mark=_name_mark(order, member, person_id),
        )
        return 1
    if member.only_order:
        rows[latest_name(rows[ORDERS.stored(member.only_order)])] = Latest(member.only_order)
    rows[latest_name(order)] = Latest(name)
    # As in payment_service: a cart can name any member, and so change no other's letters.
    person_id = member.person_id or order.person_id
    rows[member_name] = Member(
        version=member.version + 1,
        quantity=member.quantity + order.quantity,
        value=member.value + order.value,
        orders=member.orders + 1,
        first_ordered_at=min(member.first_ordered_at or at, at),
        last_ordered_at=max(member.last_ordered_at or at, at),
        only_order="",
        person_id=person_id,
        mark=(member.mark + mark) % MARK_MAX,
        name_mark=_name_mark(order, member, person_id),
    )
    return int(member.quantity == 0)


def _name_mark(order: Order, member: Member | None, person_id: str | None) -> str | None:
    """The mark of the latest name that orders gave to the member's person."""
    if order.name_mark and order.person_id == person_id:
        return order.name_mark
    return member.name_mark if member and member.person_id == person_id else None


def _refuse(
    name: Name[Order],
    order: Order,
    reason: OrderRefusal,
    rows: Rows,
    now: datetime,
    *,
    is_told: bool = True,
) -> Sequence[Message]:
    refused = replace(order, state="refused", reason=reason, person_id=None, name_mark=None)
    rows[name] = refused
    if not is_told:
        return (order_refused(name, refused, rows),)
    letter = letters.refused(name, refused, order.person_id, rows, now)
    return order_refused(name, refused, rows), *letter
