"""What shops tell of their orders, made alike: steps between shop_bridge's ears and its head.

A shop's order is known by ``<source>:<order_id>``. Each message says how something stands, never
what to add, so that it may come twice and in any order.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import NUMBER_MAX, Id, Instant, Message, Model, Money, Quantity

Units = Annotated[int, Field(ge=0, le=NUMBER_MAX)]
LINES_MAX = 2_000
#: A shop's own id: ours are made of it, with an end.
ShopId = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^/\x00-\x1f\x7f]+$")
]


#: What people call an order.
OrderNumber = Annotated[str, StringConstraints(min_length=1, max_length=100)]
#: Ids and the SKU of a product, as a shop writes them.
ProductNames = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...],
    Field(max_length=100),
]


class ShopLine(Model):
    """A line of a shop's order: ``removed`` of its ``quantity`` were refunded or taken out.

    ``value`` is of the whole quantity. ``mistyped`` is what should have been a group's id: ops
    can set ``group_id`` in the dead letter and send it again. ``products`` is what the shop calls
    the line's product: ids and SKU. It is ``compared`` with the group's product where only the
    order names the group. ``problem`` says why the line can't be counted; its numbers are 0 then.
    """

    line_id: ShopId
    quantity: Units
    removed: Units = 0
    value: Money
    group_id: Id | None = None
    mistyped: Annotated[str, StringConstraints(max_length=100)] | None = None
    products: ProductNames = ()
    compared: bool = False
    problem: Annotated[str, StringConstraints(max_length=200)] | None = None


class ShopOrderSeen(Message):
    """How an order stood at ``updated_at``.

    ``cancelled`` is absent where what the shop sent says nothing of it. ``told_at`` is when the
    shop said so; it decides between two snapshots of one ``updated_at`` and is absent where it
    can't be trusted for that. ``deliveries`` are the ids by which the shop tells its deliveries
    apart. ``number`` is what the shop's people call it. ``part_id`` is the sub-order that this is a
    snapshot of: it tells goods of the order that it is a part of once more. ``strictly`` is whether
    no line counts if none is the group's product. ``problem`` says what of it can't be counted,
    though it is a group's: people must look.
    """

    type: Literal["ShopOrderSeen"] = "ShopOrderSeen"
    shop_order: Id
    source: Id
    order_id: ShopId
    member_id: Id
    member_email: Annotated[str, StringConstraints(max_length=320)] | None = None
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
    problem: Annotated[str, StringConstraints(max_length=500)] | None = None
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and its times; two of one second differ by what the shop calls them."""
        return "/".join((self.shop_order, *_times(self), *self.deliveries))


class ShopOrderUnnamed(Message):
    """How an order stood that names no group: it concerns us only if it named one before.

    It has what such an order can change, and nothing of its buyer, as most are none of ours.
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
    """An order that could not be read or fetched, or of which people must mend something.

    It is left to people as a ``Task`` until a snapshot of the order is read, or a
    ``ShopOrderRead`` tells that there is none to come. ``reason`` is a code, ``problem`` says it in
    words, without values of the order.
    """

    type: Literal["ShopOrderUnread"] = "ShopOrderUnread"
    shop_order: Id
    source: Id
    order_id: ShopId
    number: OrderNumber | None = None
    reason: Annotated[str, StringConstraints(max_length=100)]
    problem: Annotated[str, StringConstraints(max_length=500)]
    at: Instant
    keyed_by: ClassVar[str] = "shop_order"

    @property
    def event_id(self) -> str:
        """The order and when it was met."""
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
    """Which product is a group's? An order has lines to compare with it."""

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
