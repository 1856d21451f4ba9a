"""``jointbuy invoice``: show invoices, and record payments, also from bank statements."""

import sys
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from domain.references import numbers_in
from schemas.api.payments import PaymentDetail, PaymentView
from terminal.amounts import amount_of
from terminal.answers import shown
from terminal.api import Api, Refused, connected, once_of, segment
from terminal.console import (
    Mistake,
    cell,
    clean,
    count,
    mistakes,
    money,
    print_json,
    print_table,
    progress,
    say,
    table,
    write,
)
from terminal.options import AsJson, Once, Url, given, time_of
from terminal.payments import payment_of, tell
from terminal.receipts import Plan, Receipt, lookups, plan
from terminal.statement_files import BYTES_MAX, StatementError
from terminal.statements import Credit, Statement, read_statement
from terminal.todo import leave
from texts.catalogue import Language

commands = typer.Typer(
    no_args_is_help=True, help="Show invoices and credit notes, and record what was paid."
)
NUMBER_HELP = "The invoice's number, such as GB-7K3M9-QXA2F-D-I1, or a payment's id."
Number = Annotated[str, typer.Argument(metavar="NUMBER", help=NUMBER_HELP)]
RECEIVED_BY = {
    "amount": "AMOUNT",
    "currency": "--currency",
    "reference": "--reference",
    "received_at": "--date",
    "payment_id": "NUMBER",
}


@commands.command("show")
@mistakes()
def show(
    number: Number,
    kind: Annotated[
        Literal["text", "html", "pdf"], typer.Option("--as", help="The format.")
    ] = "text",
    language: Annotated[
        Language | None,
        typer.Option("--lang", help="The language; default: the payer's."),
    ] = None,
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    url: Url = None,
) -> None:
    """Write an invoice or credit note as text, HTML or PDF."""
    if kind == "pdf" and file is None and sys.stdout.isatty():
        raise Mistake("a PDF can't be shown on a terminal: give -o FILE", usage=True)
    with connected(url) as api:
        query = {"as": kind} | given({"lang": language})
        document = api.fetch(f"/payments/{segment(_typed(number))}/document", **query)
    if file is None:
        if kind == "text" or (kind == "html" and sys.stdout.isatty()):
            document = clean(document.decode("utf-8", "replace")).encode()
        write(document)
        return
    file.write_bytes(document)
    say(f"{file}: {len(document):,} bytes")


@commands.command("paid")
@mistakes()
def paid(
    number: Number,
    amount: Annotated[
        str, typer.Argument(help="Amount received, in the invoice's currency: 49 or 49.00.")
    ],
    reference: Annotated[
        str | None, typer.Option(help="The bank's reference; the same reference counts once.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--date", help="When it came, RFC 3339; default: now.")
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Record money that came for an invoice. Needs the admin's key."""
    with connected(url, as_json=as_json) as api:
        invoice = payment_of(api, _typed(number))
        key = once_of(once)
        came = amount_of("AMOUNT", amount, invoice.currency) or 0
        known = _receive(api, invoice, came, reference, time_of(at), key)
    if as_json:
        print_json(known)
        return
    after = shown(PaymentView, known)
    stands = "paid" if after.status == "succeeded" else after.status
    received = f"{money(after.received, after.currency)} of {money(after.amount, after.currency)}"
    say(f"{after.number}: {money(came, after.currency)} recorded; {received} received, {stands}")


def _typed(number: str) -> str:
    """An invoice's number, written in any way, or a payment's id."""
    found = numbers_in(number)
    return found[0] if len(found) == 1 else number


def _receive(
    api: Api,
    invoice: PaymentDetail,
    amount: int,
    reference: str | None,
    at: str | None,
    once: str | None,
) -> Any:
    """Record money, and wait until it counts."""
    body = {"amount": amount, "currency": invoice.currency}
    body |= given({"reference": reference, "received_at": at})
    return tell(api, invoice, "received", body, RECEIVED_BY, once)


# --- statements ----------------------------------------------------------------------------------


@commands.command("import")
@mistakes()
def import_statement(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="STATEMENT...", help="CAMT.053, .02 to .13, or a ZIP of them."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be counted.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Count the money in bank statements for the invoices named there. Needs the admin's key.

    A repeated or overlapping statement counts nothing twice. Money without a certain invoice
    becomes a task: see `jointbuy todo`. Exits with 1 if there is such money.
    """
    statements = [_read(file) for file in files]
    credits = tuple(credit for each in statements for credit in each.credits)
    with connected(url, as_json=as_json) as api:
        planned = plan(credits, _invoices_of(api, credits))
        if not dry_run:
            with progress("counting") as step:
                for done, receipt in enumerate(planned.receipts, 1):
                    _count(api, receipt)
                    step(done, len(planned.receipts))
            leave(api, [each.as_json() for each in planned.left])
    if as_json:
        print_json(_as_json(planned, dry_run=dry_run))
    else:
        _tell(planned, dry_run=dry_run)
        debits = count(sum(each.debits for each in statements), "debit")
        waiting = count(sum(each.not_booked for each in statements), "entry")
        waiting = waiting.replace("entrys", "entries")
        say(f"ignored: {debits}, {waiting} not booked yet")
    if planned.left:
        raise typer.Exit(1)


def _read(file: Path) -> Statement:
    try:
        with file.open("rb") as opened:
            return read_statement(opened.read(BYTES_MAX + 1))
    except StatementError as error:
        raise Mistake(f"{file}: {error}; nothing was counted") from None


def _invoices_of(api: Api, credits: tuple[Credit, ...]) -> dict[str, PaymentDetail]:
    """The invoices that are named, as far as they are known."""
    found: dict[str, PaymentDetail] = {}
    numbers = lookups(credits)
    with progress("looking up") as step:
        for done, number in enumerate(numbers, 1):
            api.begin_anew()
            try:
                found[number] = payment_of(api, number)
            except Refused as refused:
                if refused.status != 404:
                    raise
            step(done, len(numbers))
    return found


def _count(api: Api, receipt: Receipt) -> None:
    api.begin_anew()
    booked_on = receipt.credit.booked_on
    # At noon, so that it is that day nearly everywhere.
    at = datetime.combine(booked_on, time(12), UTC).isoformat() if booked_on else None
    invoice = receipt.invoice
    _receive(api, invoice, receipt.amount, receipt.credit.reference, at, None)


def _as_json(planned: Plan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "counted": [
            {
                "number": each.invoice.number,
                "amount": each.amount,
                "currency": each.credit.currency,
                "reference": each.credit.reference,
                "note": each.note,
            }
            for each in planned.receipts
        ],
        "known": [each.reference for each in planned.known],
        "left": [each.as_json() for each in planned.left],
    }


def _amount(credit: Credit) -> str:
    return "?" if credit.amount is None else money(credit.amount, credit.currency)


def _tell(planned: Plan, *, dry_run: bool) -> None:
    if planned.receipts:
        made = table("invoice", "amount", "from", "reference", "note", right=["amount"])
        for each in planned.receipts:
            amount = money(each.amount, each.credit.currency)
            made.add_row(
                cell(each.invoice.number), amount, cell(each.credit.payer),
                cell(each.credit.reference), each.note,
            )  # fmt: skip
        print_table(made)
    for left in planned.left:
        amount = _amount(left.credit)
        say(f"not counted: {amount} of {left.credit.payer or 'an unknown payer'}: {left.problem}")
        if left.credit.text:
            say(f"      text: {cell(left.credit.text).plain[:200]}")
    would = "would be counted" if dry_run else "counted"
    say(
        f"{len(planned.receipts)} {would}, {len(planned.known)} known already,"
        f" {len(planned.left)} not counted"
        + ("; `jointbuy todo --kind transfer` lists them" if planned.left and not dry_run else "")
    )
