"""People as commands name them, with the address that came with them."""

from typing import Any

from domain.people import of_source
from domain.sources import ADMIN
from schemas.api.parts import PersonGiven
from services.storefront.access.callers import Actor
from services.storefront.commands.ids import Ids
from services.storefront.commands.letter_counts import name_in_letters


def contact_fields(actor: Actor, person: PersonGiven, ids: Ids) -> dict[str, Any]:
    """A person's id in ``people``, the address, and how letters to it are written.

    Ids that a shop or the admin gives are marked with their issuer, who is the actor. So a request
    can't change the address of another shop's person, whatever it says. The id of all others is
    made from the address. Without an address no letter can go to the person, so there is no id.
    """
    person_id = None
    if person.email is not None and person.id is not None:
        person_id = of_source(ADMIN if actor.kind == "admin" else actor.id, person.id)
    elif person.email is not None:
        person_id = ids.person_of(person.email)
    return {
        "person_id": person_id,
        "email": person.email,
        "name": name_in_letters(actor, person.name),
        "locale": person.locale,
        "time_zone": person.time_zone,
    }
