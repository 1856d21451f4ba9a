"""Queries of the read model, for pages and the API."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import ColumnElement, func, literal_column, select, union
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.auctions import SELLERS, Seller
from schemas.catalogue import CATALOGUE
from schemas.favors import FAVORS, Favor
from schemas.groups import GROUP_PURCHASES, REQUEST_OUTCOMES, GroupPurchase, IdIssued
from schemas.letters import DELIVERIES, Delivery
from schemas.ops import API_KEYS, ApiKey
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import Message
from schemas.payments import PAYMENTS, Payment
from schemas.people import PEOPLE, Person
from schemas.refusals import RefusalCode
from schemas.shops import SHOPS
from schemas.topic import Topic
from services.storefront.readmodel import cursors, todo_pages
from services.storefront.readmodel.cursors import BadCursor
from services.storefront.readmodel.database import DatabaseError, Questions, connect
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
    Where,
    count_of_each,
    narrows_of,
    values_of,
)
from services.storefront.readmodel.tables import API_KEYS as KEY_ROWS
from services.storefront.readmodel.tables import (
    AUCTIONS,
    DEFINITIONS,
    FACTS,
    GROUPS,
    IMAGES,
    LETTERS,
    POSITIONS,
    RESERVATIONS,
)
from services.storefront.readmodel.tables import PAYMENTS as PAYMENT_ROWS
from services.storefront.readmodel.tables import (
    SELLERS as SELLER_ROWS,
)
from services.storefront.readmodel.todo_pages import Asked
from services.storefront.rules.columns import can_be_asked, wanted
from services.storefront.rules.rows import (
    AuctionRow,
    Choices,
    DefinitionRow,
    Filters,
    GroupRow,
    ImageRow,
    KeyRow,
    Listed,
    OfferRow,
    SellerRow,
    ShopRow,
    TodoRow,
    ToldFact,
    Total,
)

__all__ = ["BadCursor", "DatabaseError", "Listed", "NothingSuch", "Reader", "Sort"]

T = TypeVar("T")
#: ``nearest`` to its number or minimum; ``ended`` is the latest end first.
Sort = Literal["ending", "nearest", "ended"]

#: Payments of one payer in one group: an order or a return makes one or two.
PAYMENTS_MAX: Final = 500
#: Payments of all payers on a page of a group's table.
PAYMENTS_OF_ALL_MAX: Final = 5_000
#: In the words of the index of these payments alone.
_IS_UNPAID: Final = PAYMENT_ROWS.c.unpaid == literal_column("1")
_TOPIC_OF: Final = {kind: topic for topic in CATALOGUE.values() for kind in topic.messages}


class NothingSuch(LookupError):
    """The given id or key can't exist, so the database is not asked."""


class Reader:
    """Reads the read model; any number of processes may. Raises ``DatabaseError`` on trouble.

    Also ``NothingSuch`` for an id or key that can't exist.
    """

    def __init__(self, url: str) -> None:
        self.engine: AsyncEngine = connect(url)
        self._questions = Questions(url)

    async def close(self) -> None:
        """Disconnect."""
        await self._questions.close()
        await self.engine.dispose()

    # --- facts -----------------------------------------------------------------------------------

    async def fact(self, topic: str, key: str) -> Message | None:
        """The newest fact of a key."""
        statement = select(FACTS.c.value).where(FACTS.c.topic == topic, FACTS.c.key == _asked(key))
        for (value,) in await self._questions.all(statement):
            found: Message = CATALOGUE[topic].adapter.validate_json(value)
            return found
        return None

    async def facts(
        self, subject: str, *kinds: type[Message], limit: int = 1000, after: str = ""
    ) -> list[Message]:
        """The newest facts of these kinds about a subject, in key order, after a key.

        With several kinds, leave ``after`` alone: they may have the same keys.
        """
        found: list[tuple[str, type[Message], str]] = []
        for kind in kinds:
            statement = select(FACTS.c.key, FACTS.c.value).where(
                FACTS.c.subject == _asked(subject),
                FACTS.c.kind == kind.__name__,
                FACTS.c.key > _asked(after),
            )
            rows = await self._questions.all(statement.order_by(FACTS.c.key).limit(limit))
            found += [(key, kind, value) for key, value in rows]
        found.sort(key=lambda each: each[0].encode())
        return [_TOPIC_OF[kind].adapter.validate_json(value) for _, kind, value in found[:limit]]

    async def facts_of(self, topic: str, keys: Sequence[str]) -> dict[str, Message]:
        """The newest facts of those of these keys that exist, by key; a few hundred at most."""
        return await self._under(CATALOGUE[topic], [_asked(key) for key in keys])

    async def people(self, person_ids: Iterable[str | None]) -> dict[str, Person]:
        """Those of these people who are known and not erased, by id; a few hundred at most."""
        wanted = sorted({_asked(each) for each in person_ids if each is not None})
        return await self._under(PEOPLE, wanted)

    async def people_at(self, mailbox: str, limit: int) -> list[Person]:
        """The people of a mailbox, by its canonical address; those seen last first."""
        return await self._held(PEOPLE, Person, mailbox, FACTS.c.version, limit)

    async def organized_by(self, person_id: str, limit: int) -> list[GroupPurchase]:
        """The newest group purchases whose organizer's letters go to a person."""
        return await self._held(GROUP_PURCHASES, GroupPurchase, person_id, FACTS.c.at, limit)

    async def bought_by(self, person_id: str, limit: int) -> list[PurchaseRow]:
        """The newest rows whose letters go to a person."""
        return await self._held(PURCHASES, PurchaseRow, person_id, FACTS.c.at, limit)

    async def _held(
        self,
        topic: Topic,
        kind: type[Message],
        holder: str,
        newest: ColumnElement[Any],
        limit: int,
    ) -> list[Any]:
        query = (
            select(FACTS.c.value)
            .where(FACTS.c.holder == _asked(holder), FACTS.c.kind == kind.__name__)
            .order_by(newest.desc(), FACTS.c.key)
            .limit(limit)
        )
        return [topic.adapter.validate_json(value) for (value,) in await self._questions.all(query)]

    async def people_of_rows(self, group_id: str) -> set[str]:
        """The people who have ordered in a group and get letters about it."""
        query = select(FACTS.c.holder).where(
            FACTS.c.subject == _asked(group_id),
            FACTS.c.kind == PurchaseRow.__name__,
            FACTS.c.holder.is_not(None),
        )
        return {holder for (holder,) in await self._questions.all(query)}

    async def reserved_by(self, person_id: str, limit: int) -> list[tuple[str, str]]:
        """The ids of a person's newest auctions and reservations there."""
        rows = RESERVATIONS.c
        query = (
            select(rows.auction_id, rows.application_id)
            .where(rows.person_id == _asked(person_id))
            .order_by(rows.at.desc(), rows.application_id)
            .limit(limit)
        )
        return [(auction_id, id_) for auction_id, id_ in await self._questions.all(query)]

    async def positions(self) -> dict[tuple[str, int], int]:
        """How far the projector has read each partition of each topic, by the catalogue's names."""
        statement = select(POSITIONS.c.topic, POSITIONS.c.partition, POSITIONS.c.next_offset)
        return {
            (topic, number): offset
            for topic, number, offset in await self._questions.all(statement)
        }

    async def group_of(self, request_id: str) -> str | None:
        """The id that a request runs under, if it does."""
        outcome = await self.fact(REQUEST_OUTCOMES.name, request_id)
        return outcome.group_id if isinstance(outcome, IdIssued) else None

    async def api_key(self, key_id: str) -> ApiKey | None:
        """A key of the API, revoked or not."""
        found = await self.fact(API_KEYS.name, key_id)
        return found if isinstance(found, ApiKey) else None

    async def members(
        self, group_id: str, cursor: str | None = None, limit: int = 100
    ) -> Listed[tuple[PurchaseRow, Favor | None]]:
        """A group's purchasers by id, each with what the member gets. Raises ``BadCursor``."""
        span = f"{_asked(group_id)}/member/", f"{_asked(group_id)}/member0"
        page: Listed[PurchaseRow] = await self._by_key(PURCHASES, "members", span, cursor, limit)
        favors = await self._under(FAVORS, [row.key for row in page.rows])
        return Listed([(row, favors.get(row.key)) for row in page.rows], page.cursor)

    async def members_by_place(
        self, group_id: str, cursor: str | None = None, limit: int = 100
    ) -> Listed[tuple[PurchaseRow, Favor | None]]:
        """The same, by a cursor with a position instead of an id; new members move later positions.

        The database counts rows up to the position. Raises ``BadCursor``.
        """
        (place,) = cursors.read_cursor(cursor, "places", [int]) if cursor else (0,)
        if place < 0:
            raise BadCursor
        begins, ends = f"{_asked(group_id)}/member/", f"{_asked(group_id)}/member0"
        rows = (
            select(FACTS.c.value)
            .where(FACTS.c.topic == PURCHASES.name, FACTS.c.key > begins, FACTS.c.key < ends)
            .order_by(FACTS.c.key)
            .offset(place)
            .limit(limit + 1)
        )
        found = await self._questions.all(rows)
        page = [PURCHASES.adapter.validate_json(value) for (value,) in found[:limit]]
        favors = await self._under(FAVORS, [row.key for row in page])
        following = cursors.cursor("places", [place + limit]) if found[limit:] else None
        return Listed([(row, favors.get(row.key)) for row in page], following)

    # --- payments --------------------------------------------------------------------------------

    async def payment(self, id_or_number: str) -> Payment | None:
        """The payment of this id, or the invoice or credit note of this number."""
        for column in (PAYMENT_ROWS.c.payment_id, PAYMENT_ROWS.c.number):
            place = select(PAYMENT_ROWS.c.group_id, PAYMENT_ROWS.c.payment_id)
            for group_id, id_ in await self._questions.all(
                place.where(column == _asked(id_or_number))
            ):
                found = await self.fact(PAYMENTS.name, f"{group_id}/payment/{id_}")
                if isinstance(found, Payment):
                    return found
        return None

    async def payments_of(self, group_id: str, payer: str) -> list[Payment]:
        """A payer's payments in a group, the oldest first; the organizer's are of ``""``."""
        rows = PAYMENT_ROWS.c
        ids = (
            select(rows.payment_id)
            .where(rows.group_id == _asked(group_id), rows.payer == _asked(payer))
            .order_by(rows.begun_at, rows.payment_id)
            .limit(PAYMENTS_MAX)
        )
        keys = [f"{group_id}/payment/{id_}" for (id_,) in await self._questions.all(ids)]
        found = await self._under(PAYMENTS, keys)
        return [found[key] for key in keys if key in found]

    async def payments_of_all(
        self, group_id: str, payers: Iterable[str]
    ) -> dict[str, list[Payment]]:
        """The payments of these payers in a group, by payer; a few hundred payers at most.

        Payers whose payments would be beyond ``PAYMENTS_OF_ALL_MAX`` are left out.
        """
        rows = PAYMENT_ROWS.c
        wanted = sorted({_asked(each) for each in payers})
        if not wanted:
            return {}
        found = (
            select(rows.payer, rows.payment_id)
            .where(rows.group_id == _asked(group_id), rows.payer.in_(wanted))
            .order_by(rows.payer, rows.begun_at, rows.payment_id)
            .limit(PAYMENTS_OF_ALL_MAX + 1)
        )
        ids: dict[str, list[str]] = {payer: [] for payer in wanted}
        pairs = await self._questions.all(found)
        for payer, id_ in pairs:
            ids[payer].append(f"{group_id}/payment/{id_}")
        if len(pairs) > PAYMENTS_OF_ALL_MAX:
            last = pairs[-1][0]
            ids = {payer: keys for payer, keys in ids.items() if payer < last}
        facts = await self._under(PAYMENTS, [key for keys in ids.values() for key in keys])
        return {payer: [facts[key] for key in keys if key in facts] for payer, keys in ids.items()}

    async def unpaid_orders(self, group_id: str) -> int:
        """How many orders by card in a group wait for their payment, up to ``PAYMENTS_MAX``."""
        rows = PAYMENT_ROWS.c
        some = (
            select(rows.payment_id)
            .where(rows.group_id == _asked(group_id), _IS_UNPAID)
            .limit(PAYMENTS_MAX)
            .subquery()
        )
        ((count,),) = await self._questions.all(select(func.count()).select_from(some))
        return int(count)

    async def payments(
        self, group_id: str, cursor: str | None = None, limit: int = 100
    ) -> Listed[Payment]:
        """All payments of a group, by id. Raises ``BadCursor``."""
        span = f"{_asked(group_id)}/payment/", f"{_asked(group_id)}/payment0"
        return await self._by_key(PAYMENTS, "payments", span, cursor, limit)

    # --- images ----------------------------------------------------------------------------------

    async def image(self, image_id: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of an image."""
        its = select(IMAGES.c.media_type, IMAGES.c.data).where(
            IMAGES.c.image_id == _asked(image_id)
        )
        for media_type, data in await self._questions.all(its):
            return media_type, data
        return None

    async def image_sizes(self, image_ids: Iterable[str | None]) -> dict[str, ImageRow]:
        """Those of these images that exist, by id; a few hundred at most."""
        wanted = sorted({_asked(each) for each in image_ids if each is not None})
        if not wanted:
            return {}
        sizes = select(IMAGES.c.image_id, IMAGES.c.width, IMAGES.c.height)
        found = await self._questions.all(sizes.where(IMAGES.c.image_id.in_(wanted)))
        return {each.image_id: ImageRow(*each) for each in found}

    # --- tasks for people ------------------------------------------------------------------------

    async def todos(
        self, asked: Asked, cursor: str | None = None, limit: int = 100
    ) -> Listed[TodoRow]:
        """Open todos, the oldest first. Raises ``BadCursor``."""
        for owner in asked.owners or ():
            _asked(owner)
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
        where = _given(standing=standing)
        search = await self._search(SELLER_LIST, where, words)
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
        where = _given(role=role, holder_id=holder_id)
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
        where = _given(state=state, about=about, recipient_id=recipient_id)
        page = await self._page(LETTER_LIST, "latest", where, Search(), cursor, limit)
        keys = [f"{each.recipient_id}/{each.notice_id}" for each in page.rows]
        found = await self._under(DELIVERIES, keys)
        return Listed([found[key] for key in keys if key in found], page.cursor)

    async def letter(self, notice_id: str) -> Delivery | None:
        """The letter of a notice."""
        place = select(LETTERS.c.recipient_id).where(LETTERS.c.notice_id == _asked(notice_id))
        for (recipient_id,) in await self._questions.all(place):
            found = await self.fact(DELIVERIES.name, f"{recipient_id}/{notice_id}")
            if isinstance(found, Delivery):
                return found
        return None

    # --- what decided ----------------------------------------------------------------------------

    async def told(
        self, subject: str, *kinds: type[Message], newest: int = 100
    ) -> tuple[list[ToldFact], bool]:
        """The newest facts of these kinds about a subject, the oldest first, and if there are more.

        Each has its time, and what decided it.
        """
        rows = FACTS.c
        statement = select(rows.kind, rows.value, rows.at, rows.rule, rows.cause).where(
            rows.subject == _asked(subject), rows.kind.in_([each.__name__ for each in kinds])
        )
        newest_first = statement.order_by(rows.at.desc(), rows.version.desc(), rows.key.desc())
        found = await self._questions.all(newest_first.limit(newest + 1))
        named = {each.__name__: each for each in kinds}
        facts = [
            ToldFact(
                _TOPIC_OF[named[kind]].adapter.validate_json(value),
                datetime.fromtimestamp(at / 1000, UTC),
                rule or "",
                cause or "",
            )
            for kind, value, at, rule, cause in found[:newest]
        ]
        return facts[::-1], bool(found[newest:])

    async def _by_key(
        self, topic: Topic, name: str, span: tuple[str, str], cursor: str | None, limit: int
    ) -> Listed[Any]:
        """Facts of a topic by their keys, behind the first of a span and before its end."""
        begins, ends = span
        after = cursors.read_cursor(cursor, name, [str])[0] if cursor else begins
        if not begins <= after < ends:
            raise BadCursor(RefusalCode.CURSOR_OF_OTHER_GROUP)
        pair = select(FACTS.c.key, FACTS.c.value).where(
            FACTS.c.topic == topic.name, FACTS.c.key > after, FACTS.c.key < ends
        )
        found = await self._questions.all(pair.order_by(FACTS.c.key).limit(limit + 1))
        page, rest = found[:limit], found[limit:]
        rows = [topic.adapter.validate_json(value) for _, value in page]
        return Listed(rows, cursors.cursor(name, [page[-1][0]]) if rest else None)

    async def _under(self, topic: Topic, keys: list[str]) -> dict[str, Any]:
        """The facts of a topic that are there under these keys."""
        if not keys:
            return {}
        pair = select(FACTS.c.key, FACTS.c.value).where(
            FACTS.c.topic == topic.name, FACTS.c.key.in_(keys)
        )
        found = await self._questions.all(pair)
        return {key: topic.adapter.validate_json(value) for key, value in found}

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
    ) -> Listed[AuctionRow]:
        """Auctions of a status, or those a seller opened (of any status if it is ``None``).

        If all words and filters are common, a page may hold fewer rows than asked for and still
        have a cursor. With ``counts``, it comes with the list's total. Raises ``BadCursor``.
        """
        where = _given(status=status, opened_by=seller_id)
        search = await self._search(AUCTION_LIST, where, words, filters)
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
    ) -> Listed[GroupRow]:
        """Group purchases of a status, or of any; of all or an organizer.

        They are the public ones, or those that are ``unlisted``. Pages are as those of
        ``auctions``. Raises ``BadCursor``.
        """
        where = _given(
            visibility="unlisted" if unlisted else "public",
            status=status,
            organizer_id=organizer_id,
        )
        of = UNLISTED_GROUP_LIST if unlisted else GROUP_LIST
        search = await self._search(of, where, words, filters)
        return await self._page(of, sort, where, search, cursor, limit, counts)

    async def definitions(
        self,
        *,
        words: str = "",
        cursor: str | None = None,
        limit: int = 20,
        filters: Filters | None = None,
        counts: bool = False,
    ) -> Listed[DefinitionRow]:
        """Definitions open for group purchase, the newest first.

        Pages are as those of ``auctions``. Raises ``BadCursor``.
        """
        where = dict(OPEN_DEFINITIONS)
        if filters is not None and filters.shop_id is not None:
            # The list of one shop is a range of an index.
            where |= _given(shop_id=filters.shop_id)
            filters = replace(filters, shop_id=None)
        search = await self._search(DEFINITION_LIST, where, words, filters)
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
        where = _given(seller_id=seller_id)
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
        statement = select(*of.columns).where(of.id == _asked(subject), *where)
        found = await self._questions.all(statement)
        return of.row(found[0]) if found else None

    async def _several(
        self, of: RowList[T], subjects: Sequence[str], *where: ColumnElement[bool]
    ) -> list[T]:
        if not subjects:
            return []
        among = of.id.in_([_asked(each) for each in subjects])
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

    async def _search(
        self, of: RowList[Any], where: Where, words: str, filters: Filters | None = None
    ) -> Search | None:
        """The search for words and filters in a list, or ``None`` if no row can have them."""
        if words.strip() and not wanted(words):
            return None
        for each in (filters.category, filters.tag, filters.currency) if filters else ():
            _asked(each or "")
        narrows = narrows_of(of, where, words, filters)
        if not narrows or of.words is None:
            return Search(narrows)
        (counts,) = await self._questions.all(count_of_each(narrows))
        count, rarest = min(zip(counts, narrows, strict=True), key=lambda each: each[0])
        if not count:
            return None
        has_missing = filters is not None and filters.is_nearly_there
        return Search(narrows, rarest if count <= CANDIDATES_MAX else None, has_missing)


def _given(**values: str | None) -> dict[str, str | None]:
    """Those that are asked for, as a database can hold them."""
    return {name: _asked(value) for name, value in values.items() if value is not None}


def _asked(text: str) -> str:
    """An id or key for a query. Raises ``NothingSuch`` if it can't exist."""
    if not can_be_asked(text):
        raise NothingSuch("names can't contain control characters: check whether it is mistyped")
    return text
