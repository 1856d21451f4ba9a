"""What a link says became of its reservation, by what the pages noted."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from services.storefront.rules.reservations import kept


class Row(NamedTuple):
    """As the database gives it."""

    at: int
    quantity: int | None = 2
    confirmed_at: int | None = None
    withdrawn_at: int | None = None


CASES = [
    ("noted before units were kept", Row(5, None), [], "unknown", None),
    ("not confirmed yet", Row(5), [], "unconfirmed", None),
    ("confirmed", Row(5, 2, 6), [], "confirmed", None),
    ("withdrawn before it was confirmed", Row(5, 2, None, 7), [], "withdrawn", None),
    ("withdrawn, and another confirmed later", Row(5, 2, 6, 7), [Row(8, 1, 9)], "withdrawn", None),
    ("another confirmed later", Row(5, 2, 6), [Row(8, 1, 9)], "replaced", None),
    ("another confirmed before", Row(5), [Row(1, 3, 2)], "unconfirmed", 3),
    ("the last of two before counts", Row(5), [Row(3, 4, 4), Row(1, 3, 2)], "unconfirmed", 4),
    ("the last before was withdrawn", Row(5), [Row(3, 4, 4, 4), Row(1, 3, 2)], "unconfirmed", None),
]


@pytest.mark.parametrize(("own", "others", "standing", "before"), [each[1:] for each in CASES],
                         ids=[each[0] for each in CASES])  # fmt: skip
def test_what_became_of_a_reservation(
    own: Row, others: list[Row], standing: str, before: int | None
) -> None:
    found = kept(own, others)
    assert (found.standing, found.before, found.quantity) == (standing, before, own.quantity or 0)
    withdrawn = own.withdrawn_at
    at = None if withdrawn is None else datetime.fromtimestamp(withdrawn / 1000, UTC)
    assert found.withdrawn_at == at
