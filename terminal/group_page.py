"""The output of ``jointbuy show`` for a group purchase: terms, progress, purchasers."""

from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from schemas.api.groups import Decided, GroupView, TableRow
from terminal.auction_page import time_left
from terminal.console import (
    cell,
    count,
    grid,
    minute,
    money,
    print_line,
    print_table,
    say,
    table,
    when,
)
from terminal.descriptions import of_ladder, of_payment, of_product, of_sources, of_tier

STYLES = {"open": "cyan", "complete": "green", "elapsed": "yellow", "withdrawn": "red"}


def print_group(
    group: GroupView, purchasers: Sequence[TableRow] | None, now: datetime, *, more: bool
) -> None:
    """Print a group; ``purchasers`` is ``None`` if they are secret, ``more`` if some are left."""
    title = Text.assemble(
        cell(group.group_id, "bold"), "  ", cell(group.status, STYLES.get(group.status, ""))
    )
    title.append(f"  {group.quantity:,} of {group.number_of_products:,} ordered")
    print_line(title)
    head = grid()
    for name, said in particulars(group, now):
        head.add_row(Text(name, style="dim"), cell(said))
    print_table(head)
    if purchasers is None:
        say("\nonly the organizer and the shop see the purchasers: set JOINTBUY_KEY")
    elif purchasers:
        say()
        print_table(_table(purchasers))
    if more:
        say("--limit 0 shows more")


def particulars(group: GroupView, now: datetime) -> list[tuple[str, str]]:
    """The lines of the head, as (name, text)."""
    currency = group.currency
    price = f" at {money(group.unit_price, currency)}" if group.unit_price else ""
    listed = ", listed ones only" if group.members_listed else ""
    closes = time_left(group.status, group.closes_at, now)
    lines = [
        ("Product", of_product(group.product) + price),
        ("Period", f"{when(group.opens_at)} to {closes}"),
        ("Discount", of_ladder(group.favor, currency)),
        ("If incomplete", group.if_incomplete),
        ("Payment", of_payment(group.payment)),
        ("Orders from", of_sources(group.sources)),
        ("Purchasers", f"{group.members:,}{listed}"),
        ("Value", money(group.value, currency)),
    ]
    if group.closed_at:
        lines.append(("Closed", when(group.closed_at)))
    if group.decision is not None:
        lines.append(("Decision", _decision(group.decision, currency)))
    return lines


def _decision(decided: Decided, currency: str | None) -> str:
    if decided.cancel_all:
        given = "all is cancelled, the whole value goes back"
    elif decided.tier is None:
        return "no discount"
    else:
        given = of_tier(decided.tier, currency)
    return f"{given}; {money(decided.total, currency)} to {count(decided.members, 'member')}"


def _table(purchasers: Sequence[TableRow]) -> Table:
    # A reader with the right to addresses gets a column of them.
    email = ("Email",) if any(each.email for each in purchasers) else ()
    times = ("First (UTC)", "Last (UTC)")
    numbers = ("Quantity", "Value")
    made = table(
        "Purchaser", "Name", *email, *times, *numbers, "Discount", right=(*numbers, "Discount")
    )
    made.columns[0].min_width = len("Purchaser")
    for each in purchasers:
        first, last = each.first_ordered_at, each.last_ordered_at
        made.add_row(
            cell(each.member_id),
            cell(each.name),
            *(cell(each.email) for _ in email),
            cell(minute(first)) if first else cell("not ordered", "dim"),
            cell(minute(last)),
            f"{each.quantity:,}",
            cell(money(each.value, each.currency)),
            cell(_discount(each)),
        )
    return made


def _discount(row: TableRow) -> str:
    if row.favor_amount is None:
        return ""
    gift = f" + {row.gift}" if row.gift else ""
    return f"{money(row.favor_amount, row.currency)}{gift}"
