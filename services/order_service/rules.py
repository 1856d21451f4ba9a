"""What counts towards a group purchase, when the group is complete, and what is refused.

Rows of a group, by name:

- ``terms``: what the group runs under; never changes. ``admitted/<member>``: who may buy.
- ``purchase``: the sums and the status. ``member/<member>``: one purchaser's sums.
- ``order/<source>/<order_id>``: all that is known of an order, and so what a repeat is answered by.
- ``latest/<member>/<ordered_at>/<arrival>``: the counting orders of a member with several.
- ``return/<source>/<return_id>``: the answer a return got.
- ``waiting/<n>``: a message whose group is not known yet. ``waits``: the last of their numbers.
- ``unpaid``: how many orders came without their money. ``listed``: members admitted so far.
- ``ended``: all that is left of a group ninety days after its end.

Reasons of refusals, the first that holds: ``not-a-member``, ``before-period``, ``after-period``,
``other-currency``, ``withdrawn``, ``too-late``, ``beyond-limits`` (a sum would pass 10**15);
``unknown-group`` after an hour without the group; ``exceeds-orders`` for a return.

The rule that closes a group returns the summary itself, so that no later row is sent before it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import chain, islice
from typing import Any, Literal

from schemas.messages import (
    GroupPurchase,
    MembersAdmitted,
    Message,
    Method,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    Payment,
    PaymentScope,
    Period,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
    Status,
)
from schemas.messages import Member as Purchaser
from schemas.money import half_up
from services.runtime.rows import Due, Rows

UNKNOWN_GROUP_WAIT = timedelta(hours=1)
LATE_ORDERS_WAIT = timedelta(hours=72)
ROWS_KEPT = timedelta(days=90)
CHUNK_ROWS_MAX = 500
#: What schemas allow a quantity or value to be; a sum beyond it could not be sent.
SUM_MAX = 10**15
NOT_ORDERED = datetime(1970, 1, 1, tzinfo=UTC)
#: (kind, status) of payments that say that an order's money is there, or will be asked for.
MONEY_IS_THERE = frozenset(
    {
        ("authorisation", "authorised"),
        ("authorisation", "succeeded"),
        ("charge", "authorised"),
        ("charge", "succeeded"),
        ("invoice", "pending"),
        ("invoice", "succeeded"),
    }
)

OrderState = Literal["paid-ahead", "placed", "counts", "cancelled", "refused"]


@dataclass(slots=True)
class Terms:
    """What orders are judged by; ``listed`` members, 0 when anyone may buy."""

    request_id: str
    opens_at: datetime
    closes_at: datetime
    number_of_products: int
    listed: int
    stop_at_number: bool
    scope: PaymentScope
    method: Method
    currency: str | None
    unit_price: int | None


@dataclass(slots=True)
class Purchase:
    """A group's sums; ``members`` have a quantity above zero."""

    version: int
    status: Status
    quantity: int
    value: int
    members: int
    closed_at: datetime | None


@dataclass(slots=True)
class Admitted:
    """A listed member, and the member's own method if it is not the group's."""

    method: Method | None


@dataclass(slots=True)
class Listed:
    """How many members have been admitted by parts that came before the group."""

    count: int


@dataclass(slots=True)
class Member:
    """One purchaser's sums.

    ``only_order`` names the order row while the member has one order, as most do; from the second
    on it is empty, and ``latest`` rows name them all.
    """

    version: int
    quantity: int
    value: int
    orders: int
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    only_order: str


@dataclass(slots=True)
class Order:
    """An order as it first came; ``returned`` of its quantity have come back.

    It arrived at ``arrived_version`` of the purchase, as the ``arrived_unpaid``-th of those that
    came without their money (0: it counted at once and made that version).
    """

    state: OrderState
    member_id: str = ""
    quantity: int = 0
    value: int = 0
    ordered_at: datetime = NOT_ORDERED
    arrived_version: int = 0
    arrived_unpaid: int = 0
    returned: int = 0
    reason: str = ""


@dataclass(slots=True)
class Unpaid:
    """How many orders came without their money; a row of its own, as the summary is the same."""

    count: int


@dataclass(slots=True)
class Latest:
    """The name of the order row."""

    order: str


@dataclass(slots=True)
class Return:
    """The answer a return got: how much of it was refused, and why."""

    member_id: str
    refused: int
    reason: str


@dataclass(slots=True)
class Waiting:
    """A message as JSON text, and when it came."""

    type: str
    message: str
    arrived_at: datetime


@dataclass(slots=True)
class Waits:
    """There while messages wait: the number of the last one."""

    last: int


@dataclass(slots=True)
class Chunk:
    """How many rows a rule that goes in chunks has handled."""

    done: int


@dataclass(slots=True)
class Ended:
    """How a group ended whose rows are gone."""

    status: Status
    version: int


# --- facts ---------------------------------------------------------------------------------------


def purchase_state(row_name: str, rows: Rows) -> PurchaseState:
    """The summary that the row ``purchase`` stands for; money in minor units."""
    purchase: Purchase = rows[row_name]
    terms: Terms = rows["terms"]
    return PurchaseState(
        group_id=rows.key,
        request_id=terms.request_id,
        version=purchase.version,
        status=purchase.status,
        quantity=purchase.quantity,
        value=purchase.value,
        currency=terms.currency,
        members=purchase.members,
        closed_at=purchase.closed_at,
    )


def purchase_row(row_name: str, rows: Rows) -> PurchaseRow:
    """The line of the table that a row ``member/<member_id>`` stands for; money in minor units."""
    member: Member = rows[row_name]
    terms: Terms = rows["terms"]
    return PurchaseRow(
        group_id=rows.key,
        request_id=terms.request_id,
        member_id=row_name.partition("/")[2],
        version=member.version,
        quantity=member.quantity,
        value=member.value,
        currency=terms.currency,
        period=Period(opens_at=terms.opens_at, closes_at=terms.closes_at),
        first_ordered_at=member.first_ordered_at,
        last_ordered_at=member.last_ordered_at,
        orders=member.orders,
    )


# --- opening and closing -------------------------------------------------------------------------


def admit_members(message: MembersAdmitted, rows: Rows, now: datetime) -> Sequence[Message]:
    """Admit a part of the members; every part precedes its group, so a later one is a repeat."""
    if "terms" in rows or "ended" in rows:
        return ()
    before = rows.get("listed", Listed(0)).count
    count = before + _admit(message.members, rows)
    if count > before:
        rows["listed"] = Listed(count)
    return ()


def open_group(message: GroupPurchase, rows: Rows, now: datetime) -> Sequence[Message]:
    """Open a group once; a later version of its terms can only withdraw it while it is open.

    A group whose terms come with the withdrawal is opened and withdrawn at once. Messages that wait
    for it are applied before anything else, its deadline too: what is due waits for chunks. The
    summary is returned, as it would else be sent before the terms.
    """
    if "ended" in rows:
        return ()
    if "terms" in rows:
        withdrawn = message.withdrawn_at is not None and rows["purchase"].status == "open"
        return _withdraw(rows, now) if withdrawn else ()
    listed = _admit(message.members, rows)
    if "listed" in rows:
        listed += rows["listed"].count
        del rows["listed"]
    rows["terms"] = Terms(
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
    )
    rows["purchase"] = Purchase(1, "open", 0, 0, 0, None)
    if "due/shrink" in rows:  # set by orders that were refused for want of the group
        del rows["due/shrink"]
    if "waits" in rows:
        rows["chunk/drain"] = Chunk(0)
    opened = PurchaseOpened(**dict(message) | {"type": "PurchaseOpened"})
    if message.withdrawn_at is not None:
        return opened, *_withdraw(rows, now)
    rows["due/close"] = Due(_deadline(message))
    return opened, purchase_state("purchase", rows)


def close_at_deadline(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Close a group whose period and grace are over.

    A listed group is elapsed, as it would have closed when it became complete; one open to anyone
    is complete if its number is reached, else elapsed.
    """
    purchase: Purchase = rows["purchase"]
    terms: Terms = rows["terms"]
    reached = not terms.listed and purchase.quantity >= terms.number_of_products
    closed = replace(purchase, version=purchase.version + 1)
    return _close(closed, "complete" if reached else "elapsed", rows, now)


def _admit(members: Iterable[Purchaser], rows: Rows) -> int:
    """Admit those not yet admitted, and say how many they are."""
    count = 0
    for member in members:
        name = f"admitted/{member.id}"
        if name not in rows:
            rows[name] = Admitted(member.payment.method if member.payment else None)
            count += 1
    return count


def _withdraw(rows: Rows, now: datetime) -> Sequence[Message]:
    purchase: Purchase = rows["purchase"]
    return _close(replace(purchase, version=purchase.version + 1), "withdrawn", rows, now)


def _close(purchase: Purchase, status: Status, rows: Rows, now: datetime) -> Sequence[Message]:
    """Close the group for good; ``purchase`` has its new version already."""
    rows["purchase"] = replace(purchase, status=status, closed_at=now)
    rows["due/shrink"] = Due(now + ROWS_KEPT)
    if "due/close" in rows:
        del rows["due/close"]
    return (purchase_state("purchase", rows),)


def _deadline(message: GroupPurchase) -> datetime:
    try:
        return message.closes_at + timedelta(seconds=message.grace_seconds)
    except OverflowError:  # a grace of millions of years is odd, but nothing to stop a worker for
        return datetime.max.replace(tzinfo=UTC)


# --- orders and their money ----------------------------------------------------------------------


def place_order(message: OrderPlaced, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take an order; it counts at once if the group pays or its payment has come already."""
    return _take_order(message, rows, now, paid=False)


def pay_order(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count an order that the shop vouches for, whatever its member's method; create it if new.

    An order that was placed in time counts whenever it is paid, unless the group was withdrawn:
    the 72 hours are for the order, which was here. What was placed stands, even if the paid
    message says another quantity.
    """
    return _take_order(message, rows, now, paid=True)


def take_payment(message: Payment, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count the order whose card is authorised or charged, or that is invoiced.

    A payment for an order not seen yet is kept for it. An order by method ``shop`` counts by the
    shop's word only. Once it counts, only a cancellation or a return takes it out.
    """
    cause = message.cause
    if cause.kind != "order" or (message.kind, message.status) not in MONEY_IS_THERE:
        return ()
    if cause.source is None or cause.order_id is None:
        return ()
    name = f"order/{cause.source}/{cause.order_id}"
    order: Order | None = rows.get(name)
    if order is None:
        if "terms" not in rows:
            return _wait(message, rows, now)
        rows[name] = Order("paid-ahead")
    elif order.state == "placed" and _method(order.member_id, rows["terms"], rows) != "shop":
        return _count_placed(name, order, rows, now)
    return ()


def _take_order(
    message: OrderPlaced | OrderPaid, rows: Rows, now: datetime, *, paid: bool
) -> Sequence[Message]:
    name = f"order/{message.source}/{message.order_id}"
    known: Order | None = rows.get(name)
    if known is not None and known.state != "paid-ahead":
        return _take_known(name, known, rows, now, paid=paid)
    terms: Terms | None = rows.get("terms")
    if terms is None:
        return _take_without_group(message, rows, now)
    purchase: Purchase = rows["purchase"]
    value = message.value
    if value is None:
        price = terms.unit_price if message.unit_price is None else message.unit_price
        value = message.quantity * (price or 0)
    order = Order(
        "counts", message.member_id, message.quantity, value, message.ordered_at,
        purchase.version + 1,
    )  # fmt: skip
    reason = _reason_to_refuse(message, terms, purchase, rows, now)
    if reason:
        return _refuse(name, order, reason, rows)
    if not paid and terms.scope == "member":
        ahead = known is not None
        if not ahead or _method(message.member_id, terms, rows) == "shop":
            _keep_unpaid(name, order, purchase, rows)
            return ()
    return _count(name, order, purchase, rows, now)


def _take_known(
    name: str, order: Order, rows: Rows, now: datetime, *, paid: bool
) -> Sequence[Message]:
    if order.state == "refused":
        return (_order_refused(name, order, rows),)
    if order.state == "placed" and paid:
        return _count_placed(name, order, rows, now)
    return ()


def _take_without_group(
    message: OrderPlaced | OrderPaid, rows: Rows, now: datetime
) -> Sequence[Message]:
    if "ended" not in rows:
        return _wait(message, rows, now)
    name = f"order/{message.source}/{message.order_id}"
    order = Order("refused", message.member_id, message.quantity, reason="too-late")
    return (_order_refused(name, order, rows),)


def _reason_to_refuse(
    message: OrderPlaced | OrderPaid, terms: Terms, purchase: Purchase, rows: Rows, now: datetime
) -> str:
    """The first reason that holds, the order's own before those of when it came; or empty."""
    if terms.listed and f"admitted/{message.member_id}" not in rows:
        return "not-a-member"
    if message.ordered_at < terms.opens_at:
        return "before-period"
    if message.ordered_at >= terms.closes_at:
        return "after-period"
    if message.currency and terms.currency and message.currency != terms.currency:
        return "other-currency"
    return "" if purchase.closed_at is None else _reason_after_close(purchase, now)


def _reason_after_close(purchase: Purchase, now: datetime) -> str:
    if purchase.status == "withdrawn":
        return "withdrawn"
    late = purchase.closed_at is not None and now > purchase.closed_at + LATE_ORDERS_WAIT
    return "too-late" if late else ""


def _method(member_id: str, terms: Terms, rows: Rows) -> Method:
    admitted: Admitted | None = rows.get(f"admitted/{member_id}")
    return terms.method if admitted is None or admitted.method is None else admitted.method


def _keep_unpaid(name: str, order: Order, purchase: Purchase, rows: Rows) -> None:
    """Keep an order until its money is there; its arrival ranks after all that count by now."""
    unpaid = rows.get("unpaid", Unpaid(0)).count + 1
    rows["unpaid"] = Unpaid(unpaid)
    rows[name] = replace(
        order, state="placed", arrived_version=purchase.version, arrived_unpaid=unpaid
    )


def _count_placed(name: str, order: Order, rows: Rows, now: datetime) -> Sequence[Message]:
    purchase: Purchase = rows["purchase"]
    if purchase.status == "withdrawn":
        return _refuse(name, order, "withdrawn", rows)
    return _count(name, replace(order, state="counts"), purchase, rows, now)


def _count(
    name: str, order: Order, purchase: Purchase, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Add an order to its member and to the group, and close the group if that completes it."""
    quantity = purchase.quantity + order.quantity
    value = purchase.value + order.value
    if quantity > SUM_MAX or value > SUM_MAX:
        return _refuse(name, order, "beyond-limits", rows)
    rows[name] = order
    members = purchase.members + _add_to_member(name, order, rows)
    counted = Purchase(
        purchase.version + 1, purchase.status, quantity, value, members, purchase.closed_at
    )
    if counted.status == "open" and _is_complete(counted, rows["terms"]):
        return _close(counted, "complete", rows, now)
    rows["purchase"] = counted
    return ()


def _is_complete(purchase: Purchase, terms: Terms) -> bool:
    """Whether the group closes before its deadline; only listed members count in a listed group."""
    if purchase.quantity < terms.number_of_products:
        return False
    return purchase.members == terms.listed if terms.listed else terms.stop_at_number


def _add_to_member(name: str, order: Order, rows: Rows) -> int:
    """Add an order to its member's sums; 1 if the member had nothing before, else 0."""
    member_name = f"member/{order.member_id}"
    member: Member | None = rows.get(member_name)
    at = order.ordered_at
    if member is None or not member.orders:
        version = 1 if member is None else member.version + 1
        rows[member_name] = Member(version, order.quantity, order.value, 1, at, at, name)
        return 1
    if member.only_order:
        rows[_latest_name(rows[member.only_order])] = Latest(member.only_order)
    rows[_latest_name(order)] = Latest(name)
    rows[member_name] = Member(
        member.version + 1,
        member.quantity + order.quantity,
        member.value + order.value,
        member.orders + 1,
        min(member.first_ordered_at or at, at),
        max(member.last_ordered_at or at, at),
        "",
    )
    return int(member.quantity == 0)


def _latest_name(order: Order) -> str:
    """A name that sorts a member's orders by ``ordered_at``, then by arrival."""
    at = order.ordered_at.astimezone(UTC).isoformat(timespec="microseconds")
    arrival = f"{order.arrived_version:012d}.{order.arrived_unpaid:012d}"
    return f"latest/{order.member_id}/{at}/{arrival}"


def _refuse(name: str, order: Order, reason: str, rows: Rows) -> Sequence[Message]:
    refused = replace(order, state="refused", reason=reason)
    rows[name] = refused
    return (_order_refused(name, refused, rows),)


def _order_refused(name: str, order: Order, rows: Rows) -> OrderRefused:
    _, source, order_id = name.split("/")
    return OrderRefused(
        group_id=rows.key,
        order_id=order_id,
        source=source,
        member_id=order.member_id,
        quantity=order.quantity,
        reason=order.reason,
    )


# --- cancellations and returns -------------------------------------------------------------------


def cancel_order(message: OrderCancelled, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take an order out, or keep that it is void until it comes; a close is not undone.

    What was returned of it is out already. A refused order stays refused.
    """
    name = f"order/{message.source}/{message.order_id}"
    order: Order | None = rows.get(name)
    if order is None:
        if "terms" not in rows:
            return _wait(message, rows, now)
        rows[name] = Order("cancelled")
    elif order.state not in ("cancelled", "refused"):
        rows[name] = replace(order, state="cancelled")
        if order.state == "counts":
            _uncount(order, rows)
    return ()


def return_order(message: OrderReturned, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take back what was returned, and refuse at once what exceeds the member's orders.

    Taken from the order it names (of its own source), if that counts and is the member's; else
    from the member's counting orders of any source, the latest first. There is no deadline.
    """
    name = f"return/{message.source}/{message.return_id}"
    answer: Return | None = rows.get(name)
    if answer is None and "terms" not in rows:
        if "ended" not in rows:
            return _wait(message, rows, now)
        answer = Return(message.member_id, message.quantity, "exceeds-orders")
    elif answer is None:
        left = _take_back(message, rows)
        answer = rows[name] = Return(message.member_id, left, "exceeds-orders")
    return _return_refused(name, answer, rows)


def _uncount(order: Order, rows: Rows) -> None:
    """Take a cancelled order's rest out of the sums, and its times out of its member's row."""
    member_name = f"member/{order.member_id}"
    member: Member = rows[member_name]
    first = last = None
    if not member.only_order:
        del rows[_latest_name(order)]
        prefix = f"latest/{order.member_id}/"
        for _, latest in islice(rows.scan(prefix), 1):
            first = rows[latest.order].ordered_at
        for _, latest in islice(rows.scan(prefix, reverse=True), 1):
            last = rows[latest.order].ordered_at
    without = replace(
        member,
        orders=member.orders - 1,
        first_ordered_at=first,
        last_ordered_at=last,
        only_order="",
    )
    _lower(member_name, without, order.quantity - order.returned, _value_left(order), rows)


def _take_back(message: OrderReturned, rows: Rows) -> int:
    """Take a return out of orders and sums; what is left exceeds the orders."""
    member_name = f"member/{message.member_id}"
    member: Member | None = rows.get(member_name)
    left, value = message.quantity, 0
    if member is None:
        return left
    for name in _orders_to_return(message, member, rows):
        order: Order | None = rows.get(name)
        if order is None or order.state != "counts" or order.member_id != message.member_id:
            continue
        taken = min(left, order.quantity - order.returned)
        if taken:
            rest = replace(order, returned=order.returned + taken)
            rows[name] = rest
            value += _value_left(order) - _value_left(rest)
            left -= taken
        if not left:
            break
    if left < message.quantity:
        _lower(member_name, member, message.quantity - left, value, rows)
    return left


def _orders_to_return(message: OrderReturned, member: Member, rows: Rows) -> Iterator[str]:
    if message.order_id is not None:
        yield f"order/{message.source}/{message.order_id}"
    elif member.only_order:
        yield member.only_order
    else:
        for _, latest in rows.scan(f"latest/{message.member_id}/", reverse=True):
            yield latest.order


def _value_left(order: Order) -> int:
    """The value of what was not returned, in minor units, rounded half up."""
    if not order.returned:
        return order.value
    return half_up(Fraction(order.value * (order.quantity - order.returned), order.quantity))


def _lower(member_name: str, member: Member, quantity: int, value: int, rows: Rows) -> None:
    """Take that much out of a member's sums and the group's, and put both rows.

    The group's stays as it is if an order is cancelled that was returned in whole before.
    """
    left = member.quantity - quantity
    rows[member_name] = replace(
        member, version=member.version + 1, quantity=left, value=member.value - value
    )
    if quantity:
        purchase: Purchase = rows["purchase"]
        rows["purchase"] = replace(
            purchase,
            version=purchase.version + 1,
            quantity=purchase.quantity - quantity,
            value=purchase.value - value,
            members=purchase.members - (left == 0),
        )


def _return_refused(name: str, answer: Return, rows: Rows) -> Sequence[Message]:
    if not answer.refused:
        return ()
    _, source, return_id = name.split("/")
    refused = OrderRefused(
        group_id=rows.key,
        order_id=return_id,
        source=source,
        member_id=answer.member_id,
        quantity=answer.refused,
        reason=answer.reason,
    )
    return (refused,)


# --- waiting for a group -------------------------------------------------------------------------


def drain_waiting(rows: Rows, now: datetime) -> Sequence[Message]:
    """Apply what waited for a group that has come, in order and each as of its own arrival.

    So the group stands as if it had been known before; nothing that waited is too late. A call
    ends where the group closes, as rows that change later must not be sent before the summary.
    """
    messages: list[Message] = []
    done = 0
    was_open = rows["purchase"].status == "open"
    for name, waiting in list(islice(rows.scan("waiting/"), CHUNK_ROWS_MAX)):
        del rows[name], rows[f"due/expire/{name.partition('/')[2]}"]
        model, rule = WAITERS[waiting.type]
        message = model.model_validate_json(waiting.message)
        messages.extend(rule(message, rows, waiting.arrived_at))
        done += 1
        if was_open and rows["purchase"].status != "open":
            break
    if done:
        rows["chunk/drain"] = Chunk(rows["chunk/drain"].done + done)
        return messages
    del rows["chunk/drain"], rows["waits"]
    return ()


def refuse_unknown(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Refuse an order or return whose group has not come within the hour.

    The answer is kept for repeats, even if the group comes later. Cancellations and payments that
    found no group are dropped.
    """
    number = row_name.rpartition("/")[2]
    waiting: Waiting = rows[f"waiting/{number}"]
    del rows[f"waiting/{number}"]
    if rows["waits"].last == int(number):
        del rows["waits"]
    message = WAITERS[waiting.type][0].model_validate_json(waiting.message)
    if isinstance(message, OrderReturned):
        _keep_refusals(rows, now)
        name = f"return/{message.source}/{message.return_id}"
        answer = Return(message.member_id, message.quantity, "unknown-group")
        rows[name] = answer = rows.get(name, answer)
        return _return_refused(name, answer, rows)
    if isinstance(message, OrderPlaced | OrderPaid):
        _keep_refusals(rows, now)
        name = f"order/{message.source}/{message.order_id}"
        order = Order("placed", message.member_id, message.quantity, ordered_at=message.ordered_at)
        return _refuse(name, rows.get(name, order), "unknown-group", rows)
    return ()


def _wait(message: Message, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep a message an hour for its group; nothing waits for a group that has ended."""
    if "ended" in rows:
        return ()
    number = rows.get("waits", Waits(0)).last + 1
    rows["waits"] = Waits(number)
    rows[f"waiting/{number:012d}"] = Waiting(
        type(message).__name__, message.model_dump_json(), arrived_at=now
    )
    rows[f"due/expire/{number:012d}"] = Due(now + UNKNOWN_GROUP_WAIT)
    return ()


def _keep_refusals(rows: Rows, now: datetime) -> None:
    """See that refusals for want of a group are dropped one day, if it never comes."""
    if "due/shrink" not in rows:
        rows["due/shrink"] = Due(now + ROWS_KEPT)


# --- the end -------------------------------------------------------------------------------------


def begin_shrinking(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Begin to delete the rows of a group that ended long ago, or never came."""
    rows["chunk/shrink"] = Chunk(0)
    return ()


def shrink_rows(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete a chunk of rows, and leave a marker in place of the group with the last.

    By the marker orders are refused as ``too-late`` and returns as ``exceeds-orders``, repeats
    too; the rest is ignored. Where no group ever came only refusals are deleted.
    """
    tables = ["order/", "return/"]
    if "terms" in rows:
        tables += ["admitted/", "latest/", "member/", "unpaid"]
    doomed = list(islice(chain.from_iterable(map(rows.scan, tables)), CHUNK_ROWS_MAX))
    for name, _ in doomed:
        del rows[name]
    if doomed:
        rows["chunk/shrink"] = Chunk(rows["chunk/shrink"].done + len(doomed))
        return ()
    del rows["chunk/shrink"]
    if "terms" in rows:
        purchase: Purchase = rows["purchase"]
        rows["ended"] = Ended(purchase.status, purchase.version)
        del rows["terms"], rows["purchase"]
    return ()


#: What may wait for its group, and the rule that takes it when the group has come.
WAITERS: dict[str, tuple[type[Message], Callable[[Any, Rows, datetime], Sequence[Message]]]] = {
    "OrderPlaced": (OrderPlaced, place_order),
    "OrderPaid": (OrderPaid, pay_order),
    "OrderCancelled": (OrderCancelled, cancel_order),
    "OrderReturned": (OrderReturned, return_order),
    "Payment": (Payment, take_payment),
}
