"""WooCommerce's orders, from webhooks and from its REST API, as what they say of an order.

An order says what it is by its status. Lines may vanish when they are edited, and refunds stand
apart: a webhook tells their sums only, so a poll reads their lines.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from schemas.messages import ShopLine, ShopOrderSeen, ShopRefundLine, ShopRefundSeen
from schemas.money import half_up
from schemas.parts import NUMBER_MAX
from services.shop_bridge import group_names, own_refunds, payloads
from services.shop_bridge.group_names import Named
from services.shop_bridge.payloads import UnreadableError
from services.shop_bridge.shop_orders import Told, shop_order, told

TOPICS = frozenset({"order.created", "order.updated", "order.restored"})
#: Not an order yet: somebody is at the checkout.
DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
#: A failed payment may be tried again, a trashed order restored: then it is ordered anew.
CANCELLED = frozenset({"cancelled", "failed", "trash"})
#: A webhook's body is made when it is sent. One that is sent so long after its order's change tells
#: how the order stood after that second; two of the same second may come in any order.
SETTLES = timedelta(seconds=60)
_PING = re.compile(rb"webhook_id=\d{1,20}")


def is_ping(body: bytes) -> bool:
    """Whether this is the unsigned form that WooCommerce posts when a webhook is made."""
    return _PING.fullmatch(body.strip()) is not None


def delivery_ids(topic: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """None: two deliveries of one second may share an id; the order and its time tell them."""
    return ()


def stamped(said: Told, headers: Mapping[str, str], now: datetime) -> Told:
    """What a webhook says that came at ``now``: WooCommerce does not tell when it was made."""
    return said.stamped(now, SETTLES)


def read(topic: str, body: Any, source: str, deliveries: tuple[str, ...] = ()) -> Told | None:
    """What a delivery says; ``None`` for a topic that is not about orders.

    Raises ``UnreadableError``.
    """
    if topic not in TOPICS and topic != "order.deleted":
        return None
    if not isinstance(body, dict):
        raise UnreadableError("the body is not an object")
    if topic == "order.deleted":
        return Told(gone=shop_order(source, payloads.identity(body, "id")))
    return read_order(body, source)


def read_order(body: Any, source: str, refunds: Any = ()) -> Told:
    """What an order says, with its refunds as the REST API lists them."""
    status = body.get("status") if isinstance(body, dict) else None
    if not isinstance(status, str):
        raise UnreadableError("status is not text")
    if status in DRAFTS:
        return Told()
    order_id = payloads.identity(body, "id")
    fields = list(group_names.pairs(payloads.parts(body, "meta_data"), "key"))
    codes = [each.get("code") for each in payloads.parts(body, "coupon_lines")]
    whole = group_names.the_one(group_names.in_fields(fields) or group_names.in_codes(codes))
    currency = payloads.currency_of(body)
    with_tax = body.get("prices_include_tax") is True
    gone = status == "refunded" and not _is_ours(body)
    line_fields: list[tuple[str, str]] = []
    lines = []
    for line in payloads.parts(body, "line_items"):
        own = list(group_names.pairs(payloads.parts(line, "meta_data"), "key"))
        line_fields += own
        named = group_names.of_line(own, whole)
        lines.append(_line(line, named, currency, with_tax=with_tax, gone=gone))
    billing = payloads.part(body, "billing")
    customer_id = payloads.identity(body, "customer_id") if body.get("customer_id") else None
    seen = ShopOrderSeen(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        member_id=group_names.member_in([*fields, *line_fields])
        or customer_id
        or f"guest-{order_id}",
        member_email=payloads.email(billing.get("email")),
        currency=currency,
        ordered_at=payloads.instant(body, "date_created_gmt"),
        updated_at=payloads.instant(body, "date_modified_gmt", "date_created_gmt"),
        paid=status != "failed"
        and (status in {"completed", "refunded"} or bool(body.get("date_paid_gmt"))),
        cancelled=status in CANCELLED,
        lines=tuple(lines),
    )
    seen_refunds = [_refund(each, source, order_id) for each in refunds]
    return told(seen, [each for each in seen_refunds if each.lines])


def _is_ours(body: Any) -> bool:
    """Whether favors alone have paid back the whole order, so that its goods stay bought."""
    notes = [own_refunds.noted(each.get("reason")) for each in payloads.parts(body, "refunds")]
    return bool(notes) and all(notes)


def _line(
    line: dict[str, Any], named: Named, currency: str, *, with_tax: bool, gone: bool
) -> ShopLine:
    """A line at what the shop's prices say: with tax if they have it, after discounts."""
    quantity = payloads.units(line, "quantity")
    value = payloads.amount(line, "total", currency)
    if with_tax and line.get("total_tax"):
        value += payloads.amount(line, "total_tax", currency)
    return ShopLine(
        line_id=payloads.identity(line, "id"),
        quantity=quantity,
        removed=quantity if gone else 0,
        value=half_up(max(value, Fraction(0))),
        group_id=named.group_id,
        mistyped=named.mistyped,
    )


def _refund(body: Any, source: str, order_id: str) -> ShopRefundSeen:
    """A refund; each of its lines has a negative quantity and names the line it is of."""
    if not isinstance(body, dict):
        raise UnreadableError("a refund is not an object")
    lines = []
    for line in payloads.parts(body, "line_items"):
        quantity = line.get("quantity")
        if not isinstance(quantity, int) or not -NUMBER_MAX <= quantity < 0:
            continue
        for meta in payloads.parts(line, "meta_data"):
            if meta.get("key") == "_refunded_item_id":
                line_id = payloads.identity(meta, "value")
                lines.append(ShopRefundLine(line_id=line_id, quantity=-quantity))
    return ShopRefundSeen(
        shop_order=shop_order(source, order_id),
        refund_id=payloads.identity(body, "id"),
        refunded_at=payloads.instant(body, "date_created_gmt"),
        lines=tuple(lines),
    )
