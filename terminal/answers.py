"""What the HTTP API shows, as far as the terminal prints it. Pure."""

from typing import Any, TypeVar

import orjson

from schemas.parts import FavorTerms, Instant, Model, PaymentTerms, Product, Tier

Shown = TypeVar("Shown", bound=Model)


def shown(kind: type[Shown], answered: Any) -> Shown:
    """An answer, or an event's data, as what it shows."""
    raw = answered if isinstance(answered, str | bytes) else orjson.dumps(answered)
    return kind.model_validate_json(raw)


class ConditionShown(Model):
    """A condition, and since when it was shown."""

    at: Instant
    unit_price: int
    minimum_reservations: int


class AuctionShown(Model):
    """An auction, as an answer or as an event; the story is only in an answer."""

    auction_id: str
    version: int
    status: str
    product: Product
    unit_price: int
    currency: str
    minimum_reservations: int
    reservations: int
    applicants: int
    minimum_step: int
    quantity_max_per_applicant: int
    opened_at: Instant
    invites_at: Instant
    invited_at: Instant | None
    closes_at: Instant
    history: tuple[ConditionShown, ...] = ()
    concluded_at: Instant | None = None
    group_id: str | None = None


class GroupProgressShown(Model):
    """How far a group purchase is: an event."""

    group_id: str
    version: int
    status: str
    quantity: int
    value: int
    currency: str | None
    members: int
    closed_at: Instant | None


class DecisionShown(Model):
    """What the close decided."""

    tier: Tier | None
    cancel_all: bool
    total: int
    members: int


class GroupShown(GroupProgressShown):
    """A group purchase with its terms."""

    product: Product
    unit_price: int | None
    number_of_products: int
    members_listed: bool
    opens_at: Instant
    closes_at: Instant
    sources: tuple[str, ...] = ()
    favor: FavorTerms
    payment: PaymentTerms
    if_incomplete: str
    decision: DecisionShown | None


class PurchaserShown(Model):
    """A line of the purchase condition management table."""

    member_id: str
    name: str | None
    email: str | None
    quantity: int
    value: int
    currency: str | None
    first_ordered_at: Instant | None
    last_ordered_at: Instant | None
    favor_amount: int | None
    gift: str | None


class StandingShown(Model):
    """A seller's standing since a time."""

    standing: str
    since: Instant


class TodoShown(Model):
    """A task for people."""

    task_id: str
    kind: str
    since: Instant
    about: str
    recipient_id: str | None
    letter: str | None
    amount: int | None
    currency: str | None
    reason: str
    problem: str
    what_to_do: str
    commands: tuple[str, ...]


class SellerShown(Model):
    """A seller."""

    seller_id: str
    name: str
    email: str
    registered_at: Instant
    standing: str
    standings: tuple[StandingShown, ...]


class ReceiptShown(Model):
    """Money that came for an invoice."""

    report_id: str
    amount: int
    reference: str | None
    at: Instant


class PaymentShown(Model):
    """A payment; ``open`` is what is still to be paid of an invoice."""

    payment_id: str
    group_id: str
    kind: str
    amount: int
    currency: str
    status: str
    number: str | None
    received: int
    receipts: tuple[ReceiptShown, ...]
    open: int = 0
    version: int
