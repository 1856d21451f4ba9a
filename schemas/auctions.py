"""Counter auctions: what sellers and buyers ask for, and what the auction says of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import (
    EMAIL_MAX,
    Business,
    Contact,
    Count,
    Id,
    Instant,
    Message,
    Model,
    Money,
    Problem,
    Product,
    Quantity,
    Text,
    Version,
)
from schemas.topic import Topic

#: Shorter than other ids, as the request that a contract opens is ``au-<auction_id>``.
AuctionId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, pattern=r"^[^/\x00-\x1f\x7f]+$"),
]


Email = Annotated[str, StringConstraints(max_length=EMAIL_MAX)]


Name = Annotated[str, StringConstraints(max_length=1_000)]


Standing = Literal["pending", "good", "suspended"]


AuctionStatus = Literal["open", "concluded", "failed", "withdrawn"]


Verdict = Literal["shown", "not-better", "refused"]


# --- sellers -------------------------------------------------------------------------------------


class SellerRegistered(Business, Message):
    """Someone wants to sell; may not before an admin, or the deployment's own rule, approves."""

    type: Literal["SellerRegistered"] = "SellerRegistered"
    seller_id: Id
    name: Name
    email: Email
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    registered_at: Instant
    keyed_by: ClassVar[str] = "seller_id"


class SellerDescribed(Business, Message):
    """How a registered seller presents itself from now on; the newest ``at`` wins.

    It replaces all that was said before. The name and the address for letters stay, as an admin
    approved them.
    """

    type: Literal["SellerDescribed"] = "SellerDescribed"
    seller_id: Id
    at: Instant
    keyed_by: ClassVar[str] = "seller_id"

    @property
    def event_id(self) -> str:
        """The seller and the time."""
        return f"{self.seller_id}/{self.at.isoformat()}"


#: The reason of an approval that no admin gave.
AUTOMATIC = "automatic"


class SellerAct(Message):
    """What an admin does to a seller, at its own time."""

    seller_id: Id
    at: Instant
    reason: Text | None = None
    keyed_by: ClassVar[str] = "seller_id"


class SellerApproved(SellerAct):
    """May make offers from now on."""

    type: Literal["SellerApproved"] = "SellerApproved"


class SellerSuspended(SellerAct):
    """May make no offers for now; what is shown stays and binds."""

    type: Literal["SellerSuspended"] = "SellerSuspended"


class SellerReinstated(SellerAct):
    """The suspension is over."""

    type: Literal["SellerReinstated"] = "SellerReinstated"


class StandingSince(Model):
    """A standing, and when it began."""

    standing: Standing
    since: Instant


class Seller(Business, Message):
    """A seller and every standing so far, the oldest first; the last of them is ``standing``."""

    type: Literal["Seller"] = "Seller"
    seller_id: Id
    name: Name
    email: Email
    locale: str | None = None
    time_zone: str | None = None
    registered_at: Instant
    standing: Standing
    standings: Annotated[tuple[StandingSince, ...], Field(min_length=1)]
    version: Version
    keyed_by: ClassVar[str] = "seller_id"


# --- what sellers and buyers ask for -------------------------------------------------------------


class Offer(Message):
    """A condition: this price for each, if at least so many are reserved.

    What can't be met is refused by the rules with every problem named, not by the schema.
    """

    offer_id: Id
    auction_id: AuctionId
    seller_id: Id
    product: Product
    minimum_reservations: int
    unit_price: int
    currency: Annotated[str, StringConstraints(max_length=16)]
    offered_at: Instant
    keyed_by: ClassVar[str] = "auction_id"


#: Units that one applicant may reserve, unless the seller says otherwise. It keeps a single mailbox
#: from filling an auction.
QUANTITY_MAX_PER_APPLICANT = 100


class AuctionOpened(Offer):
    """The opening condition; ``invites_at`` defaults to three quarters of the term."""

    type: Literal["AuctionOpened"] = "AuctionOpened"
    closes_at: Instant
    invites_at: Instant | None = None
    minimum_step: int = 1
    quantity_max_per_applicant: int = QUANTITY_MAX_PER_APPLICANT


class CounterOffered(Offer):
    """A condition that is to take over the page, invited or not."""

    type: Literal["CounterOffered"] = "CounterOffered"


class AuctionWithdrawn(Message):
    """The opening seller takes the auction back, as long as nobody relies on it."""

    type: Literal["AuctionWithdrawn"] = "AuctionWithdrawn"
    auction_id: AuctionId
    seller_id: Id
    at: Instant
    keyed_by: ClassVar[str] = "auction_id"


class Applied(Message):
    """A buyer would take ``quantity`` units; counts once it is confirmed."""

    type: Literal["Applied"] = "Applied"
    application_id: Id
    auction_id: AuctionId
    applicant: Contact
    quantity: Quantity
    applied_at: Instant
    keyed_by: ClassVar[str] = "auction_id"


class ApplicationConfirmed(Message):
    """The applicant followed the signed link.

    A front end that vouches for its applicants sends this before ``Applied``: then the application
    counts at once and no letter asks for the link.
    """

    type: Literal["ApplicationConfirmed"] = "ApplicationConfirmed"
    application_id: Id
    auction_id: AuctionId
    at: Instant
    keyed_by: ClassVar[str] = "auction_id"


class ApplicationWithdrawn(Message):
    """The applicant takes it back; wins whether it comes before or after its application."""

    type: Literal["ApplicationWithdrawn"] = "ApplicationWithdrawn"
    application_id: Id
    auction_id: AuctionId
    at: Instant
    keyed_by: ClassVar[str] = "auction_id"


# --- what the auction says -----------------------------------------------------------------------


class ShownOffer(Model):
    """The condition on the page."""

    offer_id: Id
    seller_id: Id
    unit_price: Money
    minimum_reservations: Count


class Auction(Message):
    """An auction's page: the condition shown, and what is reserved under it.

    ``reservations`` are units of confirmed applications, ``applicants`` those who made them.
    """

    type: Literal["Auction"] = "Auction"
    auction_id: AuctionId
    version: Version
    status: AuctionStatus
    product: Product
    opened_by: Id
    opened_at: Instant
    shown: ShownOffer
    currency: str
    minimum_step: Count
    quantity_max_per_applicant: Count = QUANTITY_MAX_PER_APPLICANT
    reservations: Count
    applicants: Count
    invites_at: Instant
    invited_at: Instant | None = None
    closes_at: Instant
    group_request_id: Id | None = None
    keyed_by: ClassVar[str] = "auction_id"


class OfferJudged(Message):
    """What became of an offer, and why: a code of the service's rules, and problems if several."""

    type: Literal["OfferJudged"] = "OfferJudged"
    offer_id: Id
    auction_id: AuctionId
    seller_id: Id
    verdict: Verdict
    reason: str
    problems: tuple[Problem, ...] = ()
    version: Version = 1
    keyed_by: ClassVar[str] = "auction_id"

    @property
    def key(self) -> str:
        """``<auction_id>/offer/<offer_id>``."""
        return f"{self.auction_id}/offer/{self.offer_id}"


class ConditionReplaced(Message):
    """A better condition took over the page; ``version`` is the auction's."""

    type: Literal["ConditionReplaced"] = "ConditionReplaced"
    auction_id: AuctionId
    version: Version
    before: ShownOffer
    shown: ShownOffer
    currency: str
    at: Instant
    keyed_by: ClassVar[str] = "auction_id"

    @property
    def key(self) -> str:
        """``<auction_id>/replaced/<version>``."""
        return f"{self.auction_id}/replaced/{self.version}"


class RightIntercepted(Message):
    """The seller of ``offer_id`` is displaced, by this condition; by whom is not said."""

    type: Literal["RightIntercepted"] = "RightIntercepted"
    offer_id: Id
    auction_id: AuctionId
    seller_id: Id
    unit_price: Money
    minimum_reservations: Count
    currency: str
    at: Instant
    version: Version = 1
    keyed_by: ClassVar[str] = "auction_id"

    @property
    def key(self) -> str:
        """``<auction_id>/intercepted/<offer_id>``."""
        return f"{self.auction_id}/intercepted/{self.offer_id}"


class ApplicationRefused(Message):
    """An application that can't count, and why.

    ``quantity_max`` is the most units that could have counted, if it was for too many.
    """

    type: Literal["ApplicationRefused"] = "ApplicationRefused"
    application_id: Id
    auction_id: AuctionId
    applicant_id: Id | None = None
    quantity: Count
    reason: str
    quantity_max: Count | None = None
    version: Version = 1
    keyed_by: ClassVar[str] = "auction_id"

    @property
    def key(self) -> str:
        """``<auction_id>/refused/<application_id>``."""
        return f"{self.auction_id}/refused/{self.application_id}"


class Conclusion(Message):
    """How an auction ended at its term."""

    auction_id: AuctionId
    shown: ShownOffer
    currency: str
    reservations: Count
    applicants: Count
    at: Instant
    version: Version = 1
    keyed_by: ClassVar[str] = "auction_id"

    @property
    def key(self) -> str:
        """``<auction_id>/conclusion``."""
        return f"{self.auction_id}/conclusion"


class ContractConcluded(Conclusion):
    """Enough is reserved: the group purchase is requested as ``group_request_id``."""

    type: Literal["ContractConcluded"] = "ContractConcluded"
    group_request_id: Id


class ContractFailed(Conclusion):
    """Too little is reserved."""

    type: Literal["ContractFailed"] = "ContractFailed"


SELLER_REGISTRATIONS = Topic(
    name="seller-registrations",
    kind="command",
    key="seller_id",
    messages=(
        SellerRegistered,
        SellerDescribed,
        SellerApproved,
        SellerSuspended,
        SellerReinstated,
    ),
    producers=("storefront",),
    consumers=("auction_service",),
    purpose="Who wants to sell, how they present themselves, and what admins decide of them.",
)


SELLERS = Topic(
    name="sellers",
    kind="fact",
    key="seller_id",
    messages=(Seller,),
    producers=("auction_service",),
    consumers=("auction_service", "storefront", "notifier", "terminal"),
    purpose="Every seller with every standing so far.",
    compacted=True,
)


OFFERS = Topic(
    name="offers",
    kind="command",
    key="auction_id",
    messages=(AuctionOpened, CounterOffered, AuctionWithdrawn),
    producers=("storefront",),
    consumers=("auction_service", "terminal"),
    purpose="Conditions that sellers offer, the one that opens an auction first.",
)


APPLICATIONS = Topic(
    name="applications",
    kind="command",
    key="auction_id",
    messages=(Applied, ApplicationConfirmed, ApplicationWithdrawn),
    producers=("storefront",),
    consumers=("auction_service",),
    purpose="What buyers reserve, confirm and take back.",
)


AUCTIONS = Topic(
    name="auctions",
    kind="fact",
    key="auction_id, or auction_id/offer/offer_id, /replaced/version, /intercepted/offer_id,"
    " /refused/application_id, /conclusion",
    messages=(
        Auction,
        OfferJudged,
        ConditionReplaced,
        RightIntercepted,
        ApplicationRefused,
        ContractConcluded,
        ContractFailed,
    ),
    producers=("auction_service",),
    consumers=("storefront", "terminal"),
    purpose="An auction's page, and what became of every offer.",
    compacted=True,
)
