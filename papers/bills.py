"""The bill on an invoice or a credit note, from facts. Pure; money in minor units.

What a paper bills stands in its own fact and never changes; how it stands (received, open) is as of
some time, from all of the payer's payments.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.parts import Product
from schemas.payments import Payment

What = Literal["product", "favor", "withdrawn", "before", "sum"]
Standing = Literal["open", "paid", "offset", "credited"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill; what lines come to is its total, of a credit note below zero."""

    what: What
    amount: int
    quantity: int | None = None
    unit_price: int | None = None


@dataclass(frozen=True, slots=True)
class Payer:
    """The payer as a paper shows them; name and address only where they are known."""

    id: str
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice or credit note; ``reason`` is why a credit note is given.

    ``credited`` is how much of an invoice credit notes cover. ``begun_at`` is None of facts of a
    time when it was not said.
    """

    is_credit: bool
    number: str
    begun_at: datetime | None
    currency: str
    group_id: str
    order_id: str | None
    product: str
    product_id: str | None
    payer: Payer
    reason: Literal["order", "favor", "withdrawal"]
    lines: tuple[Line, ...]
    amount: int
    standing: Standing
    received: int
    credited: int
    open: int
    receipts: tuple[tuple[datetime, int], ...]
    #: Whether it bills an order at its full price, and nothing was credited yet.
    may_get_discount: bool = False


def has_paper(payment: Payment) -> bool:
    """Whether there is a document of a payment: of invoices and credit notes."""
    return payment.number is not None


def bill_of(payment: Payment, product: Product, payer: Payer, still_open: int) -> Bill:
    """The bill of an invoice or credit note in a group that buys the product.

    ``still_open`` is what is to be paid of it, see ``domain.invoices.open_of``.
    """
    assert payment.number is not None
    is_credit = payment.kind == "credit"
    received = payment.received or 0
    credited = 0 if is_credit else max(0, payment.amount - received - still_open)
    is_of_order = not is_credit and payment.member_id is not None and payment.cause.kind == "order"
    return Bill(
        is_credit=is_credit,
        number=payment.number,
        begun_at=payment.begun_at,
        currency=payment.currency,
        group_id=payment.group_id,
        order_id=payment.cause.order_id,
        product=product.name,
        product_id=product.id,
        payer=payer,
        reason=payment.cause.kind,
        lines=tuple(_lines(payment)),
        amount=payment.amount,
        standing=_standing(payment, still_open),
        received=received,
        credited=credited,
        open=still_open,
        receipts=tuple((each.at, each.amount) for each in payment.receipts or ()),
        may_get_discount=is_of_order and not payment.favor and not credited,
    )


def _standing(payment: Payment, still_open: int) -> Standing:
    if payment.kind == "credit":
        return "credited"
    if still_open:
        return "open"
    return "paid" if payment.received else "offset"


def _lines(payment: Payment) -> Iterator[Line]:
    signed = -payment.amount if payment.kind == "credit" else payment.amount
    if payment.quantity is None or payment.value is None:
        yield Line("sum", signed)
        return
    quantity, value = payment.quantity, payment.value
    is_even = quantity > 0 and value % quantity == 0
    yield Line("product", value, quantity, value // quantity if is_even else None)
    so_far = value
    if payment.cause.kind == "withdrawal":
        yield Line("withdrawn", -value)
        so_far = 0
    elif payment.favor:
        yield Line("favor", -payment.favor)
        so_far -= payment.favor
    if so_far != signed:
        yield Line("before", signed - so_far)
