"""``jointbuy``: the command of buyers, sellers, shops and ops.

Every installed package may add commands.
"""

import os
from importlib.metadata import entry_points, version
from typing import Annotated

import typer

from runtime.settings import unknown_variables
from terminal import ops, purchases
from terminal.console import say

#: Packages add their commands here, each by a function that gets the app; ``stack`` does.
COMMANDS = "jointbuy.commands"

app = typer.Typer(
    name="jointbuy",
    help="Group bulk purchases and counter auctions on Kafka topics.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"jointbuy {version('jointbuy')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and end."
        ),
    ] = False,
) -> None:
    for line in unknown_variables(os.environ):
        say(f"jointbuy: {line}", err=True)


for added in entry_points(group=COMMANDS):
    added.load()(app)
purchases.register(app)
ops.register(app)


def main() -> None:
    """The ``jointbuy`` command."""
    app()


if __name__ == "__main__":
    main()
