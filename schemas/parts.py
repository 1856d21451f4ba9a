"""What messages are made of: kinds of values, the two base models, and parts with fields.

Times are RFC 3339 in UTC, money is integer minor units, ids are opaque.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from domain.people import name_mark

Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[^/\x00-\x1f\x7f]+$"),
]
#: The id of a person in the topic ``people``: an id, or two with a colon between, see
#: ``domain.people``.
PersonId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=256, pattern=r"^[^/\x00-\x1f\x7f]+$"),
]
#: A mark of a person's name, as ``domain.people.name_mark`` makes it.
NameMark = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Text = Annotated[str, StringConstraints(max_length=10_000)]
#: Characters of an address for mail.
EMAIL_MAX = 320


def _in_utc(at: datetime) -> datetime:
    """The same time with one and the same zone object, which also makes comparisons quick."""
    if at.tzinfo is UTC:
        return at
    if not at.utcoffset():
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is out of range in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
#: Units of a product: in one order or reservation, of a group or an auction, and summed up.
NUMBER_MAX = 10**9
#: Minor units of money that terms may ask for one unit, or for a tier to be reached.
AMOUNT_MAX = 10**12
#: Minor units of money in a message: an order's worth, a payment, and every sum of them. Counts of
#: other things have the same limit. A service that sums refuses a message beyond the limit.
SUM_MAX = 10**15
#: Times in terms are from TIME_MIN to before TIME_MAX: Kafka's times start in 1970, and a deadline
#: plus any grace and retention must still be a valid time.
TIME_MIN = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MAX = datetime(9000, 1, 1, tzinfo=UTC)


def is_possible(at: datetime) -> bool:
    """Whether a time can be part of a group's or an auction's terms."""
    return TIME_MIN <= at < TIME_MAX


Count = Annotated[int, Field(ge=0, le=SUM_MAX)]
Quantity = Annotated[int, Field(ge=1, le=NUMBER_MAX)]
Money = Annotated[int, Field(ge=0, le=SUM_MAX)]
#: The description of a field with money that people who call the API read.
MINOR_UNITS = "In minor units of the currency: 2400 is 24.00 EUR or 2,400 JPY."
MinorUnits = Annotated[int, Field(description=MINOR_UNITS)]
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

    @property
    def event_id(self) -> str:
        """What tells it from others of its type: the key, with the version where it has one."""
        version = getattr(self, "version", None)
        return self.key if version is None else f"{self.key}@{version}"


#: The id of an image in the topic ``images``: the SHA-256 of its stored bytes in hexadecimal.
ImageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: An address that pages and letters of ours link to, in ASCII as browsers send it. The storefront
#: refuses an address with a user name or an unknown port when it is given.
Url = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^https?://[!#-;=?-~]+$")]
IMAGES_MAX = 8
TAGS_MAX = 10
#: A category or a tag: a word or a few, by which people find a product in lists.
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^/\x00-\x1f\x7f]+$")
]


class Product(Model):
    """What is bought; the shop's id may be missing, the name not.

    ``description`` is Markdown, of which pages show a safe part. ``url`` is the product's page in
    the shop. ``images`` are shown in their order; the first stands for the product in lists.
    """

    id: Id | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    description: Text | None = None
    url: Url | None = None
    images: Annotated[tuple[ImageId, ...], Field(max_length=IMAGES_MAX)] = ()
    category: Tag | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=TAGS_MAX)] = ()

    def brief(self) -> "Product":
        """What letters show of it: id, name, url and the first image."""
        return Product(id=self.id, name=self.name, url=self.url, images=self.images[:1])


class KeptProduct(NamedTuple):
    """What rows keep of a product: as much as letters show."""

    name: str
    id: str | None = None
    url: str | None = None
    image: str | None = None

    @classmethod
    def of(cls, product: Product) -> "KeptProduct":
        """What rows keep of a product."""
        return cls(product.name, product.id, product.url, next(iter(product.images), None))

    def told(self) -> Product:
        """The product as letters have it, see ``Product.brief``."""
        images = () if self.image is None else (self.image,)
        return Product(id=self.id, name=self.name, url=self.url, images=images)


class Business(Model):
    """How a shop or a seller presents itself. All of it is public.

    ``order_link`` leads to where members order: an address with ``{group_id}`` and, if it needs
    it, ``{product_id}``, such as a cart link with a note. ``delivery`` says in plain text how and
    where goods are sent, and at what cost. ``postal_address`` has several lines.
    """

    url: Url | None = None
    order_link: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    logo: ImageId | None = None
    postal_address: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    phone: Annotated[str, StringConstraints(max_length=40)] | None = None
    terms_url: Url | None = None
    privacy_url: Url | None = None
    imprint_url: Url | None = None
    delivery: Annotated[str, StringConstraints(max_length=2_000)] | None = None


class MemberPayment(Model):
    """The method one member pays by when it is not the group's."""

    method: Method


class Party(Model):
    """Someone with a part in a group or an auction.

    ``person_id`` is the key of the party's address in the topic ``people``. Without it no letter
    goes to the party. ``name_mark`` tells which name a group's request or an order gave; parties
    elsewhere have none.
    """

    id: Id
    person_id: PersonId | None = None
    name_mark: NameMark | None = None


class Contact(Party):
    """A party as a command names it, with an address if one is known.

    With an ``email`` and without a ``person_id``, the ``id`` is the person's id too.
    """

    email: Annotated[str, StringConstraints(max_length=EMAIL_MAX)] | None = None
    name: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None

    @property
    def reached_as(self) -> str | None:
        """The id of the person who gets the letters; ``None`` without an address."""
        return self.person_id or (self.id if self.email else None)

    def party(self) -> Party:
        """The contact as facts and rows name it, without the address."""
        return Party(id=self.id, person_id=self.reached_as)

    def party_of(self, request_id: str) -> Party:
        """The contact as the terms of a request name it: with a mark of its name.

        Without a person there is no mark, as ``people`` does not get the name.
        """
        mark = self.name_mark
        if self.name and self.reached_as is not None:
            mark = name_mark(request_id, self.name)
        return self.party().model_copy(update={"name_mark": mark})


class Member(Party):
    """A purchaser; ``reserved`` is the number of units that the member reserved in an auction."""

    payment: MemberPayment | None = None
    reserved: Count | None = None


class ListedMember(Contact):
    """A purchaser as a command lists it, see ``Member``."""

    payment: MemberPayment | None = None
    reserved: Count | None = None

    def member_of(self, request_id: str) -> Member:
        """The purchaser as the terms of a request name it, see ``party_of``."""
        party = self.party_of(request_id)
        return Member(**dict(party), payment=self.payment, reserved=self.reserved)


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
    from_value: MinorUnits | None = None
    percent_off: Percent | None = None
    amount_off: MinorUnits | None = None
    unit_price: MinorUnits | None = None
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


#: A value in the text of a problem.
ParamValue = Annotated[str, StringConstraints(max_length=2_000)] | int | float
Params = Annotated[dict[str, ParamValue], Field(max_length=20)]


class Problem(Model):
    """One reason why a request is refused: the field, as a path, and what is wrong with it.

    ``code`` and ``params`` say it for a text in any language, ``problem`` says it in English.
    """

    field: str
    problem: str
    code: str | None = None
    params: Params | None = None

    def __hash__(self) -> int:
        return hash((self.field, self.problem, self.code))


class KeptProblem(NamedTuple):
    """A problem as rows keep it. Rows of earlier versions have no code."""

    field: str
    problem: str
    code: str | None = None
    params: dict[str, str | int | float] | None = None

    @classmethod
    def of(cls, problem: Problem) -> "KeptProblem":
        """What rows keep of a problem."""
        return cls(problem.field, problem.problem, problem.code, problem.params)

    def told(self) -> Problem:
        """The problem as messages have it."""
        return Problem(**self._asdict())


class Receipt(Model):
    """Money that came for an invoice, in minor units: by which report, and what its bank calls it.

    ``at`` is when the report says that it came.
    """

    report_id: Id
    amount: Annotated[Money, Field(description=MINOR_UNITS)]
    reference: str | None = None
    at: Instant


class PaymentCause(Model):
    """What money moves for: an order, a favor of a version, or a withdrawal."""

    kind: Literal["order", "favor", "withdrawal"]
    source: Id | None = None
    order_id: Id | None = None
    favor_version: Version | None = None


class TimePassed(Message):
    """A feed's word that its time has come to ``at``; has no key, goes to every partition."""

    type: Literal["TimePassed"] = "TimePassed"
    at: Instant
    keyed_by: ClassVar[str] = ""

    @property
    def key(self) -> str:
        """Empty: it belongs to the partition, not to a key."""
        return ""
