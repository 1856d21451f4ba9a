"""Whether anything still moves, from what ``/status`` says of every partition, look after look."""

from collections import Counter
from collections.abc import Sequence
from typing import Any


class Standing:
    """Looks at all partitions of all services that chain together.

    What an idle service has just sent may not have reached the next one, which calls itself idle by
    the broker's last answer. So nothing counts as at rest before each partition has been answered
    twice more since the first look, and stands where it stood.
    """

    LOOKS = 3

    def __init__(self) -> None:
        self._agreed = 0
        self._places: list[Any] = []
        self._answered: list[int] = []

    def look(self, partitions: Sequence[dict[str, Any]] | None) -> bool:
        """Whether all stands still, with one more look.

        ``partitions`` are the entries of every service's ``/status`` in the same order each time,
        ``None`` where one could not be asked.
        """
        if not partitions or not all(each["idle"] for each in partitions):
            self._agreed = 0
            return False
        places = [(each["processor"], each["partition"], each["positions"]) for each in partitions]
        answered = [each["answered_ms"] for each in partitions]
        if self._agreed and places != self._places:
            self._agreed = 0
        is_news = not self._agreed or all(
            now > before for now, before in zip(answered, self._answered, strict=True)
        )
        if is_news:
            self._agreed += 1
            self._places, self._answered = places, answered
        return self._agreed >= self.LOOKS


def left_outside(partitions: Sequence[dict[str, Any]]) -> list[str]:
    """The calls that are left at rest: a line for each processor and cause of waiting.

    ``partitions`` are entries of ``/status``. A call does something outside, such as sending
    a letter. It waits for its server, or for a set time, such as its next try.
    """
    calls: Counter[tuple[str, str]] = Counter()
    why: dict[tuple[str, str], str] = {}
    for each in partitions:
        left = each.get("calls", 0)
        for waiting in each.get("waits_for", ()):
            of = (each["processor"], waiting["server"])
            calls[of] += waiting["calls"]
            why[of] = f" ({waiting['why']})" if waiting["why"] else ""
            left -= waiting["calls"]
        if left > 0:
            calls[each["processor"], "its time, such as the next try"] += left
    return [
        f"{processor}: {count:,} wait{'' if count > 1 else 's'} for {what}"
        f"{why.get((processor, what), '')}"
        for (processor, what), count in sorted(calls.items())
    ]
