"""On a narrow screen, what is to be copied stays whole."""

from io import StringIO

import pytest
from rich.console import Console

from terminal import console, watched
from tests.rules.test_terminal_output import T, watched_one

ADDRESS = "http://127.0.0.1:22205/groups/GB-79C41-A2XRG-P/manage/" + "x" * 60
ID = "order_service"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """A terminal of 80 columns."""
    file = StringIO()
    narrow = Console(file=file, width=80, force_terminal=True, color_system=None, markup=False)
    monkeypatch.setattr(console, "out", lambda: narrow)
    return file


def lines_of(screen: StringIO) -> list[str]:
    return screen.getvalue().splitlines()


def test_a_table_that_fits_stays_a_table(screen: StringIO) -> None:
    made = console.table("service", "ready")
    made.add_row(ID, "yes")
    console.print_table(made)
    assert [line.split() for line in lines_of(screen)][::2] == [["service", "ready"], [ID, "yes"]]


def test_a_wide_table_is_folded_with_the_names_of_its_columns(screen: StringIO) -> None:
    made = console.table("service", "pid", "public", "clock", "reason")
    made.add_row(ID, "17380", "", "2026-11-30 08:17:06Z", "word " * 30)
    made.add_row("storefront", "17381", ADDRESS, "", "")
    console.print_table(made)
    lines = lines_of(screen)
    assert lines[0] == ID
    assert lines[1] == "  pid 17380 · clock 2026-11-30 08:17:06Z"
    assert lines[2].startswith("  reason word word")
    assert [line.split()[-1] for line in lines if "http" in line] == [ADDRESS]
    assert all(len(line) <= 80 for line in lines if ADDRESS not in line)


def test_a_command_stays_in_one_line(screen: StringIO) -> None:
    command = (
        "jointbuy invoice paid NUMBER 20.00 --reference 'A1 0123456789abcdef' --date 2026-06-15"
    )
    made = console.table("Id", "Why", "Command")
    made.add_row("transfer-1", "names no invoice", command)
    console.print_table(made)
    assert lines_of(screen) == ["transfer-1", "  Why names no invoice", f"  {command}"]


def test_facts_stay_beside_their_names(screen: StringIO) -> None:
    made = console.grid()
    made.add_row("Product", "Sencha, 1 kg")
    made.add_row("Link", ADDRESS)
    made.add_row("Discount", "from 5: 5 % off; " * 8)
    console.print_table(made)
    lines = lines_of(screen)
    assert lines[0] == "Product   Sencha, 1 kg"
    assert any(line.endswith(ADDRESS) for line in lines)
    folded = [line for line in lines if "% off" in line]
    assert folded[0].startswith("Discount  from 5")
    assert all(line.startswith("          ") and len(line) <= 80 for line in folded[1:])


def test_json_is_never_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    console.print_json({"link": ADDRESS})
    assert f'"link": "{ADDRESS}"' in capsys.readouterr().out


def test_an_id_that_is_watched_stays_whole(screen: StringIO) -> None:
    one = watched_one()
    one.id, one.name, one.change = "a-" + "7" * 22, "GR IV " * 20, "price 900.00 EUR → 850.00 EUR"
    console.out().print(watched.screen([one], T, 80))
    lines = lines_of(screen)
    assert one.id in screen.getvalue()
    assert all(len(line) <= 80 for line in lines)
