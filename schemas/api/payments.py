"""Bodies of the HTTP API about payments."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from schemas.api.parts import Currency, Given, Line, Moment, View, WholeNumber
from schemas.parts import MINOR_UNITS, SUM_MAX, Method, MinorUnits, PaymentCause, Receipt


class ReceivedGiven(Given):
    """Money received for an invoice.

    ``reference`` is what the bank calls it: the same one counts once.
    """

    amount: Annotated[int, Field(ge=1, le=SUM_MAX, description=MINOR_UNITS), WholeNumber]
    currency: Currency
    reference: Line | None = None
    received_at: Moment | None = None


class OutcomeGiven(Given):
    """The outcome of a payment that people make; ``reason`` is why it failed."""

    state: Literal["succeeded", "failed"]
    reference: Line | None = None
    reason: Line | None = None


class PaymentView(View):
    """A payment as its payer, the shop and the admin see it; money in minor units.

    ``number`` is that of an invoice or credit note, which have a document. ``page`` is where a
    payer by card pays, for the payer alone. ``quantity``, ``value`` and ``favor`` are what an
    invoice or credit note is about.
    """

    payment_id: str
    group_id: str
    member_id: str | None
    kind: str
    method: Method
    amount: MinorUnits
    currency: str
    status: str
    cause: PaymentCause
    number: str | None
    received: MinorUnits
    receipts: tuple[Receipt, ...]
    begun_at: datetime | None
    quantity: int | None
    value: MinorUnits | None
    favor: MinorUnits | None
    page: str | None
    problem: str | None
    version: int


class PaymentDetail(PaymentView):
    """A payment with what is ``open`` of an invoice: credit notes make that less."""

    open: MinorUnits
