"""What one may type behind ``--dns``."""

import pytest

from terminal.console import Mistake
from terminal.doctor import _place_of


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("", None),
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
    ],
)
def test_a_name_server_is_an_address(typed: str, place: tuple[str, int] | None) -> None:
    assert _place_of(typed) == place


@pytest.mark.parametrize("typed", ["dns.example", "192.0.2.53:", "192.0.2.53:port", "300.1.1.1"])
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(Mistake, match="write 192"):
        _place_of(typed)
