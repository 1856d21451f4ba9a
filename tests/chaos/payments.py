"""10,000 payments through a provider on a bad day, with payment_service killed twenty times.

``python -m tests.chaos.payments``; exits 1 when anyone paid twice or wrongly, or is left between.
"""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from stack import brokers
from tests.system.many_payments import run
from tests.system.stack import stack_on


def main(
    count: Annotated[int, typer.Option(help="Payments.")] = 10_000,
    kills: Annotated[int, typer.Option(help="SIGKILLs of the service while it pays.")] = 20,
) -> None:
    """Run it on Kafka and print what came of it."""
    with tempfile.TemporaryDirectory(prefix="jointbuy-payments-") as name:
        folder = Path(name)
        running = brokers.start("kafka", home=folder)
        try:
            with stack_on(running, folder, clock="wall") as stack:
                tally = run(stack, count, kills)
        finally:
            running.stop()
    print(tally.line())
    print(tally.counts)
    for problem in tally.problems[:20]:
        print(problem)
    if tally.problems:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
