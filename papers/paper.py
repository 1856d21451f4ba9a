"""A bill as the words and figures of a paper, in a language: what text, HTML and PDF lay out."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date

from domain import figures
from papers.bills import Bill, Line
from papers.issuer import Issuer
from papers.transfer import due_on, transfer_for
from texts.catalogue import mark, texts

Pair = tuple[str, str]
_TITLE: Final = {"invoice": mark("Invoice"), "credit": mark("Credit note")}
_TOTAL: Final = {"invoice": mark("Amount to pay"), "credit": mark("Amount credited")}
#: Why there is a credit note, by the cause of its payment.
_REASON: Final = {
    "favor": mark("Discount of the group purchase"),
    "order": mark("Goods were returned, or an order was cancelled"),
    "withdrawal": mark("The group purchase was withdrawn"),
}
#: Lines that are not the product itself.
_LINE: Final = {
    "favor": mark("Group purchase discount"),
    "withdrawn": mark("The group purchase was withdrawn"),
    "before": mark("Billed or paid before"),
}
_STATUS: Final = {
    "open": mark("to be paid"),
    "paid": mark("paid"),
    "offset": mark("covered by credit notes"),
    "credited": mark("credited"),
}


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything on a paper, in the order in which it stands there; pairs are label and value.

    ``lines`` are description, quantity, unit price and amount, under ``columns``. ``code`` is the
    text of a QR code for banking apps, if there is one.
    """

    language: str
    title: str
    issuer: tuple[str, ...]
    payer: tuple[str, ...]
    labels: dict[str, str]
    facts: tuple[Pair, ...]
    columns: tuple[str, str, str, str]
    lines: tuple[tuple[str, str, str, str], ...]
    total: Pair
    standing: tuple[Pair, ...]
    to_pay: tuple[Pair, ...]
    code: str | None
    notes: tuple[str, ...]
    #: On a page: words and address of the page that led here.
    back: Pair | None = None


def paper_of(bill: Bill, issuer: Issuer, language: str) -> Paper:
    """The paper of a bill: the same bill and issuer always give the same."""
    return _Writing(bill, issuer, language).paper()


def plain(text: str) -> str:
    """A text of somebody's without what could steer a page or a line: one line of what is seen."""
    shown = (each if each.isprintable() else " " for each in text)
    return " ".join("".join(shown).split())


class _Writing:
    def __init__(self, bill: Bill, issuer: Issuer, language: str) -> None:
        self._bill = bill
        self._issuer = issuer
        self._language = language
        self._texts = texts(language)
        self._zone = ZoneInfo(issuer.time_zone)
        self._transfer = transfer_for(
            plain(bill.number), bill.begun_at, bill.open, bill.currency, issuer
        )

    def paper(self) -> Paper:
        bill, kind = self._bill, "credit" if self._bill.is_credit else "invoice"
        total = -sum(each.amount for each in bill.lines)
        return Paper(
            language=self._language,
            title=f"{self.gettext(_TITLE[kind])} {plain(bill.number)}",
            issuer=tuple(self._from()),
            payer=self._payer_lines(),
            labels={
                "from": self.gettext("From"),
                "to": self.gettext("To"),
                "standing": self.gettext("Payment status"),
                "how": self.gettext("How to pay"),
                "scan": self.gettext(
                    "Scan this code with your banking app. It fills in the payee, the account, the "
                    "amount and the reference."
                ),
                "code": self.gettext("QR code for a bank transfer"),
            },
            facts=tuple(self._facts()),
            columns=(
                self.gettext("Description"), self.gettext("Quantity"), self.gettext("Unit price"),
                self.gettext("Amount"),
            ),
            lines=tuple(self._line(each) for each in bill.lines),
            total=(self.gettext(_TOTAL[kind]), self._money(total if bill.is_credit else -total)),
            standing=tuple(self._standing()),
            to_pay=tuple(self._to_pay()),
            code=self._transfer.code if self._transfer else None,
            notes=tuple(self._notes()),
        )  # fmt: skip

    # --- whose -----------------------------------------------------------------------------------

    def _from(self) -> list[str]:
        issuer = self._issuer
        found = [issuer.name, *issuer.address]
        found += [issuer.email] if issuer.email else []
        tax_id = self.gettext("Tax ID")
        return [*found, f"{tax_id}: {issuer.tax_id}"]

    def _payer_lines(self) -> tuple[str, ...]:
        payer = self._bill.payer
        name, email = plain(payer.name or ""), plain(payer.email or "")
        label = self.gettext("Customer")
        customer = f"{label}: {plain(payer.id)}"
        return tuple(each for each in (name, email, customer) if each)

    def _facts(self) -> list[Pair]:
        bill = self._bill
        found = [(self.gettext("Number"), plain(bill.number))]
        if bill.begun_at is not None:
            found.append((self.gettext("Date"), self._day(bill.begun_at)))
            if not bill.is_credit:
                due = due_on(bill.begun_at, self._issuer)
                found.append((self.gettext("Please pay by"), self._date(due)))
        found.append((self.gettext("Group purchase ID"), plain(bill.group_id)))
        if bill.order_id is not None:
            found.append((self.gettext("Order number"), plain(bill.order_id)))
        if bill.is_credit:
            found.append((self.gettext("Reason"), self.gettext(_REASON[bill.reason])))
        return found

    # --- what ------------------------------------------------------------------------------------

    def _line(self, line: Line) -> tuple[str, str, str, str]:
        product = plain(self._bill.product)
        if line.what == "product":
            product_id = self._bill.product_id
            what = f"{product} ({plain(product_id)})" if product_id else product
        else:
            what = self.gettext(_LINE[line.what]) if line.what in _LINE else product
        quantity = "" if line.quantity is None else figures.number(line.quantity, self._language)
        price = "" if line.unit_price is None else self._money(line.unit_price)
        return what, quantity, price, self._money(line.amount)

    def _standing(self) -> list[Pair]:
        bill = self._bill
        found = [(self.gettext("Status"), self.gettext(_STATUS[bill.standing]))]
        if bill.is_credit:
            return found
        shown = sum(amount for _, amount in bill.receipts)
        if shown == bill.received:
            found += [
                (self.gettext("Received on {date}", date=self._day(at)), self._money(amount))
                for at, amount in bill.receipts
            ]
        else:
            found.append((self.gettext("Received"), self._money(bill.received)))
        if bill.credited:
            found.append((self.gettext("Covered by credit notes"), self._money(bill.credited)))
        if self._transfer is not None:
            # How to pay begins with it.
            return found
        return [*found, (self.gettext("Amount due"), self._money(bill.open))]

    def _to_pay(self) -> list[Pair]:
        transfer = self._transfer
        if transfer is None:
            return []
        found = [
            (self.gettext("Amount due"), self._money(transfer.amount)),
            (self.gettext("Payee"), transfer.payee),
        ]
        if transfer.iban:
            found.append(("IBAN", transfer.iban_in_fours))
        if transfer.bic:
            found.append(("BIC", transfer.bic))
        found += [(self.gettext("Account"), line) for line in transfer.account]
        return [*found, (self.gettext("Reference"), transfer.reference)]

    def _notes(self) -> list[str]:
        found = []
        if self._bill.is_credit:
            found.append(
                self.gettext(
                    "We set this amount off against your open invoices and refund what you have "
                    "paid beyond them."
                )
            )
        if self._bill.may_get_discount:
            found.append(
                self.gettext(
                    "If the group purchase gets a discount, you get a credit note for it after the "
                    "group has closed."
                )
            )
        if self._bill.open:
            found.append(
                self.gettext(
                    "Please give the reference with your transfer, so that we can match your "
                    "payment."
                )
            )
        return found + ([self._issuer.note] if self._issuer.note else [])

    # --- how -------------------------------------------------------------------------------------

    def gettext(self, text: str, **values: str) -> str:
        """A text with its values, in the language of the paper."""
        return self._texts.gettext(text).format(**values)

    def _money(self, amount: int) -> str:
        return figures.money(amount, self._bill.currency, self._language)

    def _day(self, at: datetime) -> str:
        return self._date(at.astimezone(self._zone).date())

    def _date(self, day: date) -> str:
        return str(format_date(day, "long", locale=self._language))
