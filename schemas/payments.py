"""Payments of payers, and what is reported of them."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from schemas.parts import Count, Id, Instant, Message, Method, Money, PaymentCause, Receipt, Version
from schemas.topic import Topic

#: Characters of a report, for bank files and people.
REASON_MAX = 500
REFERENCE_MAX = 255
CODE_MAX = 64


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


class PaymentReported(Message):
    """What a shop, a bank or a provider of payments says of one payment; a word may come again.

    ``amount`` is what moved, in minor units, where that can be less than the whole: so much of an
    invoice was paid. Without it all that was open is meant. ``code`` is what a payer got in place
    of money, to be used in the shop.
    """

    type: Literal["PaymentReported"] = "PaymentReported"
    report_id: Id
    group_id: Id
    payment_id: Id
    status: Literal["authorised", "succeeded", "failed", "cancelled"]
    provider_reference: Annotated[str, StringConstraints(max_length=REFERENCE_MAX)] | None = None
    amount: Money | None = None
    reason: Annotated[str, StringConstraints(max_length=REASON_MAX)] | None = None
    code: Annotated[str, StringConstraints(max_length=CODE_MAX)] | None = None
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the report."""
        return f"{self.group_id}/{self.report_id}"


class PaymentDisputed(Message):
    """A payment provider's report of a dispute of one card payment; it may repeat.

    ``open`` is also a question of the payer's bank before a dispute. ``lost``: the money went back
    to the payer. ``amount`` is disputed, in minor units of the payment's currency; without it the
    whole payment is disputed.
    """

    type: Literal["PaymentDisputed"] = "PaymentDisputed"
    report_id: Id
    group_id: Id
    payment_id: Id
    dispute_id: Id
    state: Literal["open", "won", "lost"]
    amount: Money | None = None
    reason: Annotated[str, StringConstraints(max_length=REASON_MAX)] | None = None
    at: Instant
    keyed_by: ClassVar[str] = "group_id"

    @property
    def event_id(self) -> str:
        """The group and the report."""
        return f"{self.group_id}/{self.report_id}"


class PaymentRetried(Message):
    """Someone wants a payment that failed to be tried again: its payer, or ops."""

    type: Literal["PaymentRetried"] = "PaymentRetried"
    group_id: Id
    payment_id: Id
    at: Instant
    keyed_by: ClassVar[str] = "group_id"


PAYMENTS = Topic(
    name="payments",
    kind="fact",
    key="group_id/payment/payment_id, or group_id/settled",
    messages=(Payment, GroupSettled),
    producers=("payment_service",),
    consumers=("order_service", "shop_bridge", "storefront"),
    purpose="Movements of money, and when a group is settled.",
    compacted=True,
)


PAYMENT_REPORTS = Topic(
    name="payment-reports",
    kind="command",
    key="group_id",
    messages=(PaymentReported, PaymentRetried, PaymentDisputed),
    producers=("payment_service", "shop_bridge", "storefront"),
    consumers=("payment_service",),
    purpose="Outcomes of payments outside, disputes, and payments to try again.",
)
