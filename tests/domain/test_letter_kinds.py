"""Letters are about a group purchase or an auction, as what they must say shows."""

from typing import get_args

import pytest

from domain.letters import is_about_auction
from schemas.letters import SAID, LetterKind


@pytest.mark.parametrize("kind", get_args(LetterKind))
def test_a_letter_about_a_group_says_its_id_or_a_payment(kind: LetterKind) -> None:
    if kind in ("links-again", "data-link", "seller-standing"):
        assert not is_about_auction(kind)  # it is about a person
        return
    is_about_group = bool(SAID[kind] & {"group_id", "payment_id"})
    assert is_about_auction(kind) is not is_about_group
