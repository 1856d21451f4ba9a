"""What a shop's order comes to: its messages are folded into one row, the row into orders.

A snapshot (``ShopOrderSeen``, or ``ShopOrderUnnamed`` without a group) replaces an older one and
never a later one, as ``versions`` has it; edits and refunds are kept by their ids, and those that
the snapshot does not have yet are added to it. So each may come twice and in any order.
``settlement`` then sends the messages that bring the orders of each group to what the row says,
or none.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta

from runtime.rows import DUE, Due, Rows, drop
from schemas.parts import Message
from schemas.shop_orders import (
    ProductTold,
    ShopOrderEdited,
    ShopOrderGone,
    ShopOrderSeen,
    ShopOrderUnnamed,
    ShopRefundSeen,
)
from services.shop_bridge.rows import ORDER, TASK, Edit, Refund, ShopOrder
from services.shop_bridge.rules import snapshots
from services.shop_bridge.rules.settlement import settle
from services.shop_bridge.rules.snapshots import Snapshot, place
from services.shop_bridge.rules.unread import tell_people
from services.shop_bridge.rules.versions import gone

#: Shops refund and edit for months; what belongs to no order of ours is soon worth nothing.
KEPT = timedelta(days=180)
PARTS_KEPT = timedelta(days=7)
DELIVERIES_KEPT = 40


def see_order(message: ShopOrderSeen, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a snapshot, unless its delivery was taken before or a later one is known.

    The buyer's address goes to ``people``, and nowhere else from here.
    An older one may still name groups of lines that could not be read until ops mended them.
    """
    order = _order(rows)
    if any(delivery in order.deliveries for delivery in message.deliveries):
        return ()
    order.deliveries = [*order.deliveries, *message.deliveries][-DELIVERIES_KEPT:]
    people: Sequence[Message] = ()
    if message.part_id is not None:
        people = snapshots.take_part(order, message, now)
        return [*people, *_settled(order, rows, now)]
    if not order.source or snapshots.is_later(message, order):
        if not order.sent:  # whoever it was told of first remains the buyer
            people = snapshots.take_buyer(order, message, now)
        order.source, order.order_id = message.source, message.order_id
        order.currency, order.ordered_at = message.currency, message.ordered_at
    _take_snapshot(order, message)
    return [*people, *_settled(order, rows, now)]


def see_unnamed(message: ShopOrderUnnamed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a snapshot that names no group, if the order named one before.

    What is left of its lines stays with the groups they were read for, as plugins and people lose
    what named them (woocommerce#16484); a line that is gone is taken back. An order that never
    named a group is not ours. Only that it is cancelled is kept for a while, as it may have
    named one in what is still to come.
    """
    order = _order(rows)
    if message.part_id is not None:
        if message.part_id not in order.parts:
            return tell_people(order, rows, now)
        snapshots.take_part(order, message, now)
    elif order.source:
        _take_snapshot(order, message)
    elif message.cancelled or ORDER in rows:
        _take_standing(order, message)
    else:
        return tell_people(order, rows, now)
    return _settled(order, rows, now)


def take_product(message: ProductTold, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take which product a group is for, and count what waited for that."""
    order = _order(rows)
    if not order.source:
        return ()  # it has been forgotten since
    order.products[message.group_id] = message.product_id or ""
    return _settled(order, rows, now)


def edit_order(message: ShopOrderEdited, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take an edit that the latest snapshot does not have; one of new lines waits for the next."""
    order = _order(rows)
    if message.edit_id in order.edits or message.edited_at <= order.updated_at:
        return ()
    changes: dict[str, int] = {}
    for change in message.changes:
        changes[change.line_id] = changes.get(change.line_id, 0) + change.delta
    order.edits[message.edit_id] = Edit(edited_at=message.edited_at, changes=changes)
    return _keep(order, rows, now)


def refund_order(message: ShopRefundSeen, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a refund once; one whose order is not known yet waits for it."""
    order = _order(rows)
    if message.refund_id in order.refunds:
        return ()
    lines: dict[str, int] = {}
    for line in message.lines:
        lines[line.line_id] = lines.get(line.line_id, 0) + line.quantity
    order.refunds[message.refund_id] = Refund(refunded_at=message.refunded_at, lines=lines)
    return _keep(order, rows, now)


def lose_order(message: ShopOrderGone, rows: Rows, now: datetime) -> Sequence[Message]:
    """Cancel an order that the shop has deleted, or keep that it has until it comes."""
    order = _order(rows)
    said = gone(message.gone_at)
    if said >= order.standing:
        order.standing, order.cancelled_at = said, message.gone_at
    return _settled(order, rows, now)


def forget_order(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Forget an order of which nothing was heard for long; an open task stays open."""
    task = rows.get(TASK)
    if task is not None and task.done_at is not None:
        del rows[TASK]
    drop(rows, ORDER)
    return ()


def _take_snapshot(order: ShopOrder, message: Snapshot) -> None:
    """Take a snapshot if it is the latest; of an older one, what only it can tell."""
    _take_standing(order, message)
    # Of one time, one word that it is paid is enough: nobody takes a payment back within a second.
    paid_then = message.updated_at == order.updated_at and (order.paid or message.paid)
    if not snapshots.is_later(message, order):
        order.paid = order.paid or paid_then
        snapshots.mend(order, message)
        return
    order.paid = message.paid or paid_then
    order.version = place(message)
    snapshots.take_lines(order, message)
    order.edits = {
        edit_id: edit
        for edit_id, edit in order.edits.items()
        if edit.edited_at > message.updated_at
    }


def _take_standing(order: ShopOrder, message: Snapshot) -> None:
    """Take the word on whether it is cancelled, if there is one and it is the latest."""
    if message.cancelled is None or place(message) < order.standing:
        return
    order.standing = place(message)
    order.cancelled_at = message.updated_at if message.cancelled else None


def _order(rows: Rows) -> ShopOrder:
    """The row, to be changed: rules never change one in place."""
    order: ShopOrder = deepcopy(rows.get(ORDER)) or ShopOrder()
    return order


def _keep(order: ShopOrder, rows: Rows, now: datetime) -> Sequence[Message]:
    messages = settle(order, rows.key) if order.source else []
    rows[ORDER] = order
    rows[DUE("forget")] = Due(now + (KEPT if order.source else PARTS_KEPT))
    return messages


def _settled(order: ShopOrder, rows: Rows, now: datetime) -> Sequence[Message]:
    """What follows once it is known how the order stands, for groups and for people."""
    return [*_keep(order, rows, now), *tell_people(order, rows, now)]
