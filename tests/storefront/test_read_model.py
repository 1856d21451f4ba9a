"""The read model without a broker: its tables as migrated, and every list that pages ask for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Select, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.settings import Settings
from schemas.auctions import (
    ApplicationRefused,
    Auction,
    ConditionReplaced,
    ContractConcluded,
    OfferJudged,
    Seller,
)
from schemas.favors import Favor, FavorDecision
from schemas.groups import Definition, GroupPurchase, IdIssued, RequestRefused
from schemas.images import Image
from schemas.letters import Delivery, Resubscribed, Unsubscribed
from schemas.ops import ApiKey, Task
from schemas.orders import OrderRefused, PurchaseRow, PurchaseState
from schemas.parts import Message
from schemas.payments import Payment
from schemas.people import Person
from schemas.shops import Shop
from services.storefront.access.callers import Actor
from services.storefront.access.sessions import EndedSessions
from services.storefront.commands import commands_of
from services.storefront.readmodel import lists
from services.storefront.readmodel.copying import _header
from services.storefront.readmodel.cursors import cursor as cursor_of
from services.storefront.readmodel.database import DatabaseError, connect, migrate
from services.storefront.readmodel.lists import (
    AUCTION_LIST,
    DEFINITION_LIST,
    GROUP_LIST,
    Page,
    Search,
    narrows_of,
    values_of,
)
from services.storefront.readmodel.reader import BadCursor, Listed, NothingSuch, Reader
from services.storefront.readmodel.tables import OWN
from services.storefront.readmodel.writer import Batch, FencedError, Place, Writer
from services.storefront.rules.rows import Choices, Filters, GroupRow, Total
from services.storefront.settings import PageSettings
from tests.read_model import model_file, model_of

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
NAMES = ("Green tea", "Black tea", "緑茶", "Teapot", "Lamp")


def group(number: int, **fields: Any) -> GroupPurchase:
    said = {
        "group_id": f"g-{number:03}",
        "request_id": f"r-{number}",
        "version": 1,
        "requested_at": NOW,
        "issued_at": NOW,
        "product": {"name": NAMES[number % 5]},
        "organizer": {"id": f"o-{number % 2}"},
        "number_of_products": 100,
        "opens_at": NOW,
        # Some end at the same moment: the id decides.
        "closes_at": NOW + timedelta(hours=number // 3),
        "visibility": "unlisted" if number % 10 == 9 else "public",
    }
    return GroupPurchase.model_validate(said | fields)


def state(number: int, version: int = 2, **fields: Any) -> PurchaseState:
    said = {
        "group_id": f"g-{number:03}",
        "request_id": f"r-{number}",
        "version": version,
        "status": "complete" if number % 4 == 3 else "open",
        "quantity": number * 37 % 130,
        "value": 0,
        "members": 1,
    }
    return PurchaseState.model_validate(said | fields)


def auction(number: int, **fields: Any) -> Auction:
    said = {
        "auction_id": f"a-{number:03}",
        "version": 1,
        "status": "open",
        "product": {"name": NAMES[number % 5]},
        "opened_by": f"s-{number % 2}",
        "opened_at": NOW,
        "shown": {"offer_id": "o", "seller_id": "t", "unit_price": 9, "minimum_reservations": 50},
        "currency": "EUR",
        "minimum_step": 1,
        "reservations": number * 7 % 60,
        "applicants": 1,
        "invites_at": NOW,
        "closes_at": NOW + timedelta(hours=number // 3),
    }
    return Auction.model_validate(said | fields)


def definition(number: int, **fields: Any) -> Definition:
    said = {
        "definition_id": f"d-{number:03}",
        "shop_id": f"shop-{number % 2}",
        "product": {"name": NAMES[number % 5]},
        "unit_price": 900,
        "currency": "EUR",
        "favor": {},
        "published_at": NOW + timedelta(seconds=number // 2),
        "withdrawn_at": NOW if number % 6 == 5 else None,
    }
    return Definition.model_validate(said | fields)


TOPIC_OF = {
    GroupPurchase: "group-purchases",
    PurchaseState: "purchases",
    PurchaseRow: "purchases",
    OrderRefused: "purchases",
    Auction: "auctions",
    OfferJudged: "auctions",
    ApplicationRefused: "auctions",
    ConditionReplaced: "auctions",
    ContractConcluded: "auctions",
    Definition: "definitions",
    Favor: "favors",
    Payment: "payments",
    FavorDecision: "favors",
    IdIssued: "request-outcomes",
    RequestRefused: "request-outcomes",
    Seller: "sellers",
    ApiKey: "api-keys",
    Delivery: "deliveries",
    Task: "tasks",
    Person: "people",
    Unsubscribed: "mail-preferences",
    Resubscribed: "mail-preferences",
    Image: "images",
    Shop: "shops",
}


class _Projector:
    """Writes to any database of the tests, with statements that are compiled once for all."""

    def __init__(self) -> None:
        self._url = "sqlite:///none"
        self._engine = connect(self._url)
        self._writer = Writer(self._engine)
        event.listen(self._engine.sync_engine, "do_connect", self._to_database)

    def _to_database(self, _: object, __: object, given: list[Any], ___: object) -> None:
        given[:] = [str(model_file(self._url))]

    async def write(self, url: str, batch: Batch) -> None:
        """Write a batch, and leave the database."""
        self._url = url
        place = Place("auctions", 0)
        try:
            at = (await self._writer.positions([place]))[place]
            await self._writer.write(batch, {place: (at, at + 1)})
        finally:
            await self._engine.dispose()


_PROJECTOR = _Projector()


async def write(url: str, *facts: Message, deleted: tuple[tuple[str, str], ...] = ()) -> None:
    """Write facts as a projector does."""
    batch = Batch()
    for key in deleted:
        batch.delete(*key)
    for fact in facts:
        batch.put(TOPIC_OF[type(fact)], fact, fact.model_dump_json(exclude_none=True), 1_000)
    await _PROJECTOR.write(url, batch)


SHOP = (
    *(group(number) for number in range(60)),
    *(state(number) for number in range(60)),
    *(auction(number) for number in range(30)),
    *(definition(number) for number in range(30)),
)


# --- tables --------------------------------------------------------------------------------------


async def test_migrated_tables_are_those_of_the_code(url: str) -> None:
    own = MetaData()
    for table in OWN:
        table.to_metadata(own)

    def difference(connection: Connection) -> list[Any]:
        found: list[Any] = compare_metadata(MigrationContext.configure(connection), own)
        return found

    engine = connect(url)
    async with engine.connect() as connection:
        assert await connection.run_sync(difference) == []
    await engine.dispose()


async def test_who_starts_second_waits_for_the_first_to_migrate(tmp_path: Path) -> None:
    engines = [connect(f"sqlite:///{tmp_path / 'model.db'}") for _ in range(8)]
    await asyncio.gather(*(migrate(engine) for engine in engines))
    for engine in engines:
        await engine.dispose()


@pytest.mark.parametrize("url", ["", "sqlite://", "mysql://x/y", "storefront.db", "sqlite:///"])
def test_an_address_of_no_database_we_know_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"^DATABASE_URL is neither .*NAME$"):
        connect(url)


def test_the_words_of_libpq_are_understood() -> None:
    engine = connect("postgresql://u:p@h:1/n?sslmode=require")
    assert engine.url.query == {"ssl": "require"}
    assert engine.url.drivername == "postgresql+asyncpg"


async def test_a_database_that_is_broken_is_told_without_statement_and_values(
    tmp_path: Path,
) -> None:
    (tmp_path / "model.db").write_bytes(b"no database" * 1_000)
    reader = Reader(f"sqlite:///{tmp_path / 'model.db'}")
    with pytest.raises(DatabaseError) as told:
        await reader.auction("mail@example.org")
    assert "example.org" not in str(told.value)
    assert "SELECT" not in str(told.value)
    await reader.close()


# --- lists ---------------------------------------------------------------------------------------

Ask = Callable[[str | None], Awaitable[Listed[Any]]]


async def walk(ask: Ask) -> list[Any]:
    """All rows of a list, page by page."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = await ask(cursor)
        found += page.rows
        if page.cursor is None:
            return found
        cursor = page.cursor


def in_order(rows: list[GroupRow], sort: str) -> list[GroupRow]:
    if sort == "nearest":
        return sorted(rows, key=lambda each: (each.missing, each.closes_at, each.group_id))
    by_end = sorted(rows, key=lambda each: (each.closes_at, each.group_id))
    return by_end[::-1] if sort == "ended" else by_end


@pytest.mark.parametrize("limit", [1, 7, 20, 100])
@pytest.mark.parametrize("sort", ["ending", "nearest", "ended"])
async def test_pages_make_up_the_list(url: str, reader: Reader, sort: Any, limit: int) -> None:
    """Every public open group once, in order, whatever the pages' length."""
    await write(url, *SHOP)
    found = await walk(lambda cursor: reader.groups(sort=sort, cursor=cursor, limit=limit))
    there = {f"g-{number:03}" for number in range(60) if number % 10 != 9 and number % 4 != 3}
    assert {each.group_id for each in found} == there
    assert found == in_order(found, sort)
    assert len(found) == len(there)
    for each in found:
        assert each.missing == max(each.number - each.quantity, 0)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("tea", {"Green tea", "Black tea", "Teapot"}),
        ("TEA green", {"Green tea"}),
        ("茶", {"緑茶"}),
        ("pot", set()),
        ("lamp tea", set()),
        ("!!", set()),
        ("  ", set(NAMES)),
    ],
)
@pytest.mark.parametrize("many", [pytest.param(1_000, marks=pytest.mark.slow), 5])
async def test_words_narrow_a_list(
    url: str,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    names: set[str],
    many: int,
) -> None:
    """The same whether words are rare, or so common that windows of the list are looked through."""
    monkeypatch.setattr("services.storefront.readmodel.lists.CANDIDATES_MAX", many)
    monkeypatch.setattr("services.storefront.readmodel.reader.CANDIDATES_MAX", many)
    monkeypatch.setattr(lists, "WINDOW", 9)
    await write(url, *SHOP)
    every = await walk(lambda cursor: reader.groups(cursor=cursor, limit=4))
    found = await walk(lambda cursor: reader.groups(words=words, cursor=cursor, limit=4))
    assert found == [each for each in every if each.product_name in names]
    offered = await walk(lambda cursor: reader.definitions(words=words, cursor=cursor, limit=4))
    assert {each.product_name for each in offered} == names
    assert len({each.definition_id for each in offered}) == len(offered)


@pytest.mark.parametrize(
    ("words", "groups", "auctions"),
    [
        ("kitchen", ["g-001"], []),
        ("Organic", ["g-001"], []),
        ("leaf", ["g-001"], []),
        ("leaf pots", ["g-001"], []),
        ("leaf lamp", [], []),
        ("camera", ["g-002"], ["a-001"]),
        ("Cameras", ["g-002"], ["a-001"]),
        ("tools", [], ["a-001"]),
        ("glass", ["g-002"], []),
    ],
)
@pytest.mark.parametrize("many", [1_000, 0])
async def test_words_of_category_tags_and_who_sells_find_too(
    url: str,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    groups: list[str],
    auctions: list[str],
    many: int,
) -> None:
    monkeypatch.setattr("services.storefront.readmodel.reader.CANDIDATES_MAX", many)
    seller = {"seller_id": "t", "name": "Tool Brothers", "email": "t@s.example", "standing": "good"}
    known = {"registered_at": NOW, "standings": ({"standing": "good", "since": NOW},), "version": 1}
    pot = {"name": "Pot", "category": "Kitchen", "tags": ("organic",)}
    camera = {"name": "Camera with a glass case", "category": "Photo"}
    sold: dict[str, Any] = {"offer_id": "o", "seller_id": "t", "unit_price": 9}
    await write(
        url,
        group(1, product=pot, shop_id="leaf-1"),
        group(2, product=camera),
        auction(1, product={"name": "Camera"}, shown=sold | {"minimum_reservations": 50}),
        Shop(shop_id="leaf-1", name="Leaf & Cup", at=NOW, version=1),
        Seller.model_validate(seller | known),
    )
    found = await reader.groups(words=words)
    assert [each.group_id for each in found.rows] == groups
    told = await reader.auctions(words=words)
    assert [each.auction_id for each in told.rows] == auctions


async def test_a_shop_s_new_name_is_found_at_once_and_its_old_one_no_more(
    url: str, reader: Reader
) -> None:
    shop = Shop(shop_id="leaf-1", name="Leaf", at=NOW, version=1)
    await write(url, group(1, shop_id="leaf-1"), definition(1, shop_id="leaf-1"), shop)
    await write(url, shop.model_copy(update={"name": "Blatt", "version": 2}))
    for words, count in (("leaf", 0), ("blatt", 1)):
        assert len((await reader.groups(words=words)).rows) == count
        assert len((await reader.definitions(words=words)).rows) == count


def told(number: int) -> dict[str, Any]:
    """What a product of lists with filters is told to be."""
    tags = (("Organic",), ("organic", "Limited edition"), ())[number % 3]
    return {"name": NAMES[number % 5], "category": ("Tea", "Lamps", None)[number % 3], "tags": tags}


FILTERED = (
    *(
        group(number, product=told(number), shop_id=f"shop-{number % 4}").model_copy(
            update={"unit_price": number * 100, "currency": ("EUR", "JPY")[number % 2]}
        )
        for number in range(60)
    ),
    *(state(number) for number in range(60)),
    *(auction(number, product=told(number)) for number in range(30)),
    *(definition(number, product=told(number)) for number in range(30)),
)


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        (Filters(), lambda n, row: True),
        (Filters(category="Tea"), lambda n, row: n % 3 == 0),
        (Filters(category="tea"), lambda n, row: False),
        (Filters(tag="ORGANIC"), lambda n, row: n % 3 != 2),
        (Filters(tag="limited  Edition"), lambda n, row: n % 3 == 1),
        (Filters(tag="limited"), lambda n, row: False),
        (Filters(shop_id="shop-1"), lambda n, row: n % 4 == 1),
        (Filters(currency="JPY"), lambda n, row: n % 2 == 1),
        (Filters(currency="EUR", price_max=2_000), lambda n, row: n % 2 == 0 and n <= 20),
        (Filters(currency="EUR", price_min=2_000), lambda n, row: n % 2 == 0 and n >= 20),
        (Filters(closes_by=NOW + timedelta(hours=5)), lambda n, row: n // 3 <= 5),
        (Filters(is_nearly_there=True), lambda n, row: 80 <= row.quantity < 100),
        (
            Filters(category="Lamps", tag="organic", currency="JPY", is_nearly_there=True),
            lambda n, row: n % 3 == 1 and n % 2 == 1 and 80 <= row.quantity < 100,
        ),
    ],
    ids=[
        *("nothing", "category", "category in other letters", "tag", "tag of two words"),
        *("half a tag", "shop", "currency", "price at most", "price at least", "ends soon"),
        *("nearly there", "all of them"),
    ],
)
@pytest.mark.parametrize("sort", ["ending", "nearest"])
@pytest.mark.parametrize("many", [1_000, 0])
async def test_filters_narrow_a_list_and_its_total(
    url: str,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    filters: Filters,
    fits: Callable[[int, GroupRow], bool],
    sort: Any,
    many: int,
) -> None:
    """The same whether few or many fit, alone and with words; nothing unlisted is counted."""
    monkeypatch.setattr("services.storefront.readmodel.lists.CANDIDATES_MAX", many or 1)
    monkeypatch.setattr("services.storefront.readmodel.reader.CANDIDATES_MAX", many)
    monkeypatch.setattr(lists, "WINDOW", 9)
    await write(url, *FILTERED)
    every = await walk(lambda cursor: reader.groups(sort=sort, cursor=cursor, limit=4))
    for words, names in (("", set(NAMES)), ("tea", {"Green tea", "Black tea", "Teapot"})):
        wanted = [
            each
            for each in every
            if fits(int(each.group_id[2:]), each)
            and (each.product_name in names or (bool(words) and each.category == "Tea"))
        ]

        async def ask(cursor: str | None, words: str = words) -> Listed[GroupRow]:
            return await reader.groups(
                sort=sort, words=words, filters=filters, cursor=cursor, limit=4, counts=True
            )

        assert await walk(ask) == wanted
        assert (await ask(None)).total == Total(len(wanted))


async def test_auctions_and_definitions_are_narrowed_too(url: str, reader: Reader) -> None:
    await write(url, *FILTERED)
    tea = Filters(category="Tea", tag="organic", currency="EUR", price_max=900)
    auctions = await reader.auctions(filters=tea, limit=100, counts=True)
    assert {int(each.auction_id[2:]) % 3 for each in auctions.rows} == {0}
    assert auctions.total == Total(len(auctions.rows)) == Total(10)
    nearly = (await reader.auctions(filters=Filters(is_nearly_there=True), limit=100)).rows
    assert nearly
    assert all(40 <= each.reservations < 50 for each in nearly)
    offered = await reader.definitions(filters=replace(tea, shop_id="shop-0"), counts=True)
    ids = [each.definition_id for each in offered.rows]
    assert ids == ["d-024", "d-018", "d-012", "d-006", "d-000"]
    assert offered.total == Total(5)


async def test_a_total_is_counted_up_to_a_limit(
    url: str, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond it, it says that there are at least so many."""
    await write(url, *FILTERED)
    monkeypatch.setattr("services.storefront.readmodel.lists.TOTAL_MAX", 10)
    monkeypatch.setattr("services.storefront.readmodel.reader.TOTAL_MAX", 10)
    assert (await reader.groups(counts=True)).total == Total(10, is_exact=False)
    monkeypatch.setattr("services.storefront.readmodel.reader.CANDIDATES_MAX", 3)
    monkeypatch.setattr(lists, "LOOKED_AT_MAX", 20)
    found = (await reader.groups(filters=Filters(category="Tea"), counts=True, limit=5)).total
    assert found is not None
    assert not found.is_exact
    assert found.count <= 10
    assert (await reader.groups(words="nothing-such", counts=True)).total == Total(0)
    totals = await reader.totals()
    assert totals["groups"] == totals["definitions"] == Total(10, is_exact=False)


async def test_the_choices_are_those_of_what_is_open_and_public(url: str, reader: Reader) -> None:
    product = {"name": "Tea", "category": "Secret"}
    await write(
        url,
        *FILTERED,
        group(9, product=product, shop_id="hidden", version=2),
        group(3, product=product, shop_id="hidden", version=2),
        auction(1, product={"name": "Tea", "category": "Over"}, status="failed", version=2),
        definition(5, product={"name": "Tea", "category": "Gone"}, version=2),
    )
    shops = ("shop-0", "shop-1", "shop-2")
    assert await reader.choices() == Choices(("Lamps", "Tea"), shops, ("EUR", "JPY"))


async def test_a_list_follows_what_a_product_is_told_to_be(url: str, reader: Reader) -> None:
    async def found(**filters: Any) -> list[str]:
        page = await reader.groups(filters=Filters(**filters), counts=True)
        assert page.total == Total(len(page.rows))
        return [each.group_id for each in page.rows]

    await write(url, group(1, product={"name": "Tea", "category": "A", "tags": ("x", "y")}))
    assert await found(tag="x", category="A") == ["g-001"]
    await write(url, group(1, product={"name": "Tea", "category": "B", "tags": ("y",)}, version=2))
    assert await found(tag="x") == await found(category="A") == []
    assert await found(tag="y", category="B") == ["g-001"]
    await write(url, deleted=(("group-purchases", "g-001"),))
    assert await found(tag="y") == []


async def test_lists_of_one_seller_one_shop_one_organizer(url: str, reader: Reader) -> None:
    await write(url, *SHOP, auction(1, status="failed", version=2))
    mine = (await reader.auctions(seller_id="s-1", status=None, limit=100)).rows
    assert [each.auction_id for each in mine] == [f"a-{number:03}" for number in range(1, 30, 2)]
    assert mine[0].status == "failed"
    shop = (await reader.definitions(filters=Filters(shop_id="shop-1"), limit=100)).rows
    assert [each.definition_id for each in shop][:2] == ["d-027", "d-025"]
    organized = (await reader.groups(organizer_id="o-1", status=None, limit=100)).rows
    assert {int(each.group_id[2:]) % 10 for each in organized} == {1, 3, 5, 7}


async def test_a_group_is_listed_once_its_terms_are_known_and_before_its_state(
    url: str, reader: Reader
) -> None:
    await write(url, state(1, quantity=20))
    assert await reader.group("g-001") is None
    assert (await reader.groups()).rows == []
    await write(url, group(1), group(2), group(9))
    first, second = (await reader.groups()).rows
    assert (first.group_id, first.quantity, first.missing, first.state_version) == (
        "g-001",
        20,
        80,
        2,
    )
    assert (second.quantity, second.missing, second.status, second.state_version) == (
        0,
        100,
        "open",
        0,
    )
    unlisted = await reader.group("g-009")
    assert unlisted is not None
    assert unlisted.visibility == "unlisted"


async def test_a_request_is_issued_once_its_group_can_be_read(url: str, reader: Reader) -> None:
    """The outcome and the terms come by topics of their own, so either may be first."""
    parts: Any = [PageSettings(), None, None, reader, None, None, Settings()]
    commands, asker = commands_of(*parts), Actor("requester", about="r-1", client="192.0.2.1")
    await write(url, IdIssued(request_id="r-1", group_id="g-001", issued_at=NOW))
    assert (await commands.groups.outcome(asker, "r-1")).group_id is None
    await write(url, group(1))
    asked = await commands.groups.outcome(asker, "r-1")
    assert (asked.group_id, asked.organizer_id) == ("g-001", "o-1")


async def test_what_is_deleted_leaves_no_trace(url: str, reader: Reader) -> None:
    """Terms and state go one by one; a name that changes is found by its new words only."""
    await write(url, group(1), state(1), auction(1), definition(1))
    await write(url, deleted=(("group-purchases", "g-001"), ("auctions", "a-001")))
    assert (await reader.groups(words="tea")).rows == []
    assert (await reader.auctions()).rows == []
    await write(url, deleted=(("purchases", "g-001"),))
    await write(url, group(1))
    (again,) = (await reader.groups(words="tea")).rows
    assert (again.quantity, again.state_version) == (0, 0)
    await write(url, definition(1, product={"name": "Chair"}, version=2))
    assert (await reader.definitions(words="tea")).rows == []
    assert len((await reader.definitions(words="chair")).rows) == 1


async def test_an_older_fact_never_replaces_a_newer_one(url: str, reader: Reader) -> None:
    await write(url, auction(1, version=5, reservations=50))
    await write(url, auction(1, version=4, reservations=40))
    row = await reader.auction("a-001")
    assert row is not None
    assert (row.version, row.reservations) == (5, 50)
    fact = await reader.fact("auctions", "a-001")
    assert isinstance(fact, Auction)
    assert fact.reservations == 50


async def test_who_has_been_overtaken_writes_nothing(url: str, reader: Reader) -> None:
    engine = model_of(url)
    writer, place, batch = Writer(engine), Place("auctions", 0), Batch()
    await writer.positions([place])
    await write(url, auction(1))
    batch.put("auctions", auction(2), "{}", 0)
    with pytest.raises(FencedError):
        await writer.write(batch, {place: (0, 1)})
    await engine.dispose()
    assert await reader.auction("a-002") is None


# --- sessions that ended -------------------------------------------------------------------------


async def test_a_session_that_ended_is_known_to_every_process_until_its_time_is_over(
    url: str,
) -> None:
    engines = [connect(url) for _ in range(2)]
    here, there = (EndedSessions(engine) for engine in engines)
    await here.end("one", 60)
    await here.end("one", 60)
    assert await there.has("one")
    assert not await there.has("two")
    with patch("services.storefront.access.sessions.time", lambda: time() + 61):
        await there.end("two", 60)
    assert not await here.has("one"), "it is swept out once the cookie itself is over"
    assert await here.has("two")
    for engine in engines:
        await engine.dispose()


# --- cursors and questions of strangers ----------------------------------------------------------


@pytest.mark.parametrize(
    "cursor",
    ["", "?", "x" * 5_000, "bnVsbA", "W10", "WyJlbmRpbmciLCJhIiwiYiJd", "é", "\x00", "=" * 9],
)
async def test_a_cursor_of_nobody_is_refused(reader: Reader, cursor: str) -> None:
    with pytest.raises(BadCursor):
        await reader.groups(cursor=cursor)


async def test_a_cursor_belongs_to_its_list_and_order(url: str, reader: Reader) -> None:
    await write(url, *SHOP, *(member(number) for number in range(3)))
    of_groups = (await reader.groups(limit=1)).cursor
    of_members = (await reader.members("g-001", limit=1)).cursor
    for ask in (
        lambda: reader.groups(sort="nearest", cursor=of_groups),
        lambda: reader.definitions(cursor=of_groups),
        lambda: reader.groups(cursor=of_members),
        lambda: reader.members("g-002", cursor=of_members),
    ):
        with pytest.raises(BadCursor):
            await ask()


@pytest.mark.parametrize("text", ["' OR 1=1 --", "%", "x" * 9_999, "g-001\x80", "\u202e"])
async def test_a_question_that_nothing_answers_is_no_trouble(
    url: str, reader: Reader, text: str
) -> None:
    await write(url, *SHOP)
    assert await reader.fact("auctions", text) is None
    assert await reader.facts(text, Auction) == []
    assert await reader.group(text) is None
    assert await reader.group_of(text) is None
    assert await reader.api_key(text) is None
    assert await reader.offers_of(text) == []
    assert (await reader.members(text)).rows == []
    assert (await reader.auctions(words=text, seller_id=text)).rows == []


@pytest.mark.parametrize(
    "odd", ["\x00", "g-001\x00", "g-001\n", "\x1b", "\x7f", "\ud800", "a\udfff"]
)
async def test_no_database_is_asked_for_what_none_can_hold(
    url: str, reader: Reader, odd: str
) -> None:
    await write(url, *SHOP)
    asked: list[Callable[[], Awaitable[Any]]] = [
        lambda: reader.fact("auctions", odd),
        lambda: reader.facts(odd, Auction),
        lambda: reader.facts("a-001", Auction, after=odd),
        lambda: reader.group(odd),
        lambda: reader.group_of(odd),
        lambda: reader.api_key(odd),
        lambda: reader.payment(odd),
        lambda: reader.payments_of("g-001", odd),
        lambda: reader.offers_of(odd),
        lambda: reader.members(odd),
        lambda: reader.auctions(seller_id=odd),
        lambda: reader.groups(organizer_id=odd),
        lambda: reader.definitions(filters=Filters(shop_id=odd)),
        lambda: reader.people(["ann", odd]),
    ]
    for ask in asked:
        with pytest.raises(NothingSuch):
            await ask()


@pytest.mark.parametrize("odd", ["\x00", "g-001\x00", "\x1f", "g\x7f"])
async def test_a_cursor_with_a_control_character_is_refused(reader: Reader, odd: str) -> None:
    with pytest.raises(BadCursor):
        await reader.groups(cursor=cursor_of("ending", [1, odd]))
    with pytest.raises(BadCursor):
        await reader.members("g-001", cursor=cursor_of("members", [f"g-001/member/{odd}"]))
    with pytest.raises(BadCursor):
        await reader.sellers(cursor=cursor_of("sellers", [odd]))


# --- facts ---------------------------------------------------------------------------------------


def member(number: int, version: int = 1) -> PurchaseRow:
    said = {"group_id": "g-001", "request_id": "r-1", "member_id": f"m-{number:02}"}
    said |= {"version": version, "quantity": number, "value": 0, "orders": 1}
    said |= {"period": {"opens_at": NOW, "closes_at": NOW}}
    return PurchaseRow.model_validate(said)


async def test_members_come_with_their_favors(url: str, reader: Reader) -> None:
    said = {"group_id": "g-001", "request_id": "r-1", "version": 1, "basis": "complete"}
    favor = Favor.model_validate({**said, "member_id": "m-03", "amount": 5})
    await write(url, *(member(number) for number in range(11)), favor, state(1), group(1))
    found = await walk(lambda cursor: reader.members("g-001", cursor=cursor, limit=4))
    assert [row.member_id for row, _ in found] == [f"m-{number:02}" for number in range(11)]
    assert {row.member_id: gets for row, gets in found if gets} == {"m-03": favor}


async def test_facts_of_a_subject_by_kind_in_key_order(url: str, reader: Reader) -> None:
    await write(url, *(member(number) for number in range(9)), state(1), group(1))
    rows = await reader.facts("g-001", PurchaseRow, limit=4)
    assert rows == [member(number) for number in range(4)]
    assert await reader.facts("g-001", PurchaseRow, after=rows[-1].key) == [
        member(number) for number in range(4, 9)
    ]
    several = await reader.facts("g-001", PurchaseState, GroupPurchase)
    assert {type(each) for each in several} == {PurchaseState, GroupPurchase}
    issued = IdIssued(request_id="r-1", group_id="g-001", issued_at=NOW)
    await write(url, issued)
    assert await reader.group_of("r-1") == "g-001"


def payment(number: int, payer: str | None, **fields: Any) -> Payment:
    said = {"payment_id": f"p-{number:02}", "group_id": "g-001", "member_id": payer}
    said |= {"kind": "charge", "method": "card", "amount": 5, "currency": "EUR"}
    said |= {"status": "pending", "cause": {"kind": "order"}, "version": 1}
    return Payment.model_validate(said | {"begun_at": NOW - timedelta(hours=number)} | fields)


async def test_payments_of_a_payer_and_by_their_numbers(url: str, reader: Reader) -> None:
    """The oldest first; of the organizer, of a member, of nobody; one that is gone leaves none."""
    billed = {"kind": "invoice", "method": "invoice", "provider_reference": "g-001-I1"}
    facts = [payment(number, "m-1") for number in range(5)]
    facts += [payment(5, "m-2", **billed), payment(6, None)]
    # A card's reference is not a number.
    facts.append(payment(7, "m-3", provider_reference="g-001-I2"))
    await write(url, *facts)
    found = await reader.payments_of("g-001", "m-1")
    assert [each.payment_id for each in found] == [f"p-{number:02}" for number in range(4, -1, -1)]
    assert await reader.payments_of("g-001", "") == [facts[6]]
    assert await reader.payments_of("g-002", "m-1") == []
    assert await reader.payment("g-001-I1") == await reader.payment("p-05") == facts[5]
    assert await reader.payment("g-001-I2") is None
    listed = await walk(lambda cursor: reader.payments("g-001", cursor=cursor, limit=3))
    assert listed == facts
    await write(url, payment(0, "m-1", version=2, status="succeeded"))
    changed = await reader.payment("p-00")
    assert changed is not None
    assert changed.status == "succeeded"
    await write(url, deleted=(("payments", "g-001/payment/p-05"),))
    assert await reader.payment("g-001-I1") is None


# --- costs ---------------------------------------------------------------------------------------

ALL = Search()


def common(of: Any, where: dict[str, str | None], filters: Filters | None = None) -> Search:
    """A search for two words, and filters, all of which hold for many."""
    return Search(narrows_of(of, where, "tea green", filters))


PUBLIC = {"visibility": "public", "status": "open"}
PAGES = [
    *((GROUP_LIST, sort, PUBLIC) for sort in ("ending", "ended", "nearest")),
    *((AUCTION_LIST, sort, {"status": "open"}) for sort in ("ending", "ended", "nearest")),
    (GROUP_LIST, "ending", {"organizer_id": "o", "visibility": "public"}),
    (AUCTION_LIST, "ending", {"opened_by": "s"}),
    (DEFINITION_LIST, "newest", {"withdrawn_at": None}),
    (DEFINITION_LIST, "newest", {"shop_id": "s", "withdrawn_at": None}),
    (lists.OFFER_LIST, "newest", {"seller_id": "s"}),
]


NAMED = [page for page in PAGES if page[0] is not lists.OFFER_LIST]


async def plan_of(engine: AsyncEngine, query: Select[Any]) -> list[str]:
    """How SQLite would answer it."""
    told = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    async with engine.connect() as connection:
        plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {told}")
        return [step for *_, step in plan.all()]


@pytest.mark.parametrize(
    ("of", "sort", "where", "is_searched"),
    [*((*page, False) for page in PAGES), *((*page, True) for page in NAMED)],
)
async def test_a_page_is_a_range_of_an_index(
    url: str, of: Any, sort: str, where: dict[str, str | None], is_searched: bool
) -> None:
    """No table is walked through but in an index's order, and nothing is sorted."""
    order = of.orders[sort]
    place = tuple(1 if each.type.python_type is int else "x" for each in order.columns)
    search = common(of, where) if is_searched else ALL
    engine = model_of(url)
    for after in (None, place):
        page = Page(of, order, where, after, search)
        for query in (page.query(place).limit(21), page.query().limit(21), page.end_of_window()):
            steps = await plan_of(engine, query)
            assert not [step for step in steps if step.startswith("USE TEMP")], steps
            assert all(" INDEX " in step for step in steps if step.startswith("SCAN")), steps
    await engine.dispose()


EVERY_FILTER = Filters(
    category="Tea",
    tag="organic",
    shop_id="shop-1",
    currency="EUR",
    price_min=1,
    price_max=9,
    closes_by=NOW,
    is_nearly_there=True,
)
OPEN = [
    (GROUP_LIST, "ending", PUBLIC, 8),
    (AUCTION_LIST, "nearest", {"status": "open"}, 7),
    (DEFINITION_LIST, "newest", {"withdrawn_at": None}, 6),
]


@pytest.mark.parametrize(("of", "sort", "where", "count"), OPEN)
async def test_a_window_of_a_list_with_filters_is_a_range_of_the_same_index(
    url: str, of: Any, sort: str, where: dict[str, str | None], count: int
) -> None:
    """What is looked through is the window, not all rows of a category or a price."""
    order = of.orders[sort]
    place = tuple(1 if each.type.python_type is int else "x" for each in order.columns)
    page = Page(of, order, where, place, common(of, where, EVERY_FILTER))
    engine = model_of(url)
    steps = await plan_of(engine, page.query(place).limit(21))
    columns = ",".join(each.name for each in order.columns)
    assert f"({columns})>(" in steps[0] or f"({columns})<(" in steps[0], steps
    await engine.dispose()


@pytest.mark.parametrize(("of", "sort", "where", "count"), OPEN)
async def test_whatever_narrows_a_list_has_an_index(
    url: str, of: Any, sort: str, where: dict[str, str | None], count: int
) -> None:
    """So its few subjects are fetched by their ids, whichever of all is the rare one."""
    engine = model_of(url)
    narrows = narrows_of(of, where, "tea green", EVERY_FILTER)
    assert len(narrows) == count
    for rare in narrows:
        (step,) = await plan_of(engine, rare.candidates.limit(1_001))
        assert step.startswith("SEARCH"), step
        assert "INDEX" in step or "PRIMARY KEY" in step, step
        page = Page(of, of.orders[sort], where, None, Search(narrows, rare))
        for query in (page.query().limit(21), page.total()):
            steps = await plan_of(engine, query)
            looks = [each for each in steps if f" {of.table.name} " in each or " search " in each]
            assert all(each.startswith("SEARCH") for each in looks), steps
            assert any(f"({of.id.name}=?)" in each for each in looks), steps
    await engine.dispose()


@pytest.mark.parametrize(("of", "sort", "where", "count"), OPEN)
async def test_a_list_s_choices_and_total_are_read_from_an_index(
    url: str, of: Any, sort: str, where: dict[str, str | None], count: int
) -> None:
    engine = model_of(url)
    names = [name for name in ("category", "shop_id", "currency") if name in of.table.c]
    queries = [values_of(of.table.c[name], where) for name in names]
    for query in (*queries, Page(of, of.orders[sort], where, None).total()):
        steps = await plan_of(engine, query)
        looks = [step for step in steps if f" {of.table.name}" in step]
        assert looks
        assert all("INDEX" in step for step in looks), steps
    await engine.dispose()


async def test_what_is_nearly_there_is_found_in_the_index_of_these_alone(url: str) -> None:
    engine = model_of(url)
    for of, where in ((GROUP_LIST, PUBLIC), (AUCTION_LIST, {"status": "open"})):
        (nearly,) = narrows_of(of, where, filters=Filters(is_nearly_there=True))
        (step,) = await plan_of(engine, nearly.candidates)
        assert f"{of.table.name}_nearly_there" in step
    await engine.dispose()


# --- what the admin asks for ---------------------------------------------------------------------


async def test_a_fact_is_told_with_what_decided_it(url: str, reader: Reader) -> None:
    engine = model_of(url)
    writer, place, batch = Writer(engine), Place("auctions", 0), Batch()
    for at, fact in ((2_000, state(0)), (1_000, group(0))):
        rule, cause = f"service/rule-{at}", f"orders/3/{at}"
        batch.put(
            TOPIC_OF[type(fact)], fact, fact.model_dump_json(exclude_none=True), at, rule, cause
        )
    start = (await writer.positions([place]))[place]
    await writer.write(batch, {place: (start, start + 1)})
    await engine.dispose()
    told, has_more = await reader.told("g-000", GroupPurchase, PurchaseState)
    assert [(type(each.message), each.rule, each.cause) for each in told] == [
        (GroupPurchase, "service/rule-1000", "orders/3/1000"),
        (PurchaseState, "service/rule-2000", "orders/3/2000"),
    ]
    assert not has_more
    newest, has_more = await reader.told("g-000", GroupPurchase, PurchaseState, newest=1)
    assert [type(each.message) for each in newest] == [PurchaseState]
    assert has_more


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ((), ""),
        ((("ce_rule", b"order_service/close"),), "order_service/close"),
        ((("ce_rule", None),), ""),
        ((("ce_rule", b"a\x00\xff"),), "a\ufffd\ufffd"),
        ((("ce_rule", b"x" * 2_000),), "x" * 1_000),
    ],
)
def test_what_decided_a_fact_is_read_from_its_headers(headers: Any, rule: str) -> None:
    """Whoever wrote the record wrote them, so they may hold anything."""
    record: Any = SimpleNamespace(headers=headers)
    assert _header(record, "ce_rule") == rule


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_pages_make_up_the_list_of_shops(url: str, reader: Reader, limit: int) -> None:
    keys = [
        ApiKey(
            key_id=f"{number:016}",
            role="seller" if number == 9 else "shop",
            holder_id=f"shop-{number % 4}" if number != 9 else "s-9",
            digest="0" * 64,
            issued_at=NOW + timedelta(minutes=number),
            version=1,
        )
        for number in range(10)
    ]
    described = Shop(shop_id="shop-7", name="Tea House", at=NOW, version=1)
    await write(url, *keys, definition(0), definition(1, shop_id="book-shop"), described)
    found: list[tuple[str, str | None, object]] = []
    cursor = None
    while True:
        page = await reader.shops(cursor, limit)
        found += [(each.shop_id, each.name, each.issued_at) for each in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [
        ("book-shop", None, None),
        ("shop-0", None, NOW + timedelta(minutes=8)),
        ("shop-1", None, NOW + timedelta(minutes=5)),
        ("shop-2", None, NOW + timedelta(minutes=6)),
        ("shop-3", None, NOW + timedelta(minutes=7)),
        ("shop-7", "Tea House", None),
    ]


async def test_an_erased_person_is_not_found_by_the_address_any_more(
    url: str, reader: Reader
) -> None:
    def seen(person_id: str, email: str, minute: int) -> Person:
        return Person(person_id=person_id, email=email, seen_at=NOW + timedelta(minutes=minute))

    await write(url, seen("ann", "a.nn@gmail.com", 0), seen("acme:ann", "Ann@googlemail.com", 1))

    async def found() -> list[str]:
        return [each.person_id for each in await reader.people_at("ann@gmail.com", 10)]

    assert await found() == ["acme:ann", "ann"]
    await write(url, seen("ann", "new@people.example", 2))
    assert await found() == ["acme:ann"]
    await write(url, seen("ann", "ann@gmail.com", 1))
    assert await found() == ["acme:ann"], "the newest address stands"
    await write(url, deleted=(("people", "acme:ann"),))
    assert await found() == []


@pytest.mark.slow
async def test_the_admin_s_lists_are_ranges_of_an_index(url: str, reader: Reader) -> None:
    asked: list[Any] = []
    ask = reader._questions.all

    async def explained(statement: Any) -> Any:
        asked.append(statement)
        return await ask(statement)

    with patch.object(reader._questions, "all", explained):
        for status in (None, "open"):
            await reader.auctions(sort="ended", status=status)
            for unlisted in (False, True):
                await reader.groups(sort="ended", status=status, unlisted=unlisted)
        await reader.sellers_of("pending")
        await reader.letters(state="undelivered")
        await reader.letters(about="g-001")
        await reader.keys_of("shop", "shop-1")
        await reader.letter("n-1")
    engine = model_of(url)
    async with engine.connect() as connection:
        for statement in asked:
            sql = statement.compile(
                dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
            )
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")
            steps = [row[3] for row in plan]
            odd = [
                each for each in steps if "TEMP" in each or ("SCAN" in each and "INDEX" not in each)
            ]
            assert not odd, sql
    await engine.dispose()
