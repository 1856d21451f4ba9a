"""``jointbuy``: the command of buyers, sellers, shops and ops.

Every installed package may add commands.
"""

from importlib.metadata import entry_points

import typer

from terminal import ops, purchases

#: Packages add their commands here, each by a function that gets the app; ``stack`` does.
COMMANDS = "jointbuy.commands"

app = typer.Typer(
    name="jointbuy",
    help="Group bulk purchases and counter auctions on Kafka topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for added in entry_points(group=COMMANDS):
    added.load()(app)
purchases.register(app)
ops.register(app)


def main() -> None:
    """The ``jointbuy`` command."""
    app()


if __name__ == "__main__":
    main()
