"""The output of ``jointbuy show`` for a counter auction: public data, without people."""

from datetime import datetime

from rich.table import Table
from rich.text import Text

from schemas.api.auctions import AuctionDetail
from terminal.console import (
    bar,
    cell,
    count,
    grid,
    money,
    print_line,
    print_table,
    say,
    span,
    table,
    when,
)
from terminal.descriptions import of_condition, of_product

STYLES = {"open": "cyan", "concluded": "green", "failed": "yellow", "withdrawn": "red"}


def print_page(auction: AuctionDetail, now: datetime, limit: int) -> None:
    """Print an auction, with the latest ``limit`` conditions of its history."""
    reserved = f"  {auction.reservations:,} reserved (minimum {auction.minimum_reservations:,})"
    status = cell(auction.status, STYLES.get(auction.status, ""))
    print_line(Text.assemble(cell(auction.auction_id, "bold"), "  ", status, reserved))
    head = grid()
    for name, said in particulars(auction, now):
        head.add_row(Text(name, style="dim"), cell(said))
    print_table(head)
    say(f"\nPrice history ({len(auction.history):,}):")
    print_table(_history(auction, limit))
    if len(auction.history) > limit:
        say("\n--limit 0 shows more")


def particulars(auction: AuctionDetail, now: datetime) -> list[tuple[str, str]]:
    """The lines of the head, as (name, text)."""
    minimum, currency = auction.minimum_reservations, auction.currency
    applicants = count(auction.applicants, "applicant")
    share = f"{auction.reservations:,} of {minimum:,}, by {applicants}"
    lines = [
        ("Product", of_product(auction.product)),
        ("Shown", of_condition(auction.unit_price, minimum, currency)),
        ("Reservations", f"{bar(auction.reservations, minimum)} {share}"),
        ("Closes", time_left(auction.status, auction.closes_at, now)),
        (
            ("Invited", f"sellers, at {when(auction.invited_at)}")
            if auction.invited_at
            else ("Invites", f"sellers, at {when(auction.invites_at)}")
        ),
        ("Opened", when(auction.opened_at)),
        ("Smallest price cut", money(auction.minimum_step, currency)),
        ("Most for one", f"{auction.quantity_max_per_applicant:,}"),
    ]
    if auction.concluded_at is not None:
        lines.append(("Conclusion", f"{auction.status} at {when(auction.concluded_at)}"))
    if auction.group_id is not None:
        lines.append(("Group purchase", auction.group_id))
    return lines


def time_left(status: str, closes_at: datetime, now: datetime) -> str:
    """When it closes, and the time left while it is open."""
    closes = when(closes_at)
    if status != "open":
        return closes
    if now >= closes_at:
        return f"{closes}, any moment now"
    return f"{closes}, in {span(closes_at - now)}"


def _history(auction: AuctionDetail, limit: int) -> Table:
    made = table("Since (UTC)", "Price", "From", right=("Price", "From"))
    for each in auction.history[-limit:]:
        price = money(each.unit_price, auction.currency)
        made.add_row(when(each.at), price, f"{each.minimum_reservations:,}")
    return made
