"""Pseudonyms: nobody can recognize a person of one group or auction in another.

A person without a shop's id has an id made from their address (``m-…``). It is the same everywhere,
so that letters and unsubscribing find the person. If organizers saw this id, they could compare it
between groups, and try addresses until one fits. So other people see a pseudonym, which differs per
group and auction. Ids that a shop gives are the shop's own names and are shown unchanged.
"""

from services.storefront.access.callers import Access, Actor, Kind

#: Ids that are made from an address begin with this.
BY_ADDRESS = "m-"
#: Callers that see ids: they act for the person or sell to them, and send us these ids.
KNOWING: frozenset[Kind] = frozenset({"admin", "shop", "seller"})


def pseudonym(access: Access, context: str, person_id: str) -> str:
    """A person's pseudonym in a context, the id of a group or auction; always the same there."""
    if not person_id.startswith(BY_ADDRESS):
        return person_id
    return "u-" + access.seal("pseudonym", context, person_id)[:24]


def shown_to(actor: Actor, access: Access, context: str, person_id: str) -> str:
    """The id or pseudonym that an actor sees for a person in a context."""
    return person_id if actor.kind in KNOWING else pseudonym(access, context, person_id)
