"""Group purchases: what is asked for, the ids they get, and the terms they run under."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from domain.sources import SOURCES_MAX
from schemas.parts import (
    Contact,
    Count,
    FavorTerms,
    Id,
    IfIncomplete,
    Instant,
    Limits,
    ListedMember,
    Member,
    Message,
    Money,
    Party,
    PaymentChoices,
    PaymentTerms,
    Problem,
    Product,
    Text,
    Version,
    Visibility,
)
from schemas.topic import Topic


class Definition(Message):
    """What a shop opens to the public for group purchase."""

    type: Literal["Definition"] = "Definition"
    definition_id: Id
    shop_id: Id
    product: Product
    unit_price: Money
    currency: Annotated[str, StringConstraints(max_length=16)]
    favor: FavorTerms
    if_incomplete: IfIncomplete = "as-reached"
    limits: Limits = Limits()
    payment: PaymentChoices = PaymentChoices()
    published_at: Instant
    withdrawn_at: Instant | None = None
    version: Version = 1
    keyed_by: ClassVar[str] = "definition_id"


class IdClaimed(Message):
    """A request would run under this id, if no other does."""

    type: Literal["IdClaimed"] = "IdClaimed"
    group_id: Id
    request_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The id and who claims it."""
        return f"{self.group_id}/{self.request_id}"


class IdGranted(Message):
    """The id is the request's."""

    type: Literal["IdGranted"] = "IdGranted"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"

    @property
    def event_id(self) -> str:
        """The request and the attempt."""
        return f"{self.request_id}/{self.attempt}"


class IdTaken(Message):
    """The id is another request's: the next derivation is to be claimed."""

    type: Literal["IdTaken"] = "IdTaken"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"

    @property
    def event_id(self) -> str:
        """The request and the attempt."""
        return f"{self.request_id}/{self.attempt}"


class IdIssued(Message):
    """The request runs under ``group_id``."""

    type: Literal["IdIssued"] = "IdIssued"
    request_id: Id
    group_id: Id
    issued_at: Instant
    keyed_by: ClassVar[str] = "request_id"


class RequestRefused(Message):
    """The request can't be run; every problem is named."""

    type: Literal["RequestRefused"] = "RequestRefused"
    request_id: Id
    problems: tuple[Problem, ...]
    keyed_by: ClassVar[str] = "request_id"


class Terms(Message):
    """All that a group purchase runs under.

    Orders of ``sources`` count; if there are none, orders of any source count. ``shop_id`` is the
    shop that sells, ``seller_id`` the seller of the auction whose contract it is.
    """

    group_id: Id
    request_id: Id
    version: Version
    requested_at: Instant
    issued_at: Instant
    withdrawn_at: Instant | None = None
    definition_id: Id | None = None
    organizer: Party | None = None
    product: Product
    number_of_products: Annotated[int, Field(ge=1)]
    unit_price: Money | None = None
    currency: Annotated[str, StringConstraints(min_length=3, max_length=3)] | None = None
    opens_at: Instant
    closes_at: Instant
    grace_seconds: Count = 60
    stop_at_number: bool = False
    members: tuple[Member, ...] = ()
    member_parts: Count = 0
    payment: PaymentTerms = PaymentTerms()
    favor: FavorTerms = FavorTerms()
    if_incomplete: IfIncomplete = "as-reached"
    visibility: Visibility = "public"
    sources: tuple[Id, ...] = ()
    shop_id: Id | None = None
    seller_id: Id | None = None
    keyed_by: ClassVar[str] = "group_id"


class GroupPurchase(Terms):
    """A group purchase with its id: what was asked for, complete."""

    type: Literal["GroupPurchase"] = "GroupPurchase"


class MembersAdmitted(Message):
    """A part of the members of a group that one record can't hold; all parts precede the group."""

    type: Literal["MembersAdmitted"] = "MembersAdmitted"
    group_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    members: tuple[Member, ...]
    version: Version = 1
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/members/<part>``."""
        return f"{self.group_id}/members/{self.part}"


class GroupPurchaseRequested(Message):
    """A terminal asks for a group purchase.

    Terms may be left to the definition it names. All but the identity may be missing or impossible
    here: the rules refuse that with every problem named. Orders of ``sources`` count; if there are
    none, those of the definition's shop, and without a definition those of any source.
    ``shop_id`` is the shop whose key the request came with; a definition's shop goes before it.
    ``seller_id`` is the seller of the auction whose contract the request is.
    """

    type: Literal["GroupPurchaseRequested"] = "GroupPurchaseRequested"
    request_id: Id
    requested_at: Instant
    definition_id: Id | None = None
    organizer: Contact | None = None
    product: Product | None = None
    number_of_products: int | None = None
    unit_price: int | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    grace_seconds: int | None = None
    stop_at_number: bool = False
    members: Annotated[tuple[ListedMember, ...], Field(max_length=1_000)] = ()
    member_parts: Annotated[int, Field(ge=0, le=10_000)] = 0
    payment: PaymentTerms | None = None
    favor: FavorTerms | None = None
    if_incomplete: IfIncomplete | None = None
    visibility: Visibility = "public"
    sources: Annotated[tuple[Id, ...], Field(max_length=SOURCES_MAX)] = ()
    shop_id: Id | None = None
    seller_id: Id | None = None
    keyed_by: ClassVar[str] = "request_id"


class MembersListed(Message):
    """The ``part``-th of ``parts`` (from 1) of a request's members, beyond those in the request."""

    type: Literal["MembersListed"] = "MembersListed"
    request_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1, le=10_000)]
    members: Annotated[tuple[ListedMember, ...], Field(max_length=1_000)]
    keyed_by: ClassVar[str] = "request_id"

    @property
    def event_id(self) -> str:
        """The request and the part."""
        return f"{self.request_id}/{self.part}"


class GroupPurchaseWithdrawn(Message):
    """The organizer takes the request back."""

    type: Literal["GroupPurchaseWithdrawn"] = "GroupPurchaseWithdrawn"
    request_id: Id
    at: Instant
    reason: Text | None = None
    keyed_by: ClassVar[str] = "request_id"


DEFINITIONS = Topic(
    name="definitions",
    kind="fact",
    key="definition_id",
    messages=(Definition,),
    producers=("storefront",),
    consumers=("request_service", "storefront"),
    purpose="What shops open to the public for group purchase.",
    compacted=True,
)


GROUP_PURCHASE_REQUESTS = Topic(
    name="group-purchase-requests",
    kind="command",
    key="request_id",
    messages=(GroupPurchaseRequested, MembersListed, GroupPurchaseWithdrawn),
    producers=("storefront", "auction_service", "replay"),
    consumers=("request_service", "terminal"),
    purpose="Requests for a group purchase, and their withdrawal.",
)


ID_CLAIMS = Topic(
    name="id-claims",
    kind="step",
    key="group_id",
    messages=(IdClaimed,),
    producers=("request_service",),
    consumers=("request_service",),
    purpose="Claims to an id, keyed by the id itself, so that it is given once.",
)


ID_ANSWERS = Topic(
    name="id-answers",
    kind="step",
    key="request_id",
    messages=(IdGranted, IdTaken),
    producers=("request_service",),
    consumers=("request_service",),
    purpose="Whether a claimed id is the request's.",
)


REQUEST_OUTCOMES = Topic(
    name="request-outcomes",
    kind="fact",
    key="request_id",
    messages=(IdIssued, RequestRefused),
    producers=("request_service",),
    consumers=("storefront", "terminal", "replay"),
    purpose="The id a request runs under, or every reason why it can't.",
    compacted=True,
)


GROUP_PURCHASES = Topic(
    name="group-purchases",
    kind="fact",
    key="group_id, or group_id/members/part",
    messages=(GroupPurchase, MembersAdmitted),
    producers=("request_service",),
    consumers=("order_service", "payment_service", "shop_bridge", "storefront", "terminal"),
    purpose="All the terms a group purchase runs under.",
    compacted=True,
)
