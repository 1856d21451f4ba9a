"""A read model for each test: a copy of one that was migrated once."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.storefront.readmodel.database import connect, migrate
from services.storefront.readmodel.reader import Reader

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of these has a database and an app: a tenth of a second, for a thousand tests."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with empty tables."""
    path = tmp_path_factory.mktemp("migrated") / "a folder" / "model.db"

    async def go() -> None:
        engine = connect(f"sqlite:///{path}")
        await migrate(engine)
        await engine.dispose()

    asyncio.run(go())
    return path


@pytest.fixture
def url(migrated: Path, tmp_path: Path) -> str:
    """The address of a database of this test."""
    shutil.copy(migrated, tmp_path / "model.db")
    return f"sqlite:///{tmp_path / 'model.db'}"


@pytest.fixture
async def reader(url: str) -> AsyncIterator[Reader]:
    """It asks this test's database."""
    reader = Reader(url)
    yield reader
    await reader.close()
