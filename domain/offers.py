"""Which of two offers in a counter auction is better."""

from typing import Final, Literal, NamedTuple

from domain.money import share

#: A better price that is so much lower, in percent, may be a slip.
DOUBTED_PERCENT: Final = 30
Comparison = Literal["better", "higher-minimum", "step-too-small", "price-not-lower"]


class Condition(NamedTuple):
    """What an offer offers: a price in minor units, from so many reservations."""

    unit_price: int
    minimum_reservations: int


def best_price_to_beat(shown: Condition, minimum_step: int) -> int:
    """The highest price, in minor units, that betters the one shown by the auction's step."""
    return shown.unit_price - minimum_step


def is_doubtful(price: int, shown: int) -> bool:
    """Whether a price is so far below the one shown that it may be a slip; in minor units."""
    return price * 100 < shown * (100 - DOUBTED_PERCENT)


def percent_below(price: int, lower: int) -> float:
    """By how many percent one price is lower than another, with one decimal."""
    return share(1_000, price - lower, price) / 10


def compare(offered: Condition, shown: Condition, minimum_step: int) -> Comparison:
    """Whether an offer betters the one shown, or else why not; a tie keeps the one shown.

    The price must be lower by the step, or the same for fewer reservations.
    """
    if offered.minimum_reservations > shown.minimum_reservations:
        return "higher-minimum"
    if offered.unit_price <= best_price_to_beat(shown, minimum_step):
        return "better"
    if offered.unit_price < shown.unit_price:
        return "step-too-small"
    is_same_price = offered.unit_price == shown.unit_price
    is_for_fewer = offered.minimum_reservations < shown.minimum_reservations
    return "better" if is_same_price and is_for_fewer else "price-not-lower"
