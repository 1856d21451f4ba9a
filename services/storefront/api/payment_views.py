"""What the API shows of payments."""

from collections.abc import Iterable
from datetime import datetime

from domain.invoices import open_of
from schemas.parts import Method, PaymentCause, Receipt
from schemas.payments import Payment
from services.storefront.views import View


class PaymentView(View):
    """A payment as its payer and who runs the group may see it; money in minor units.

    ``number`` is that of an invoice or credit note, which have a document. ``page`` is where a
    payer by card pays, for the payer alone. ``quantity``, ``value`` and ``favor`` are what an
    invoice or credit note is about.
    """

    payment_id: str
    group_id: str
    member_id: str | None
    kind: str
    method: Method
    amount: int
    currency: str
    status: str
    cause: PaymentCause
    number: str | None
    received: int
    receipts: tuple[Receipt, ...]
    begun_at: datetime | None
    quantity: int | None
    value: int | None
    favor: int | None
    page: str | None
    problem: str | None
    version: int


class PaymentDetail(PaymentView):
    """A payment with what is ``open`` of an invoice: credit notes make that less."""

    open: int


def payment_detail(
    payment: Payment, payments: Iterable[Payment], *, for_payer: bool
) -> PaymentDetail:
    """As it stands among all of its payer's."""
    view = payment_view(payment, for_payer=for_payer)
    return PaymentDetail(**dict(view), open=open_of(payment, payments))


def payment_view(payment: Payment, *, for_payer: bool = False) -> PaymentView:
    """As it stands."""
    same = ("payment_id", "group_id", "member_id", "kind", "method", "amount", "currency", "status")
    more = ("cause", "number", "begun_at", "quantity", "value", "favor", "problem", "version")
    return PaymentView(
        received=payment.received or 0,
        receipts=payment.receipts or (),
        page=payment.page if for_payer else None,
        **{name: getattr(payment, name) for name in (*same, *more)},
    )
