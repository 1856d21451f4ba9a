"""The oracle: what recorded shop data must come to under the rules of group purchase.

Computed plainly from the files, in memory, without events, topics or any code of the services, so
that a fault in those can't hide here. Of the project only ``domain.ids.derive`` is used, since a
group's id can't be known otherwise. ``python -m tests.oracle.recorded --help`` prints the sums.
"""

import argparse
import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from domain.ids import derive

BEIBEI_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


class Tier(NamedTuple):
    """From this quantity, this percent off."""

    from_quantity: int
    percent_off: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a group was asked for; ``members`` is empty when it is open to anyone."""

    number_of_products: int
    opens_at: datetime
    closes_at: datetime
    grace_seconds: int
    currency: str
    unit_price: int | None
    if_incomplete: Literal["as-reached", "none"]
    tiers: tuple[Tier, ...]
    members: tuple[str, ...] = ()

    @property
    def due(self) -> datetime:
        """When the deadline falls."""
        return self.closes_at + timedelta(seconds=self.grace_seconds)


@dataclass(slots=True)
class Order:
    """One counting order and how much of it came back; ``value`` is that of the whole order."""

    ordered_at: datetime
    quantity: int
    value: int
    returned: int = 0

    @property
    def remaining(self) -> int:
        """The quantity that did not come back."""
        return self.quantity - self.returned

    @property
    def remaining_value(self) -> int:
        """The value of what did not come back."""
        return half_up(self.value * self.remaining, self.quantity)


@dataclass(frozen=True, slots=True)
class Row:
    """What one member's row of the purchase condition management table says."""

    quantity: int
    value: int
    orders: int
    first_ordered_at: datetime
    last_ordered_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """What a return exceeds the member's orders by."""

    source: str
    member_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Favor:
    """What one member gets."""

    amount: int
    percent: int
    basis: Literal["complete", "elapsed"]


@dataclass(frozen=True, slots=True)
class Group:
    """Everything one group purchase comes to.

    ``rows`` and ``favors`` are by member, ``refused`` by return id. ``tier`` is the decided one.
    """

    request_id: str
    group_id: str
    terms: Terms
    status: Literal["complete", "elapsed"]
    closed_at: datetime
    rows: Mapping[str, Row]
    refused: Mapping[str, Refused]
    tier: Tier | None
    favors: Mapping[str, Favor]

    @property
    def quantity(self) -> int:
        """What all members bought and kept."""
        return sum(row.quantity for row in self.rows.values())

    @property
    def value(self) -> int:
        """The value of what all members bought and kept."""
        return sum(row.value for row in self.rows.values())

    @property
    def members(self) -> int:
        """How many members bought and kept something."""
        return sum(row.quantity > 0 for row in self.rows.values())

    @property
    def favor_total(self) -> int:
        """What all favors add up to."""
        return sum(favor.amount for favor in self.favors.values())


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a replay of some files must come to.

    ``groups`` are by request id, ``fed`` counts the order records sent, by type, and ``skipped``
    the lines that give none, by the first reason that holds.
    """

    source: str
    request_prefix: str
    groups: Mapping[str, Group]
    fed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of two integers, not negative, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def settle(
    request_id: str,
    terms: Terms,
    orders: Mapping[str, Sequence[Order]],
    refused: Mapping[str, Refused],
    closed_at: datetime,
) -> Group:
    """The group as it stands after its close, from its members' counting orders.

    ``orders`` are each member's in order of arrival; nothing may have come after the close.
    """
    rows = {
        member: Row(
            quantity=sum(order.remaining for order in ordered),
            value=sum(order.remaining_value for order in ordered),
            orders=len(ordered),
            first_ordered_at=min(order.ordered_at for order in ordered),
            last_ordered_at=max(order.ordered_at for order in ordered),
        )
        for member, ordered in orders.items()
    }
    total = sum(row.quantity for row in rows.values())
    everyone = all(member in rows for member in terms.members)
    complete = everyone and total >= terms.number_of_products
    tier = None
    if complete or terms.if_incomplete == "as-reached":
        reached = [tier for tier in terms.tiers if tier.from_quantity <= total]
        tier = max(reached, key=lambda tier: tier.from_quantity, default=None)
    favors = {
        member: Favor(
            amount=half_up(row.value * tier.percent_off, 100),
            percent=tier.percent_off,
            basis="complete" if complete else "elapsed",
        )
        for member, row in rows.items()
        if tier is not None and row.quantity > 0
    }
    return Group(
        request_id=request_id,
        group_id=derive(request_id),
        terms=terms,
        status="complete" if complete else "elapsed",
        closed_at=closed_at,
        rows=rows,
        refused=refused,
        tier=tier,
        favors=favors,
    )


def by_request(groups: Iterable[Group]) -> dict[str, Group]:
    """The groups by request id.

    Raises ``ValueError`` when two requests derive one id: which of them gets the next derivation
    is then a race that can't be foretold.
    """
    found = {group.request_id: group for group in groups}
    if len({group.group_id for group in found.values()}) < len(found):
        raise ValueError("two requests derive the same group id")
    return found


# --- online retail -------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of an invoice that is not skipped for its own sake; ``number`` is its record's id."""

    at: datetime
    stock_code: str
    number: str
    member_id: str
    returned: bool
    quantity: int
    pence: int

    @property
    def week(self) -> tuple[int, int]:
        """The ISO year and week."""
        year, week, _ = self.at.isocalendar()
        return year, week


def online_retail(files: Iterable[Iterable[str]]) -> Recorded:
    """What a replay of the files, each given as its lines with the header, must come to.

    The files may be given in any order, since all lines are taken in the order of their times.
    """
    skipped: Counter[str] = Counter()
    lines = sorted(retail_lines(in_time_order(files), skipped), key=lambda line: line.at)
    lines_of: dict[tuple[str, tuple[int, int]], list[Line]] = defaultdict(list)
    for line in lines:
        lines_of[line.stock_code, line.week].append(line)
    fed: Counter[str] = Counter()
    groups = []
    for (stock_code, week), of_group in lines_of.items():
        if len({line.member_id for line in of_group if not line.returned}) < 2:
            skipped["no group"] += len(of_group)
            continue
        groups.append(retail_group(stock_code, week, of_group))
        fed["OrderReturned"] += sum(line.returned for line in of_group)
        fed["OrderPaid"] += sum(not line.returned for line in of_group)
    return Recorded("online-retail", "or-", by_request(groups), fed, skipped)


def in_time_order(files: Iterable[Iterable[str]]) -> Iterator[dict[str, str]]:
    """Every line of the files by column, the file with the earliest line first."""
    tables = [list(csv.DictReader(lines)) for lines in files]
    tables = [table for table in tables if table]
    tables.sort(key=lambda table: min(fields["InvoiceDate"] for fields in table))
    for table in tables:
        yield from table


def retail_lines(table: Iterable[Mapping[str, str]], skipped: Counter[str]) -> Iterator[Line]:
    """The lines that can belong to a group, in file order; counts those that can't."""
    lines_of_invoice: Counter[str] = Counter()
    for fields in table:
        invoice = fields["InvoiceNo"]
        lines_of_invoice[invoice] += 1
        quantity = int(fields["Quantity"])
        pence = int((Decimal(fields["UnitPrice"]) * 100).to_integral_value(ROUND_HALF_UP))
        returned = invoice.startswith("C")
        if pence <= 0:
            skipped["no price"] += 1
        elif quantity == 0:
            skipped["no quantity"] += 1
        elif quantity < 0 and not returned:
            skipped["negative quantity"] += 1
        else:
            customer = fields["CustomerID"].removesuffix(".0")
            yield Line(
                at=datetime.fromisoformat(fields["InvoiceDate"]).replace(tzinfo=UTC),
                stock_code=fields["StockCode"],
                number=f"{invoice}-{lines_of_invoice[invoice]}",
                member_id=customer or f"guest-{invoice}",
                returned=returned,
                quantity=abs(quantity),
                pence=pence,
            )


def retail_group(stock_code: str, week: tuple[int, int], lines: Iterable[Line]) -> Group:
    """One product's group of one week, from its lines in the order in which they are sent."""
    year, number = week
    monday = datetime.combine(date.fromisocalendar(year, number, 1), datetime.min.time(), UTC)
    terms = Terms(
        number_of_products=100,
        opens_at=monday,
        closes_at=monday + timedelta(days=7),
        grace_seconds=0,
        currency="GBP",
        unit_price=None,
        if_incomplete="as-reached",
        tiers=(Tier(100, 5), Tier(250, 10), Tier(500, 15)),
    )
    orders: dict[str, list[Order]] = {}
    refused: dict[str, Refused] = {}
    for line in lines:
        if line.returned:
            excess = take_back(orders.get(line.member_id, ()), line.quantity)
            if excess:
                refused[line.number] = Refused("online-retail", line.member_id, excess)
        else:
            order = Order(line.at, line.quantity, line.quantity * line.pence)
            orders.setdefault(line.member_id, []).append(order)
    request_id = f"or-{stock_code}-{year}W{number:02}"
    return settle(request_id, terms, orders, refused, closed_at=terms.due)


def take_back(orders: Sequence[Order], quantity: int) -> int:
    """Return ``quantity`` of the latest orders, and give back what exceeds them.

    The orders are in time order, and in order of arrival where the time is the same, so that the
    latest by either is the last.
    """
    for order in reversed(orders):
        taken = min(quantity, order.remaining)
        order.returned += taken
        quantity -= taken
    return quantity


# --- BeiBei --------------------------------------------------------------------------------------


def beibei(
    successful: Iterable[str],
    failed: Iterable[str],
    limit: int | None = None,
    grace_seconds: int = 0,
) -> Recorded:
    """What a replay of the first ``limit`` lines of each file must come to."""
    groups = []
    for number, line in enumerate(islice(successful, limit), start=1):
        if users := distinct_users(line):
            groups.append(beibei_group(f"bb-s-{number}", number, users, users, grace_seconds))
    for number, line in enumerate(islice(failed, limit), start=1):
        if users := distinct_users(line):
            members = [users[0], f"nobody-{number}"]
            groups.append(beibei_group(f"bb-f-{number}", number, members, users[:1], grace_seconds))
    fed = Counter(OrderPaid=sum(row.orders for group in groups for row in group.rows.values()))
    return Recorded("beibei", "bb-", by_request(groups), fed)


def distinct_users(line: str) -> list[str]:
    """The initiator, then the participants that were not named before; the item is left out."""
    initiator, _, *participants = line.rstrip("\r\n").split("\t") if line.strip() else ("", "")
    return list(dict.fromkeys(user for user in (initiator, *participants) if user))


def beibei_group(
    request_id: str, line: int, members: Sequence[str], buyers: Sequence[str], grace_seconds: int
) -> Group:
    """A group of listed members, each of whose ``buyers`` orders one at once."""
    requested_at = BEIBEI_EPOCH + timedelta(seconds=line)
    terms = Terms(
        number_of_products=len(members),
        opens_at=requested_at,
        closes_at=requested_at + timedelta(days=1),
        grace_seconds=grace_seconds,
        currency="CNY",
        unit_price=1000,
        if_incomplete="none",
        tiers=(Tier(1, 10),),
        members=tuple(members),
    )
    orders = {buyer: [Order(requested_at, quantity=1, value=1000)] for buyer in buyers}
    all_bought = len(buyers) == len(members)
    return settle(request_id, terms, orders, {}, requested_at if all_bought else terms.due)


# --- the command ---------------------------------------------------------------------------------


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file, gzipped where its name says so."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        yield from file


def add_sources(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Let the command name a source and its files."""
    sources = parser.add_subparsers(dest="source", required=True)
    retail = sources.add_parser("online-retail", parents=[common])
    retail.add_argument("files", nargs="+", type=Path, metavar="FILE")
    shapes = sources.add_parser("beibei", parents=[common])
    shapes.add_argument("--successful", required=True, type=Path)
    shapes.add_argument("--failed", required=True, type=Path)
    shapes.add_argument("--limit", type=int, help="lines of each file")
    shapes.add_argument("--grace-seconds", type=int, default=0)


def from_arguments(arguments: argparse.Namespace) -> Recorded:
    """What the files that the command names must come to."""
    if arguments.source == "online-retail":
        return online_retail(read_lines(path) for path in arguments.files)
    return beibei(
        read_lines(arguments.successful),
        read_lines(arguments.failed),
        arguments.limit,
        arguments.grace_seconds,
    )


def sums(recorded: Recorded) -> dict[str, object]:
    """The counts and sums by which two runs can be told apart at a glance."""
    groups = recorded.groups.values()
    return {
        "groups": len(groups),
        "status": dict(sorted(Counter(group.status for group in groups).items())),
        "tiers": dict(Counter(group.tier.percent_off if group.tier else 0 for group in groups)),
        "fed": dict(recorded.fed),
        "skipped": dict(recorded.skipped),
        "rows": sum(len(group.rows) for group in groups),
        "members": sum(group.members for group in groups),
        "orders": sum(row.orders for group in groups for row in group.rows.values()),
        "quantity": sum(group.quantity for group in groups),
        "value": sum(group.value for group in groups),
        "refused": sum(len(group.refused) for group in groups),
        "refused_quantity": sum(
            refused.quantity for group in groups for refused in group.refused.values()
        ),
        "favors": sum(len(group.favors) for group in groups),
        "favor_total": sum(group.favor_total for group in groups),
    }


def main() -> None:
    """Print the sums of what the files must come to."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.recorded", description=__doc__)
    add_sources(parser, argparse.ArgumentParser(add_help=False))
    print(json.dumps(sums(from_arguments(parser.parse_args())), indent=2))


if __name__ == "__main__":
    main()
