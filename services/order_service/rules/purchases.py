"""What counts towards a group purchase, when the group is complete, and what is refused.

This module answers each message and everything that falls due. ``orders`` counts orders,
``confirmations`` has the orders by a link, ``returns`` takes units out again, ``periods`` closes
the group, ``sources`` checks the shop, ``waiting`` keeps what comes too early, ``letters`` writes
notices, and ``messages`` sends what the organizer writes.

Reasons of refusals, the first that holds: ``not-this-shop``, ``not-a-member``, ``before-period``,
``after-period``, ``other-currency``, ``withdrawn``, ``too-late``, ``beyond-limits`` (its
worth or a sum is, or an order by a link has more units than the group takes); ``expired`` without a
confirmation in 48 hours; ``unknown-group`` after an hour without the group, or at once if no group
can have such an id; ``exceeds-orders`` for a return.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from domain.orders import deadline
from runtime.rows import (
    DUE,
    ROWS_PER_CALL,
    WAITING,
    WAITS,
    Due,
    GivenUp,
    Rows,
    Table,
    UnusableError,
    Waiting,
    drop,
    drop_some,
    next_rows,
)
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.orders import (
    GroupMessage,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderReturned,
    PurchaseOpened,
)
from schemas.parts import NUMBER_MAX, KeptProduct, Message
from schemas.parts import Member as Purchaser
from schemas.payments import Payment
from schemas.reasons import RecordReason
from services.order_service.rows import (
    ADMITTED,
    CHUNKS,
    ENDED,
    LATEST,
    LISTED,
    MEMBERS,
    MESSAGES,
    ORDERS,
    PURCHASE,
    RETURNS,
    TERMS,
    UNPAID,
    Admitted,
    Chunk,
    Ended,
    Listed,
    Purchase,
    Terms,
    order_name,
    purchase_state,
)
from services.order_service.rules import letters, messages
from services.order_service.rules.orders import (
    expire,
    paid_order,
    take_confirmation,
    take_money,
    take_no_money,
    take_order,
    unaskable_order,
)
from services.order_service.rules.periods import close_as_it_stands
from services.order_service.rules.returns import take_back, take_out
from services.order_service.rules.sources import is_fed_by, refuse_order, refuse_return
from services.order_service.rules.waiting import end_waiting, give_up, wait

# --- a group comes -------------------------------------------------------------------------------


def admit_members(message: MembersAdmitted, rows: Rows, now: datetime) -> Sequence[Message]:
    """Admit a part of the members; every part precedes its group, so a later one is a repeat."""
    if TERMS in rows or ENDED in rows:
        return ()
    before = rows.get(LISTED) or Listed(0)
    listed = _admit(message.members, before, rows)
    if listed.count > before.count:
        rows[LISTED] = listed
    return ()


def open_group(message: GroupPurchase, rows: Rows, now: datetime) -> Sequence[Message]:
    """Open a group once; a later version of its terms can only withdraw it while it is open.

    A group whose terms come with the withdrawal is opened and withdrawn at once. Messages that wait
    for it are applied before anything else, its deadline too: what is due waits for chunks. The
    summary is returned, as it would else be sent before the terms. Raises ``UnusableError`` for a
    number of products that no group can reach.
    """
    if message.number_of_products > NUMBER_MAX:
        problem = f"{RecordReason.BEYOND_LIMITS}: number_of_products is more than {NUMBER_MAX}"
        raise UnusableError(problem, RecordReason.BEYOND_LIMITS)
    if ENDED in rows:
        return ()
    if TERMS in rows:
        withdrawn = message.withdrawn_at is not None and rows[PURCHASE].status == "open"
        return close_as_it_stands("withdrawn", rows, now) if withdrawn else ()
    listed = _admit(message.members, (rows.get(LISTED) or Listed(0)), rows)
    drop(rows, LISTED)
    rows[TERMS] = _terms(message, listed.count)
    rows[PURCHASE] = Purchase(
        version=1, status="open", quantity=0, value=0, members=0, closed_at=None, late_until=None
    )
    drop(rows, DUE("shrink"))  # set by orders that were refused for want of the group
    if WAITS in rows:
        rows[CHUNKS("drain")] = Chunk()
    opened = PurchaseOpened(**dict(message) | {"type": "PurchaseOpened"})
    if message.withdrawn_at is not None:
        return opened, *close_as_it_stands("withdrawn", rows, now)
    rows[DUE("close")] = Due(deadline(message.closes_at, message.grace_seconds))
    reminds_at = letters.reminds_at(message.opens_at, message.closes_at)
    if listed.has_reachable and now < reminds_at:  # else the letter with the id says the same now
        rows[DUE("remind")] = Due(reminds_at)
    return opened, purchase_state(PURCHASE, rows)


def drain_waiting(rows: Rows, now: datetime) -> Sequence[Message]:
    """Apply what waited for a group that has come, in order and each as of its own arrival.

    So the group stands as if it had been known before; nothing that waited is too late. A call
    ends where the group closes, as rows that change later must not be sent before the summary.
    """
    messages: list[Message] = []
    was_open = rows[PURCHASE].status == "open"
    waits = next_rows(rows, WAITING)
    for name, waiting in waits:
        del rows[name], rows[DUE("expire", name.partition("/")[2])]
        messages.extend(_apply(waiting, rows))
        if was_open and rows[PURCHASE].status != "open":
            break
    if not waits:
        del rows[CHUNKS("drain")], rows[WAITS]
    return messages


def _apply(waiting: Waiting, rows: Rows) -> Sequence[Message]:
    message, arrived_at = end_waiting(waiting, rows), waiting.arrived_at
    answer: Sequence[Message]
    match message:
        case OrderPlaced():
            answer = place_order(message, rows, arrived_at)
        case OrderConfirmed():
            answer = confirm_order(message, rows, arrived_at)
        case OrderPaid():
            answer = pay_order(message, rows, arrived_at)
        case OrderCancelled():
            answer = cancel_order(message, rows, arrived_at)
        case OrderReturned():
            answer = return_order(message, rows, arrived_at)
        case GroupMessage():
            answer = take_message(message, rows, arrived_at)
        case Payment():
            answer = take_payment(message, rows, arrived_at)
    return answer


def _admit(members: Iterable[Purchaser], listed: Listed, rows: Rows) -> Listed:
    """Admit those not yet admitted; who is listed with them."""
    count, has_reachable = listed.count, listed.has_reachable
    for member in members:
        name = ADMITTED(member.id)
        if name in rows:
            continue
        has_reachable = has_reachable or member.person_id is not None
        rows[name] = Admitted(
            method=member.payment.method if member.payment else None,
            person_id=member.person_id,
            name_mark=member.name_mark,
        )
        count += 1
    return Listed(count=count, has_reachable=has_reachable)


def _terms(message: GroupPurchase, listed: int) -> Terms:
    return Terms(
        request_id=message.request_id,
        opens_at=message.opens_at,
        closes_at=message.closes_at,
        number_of_products=message.number_of_products,
        listed=listed,
        stop_at_number=message.stop_at_number,
        scope=message.payment.scope,
        method=message.payment.method,
        currency=message.currency,
        unit_price=message.unit_price,
        product=KeptProduct.of(message.product),
        sources=message.sources,
        shop_id=message.shop_id,
        seller_id=message.seller_id,
        favor=message.favor.model_dump_json(exclude_none=True) if message.favor.tiers else "",
        is_as_reached=message.if_incomplete == "as-reached",
    )


# --- orders, their money, and what takes them back -----------------------------------------------


def place_order(message: OrderPlaced, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take an order; it counts at once if the group pays or its payment has come already.

    An ``unconfirmed`` order is kept; only the letter to its purchaser tells of it.
    """
    if TERMS not in rows:
        return wait(message, rows, now)
    if not is_fed_by(message.source, rows):
        return refuse_order(message, rows, now)
    return take_order(message, rows, now, paid=False)


def confirm_order(message: OrderConfirmed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a confirmed order as if it came now, once, even if its confirmation came first.

    An order that is confirmed after 48 hours is refused again. An order that was placed in time
    and is confirmed after the close gets the decided tier, like any late order.
    """
    if TERMS not in rows:
        return wait(message, rows, now)
    return take_confirmation(order_name(message.source, message.order_id), message.at, rows, now)


def pay_order(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count an order that the shop vouches for, whatever its member's method; create it if new.

    An order that was placed in time counts whenever it is paid, unless the group was withdrawn:
    the 72 hours are for the order, which was here. What was placed stands, even if the paid
    message says another quantity.
    """
    if TERMS not in rows:
        return wait(message, rows, now)
    if not is_fed_by(message.source, rows):
        return refuse_order(message, rows, now)
    return take_order(message, rows, now, paid=True)


def take_payment(message: Payment, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count the order whose card is authorised or charged, or that is invoiced.

    A payment for an order not seen yet is kept for it. An order by method ``shop`` counts by the
    shop's word only. Once it counts, only a cancellation or a return takes it out.
    """
    order, unaskable = paid_order(message), unaskable_order(message)
    if order is None and unaskable is None:
        return ()
    if TERMS not in rows:
        return wait(message, rows, now)
    if not is_fed_by(message.cause.source or "", rows):
        return ()
    if unaskable is not None:
        return take_no_money(unaskable, rows, now)
    return take_money(order, rows, now) if order is not None else ()


def cancel_order(message: OrderCancelled, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take an order out, or keep that it is void until it comes; what was returned is out."""
    if TERMS not in rows:
        return wait(message, rows, now)
    if is_fed_by(message.source, rows):
        take_out(message, rows)
    return ()


def return_order(message: OrderReturned, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take back what was returned, and refuse at once what exceeds the member's orders.

    Taken from orders of its own source only: from the one it names, if that counts and is the
    member's; else from the member's counting orders, the latest first. There is no deadline.
    """
    if TERMS not in rows:
        return wait(message, rows, now)
    if not is_fed_by(message.source, rows):
        return refuse_return(message, rows, now)
    return take_back(message, rows, now)


def take_message(message: GroupMessage, rows: Rows, now: datetime) -> Sequence[Message]:
    """Begin to write to a group's members, once for each message, whatever the group's status.

    ``messages`` sends it in chunks. Who may write is judged where the message is made.
    """
    if TERMS not in rows:
        return wait(message, rows, now)
    messages.begin(message, rows)
    return ()


# --- what falls due ------------------------------------------------------------------------------


def close_at_deadline(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Close a group whose period and grace are over.

    A listed group is elapsed, as it would have closed when it became complete; one open to anyone
    is complete if its number is reached, else elapsed.
    """
    terms = rows[TERMS]
    reached = not terms.listed and rows[PURCHASE].quantity >= terms.number_of_products
    return close_as_it_stands("complete" if reached else "elapsed", rows, now)


def begin_reminding(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Begin to remind listed members of the deadline; a group that closes takes this back."""
    rows[CHUNKS("remind")] = Chunk()
    return ()


def remind_members(rows: Rows, now: datetime) -> Sequence[Message]:
    """Remind the next listed members who can be reached and have no order that counts."""
    cursor = rows[CHUNKS("remind")]
    page = next_rows(rows, ADMITTED, after=cursor.after)
    if len(page) < ROWS_PER_CALL:
        del rows[CHUNKS("remind")]
    else:
        rows[CHUNKS("remind")] = Chunk(after=page[-1][0])
    return letters.reminders(page, rows)


def expire_unconfirmed(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse an order that was not confirmed within 48 hours, without a letter."""
    _, _, source, order_id = row_name.split("/")
    return expire(order_name(source, order_id), rows, now)


def refuse_unknown(row_name: str, rows: Rows, now: datetime) -> Sequence[Message | GivenUp]:
    """Refuse an order or return whose group has not come within the hour.

    The answer is kept for repeats, even if the group comes later. Confirmations, cancellations,
    messages and payments without a group become dead letters.
    """
    return give_up(row_name.rpartition("/")[2], rows, now)


def begin_shrinking(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Begin to delete the rows of a group that ended long ago, or never came."""
    rows[CHUNKS("shrink")] = Chunk()
    return ()


def shrink_rows(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete a chunk of rows, and leave a marker in place of the group with the last.

    Where no group ever came only refusals are deleted.
    """
    tables: list[Table[Any]] = [ORDERS, RETURNS]
    if TERMS in rows:
        tables += [ADMITTED, LATEST, MEMBERS, MESSAGES]
    if drop_some(rows, tables):
        return ()
    del rows[CHUNKS("shrink")]
    if TERMS in rows:
        purchase = rows[PURCHASE]
        rows[ENDED] = Ended(status=purchase.status, version=purchase.version)
        drop(rows, UNPAID)
        # If the summary has not been sent yet, the terms send it.
        del rows[PURCHASE], rows[TERMS]
    return ()
