"""Every message on every topic, as pydantic models: commands first, then facts.

Times are RFC 3339 in UTC, money is integer minor units, ids are opaque. Readers ignore fields they
do not know; the published JSON Schemas are closed. ``key`` is the record's key, and what stands
before its first slash decides the partition.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f\x7f]+$"),
]
Text = Annotated[str, StringConstraints(max_length=10_000)]


def _in_utc(at: datetime) -> datetime:
    """The same time with one and the same zone object, which also makes comparisons quick."""
    if not at.utcoffset():
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Quantity = Annotated[int, Field(ge=1, le=10**9)]
Money = Annotated[int, Field(ge=0, le=10**15)]
Percent = int | Annotated[float, Field(allow_inf_nan=False)]
Version = Annotated[int, Field(ge=1)]

PaymentScope = Literal["group", "member"]
Method = Literal["shop", "card", "invoice"]
IfIncomplete = Literal["as-reached", "none", "cancel-all"]
Visibility = Literal["public", "unlisted"]
Status = Literal["open", "complete", "elapsed", "withdrawn"]
Basis = Literal["complete", "elapsed", "late", "return"]


class Model(BaseModel):
    """A part of a message: strict about types, silent about fields it does not know."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


class Message(Model):
    """A record's value; ``type`` tells which."""

    #: The attribute whose value is the record's key before any slash.
    keyed_by: ClassVar[str]

    @property
    def key(self) -> str:
        """The record's key."""
        return str(getattr(self, self.keyed_by))


# --- parts ---------------------------------------------------------------------------------------


class Product(Model):
    """What is bought; the shop's id may be missing, the name not."""

    id: Id | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class MemberPayment(Model):
    """The method one member pays by when it is not the group's."""

    method: Method


class Person(Model):
    """Someone who gets letters; all but the id may be unknown."""

    id: Id
    email: Annotated[str, StringConstraints(max_length=320)] | None = None
    name: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None


class Member(Person):
    """A purchaser."""

    payment: MemberPayment | None = None


class PaymentTerms(Model):
    """Who pays, the organizer for the group or each member, and how."""

    scope: PaymentScope = "member"
    method: Method = "shop"


class PaymentChoices(Model):
    """What a definition lets a request choose."""

    scope: PaymentScope = "member"
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] = ("shop",)


class Tier(Model):
    """A step of the ladder: from this quantity or value, this favor."""

    from_quantity: int | None = None
    from_value: int | None = None
    percent_off: Percent | None = None
    amount_off: int | None = None
    unit_price: int | None = None
    gift: Annotated[str, StringConstraints(max_length=1_000)] | None = None


class FavorTerms(Model):
    """The ladder, and whether each member's own value or one sum for the group is reduced."""

    scope: PaymentScope = "member"
    tiers: Annotated[tuple[Tier, ...], Field(max_length=100)] = ()


class Limits(Model):
    """What a definition allows of number and period."""

    number_min: int | None = None
    number_max: int | None = None
    period_days_max: int | None = None


class Period(Model):
    """From ``opens_at``, before ``closes_at``."""

    opens_at: Instant
    closes_at: Instant


class Problem(Model):
    """One reason why a request is refused: the field, as a path, and what is wrong with it."""

    field: str
    problem: str


# --- commands ------------------------------------------------------------------------------------


class TimePassed(Message):
    """A feed's word that its time has come to ``at``; has no key, goes to every partition."""

    type: Literal["TimePassed"] = "TimePassed"
    at: Instant
    keyed_by: ClassVar[str] = ""

    @property
    def key(self) -> str:
        """Empty: it belongs to the partition, not to a key."""
        return ""


class GroupPurchaseRequested(Message):
    """A terminal asks for a group purchase.

    Terms may be left to the definition it names. All but the identity may be missing or impossible
    here: the rules refuse that with every problem named.
    """

    type: Literal["GroupPurchaseRequested"] = "GroupPurchaseRequested"
    request_id: Id
    requested_at: Instant
    definition_id: Id | None = None
    organizer: Person | None = None
    product: Product | None = None
    number_of_products: int | None = None
    unit_price: int | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    grace_seconds: int | None = None
    stop_at_number: bool = False
    members: Annotated[tuple[Member, ...], Field(max_length=1_000)] = ()
    member_parts: Annotated[int, Field(ge=0, le=10_000)] = 0
    payment: PaymentTerms | None = None
    favor: FavorTerms | None = None
    if_incomplete: IfIncomplete | None = None
    visibility: Visibility = "public"
    keyed_by: ClassVar[str] = "request_id"


class MembersListed(Message):
    """The ``part``-th of ``parts`` (from 1) of a request's members, beyond those in the request."""

    type: Literal["MembersListed"] = "MembersListed"
    request_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1, le=10_000)]
    members: Annotated[tuple[Member, ...], Field(max_length=1_000)]
    keyed_by: ClassVar[str] = "request_id"


class GroupPurchaseWithdrawn(Message):
    """The organizer takes the request back."""

    type: Literal["GroupPurchaseWithdrawn"] = "GroupPurchaseWithdrawn"
    request_id: Id
    at: Instant
    reason: Text | None = None
    keyed_by: ClassVar[str] = "request_id"


class Order(Message):
    """What placed and paid orders share; known by ``source`` and ``order_id``."""

    order_id: Id
    source: Id
    group_id: Id
    member_id: Id
    member_email: Annotated[str, StringConstraints(max_length=320)] | None = None
    quantity: Quantity
    unit_price: Money | None = None
    value: Money | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    ordered_at: Instant
    keyed_by: ClassVar[str] = "group_id"


class OrderPlaced(Order):
    """A purchaser ordered under the group's id."""

    type: Literal["OrderPlaced"] = "OrderPlaced"


class OrderPaid(Order):
    """The shop says that the order is paid; an order not seen yet is created by it."""

    type: Literal["OrderPaid"] = "OrderPaid"


class OrderCancelled(Message):
    """The order is void; wins whether it comes before or after its order."""

    type: Literal["OrderCancelled"] = "OrderCancelled"
    order_id: Id
    source: Id
    group_id: Id
    cancelled_at: Instant
    keyed_by: ClassVar[str] = "group_id"


class OrderReturned(Message):
    """Goods came back (or were charged back); without ``order_id``, of the latest orders."""

    type: Literal["OrderReturned"] = "OrderReturned"
    return_id: Id
    source: Id
    group_id: Id
    member_id: Id
    order_id: Id | None = None
    quantity: Quantity
    returned_at: Instant
    keyed_by: ClassVar[str] = "group_id"


class KeyParked(Message):
    """Ops set one key of one service aside until a tombstone of the same record key."""

    type: Literal["KeyParked"] = "KeyParked"
    service: Id
    parked: Id
    at: Instant
    reason: Text | None = None
    keyed_by: ClassVar[str] = "parked"

    @property
    def key(self) -> str:
        """``<key>/<service>``."""
        return f"{self.parked}/{self.service}"


# --- facts ---------------------------------------------------------------------------------------


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


class IdGranted(Message):
    """The id is the request's."""

    type: Literal["IdGranted"] = "IdGranted"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"


class IdTaken(Message):
    """The id is another request's: the next derivation is to be claimed."""

    type: Literal["IdTaken"] = "IdTaken"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"


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
    """All that a group purchase runs under."""

    group_id: Id
    request_id: Id
    version: Version
    requested_at: Instant
    issued_at: Instant
    withdrawn_at: Instant | None = None
    definition_id: Id | None = None
    organizer: Person | None = None
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


class PurchaseOpened(Terms):
    """The terms, in the topic that tells the group's story."""

    type: Literal["PurchaseOpened"] = "PurchaseOpened"

    @property
    def key(self) -> str:
        """``<group_id>/definition``."""
        return f"{self.group_id}/definition"


class PurchaseRow(Message):
    """One purchaser's row of the purchase condition management table."""

    type: Literal["PurchaseRow"] = "PurchaseRow"
    group_id: Id
    request_id: Id
    member_id: Id
    version: Version
    quantity: Count
    value: Money
    currency: str | None = None
    period: Period
    first_ordered_at: Instant | None = None
    last_ordered_at: Instant | None = None
    orders: Count
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/member/<member_id>``."""
        return f"{self.group_id}/member/{self.member_id}"


class PurchaseState(Message):
    """A group's summary; ``members`` counts those with a quantity above zero."""

    type: Literal["PurchaseState"] = "PurchaseState"
    group_id: Id
    request_id: Id
    version: Version
    status: Status
    quantity: Count
    value: Money
    currency: str | None = None
    members: Count
    closed_at: Instant | None = None
    keyed_by: ClassVar[str] = "group_id"


class OrderRefused(Message):
    """An order, or the part of a return that exceeds what was ordered, that does not count.

    For a return, ``order_id`` is the ``return_id``.
    """

    type: Literal["OrderRefused"] = "OrderRefused"
    group_id: Id
    order_id: Id
    source: Id
    member_id: Id | None = None
    quantity: Count
    reason: str
    version: Version = 1
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/refused/<source>/<order_id>``."""
        return f"{self.group_id}/refused/{self.source}/{self.order_id}"


class FavorDecision(Message):
    """What a group's close decided: the tier, or none, and what it comes to over all members.

    ``tier`` is null when no tier was reached, or the terms give nothing to an incomplete group;
    ``cancel_all`` says that every member gets the whole value back.
    """

    type: Literal["FavorDecision"] = "FavorDecision"
    group_id: Id
    request_id: Id
    version: Version
    tier: Tier | None = None
    cancel_all: bool = False
    total: Money
    currency: str | None = None
    members: Count
    keyed_by: ClassVar[str] = "group_id"


class Favor(Message):
    """What one member gets."""

    type: Literal["Favor"] = "Favor"
    group_id: Id
    request_id: Id
    member_id: Id
    version: Version
    basis: Basis
    percent: Percent | None = None
    gift: str | None = None
    amount: Money
    currency: str | None = None
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/member/<member_id>``."""
        return f"{self.group_id}/member/{self.member_id}"


class PaymentCause(Model):
    """What money moves for: an order, a favor of a version, or a withdrawal."""

    kind: Literal["order", "favor", "withdrawal"]
    source: Id | None = None
    order_id: Id | None = None
    favor_version: Version | None = None


class Payment(Message):
    """One movement of money and how it stands."""

    type: Literal["Payment"] = "Payment"
    payment_id: Id
    group_id: Id
    member_id: Id | None = None
    kind: Literal["authorisation", "charge", "capture", "refund", "release", "invoice", "credit"]
    method: Method
    amount: Money
    currency: str
    status: Literal["pending", "authorised", "succeeded", "failed", "cancelled"]
    cause: PaymentCause
    provider_reference: str | None = None
    version: Version
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/payment/<payment_id>``."""
        return f"{self.group_id}/payment/{self.payment_id}"


class GroupSettled(Message):
    """All of a group's favors and payments are through."""

    type: Literal["GroupSettled"] = "GroupSettled"
    group_id: Id
    request_id: Id
    settled_at: Instant
    version: Version
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/settled``."""
        return f"{self.group_id}/settled"
