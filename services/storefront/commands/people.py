"""Commands about people: finding them by address, and erasing them."""

from domain.addresses import canonical
from schemas.people import PEOPLE, Person, PersonErased
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import demand
from services.storefront.commands.outcomes import Outcomes
from services.storefront.readmodel.reader import Reader

FOUND_MAX = 100


class PeopleCommands:
    """People. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes) -> None:
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

    async def erase(self, actor: Actor, person_id: str) -> None:
        """Erase a person's address and name, also if none are known here."""
        demand(actor, "admin")
        await self._outcomes.send(PEOPLE, PersonErased(person_id=person_id))

        async def is_gone() -> bool | None:
            return None if await self._reader.people([person_id]) else True

        await self._outcomes.look(is_gone, self._outcomes.seconds)
