"""What sellers and applicants are told, as notices.

Applicants are told whose offer is shown, as they buy from that seller. Sellers are not told of each
other.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.people import of_seller
from schemas.auctions import ApplicationRefused, Applied, Offer, Seller, SellerAct, Standing
from schemas.letters import Notice, Role, notices
from schemas.parts import AMOUNT_MAX, Message, Party
from services.auction_service.rows import (
    Applicant,
    Application,
    Auction,
    Condition,
    Judged,
    shown_of,
)

#: Every seller by id; values are ``Seller``.
Sellers = Mapping[str, Message]


def seller_of(sellers: Sellers, seller_id: str) -> Seller | None:
    """The seller as known now."""
    found = sellers.get(seller_id)
    return found if isinstance(found, Seller) else None


def seller_party(sellers: Sellers, seller_id: str) -> Party:
    """The recipient of letters to a seller; nobody is reached while the seller is not known."""
    seller = seller_of(sellers, seller_id)
    is_reached = seller is not None and seller.email
    return Party(id=seller_id, person_id=of_seller(seller_id) if is_reached else None)


def applicant_party(applicant_id: str, applicant: Applicant | Application) -> Party:
    """The recipient of letters to an applicant."""
    return Party(id=applicant_id, person_id=applicant.person_id)


def seller_standing(act: SellerAct, standing: Standing, now: datetime) -> Sequence[Notice]:
    """That a seller may make offers from now on, or may not."""
    return notices(
        "seller-standing",
        Party(id=act.seller_id, person_id=of_seller(act.seller_id)),
        act.seller_id,
        now,
        type(act).__name__,
        act.at.isoformat(),
        standing=standing,
    )


def offer_judged(
    offer: Offer, judged: Judged, auction: Auction | None, sellers: Sellers, now: datetime
) -> Sequence[Notice]:
    """What became of an offer, and what is shown now."""
    return notices(
        "offer-judged",
        seller_party(sellers, offer.seller_id),
        offer.auction_id,
        now,
        offer.offer_id,
        offer_id=offer.offer_id,
        verdict=judged.verdict,
        reason=judged.reason,
        problems=tuple(each.told() for each in judged.problems),
        product=offer.product.brief(),
        unit_price=_sayable(offer.unit_price),
        minimum_reservations=_sayable(offer.minimum_reservations),
        currency=offer.currency,
        shown=shown_of(auction.shown) if auction else None,
        closes_at=auction.closes_at if auction else None,
    )


def _sayable(number: int) -> int | None:
    """A number of an offer, unless it is one of the impossible ones that its problems name."""
    return number if 0 <= number <= AMOUNT_MAX else None


def withdrawal_refused(
    auction_id: str, seller_id: str, reason: str, auction: Auction, sellers: Sellers, now: datetime
) -> Sequence[Notice]:
    """Why an auction can't be taken back."""
    return notices(
        "offer-judged",
        seller_party(sellers, seller_id),
        auction_id,
        now,
        "withdrawal",
        reason,
        verdict="refused",
        reason=reason,
        product=auction.product.told(),
        currency=auction.currency,
        shown=shown_of(auction.shown),
        closes_at=auction.closes_at,
    )


def right_intercepted(
    auction_id: str, displaced: Condition, auction: Auction, sellers: Sellers, now: datetime
) -> Sequence[Notice]:
    """A better condition took the page; by whom is not said."""
    return notices(
        "right-intercepted",
        seller_party(sellers, displaced.seller_id),
        auction_id,
        now,
        displaced.offer_id,
        offer_id=displaced.offer_id,
        product=auction.product.told(),
        before=shown_of(displaced),
        unit_price=auction.shown.unit_price,
        minimum_reservations=auction.shown.minimum,
        minimum_step=auction.minimum_step,
        currency=auction.currency,
        reservations=auction.reservations,
        applicants=auction.applicants,
        closes_at=auction.closes_at,
    )


def confirm_application(
    message: Applied, auction: Auction, replaced: int, now: datetime
) -> Sequence[Notice]:
    """The letter with the link that confirms; ``replaced`` units count until then, if any."""
    return notices(
        "confirm-application",
        message.applicant.party(),
        message.auction_id,
        now,
        message.application_id,
        application_id=message.application_id,
        product=auction.product.told(),
        quantity=message.quantity,
        replaced_quantity=replaced or None,
        shown=shown_of(auction.shown),
        currency=auction.currency,
        closes_at=auction.closes_at,
        seller_id=auction.shown.seller_id,
    )


def application_refused(
    answer: ApplicationRefused, applicant: Application, auction: Auction, now: datetime
) -> Sequence[Notice]:
    """The letter that says why an application does not count; the applicant expects a letter."""
    return notices(
        "application-refused",
        applicant_party(applicant.applicant_id, applicant),
        answer.auction_id,
        now,
        answer.application_id,
        application_id=answer.application_id,
        product=auction.product.told(),
        quantity=answer.quantity,
        quantity_max=answer.quantity_max,
        reason=answer.reason,
        seller_id=auction.shown.seller_id,
    )


def condition_improved(
    auction_id: str,
    applicant_id: str,
    applicant: Applicant,
    auction: Auction,
    takeover: tuple[int, Condition, Condition],
    now: datetime,
) -> Sequence[Notice]:
    """Better terms for what is already reserved; ``takeover`` is (version, before, shown)."""
    version, before, shown = takeover
    return notices(
        "condition-improved",
        applicant_party(applicant_id, applicant),
        auction_id,
        now,
        version,
        application_id=applicant.application_id,
        product=auction.product.told(),
        before=shown_of(before),
        shown=shown_of(shown),
        currency=auction.currency,
        quantity=applicant.quantity,
        reservations=auction.reservations,
        applicants=auction.applicants,
        closes_at=auction.closes_at,
        seller_id=shown.seller_id,
    )


def invitation(
    auction_id: str, seller_id: str, auction: Auction, sellers: Sellers, now: datetime
) -> Sequence[Notice]:
    """The count and the price, to outbid."""
    return notices(
        "invitation",
        seller_party(sellers, seller_id),
        auction_id,
        now,
        product=auction.product.told(),
        shown=shown_of(auction.shown),
        currency=auction.currency,
        minimum_step=auction.minimum_step,
        reservations=auction.reservations,
        applicants=auction.applicants,
        closes_at=auction.closes_at,
    )


def concluded(
    auction_id: str,
    recipient: Party,
    role: Role,
    auction: Auction,
    quantity: int | None = None,
    seller_name: str | None = None,
) -> Sequence[Notice]:
    """How the auction ended, to one of those who took part in it.

    Who has a contract with the seller is told ``seller_name``; those who lost are not.
    """
    return notices(
        "contract-concluded" if auction.status == "concluded" else "contract-failed",
        recipient,
        auction_id,
        auction.closes_at,
        role,
        role=role,
        request_id=auction.group_request_id,
        product=auction.product.told(),
        shown=shown_of(auction.shown),
        currency=auction.currency,
        quantity=quantity,
        reservations=auction.reservations,
        applicants=auction.applicants,
        closes_at=auction.closes_at,
        seller_name=seller_name,
        seller_id=auction.shown.seller_id if role == "applicant" else None,
    )
