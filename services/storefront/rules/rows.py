"""The lists of the home page as the read model keeps them: one dataclass per table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

from schemas.parts import Message

T = TypeVar("T")
V = TypeVar("V")

#: ``replaced``: by a later reservation of the same person. ``unknown``: it is older than what our
#: pages keep of reservations.
ReservationStanding = Literal["unknown", "unconfirmed", "confirmed", "withdrawn", "replaced"]


@dataclass(frozen=True, slots=True)
class KeptReservation:
    """What our pages know of a reservation.

    ``before`` are the units of the person's earlier reservation in the auction, which this one
    replaces once it is confirmed.
    """

    standing: ReservationStanding
    quantity: int = 0
    before: int | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuctionRow:
    """An auction under the condition shown; ``missing`` is up to its minimum, never negative."""

    auction_id: str
    product_name: str
    category: str | None
    tags: str | None
    status: str
    currency: str
    unit_price: int
    minimum: int
    reservations: int
    missing: int
    applicants: int
    shown_seller_id: str
    opened_by: str
    opened_at: datetime
    closes_at: datetime
    version: int
    group_request_id: str | None
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group purchase: its terms, and how far it is; ``missing`` is up to its number.

    ``state_version`` is 0, the status open and the counts 0 as long as nothing is said of it.
    """

    group_id: str
    request_id: str
    definition_id: str | None
    organizer_id: str | None
    shop_id: str | None
    product_name: str
    category: str | None
    tags: str | None
    visibility: str
    status: str
    currency: str | None
    unit_price: int | None
    number: int
    quantity: int
    value: int
    missing: int
    members: int
    opens_at: datetime
    closes_at: datetime
    ladder: str | None
    if_incomplete: str | None
    terms_version: int
    state_version: int
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class DefinitionRow:
    """What a shop opens to the public for group purchase."""

    definition_id: str
    shop_id: str
    product_name: str
    category: str | None
    tags: str | None
    currency: str
    unit_price: int
    published_at: datetime
    withdrawn_at: datetime | None
    version: int
    image_id: str | None = None


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A picture's size in pixels; its bytes are asked for alone."""

    image_id: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class OfferRow:
    """What became of an offer; ``judged_at`` is the time of the record that says so."""

    auction_id: str
    offer_id: str
    seller_id: str
    verdict: str
    reason: str
    judged_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class SellerRow:
    """A seller, as the admin's list shows it."""

    seller_id: str
    name: str
    standing: str
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of a shop or a seller, revoked or not."""

    key_id: str
    role: str
    holder_id: str
    issued_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter's place in the admin's list; ``at`` is when its state was last told."""

    recipient_id: str
    notice_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ShopRow:
    """A shop that something names, and when it last got a key; ``name`` if it has told one."""

    shop_id: str
    name: str | None
    issued_at: datetime | None


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A fact with the time of its record, the rule that decided it, and that rule's input."""

    message: Message
    at: datetime
    rule: str
    cause: str


@dataclass(frozen=True, slots=True)
class TodoRow:
    """A todo: its fact, since when it is open, and its owner.

    ``owner`` is a shop's id, empty for the admin, ``/`` and a mark if only a shop's mark is
    known, and ``None`` while the owner is not known.
    """

    fact: Message
    since: datetime
    owner: str | None


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows a list has; if it is not exact, there are at least as many."""

    count: int
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page of a list; ``cursor`` asks for the next one and is ``None`` after the last.

    ``total`` is of the whole list, if it was asked for.
    """

    rows: list[T]
    cursor: str | None
    total: Total | None = None

    def shown(self, view: Callable[[T], V]) -> "Listed[V]":
        """The same page with another view of each row."""
        return Listed([view(each) for each in self.rows], self.cursor, self.total)


@dataclass(frozen=True, slots=True)
class Filters:
    """What lists are narrowed by; what is empty narrows nothing.

    Prices are minor units of ``currency``, without which they say nothing. ``closes_by``: the
    term ends by then. ``is_nearly_there``: four fifths of what is needed are there, and not all.
    """

    category: str | None = None
    tag: str | None = None
    shop_id: str | None = None
    currency: str | None = None
    price_min: int | None = None
    price_max: int | None = None
    closes_by: datetime | None = None
    is_nearly_there: bool = False

    @property
    def is_crossed(self) -> bool:
        """Whether the lowest price is above the highest, so that nothing can match."""
        low, high = self.price_min, self.price_max
        return low is not None and high is not None and low > high


@dataclass(frozen=True, slots=True)
class Choices:
    """What open lists can be narrowed by: names of categories, ids of shops, currencies."""

    categories: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
