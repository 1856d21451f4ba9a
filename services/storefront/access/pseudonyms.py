"""Who sees a person's id, and who a pseudonym (``domain.pseudonyms``)."""

from domain import pseudonyms
from services.storefront.access.callers import Access, Actor, Kind

#: Callers that see ids: they act for the person or sell to them, and send us these ids.
KNOWING: frozenset[Kind] = frozenset({"admin", "shop", "seller"})


def pseudonym(access: Access, context: str, person_id: str) -> str:
    """A person's pseudonym in a context, the id of a group or auction; always the same there."""
    return pseudonyms.pseudonym(access.links.secret, context, person_id)


def shown_to(actor: Actor, access: Access, context: str, person_id: str) -> str:
    """The id or pseudonym that an actor sees for a person in a context."""
    return person_id if actor.kind in KNOWING else pseudonym(access, context, person_id)
