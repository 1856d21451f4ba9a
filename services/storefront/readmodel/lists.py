"""The lists of the read model as queries: their orders, filters, pages and words.

Work per page is bounded, however long a list is: a page is a range of an index, and words are
looked up in an index of their own. Subjects with a rare word are fetched by their ids; where all
words are common, a window of the list is looked through in the list's order. Which of these have
all the words is told by their rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    func,
    select,
    tuple_,
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
)
from services.storefront.rules.rows import (
    AuctionRow,
    DefinitionRow,
    GroupRow,
    KeyRow,
    LetterRow,
    OfferRow,
    SellerRow,
)

T = TypeVar("T")

#: More subjects than these have a common word.
CANDIDATES_MAX: Final = 1_000
#: So many rows a page looks at whose words are all common; it may hold fewer than asked for.
WINDOW: Final = 1_000
#: The kind of words of groups that are on no public list.
UNLISTED: Final = "unlisted"
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
class Search:
    """The beginnings of words that each row has, and the one of them that is rare, if one is."""

    beginnings: tuple[str, ...] = ()
    rare: str | None = None

    @property
    def has_window(self) -> bool:
        """Whether only a window of the list is looked through."""
        return bool(self.beginnings) and self.rare is None


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
        rows: FromClause = self.of.table
        if self.search.rare is not None:
            assert self.of.words is not None
            among = self.of.id.in_(subjects_with(self.of.words, self.search.rare))
            # The limit keeps a planner from walking the list in its order to find these few.
            rows = select(rows).where(among).limit(CANDIDATES_MAX).subquery()
        query = self._ordered(rows, [rows.c[each.name] for each in self.of.columns], last)
        # No word has a space: the one in front of it is where it begins.
        return query.where(*(rows.c.words.contains(f" {each}") for each in self.search.beginnings))

    def end_of_window(self) -> Select[Any]:
        """The place of a window's last row, if the list goes on that far."""
        rows = self._ordered(self.of.table, list(self.order.columns), None)
        return rows.offset(WINDOW - 1).limit(1)

    def _ordered(
        self,
        rows: FromClause,
        columns: Sequence[ColumnElement[Any]],
        last: tuple[Any, ...] | None,
    ) -> Select[Any]:
        conditions = [
            rows.c[name].is_(None) if value is None else rows.c[name] == value
            for name, value in self.where.items()
        ]
        query = select(*columns).where(*conditions, *self.order.within(rows, self.after, last))
        keys = (rows.c[each.name] for each in self.order.columns)
        return query.order_by(*(each.desc() if self.order.descending else each for each in keys))


def subjects_with(kind: str, beginning: str) -> Select[Any]:
    """A list's subjects with a word that begins so, those with several as often."""
    return select(SEARCH.c.subject).where(
        SEARCH.c.kind == kind,
        SEARCH.c.term >= beginning,
        SEARCH.c.term < beginning + _LAST,
    )


def count_of_each(kind: str, beginnings: Sequence[str]) -> Select[Any]:
    """How often words of a list's subjects begin so, up to more than are candidates; of each."""
    few = (subjects_with(kind, each).limit(CANDIDATES_MAX + 1).subquery() for each in beginnings)
    return select(*(select(func.count()).select_from(each).scalar_subquery() for each in few))


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
