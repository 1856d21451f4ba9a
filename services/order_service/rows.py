"""The rows of a group, and the facts that they stand for.

- ``terms``: what the group runs under; never changes. ``admitted/<member>``: who may buy.
- ``purchase``: the sums and the status. ``member/<member>``: one purchaser's sums.
- ``order/<source>/<order_id>``: all that is known of an order, and so what a repeat is answered by.
  ``due/confirm/<source>/<order_id>`` beside it while it is unconfirmed: when it expires.
- ``latest/<member>/<ordered_at>/<arrival>``: the counting orders of a member with several.
- ``return/<source>/<return_id>``: the answer a return got.
- ``waiting/<n>``: a message whose group is not known yet. ``waits``: the last of their numbers.
  ``early/<source>/<order_id>``: an order that waits so came with an address, which was sent.
- ``message/<message_id>``: a message of the organizer that was taken. ``told/<person_id>``: who has
  got the one that is being sent.
- ``unpaid``: how many orders came without their money. ``listed``: members admitted so far.
- ``ended``: all that is left of a group ninety days after its end.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from domain.ids import order_mark
from runtime.rows import Name, Rows, Single, Table
from schemas.orders import OrderRefused, PurchaseRow, PurchaseState
from schemas.parts import KeptProduct, Method, PaymentScope, Period, Status

NOT_ORDERED = datetime(1970, 1, 1, tzinfo=UTC)

#: The first two are of an order that has not come itself.
OrderState = Literal[
    "paid-ahead", "confirmed-ahead", "unconfirmed", "placed", "counts", "cancelled", "refused"
]


@dataclass(slots=True)
class Terms:
    """What orders are judged by; ``listed`` members, 0 when anyone may buy.

    Orders of ``sources`` count; if there are none, orders of any source count. ``favor`` is a
    ``FavorTerms`` as JSON, which letters tell; it is empty in rows of earlier versions.
    """

    request_id: str
    opens_at: datetime
    closes_at: datetime
    number_of_products: int
    listed: int
    stop_at_number: bool
    scope: PaymentScope
    method: Method
    currency: str | None
    unit_price: int | None
    product: KeptProduct | None = None
    sources: tuple[str, ...] = ()
    shop_id: str | None = None
    seller_id: str | None = None
    favor: str = ""
    is_as_reached: bool = False


@dataclass(slots=True)
class Purchase:
    """A group's sums; ``members`` have a quantity above zero.

    Once closed, orders made in time are taken up to and including ``late_until``.
    """

    version: int
    status: Status
    quantity: int
    value: int
    members: int
    closed_at: datetime | None
    late_until: datetime | None


@dataclass(slots=True)
class Admitted:
    """A listed member: the method if it is not the group's, and the person who gets letters.

    ``name_mark`` tells which name the list gave to the person.
    """

    method: Method | None
    person_id: str | None = None
    name_mark: str | None = None


@dataclass(slots=True)
class Listed:
    """How many members came in parts before the group, and whether any of them can be reached."""

    count: int
    has_reachable: bool = False


@dataclass(slots=True)
class Member:
    """One purchaser's sums.

    ``only_order`` names the order row while the member has one order, as most do; from the second
    on it is empty, and ``latest`` rows name them all. ``person_id`` is the first person whom the
    orders named, and none if the list of members names one. ``name_mark`` is of the latest name
    that they gave to this person. ``mark`` tells which orders count, where each is paid by card or
    invoice.
    """

    version: int
    quantity: int
    value: int
    orders: int
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    only_order: str
    person_id: str | None = None
    mark: int = 0
    name_mark: str | None = None


@dataclass(slots=True)
class Order:
    """An order as it first came; ``returned`` of its quantity have come back.

    It arrived at ``arrived_version`` of the purchase, as the ``arrived_unpaid``-th of those that
    came without their money (0: it counted at once and made that version). ``person_id`` and the
    ``name_mark`` of the name that came with it are kept while its money or its confirmation is
    awaited, unless the list of members names a person.

    ``confirmed_at`` is known before the order came; ``money`` says that its money came, or will be
    asked for, before it was confirmed.
    """

    state: OrderState
    member_id: str = ""
    quantity: int = 0
    value: int = 0
    ordered_at: datetime = NOT_ORDERED
    arrived_version: int = 0
    arrived_unpaid: int = 0
    returned: int = 0
    reason: str = ""
    person_id: str | None = None
    confirmed_at: datetime | None = None
    money: bool = False
    name_mark: str | None = None


@dataclass(slots=True)
class Unpaid:
    """How many orders came without their money; a row of its own, as the summary is the same."""

    count: int


@dataclass(slots=True)
class Latest:
    """The name of the order row."""

    order: str


@dataclass(slots=True)
class Return:
    """The answer a return got: how much of it was refused, and why."""

    member_id: str
    refused: int
    reason: str


@dataclass(slots=True)
class Early:
    """Exists while an order waits whose address was sent, so that a repeat sends nothing again."""


@dataclass(slots=True)
class Mark:
    """There, or not."""


@dataclass(slots=True)
class Chunk:
    """There until the rule that goes in chunks has nothing left to do; the last row it has seen.

    Of an organizer's message also its ``words``, and the table that is read: ``step``.
    """

    after: str = ""
    step: str = ""
    words: str = ""


@dataclass(slots=True)
class Ended:
    """How a group ended whose rows are gone."""

    status: Status
    version: int


def order_name(source: str, order_id: str) -> Name[Order]:
    """The name of an order's row."""
    return ORDERS(source, order_id)


def return_name(source: str, return_id: str) -> Name[Return]:
    """The name of a return's row."""
    return RETURNS(source, return_id)


def method_of(member_id: str, terms: Terms, rows: Rows) -> Method:
    """How a member pays: as listed, else as the group does."""
    admitted = rows.get(ADMITTED(member_id))
    return terms.method if admitted is None or admitted.method is None else admitted.method


def mark_of(name: str, member_id: str, rows: Rows) -> int:
    """What an order adds to its member's mark; nothing where payments are not made one by one."""
    terms = rows[TERMS]
    if terms.scope == "group" or method_of(member_id, terms, rows) == "shop":
        return 0
    _, source, order_id = name.split("/")
    return order_mark(source, order_id)


def latest_name(order: Order) -> Name[Latest]:
    """A name that sorts a member's orders by ``ordered_at``, then by arrival."""
    at = order.ordered_at.isoformat(timespec="microseconds")
    arrival = f"{order.arrived_version:012d}.{order.arrived_unpaid:012d}"
    return LATEST(order.member_id, at, arrival)


def listed_person(member_id: str, rows: Rows) -> str | None:
    """The id of the person whom the list of members names for a member."""
    admitted = _listed_as(member_id, rows)
    return admitted.person_id if admitted else None


def _listed_as(member_id: str, rows: Rows) -> Admitted | None:
    terms = rows.get(TERMS)
    if terms is not None and not terms.listed:
        return None  # as for most groups, and nothing to look up
    return rows.get(ADMITTED(member_id))


def reached_as(member_id: str, in_orders: str | None, rows: Rows) -> str | None:
    """The id of the person who gets a member's letters: as listed, else as orders said."""
    return listed_person(member_id, rows) or in_orders


# --- facts ---------------------------------------------------------------------------------------


def purchase_state(row_name: Name[Purchase], rows: Rows) -> PurchaseState:
    """The summary that the row ``purchase`` stands for; money in minor units."""
    purchase = rows[row_name]
    terms = rows[TERMS]
    return PurchaseState(
        group_id=rows.key,
        request_id=terms.request_id,
        version=purchase.version,
        status=purchase.status,
        quantity=purchase.quantity,
        value=purchase.value,
        currency=terms.currency,
        members=purchase.members,
        closed_at=purchase.closed_at,
    )


def purchase_row(row_name: Name[Member], rows: Rows) -> PurchaseRow:
    """The line of the table that a row ``member/<member_id>`` stands for; money in minor units."""
    member = rows[row_name]
    terms = rows[TERMS]
    member_id = row_name.partition("/")[2]
    listed = _listed_as(member_id, rows)
    named = listed if listed is not None and listed.person_id is not None else member
    return PurchaseRow(
        group_id=rows.key,
        request_id=terms.request_id,
        member_id=member_id,
        version=member.version,
        quantity=member.quantity,
        value=member.value,
        currency=terms.currency,
        period=Period(opens_at=terms.opens_at, closes_at=terms.closes_at),
        first_ordered_at=member.first_ordered_at,
        last_ordered_at=member.last_ordered_at,
        orders=member.orders,
        orders_mark=member.mark or None,
        person_id=named.person_id,
        name_mark=named.name_mark,
    )


def order_refused(row_name: str, row: Order | Return, rows: Rows) -> OrderRefused:
    """What an order or return is told of which ``row`` says that it is refused, or how much."""
    _, source, order_id = row_name.split("/")
    return OrderRefused(
        group_id=rows.key,
        order_id=order_id,
        source=source,
        member_id=row.member_id,
        quantity=row.refused if isinstance(row, Return) else row.quantity,
        reason=row.reason,
    )


#: The tables of the service.
TERMS = Single("terms", Terms)
PURCHASE = Single("purchase", Purchase)
LISTED = Single("listed", Listed)
ADMITTED = Table("admitted", Admitted)
MEMBERS = Table("member", Member)
ORDERS = Table("order", Order)
UNPAID = Single("unpaid", Unpaid)
LATEST = Table("latest", Latest)
RETURNS = Table("return", Return)
EARLY = Table("early", Early)
MESSAGES = Table("message", Mark)
TOLD = Table("told", Mark)
CHUNKS = Table("chunk", Chunk)
ENDED = Single("ended", Ended)
