"""The sources whose orders count in a group.

An order's ``source`` names its sender: a shop, our own pages, or an admin.
"""

from collections.abc import Collection

#: The source of orders that people make on our own pages.
STOREFRONT = "storefront"
#: The source of orders that an admin enters by hand.
ADMIN = "admin"
#: The issuer of sellers' ids. It sends no orders, but its name is reserved as those of sources are.
SELLER = "seller"
#: The most sources that a request may name.
SOURCES_MAX = 20


def sources_of_shop(shop_id: str) -> tuple[str, ...]:
    """The sources of groups under a shop's definitions: the shop, our pages, admins."""
    return (shop_id, STOREFRONT, ADMIN)


def may_feed(source: str, listed: Collection[str]) -> bool:
    """Whether orders of ``source`` count in a group that lists these sources, or none for any.

    A till's source is ``<shop_id>.<till>``: a group that lists a shop takes all its tills.
    """
    return not listed or any(_is_or_is_of(source, each) for each in listed)


def takes_orders_here(scope: str, method: str, listed: Collection[str]) -> bool:
    """Whether an order made on our pages can count: what buyers pay at the shop can't."""
    return (scope == "group" or method != "shop") and may_feed(STOREFRONT, listed)


def shop_of(source: str) -> str:
    """The shop's id in a source: all of it, or the part before the first dot."""
    return source.split(".", 1)[0]


def is_reserved(source: str) -> bool:
    """Whether a name is one of our own sources, so no shop may use it as its id or source."""
    return any(_is_or_is_of(source, each) for each in (STOREFRONT, ADMIN, SELLER))


def _is_or_is_of(source: str, shop_id: str) -> bool:
    return source == shop_id or source.startswith(f"{shop_id}.")
