"""A read model without a projector: its first generation, ready and empty."""

import asyncio
import shutil
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from services.storefront.readmodel.database import connect, file_of, migrate
from services.storefront.readmodel.generations import Generations

FIRST = 1


async def make_model(url: str) -> None:
    """Make the storefront's own tables, and a generation that pages show."""
    engine = connect(url)
    await migrate(engine)
    generations = Generations(url, engine)
    assert await generations.begin(0) == FIRST
    await generations.make_ready(FIRST)
    await engine.dispose()


def model_of(url: str) -> AsyncEngine:
    """An engine of the tables that pages show."""
    return connect(url, FIRST)


async def newest_of(url: str) -> AsyncEngine:
    """The same after projectors have built others."""
    engine = connect(url)
    number = await Generations(url, engine).newest()
    await engine.dispose()
    assert number is not None, "no generation is ready"
    return connect(url, number)


def model_file(url: str) -> Path:
    """The file of SQLite that has these tables."""
    found = file_of(url, FIRST)
    assert found is not None
    return found


def copy_model(made: Path, to: Path) -> str:
    """Copy a database of SQLite with its read model; its URL."""
    source, url = f"sqlite:///{made}", f"sqlite:///{to}"
    shutil.copy(made, to)
    shutil.copy(model_file(source), model_file(url))
    return url


def make_model_now(url: str) -> None:
    """The same as ``make_model`` outside an event loop."""
    asyncio.run(make_model(url))
