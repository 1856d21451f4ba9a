"""The rows of a seller at the desk, and of an auction, and the facts that they stand for.

Of a seller:

- ``seller``: as registered. ``acts``: what admins did, which may come before that, as may
  ``described``: how the seller described itself last.

Of an auction:

- ``auction``: the page. ``product``: what is auctioned, whole; in a row of its own, as it never
  changes, and the page does with each application.
- ``live``: how many applications have not come to their end.
- ``offer/<offer_id>``: what an offer was judged, and so what a repeat is answered by.
- ``asking/<n>``: an offer whose seller is not known to be in good standing yet, and
  ``asked/<offer_id>``, which says that there is one.
- ``bidder/<seller_id>`` and ``address/<digest of a mailbox>``: a seller who competes here, and so
  can't apply.
- ``early/<application_id>``: an application that waits for its auction.
- ``application/<application_id>``: all that is known of an application.
- ``applicant/<applicant_id>``: the one application of an applicant that counts.
- ``mailbox/<digest>``: the applicant who counts under this mailbox.
- ``gone/<applicant_id>`` and ``gone/mailbox/<digest>``: the latest confirmed application of an
  applicant or a mailbox, if it counts no more.
- ``waiting/<n>``: a message whose auction is not open yet. ``waits``: the last of their numbers.
- ``told/<seller_id>/<reason>``: who was told why the auction can't be taken back.
- ``invited/<seller_id>``: a seller who was invited, or whose offer was shown
  then; kept until sellers who came late are invited too.
- ``ended``: all that is left of an auction ninety days after its end.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from runtime.rows import Name, Rows, Single, Table, Waiting
from schemas.auctions import Auction as AuctionFact
from schemas.auctions import AuctionStatus, Seller, ShownOffer, StandingSince, Verdict
from schemas.parts import Business, KeptProblem, KeptProduct
from schemas.parts import Product as ProductSaid
from services.auction_service.rules.standing import standings

ApplicationState = Literal[
    "confirmed-ahead",
    "withdrawn-ahead",
    "unconfirmed",
    "counts",
    "replaced",
    "withdrawn",
    "refused",
]


# --- a seller ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Profile:
    """A seller as first registered; ``business`` is a ``Business`` as JSON."""

    version: int
    name: str
    email: str
    locale: str | None
    time_zone: str | None
    registered_at: datetime
    business: str = "{}"


@dataclass(slots=True)
class Described:
    """How a seller described itself at a time: a ``Business`` as JSON."""

    at: datetime
    business: str


@dataclass(slots=True)
class Acts:
    """(time, ``SellerApproved`` or another act's type), in no order."""

    acts: tuple[tuple[datetime, str], ...]


def business_of(profile: Profile, described: Described | None) -> str:
    """How a registered seller presents itself: as described last, by the time of that, not before.

    What was described before the registration was replaced by it.
    """
    if described is None or described.at < profile.registered_at:
        return profile.business
    return described.business


def seller_fact(name: Name[Profile], rows: Rows) -> Seller:
    """The fact that the ``seller`` row, with its acts and description, stands for."""
    profile = rows[name]
    history = standings(profile.registered_at, rows[ACTS].acts if ACTS in rows else ())
    business = Business.model_validate_json(business_of(profile, rows.get(DESCRIBED)))
    return Seller(
        **dict(business),
        seller_id=rows.key,
        name=profile.name,
        email=profile.email,
        locale=profile.locale,
        time_zone=profile.time_zone,
        registered_at=profile.registered_at,
        standing=history[-1][1],
        standings=tuple(StandingSince(standing=each, since=since) for since, each in history),
        version=profile.version,
    )


# --- an auction ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Condition:
    """What an offer offers, as far as it competes."""

    offer_id: str
    seller_id: str
    unit_price: int
    minimum: int


@dataclass(slots=True)
class Auction:
    """An auction's page, and the offer that opened it."""

    version: int
    status: AuctionStatus
    product: KeptProduct
    opened_by: str
    opened_at: datetime
    opening_offer: str
    shown: Condition
    currency: str
    minimum_step: int
    quantity_max_per_applicant: int
    reservations: int
    applicants: int
    invites_at: datetime
    invited_at: datetime | None
    closes_at: datetime
    group_request_id: str | None


@dataclass(slots=True)
class Product:
    """What is auctioned, whole: a ``Product`` of messages as JSON."""

    product: str


@dataclass(slots=True)
class Live:
    """Applications that are unconfirmed or count."""

    count: int


@dataclass(slots=True)
class Judged:
    """What an offer was judged."""

    seller_id: str
    verdict: Verdict
    reason: str
    problems: tuple[KeptProblem, ...] = ()


@dataclass(slots=True)
class Mark:
    """There, or not."""


@dataclass(slots=True)
class Early:
    """The mailbox of an application whose message waits without the address."""

    mailbox: str | None


@dataclass(slots=True)
class Application:
    """An application; the person and the mailbox only until it counts.

    ``mailbox`` is the digest of a canonical address, as in the names of rows.
    """

    state: ApplicationState
    applicant_id: str = ""
    quantity: int = 0
    applied_at: datetime | None = None
    reason: str = ""
    quantity_max: int | None = None
    person_id: str | None = None
    mailbox: str | None = None


@dataclass(slots=True)
class Applicant:
    """The application that counts for an applicant, the latest that was confirmed."""

    application_id: str
    applied_at: datetime
    quantity: int
    person_id: str | None = None
    mailbox: str | None = None


@dataclass(slots=True)
class Mailbox:
    """The applicant whose application counts under a mailbox."""

    applicant_id: str


@dataclass(slots=True)
class Gone:
    """The latest confirmed application of an applicant or a mailbox; it no longer counts."""

    application_id: str
    applied_at: datetime


@dataclass(slots=True)
class Cursor:
    """How far a chunk is: the last name seen; of a takeover also what it changed."""

    after: str = ""
    step: str = ""
    part: int = 0
    before: Condition | None = None
    shown: Condition | None = None
    version: int = 0


@dataclass(slots=True)
class Ended:
    """How an auction long over ended."""

    status: AuctionStatus


def auction_fact(name: Name[Auction], rows: Rows) -> AuctionFact:
    """The fact that the ``auction`` row stands for."""
    auction = rows[name]
    return AuctionFact(
        auction_id=rows.key,
        version=auction.version,
        status=auction.status,
        product=product_of(rows),
        opened_by=auction.opened_by,
        opened_at=auction.opened_at,
        shown=shown_of(auction.shown),
        currency=auction.currency,
        minimum_step=auction.minimum_step,
        quantity_max_per_applicant=auction.quantity_max_per_applicant,
        reservations=auction.reservations,
        applicants=auction.applicants,
        invites_at=auction.invites_at,
        invited_at=auction.invited_at,
        closes_at=auction.closes_at,
        group_request_id=auction.group_request_id,
    )


def product_of(rows: Rows) -> ProductSaid:
    """What is auctioned, as facts tell it: whole."""
    return ProductSaid.model_validate_json(rows[PRODUCT].product)


def shown_of(condition: Condition) -> ShownOffer:
    """The condition as messages tell it."""
    return ShownOffer(
        offer_id=condition.offer_id,
        seller_id=condition.seller_id,
        unit_price=condition.unit_price,
        minimum_reservations=condition.minimum,
    )


#: The tables of the service.
SELLER = Single("seller", Profile)
ACTS = Single("acts", Acts)
DESCRIBED = Single("described", Described)
AUCTION = Single("auction", Auction)
PRODUCT = Single("product", Product)
LIVE = Single("live", Live)
OFFERS = Table("offer", Judged)
ASKING = Table("asking", Waiting)
ASKED = Table("asked", Mark)
BIDDERS = Table("bidder", Mark)
ADDRESSES = Table("address", Mark)
EARLY = Table("early", Early)
APPLICATIONS = Table("application", Application)
APPLICANTS = Table("applicant", Applicant)
MAILBOXES = Table("mailbox", Mailbox)
GONE = Table("gone", Gone)
TOLD = Table("told", Mark)
INVITED = Table("invited", Mark)
CHUNKS = Table("chunk", Cursor)
ENDED = Single("ended", Ended)
