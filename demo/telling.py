"""Saying what is seen, step by step, at the audience's speed."""

import asyncio
from datetime import timedelta

from rich.console import Console, RenderableType

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
        self._console.print(f"[bold cyan]{self._step:>2}[/] {text}", soft_wrap=True)

    def note(self, text: str) -> None:
        """More of the same step."""
        self._console.print(f"   {text}", soft_wrap=True)

    def show(self, what: RenderableType) -> None:
        """A table."""
        self._console.print(what)

    async def pause(self, times: float = 1.0) -> None:
        """Watchable speed."""
        await asyncio.sleep(self._pause_seconds * times)


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
