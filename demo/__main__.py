"""Start everything on the embedded broker, play the story, and end everything again."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo import counter_auction, group_purchase
from demo.asking import answer, by_kind, show
from demo.mailbox import Mailbox
from demo.pages import pages_of
from demo.telling import Teller, check, tell_of_letter
from demo.watching import MissingStep, Stage
from runtime.running_stack import read_running, settings_here
from terminal.api import place_of

STORY_SECONDS_MAX = 90.0
#: All services are up by then on a machine with time.
UP_SECONDS = 15.0
#: The end of a letter.
ENDED = ("sent", "bounced", "suppressed")
#: The reply of a letter whose date passed before it could be sent.
TOO_LATE = "not sent: it was useful until"


def main(
    story: Annotated[
        bool, typer.Option("--story", help="At full speed; exit 1 when a step is missing.")
    ] = False,
    broker: Annotated[str, typer.Option(help="embedded, kafka, docker or external.")] = "embedded",
    letters: Annotated[
        bool, typer.Option("--letters", help="Print the text of a letter of each kind.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--open", help="Open the home page at the start.")
    ] = False,
) -> None:
    """Group purchases to everyone's favor, then an auction to the purchase that follows from it."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="jointbuy-demo-") as home:
        os.environ["JOINTBUY_HOME"] = home
        # The usual ports may be those of a stack that runs.
        os.environ.setdefault("JOINTBUY_PORTS", "20000-32000")
        announce = None if story else partial(tell_of_letter, console)
        with _ended_together(console, home), Mailbox(announce=announce) as mailbox:
            os.environ |= {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mailbox.port)}
            # Nobody who watches waits minutes for a letter.
            os.environ.setdefault("MERGE_MINUTES", "0")
            began = time.monotonic()
            _jointbuy("up", "--broker", broker)
            # A machine that starts the services slowly needs more time for the story, too.
            slowness = max((time.monotonic() - began) / UP_SECONDS, 1.0)
            home_page = _say_where(console)
            if browser:
                webbrowser.open(home_page)
            play = _play(console, mailbox, home_page, story, slowness)
            asyncio.run(asyncio.wait_for(play, _patience(story) * slowness))
            if letters:
                for each in by_kind(mailbox.letters()):
                    show(console, each[0])
            if not story:
                _let_ask(console, mailbox, home, home_page)


def _let_ask(console: Console, mailbox: Mailbox, home: str, home_page: str) -> None:
    """Say where everything is, and answer questions until the end."""
    console.print("\nThe story is told. Services run on until Ctrl-C.")
    console.print(f"The home page:  [bold]{home_page}[/]", soft_wrap=True)
    console.print(f"The auction:    {home_page}/auctions/{counter_auction.AUCTION}", soft_wrap=True)
    console.print("In a terminal:", soft_wrap=True)
    look = f"JOINTBUY_HOME={home} .venv/bin/jointbuy show {counter_auction.AUCTION}"
    console.print(look, soft_wrap=True, highlight=False)
    if sys.stdin.isatty():
        answer(console, mailbox, home_page)
    else:
        _until_interrupted()


@contextmanager
def _ended_together(console: Console, home: str) -> Iterator[None]:
    """End the services with the story, also after an error or Ctrl-C."""
    try:
        yield
    except (MissingStep, TimeoutError) as missing:
        console.print(f"[red]missing:[/] {missing or 'the story did not end in time'}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        console.print("\nending …")
    finally:
        if read_running(Path(home)) is not None:
            _jointbuy("down")


async def _play(
    console: Console, mailbox: Mailbox, home_page: str, story: bool, slowness: float
) -> None:
    async with Stage(settings_here(), slowness) as stage, pages_of(home_page) as pages:
        pause_seconds = 0.0 if story else 0.7
        teller = Teller(console, stage, pages, pause_seconds, slowness)
        teller.title("A group bulk purchase")
        await group_purchase.play(teller)
        teller.title("A joint purchase counter auction")
        await counter_auction.play(teller)
        teller.title("The letters")
        await _check_letters(teller, mailbox)


async def _check_letters(teller: Teller, mailbox: Mailbox) -> None:
    """Every letter arrived once, and no other did; a slow machine may be too late for some."""
    notices = teller.stage.notices()
    late = set()
    for notice_id, notice in notices.items():
        name = f"{notice['kind']} to {notice['recipient_id']}"
        delivery = await teller.stage.until(
            f"the letter {name}", "deliveries", notice_id, lambda seen: seen["status"] in ENDED
        )
        if delivery["status"] == "sent":
            await asyncio.to_thread(mailbox.wait_for_id, notice_id, name)
        else:
            check(TOO_LATE in delivery["reply"], f"the letter {name} sent: {delivery}")
            late.add(notice_id)
    arrived = Counter(letter.notice_id for letter in mailbox.letters())
    check(set(arrived) <= set(teller.stage.notices()), f"only letters of notices: {arrived}")
    check(max(arrived.values()) == 1, f"each letter once: {arrived.most_common(3)}")
    kinds = Counter(notices[each]["kind"] for each in notices.keys() - late)
    teller.say(f"{len(notices) - len(late)} letters arrived, each once")
    teller.note(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    if late:
        teller.note(f"{len(late)} more were not sent: this machine was too slow for their dates")


def _patience(story: bool) -> float:
    return STORY_SECONDS_MAX if story else 600.0


def _jointbuy(*arguments: str) -> None:
    command = [sys.executable, "-m", "terminal", *arguments]
    # In a session of its own, so that a Ctrl-C ends the story first and the services after it.
    if subprocess.run(command, check=False, start_new_session=True).returncode:
        raise SystemExit(f"jointbuy {arguments[0]} failed: see above")


def _say_where(console: Console) -> str:
    """Print how to see the processes. Returns the home page's address, which ``up`` has printed."""
    home = os.environ["JOINTBUY_HOME"]
    console.print("its processes, seen from another terminal:")
    console.print(f"JOINTBUY_HOME={home} .venv/bin/jointbuy status", soft_wrap=True)
    return place_of(None).url


def _until_interrupted() -> None:
    asyncio.run(asyncio.Event().wait())


if __name__ == "__main__":
    typer.run(main)
