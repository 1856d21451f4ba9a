"""The same command twice is one: what was asked for under which ``Idempotency-Key``.

The log itself keeps a command from counting twice, as its ids come from the key and the body. With
this table, all web processes can refuse a key that is used again for another request.
"""

import hmac
from datetime import timedelta
from hashlib import sha256
from time import time

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.refusals import RefusalCode
from services.storefront.problems import KeyReused
from services.storefront.readmodel.database import TROUBLE, DatabaseError, in_short
from services.storefront.readmodel.tables import IDEMPOTENCY

KEPT = timedelta(days=3)
SWEEP_SECONDS = 3600.0


class Idempotency:
    """Remembers keys, hashed, in the storefront's database."""

    def __init__(self, engine: AsyncEngine, secret: str) -> None:
        self._engine = engine
        self._secret = secret.encode()
        self._sweep_at = 0.0

    async def remember(self, key: str, body: bytes) -> bool:
        """Keep the request under this key; returns whether the same request was kept before.

        Raises ``KeyReused`` if it was something else, and ``DatabaseError``.
        """
        name, fingerprint = self._hashed(key.encode()), self._hashed(body)
        now = int(time() * 1000)
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(IDEMPOTENCY).values(key=name, fingerprint=fingerprint, at=now)
        try:
            async with self._engine.begin() as connection:
                if time() > self._sweep_at:
                    self._sweep_at = time() + SWEEP_SECONDS
                    old = now - KEPT // timedelta(milliseconds=1)
                    await connection.execute(delete(IDEMPOTENCY).where(IDEMPOTENCY.c.at < old))
                made = await connection.execute(insert.on_conflict_do_nothing())
                if made.rowcount == 1:
                    return False
                query = select(IDEMPOTENCY.c.fingerprint).where(IDEMPOTENCY.c.key == name)
                known = (await connection.execute(query)).scalar_one_or_none()
        except TROUBLE as error:
            raise DatabaseError(f"the key can't be kept: {in_short(error)}") from error
        if known is not None and known != fingerprint:
            raise KeyReused(RefusalCode.KEY_REUSED)
        return True

    async def forget(self, key: str, body: bytes) -> None:
        """Forget a key whose request changed nothing. Raises ``DatabaseError``."""
        name, fingerprint = self._hashed(key.encode()), self._hashed(body)
        table = IDEMPOTENCY.c
        given_back = delete(IDEMPOTENCY).where(table.key == name, table.fingerprint == fingerprint)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(given_back)
        except TROUBLE as error:
            raise DatabaseError(f"the key can't be given back: {in_short(error)}") from error

    def _hashed(self, text: bytes) -> str:
        """Bodies hold addresses, so that a plain hash would let them be guessed."""
        return hmac.new(self._secret, text, sha256).hexdigest()
