"""What all shops' translations give: events, and what of them only people can mend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.messages import Message, ShopOrderGone, ShopOrderSeen, ShopRefundSeen

PROBLEM_MAX = 500


@dataclass(frozen=True)
class Told:
    """What a delivery says.

    ``events`` go out in order. ``mistyped`` is the event whose lines name a group by what is no
    id: it goes out too, and as a dead letter that ops can mend. ``gone`` is an order that is
    deleted or cancelled of which no more is told; when, is said by who took the delivery.
    ``problem`` says which lines of groups can't be counted: the order goes out without them.
    ``ignored`` says why an order counts in no group, whatever it names.
    """

    events: tuple[Message, ...] = ()
    mistyped: ShopOrderSeen | None = None
    gone: str | None = None
    problem: str | None = None
    ignored: str | None = None

    def at(self, now: datetime) -> Sequence[Message]:
        """All events, for a delivery taken at ``now``."""
        if self.gone is None:
            return self.events
        return (*self.events, ShopOrderGone(shop_order=self.gone, gone_at=now))


def shop_order(source: str, order_id: str) -> str:
    """The key of a shop's order."""
    return f"{source}:{order_id}"


def told(
    seen: ShopOrderSeen,
    refunds: Sequence[ShopRefundSeen] = (),
    problems: Sequence[str] = (),
) -> Told:
    """A snapshot that names a group, refunds first so that returns are named after them.

    One that names none is not ours: only that it is cancelled goes on, as it may have named one.
    ``problems`` are those of its refunds; those of its lines stand in them.
    """
    ours = [line for line in seen.lines if line.group_id or line.mistyped]
    if not ours:
        return Told(gone=seen.shop_order if seen.cancelled else None)
    found = [f"line {line.line_id}: {line.problem}" for line in ours if line.problem]
    problem = "; ".join([*found, *problems])[:PROBLEM_MAX] or None
    seen = seen.model_copy(update={"problem": problem})
    is_mistyped = any(line.mistyped for line in ours)
    # As mended by ops it must not pass for the delivery that has been taken.
    letter = seen.model_copy(update={"deliveries": ()}) if is_mistyped else None
    return Told(events=(*refunds, seen), mistyped=letter, problem=problem)
