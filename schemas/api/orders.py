"""Bodies of the HTTP API about orders, cancellations and returns."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.api.parts import Amount, Currency, Given, GivenId, Moment, PersonGiven, Units, View

OrderedState = Literal["counted", "recorded", "unconfirmed"]


class OrderGiven(Given):
    """An order under a group's id.

    A shop gives its ``order_id`` and the member's id. The holder of a member's link gives only the
    quantity. The holder of a link for anybody, or of one for a member without a known address,
    gives an address too. The name of the ``member`` may be left out; the organizer and the seller
    see it, and nobody else.
    """

    state: Literal["placed", "paid"] = "placed"
    order_id: GivenId | None = None
    source: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    member: PersonGiven | None = None
    quantity: Units
    unit_price: Amount | None = None
    value: Amount | None = None
    currency: Currency | None = None
    ordered_at: Moment | None = None


class CancellationGiven(Given):
    """An order that was cancelled."""

    order_id: GivenId
    source: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    cancelled_at: Moment | None = None


class ReturnGiven(Given):
    """Returned goods; without ``order_id``, of the member's latest orders."""

    return_id: GivenId
    member_id: GivenId
    source: Annotated[
        GivenId | None,
        Field(
            description="The source of the returned order: `storefront` for an order made on our"
            " pages. Any other is for the admin's key only."
        ),
    ] = None
    order_id: GivenId | None = None
    quantity: Units
    returned_at: Moment | None = None


class OrderAnswer(View):
    """The result of an order or a return.

    `unconfirmed` until the purchaser follows the link in a letter, within 48 hours; the order does
    not count before. `recorded` when it waits for its money, or when the outcome takes longer.
    """

    order_id: str
    source: str
    member_id: str
    status: OrderedState


class CancellationAnswer(View):
    """A cancellation is recorded; it wins over its order, whichever comes first."""

    order_id: str
    status: Literal["recorded"] = "recorded"
