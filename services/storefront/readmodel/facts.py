"""Facts of the read model, payments and images, as one asks for them by their ids and keys."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.catalogue import CATALOGUE
from schemas.favors import FAVORS, Favor
from schemas.groups import GROUP_PURCHASES, REQUEST_OUTCOMES, GroupPurchase, IdIssued
from schemas.ops import API_KEYS, ApiKey
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import Message
from schemas.payments import PAYMENTS, Payment
from schemas.people import PEOPLE, Person
from schemas.refusals import RefusalCode
from schemas.topic import Topic
from services.storefront.readmodel import cursors
from services.storefront.readmodel.cursors import BadCursor
from services.storefront.readmodel.database import Questions, connect
from services.storefront.readmodel.shown import ShownModel
from services.storefront.readmodel.tables import (
    CONFIRMED_ORDERS,
    FACTS,
    IMAGES,
    POSITIONS,
    RESERVATIONS,
)
from services.storefront.readmodel.tables import PAYMENTS as PAYMENT_ROWS
from services.storefront.rules.columns import can_be_asked
from services.storefront.rules.reservations import kept
from services.storefront.rules.rows import (
    ImageRow,
    KeptReservation,
    Listed,
    ToldFact,
)

#: Payments of one payer in one group: an order or a return makes one or two.
PAYMENTS_MAX: Final = 500
#: Payments of all payers on a page of a group's table.
PAYMENTS_OF_ALL_MAX: Final = 5_000
#: In the words of the index of these payments alone.
_IS_UNPAID: Final = PAYMENT_ROWS.c.unpaid == literal_column("1")
_TOPIC_OF: Final = {kind: topic for topic in CATALOGUE.values() for kind in topic.messages}


class NothingSuch(LookupError):
    """The given id or key can't exist, so the database is not asked."""


class FactReader:
    """Reads facts, payments and images. Raises ``DatabaseError`` on trouble.

    Also ``NothingSuch`` for an id or key that can't exist.
    """

    def __init__(self, url: str) -> None:
        #: Of the storefront's own tables.
        self.engine: AsyncEngine = connect(url)
        self._own = Questions(url)
        self._questions = ShownModel(url, self.engine)

    async def close(self) -> None:
        """Disconnect."""
        await self._questions.close()
        await self._own.close()
        await self.engine.dispose()

    # --- facts -----------------------------------------------------------------------------------

    async def fact(self, topic: str, key: str) -> Message | None:
        """The newest fact of a key."""
        statement = select(FACTS.c.value).where(
            FACTS.c.topic == topic, FACTS.c.key == as_asked(key)
        )
        for (value,) in await self._questions.all(statement):
            found: Message = CATALOGUE[topic].adapter.validate_json(value)
            return found
        return None

    async def recorded_at(self, topic: str, key: str) -> datetime | None:
        """When the newest fact of a key was recorded."""
        statement = select(FACTS.c.at).where(FACTS.c.topic == topic, FACTS.c.key == as_asked(key))
        for (at,) in await self._questions.all(statement):
            return datetime.fromtimestamp(at / 1000, UTC)
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
                FACTS.c.subject == as_asked(subject),
                FACTS.c.kind == kind.__name__,
                FACTS.c.key > as_asked(after),
            )
            rows = await self._questions.all(statement.order_by(FACTS.c.key).limit(limit))
            found += [(key, kind, value) for key, value in rows]
        found.sort(key=lambda each: each[0].encode())
        return [_TOPIC_OF[kind].adapter.validate_json(value) for _, kind, value in found[:limit]]

    async def facts_of(self, topic: str, keys: Sequence[str]) -> dict[str, Message]:
        """The newest facts of those of these keys that exist, by key; a few hundred at most."""
        return await self._under(CATALOGUE[topic], [as_asked(key) for key in keys])

    async def people(self, person_ids: Iterable[str | None]) -> dict[str, Person]:
        """Those of these people who are known and not erased, by id; a few hundred at most."""
        wanted = sorted({as_asked(each) for each in person_ids if each is not None})
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
            .where(FACTS.c.holder == as_asked(holder), FACTS.c.kind == kind.__name__)
            .order_by(newest.desc(), FACTS.c.key)
            .limit(limit)
        )
        return [topic.adapter.validate_json(value) for (value,) in await self._questions.all(query)]

    async def people_of_rows(self, group_id: str) -> set[str]:
        """The people who have ordered in a group and get letters about it."""
        query = select(FACTS.c.holder).where(
            FACTS.c.subject == as_asked(group_id),
            FACTS.c.kind == PurchaseRow.__name__,
            FACTS.c.holder.is_not(None),
        )
        return {holder for (holder,) in await self._questions.all(query)}

    async def reserved_by(self, person_id: str, limit: int) -> list[tuple[str, str]]:
        """The ids of a person's newest auctions and reservations there."""
        rows = RESERVATIONS.c
        query = (
            select(rows.auction_id, rows.application_id)
            .where(rows.person_id == as_asked(person_id), rows.withdrawn_at.is_(None))
            .order_by(rows.at.desc(), rows.application_id)
            .limit(limit)
        )
        return [(auction_id, id_) for auction_id, id_ in await self._own.all(query)]

    async def reservations_of(self, person_id: str, limit: int) -> Sequence[Any]:
        """Rows of a person's newest reservations, also of those taken back."""
        rows = RESERVATIONS.c
        query = (
            select(
                rows.auction_id, rows.application_id, rows.quantity, rows.at,
                rows.confirmed_at, rows.withdrawn_at,
            )
            .where(rows.person_id == as_asked(person_id))
            .order_by(rows.at.desc(), rows.application_id)
            .limit(limit)
        )  # fmt: skip
        return await self._own.all(query)

    async def reservation(self, application_id: str) -> KeptReservation:
        """What became of a reservation as far as our pages know; ``unknown`` of early ones."""
        rows = RESERVATIONS.c
        query = select(
            rows.auction_id, rows.person_id, rows.quantity, rows.at,
            rows.confirmed_at, rows.withdrawn_at,
        )  # fmt: skip
        own = query.where(rows.application_id == as_asked(application_id))
        for row in await self._own.all(own):
            others = query.where(
                rows.person_id == row.person_id,
                rows.auction_id == row.auction_id,
                rows.application_id != application_id,
                rows.confirmed_at.is_not(None),
            )
            return kept(row, await self._own.all(others))
        return KeptReservation("unknown")

    async def is_order_confirmed(self, order_key: str) -> bool:
        """Whether an order was confirmed by its letter's link, as far as our pages know."""
        rows = CONFIRMED_ORDERS.c
        query = select(rows.order_key).where(rows.order_key == as_asked(order_key))
        return bool(await self._own.all(query))

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
        span = f"{as_asked(group_id)}/member/", f"{as_asked(group_id)}/member0"
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
        begins, ends = f"{as_asked(group_id)}/member/", f"{as_asked(group_id)}/member0"
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
                place.where(column == as_asked(id_or_number))
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
            .where(rows.group_id == as_asked(group_id), rows.payer == as_asked(payer))
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
        wanted = sorted({as_asked(each) for each in payers})
        if not wanted:
            return {}
        found = (
            select(rows.payer, rows.payment_id)
            .where(rows.group_id == as_asked(group_id), rows.payer.in_(wanted))
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
            .where(rows.group_id == as_asked(group_id), _IS_UNPAID)
            .limit(PAYMENTS_MAX)
            .subquery()
        )
        ((count,),) = await self._questions.all(select(func.count()).select_from(some))
        return int(count)

    async def payments(
        self, group_id: str, cursor: str | None = None, limit: int = 100
    ) -> Listed[Payment]:
        """All payments of a group, by id. Raises ``BadCursor``."""
        span = f"{as_asked(group_id)}/payment/", f"{as_asked(group_id)}/payment0"
        return await self._by_key(PAYMENTS, "payments", span, cursor, limit)

    # --- images ----------------------------------------------------------------------------------

    async def image(self, image_id: str) -> tuple[str, bytes] | None:
        """The media type and the bytes of an image."""
        its = select(IMAGES.c.media_type, IMAGES.c.data).where(
            IMAGES.c.image_id == as_asked(image_id)
        )
        for media_type, data in await self._questions.all(its):
            return media_type, data
        return None

    async def image_sizes(self, image_ids: Iterable[str | None]) -> dict[str, ImageRow]:
        """Those of these images that exist, by id; a few hundred at most."""
        wanted = sorted({as_asked(each) for each in image_ids if each is not None})
        if not wanted:
            return {}
        sizes = select(IMAGES.c.image_id, IMAGES.c.width, IMAGES.c.height)
        found = await self._questions.all(sizes.where(IMAGES.c.image_id.in_(wanted)))
        return {each.image_id: ImageRow(*each) for each in found}

    # --- what decided ----------------------------------------------------------------------------

    async def told(
        self, subject: str, *kinds: type[Message], newest: int = 100
    ) -> tuple[list[ToldFact], bool]:
        """The newest facts of these kinds about a subject, the oldest first, and if there are more.

        Each has its time, and what decided it.
        """
        rows = FACTS.c
        statement = select(rows.kind, rows.value, rows.at, rows.rule, rows.cause).where(
            rows.subject == as_asked(subject), rows.kind.in_([each.__name__ for each in kinds])
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


def given(**values: str | None) -> dict[str, str | None]:
    """Those that are asked for, as a database can hold them."""
    return {name: as_asked(value) for name, value in values.items() if value is not None}


def as_asked(text: str) -> str:
    """An id or key for a query. Raises ``NothingSuch`` if it can't exist."""
    if not can_be_asked(text):
        raise NothingSuch("names can't contain control characters: check whether it is mistyped")
    return text
