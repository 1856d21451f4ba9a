"""The ids under which people's addresses stand in the topic ``people``.

An id of ours (``m-…``, made from the mailbox) is a person's id as it stands. Other ids are marked
with their issuer, as two shops may both have a member ``ann``. So nobody can change the address of
another issuer's person.
"""

from domain.sources import SELLER, shop_of


def of_source(source: str, member_id: str) -> str:
    """The person of a member that an order's source names: ``acme:ann`` for ``acme.till3``."""
    return _marked(shop_of(source), member_id)


def of_seller(seller_id: str) -> str:
    """The person who gets a seller's letters."""
    return _marked(SELLER, seller_id)


def _marked(issuer: str, own_id: str) -> str:
    # The issuer's colons are escaped, so the first colon always ends the issuer. An escaped colon
    # has only two characters, so the longest ids still fit into a person's id.
    return f"{issuer.replace('%', '%%').replace(':', '%.')}:{own_id}"
