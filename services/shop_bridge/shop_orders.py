"""What all shops' translations give: events, and what of them only people can mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.messages import Message, ShopOrderGone, ShopOrderSeen, ShopRefundSeen


@dataclass(frozen=True)
class Told:
    """What a delivery says.

    ``events`` go out in order. ``mistyped`` is the event whose lines name a group by what is no
    id: it goes out too, and as a dead letter that ops can mend. ``gone`` is an order that is
    deleted or cancelled of which no more is told; when, is said by who took the delivery.
    """

    events: tuple[Message, ...] = ()
    mistyped: ShopOrderSeen | None = None
    gone: str | None = None

    def at(self, now: datetime) -> Sequence[Message]:
        """All events, for a delivery taken at ``now``."""
        if self.gone is None:
            return self.events
        return (*self.events, ShopOrderGone(shop_order=self.gone, gone_at=now))


def shop_order(source: str, order_id: str) -> str:
    """The key of a shop's order."""
    return f"{source}:{order_id}"


def told(seen: ShopOrderSeen, refunds: Sequence[ShopRefundSeen] = ()) -> Told:
    """A snapshot that names a group, refunds first so that returns are named after them.

    One that names none is not ours: only that it is cancelled goes on, as it may have named one.
    """
    if not any(line.group_id or line.mistyped for line in seen.lines):
        return Told(gone=seen.shop_order if seen.cancelled else None)
    is_mistyped = any(line.mistyped for line in seen.lines)
    # As mended by ops it must not pass for the delivery that has been taken.
    letter = seen.model_copy(update={"deliveries": ()}) if is_mistyped else None
    return Told(events=(*refunds, seen), mistyped=letter)
