"""The rows of a group: its ``terms``, a ``member/`` row for each purchaser, then its ``decision``.

``sums`` are the sums over all purchasers.
While a sum is shared, ``remainder/`` rows rank the members by what their floor shares leave over.
"""

from dataclasses import dataclass
from typing import Literal

from runtime.rows import Single, Table
from schemas.parts import KeptProduct, Method, PaymentScope


@dataclass(slots=True)
class Terms:
    """What of a group's terms favors depend on; ``favor`` is a ``FavorTerms`` as JSON.

    ``method`` is how every member pays, or None if a member may pay by another method;
    ``payment_scope`` is empty in rows from before letters told it.
    """

    favor: str
    if_incomplete: str
    currency: str | None
    product: KeptProduct | None = None
    method: Method | None = None
    payment_scope: PaymentScope | Literal[""] = ""
    shop_id: str | None = None
    seller_id: str | None = None


@dataclass(slots=True)
class Purchaser:
    """A member's purchase as last told, and the favor given for it (version 0: none yet)."""

    version: int = 0
    quantity: int = 0
    value: int = 0
    favor_version: int = 0
    amount: int = 0
    gift: str | None = None
    person_id: str | None = None


@dataclass(slots=True)
class Sums:
    """The sums over all purchasers so far."""

    quantity: int = 0
    value: int = 0


@dataclass(slots=True)
class Decision:
    """What the close decided, and the group's totals at that moment.

    ``tier`` is a ``Tier`` as JSON, or None; ``over`` says that only this row is left.
    """

    request_id: str
    status: str
    tier: str | None = None
    cancel_all: bool = False
    quantity: int = 0
    value: int = 0
    currency: str | None = None
    over: bool = False


@dataclass(slots=True)
class Cursor:
    """How far a decision is: the last row seen, and what was given up to there.

    ``step`` is ``give`` (each on their own value), or ``floor`` and then ``share`` (one sum). Of
    that sum, ``left`` is what the floors leave over.
    """

    step: str = "give"
    after: str = ""
    total: int = 0
    members: int = 0
    left: int = 0


@dataclass(slots=True)
class Share:
    """A member's floor share, under a name that ranks the largest remainder first."""

    floor: int


#: The tables of the service.
TERMS = Single("terms", Terms)
MEMBERS = Table("member", Purchaser)
SUMS = Single("sums", Sums)
REMAINDERS = Table("remainder", Share)
DECISION = Single("decision", Decision)
CHUNKS = Table("chunk", Cursor)
