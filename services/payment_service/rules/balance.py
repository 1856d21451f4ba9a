"""What a payer owes, what is done about it, and the difference: three pure steps in this order.

1. ``owed``: the sum that a payer owes now, from the terms, the group, the orders and the favor.
2. ``done``: what the payer's payments already moved or asked for.
3. ``difference``: the actions that are missing. ``book`` applies them to the rows.

The steps run after each change, so the order in which records and answers come does not matter.
Nothing is asked for in one direction while something is under way in the other. A failed payment
stands for its sum until people retry it, or until another sum is owed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.ids import MARK_MAX, order_mark
from schemas.parts import SUM_MAX, Method
from schemas.reasons import PaymentFailure
from services.payment_service.rows import (
    DISPUTE_LOST,
    ORGANIZER,
    Cause,
    Group,
    Kind,
    Move,
    Moves,
    Order,
    Payer,
    PaymentStatus,
    Terms,
    select,
    standing,
    total,
)

#: A hold on a card usually lasts 7 days; the group has to close a day earlier.
HOLD_LASTS = timedelta(days=6)


# --- 1. what is owed -----------------------------------------------------------------------------


class Account(NamedTuple):
    """All that a payer's debt depends on. ``mark`` says which orders the purchaser's row counts."""

    payer_id: str
    method: Method
    terms: Terms
    group: Group
    payer: Payer
    orders: Mapping[str, Order]
    mark: int


class Owed(NamedTuple):
    """What a payer owes now, in minor units.

    ``own``: in all, by card or invoice. ``shop``: in all, by instructions to the shop; below zero
    the shop refunds. ``is_final``: cards are captured for this sum, and no hold stays.
    """

    method: Method
    own: int
    shop: int
    is_final: bool
    cause: Cause


def owed(account: Account) -> Owed | None:
    """The sum that a payer owes; None while records are known to be on their way.

    It is the value of what counts; after the end less the favor, after a withdrawal 0. A group
    that pays as one owes nothing before its end. What the shop took without us is subtracted, and
    the excess over it is refunded through the shop.
    """
    group, payer = account.group, account.payer
    pays_as_one = account.terms.scope == "group"
    has_shop_all = account.method == "shop" and not pays_as_one
    at_shop = payer.value if has_shop_all else min(payer.value, payer.shop)
    in_all, cause = payer.value, Cause("order")
    if group.ended == "withdrawn":
        in_all, cause = 0, Cause("withdrawal")
    elif pays_as_one and not group.has_ended:
        in_all = at_shop
    elif payer.awaits or not _counts_what_is_paid(account):
        return None
    elif group.has_ended:
        in_all, cause = max(0, payer.value - payer.favor), _cause_at_end(payer)
    need = in_all - at_shop
    by_shop = need if account.method == "shop" else min(0, need)
    return Owed(account.method, need - by_shop, by_shop, group.has_ended, cause)


def _cause_at_end(payer: Payer) -> Cause:
    """The favor, unless goods came or went since the favor was last settled."""
    is_of_favor = payer.favor and payer.level_value in (None, payer.value)
    return Cause("favor", favor_version=payer.favor_version) if is_of_favor else Cause("order")


def _counts_what_is_paid(account: Account) -> bool:
    """Whether the purchaser's row counts the very orders whose money is there."""
    paid = sum(
        order_mark(*name.split("/")[1:])
        for name, order in account.orders.items()
        if order.state == "placed" and (order.by_shop or order.is_there)
    )
    is_marked = account.payer_id != ORGANIZER and account.method != "shop"
    return not is_marked or account.mark == paid % MARK_MAX


# --- 2. what is done -----------------------------------------------------------------------------


@dataclass(slots=True)
class Done:
    """What a payer's payments moved or asked for, in minor units; cancelled ones do not count.

    - ``shop``: charged by instructions to the shop, less refunds.
    - ``own``: came by card or invoice, or is being captured; less refunds.
    - ``claimed``: by invoices less credit notes; ``received``: for invoices, without refunds.
    - ``holds`` on cards can be captured; charges that were ``asked`` for are not paid yet.
    - ``refundable``: what is left of card payments. ``is_unsure``: one may have been done.
    """

    shop: int = 0
    own: int = 0
    claimed: int = 0
    received: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refundable: list[tuple[str, int]] = field(default_factory=list)
    is_capturing: bool = False
    is_refunding: bool = False
    is_unsure: bool = False


def done(moves: Moves) -> Done:
    """What a payer's payments amount to."""
    sums = Done()
    for payment_id, move in moves.items():
        amount = 0 if move.status == "cancelled" else move.amount
        match move.method, move.kind:
            case "shop", "charge":
                sums.shop += amount
            case "shop", "refund":
                sums.shop -= amount
            case "invoice", "invoice":
                # One that credit notes cover is cancelled, and stays claimed.
                sums.claimed += move.amount
                sums.received += move.received
                sums.own += move.received
            case "invoice", "credit":
                sums.claimed -= amount
            case "invoice", "refund":
                sums.own -= amount
            case "card", "authorisation":
                _add_hold(sums, payment_id, moves)
            case "card", "charge" if move.status == "succeeded":
                _add_money(sums, payment_id, amount, moves)
            case "card", "charge" if amount and move.cause.order_id is None:
                sums.asked.append(payment_id)
                sums.is_unsure |= move.is_unsure
    return sums


def _add_hold(sums: Done, payment_id: str, moves: Moves) -> None:
    """Count a hold, or what is captured of it."""
    captures = standing(select(moves, "card", "capture", parent=payment_id))
    for capture in captures.values():
        sums.is_capturing |= capture.status == "pending"
        sums.is_unsure |= capture.is_unsure
        if capture.status == "succeeded":
            _add_money(sums, payment_id, capture.amount, moves)
        else:
            sums.own += capture.amount
    hold = moves[payment_id]
    is_released = bool(standing(select(moves, "card", "release", parent=payment_id)))
    if hold.status == "authorised" and not captures and not is_released:
        sums.holds[payment_id] = hold.amount


def _add_money(sums: Done, payment_id: str, amount: int, moves: Moves) -> None:
    """Count money that came by card, less its refunds."""
    refunds = standing(select(moves, "card", "refund", parent=payment_id))
    left = amount - total(refunds)
    sums.own += left
    sums.is_refunding |= _has_open(refunds)
    sums.is_unsure |= any(move.is_unsure for move in refunds.values())
    if left > 0:
        sums.refundable.append((payment_id, left))


def _has_open(moves: Moves) -> bool:
    return any(move.is_open for move in moves.values())


def is_level(sums: Owed, moves: Moves) -> bool:
    """Whether what is done is what is owed, and every payment is through or called off."""
    has = done(moves)
    return (has.shop, has.own) == (sums.shop, sums.own) and all(map(_is_at_rest, moves.values()))


def _is_at_rest(move: Move) -> bool:
    """An order that was never paid by card does not count, so it does not delay the end."""
    is_unpaid_order = move.kind in ("authorisation", "charge") and move.cause.order_id is not None
    is_never_paid = move.status == "failed" and not move.was_there and is_unpaid_order
    return move.status in ("succeeded", "cancelled") or is_never_paid


# --- 3. the difference ---------------------------------------------------------------------------


class Begin(NamedTuple):
    """Begin a payment; ``order`` is the name of its order's row, if it is for one.

    An invoice bills the order's ``quantity``, or else the payer's sums. A payment that is not
    ``pending`` is only booked.
    """

    kind: Kind
    method: Method
    amount: int
    cause: Cause
    parent: str = ""
    order: str = ""
    quantity: int | None = None
    status: PaymentStatus = "pending"
    problem: str | None = None
    reference: str | None = None


class CallOff(NamedTuple):
    """Call off a payment, if it is neither done nor called off."""

    payment_id: str


class Become(NamedTuple):
    """Give a payment another status."""

    payment_id: str
    status: PaymentStatus


class Arrived(NamedTuple):
    """The money of an order is there."""

    order: str


Action = Begin | CallOff | Become | Arrived


def difference_of_orders(account: Account, moves: Moves, now: datetime) -> list[Action]:
    """Charge each new order by itself, and lift the holds of void ones.

    Money that came, and invoices, belong to the payer's sum: any of them may pay for a return.
    """
    actions: list[Action] = []
    claimed, is_withdrawn = done(moves).claimed, account.group.ended == "withdrawn"
    for name, order in account.orders.items():
        is_wanted = order.state == "placed" and not order.by_shop and not is_withdrawn
        move = moves.get(order.payment_id)
        if move is None and is_wanted:
            begin = _order_payment(name, order, account, claimed, now)
            claimed += begin.amount if begin.kind == "invoice" else 0
            actions.append(begin)
        if move is not None and move.was_there and not order.is_there:
            actions.append(Arrived(name))
        if move is not None and not is_wanted and account.method == "card":
            actions += _let_go(order.payment_id, moves)
    return actions


def _order_payment(name: str, order: Order, account: Account, claimed: int, now: datetime) -> Begin:
    """The payment of an order: a hold if it outlasts the group, a charge, or an invoice."""
    _, source, order_id = name.split("/")
    value, cause = order.value or 0, Cause("order", source, order_id)
    lasts = account.terms.deadline - now < HOLD_LASTS
    if account.method == "card":
        kind: Kind = "authorisation" if value and lasts else "charge"
        return Begin(kind, "card", value, cause, order=name)
    if claimed + value > SUM_MAX:
        # A cancelled charge has order_service refuse the order.
        refused = Begin("charge", account.method, value, cause, order=name)
        return refused._replace(status="cancelled", problem=PaymentFailure.BEYOND_LIMITS)
    return Begin("invoice", account.method, value, cause, order=name, quantity=order.quantity)


def _let_go(payment_id: str, moves: Moves) -> Iterator[Action]:
    move = moves[payment_id]
    if move.status != "authorised":
        yield CallOff(payment_id)
    elif not select(moves, "card", "capture", "release", parent=payment_id):
        yield Begin("release", "card", move.amount, move.cause, payment_id)


def difference(sums: Owed, moves: Moves) -> list[Action]:
    """The missing actions; a failed payment is called off if another sum is needed."""
    has = done(moves)
    own_differs, shop_differs = has.own != sums.own, has.shop != sums.shop
    failed = [
        payment_id
        for payment_id, move in moves.items()
        if move.has_failed
        and (move.method == "shop" or move.kind in ("capture", "refund"))
        and (shop_differs if move.method == "shop" else own_differs and not has.is_unsure)
    ]
    if failed:
        moves = {each: move for each, move in moves.items() if each not in failed}
        has = done(moves)
    own = _by_card if sums.method == "card" else _by_invoice
    return [*map(CallOff, failed), *own(sums, has, moves), *_by_shop(sums, has, moves)]


def _by_shop(sums: Owed, has: Done, moves: Moves) -> Iterator[Action]:
    """Have the shop charge or refund, by instructions."""
    need = sums.shop - has.shop
    if need and not _has_open(select(moves, "shop", "charge", "refund")):
        # What is too much for one payment follows after this one.
        kind: Kind = "charge" if need > 0 else "refund"
        yield Begin(kind, "shop", min(abs(need), SUM_MAX), sums.cause)


def _by_invoice(sums: Owed, has: Done, moves: Moves) -> Iterator[Action]:
    """Claim the sum by an invoice or a credit note, and pay back what came beyond it."""
    if sums.own > has.claimed:
        yield Begin("invoice", "invoice", sums.own - has.claimed, sums.cause)
    elif sums.own < has.claimed:
        yield Begin("credit", "invoice", has.claimed - sums.own, sums.cause)
    if has.own > sums.own and not _has_open(select(moves, "invoice", "refund")):
        yield Begin("refund", "invoice", has.own - sums.own, sums.cause)


def _by_card(sums: Owed, has: Done, moves: Moves) -> Iterator[Action]:
    """Capture, charge or refund; holds stand for their whole amounts until the sum is final."""
    need = sums.own - has.own
    if need and (has.is_unsure or (need > 0 and sums.is_final and has.is_refunding)):
        return
    if need < 0:
        yield from _refund(-need, has, sums.cause, moves)
    if sums.is_final:
        yield from _capture(max(0, need), has, sums.cause)
    if need >= 0:
        yield from _charge(max(0, need - sum(has.holds.values())), has, sums.cause, moves)


def _refund(need: int, has: Done, cause: Cause, moves: Moves) -> Iterator[Action]:
    """Refund the excess, from the latest payment first; disputed ones are last."""
    yield from map(CallOff, has.asked)
    if has.is_capturing:  # a capture that is under way may fail
        return
    latest_first = reversed(has.refundable)
    parts = sorted(latest_first, key=lambda part: moves[part[0]].is_disputed)
    for payment_id, _, share in _shares(parts, need):
        if share:
            yield Begin("refund", "card", share, cause, payment_id)


def _capture(need: int, has: Done, cause: Cause) -> Iterator[Action]:
    """Capture the sum from holds, the oldest first, and release the other holds."""
    for payment_id, held, share in _shares(has.holds.items(), need):
        kind: Kind = "capture" if share else "release"
        yield Begin(kind, "card", share or held, cause, payment_id)


def _charge(need: int, has: Done, cause: Cause, moves: Moves) -> Iterator[Action]:
    """Charge what no hold covers; a request for another sum is called off first."""
    valid = [moves[each].amount for each in has.asked if not moves[each].is_void]
    if valid and need == sum(valid):
        return
    yield from map(CallOff, has.asked)
    # A failed charge is called off at once, the others when Stripe or the payer has answered.
    if need and all(moves[each].has_failed for each in has.asked):
        charge = Begin("charge", "card", need, cause)
        if any(move.is_lost for move in moves.values()):
            # People decide whether a payer who got money back by a dispute is charged again.
            charge = charge._replace(status="failed", problem=DISPUTE_LOST)
        yield charge


def papers_covered(moves: Moves) -> Iterator[Action]:
    """End the invoices, the oldest first, that money and credit notes cover by now."""
    has = done(moves)
    covered = has.own + total(select(moves, "invoice", "credit"))
    for payment_id, move in select(moves, "invoice", "invoice").items():
        if move.status == "pending" and covered >= move.amount:
            yield Become(payment_id, "succeeded" if has.received else "cancelled")
        covered -= move.amount


def _shares(parts: Iterable[tuple[str, int]], need: int) -> Iterator[tuple[str, int, int]]:
    """Each payment, its amount, and the share of the sum that is taken from it, in this order."""
    for payment_id, amount in parts:
        share = min(amount, need)
        need -= share
        yield payment_id, amount, share
