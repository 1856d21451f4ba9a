"""``jointbuy ledger``: a group's books, double entry, computed from its payments."""

from typing import Annotated, Any

import typer

from domain.ledger import balances, entries
from schemas.payments import Payment
from terminal import typed_values
from terminal.answers import shown
from terminal.api import Api, connected, segment
from terminal.console import cell, count, minute, mistakes, money, print_json, print_table, say
from terminal.console import table as made_table
from terminal.options import AsJson, Url, typed


@mistakes()
def ledger(
    group: Annotated[str, typer.Argument(help="The group's id, GB-…")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show a group's ledger: every movement and the balance of each account. The sum is zero."""
    group_id = typed(typed_values.group_id, group)
    with connected(url, as_json=as_json) as api:
        payments = _payments(api, group_id)
    books = _books(payments)
    if as_json:
        print_json({"group_id": group_id, **books})
    else:
        _tell(group_id, payments, books)
    if books["sum"]:
        # Each movement has two sides, so this is a fault of ours.
        raise typer.Exit(1)


def _payments(api: Api, group_id: str) -> list[Payment]:
    """Every payment of the group, in the order in which they were begun."""
    path = f"/group-purchases/{segment(group_id)}/payments"
    found = [shown(Payment, each) for each in api.pages(path)]
    found.sort(key=lambda each: (each.begun_at is not None, each.begun_at or 0, each.payment_id))
    return found


def _books(payments: list[Payment]) -> dict[str, Any]:
    by_id = {each.payment_id: each for each in payments}
    booked = list(entries(payments))
    return {
        "currency": payments[0].currency if payments else None,
        "entries": [
            {
                "at": at.isoformat() if (at := by_id[each.payment_id].begun_at) else None,
                "payment_id": each.payment_id,
                "kind": by_id[each.payment_id].kind,
                "status": by_id[each.payment_id].status,
                "number": by_id[each.payment_id].number,
                "account": each.account,
                "payer": each.payer,
                "amount": each.amount,
            }
            for each in booked
        ],
        "balances": [
            {"account": account, "payer": payer, "amount": amount}
            for (account, payer), amount in sorted(balances(booked).items())
        ],
        "sum": sum(each.amount for each in booked),
    }


def _tell(group_id: str, payments: list[Payment], books: dict[str, Any]) -> None:
    currency = books["currency"]
    by_id = {each.payment_id: each for each in payments}
    movements = made_table(
        "since (UTC)", "what", "status", "payer", "account", "debit", "credit",
        right=["debit", "credit"],
    )  # fmt: skip
    for each in books["entries"]:
        payment = by_id[each["payment_id"]]
        movements.add_row(
            minute(payment.begun_at),
            cell(f"{payment.kind} {payment.number or payment.payment_id[:8]}"),
            payment.status,
            cell(each["payer"] or "organizer"),
            each["account"],
            money(each["amount"], currency) if each["amount"] > 0 else "",
            money(-each["amount"], currency) if each["amount"] < 0 else "",
        )
    if books["entries"]:
        print_table(movements)
        say()
    accounts = made_table("account", "payer", "balance", right=["balance"])
    for each in books["balances"]:
        accounts.add_row(
            each["account"], cell(each["payer"] or "organizer"), money(each["amount"], currency)
        )
    if books["balances"]:
        print_table(accounts)
        say()
    say(f"{group_id}: {count(len(payments), 'payment')}, sum {money(books['sum'], currency)}")
