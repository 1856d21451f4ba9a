"""Names: ``people`` has one name per person, and nobody may learn one that was typed elsewhere."""

from domain.people import is_of_shop, name_mark
from schemas.people import Person
from services.storefront.access.callers import Actor, Kind

#: Callers that see the newest name: the admin, and a seller, who sees only the people who reserved
#: in an auction that the seller won.
SEE_ALL: frozenset[Kind] = frozenset({"admin", "seller"})


def name_shown_to(
    actor: Actor, request_id: str, mark: str | None, person: Person | None
) -> str | None:
    """The name that an actor sees for a person in the group of a request; ``None`` for none.

    ``mark`` is the group's mark of the person's name. A name without this mark was given elsewhere.
    Then only those see the name who may see all, and the shop whose person it is.
    """
    if person is None or person.name is None:
        return None
    is_own = actor.kind == "shop" and is_of_shop(actor.id, person.person_id)
    if is_own or actor.kind in SEE_ALL or mark == name_mark(request_id, person.name):
        return person.name
    return None
