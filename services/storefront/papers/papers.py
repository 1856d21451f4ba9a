"""A bill as the words and figures of a paper, in a language: what text, HTML and PDF lay out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

from services.storefront.formats import Formats
from services.storefront.pages import texts
from services.storefront.pages.texts import Language
from services.storefront.papers.issuer import Issuer
from services.storefront.rules.bills import Bill, Line

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything on a paper, in the order in which it stands there; pairs are label and value.

    ``lines`` are description, quantity, unit price and amount, under ``columns``.
    """

    language: Language
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
    notes: tuple[str, ...]


def paper_of(bill: Bill, issuer: Issuer, language: Language) -> Paper:
    """The paper of a bill: the same bill and issuer always give the same."""
    return _Writing(bill, issuer, language).paper()


def plain(text: str) -> str:
    """A text of somebody's without what could steer a page or a line: one line of what is seen."""
    shown = (each if each.isprintable() else " " for each in text)
    return " ".join("".join(shown).split())


class _Writing:
    def __init__(self, bill: Bill, issuer: Issuer, language: Language) -> None:
        self._bill = bill
        self._issuer = issuer
        self._language = language
        self._formats = Formats.of(language)
        self._zone = ZoneInfo(issuer.time_zone)

    def paper(self) -> Paper:
        bill, kind = self._bill, "credit" if self._bill.is_credit else "invoice"
        total = -sum(each.amount for each in bill.lines)
        return Paper(
            language=self._language,
            title=f"{self._t(f'bill.{kind}')} {plain(bill.number)}",
            issuer=tuple(self._from()),
            payer=self._payer_lines(),
            labels={
                "from": self._t("bill.from"),
                "to": self._t("bill.to"),
                "standing": self._t("bill.standing"),
                "how": self._t("bill.how"),
            },
            facts=tuple(self._facts()),
            columns=(
                self._t("bill.description"), self._t("bill.quantity"), self._t("bill.unit_price"),
                self._t("bill.amount"),
            ),
            lines=tuple(self._line(each) for each in bill.lines),
            total=(self._t(f"bill.total_{kind}"), self._money(total if bill.is_credit else -total)),
            standing=tuple(self._standing()),
            to_pay=tuple(self._to_pay()) if bill.open else (),
            notes=tuple(self._notes()),
        )  # fmt: skip

    # --- whose -----------------------------------------------------------------------------------

    def _from(self) -> list[str]:
        issuer = self._issuer
        found = [issuer.name, *issuer.address]
        found += [issuer.email] if issuer.email else []
        return [*found, f"{self._t('bill.tax_id')}: {issuer.tax_id}"]

    def _payer_lines(self) -> tuple[str, ...]:
        payer = self._bill.payer
        name, email = plain(payer.name or ""), plain(payer.email or "")
        customer = f"{self._t('bill.customer')}: {plain(payer.id)}"
        return tuple(each for each in (name, email, customer) if each)

    def _facts(self) -> list[Pair]:
        bill = self._bill
        found = [(self._t("bill.number"), plain(bill.number))]
        if bill.begun_at is not None:
            found.append((self._t("bill.date"), self._day(bill.begun_at)))
            if not bill.is_credit:
                days = timedelta(days=self._issuer.payment_days)
                found.append((self._t("bill.due"), self._day(bill.begun_at + days)))
        found.append((self._t("bill.group"), plain(bill.group_id)))
        if bill.order_id is not None:
            found.append((self._t("bill.order"), plain(bill.order_id)))
        if bill.is_credit:
            found.append((self._t("bill.reason"), self._t(f"bill.reason_{bill.reason}")))
        return found

    # --- what ------------------------------------------------------------------------------------

    def _line(self, line: Line) -> tuple[str, str, str, str]:
        product = plain(self._bill.product)
        if line.what == "product":
            product_id = self._bill.product_id
            what = f"{product} ({plain(product_id)})" if product_id else product
        else:
            what = self._t(f"bill.line_{line.what}", product=product)
        quantity = "" if line.quantity is None else self._formats.number(line.quantity)
        price = "" if line.unit_price is None else self._money(line.unit_price)
        return what, quantity, price, self._money(line.amount)

    def _standing(self) -> list[Pair]:
        bill = self._bill
        found = [(self._t("bill.status"), self._t(f"bill.status_{bill.standing}"))]
        if bill.is_credit:
            return found
        shown = sum(amount for _, amount in bill.receipts)
        if shown == bill.received:
            found += [
                (self._t("bill.received_on", date=self._day(at)), self._money(amount))
                for at, amount in bill.receipts
            ]
        else:
            found.append((self._t("bill.received"), self._money(bill.received)))
        if bill.credited:
            found.append((self._t("bill.credited"), self._money(bill.credited)))
        return [*found, (self._t("bill.open"), self._money(bill.open))]

    def _to_pay(self) -> list[Pair]:
        issuer, bill = self._issuer, self._bill
        found = [
            (self._t("bill.open"), self._money(bill.open)),
            (self._t("bill.payee"), issuer.name),
        ]
        if issuer.iban:
            in_fours = " ".join(issuer.iban[at : at + 4] for at in range(0, len(issuer.iban), 4))
            found.append((self._t("bill.iban"), in_fours))
        if issuer.bic:
            found.append((self._t("bill.bic"), issuer.bic))
        found += [(self._t("bill.account"), line) for line in issuer.account]
        return [*found, (self._t("bill.reference"), bill.reference or plain(bill.number))]

    def _notes(self) -> list[str]:
        found = [self._t("bill.offset")] if self._bill.is_credit else []
        if self._bill.open:
            found.append(self._t("bill.ask"))
        return found + ([self._issuer.note] if self._issuer.note else [])

    # --- how -------------------------------------------------------------------------------------

    def _t(self, key: str, **values: str) -> str:
        return texts.text(key, self._language).format(**values)

    def _money(self, amount: int) -> str:
        return self._formats.money(amount, self._bill.currency)

    def _day(self, at: datetime) -> str:
        there = at.astimezone(self._zone)
        return str(format_date(there, "long", locale=self._formats.locale))
