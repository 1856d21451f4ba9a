"""What a payer owes is paid, and what was paid too much goes back; never twice.

Here is what answers to each message and to what falls due. ``owing`` adds up what facts say,
``leveling`` finds what is owed, ``purses`` what of it was asked for by each method, ``book`` keeps
the payments and ``hearing`` what comes back from outside.

Where the design is silent:

- Who pays by shop has paid what counts at the shop; cancelled and returned goods are the shop's to
  refund. What we instruct is the favor, and everything after a withdrawal. What an order's own
  ``OrderPaid`` says is paid at the shop is, whatever the method of its payer.
- A group that pays as one pays at its close; nothing before.
- A card's hold is taken at the order's value and captured for what is owed at the close. Goods of a
  charged or invoiced order that come back before the close are refunded or credited then and there.
- A payment page that was not used is a failed payment, and of no consequence to an order that so
  never counted.
- A payment that failed is not replaced by itself; ``PaymentRetried`` tries it again, another sum
  owed replaces it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from runtime.rows import Due, Rows
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import Address, Message
from services.payment_service import owing
from services.payment_service.rows import (
    ORGANIZER,
    Chunk,
    Group,
    Purchaser,
    Terms,
    member_name,
    order_name,
)
from services.payment_service.settling import bring_to_level, settle_group
from services.payment_service.waiting import end_waiting, is_mistyped

CHUNK_ROWS_MAX = 200
ROWS_KEPT = timedelta(days=90)
#: How much later rows of a group are looked at again whose payments are not through by then.
ROWS_KEPT_LONGER = timedelta(days=30)
#: The reason of a refusal that is about a return, whose id stands in place of an order's.
ABOUT_RETURN = "exceeds-orders"


# --- the group -----------------------------------------------------------------------------------


def admit_members(message: MembersAdmitted, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep who of a part of the members pays in another way; parts precede their group."""
    if _group(rows, now).over or "terms" in rows:
        return ()
    owing.list_members(message.members, rows)
    return ()


def take_terms(message: GroupPurchase, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the terms once; orders and rows that came before them are taken up."""
    group = _group(rows, now)
    if group.over or "terms" in rows:
        return ()
    owing.list_members(message.members, rows)
    organizer = message.organizer
    rows["terms"] = Terms(
        request_id=message.request_id,
        scope=message.payment.scope,
        method=message.payment.method,
        currency=message.currency,
        unit_price=message.unit_price,
        deadline=_deadline(message),
        organizer_id=organizer.id if organizer else "",
        organizer=Address.at(organizer),
        sources=message.sources,
    )
    if "waits" in rows or group.ended or group.decided:
        end_waiting(rows)
        rows["chunk/open"] = Chunk(step="order/")
    return ()


def open_waiting(rows: Rows, now: datetime) -> Sequence[Message]:
    """Take up the next rows that came before the terms, orders first."""
    cursor: Chunk = rows["chunk/open"]
    page = list(islice(rows.scan(cursor.step, after=cursor.after), CHUNK_ROWS_MAX))
    sent: list[Message] = []
    for name, row in page:
        if cursor.step == "order/":
            sent += bring_to_level(owing.add_order(name, None, rows), rows, now)
        else:
            member_id = name.partition("/")[2]
            payer_id = owing.add_up(member_id, Purchaser(), row, rows)
            sent += bring_to_level(payer_id, rows, now)
    if len(page) == CHUNK_ROWS_MAX:
        rows["chunk/open"] = replace(cursor, after=page[-1][0])
    elif cursor.step == "order/":
        rows["chunk/open"] = Chunk(step="member/")
    else:
        del rows["chunk/open"]
        _level_all_once_ended(rows, now)
    return sent


def close(message: PurchaseState, rows: Rows, now: datetime) -> Sequence[Message]:
    """A group ends; after a withdrawal everything goes back, else its favors are waited for."""
    group = _group(rows, now)
    if message.status == "open" or group.ended or group.over:
        return ()
    rows["group"] = replace(group, ended=message.status)
    rows["due/shrink"] = Due(now + ROWS_KEPT)
    _level_all_once_ended(rows, now)
    return ()


def decide(message: FavorDecision, rows: Rows, now: datetime) -> Sequence[Message]:
    """All favors of a group are said: its payers are brought to level, one after the other."""
    group = _group(rows, now)
    if group.decided or group.over:
        return ()
    tier = message.tier
    is_gift = tier is not None and tier.gift is not None
    follow = message.cancel_all or (tier is not None and not is_gift)
    rows["group"] = replace(group, decided=True, follow=follow)
    _level_all_once_ended(rows, now)
    return ()


def _level_all_once_ended(rows: Rows, now: datetime) -> None:
    group = _group(rows, now)
    if "terms" not in rows or "chunk/open" in rows:
        return
    if group.ended == "withdrawn" or (group.ended and group.decided):
        rows["chunk/level"] = Chunk(step="member/")


def level_all(rows: Rows, now: datetime) -> Sequence[Message]:
    """Look at the next purchasers' favors, then bring the next payers to level."""
    cursor: Chunk = rows["chunk/level"]
    page = list(islice(rows.scan(cursor.step, after=cursor.after), CHUNK_ROWS_MAX))
    sent: list[Message] = []
    for name, row in page:
        of = name.partition("/")[2]
        if cursor.step == "member/":
            # A row that favors did not know of has its favor still to come.
            is_late = bool(row.favor_row or row.value)
            rows[name] = owing.await_favor(of, row, rows, now, has_changed=is_late)
            owing.add_up(of, row, rows[name], rows)
        else:
            sent += bring_to_level(of, rows, now)
    if len(page) == CHUNK_ROWS_MAX:
        rows["chunk/level"] = replace(cursor, after=page[-1][0])
    elif cursor.step == "member/":
        rows["chunk/level"] = Chunk(step="payer/")
    else:
        del rows["chunk/level"]
        settle_group(rows, now)
    return sent


# --- purchasers and their favors -----------------------------------------------------------------


def take_row(message: PurchaseRow, rows: Rows, now: datetime) -> Sequence[Message]:
    """What counts of a purchaser changed."""
    owing.check_sums(message, rows)
    if _group(rows, now).over:
        return ()
    payer_id = owing.take_purchaser(message, rows, now)
    if payer_id not in (None, ORGANIZER):
        owing.keep_address(message.member_id, Address.at(message.member), rows)
    return bring_to_level(payer_id, rows, now)


def take_favor(message: Favor, rows: Rows, now: datetime) -> Sequence[Message]:
    """A purchaser gets a favor, or another one."""
    owing.check_sums(message, rows)
    if _group(rows, now).over:
        return ()
    return bring_to_level(owing.take_favor(message, rows, now), rows, now)


def await_no_longer(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """No favor came for a late row: the sum stayed as it was."""
    member_id = row_name.split("/", 2)[2]
    name = member_name(member_id)
    before: Purchaser = rows[name]
    rows[name] = replace(before, awaits=False)
    return bring_to_level(owing.add_up(member_id, before, rows[name], rows), rows, now)


# --- orders --------------------------------------------------------------------------------------


def place_order(message: OrderPlaced, rows: Rows, now: datetime) -> Sequence[Message]:
    """A placed order; it is charged once it is confirmed, if its purchaser pays for it alone."""
    return _take_order(message, rows, now, paid=False)


def confirm_order(message: OrderConfirmed, rows: Rows, now: datetime) -> Sequence[Message]:
    """An order by a link is confirmed: it is charged from now on."""
    if is_mistyped(rows) or _group(rows, now).over:
        return ()
    name = order_name(message.source, message.order_id)
    return bring_to_level(owing.confirm_order(name, message.at, rows), rows, now)


def pay_order(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """The shop has the money of this order; what we ask for it is called off."""
    return _take_order(message, rows, now, paid=True)


def _take_order(
    message: OrderPlaced | OrderPaid, rows: Rows, now: datetime, *, paid: bool
) -> Sequence[Message]:
    if is_mistyped(rows) or _group(rows, now).over:
        return ()
    return bring_to_level(owing.take_order(message, rows, paid=paid), rows, now)


def cancel_order(message: OrderCancelled, rows: Rows, now: datetime) -> Sequence[Message]:
    """The order is void, maybe before it comes: nothing is asked for it any more."""
    if is_mistyped(rows) or _group(rows, now).over:
        return ()
    return _kill_order(order_name(message.source, message.order_id), rows, now)


def refuse_order(message: OrderRefused, rows: Rows, now: datetime) -> Sequence[Message]:
    """The order does not count: what was asked for it is called off, what was paid goes back."""
    if is_mistyped(rows) or _group(rows, now).over or message.reason == ABOUT_RETURN:
        return ()
    return _kill_order(order_name(message.source, message.order_id), rows, now)


def _kill_order(name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Void an order. A void order does not wait for the terms."""
    payer_id = owing.kill_order(name, rows)
    return () if payer_id is None else bring_to_level(payer_id, rows, now)


# --- ninety days later ---------------------------------------------------------------------------


def begin_shrinking(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """A group long over is forgotten in chunks, once nothing of it is open any more."""
    if _group(rows, now).is_settled or "terms" not in rows:
        rows["chunk/shrink"] = Chunk()
    else:
        rows[row_name] = Due(now + ROWS_KEPT_LONGER)
    return ()


def shrink(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete the next rows; at last, all but the mark that the group is over."""
    tables = ("order/", "payment/", "payer/", "member/", "listed/", "report/", "due/", "call/")
    doomed = [
        name for name, _ in islice(chain.from_iterable(map(rows.scan, tables)), CHUNK_ROWS_MAX)
    ]
    for name in doomed:
        del rows[name]
    if doomed:
        return ()
    # If the settled sums have not been sent yet, the terms send them.
    end_waiting(rows)
    for name in ("chunk/shrink", "settled", "terms"):
        if name in rows:
            del rows[name]
    rows["group"] = Group(over=True)
    return ()


# --- what they have in common --------------------------------------------------------------------


def _group(rows: Rows, now: datetime) -> Group:
    """How far the group is; from its first message on it is looked at again in ninety days."""
    group: Group | None = rows.get("group")
    if group is None:
        group = Group()
        rows["group"] = group
        rows["due/shrink"] = Due(now + ROWS_KEPT)
    return group


def _deadline(message: GroupPurchase) -> datetime:
    try:
        return message.closes_at + timedelta(seconds=message.grace_seconds)
    except OverflowError:  # a grace of millions of years is odd, but nothing to stop a worker for
        return datetime.max.replace(tzinfo=UTC)
