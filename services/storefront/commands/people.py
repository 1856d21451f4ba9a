"""Commands about people: finding them by address, telling what is kept of them, erasing them."""

from dataclasses import dataclass
from datetime import datetime

from domain.addresses import canonical
from domain.people import is_of_shop
from runtime.settings import Settings
from schemas.api.people import PersonData
from schemas.erasure import Kept, kept_after
from schemas.people import PEOPLE, Person, PersonErased
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import demand
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import NotAllowed
from services.storefront.readmodel.person_data import person_data
from services.storefront.readmodel.reader import Reader

FOUND_MAX = 100


@dataclass(frozen=True, slots=True)
class Erasure:
    """A person who was erased, and what stays."""

    person_id: str
    erased_at: datetime
    kept: tuple[Kept, ...]


class PeopleCommands:
    """People. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, settings: Settings, reader: Reader, outcomes: Outcomes) -> None:
        self._settings = settings
        self._reader = reader
        self._outcomes = outcomes

    async def known(self, actor: Actor, person_id: str) -> Person | None:
        """What is known of a person; ``None`` if nothing is, or the person is erased."""
        demand(actor, "admin")
        return (await self._reader.people([person_id])).get(person_id)

    async def find(self, actor: Actor, email: str) -> list[Person]:
        """The people whose letters go to this mailbox, in whatever spelling, the latest first."""
        demand(actor, "admin")
        return await self._reader.people_at(canonical(email), FOUND_MAX)

    async def data(self, actor: Actor, person_id: str) -> PersonData:
        """All that the pages hold about a person; also if no address is known here."""
        _demand_own(actor, person_id)
        return await person_data(self._reader, person_id, now())

    def kept(self, person_id: str) -> tuple[Kept, ...]:
        """What would stay of a person who is erased now."""
        return self._kept(person_id, now())

    async def erase(self, actor: Actor, person_id: str) -> Erasure:
        """Erase a person's address and name, also if none are known here."""
        _demand_own(actor, person_id)
        erased_at = now()
        await self._outcomes.send(PEOPLE, PersonErased(person_id=person_id))

        async def is_gone() -> bool | None:
            return None if await self._reader.people([person_id]) else True

        await self._outcomes.look(is_gone, self._outcomes.seconds)
        return Erasure(person_id, erased_at, self._kept(person_id, erased_at))

    def _kept(self, person_id: str, at: datetime) -> tuple[Kept, ...]:
        days, is_log_time = self._settings.dead_letter_days, self._settings.clock == "log"
        return tuple(kept_after(person_id, at, dead_letter_days=days, is_log_time=is_log_time))


def _demand_own(actor: Actor, person_id: str) -> None:
    """Raises ``NotAllowed`` unless it is the admin, the person, or the shop whose mark the id has.

    So nobody learns whether another's person is known.
    """
    demand(actor, "admin", "shop", "person")
    is_shops = actor.kind == "shop" and is_of_shop(actor.id, person_id)
    is_own = actor.kind == "person" and actor.id == person_id
    if not (actor.kind == "admin" or is_shops or is_own):
        raise NotAllowed(RefusalCode.PERSON_OF_OTHER, held=actor.kind)
