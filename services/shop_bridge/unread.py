"""What people are told of an order that could not be fetched or read: one task for each order.

Webhooks and polls may meet the same order again and again. The task is written when it is met
first, once more if the reason changes, and is done when anything says how the order stands. So it
does not matter whether a webhook or a poll brings it in the end.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.messages import Message, ShopOrderUnread, Task
from schemas.sources import shop_of
from schemas.tasks import order_task_id
from services.runtime.rows import Rows
from services.shop_bridge.rows import LeftToPeople, ShopOrder


def leave_to_people(message: ShopOrderUnread, rows: Rows, now: datetime) -> Sequence[Message]:
    """Open the task of an order, or say what has changed about it."""
    known: LeftToPeople | None = rows.get("task")
    is_open = known is not None and known.done_at is None
    task = LeftToPeople(
        source=message.source,
        order_id=message.order_id,
        reason=message.reason,
        problem=message.problem,
        since=known.since if known is not None and is_open else message.at,
        version=known.version if known is not None else 0,
    )
    if task == known:
        return ()
    return _put(replace(task, version=task.version + 1), rows)


def through(rows: Rows, now: datetime) -> Sequence[Message]:
    """Close the order's task, if one is open: how the order stands is known again."""
    task: LeftToPeople | None = rows.get("task")
    if task is None or task.done_at is not None:
        return ()
    return _put(replace(task, done_at=now, version=task.version + 1), rows)


def _put(task: LeftToPeople, rows: Rows) -> Sequence[Message]:
    rows["task"] = task
    order: ShopOrder = rows.get("order") or ShopOrder()
    said = Task(
        task_id=order_task_id(task.source, task.order_id),
        kind="order",
        shop_id=shop_of(task.source),
        group_id=next(iter(order.sent), None),
        about=task.order_id,
        reason=task.reason,
        problem=task.problem,
        since=task.since,
        done_at=task.done_at,
        version=task.version,
    )
    return [said]
