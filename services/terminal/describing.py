"""Messages in words, one line each."""

from functools import singledispatch

from schemas.messages import (
    Favor,
    FavorDecision,
    FavorTerms,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdGranted,
    IdIssued,
    KeyParked,
    MembersAdmitted,
    MembersListed,
    Message,
    Order,
    OrderCancelled,
    OrderRefused,
    OrderReturned,
    Payment,
    PaymentTerms,
    Product,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
    RequestRefused,
    Terms,
    Tier,
)
from services.terminal.console import count, money, when


def of_tier(tier: Tier, currency: str | None) -> str:
    """``from 10: 5 % off``."""
    start = money(tier.from_value, currency) if tier.from_value is not None else tier.from_quantity
    if tier.percent_off is not None:
        favor = f"{tier.percent_off:g} % off"
    elif tier.amount_off is not None:
        favor = f"{money(tier.amount_off, currency)} off each"
    elif tier.unit_price is not None:
        favor = f"{money(tier.unit_price, currency)} each"
    else:
        favor = tier.gift or "nothing"
    return f"from {start}: {favor}"


def of_ladder(favor: FavorTerms, currency: str | None) -> str:
    """All tiers, and whose value they reduce."""
    if not favor.tiers:
        return "none"
    whose = "each on their own value" if favor.scope == "member" else "one sum for the group"
    return "; ".join(of_tier(tier, currency) for tier in favor.tiers) + f" ({whose})"


def of_payment(payment: PaymentTerms) -> str:
    """Who pays, and how."""
    who = "each member" if payment.scope == "member" else "the organizer for all"
    return f"{who}, by {payment.method}"


def of_product(product: Product) -> str:
    """The name, and the id if it has one."""
    return f"{product.name} ({product.id})" if product.id else product.name


@singledispatch
def describe(message: Message) -> str:
    """What a message says, in one line."""
    return type(message).__name__


@describe.register
def _(message: GroupPurchaseRequested) -> str:
    what = message.definition_id or "no product"
    if message.product:
        what = of_product(message.product)
    who = f" by {message.organizer.id}" if message.organizer else ""
    return f"requested{who}: {message.number_of_products} x {what}"


@describe.register
def _(message: MembersListed) -> str:
    return f"members listed, part {message.part} of {message.parts}: {len(message.members)}"


@describe.register
def _(message: GroupPurchaseWithdrawn) -> str:
    return f"taken back at {when(message.at)}{f': {message.reason}' if message.reason else ''}"


@describe.register
def _(message: IdGranted) -> str:
    return f"id {message.group_id} granted to {message.request_id}"


@describe.register
def _(message: IdIssued) -> str:
    return f"id {message.group_id} issued"


@describe.register
def _(message: RequestRefused) -> str:
    return "refused: " + "; ".join(f"{each.field}: {each.problem}" for each in message.problems)


@describe.register
def _(message: GroupPurchase) -> str:
    if message.withdrawn_at is not None:
        return f"withdrawn at {when(message.withdrawn_at)}"
    return f"terms: {_terms(message)}"


@describe.register
def _(message: PurchaseOpened) -> str:
    return f"opened: {_terms(message)}"


def _terms(terms: Terms) -> str:
    return (
        f"{terms.number_of_products} x {of_product(terms.product)},"
        f" {when(terms.opens_at)} to {when(terms.closes_at)}"
    )


@describe.register
def _(message: MembersAdmitted) -> str:
    return f"members admitted, part {message.part} of {message.parts}: {len(message.members)}"


@describe.register
def _(message: PurchaseState) -> str:
    value = money(message.value, message.currency)
    return f"{message.status}: {message.quantity} by {count(message.members, 'member')}, {value}"


@describe.register
def _(message: PurchaseRow) -> str:
    value = money(message.value, message.currency)
    return (
        f"{message.member_id} has {message.quantity} in {count(message.orders, 'order')}, {value}"
    )


@describe.register
def _(message: OrderRefused) -> str:
    who = f" by {message.member_id}" if message.member_id else ""
    order = f"{message.order_id} ({message.source}) of {message.quantity}{who}"
    return f"refused {order}: {message.reason}"


@describe.register
def _(message: Order) -> str:
    order = f"{message.order_id} ({message.source}) of {message.quantity} by {message.member_id}"
    return f"{type(message).__name__} {order}, ordered at {when(message.ordered_at)}"


@describe.register
def _(message: OrderCancelled) -> str:
    at = when(message.cancelled_at)
    return f"OrderCancelled {message.order_id} ({message.source}) at {at}"


@describe.register
def _(message: OrderReturned) -> str:
    of = f" of order {message.order_id}" if message.order_id else ""
    returned = f"{message.return_id} ({message.source}): {message.quantity}{of}"
    return f"OrderReturned {returned} by {message.member_id} at {when(message.returned_at)}"


@describe.register
def _(message: FavorDecision) -> str:
    if message.cancel_all:
        given = "all is cancelled, the whole value goes back"
    elif message.tier is None:
        return "decided: no favor"
    else:
        given = of_tier(message.tier, message.currency)
    total = money(message.total, message.currency)
    return f"decided: {given}; {total} to {count(message.members, 'member')}"


@describe.register
def _(message: Favor) -> str:
    gift = f" and {message.gift}" if message.gift else ""
    amount = money(message.amount, message.currency)
    return f"{message.member_id} gets {amount}{gift} ({message.basis})"


@describe.register
def _(message: Payment) -> str:
    amount = money(message.amount, message.currency)
    who = f" of {message.member_id}" if message.member_id else ""
    return f"{message.kind}{who} of {amount} by {message.method}: {message.status}"


@describe.register
def _(message: KeyParked) -> str:
    reason = f": {message.reason}" if message.reason else ""
    return f"parked for {message.service}{reason}"
