"""A shop's poll position, and the orders to ask for again, in a file.

An order that could not be fetched or read does not hold the others back: the position moves on, and
the order is kept here with the time of its next try. So it is not lost when the process restarts.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

#: Pauses after the first, second, … failed try; the last is for all further ones.
PAUSES = tuple(timedelta(minutes=each) for each in (1, 5, 15, 60, 360, 1_440))


@dataclass(frozen=True, slots=True)
class Retry:
    """An order that is asked for again at ``at``, after so many ``tries`` since ``since``."""

    since: datetime
    tries: int
    at: datetime
    problem: str


@dataclass(slots=True)
class State:
    """The time up to which Kafka has the changes of each list, and the failed orders."""

    up_to: dict[str, datetime] = field(default_factory=dict)
    again: dict[str, Retry] = field(default_factory=dict)

    def fails(self, order_id: str, problem: str, now: datetime) -> bool:
        """Note that an order failed. Returns whether this is the first failure, or has a new
        reason.
        """
        known = self.again.get(order_id)
        tries = known.tries + 1 if known is not None else 1
        pause = PAUSES[min(tries, len(PAUSES)) - 1]
        since = known.since if known is not None else now
        self.again[order_id] = Retry(since, tries, now + pause, problem)
        return known is None or known.problem != problem

    def due(self, now: datetime, most: int) -> list[str]:
        """The orders to ask for again, the one that waits longest first."""
        waiting = sorted((each.at, order_id) for order_id, each in self.again.items())
        return [order_id for at, order_id in waiting if at <= now][:most]


class Position:
    """The file."""

    def __init__(self, folder: Path, shop: str) -> None:
        self._path = folder / "shop_bridge" / f"polled-{shop}.json"

    def read(self) -> State:
        """The file's state; that of a new shop if there is no file, or it can't be read."""
        try:
            told = json.loads(self._path.read_text())
            return State(
                {name: _instant(at) for name, at in told["up_to"].items()},
                {
                    order_id: Retry(
                        _instant(each["since"]),
                        int(each["tries"]),
                        _instant(each["at"]),
                        str(each["problem"]),
                    )
                    for order_id, each in told["again"].items()
                },
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return State()

    def write(self, state: State) -> None:
        """Replace the file in one step."""
        told = {
            "up_to": {name: at.isoformat() for name, at in state.up_to.items()},
            "again": {
                order_id: {
                    "since": each.since.isoformat(),
                    "tries": each.tries,
                    "at": each.at.isoformat(),
                    "problem": each.problem,
                }
                for order_id, each in state.again.items()
            },
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(told))
        draft.replace(self._path)


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a time zone")
    return at
