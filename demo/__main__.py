"""Start everything on the embedded broker, play the story, and end everything again."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from demo.group_purchase import play
from demo.watching import MissingStep
from services.runtime.running import read_running, settings_here

STORY_SECONDS_MAX = 90.0


def main(
    story: Annotated[
        bool, typer.Option("--story", help="At full speed; exit 1 when a step is missing.")
    ] = False,
    broker: Annotated[str, typer.Option(help="embedded, kafka, docker or external.")] = "embedded",
) -> None:
    """A group purchase from the shop's definition to everyone's favor."""
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="jointbuy-demo-") as home:
        os.environ["JOINTBUY_HOME"] = home
        try:
            _jointbuy("up", "--broker", broker)
            _say_where(console)
            asyncio.run(asyncio.wait_for(play(console, settings_here(), story), _patience(story)))
            if not story:
                console.print("\nThe story is told. Services run on; Ctrl-C ends them.")
                _until_interrupted()
        except (MissingStep, TimeoutError) as missing:
            console.print(f"[red]missing:[/] {missing or 'the story did not end in time'}")
            raise SystemExit(1) from None
        except KeyboardInterrupt:
            console.print("\nending …")
        finally:
            if read_running(Path(home)) is not None:
                _jointbuy("down")


def _patience(story: bool) -> float:
    return STORY_SECONDS_MAX if story else 600.0


def _jointbuy(*arguments: str) -> None:
    command = [sys.executable, "-m", "services.terminal", *arguments]
    # In a session of its own, so that a Ctrl-C ends the story first and the services after it.
    if subprocess.run(command, check=False, start_new_session=True).returncode:
        raise SystemExit(f"jointbuy {arguments[0]} failed: see above")


def _say_where(console: Console) -> None:
    settings = settings_here()
    console.print(f"broker at [bold]{settings.kafka_bootstrap_servers}[/], pages of the workers:")
    _jointbuy("status")


def _until_interrupted() -> None:
    asyncio.run(asyncio.Event().wait())


if __name__ == "__main__":
    typer.run(main)
