"""Who reserved in which auction, so that applicants can have the links to their reservations again.

Facts name no applicant before the contract, as anybody may read them. So the storefront, which
takes every reservation, keeps the ids in its own database. It is not part of the read model: a
rebuilt one does not have it.
"""

from datetime import timedelta
from time import time

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from services.storefront.readmodel.database import TROUBLE, DatabaseError, in_short
from services.storefront.readmodel.tables import RESERVATIONS

#: Auctions end long before that.
KEPT = timedelta(days=800)
SWEEP_SECONDS = 3600.0


class Reservations:
    """Keeps the ids of reservations."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._sweep_at = 0.0

    async def keep(self, application_id: str, auction_id: str, person_id: str) -> None:
        """Keep whose a reservation is; a repeat changes nothing. Raises ``DatabaseError``."""
        now = int(time() * 1000)
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row = {"application_id": application_id, "auction_id": auction_id}
        insert = dialect.insert(RESERVATIONS).values(**row, person_id=person_id, at=now)
        try:
            async with self._engine.begin() as connection:
                if time() > self._sweep_at:
                    self._sweep_at = time() + SWEEP_SECONDS
                    old = now - KEPT // timedelta(milliseconds=1)
                    await connection.execute(delete(RESERVATIONS).where(RESERVATIONS.c.at < old))
                await connection.execute(insert.on_conflict_do_nothing())
        except TROUBLE as error:
            raise DatabaseError(f"the reservation can't be kept: {in_short(error)}") from error

    async def forget(self, application_id: str) -> None:
        """Forget a reservation that was taken back. Raises ``DatabaseError``."""
        gone = delete(RESERVATIONS).where(RESERVATIONS.c.application_id == application_id)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(gone)
        except TROUBLE as error:
            raise DatabaseError(f"the reservation can't be forgotten: {in_short(error)}") from error
