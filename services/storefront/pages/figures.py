"""How an auction and a group came to where they are: story, chart and prices for a reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from domain.money import share
from domain.tiers import price_at, start_of
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from services.storefront.pages.visits import Visit
from services.storefront.rules.chart import NARROW, WIDE, Mark, Step, step_chart


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; ``less`` is by how much the price fell."""

    kind: str
    at: datetime
    words: Markup
    less: int = 0


def charts(visit: Visit, auction: AuctionDetail) -> tuple[Markup, Markup]:
    """The price over time, for wide and for narrow screens."""
    f, history, currency = visit.formats, auction.history, auction.currency
    steps = [Step(each.at, each.unit_price, f.money(each.unit_price, currency)) for each in history]
    begins = Mark(auction.opened_at, f.day(auction.opened_at))
    ends = Mark(auction.closes_at, f.day(auction.closes_at))
    summary = visit.ngettext(
        "Price over time: opened at {first} on {begins}, now {last} after {n} change. "
        "Closes on {ends}.",
        "Price over time: opened at {first} on {begins}, now {last} after {n} changes. "
        "Closes on {ends}.",
        len(steps) - 1,
        first=steps[0].written,
        last=steps[-1].written,
        begins=begins.written,
        ends=ends.written,
    )
    now = min(visit.now, auction.concluded_at or visit.now)
    # Texts are escaped where they are put in, so what is safe already is taken back first.
    plain = summary.unescape()
    wide, narrow = (
        Markup(step_chart(steps, ends, now, begins, plain, frame)) for frame in (WIDE, NARROW)
    )
    return wide, narrow


def story(visit: Visit, auction: AuctionDetail) -> list[Event]:
    """What happened in an auction, the latest first."""
    return sorted(_events(visit, auction), key=lambda event: event.at, reverse=True)


def _events(visit: Visit, auction: AuctionDetail) -> Iterator[Event]:
    f, before = visit.formats, None
    for each in auction.history:
        price = f.money(each.unit_price, auction.currency)
        minimum = f.number(each.minimum_reservations)
        if before:
            words = visit.gettext(
                "A better offer took over: {price}, minimum {minimum}", price=price, minimum=minimum
            )
            yield Event("better", each.at, words, before.unit_price - each.unit_price)
        else:
            words = visit.gettext(
                "Opened at {price} with a minimum of {minimum}", price=price, minimum=minimum
            )
            yield Event("opened", each.at, words)
        before = each
    if auction.invited_at:
        yield Event(
            "invited",
            auction.invited_at,
            visit.gettext("We invited all registered sellers to make a better offer"),
        )
    if auction.status != "open":
        words = _ended(visit, auction)
        yield Event(auction.status, auction.concluded_at or auction.closes_at, words)


def _ended(visit: Visit, auction: AuctionDetail) -> Markup:
    if auction.status == "concluded":
        return visit.ngettext(
            "Contract concluded for {n} unit",
            "Contract concluded for {n} units",
            auction.reservations,
        )
    if auction.status == "failed":
        return visit.gettext("Ended without a contract")
    return visit.gettext("Withdrawn by the seller")


def drop(auction: AuctionDetail) -> float:
    """By how many percent the price fell since the opening, with one decimal."""
    first, now = auction.history[0].unit_price, auction.unit_price
    if now >= first:
        return 0
    return share(1_000, first - now, first) / 10


def tier_price(group: GroupView) -> int | None:
    """What one unit costs at the tier reached, where the group's price says it."""
    if group.unit_price is None or group.tier_reached is None:
        return None
    return price_at(group.favor.tiers[group.tier_reached], group.unit_price)


def starts(group: GroupView) -> tuple[int, ...]:
    """Where tiers begin: in units, or in minor units of money."""
    return tuple(start_of(tier) for tier in group.favor.tiers)


def marks(group: GroupView) -> tuple[int, ...]:
    """Where tiers begin, in units; none where they begin at a value, or far beyond the number."""
    far = 4 * max(group.number_of_products, group.quantity)
    return tuple(
        start
        for tier in group.favor.tiers
        if tier.from_quantity is not None and (start := start_of(tier)) <= far
    )
