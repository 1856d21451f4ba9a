"""What shops tell of their orders, made alike: steps between shop_bridge's ears and its head.

A shop's order is known by ``<source>:<order_id>``. Each message says how something stands, never
what to add, so that it may come twice and in any order.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import EMAIL_MAX, NUMBER_MAX, Id, Instant, Message, Model, Money, Quantity
from schemas.topic import Topic

Units = Annotated[int, Field(ge=0, le=NUMBER_MAX)]


LINES_MAX = 2_000
SHOP_ID_MAX = 40
#: Characters of an order's number, of a product's name, and of an invalid group id.
NAME_MAX = 100
PRODUCT_NAMES_MAX = 100
PROBLEM_MAX = 500


#: A shop's own id: ours are made of it, with an end.
ShopId = Annotated[
    str, StringConstraints(min_length=1, max_length=SHOP_ID_MAX, pattern=r"^[^/\x00-\x1f\x7f]+$")
]


#: The name of an order for people, such as its number.
OrderNumber = Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)]


#: Ids and the SKU of a product, as a shop writes them.
ProductNames = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)], ...],
    Field(max_length=PRODUCT_NAMES_MAX),
]


class ShopLine(Model):
    """A line of a shop's order: ``removed`` of its ``quantity`` were refunded or taken out.

    ``value`` is of the whole quantity. ``mistyped`` is what should have been a group's id: ops
    can set ``group_id`` in the dead letter and send it again. ``products`` are the shop's
    ids and SKU of the line's product. They are ``compared`` with the group's product if only the
    order names the group. ``problem`` says why the line can't be counted; its numbers are then 0.
    """

    line_id: ShopId
    quantity: Units
    removed: Units = 0
    value: Money
    group_id: Id | None = None
    mistyped: Annotated[str, StringConstraints(max_length=NAME_MAX)] | None = None
    products: ProductNames = ()
    compared: bool = False
    problem: Annotated[str, StringConstraints(max_length=200)] | None = None


class ShopOrderSeen(Message):
    """How an order stood at ``updated_at``.

    ``buyer_id`` is the shop's own id of the buyer, as a cart can name any ``member_id``; absent if
    it is the member's.
    ``cancelled`` is absent if the shop did not send it. ``told_at`` is when the shop sent the
    snapshot; it decides between two snapshots of one ``updated_at`` and is absent if it can't be
    trusted for that. ``deliveries`` are the shop's ids of its deliveries. ``number`` is the name of
    the order for the shop's people. ``part_id`` is set for a snapshot of a sub-order, which repeats
    goods of its parent. ``strictly`` is whether no line counts if none is the group's product.
    ``problem`` names the group's lines that can't be counted, for people.
    """

    type: Literal["ShopOrderSeen"] = "ShopOrderSeen"
    shop_order: Id
    source: Id
    order_id: ShopId
    member_id: Id
    buyer_id: Id | None = None
    member_email: Annotated[str, StringConstraints(max_length=EMAIL_MAX)] | None = None
    currency: Annotated[str, StringConstraints(max_length=16)]
    ordered_at: Instant
    updated_at: Instant
    paid: bool
    cancelled: bool | None = None
    lines: Annotated[tuple[ShopLine, ...], Field(max_length=LINES_MAX)]
    told_at: Instant | None = None
    deliveries: Annotated[tuple[Id, ...], Field(max_length=2)] = ()
    number: OrderNumber | None = None
    part_id: ShopId | None = None
    strictly: bool = False
    problem: Annotated[str, StringConstraints(max_length=PROBLEM_MAX)] | None = None
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and its times; the shop's delivery ids tell two of one second apart."""
        return "/".join((self.shop_order, *_times(self), *self.deliveries))


class ShopOrderUnnamed(Message):
    """The state of an order that names no group: it matters only if the order named one before.

    It has the fields that such an order can change, without its buyer, as most of these orders are
    for no group.
    ``part_id`` is the sub-order that this is a snapshot of.
    """

    type: Literal["ShopOrderUnnamed"] = "ShopOrderUnnamed"
    shop_order: Id
    updated_at: Instant
    paid: bool
    cancelled: bool | None = None
    lines: Annotated[tuple[ShopLine, ...], Field(max_length=LINES_MAX)]
    told_at: Instant | None = None
    part_id: ShopId | None = None
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and its times."""
        return "/".join((self.shop_order, *_times(self), "unnamed"))


def _times(seen: ShopOrderSeen | ShopOrderUnnamed) -> tuple[str, ...]:
    part = () if seen.part_id is None else (seen.part_id,)
    told_at = () if seen.told_at is None else (seen.told_at.isoformat(),)
    return (*part, seen.updated_at.isoformat(), *told_at)


class ShopOrderUnread(Message):
    """An order that could not be read or fetched, or that people must correct.

    It is a ``Task`` for people until a snapshot of the order is read, or a ``ShopOrderRead``
    says that none will come. ``reason`` is a code, ``problem`` says it in words, without values of
    the order.
    """

    type: Literal["ShopOrderUnread"] = "ShopOrderUnread"
    shop_order: Id
    source: Id
    order_id: ShopId
    number: OrderNumber | None = None
    reason: Annotated[str, StringConstraints(max_length=100)]
    problem: Annotated[str, StringConstraints(max_length=PROBLEM_MAX)]
    at: Instant
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and the time of the problem."""
        return f"{self.shop_order}/unread/{self.at.isoformat()}"


class ShopOrderRead(Message):
    """An order that was ``ShopOrderUnread`` has been read, and no snapshot stands under this key.

    A sub-order's snapshot stands under its parent's key, and an order that is at the checkout has
    none. It ends the order's task, and changes nothing of what counts.
    """

    type: Literal["ShopOrderRead"] = "ShopOrderRead"
    shop_order: Id
    at: Instant
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and when it was read."""
        return f"{self.shop_order}/read/{self.at.isoformat()}"


class ProductAsked(Message):
    """A question for a group's product, with which an order's lines are compared."""

    type: Literal["ProductAsked"] = "ProductAsked"
    group_id: Id
    shop_order: Id
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the order."""
        return f"{self.group_id}/{self.shop_order}"


class ProductTold(Message):
    """The id of a group's product; absent if its terms are not known or name no id."""

    type: Literal["ProductTold"] = "ProductTold"
    shop_order: Id
    group_id: Id
    product_id: Id | None = None
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and the group."""
        return f"{self.shop_order}/{self.group_id}"


class ShopLineChange(Model):
    """By how much an edit raised a line, or with a minus lowered it."""

    line_id: ShopId
    delta: Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX)]


class ShopOrderEdited(Message):
    """An edit of an order's lines; a later ``ShopOrderSeen`` has it in its quantities."""

    type: Literal["ShopOrderEdited"] = "ShopOrderEdited"
    shop_order: Id
    edit_id: ShopId
    edited_at: Instant
    changes: Annotated[tuple[ShopLineChange, ...], Field(max_length=LINES_MAX)]
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and the edit."""
        return f"{self.shop_order}/{self.edit_id}"


class ShopRefundLine(Model):
    """How many of a line came back with a refund."""

    line_id: ShopId
    quantity: Quantity


class ShopRefundSeen(Message):
    """A refund of an order's lines."""

    type: Literal["ShopRefundSeen"] = "ShopRefundSeen"
    shop_order: Id
    refund_id: ShopId
    refunded_at: Instant
    lines: Annotated[tuple[ShopRefundLine, ...], Field(max_length=LINES_MAX)]
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and the refund."""
        return f"{self.shop_order}/{self.refund_id}"


class ShopOrderGone(Message):
    """The shop has deleted the order; all that is known of it is its id."""

    type: Literal["ShopOrderGone"] = "ShopOrderGone"
    shop_order: Id
    gone_at: Instant
    keyed_by: ClassVar[str] = "shop_order"


SHOP_EVENTS = Topic(
    name="shop-events",
    kind="step",
    key="shop_order",
    messages=(
        ShopOrderSeen,
        ShopOrderUnnamed,
        ShopOrderEdited,
        ShopRefundSeen,
        ShopOrderGone,
        ShopOrderUnread,
        ShopOrderRead,
        ProductTold,
    ),
    producers=("shop_bridge",),
    consumers=("shop_bridge",),
    purpose="The state of shops' orders, from webhooks and polls.",
)


SHOP_QUESTIONS = Topic(
    name="shop-questions",
    kind="step",
    key="group_id",
    messages=(ProductAsked,),
    producers=("shop_bridge",),
    consumers=("shop_bridge",),
    purpose="Questions for a group's product, with which a shop's order is compared.",
)
