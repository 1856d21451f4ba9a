"""Parts of the bodies of the HTTP API: bases, kinds of values, people and pages of lists.

A request checks only its shape (400); whether something is possible the rules say (422). A class is
both what is validated and what the OpenAPI document says.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from domain.mailboxes import mailbox
from domain.order_links import GROUP_ID, PRODUCT_ID, order_link
from domain.web_addresses import ADDRESS_MAX, WebAddressError, WebReason, web_address
from schemas.parts import (
    EMAIL_MAX,
    IMAGES_MAX,
    MINOR_UNITS,
    NUMBER_MAX,
    SUM_MAX,
    TAGS_MAX,
    Business,
    ImageId,
    Model,
    Product,
)
from schemas.refusals import ProblemCode, ShapeError

V = TypeVar("V", bound=BaseModel)

#: No control characters, no slash: what an id of the system may be.
ID_PATTERN = r"^[^/\x00-\x1f\x7f-\x9f]+$"
PHONE_PATTERN = r"^\+?[0-9 ()./-]+$"
LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
GivenId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=ID_PATTERN)]
LINE_MAX = 200
Line = Annotated[str, StringConstraints(min_length=1, max_length=LINE_MAX, pattern=LINE_PATTERN)]
#: One valid address; only a letter shows whether the mailbox exists.
Address = Annotated[
    str,
    StringConstraints(max_length=EMAIL_MAX),
    AfterValidator(lambda text: mailbox(text).written),
    Field(json_schema_extra={"format": "idn-email"}),
]
Locale = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z0-9_\-]+$")]
TimeZone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+\-/]+$")]
Currency = Annotated[str, StringConstraints(max_length=16, pattern=r"^[A-Za-z]+$")]


#: Texts of several lines.
_LINES_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]+$"
Paragraphs = Annotated[
    str,
    StringConstraints(min_length=1, max_length=10_000, pattern=_LINES_PATTERN),
    AfterValidator(lambda text: re.sub("\r\n?", "\n", text).strip()),
]
_WEB_CODES: Mapping[WebReason, ProblemCode] = {
    WebReason.NOT_AN_ADDRESS: ProblemCode.NOT_A_WEB_ADDRESS,
    WebReason.HAS_USER: ProblemCode.WEB_ADDRESS_WITH_USER,
    WebReason.TOO_LONG: ProblemCode.WEB_ADDRESS_TOO_LONG,
    WebReason.NOT_ENCRYPTED: ProblemCode.LINK_NOT_ENCRYPTED,
    WebReason.NO_GROUP: ProblemCode.LINK_WITHOUT_GROUP,
    WebReason.OTHER_BRACES: ProblemCode.LINK_WITH_OTHER_BRACES,
    WebReason.BRACES_IN_HOST: ProblemCode.LINK_WITH_BRACES_IN_HOST,
}


def _on_the_web(read: Callable[[str], str]) -> Callable[[str], str]:
    """The validator that reads an address; it raises ``ShapeError``."""

    def checked(text: str) -> str:
        try:
            return read(text)
        except WebAddressError as error:
            code = _WEB_CODES[error.reason]
            raise ShapeError(code, group=GROUP_ID, product=PRODUCT_ID, most=ADDRESS_MAX) from None

    return checked


#: An address that pages and letters link to, as ``domain.web_addresses`` writes it.
WebAddress = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ADDRESS_MAX),
    AfterValidator(_on_the_web(web_address)),
    Field(json_schema_extra={"format": "iri"}),
]
OrderLink = Annotated[
    str,
    StringConstraints(min_length=1, max_length=ADDRESS_MAX),
    AfterValidator(_on_the_web(order_link)),
    Field(
        json_schema_extra={"format": "uri-template"},
        description="A link with `{group_id}` where the shop takes the group purchase ID, and if"
        " needed `{product_id}`. Members order there.",
    ),
]
#: A category or a tag.
GivenTag = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=ID_PATTERN)]


def _whole_number(number: object) -> object:
    """In JSON, 5.0 is an integer too."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


WholeNumber = BeforeValidator(_whole_number)
Number = Annotated[int, Field(ge=-SUM_MAX, le=SUM_MAX), WholeNumber]
Amount = Annotated[int, Field(ge=0, le=SUM_MAX, description=MINOR_UNITS), WholeNumber]
#: Money whose bounds the rules judge.
Price = Annotated[int, Field(ge=-SUM_MAX, le=SUM_MAX, description=MINOR_UNITS), WholeNumber]
Units = Annotated[int, Field(ge=1, le=NUMBER_MAX), WholeNumber]
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


class View(Model, from_attributes=True):
    """What an answer is made of."""


class Page(BaseModel, Generic[V]):
    """A page of a list; ``cursor`` asks for the next one, and is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[V]
    cursor: str | None


class CountedPage(Page[V], Generic[V]):
    """A page of a list with the list's length, counted up to 1,000."""

    count: int
    is_count_exact: bool = Field(description="If false, the list has at least `count` rows.")


class ProductGiven(Given):
    """What is bought; ``id`` is the shop's, ``url`` its page there. Images are uploaded first."""

    id: GivenId | None = None
    name: Line
    description: Annotated[
        Paragraphs | None, Field(description="Markdown; pages show a safe part of it.")
    ] = None
    url: WebAddress | None = None
    images: Annotated[
        tuple[ImageId, ...],
        Field(max_length=IMAGES_MAX, description="`image_id` of each; the first is for lists."),
    ] = ()
    category: GivenTag | None = None
    tags: Annotated[tuple[GivenTag, ...], Field(max_length=TAGS_MAX)] = ()

    def product(self) -> Product:
        """The product of a message."""
        return Product(**self.model_dump(exclude_unset=True))


class BusinessGiven(Given):
    """How a shop or a seller presents itself. All of it is public."""

    url: Annotated[WebAddress | None, Field(description="The website.")] = None
    order_link: OrderLink | None = None
    logo: Annotated[ImageId | None, Field(description="`image_id` of an image.")] = None
    postal_address: Annotated[Paragraphs, StringConstraints(max_length=1_000)] | None = None
    phone: Annotated[Line, StringConstraints(max_length=40, pattern=PHONE_PATTERN)] | None = None
    terms_url: WebAddress | None = None
    privacy_url: WebAddress | None = None
    imprint_url: WebAddress | None = None
    delivery: Annotated[
        Annotated[Paragraphs, StringConstraints(max_length=2_000)] | None,
        Field(description="How and where goods are sent, and at what cost; plain text."),
    ] = None

    def business(self) -> dict[str, Any]:
        """The fields of a message."""
        return self.model_dump(include=set(Business.model_fields))


class PersonGiven(Given):
    """A person who can get emails. ``id`` is for a shop's or the admin's key."""

    id: GivenId | None = None
    name: Line | None = None
    email: Address | None = None
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class WithdrawalGiven(Given):
    """Why something is withdrawn."""

    reason: Line | None = None
