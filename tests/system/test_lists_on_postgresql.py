"""Lists with filters in PostgreSQL: the same rows, totals and choices as in SQLite."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from services.storefront.readmodel import lists
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.writer import Batch, Place, Writer
from services.storefront.rules.rows import Filters
from tests.read_model import copy_model, make_model_now, model_of
from tests.storefront.conftest import migrated
from tests.storefront.test_read_model import FILTERED, NOW, TOPIC_OF, walk
from tests.system.postgres import postgres_server

__all__ = ["migrated"]

pytestmark = pytest.mark.system
FILTERS = (
    Filters(),
    Filters(category="Tea"),
    Filters(tag="ORGANIC"),
    Filters(tag="limited edition", shop_id="shop-1"),
    Filters(currency="EUR", price_min=500, price_max=2_000),
    Filters(closes_by=NOW + timedelta(hours=9), is_nearly_there=True),
    Filters(category="Lamps", tag="organic", currency="JPY", is_nearly_there=True),
)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgres_server() as server:
        url = server.fresh("lists")
        make_model_now(url)
        yield url


async def told_by(reader: Reader) -> list[object]:
    """The choices, and by each filter, with and without a word, all rows, pages and totals."""
    told: list[object] = [await reader.choices()]
    for filters in FILTERS:
        for words in ("", "tea"):
            some = partial(reader.groups, words=words, filters=filters)
            told.append(await walk(lambda at, some=some: some(cursor=at, limit=4)))
            for ask in (reader.groups, reader.auctions, reader.definitions):
                page = await ask(counts=True, limit=100, words=words, filters=filters)
                told += [page.total, page.rows]
    await reader.close()
    return told


@pytest.mark.parametrize("many", [1_000, 0])
async def test_lists_are_narrowed_and_counted_as_in_sqlite(
    postgresql: str, migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    """Whether few or many rows fit each filter."""
    monkeypatch.setattr("services.storefront.readmodel.lists.CANDIDATES_MAX", many or 1)
    monkeypatch.setattr("services.storefront.readmodel.reader.CANDIDATES_MAX", many)
    monkeypatch.setattr(lists, "WINDOW", 9)
    place, batch = Place("auctions", 0), Batch()
    for fact in FILTERED:
        batch.put(TOPIC_OF[type(fact)], fact, fact.model_dump_json(exclude_none=True), 1_000)
    found = []
    for url in (copy_model(migrated, tmp_path / "model.db"), postgresql):
        engine = model_of(url)
        writer = Writer(engine)
        at = (await writer.positions([place]))[place]
        await writer.write(batch, {place: (at, at + 1)})
        await engine.dispose()
        found.append(await told_by(Reader(url)))
    assert found[0] == found[1]
    assert len([each for each in found[0] if each]) > len(FILTERS)
