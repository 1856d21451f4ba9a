"""Facts of a group or an auction in words, and why it stands as it does.

They are told from the read model, so this costs the same however long the topics are. ``jointbuy
why`` reads the topics themselves, with commands and dead letters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch

from markupsafe import Markup

from domain.orders import deadline
from schemas.auctions import (
    ApplicationRefused,
    Auction,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    OfferJudged,
    ShownOffer,
)
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase, IdIssued, MembersAdmitted, RequestRefused, Terms
from schemas.orders import OrderRefused, PurchaseRow, PurchaseState
from schemas.parts import Message
from schemas.payments import GroupSettled, Payment
from services.storefront.pages import codes
from services.storefront.pages.visits import Visit
from services.storefront.rules.rows import ToldFact
from texts.catalogue import mark
from texts.facts import APPLICATIONS
from texts.reasons import ORDERS_AND_RETURNS, explained

#: Facts about a group as a whole, and those about one of its people.
OF_GROUP = (GroupPurchase, MembersAdmitted, PurchaseState, FavorDecision, GroupSettled)
OF_BUYERS = (PurchaseRow, OrderRefused, Favor, Payment)
#: The same of an auction.
OF_AUCTION = (Auction, OfferJudged, ConditionReplaced, ContractConcluded, ContractFailed)
OF_APPLICANTS = (ApplicationRefused,)
OF_REQUEST = (IdIssued, RequestRefused)
#: How the headers of a record name the clock as its cause.
CLOCK = "clock/"


@dataclass(frozen=True, slots=True)
class Line:
    """A fact in words, with its time, the rule that decided it, and the rule's input."""

    at: datetime
    words: Markup
    rule: str
    cause: str
    is_clock: bool


def lines(visit: Visit, facts: Sequence[ToldFact]) -> list[Line]:
    """Facts in words, by their times."""
    return [
        Line(
            fact.at,
            says(fact.message, visit),
            fact.rule,
            fact.cause,
            is_clock=fact.cause.startswith(CLOCK),
        )
        for fact in sorted(facts, key=lambda each: each.at)
    ]


# --- why -----------------------------------------------------------------------------------------


def why_group(
    visit: Visit, terms: Terms, state: PurchaseState | None, decision: FavorDecision | None
) -> list[Markup]:
    """Why a group stands as it does, in sentences."""
    if state is None:
        waits = visit.gettext("The ID is issued, but the group is not open yet.")
        return [waits, visit.gettext("If this lasts, see which services are behind: jointbuy lag")]
    f = visit.formats
    counted = mark("{quantity} of {goal} ordered.")
    if state.quantity > terms.number_of_products:
        counted = mark("{quantity} ordered (goal {goal}).")
    ordered = visit.gettext(
        counted,
        quantity=f.number(state.quantity),
        goal=f.number(terms.number_of_products),
    )
    ends = deadline(terms.closes_at, terms.grace_seconds)
    if state.status == "open":
        return [ordered, visit.gettext("Open until {time}.", time=f.minute(ends))]
    if state.status == "withdrawn":
        return [visit.gettext("Its request was withdrawn."), ordered]
    if state.closed_at is None or state.closed_at == ends:
        closed = visit.gettext("It closed when its time was over, at {time}.", time=f.minute(ends))
    else:
        at = f.minute(state.closed_at)
        closed = visit.gettext("It closed when it reached its goal, at {time}.", time=at)
    return [ordered, closed, _decided(visit, decision)]


def _decided(visit: Visit, decision: FavorDecision | None) -> Markup:
    if decision is None:
        return visit.gettext("No discount is decided yet.")
    return says(decision, visit)


def why_auction(visit: Visit, auction: Auction, ended_at: datetime | None) -> list[Markup]:
    """Why an auction stands as it does, in sentences."""
    f, shown = visit.formats, auction.shown
    reserved = visit.gettext(
        "{reservations} reserved (minimum {minimum_reservations}).",
        reservations=f.number(auction.reservations),
        minimum_reservations=f.number(shown.minimum_reservations),
    )
    offer = visit.gettext(
        "The offer shown is {price} each by seller {seller}.",
        price=f.money(shown.unit_price, auction.currency),
        seller=shown.seller_id,
    )
    if auction.status == "withdrawn":
        return [visit.gettext("The seller who opened it withdrew it."), reserved]
    if auction.status == "open":
        return [
            reserved,
            offer,
            visit.gettext("Open until {time}.", time=f.minute(auction.closes_at)),
        ]
    at = f.minute(ended_at or auction.closes_at)
    if auction.status == "concluded":
        ended = visit.gettext("It ended at {time} with enough reservations.", time=at)
    else:
        ended = visit.gettext("It ended at {time} with too few reservations.", time=at)
    return [reserved, offer, ended]


# --- facts ---------------------------------------------------------------------------------------


@singledispatch
def says(message: Message, visit: Visit) -> Markup:
    """A fact in one line."""
    return Markup("{}").format(type(message).__name__)


@says.register
def _(message: IdIssued, visit: Visit) -> Markup:
    return visit.gettext("The ID {id} was issued.", id=message.group_id)


@says.register
def _(message: RequestRefused, visit: Visit) -> Markup:
    return visit.gettext("The request was refused.")


@says.register
def _(message: GroupPurchase, visit: Visit) -> Markup:
    f = visit.formats
    if message.withdrawn_at is not None:
        at = f.minute(message.withdrawn_at)
        return visit.gettext("The request was withdrawn at {time}.", time=at)
    return visit.gettext(
        "Terms: goal {number}, from {opens} to {closes}.",
        number=f.number(message.number_of_products),
        opens=f.minute(message.opens_at),
        closes=f.minute(message.closes_at),
    )


@says.register
def _(message: MembersAdmitted, visit: Visit) -> Markup:
    n = len(message.members)
    return visit.ngettext("{n} buyer was listed.", "{n} buyers were listed.", n)


@says.register
def _(message: PurchaseState, visit: Visit) -> Markup:
    return visit.gettext(
        "{status}: {units} by {buyers}, {value} in all.",
        status=visit.gettext(codes.STATUS[message.status]),
        units=visit.ngettext("{n} unit", "{n} units", message.quantity),
        buyers=visit.ngettext("{n} buyer", "{n} buyers", message.members),
        value=visit.formats.money(message.value, message.currency),
    )


@says.register
def _(message: PurchaseRow, visit: Visit) -> Markup:
    return visit.gettext(
        "Buyer {buyer} has {units} for {value}.",
        buyer=message.member_id,
        units=visit.ngettext("{n} unit", "{n} units", message.quantity),
        value=visit.formats.money(message.value, message.currency),
    )


@says.register
def _(message: OrderRefused, visit: Visit) -> Markup:
    why = explained(ORDERS_AND_RETURNS, message.reason, visit.writing)
    return visit.gettext(
        "Order {order} from {source} does not count: {reason}",
        order=message.order_id,
        source=message.source,
        reason=why,
    )


@says.register
def _(message: FavorDecision, visit: Visit) -> Markup:
    total = visit.formats.money(message.total, message.currency)
    if message.cancel_all:
        return visit.gettext(
            "All orders are cancelled; {total} in all is not charged, or is refunded.", total=total
        )
    if message.tier is None:
        return visit.gettext("No step of the discount was reached.")
    discount = visit.tier(message.tier, message.currency)
    return visit.gettext(
        "Everyone gets {discount}; {amount} in all.", discount=discount, amount=total
    )


@says.register
def _(message: Favor, visit: Visit) -> Markup:
    amount = visit.formats.money(message.amount, message.currency)
    if message.gift:
        return visit.gettext(
            "Buyer {buyer} gets {amount} and a gift: {gift}",
            buyer=message.member_id,
            amount=amount,
            gift=message.gift,
        )
    return visit.gettext("Buyer {buyer} gets {amount}.", buyer=message.member_id, amount=amount)


@says.register
def _(message: Payment, visit: Visit) -> Markup:
    return visit.gettext(
        "{kind} of {amount} for {payer}: {status}",
        kind=visit.gettext(codes.PAYMENT[message.kind]),
        amount=visit.formats.money(message.amount, message.currency),
        payer=message.member_id or visit.gettext("the organizer"),
        status=visit.gettext(codes.PAYMENT_STATUS[message.status]),
    )


@says.register
def _(message: GroupSettled, visit: Visit) -> Markup:
    return visit.gettext("All discounts are given and all payments are done.")


@says.register
def _(message: Auction, visit: Visit) -> Markup:
    f, shown = visit.formats, message.shown
    return visit.gettext(
        "{status}: {reservations} reserved by {buyers} at {price} each (minimum {minimum}).",
        status=visit.gettext(codes.STATUS[message.status]),
        reservations=f.number(message.reservations),
        minimum=f.number(shown.minimum_reservations),
        buyers=visit.ngettext("{n} buyer", "{n} buyers", message.applicants),
        price=f.money(shown.unit_price, message.currency),
    )


@says.register
def _(message: OfferJudged, visit: Visit) -> Markup:
    return visit.gettext(
        "Offer {offer} of seller {seller}: {verdict}. {reason}",
        offer=message.offer_id,
        seller=message.seller_id,
        verdict=visit.gettext(codes.VERDICT[message.verdict]),
        reason=visit.offer_reason(message.reason),
    )


@says.register
def _(message: ConditionReplaced, visit: Visit) -> Markup:
    return visit.gettext(
        "A better offer took over: {shown}. Before: {before}.",
        shown=_condition(visit, message.shown, message.currency),
        before=_condition(visit, message.before, message.currency),
    )


def _condition(visit: Visit, shown: ShownOffer, currency: str) -> Markup:
    return visit.gettext(
        "{price} each from {minimum} by seller {seller}",
        price=visit.formats.money(shown.unit_price, currency),
        minimum=visit.formats.number(shown.minimum_reservations),
        seller=shown.seller_id,
    )


@says.register
def _(message: ApplicationRefused, visit: Visit) -> Markup:
    return visit.gettext(
        "Reservation {reservation} does not count: {reason}",
        reservation=message.application_id,
        reason=explained(APPLICATIONS, message.reason, visit.writing),
    )


@says.register
def _(message: ContractConcluded, visit: Visit) -> Markup:
    return visit.gettext(
        "Contract concluded. Its group purchase was requested as {request}.",
        request=message.group_request_id,
    )


@says.register
def _(message: ContractFailed, visit: Visit) -> Markup:
    return visit.gettext("No contract: too few reservations.")
