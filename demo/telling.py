"""Saying what is seen, step by step, at the audience's speed."""

import asyncio
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from demo.mailbox import Letter
from demo.pages import Pages
from demo.watching import MissingStep, Stage


class Teller:
    """Numbers the steps through all stories; pauses only for who watches."""

    def __init__(
        self, console: Console, stage: Stage, pages: Pages, pause_seconds: float, slowness: float
    ) -> None:
        self.stage = stage
        self.pages = pages
        self._console = console
        self._pause_seconds = pause_seconds
        self._slowness = slowness
        self._step = 0

    @property
    def is_watched(self) -> bool:
        """Whether someone watches, and steps are to last."""
        return self._pause_seconds > 0

    def span(self, seconds: float) -> timedelta:
        """How long something is open here, that is open for so long on a machine with time."""
        return timedelta(seconds=seconds * self._slowness)

    def title(self, text: str) -> None:
        """What comes next."""
        self._console.print(f"\n[bold]{text}[/]")

    def say(self, text: str) -> None:
        """A step that was seen."""
        self._step += 1
        self._told(f"[bold cyan]{self._step:>2}[/]", text)

    def note(self, text: str) -> None:
        """More of the same step."""
        self._told("  ", text)

    def _told(self, mark: str, text: str) -> None:
        """A text beside its mark, folded between words."""
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row(mark, Text.from_markup(text))
        self._console.print(line)

    def show(self, what: RenderableType) -> None:
        """A table."""
        self._console.print(what)

    async def pause(self, times: float = 1.0) -> None:
        """Watchable speed."""
        await asyncio.sleep(self._pause_seconds * times)


def tell_of_letter(console: Console, letter: Letter) -> None:
    """A letter that arrived, in one line: its text can be read at the end."""
    line = Text(f"   ✉ {letter.to}: {letter.subject}", style="dim")
    console.print(line, no_wrap=True, overflow="ellipsis")


def some_of(counts: list[int]) -> str:
    """Numbers in one line: ``0, 2, 5, … 45, 47, 48`` if there are many."""
    words = [str(each) for each in counts]
    return ", ".join(words if len(words) <= 10 else [*words[:5], "…", *words[-3:]])


def check(holds: bool, what: str) -> None:
    """A step that must be so; raises ``MissingStep``."""
    if not holds:
        raise MissingStep(what)


def check_rose(counts: list[int], to: int, what: str) -> None:
    """An open page must have counted up, in steps, to this."""
    rose = len(counts) > 1 and counts == sorted(counts) and counts[-1] == to
    check(rose, f"{what} rising to {to} on the open page: {counts}")


def euros(cents: int) -> str:
    """``1,234.50``."""
    return f"{cents / 100:,.2f}"
