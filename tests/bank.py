"""Statements of a bank account as banks write them: CAMT.053, version 02 to version 13."""

from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

Version = Literal["02", "08", "10", "11", "12", "13"]


@dataclass(frozen=True)
class Transfer:
    """Money that came, or went; ``structured`` are creditor references.

    ``entry``, ``refs``, ``remitted`` and ``more`` are further XML of the entry, its transaction's
    references, its remittance information and itself. Without ``day`` no date is told.
    """

    amount: str
    text: str = ""
    reference: str = ""
    currency: str = "EUR"
    structured: str | tuple[str, ...] = ""
    payer: str = "Ann Payer"
    day: str = "2026-06-15"
    direction: str = "CRDT"
    status: str = "BOOK"
    reversal: bool = False
    end_to_end: str = "NOTPROVIDED"
    value_day: str = ""
    entry: str = ""
    refs: str = ""
    remitted: str = ""
    more: str = ""


@dataclass(frozen=True)
class Sheet:
    """What a statement says of itself; ``page`` and ``is_last`` if it comes in pages."""

    id: str = "1"
    number: str = ""
    period: str = ""
    page: int = 0
    is_last: bool = True
    account: str = "DE89370400440532013000"


Entry = Transfer | tuple[Transfer, ...]


def statement(*entries: Entry, version: Version = "08", sheet: Sheet | None = None) -> bytes:
    """A statement of one account; several transfers in a tuple are one entry, a batch."""
    sheet = sheet or Sheet()
    return message(stmt(*entries, version=version, sheet=sheet), version=version, sheet=sheet)


def message(*statements: str, version: Version = "08", sheet: Sheet | None = None) -> bytes:
    """A file of statements, or a page of them."""
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    page = ""
    if sheet and sheet.page:
        last = str(sheet.is_last).lower()
        page = f"<MsgPgntn><PgNb>{sheet.page}</PgNb><LastPgInd>{last}</LastPgInd></MsgPgntn>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{namespace}"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-06-16T01:00:00Z</CreDtTm>{page}</GrpHdr>"
        f"{''.join(statements)}</BkToCstmrStmt></Document>"
    ).encode()


def stmt(*entries: Entry, version: Version = "08", sheet: Sheet | None = None) -> str:
    """One statement of a file."""
    sheet = sheet or Sheet()
    batches = [each if isinstance(each, tuple) else (each,) for each in entries]
    body = "".join(_entry(batch, version) for batch in batches)
    number = f"<ElctrncSeqNb>{sheet.number}</ElctrncSeqNb>" if sheet.number else ""
    first, _, last = sheet.period.partition("/")
    period = (
        f"<FrToDt><FrDtTm>{first}T00:00:00</FrDtTm><ToDtTm>{last}T24:00:00</ToDtTm></FrToDt>"
        if sheet.period
        else ""
    )
    return (
        f"<Stmt><Id>{sheet.id}</Id>{number}{period}<Acct><Id><IBAN>{sheet.account}</IBAN></Id>"
        f"<Ccy>EUR</Ccy></Acct>{body}</Stmt>"
    )


def _entry(batch: tuple[Transfer, ...], version: Version) -> str:
    first = batch[0]
    amount = first.amount if len(batch) == 1 else str(round(sum(float(t.amount) for t in batch), 2))
    status = first.status if version == "02" else f"<Cd>{first.status}</Cd>"
    own = f"<AcctSvcrRef>{escape(first.reference)}</AcctSvcrRef>" if first.reference else ""
    reversal = "<RvslInd>true</RvslInd>" if first.reversal else ""
    return (
        f'<Ntry><Amt Ccy="{first.currency}">{amount}</Amt><CdtDbtInd>{first.direction}</CdtDbtInd>'
        f"{reversal}<Sts>{status}</Sts>{_days(first)}{own}{first.entry}<NtryDtls>"
        + "".join(_transaction(each, len(batch) > 1, version) for each in batch)
        + "</NtryDtls></Ntry>"
    )


def _days(of: Transfer) -> str:
    booked = f"<BookgDt><Dt>{of.day}</Dt></BookgDt>" if of.day else ""
    return booked + (f"<ValDt><Dt>{of.value_day}</Dt></ValDt>" if of.value_day else "")


def _transaction(of: Transfer, is_part: bool, version: Version) -> str:
    name = f"<Nm>{escape(of.payer)}</Nm>"
    debtor = f"<Dbtr>{name if version == '02' else f'<Pty>{name}</Pty>'}</Dbtr>"
    amount = f'<Amt Ccy="{of.currency}">{of.amount}</Amt>'
    if version == "02":
        amount = f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>"
    own = f"<AcctSvcrRef>{escape(of.reference)}</AcctSvcrRef>" if is_part else ""
    text = f"<Ustrd>{escape(of.text)}</Ustrd>" if of.text else ""
    references = (of.structured,) if isinstance(of.structured, str) else of.structured
    structured = "".join(
        f"<Strd><CdtrRefInf><Ref>{escape(each)}</Ref></CdtrRefInf></Strd>"
        for each in references
        if each
    )
    return (
        f"<TxDtls><Refs>{own}{of.refs}<EndToEndId>{of.end_to_end}</EndToEndId></Refs>"
        f"{amount if is_part else ''}<RltdPties>{debtor}</RltdPties>"
        f"<RmtInf>{text}{structured}{of.remitted}</RmtInf>{of.more}</TxDtls>"
    )
