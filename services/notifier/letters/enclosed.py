"""The paper that a letter about an invoice or a credit note encloses, and how it is paid."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from domain.people import name_mark
from domain.pseudonyms import pseudonym
from papers.bills import Payer, bill_of
from papers.issuer import Issuer
from papers.paper import Paper, paper_of
from papers.transfer import Transfer, transfer_for
from schemas.letters import Notice
from services.notifier.letters.figures import Figures
from services.notifier.rows import Person
from services.notifier.rules.facts import Row
from services.notifier.rules.labels import LABELS
from texts.catalogue import texts

#: The largest PDF that is attached; many mailboxes refuse letters of some megabytes.
PDF_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a letter encloses: ``pdf`` under its file ``name``, if it is not too large.

    ``transfer`` pays what is open of an invoice.
    """

    name: str
    pdf: bytes
    transfer: Transfer | None

    @property
    def is_attached(self) -> bool:
        """Whether the letter has the PDF; else it says where that is."""
        return len(self.pdf) <= PDF_BYTES_MAX


def paper_for(notice: Notice, person: Person, issuer: Issuer, secret: str) -> Paper | None:
    """The paper of an invoice or credit note, as the storefront serves it to the letter's reader.

    ``secret`` is that of links. An order of somebody else under the payer's id (``order_id``) has a
    paper without the payer's name and address. None of other letters, and of notices that lack what
    a paper says.
    """
    says = notice.says
    if says.billed is None or says.product is None or says.billed.payment.number is None:
        return None
    is_own = says.order_id is None
    mark = says.billed.name_mark
    is_named = person.name is not None and mark == name_mark(says.request_id or "", person.name)
    payer = Payer(
        id=pseudonym(secret, notice.about, says.party_id),
        name=person.name if is_own and is_named else None,
        email=person.email if is_own else None,
    )
    bill = bill_of(says.billed.payment, says.product, payer, says.billed.still_open)
    return paper_of(bill, issuer, Figures.of(person.locale, None).language)


def enclosed(notice: Notice, issuer: Issuer, pdf: bytes) -> Enclosed:
    """The paper of a notice that has one, as its letter encloses it."""
    assert notice.says.billed is not None
    payment = notice.says.billed.payment
    assert payment.number is not None
    kind = "credit-note" if payment.kind == "credit" else "invoice"
    name = re.sub(r"[^A-Za-z0-9.-]", "_", payment.number)
    given = (payment.number, payment.begun_at, notice.says.billed.still_open, payment.currency)
    return Enclosed(f"{kind}-{name}.pdf", pdf, transfer_for(*given, issuer))


def to_pay(transfer: Transfer, writes: Figures) -> Iterator[Row]:
    """The large rows: what to pay, and by when."""
    yield _row("open", writes.money(transfer.amount, transfer.currency), writes)
    if transfer.due_on is not None:
        yield _row("due", writes.date(transfer.due_on), writes)


def account(transfer: Transfer, writes: Figures) -> Iterator[Row]:
    """The rows that a form for a transfer asks for."""
    yield _row("payee", transfer.payee, writes)
    if transfer.iban is not None:
        yield _row("iban", transfer.iban_in_fours, writes)
    if transfer.bic is not None:
        yield _row("bic", transfer.bic, writes)
    for line in transfer.account:
        yield _row("account", line, writes)
    yield _row("reference", transfer.reference, writes)


def _row(label: str, value: str, writes: Figures) -> Row:
    return Row(texts(writes.language).gettext(LABELS[label]), value)
