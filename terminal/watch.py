"""``jointbuy watch``: counts, prices and the time left as they change, over server-sent events."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer
from httpx_sse import EventSource, ServerSentEvent
from rich.console import RenderableType
from rich.live import Live

from terminal import typed_values
from terminal.api import CONNECT_SECONDS, PREFIX, Place, connected
from terminal.console import Mistake, mistakes, out, say, steady_json
from terminal.options import Url, typed
from terminal.show import what_is
from terminal.watched import Watched, screen, watched

IDS_MAX = 50
#: A stream sends at least a comment every fifteen seconds.
SILENCE_SECONDS = 45.0
#: The pause between two tries, unless the stream tells another, and the longest pause.
PAUSE_SECONDS = 2.0
PAUSE_SECONDS_MAX = 15.0
FRAMES_PER_SECOND = 2

#: Takes a subject, its event, and whether it changed the view; ``None`` if there is trouble.
Tell = Callable[[Watched, ServerSentEvent | None, bool], None]


@mistakes()
def watch(
    references: Annotated[
        list[str], typer.Argument(metavar="ID…", help="Groups' ids, GB-…, or auctions'.")
    ],
    url: Url = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as a line of JSON.")
    ] = False,
) -> None:
    """Watch groups and auctions change, until all of them have ended, or Ctrl-C.

    On a terminal the view is live, elsewhere each change is a line.
    """
    wanted = list(dict.fromkeys(typed(typed_values.group_id, each) for each in references))
    if len(wanted) > IDS_MAX:
        raise Mistake(f"at most {IDS_MAX} can be watched at once: leave some out", usage=True)
    with connected(url) as api:
        found = [watched(*what_is(api, each)) for each in wanted]
        place = api.place
    try:
        if as_json:
            asyncio.run(_follow_all(place, found, _print_event))
        elif sys.stdout.isatty():
            _show_live(place, found)
        else:
            for each in found:
                say(each.line(datetime.now(UTC)))
            asyncio.run(_follow_all(place, found, _print_line))
    except KeyboardInterrupt:
        # The ordinary end of watching.
        raise typer.Exit from None


def _show_live(place: Place, found: list[Watched]) -> None:
    console = out()

    def now_on_screen() -> RenderableType:
        return screen(found, datetime.now(UTC), console.width)

    with Live(
        console=console, get_renderable=now_on_screen, refresh_per_second=FRAMES_PER_SECOND
    ) as live:
        asyncio.run(_follow_all(place, found, lambda *_: live.refresh()))


def _print_event(of: Watched, event: ServerSentEvent | None, _: bool) -> None:
    if event is None:
        _print_trouble(of)
    else:
        say(steady_json(event.data.encode()).decode())
        sys.stdout.flush()


def _print_line(of: Watched, event: ServerSentEvent | None, is_change: bool) -> None:
    if event is None:
        _print_trouble(of)
    elif is_change:
        say(of.line(datetime.now(UTC)))
        sys.stdout.flush()


def _print_trouble(of: Watched) -> None:
    say(f"jointbuy: {of.id}: {of.trouble}", err=True)


# --- following -----------------------------------------------------------------------------------


async def _follow_all(place: Place, found: list[Watched], tell: Tell) -> None:
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None)
    async with httpx.AsyncClient(base_url=place.url + PREFIX, timeout=timeout) as client:
        await asyncio.gather(*(_follow(client, each, tell) for each in found))


async def _follow(client: httpx.AsyncClient, of: Watched, tell: Tell) -> None:
    """Tell every state until the subject has ended; reconnect when the stream ends."""
    if of.has_ended and not of.version:
        return
    last_id, pause, first_pause = "", 0.0, PAUSE_SECONDS
    while True:
        if pause:
            await asyncio.sleep(pause)
        try:
            async with _stream(client, of, last_id) as events:
                async for event in events:
                    # The connection works again.
                    of.trouble, pause = "", 0.0
                    if event.retry is not None:
                        first_pause = event.retry / 1000
                    # httpx-sse also gives comments and pauses, as events without data.
                    if not event.data:
                        continue
                    last_id = event.id
                    tell(of, event, of.take(event.data, datetime.now(UTC)))
                    if of.has_ended:
                        return
            trouble = "the stream ended"
        except httpx.TransportError as error:
            trouble = f"the connection is lost ({type(error).__name__})"
        except _Later as later:
            trouble, pause = str(later), max(pause, later.seconds)
        pause = min(max(pause * 2, first_pause), PAUSE_SECONDS_MAX)
        of.trouble = f"{trouble}; trying again in {pause:g} s"
        tell(of, None, False)


class _Later(Exception):
    """The server gives no stream now; try again after ``seconds``."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"no stream now (HTTP {status})")
        self.seconds = float(told) if told.isascii() and told.isdigit() else 0.0


@asynccontextmanager
async def _stream(
    client: httpx.AsyncClient, of: Watched, last_id: str
) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    async with client.stream("GET", f"{of.path}/events", headers=headers) as answer:
        if answer.status_code != httpx.codes.OK:
            raise _Later(answer.status_code, answer.headers.get("Retry-After", ""))
        yield EventSource(answer).aiter_sse()
