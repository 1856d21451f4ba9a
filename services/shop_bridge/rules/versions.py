"""Which of two snapshots of a shop's order is the later one, in any order of arrival.

A shop's ``updated_at`` is exact to the second, and much can happen in a second: Shopify sends two
webhooks with one ``updated_at``, and WooCommerce's ``failed`` and ``processing`` of one second
overtake each other (woocommerce#26356, #27066). So a snapshot is placed by three things, the first
that differs decides:

1. ``updated_at``, the time of the change, on the shop's clock;
2. ``told_at``, when the shop said so: Shopify's ``X-Shopify-Triggered-At``; for WooCommerce, when a
   poll asked after that second had ended, or a webhook came a minute or more after it. A snapshot
   that was told within its own second has none, and gives way to one that has;
3. what it says: as a status follows another, cancelled after it was paid comes last, before it
   paid, then cancelled (or failed) unpaid, and first not paid yet.

If all three are equal, the one with more units taken out is kept, then the one with more units, so
that the outcome depends on what was said alone. An order that was paid at its ``updated_at`` stays
paid: Shopify says so by a topic of its own, and nobody takes a payment back within a second.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
#: Higher than every rank: the shop has deleted the order.
GONE_RANK = 4


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """The place of a snapshot among all of its order; the later one is the greater."""

    updated_at: datetime = NEVER
    told_at: datetime = NEVER
    rank: int = 0


#: Before every snapshot.
FIRST = Version()


def version(
    updated_at: datetime, told_at: datetime | None, *, paid: bool, cancelled: bool | None
) -> Version:
    """The place of a snapshot that says this."""
    rank = (3 if paid else 1) if cancelled else (2 if paid else 0)
    return Version(updated_at, told_at or NEVER, rank)


def gone(at: datetime) -> Version:
    """The place of the message that an order is deleted."""
    return Version(at, at, GONE_RANK)


def further(
    lines: Iterable[tuple[str, int, int, int]],
) -> tuple[int, int, list[tuple[object, ...]]]:
    """The tie-break between snapshots of one version: (line, quantity, removed, value) each."""
    each_of = sorted(lines)
    return sum(line[2] for line in each_of), sum(line[1] for line in each_of), [*each_of]


def is_settled(updated_at: datetime, read_at: datetime) -> bool:
    """Whether all changes of the second ``updated_at`` were made before ``read_at``.

    Both times are of one clock. ``read_at`` must not be later than the moment of reading.
    """
    return read_at - updated_at.replace(microsecond=0) >= SECOND
