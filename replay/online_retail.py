"""UCI Online Retail (CC BY 4.0): each product and ISO week that two members buy is a group.

DESIGN.md section 10 says what becomes of a line; where it leaves something open, this holds:

- A line that is skipped for more than one reason counts under the first of: ``bad-id`` (an id
  made of it is longer than 64 characters or has a slash; no line of the data set), ``price``,
  ``zero-quantity``, ``negative-without-c``, ``no-group``.
- An invoice that starts with C is a return of |Quantity| whatever the sign; the data set's
  description writes the C in lower case, so both are taken.
- Stock codes are taken as they are: ``85123a`` is another product than ``85123A``.
- A group's product is named as its first buyer's line has it, or by its code if no line does.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from replay.stretch import SourceError, Stretch, Timed, lines_of
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid, OrderReturned
from schemas.parts import FavorTerms, Id, PaymentTerms, Product, Tier

SOURCE = "online-retail"
CURRENCY = "GBP"
COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
)
WEEK = timedelta(days=7)
NEVER = datetime.max.replace(tzinfo=UTC)
NUMBER_OF_PRODUCTS = 100
FAVOR = FavorTerms(
    scope="member",
    tiers=(
        Tier(from_quantity=100, percent_off=5),
        Tier(from_quantity=250, percent_off=10),
        Tier(from_quantity=500, percent_off=15),
    ),
)
_ID: TypeAdapter[str] = TypeAdapter(Id)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an invoice; ``quantity`` as written, ``price_pence`` rounded half up."""

    invoice: str
    number: int
    stock_code: str
    description: str
    quantity: int
    at: datetime
    price_pence: int
    customer: str

    @property
    def order_id(self) -> str:
        """Also the ``return_id`` of a return."""
        return f"{self.invoice}-{self.number}"

    @property
    def member_id(self) -> str:
        """The customer, or a guest of this invoice when the shop did not note one."""
        return self.customer.removesuffix(".0") or f"guest-{self.invoice}"

    @property
    def is_return(self) -> bool:
        """Whether the invoice takes goods back."""
        return self.invoice[:1] in ("C", "c")


def stretches(files: Sequence[Path], grace_seconds: int = 0) -> Iterator[Stretch]:
    """One stretch an ISO week (UTC), in the order of time, whatever the order of the files.

    A week may span files, so its lines are kept until no file to come begins before its end.
    ``grace_seconds`` goes into the requests. Raises ``SourceError``.
    """
    if len({file.resolve() for file in files}) < len(files):
        raise SourceError("a file is given twice: its invoices would be numbered on, leave one out")
    begins = sorted((_first_time(file), file) for file in files)
    numbers: Counter[str] = Counter()
    weeks: defaultdict[datetime, list[Line]] = defaultdict(list)
    for index, (_, file) in enumerate(begins):
        for line in read(file, numbers):
            weeks[monday_of(line.at)].append(line)
        rest_begins = begins[index + 1][0] if index + 1 < len(begins) else NEVER
        for monday in sorted(monday for monday in weeks if monday + WEEK <= rest_begins):
            yield stretch_of(monday, weeks.pop(monday), grace_seconds)


def read(file: Path, numbers: Counter[str]) -> Iterator[Line]:
    """The file's lines in its order; ``numbers`` counts each invoice's lines, across files.

    Raises ``SourceError`` at a line that has not the header's columns or not their types.
    """
    rows = csv.reader(lines_of(file))
    places = _places(file, next(rows, []))
    for row in rows:
        try:
            invoice, stock_code, description, quantity, at, price, customer = (
                row[place] for place in places
            )
            numbers[invoice] += 1
            yield Line(
                invoice=invoice,
                number=numbers[invoice],
                stock_code=stock_code,
                description=description.strip(),
                quantity=int(quantity),
                at=datetime.fromisoformat(at).replace(tzinfo=UTC),
                price_pence=pence(price),
                customer=customer,
            )
        except (ValueError, IndexError, ArithmeticError) as error:
            raise SourceError(f"{file} line {rows.line_num} can't be read: {error!r}") from None


def pence(pounds: str) -> int:
    """A price in pounds as whole pence, halves up (away from zero below it).

    Exact, as floats are not: 1.005 is 101. Raises ``ArithmeticError`` for a text that is not
    a number, or for a number that is too large.
    """
    return int((Decimal(pounds) * 100).quantize(Decimal(1), ROUND_HALF_UP))


def monday_of(at: datetime) -> datetime:
    """The start of the ISO week of a time in UTC."""
    return datetime(at.year, at.month, at.day, tzinfo=UTC) - timedelta(days=at.weekday())


def request_id_of(line: Line) -> str:
    """``or-<StockCode>-<ISO year>W<week>``; the ISO year is not always the calendar's."""
    year, week, _ = line.at.isocalendar()
    return f"or-{line.stock_code}-{year}W{week:02}"


def stretch_of(monday: datetime, lines: Sequence[Line], grace_seconds: int) -> Stretch:
    """The stretch of the week that begins on ``monday``, from all of the week's lines."""
    stretch = Stretch(starts_at=monday, ends_at=monday + WEEK, lines=len(lines))
    kept: list[tuple[str, Line]] = []
    buys: defaultdict[str, list[Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: line.at):  # stable: file order within a minute
        if reason := why_skipped(line):
            stretch.skipped[reason] += 1
            continue
        request_id = request_id_of(line)
        kept.append((request_id, line))
        if not line.is_return:
            buys[request_id].append(line)
    groups = {
        request_id: bought
        for request_id, bought in buys.items()
        if len({line.member_id for line in bought}) >= 2
    }
    for request_id, bought in groups.items():
        request = _request(request_id, monday, bought, grace_seconds)
        stretch.requests.append(Timed(monday, request))
    for request_id, line in kept:
        if request_id in groups:
            stretch.orders.append(_order(request_id, line))
        else:
            stretch.skipped["no-group"] += 1
    return stretch


def why_skipped(line: Line) -> str | None:
    """Why the line gives nothing by itself, or ``None``; whether it has a group is not asked."""
    try:
        for made in (request_id_of(line), line.order_id, line.member_id):
            _ID.validate_python(made)
    except ValidationError:
        return "bad-id"
    if line.price_pence <= 0:
        return "price"
    if line.quantity == 0:
        return "zero-quantity"
    if line.quantity < 0 and not line.is_return:
        return "negative-without-c"
    return None


def _request(
    request_id: str, monday: datetime, bought: Sequence[Line], grace_seconds: int
) -> GroupPurchaseRequested:
    stock_code = bought[0].stock_code
    name = next((line.description for line in bought if line.description), stock_code)
    return GroupPurchaseRequested(
        request_id=request_id,
        requested_at=monday,
        product=Product(id=stock_code, name=name),
        number_of_products=NUMBER_OF_PRODUCTS,
        currency=CURRENCY,
        opens_at=monday,
        closes_at=monday + WEEK,
        grace_seconds=grace_seconds,
        payment=PaymentTerms(scope="member", method="shop"),
        favor=FAVOR,
        if_incomplete="as-reached",
    )


def _order(request_id: str, line: Line) -> Timed:
    if line.is_return:
        returned = OrderReturned(
            return_id=line.order_id,
            source=SOURCE,
            group_id=request_id,
            member_id=line.member_id,
            quantity=abs(line.quantity),
            returned_at=line.at,
        )
        return Timed(line.at, returned)
    paid = OrderPaid(
        order_id=line.order_id,
        source=SOURCE,
        group_id=request_id,
        member_id=line.member_id,
        quantity=line.quantity,
        unit_price=line.price_pence,
        currency=CURRENCY,
        ordered_at=line.at,
    )
    return Timed(line.at, paid)


def _first_time(file: Path) -> datetime:
    # All of the file is read, as nothing promises that its lines are sorted; so a line that can't
    # be read is found before anything is sent.
    return min((line.at for line in read(file, Counter())), default=NEVER)


def _places(file: Path, header: Sequence[str]) -> list[int]:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise SourceError(
            f"{file} has no column {', '.join(missing)}: give a UCI Online Retail file"
            f" with the header {','.join(COLUMNS)}"
        )
    return [header.index(column) for column in COLUMNS]
