"""The ladder of a group: which tier its totals reach, and what a tier takes off.

A ladder is valid if its tiers all start from a quantity or all from a value, each from another one.
The functions take invalid ladders too, as a message must never stop a worker.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from domain.money import percent_of

#: Where a tier starts; it has exactly one.
STARTS: Final = ("from_quantity", "from_value")
#: What a tier gives; it has exactly one.
GIFTS_AND_DISCOUNTS: Final = ("percent_off", "amount_off", "unit_price", "gift")


class Starts(Protocol):
    """Where a tier starts: from so many units, or from a value in minor units."""

    @property
    def from_quantity(self) -> int | None:
        """The units from which the tier is reached."""

    @property
    def from_value(self) -> int | None:
        """The minor units from which the tier is reached."""


class Gives(Protocol):
    """What a tier gives: percent, an amount off each unit, another price, or a gift."""

    @property
    def percent_off(self) -> float | None:
        """The percent that are taken off the value."""

    @property
    def amount_off(self) -> int | None:
        """The minor units that are taken off each unit."""

    @property
    def unit_price(self) -> int | None:
        """What each unit costs, in minor units."""

    @property
    def gift(self) -> str | None:
        """What is given on top."""


T = TypeVar("T", bound=Starts)


# --- which is reached ----------------------------------------------------------------------------


class Progress(NamedTuple):
    """The tier reached and the next one, by their places in the ladder.

    ``missing`` is what is missing to the next: units, or minor units if it starts from a value.
    """

    reached: int | None
    following: int | None
    missing: int | None


def start_of(tier: Starts) -> int:
    """From which quantity, or value in minor units, a tier is reached."""
    return tier.from_quantity or tier.from_value or 0


def tier_reached(tiers: Sequence[T], quantity: int, value: int) -> T | None:
    """The tier with the highest start that the totals reach, or None."""
    reached = (tier for tier in tiers if not _missing(tier, quantity, value))
    return max(reached, key=start_of, default=None)


def progress(tiers: Sequence[Starts], quantity: int, value: int) -> Progress:
    """How far the totals are in a ladder; ``tiers`` are sorted by ``start_of``."""
    best = tier_reached(tiers, quantity, value)
    reached = next((place for place, tier in enumerate(tiers) if tier is best), None)
    for place, tier in enumerate(tiers):
        if missing := _missing(tier, quantity, value):
            return Progress(reached, place, missing)
    return Progress(reached, None, None)


def _missing(tier: Starts, quantity: int, value: int) -> int:
    total = value if tier.from_quantity is None else quantity
    return max(start_of(tier) - total, 0)


# --- what it gives -------------------------------------------------------------------------------


def given_by(tier: Gives, quantity: int, value: int) -> tuple[int, str | None]:
    """What a tier takes off so many units of this value, in minor units, and the gift.

    The amount is never below zero and never more than the value, whatever the ladder says.
    """
    if tier.percent_off is not None:
        return percent_of(value, min(max(tier.percent_off, 0), 100)), None
    if tier.amount_off is not None:
        return min(value, quantity * max(tier.amount_off, 0)), None
    if tier.unit_price is not None:
        return max(0, value - quantity * max(tier.unit_price, 0)), None
    return 0, tier.gift if quantity else None


def lowers_price(tier: Gives) -> bool:
    """Whether a tier takes money off; others give a gift."""
    return any(each is not None for each in (tier.percent_off, tier.amount_off, tier.unit_price))


def price_at(tier: Gives, unit_price: int) -> int | None:
    """What one unit costs in a tier, in minor units; None in a tier that lowers no price."""
    if not lowers_price(tier):
        return None
    return unit_price - given_by(tier, 1, unit_price)[0]


# --- what is valid -------------------------------------------------------------------------------


def is_percent_off(percent: float) -> bool:
    """Whether it is 0 to 100 with at most two decimals."""
    return 0 <= percent <= 100 and round(percent, 2) == percent


class Overlap(NamedTuple):
    """Several tiers of a ladder begin at the same quantity or value."""

    name: Literal["from_quantity", "from_value"]
    start: int
    times: int


def mixes_starts(tiers: Sequence[Starts]) -> bool:
    """Whether some tiers of a ladder begin at a quantity and others at a value."""
    return any(each.from_quantity is not None for each in tiers) and any(
        each.from_value is not None for each in tiers
    )


def overlaps(tiers: Sequence[Starts]) -> Iterator[Overlap]:
    """The starts that several tiers of a ladder share."""
    quantities = Counter(each.from_quantity for each in tiers if each.from_quantity is not None)
    values = Counter(each.from_value for each in tiers if each.from_value is not None)
    yield from (Overlap("from_quantity", *each) for each in quantities.items() if each[1] > 1)
    yield from (Overlap("from_value", *each) for each in values.items() if each[1] > 1)
