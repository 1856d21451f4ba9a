"""Pseudonyms: nobody can recognize a person of one group or auction in another.

A person without a shop's id has an id made from their address (``m-…``). It is the same everywhere,
so that letters and unsubscribing find the person. If organizers saw this id, they could compare it
between groups, and try addresses until one fits. So other people see a pseudonym, which differs per
group and auction. Ids that a shop gives are the shop's own names and are shown unchanged.
"""

import hmac
from hashlib import sha256

#: Ids that are made from an address begin with this.
BY_ADDRESS = "m-"


def seal(secret: str, *what: str) -> str:
    """Always the same for the same words, and not to be guessed: 40 hexadecimal digits."""
    return hmac.new(secret.encode(), "\0".join(what).encode(), sha256).hexdigest()[:40]


def pseudonym(secret: str, context: str, person_id: str) -> str:
    """A person's pseudonym in a context, the id of a group or auction; always the same there."""
    if not person_id.startswith(BY_ADDRESS):
        return person_id
    return "u-" + seal(secret, "pseudonym", context, person_id)[:24]


def short_number(pseudonym: str) -> str | None:
    """The number that people tell a buyer by: the beginning of a pseudonym; none of other ids."""
    if not pseudonym.startswith("u-"):
        return None
    return pseudonym[2:8].upper()
