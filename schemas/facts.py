"""What the system says: facts, each by one writer, and the steps by which an id is claimed."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import (
    Basis,
    Count,
    FavorTerms,
    Id,
    IfIncomplete,
    Instant,
    Limits,
    Member,
    Message,
    Method,
    Money,
    PaymentCause,
    PaymentChoices,
    PaymentTerms,
    Percent,
    Period,
    Person,
    Problem,
    Product,
    Receipt,
    Status,
    Tier,
    Version,
    Visibility,
)


class Definition(Message):
    """What a shop opens to the public for group purchase."""

    type: Literal["Definition"] = "Definition"
    definition_id: Id
    shop_id: Id
    product: Product
    unit_price: Money
    currency: Annotated[str, StringConstraints(max_length=16)]
    favor: FavorTerms
    if_incomplete: IfIncomplete = "as-reached"
    limits: Limits = Limits()
    payment: PaymentChoices = PaymentChoices()
    published_at: Instant
    withdrawn_at: Instant | None = None
    version: Version = 1
    keyed_by: ClassVar[str] = "definition_id"


class IdClaimed(Message):
    """A request would run under this id, if no other does."""

    type: Literal["IdClaimed"] = "IdClaimed"
    group_id: Id
    request_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The id and who claims it."""
        return f"{self.group_id}/{self.request_id}"


class IdGranted(Message):
    """The id is the request's."""

    type: Literal["IdGranted"] = "IdGranted"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"

    @property
    def event_id(self) -> str:
        """The request and the attempt."""
        return f"{self.request_id}/{self.attempt}"


class IdTaken(Message):
    """The id is another request's: the next derivation is to be claimed."""

    type: Literal["IdTaken"] = "IdTaken"
    request_id: Id
    group_id: Id
    attempt: Count
    keyed_by: ClassVar[str] = "request_id"

    @property
    def event_id(self) -> str:
        """The request and the attempt."""
        return f"{self.request_id}/{self.attempt}"


class IdIssued(Message):
    """The request runs under ``group_id``."""

    type: Literal["IdIssued"] = "IdIssued"
    request_id: Id
    group_id: Id
    issued_at: Instant
    keyed_by: ClassVar[str] = "request_id"


class RequestRefused(Message):
    """The request can't be run; every problem is named."""

    type: Literal["RequestRefused"] = "RequestRefused"
    request_id: Id
    problems: tuple[Problem, ...]
    keyed_by: ClassVar[str] = "request_id"


class Terms(Message):
    """All that a group purchase runs under.

    Orders of ``sources`` count; if there are none, orders of any source count.
    """

    group_id: Id
    request_id: Id
    version: Version
    requested_at: Instant
    issued_at: Instant
    withdrawn_at: Instant | None = None
    definition_id: Id | None = None
    organizer: Person | None = None
    product: Product
    number_of_products: Annotated[int, Field(ge=1)]
    unit_price: Money | None = None
    currency: Annotated[str, StringConstraints(min_length=3, max_length=3)] | None = None
    opens_at: Instant
    closes_at: Instant
    grace_seconds: Count = 60
    stop_at_number: bool = False
    members: tuple[Member, ...] = ()
    member_parts: Count = 0
    payment: PaymentTerms = PaymentTerms()
    favor: FavorTerms = FavorTerms()
    if_incomplete: IfIncomplete = "as-reached"
    visibility: Visibility = "public"
    sources: tuple[Id, ...] = ()
    keyed_by: ClassVar[str] = "group_id"


class GroupPurchase(Terms):
    """A group purchase with its id: what was asked for, complete."""

    type: Literal["GroupPurchase"] = "GroupPurchase"


class MembersAdmitted(Message):
    """A part of the members of a group that one record can't hold; all parts precede the group."""

    type: Literal["MembersAdmitted"] = "MembersAdmitted"
    group_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    members: tuple[Member, ...]
    version: Version = 1
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/members/<part>``."""
        return f"{self.group_id}/members/{self.part}"


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
    #: Whom letters about this row go to; left out without an address.
    member: Person | None = None
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


class FavorDecision(Message):
    """What a group's close decided: the tier, or none, and what it comes to over all members.

    ``tier`` is null when no tier was reached, or the terms give nothing to an incomplete group;
    ``cancel_all`` says that every member gets the whole value back.
    """

    type: Literal["FavorDecision"] = "FavorDecision"
    group_id: Id
    request_id: Id
    version: Version
    tier: Tier | None = None
    cancel_all: bool = False
    total: Money
    currency: str | None = None
    members: Count
    keyed_by: ClassVar[str] = "group_id"


class Favor(Message):
    """What one member gets, for the purchase as of ``row_version`` of the member's row."""

    type: Literal["Favor"] = "Favor"
    group_id: Id
    request_id: Id
    member_id: Id
    version: Version
    basis: Basis
    percent: Percent | None = None
    gift: str | None = None
    amount: Money
    currency: str | None = None
    row_version: Version | None = None
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/member/<member_id>``."""
        return f"{self.group_id}/member/{self.member_id}"


class Payment(Message):
    """One movement of money and how it stands.

    ``page`` is where the payer pays while it is pending; ``received`` is how much of an invoice was
    paid, and ``receipts`` the latest that came for it; ``problem`` says why it failed; ``code`` is
    what the payer got in place of money.
    ``begun_at`` is when it was asked for. Of invoices and credit notes, ``quantity``, ``value`` and
    ``favor`` say of what: the order, or, where no order is the cause, all that the payer had by
    then; what of that was billed before is the difference to the amount.
    """

    type: Literal["Payment"] = "Payment"
    payment_id: Id
    group_id: Id
    member_id: Id | None = None
    kind: Literal["authorisation", "charge", "capture", "refund", "release", "invoice", "credit"]
    method: Method
    amount: Money
    currency: str
    status: Literal["pending", "authorised", "succeeded", "failed", "cancelled"]
    cause: PaymentCause
    provider_reference: str | None = None
    page: str | None = None
    received: Money | None = None
    receipts: tuple[Receipt, ...] | None = None
    problem: str | None = None
    code: str | None = None
    begun_at: Instant | None = None
    quantity: Count | None = None
    value: Money | None = None
    favor: Money | None = None
    version: Version
    keyed_by: ClassVar[str] = "group_id"

    @property
    def number(self) -> str | None:
        """The number of an invoice or a credit note."""
        return self.provider_reference if self.kind in ("invoice", "credit") else None

    @property
    def key(self) -> str:
        """``<group_id>/payment/<payment_id>``."""
        return f"{self.group_id}/payment/{self.payment_id}"


class GroupSettled(Message):
    """All of a group's favors and payments are through."""

    type: Literal["GroupSettled"] = "GroupSettled"
    group_id: Id
    request_id: Id
    settled_at: Instant
    version: Version
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/settled``."""
        return f"{self.group_id}/settled"


class ApiKey(Message):
    """A key by which a seller's or a shop's programs act; the key itself is known to them alone.

    ``digest`` is the SHA-256 of the key in hexadecimal; as keys are random, it needs no salt.
    """

    type: Literal["ApiKey"] = "ApiKey"
    key_id: Id
    role: Literal["seller", "shop"]
    holder_id: Id
    digest: Id
    issued_at: Instant
    revoked_at: Instant | None = None
    version: Version
    keyed_by: ClassVar[str] = "key_id"
