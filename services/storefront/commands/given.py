"""What people and programs give with a command: shapes that are checked, and named field by field.

Only shape is checked here (400); whether something is possible the rules say (422). A model of this
module is both what is validated and what the documentation says.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import to_json

from domain.mailboxes import mailbox
from domain.sources import SOURCES_MAX
from schemas.auctions import QUANTITY_MAX_PER_APPLICANT
from schemas.parts import NUMBER_MAX, SUM_MAX, IfIncomplete, Method, PaymentScope, Visibility
from schemas.refusals import ProblemCode
from services.storefront.problems import invalid
from texts.shapes import ShapeError

G = TypeVar("G", bound=BaseModel)

MEMBERS_MAX = 10_000
TIERS_MAX = 100
#: Transfers in one request.
TRANSFERS_MAX = 100

#: No control characters, no slash: what an id of the system may be.
ID_PATTERN = r"^[^/\x00-\x1f\x7f-\x9f]+$"
_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"

GivenId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=ID_PATTERN)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
#: One valid address; only a letter shows whether the mailbox exists.
Address = Annotated[
    str,
    StringConstraints(max_length=320),
    AfterValidator(lambda text: mailbox(text).written),
    Field(json_schema_extra={"format": "idn-email"}),
]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z0-9_\-]+$")]
TimeZone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+\-/]+$")]
Currency = Annotated[str, StringConstraints(max_length=16, pattern=r"^[A-Za-z]+$")]


def _whole(number: object) -> object:
    """In JSON, 5.0 is an integer too."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = BeforeValidator(_whole)
Number = Annotated[int, Field(ge=-SUM_MAX, le=SUM_MAX), Whole]
Amount = Annotated[int, Field(ge=0, le=SUM_MAX), Whole]
Units = Annotated[int, Field(ge=1, le=NUMBER_MAX), Whole]


_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,12})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _moment(text: object) -> datetime:
    wrong = ShapeError(ProblemCode.NOT_A_TIME)
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise wrong
    try:
        at = datetime.fromisoformat(text.upper().replace(" ", "T"))
    except ValueError:
        raise wrong from None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        # Impossible in any case: the rules name the years that are possible.
        return (datetime.min if at.year < 5000 else datetime.max).replace(tzinfo=UTC)


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Given(BaseModel):
    """What a body holds, and nothing else."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )


def given(shape: type[G], body: bytes | dict[str, Any]) -> G:
    """What a body, or a form's fields, give. Raises ``Invalid`` with every problem named."""
    try:
        return shape.model_validate_json(body if isinstance(body, bytes) else to_json(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid([dict(each) for each in found]) from None


# --- parts ---------------------------------------------------------------------------------------


class ProductGiven(Given):
    """What is bought; ``id`` is the shop's."""

    id: GivenId | None = None
    name: Line


class PersonGiven(Given):
    """Someone who may get letters. ``id`` is for a shop's or the admin's key."""

    id: GivenId | None = None
    name: Line | None = None
    email: Address | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class MemberPaymentGiven(Given):
    """The method one member pays by when it is not the group's."""

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
    from_value: Number | None = None
    percent_off: Annotated[float, Field(ge=-1e6, le=1e6)] | None = None
    amount_off: Number | None = None
    unit_price: Number | None = None
    gift: Line | None = None


class FavorGiven(Given):
    """The ladder, and whether each member's value or one sum for the group is reduced."""

    scope: PaymentScope = "member"
    tiers: Annotated[tuple[TierGiven, ...], Field(max_length=TIERS_MAX)] = ()


class LimitsGiven(Given):
    """What a definition allows."""

    number_min: Units | None = None
    number_max: Units | None = None
    period_days_max: Annotated[int, Field(ge=1, le=100_000), Whole] | None = None


class ChoicesGiven(Given):
    """What a definition lets a request choose."""

    scope: PaymentScope = "member"
    methods: Annotated[tuple[Method, ...], Field(min_length=1, max_length=3)] = ("shop",)


# --- commands ------------------------------------------------------------------------------------


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
    """A group purchase asked for; terms of its own need a shop's key."""

    definition_id: GivenId | None = None
    organizer: PersonGiven | None = None
    number_of_products: Number | None = None
    product: ProductGiven | None = None
    unit_price: Number | None = None
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


class WithdrawalGiven(Given):
    """Why something is taken back."""

    reason: Line | None = None


class OrderGiven(Given):
    """An order under a group's id.

    A shop gives its ``order_id`` and the member's id. The holder of a member's link gives only the
    quantity. The holder of a link for anybody, or of one for a member without a known address,
    gives an address too.
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
    """An order that is void."""

    order_id: GivenId
    source: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    cancelled_at: Moment | None = None


class ReturnGiven(Given):
    """Goods that came back; without ``order_id``, of the member's latest orders."""

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


class ReceivedGiven(Given):
    """Money that came for an invoice.

    ``reference`` is what the bank calls it: the same one counts once.
    """

    amount: Annotated[int, Field(ge=1, le=SUM_MAX), Whole]
    currency: Currency
    reference: Line | None = None
    received_at: Moment | None = None


class OutcomeGiven(Given):
    """What became of a payment that people make; ``reason`` is why it failed."""

    state: Literal["succeeded", "failed"]
    reference: Line | None = None
    reason: Line | None = None


class TransferGiven(Given):
    """Money on a bank statement that could not be counted for an invoice.

    ``reference`` is the mark by which it counts once; ``reason`` a code, ``problem`` its words.
    """

    reference: Line
    reason: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z]+(-[a-z]+)*$")]
    problem: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_LINE)]
    amount: Amount | None = None
    currency: Currency | None = None
    received_at: Moment | None = None


class TransfersGiven(Given):
    """Transfers that become tasks."""

    transfers: Annotated[tuple[TransferGiven, ...], Field(min_length=1, max_length=TRANSFERS_MAX)]


class DoneGiven(Given):
    """How a task was settled."""

    reason: Line


class AuctionGiven(Given):
    """The opening condition of an auction."""

    seller_id: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    product: ProductGiven
    minimum_reservations: Number
    unit_price: Number
    currency: Currency
    closes_at: Moment
    invites_at: Moment | None = None
    minimum_step: Number = 1
    quantity_max_per_applicant: Annotated[
        Number, Field(description="Units that one applicant may reserve.")
    ] = QUANTITY_MAX_PER_APPLICANT


class OfferGiven(Given):
    """A condition that is to take over an auction's page."""

    seller_id: Annotated[GivenId | None, Field(description="For the admin's key only.")] = None
    minimum_reservations: Number
    unit_price: Number


class ApplicationGiven(Given):
    """A reservation; without a shop's key, a letter asks the address to confirm it."""

    applicant: PersonGiven
    quantity: Units


class SellerGiven(Given):
    """Who wants to sell."""

    name: Line
    email: Address
    locale: Locale | None = None
    time_zone: TimeZone | None = None
