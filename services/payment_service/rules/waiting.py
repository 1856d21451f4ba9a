"""Orders and purchasers whose group's terms have not come: counted for an hour, and kept longer.

order_service reads the same orders and answers them: it refuses an order at once if no group can
have its id, and after an hour if its group did not come. So this service sends no answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runtime.rows import DUE, WAITING, Due, Rows, Waiting, drop
from schemas.parts import Message
from services.payment_service.rows import EARLY

TERMS_WAIT = timedelta(hours=1)
ROW = WAITING("terms")
_DUE = DUE("unknown")


def count_waiting(rows: Rows, now: datetime) -> None:
    """Count a key whose rows wait for the terms, from the first of them on."""
    if EARLY in rows and ROW not in rows:
        until = now + TERMS_WAIT
        rows[ROW] = Waiting(type="", message="", arrived_at=now, until=until)
        rows[_DUE] = Due(until)


def count_no_more(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """The hour is over: order_service has refused what waited."""
    del rows[ROW]
    return ()


def end_waiting(rows: Rows) -> None:
    """The terms have come, or the key is forgotten."""
    drop(rows, EARLY, ROW, _DUE)
