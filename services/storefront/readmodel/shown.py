"""The generation of the read model that a web process shows: the newest that is ready."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Executable
from sqlalchemy.ext.asyncio import AsyncEngine

from services.storefront.readmodel.database import (
    TROUBLE,
    DatabaseError,
    Questions,
    in_short,
    is_missing,
)
from services.storefront.readmodel.generations import Generations

#: How often a newer generation is looked for, while questions come.
LOOK_SECONDS: Final = 1.0


class NotBuiltError(DatabaseError):
    """No generation of the read model is ready yet."""


@dataclass(eq=False)
class _Shown:
    generation: int
    questions: Questions
    #: Questions that are not answered yet.
    asked: int = 0


class ShownModel:
    """Asks the read model. A question that is asked during a swap ends on the old generation."""

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        """``engine`` is of the storefront's own tables."""
        self._url = url
        self._generations = Generations(url, engine)
        self._shown: _Shown | None = None
        self._looked_at = 0.0
        self._looking = asyncio.Lock()
        self._beside: asyncio.Task[None] | None = None

    async def all(self, statement: Executable) -> Sequence[Any]:
        """Every row of the answer. Raises ``DatabaseError``."""
        if self._shown is None:
            await self._look()
        elif time.monotonic() - self._looked_at > LOOK_SECONDS:
            # No question waits for it.
            self._looked_at = time.monotonic()
            self._beside = asyncio.create_task(self._look_beside())
        try:
            return await self._ask(statement)
        except DatabaseError as error:
            # It was dropped, as this process had not looked for long.
            if not is_missing(error) or not await self._look():
                raise
            return await self._ask(statement)

    async def _ask(self, statement: Executable) -> Sequence[Any]:
        shown = self._shown
        if shown is None:
            raise NotBuiltError("the read model is being built: no generation of it is ready")
        shown.asked += 1
        try:
            return await shown.questions.all(statement)
        finally:
            shown.asked -= 1
            await self._leave(shown)

    async def _leave(self, shown: _Shown) -> None:
        """Disconnect from one that is not shown any more, after its last answer."""
        if shown is not self._shown and not shown.asked:
            await shown.questions.close()

    async def _look_beside(self) -> None:
        # The questions themselves tell when the database is away.
        with suppress(DatabaseError):
            await self._look()

    async def _look(self) -> bool:
        """Show the newest generation; whether it is another one. Raises ``DatabaseError``."""
        async with self._looking:
            self._looked_at = time.monotonic()
            before = self._shown
            try:
                newest = await self._generations.newest()
            except TROUBLE as error:
                raise DatabaseError(f"the read model does not answer: {in_short(error)}") from error
            if newest is None or (before is not None and before.generation == newest):
                return False
            self._shown = _Shown(newest, Questions(self._url, newest))
            if before is not None:
                await self._leave(before)
            return True

    async def close(self) -> None:
        """Disconnect."""
        if self._beside is not None:
            await asyncio.wait([self._beside])
        if self._shown is not None:
            await self._shown.questions.close()
