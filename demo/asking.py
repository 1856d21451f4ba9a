"""After the story: the letters' text and the pages, on request."""

import textwrap
import webbrowser
from collections.abc import Callable

from rich.console import Console

from demo.mailbox import Letter, Mailbox

HELP = (
    "Type [bold]l[/] for the letters, [bold]p[/] to open the pages, [bold]q[/] to end; then Enter."
)


def answer(
    console: Console,
    mailbox: Mailbox,
    home_page: str,
    read: Callable[[str], str] = input,
    open_page: Callable[[str], bool] = webbrowser.open,
) -> None:
    """Answer what is typed until ``q`` or the end of the input."""
    console.print(HELP)
    letters = by_kind(mailbox.letters())
    while True:
        try:
            asked = read("> ").strip().lower()
        except EOFError:
            return
        if asked in ("q", "quit", "exit"):
            return
        if asked == "p":
            if not open_page(home_page):
                console.print(f"no browser here: open {home_page}")
        elif asked == "l":
            _list(console, letters)
        elif asked.isascii() and asked.isdigit() and 0 < int(asked) <= len(letters):
            show(console, letters[int(asked) - 1][0])
        elif asked:
            console.print(HELP)


def by_kind(letters: list[Letter]) -> list[list[Letter]]:
    """The letters of each kind, kinds in the order in which they first came."""
    found: dict[str, list[Letter]] = {}
    for each in letters:
        found.setdefault(each.kind, []).append(each)
    return [*found.values()]


def show(console: Console, letter: Letter) -> None:
    """A letter as a person reads it."""
    console.rule(style="dim")
    console.print(f"To: {letter.to}\nSubject: {letter.subject}\n", markup=False, soft_wrap=True)
    for line in letter.text.strip().splitlines():
        # Between words, so that links stay whole.
        for part in textwrap.wrap(
            line, console.width, break_long_words=False, break_on_hyphens=False
        ) or [""]:
            console.print(part, markup=False, soft_wrap=True)
    console.rule(style="dim")


def _list(console: Console, letters: list[list[Letter]]) -> None:
    for number, of_kind in enumerate(letters, 1):
        times = f" (and {len(of_kind) - 1} more)" if len(of_kind) > 1 else ""
        line = f"{number:>2} to {of_kind[0].to}{times}: {of_kind[0].subject}"
        console.print(line, markup=False, no_wrap=True, overflow="ellipsis")
    console.print("Type the number of one to read it.")
