"""The course of a group: its terms, its end, and the deletion of its rows. Pure.

``payers`` takes the records that change what a payer owes, ``balance`` computes the difference to
what is done, and ``book`` applies it. ``provider`` and ``reports`` take answers from outside.

Where the design is silent:

- A payer by shop has paid at the shop for all that counts. The shop refunds cancelled and returned
  goods; we instruct the favor, and everything after a withdrawal. An order with an ``OrderPaid``
  is paid at the shop, whatever the method of its payer.
- A group that pays as one pays nothing before its close.
- A hold on a card has the order's value, and is captured for the sum that is owed at the close.
  Goods of a charged or invoiced order that come back before it are refunded or credited at once.
- A payment page that was not used is a failed payment. It delays no settlement, as its order never
  counted.
- A failed payment is not replaced by itself: ``PaymentRetried`` tries it again, or another sum
  replaces it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from domain.orders import deadline
from domain.tiers import lowers_price
from runtime.rows import (
    CALLS,
    DUE,
    ROWS_KEPT,
    Due,
    Name,
    Rows,
    Table,
    drop,
    drop_some,
    next_rows,
)
from schemas.favors import FavorDecision
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.orders import PurchaseState
from schemas.parts import KeptProduct, Member, Message
from services.payment_service.rows import (
    CHUNKS,
    EARLY,
    GROUP,
    LISTED,
    MEMBERS,
    ORDERS,
    PAYERS,
    PAYMENTS,
    REPORTS,
    SETTLED,
    TERMS,
    Chunk,
    Group,
    Listed,
    Purchaser,
    Terms,
    open_group,
)
from services.payment_service.rules.book import bring_to_level, settle_group
from services.payment_service.rules.payers import add_order, add_purchaser, await_favor
from services.payment_service.rules.waiting import end_waiting

CHUNK_ROWS_MAX = 200
#: The pause before the rows of a group are looked at again, if its payments are not through.
ROWS_KEPT_LONGER = timedelta(days=30)


# --- the group -----------------------------------------------------------------------------------


def admit_members(message: MembersAdmitted, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep a part of the listed members; parts precede their group."""
    if not open_group(rows, now).over and TERMS not in rows:
        _list_members(message.members, rows)
    return ()


def take_terms(message: GroupPurchase, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the terms once; orders and rows that came before them are taken up."""
    group = open_group(rows, now)
    if group.over or TERMS in rows:
        return ()
    _list_members(message.members, rows)
    organizer = message.organizer
    rows[TERMS] = Terms(
        request_id=message.request_id,
        scope=message.payment.scope,
        method=message.payment.method,
        currency=message.currency,
        unit_price=message.unit_price,
        deadline=deadline(message.closes_at, message.grace_seconds),
        organizer_id=organizer.id if organizer else "",
        organizer_person_id=organizer.person_id if organizer else None,
        sources=message.sources,
        product=KeptProduct.of(message.product),
        shop_id=message.shop_id,
        seller_id=message.seller_id,
        organizer_name_mark=organizer.name_mark if organizer else None,
        discount_at=message.closes_at if any(map(lowers_price, message.favor.tiers)) else None,
    )
    if EARLY in rows or group.ended or group.decided:
        end_waiting(rows)
        rows[CHUNKS("open")] = Chunk(step=ORDERS.prefix())
    return ()


def _list_members(members: Iterable[Member], rows: Rows) -> None:
    """Keep the listed members who have a method or can be reached."""
    for member in members:
        method = member.payment.method if member.payment else None
        if method or member.person_id:
            rows[LISTED(member.id)] = Listed(
                method=method, person_id=member.person_id, name_mark=member.name_mark
            )


def open_waiting(rows: Rows, now: datetime) -> Sequence[Message]:
    """Take up the next rows that came before the terms, orders first."""
    table, page = _page(CHUNKS("open"), (ORDERS, MEMBERS), rows)
    sent: list[Message] = []
    for name, row in page:
        if table is ORDERS:
            payer_id = add_order(name, None, rows)
        else:
            payer_id = add_purchaser(MEMBERS.part(name), Purchaser(), row, rows)
        sent += bring_to_level(payer_id, rows, now)
    _advance(CHUNKS("open"), page, MEMBERS, rows)
    _level_all_once_ended(rows)
    return sent


def close(message: PurchaseState, rows: Rows, now: datetime) -> Sequence[Message]:
    """A group ends. After a withdrawal all is refunded, else its favors are waited for."""
    group = open_group(rows, now)
    if message.status != "open" and not group.ended and not group.over:
        rows[GROUP] = replace(group, ended=message.status)
        rows[DUE("shrink")] = Due(now + ROWS_KEPT)
        _level_all_once_ended(rows)
    return ()


def decide(message: FavorDecision, rows: Rows, now: datetime) -> Sequence[Message]:
    """All favors of a group are decided: its payers are brought to level, a chunk at a time."""
    group = open_group(rows, now)
    if not group.decided and not group.over:
        is_money = message.tier is not None and message.tier.gift is None
        rows[GROUP] = replace(group, decided=True, follow=message.cancel_all or is_money)
        _level_all_once_ended(rows)
    return ()


def _level_all_once_ended(rows: Rows) -> None:
    group = rows[GROUP]
    if group.has_ended and TERMS in rows and CHUNKS("open") not in rows:
        rows[CHUNKS("level")] = Chunk(step=MEMBERS.prefix())


def level_all(rows: Rows, now: datetime) -> Sequence[Message]:
    """Find whose favor is still to come, then bring the payers to level; the next chunk."""
    table, page = _page(CHUNKS("level"), (MEMBERS, PAYERS), rows)
    sent: list[Message] = []
    for name, row in page:
        person_id = name.partition("/")[2]
        if table is MEMBERS:
            # The favor of a row that favor_service did not know of is still to come.
            is_late = bool(row.favor_row or row.value)
            rows[name] = await_favor(person_id, row, rows, now, has_changed=is_late)
            add_purchaser(person_id, row, rows[name], rows)
        else:
            sent += bring_to_level(person_id, rows, now)
    _advance(CHUNKS("level"), page, PAYERS, rows)
    if CHUNKS("level") not in rows:
        settle_group(rows, now)
    return sent


def _page(
    name: Name[Chunk], tables: Iterable[Table[Any]], rows: Rows
) -> tuple[Table[Any], list[tuple[Name[Any], Any]]]:
    """The one of these tables that a cursor is in, and the next rows of it."""
    cursor = rows[name]
    table = next(each for each in tables if each.prefix() == cursor.step)
    return table, next_rows(rows, table, after=cursor.after, most=CHUNK_ROWS_MAX)


def _advance(
    name: Name[Chunk], page: Sequence[tuple[Name[Any], Any]], last: Table[Any], rows: Rows
) -> None:
    """Move a cursor beyond these rows, or to the last table, or delete it at the end."""
    cursor = rows[name]
    if len(page) == CHUNK_ROWS_MAX:
        rows[name] = replace(cursor, after=page[-1][0])
    elif cursor.step != last.prefix():
        rows[name] = Chunk(step=last.prefix())
    else:
        del rows[name]


# --- ninety days later ---------------------------------------------------------------------------


def begin_shrinking(row_name: Name[Due], rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete the rows of a group in chunks, once nothing of it is open any more."""
    if open_group(rows, now).is_settled or TERMS not in rows:
        rows[CHUNKS("shrink")] = Chunk()
    else:
        rows[row_name] = Due(now + ROWS_KEPT_LONGER)
    return ()


def shrink(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete the next rows; at last, all but the mark that the group is over."""
    tables: tuple[Table[Any], ...] = (
        ORDERS,
        PAYMENTS,
        PAYERS,
        MEMBERS,
        LISTED,
        REPORTS,
        DUE,
        CALLS,
    )
    if drop_some(rows, tables, most=CHUNK_ROWS_MAX):
        return ()
    # If the settled sums have not been sent yet, the terms send them.
    end_waiting(rows)
    drop(rows, CHUNKS("shrink"), SETTLED, TERMS)
    rows[GROUP] = Group(over=True)
    return ()
