"""Records that change what payers owe: purchase rows, favors and orders. Pure.

Each rule keeps what a record says, adds the change to the sums of its payer, and has the payer's
book brought to level. Records may come in any order; before the terms they are only kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.money import worth
from domain.orders import confirm_by
from domain.sources import may_feed
from runtime.rows import DUE, Due, Name, Rows, UnusableError
from schemas.favors import Favor
from schemas.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    PurchaseRow,
)
from schemas.parts import NUMBER_MAX, SUM_MAX, Message
from schemas.reasons import RecordReason, ReturnRefusal
from services.payment_service.rows import (
    EARLY,
    GROUP,
    ORGANIZER,
    TERMS,
    Early,
    Group,
    Order,
    Purchaser,
    Terms,
    is_mistyped,
    member_name,
    method_of,
    open_group,
    open_payer,
    order_name,
    payer_name,
    payer_of,
)
from services.payment_service.rules.book import bring_to_level

#: States of orders that nobody has to pay yet.
NOT_TAKEN = ("confirmed-ahead", "unconfirmed")
#: How long the favor for a late row is waited for; it comes unless the sum stays the same.
FAVOR_WAIT = timedelta(hours=1)
#: The reason of a refusal that is about a return, whose id stands in place of an order's.
ABOUT_RETURN = ReturnRefusal.EXCEEDS_ORDERS


# --- purchasers and their favors -----------------------------------------------------------------


def take_purchaser(message: PurchaseRow | Favor, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep a newer row or favor of a purchaser. Raises ``UnusableError`` beyond the limits."""
    name = member_name(message.member_id)
    before = rows.get(name) or Purchaser()
    after = _purchaser_after(message, before)
    sums = _sums(rows.get(GROUP) or Group(), before, after)
    if open_group(rows, now).over:
        return ()
    if after is before:
        return bring_to_level(None, rows, now)
    rows[GROUP] = sums
    has_changed = (after.quantity, after.value) != (before.quantity, before.value)
    rows[name] = await_favor(message.member_id, after, rows, now, has_changed=has_changed)
    payer_id = add_purchaser(message.member_id, before, rows[name], rows)
    if isinstance(message, PurchaseRow) and payer_id is not None:
        _keep_person(payer_id, message.person_id, message.name_mark, rows)
    return bring_to_level(payer_id, rows, now)


def _purchaser_after(message: PurchaseRow | Favor, before: Purchaser) -> Purchaser:
    """A purchaser after a row or favor; the same object if that is not newer."""
    if isinstance(message, PurchaseRow):
        is_newer = message.version > before.version
        after = replace(
            before,
            version=message.version,
            quantity=message.quantity,
            value=message.value,
            mark=message.orders_mark or 0,
        )
    else:
        is_newer = message.version > before.favor_version
        after = replace(
            before,
            favor=message.amount,
            favor_version=message.version,
            favor_row=message.row_version or before.version,
        )
    return after if is_newer else before


def _sums(group: Group, before: Purchaser, after: Purchaser) -> Group:
    """The group's sums after a change of a purchaser.

    Raises ``UnusableError`` beyond the limits; a payer's sums are part of these. order_service and
    favor_service check the same limits, so this should not happen.
    """
    sums = replace(
        group,
        quantity=group.quantity + after.quantity - before.quantity,
        value=group.value + after.value - before.value,
        favor=group.favor + after.favor - before.favor,
    )
    if sums.quantity > NUMBER_MAX or max(sums.value, sums.favor) > SUM_MAX:
        raise UnusableError(
            f"{RecordReason.BEYOND_LIMITS}: the group would have {sums.quantity} units of"
            f" {sums.value} minor"
            f" units and favors of {sums.favor}; at most {NUMBER_MAX} and {SUM_MAX} are possible",
            RecordReason.BEYOND_LIMITS,
        )
    return sums


def await_favor(
    member_id: str, row: Purchaser, rows: Rows, now: datetime, *, has_changed: bool
) -> Purchaser:
    """The row, with whether its favor is still to come, once favors are decided.

    A favor ahead of its row waits for it. A row that ``has_changed`` and is ahead of its favor
    waits for an hour at most: no favor comes if the sum stays as it was.
    """
    group = rows[GROUP]
    due = DUE("favor", member_id)
    is_behind = group.follow and row.favor_row < row.version
    waits = is_behind and (row.awaits or has_changed)
    awaits = waits or (group.follow and row.favor_row > row.version)
    if waits:
        rows[due] = Due(now + FAVOR_WAIT)
    elif not awaits and due in rows:
        del rows[due]
    return replace(row, awaits=awaits)


def await_no_longer(row_name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """No favor came for a late row: the sum stayed as it was."""
    member_id = row_name.split("/", 2)[2]
    name = member_name(member_id)
    before = rows[name]
    rows[name] = replace(before, awaits=False)
    return bring_to_level(add_purchaser(member_id, before, rows[name], rows), rows, now)


def add_purchaser(member_id: str, before: Purchaser, after: Purchaser, rows: Rows) -> str | None:
    """Add a purchaser's change to the payer's sums. Returns the payer, if the terms are known."""
    if TERMS not in rows:
        rows[EARLY] = Early()
        return None
    payer_id = payer_of(member_id, rows)
    payer = open_payer(payer_id, rows)
    rows[payer_name(payer_id)] = replace(
        payer,
        quantity=payer.quantity + after.quantity - before.quantity,
        value=payer.value + after.value - before.value,
        favor=payer.favor + after.favor - before.favor,
        favor_version=max(payer.favor_version, after.favor_version),
        awaits=payer.awaits + after.awaits - before.awaits,
    )
    return payer_id


# --- orders --------------------------------------------------------------------------------------


AnyOrder = OrderPlaced | OrderPaid | OrderConfirmed | OrderCancelled | OrderRefused


def take_order(message: AnyOrder, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep what a record says of an order; its payer's charges follow.

    A placed order is charged once it is confirmed, if its purchaser pays for it alone. A paid one
    is not: the shop has its money. What was paid for a void one is refunded.
    """
    if is_mistyped(rows) or open_group(rows, now).over:
        return ()
    name = order_name(message.source, message.order_id)
    before = rows.get(name)
    after = _order_after(message, before, rows)
    payer_id = None
    if after is not None:
        rows[name] = after
        payer_id = add_order(name, before, rows)
    # A void order does not wait for the terms.
    is_void = isinstance(message, OrderCancelled | OrderRefused)
    return () if is_void and payer_id is None else bring_to_level(payer_id, rows, now)


def _order_after(message: AnyOrder, known: Order | None, rows: Rows) -> Order | None:
    """An order after a record of it; None if the record changes nothing."""
    match message:
        case OrderConfirmed():
            return _confirmed(message, known)
        case OrderCancelled() | OrderRefused():
            return _voided(message, known)
    if not _is_tracked(message.member_id, rows):
        return None
    if known is None or known.state == "confirmed-ahead":
        return _placed(message, known, rows.get(TERMS))
    is_news = isinstance(message, OrderPaid) and known.state != "dead" and not known.by_shop
    # A payment at the shop counts as the purchaser's confirmation.
    return replace(known, state="placed", by_shop=True) if is_news else None


def _placed(message: OrderPlaced | OrderPaid, known: Order | None, terms: Terms | None) -> Order:
    """A new order; ``known`` has the time of a confirmation that came before it.

    Before the terms there is no mark of its name, as a mark belongs to their request.
    """
    is_unconfirmed = isinstance(message, OrderPlaced) and message.unconfirmed
    if known is not None and known.confirmed_at is not None:
        is_unconfirmed = is_unconfirmed and known.confirmed_at >= confirm_by(message.ordered_at)
    contact = message.contact
    return Order(
        state="unconfirmed" if is_unconfirmed else "placed",
        member_id=message.member_id,
        quantity=message.quantity,
        value=worth(message.quantity, message.unit_price, message.value),
        ordered_at=message.ordered_at,
        by_shop=isinstance(message, OrderPaid),
        currency=message.currency or "",
        person_id=contact.reached_as if contact else None,
        name_mark=contact.party_of(terms.request_id).name_mark if contact and terms else None,
    )


def _voided(message: OrderCancelled | OrderRefused, known: Order | None) -> Order | None:
    """An order after it is cancelled or refused, maybe before it comes."""
    is_of_return = isinstance(message, OrderRefused) and message.reason == ABOUT_RETURN
    if is_of_return or (known is not None and known.state == "dead"):
        return None
    if known is None or known.state in NOT_TAKEN:
        return Order("dead")
    return replace(known, state="dead")


def _confirmed(message: OrderConfirmed, known: Order | None) -> Order | None:
    """An order after its confirmation, which may come before it.

    An order that is confirmed too late is not charged, as order_service refuses it.
    """
    if known is None:
        return Order("confirmed-ahead", confirmed_at=message.at)
    is_in_time = known.state == "unconfirmed" and message.at < confirm_by(known.ordered_at)
    return replace(known, state="placed") if is_in_time else None


def add_order(name: Name[Order], before: Order | None, rows: Rows) -> str | None:
    """Add an order's change to its payer's sums. Returns the payer, if the terms are known."""
    order = rows[name]
    if order.state in NOT_TAKEN or not order.member_id:
        return None
    if TERMS not in rows:
        rows[EARLY] = Early()
        return None
    terms = rows[TERMS]
    # No money is asked for an order from a source that does not count in the group.
    if not _is_tracked(order.member_id, rows) or not may_feed(name.split("/")[1], terms.sources):
        return None
    after = order
    if after.value is None:
        after = replace(after, value=worth(after.quantity, terms.unit_price or 0, None))
    if after.value is not None and after.value > SUM_MAX:
        # order_service refuses such an order, and it is not charged.
        after = replace(after, state="dead", value=0)
    if after != order:
        rows[name] = after
    payer_id = payer_of(after.member_id, rows)
    payer = open_payer(payer_id, rows)
    is_single = payer_id != ORGANIZER and name not in payer.orders
    rows[payer_name(payer_id)] = replace(
        payer,
        shop=payer.shop + _by_shop(after) - (_by_shop(before) if before else 0),
        orders=(*payer.orders, name) if is_single else payer.orders,
        currency=payer.currency or after.currency,
    )
    _keep_person(payer_id, after.person_id, after.name_mark, rows)
    return payer_id


def _is_tracked(member_id: str, rows: Rows) -> bool:
    """Whether single orders matter: not if the shop has the money of all that count.

    Before the terms every order may matter.
    """
    terms = rows.get(TERMS)
    return terms is None or terms.scope == "group" or method_of(member_id, rows) != "shop"


def _by_shop(order: Order) -> int:
    return (order.value or 0) if order.by_shop and order.state == "placed" else 0


def _keep_person(payer_id: str, found: str | None, name_mark: str | None, rows: Rows) -> None:
    """Keep the first person that is known for a payer, and the mark of that person's latest name.

    The organizer's are in the terms.
    """
    payer = rows[payer_name(payer_id)]
    if found is None or payer_id == ORGANIZER or payer.person_id not in (None, found):
        return
    after = replace(payer, person_id=found, name_mark=name_mark or payer.name_mark)
    if after != payer:
        rows[payer_name(payer_id)] = after
