"""Generations of the read model without a broker: which is shown, continued, kept and dropped."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiokafka import TopicPartition
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select, update

from runtime.settings import Settings
from schemas.people import PersonErased
from services.storefront.readmodel import database, shown
from services.storefront.readmodel import generations as module
from services.storefront.readmodel.copying import Copier
from services.storefront.readmodel.database import connect, file_of, migrate
from services.storefront.readmodel.generations import Generations
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.shown import NotBuiltError
from services.storefront.readmodel.tables import FACTS, OWN, READ_MODEL, READ_MODELS
from services.storefront.readmodel.writer import Batch, FencedError, Place, Writer
from tests.storefront.pages_app import storefront_on
from tests.storefront.test_people import person, recorded
from tests.storefront.test_read_model import TOPIC_OF, auction, write
from tests.storefront.test_two_visitors import A

PEOPLE = Place("people", 0)
AUCTIONS = Place("auctions", 0)
LONG_AGO = timedelta(days=2)


@pytest.fixture
async def many(url: str) -> AsyncIterator[Generations]:
    """The generations of this test's database; the first is ready."""
    engine = connect(url)
    yield Generations(url, engine)
    await engine.dispose()


async def put(url: str, generation: int, at: int = 0, *facts: Any) -> None:
    """Write facts to a generation, and that its partition of people is read so far."""
    engine, batch = connect(url, generation), Batch()
    for fact in facts:
        batch.put(TOPIC_OF[type(fact)], fact, fact.model_dump_json(exclude_none=True), 1_000)
    writer = Writer(engine)
    start = (await writer.positions([PEOPLE]))[PEOPLE]
    await writer.write(batch, {PEOPLE: (start, at)})
    await engine.dispose()


async def is_known(url: str, generation: int) -> bool:
    engine = connect(url, generation)
    async with engine.connect() as connection:
        found = (await connection.execute(select(FACTS.c.key))).scalars().all()
    await engine.dispose()
    return "leaf:ann" in found


async def age(many: Generations, generation: int, by: timedelta = LONG_AGO) -> None:
    """Let a generation be of an earlier time."""
    c = READ_MODELS.c
    earlier = c.since - by // timedelta(milliseconds=1)
    async with many._engine.begin() as connection:
        its = update(READ_MODELS).where(c.generation == generation)
        await connection.execute(its.values(since=earlier))


async def numbers(many: Generations) -> list[int]:
    return [each.generation for each in await many._rows()]


# --- what is shown -------------------------------------------------------------------------------


async def test_before_the_first_one_is_ready_pages_and_api_say_that_it_is_being_built(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'model.db'}"
    engine = connect(url)
    await migrate(engine)
    many = Generations(url, engine)
    with storefront_on(url) as page:
        for begun in (False, True):
            if begun:
                await many.begin(0)
            answer = await page.ask("GET", "/", A.client)
            assert (answer.status, answer.headers["retry-after"]) == (503, "10")
            assert "The pages are being prepared" in answer.text
            answer = await page.ask("GET", "/api/v1/group-purchases", A.client)
            assert answer.status == 503
            assert "being prepared" in answer.json["detail"]
        await many.make_ready(1)
        assert (await page.ask("GET", "/", A.client)).status == 200
        await page.close()
    await engine.dispose()


async def test_a_ready_one_is_shown_and_what_is_asked_just_then_is_answered(
    url: str, many: Generations, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "LOOK_SECONDS", 0.0)
    await write(url, auction(1))
    assert await reader.auction("a-001") is not None
    await many.begin(1)
    assert await reader.auction("a-001") is not None, "it is not ready yet"
    await put(url, 2, 1, auction(1), auction(2))
    await many.make_ready(2)
    async with asyncio.timeout(10):
        while await reader.auction("a-002") is None:
            asked = [reader.auction("a-001") for _ in range(50)]
            assert None not in await asyncio.gather(*asked)
    await many.drop(1)
    assert await reader.auction("a-002") is not None


async def test_who_did_not_look_for_long_finds_the_newest_when_a_table_is_missing(
    url: str, many: Generations, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "LOOK_SECONDS", 1_000.0)
    await write(url, auction(1))
    assert await reader.auction("a-001") is not None
    await many.begin(1)
    await put(url, 2, 1, auction(1), auction(2))
    await many.make_ready(2)
    await many.drop(1)
    # As if all its connections had ended.
    reader._questions._shown.questions._in_threads.dispose()  # type: ignore[union-attr]
    assert await reader.auction("a-002") is not None


async def test_another_model_s_is_not_shown(
    url: str, many: Generations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MODEL", 2)
    reader = Reader(url)
    with pytest.raises(NotBuiltError):
        await reader.auction("a-001")
    await many.begin(0)
    await many.make_ready(2)
    assert await reader.auction("a-001") is None
    await reader.close()


# --- who builds ----------------------------------------------------------------------------------


async def test_one_builds_at_a_time(url: str, many: Generations) -> None:
    other = Generations(url, many._engine)
    async with many.building() as is_ours, other.building() as is_others:
        assert (is_ours, is_others) == (True, False)
    async with other.building() as is_others:
        assert is_others


async def test_a_build_that_was_broken_off_is_continued_within_a_day(
    url: str, many: Generations
) -> None:
    assert await many.begin(1) == 2
    await put(url, 2, 1, auction(2))
    assert await many.begin(1) == 2
    engine = connect(url, 2)
    assert (await Writer(engine).positions([PEOPLE]))[PEOPLE] == 1
    await engine.dispose()
    await age(many, 2)
    assert await many.begin(1) == 3


async def test_one_that_was_dropped_is_not_made_ready(many: Generations) -> None:
    await many.begin(1)
    await many.drop(2)
    with pytest.raises(FencedError):
        await many.make_ready(2)


async def test_to_a_closed_one_nobody_writes_any_more(url: str) -> None:
    engine = connect(url, 1)
    writer = Writer(engine)
    await writer.positions([AUCTIONS])
    assert not await writer.is_closed()
    # A partition that nobody has read yet is closed, too.
    assert await writer.close([AUCTIONS, PEOPLE]) == {AUCTIONS: 0, PEOPLE: 0}
    assert await writer.is_closed()
    for place in (AUCTIONS, PEOPLE):
        with pytest.raises(FencedError):
            await writer.write(Batch(), {place: (0, 1)})
    await engine.dispose()


# --- what is dropped -----------------------------------------------------------------------------


async def test_those_before_the_ready_one_are_dropped_after_an_hour(
    url: str, many: Generations
) -> None:
    await many.begin(1)
    await many.make_ready(2)
    await many.begin(2)
    await many.sweep(2)
    assert await numbers(many) == [1, 2, 3]
    await age(many, 2, module.KEPT)
    async with many.building():
        await many.sweep(2)
        assert await numbers(many) == [1, 2, 3], "a builder is at work"
    await many.sweep(2)
    assert await numbers(many) == [2, 3], "the third is being built"
    file = file_of(url, 1)
    assert file is not None
    assert not list(file.parent.glob(f"{file.name}*"))
    await age(many, 3)
    await many.sweep(2)
    assert await numbers(many) == [2], "nobody has finished it"


@pytest.mark.parametrize("is_filled", [False, True])
async def test_tables_of_earlier_releases_stay_for_an_hour_if_anything_is_in_them(
    tmp_path: Path, *, is_filled: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'model.db'}"
    engine = connect(url)
    many = Generations(url, engine)
    await at_release_before(url, is_filled=is_filled)
    await migrate(engine)
    await many.begin(0)
    await many.make_ready(1)
    await many.sweep(1)
    own = {table.name for table in OWN} | {"alembic_version"}
    earlier = {table.name for table in READ_MODEL}
    assert await tables(url) == (own | earlier if is_filled else own)
    await age(many, 1, module.KEPT)
    await many.sweep(1)
    assert await tables(url) == own
    await engine.dispose()


async def at_release_before(url: str, *, is_filled: bool) -> None:
    """The database as the release before the first generation left it."""
    engine = connect(url)

    def upgrade(connection: Connection) -> None:
        config = Config()
        folder = Path(database.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    if is_filled:
        fact = ("people", "leaf:ann", "leaf:ann", "Person", 1, 1_000, "{}", None, None, None)
        holes = ", ".join("?" * len(fact))
        async with engine.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO origin VALUES ('c/')")
            await connection.exec_driver_sql("INSERT INTO positions VALUES ('people', 0, 3)")
            await connection.exec_driver_sql(f"INSERT INTO facts VALUES ({holes})", fact)
    await engine.dispose()


async def tables(url: str) -> set[str]:
    engine = connect(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda it: inspect(it).get_table_names())
    await engine.dispose()
    return set(found)


# --- people --------------------------------------------------------------------------------------

#: How far another generation has read the partition of a tombstone that ends at 5, and whether it
#: still has the person then: if it has read on, it has read what came after the tombstone.
READ = [(3, False), (4, False), (5, True), (6, True)]


@pytest.mark.parametrize(("read", "is_left"), READ)
async def test_an_erased_person_goes_from_all_that_have_not_read_the_tombstone(
    url: str, many: Generations, read: int, *, is_left: bool
) -> None:
    await many.begin(1)
    await put(url, 1, read, person())
    await put(url, 2, 4, person())
    # One that is just being made has no tables yet.
    await many.begin(2)
    gone = file_of(url, 3)
    assert gone is not None
    gone.unlink()
    await many.forget(2, {"leaf:ann": (0, 5), "leaf:bob": (0, 5)})
    assert await is_known(url, 1) == is_left
    assert await is_known(url, 2), "its own writer deletes it with its position"


async def test_an_erased_person_goes_from_the_tables_of_earlier_releases(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'model.db'}"
    engine = connect(url)
    await at_release_before(url, is_filled=True)
    await migrate(engine)
    many = Generations(url, engine)
    await many.forget(1, {"leaf:ann": (0, 3)})
    async with engine.connect() as connection:
        left = "SELECT count(*) FROM facts"
        assert (await connection.exec_driver_sql(left)).scalar() == 1
    await many.forget(1, {"leaf:ann": (0, 4)})
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql(left)).scalar() == 0
    await engine.dispose()


async def test_a_tombstone_reaches_the_others_before_the_position_moves_on(
    url: str, many: Generations
) -> None:
    """A copier that dies in between reads it again."""
    (tombstone,) = await recorded(PersonErased(person_id="leaf:ann"))
    at = TopicPartition(tombstone.topic, tombstone.partition)
    await many.begin(1)
    await put(url, 1, 0, person())
    copier = Copier(Settings(), many, 2)
    copier.at = {at: 0}
    with patch.object(Writer, "write", side_effect=FencedError), pytest.raises(FencedError):
        await copier.take(None, {at: [tombstone]})
    assert not await is_known(url, 1)
    assert copier.at == {at: 0}
    await copier.close()


async def test_tables_that_somebody_took_away_are_of_no_log(url: str) -> None:
    engine = connect(url, 1)
    assert await Writer(engine).open("cluster/")
    assert not await Writer(engine).open("other/")
    await engine.dispose()
    file = file_of(url, 1)
    assert file is not None
    file.unlink()
    assert not await Writer(engine).open("cluster/")
