"""From what is owed to payments: the difference to what was asked for already, and nothing else.

A payer is brought to level when all that bears on it is known; after each change that is looked at
anew, so that it does not matter in which order facts and answers come. Nothing is asked for in one
direction while something is under way in the other; what failed stands for what it asked for until
it is tried again, or until another sum is needed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runtime.rows import Rows
from schemas.ids import MARK_MAX, order_mark
from schemas.parts import SUM_MAX, Method
from schemas.reasons import BEYOND_LIMITS
from services.payment_service.book import Book
from services.payment_service.purses import (
    claimed_by_invoice,
    level_card,
    level_invoice,
    level_shop,
    mark_paid,
)
from services.payment_service.rows import (
    ORGANIZER,
    Cause,
    Group,
    Kind,
    Order,
    Payer,
    Purchaser,
    Terms,
    member_name,
    method_of,
    payer_name,
)

#: How long a hold on a card usually lasts, and how much earlier the group has to close.
AUTHORISATION_LASTS = timedelta(days=7)
AUTHORISATION_MARGIN = timedelta(days=1)


@dataclass(slots=True)
class Owing:
    """What a payer owes by all that is known, and what of it the shop has taken by itself."""

    owed: int
    at_shop: int
    is_final: bool
    cause: Cause


def level(book: Book) -> bool:
    """Bring a payer's payments to level; whether all is at rest."""
    rows = book.rows
    method = method_of(book.payer_id, rows)
    ask_for_orders(book, method)
    owing = what_is_owed(book.payer_id, rows)
    if owing is None:
        mark_paid(book)
        return False
    payer = book.payer
    if owing.is_final and payer.level_value != payer.value:
        rows[payer_name(book.payer_id)] = replace(payer, level_value=payer.value)
    need = owing.owed - owing.at_shop
    if method == "shop":
        return level_shop(book, need, owing.cause)
    # What is to go back beyond what came by the own method goes back where the shop took it.
    from_shop = min(0, need)
    own = need - from_shop
    if method == "card":
        rests = level_card(book, own, owing.cause, is_final=owing.is_final)
    else:
        rests = level_invoice(book, own, owing.cause)
    return level_shop(book, from_shop, owing.cause) and rests


# --- what is owed --------------------------------------------------------------------------------


def what_is_owed(payer_id: str, rows: Rows) -> Owing | None:
    """What a payer owes by now; None while facts are known to be on their way."""
    terms: Terms = rows["terms"]
    group: Group = rows["group"]
    payer: Payer = rows[payer_name(payer_id)]
    if terms.scope == "member" and method_of(payer_id, rows) == "shop":
        at_shop = payer.value
    else:
        at_shop = min(payer.value, payer.shop)
    if group.ended == "withdrawn":
        return Owing(0, at_shop, True, Cause("withdrawal"))
    if not (group.ended and group.decided) and terms.scope == "group":
        return Owing(at_shop, at_shop, False, Cause("order"))
    if payer.awaits or not _all_counted(payer_id, payer, rows):
        return None
    if not (group.ended and group.decided):
        return Owing(payer.value, at_shop, False, Cause("order"))
    return Owing(max(0, payer.value - payer.favor), at_shop, True, _cause(payer))


def _cause(payer: Payer) -> Cause:
    """The favor, unless goods came or went since the favor was last settled."""
    if payer.favor and payer.level_value in (None, payer.value):
        return Cause("favor", favor_version=payer.favor_version)
    return Cause("order")


def _all_counted(payer_id: str, payer: Payer, rows: Rows) -> bool:
    """Whether the purchaser's row is about the very orders whose money is there."""
    if payer_id == ORGANIZER or method_of(payer_id, rows) == "shop":
        return True
    there = 0
    for name in payer.orders:
        order: Order = rows[name]
        if order.state == "placed" and (order.by_shop or order.is_there):
            _, source, order_id = name.split("/")
            there += order_mark(source, order_id)
    row: Purchaser = rows.get(member_name(payer_id)) or Purchaser()
    return row.mark == there % MARK_MAX


# --- orders that are paid one by one -------------------------------------------------------------


def ask_for_orders(book: Book, method: Method) -> None:
    """Ask for the money of orders that came, and let go of what is held for void ones.

    Money that came, and invoices, are for the level of the payer: goods that came back may have
    been refunded from any of them.
    """
    rows = book.rows
    group: Group = rows["group"]
    for name in book.payer.orders:
        order: Order = rows[name]
        is_wanted = order.state == "placed" and not order.by_shop and group.ended != "withdrawn"
        if not order.payment_id:
            if is_wanted:
                _ask(book, name, order, method)
            continue
        if book[order.payment_id].was_there and not order.is_there:
            rows[name] = replace(order, is_there=True)
        if not is_wanted and method == "card":
            _let_go(book, order.payment_id)


def _ask(book: Book, name: str, order: Order, method: Method) -> None:
    _, source, order_id = name.split("/")
    value = order.value or 0
    kind: Kind = "invoice"
    if method == "card":
        kind = "authorisation" if value and can_hold(book.rows, book.now) else "charge"
    cause = Cause("order", source, order_id)
    if method == "invoice" and claimed_by_invoice(book) + value > SUM_MAX:
        # Sent as a cancelled charge, so that order_service refuses the order.
        payment_id = book.decline("charge", method, value, cause, BEYOND_LIMITS)
        book.rows[name] = replace(order, state="dead", payment_id=payment_id)
        return
    payment_id = book.begin(kind, method, value, cause, quantity=order.quantity)
    # An invoice is there once it is written.
    is_there = method == "invoice" or not value
    book.rows[name] = replace(order, payment_id=payment_id, is_there=is_there)


def can_hold(rows: Rows, now: datetime) -> bool:
    """Whether a hold on a card outlasts the group."""
    terms: Terms = rows["terms"]
    return terms.deadline - now < AUTHORISATION_LASTS - AUTHORISATION_MARGIN


def _let_go(book: Book, payment_id: str) -> None:
    move = book[payment_id]
    if move.status != "authorised":
        book.call_off(payment_id)
    elif not any(book.each("card", "capture", "release", parent=payment_id)):
        book.begin("release", "card", move.amount, move.cause, parent=payment_id)
