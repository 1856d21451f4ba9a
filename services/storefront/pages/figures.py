"""How an auction and a group came to where they are, and what comes next, for a reader."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from domain.goals import Goal, held_tier, next_goal
from domain.money import decimals
from domain.offers import percent_below
from domain.tiers import price_at, start_of
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from schemas.groups import DEFINITIONS, Definition
from schemas.parts import Tier
from services.storefront.pages.visits import Visit
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.chart import NARROW, WIDE, Mark, Step, step_chart
from services.storefront.rules.columns import ladder_of
from services.storefront.rules.rows import DefinitionRow, GroupRow
from texts.catalogue import mark


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
    now = min(visit.now, auction.concluded_at or auction.withdrawn_at or visit.now)
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
        at = auction.concluded_at or auction.withdrawn_at or auction.closes_at
        yield Event(auction.status, at, words)


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
    return 0 if now >= first else percent_below(first, now)


@dataclass(frozen=True, slots=True)
class GoalLine:
    """A group's next goal in words.

    A script in the page counts down ``by`` what is there ``to`` the goal, with the ``forms`` of the
    words by plural category (JSON), and says ``done`` there. ``money`` is a currency and its
    decimals if the goal is a sum of money. ``is_done``: there is nothing more to reach.
    """

    text: str
    forms: str = ""
    done: str = ""
    by: str = "quantity"
    to: int = 0
    money: str = ""
    is_done: bool = False


def goal_line(visit: Visit, goal: Goal, tiers: Sequence[Tier], currency: str | None) -> GoalLine:
    """A group's next goal, for pages, lists, cards and frames alike."""
    if goal.kind == "top":
        text = mark("The goal and all steps are reached") if tiers else mark("The goal is reached")
        return GoalLine(visit.gettext(text).unescape(), is_done=True)
    brings = "" if goal.tier is None else visit.tier(tiers[goal.tier], currency).unescape()
    if goal.beyond is not None:
        forms = _forms_beyond(visit, tiers[goal.beyond], currency)
    else:
        forms = _goal_forms(visit, goal, brings)
    money = f"{currency} {decimals(currency)}" if goal.is_in_money and currency else ""
    done = mark("The step is reached") if goal.kind == "tier" else mark("The goal is reached")
    f = visit.formats
    written = f.money(goal.missing, currency) if goal.is_in_money else f.number(goal.missing)
    return GoalLine(
        text=visit.picked(forms, goal.missing, written),
        forms=json.dumps(forms, ensure_ascii=False),
        done=visit.gettext(done).unescape(),
        by="value" if goal.is_in_money else "quantity",
        to=goal.target,
        money=money,
    )


def _forms_beyond(visit: Visit, first: Tier, currency: str | None) -> dict[str, str]:
    """Of a number that brings nothing yet, as the first tier begins above it."""
    if first.from_quantity is not None:
        start = visit.ngettext("{n} unit", "{n} units", first.from_quantity).unescape()
    else:
        start = visit.formats.money(first.from_value or 0, currency)
    return visit.patterns(
        "{n} more unit and the goal is reached ({discount} only from {start})",
        "{n} more units and the goal is reached ({discount} only from {start})",
        discount=visit.tier(first, currency).unescape(),
        start=start,
    )


def _goal_forms(visit: Visit, goal: Goal, brings: str) -> dict[str, str]:
    if goal.kind == "number" and brings:
        return visit.patterns(
            "{n} more unit and the goal is reached: {discount}",
            "{n} more units and the goal is reached: {discount}",
            discount=brings,
        )
    if goal.kind == "number":
        return visit.patterns(
            "{n} more unit and the goal is reached", "{n} more units and the goal is reached"
        )
    if goal.is_in_money:
        text = (
            mark("The goal is reached. {n} more in orders bring: {discount}")
            if goal.is_number_reached
            else mark("{n} more in orders bring: {discount}")
        )
        return visit.patterns(text, text, discount=brings)
    if goal.is_number_reached:
        return visit.patterns(
            "The goal is reached. {n} more unit brings: {discount}",
            "The goal is reached. {n} more units bring: {discount}",
            discount=brings,
        )
    return visit.patterns(
        "{n} more unit brings: {discount}", "{n} more units bring: {discount}", discount=brings
    )


def goal(group: GroupView) -> Goal:
    """What a group has to reach next, as long as it is open."""
    return next_goal(
        group.favor.tiers,
        group.number_of_products,
        group.quantity,
        group.value,
        is_as_reached=group.if_incomplete == "as-reached",
        unit_price=group.unit_price,
    )


def goal_line_of(visit: Visit, group: GroupView) -> GoalLine | None:
    """A group's next goal in words; ``None`` once it has ended."""
    if group.status != "open":
        return None
    return goal_line(visit, goal(group), group.favor.tiers, group.currency)


def goal_line_of_row(visit: Visit, row: GroupRow) -> GoalLine:
    """The same of an open group in a list."""
    tiers = ladder_of(row.ladder)
    following = next_goal(
        tiers,
        row.number,
        row.quantity,
        row.value,
        is_as_reached=row.if_incomplete == "as-reached",
        unit_price=row.unit_price,
    )
    return goal_line(visit, following, tiers, row.currency)


@dataclass(frozen=True, slots=True)
class RowPrice:
    """What one unit costs in a list now: at the tier that holds, else in ``full``.

    A script in the page picks another one as the group grows ``by`` quantity or value: ``steps``
    are starts and prices, ``needs`` is the quantity before which none of them holds.
    """

    price: int
    full: int
    steps: str
    by: str
    needs: int


def price_of_row(row: GroupRow) -> RowPrice | None:
    """The price of a group in a list; ``None`` if it has none."""
    full, tiers = row.unit_price, ladder_of(row.ladder)
    if full is None:
        return None
    is_as_reached = row.if_incomplete == "as-reached"
    sums = (row.number, row.quantity, row.value)
    tier = held_tier(tiers, *sums, is_as_reached=is_as_reached)
    prices = [min(full, price_at(each, full) or full) for each in tiers]
    return RowPrice(
        price=full if tier is None else prices[tier],
        full=full,
        steps=" ".join(
            f"{start_of(each)}:{price}" for each, price in zip(tiers, prices, strict=True)
        ),
        by="value" if tiers and tiers[0].from_quantity is None else "quantity",
        needs=0 if is_as_reached else row.number,
    )


def of_rows(visit: Visit, rows: Sequence[GroupRow]) -> dict[str, Any]:
    """What a list's lines say of open groups, by their ids: the next goals, and the prices."""
    return {
        "goals": {row.group_id: goal_line_of_row(visit, row) for row in rows},
        "prices": {row.group_id: price_of_row(row) for row in rows},
    }


async def first_steps(reader: Reader, listed: Sequence[DefinitionRow]) -> dict[str, Tier]:
    """The first step of each definition's discount, by its id; none of those without steps."""
    found = await reader.facts_of(DEFINITIONS.name, [each.definition_id for each in listed])
    return {
        key: min(each.favor.tiers, key=start_of)
        for key, each in found.items()
        if isinstance(each, Definition) and each.favor.tiers
    }


def held(group: GroupView) -> int | None:
    """The place of the tier that holds if the group closes as it is."""
    return held_tier(
        group.favor.tiers,
        group.number_of_products,
        group.quantity,
        group.value,
        is_as_reached=group.if_incomplete == "as-reached",
    )


def tier_price(group: GroupView) -> int | None:
    """What one unit costs at the tier that holds, where the group's price says it."""
    tier = held(group)
    if group.unit_price is None or tier is None:
        return None
    return price_at(group.favor.tiers[tier], group.unit_price)


def tier_prices(group: GroupView) -> list[int | None]:
    """What one unit costs at each tier; ``None`` where the tier or the group does not say it."""
    tiers, full = group.favor.tiers, group.unit_price
    return [None if full is None else price_at(each, full) for each in tiers]


def steps_there(group: GroupView) -> int:
    """How many tiers, and its number, a group has reached: what a page is told anew."""
    reached = 0 if group.tier_reached is None else group.tier_reached + 1
    return reached + (not group.missing)


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
