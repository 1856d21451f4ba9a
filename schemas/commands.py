"""What is asked for or has happened outside: written by people, shops and operations."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import (
    Address,
    FavorTerms,
    Id,
    IfIncomplete,
    Instant,
    Member,
    Message,
    Money,
    PaymentTerms,
    Person,
    Product,
    Quantity,
    Text,
    Visibility,
)
from schemas.sources import SOURCES_MAX

#: An order can be confirmed for this long after it was placed.
CONFIRMED_WITHIN = timedelta(hours=48)


def confirm_by(ordered_at: datetime) -> datetime:
    """When an order expires: its confirmation must be before this time."""
    try:
        return ordered_at + CONFIRMED_WITHIN
    except OverflowError:  # the last two days of the calendar
        return datetime.max.replace(tzinfo=UTC)


def units_by_link_max(number_of_products: int, ordered: int, *, stops: bool) -> int:
    """The most units of one order by a link.

    If the group ``stops`` at its number and has not reached it: the units still missing. Else the
    number.
    """
    missing = number_of_products - ordered
    return missing if stops and missing > 0 else number_of_products


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
    here: the rules refuse that with every problem named. Orders of ``sources`` count; if there are
    none, those of the definition's shop, and without a definition those of any source.
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
    sources: Annotated[tuple[Id, ...], Field(max_length=SOURCES_MAX)] = ()
    keyed_by: ClassVar[str] = "request_id"


class MembersListed(Message):
    """The ``part``-th of ``parts`` (from 1) of a request's members, beyond those in the request."""

    type: Literal["MembersListed"] = "MembersListed"
    request_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1, le=10_000)]
    members: Annotated[tuple[Member, ...], Field(max_length=1_000)]
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


class Order(Message):
    """What placed and paid orders share; known by ``source`` and ``order_id``.

    ``member_locale`` (BCP 47) and ``member_time_zone`` (IANA) are how its letters are written.
    """

    order_id: Id
    source: Id
    group_id: Id
    member_id: Id
    member_email: Annotated[str, StringConstraints(max_length=320)] | None = None
    member_locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    member_time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    quantity: Quantity
    unit_price: Money | None = None
    value: Money | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    ordered_at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def address(self) -> Address | None:
        """Where letters about it go, if it says so."""
        if not self.member_email:
            return None
        return Address(self.member_email, None, self.member_locale, self.member_time_zone)


class OrderPlaced(Order):
    """A purchaser ordered under the group's id.

    ``unconfirmed``: it does not count before an ``OrderConfirmed``, as anybody may have sent it.
    """

    type: Literal["OrderPlaced"] = "OrderPlaced"
    unconfirmed: bool = False


class OrderConfirmed(Message):
    """The owner of the mailbox confirms an order, or a front end that checked the mailbox does.

    The confirmation may come before its order.
    """

    type: Literal["OrderConfirmed"] = "OrderConfirmed"
    order_id: Id
    source: Id
    group_id: Id
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group, the source and the order."""
        return f"{self.group_id}/{self.source}/{self.order_id}"


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


class PaymentReported(Message):
    """What a shop, a bank or a provider of payments says of one payment; a word may come again.

    ``amount`` is what moved, in minor units, where that can be less than the whole: so much of an
    invoice was paid. Without it all that was open is meant. ``code`` is what a payer got in place
    of money, to be used in the shop.
    """

    type: Literal["PaymentReported"] = "PaymentReported"
    report_id: Id
    group_id: Id
    payment_id: Id
    status: Literal["authorised", "succeeded", "failed", "cancelled"]
    provider_reference: Annotated[str, StringConstraints(max_length=255)] | None = None
    amount: Money | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None
    code: Annotated[str, StringConstraints(max_length=64)] | None = None
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the report."""
        return f"{self.group_id}/{self.report_id}"


class PaymentDisputed(Message):
    """A payment provider's report of a dispute of one card payment; it may repeat.

    ``open`` is also a question of the payer's bank before a dispute. ``lost``: the money went back
    to the payer. ``amount`` is disputed, in minor units of the payment's currency; without it the
    whole payment is disputed.
    """

    type: Literal["PaymentDisputed"] = "PaymentDisputed"
    report_id: Id
    group_id: Id
    payment_id: Id
    dispute_id: Id
    state: Literal["open", "won", "lost"]
    amount: Money | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the report."""
        return f"{self.group_id}/{self.report_id}"


class PaymentRetried(Message):
    """Someone wants a payment that failed to be tried again: its payer, or ops."""

    type: Literal["PaymentRetried"] = "PaymentRetried"
    group_id: Id
    payment_id: Id
    at: Instant
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
