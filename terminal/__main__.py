"""``jointbuy``: the terminal, and what ops need."""

import typer

from stack import commands
from terminal import ops, purchases

app = typer.Typer(
    name="jointbuy",
    help="Group bulk purchases and counter auctions on Kafka topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
commands.register(app)
purchases.register(app)
ops.register(app)


def main() -> None:
    """The ``jointbuy`` command."""
    app()


if __name__ == "__main__":
    main()
