"""What becomes of an offer: refused, not better, or shown, which may displace another seller."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain import offers
from domain.money import CURRENCIES
from runtime.rows import DUE, Due, Rows
from schemas.auctions import (
    AuctionOpened,
    ConditionReplaced,
    CounterOffered,
    Offer,
    OfferJudged,
    RightIntercepted,
    Standing,
    Verdict,
)
from schemas.parts import (
    AMOUNT_MAX,
    NUMBER_MAX,
    KeptProblem,
    KeptProduct,
    Message,
    Problem,
    is_possible,
)
from schemas.reasons import OfferReason
from schemas.refusals import ProblemCode
from services.auction_service.rows import (
    ADDRESSES,
    AUCTION,
    BIDDERS,
    CHUNKS,
    OFFERS,
    PRODUCT,
    Auction,
    Condition,
    Cursor,
    Judged,
    Mark,
    Product,
    shown_of,
)
from services.auction_service.rules import letters
from services.auction_service.rules.letters import Sellers
from services.auction_service.rules.reservations import has_applied, mailbox_of
from services.auction_service.rules.standing import standing_at
from texts.reasons import problem

#: By the seller's standing when the offer was made; without one the seller is unknown.
_STANDINGS: Final[Mapping[Standing | None, OfferReason | None]] = {
    "good": None,
    None: OfferReason.UNKNOWN_SELLER,
    "pending": OfferReason.PENDING_SELLER,
    "suspended": OfferReason.SUSPENDED_SELLER,
}


def opening_problems(message: AuctionOpened) -> Iterator[Problem]:
    """What makes an opening condition impossible."""
    yield from condition_problems(message)
    if message.currency not in CURRENCIES:
        yield problem("currency", ProblemCode.NOT_A_CURRENCY, currency=message.currency)
    if not 1 <= message.minimum_step <= AMOUNT_MAX:
        yield _out_of_range("minimum_step", AMOUNT_MAX)
    if not 1 <= message.quantity_max_per_applicant <= NUMBER_MAX:
        yield _out_of_range("quantity_max_per_applicant", NUMBER_MAX)
    if not is_possible(message.offered_at):
        yield _impossible_time("offered_at", message.offered_at)
    if not is_possible(message.closes_at):
        yield _impossible_time("closes_at", message.closes_at)
    elif message.closes_at <= message.offered_at:
        yield problem("closes_at", ProblemCode.TERM_ENDS_EARLY)
    invites_at = message.invites_at
    if invites_at is not None and not message.offered_at < invites_at < message.closes_at:
        yield problem("invites_at", ProblemCode.INVITES_OUTSIDE_TERM)


def condition_problems(message: Offer) -> Iterator[Problem]:
    """What makes a condition impossible."""
    if not 1 <= message.minimum_reservations <= NUMBER_MAX:
        yield _out_of_range("minimum_reservations", NUMBER_MAX)
    if not 1 <= message.unit_price <= AMOUNT_MAX:
        yield _out_of_range("unit_price", AMOUNT_MAX)


def _out_of_range(field: str, most: int) -> Problem:
    is_money = most == AMOUNT_MAX
    code = ProblemCode.OUT_OF_MONEY_RANGE if is_money else ProblemCode.OUT_OF_RANGE
    return problem(field, code, least=1, most=most)


def _impossible_time(field: str, at: datetime) -> Problem:
    return problem(field, ProblemCode.IMPOSSIBLE_TIME, at=at.isoformat())


def seller_reason(message: Offer, sellers: Sellers) -> OfferReason | None:
    """Why the seller may not make this offer, by the standing when it was made."""
    standing = standing_at(letters.seller_of(sellers, message.seller_id), message.offered_at)
    return _STANDINGS[standing]


def refusal(message: CounterOffered, auction: Auction) -> Judged | None:
    """Why a counter-offer can't compete in this auction, whoever makes it; or None."""
    problems = tuple(map(KeptProblem.of, condition_problems(message)))
    if auction.status == "withdrawn":
        reason = OfferReason.AUCTION_WITHDRAWN
    elif auction.status != "open" or message.offered_at >= auction.closes_at:
        reason = OfferReason.AFTER_TERM
    elif problems:
        reason = OfferReason.IMPOSSIBLE_TERMS
    elif not _is_product(message, auction):
        reason = OfferReason.OTHER_PRODUCT
    elif message.currency != auction.currency:
        reason = OfferReason.OTHER_CURRENCY
    else:
        return None
    is_impossible = reason == OfferReason.IMPOSSIBLE_TERMS
    return Judged(
        seller_id=message.seller_id,
        verdict="refused",
        reason=reason,
        problems=problems if is_impossible else (),
    )


def buyer_reason(message: CounterOffered, rows: Rows, sellers: Sellers) -> OfferReason | None:
    """Why a seller who has reserved here, by id or mailbox, may not compete; ``None`` if not so."""
    seller = letters.seller_of(sellers, message.seller_id)
    mailbox = mailbox_of(seller.email) if seller else None
    return OfferReason.HAS_APPLIED if has_applied(message.seller_id, mailbox, rows) else None


def compare(message: CounterOffered, auction: Auction) -> Judged:
    """Whether an offer betters the one shown; a tie keeps that."""
    shown = offers.Condition(auction.shown.unit_price, auction.shown.minimum)
    offered = offers.Condition(message.unit_price, message.minimum_reservations)
    reason = offers.compare(offered, shown, auction.minimum_step)
    verdict: Verdict = "shown" if reason == "better" else "not-better"
    return Judged(seller_id=message.seller_id, verdict=verdict, reason=OfferReason(reason))


def open_auction(message: AuctionOpened, rows: Rows) -> None:
    """Put the auction's page up."""
    term = message.closes_at - message.offered_at
    invites_at = message.invites_at or message.offered_at + term * 3 / 4
    rows[AUCTION] = Auction(
        version=1,
        status="open",
        product=KeptProduct.of(message.product),
        opened_by=message.seller_id,
        opened_at=message.offered_at,
        opening_offer=message.offer_id,
        shown=condition_of(message),
        currency=message.currency,
        minimum_step=message.minimum_step,
        quantity_max_per_applicant=message.quantity_max_per_applicant,
        reservations=0,
        applicants=0,
        invites_at=invites_at,
        invited_at=None,
        closes_at=message.closes_at,
        group_request_id=None,
    )
    rows[PRODUCT] = Product(message.product.model_dump_json(exclude_none=True))
    rows[DUE("invite")] = Due(invites_at)
    rows[DUE("close")] = Due(message.closes_at)


def take_over(
    message: CounterOffered, rows: Rows, sellers: Sellers, now: datetime
) -> Sequence[Message]:
    """Show a better condition, and tell the displaced seller; applicants are told in chunks."""
    auction = rows[AUCTION]
    before = auction.shown
    after = replace(auction, version=auction.version + 1, shown=condition_of(message))
    rows[AUCTION] = after
    if auction.applicants:
        rows[CHUNKS("announce", f"{after.version:012d}")] = Cursor(
            before=before, shown=after.shown, version=after.version
        )
    replaced = ConditionReplaced(
        auction_id=rows.key,
        version=after.version,
        before=shown_of(before),
        shown=shown_of(after.shown),
        currency=auction.currency,
        at=now,
    )
    if before.seller_id == message.seller_id:
        return (replaced,)
    intercepted = RightIntercepted(
        offer_id=before.offer_id,
        auction_id=rows.key,
        seller_id=before.seller_id,
        unit_price=message.unit_price,
        minimum_reservations=message.minimum_reservations,
        currency=auction.currency,
        at=now,
    )
    return (
        replaced,
        intercepted,
        *letters.right_intercepted(rows.key, before, after, sellers, now),
    )


def keep(
    message: Offer, judged: Judged, rows: Rows, sellers: Sellers, now: datetime
) -> Sequence[Message]:
    """Keep the verdict for repeats, and tell the seller."""
    rows[OFFERS(message.offer_id)] = judged
    if judged.verdict != "refused":
        rows[BIDDERS(message.seller_id)] = Mark()
        seller = letters.seller_of(sellers, message.seller_id)
        if seller is not None and (mailbox := mailbox_of(seller.email)):
            rows[ADDRESSES(mailbox)] = Mark()
    return (
        verdict_of(message.offer_id, rows),
        *letters.offer_judged(message, judged, rows.get(AUCTION), sellers, now),
    )


def verdict_of(offer_id: str, rows: Rows) -> OfferJudged:
    """The verdict that is kept of an offer."""
    judged = rows[OFFERS(offer_id)]
    return OfferJudged(
        offer_id=offer_id,
        auction_id=rows.key,
        seller_id=judged.seller_id,
        verdict=judged.verdict,
        reason=judged.reason,
        problems=tuple(each.told() for each in judged.problems),
    )


def condition_of(message: Offer) -> Condition:
    """What an offer offers."""
    return Condition(
        offer_id=message.offer_id,
        seller_id=message.seller_id,
        unit_price=message.unit_price,
        minimum=message.minimum_reservations,
    )


def _is_product(message: Offer, auction: Auction) -> bool:
    if message.product.id is not None and auction.product.id is not None:
        return message.product.id == auction.product.id
    return message.product.name == auction.product.name
