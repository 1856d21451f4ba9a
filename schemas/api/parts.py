"""Parts of the bodies of the HTTP API: bases, kinds of values, people and pages of lists.

A request checks only its shape (400); whether something is possible the rules say (422). A class is
both what is validated and what the OpenAPI document says.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

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
from schemas.parts import EMAIL_MAX, MINOR_UNITS, NUMBER_MAX, SUM_MAX, Model
from schemas.refusals import ProblemCode, ShapeError

V = TypeVar("V", bound=BaseModel)

#: No control characters, no slash: what an id of the system may be.
ID_PATTERN = r"^[^/\x00-\x1f\x7f-\x9f]+$"
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
    """What is bought; ``id`` is the shop's."""

    id: GivenId | None = None
    name: Line


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
