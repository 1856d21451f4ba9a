"""Bodies of the HTTP API about auctions, offers and reservations."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.offers import DOUBTED_PERCENT
from schemas.api.parts import (
    Currency,
    Given,
    GivenId,
    Moment,
    Number,
    PersonGiven,
    Price,
    ProductGiven,
    Units,
    View,
)
from schemas.auctions import QUANTITY_MAX_PER_APPLICANT, AuctionStatus, Verdict
from schemas.parts import MinorUnits, Problem, Product


class AuctionGiven(Given):
    """The first offer of an auction."""

    seller_id: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    product: ProductGiven
    minimum_reservations: Number
    unit_price: Price
    currency: Currency
    closes_at: Moment
    invites_at: Moment | None = None
    minimum_step: Price = 1
    quantity_max_per_applicant: Annotated[
        Number, Field(description="Units that one applicant may reserve.")
    ] = QUANTITY_MAX_PER_APPLICANT


class OfferGiven(Given):
    """An offer that is better than the one shown in an auction."""

    seller_id: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    minimum_reservations: Number
    unit_price: Price
    refuse_if_doubtful: Annotated[
        bool,
        Field(
            description="Refuse a price that may be a slip, more than"
            f" {DOUBTED_PERCENT} % below the one shown, with `doubtful-price`. If it is right,"
            " send it again without this field."
        ),
    ] = False


class ApplicationGiven(Given):
    """A reservation; without a shop's key, we email a link to confirm it."""

    applicant: PersonGiven
    quantity: Units


class AuctionSummary(View):
    """A line of the list of auctions; ``missing`` reservations to the minimum shown."""

    auction_id: str
    version: int
    status: AuctionStatus
    product: Product
    unit_price: MinorUnits
    currency: str
    minimum_reservations: int
    reservations: int
    applicants: int
    missing: int
    opened_at: datetime
    closes_at: datetime


class AuctionView(AuctionSummary):
    """An auction as it stands; each event of an open page is one."""

    minimum_step: MinorUnits
    quantity_max_per_applicant: int
    invites_at: datetime
    invited_at: datetime | None


class ConditionAt(View):
    """An offer, and since when it was shown."""

    at: datetime
    unit_price: MinorUnits
    minimum_reservations: int


class AuctionDetail(AuctionView):
    """An auction with its events so far, the oldest first."""

    history: tuple[ConditionAt, ...]
    seller_id: Annotated[
        str, Field(description="The seller of the offer shown; the others stay anonymous.")
    ]
    concluded_at: datetime | None
    withdrawn_at: datetime | None = None
    group_id: str | None


class OfferAnswer(View):
    """The result of an offer; ``verdict`` is null while that takes longer than usual."""

    auction_id: str
    offer_id: str
    verdict: Verdict | None
    reason: str | None
    problems: tuple[Problem, ...]


class ApplicationAnswer(View):
    """A reservation: `unconfirmed` until the buyer follows the link in the email."""

    auction_id: str
    application_id: str
    applicant_id: str
    status: Literal["unconfirmed", "confirmed"]
    withdrawal_link: str
    withdrawal_token: str = Field(
        description="Takes the reservation back, as `Authorization: Bearer`."
    )


class WithdrawalAnswer(View):
    """A reservation's withdrawal is recorded; it counts if the auction still runs."""

    application_id: str
    status: Literal["recorded"] = "recorded"
