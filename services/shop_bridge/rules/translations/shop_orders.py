"""What all shops' translations give: events, and what of them only people can mend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.parts import Message
from schemas.shop_orders import (
    PROBLEM_MAX,
    ShopOrderGone,
    ShopOrderSeen,
    ShopOrderUnnamed,
    ShopRefundSeen,
)
from services.shop_bridge.rules.versions import is_settled


@dataclass(frozen=True)
class Told:
    """What a delivery says.

    ``events`` go out in order. ``mistyped`` is the event whose lines name a group by what is no
    id: it goes out too, and as a dead letter that ops can mend. ``gone`` is an order that is
    deleted, of which no more is told; when, is said by who took the delivery. ``problem`` says
    which lines of groups can't be counted: the order goes out without them. ``ignored`` says why an
    order counts in no group, whatever it names.
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

    def stamped(self, told_at: datetime | None, settles: timedelta | None = None) -> "Told":
        """With the time at which the shop sent it, which decides between changes of one second.

        With ``settles``, only a snapshot whose change is that long ago gets it.
        """

        def stamp(updated_at: datetime) -> datetime | None:
            is_new = settles is not None and told_at and told_at - updated_at < settles
            return None if is_new else told_at

        return self._stamped(stamp)

    def as_read(self, asked_at: datetime, read_at: datetime | None) -> "Told":
        """With the time of the poll that read it; ``read_at`` is that time on the shop's clock.

        A snapshot is final for its second only if the second had ended by then.
        """

        def stamp(updated_at: datetime) -> datetime | None:
            is_truth = read_at is not None and is_settled(updated_at, read_at)
            return asked_at if is_truth else None

        return self._stamped(stamp)

    def _stamped(self, stamp: Callable[[datetime], datetime | None]) -> "Told":
        events = [
            each.model_copy(update={"told_at": stamp(each.updated_at)})
            if isinstance(each, ShopOrderSeen | ShopOrderUnnamed)
            else each
            for each in self.events
        ]
        letter = self.mistyped
        if letter is not None:
            letter = letter.model_copy(update={"told_at": stamp(letter.updated_at)})
        return replace(self, events=tuple(events), mistyped=letter)

    @property
    def order_id(self) -> str:
        """The shop's own id of the order of which a group is named; empty if none is."""
        seen = [each for each in self.events if isinstance(each, ShopOrderSeen)]
        return seen[-1].order_id if seen else ""

    @property
    def names_no_group(self) -> bool:
        """Whether it is a snapshot that matters only if the order is known."""
        return any(isinstance(each, ShopOrderUnnamed) for each in self.events)


def shop_order(source: str, order_id: str) -> str:
    """The key of a shop's order."""
    return f"{source}:{order_id}"


def told(
    seen: ShopOrderSeen,
    refunds: Sequence[ShopRefundSeen] = (),
    problems: Sequence[str] = (),
) -> Told:
    """A snapshot, refunds first so that returns are named after them.

    One that names no group goes on without its buyer: the order may have named one before.
    ``problems`` are those of its refunds; those of its lines stand in them.
    """
    ours = [line for line in seen.lines if line.group_id or line.mistyped]
    if not ours:
        unnamed = ShopOrderUnnamed(
            shop_order=seen.shop_order,
            updated_at=seen.updated_at,
            paid=seen.paid,
            cancelled=seen.cancelled,
            lines=seen.lines,
            told_at=seen.told_at,
            part_id=seen.part_id,
        )
        return Told(events=(*refunds, unnamed))
    found = [f"line {line.line_id}: {line.problem}" for line in ours if line.problem]
    problem = "; ".join([*found, *problems])[:PROBLEM_MAX] or None
    seen = seen.model_copy(update={"problem": problem})
    is_mistyped = any(line.mistyped for line in ours)
    # As mended by ops it must not pass for the delivery that has been taken.
    letter = seen.model_copy(update={"deliveries": ()}) if is_mistyped else None
    return Told(events=(*refunds, seen), mistyped=letter, problem=problem)
