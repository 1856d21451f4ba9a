"""Shopify's webhooks as what they say of an order.

``orders/create`` and ``orders/paid`` say what their names say; ``orders/updated`` and
``orders/cancelled`` also say whether the order stands. ``orders/edited`` and
``refunds/create`` have neither buyer nor group, so they are held against the order.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from schemas.messages import (
    ShopLine,
    ShopLineChange,
    ShopOrderEdited,
    ShopOrderSeen,
    ShopRefundLine,
    ShopRefundSeen,
)
from schemas.money import half_up
from services.shop_bridge import group_names, payloads
from services.shop_bridge.group_names import Named
from services.shop_bridge.payloads import UnreadableError
from services.shop_bridge.shop_orders import Told, shop_order, told

#: Money came in, whatever became of it later.
PAID = frozenset({"paid", "partially_refunded", "refunded"})


def read(topic: str, body: Any, source: str, deliveries: tuple[str, ...] = ()) -> Told | None:
    """What a delivery says; ``None`` for a topic that is not about orders.

    Raises ``UnreadableError``.
    """
    reader = READERS.get(topic)
    if reader is None:
        return None
    if not isinstance(body, dict):
        raise UnreadableError("the body is not an object")
    return reader(body, source, deliveries)


def delivery_ids(topic: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Both ids by which a delivery is known; an event's own is shared by its topics."""
    webhook_id, event_id = headers.get("x-shopify-webhook-id"), headers.get("x-shopify-event-id")
    found = [webhook_id] if webhook_id else []
    if event_id:
        found.append(f"{topic.replace('/', '.')}:{event_id}")
    return tuple(each for each in found if len(each) <= 64 and "/" not in each and each.isascii())


def stamped(said: Told, headers: Mapping[str, str], now: datetime) -> Told:
    """What a webhook says, by when Shopify triggered it, if the header is a time."""
    try:
        at = payloads.instant({"header": headers.get("x-shopify-triggered-at")}, "header")
    except UnreadableError:
        return said
    return said.stamped(at)


def _created(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    return _order(body, source, deliveries, paid=_is_paid(body), stands=False)


def _paid(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    return _order(body, source, deliveries, paid=True, stands=False)


def _updated(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    return _order(body, source, deliveries, paid=_is_paid(body), stands=True)


def _is_paid(body: dict[str, Any]) -> bool:
    status = body.get("financial_status")
    return isinstance(status, str) and status in PAID


def _order(
    body: dict[str, Any],
    source: str,
    deliveries: tuple[str, ...],
    *,
    paid: bool,
    stands: bool,
) -> Told:
    """The order as it stands; ``stands`` if its topic says whether it is cancelled."""
    order_id = payloads.identity(body, "id")
    currency = payloads.currency_of(body)
    customer = payloads.part(body, "customer")
    attributes = list(group_names.pairs(payloads.parts(body, "note_attributes"), "name"))
    codes = [each.get("code") for each in payloads.parts(body, "discount_codes")]
    whole = group_names.the_one(group_names.in_fields(attributes) or group_names.in_codes(codes))
    properties: list[tuple[str, str]] = []
    lines = []
    for line in payloads.parts(body, "line_items"):
        own = list(group_names.pairs(payloads.parts(line, "properties"), "name"))
        properties += own
        lines.append(_line(line, group_names.of_line(own, whole), currency))
    # By the body, which is signed: the topic is not.
    cancelled = body.get("cancelled_at") is not None
    member_id = group_names.member_in(attributes) or group_names.member_in(properties)
    if member_id is None:
        member_id = payloads.identity(customer, "id") if customer.get("id") else f"guest-{order_id}"
    seen = ShopOrderSeen(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        member_id=member_id,
        member_email=payloads.email(
            body.get("email"), body.get("contact_email"), customer.get("email")
        ),
        currency=currency,
        ordered_at=payloads.instant(body, "created_at", "processed_at"),
        updated_at=payloads.instant(body, "updated_at", "created_at"),
        paid=paid,
        cancelled=cancelled if stands else None,
        lines=tuple(lines),
        deliveries=deliveries,
    )
    refunds = [_refund(each, source, order_id) for each in payloads.parts(body, "refunds")]
    return told(seen, [each for each in refunds if each.lines])


def _line(line: dict[str, Any], named: Named, currency: str) -> ShopLine:
    quantity = payloads.units(line, "quantity")
    value = payloads.amount(line, "price", currency) * quantity
    value -= sum(_discounts(line, currency), start=Fraction(0))
    current = payloads.units(line, "current_quantity", default=quantity)
    return ShopLine(
        line_id=payloads.identity(line, "id"),
        quantity=quantity,
        removed=max(quantity - current, 0),
        value=half_up(max(value, Fraction(0))),
        group_id=named.group_id,
        mistyped=named.mistyped,
    )


def _discounts(line: dict[str, Any], currency: str) -> Iterator[Fraction]:
    for each in payloads.parts(line, "discount_allocations"):
        yield payloads.amount(each, "amount", currency)


def _refunded(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    refund = _refund(body, source, payloads.identity(body, "order_id"))
    # Of money alone nothing comes back.
    return Told(events=(refund,) if refund.lines else ())


def _refund(body: dict[str, Any], source: str, order_id: str) -> ShopRefundSeen:
    return ShopRefundSeen(
        shop_order=shop_order(source, order_id),
        refund_id=payloads.identity(body, "id"),
        refunded_at=payloads.instant(body, "processed_at", "created_at"),
        lines=tuple(
            ShopRefundLine(line_id=payloads.identity(line, "line_item_id"), quantity=quantity)
            for line in payloads.parts(body, "refund_line_items")
            if (quantity := payloads.units(line, "quantity"))
        ),
    )


def _edited(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    edit = payloads.part(body, "order_edit")
    lines = payloads.part(edit, "line_items")
    changes = [
        ShopLineChange(
            line_id=payloads.identity(line, "id"), delta=sign * payloads.units(line, "delta")
        )
        for name, sign in (("additions", 1), ("removals", -1))
        for line in payloads.parts(lines, name)
    ]
    edited = ShopOrderEdited(
        shop_order=shop_order(source, payloads.identity(edit, "order_id")),
        edit_id=payloads.identity(edit, "id"),
        edited_at=payloads.instant(edit, "committed_at", "created_at"),
        changes=tuple(changes),
    )
    return Told(events=(edited,) if changes else ())


def _deleted(body: dict[str, Any], source: str, deliveries: tuple[str, ...]) -> Told:
    return Told(gone=shop_order(source, payloads.identity(body, "id")))


READERS: Mapping[str, Callable[[dict[str, Any], str, tuple[str, ...]], Told]] = {
    "orders/create": _created,
    "orders/paid": _paid,
    "orders/cancelled": _updated,
    "orders/updated": _updated,
    "orders/edited": _edited,
    "orders/delete": _deleted,
    "refunds/create": _refunded,
}
