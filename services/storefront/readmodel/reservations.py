"""Who reserved in which auction, and what was confirmed by the links of letters.

Facts name no applicant before the contract, as anybody may read them. So the storefront, which
takes every reservation, keeps the ids in its own database: applicants can have their links again,
and a link that is opened later says what became of its reservation or order. It is not part of the
read model: a rebuilt one does not have it.
"""

from datetime import timedelta
from time import time
from typing import Any

from sqlalchemy import Column, Executable, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from services.storefront.readmodel.database import TROUBLE, DatabaseError, in_short
from services.storefront.readmodel.tables import CONFIRMED_ORDERS, RESERVATIONS

#: Auctions end long before that.
KEPT = timedelta(days=800)
SWEEP_SECONDS = 3600.0


class Reservations:
    """Keeps the ids of reservations, and what became of them. All raise ``DatabaseError``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._sweep_at = 0.0

    async def keep(
        self, application_id: str, auction_id: str, person_id: str, quantity: int
    ) -> None:
        """Keep whose a reservation is; a repeat changes nothing."""
        row = {"application_id": application_id, "auction_id": auction_id}
        values = {**row, "person_id": person_id, "quantity": quantity, "at": _now()}
        insert = self._dialect.insert(RESERVATIONS).values(**values)
        await self._run("the reservation can't be kept", insert.on_conflict_do_nothing())

    async def confirmed(self, application_id: str) -> None:
        """Keep that a reservation was confirmed."""
        await self._note(RESERVATIONS.c.confirmed_at, application_id, "confirmation")

    async def withdrawn(self, application_id: str) -> None:
        """Keep that a reservation was taken back: its person gets no link to it any more."""
        await self._note(RESERVATIONS.c.withdrawn_at, application_id, "withdrawal")

    async def order_confirmed(self, order_key: str) -> None:
        """Keep that an order was confirmed."""
        insert = self._dialect.insert(CONFIRMED_ORDERS).values(order_key=order_key, at=_now())
        await self._run("the confirmation can't be kept", insert.on_conflict_do_nothing())

    async def _note(self, column: Column[Any], application_id: str, what: str) -> None:
        """Keep when something became of a reservation; the first time stays."""
        is_it = RESERVATIONS.c.application_id == application_id
        noted = update(RESERVATIONS).where(is_it, column.is_(None)).values({column: _now()})
        await self._run(f"the {what} can't be kept", noted)

    @property
    def _dialect(self) -> Any:
        return postgresql if self._engine.dialect.name == "postgresql" else sqlite

    async def _run(self, trouble: str, statement: Executable) -> None:
        try:
            async with self._engine.begin() as connection:
                if time() > self._sweep_at:
                    self._sweep_at = time() + SWEEP_SECONDS
                    old = _now() - KEPT // timedelta(milliseconds=1)
                    for table in (RESERVATIONS, CONFIRMED_ORDERS):
                        await connection.execute(delete(table).where(table.c.at < old))
                await connection.execute(statement)
        except TROUBLE as error:
            raise DatabaseError(f"{trouble}: {in_short(error)}") from error


def _now() -> int:
    return int(time() * 1000)
