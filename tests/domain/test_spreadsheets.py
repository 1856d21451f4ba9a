"""CSV files: whatever stands in a cell, no spreadsheet runs it."""

import csv
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.spreadsheets import csv_rows, harmless


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("Ann", "Ann"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("+49 40 1", "'+49 40 1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        (" =1", "'=1"),
        ("\r\n=1", "'=1"),
        ("\u3000\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("a\n=cmd", "a =cmd"),
        ("Ann = Bo", "Ann = Bo"),
        ("'=1", "'=1"),
    ],
)
def test_a_cell_that_begins_a_formula_is_text(cell: str, written: str) -> None:
    assert harmless(cell) == written


@pytest.mark.slow
@given(st.lists(st.lists(st.text(), min_size=1), min_size=1))
def test_a_file_has_the_cells_that_were_given_and_no_formula(rows: list[list[str]]) -> None:
    read = list(csv.reader(StringIO(csv_rows(rows), newline="")))
    assert [len(row) for row in read] == [len(row) for row in rows]
    for row, said in zip(read, rows, strict=True):
        for cell, given_ in zip(row, said, strict=True):
            assert not cell.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))
            assert cell.removeprefix("'") == " ".join(given_.split()).removeprefix("'")
