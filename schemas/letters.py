"""Notices: one per letter and recipient, with all that the letter says; and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from domain.addresses import canonical
from schemas.auctions import ShownOffer, Standing, Verdict
from schemas.parts import (
    Basis,
    Count,
    Id,
    Instant,
    Message,
    Method,
    Model,
    Money,
    NameMark,
    Party,
    PaymentScope,
    Percent,
    PersonId,
    Problem,
    Product,
    Text,
    Tier,
    Version,
)
from schemas.payments import Payment
from schemas.topic import Topic

LetterKind = Literal[
    "id-issued",
    "confirm-order",
    "order-waits",
    "order-counted",
    "order-refused",
    "group-message",
    "links-again",
    "data-link",
    "favor-given",
    "payment-done",
    "payment-failed",
    "confirm-application",
    "application-refused",
    "right-intercepted",
    "contract-concluded",
    "contract-failed",
    "condition-improved",
    "invitation",
    "offer-judged",
    "seller-standing",
    "deadline-reminder",
]


#: The reader's part in the group or auction.
Role = Literal["organizer", "member", "applicant", "winner", "seller"]


#: Those a recipient can unsubscribe from; all others are part of a contract.
OPTIONAL_KINDS = frozenset(
    {"condition-improved", "invitation", "offer-judged", "deadline-reminder", "group-message"}
)


#: What a link lets its holder do: the organizer's page, the seller's desk, a payer's payments, an
#: order, a reservation, or a seller's offer in an auction.
HeldRole = Literal["organizer", "seller", "payer", "member", "applicant"]
LINKS_MAX = 50


class HeldLink(Model):
    """A link that a person may have again; the notifier makes and signs it.

    ``about`` is the group, auction or seller, ``party_id`` the person's id there. ``name`` tells
    people which it is: the product's name, or the seller's. ``application_id`` is the applicant's
    reservation, ``order_id`` and ``source`` the member's order.
    """

    role: HeldRole
    about: Id
    party_id: Id
    name: Annotated[str, StringConstraints(max_length=1_000)]
    application_id: Id | None = None
    order_id: Id | None = None
    source: Id | None = None


class Billed(Model):
    """An invoice or a credit note that a letter tells of, so that its paper is attached.

    ``payment`` is its fact as it stood with the letter; ``still_open`` was to be paid of it then.
    ``name_mark`` is the payer's, see ``Party``.
    """

    payment: Payment
    still_open: Money
    name_mark: NameMark | None = None


class Says(Model):
    """What a letter tells. ``SAID`` lists the fields of each kind.

    ``shown`` is the condition on an auction's page after what happened, ``before`` the one it
    replaced. ``party_id`` is the recipient's id in the group or auction. ``unit_price``,
    ``quantity`` and ``minimum_reservations`` are the recipient's. In ``right-intercepted`` they
    are the better condition; the letter does not name its seller.
    ``quantity_max`` is the most units that could have counted, if the application was too large.
    ``replaced_quantity`` are the units of the earlier reservations that a new one replaces.
    ``total_quantity`` is the group's; ``seller_name`` names the seller of the contract.
    ``confirm_by`` is when an unconfirmed order expires. ``payment_scope`` says who pays in the
    group, and ``is_cancelled`` that the group stayed incomplete and each member gets all money
    back. ``role`` of a ``payment-failed`` is organizer if the payment is a member's.
    ``standing`` is the one that a seller has from now on.
    ``shop_id`` and ``seller_id`` name who sells: the letter has their names and contacts.
    ``words`` are the organizer's own, ``links`` those that the recipient asked for again.
    ``is_order_here``: orders are made on our pages, by a link that the organizer passes on.
    ``tier`` is the step of the discount that holds so far, and ``next_tier`` the one after it.
    ``closes_at`` of a ``payment-done`` is the close after which the invoice may get a credit note.
    ``billed`` has what stands on the paper of an invoice or a credit note; notices of earlier
    versions have none.
    """

    party_id: Id
    role: Role | None = None
    group_id: Id | None = None
    request_id: Id | None = None
    product: Product | None = None
    currency: str | None = None
    unit_price: Money | None = None
    quantity: Count | None = None
    number_of_products: Count | None = None
    total_quantity: Count | None = None
    opens_at: Instant | None = None
    closes_at: Instant | None = None
    order_id: Id | None = None
    source: Id | None = None
    confirm_by: Instant | None = None
    value: Money | None = None
    reason: str | None = None
    problems: tuple[Problem, ...] = ()
    basis: Basis | None = None
    percent: Percent | None = None
    amount: Money | None = None
    gift: str | None = None
    is_cancelled: bool | None = None
    payment_id: Id | None = None
    payment_kind: str | None = None
    method: Method | None = None
    payment_scope: PaymentScope | None = None
    code: str | None = None
    application_id: Id | None = None
    replaced_quantity: Count | None = None
    quantity_max: Count | None = None
    offer_id: Id | None = None
    verdict: Verdict | None = None
    standing: Standing | None = None
    minimum_reservations: Count | None = None
    minimum_step: Count | None = None
    shown: ShownOffer | None = None
    before: ShownOffer | None = None
    reservations: Count | None = None
    applicants: Count | None = None
    seller_name: Text | None = None
    shop_id: Id | None = None
    seller_id: Id | None = None
    words: Text | None = None
    links: Annotated[tuple[HeldLink, ...], Field(max_length=LINKS_MAX)] = ()
    billed: Billed | None = None
    is_order_here: bool | None = None
    tier: Tier | None = None
    next_tier: Tier | None = None


# The fields without which a letter of a kind can't be written.
_SAID: dict[LetterKind, str] = {
    "id-issued": "role group_id request_id product number_of_products opens_at closes_at",
    "confirm-order": "group_id source order_id quantity value product closes_at confirm_by",
    "order-waits": "group_id source order_id quantity value product closes_at method",
    "order-counted": "group_id source order_id quantity value product closes_at",
    "order-refused": "group_id source order_id quantity reason",
    "group-message": "group_id product words",
    "links-again": "links",
    "data-link": "",
    "favor-given": "group_id product basis amount",
    "payment-done": "payment_id payment_kind method amount currency",
    "payment-failed": "payment_id payment_kind method amount currency",
    "confirm-application": "application_id product quantity shown currency closes_at",
    "application-refused": "application_id product quantity reason",
    "right-intercepted": "offer_id product before unit_price minimum_reservations currency"
    " reservations closes_at",
    "contract-concluded": "role product shown currency reservations applicants",
    "contract-failed": "role product shown currency reservations applicants",
    "condition-improved": "product before shown currency quantity reservations closes_at",
    "invitation": "product shown currency minimum_step reservations closes_at",
    "offer-judged": "verdict reason product",
    "seller-standing": "standing",
    "deadline-reminder": "group_id product number_of_products total_quantity closes_at",
}


SAID = {kind: frozenset(fields.split()) for kind, fields in _SAID.items()}


class Notice(Message):
    """One letter to one recipient; the same cause gives the same ``notice_id``."""

    type: Literal["Notice"] = "Notice"
    notice_id: Id
    kind: LetterKind
    recipient_id: PersonId
    about: Id
    at: Instant
    says: Says
    keyed_by: ClassVar[str] = "recipient_id"

    @property
    def event_id(self) -> str:
        """Its own id."""
        return self.notice_id


def missing(notice: Notice) -> Sequence[str]:
    """The fields without which the letter of its kind can't be written, if it lacks any."""
    return sorted(name for name in SAID[notice.kind] if getattr(notice.says, name) in (None, ()))


def notice_id(kind: LetterKind, about: str, party_id: str, *of: object) -> str:
    """The id of the letter that tells this party of this; 32 hexadecimal characters."""
    cause = "\x00".join(map(str, (kind, about, party_id, *of)))
    return sha256(cause.encode()).hexdigest()[:32]


def notices(
    kind: LetterKind, recipient: Party, about: str, at: datetime, *of: object, **says: Any
) -> tuple[Notice, ...]:
    """The letter to a recipient, or none to one who can't be reached.

    ``of`` tells letters of one kind about one thing apart, such as an order's id. Raises
    ``ValueError`` when a field that the kind needs is missing.
    """
    if recipient.person_id is None:
        return ()
    notice = Notice(
        notice_id=notice_id(kind, about, recipient.id, *of),
        kind=kind,
        recipient_id=recipient.person_id,
        about=about,
        at=at,
        says=Says(party_id=recipient.id, **says),
    )
    if lacks := missing(notice):
        raise ValueError(f"a letter {kind} does not say {', '.join(lacks)}")
    return (notice,)


class LetterResend(Message):
    """Ops want a letter sent again, now, even if it was given up or its address suppressed."""

    type: Literal["LetterResend"] = "LetterResend"
    recipient_id: PersonId
    notice_id: Id
    at: Instant
    keyed_by: ClassVar[str] = "recipient_id"


def mailbox_of(recipient_id: str, email: str) -> str:
    """A hash of a recipient's id and mailbox, 32 hexadecimal characters.

    It is the same for all spellings of the mailbox's address.
    """
    return sha256(f"{recipient_id}\x00{canonical(email)}".encode()).hexdigest()[:32]


class Preference(Message):
    """Whether a recipient wants one kind of letters, or all that can be unsubscribed.

    It holds for the ``mailbox`` whose letter had the link (``mailbox_of``), as somebody else can
    give the recipient's id with another address. Without a ``mailbox`` it holds for all of the
    recipient's.
    """

    recipient_id: PersonId
    kind: LetterKind | Literal["all"]
    at: Instant
    mailbox: Id | None = None
    keyed_by: ClassVar[str] = "recipient_id"

    @property
    def key(self) -> str:
        """``<recipient_id>/<kind or all>``."""
        return f"{self.recipient_id}/{self.kind}"


class Unsubscribed(Preference):
    """No more of these; contractual letters come all the same."""

    type: Literal["Unsubscribed"] = "Unsubscribed"


class Resubscribed(Preference):
    """These again."""

    type: Literal["Resubscribed"] = "Resubscribed"


DeliveryStatus = Literal["queued", "sent", "deferred", "bounced", "suppressed"]


class Delivery(Message):
    """What became of a letter.

    ``deferred`` is tried again at ``next_at``; ``bounced`` was refused for good or given up;
    ``suppressed`` was never tried, and ``reply`` says why. ``ambiguous`` counts the times that a
    process died between the end of the letter and the server's reply, so that it was sent again.
    """

    type: Literal["Delivery"] = "Delivery"
    recipient_id: PersonId
    notice_id: Id
    kind: LetterKind
    about: Id
    status: DeliveryStatus
    attempts: Count
    ambiguous: Count = 0
    reply: str | None = None
    message_id: str | None = None
    queued_at: Instant
    at: Instant
    next_at: Instant | None = None
    version: Version
    keyed_by: ClassVar[str] = "recipient_id"

    @property
    def key(self) -> str:
        """``<recipient_id>/<notice_id>``."""
        return f"{self.recipient_id}/{self.notice_id}"


NOTICES = Topic(
    name="notices",
    kind="command",
    key="recipient_id",
    messages=(Notice, LetterResend),
    producers=(
        "request_service",
        "order_service",
        "favor_service",
        "payment_service",
        "auction_service",
        # The letter with a person's links, which no service knows together, and what the admin
        # wants sent again.
        "storefront",
        "terminal",
    ),
    consumers=("notifier", "terminal"),
    purpose="One per letter and recipient, with all that the letter says.",
)


MAIL_PREFERENCES = Topic(
    name="mail-preferences",
    kind="fact",
    key="recipient_id/kind, or recipient_id/all",
    messages=(Unsubscribed, Resubscribed),
    producers=("storefront",),
    consumers=("notifier", "storefront"),
    purpose="Which letters a recipient does not want.",
    compacted=True,
)


DELIVERIES = Topic(
    name="deliveries",
    kind="fact",
    key="recipient_id/notice_id",
    messages=(Delivery,),
    producers=("notifier",),
    consumers=("storefront", "terminal"),
    purpose="What became of every letter.",
    compacted=True,
)
