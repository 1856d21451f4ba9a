"""The task of an order that people must see to: opened, changed and closed; one for each order.

Webhooks and polls may meet the same order again and again. The task is written when there is first
something to be seen to, once more if that changes, and is done when a snapshot of the order is read
of which all can be counted. So it does not matter whether a webhook or a poll brings that.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.sources import shop_of
from runtime.rows import DUE, Due, Rows
from schemas.ops import Task, next_version, order_task_id
from schemas.parts import Message
from schemas.reasons import OrderReason
from schemas.shop_orders import ShopOrderRead, ShopOrderUnread
from services.shop_bridge.rows import ORDER, TASK, LeftToPeople, ShopOrder
from services.shop_bridge.rules.units import is_other_product

#: How long a task that is done is kept where no order is.
DONE_KEPT = timedelta(days=7)
MISTYPED_PROBLEM = (
    "The order has an invalid group id, so these lines do not count. Set"
    " group_id on its lines in the dead letter and replay it (jointbuy dead-letters), or correct"
    " the order in the shop."
)


def leave_to_people(message: ShopOrderUnread, rows: Rows, now: datetime) -> Sequence[Message]:
    """Open the task of an order, or say what has changed about it."""
    return _open(
        LeftToPeople(
            source=message.source,
            order_id=message.order_id,
            about=message.number or message.order_id,
            reason=message.reason,
            problem=message.problem,
            since=message.at,
        ),
        rows,
        now,
    )


def end_task(message: ShopOrderRead, rows: Rows, now: datetime) -> Sequence[Message]:
    """Close the task of an order that was read; an order that counts is left as it stands.

    What people must see to of that order is still told.
    """
    return tell_people(rows.get(ORDER) or ShopOrder(), rows, now)


def tell_people(order: ShopOrder, rows: Rows, now: datetime) -> Sequence[Message]:
    """Open the order's task if people must see to something, else close it.

    To be called when it is known how the order stands, with that in ``order``.
    """
    found = _problem(order)
    if found is None:
        return _close(rows, now)
    reason, problem = found
    task = LeftToPeople(
        source=order.source,
        order_id=order.order_id,
        about=order.number or order.order_id,
        reason=reason,
        problem=problem,
        since=now,
    )
    return _open(task, rows, now)


def _problem(order: ShopOrder) -> tuple[OrderReason, str] | None:
    if order.cancelled_at is not None:
        return None
    lines = [
        *order.lines.values(),
        *(line for part in order.parts.values() for line in part.lines.values()),
    ]
    if any(line.mistyped and line.group_id is None for line in lines):
        return OrderReason.MISTYPED_GROUP, MISTYPED_PROBLEM
    if order.problem is not None:
        return OrderReason.NOT_COUNTED, (
            f"This can't be counted: {order.problem}. The rest of the order counts. Correct it in"
            " the shop and save the order there, or enter what is missing by hand."
        )
    for group_id in dict.fromkeys(line.group_id for line in lines):
        if group_id is not None and is_other_product(group_id, order):
            return OrderReason.NOT_THE_PRODUCT, (
                f"The order names {group_id}, but none of its lines is the group's product, whose"
                f" id is {order.products[group_id]}. So it does not count. Correct the order in the"
                " shop, or give the product that id or SKU there."
            )
    return None


def _open(task: LeftToPeople, rows: Rows, now: datetime) -> Sequence[Message]:
    """Tell of a task if anything of it is new: so one that people closed by hand stays closed."""
    known = rows.get(TASK)
    if known is not None:
        since = task.since if known.done_at is not None else known.since
        task = replace(task, since=since, version=known.version)
    if task == known:
        return ()
    version = next_version(0 if known is None else known.version, now)
    return _put(replace(task, version=version), rows)


def _close(rows: Rows, now: datetime) -> Sequence[Message]:
    task = rows.get(TASK)
    if task is None or task.done_at is not None:
        return ()
    if DUE("forget") not in rows:
        rows[DUE("forget")] = Due(now + DONE_KEPT)
    return _put(replace(task, done_at=now, version=next_version(task.version, now)), rows)


def _put(task: LeftToPeople, rows: Rows) -> Sequence[Message]:
    rows[TASK] = task
    order = rows.get(ORDER) or ShopOrder()
    said = Task(
        task_id=order_task_id(task.source, task.order_id),
        kind="order",
        shop_id=shop_of(task.source),
        group_id=next(iter(order.sent), None),
        about=task.about,
        reason=task.reason,
        problem=task.problem,
        since=task.since,
        done_at=task.done_at,
        version=task.version,
    )
    return [said]
