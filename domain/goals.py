"""What a group has to reach next, and what that brings: one goal, the same wherever it is said.

A group has a number of products to reach, and a ladder of tiers. What a tier gives holds at once if
the group's discount is ``as-reached``. Otherwise nothing holds before the number is reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from domain.tiers import Starts, progress, start_of, tier_reached

T = TypeVar("T", bound=Starts)


@dataclass(frozen=True, slots=True)
class Goal:
    """What comes next; ``top`` says that there is nothing more to reach.

    ``missing`` of ``target`` in all are units, or minor units of money if ``is_in_money``. ``tier``
    is the place in the ladder of what holds once that is reached, ``None`` if nothing new does.
    ``beyond`` is the place of the first tier, if reaching the number does not yet bring it.
    """

    kind: Literal["number", "tier", "top"]
    missing: int = 0
    target: int = 0
    is_in_money: bool = False
    tier: int | None = None
    is_number_reached: bool = False
    beyond: int | None = None


def next_goal(
    tiers: Sequence[Starts],
    number: int,
    quantity: int,
    value: int,
    *,
    is_as_reached: bool,
    unit_price: int | None = None,
) -> Goal:
    """The next goal of an open group; ``tiers`` are sorted by ``start_of``.

    Where tiers start from a value, the price of a unit tells what comes first. Without a price the
    tier comes first.
    """
    reached, following, missing = progress(tiers, quantity, value)
    lacks = max(number - quantity, 0)
    if following is not None and missing is not None:
        tier = tiers[following]
        is_in_money = tier.from_quantity is None
        is_before = is_as_reached and _units(missing, is_in_money, unit_price) < lacks
        if not lacks or is_before:
            return Goal("tier", missing, start_of(tier), is_in_money, following, not lacks)
    if lacks:
        at_number = held_at(tiers, number, value + lacks * (unit_price or 0))
        is_new = at_number is not None and (not is_as_reached or at_number != reached)
        is_known = not tiers or tiers[0].from_quantity is not None or unit_price is not None
        beyond = 0 if tiers and at_number is None and is_known else None
        return Goal("number", lacks, number, tier=at_number if is_new else None, beyond=beyond)
    return Goal("top", is_number_reached=True)


def _units(missing: int, is_in_money: bool, unit_price: int | None) -> int:
    """How many units bring what is missing; 0 if nobody knows."""
    if not is_in_money:
        return missing
    return -(-missing // unit_price) if unit_price else 0


def held_at(tiers: Sequence[Starts], quantity: int, value: int) -> int | None:
    """The place of the tier that these totals reach."""
    return progress(tiers, quantity, value).reached


def held_tier(
    tiers: Sequence[Starts], number: int, quantity: int, value: int, *, is_as_reached: bool
) -> int | None:
    """The place of the tier that holds if the group closes as it is; ``tiers`` are sorted."""
    if quantity < number and not is_as_reached:
        return None
    return held_at(tiers, quantity, value)


def tier_beyond(tiers: Sequence[T], number: int, unit_price: int | None) -> T | None:
    """The first tier, if a group that reaches just its number does not reach it.

    If tiers start from a value and the price of a unit is not known, nobody can tell.
    """
    first = min(tiers, key=start_of, default=None)
    if first is None or (first.from_quantity is None and unit_price is None):
        return None
    is_there = tier_reached([first], number, number * (unit_price or 0)) is not None
    return None if is_there else first
