"""The rows of a shop's order, with which its next message is compared.

- ``order``: the order, after its first message.
- ``task``: its task, if something needs people.
"""

from dataclasses import dataclass, field
from datetime import datetime

from runtime.rows import Single
from services.shop_bridge.rules.versions import FIRST, NEVER, Version


@dataclass(slots=True)
class Line:
    """A line as the latest snapshot has it; ``value`` is of the whole ``quantity``.

    ``products`` are the shop's ids and SKU of its product; ``compared`` is whether they are
    compared with the group's product. ``mistyped`` is whether its group id is invalid.
    """

    quantity: int
    removed: int
    value: int
    group_id: str | None = None
    products: list[str] = field(default_factory=list)
    compared: bool = False
    mistyped: bool = False


@dataclass(slots=True)
class Part:
    """A sub-order's latest snapshot, which repeats goods of the order."""

    version: Version
    cancelled: bool
    lines: dict[str, Line]


@dataclass(slots=True)
class Edit:
    """An edit that the latest snapshot may not have yet: line -> by how much."""

    edited_at: datetime
    changes: dict[str, int]


@dataclass(slots=True)
class Refund:
    """A refund: line -> how many; ``told`` once it went into returns."""

    refunded_at: datetime
    lines: dict[str, int]
    told: bool = False


@dataclass(slots=True)
class Sent:
    """An order as it went to the topic ``orders``; ``returned`` of it were taken back since."""

    order_id: str
    quantity: int
    value: int
    paid: bool
    ordered_at: datetime
    returned: int = 0
    cancelled: bool = False

    @property
    def left(self) -> int:
        """Units that stand."""
        return 0 if self.cancelled else self.quantity - self.returned


@dataclass(slots=True)
class ShopOrder:
    """A shop's order; ``source`` is empty while only parts of it have come.

    ``version`` is the latest snapshot's; ``paid`` is its word, see ``is_paid``. ``cancelled_at`` is
    the latest word that it is cancelled, ``standing`` the version of the latest word either way.
    ``sent`` has the orders of each group, the first under the shop's own id. ``lowered`` counts
    returns that no refund explains.

    ``parts`` are its sub-orders by their ids. ``products`` has the id of each group's product that
    was asked for, empty where the terms name none; ``asked`` are the groups that were asked about.
    ``number`` is what people call it, ``problem`` what of it can't be counted. ``person_id`` is its
    buyer in ``people``, if the shop knows an address.
    """

    source: str = ""
    order_id: str = ""
    member_id: str = ""
    person_id: str | None = None
    currency: str = ""
    ordered_at: datetime = NEVER
    version: Version = FIRST
    standing: Version = FIRST
    cancelled_at: datetime | None = None
    paid: bool = False
    lines: dict[str, Line] = field(default_factory=dict)
    edits: dict[str, Edit] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    sent: dict[str, list[Sent]] = field(default_factory=dict)
    lowered: int = 0
    deliveries: list[str] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    products: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    strictly: bool = False
    number: str | None = None
    problem: str | None = None

    @property
    def updated_at(self) -> datetime:
        """The time of the change in the latest snapshot."""
        return self.version.updated_at

    @property
    def is_paid(self) -> bool:
        """Whether all of it is paid: an edit's addition is paid when a later snapshot says so."""
        added = any(delta > 0 for edit in self.edits.values() for delta in edit.changes.values())
        return self.paid and not added


@dataclass(slots=True)
class LeftToPeople:
    """The task of an order that needs people; done since ``done_at``."""

    source: str
    order_id: str
    about: str
    reason: str
    problem: str
    since: datetime
    version: int = 1
    done_at: datetime | None = None


#: The tables of the service.
ORDER = Single("order", ShopOrder)
TASK = Single("task", LeftToPeople)
