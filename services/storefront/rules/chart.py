"""The price of an auction over time, as steps: SVG in the page, without styles of its own.

Figures come written; this places them. All coordinates are whole numbers of the frame's units, so
the same prices always give the same picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape


@dataclass(frozen=True, slots=True)
class Step:
    """From this time on, this price; ``written`` for the reader."""

    at: datetime
    amount: int
    written: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A time on the axis, named."""

    at: datetime
    written: str


@dataclass(frozen=True, slots=True)
class Frame:
    """How large the picture is; ``name`` becomes a class, by which a page shows the one that fits.

    Text scales with the picture, so a narrow screen gets a narrow frame.
    """

    name: str
    width: int
    height: int


WIDE, NARROW = Frame("wide", 640, 270), Frame("narrow", 350, 230)
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 34, 40
#: As much room as a written price needs before the next one can stand beside it.
_LABEL_WIDTH = 84


def step_chart(
    steps: Sequence[Step], ends: Mark, now: datetime, begins: Mark, summary: str, frame: Frame
) -> str:
    """The picture of ``steps`` (the first at the opening) until the term ends.

    What is to come, at the price as it stands, is a line of its own kind. ``summary`` is what is
    told to those who don't see it.
    """
    place = _Places(frame, begins.at, ends.at, [step.amount for step in steps])
    until = min(max(now, steps[-1].at), ends.at)
    content = (
        *_axis(place, begins, ends),
        f'<path class="area" d="{_area(place, steps, until)}"/>',
        *_future(place, steps[-1], until, ends.at),
        f'<path class="line" d="{_line(place, steps, until)}"/>',
        *_labels(place, steps),
        f'<circle class="now" cx="{place.x(until)}" cy="{place.y(steps[-1].amount)}" r="5"/>',
    )
    return (
        f'<svg class="chart {frame.name}" viewBox="0 0 {frame.width} {frame.height}" role="img"'
        f' aria-label="{escape(summary)}">{"".join(content)}</svg>'
    )


class _Places:
    """Where a time and an amount stand."""

    def __init__(
        self, frame: Frame, begins: datetime, ends: datetime, amounts: Sequence[int]
    ) -> None:
        self.frame = frame
        self._begins = begins
        self._span = max((ends - begins) // timedelta(microseconds=1), 1)
        # The lowest price stands above the axis: nobody is to read it as nothing.
        self._most = max(amounts)
        least = min(amounts)
        self._least = least - max((self._most - least) // 2, 1)
        self.left, self.right = _LEFT, frame.width - _RIGHT
        self.bottom = frame.height - _BOTTOM

    def x(self, at: datetime) -> int:
        """From the left."""
        past = (at - self._begins) // timedelta(microseconds=1)
        past = min(max(past, 0), self._span)
        return self.left + past * (self.right - self.left) // self._span

    def y(self, amount: int) -> int:
        """From the top."""
        above = amount - self._least
        return self.bottom - above * (self.bottom - _TOP) // (self._most - self._least)


def _line(place: _Places, steps: Sequence[Step], until: datetime) -> str:
    first = steps[0]
    path = [f"M{place.x(first.at)} {place.y(first.amount)}"]
    for step in steps[1:]:
        path.append(f"H{place.x(step.at)}V{place.y(step.amount)}")
    path.append(f"H{place.x(until)}")
    return "".join(path)


def _area(place: _Places, steps: Sequence[Step], until: datetime) -> str:
    return f"{_line(place, steps, until)}V{place.bottom}H{place.x(steps[0].at)}Z"


def _future(place: _Places, last: Step, until: datetime, ends: datetime) -> Iterator[str]:
    if until < ends:
        y = place.y(last.amount)
        yield f'<path class="future" d="M{place.x(until)} {y}H{place.x(ends)}"/>'


def _axis(place: _Places, begins: Mark, ends: Mark) -> Iterator[str]:
    y = place.bottom
    yield f'<path class="axis" d="M{place.left} {y}H{place.right}"/>'
    for mark, x, anchor in ((begins, place.left, "start"), (ends, place.right, "end")):
        yield (
            f'<text class="when" x="{x}" y="{y + 24}" text-anchor="{anchor}">'
            f"{escape(mark.written)}</text>"
        )


def _labels(place: _Places, steps: Sequence[Step]) -> Iterator[str]:
    """Prices over their steps: the latest for certain, others where they have room."""
    taken: list[int] = []
    for number in _by_importance(len(steps)):
        step = steps[number]
        x = place.x(step.at)
        if any(abs(x - other) < _LABEL_WIDTH for other in taken):
            continue
        taken.append(x)
        is_last = number == len(steps) - 1
        is_far_right = x > place.right - _LABEL_WIDTH
        # Beside the line that comes down to it, not on it.
        beside = 7 if number else 0
        anchor, at = ("end", x - beside) if is_far_right else ("start", x + beside)
        name = "price latest" if is_last else "price"
        y = place.y(step.amount) + (5 if is_far_right else -11)
        yield (
            f'<text class="{name}" x="{at}" y="{y}"'
            f' text-anchor="{anchor}">{escape(step.written)}</text>'
        )


def _by_importance(count: int) -> Iterator[int]:
    """The latest, the first, then the others from the latest back."""
    yield count - 1
    if count > 1:
        yield 0
    yield from range(count - 2, 0, -1)


# --- how far it is -------------------------------------------------------------------------------

#: Units of a bar's length.
LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class Bar:
    """A count on its way to a goal: how much is filled, and where the goal and other marks stand.

    The bar is as long as the goal, or as what is there already if that is more.
    """

    filled: int
    goal: int
    marks: tuple[int, ...]


def bar(count: int, goal: int, marks: Sequence[int] = ()) -> Bar:
    """The bar of ``count`` towards ``goal``; ``marks`` may lie beyond both."""
    length = max(count, goal, *marks, 1)
    return Bar(
        filled=count * LENGTH // length,
        goal=goal * LENGTH // length,
        marks=tuple(mark * LENGTH // length for mark in marks),
    )
