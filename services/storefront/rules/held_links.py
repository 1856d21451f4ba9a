"""Which links a person may have again: what the person holds, the newest first. Pure.

Ended groups are left out 400 days after their end, as links of organizers and payers are valid so
long. A reservation is left out when its auction ends, as it can't be taken back any more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.auctions import Auction, Seller
from schemas.groups import GroupPurchase
from schemas.letters import LINKS_MAX, HeldLink
from schemas.orders import PurchaseState
from services.storefront.rules.views import group_view

ENDED_BEFORE = timedelta(days=400)


class GroupHeld(NamedTuple):
    """A group with its summary, if there is one, and the ids of the person's rows in it."""

    terms: GroupPurchase
    state: PurchaseState | None
    organizes: bool
    member_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """All that a person holds."""

    groups: tuple[GroupHeld, ...] = ()
    reservations: tuple[tuple[Auction, str], ...] = ()
    seller: Seller | None = None


def links_of(held: Held, now: datetime) -> tuple[HeldLink, ...]:
    """The links of a person, the newest first; a seller's desk goes before all others."""
    dated: list[tuple[datetime, HeldLink]] = []
    for group in held.groups:
        dated += [(group.terms.issued_at, link) for link in _of_group(group, now)]
    for auction, application_id in held.reservations:
        if auction.status == "open" and now < auction.closes_at:
            dated.append((auction.opened_at, _of_reservation(auction, application_id)))
    newest = [link for _, link in sorted(dated, key=lambda each: each[0], reverse=True)]
    return (*_of_seller(held.seller), *newest)[:LINKS_MAX]


def _of_group(group: GroupHeld, now: datetime) -> Iterator[HeldLink]:
    view = group_view(group.terms, group.state)
    ended_at = view.withdrawn_at or view.closed_at or view.closes_at
    if ended_at + ENDED_BEFORE <= now:
        return
    about, name = view.group_id, view.product.name
    organizer = group.terms.organizer
    if group.organizes and organizer is not None:
        yield HeldLink(role="organizer", about=about, party_id=organizer.id, name=name)
    takes_orders = view.status == "open" and now < view.closes_at and view.takes_orders_here
    for member_id in group.member_ids:
        # The page to order on has the payments, too.
        if takes_orders:
            yield HeldLink(role="member", about=about, party_id=member_id, name=name)
        elif view.payment.scope == "member":
            yield HeldLink(role="payer", about=about, party_id=member_id, name=name)


def _of_reservation(auction: Auction, application_id: str) -> HeldLink:
    return HeldLink(
        role="applicant",
        about=auction.auction_id,
        # Facts name no applicant; the reservation is all that the link needs.
        party_id=application_id,
        name=auction.product.name,
        application_id=application_id,
    )


def _of_seller(seller: Seller | None) -> Iterable[HeldLink]:
    if seller is None:
        return ()
    id_ = seller.seller_id
    return (HeldLink(role="seller", about=id_, party_id=id_, name=seller.name),)
