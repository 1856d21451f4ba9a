"""Until when orders count, and how many units one order may have."""

from datetime import UTC, datetime, timedelta

#: An order can be confirmed for this long after it was placed.
CONFIRMED_WITHIN = timedelta(hours=48)


def confirm_by(ordered_at: datetime) -> datetime:
    """When an order expires: its confirmation must be before this time."""
    return _later(ordered_at, CONFIRMED_WITHIN.total_seconds())


def deadline(closes_at: datetime, grace_seconds: int) -> datetime:
    """When a group is decided: its close, and the grace for orders that arrive late."""
    return _later(closes_at, grace_seconds)


def _later(at: datetime, seconds: float) -> datetime:
    """So much later, or the end of the calendar: no number may stop a worker."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def units_by_link_max(number_of_products: int, ordered: int, *, stops: bool) -> int:
    """The most units of one order by a link.

    If the group ``stops`` at its number and has not reached it: the units still missing. Else the
    number.
    """
    missing = number_of_products - ordered
    return missing if stops and missing > 0 else number_of_products
