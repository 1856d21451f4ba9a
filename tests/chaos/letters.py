"""20,000 letters to a mail server on a bad day, with the notifier killed ten times.

``python -m tests.chaos.letters``; exits 1 when a letter is lost, or comes twice uncounted.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from stack import brokers
from tests.system.letters import run
from tests.system.stack import stack_on


def main(
    count: Annotated[int, typer.Option(help="Letters.")] = 20_000,
    kills: Annotated[int, typer.Option(help="SIGKILLs of the notifier while it sends.")] = 10,
    broker: Annotated[str, typer.Option(help="kafka or embedded.")] = "kafka",
) -> None:
    """Run it and print what came of it."""
    with tempfile.TemporaryDirectory(prefix="jointbuy-letters-") as name:
        folder = Path(name)
        running = brokers.start("embedded" if broker == "embedded" else "kafka", home=folder)
        try:
            with stack_on(running, folder, clock="wall") as stack:
                tally = run(stack, folder, count, kills)
        finally:
            running.stop()
    print(tally.line())
    for problem in tally.problems[:20]:
        print(problem)
    if tally.problems or tally.duplicates > tally.ambiguous:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
