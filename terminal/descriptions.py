"""Messages in words, one line each."""

from collections.abc import Iterable, Sequence
from functools import singledispatch

from schemas.auctions import (
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    CounterOffered,
    Offer,
    OfferJudged,
    RightIntercepted,
    Seller,
    SellerAct,
    SellerRegistered,
    ShownOffer,
)
from schemas.favors import Favor, FavorDecision
from schemas.groups import (
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdGranted,
    IdIssued,
    MembersAdmitted,
    MembersListed,
    RequestRefused,
    Terms,
)
from schemas.ops import KeyParked
from schemas.orders import (
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import FavorTerms, Message, PaymentTerms, Problem, Product, Tier
from schemas.payments import Payment
from terminal.console import count, money, when
from texts.facts import APPLICATIONS, OFFERS
from texts.reasons import ORDERS_AND_RETURNS
from texts.reasons import reason as reason_text


def of_tier(tier: Tier, currency: str | None) -> str:
    """``from 10: 5 % off``."""
    start = money(tier.from_value, currency) if tier.from_value is not None else tier.from_quantity
    if tier.percent_off is not None:
        given = f"{tier.percent_off:g} % off"
    elif tier.amount_off is not None:
        given = f"{money(tier.amount_off, currency)} off each"
    elif tier.unit_price is not None:
        given = f"{money(tier.unit_price, currency)} each"
    else:
        given = tier.gift or "nothing"
    return f"from {start}: {given}"


def of_ladder(favor: FavorTerms, currency: str | None) -> str:
    """All tiers, and their scope."""
    if not favor.tiers:
        return "none"
    whose = "each on their own value" if favor.scope == "member" else "one sum for the group"
    return "; ".join(of_tier(tier, currency) for tier in favor.tiers) + f" ({whose})"


def of_payment(payment: PaymentTerms) -> str:
    """The payer and the method."""
    who = "each member" if payment.scope == "member" else "the organizer for all"
    return f"{who}, by {payment.method}"


def of_sources(sources: Sequence[str]) -> str:
    """The sources whose orders count: ``leaf, storefront, admin``."""
    return ", ".join(sources) or "any shop"


def of_product(product: Product) -> str:
    """The name, and the id if it has one."""
    return f"{product.name} ({product.id})" if product.id else product.name


def of_condition(unit_price: int, minimum: int, currency: str | None) -> str:
    """``850.00 EUR each from 8``."""
    return f"{money(unit_price, currency)} each from {minimum:,}"


def of_shown(shown: ShownOffer, currency: str | None) -> str:
    """The condition on a page, and its seller."""
    condition = of_condition(shown.unit_price, shown.minimum_reservations, currency)
    return f"{condition}, offered by {shown.seller_id} ({shown.offer_id})"


def of_count(reservations: int, minimum: int, applicants: int) -> str:
    """``9 reserved (minimum 8) by 4 applicants``: a count may exceed its minimum."""
    by = count(applicants, "applicant")
    return f"{reservations:,} reserved (minimum {minimum:,}) by {by}"


def of_verdict(judged: OfferJudged) -> str:
    """A verdict and its reason, in words."""
    return verdict_in_words(judged.verdict, judged.reason, judged.problems)


def verdict_in_words(verdict: str, reason: str, problems: Iterable[Problem] = ()) -> str:
    """A verdict with every problem, or its reason."""
    named = "; ".join(f"{each.field}: {each.problem}" for each in problems)
    return f"{verdict}: {named or reason_text(OFFERS, reason)}"


@singledispatch
def describe(message: Message) -> str:
    """A message in one line."""
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
    return f"withdrawn at {when(message.at)}{f': {message.reason}' if message.reason else ''}"


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
        f" {when(terms.opens_at)} to {when(terms.closes_at)},"
        f" orders from {of_sources(terms.sources)}"
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
    return f"refused {order}: {_why(message.reason)}"


def _why(reason: str) -> str:
    """A reason's code, with its meaning if that is known."""
    means = reason_text(ORDERS_AND_RETURNS, reason)
    return reason if means == reason else f"{reason} ({means})"


@describe.register
def _(message: Order) -> str:
    order = f"{message.order_id} ({message.source}) of {message.quantity} by {message.member_id}"
    waits = ", unconfirmed" if isinstance(message, OrderPlaced) and message.unconfirmed else ""
    return f"{type(message).__name__} {order}, ordered at {when(message.ordered_at)}{waits}"


@describe.register
def _(message: OrderConfirmed) -> str:
    return f"OrderConfirmed {message.order_id} ({message.source}) at {when(message.at)}"


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
        return "decided: no discount"
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


# --- counter auctions, without applicants' names and addresses ----------------------------------


@describe.register
def _(message: SellerRegistered) -> str:
    return f"{message.seller_id} registers as {message.name} at {when(message.registered_at)}"


@describe.register
def _(message: SellerAct) -> str:
    done = type(message).__name__.removeprefix("Seller").lower()
    reason = f": {message.reason}" if message.reason else ""
    return f"{message.seller_id} {done} at {when(message.at)}{reason}"


@describe.register
def _(message: Seller) -> str:
    since = when(message.standings[-1].since)
    return f"{message.seller_id} ({message.name}): {message.standing} since {since}"


@describe.register
def _(message: AuctionOpened) -> str:
    return f"opening {_offer(message)}, closes at {when(message.closes_at)}"


@describe.register
def _(message: CounterOffered) -> str:
    return f"counter-{_offer(message)}"


def _offer(message: Offer) -> str:
    condition = of_condition(message.unit_price, message.minimum_reservations, message.currency)
    return (
        f"offer {message.offer_id} by {message.seller_id}: {of_product(message.product)} at"
        f" {condition}, made at {when(message.offered_at)}"
    )


@describe.register
def _(message: AuctionWithdrawn) -> str:
    return f"{message.seller_id} asks to withdraw the auction at {when(message.at)}"


@describe.register
def _(message: Applied) -> str:
    who = f"{message.applicant.id} for {message.quantity}"
    return f"application {message.application_id} by {who} at {when(message.applied_at)}"


@describe.register
def _(message: ApplicationConfirmed) -> str:
    return f"application {message.application_id} confirmed at {when(message.at)}"


@describe.register
def _(message: ApplicationWithdrawn) -> str:
    return f"application {message.application_id} withdrawn at {when(message.at)}"


@describe.register
def _(message: Auction) -> str:
    shown = message.shown
    so_far = of_count(message.reservations, shown.minimum_reservations, message.applicants)
    invited = ", sellers invited" if message.invited_at else ""
    return f"{message.status}: {so_far} at {money(shown.unit_price, message.currency)}{invited}"


@describe.register
def _(message: OfferJudged) -> str:
    return f"offer {message.offer_id} by {message.seller_id} {of_verdict(message)}"


@describe.register
def _(message: ConditionReplaced) -> str:
    before = of_shown(message.before, message.currency)
    return f"replaced: {of_shown(message.shown, message.currency)}; before it {before}"


@describe.register
def _(message: RightIntercepted) -> str:
    condition = of_condition(message.unit_price, message.minimum_reservations, message.currency)
    return f"{message.seller_id}'s right to {message.offer_id} intercepted by {condition}"


@describe.register
def _(message: ApplicationRefused) -> str:
    who = f" by {message.applicant_id}" if message.applicant_id else ""
    most = "" if message.quantity_max is None else f", {message.quantity_max:,} at most"
    why = reason_text(APPLICATIONS, message.reason)
    return f"application {message.application_id}{who} refused: {why}{most}"


@describe.register(ContractConcluded)
@describe.register(ContractFailed)
def _(message: ContractConcluded | ContractFailed) -> str:
    ended = "concluded" if isinstance(message, ContractConcluded) else "failed"
    minimum = message.shown.minimum_reservations
    so_far = of_count(message.reservations, minimum, message.applicants)
    return f"contract {ended} at {when(message.at)}: {so_far}"
