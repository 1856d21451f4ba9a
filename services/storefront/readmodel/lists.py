"""The lists of the read model as queries: their orders, filters, pages, words and totals.

Work per page is bounded, however long a list is: a page is a range of an index, and each word or
filter has an index of its own. Where one of them holds for few subjects, these are fetched by their
ids; where all hold for many, a window of the list is looked through in the list's order. For which
of these all hold is told by their rows. A total is counted in the same ways, up to a limit.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from services.storefront.readmodel import cursors
from services.storefront.readmodel.tables import (
    API_KEYS,
    AUCTIONS,
    DEFINITIONS,
    GROUPS,
    LETTERS,
    OFFERS,
    SEARCH,
    SELLERS,
    SHOPS,
)
from services.storefront.rules.columns import milliseconds, term_of_tag, wanted
from services.storefront.rules.rows import (
    AuctionRow,
    DefinitionRow,
    Filters,
    GroupRow,
    KeyRow,
    LetterRow,
    OfferRow,
    SellerRow,
)

T = TypeVar("T")

#: A word or a filter that holds for more subjects than these is common.
CANDIDATES_MAX: Final = 1_000
#: So many rows a page looks at if all that narrows it is common; it may hold fewer than asked for.
WINDOW: Final = 1_000
#: The kind of words of groups that are on no public list.
UNLISTED: Final = "unlisted"
#: A total beyond this is not counted on.
TOTAL_MAX: Final = 1_000
#: So many rows a total looks at if all that narrows the list is common.
LOOKED_AT_MAX: Final = 2_000
#: Names in one choice of filters.
CHOICES_MAX: Final = 40
#: No term has it, and nothing sorts behind it.
_LAST: Final = "\U0010ffff"

#: Columns and what they are to be, all of them; ``None`` is NULL.
Where = Mapping[str, str | None]


@dataclass(frozen=True)
class Order:
    """An order of a list, by columns that tell its rows apart."""

    name: str
    columns: tuple[Column[Any], ...]
    descending: bool

    def after(self, cursor: str | None) -> tuple[Any, ...] | None:
        """The place that a cursor stands for. Raises ``BadCursor``."""
        if cursor is None:
            return None
        types = [each.type.python_type for each in self.columns]
        return tuple(cursors.read_cursor(cursor, self.name, types))

    def place(self, row: Any) -> tuple[Any, ...]:
        """Where a row of the table is."""
        return tuple(row._mapping[each.name] for each in self.columns)

    def cursor(self, place: tuple[Any, ...]) -> str:
        """The cursor after a place."""
        return cursors.cursor(self.name, place)

    def within(
        self, rows: FromClause, after: tuple[Any, ...] | None, last: tuple[Any, ...] | None
    ) -> list[ColumnElement[bool]]:
        """The conditions to come after a place, and no later than another."""
        keys = tuple_(*(rows.c[each.name] for each in self.columns))
        found = []
        if after is not None:
            found.append(keys < after if self.descending else keys > after)
        if last is not None:
            found.append(keys >= last if self.descending else keys <= last)
        return found


class RowList(Generic[T]):
    """A table whose rows are shown as ``row_type``, and the orders it can be listed in.

    ``words`` is the kind of its words in the search index. A short list has none: its rows are
    looked through.
    """

    def __init__(
        self, table: Table, row_type: type[T], orders: Mapping[str, str], words: str | None = None
    ) -> None:
        self.table = table
        self.words = words
        self.orders = {
            name: Order(
                name,
                tuple(table.c[each] for each in columns.lstrip("-").split()),
                columns.startswith("-"),
            )
            for name, columns in orders.items()
        }
        shown = fields(row_type)  # type: ignore[arg-type]  # a dataclass
        self.columns = [table.c[each.name] for each in shown]
        self._row_type = row_type
        self._times = [
            index for index, each in enumerate(shown) if each.type in (datetime, datetime | None)
        ]

    @property
    def id(self) -> Column[Any]:
        """What a subject is known by."""
        return next(iter(self.table.primary_key))

    def row(self, found: Sequence[Any]) -> T:
        """What a query of ``columns`` found, as it is shown."""
        values = list(found)
        for index in self._times:
            if values[index] is not None:
                values[index] = datetime.fromtimestamp(values[index] / 1000, UTC)
        return self._row_type(*values)


@dataclass(frozen=True)
class Narrow:
    """One thing that narrows a list: the ids of its subjects, by an index, and what a row tells."""

    candidates: Select[Any]
    holds: Callable[[FromClause], ColumnElement[bool]]


@dataclass(frozen=True)
class Search:
    """All that narrows a list, and the one of them that holds for few subjects, if one does."""

    narrows: tuple[Narrow, ...] = ()
    rare: Narrow | None = None
    #: Something is missing of all that fits, so a list by what is missing begins behind the others.
    has_missing: bool = False

    @property
    def has_window(self) -> bool:
        """Whether only a window of the list is looked through."""
        return bool(self.narrows) and self.rare is None

    def holds(self, rows: FromClause) -> ColumnElement[bool]:
        """Whether all hold for a row."""
        return and_(true(), *(each.holds(rows) for each in self.narrows))


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page to be asked for."""

    of: RowList[T]
    order: Order
    where: Where
    after: tuple[Any, ...] | None
    search: Search = field(default_factory=Search)

    def query(self, last: tuple[Any, ...] | None = None) -> Select[Any]:
        """Its rows and all that come after them, up to a last place."""
        rows = self._rows()
        query = self._ordered(rows, [rows.c[each.name] for each in self.of.columns], last)
        return query.where(self.search.holds(rows)) if self.search.narrows else query

    def end_of_window(self) -> Select[Any]:
        """The place of a window's last row, if the list goes on that far."""
        rows = self._ordered(self.of.table, list(self.order.columns), None)
        return rows.offset(WINDOW - 1).limit(1)

    def total(self) -> Select[Any]:
        """How many rows of the list fit, and whether there may be more than were looked at."""
        rows = self._rows()
        looked_at = select(case((self.search.holds(rows), 1), else_=0).label("fits"))
        looked_at = looked_at.where(*conditions(rows, self.where))
        most = LOOKED_AT_MAX if self.search.has_window else TOTAL_MAX
        some = looked_at.limit(most + 1).subquery()
        fitting = func.coalesce(func.sum(some.c.fits), 0)
        return select(fitting, func.count() > most).select_from(some)

    def _rows(self) -> FromClause:
        """The rows that are looked at: all of the table, or those for which the rare one holds."""
        if self.search.rare is None:
            return self.of.table
        among = self.of.id.in_(self.search.rare.candidates)
        # The limit keeps a planner from walking the list in its order to find these few.
        return select(self.of.table).where(among).limit(CANDIDATES_MAX).subquery()

    def _ordered(
        self,
        rows: FromClause,
        columns: Sequence[ColumnElement[Any]],
        last: tuple[Any, ...] | None,
    ) -> Select[Any]:
        within = self.order.within(rows, self.after, last)
        if self.search.has_missing and self.order.columns[0].name == "missing":
            within.append(rows.c.missing > 0)
        query = select(*columns).where(*conditions(rows, self.where), *within)
        keys = (rows.c[each.name] for each in self.order.columns)
        return query.order_by(*(each.desc() if self.order.descending else each for each in keys))


def conditions(rows: FromClause, where: Where) -> list[ColumnElement[bool]]:
    """The conditions that columns are what they are to be."""
    return [
        rows.c[name].is_(None) if value is None else rows.c[name] == value
        for name, value in where.items()
    ]


# --- what narrows a list -------------------------------------------------------------------------


#: Shops and sellers whose names have a word.
SellersOf = Mapping[str, Collection[str]]


def narrows_of(
    of: RowList[Any],
    where: Where,
    words: str = "",
    filters: Filters | None = None,
    named: SellersOf | None = None,
) -> tuple[Narrow, ...]:
    """All that words and filters narrow a list by; filters without a column are passed over.

    ``named`` has, for a word, those who sell and have it in their names.
    """
    by_words = (_by_word(of, where, each, (named or {}).get(each, ())) for each in wanted(words))
    return (*by_words, *(_by_filters(of, where, filters) if filters else ()))


def with_term(of: RowList[Any], beginning: str) -> Narrow:
    """Subjects with a term that begins so."""
    candidates = select(SEARCH.c.subject).where(
        SEARCH.c.kind == of.words,
        SEARCH.c.term >= beginning,
        SEARCH.c.term < beginning + _LAST,
    )
    # No term has a space: the one in front of it is where it begins.
    return Narrow(candidates, lambda rows: rows.c.words.contains(f" {beginning}", autoescape=True))


#: By table, the columns that say who sells.
_WHO_SELLS: Final = {
    AUCTIONS.name: ("shown_seller_id",),
    GROUPS.name: ("shop_id", "seller_id"),
    DEFINITIONS.name: ("shop_id",),
}
#: Of shops, and of sellers, whose names have a word; what more of them sell is not found by it.
NAMED_MAX: Final = 20


def named_so(beginning: str) -> Select[Any]:
    """The ids of shops and sellers in whose names a word begins so."""
    tables = ((SHOPS, SHOPS.c.shop_id), (SELLERS, SELLERS.c.seller_id))
    ids = (
        select(id_.label("id"))
        .where(table.c.words.contains(f" {beginning}", autoescape=True))
        .order_by(id_)
        .limit(NAMED_MAX)
        .subquery()
        for table, id_ in tables
    )
    return select(union_all(*(select(each.c.id) for each in ids)).subquery().c.id)


def _by_word(of: RowList[Any], where: Where, beginning: str, sellers: Collection[str]) -> Narrow:
    """Subjects with a term that begins so, or that one of these sells."""
    by_term = with_term(of, beginning)
    columns = _WHO_SELLS.get(of.table.name, ()) if sellers else ()
    if not columns:
        return by_term
    here = conditions(of.table, where)
    sold = (select(of.id).where(*here, of.table.c[name].in_(sellers)) for name in columns)
    any_of_them = union(by_term.candidates, *sold).subquery()
    return Narrow(
        select(any_of_them.c[0]),
        lambda rows: or_(
            by_term.holds(rows), *(_read(rows.c[name]).in_(sellers) for name in columns)
        ),
    )


#: A column by its name.
Read = Callable[[str], ColumnElement[Any]]
Holds = Callable[[Read], ColumnElement[bool]]


def _by_filters(of: RowList[Any], where: Where, filters: Filters) -> Iterator[Narrow]:
    def such(holds: Holds) -> Narrow:
        ids = select(of.id).where(
            *conditions(of.table, where), holds(lambda name: of.table.c[name])
        )
        return Narrow(ids, lambda rows: holds(lambda name: _read(rows.c[name])))

    if filters.category is not None:
        yield such(lambda column: column("category") == filters.category)
    if filters.tag is not None:
        yield with_term(of, term_of_tag(filters.tag))
    if filters.shop_id is not None and "shop_id" in of.table.c:
        yield such(lambda column: column("shop_id") == filters.shop_id)
    if filters.currency is not None:
        yield such(lambda column: _is_priced(column, filters))
    if (closes_by := filters.closes_by) is not None and "closes_at" in of.table.c:
        yield such(lambda column: column("closes_at") <= milliseconds(closes_by))
    if filters.is_nearly_there and (names := _COUNTS.get(of.table.name)):
        yield such(lambda column: _is_nearly(*(column(name) for name in names)))


def _read(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column's value as no index has it, so that a planner keeps to the list's order."""
    is_text = column.type.python_type is str
    return column.concat(literal_column("''")) if is_text else column + literal_column("0")


def _is_priced(column: Read, filters: Filters) -> ColumnElement[bool]:
    price = column("unit_price")
    least, most = filters.price_min or 0, filters.price_max
    up_to = true() if most is None else price <= most
    return and_(column("currency") == filters.currency, price >= least, up_to)


#: Columns of what is there and of what is needed, by list.
_COUNTS: Final = {"groups": ("quantity", "number"), "auctions": ("reservations", "minimum")}


def _is_nearly(there: ColumnElement[Any], needed: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether four fifths are there, and not all.

    In the words of the index of these rows alone, as a planner does not see through parameters.
    """
    return and_(there < needed, there * literal_column("5") >= needed * literal_column("4"))


def count_of_each(narrows: Sequence[Narrow]) -> Select[Any]:
    """For how many subjects each holds, up to more than are candidates."""
    few = (each.candidates.limit(CANDIDATES_MAX + 1).subquery() for each in narrows)
    return select(*(select(func.count()).select_from(each).scalar_subquery() for each in few))


# --- what a list can be narrowed by --------------------------------------------------------------


def values_of(column: Column[Any], where: Where) -> Select[Any]:
    """The values of a column in rows, each once, in order: one step in an index for each."""
    its = [*conditions(column.table, where), column.is_not(None)]
    found = select(func.min(column).label("value")).where(*its).cte("found", recursive=True)
    following = select(func.min(column)).where(*its, column > found.c.value).correlate(found)
    more = select(following.scalar_subquery()).where(found.c.value.is_not(None))
    found = found.union_all(more)
    return select(found.c.value).where(found.c.value.is_not(None)).limit(CHOICES_MAX)


# --- the lists -----------------------------------------------------------------------------------

_BY_TIME: Final = {"ending": "closes_at", "ended": "-closes_at", "nearest": "missing closes_at"}
_GROUP_ORDERS: Final = {name: f"{by} group_id" for name, by in _BY_TIME.items()}
AUCTION_LIST: Final = RowList(
    AUCTIONS,
    AuctionRow,
    {name: f"{by} auction_id" for name, by in _BY_TIME.items()},
    AUCTIONS.name,
)
GROUP_LIST: Final = RowList(GROUPS, GroupRow, _GROUP_ORDERS, GROUPS.name)
UNLISTED_GROUP_LIST: Final = RowList(GROUPS, GroupRow, _GROUP_ORDERS, UNLISTED)
DEFINITION_LIST: Final = RowList(
    DEFINITIONS, DefinitionRow, {"newest": "-published_at definition_id"}, DEFINITIONS.name
)
OFFER_LIST: Final = RowList(OFFERS, OfferRow, {"newest": "-judged_at auction_id offer_id"})
SELLER_LIST: Final = RowList(
    SELLERS,
    SellerRow,
    {"newest": "-registered_at seller_id", "oldest": "registered_at seller_id"},
)
KEY_LIST: Final = RowList(API_KEYS, KeyRow, {"newest": "-issued_at key_id"})
LETTER_LIST: Final = RowList(LETTERS, LetterRow, {"latest": "-at recipient_id notice_id"})
PUBLIC_GROUPS: Final[Where] = {"visibility": "public", "status": "open"}
OPEN_AUCTIONS: Final[Where] = {"status": "open"}
OPEN_DEFINITIONS: Final[Where] = {"withdrawn_at": None}
