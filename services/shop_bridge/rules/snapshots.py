"""Takes a snapshot's lines into the row of an order."""

from dataclasses import replace
from datetime import datetime

from domain.people import of_source
from schemas.parts import Contact
from schemas.people import Person, person_of
from schemas.shop_orders import PROBLEM_MAX, ShopLine, ShopOrderSeen, ShopOrderUnnamed
from services.shop_bridge.rows import Line, Part, ShopOrder
from services.shop_bridge.rules.versions import Version, further, version

Snapshot = ShopOrderSeen | ShopOrderUnnamed


def place(message: Snapshot) -> Version:
    """The place of a snapshot among all snapshots of its order."""
    return version(
        message.updated_at, message.told_at, paid=message.paid, cancelled=message.cancelled
    )


def is_later(message: Snapshot, order: ShopOrder) -> bool:
    """Whether a snapshot comes after the one that is known, if any."""
    said = place(message)
    if said != order.version:
        return said > order.version
    theirs = ((line.line_id, line.quantity, line.removed, line.value) for line in message.lines)
    ours = ((name, line.quantity, line.removed, line.value) for name, line in order.lines.items())
    return further(theirs) > further(ours)


def take_lines(order: ShopOrder, message: Snapshot) -> None:
    """Take the lines of the latest snapshot."""
    order.lines = _lines(order.lines, message)
    if isinstance(message, ShopOrderSeen):
        order.strictly, order.number = message.strictly, message.number
        order.problem = message.problem
        return
    problems = [
        f"line {line.line_id}: {line.problem}"
        for line in message.lines
        if line.problem and order.lines[line.line_id].group_id is not None
    ]
    order.problem = "; ".join(problems)[:PROBLEM_MAX] or None


def mend(order: ShopOrder, message: Snapshot) -> None:
    """Take groups from an older snapshot for lines without a known group.

    Ops may replay a corrected dead letter after a later snapshot has come.
    """
    for line in message.lines:
        known = order.lines.get(line.line_id)
        if known is not None and known.group_id is None:
            known.group_id = line.group_id


def take_buyer(order: ShopOrder, message: ShopOrderSeen, now: datetime) -> tuple[Person, ...]:
    """Take the buyer of an order. Returns the person for ``people`` if the shop gave an address.

    The row and the orders of groups have only the person's id. The person is the shop's buyer,
    not the member that the cart names: a cart can name any member, and would change where that
    member's letters go.
    """
    order.member_id = message.member_id
    person_id = of_source(message.source, message.buyer_id or message.member_id)
    contact = Contact(id=message.member_id, person_id=person_id, email=message.member_email)
    people = person_of(contact, now)
    order.person_id = person_id if people else None
    return people


def take_part(order: ShopOrder, message: Snapshot, now: datetime) -> tuple[Person, ...]:
    """Take a snapshot of a sub-order; it counts in place of the order until the order comes.

    Returns the person for ``people`` as ``take_buyer`` does.
    """
    assert message.part_id is not None
    known = order.parts.get(message.part_id)
    if known is not None and place(message) < known.version:
        return ()
    order.parts[message.part_id] = Part(
        version=place(message),
        cancelled=bool(message.cancelled),
        lines=_lines({} if known is None else known.lines, message),
    )
    if order.source or not isinstance(message, ShopOrderSeen):
        return ()
    order.source, order.order_id = message.source, message.order_id
    order.currency, order.ordered_at = message.currency, message.ordered_at
    order.paid, order.strictly = message.paid, message.strictly
    order.number, order.problem = message.number, message.problem
    return take_buyer(order, message, now)


def _lines(before: dict[str, Line], message: Snapshot) -> dict[str, Line]:
    return {line.line_id: _line(line, before.get(line.line_id)) for line in message.lines}


def _line(line: ShopLine, known: Line | None) -> Line:
    """The line; one that can't be counted stays as it was last read.

    A known group stays if the group id is removed from the line or can't be read any more.
    """
    names = line.group_id is not None or line.mistyped is not None
    found = Line(
        quantity=line.quantity,
        removed=line.removed,
        value=line.value,
        group_id=line.group_id,
        products=list(line.products),
        compared=line.compared,
        mistyped=line.mistyped is not None,
    )
    if known is None:
        return found
    if line.problem is not None:
        found = replace(found, quantity=known.quantity, removed=known.removed, value=known.value)
    if not names:
        found = replace(found, products=known.products, compared=known.compared)
    return replace(found, group_id=line.group_id or known.group_id)
