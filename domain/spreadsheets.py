"""Tables as CSV files that spreadsheets open safely. Pure.

A spreadsheet runs a cell that begins with ``=`` or the like as a formula, whoever wrote it
(CWE-1236). So such a cell gets an apostrophe in front, which means "text" to spreadsheets.
"""

import csv
from collections.abc import Iterable
from io import StringIO

#: Tells spreadsheets that the file is UTF-8.
BOM = "\ufeff"
#: What formulas begin with, and the wide forms that Japanese spreadsheets read alike.
_BEGINS_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_APOSTROPHE = "'"


def harmless(cell: str) -> str:
    """A cell on one line that no spreadsheet runs as a formula."""
    line = " ".join(cell.split())
    return _APOSTROPHE + line if line.startswith(_BEGINS_FORMULA) else line


def csv_rows(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV (RFC 4180), each cell in quotes."""
    file = StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [harmless(cell) for cell in row] for row in rows
    )
    return file.getvalue()
