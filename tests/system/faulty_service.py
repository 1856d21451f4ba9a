"""``python -m tests.system.faulty_service``: a service with a bug, on the real runtime.

    orders ─▶ tally (faulty_service) ─▶ purchases

It adds up a group's quantities, and closes the group when the ``ordered_at`` of a placed order
comes. Its rule raises on the quantity 13, or with ``FAULT=fact`` the summary that it leads to can't
be made; unless ``CURED`` is ``1`` in the environment. The summary's ``value`` is a number that
tells in which order the quantities came.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from runtime.processor import Processor
from runtime.rows import Due, Rows
from runtime.worker import WorkerProcess
from schemas.orders import ORDERS, PURCHASES, OrderPaid, OrderPlaced, PurchaseState
from schemas.parts import Message, Status

SERVICE = "faulty_service"
UNLUCKY = 13


@dataclass(slots=True)
class Tally:
    """A group's sum, what its order was, and when it closed."""

    version: int
    quantity: int
    order: int
    status: Status
    closed_at: datetime | None
    is_unlucky: bool = False


NOTHING = Tally(0, 0, 0, "open", None)


def in_order(quantities: Iterable[int], before: int = 0) -> int:
    """A number that tells these quantities in this order from any other."""
    for quantity in quantities:
        before = (before * 31 + quantity) % 1_000_000_007
    return before


def add(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Add the quantity; to raise on unlucky ones is the bug."""
    is_unlucky = message.quantity == UNLUCKY and os.environ.get("CURED") != "1"
    if is_unlucky and os.environ.get("FAULT") != "fact":
        # The words of an error may hold what somebody sent.
        raise ZeroDivisionError(f"thirteen of {message.member_email}")
    tally: Tally = rows.get("tally") or NOTHING
    rows["tally"] = replace(
        tally,
        version=tally.version + 1,
        quantity=tally.quantity + message.quantity,
        order=in_order([message.quantity], tally.order),
        is_unlucky=is_unlucky,
    )
    return ()


def close_later(message: OrderPlaced, rows: Rows, now: datetime) -> Sequence[Message]:
    """The order's time is the group's deadline."""
    rows["due/close"] = Due(message.ordered_at)
    return ()


def close(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Close at the deadline."""
    tally: Tally = rows.get("tally") or NOTHING
    rows["tally"] = replace(tally, version=tally.version + 1, status="elapsed", closed_at=now)
    return (state("tally", rows),)


def state(row_name: str, rows: Rows) -> PurchaseState:
    """The summary that the tally stands for."""
    tally: Tally = rows[row_name]
    return PurchaseState(
        group_id=rows.key,
        request_id="faulty",
        version=tally.version,
        status=tally.status,
        quantity=-1 if tally.is_unlucky else tally.quantity,
        value=tally.order,
        members=0,
        closed_at=tally.closed_at,
    )


PROCESSORS = (
    Processor(
        service=SERVICE,
        name="tally",
        inputs=(ORDERS,),
        outputs=(PURCHASES,),
        on={OrderPaid: add, OrderPlaced: close_later},
        due={"close": close},
        facts={"tally": state},
        rows={"tally": Tally},
    ),
)

if __name__ == "__main__":
    WorkerProcess(PROCESSORS, "Adds up orders, and raises on thirteen.").main()
