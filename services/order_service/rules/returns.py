"""What takes orders out of the sums again: cancellations and returns; neither undoes a close."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from domain.ids import MARK_MAX
from domain.money import share
from runtime.rows import Name, Rows
from schemas.orders import OrderCancelled, OrderReturned
from schemas.parts import Message
from schemas.reasons import ReturnRefusal
from services.order_service.rows import (
    LATEST,
    MEMBERS,
    ORDERS,
    PURCHASE,
    Latest,
    Member,
    Order,
    Return,
    latest_name,
    mark_of,
    order_name,
    order_refused,
    return_name,
)
from services.order_service.rules import letters


def take_out(message: OrderCancelled, rows: Rows) -> None:
    """Take an order out, or keep that it is void until it comes; a refused one stays refused."""
    name = order_name(message.source, message.order_id)
    order = rows.get(name)
    if order is None:
        rows[name] = Order("cancelled")
    elif order.state not in ("cancelled", "refused"):
        rows[name] = replace(order, state="cancelled", person_id=None)
        if order.state == "counts":
            _uncount(name, order, rows)


def take_back(message: OrderReturned, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a return out of orders and sums once, and refuse each time what exceeds the orders."""
    name = return_name(message.source, message.return_id)
    answer = rows.get(name)
    if answer is not None:
        return (order_refused(name, answer, rows),) if answer.refused else ()
    answer = Return(
        member_id=message.member_id,
        refused=_take_from_orders(message, rows),
        reason=ReturnRefusal.EXCEEDS_ORDERS,
    )
    rows[name] = answer
    if not answer.refused:
        return ()
    letter = letters.refused(name, answer, _person_id(message, rows), rows, now)
    return order_refused(name, answer, rows), *letter


def _person_id(message: OrderReturned, rows: Rows) -> str | None:
    """Of the member's orders, or of the one that the return names, if that awaits its money."""
    member = rows.get(MEMBERS(message.member_id))
    if member is not None and member.person_id:
        return member.person_id
    if message.order_id is None:
        return None
    order = rows.get(order_name(message.source, message.order_id))
    if order is None or order.state == "unconfirmed" or order.member_id != message.member_id:
        return None
    return order.person_id


def _uncount(name: Name[Order], order: Order, rows: Rows) -> None:
    """Take a cancelled order's rest out of the sums, and its times out of its member's row."""
    member_name = MEMBERS(order.member_id)
    member = rows[member_name]
    first = last = None
    if not member.only_order:
        del rows[latest_name(order)]
        first = _ordered_at(rows.scan(LATEST, order.member_id), rows)
        last = _ordered_at(rows.scan(LATEST, order.member_id, reverse=True), rows)
    without = replace(
        member,
        orders=member.orders - 1,
        first_ordered_at=first,
        last_ordered_at=last,
        only_order="",
        mark=(member.mark - mark_of(name, order.member_id, rows)) % MARK_MAX,
    )
    _lower(member_name, without, order.quantity - order.returned, _value_left(order), rows)


def _ordered_at(latest: Iterable[tuple[Name[Latest], Latest]], rows: Rows) -> datetime | None:
    """When the first of these orders was made; None if there is none."""
    for _, row in latest:
        return rows[ORDERS.stored(row.order)].ordered_at
    return None


def _take_from_orders(message: OrderReturned, rows: Rows) -> int:
    """Take a return out of orders and sums; what is left exceeds the orders."""
    member_name = MEMBERS(message.member_id)
    member = rows.get(member_name)
    left, value = message.quantity, 0
    if member is None:
        return left
    own = order_name(message.source, "")
    for name in _orders_to_return(message, member, rows):
        if not name.startswith(own):
            continue
        order = rows.get(name)
        if order is None or order.state != "counts" or order.member_id != message.member_id:
            continue
        taken = min(left, order.quantity - order.returned)
        if taken:
            rest = replace(order, returned=order.returned + taken)
            rows[name] = rest
            value += _value_left(order) - _value_left(rest)
            left -= taken
        if not left:
            break
    if left < message.quantity:
        _lower(member_name, member, message.quantity - left, value, rows)
    return left


def _orders_to_return(message: OrderReturned, member: Member, rows: Rows) -> Iterator[Name[Order]]:
    """The order that the return names; else all of the member's, the latest first."""
    if message.order_id is not None:
        yield order_name(message.source, message.order_id)
    elif member.only_order:
        yield ORDERS.stored(member.only_order)
    else:
        for _, latest in rows.scan(LATEST, message.member_id, reverse=True):
            yield ORDERS.stored(latest.order)


def _value_left(order: Order) -> int:
    """The value of what was not returned, in minor units, rounded half up."""
    if not order.returned:
        return order.value
    return share(order.value, order.quantity - order.returned, order.quantity)


def _lower(
    member_name: Name[Member], member: Member, quantity: int, value: int, rows: Rows
) -> None:
    """Take that much out of a member's sums and the group's, and put both rows.

    The group's stays as it is if an order is cancelled that was returned in whole before.
    """
    left = member.quantity - quantity
    rows[member_name] = replace(
        member, version=member.version + 1, quantity=left, value=member.value - value
    )
    if quantity:
        purchase = rows[PURCHASE]
        rows[PURCHASE] = replace(
            purchase,
            version=purchase.version + 1,
            quantity=purchase.quantity - quantity,
            value=purchase.value - value,
            members=purchase.members - (left == 0),
        )
