"""Orders by a link: they wait for their confirmation, and expire without it.

Such an order is a separate row and changes no other. Its purchaser gets one letter, whose link
confirms the order. The address gets no other letter before that, as it may be a stranger's.
"""

from collections.abc import Sequence
from datetime import datetime

from domain.orders import confirm_by, units_by_link_max
from runtime.rows import DUE, Due, Name, Rows, drop
from schemas.letters import Notice
from schemas.orders import OrderPaid, OrderPlaced
from schemas.reasons import OrderRefusal
from services.order_service.rows import Order, Purchase, Terms
from services.order_service.rules import letters


def awaits_confirmation(message: OrderPlaced | OrderPaid, known: Order | None) -> bool:
    """Whether a new order must be confirmed, and its confirmation has not come before it."""
    is_confirmed = known is not None and known.confirmed_at is not None
    return isinstance(message, OrderPlaced) and message.unconfirmed and not is_confirmed


def reason_to_refuse(
    message: OrderPlaced | OrderPaid,
    known: Order | None,
    terms: Terms,
    purchase: Purchase,
    now: datetime,
) -> OrderRefusal | None:
    """Why an order by a link is refused; ``None`` if it is not, or is another kind of order."""
    if not isinstance(message, OrderPlaced) or not message.unconfirmed:
        return None
    stops = terms.stop_at_number and purchase.status == "open"
    most = units_by_link_max(terms.number_of_products, purchase.quantity, stops=stops)
    if message.quantity > most:
        return OrderRefusal.BEYOND_LIMITS
    confirmed_at = known.confirmed_at if known is not None else None
    is_expired = (confirmed_at or now) >= confirm_by(message.ordered_at)
    return OrderRefusal.EXPIRED if is_expired else None


def keep(name: Name[Order], order: Order, rows: Rows, now: datetime) -> Sequence[Notice]:
    """Keep an order until it is confirmed or expires; returns the letter that asks for that."""
    rows[name] = order
    rows[due_name(name)] = Due(confirm_by(order.ordered_at))
    return letters.confirm_order(name, order, rows, now)


def is_in_time(order: Order, at: datetime) -> bool:
    """Whether a confirmation at that time is in time."""
    return at < confirm_by(order.ordered_at)


def end_waiting(name: Name[Order], rows: Rows) -> None:
    """Delete the row by which the order would expire."""
    drop(rows, due_name(name))


def due_name(name: Name[Order]) -> Name[Due]:
    """The name of the row by which an unconfirmed order expires."""
    return DUE("confirm", name.partition("/")[2])
