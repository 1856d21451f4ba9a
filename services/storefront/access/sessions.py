"""Sessions that were signed out of are refused, even with a copy of the cookie.

A session's signature is valid until it expires. So only sessions that ended earlier are stored, in
the storefront's database, which all web processes read.
"""

from time import time

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from services.storefront.readmodel.database import TROUBLE, DatabaseError, in_short
from services.storefront.readmodel.tables import ENDED_SESSIONS


class EndedSessions:
    """Remembers which sessions ended, by their random ids."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def end(self, session: str, seconds: float) -> bool:
        """End a session, and remember it until it would expire; ``False`` if it was ended before.

        Raises ``DatabaseError``.
        """
        now = time()
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row = {"session": session, "until": int((now + seconds) * 1000)}
        insert = dialect.insert(ENDED_SESSIONS).values(row).on_conflict_do_nothing()
        over = delete(ENDED_SESSIONS).where(ENDED_SESSIONS.c.until < int(now * 1000))
        try:
            async with self._engine.begin() as connection:
                await connection.execute(over)
                made = await connection.execute(insert)
                return bool(made.rowcount == 1)
        except TROUBLE as error:
            raise DatabaseError(f"the session can't be ended: {in_short(error)}") from error

    async def has(self, session: str) -> bool:
        """Whether a session was ended. Raises ``DatabaseError``."""
        query = select(ENDED_SESSIONS.c.session).where(ENDED_SESSIONS.c.session == session)
        try:
            async with self._engine.connect() as connection:
                return (await connection.execute(query)).first() is not None
        except TROUBLE as error:
            raise DatabaseError(f"sessions can't be looked up: {in_short(error)}") from error
