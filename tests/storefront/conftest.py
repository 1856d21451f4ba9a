"""A read model for each test: a copy of one that was migrated once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.storefront.readmodel.reader import Reader
from tests.read_model import copy_model, make_model_now

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
    make_model_now(f"sqlite:///{path}")
    return path


@pytest.fixture
def url(migrated: Path, tmp_path: Path) -> str:
    """The address of a database of this test."""
    return copy_model(migrated, tmp_path / "model.db")


@pytest.fixture
async def reader(url: str) -> AsyncIterator[Reader]:
    """It asks this test's database."""
    reader = Reader(url)
    yield reader
    await reader.close()
