"""What becomes of messages whose group is not known yet, or not any more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, get_args

from domain.ids import is_group_id
from runtime.rows import (
    DUE,
    ROWS_KEPT,
    WAITING,
    WAITS,
    Due,
    GivenUp,
    Name,
    Rows,
    UnusableError,
    Waiting,
    drop,
    keep_waiting,
)
from schemas.orders import (
    GroupMessage,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
)
from schemas.parts import Message
from schemas.payments import Payment
from schemas.people import Person, person_of
from schemas.reasons import OrderRefusal, RecordReason, ReturnRefusal
from services.order_service.rows import (
    EARLY,
    ENDED,
    Early,
    Order,
    Return,
    order_name,
    order_refused,
    return_name,
)
from services.order_service.rules import letters

UNKNOWN_GROUP_WAIT = timedelta(hours=1)

Waiter = (
    OrderPlaced
    | OrderConfirmed
    | OrderPaid
    | OrderCancelled
    | OrderReturned
    | GroupMessage
    | Payment
)
WAITERS: dict[str, type[Waiter]] = {each.__name__: each for each in get_args(Waiter)}


def wait(message: Waiter, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep a message for an hour until its group comes; refuse it at once if its id is invalid.

    An order or return that was refused for want of its group gets the same answer again. When the
    group is over, orders are too late, returns exceed what is known, and the rest is ignored. An
    order's address is sent at once, as no row holds one; whether a letter follows is not known yet.
    Raises ``UnusableError`` for any other message whose id is mistyped.
    """
    name, refused = _refused(message, rows)
    if refused and (ENDED in rows or name in rows):
        return (order_refused(name, (rows.get(name) or refused), rows),)
    if ENDED in rows:
        return ()
    if not is_group_id(rows.key):
        if refused is None:
            problem = f"no group has the id {rows.key}: it is mistyped"
            raise UnusableError(problem, RecordReason.MISTYPED_GROUP)
        return _refuse(message, name, refused, rows, now)
    people: Sequence[Person] = ()
    if isinstance(message, OrderPlaced | OrderPaid):
        message, people = _without_address(message, rows, now)
    until = now + UNKNOWN_GROUP_WAIT
    rows[DUE("expire", keep_waiting(message, rows, now, until))] = Due(until)
    return people


def _without_address(
    message: OrderPlaced | OrderPaid, rows: Rows, now: datetime
) -> tuple[OrderPlaced | OrderPaid, Sequence[Person]]:
    """An order as it waits, and its address for ``people`` unless it is a repeat."""
    contact = message.contact
    people: Sequence[Person] = ()
    if message.member_email and contact is not None:
        name = EARLY(message.source, message.order_id)
        people = () if name in rows else person_of(contact, now)
        rows[name] = Early()
    reached = {"person_id": contact.reached_as if contact else None}
    private = ("member_email", "member_name", "member_locale", "member_time_zone")
    without = dict.fromkeys(private)
    return message.model_copy(update=reached | without), people


def end_waiting(waiting: Waiting, rows: Rows) -> Waiter:
    """The message that waited; it waits no longer."""
    message = WAITERS[waiting.type].model_validate_json(waiting.message)
    if isinstance(message, OrderPlaced | OrderPaid):
        drop(rows, EARLY(message.source, message.order_id))
    return message


def give_up(number: str, rows: Rows, now: datetime) -> Sequence[Message | GivenUp]:
    """Refuse an order or return whose group did not come, and keep that; give up other messages."""
    waiting = rows[WAITING(number)]
    message = end_waiting(waiting, rows)
    del rows[WAITING(number)]
    if rows[WAITS].last == int(number):
        del rows[WAITS]
    name, refused = _refused(message, rows)
    if refused is None:
        problem = f"no group with the id {rows.key} came within an hour"
        return (
            GivenUp(
                message=message, waiting=waiting, problem=problem, reason=RecordReason.UNKNOWN_GROUP
            ),
        )
    return _refuse(message, name, refused, rows, now)


def _refuse(
    message: Waiter, name: Name[Any], refused: Order | Return, rows: Rows, now: datetime
) -> Sequence[Message]:
    if DUE("shrink") not in rows:  # if the group never comes, its refusals go one day all the same
        rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    if name in rows:
        return (order_refused(name, rows[name], rows),)
    rows[name] = refused
    if isinstance(message, OrderPlaced) and message.unconfirmed:
        return (order_refused(name, refused, rows),)
    answer = order_refused(name, refused, rows)
    contact = None
    if isinstance(message, OrderPlaced | OrderPaid):
        contact = letters.contact_to_keep(message, rows)
    if contact is None:
        return answer, *letters.refused(name, refused, None, rows, now)
    letter = letters.refused(name, refused, contact.reached_as, rows, now)
    return answer, *person_of(contact, now), *letter


def _refused(message: Waiter, rows: Rows) -> tuple[Name[Any], Order | Return | None]:
    """The row, and its name, of an order or return refused for want of its group."""
    is_over = ENDED in rows
    if isinstance(message, OrderReturned):
        lacks = ReturnRefusal.EXCEEDS_ORDERS if is_over else ReturnRefusal.UNKNOWN_GROUP
        refused = Return(member_id=message.member_id, refused=message.quantity, reason=lacks)
        return return_name(message.source, message.return_id), refused
    if isinstance(message, OrderPlaced | OrderPaid):
        name = order_name(message.source, message.order_id)
        reason = OrderRefusal.TOO_LATE if is_over else OrderRefusal.UNKNOWN_GROUP
        return name, Order(
            state="refused", member_id=message.member_id, quantity=message.quantity, reason=reason
        )
    return Name(""), None
