"""Ids that are made here.

They come from a seed, so a command that is repeated under the same ``Idempotency-Key`` is the same
command on the log.
"""

import secrets

from domain.addresses import canonical
from domain.mailboxes import usable
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

    def of_key(self, actor: Actor, seed: str) -> tuple[str, str]:
        """The id and the secret of a key that this actor's same seed always gives."""
        parts = (self._access.seal(what, actor.name, seed) for what in ("key id", "key"))
        return next(parts)[:16], next(parts)

    def mark(self, actor: Actor) -> str:
        """The beginning of the ids of a shop's commands, by which they are recognized."""
        if actor.kind != "shop":
            return ""
        return self._access.seal("mark", actor.name)[:MARK_CHARACTERS]

    def is_made_by(self, actor: Actor, made: str) -> bool:
        """Whether the actor is a shop that made this id."""
        return actor.kind == "shop" and made.partition("-")[2].startswith(self.mark(actor))

    def of_address(self, email: str) -> str:
        """A party's id, the same for all spellings of their address, which it does not reveal."""
        return "m-" + self._access.seal("person", canonical(email))[:24]

    def person_of(self, email: str) -> str:
        """The id in ``people`` of whoever reads the mail to a valid address.

        A server may give ``ann+shop@`` to somebody else than ``ann@``. So they are two people,
        though they count as one party, and neither can change where the other's letters go.
        """
        return "m-" + self._access.seal("mailbox", usable(email).lower())[:24]
