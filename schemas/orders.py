"""Orders under a group purchase, and what they add up to."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from domain.people import of_source
from schemas.groups import Terms
from schemas.parts import (
    EMAIL_MAX,
    Contact,
    Count,
    Id,
    Instant,
    Message,
    Money,
    NameMark,
    Period,
    PersonId,
    Quantity,
    Status,
    Version,
)
from schemas.topic import Topic


class PurchaseOpened(Terms):
    """The terms, in the topic that tells the group's story."""

    type: Literal["PurchaseOpened"] = "PurchaseOpened"

    @property
    def key(self) -> str:
        """``<group_id>/definition``."""
        return f"{self.group_id}/definition"


class PurchaseRow(Message):
    """One purchaser's row of the purchase condition management table.

    ``orders_mark`` tells which orders count, as ``ids.order_mark`` has it, where the purchaser pays
    for each by card or invoice.
    """

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
    orders_mark: Count | None = None
    #: The person who gets letters about this row; left out if no address is known.
    person_id: PersonId | None = None
    #: Which name the group's request, or else an order, gave to this person.
    name_mark: NameMark | None = None
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


class Order(Message):
    """What placed and paid orders share; known by ``source`` and ``order_id``.

    ``member_name``, ``member_locale`` (BCP 47) and ``member_time_zone`` (IANA) are how its letters
    are written. The name is taken only with an address. ``person_id`` is the person in ``people``
    if it is not the source's member of that id; then the address may be left out.
    """

    order_id: Id
    source: Id
    group_id: Id
    member_id: Id
    person_id: PersonId | None = None
    member_email: Annotated[str, StringConstraints(max_length=EMAIL_MAX)] | None = None
    member_name: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    member_locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    member_time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    quantity: Quantity
    unit_price: Money | None = None
    value: Money | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    ordered_at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def contact(self) -> Contact | None:
        """Its member with the address that it came with; ``None`` if no letter can go there."""
        if not (self.member_email or self.person_id):
            return None
        return Contact(
            id=self.member_id,
            person_id=self.person_id or of_source(self.source, self.member_id),
            email=self.member_email,
            name=self.member_name if self.member_email else None,
            locale=self.member_locale,
            time_zone=self.member_time_zone,
        )


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


#: Characters of an organizer's message.
WORDS_MAX = 2_000


class GroupMessage(Message):
    """The organizer writes to all who are listed or have ordered; plain text."""

    type: Literal["GroupMessage"] = "GroupMessage"
    message_id: Id
    group_id: Id
    words: Annotated[str, StringConstraints(min_length=1, max_length=WORDS_MAX)]
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the message."""
        return f"{self.group_id}/{self.message_id}"


ORDERS = Topic(
    name="orders",
    kind="command",
    key="group_id",
    messages=(
        OrderPlaced,
        OrderConfirmed,
        OrderPaid,
        OrderCancelled,
        OrderReturned,
        GroupMessage,
    ),
    producers=("shop_bridge", "storefront", "replay"),
    consumers=("order_service", "payment_service", "shop_bridge", "terminal"),
    purpose="What purchasers order, confirm, pay, cancel and return, and organizers' messages.",
)


PURCHASES = Topic(
    name="purchases",
    kind="fact",
    key="group_id, or group_id/definition, /member/member_id, /refused/source/order_id",
    messages=(PurchaseState, PurchaseOpened, PurchaseRow, OrderRefused),
    producers=("order_service",),
    consumers=("favor_service", "payment_service", "storefront", "terminal"),
    purpose="A group's whole story in order: terms, purchasers' rows, refusals, summary.",
    compacted=True,
)
