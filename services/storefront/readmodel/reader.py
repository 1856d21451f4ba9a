"""Queries of the read model, for pages and the API."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, func, select, union

from schemas.auctions import SELLERS, Seller
from schemas.catalogue import CATALOGUE
from schemas.letters import DELIVERIES, Delivery
from schemas.parts import Message
from schemas.shops import SHOPS
from services.storefront.readmodel import cursors, todo_pages
from services.storefront.readmodel.cursors import BadCursor
from services.storefront.readmodel.database import DatabaseError
from services.storefront.readmodel.facts import FactReader, NothingSuch, as_asked, given
from services.storefront.readmodel.lists import (
    AUCTION_LIST,
    CANDIDATES_MAX,
    CHOICES_MAX,
    DEFINITION_LIST,
    GROUP_LIST,
    KEY_LIST,
    LETTER_LIST,
    OFFER_LIST,
    OPEN_AUCTIONS,
    OPEN_DEFINITIONS,
    PUBLIC_GROUPS,
    SELLER_LIST,
    TOTAL_MAX,
    UNLISTED_GROUP_LIST,
    Page,
    RowList,
    Search,
    SellersOf,
    Where,
    count_of_each,
    named_so,
    narrows_of,
    values_of,
)
from services.storefront.readmodel.tables import API_KEYS as KEY_ROWS
from services.storefront.readmodel.tables import (
    AUCTIONS,
    DEFINITIONS,
    FACTS,
    GROUPS,
    LETTERS,
)
from services.storefront.readmodel.tables import (
    SELLERS as SELLER_ROWS,
)
from services.storefront.readmodel.todo_pages import Asked
from services.storefront.rules.columns import wanted
from services.storefront.rules.rows import (
    AuctionRow,
    Choices,
    DefinitionRow,
    Filters,
    GroupRow,
    KeyRow,
    Listed,
    OfferRow,
    SellerRow,
    ShopRow,
    TodoRow,
    Total,
)

__all__ = ["BadCursor", "DatabaseError", "Listed", "NothingSuch", "Reader", "Sort"]

T = TypeVar("T")
#: ``nearest`` to its number or minimum; ``ended`` is the latest end first.
Sort = Literal["ending", "nearest", "ended"]


class Reader(FactReader):
    """Reads the read model; any number of processes may. Raises ``DatabaseError`` on trouble.

    Also ``NothingSuch`` for an id or key that can't exist.
    """

    # --- tasks for people ------------------------------------------------------------------------

    async def todos(
        self, asked: Asked, cursor: str | None = None, limit: int = 100
    ) -> Listed[TodoRow]:
        """Open todos, the oldest first. Raises ``BadCursor``."""
        for owner in asked.owners or ():
            as_asked(owner)
        order = todo_pages.ORDER
        after = cursors.read_cursor(cursor, order, todo_pages.PLACE_TYPES) if cursor else None
        found = await self._questions.all(asked.page(after, limit + 1))
        page = found[:limit]
        facts: dict[tuple[str, str], Message] = {}
        for name in {topic for _, topic, _, _ in page}:
            keys = [key for _, topic, key, _ in page if topic == name]
            there = await self._under(CATALOGUE[name], keys)
            facts |= {(name, key): fact for key, fact in there.items()}
        rows = [
            TodoRow(facts[topic, key], datetime.fromtimestamp(since / 1000, UTC), owner)
            for since, topic, key, owner in page
            # Its fact may be deleted between two queries.
            if (topic, key) in facts
        ]
        return Listed(rows, cursors.cursor(order, page[-1][:3]) if found[limit:] else None)

    async def count_todos(self, now: datetime) -> dict[str, int]:
        """The number of open todos by kind, without zeros."""
        found = await self._questions.all(todo_pages.counts(now))
        return {row.kind: row.number for row in found}

    # --- sellers ---------------------------------------------------------------------------------

    async def sellers(self, cursor: str | None = None, limit: int = 100) -> Listed[Seller]:
        """All sellers, by id. Raises ``BadCursor``."""
        return await self._by_key(SELLERS, "sellers", ("", "\U0010ffff"), cursor, limit)

    async def sellers_of(
        self, standing: str | None, words: str = "", cursor: str | None = None, limit: int = 50
    ) -> Listed[SellerRow]:
        """Sellers of a standing or of all: those who wait the oldest first, others the newest.

        With words, a page may hold fewer than asked for and have a cursor. Raises ``BadCursor``.
        """
        order = "oldest" if standing == "pending" else "newest"
        where = given(standing=standing)
        search = await self._search(SELLER_LIST, where, words, named={})
        return await self._page(SELLER_LIST, order, where, search, cursor, limit)

    async def count_sellers(self, standing: str) -> int:
        """How many sellers have a standing."""
        where = SELLER_ROWS.c.standing == standing
        ((found,),) = await self._questions.all(
            select(func.count()).select_from(SELLER_ROWS).where(where)
        )
        return int(found)

    # --- keys and shops --------------------------------------------------------------------------

    async def keys_of(
        self, role: str | None, holder_id: str | None, cursor: str | None = None, limit: int = 100
    ) -> Listed[KeyRow]:
        """Keys of a role and a holder, or of all, the newest first. Raises ``BadCursor``."""
        where = given(role=role, holder_id=holder_id)
        return await self._page(KEY_LIST, "newest", where, Search(), cursor, limit)

    async def shops(self, cursor: str | None = None, limit: int = 50) -> Listed[ShopRow]:
        """Shops that a definition, a key or a fact of their own names, by id.

        Raises ``BadCursor``.
        """
        after = cursors.read_cursor(cursor, "shops", [str])[0] if cursor else ""
        more = limit + 1
        parts = [
            select(column.label("id")).where(column > after, *where).distinct()
            for column, where in (
                (DEFINITIONS.c.shop_id, ()),
                (KEY_ROWS.c.holder_id, (KEY_ROWS.c.role == "shop",)),
                (FACTS.c.key, (FACTS.c.topic == SHOPS.name,)),
            )
        ]
        first = (select(each.order_by("id").limit(more).subquery()) for each in parts)
        ids = union(*first).subquery()
        found = await self._questions.all(select(ids.c.id).order_by(ids.c.id).limit(more))
        page = [each for (each,) in found[:limit]]
        told = await self._under(SHOPS, page)
        keys = KEY_ROWS.c
        latest = select(keys.holder_id, func.max(keys.issued_at)).where(
            keys.role == "shop", keys.holder_id.in_(page)
        )
        issued = {
            holder: datetime.fromtimestamp(at / 1000, UTC)
            for holder, at in await self._questions.all(latest.group_by(keys.holder_id))
        }
        rows = [
            ShopRow(each, told[each].name if each in told else None, issued.get(each))
            for each in page
        ]
        return Listed(rows, cursors.cursor("shops", [page[-1]]) if found[limit:] else None)

    # --- letters and people ----------------------------------------------------------------------

    async def letters(
        self,
        *,
        state: str | None = None,
        about: str | None = None,
        recipient_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Listed[Delivery]:
        """Letters of a state, a group or auction, or a person, the latest first.

        Raises ``BadCursor``.
        """
        where = given(state=state, about=about, recipient_id=recipient_id)
        page = await self._page(LETTER_LIST, "latest", where, Search(), cursor, limit)
        keys = [f"{each.recipient_id}/{each.notice_id}" for each in page.rows]
        found = await self._under(DELIVERIES, keys)
        return Listed([found[key] for key in keys if key in found], page.cursor)

    async def letter(self, notice_id: str) -> Delivery | None:
        """The letter of a notice."""
        place = select(LETTERS.c.recipient_id).where(LETTERS.c.notice_id == as_asked(notice_id))
        for (recipient_id,) in await self._questions.all(place):
            found = await self.fact(DELIVERIES.name, f"{recipient_id}/{notice_id}")
            if isinstance(found, Delivery):
                return found
        return None

    # --- lists -----------------------------------------------------------------------------------

    async def auctions(
        self,
        *,
        sort: Sort = "ending",
        words: str = "",
        status: str | None = "open",
        cursor: str | None = None,
        limit: int = 20,
        seller_id: str | None = None,
        filters: Filters | None = None,
        counts: bool = False,
        named: SellersOf | None = None,
    ) -> Listed[AuctionRow]:
        """Auctions of a status, or those a seller opened (of any status if it is ``None``).

        If all words and filters are common, a page may hold fewer rows than asked for and still
        have a cursor. With ``counts``, it comes with the list's total. ``named`` is what ``named``
        gives for the words, for callers that search several lists. Raises ``BadCursor``.
        """
        where = given(status=status, opened_by=seller_id)
        search = await self._search(AUCTION_LIST, where, words, filters, named)
        return await self._page(AUCTION_LIST, sort, where, search, cursor, limit, counts)

    async def groups(
        self,
        *,
        sort: Sort = "ending",
        words: str = "",
        status: str | None = "open",
        cursor: str | None = None,
        limit: int = 20,
        organizer_id: str | None = None,
        unlisted: bool = False,
        filters: Filters | None = None,
        counts: bool = False,
        named: SellersOf | None = None,
    ) -> Listed[GroupRow]:
        """Group purchases of a status, or of any; of all or an organizer.

        They are the public ones, or those that are ``unlisted``. Pages are as those of
        ``auctions``. Raises ``BadCursor``.
        """
        where = given(
            visibility="unlisted" if unlisted else "public",
            status=status,
            organizer_id=organizer_id,
        )
        of = UNLISTED_GROUP_LIST if unlisted else GROUP_LIST
        search = await self._search(of, where, words, filters, named)
        return await self._page(of, sort, where, search, cursor, limit, counts)

    async def definitions(
        self,
        *,
        words: str = "",
        cursor: str | None = None,
        limit: int = 20,
        filters: Filters | None = None,
        counts: bool = False,
        named: SellersOf | None = None,
    ) -> Listed[DefinitionRow]:
        """Definitions open for group purchase, the newest first.

        Pages are as those of ``auctions``. Raises ``BadCursor``.
        """
        where = dict(OPEN_DEFINITIONS)
        if filters is not None and filters.shop_id is not None:
            # The list of one shop is a range of an index.
            where |= given(shop_id=filters.shop_id)
            filters = replace(filters, shop_id=None)
        search = await self._search(DEFINITION_LIST, where, words, filters, named)
        return await self._page(DEFINITION_LIST, "newest", where, search, cursor, limit, counts)

    async def choices(self) -> Choices:
        """What the open lists can be narrowed by; not all of it if there is much."""
        lists = (
            (AUCTIONS, OPEN_AUCTIONS),
            (GROUPS, PUBLIC_GROUPS),
            (DEFINITIONS, OPEN_DEFINITIONS),
        )
        names = ("category", "shop_id", "currency")
        asked = [
            (name, values_of(table.c[name], where))
            for name in names
            for table, where in lists
            if name in table.c
        ]
        answers = await asyncio.gather(*(self._questions.all(query) for _, query in asked))
        found: dict[str, set[str]] = {name: set() for name in names}
        for (name, _), values in zip(asked, answers, strict=True):
            found[name].update(value for (value,) in values)
        return Choices(*(tuple(sorted(found[name])[:CHOICES_MAX]) for name in names))

    async def totals(self) -> dict[str, Total]:
        """How long the lists of what is open are, by the names of their tables."""
        lists: tuple[tuple[RowList[Any], Where], ...] = (
            (AUCTION_LIST, OPEN_AUCTIONS),
            (GROUP_LIST, PUBLIC_GROUPS),
            (DEFINITION_LIST, OPEN_DEFINITIONS),
        )
        pages = [Page(of, next(iter(of.orders.values())), where, None) for of, where in lists]
        found = await asyncio.gather(*(self._total(page) for page in pages))
        return {of.table.name: total for (of, _), total in zip(lists, found, strict=True)}

    async def offers_of(self, seller_id: str, limit: int = 100) -> list[OfferRow]:
        """The verdicts on a seller's offers, the latest first."""
        where = given(seller_id=seller_id)
        return (await self._page(OFFER_LIST, "newest", where, Search(), None, limit)).rows

    async def auction(self, auction_id: str) -> AuctionRow | None:
        """One auction's row."""
        return await self._one(AUCTION_LIST, auction_id)

    async def group(self, group_id: str) -> GroupRow | None:
        """One group's row, public or not, once its terms are known."""
        return await self._one(GROUP_LIST, group_id, GROUPS.c.terms_version > 0)

    async def groups_there(self, group_ids: Sequence[str]) -> dict[str, GroupRow]:
        """Those of these groups whose terms are known, public or not; a few hundred at most."""
        return {
            each.group_id: each
            for each in await self._several(GROUP_LIST, group_ids, GROUPS.c.terms_version > 0)
        }

    async def auctions_there(self, auction_ids: Sequence[str]) -> set[str]:
        """Those of these auctions that exist; a few hundred at most."""
        return {each.auction_id for each in await self._several(AUCTION_LIST, auction_ids)}

    async def definition(self, definition_id: str) -> DefinitionRow | None:
        """One definition's row, withdrawn or not."""
        return await self._one(DEFINITION_LIST, definition_id)

    async def _one(self, of: RowList[T], subject: str, *where: ColumnElement[bool]) -> T | None:
        statement = select(*of.columns).where(of.id == as_asked(subject), *where)
        found = await self._questions.all(statement)
        return of.row(found[0]) if found else None

    async def _several(
        self, of: RowList[T], subjects: Sequence[str], *where: ColumnElement[bool]
    ) -> list[T]:
        if not subjects:
            return []
        among = of.id.in_([as_asked(each) for each in subjects])
        found = await self._questions.all(select(*of.columns).where(among, *where))
        return [of.row(each) for each in found]

    async def _page(
        self,
        of: RowList[T],
        sort: str,
        where: Where,
        search: Search | None,
        cursor: str | None,
        limit: int,
        counts: bool = False,
    ) -> Listed[T]:
        order = of.orders[sort]
        after = order.after(cursor)
        if search is None:
            return Listed([], None, Total(0) if counts else None)
        page = Page(of, order, where, after, search)
        last = None
        if search.has_window:
            for row in await self._questions.all(page.end_of_window()):
                last = order.place(row)
        found = await self._questions.all(page.query(last).limit(limit + 1))
        rows = [of.row(each) for each in found[:limit]]
        total = None
        if counts:
            is_all = after is None and last is None and len(found) <= limit
            total = Total(len(rows)) if is_all else await self._total(page)
        if len(found) > limit:
            last = order.place(found[limit - 1])
        return Listed(rows, None if last is None else order.cursor(last), total)

    async def _total(self, page: Page[Any]) -> Total:
        """How many rows the list has, counted up to a limit."""
        ((count, is_cut_off),) = await self._questions.all(page.total())
        # A sum is a decimal in PostgreSQL.
        return Total(min(int(count), TOTAL_MAX), not is_cut_off and int(count) <= TOTAL_MAX)

    async def named(self, words: str) -> SellersOf:
        """For each word, the shops and sellers that have it in their names."""
        asked = wanted(words)
        found = await asyncio.gather(*(self._questions.all(named_so(each)) for each in asked))
        return {
            word: [id_ for (id_,) in rows] for word, rows in zip(asked, found, strict=True) if rows
        }

    async def _search(
        self,
        of: RowList[Any],
        where: Where,
        words: str,
        filters: Filters | None = None,
        named: SellersOf | None = None,
    ) -> Search | None:
        """The search for words and filters in a list, or ``None`` if no row can have them."""
        if words.strip() and not wanted(words):
            return None
        for each in (filters.category, filters.tag, filters.currency) if filters else ():
            as_asked(each or "")
        if named is None:
            named = await self.named(words)
        narrows = narrows_of(of, where, words, filters, named)
        if not narrows or of.words is None:
            return Search(narrows)
        (counts,) = await self._questions.all(count_of_each(narrows))
        count, rarest = min(zip(counts, narrows, strict=True), key=lambda each: each[0])
        if not count:
            return None
        has_missing = filters is not None and filters.is_nearly_there
        return Search(narrows, rarest if count <= CANDIDATES_MAX else None, has_missing)
