"""``python -m replay SOURCE …``: feeds recorded shop data."""

import asyncio
import gc
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from replay import beibei, online_retail
from replay.feed import Summary, replay
from replay.sender import ReplayError
from replay.stretch import SourceError, Stretch, count_lines
from replay.timetable import Faults
from runtime.lasting_errors import LastingError
from runtime.settings import Settings, read_settings

app = typer.Typer(
    name="replay",
    no_args_is_help=True,
    help="Feed recorded shop data. Services must run with --clock log, and a later replay must be"
    " of later times.",
)

Servers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", help="host:port of the broker; KAFKA_BOOTSTRAP_SERVERS."),
]
Transactions = Annotated[
    bool | None,
    typer.Option(help="Whether the broker has them (the embedded has not); KAFKA_TRANSACTIONS."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]
Patience = Annotated[
    float, typer.Option("--outcome-seconds", min=1, help="How long to wait for a missing outcome.")
]
Grace = Annotated[
    int, typer.Option("--grace-seconds", min=0, help="grace_seconds of the requests.")
]
Repeat = Annotated[
    float, typer.Option("--repeat-percent", min=0, max=100, help="Send this share twice.")
]
Shuffle = Annotated[
    int,
    typer.Option(
        "--shuffle-seconds",
        min=0,
        help="Displace orders by up to this; give at least as much --grace-seconds, or some come"
        " after their group's close.",
    ),
]
Seed = Annotated[int, typer.Option(help="Which records --repeat and --shuffle pick.")]


@app.command(online_retail.SOURCE)
def replay_online_retail(
    *,
    files: Annotated[list[Path], typer.Argument(help="*.csv or *.csv.gz, in any order.")],
    bootstrap_servers: Servers = None,
    transactions: Transactions = None,
    as_json: AsJson = False,
    outcome_seconds: Patience = 60.0,
    grace_seconds: Grace = 0,
    repeat_percent: Repeat = 0.0,
    shuffle_seconds: Shuffle = 0,
    seed: Seed = 0,
) -> None:
    """Replay UCI Online Retail: each product and week that two members buy is a group."""
    faults = Faults(repeat_percent, shuffle_seconds, seed)
    run = _Run(bootstrap_servers, transactions, faults, outcome_seconds, as_json)
    run(online_retail.SOURCE, online_retail.stretches(files, grace_seconds), files)


@app.command(beibei.SOURCE)
def replay_beibei(
    *,
    successful: Annotated[Path, typer.Option(help="Groups that came about; .tsv or .tsv.gz.")],
    failed: Annotated[Path, typer.Option(help="Groups that did not.")],
    limit: Annotated[
        int | None, typer.Option(min=0, help="Lines of each; all if not given.")
    ] = None,
    bootstrap_servers: Servers = None,
    transactions: Transactions = None,
    as_json: AsJson = False,
    outcome_seconds: Patience = 60.0,
    grace_seconds: Grace = 0,
    repeat_percent: Repeat = 0.0,
    shuffle_seconds: Shuffle = 0,
    seed: Seed = 0,
) -> None:
    """Replay BeiBei group buying: each line is a group of its distinct users."""
    faults = Faults(repeat_percent, shuffle_seconds, seed)
    run = _Run(bootstrap_servers, transactions, faults, outcome_seconds, as_json)
    stretches = beibei.stretches(successful, failed, limit=limit, grace_seconds=grace_seconds)
    run(beibei.SOURCE, stretches, [successful, failed], limit)


@dataclass(frozen=True)
class _Run:
    """What both commands have in common."""

    bootstrap_servers: str | None
    transactions: bool | None
    faults: Faults
    outcome_seconds: float
    as_json: bool

    def __call__(
        self,
        source: str,
        stretches: Iterator[Stretch],
        files: Sequence[Path],
        limit: int | None = None,
    ) -> None:
        """Replay with a progress bar, print the summary; exit with 1 and one line on an error."""
        # What aiokafka logs on its way to an error would bury the line that says what to do.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        # Messages make no cycles; looking for some among a stretch's took two thirds of the time.
        gc.set_threshold(100_000, 50, 1_000)
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Progress(
            *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
        )
        try:
            with bar:
                lines = sum(count_lines(file, limit) for file in files)
                task = bar.add_task(source, total=lines)

                def progress(stretch: Stretch) -> None:
                    day = f"{source} {stretch.starts_at:%Y-%m-%d %H:%M}"
                    bar.update(task, advance=stretch.lines, description=day)

                feeding = replay(
                    source,
                    stretches,
                    settings=self._settings(),
                    faults=self.faults,
                    patience_seconds=self.outcome_seconds,
                    progress=progress,
                )
                summary = asyncio.run(feeding)
                bar.update(task, completed=lines)  # header lines are in no stretch
        except (LastingError, SourceError, ReplayError) as error:
            typer.echo(f"replay {source}: {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(json.dumps(summary.as_dict()) if self.as_json else _shown(summary))

    def _settings(self) -> Settings:
        given = {
            "kafka_bootstrap_servers": self.bootstrap_servers,
            "kafka_transactions": self.transactions,
        }
        return read_settings(Settings).model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )


def _shown(summary: Summary) -> str:
    counted = [f"{count:>9,} {kind}" for kind, count in sorted(summary.sent.items())]
    if summary.repeated:
        counted.append(f"{summary.repeated:>9,} of these were copies")
    counted += [
        f"{count:>9,} lines skipped: {why}" for why, count in sorted(summary.skipped.items())
    ]
    head = f"{summary.source}: {summary.groups:,} groups in {summary.seconds:.1f} s"
    return "\n".join([head, *counted])


if __name__ == "__main__":
    app()
