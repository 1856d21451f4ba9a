"""The ids under which people's addresses stand in the topic ``people``.

An id that the storefront makes from an address (``m-…``) is a person's id as it stands. Other ids
are marked with their issuer, as two shops may both have a member ``ann``. So nobody can change the
address of another issuer's person.
"""

from hashlib import sha256

from domain.sources import SELLER, shop_of


def of_source(source: str, member_id: str) -> str:
    """The person of a member that an order's source names: ``acme:ann`` for ``acme.till3``."""
    return _marked(shop_of(source), member_id)


def is_of_shop(shop_id: str, person_id: str) -> bool:
    """Whether a person's id is marked with this shop: only the shop gives the address and name."""
    return person_id.startswith(_marked(shop_of(shop_id), ""))


def of_seller(seller_id: str) -> str:
    """The person who gets a seller's letters."""
    return _marked(SELLER, seller_id)


def seller_of(person_id: str) -> str | None:
    """The seller whose letters a person gets; ``None`` for all other people."""
    mark = _marked(SELLER, "")
    return person_id.removeprefix(mark) if person_id.startswith(mark) else None


def name_mark(request_id: str, name: str) -> str:
    """A mark of the name that a group's request gave to a person: 16 hex digits of SHA-256.

    ``people`` has one name per person, the newest, which may be typed elsewhere. The group's facts
    must hold no name, so they hold this mark. If the mark of the newest name is the same, it is the
    name that the request gave, and those who see the group's names may see it. The request's id
    gives one name another mark in each group. A reader of topics can still test a guessed name.
    """
    return sha256(f"{request_id}/{name}".encode()).hexdigest()[:16]


def _marked(issuer: str, own_id: str) -> str:
    # The issuer's colons are escaped, so the first colon always ends the issuer. An escaped colon
    # has only two characters, so the longest ids still fit into a person's id.
    return f"{issuer.replace('%', '%%').replace(':', '%.')}:{own_id}"
