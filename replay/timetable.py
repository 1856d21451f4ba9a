"""In which order records go out, and which hours pass between them.

Undisturbed, orders go out in the order of their times. For tests of the services, some records
can be sent twice, and orders can be displaced, keeping their own timestamps. Either way it holds:

    A ``TimePassed(at)`` goes out only when no record of a time before ``at`` is still to come.

So no clock passes a time that a record still to come has, up to what the displaced orders' own
timestamps do: a record goes out at most ``shuffle_seconds`` after one of a later time, and a
group closes ``grace_seconds`` after its last order was made. With the grace at least as long as
the shuffle, nothing closes early and every outcome is that of the undisturbed replay; with a
shorter one, orders come late.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random

from replay.stretch import Timed
from schemas.parts import TimePassed

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Faults:
    """What goes wrong on purpose; the same ``seed`` makes the same faults."""

    repeat_percent: float = 0.0
    shuffle_seconds: int = 0
    seed: int = 0


class Timetable:
    """Takes orders a stretch at a time, and tells what to send until a time has come.

    ``repeated`` counts the copies made so far.
    """

    def __init__(self, starts_at: datetime, faults: Faults) -> None:
        self._faults = faults
        self._random = Random(faults.seed)
        self._lag = timedelta(seconds=faults.shuffle_seconds)
        self._hour = starts_at.replace(minute=0, second=0, microsecond=0) + HOUR
        self._waiting: list[tuple[datetime, Timed]] = []
        self.repeated = 0

    def add(self, orders: Iterable[Timed]) -> None:
        """Take orders that are not earlier than what ``until`` was last asked for."""
        self._waiting += displaced(orders, self._faults.shuffle_seconds, self._random)
        self._waiting.sort(key=itemgetter(0))

    def until(self, end: datetime) -> Iterator[Timed]:
        """What goes out before ``end``, each hour behind the records that belong before it.

        A displaced order may belong before its hour until ``shuffle_seconds`` after it, so hours
        lag by as much; and orders displaced to ``end`` or beyond are kept for the next call.
        """
        while (turn := self._hour + self._lag) <= end:
            yield from self._before(turn)
            yield Timed(self._hour, TimePassed(at=self._hour))
            self._hour += HOUR
        yield from self._before(end)

    def rest(self, deadline: datetime) -> Iterator[Timed]:
        """All that is left, and the hours up to ``deadline``, then a second past it."""
        yield from self.until(deadline + self._lag)
        yield Timed(deadline + SECOND, TimePassed(at=deadline + SECOND))

    def repeat(self, records: Sequence[Timed]) -> list[Timed]:
        """The records, some of them twice; see ``repeated``."""
        sent = repeated(records, self._faults.repeat_percent, self._random)
        self.repeated += len(sent) - len(records)
        return sent

    def _before(self, turn: datetime) -> list[Timed]:
        count = bisect_left(self._waiting, turn, key=itemgetter(0))
        leaving, self._waiting = self._waiting[:count], self._waiting[count:]
        # Here, so that a copy never crosses an hour: it goes out before its group can close.
        return self.repeat([record for _, record in leaving])


def displaced(
    records: Iterable[Timed], seconds: int, random: Random
) -> list[tuple[datetime, Timed]]:
    """Each record with the time at which it goes out, up to ``seconds`` after its own."""
    if not seconds:
        return [(record.at, record) for record in records]
    return [
        (record.at + timedelta(seconds=random.uniform(0, seconds)), record) for record in records
    ]


def repeated(records: Sequence[Timed], percent: float, random: Random) -> list[Timed]:
    """The records in their order, and somewhere behind ``percent`` of them a copy."""
    places: list[tuple[float, Timed]] = list(enumerate(records))
    copies = [
        (random.uniform(place, len(records)), record)
        for place, record in places
        if random.random() * 100 < percent
    ]
    return [record for _, record in sorted([*places, *copies], key=itemgetter(0))]
