"""When a group closes, and until when orders still come in after that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from runtime.rows import DUE, ROWS_KEPT, Due, Rows, drop
from schemas.orders import PurchaseState
from schemas.parts import Status
from schemas.reasons import OrderRefusal
from services.order_service.rows import PURCHASE, Purchase, Terms, purchase_state

LATE_ORDERS_WAIT = timedelta(hours=72)


def is_complete(purchase: Purchase, terms: Terms) -> bool:
    """Whether the group closes before its deadline; only listed members count in a listed group."""
    if purchase.quantity < terms.number_of_products:
        return False
    return purchase.members == terms.listed if terms.listed else terms.stop_at_number


def close(
    purchase: Purchase, status: Status, closed_at: datetime, rows: Rows, now: datetime
) -> Sequence[PurchaseState]:
    """Close the group for good; ``purchase`` has its new version already.

    What closes it says when: ``closed_at``. How long it is kept counts from the clock's ``now``, so
    that an order that was fed days late does not leave less time to others. The summary is
    returned, as it would else be sent after rows that change later.
    """
    rows[PURCHASE] = replace(
        purchase, status=status, closed_at=closed_at, late_until=now + LATE_ORDERS_WAIT
    )
    rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    for name in (DUE("close"), DUE("remind")):
        drop(rows, name)
    return (purchase_state(PURCHASE, rows),)


def close_as_it_stands(status: Status, rows: Rows, now: datetime) -> Sequence[PurchaseState]:
    """Close the group at the clock's time, with the sums it has."""
    purchase = rows[PURCHASE]
    return close(replace(purchase, version=purchase.version + 1), status, now, rows, now)


def reason_after_close(purchase: Purchase, now: datetime) -> OrderRefusal | None:
    """Why an order made in time is refused as the group has closed; ``None`` if it is not."""
    if purchase.status == "withdrawn":
        return OrderRefusal.WITHDRAWN
    is_late = purchase.late_until is not None and now > purchase.late_until
    return OrderRefusal.TOO_LATE if is_late else None
