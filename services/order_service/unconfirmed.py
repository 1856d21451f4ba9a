"""Orders that nobody vouches for: they wait for their confirmation, and are void without it.

Such an order is a row of its own and changes no other. Its purchaser gets one letter, whose link
confirms it; as the address may be a stranger's, nothing else is written to it before that.
"""

from collections.abc import Sequence
from datetime import datetime

from schemas.commands import confirm_by, units_by_link_max
from schemas.messages import Notice, OrderPaid, OrderPlaced
from services.order_service import letters
from services.order_service.rows import Order, Purchase, Terms
from services.runtime.rows import Due, Rows

#: What a letter can say, and a schema allows, in minor units.
VALUE_MAX = 10**15


def awaits_confirmation(message: OrderPlaced | OrderPaid, known: Order | None) -> bool:
    """Whether a new order counts only once it is confirmed, and was not before it came."""
    is_confirmed = known is not None and known.confirmed_at is not None
    return isinstance(message, OrderPlaced) and message.unconfirmed and not is_confirmed


def reason_to_refuse(
    message: OrderPlaced | OrderPaid,
    known: Order | None,
    value: int,
    rows: Rows,
    now: datetime,
) -> str:
    """Why an order that came by a link can't be kept; empty if it can, or came otherwise."""
    if not isinstance(message, OrderPlaced) or not message.unconfirmed:
        return ""
    terms: Terms = rows["terms"]
    purchase: Purchase = rows["purchase"]
    stops = terms.stop_at_number and purchase.status == "open"
    most = units_by_link_max(terms.number_of_products, purchase.quantity, stops=stops)
    if message.quantity > most or value > VALUE_MAX:
        return "beyond-limits"
    confirmed_at = known.confirmed_at if known is not None else None
    return "expired" if (confirmed_at or now) >= confirm_by(message.ordered_at) else ""


def keep(name: str, order: Order, rows: Rows, now: datetime) -> Sequence[Notice]:
    """Keep an order until it is confirmed or expires; the letter that asks to confirm it."""
    rows[name] = order
    rows[due_name(name)] = Due(confirm_by(order.ordered_at))
    return letters.confirm_order(name, order, rows, now)


def is_in_time(order: Order, at: datetime) -> bool:
    """Whether a confirmation of that time is not too late."""
    return at < confirm_by(order.ordered_at)


def end_waiting(name: str, rows: Rows) -> None:
    """Nothing expires any more."""
    if due_name(name) in rows:
        del rows[due_name(name)]


def due_name(name: str) -> str:
    """The name of the row by which an unconfirmed order expires."""
    return f"due/confirm/{name.partition('/')[2]}"
