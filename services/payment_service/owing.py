"""What facts say of purchasers and orders, and what that adds up to for who pays for them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from runtime.rows import Due, Rows, UnusableError
from schemas.favors import Favor
from schemas.money import worth
from schemas.orders import Order, OrderPlaced, PurchaseRow, confirm_by
from schemas.parts import NUMBER_MAX, SUM_MAX, Address, Member
from schemas.reasons import BEYOND_LIMITS
from schemas.sources import may_feed
from services.payment_service.rows import (
    ORGANIZER,
    Group,
    Listed,
    Payer,
    Purchaser,
    Terms,
    Waits,
    member_name,
    method_of,
    order_name,
    payer_name,
    payer_of,
)
from services.payment_service.rows import Order as OrderRow

#: States of orders that nobody has to pay yet.
NOT_TAKEN = ("confirmed-ahead", "unconfirmed")
#: How long a favor that follows a late row is waited for; it comes unless the sum stays the same.
FAVOR_WAIT = timedelta(hours=1)


def list_members(members: Iterable[Member], rows: Rows) -> None:
    """Keep who of the listed members has a method or an address of the own."""
    for member in members:
        method = member.payment.method if member.payment else None
        address = Address.at(member)
        if method or address:
            rows[f"listed/{member.id}"] = Listed(method, address)


# --- purchasers ----------------------------------------------------------------------------------


def check_sums(message: PurchaseRow | Favor, rows: Rows) -> None:
    """Raise ``UnusableError`` for a row or favor that takes the group's sums beyond the limits.

    A payer's sums are part of these. order_service and favor_service check the same limits, so
    this should not happen.
    """
    after = _sums_with(message, rows)
    if after.quantity > NUMBER_MAX or max(after.value, after.favor) > SUM_MAX:
        raise UnusableError(
            f"{BEYOND_LIMITS}: the group would have {after.quantity} units of {after.value} minor"
            f" units and favors of {after.favor}; at most {NUMBER_MAX} and {SUM_MAX} are possible",
            BEYOND_LIMITS,
        )


def _sums_with(message: PurchaseRow | Favor, rows: Rows) -> Group:
    group: Group = rows.get("group") or Group()
    before: Purchaser = rows.get(member_name(message.member_id)) or Purchaser()
    if isinstance(message, Favor):
        if message.version <= before.favor_version:
            return group
        return replace(group, favor=group.favor + message.amount - before.favor)
    if message.version <= before.version:
        return group
    return replace(
        group,
        quantity=group.quantity + message.quantity - before.quantity,
        value=group.value + message.value - before.value,
    )


def take_purchaser(message: PurchaseRow, rows: Rows, now: datetime) -> str | None:
    """Keep a newer row of a purchaser; who pays for it, if that is known."""
    name = member_name(message.member_id)
    before: Purchaser = rows.get(name) or Purchaser()
    if message.version <= before.version:
        return None
    rows["group"] = _sums_with(message, rows)
    after = replace(
        before,
        version=message.version,
        quantity=message.quantity,
        value=message.value,
        mark=message.orders_mark or 0,
    )
    has_changed = (after.quantity, after.value) != (before.quantity, before.value)
    rows[name] = await_favor(message.member_id, after, rows, now, has_changed=has_changed)
    return add_up(message.member_id, before, rows[name], rows)


def take_favor(message: Favor, rows: Rows, now: datetime) -> str | None:
    """Keep a newer favor of a purchaser; who pays, if that is known."""
    name = member_name(message.member_id)
    before: Purchaser = rows.get(name) or Purchaser()
    if message.version <= before.favor_version:
        return None
    rows["group"] = _sums_with(message, rows)
    after = replace(
        before,
        favor=message.amount,
        favor_version=message.version,
        favor_row=message.row_version or before.version,
    )
    rows[name] = await_favor(message.member_id, after, rows, now, has_changed=False)
    return add_up(message.member_id, before, rows[name], rows)


def await_favor(
    member_id: str, row: Purchaser, rows: Rows, now: datetime, *, has_changed: bool
) -> Purchaser:
    """Whether the favor and the row are of each other, once favors are decided.

    A favor ahead of its row waits for it. A row that ``has_changed`` and is ahead of its favor
    waits for an hour at most: none comes where the sum stays as it was.
    """
    group: Group = rows["group"]
    due = f"due/favor/{member_id}"
    awaits = False
    if group.follow and row.favor_row > row.version:
        awaits = True
    elif group.follow and row.favor_row < row.version:
        awaits = row.awaits or has_changed
        if awaits:
            rows[due] = Due(now + FAVOR_WAIT)
    if not awaits and due in rows:
        del rows[due]
    return replace(row, awaits=awaits)


def add_up(member_id: str, before: Purchaser, after: Purchaser, rows: Rows) -> str | None:
    """Add a purchaser's change to the payer's sums; who that is, if the terms are known."""
    if "terms" not in rows:
        rows["waits"] = Waits()
        return None
    payer_id = payer_of(member_id, rows)
    payer = open_payer(payer_id, rows)
    favor_version = max(payer.favor_version, after.favor_version)
    rows[payer_name(payer_id)] = replace(
        payer,
        quantity=payer.quantity + after.quantity - before.quantity,
        value=payer.value + after.value - before.value,
        favor=payer.favor + after.favor - before.favor,
        favor_version=favor_version,
        awaits=payer.awaits + after.awaits - before.awaits,
    )
    return payer_id


# --- orders --------------------------------------------------------------------------------------


def take_order(message: Order, rows: Rows, *, paid: bool) -> str | None:
    """Keep an order as it first came, and if the shop has its money; who pays, if that is known."""
    if "terms" in rows and not is_tracked(message.member_id, rows):
        return None
    name = order_name(message.source, message.order_id)
    known: OrderRow | None = rows.get(name)
    if known is not None and known.state != "confirmed-ahead":
        if known.state == "dead" or known.by_shop or not paid:
            return None
        # A payment that the shop reports counts as the purchaser's confirmation.
        rows[name] = replace(known, state="placed", by_shop=True)
        return add_order(name, known, rows)
    is_unconfirmed = isinstance(message, OrderPlaced) and message.unconfirmed
    if known is not None and known.confirmed_at is not None:
        is_unconfirmed = is_unconfirmed and known.confirmed_at >= confirm_by(message.ordered_at)
    value = worth(message.quantity, message.unit_price, message.value)
    rows[name] = OrderRow(
        "unconfirmed" if is_unconfirmed else "placed",
        message.member_id,
        message.quantity,
        value,
        message.ordered_at,
        by_shop=paid,
        currency=message.currency or "",
        address=message.address,
    )
    return add_order(name, None, rows)


def confirm_order(name: str, at: datetime, rows: Rows) -> str | None:
    """Charge a confirmed order from now on; if it has not come yet, keep its confirmation.

    An order that is confirmed too late is not charged, as it is refused. Returns the payer, if
    known.
    """
    known: OrderRow | None = rows.get(name)
    if known is None:
        rows[name] = OrderRow("confirmed-ahead", confirmed_at=at)
        return None
    if known.state != "unconfirmed" or at >= confirm_by(known.ordered_at):
        return None
    rows[name] = replace(known, state="placed")
    return add_order(name, known, rows)


def kill_order(name: str, rows: Rows) -> str | None:
    """An order is cancelled or refused, maybe before it comes; who pays, if that is known."""
    known: OrderRow | None = rows.get(name)
    if known is not None and known.state == "dead":
        return None
    if known is None or known.state in NOT_TAKEN:
        rows[name] = OrderRow("dead")
        return None
    rows[name] = replace(known, state="dead")
    return add_order(name, known, rows)


def add_order(name: str, before: OrderRow | None, rows: Rows) -> str | None:
    """Add what changed of an order to its payer; who that is, if the terms are known."""
    after: OrderRow = rows[name]
    if after.state in NOT_TAKEN:
        return None
    if "terms" not in rows:
        rows["waits"] = Waits()
        return None
    if not after.member_id or not is_tracked(after.member_id, rows) or _is_elsewhere(name, rows):
        return None
    if after.value is None:
        terms: Terms = rows["terms"]
        after = replace(after, value=worth(after.quantity, terms.unit_price or 0, None))
        rows[name] = after
    if after.value is not None and after.value > SUM_MAX:
        # order_service refuses such an order, and it is not charged.
        after = replace(after, state="dead", value=0)
        rows[name] = after
    payer_id = payer_of(after.member_id, rows)
    payer = open_payer(payer_id, rows)
    by_shop = _by_shop(after) - (_by_shop(before) if before else 0)
    orders = payer.orders
    if payer_id != ORGANIZER and name not in orders:
        orders = (*orders, name)
    rows[payer_name(payer_id)] = replace(
        payer,
        shop=payer.shop + by_shop,
        orders=orders,
        currency=payer.currency or after.currency,
    )
    if after.address and payer_id != ORGANIZER:
        keep_address(payer_id, after.address, rows)
    return payer_id


def is_tracked(member_id: str, rows: Rows) -> bool:
    """Whether orders matter one by one: not where the shop has the money of all that count."""
    terms: Terms = rows["terms"]
    return terms.scope == "group" or method_of(member_id, rows) != "shop"


def _is_elsewhere(name: str, rows: Rows) -> bool:
    """Whether an order's source does not count in the group, so that it is not charged."""
    terms: Terms = rows["terms"]
    return not may_feed(name.split("/")[1], terms.sources)


def _by_shop(order: OrderRow) -> int:
    return (order.value or 0) if order.by_shop and order.state == "placed" else 0


# --- payers --------------------------------------------------------------------------------------


def open_payer(payer_id: str, rows: Rows) -> Payer:
    """A payer's row; a new one is not settled yet."""
    payer: Payer | None = rows.get(payer_name(payer_id))
    if payer is None:
        payer = Payer()
        rows[payer_name(payer_id)] = payer
        group: Group = rows["group"]
        rows["group"] = replace(group, unsettled=group.unsettled + 1)
    return payer


def keep_address(payer_id: str, found: Address | None, rows: Rows) -> None:
    """Keep where a payer's letters go: the first address that is known."""
    payer: Payer | None = rows.get(payer_name(payer_id))
    if found is not None and payer is not None and payer.address is None:
        rows[payer_name(payer_id)] = replace(payer, address=found)
