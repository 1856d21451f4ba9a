"""Whose orders may feed a group: names of sources, and which of them a group takes.

An order's ``source`` says who tells of it: a shop, our own pages, or an admin.
"""

from collections.abc import Collection

#: Orders that people make on our own pages.
STOREFRONT = "storefront"
#: Orders that an admin enters by hand.
ADMIN = "admin"
#: How many sources a request may name.
SOURCES_MAX = 20


def sources_of_shop(shop_id: str) -> tuple[str, ...]:
    """The sources that feed the groups under a shop's definitions: the shop, our pages, admins."""
    return (shop_id, STOREFRONT, ADMIN)


def may_feed(source: str, listed: Collection[str]) -> bool:
    """Whether orders of ``source`` count in a group that lists these sources; none: any counts.

    A shop with several tills tells of orders as ``<shop_id>.<till>``: who lists a shop lists them
    all.
    """
    return not listed or any(_is_or_is_of(source, each) for each in listed)


def is_reserved(source: str) -> bool:
    """Whether a name is ours, so that no shop may have it as its id or as its source."""
    return any(_is_or_is_of(source, each) for each in (STOREFRONT, ADMIN))


def _is_or_is_of(source: str, shop_id: str) -> bool:
    return source == shop_id or source.startswith(f"{shop_id}.")
