"""WooCommerce's orders, from webhooks and from its REST API, as what they say of an order.

An order says what it is by its status. Lines may vanish when they are edited, and refunds stand
apart: a webhook tells their sums only, so a poll reads their lines.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.shop_orders import ShopOrderSeen, ShopRefundLine, ShopRefundSeen
from services.shop_bridge.rules.translations import goods, group_names, lines, own_refunds, payloads
from services.shop_bridge.rules.translations.goods import Reading
from services.shop_bridge.rules.translations.group_names import Named
from services.shop_bridge.rules.translations.lines import Counted, Draft, Language
from services.shop_bridge.rules.translations.payloads import UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told, shop_order, told

DELETED = "order.deleted"
TOPICS = frozenset({"order.created", "order.updated", "order.restored", DELETED})
#: Not an order yet: somebody is at the checkout.
DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
#: A failed payment may be tried again, a trashed order restored: then it is ordered anew.
CANCELLED = frozenset({"cancelled", "failed", "trash"})
#: A webhook's body is made when it is sent. One that is sent so long after its order's change tells
#: how the order stood after that second; two of the same second may come in any order.
SETTLES = timedelta(seconds=60)
LANGUAGE = Language("meta_data", "key", ("product_id", "variation_id", "sku"))
_PING = re.compile(rb"webhook_id=\d{1,20}")


def is_ping(body: bytes) -> bool:
    """Whether this is the unsigned form that WooCommerce posts when a webhook is made."""
    return _PING.fullmatch(body.strip()) is not None


def delivery_ids(topic: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """None: two deliveries of one second may share an id; the order and its time tell them."""
    return ()


def stamped(said: Told, headers: Mapping[str, str], now: datetime) -> Told:
    """The messages of a webhook that came at ``now``: WooCommerce does not send its time."""
    return said.stamped(now, SETTLES)


def read(
    topic: str,
    body: Any,
    source: str,
    deliveries: tuple[str, ...] = (),
    how: Reading = Reading(),  # noqa: B008 (it is frozen)
) -> Told | None:
    """What a delivery says; ``None`` for a topic that is not about orders.

    Raises ``UnreadableError``.
    """
    if topic not in TOPICS:
        return None
    if topic == DELETED:
        return Told(gone=shop_order(source, payloads.identity(payloads.order_object(body), "id")))
    return read_order(body, source, how=how)


def read_order(
    body: Any,
    source: str,
    refunds: Any = (),
    how: Reading = Reading(),  # noqa: B008 (it is frozen)
) -> Told:
    """What an order says, with its refunds as the REST API lists them.

    An order with a parent becomes a part of its parent, as marketplaces write the goods of one
    checkout into an order for the whole and one for each vendor (dokan#250).
    """
    body = payloads.order_object(body)
    status = body.get("status")
    if isinstance(status, str) and status in DRAFTS:
        return Told()
    fields = group_names.pairs(body.get("meta_data"), "key")
    ignored = goods.not_a_purchase_in_woocommerce(body, fields, how)
    if ignored is not None:
        return Told(ignored=ignored)
    codes = [each.get("code") for each in payloads.entries(body, "coupon_lines")]
    whole = group_names.the_one(group_names.in_fields(fields) or group_names.in_codes(codes))
    bodies = payloads.lines(body, "line_items")
    found = _drafts(body, bodies, whole, how)
    try:
        seen = _seen(body, source, [*fields, *lines.fields_of(bodies, LANGUAGE)], found, how)
    except UnreadableError:
        if not lines.name_a_group(found):
            return Told()
        raise
    problems: list[str] = []
    return told(seen, list(_refunds(refunds, seen, problems)), problems)


def _seen(
    body: dict[str, Any],
    source: str,
    fields: list[tuple[str, str]],
    found: list[Draft],
    how: Reading,
) -> ShopOrderSeen:
    status = body.get("status")
    if not isinstance(status, str):
        raise UnreadableError("status is not text")
    own_id = payloads.identity(body, "id")
    parent_id = payloads.identity_or_none(body, "parent_id")
    order_id = parent_id or own_id
    buyer_id = payloads.identity_or_none(body, "customer_id") or f"guest-{order_id}"
    is_paid = payloads.has_time(body, "date_paid_gmt") and status not in goods.PARTLY_PAID
    return ShopOrderSeen(
        shop_order=shop_order(source, order_id),
        source=source,
        order_id=order_id,
        part_id=own_id if parent_id else None,
        number=payloads.order_number(body, "number"),
        member_id=group_names.member_in(fields) or buyer_id,
        buyer_id=buyer_id,
        member_email=payloads.email(payloads.inner(body, "billing").get("email")),
        currency=payloads.currency_of(body),
        ordered_at=payloads.instant(body, "date_created_gmt"),
        updated_at=payloads.instant(body, "date_modified_gmt", "date_created_gmt"),
        paid=status != "failed" and (status in {"completed", "refunded"} or is_paid),
        cancelled=status in CANCELLED,
        lines=lines.shop_lines(found),
        strictly=how.products == "strictly",
    )


def _is_ours(body: Any) -> bool:
    """Whether favors alone have paid back the whole order, so that its goods stay bought."""
    notes = [own_refunds.noted(each.get("reason")) for each in payloads.entries(body, "refunds")]
    return bool(notes) and all(notes)


def _drafts(
    body: dict[str, Any], bodies: list[dict[str, Any]], whole: Named, how: Reading
) -> list[Draft]:
    """The lines with their value after discounts, with tax if the shop's prices have it.

    Without a currency none of them can be counted.
    """
    currency = body.get("currency")
    with_tax = payloads.is_yes(body.get("prices_include_tax"))
    gone = body.get("status") == "refunded" and not _is_ours(body)

    def count(line: dict[str, Any]) -> Counted:
        code = payloads.currency_of({"currency": currency})
        quantity = payloads.units(line, "quantity")
        value = payloads.amount(line, "total", code)
        if with_tax and line.get("total_tax"):
            value += payloads.amount(line, "total_tax", code)
        return Counted(quantity, quantity if gone else 0, value)

    found = lines.drafts(bodies, whole, how, LANGUAGE, count)
    lines.join_parts(found, bodies)
    return found


def _refunds(refunds: Any, seen: ShopOrderSeen, problems: list[str]) -> Iterator[ShopRefundSeen]:
    """The refunds of lines; entries that are not refunds, such as errors, are left out.

    An unreadable refund of a group's line is noted as a problem.
    """
    ours = {line.line_id for line in seen.lines if line.group_id or line.mistyped}
    for each in refunds if isinstance(refunds, list | tuple) else ():
        found = list(_refunded_lines(each)) if isinstance(each, dict) else []
        if not found:
            continue
        try:
            yield ShopRefundSeen(
                shop_order=seen.shop_order,
                refund_id=payloads.identity(each, "id"),
                refunded_at=payloads.instant(each, "date_created_gmt"),
                lines=tuple(found),
            )
        except UnreadableError as error:
            if any(line.line_id in ours for line in found):
                problems.append(f"a refund: {error}")


def _refunded_lines(refund: dict[str, Any]) -> Iterator[ShopRefundLine]:
    """Each line of a refund has a negative quantity and names the line it is of."""
    for line in payloads.entries(refund, "line_items"):
        negative = payloads.number(line.get("quantity"))
        for meta in payloads.entries(line, "meta_data"):
            if negative is None or meta.get("key") != "_refunded_item_id":
                continue
            try:
                quantity = payloads.units({"quantity": -negative}, "quantity")
                line_id = payloads.identity(meta, "value")
            except UnreadableError:
                continue
            if quantity:
                yield ShopRefundLine(line_id=line_id, quantity=quantity)
