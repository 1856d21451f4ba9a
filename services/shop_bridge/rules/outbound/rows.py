"""The rows of a group on its way out, and what is asked of the caller.

- ``terms``: the group's terms, as far as they are needed.
- ``order/<source>/<order_id>``: an order of the group, as the topic ``orders`` has it.
- ``return/<source>/<return_id>``: a return that was taken.
- ``payer/<member_id>``: a member's orders by name.
- ``instruction/<payment_id>``: a payment that a shop is to make; ``call/shop/<payment_id>`` beside
  it asks for the next step to be done.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from runtime.rows import CALLS, Call, Name, Single, Table

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
Outcome = Literal["done", "less", "refused", "again", "ours", "later", "elsewhere"]


@dataclass(slots=True)
class Terms:
    """The ``sources`` whose orders count in the group; if none, those of any source.

    ``product_id`` is the id of its product, if its terms name one.
    """

    sources: tuple[str, ...] = ()
    product_id: str | None = None


@dataclass(slots=True)
class Order:
    """An order of a group; ``returned`` of its units came back, ``refunded`` of it went out by us.

    ``value`` is None where the order does not say. A row may be no more than that it is ``void``.
    """

    member_id: str = ""
    quantity: int = 1
    value: int | None = 0
    currency: str | None = None
    ordered_at: datetime = NEVER
    returned: int = 0
    refunded: int = 0
    void: bool = False


@dataclass(slots=True)
class Payer:
    """A member's orders by the names of their rows.

    ``ahead`` went out for payments that were called off afterwards: the next ones have it already.
    """

    orders: tuple[str, ...] = ()
    ahead: int = 0


@dataclass(slots=True)
class Part:
    """What is being done: so much at one order.

    Nothing of it, or no order, is to ask whether the shop is ours to ask at all.
    """

    order: str
    amount: int


@dataclass(slots=True)
class Instruction:
    """A payment that a shop is to make, and how far it is.

    - ``done`` of ``amount`` went out, in ``parts`` so far begun, with these ``references``; as a
      ``code`` if it is one.
    - ``limits``: what a shop said is left of an order; ``elsewhere``: shops that are not ours to
      ask; ``problems``: what shops said no with.
    - ``attempts`` at the part in hand since ``first_tried_at``; ``is_unsure``: one of them may have
      been done. ``rested``: what came with it has had time to be read.
    - ``is_over``: nothing is wanted any more.
    """

    version: int
    payer: str
    kind: Literal["refund", "charge"]
    cause: str
    amount: int
    currency: str
    since: datetime
    done: int = 0
    parts: int = 0
    part: Part | None = None
    references: tuple[str, ...] = ()
    code: str | None = None
    limits: dict[str, int] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    attempts: int = 0
    first_tried_at: datetime | None = None
    is_unsure: bool = False
    rested: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Returned:
    """There once a return was taken."""


@dataclass(slots=True)
class Chunk:
    """That a group is being forgotten."""


@dataclass(slots=True)
class Request:
    """What the caller is to do at a shop: refund ``amount`` of an order, or say that it can't.

    ``key`` is the part's own, the same for every try. ``as_code`` is what a code would be worth, 0
    where money has to go back. With ``rest_seconds`` nothing is to be done but to say so.
    """

    source: str
    order_id: str
    group_id: str
    key: str
    kind: Literal["refund", "charge"]
    amount: int
    currency: str
    as_code: int = 0
    rest_seconds: float = 0.0


@dataclass(slots=True)
class Reply:
    """What came of it.

    - ``done``: ``amount`` went out, under this ``reference``; ``is_code``: as a code, which takes
      nothing from the order.
    - ``less``: only ``left`` can be refunded of the order; ``text`` says why, if it is not that the
      rest went back already. ``refused``: nothing, for good.
    - ``again``: not now, in ``seconds`` if given; ``is_open``: it may have been done.
    - ``ours``: to be mended here. ``later``: not begun. ``elsewhere``: not a shop of ours to ask.
    """

    outcome: Outcome
    text: str = ""
    reference: str = ""
    amount: int = 0
    is_code: bool = False
    left: int = 0
    seconds: float = 0.0
    is_open: bool = False


def order_name(source: str, order_id: str) -> Name[Order]:
    """The name of an order's row."""
    return ORDERS(source, order_id)


def payer_name(member_id: str) -> Name[Payer]:
    """The name of a member's row."""
    return PAYERS(member_id)


def instruction_name(payment_id: str) -> Name[Instruction]:
    """The name of an instruction's row."""
    return INSTRUCTIONS(payment_id)


def call_name(payment_id: str) -> Name[Call]:
    """The name of the row that asks for a step of an instruction."""
    return CALLS("shop", payment_id)


#: The tables of the service.
TERMS = Single("terms", Terms)
ORDERS = Table("order", Order)
RETURNS = Table("return", Returned)
PAYERS = Table("payer", Payer)
INSTRUCTIONS = Table("instruction", Instruction)
CHUNKS = Table("chunk", Chunk)
