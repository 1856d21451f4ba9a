"""Statements of a bank account as banks write them: CAMT.053, version 02 and version 08."""

from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

Version = Literal["02", "08"]


@dataclass(frozen=True)
class Transfer:
    """Money that came, or went; ``structured`` is the creditor reference."""

    amount: str
    text: str = ""
    reference: str = ""
    currency: str = "EUR"
    structured: str = ""
    payer: str = "Ann Payer"
    day: str = "2026-06-15"
    direction: str = "CRDT"
    status: str = "BOOK"
    reversal: bool = False
    end_to_end: str = "NOTPROVIDED"


def statement(*entries: Transfer | tuple[Transfer, ...], version: Version = "08") -> bytes:
    """A statement of one account; several transfers in a tuple are one entry, a batch."""
    batches = [each if isinstance(each, tuple) else (each,) for each in entries]
    body = "".join(_entry(batch, version) for batch in batches)
    namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{namespace}"><BkToCstmrStmt>'
        "<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-06-16T01:00:00Z</CreDtTm></GrpHdr>"
        "<Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{body}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _entry(batch: tuple[Transfer, ...], version: Version) -> str:
    first = batch[0]
    amount = first.amount if len(batch) == 1 else str(round(sum(float(t.amount) for t in batch), 2))
    status = first.status if version == "02" else f"<Cd>{first.status}</Cd>"
    own = f"<AcctSvcrRef>{escape(first.reference)}</AcctSvcrRef>" if first.reference else ""
    reversal = "<RvslInd>true</RvslInd>" if first.reversal else ""
    return (
        f'<Ntry><Amt Ccy="{first.currency}">{amount}</Amt><CdtDbtInd>{first.direction}</CdtDbtInd>'
        f"{reversal}<Sts>{status}</Sts><BookgDt><Dt>{first.day}</Dt></BookgDt>{own}<NtryDtls>"
        + "".join(_transaction(each, len(batch) > 1, version) for each in batch)
        + "</NtryDtls></Ntry>"
    )


def _transaction(of: Transfer, is_part: bool, version: Version) -> str:
    name = f"<Nm>{escape(of.payer)}</Nm>"
    debtor = f"<Dbtr>{name if version == '02' else f'<Pty>{name}</Pty>'}</Dbtr>"
    amount = f'<Amt Ccy="{of.currency}">{of.amount}</Amt>'
    if version == "02":
        amount = f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>"
    own = f"<AcctSvcrRef>{escape(of.reference)}</AcctSvcrRef>" if is_part else ""
    text = f"<Ustrd>{escape(of.text)}</Ustrd>" if of.text else ""
    structured = (
        f"<Strd><CdtrRefInf><Ref>{escape(of.structured)}</Ref></CdtrRefInf></Strd>"
        if of.structured
        else ""
    )
    return (
        f"<TxDtls><Refs>{own}<EndToEndId>{of.end_to_end}</EndToEndId></Refs>"
        f"{amount if is_part else ''}<RltdPties>{debtor}</RltdPties>"
        f"<RmtInf>{text}{structured}</RmtInf></TxDtls>"
    )
