"""Reads the incoming money from statements of a bank account, CAMT.053 (ISO 20022). Pure.

A file is read whole or not at all; an entry that is unclear becomes a task.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

from domain.money import minor_units
from domain.references import Mention
from schemas.parts import SUM_MAX, is_possible
from schemas.reasons import TransferReason
from terminal.marks import Mark, kind_of, origin_of
from terminal.mentions import NOTHING_GIVEN, Named, Texts, texts_of
from terminal.statement_files import StatementError, documents, printable

#: A decimal as XML Schema writes it, in as many digits as ISO 20022 has for amounts.
_AMOUNT = re.compile(r"\+?([0-9]{1,18}(\.[0-9]{0,5})?|\.[0-9]{1,5})", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_REFERENCE_CHARACTERS_MAX = 100
_CHARACTERS_MAX = 50_000
#: Money that goes back, by ISO 20022's external codes of bank transactions (sub-family) and by the
#: codes of German banks: returned transfers, unpaid and recalled direct debits.
_RETURNS = frozenset({"RRTN", "RPCR", "UPDD", "PRDD", "RCDD", "ARET", "AREV"})
_GERMAN_RETURNS = re.compile(r"[A-Z]{4}\+(108|109|159)(\+|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that came to the account, in minor units; None where the amount can't be read.

    ``reference`` is the same in every statement with this money: the bank's own reference and the
    mark. ``mentions`` are the invoices that it names. ``reason`` and ``odd`` say
    why it can't be counted as it is.
    """

    reference: str
    amount: int | None
    currency: str
    booked_on: date | None
    payer: str
    text: str
    mark: Mark
    mentions: tuple[Mention, ...] = ()
    is_contradictory: bool = False
    reason: TransferReason | None = None
    odd: str = ""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers that it names."""
        return tuple(each.number for each in self.mentions)


@dataclass(frozen=True, slots=True)
class Statement:
    """The credits in a file, and the number of debits and of entries not booked yet."""

    credits: tuple[Credit, ...]
    debits: int
    not_booked: int


class _Odd(NamedTuple):
    reason: TransferReason
    problem: str


class _Page(NamedTuple):
    """The account and the statement of an entry; ``number`` is 0 if there is only one page."""

    account: str
    number: int
    origin: str


class _Money(NamedTuple):
    amount: int | None
    currency: str
    written: str
    odd: _Odd | None = None


class _Counts:
    """How many equal entries were found in the file, and in the current statement."""

    def __init__(self) -> None:
        self.in_file: Counter[Mark] = Counter()
        self.here: Counter[Mark] = Counter()


def read_statement(data: bytes) -> Statement:
    """The money that came, by a file's bytes: XML, or a ZIP of it. Raises ``StatementError``."""
    found: list[Credit] = []
    debits = not_booked = 0
    for document in documents(data):
        counts = _Counts()
        for page, statement in _statements(document):
            counts.here.clear()
            for entry in statement.findall("Ntry"):
                if (_text(entry, "Sts/Cd") or _text(entry, "Sts")) != "BOOK":
                    not_booked += 1
                elif _text(entry, "CdtDbtInd") != "CRDT" and not _goes_back(entry):
                    debits += 1
                else:
                    found += _credits(entry, page, counts)
    return Statement(tuple(found), debits, not_booked)


def _statements(document: Element) -> Iterator[tuple[_Page, Element]]:
    """The statements of a document, each once."""
    is_any = False
    told = set()
    for message in document.iter("BkToCstmrStmt"):
        for statement in message.findall("Stmt"):
            is_any = True
            whole = tostring(statement)
            if whole not in told:
                told.add(whole)
                yield _page(message, statement), statement
    if not is_any:
        raise StatementError("it holds no statement: give a CAMT.053 file as the bank makes it")


def _page(message: Element, statement: Element) -> _Page:
    """Pages of one statement have the same period and number, if they have them at all."""
    account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
    period = f"{_text(statement, 'FrToDt/FrDtTm')} {_text(statement, 'FrToDt/ToDtTm')}".strip()
    number = _text(statement, "ElctrncSeqNb") or _text(statement, "LglSeqNb")
    origin = origin_of(account, period, number)
    for at, path in ((statement, "StmtPgntn"), (message, "GrpHdr/MsgPgntn")):
        written = _text(at, f"{path}/PgNb")
        is_last = _text(at, f"{path}/LastPgInd") in ("true", "1", "")
        if written and not (written.lstrip("0") == "1" and is_last):
            is_number = re.fullmatch("0*[1-9][0-9]{0,4}", written, re.ASCII) is not None
            other = 100_000 + int.from_bytes(written.encode()) % 899_981
            return _Page(account, int(written) if is_number else other, origin)
    if not (period or number):
        origin = origin_of(account, _text(statement, "Id"))
    return _Page(account, 0, origin)


# --- entries -------------------------------------------------------------------------------------


def _is_reversal(entry: Element) -> bool:
    return _text(entry, "RvslInd") in ("true", "1")


def _is_return(of: Element) -> bool:
    """Whether an entry or a transaction is of money that goes back where it came from."""
    codes = of.find("BkTxCd")
    own = _text(of, "BkTxCd/Prtry/Cd")
    is_coded = codes is not None and (
        _text(codes, "Domn/Fmly/SubFmlyCd") in _RETURNS or bool(_GERMAN_RETURNS.match(own))
    )
    return is_coded or of.find("RtrInf") is not None


def _goes_back(entry: Element) -> bool:
    parts = entry.findall("NtryDtls/TxDtls")
    return _is_reversal(entry) or _is_return(entry) or any(map(_is_return, parts))


def _credits(entry: Element, page: _Page, counts: _Counts) -> Iterator[Credit]:
    """The transactions of a booked entry; the entry as one where they do not make it up."""
    money = _money(entry, "Amt")
    parts = entry.findall("NtryDtls/TxDtls")
    odd = money.odd
    if odd is None and _is_reversal(entry):
        odd = _Odd(TransferReason.REVERSAL, "is a reversal: ask the bank which payment it reverses")
    elif odd is None and (_is_return(entry) or _text(entry, "CdtDbtInd") != "CRDT"):
        odd = _returned(entry, parts[0] if parts else entry)
    each_its = [money] if len(parts) < 2 else [_part(each, money.currency) for each in parts]
    if len(parts) > 1 and not odd and sum(its.amount or 0 for its in each_its) != money.amount:
        odd = _Odd(
            TransferReason.ODD_BATCH,
            "is a batch that its transactions do not add up to: ask the bank for the details",
        )
    if odd or not parts:
        each_its, parts = [money], [entry]
    for part, its in zip(parts, each_its, strict=True):
        its_odd = odd or its.odd or (_returned(entry, part) if _is_return(part) else None)
        yield _credit(entry, part, its._replace(odd=its_odd), len(parts) == 1, page, counts)


def _returned(entry: Element, part: Element) -> _Odd:
    """The finding for returned money; the bank may give a reason code such as ``AC04``."""
    why = _text(part, "RtrInf/Rsn/Cd") or _text(part, "RtrInf/Rsn/Prtry")
    why = f" ({printable(why)[:35]})" if why else ""
    if _text(entry, "CdtDbtInd") == "CRDT":
        return _Odd(
            TransferReason.RETURNED,
            f"is a transfer of yours that came back{why}, not a payment: if it was a refund, run"
            " `jointbuy payment failed PAYMENT --reason 'came back'`",
        )
    return _Odd(
        TransferReason.RETURNED,
        f"is money that the bank took back{why}: settle it with the payer; if it was counted for an"
        " invoice, correct that by hand",
    )


def _part(part: Element, currency: str) -> _Money:
    """The amount of a batch's transaction in the account's currency, if it is given."""
    if _text(part, "CdtDbtInd") != "DBIT":
        for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
            if part.find(path) is not None:
                money = _money(part, path)
                if money.currency == currency and money.amount:
                    return money
    return _Money(None, currency, "")


def _credit(
    entry: Element, part: Element, money: _Money, is_alone: bool, page: _Page, counts: _Counts
) -> Credit:
    booked_on, odd_date = _date(entry)
    texts = texts_of(entry, part, is_alone=is_alone)
    named = texts.named()
    odd = money.odd or odd_date
    if sum(map(len, texts.all)) > _CHARACTERS_MAX:
        odd = odd or _Odd(TransferReason.ODD_ENTRY, "has a text that is too long: see the file")
        named = Named()
    if money.amount == 0 and not odd:
        odd = _Odd(TransferReason.ODD_AMOUNT, "has an amount of zero: see the file")
    own, mark = _marked(entry, part, money, booked_on, texts, named, page, is_alone)
    counts.in_file[mark] += 1
    counts.here[mark] += 1
    if not odd and not page.number and counts.in_file[mark] > counts.here[mark]:
        odd = _Odd(
            TransferReason.MAYBE_KNOWN,
            "is in two statements of this file: check in the account whether it came twice",
        )
    mark = mark._replace(number=counts.in_file[mark])
    clean = printable(own)[:_REFERENCE_CHARACTERS_MAX]
    return Credit(
        reference=f"{clean} {mark}".strip(),
        amount=money.amount,
        currency=money.currency,
        booked_on=booked_on,
        payer=texts.payer,
        text=texts.shown[:_CHARACTERS_MAX],
        mark=mark,
        mentions=named.mentions,
        is_contradictory=named.is_contradictory,
        reason=odd.reason if odd else None,
        odd=odd.problem if odd else "",
    )


def _marked(
    entry: Element,
    part: Element,
    money: _Money,
    booked_on: date | None,
    texts: Texts,
    named: Named,
    page: _Page,
    is_alone: bool,
) -> tuple[str, Mark]:
    """The bank's own reference of an entry, and the mark that it shares with equal entries.

    The wording of an entry with the bank's own reference may change in the next statement, so its
    mark uses only the invoice numbers in it. Any other mark uses all the texts of the entry.
    """
    of_entry = _name(_text(entry, "AcctSvcrRef"))
    own = _name(_text(part, "Refs/AcctSvcrRef")) or _name(_text(part, "Refs/TxId"))
    own = own or (of_entry if is_alone else "")
    if own:
        said: tuple[str, ...] = tuple(sorted({each.number for each in named.mentions}))
    else:
        said = (of_entry, texts.payer, *texts.all)
    amount = money.written if money.amount is None else str(money.amount)
    kind = kind_of(page.account, str(booked_on), amount, money.currency, own, *said)
    needs_origin = page.number or not (booked_on or own)
    mark = Mark(kind, 0, page.number, page.origin) if needs_origin else Mark(kind, 0)
    return own or of_entry or texts.end_to_end, mark


def _name(written: str) -> str:
    return "" if written.upper() in NOTHING_GIVEN else written


# --- values --------------------------------------------------------------------------------------


def _text(of: Element, path: str) -> str:
    found = of.find(path)
    return "" if found is None or found.text is None else " ".join(found.text.split())


def _money(of: Element, path: str) -> _Money:
    found = of.find(path)
    written = _text(of, path)
    currency = "" if found is None else str(found.get("Ccy", ""))
    nothing = _Money(None, currency[:3] if currency.isprintable() else "", written[:40])
    if not re.fullmatch(r"[A-Z]{3}", currency, re.ASCII):
        problem = f"has a currency that can't be read ({currency[:8]!r}): see the file"
        return nothing._replace(odd=_Odd(TransferReason.ODD_AMOUNT, problem))
    if not _AMOUNT.fullmatch(written):
        problem = f"has an amount that can't be read ({written[:40]!r}): see the file"
        return nothing._replace(odd=_Odd(TransferReason.ODD_AMOUNT, problem))
    amount = minor_units(Decimal(written), currency)
    if amount is None or amount > SUM_MAX:
        problem = f"{written} {currency} is not a whole number of minor units, or is too large"
        return nothing._replace(odd=_Odd(TransferReason.ODD_AMOUNT, f"{problem}: see the file"))
    return _Money(amount, currency, written)


def _date(entry: Element) -> tuple[date | None, _Odd | None]:
    """When an entry was booked, or else its value date; banks may leave out both."""
    for path in ("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"):
        written = _text(entry, path)
        if not written:
            continue
        day = _DAY.match(written)
        try:
            found = date.fromisoformat(day[0] if day else "")
            if is_possible(datetime(found.year, found.month, found.day, tzinfo=UTC)):
                return found, None
        except ValueError:
            pass
        problem = f"has a date that can't be read ({printable(written)[:40]!r}): see the file"
        return None, _Odd(TransferReason.ODD_DATE, problem)
    return None, None
