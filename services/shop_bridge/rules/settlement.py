"""Making the orders of each group what a shop's order says, with as few messages as it takes.

An order on the topic ``orders`` is known by its id and counts once as it first came. So what a shop
changes later becomes messages of its own, none of which takes a counted unit's place in line:

- more units: an additional order ``<id>-e<n>`` for the difference, of the value that is missing and
  the time of the change, as a group that has closed since must not grow by it;
- fewer units of a paid order: a return, named after the refund where there is one;
- fewer units of an unpaid order, which no return could touch: it is cancelled, and what is left
  ordered again;
- other lines or another price for as many units: nothing, as the order stands as it was made.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from domain.money import half_up, share
from runtime.rows import UnusableError
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import NUMBER_MAX, SUM_MAX, Message
from schemas.reasons import RecordReason
from schemas.shop_orders import ProductAsked
from services.shop_bridge.rows import Sent, ShopOrder
from services.shop_bridge.rules import units as counting

#: What an id of ours may have.
ID_CHARACTERS_MAX = 64


def settle(order: ShopOrder, shop_order: str) -> list[Message]:
    """The messages that are due, noted in the row as sent; ``shop_order`` is the row's key.

    Raises ``UnusableError`` if the units or the value of a group's part pass the limits.
    """
    messages: list[Message] = []
    for group_id in counting.groups(order):
        if counting.needs_product(group_id, order):
            if group_id not in order.asked:
                order.asked.append(group_id)
                messages.append(ProductAsked(group_id=group_id, shop_order=shop_order))
            continue
        if order.cancelled_at is not None:
            messages += _cancel(group_id, order)
        else:
            messages += _pay(group_id, order)
            messages += _adjust(group_id, order)
    for refund in order.refunds.values():
        refund.told = True
    return messages


def _cancel(group_id: str, order: ShopOrder) -> Iterator[Message]:
    """Cancel what stands; of an order that never stood, say so once, as its own may still come."""
    sent = order.sent.setdefault(group_id, [])
    if not sent:
        quantity, _, value = _target(group_id, order)
        if not quantity:
            return
        sent.append(
            Sent(
                order_id=_first_id(order),
                quantity=quantity,
                value=value,
                paid=False,
                ordered_at=order.ordered_at,
            )
        )
    for each in sent:
        if not each.cancelled:
            each.cancelled = True
            yield _cancelled(group_id, each, order)


def _adjust(group_id: str, order: ShopOrder) -> Iterator[Message]:
    """Bring the group's units to what the shop says is left of them."""
    quantity, left, value = _target(group_id, order)
    sent = order.sent.get(group_id, [])
    if not sent and order.is_paid and left < quantity and _untold(order):
        # The whole order first, so that each refund is a return of its own.
        yield from _order_more(group_id, quantity, value, order.ordered_at, order)
        sent = order.sent[group_id]
    standing = sum(each.left for each in sent)
    surplus = standing - left
    # What was ordered before keeps its time, also when a payment fails and is tried again.
    ordered_at = _changed_at(order) if standing and surplus < 0 else order.ordered_at
    for each in reversed(sent):
        if surplus <= 0:
            break
        if not each.left:
            continue
        if each.paid:
            taken = min(surplus, each.left)
            surplus -= taken
            yield from _take_back(group_id, each, taken, order)
        else:
            surplus -= each.left
            each.cancelled = True
            yield _cancelled(group_id, each, order)
    if surplus < 0:
        total = share(value, left, quantity)
        worth = sum(share(each.value, each.left, each.quantity) for each in sent)
        yield from _order_more(group_id, -surplus, max(total - worth, 0), ordered_at, order)


def _pay(group_id: str, order: ShopOrder) -> Iterator[Message]:
    if not order.is_paid:
        return
    for each in order.sent.get(group_id, ()):
        if not each.paid and not each.cancelled:
            each.paid = True
            yield _ordered(group_id, each, order)


def _order_more(
    group_id: str, quantity: int, value: int, ordered_at: datetime, order: ShopOrder
) -> Iterator[Message]:
    """An order of so many more; paid at once if the shop's is."""
    sent = order.sent.setdefault(group_id, [])
    order_id = f"{sent[0].order_id}-e{len(sent)}" if sent else _first_id(order)
    each = Sent(
        order_id=order_id, quantity=quantity, value=value, paid=order.is_paid, ordered_at=ordered_at
    )
    sent.append(each)
    yield _ordered(group_id, each, order)


def _take_back(group_id: str, each: Sent, quantity: int, order: ShopOrder) -> Iterator[Message]:
    """Returns of so many units, under the refunds' ids as far as they go."""
    lines = counting.all_counted(group_id, order)
    for refund_id, refund in order.refunds.items():
        refunded = sum(units for line_id, units in refund.lines.items() if line_id in lines)
        taken = min(quantity, refunded)
        if refund.told or not taken:
            continue
        # The part that another of its orders takes is told under an id with that order's end.
        end = each.order_id.removeprefix(order.order_id)
        yield _returned(group_id, each, f"{refund_id}{end}", taken, order)
        quantity -= taken
    if quantity:
        order.lowered += 1
        yield _returned(group_id, each, f"{order.order_id}-r{order.lowered}", quantity, order)


def _target(group_id: str, order: ShopOrder) -> tuple[int, int, int]:
    """The group's units, how many of them are left, and the value of them all."""
    quantity, left, value = counting.target(group_id, order)
    if quantity > NUMBER_MAX or value > SUM_MAX:
        raise UnusableError(
            f"{RecordReason.BEYOND_LIMITS}: the order would have {quantity} units of"
            f" {half_up(value)} minor units for {group_id}, at most"
            f" {NUMBER_MAX} and {SUM_MAX} are possible",
            RecordReason.BEYOND_LIMITS,
        )
    return quantity, left, half_up(value)


def _changed_at(order: ShopOrder) -> datetime:
    edited = [edit.edited_at for edit in order.edits.values()]
    return max(
        [order.updated_at, *edited, *(part.version.updated_at for part in order.parts.values())]
    )


def _untold(order: ShopOrder) -> bool:
    return any(not refund.told for refund in order.refunds.values())


def _first_id(order: ShopOrder) -> str:
    """The shop's own id for the first group, and one with an end for each further group."""
    others = sum(1 for sent in order.sent.values() if sent)
    return f"{order.order_id}-g{others + 1}" if others else order.order_id


def _ordered(group_id: str, each: Sent, order: ShopOrder) -> Message:
    kind = OrderPaid if each.paid else OrderPlaced
    return kind(
        order_id=each.order_id,
        source=order.source,
        group_id=group_id,
        member_id=order.member_id,
        person_id=order.person_id,
        quantity=each.quantity,
        value=each.value,
        currency=order.currency,
        ordered_at=each.ordered_at,
    )


def _cancelled(group_id: str, each: Sent, order: ShopOrder) -> Message:
    return OrderCancelled(
        order_id=each.order_id,
        source=order.source,
        group_id=group_id,
        cancelled_at=order.cancelled_at or _changed_at(order),
    )


def fitting_id(made: str) -> str:
    """An id put together of a shop's ids, cut to what an id may have; the same one each time."""
    if len(made) <= ID_CHARACTERS_MAX:
        return made
    return f"{made[:31]}-{sha256(made.encode()).hexdigest()[:32]}"


def _returned(
    group_id: str, each: Sent, return_id: str, quantity: int, order: ShopOrder
) -> Message:
    each.returned += quantity
    refunds = [refund.refunded_at for refund in order.refunds.values() if not refund.told]
    return OrderReturned(
        return_id=fitting_id(return_id),
        source=order.source,
        group_id=group_id,
        member_id=order.member_id,
        order_id=each.order_id,
        quantity=quantity,
        returned_at=max([_changed_at(order), *refunds]),
    )
