"""The state of a group purchase or an auction in ``jointbuy watch``, and its texts. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from schemas.api.auctions import AuctionView
from schemas.api.groups import GroupProgress, GroupView
from terminal import auction_page, group_page
from terminal.answers import shown
from terminal.console import cell, clean, money, span, table, when

BAR_COLUMNS = 24
#: From so many columns on, bars and times of changes are shown.
WIDE_COLUMNS = 110
NAME_COLUMNS = 24


@dataclass
class Watched:
    """A watched subject in its latest state; a group's ``closes_at`` and ``price`` never change."""

    id: str
    path: str
    name: str
    status: str
    done: int
    of: int
    price: str
    closes_at: datetime
    version: int
    #: The change of the last event, and its time.
    change: str = ""
    changed_at: datetime | None = None
    #: Why there is no connection now.
    trouble: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether there will be no more events."""
        return self.status != "open"

    def take(self, data: str, now: datetime) -> bool:
        """Take the state in an event; whether it changes the view."""
        before = (self.status, self.done, self.of, self.price)
        if self.path.startswith("/auctions/"):
            auction = shown(AuctionView, data)
            self.version, self.status = auction.version, auction.status
            self.done, self.of = auction.reservations, auction.minimum_reservations
            self.price = money(auction.unit_price, auction.currency)
            self.closes_at = auction.closes_at
        else:
            group = shown(GroupProgress, data)
            self.version, self.status, self.done = group.version, group.status, group.quantity
        changes = self._changes(*before)
        if changes:
            self.change, self.changed_at = ", ".join(changes), now
        return bool(changes)

    def _changes(self, status: str, done: int, of: int, price: str) -> list[str]:
        changes = []
        if done != self.done:
            changes.append(f"{self.done - done:+,}")
        if price != self.price:
            changes.append(f"price {price} → {self.price}")
        if of != self.of:
            changes.append(f"minimum {of:,} → {self.of:,}")
        if status != self.status:
            changes.append(self.status)
        return changes

    def left(self, now: datetime) -> str:
        """The time left; empty once it has ended."""
        if self.has_ended:
            return ""
        return span(self.closes_at - now) if now < self.closes_at else "any moment now"

    def line(self, now: datetime) -> str:
        """The subject in one line, for output that is not a terminal."""
        left = self.left(now)
        if left and now < self.closes_at:
            left = f"{left} left"
        parts = (f"{self.status}  {self.done:,} of {self.of:,}", self.price, left, self.change)
        return f"{when(now)}  {self.id}  " + "  ".join(part for part in parts if part)


def watched(path: str, found: dict[str, Any]) -> Watched:
    """The subject with the JSON at its path."""
    if "auction_id" in found:
        auction = shown(AuctionView, found)
        return Watched(
            auction.auction_id,
            path,
            auction.product.name,
            auction.status,
            auction.reservations,
            auction.minimum_reservations,
            money(auction.unit_price, auction.currency),
            auction.closes_at,
            auction.version,
        )
    group = shown(GroupView, found)
    return Watched(
        group.group_id,
        path,
        group.product.name,
        group.status,
        group.quantity,
        group.number_of_products,
        money(group.unit_price, group.currency) if group.unit_price else "",
        group.closes_at,
        group.version,
    )


def screen(all_of_them: list[Watched], now: datetime, width: int = WIDE_COLUMNS) -> Table:
    """The live view of all subjects; on a narrow screen without bars and times of changes."""
    is_wide = width >= WIDE_COLUMNS
    bars = ("",) if is_wide else ()
    heads = ("", "Status", "Count", *bars, "Price", "Time left", "Last change")
    made = table(*heads, right=("Count",))
    made.columns[0].no_wrap = True
    styles = auction_page.STYLES | group_page.STYLES
    for each in all_of_them:
        style = styles.get(each.status, "")
        name = cell(each.name, "dim")
        name.truncate(max(len(each.id), NAME_COLUMNS), overflow="ellipsis")
        done = min(each.done, each.of)
        bar = ProgressBar(total=max(each.of, 1), completed=done, width=BAR_COLUMNS)
        changed = each.change if each.changed_at else ""
        if each.changed_at and is_wide:
            changed += f"\n{when(each.changed_at)}"
        made.add_row(
            Text.assemble(cell(each.id, "bold"), "\n", name),
            cell(each.status, style),
            f"{each.done:,} of {each.of:,}",
            *([bar] if is_wide else []),
            each.price,
            each.left(now),
            cell(each.trouble, "yellow") if each.trouble else Text(clean(changed)),
        )
    return made
