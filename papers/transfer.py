"""How an open invoice is paid: when, what, and to which account. Pure; money in minor units."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.girocode import girocode
from domain.references import creditor_reference
from papers.issuer import Issuer


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer that pays what is open of an invoice.

    ``due_on`` is None of invoices of a time when their date was not said. ``iban`` is written
    without blanks, and ``account`` has the lines of an account in other words. ``code`` is the text
    of a QR code for banking apps, where there is one (``domain.girocode``).
    """

    due_on: date | None
    amount: int
    currency: str
    payee: str
    iban: str | None
    bic: str | None
    account: tuple[str, ...]
    reference: str
    code: str | None

    @property
    def iban_in_fours(self) -> str:
        """As people read it: ``DE89 3704 0044 …``."""
        iban = self.iban or ""
        return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))

    @property
    def typed_reference(self) -> str:
        """The reference as it is typed into a form: a creditor reference has no blanks there."""
        return "".join(self.reference.split())


def transfer_for(
    number: str, begun_at: datetime | None, still_open: int, currency: str, issuer: Issuer
) -> Transfer | None:
    """The transfer for an invoice of this number and time; None if nothing is open."""
    if still_open <= 0:
        return None
    reference = creditor_reference(number) or number
    code = None
    if issuer.iban is not None:
        given = (issuer.name, issuer.iban, still_open, currency, reference, issuer.bic)
        code = girocode(*given)
    return Transfer(
        due_on=begun_at and due_on(begun_at, issuer),
        amount=still_open,
        currency=currency,
        payee=issuer.name,
        iban=issuer.iban,
        bic=issuer.bic,
        account=issuer.account,
        reference=reference,
        code=code,
    )


def due_on(begun_at: datetime, issuer: Issuer) -> date:
    """The last day to pay: so many days after the invoice's date, where the issuer is."""
    there = begun_at.astimezone(ZoneInfo(issuer.time_zone)).date()
    return there + timedelta(days=issuer.payment_days)
