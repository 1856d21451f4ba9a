"""``jointbuy``: the terminal, and what ops need."""

import typer

from services.terminal import stack

app = typer.Typer(
    name="jointbuy",
    help="Group bulk purchases on Kafka topics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stack.register(app)


def main() -> None:
    """The ``jointbuy`` command."""
    app()


if __name__ == "__main__":
    main()
