"""``jointbuy lag``: how far each consumer group is behind, once or live."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import orjson
import typer
from aiokafka.errors import KafkaError
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runtime.clients import TransportError
from runtime.running_stack import settings_here
from runtime.settings import Settings
from terminal.console import (
    Mistake,
    cell,
    count,
    mistakes,
    out,
    print_json,
    print_table,
    say,
    span,
    table,
    when,
)
from terminal.lags import Lag, lags, without_group
from terminal.options import AsJson

LOOK_SECONDS: Final = 2.0
FRAMES_PER_SECOND: Final = 2
_NUMBERS: Final = ("End", "Committed", "Lag", "Worst", "Oldest unread")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(lag)


@mistakes()
def lag(
    as_json: AsJson = False,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Look again every two seconds, until Ctrl-C."),
    ] = False,
) -> None:
    """Print how far each consumer group is behind on each topic, and its oldest unread record.

    The age is by the record's timestamp, which its writer sets. With --watch, a terminal shows the
    groups that are behind, the oldest first; elsewhere each change is a line. With --watch --json
    each look is a line.
    """
    settings = settings_here()
    if watch:
        try:
            asyncio.run(_watch(settings, as_json=as_json))
        except KeyboardInterrupt:
            # The ordinary end of watching.
            raise typer.Exit from None
    found, now = asyncio.run(lags(settings)), datetime.now(UTC)
    if as_json:
        print_json([each.as_json(now) for each in found])
        return
    if found:
        print_table(rows(found, now))
    if missing := without_group(found):
        say(f"{', '.join(missing)}: nothing committed yet, or not running; see `jointbuy status`")


def rows(found: Sequence[Lag], now: datetime) -> Table:
    """A row for each group and topic."""
    made = table("Group", "Topic", *_NUMBERS, right=_NUMBERS)
    for each in found:
        age = each.age(now)
        shown = [f"{number:,}" for number in (each.end, each.committed, each.lag, each.lag_max)]
        shown.append("" if age is None else span(age))
        style = "yellow" if each.lag else ""
        made.add_row(each.group, each.topic, *(cell(text, style) for text in shown))
    return made


# --- live ----------------------------------------------------------------------------------------


def screen(found: Sequence[Lag], trouble: str, now: datetime) -> Group:
    """The groups that are behind, the oldest unread record first, and what is wrong."""
    behind = [each for each in found if each.lag]
    behind.sort(key=lambda each: (each.oldest_unread_at or now, -each.lag))
    shown: list[RenderableType] = [rows(behind, now)] if behind else []
    rest = len(found) - len(behind)
    shown.append(Text(f"{count(rest, 'pair')} of group and topic at the end, {when(now)}", "dim"))
    if trouble:
        shown.append(cell(trouble, "yellow"))
    return Group(*shown)


def line(each: Lag, now: datetime) -> str:
    """A group on a topic in one line, for output that is not a terminal."""
    age = each.age(now)
    oldest = "" if age is None else f", oldest unread {span(age)}"
    return f"{when(now)}  {each.group}  {each.topic}  lag {each.lag:,}{oldest}"


async def _watch(settings: Settings, *, as_json: bool) -> None:
    if sys.stdout.isatty() and not as_json:
        await _show_live(settings)
    known: dict[tuple[str, str], int] = {}
    async for found, trouble in _looks(settings):
        now = datetime.now(UTC)
        if trouble:
            say(f"jointbuy: {trouble}", err=True)
        elif as_json:
            say(orjson.dumps([each.as_json(now) for each in found]).decode())
        else:
            for each in found:
                place = (each.group, each.topic)
                if known.get(place, 0) != each.lag:
                    say(line(each, now))
                known[place] = each.lag
        sys.stdout.flush()


async def _show_live(settings: Settings) -> None:
    found: list[Lag] = []
    trouble = "looking"

    def now_on_screen() -> RenderableType:
        return screen(found, trouble, datetime.now(UTC))

    with Live(
        console=out(), get_renderable=now_on_screen, refresh_per_second=FRAMES_PER_SECOND
    ) as live:
        async for looked, trouble in _looks(settings):  # noqa: B007 - the screen reads it
            found = looked or found
            live.refresh()


async def _looks(settings: Settings) -> AsyncIterator[tuple[list[Lag], str]]:
    """The lags every few seconds; none, and why, while the broker is away."""
    while True:
        try:
            yield await lags(settings), ""
        except (Mistake, KafkaError, TransportError, OSError) as error:
            yield [], f"{error or type(error).__name__}; looking again"
        await asyncio.sleep(LOOK_SECONDS)
