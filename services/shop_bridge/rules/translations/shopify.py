"""Shopify's webhooks as what they say of an order.

``orders/create`` and ``orders/paid`` say what their names say; ``orders/updated`` and
``orders/cancelled`` also say whether the order stands. ``orders/edited`` and
``refunds/create`` have neither buyer nor group, so they are held against the order.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any

from schemas.shop_orders import (
    ShopLineChange,
    ShopOrderEdited,
    ShopOrderSeen,
    ShopRefundLine,
    ShopRefundSeen,
)
from services.shop_bridge.rules.translations import goods, group_names, lines, payloads
from services.shop_bridge.rules.translations.goods import Reading
from services.shop_bridge.rules.translations.group_names import Named
from services.shop_bridge.rules.translations.lines import Counted, Draft, Language
from services.shop_bridge.rules.translations.payloads import UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told, shop_order, told

#: Money came in, whatever became of it later.
PAID = frozenset({"paid", "partially_refunded", "refunded"})
LANGUAGE = Language("properties", "name", ("product_id", "variant_id", "sku"))


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
    reader = READERS.get(topic)
    if reader is None:
        return None
    return reader(payloads.order_object(body), source, deliveries, how)


def delivery_ids(topic: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Both ids by which a delivery is known; an event's own is shared by its topics."""
    webhook_id, event_id = headers.get("x-shopify-webhook-id"), headers.get("x-shopify-event-id")
    found = [webhook_id] if webhook_id else []
    if event_id:
        found.append(f"{topic.replace('/', '.')}:{event_id}")
    return tuple(each for each in found if len(each) <= 64 and "/" not in each and each.isascii())


def stamped(said: Told, headers: Mapping[str, str], now: datetime) -> Told:
    """The messages of a webhook, with the time of Shopify's trigger if the header has one."""
    try:
        at = payloads.instant({"header": headers.get("x-shopify-triggered-at")}, "header")
    except UnreadableError:
        return said
    return said.stamped(at)


def _created(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    return _order(body, source, deliveries, how, paid=_is_paid(body), stands=False)


def _paid(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    return _order(body, source, deliveries, how, paid=True, stands=False)


def _updated(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    return _order(body, source, deliveries, how, paid=_is_paid(body), stands=True)


def _is_paid(body: dict[str, Any]) -> bool:
    status = body.get("financial_status")
    return isinstance(status, str) and status in PAID


def _order(
    body: dict[str, Any],
    source: str,
    deliveries: tuple[str, ...],
    how: Reading,
    *,
    paid: bool,
    stands: bool,
) -> Told:
    """The order as it stands; ``stands`` if its topic says whether it is cancelled."""
    ignored = goods.not_a_purchase_in_shopify(body, how)
    if ignored is not None:
        return Told(ignored=ignored)
    attributes = group_names.pairs(body.get("note_attributes"), "name")
    codes = [each.get("code") for each in payloads.entries(body, "discount_codes")]
    whole = group_names.the_one(group_names.in_fields(attributes) or group_names.in_codes(codes))
    bodies = payloads.lines(body, "line_items")
    found = _drafts(body, bodies, whole, how)
    try:
        order_id = payloads.identity(body, "id")
        customer = payloads.inner(body, "customer")
        fields = [*attributes, *lines.fields_of(bodies, LANGUAGE)]
        buyer_id = payloads.identity_or_none(customer, "id") or f"guest-{order_id}"
        seen = ShopOrderSeen(
            shop_order=shop_order(source, order_id),
            source=source,
            order_id=order_id,
            number=payloads.order_number(body, "name", "order_number"),
            member_id=group_names.member_in(fields) or buyer_id,
            buyer_id=buyer_id,
            member_email=payloads.email(
                body.get("email"), body.get("contact_email"), customer.get("email")
            ),
            currency=payloads.currency_of(body),
            ordered_at=payloads.instant(body, "created_at", "processed_at"),
            updated_at=payloads.instant(body, "updated_at", "created_at"),
            paid=paid,
            # By the body, which is signed: the topic is not.
            cancelled=bool(body.get("cancelled_at")) if stands else None,
            lines=lines.shop_lines(found),
            strictly=how.products == "strictly",
            deliveries=deliveries,
        )
    except UnreadableError:
        if not lines.name_a_group(found):
            return Told()
        raise
    return told(seen, list(_refunds(body, source, order_id)))


def _drafts(
    body: dict[str, Any], bodies: list[dict[str, Any]], whole: Named, how: Reading
) -> list[Draft]:
    """The lines; without a currency none of them can be counted."""
    currency = body.get("currency")

    def count(line: dict[str, Any]) -> Counted:
        return _counted(line, payloads.currency_of({"currency": currency}))

    return lines.join_bundles(lines.drafts(bodies, whole, how, LANGUAGE, count), bodies)


def _counted(line: dict[str, Any], currency: str) -> Counted:
    quantity = payloads.units(line, "quantity")
    value = payloads.amount(line, "price", currency) * quantity
    value -= sum(_discounts(line, currency), start=Fraction(0))
    current = payloads.units(line, "current_quantity", default=quantity)
    return Counted(quantity, max(quantity - current, 0), value)


def _discounts(line: dict[str, Any], currency: str) -> Iterator[Fraction]:
    for each in payloads.entries(line, "discount_allocations"):
        yield payloads.amount(each, "amount", currency)


def _refunds(body: dict[str, Any], source: str, order_id: str) -> Iterator[ShopRefundSeen]:
    """The refunds of lines in an order; an unreadable one shows in the quantities."""
    for each in payloads.entries(body, "refunds"):
        try:
            refund = _refund(each, source, order_id)
        except UnreadableError:
            continue
        if refund is not None:
            yield refund


def _refunded(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    refund = _refund(body, source)
    # Of money alone nothing comes back.
    return Told(events=() if refund is None else (refund,))


def _refund(body: dict[str, Any], source: str, order_id: str = "") -> ShopRefundSeen | None:
    """A refund of lines; None for one of money alone, or of lines that can't be read.

    Only the order says which lines are a group's. It also has their quantities, so an unreadable
    line is left to the order's next snapshot.
    """
    found = []
    for line in payloads.entries(body, "refund_line_items"):
        try:
            quantity = payloads.units(line, "quantity")
            line_id = payloads.identity(line, "line_item_id")
        except UnreadableError:
            continue
        if quantity:
            found.append(ShopRefundLine(line_id=line_id, quantity=quantity))
    if not found:
        return None
    return ShopRefundSeen(
        shop_order=shop_order(source, order_id or payloads.identity(body, "order_id")),
        refund_id=payloads.identity(body, "id"),
        refunded_at=payloads.instant(body, "processed_at", "created_at"),
        lines=tuple(found),
    )


def _edited(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    edit = payloads.inner(body, "order_edit")
    told_lines = payloads.inner(edit, "line_items")
    changes = [
        change
        for name, sign in (("additions", 1), ("removals", -1))
        for line in payloads.entries(told_lines, name)
        if (change := _change(line, sign)) is not None
    ]
    if edit and not changes:
        return Told()
    edited = ShopOrderEdited(
        shop_order=shop_order(source, payloads.identity(edit, "order_id")),
        edit_id=payloads.identity(edit, "id"),
        edited_at=payloads.instant(edit, "committed_at", "created_at"),
        changes=tuple(changes),
    )
    return Told(events=(edited,))


def _change(line: dict[str, Any], sign: int) -> ShopLineChange | None:
    """A change of a line; one that can't be read is left to the order's next snapshot."""
    try:
        delta = sign * payloads.units(line, "delta")
        return ShopLineChange(line_id=payloads.identity(line, "id"), delta=delta)
    except UnreadableError:
        return None


def _deleted(body: dict[str, Any], source: str, deliveries: tuple[str, ...], how: Reading) -> Told:
    return Told(gone=shop_order(source, payloads.identity(body, "id")))


READERS: Mapping[str, Callable[[dict[str, Any], str, tuple[str, ...], Reading], Told]] = {
    "orders/create": _created,
    "orders/paid": _paid,
    "orders/cancelled": _updated,
    "orders/updated": _updated,
    "orders/edited": _edited,
    "orders/delete": _deleted,
    "refunds/create": _refunded,
}
