"""Bodies of the HTTP API about definitions, requests and group purchases."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.sources import SOURCES_MAX, takes_orders_here
from schemas.api.parts import (
    Amount,
    Currency,
    Given,
    GivenId,
    Line,
    Moment,
    Number,
    PersonGiven,
    Price,
    ProductGiven,
    Units,
    View,
    WholeNumber,
)
from schemas.parts import (
    FavorTerms,
    IfIncomplete,
    Limits,
    Method,
    MinorUnits,
    PaymentChoices,
    PaymentScope,
    PaymentTerms,
    Product,
    Status,
    Tier,
    Visibility,
)

#: Of all orders of a payer: nothing says, some money is still to come, it is reserved on a card, or
#: all of it came.
PaidState = Literal["none", "unpaid", "reserved", "paid"]
MEMBERS_MAX = 10_000
TIERS_MAX = 100
#: Text of several lines; the rules drop control characters and judge the length.
Words = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class MemberPaymentGiven(Given):
    """A member's payment method, if it differs from the group's."""

    method: Method


class MemberGiven(PersonGiven):
    """A purchaser of the group; without an id, the address makes one."""

    payment: MemberPaymentGiven | None = None


class PaymentGiven(Given):
    """Who pays, and how; what is left out is the definition's."""

    scope: PaymentScope | None = None
    method: Method | None = None


class TierGiven(Given):
    """A step of the ladder: from one quantity or value, one favor."""

    from_quantity: Number | None = None
    from_value: Price | None = None
    percent_off: Annotated[float, Field(ge=-1e6, le=1e6)] | None = None
    amount_off: Price | None = None
    unit_price: Price | None = None
    gift: Line | None = None


class FavorGiven(Given):
    """The ladder, and whether each member's value or one sum for the group is reduced."""

    scope: PaymentScope = "member"
    tiers: Annotated[tuple[TierGiven, ...], Field(max_length=TIERS_MAX)] = ()


class LimitsGiven(Given):
    """What a definition allows."""

    number_min: Units | None = None
    number_max: Units | None = None
    period_days_max: Annotated[int, Field(ge=1, le=100_000), WholeNumber] | None = None


class ChoicesGiven(Given):
    """What a definition lets a request choose."""

    scope: PaymentScope = "member"
    methods: Annotated[tuple[Method, ...], Field(min_length=1, max_length=3)] = ("shop",)


class DefinitionGiven(Given):
    """What a shop opens to the public; with ``definition_id``, a new version of its own."""

    definition_id: GivenId | None = None
    shop_id: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    product: ProductGiven
    unit_price: Amount
    currency: Currency
    favor: FavorGiven = FavorGiven()
    if_incomplete: IfIncomplete = "as-reached"
    limits: LimitsGiven = LimitsGiven()
    payment: ChoicesGiven = ChoicesGiven()


class GroupGiven(Given):
    """A request for a group purchase; its own terms need a shop's key."""

    definition_id: GivenId | None = None
    organizer: PersonGiven | None = None
    number_of_products: Number | None = None
    product: ProductGiven | None = None
    unit_price: Price | None = None
    currency: Currency | None = None
    favor: FavorGiven | None = None
    if_incomplete: IfIncomplete | None = None
    grace_seconds: Number | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    stop_at_number: bool = False
    members: Annotated[tuple[MemberGiven, ...], Field(max_length=MEMBERS_MAX)] = ()
    payment: PaymentGiven | None = None
    visibility: Visibility = "public"
    sources: Annotated[
        tuple[GivenId, ...] | None,
        Field(
            max_length=SOURCES_MAX,
            description="Sources whose orders count: shops' ids, `storefront` for our own pages,"
            " `admin`. Without any: those of the definition's shop or of the key's.",
        ),
    ] = None


class RequestAnswer(View):
    """The result of a request."""

    request_id: str
    status: Literal["issued", "pending"]
    group_id: str | None
    organizer_link: str | None = Field(
        description="The organizer's page; whoever has it may act as the organizer."
    )
    organizer_token: str | None = Field(
        description="The same for programs, as `Authorization: Bearer`."
    )
    request_token: str = Field(description="Asks for the outcome, as `Authorization: Bearer`.")


class DefinitionSummary(View):
    """A line of the list of definitions."""

    definition_id: str
    shop_id: str
    product: Product
    unit_price: MinorUnits
    currency: str
    published_at: datetime


class DefinitionView(View):
    """What a shop opens to the public for group purchase."""

    definition_id: str
    shop_id: str
    version: int
    product: Product
    unit_price: MinorUnits
    currency: str
    favor: FavorTerms
    if_incomplete: IfIncomplete
    limits: Limits
    payment: PaymentChoices
    published_at: datetime
    withdrawn_at: datetime | None


class GroupSummary(View):
    """A line of the list of group purchases."""

    group_id: str
    status: Status
    product: Product
    unit_price: MinorUnits | None
    currency: str | None
    number_of_products: int
    quantity: int
    missing: int
    members: int
    opens_at: datetime
    closes_at: datetime
    definition_id: str | None
    shop_id: str | None = Field(default=None, description="The shop that sells.")


class GroupProgress(View):
    """What changes of a group purchase: each event of an open page is one."""

    group_id: str
    version: int
    status: Status
    quantity: int
    value: MinorUnits
    currency: str | None
    members: int
    missing: int | None
    closed_at: datetime | None


class Decided(View):
    """What the close decided: the tier, if any, and what it comes to over all members."""

    tier: Tier | None
    cancel_all: bool
    total: MinorUnits
    members: int


class GroupView(GroupSummary):
    """A group purchase with its terms; never its people.

    ``version`` is that of its progress, 0 before there is any. ``tier_reached`` and ``next_tier``
    count ``favor.tiers`` from 0, lowest start first; ``missing_to_next`` is in units, or in minor
    units of money where tiers start from a value. Orders of ``sources`` count; if there are
    none, orders of any source count. ``shop_id`` or ``seller_id`` is who sells.
    """

    version: int
    value: MinorUnits
    members_listed: bool
    closed_at: datetime | None
    withdrawn_at: datetime | None
    visibility: Visibility
    payment: PaymentTerms
    sources: tuple[str, ...] = ()
    shop_id: str | None = None
    seller_id: str | None = None
    favor: FavorTerms
    tier_reached: int | None
    next_tier: int | None
    missing_to_next: int | None = Field(
        description="Units; where tiers start from a value, minor units of the currency."
    )
    if_incomplete: IfIncomplete
    stop_at_number: bool
    decision: Decided | None

    @property
    def takes_orders_here(self) -> bool:
        """Whether an order made on a page can count: what buyers pay at the shop can't."""
        return takes_orders_here(self.payment.scope, self.payment.method, self.sources)


class MessageGiven(Given):
    """What the organizer writes to all who are listed or have ordered: plain text.

    At most 2,000 characters are sent, after control characters are dropped.
    """

    words: Words


class MessageAnswer(View):
    """A message on its way; ``recipients`` is the number of emails."""

    message_id: str
    recipients: int


class TableRow(View):
    """A purchaser's line of the purchase condition management table.

    For the organizer, the shop and the winning seller only. ``name`` is the person's newest name,
    and null if that was given elsewhere. The admin, the winning seller and the shop whose person it
    is see it anyway. ``email`` and the units ``reserved`` are for the winning seller of a concluded
    contract alone. A listed member who has not ordered has a line of 0 units.
    """

    member_id: str
    name: str | None
    email: str | None
    quantity: int
    value: MinorUnits
    currency: str | None
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    favor_amount: MinorUnits | None
    gift: str | None
    payment: PaidState | None = Field(
        default=None,
        description="Whether the orders are paid; null where the organizer pays for all.",
    )
    reserved: int | None = None
