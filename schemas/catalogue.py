"""The catalogue: every topic by its name. The topics stand beside their messages, by area."""

from collections.abc import Mapping

from schemas import (
    auctions,
    favors,
    groups,
    images,
    letters,
    ops,
    orders,
    payments,
    people,
    shop_orders,
    shops,
)
from schemas.ops import WITH_PROCESSORS
from schemas.topic import Topic

#: In the order in which documents list their topics.
AREAS = (
    *(people, shops, images, groups, orders, shop_orders),
    *(payments, favors, auctions, letters, ops),
)


def buries(topic: Topic) -> str | None:
    """The service that writes the dead letter of an unreadable record of a topic.

    It is the first in the catalogue that reads the topic by a processor; the others count the
    record. ``None`` for a topic that no processor may read.
    """
    return next((each for each in topic.consumers if each in WITH_PROCESSORS), None)


CATALOGUE: Mapping[str, Topic] = {
    each.name: each for area in AREAS for each in vars(area).values() if isinstance(each, Topic)
}
