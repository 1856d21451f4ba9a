"""Ids that are made here.

They come from a seed, so a command that is repeated under the same ``Idempotency-Key`` is the same
command on the log.
"""

import secrets

from domain.addresses import canonical
from services.storefront.access.callers import Access, Actor
from services.storefront.readmodel.owners import MARK_CHARACTERS


class Ids:
    """Makes ids, and recognizes those of a shop."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def new(self, prefix: str, actor: Actor, seed: str | None, characters: int = 20) -> str:
        """An id that this actor's same seed always gives, and nobody else's."""
        made = self._access.seal("id", prefix, actor.name, seed or secrets.token_hex(16))
        return f"{prefix}-{self.mark(actor)}{made[:characters]}"

    def mark(self, actor: Actor) -> str:
        """The beginning of the ids of a shop's commands, by which they are recognized."""
        if actor.kind != "shop":
            return ""
        return self._access.seal("mark", actor.name)[:MARK_CHARACTERS]

    def is_made_by(self, actor: Actor, made: str) -> bool:
        """Whether the actor is a shop that made this id."""
        return actor.kind == "shop" and made.partition("-")[2].startswith(self.mark(actor))

    def of_address(self, email: str) -> str:
        """A person's id, the same for all spellings of their address, which it does not reveal."""
        return "m-" + self._access.seal("person", canonical(email))[:24]
