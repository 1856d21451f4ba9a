"""One amount over a payer's orders: the latest first, of none more than is left of it."""

from collections.abc import Iterable, Sequence

from domain.sources import may_feed
from runtime.rows import Name, Rows
from schemas.parts import SUM_MAX
from services.shop_bridge.rules.outbound.rows import (
    ORDERS,
    TERMS,
    Instruction,
    Order,
    Part,
    Terms,
    payer_name,
)

#: What is left of an order whose value is not told: the shop knows.
NO_BOUND = SUM_MAX


def spread(amount: int, left: Iterable[tuple[str, int]]) -> tuple[Sequence[Part], int]:
    """Parts of ``amount``, taken as far as they go from ``left`` in order, and what is missing.

    Amounts are minor units; a part is never zero and never more than is left.
    """
    parts = []
    for name, most in left:
        taken = min(amount, most)
        if taken > 0:
            parts.append(Part(order=name, amount=taken))
            amount -= taken
    return parts, amount


def left_of(order: Order) -> int:
    """What of an order's value is left to refund by our books; the shop may know of less.

    What came back takes its share of the value with it, rounded down: the shop has the last word.
    """
    if order.void:
        return 0
    if order.value is None:
        return NO_BOUND
    back = order.value * min(order.returned, order.quantity) // order.quantity
    return max(order.value - back - order.refunded, 0)


def candidates(it: Instruction, rows: Rows) -> list[tuple[Name[Order], int]]:
    """The orders that an instruction can be carried out at, the latest first, and what is left.

    In a group that pays as one, all orders are its payer's. Orders in another currency, and orders
    of a source that does not count in the group, are left out.
    """
    terms = rows.get(TERMS) or Terms()
    found: list[tuple[Order, Name[Order]]] = []
    if it.payer:
        payer = rows.get(payer_name(it.payer))
        names = map(ORDERS.stored, payer.orders if payer is not None else ())
        found = [(rows[name], name) for name in names]
    else:
        found = [(order, name) for name, order in rows.scan(ORDERS)]
    fitting = [
        (order.ordered_at, name, min(left_of(order), it.limits.get(name, NO_BOUND)))
        for order, name in found
        if not order.void
        and order.currency in (None, it.currency)
        and source_of(name) not in it.elsewhere
        and may_feed(source_of(name), terms.sources)
    ]
    return [(name, left) for _, name, left in sorted(fitting, reverse=True)]


def source_of(name: str) -> str:
    """The shop of an order's row; empty for that of no order."""
    return name.split("/")[1] if name else ""


def id_of(name: str) -> str:
    """The id of an order's row; empty for that of no order."""
    return name.split("/")[2] if name else ""
