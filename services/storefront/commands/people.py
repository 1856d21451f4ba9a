"""Commands about people: erasing them."""

from schemas.people import PEOPLE, PersonErased
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import demand
from services.storefront.commands.outcomes import Outcomes
from services.storefront.readmodel.reader import Reader


class PeopleCommands:
    """People. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes) -> None:
        self._reader = reader
        self._outcomes = outcomes

    async def erase(self, actor: Actor, person_id: str) -> None:
        """Erase a person's address and name, also if none are known here."""
        demand(actor, "admin")
        await self._outcomes.send(PEOPLE, PersonErased(person_id=person_id))

        async def is_gone() -> bool | None:
            return None if await self._reader.people([person_id]) else True

        await self._outcomes.look(is_gone, self._outcomes.seconds)
