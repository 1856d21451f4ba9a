"""``jointbuy show``: a group with its purchase condition management table, or an auction's page."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from schemas.messages import (
    Favor,
    FavorDecision,
    MembersAdmitted,
    Message,
    OrderRefused,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
)
from schemas.topics import (
    AUCTIONS,
    FAVORS,
    GROUP_PURCHASES,
    OFFERS,
    PURCHASES,
    REQUEST_OUTCOMES,
    Topic,
)
from services.runtime.records import InputRecord
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import auction_page, parsing, topics
from services.terminal.auction_page import AuctionPage
from services.terminal.console import (
    Mistake,
    Step,
    cell,
    facts,
    minute,
    mistakes,
    money,
    out,
    print_json,
    print_table,
    progress,
    table,
    when,
)
from services.terminal.describing import describe, of_ladder, of_payment, of_product
from services.terminal.options import AsJson, typed

#: From here on the table has room for the period.
WIDE_COLUMNS = 110
STYLES = {"open": "cyan", "complete": "green", "elapsed": "yellow", "withdrawn": "red"}


@dataclass
class Group:
    """What the topics say of a group, the latest of each."""

    group_id: str
    terms: PurchaseOpened | None = None
    state: PurchaseState | None = None
    decision: FavorDecision | None = None
    rows: dict[str, PurchaseRow] = field(default_factory=dict)
    favors: dict[str, Favor] = field(default_factory=dict)
    refused: dict[str, OrderRefused] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)

    def take(self, message: Message | None) -> None:
        """Put a message in its place; a later one replaces an earlier one."""
        match message:
            case PurchaseOpened():
                self.terms = message
                self.listed += [member.id for member in message.members]
            case PurchaseState():
                self.state = message
            case FavorDecision():
                self.decision = message
            case PurchaseRow():
                self.rows[message.member_id] = message
            case Favor():
                self.favors[message.member_id] = message
            case OrderRefused():
                self.refused[message.key] = message
            case MembersAdmitted():
                self.listed += [member.id for member in message.members]

    @property
    def is_known(self) -> bool:
        """Whether anything was said of it."""
        return self.terms is not None or self.state is not None or bool(self.refused)

    @property
    def members(self) -> list[str]:
        """Purchasers by their first order, then those who are listed and have not ordered."""
        bought = sorted(
            (row for row in self.rows.values() if row.first_ordered_at is not None),
            key=lambda row: (row.first_ordered_at, row.member_id),
        )
        names = [row.member_id for row in bought]
        others = [*self.rows, *self.listed]
        return list(dict.fromkeys([*names, *others]))


@mistakes()
def show(
    reference: Annotated[
        str, typer.Argument(metavar="ID", help="A group's id, GB-…, or an auction's.")
    ],
    limit: Annotated[int, typer.Option(min=0, help="Lines of a table on screen; 0 for all.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Show a group's progress and its table of purchasers, or an auction's page and offers."""
    wanted = typed(parsing.group_id, reference)
    settings = settings_here()
    with progress(f"reading {wanted}") as step:
        group, auction = asyncio.run(read_about(settings, wanted, step))
    if group.is_known:
        if as_json:
            print_json(_as_json(group))
        else:
            _print(group, limit or len(group.members))
    elif auction.is_known:
        if as_json:
            print_json(auction_page.as_json(auction))
        else:
            now = datetime.now(UTC) if settings.clock == "wall" else None
            auction_page.print_page(auction, now, limit or sys.maxsize)
    else:
        raise Mistake(
            f"no group purchase or auction {wanted} is known: ask `jointbuy why {wanted}`"
        )


async def read_about(
    settings: Settings, key_id: str, step: Step | None = None
) -> tuple[Group, AuctionPage]:
    """Read what is known of a group or an auction of this id, and what follows from it."""
    group, auction = Group(key_id), AuctionPage(key_id)
    await _take_all(settings, key_id, (PURCHASES, FAVORS), group.take, step)
    if group.terms is not None and group.terms.member_parts:
        await _take_all(settings, key_id, (GROUP_PURCHASES,), group.take, step)
    if not group.is_known:
        await _take_all(settings, key_id, (AUCTIONS, OFFERS), auction.take, step)
    if auction.page is not None and auction.page.group_request_id is not None:
        request_id = auction.page.group_request_id
        await _take_all(settings, request_id, (REQUEST_OUTCOMES,), auction.take, step)
    return group, auction


async def _take_all(
    settings: Settings,
    key_id: str,
    sources: Sequence[Topic],
    take: Callable[[Message | None], None],
    step: Step | None,
) -> None:
    by_name = {settings.topic(topic.name): topic for topic in sources}
    partitions = [tp for topic in sources for tp in topics.partitions_of(settings, topic, key_id)]
    async for record in topics.read(settings, partitions, step):
        if is_of(record, key_id):
            take(topics.message_of(by_name[record.topic], record))


def is_of(record: InputRecord, key_id: str) -> bool:
    """Whether a record's key is this id, or begins with it and a slash."""
    key = record.key or b""
    wanted = key_id.encode()
    return key.startswith(wanted) and key[len(wanted) : len(wanted) + 1] in (b"", b"/")


# --- what is printed -----------------------------------------------------------------------------


def _as_json(group: Group) -> dict[str, Any]:
    def line(member_id: str) -> dict[str, Any]:
        row, favor = group.rows.get(member_id), group.favors.get(member_id)
        said = facts(row) if row else {"member_id": member_id, "quantity": 0, "orders": 0}
        return {**said, "favor": facts(favor) if favor else None}

    return {
        "group_id": group.group_id,
        "terms": facts(group.terms) if group.terms else None,
        "state": facts(group.state) if group.state else None,
        "decision": facts(group.decision) if group.decision else None,
        "table": [line(member_id) for member_id in group.members],
        "refused": [facts(refused) for refused in group.refused.values()],
    }


def _print(group: Group, limit: int) -> None:
    _print_head(group)
    members = group.members
    if members:
        out().print()
        print_table(_table(group, members[:limit]))
    if len(members) > limit:
        typer.echo(f"and {len(members) - limit:,} more: see them with --limit 0")
    refused = list(group.refused.values())
    if refused:
        typer.echo(f"\nNot counted ({len(refused):,}):")
        print_table(_refused(refused[:limit]))


def _print_head(group: Group) -> None:
    console = out()
    state, terms = group.state, group.terms
    status = state.status if state else "not opened yet"
    number = f" of {terms.number_of_products:,}" if terms else ""
    title = Text.assemble((group.group_id, "bold"), "  ", (status, STYLES.get(status, "")))
    console.print(title.append(f"  {state.quantity if state else 0:,}{number} ordered"))
    grid = Table.grid(padding=(0, 2))
    for name, said in _particulars(group):
        grid.add_row(Text(name, style="dim"), cell(said))
    print_table(grid)


def _particulars(group: Group) -> list[tuple[str, str]]:
    state, terms = group.state, group.terms
    lines: list[tuple[str, str]] = []
    if terms is not None:
        price = f" at {money(terms.unit_price, terms.currency)}" if terms.unit_price else ""
        grace = f", then {terms.grace_seconds} s of grace"
        lines += [
            ("Product", of_product(terms.product) + price),
            ("Period", f"{when(terms.opens_at)} to {when(terms.closes_at)}{grace}"),
            ("Favor", of_ladder(terms.favor, terms.currency)),
            ("If incomplete", terms.if_incomplete),
            ("Payment", of_payment(terms.payment)),
        ]
        if terms.organizer:
            lines.append(("Organizer", terms.organizer.name or terms.organizer.id))
    if state is not None:
        listed = f", of {len(set(group.listed)):,} listed" if group.listed else ""
        lines += [
            ("Purchasers", f"{state.members:,}{listed}"),
            ("Value", money(state.value, state.currency)),
        ]
        if state.closed_at:
            lines.append(("Closed", when(state.closed_at)))
    if group.decision is not None:
        lines.append(("Decision", describe(group.decision).removeprefix("decided: ")))
    return lines


def _table(group: Group, members: Sequence[str]) -> Table:
    # The period is the same in every row, and stands in the head as well: it yields first.
    period = ("Period",) if out().width >= WIDE_COLUMNS else ()
    numbers = ("Quantity", "Value", "Orders")
    times = ("First (UTC)", "Last (UTC)")
    made = table("Purchaser", *period, *times, *numbers, "Favor", right=(*numbers, "Favor"))
    made.columns[0].min_width = len("Purchaser")
    for column in made.columns[1:-1]:
        column.no_wrap = True
    for member_id in members:
        row, favor = group.rows.get(member_id), group.favors.get(member_id)
        if row is None:
            blank = ["" for _ in period]
            made.add_row(cell(member_id), *blank, cell("not ordered", "dim"), "", "0", "", "0", "")
            continue
        opens, closes = row.period.opens_at, row.period.closes_at
        made.add_row(
            cell(member_id),
            *(cell(f"{opens:%Y-%m-%d} to {closes:%Y-%m-%d}") for _ in period),
            cell(minute(row.first_ordered_at)),
            cell(minute(row.last_ordered_at)),
            f"{row.quantity:,}",
            cell(money(row.value, row.currency)),
            f"{row.orders:,}",
            cell(_favor(favor)),
        )
    return made


def _favor(favor: Favor | None) -> str:
    if favor is None:
        return ""
    percent = f" ({favor.percent:g} %)" if favor.percent is not None else ""
    gift = f" + {favor.gift}" if favor.gift else ""
    return f"{money(favor.amount, favor.currency)}{percent}{gift}"


def _refused(refused: Sequence[OrderRefused]) -> Table:
    made = table("Order", "Source", "Purchaser", "Quantity", "Reason", right=("Quantity",))
    for each in refused:
        quantity = f"{each.quantity:,}"
        made.add_row(
            cell(each.order_id),
            cell(each.source),
            cell(each.member_id),
            quantity,
            cell(each.reason),
        )
    return made
