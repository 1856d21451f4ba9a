"""What became of a reservation, by what our pages noted of it and of others of its person."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from services.storefront.rules.rows import KeptReservation, ReservationStanding


class Noted(Protocol):
    """A row of a reservation; its times are milliseconds. Rows of before have no quantity."""

    @property
    def quantity(self) -> int | None:
        """Its units."""

    @property
    def at(self) -> int:
        """When it was made."""

    @property
    def confirmed_at(self) -> int | None:
        """When its link was followed."""

    @property
    def withdrawn_at(self) -> int | None:
        """When it was taken back."""


def kept(own: Noted, confirmed: Sequence[Noted]) -> KeptReservation:
    """What is known of a reservation; ``confirmed`` are the others of its person in the auction."""
    earlier = [each for each in confirmed if each.at < own.at]
    last = max(earlier, key=lambda each: each.at, default=None)
    # If the last one was withdrawn, those before it were replaced long ago.
    before = last.quantity if last is not None and last.withdrawn_at is None else None
    withdrawn_at = None
    if own.withdrawn_at is not None:
        withdrawn_at = datetime.fromtimestamp(own.withdrawn_at / 1000, UTC)
    return KeptReservation(_standing(own, confirmed), own.quantity or 0, before, withdrawn_at)


def _standing(own: Noted, confirmed: Sequence[Noted]) -> ReservationStanding:
    if own.withdrawn_at is not None:
        return "withdrawn"
    if own.quantity is None:
        return "unknown"
    if any(each.at > own.at for each in confirmed):
        return "replaced"
    return "unconfirmed" if own.confirmed_at is None else "confirmed"
