"""Tables that are wider than the screen: each row becomes lines, and no word is broken.

So ids and addresses can be copied from a narrow screen. Commands stay in one line.
"""

import textwrap
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

_INDENT = "  "
_COMMAND = "jointbuy "


def folded(made: Table, width: int) -> Iterator[Text]:
    """The lines of a table, at most ``width`` wide where words allow it."""
    names = [str(column.header) for column in made.columns]
    rows = [
        [each.plain if isinstance(each, Text) else str(each) for each in row]
        for row in zip(*(column.cells for column in made.columns), strict=True)
    ]
    label_width = max((len(row[0]) for row in rows), default=0) + len(_INDENT)
    for row in rows:
        if made.show_header:
            yield from _with_names(names, row, width)
        else:
            yield from _pair(row, label_width, width)


def _with_names(names: list[str], cells: list[str], width: int) -> Iterator[Text]:
    """``request_service``, then ``pid 17373 · ready 8 of 8 · …`` indented."""
    yield Text(cells[0], style="bold")
    pairs = [(name, cell) for name, cell in zip(names[1:], cells[1:], strict=True) if cell]
    commands = [cell for _, cell in pairs if cell.startswith(_COMMAND)]
    line = ""
    for part in (f"{name} {cell}".strip() for name, cell in pairs if cell not in commands):
        longer = f"{line} · {part}" if line else part
        if line and len(_INDENT + longer) > width:
            yield from map(Text, _wrapped(line, width, _INDENT, _INDENT * 2))
            line = part
        else:
            line = longer
    yield from map(Text, _wrapped(line, width, _INDENT, _INDENT * 2))
    yield from (Text(_INDENT + each) for each in commands)


def _pair(cells: list[str], label_width: int, width: int) -> Iterator[Text]:
    """``Period  2026-…``: a label, and the text beside it."""
    label, *rest = cells
    beside = " " * label_width
    for number, line in enumerate("\n".join(each for each in rest if each).split("\n")):
        # A line of a text may be indented by itself.
        own = beside + " " * (len(line) - len(line.lstrip()))
        first, *more = _wrapped(line.strip(), width, own, own + _INDENT) or [""]
        if number == 0:
            beside_it = first[label_width:]
            yield Text.assemble((label.ljust(label_width if beside_it else 0), "dim"), beside_it)
        else:
            yield Text(first)
        yield from map(Text, more)


def _wrapped(line: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
