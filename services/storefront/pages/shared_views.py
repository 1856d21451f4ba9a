"""What other sites and programs are told of a group or an auction: words, card, calendar entry.

All of it is public, or open to everybody with the address. It names no person and no seller.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from markupsafe import Markup

from domain.calendar_files import Deadline, uid_of
from domain.goals import Goal
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from schemas.parts import Tier
from services.storefront.cards.card import Card
from services.storefront.pages import codes, figures
from services.storefront.pages.paths import auction_path, group_path
from services.storefront.pages.visits import Visit
from services.storefront.rules.chart import bar
from texts.catalogue import mark, paragraph

_CLOSES = {
    "groups": mark("Group purchase closes: {product}"),
    "auctions": mark("Auction closes: {product}"),
}
_KIND = {"groups": mark("Group purchase"), "auctions": mark("Counter auction")}


@dataclass(frozen=True, slots=True)
class SharedView:
    """The public figures of a group or an auction."""

    room: Literal["groups", "auctions"]
    id: str
    path: str
    product: str
    status: str
    count: int
    goal: int
    marks: tuple[int, ...]
    price: int | None
    currency: str | None
    is_discounted: bool
    closes_at: datetime
    next_goal: Goal | None = None
    tiers: tuple[Tier, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Whether there is still a deadline to keep."""
        return self.status == "open" and now < self.closes_at


def of_group(group: GroupView) -> SharedView:
    """A group's figures."""
    price, regular = figures.tier_price(group), group.unit_price
    is_discounted = price is not None and regular is not None and price < regular
    return SharedView(
        room="groups",
        id=group.group_id,
        path=group_path(group.group_id),
        product=group.product.name,
        status=group.status,
        count=group.quantity,
        goal=group.number_of_products,
        marks=figures.marks(group),
        price=price if is_discounted else regular,
        currency=group.currency,
        is_discounted=is_discounted,
        closes_at=group.closed_at or group.closes_at,
        next_goal=figures.goal(group) if group.status == "open" else None,
        tiers=group.favor.tiers,
    )


def of_auction(auction: AuctionDetail) -> SharedView:
    """An auction's figures."""
    return SharedView(
        room="auctions",
        id=auction.auction_id,
        path=auction_path(auction.auction_id),
        product=auction.product.name,
        status=auction.status,
        count=auction.reservations,
        goal=auction.minimum_reservations,
        marks=(),
        price=auction.unit_price,
        currency=auction.currency,
        is_discounted=False,
        closes_at=auction.concluded_at or auction.withdrawn_at or auction.closes_at,
    )


def summary(visit: Visit, shared: SharedView) -> str:
    """The count, the price and the deadline, in sentences."""
    f = visit.formats
    sentences = [_counted(visit, shared)]
    if following := goal_words(visit, shared):
        sentences.append(visit.gettext("{sentence}.", sentence=following))
    if shared.price is not None:
        price = f.money(shared.price, shared.currency)
        sentences.append(visit.gettext("{price} each.", price=price))
    sentences.append(_closing(visit, shared))
    return paragraph((each.unescape() for each in sentences), visit.language)


def goal_words(visit: Visit, shared: SharedView) -> str:
    """A group's next goal; empty if it has ended."""
    if shared.next_goal is None:
        return ""
    return figures.goal_line(visit, shared.next_goal, shared.tiers, shared.currency).text


def _counted(visit: Visit, shared: SharedView) -> Markup:
    count, goal = (visit.formats.number(each) for each in (shared.count, shared.goal))
    if shared.room == "groups" and shared.count > shared.goal:
        return visit.gettext("{quantity} ordered (goal {goal}).", quantity=count, goal=goal)
    if shared.room == "groups":
        return visit.gettext("{quantity} of {goal} ordered.", quantity=count, goal=goal)
    return visit.gettext(
        "{reservations} reserved (minimum {minimum_reservations}).",
        reservations=count,
        minimum_reservations=goal,
    )


def _closing(visit: Visit, shared: SharedView) -> Markup:
    if shared.is_open(visit.now):
        return visit.gettext("Open until {time}.", time=visit.formats.minute(shared.closes_at))
    if shared.room == "groups":
        return visit.gettext("The group purchase has ended.")
    return visit.gettext("The auction has ended.")


def card(visit: Visit, shared: SharedView) -> Card:
    """The card, in the visit's language."""
    f = visit.formats
    of_goal = mark("of {goal}") if shared.room == "groups" else mark("reserved (minimum {goal})")
    if shared.room == "groups" and shared.count > shared.goal:
        of_goal = mark("ordered (goal {goal})")
    label = (
        mark("Price each with the discount so far") if shared.is_discounted else mark("Price each")
    )
    state = _KIND[shared.room] if shared.status == "open" else codes.STATUS[shared.status]
    return Card(
        kind=visit.gettext(state).unescape(),
        name=shared.product,
        count=f.number(shared.count),
        goal=visit.gettext(of_goal, goal=f.number(shared.goal)).unescape(),
        progress=bar(shared.count, shared.goal, shared.marks),
        price="" if shared.price is None else f.money(shared.price, shared.currency),
        price_label=visit.gettext(label).unescape(),
        next_goal=goal_words(visit, shared),
        deadline=_closing(visit, shared).unescape(),
    )


def deadline(visit: Visit, shared: SharedView, page: str, host: str) -> Deadline:
    """The calendar entry, told now; ``page`` is the absolute address, ``host`` its host."""
    summary = visit.gettext(_CLOSES[shared.room], product=shared.product)
    return Deadline(
        uid=uid_of(shared.id, host),
        told_at=visit.now,
        falls_at=shared.closes_at,
        summary=summary.unescape(),
        page=page,
        language=visit.language,
    )
