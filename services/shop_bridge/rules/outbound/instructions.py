"""What shops are told to pay, by payments; and the orders at which it can be done.

A payment names its payer, not an order. So the orders of the group are kept here as the topic
``orders`` has them, and an instruction is carried out at the payer's, one part after the other.
``steps`` decides what is done next, ``answers`` reads the shop's answer.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from domain.ids import is_group_id
from domain.money import worth
from runtime.rows import CALLS, DUE, Due, Name, Rows, Table, drop, drop_some
from schemas.groups import GroupPurchase
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import SUM_MAX, Message
from schemas.payments import Payment
from schemas.shop_orders import ProductAsked, ProductTold
from services.shop_bridge.rules.outbound.rows import (
    CHUNKS,
    INSTRUCTIONS,
    ORDERS,
    PAYERS,
    RETURNS,
    TERMS,
    Chunk,
    Instruction,
    Order,
    Payer,
    Returned,
    Terms,
    call_name,
    instruction_name,
    order_name,
    payer_name,
)
from services.shop_bridge.rules.outbound.steps import go_on

KEPT = timedelta(days=180)
#: The date of forgetting is moved on at most this often.
KEPT_STEP = timedelta(days=7)
CHUNK_ROWS_MAX = 200


# --- the group -----------------------------------------------------------------------------------


def take_terms(message: GroupPurchase, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the group's sources, as only those pay back, and its product's id."""
    if TERMS not in rows:
        _keep(rows, now)
        rows[TERMS] = Terms(sources=message.sources, product_id=message.product.id)
    return ()


def tell_product(message: ProductAsked, rows: Rows, now: datetime) -> Sequence[Message]:
    """Answer with the id of the group's product; without one if no known terms name it."""
    terms = rows.get(TERMS) or Terms()
    return [
        ProductTold(
            shop_order=message.shop_order, group_id=message.group_id, product_id=terms.product_id
        )
    ]


# --- orders --------------------------------------------------------------------------------------


def take_order(message: OrderPlaced | OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep an order as it first came, unless it is beyond the limits, as it counts nowhere then.

    An unconfirmed order is not a shop's order.
    """
    if _is_mistyped(rows) or (isinstance(message, OrderPlaced) and message.unconfirmed):
        return ()
    _keep(rows, now)
    name = order_name(message.source, message.order_id)
    known = rows.get(name)
    if known is not None and known.member_id:
        return ()
    value = worth(message.quantity, message.unit_price, message.value)
    rows[name] = Order(
        member_id=message.member_id,
        quantity=message.quantity,
        value=value if value is None or value <= SUM_MAX else 0,
        currency=message.currency,
        ordered_at=message.ordered_at,
        void=known is not None and known.void,
    )
    payer = rows.get(payer_name(message.member_id)) or Payer()
    rows[payer_name(message.member_id)] = replace(payer, orders=(*payer.orders, name))
    return ()


def cancel_order(message: OrderCancelled, rows: Rows, now: datetime) -> Sequence[Message]:
    """The order is void, maybe before it comes: its money is the shop's to give back."""
    if _is_mistyped(rows):
        return ()
    _keep(rows, now)
    name = order_name(message.source, message.order_id)
    rows[name] = replace(rows.get(name) or Order(), void=True)
    return ()


def return_order(message: OrderReturned, rows: Rows, now: datetime) -> Sequence[Message]:
    """Units came back, and with them their share of what can be refunded.

    One without its order's id is for the shop to know.
    """
    if _is_mistyped(rows):
        return ()
    _keep(rows, now)
    name = order_name(message.source, message.order_id or "")
    order = rows.get(name)
    seen = RETURNS(message.source, message.return_id)
    if order is not None and seen not in rows:
        rows[seen] = Returned()
        rows[name] = replace(order, returned=order.returned + message.quantity)
    return ()


# --- payments ------------------------------------------------------------------------------------


def take_payment(message: Payment, rows: Rows, now: datetime) -> Sequence[Message]:
    """Begin what a shop is to pay, or to pay after all; end what nobody wants any more."""
    if message.method != "shop" or message.kind not in ("refund", "charge"):
        return ()
    _keep(rows, now)
    name = instruction_name(message.payment_id)
    known = rows.get(name)
    if known is not None and message.version <= known.version:
        return ()
    if message.status != "pending":
        if known is not None:
            _end(message, known, rows)
        return ()
    if known is None:
        rows[name] = _begun(message, rows, now)
    else:
        rows[name] = replace(
            known,
            version=message.version,
            is_over=False,
            limits={},
            elsewhere=(),
            problems=(),
            attempts=0,
            first_tried_at=None,
            rested=False,
        )
    return go_on(message.payment_id, rows, now)


def _begun(message: Payment, rows: Rows, now: datetime) -> Instruction:
    payer_id = message.member_id or ""
    payer = rows.get(payer_name(payer_id)) or Payer()
    kind: Literal["refund", "charge"] = "refund" if message.kind == "refund" else "charge"
    ahead = min(payer.ahead, message.amount) if kind == "refund" else 0
    if ahead:
        rows[payer_name(payer_id)] = replace(payer, ahead=payer.ahead - ahead)
    return Instruction(
        version=message.version,
        payer=payer_id,
        kind=kind,
        cause=message.cause.kind,
        amount=message.amount,
        currency=message.currency,
        since=now,
        done=ahead,
    )


def _end(message: Payment, known: Instruction, rows: Rows) -> None:
    """Nothing more is wanted; what went out for what is called off counts for the next payment."""
    over = replace(known, version=message.version, is_over=True)
    if message.status == "cancelled" and known.done:
        payer = rows.get(payer_name(known.payer)) or Payer()
        rows[payer_name(known.payer)] = replace(payer, ahead=payer.ahead + known.done)
        over = replace(over, done=0)
    rows[instruction_name(message.payment_id)] = over
    call = rows.get(call_name(message.payment_id))
    if call is not None and not call.owner:
        del rows[call_name(message.payment_id)]


# --- half a year later ---------------------------------------------------------------------------


def begin_forgetting(row_name: Name[Due], rows: Rows, now: datetime) -> Sequence[Message]:
    """A group of which nothing was heard for long is forgotten, unless a shop is still asked."""
    if next(iter(rows.scan(CALLS)), None) is not None:
        rows[row_name] = Due(now + KEPT_STEP)
    else:
        rows[CHUNKS("forget")] = Chunk()
    return ()


def forget(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete the next rows, until none is left."""
    tables: tuple[Table[Any], ...] = (ORDERS, RETURNS, PAYERS, INSTRUCTIONS)
    if not drop_some(rows, tables, most=CHUNK_ROWS_MAX):
        drop(rows, CHUNKS("forget"), TERMS)
    return ()


def _is_mistyped(rows: Rows) -> bool:
    """Whether no group can have this id: order_service refuses orders with it."""
    return TERMS not in rows and not is_group_id(rows.key)


def _keep(rows: Rows, now: datetime) -> None:
    due = rows.get(DUE("forget"))
    if due is None or due.at < now + KEPT - KEPT_STEP:
        rows[DUE("forget")] = Due(now + KEPT)
