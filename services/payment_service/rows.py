"""The rows of a group.

- ``terms``: what payments depend on. ``listed/<member>``: a member's method or person.
- ``group``: the state of the group, and how many of its payers are not settled.
- ``member/<member>``: the latest purchase row and favor of a purchaser.
- ``order/<source>/<order_id>``: an order that is charged by itself, or that its shop was paid for.
- ``payer/<member>``, or ``payer/`` for the organizer: the sums of a payer, and the payments' ids.
- ``payment/<payment_id>``: one movement of money. ``call/card/<payment_id>`` beside it asks Stripe
  for it. ``report/<report_id>``: a report that was taken.
- ``settled``: when the group was settled. ``waits``: orders or rows came before the terms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from domain.ids import is_group_id
from runtime.rows import CALLS, DUE, ROWS_KEPT, Call, Due, Name, Rows, Single, Table
from schemas.parts import KeptProduct, Method, PaymentScope
from schemas.reasons import PaymentFailure

#: What ISO 4217 calls a transaction without a currency.
NO_CURRENCY = "XXX"
NOT_ORDERED = datetime(1970, 1, 1, tzinfo=UTC)
#: The problem of a payment with an open dispute, and of refunds that wait for its end.
DISPUTED = PaymentFailure.DISPUTED
#: The problem after a lost dispute: people decide.
DISPUTE_LOST = PaymentFailure.DISPUTE_LOST
#: So many failed tries are remembered by name: a report of an older one does not come any more.
PAST_KEPT = 20
#: The payer of a group that pays as one.
ORGANIZER = ""

Kind = Literal["authorisation", "charge", "capture", "refund", "release", "invoice", "credit"]
PaymentStatus = Literal["pending", "authorised", "succeeded", "failed", "cancelled"]


@dataclass(slots=True)
class Terms:
    """What payments depend on; ``deadline`` is the close with its grace.

    Orders of ``sources`` count; if there are none, orders of any source count. Rows of earlier
    versions have no ``product``.
    """

    request_id: str
    scope: PaymentScope
    method: Method
    currency: str | None
    unit_price: int | None
    deadline: datetime
    organizer_id: str = ""
    organizer_person_id: str | None = None
    sources: tuple[str, ...] = ()
    product: KeptProduct | None = None
    shop_id: str | None = None
    seller_id: str | None = None
    organizer_name_mark: str | None = None
    #: When the group closes, if its discount then lowers what is paid.
    discount_at: datetime | None = None


@dataclass(slots=True)
class Listed:
    """A listed member who has a method or can be reached."""

    method: Method | None
    person_id: str | None = None
    name_mark: str | None = None


@dataclass(slots=True)
class Group:
    """The state of a group.

    ``ended`` is the status it closed with; ``decided``: all its favors are decided. ``follow``:
    its favors are money, so a later row gets a new favor. ``over``: only this row is left.
    ``quantity``, ``value`` and ``favor`` are the sums over its purchasers.
    """

    ended: str = ""
    decided: bool = False
    follow: bool = False
    unsettled: int = 0
    is_settled: bool = False
    invoices: int = 0
    credits: int = 0
    over: bool = False
    quantity: int = 0
    value: int = 0
    favor: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether final sums are owed: it is withdrawn, or closed with its favors decided."""
        return self.ended == "withdrawn" or (self.ended != "" and self.decided)


@dataclass(slots=True)
class Purchaser:
    """The latest row of a purchaser, and the favor for it; versions of 0: none yet."""

    version: int = 0
    quantity: int = 0
    value: int = 0
    #: Which orders count.
    mark: int = 0
    favor: int = 0
    favor_version: int = 0
    #: The version of the row that the favor is for.
    favor_row: int = 0
    #: Whether a favor for this row is still to come.
    awaits: bool = False


OrderState = Literal["confirmed-ahead", "unconfirmed", "placed", "dead"]


@dataclass(slots=True)
class Order:
    """An order as it first came; ``dead`` when it is cancelled or refused.

    While it is ``unconfirmed`` its payer's row does not include it. ``confirmed_at`` is set if the
    confirmation came before the order.

    ``value`` is None until the terms say the price. ``by_shop``: the shop has its money.
    ``is_there``: order_service was told that its money is.
    """

    state: OrderState
    member_id: str = ""
    quantity: int = 0
    value: int | None = 0
    ordered_at: datetime = NOT_ORDERED
    by_shop: bool = False
    currency: str = ""
    person_id: str | None = None
    payment_id: str = ""
    is_there: bool = False
    confirmed_at: datetime | None = None
    name_mark: str | None = None


@dataclass(slots=True)
class Payer:
    """One payer: what counts, what of it the shop took, the favor, and the payments by id.

    ``quantity`` and ``value`` count, in units and minor units.

    ``awaits`` purchasers' favors are still to come. ``orders`` are names of order rows that are
    paid one by one. ``level_value`` is what counted when the final sum was last asked for.
    ``person_id`` is the first person whom orders named, ``name_mark`` is of that person's name.
    """

    value: int = 0
    favor: int = 0
    favor_version: int = 0
    shop: int = 0
    awaits: int = 0
    level_value: int | None = None
    settled: bool = False
    orders: tuple[str, ...] = ()
    payments: tuple[str, ...] = ()
    currency: str = ""
    person_id: str | None = None
    quantity: int = 0
    name_mark: str | None = None


class Cause(NamedTuple):
    """What money moves for."""

    kind: Literal["order", "favor", "withdrawal"]
    source: str | None = None
    order_id: str | None = None
    favor_version: int | None = None


class Receipt(NamedTuple):
    """Money that came for an invoice."""

    report_id: str
    amount: int
    reference: str | None
    at: datetime


class Dispute(NamedTuple):
    """A dispute of a card payment, as last reported; ``amount`` is disputed, in minor units."""

    dispute_id: str
    state: Literal["open", "won", "lost"]
    at: datetime
    amount: int


@dataclass(slots=True)
class Move:
    """One movement of money, and how its tries went.

    - ``parent``: the payment it is of: what a capture or release takes from, a refund goes back to.
    - ``reference``: the provider's; ``session``: of the page where the payer pays. ``past``: the
      provider's names of the latest pages and refunds that have failed.
    - ``was_there``: it was authorised or paid at some time. ``is_void``: to be called off.
    - ``keys``: the number of the idempotency key in use. ``looks``: look before doing it again.
    - ``is_unsure``: given up, and it may have been done. It counts as done until it is retried.
    - ``code``: what the payer got in place of money.
    - ``begun_at``: when it was asked for. ``quantity``, ``value``, ``favor``: what an invoice or a
      credit note is about. ``receipts``: the latest that came for an invoice.
    - ``disputes``: of a payment by card, by the payer's bank.
    """

    version: int
    payer: str
    kind: Kind
    method: Method
    amount: int
    currency: str
    status: PaymentStatus
    cause: Cause
    parent: str = ""
    reference: str | None = None
    session: str | None = None
    page: str | None = None
    past: tuple[str, ...] = ()
    was_there: bool = False
    is_void: bool = False
    keys: int = 1
    looks: bool = False
    attempts: int = 0
    first_tried_at: datetime | None = None
    is_unsure: bool = False
    problem: str | None = None
    received: int = 0
    code: str | None = None
    receipts: tuple[Receipt, ...] = ()
    begun_at: datetime | None = None
    quantity: int | None = None
    value: int | None = None
    favor: int | None = None
    disputes: tuple[Dispute, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it is under way, or may be done without our knowledge."""
        return self.status == "pending" or self.is_unsure

    @property
    def has_failed(self) -> bool:
        """Whether it certainly was not done, and people have to act."""
        return self.status == "failed" and not self.is_unsure

    @property
    def has_page(self) -> bool:
        """Whether the payer is asked for it, on a page of the provider."""
        return self.method == "card" and self.kind in ("authorisation", "charge")

    @property
    def tried_as(self) -> str | None:
        """The provider's name of the present try: of the page or the refund, once it is known."""
        reference = self.reference if self.method == "card" else None
        return self.session if self.has_page else reference

    def past_with(self, name: str | None) -> tuple[str, ...]:
        """``past`` once this page or refund has failed, too."""
        return self.past if not name or name in self.past else (*self.past, name)[-PAST_KEPT:]

    @property
    def is_disputed(self) -> bool:
        """Whether a dispute of it is open."""
        return any(each.state == "open" for each in self.disputes)

    @property
    def is_lost(self) -> bool:
        """Whether a dispute of it was lost."""
        return any(each.state == "lost" for each in self.disputes)


#: A payer's payments by id, the oldest first.
Moves = Mapping[str, Move]


def select(moves: Moves, method: Method, *kinds: Kind, parent: str = "") -> dict[str, Move]:
    """Payments by this method of these kinds, of a parent if one is given, the oldest first."""
    return {
        payment_id: move
        for payment_id, move in moves.items()
        if move.method == method and move.kind in kinds and parent in ("", move.parent)
    }


def standing(moves: Moves) -> dict[str, Move]:
    """Payments that are not cancelled."""
    return {each: move for each, move in moves.items() if move.status != "cancelled"}


def total(moves: Moves) -> int:
    """The sum of payments that are not cancelled, in minor units."""
    return sum(move.amount for move in standing(moves).values())


@dataclass(slots=True)
class Report:
    """Exists once the report was taken."""


@dataclass(slots=True)
class Settled:
    """When the group was settled for the last time."""

    version: int
    at: datetime


@dataclass(slots=True)
class Early:
    """Exists while rows or orders wait for the terms."""


@dataclass(slots=True)
class Chunk:
    """The last row that a chunked rule has read."""

    after: str = ""
    step: str = ""


def order_name(source: str, order_id: str) -> Name[Order]:
    """The name of an order's row."""
    return ORDERS(source, order_id)


def member_name(member_id: str) -> Name[Purchaser]:
    """The name of a purchaser's row."""
    return MEMBERS(member_id)


def payer_name(payer_id: str) -> Name[Payer]:
    """The name of a payer's row."""
    return PAYERS(payer_id)


def move_name(payment_id: str) -> Name[Move]:
    """The name of a payment's row."""
    return PAYMENTS(payment_id)


def call_name(payment_id: str) -> Name[Call]:
    """The name of the row that asks for a payment to be brought about."""
    return CALLS("card", payment_id)


def payment_id_of(group_id: str, *cause: object) -> str:
    """The id of a payment: the same cause gives the same id; 32 hexadecimal characters."""
    text = "\x00".join(map(str, (group_id, *cause)))
    return sha256(text.encode()).hexdigest()[:32]


def key_of(payment_id: str, move: Move) -> str:
    """The idempotency key under which the provider knows the present try."""
    return f"{payment_id}-{move.keys}"


def method_of(member_id: str, rows: Rows) -> Method:
    """How a payer pays: as listed, else as the group does."""
    terms = rows[TERMS]
    listed: Listed | None = rows.get(LISTED(member_id)) if member_id else None
    return terms.method if listed is None or listed.method is None else listed.method


def payer_of(member_id: str, rows: Rows) -> str:
    """Who pays for a member."""
    terms = rows[TERMS]
    return ORGANIZER if terms.scope == "group" else member_id


def open_group(rows: Rows, now: datetime) -> Group:
    """The row of the group. The first record creates it, and the timer that deletes the rows."""
    if GROUP not in rows:
        rows[GROUP] = Group()
        rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    return rows[GROUP]


def is_mistyped(rows: Rows) -> bool:
    """Whether no group can have this id; False for a known group."""
    return GROUP not in rows and not is_group_id(rows.key)


def open_payer(payer_id: str, rows: Rows) -> Payer:
    """The row of a payer. The first call creates it, and counts the payer as not settled."""
    name = payer_name(payer_id)
    if name not in rows:
        group = rows[GROUP]
        rows[name] = Payer()
        rows[GROUP] = replace(group, unsettled=group.unsettled + 1)
    return rows[name]


#: The tables of the service.
TERMS = Single("terms", Terms)
LISTED = Table("listed", Listed)
GROUP = Single("group", Group)
MEMBERS = Table("member", Purchaser)
ORDERS = Table("order", Order)
PAYERS = Table("payer", Payer)
PAYMENTS = Table("payment", Move)
REPORTS = Table("report", Report)
SETTLED = Single("settled", Settled)
EARLY = Single("waits", Early)
CHUNKS = Table("chunk", Chunk)
