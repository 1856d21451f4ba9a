"""An order that can't be used, as people are told of it: which one, why, and what to do."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from schemas.ops import order_task_id
from schemas.parts import Message
from schemas.reasons import OrderReason
from schemas.shop_orders import NAME_MAX, PROBLEM_MAX, SHOP_ID_MAX, ShopOrderUnread
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.rules.translations.shop_orders import shop_order
from services.shop_bridge.rules.unread import MISTYPED_PROBLEM

SCHEMA = "it breaks our schema"
UNREAD_HELP = (
    "So the order counts in no group as it stands there. Look at it in the shop, correct it there"
    " and save it, or enter it by hand."
)
EVENT_HELP = "Correct it and replay it (jointbuy dead-letters), or let the shop write it anew."


class Left(NamedTuple):
    """The headers of a dead letter that people have a task for: the task's id, and why."""

    task: str
    reason: str

    def headers(self) -> Mapping[str, str]:
        """As text."""
        return self._asdict()


def left(source: str, order_id: str, reason: str) -> Left:
    """The headers of a dead letter of an order."""
    return Left(order_task_id(source, order_id), reason)


def said(error: ValueError) -> tuple[OrderReason, str]:
    """A code and words for why a body can't be read, without values of it."""
    if isinstance(error, UnreadableError | GarbledError):
        return error.reason, str(error)
    return OrderReason.SCHEMA, SCHEMA


def unread(
    source: str, payload: Any, body: bytes, error: ValueError, at: datetime
) -> ShopOrderUnread:
    """What is told of a body that can't be read. One that names no order is known by its bytes."""
    reason, problem = said(error)
    order_id = _order_id(payload) or f"body-{sha256(body).hexdigest()[:16]}"
    order = payload if isinstance(payload, dict) else {}
    return ShopOrderUnread(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        number=payloads.order_number(order, "name", "number", "order_number"),
        reason=reason,
        problem=f"{problem}. {UNREAD_HELP}"[:PROBLEM_MAX],
        at=at,
    )


def unread_event(
    source: str, key: bytes | None, place: str, error: ValueError, at: datetime
) -> ShopOrderUnread:
    """What is told of an outbox's event that can't be read: one task for each event.

    ``place`` is ``topic/partition/offset``. The event's key is what people find it by, if it is
    text, as it is the id of the order in most outboxes.
    """
    reason, problem = said(error)
    text = (key or b"").decode("utf-8", "replace").strip('"')
    is_name = text.isprintable() and 0 < len(text) <= NAME_MAX
    order_id = f"event-{sha256(place.encode()).hexdigest()[:16]}"
    return ShopOrderUnread(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        number=text if is_name else None,
        reason=reason,
        problem=f"{problem}. The event {place} counts in no group. {EVENT_HELP}"[:PROBLEM_MAX],
        at=at,
    )


def mistyped(source: str, message: Message, at: datetime) -> ShopOrderUnread:
    """The event for a message of jointbuy's own format whose group id is invalid."""
    told_id = getattr(message, "order_id", None) or getattr(message, "return_id", None) or ""
    order_id = told_id if len(told_id) <= SHOP_ID_MAX else sha256(told_id.encode()).hexdigest()[:32]
    return ShopOrderUnread(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        number=told_id,
        reason=OrderReason.MISTYPED_GROUP,
        problem=MISTYPED_PROBLEM,
        at=at,
    )


def _order_id(payload: Any) -> str | None:
    """The order that a payload is of; of a sub-order, its parent."""
    if not isinstance(payload, dict):
        return None
    edit = payloads.inner(payload, "order_edit")
    return payloads.identity_or_none(edit, "order_id") or payloads.identity_or_none(
        payload, "order_id", "parent_id", "id"
    )
