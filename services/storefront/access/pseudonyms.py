"""Whom an id stands for is not to be told from one group or auction to another.

Somebody without a shop's id is known by an address, everywhere by the same id (``m-…``), so that
letters and their ends find the person. Who is shown that id in one place could look for it in
another, and try addresses until one fits. So others are shown a pseudonym of the person in that
group or auction. Ids that a shop gives are its own names, and stay as they are.
"""

from services.storefront.access.callers import Access, Actor, Kind

#: Ids made of an address begin so.
BY_ADDRESS = "m-"
#: They act in the person's name, or sell to the person: their programs name the id to us.
KNOWING: frozenset[Kind] = frozenset({"admin", "shop", "seller"})


def pseudonym(access: Access, context: str, person_id: str) -> str:
    """A person as others see the id in a context, a group's or an auction's id; always the same."""
    if not person_id.startswith(BY_ADDRESS):
        return person_id
    return "u-" + access.seal("pseudonym", context, person_id)[:24]


def shown_to(actor: Actor, access: Access, context: str, person_id: str) -> str:
    """A person's id as an actor is shown it in a context."""
    return person_id if actor.kind in KNOWING else pseudonym(access, context, person_id)
