"""Who is told by letter that an id is issued: the organizer, and the members listed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.sources import takes_orders_here
from schemas.groups import GroupPurchase
from schemas.letters import Notice, Role, notices
from schemas.parts import Party

#: What one call sends at most; a part lists no more members.
LETTERS_PER_CALL = 1_000


def to_named(group: GroupPurchase, now: datetime) -> Sequence[Notice]:
    """The letters to those whom the request itself names."""
    organizer = _issued(group, group.organizer, now) if group.organizer else ()
    return [*organizer, *to_members(group, group.members, now)]


def to_members(group: GroupPurchase, members: Iterable[Party], now: datetime) -> Sequence[Notice]:
    """The letters to members who can be reached; an organizer who has had one is passed over."""
    organizer = group.organizer
    has_one = organizer.id if organizer and organizer.person_id else None
    return [
        letter
        for member in members
        if member.id != has_one
        for letter in _issued(group, member, now)
    ]


def _is_order_here(group: GroupPurchase) -> bool:
    """Whether anybody orders by one link on our pages; listed members have links of their own."""
    payment = group.payment
    takes = takes_orders_here(payment.scope, payment.method, group.sources)
    return takes and not group.members and not group.member_parts


def _issued(group: GroupPurchase, party: Party, now: datetime) -> Sequence[Notice]:
    organizes = group.organizer is not None and group.organizer.id == party.id
    role: Role = "organizer" if organizes else "member"
    return notices(
        "id-issued",
        party,
        group.group_id,
        now,
        role=role,
        group_id=group.group_id,
        request_id=group.request_id,
        product=group.product.brief(),
        number_of_products=group.number_of_products,
        opens_at=group.opens_at,
        closes_at=group.closes_at,
        unit_price=group.unit_price,
        currency=group.currency,
        shop_id=group.shop_id,
        seller_id=group.seller_id,
        is_order_here=_is_order_here(group) or None,
    )
