"""Work per order must not grow with the group: one huge group against many small ones.

200,000 orders into one group of 100,000 members, and into 1,000 groups of 200, in turn; the ratio
of CPU seconds per order is the claim (at most 1.5), as wall time depends on how many partitions
the groups fall into.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.orders import Figures, Load, run_backlog
from bench.workers import settings_on
from stack import brokers

ONE = Load(orders=200_000, groups=1, members=100_000)
MANY = Load(orders=200_000, groups=1_000, members=200)
RATIO_MAX = 1.5


def main(runs: Annotated[int, typer.Option(help="Of each, in turn.")] = 3) -> None:
    """Print both and the ratio; exit 1 when it is above 1.5."""
    figures: dict[Load, list[Figures]] = {ONE: [], MANY: []}
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            for run in range(runs):
                for number, load in enumerate((ONE, MANY)):
                    settings = settings_on(broker, folder, f"g{run}{number}-", "log")
                    figures[load].append(run_backlog(settings, load, folder))
                    print(figures[load][-1].line(), flush=True)
        finally:
            broker.stop()
    ratio = statistics.median(each.cpu_seconds for each in figures[ONE]) / statistics.median(
        each.cpu_seconds for each in figures[MANY]
    )
    print(f"CPU per order, one group to many: {ratio:.2f} (at most {RATIO_MAX})")
    if ratio > RATIO_MAX:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
