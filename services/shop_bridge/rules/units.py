"""How many units of a group a shop's order comes to, each unit counted once.

Two things must not be added: other products in a cart whose order names a group of one product,
and the goods of a sub-order, which are also in its parent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from services.shop_bridge.rows import Line, ShopOrder


class Target(NamedTuple):
    """A group's units in an order, the units left of them, and the value of all of them."""

    quantity: int
    left: int
    value: Fraction


def target(group_id: str, order: ShopOrder) -> Target:
    """Count the order's units for a group.

    If the order has lines of the same product, a sub-order's line is a copy of these: it adds no
    units, and its cancelled and returned units are taken off. Any other line of a sub-order adds
    its units.
    """
    own = counted_lines(group_id, order)
    parts = part_lines(group_id, order)
    copies = {line_id for line_id, line in parts.items() if _is_copy(line, own.values())}
    found = _sum(own, order)
    if copies:
        copied = _sum({line_id: parts[line_id] for line_id in copies}, order)
        out = copied.quantity - copied.left
        # Some parts may still be to come, and some may have been made twice (dokan#1987).
        left = min(found.left, max(copied.left, found.quantity - out))
        found = found._replace(left=left)
    more = _sum({line_id: line for line_id, line in parts.items() if line_id not in copies}, order)
    return Target(found.quantity + more.quantity, found.left + more.left, found.value + more.value)


def groups(order: ShopOrder) -> Iterable[str]:
    """The groups that have counted the order, and those that its lines name."""
    named = [line.group_id for line in _all(order)]
    return [each for each in dict.fromkeys([*order.sent, *named]) if each is not None]


def all_counted(group_id: str, order: ShopOrder) -> Mapping[str, Line]:
    """The lines of the order and of its sub-orders that count for a group."""
    return {**counted_lines(group_id, order), **part_lines(group_id, order)}


def counted_lines(group_id: str, order: ShopOrder) -> Mapping[str, Line]:
    """The order's own lines that count for a group, without other products."""
    return _compared(_of_group(group_id, order.lines), group_id, order)


def part_lines(group_id: str, order: ShopOrder) -> Mapping[str, Line]:
    """The lines of all sub-orders that count for a group."""
    found: dict[str, Line] = {}
    for part in order.parts.values():
        lines = _of_group(group_id, part.lines)
        if part.cancelled:
            lines = {
                line_id: replace(line, removed=line.quantity) for line_id, line in lines.items()
            }
        found |= lines
    return _compared(found, group_id, order)


def needs_product(group_id: str, order: ShopOrder) -> bool:
    """Whether the group's product must be known before its lines can be counted.

    Without ``strictly`` all lines count if none is that product. So if all are of one product, they
    count in any case.
    """
    if group_id in order.products:
        return False
    lines = _all_lines(group_id, order)
    is_mixed = len({tuple(line.products) for line in lines}) > 1
    return any(line.compared for line in lines) and (order.strictly or is_mixed)


def is_other_product(group_id: str, order: ShopOrder) -> bool:
    """Whether the order names the group, but no line of it counts, as none is its product."""
    product_id = order.products.get(group_id)
    if not order.strictly or not product_id:
        return False
    lines = _all_lines(group_id, order)
    return all(line.compared and not _is_product(line, product_id) for line in lines)


def _all(order: ShopOrder) -> Iterable[Line]:
    yield from order.lines.values()
    for part in order.parts.values():
        yield from part.lines.values()


def _all_lines(group_id: str, order: ShopOrder) -> list[Line]:
    return [line for line in _all(order) if line.group_id == group_id]


def _of_group(group_id: str, lines: Mapping[str, Line]) -> dict[str, Line]:
    return {line_id: line for line_id, line in lines.items() if line.group_id == group_id}


def _compared(lines: dict[str, Line], group_id: str, order: ShopOrder) -> dict[str, Line]:
    product_id = order.products.get(group_id)
    if not product_id:
        return lines
    matches = any(_is_product(line, product_id) for line in _all_lines(group_id, order))
    if not matches and not order.strictly:
        return lines
    return {
        line_id: line
        for line_id, line in lines.items()
        if not line.compared or _is_product(line, product_id)
    }


def _is_product(line: Line, product_id: str) -> bool:
    """Whether a line is this product, by its id, its variant's id or its SKU."""
    return product_id.strip().casefold() in {each.casefold() for each in line.products}


def _is_copy(line: Line, own: Iterable[Line]) -> bool:
    """Whether the order itself has a line of the same product."""
    return any(
        not set(line.products).isdisjoint(each.products) or not (line.products or each.products)
        for each in own
    )


def _sum(lines: Mapping[str, Line], order: ShopOrder) -> Target:
    quantity = left = 0
    value = Fraction(0)
    for line_id, line in lines.items():
        ordered, removed = _units(line_id, line, order)
        quantity += ordered
        left += max(ordered - removed, 0)
        value += Fraction(line.value * ordered, line.quantity) if line.quantity else 0
    return Target(quantity, left, value)


def _units(line_id: str, line: Line, order: ShopOrder) -> tuple[int, int]:
    """A line's units and those taken out, with the refunds and edits after the snapshot."""
    changes = [edit.changes.get(line_id, 0) for edit in order.edits.values()]
    ordered = line.quantity + sum(change for change in changes if change > 0)
    out = line.removed - sum(change for change in changes if change < 0)
    # A refund shows in the snapshot too, and a unit that is edited out is refunded as well.
    refunded = sum(refund.lines.get(line_id, 0) for refund in order.refunds.values())
    return ordered, max(out, refunded)
