"""Statements of a bank account, CAMT.053 (ISO 20022), as the money that came. Pure.

Read whole or not at all. No document type is taken, so there are no entities to be expanded.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from schemas.money import decimals
from schemas.parts import SUM_MAX
from schemas.references import is_creditor_reference, numbers_in

BYTES_MAX: Final = 20_000_000
DEPTH_MAX: Final = 40
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.0[2-8]")
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,5})?", re.ASCII)
#: What banks write where a payer gave no reference.
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NONREF", "NOREF"})
_REFERENCE_CHARACTERS_MAX = 100


class StatementError(ValueError):
    """A file that is no statement that can be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Credit:
    """Money that came to the account, in minor units.

    ``reference`` is the same whenever the bank tells of it, in whichever statement. ``numbers`` are
    the invoices that it names. ``odd`` says why it can't be counted as it is.
    """

    reference: str
    amount: int
    currency: str
    booked_on: date | None
    payer: str
    text: str
    numbers: tuple[str, ...]
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a file tells: credits, and how many entries are none or not booked yet."""

    credits: tuple[Credit, ...]
    debits: int
    not_booked: int


def read_statement(data: bytes) -> Statement:
    """The money that came, by a file's bytes. Raises ``StatementError``."""
    if len(data) > BYTES_MAX:
        raise StatementError(
            f"it has {len(data):,} bytes: give statements of {BYTES_MAX:,} at most"
        )
    root = _tree(data)
    statements = root.findall("BkToCstmrStmt/Stmt")
    if not statements:
        raise StatementError("it holds no statement: give a CAMT.053 file as the bank makes it")
    found: list[Credit] = []
    counts: Counter[str] = Counter()
    for statement in statements:
        # Days are whole in statements, so the first of two alike is the first in any of them.
        alike: Counter[str] = Counter()
        account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
        for entry in statement.findall("Ntry"):
            if (_text(entry, "Sts/Cd") or _text(entry, "Sts")) != "BOOK":
                counts["not booked"] += 1
            elif _text(entry, "CdtDbtInd") != "CRDT" and not _is_reversal(entry):
                counts["debits"] += 1
            else:
                found += _credits(entry, account, alike)
    return Statement(tuple(found), counts["debits"], counts["not booked"])


# --- entries -------------------------------------------------------------------------------------


def _is_reversal(entry: Element) -> bool:
    return _text(entry, "RvslInd") in ("true", "1")


def _credits(entry: Element, account: str, alike: Counter[str]) -> Iterator[Credit]:
    """The transactions of a booked entry; the entry as one where they do not make it up."""
    amount, currency = _money(entry, "Amt")
    parts = entry.findall("NtryDtls/TxDtls")
    odd = ""
    if _is_reversal(entry):
        odd = "is a reversal: see with the bank what it takes back"
    elif not amount:
        odd = "comes to nothing: see the file"
    amounts = [amount] if len(parts) < 2 else [_part(each, currency) for each in parts]
    if len(parts) > 1 and not odd and sum(each or 0 for each in amounts) != amount:
        odd = "is a batch whose transactions do not add up to it: ask the bank for its details"
    if odd or not parts:
        amounts, parts = [amount], [entry]
    for number, (part, its) in enumerate(zip(parts, amounts, strict=True)):
        yield _credit(entry, part, number, its or 0, currency, account, alike, odd)


def _part(part: Element, currency: str) -> int | None:
    """What a transaction of a batch came to in the account's currency, if it says so."""
    if _text(part, "CdtDbtInd") == "DBIT":
        return None
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        if part.find(path) is not None:
            amount, its = _money(part, path)
            if its == currency and amount:
                return amount
    return None


def _credit(
    entry: Element,
    part: Element,
    number: int,
    amount: int,
    currency: str,
    account: str,
    alike: Counter[str],
    odd: str,
) -> Credit:
    booked_on = _date(entry)
    lines = [each.text or "" for each in part.findall("RmtInf/Ustrd")]
    structured = [each.text or "" for each in part.findall("RmtInf/Strd/CdtrRefInf/Ref")]
    payer = _text(part, "RltdPties/Dbtr/Nm") or _text(part, "RltdPties/Dbtr/Pty/Nm")
    end_to_end = _text(part, "Refs/EndToEndId")
    text = " ".join(" ".join((*structured, *lines)).split())
    named = _first(
        _text(part, "Refs/AcctSvcrRef"),
        _text(part, "Refs/TxId"),
        f"{entry_ref} {number}" if (entry_ref := _text(entry, "AcctSvcrRef")) else "",
        end_to_end,
    )
    said = "\n".join(
        (account, str(booked_on), str(amount), currency, named or f"{payer}\n{end_to_end}\n{text}")
    )
    alike[said] += 1
    mark = sha256(f"{said}\n{alike[said]}".encode(errors="replace")).hexdigest()[:16]
    clean = " ".join(each for each in (_printable(named)[:_REFERENCE_CHARACTERS_MAX], mark) if each)
    return Credit(
        reference=clean,
        amount=amount,
        currency=currency,
        booked_on=booked_on,
        payer=payer,
        text=text,
        numbers=tuple(_numbers(structured, lines, end_to_end)),
        odd=odd,
    )


def _numbers(structured: list[str], lines: list[str], end_to_end: str) -> list[str]:
    """The numbers that are named: by a reference with check digits, else by any text.

    A number may be cut where a line of the bank's form ends.
    """
    for each in structured:
        if is_creditor_reference(each) and (found := numbers_in(each)):
            return found
    texts = (" ".join(lines), "".join(lines), *structured, end_to_end)
    return list(dict.fromkeys(number for text in texts for number in numbers_in(text)))


def _first(*references: str) -> str:
    return next((each for each in references if each and each.upper() not in _NO_REFERENCE), "")


# --- values --------------------------------------------------------------------------------------


def _text(of: Element, path: str) -> str:
    found = of.find(path)
    return "" if found is None or found.text is None else " ".join(found.text.split())


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _money(of: Element, path: str) -> tuple[int, str]:
    found = of.find(path)
    written = _text(of, path)
    currency = "" if found is None else str(found.get("Ccy", ""))
    if not re.fullmatch(r"[A-Z]{3}", currency) or not _AMOUNT.fullmatch(written):
        raise StatementError(f"{written[:40]!r} {currency[:8]!r} is no amount: see the file")
    exact = Decimal(written).scaleb(decimals(currency))
    if exact != int(exact) or exact > SUM_MAX:
        raise StatementError(f"{written} {currency} is no whole number of its minor units")
    return int(exact), currency


def _date(entry: Element) -> date | None:
    written = _text(entry, "BookgDt/Dt") or _text(entry, "BookgDt/DtTm")
    if not written:
        return None
    try:
        return date.fromisoformat(written[:10])
    except ValueError:
        raise StatementError(f"{written[:40]!r} is no date: see the file") from None


# --- XML -----------------------------------------------------------------------------------------


def _tree(data: bytes) -> Element:
    """The file's elements by their names in the statement's namespace; those of others as ``?``."""
    parser = expat.ParserCreate(namespace_separator=" ")
    builder = TreeBuilder()
    namespace, depth = "", 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal namespace, depth
        space, _, local = name.rpartition(" ")
        if not depth:
            namespace = space
            if local != "Document" or not _NAMESPACE.fullmatch(space):
                what = (space or local)[:80]
                raise StatementError(f"it is {what!r}: give camt.053.001.02 to .08")
        depth += 1
        if depth > DEPTH_MAX:
            raise StatementError("its elements are nested too deeply: this is no statement")
        builder.start(local if space == namespace else "?", attributes)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end("")

    def refuse(*_: object) -> None:
        raise StatementError("it has a document type, which no bank's statement has")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except StatementError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise StatementError(
            f"it is no XML ({error}): give the file as the bank makes it"
        ) from None
    return builder.close()
