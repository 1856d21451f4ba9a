"""What ids promise: the same for the same request, readable aloud, and no typo gets through."""

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import ALPHABET, check_character, derive, read_aloud

SAMPLE = [derive(f"request-{n}") for n in range(12)]


def written(characters: str) -> str:
    """Eleven characters as an id is written."""
    return f"GB-{characters[:5]}-{characters[5:10]}-{characters[10:]}"


def is_read(text: str) -> bool:
    try:
        read_aloud(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("request_id", "attempt", "group_id"),
    [
        ("r", 0, "GB-6TWQ8-22HD6-F"),
        ("r", 1, "GB-RDH2Y-S3RRH-V"),
        ("au-1", 0, "GB-0MH47-0EF6D-5"),
        ("注文", 0, "GB-17CZ7-836P4-0"),
    ],
)
def test_id_of_a_request_never_changes(request_id: str, attempt: int, group_id: str) -> None:
    """Pinned: another derivation would give running groups a second id."""
    assert derive(request_id, attempt) == group_id


def test_requests_and_attempts_get_ids_of_their_own() -> None:
    ids = {derive(f"request-{n}", attempt) for n in range(500) for attempt in range(3)}
    assert len(ids) == 1_500
    assert len({derive("1", 11), derive("11", 1), derive("1:1", 1)}) == 3


@pytest.mark.slow
@given(st.text(), st.integers(0, 10**6))
def test_every_derived_id_is_read_as_itself(request_id: str, attempt: int) -> None:
    """Eleven characters of the alphabet, whatever the request is called."""
    group_id = derive(request_id, attempt)
    assert read_aloud(group_id) == group_id
    characters = group_id.removeprefix("GB-").replace("-", "")
    assert len(characters) == 11
    assert set(characters) <= set(ALPHABET)
    assert written(characters) == group_id


@pytest.mark.slow
@pytest.mark.parametrize("group_id", SAMPLE)
def test_every_single_wrong_character_is_caught(group_id: str) -> None:
    """The check character's own place included."""
    right = group_id.removeprefix("GB-").replace("-", "")
    for place in range(11):
        for wrong in set(ALPHABET) - {right[place]}:
            assert not is_read(written(right[:place] + wrong + right[place + 1 :]))


@pytest.mark.parametrize("group_id", SAMPLE)
def test_every_swap_of_two_different_characters_is_caught(group_id: str) -> None:
    """Neighbours or not."""
    right = group_id.removeprefix("GB-").replace("-", "")
    for left, other in combinations(range(11), 2):
        swapped = list(right)
        swapped[left], swapped[other] = right[other], right[left]
        assert is_read(written("".join(swapped))) == (right[left] == right[other])


def test_check_character_depends_on_every_place() -> None:
    """No place has weight zero or another's weight, whatever stands in the others."""
    ones = ["0" * place + "1" + "0" * (9 - place) for place in range(10)]
    checks = {check_character(body) for body in ones}
    assert len(checks - {"0", "1"}) == 10


LOOK_ALIKE = written("1010101010" + check_character("1010101010"))


@pytest.mark.parametrize(
    ("text", "group_id"),
    [
        ("GB-6TWQ8-22HD6-F", "GB-6TWQ8-22HD6-F"),
        ("gb-6twq8-22hd6-f", "GB-6TWQ8-22HD6-F"),
        ("6TWQ822HD6F", "GB-6TWQ8-22HD6-F"),
        ("  gb 6twq8 22hd6 f\n", "GB-6TWQ8-22HD6-F"),
        ("6-T-W-Q-8-2-2-H-D-6-F", "GB-6TWQ8-22HD6-F"),
        (LOOK_ALIKE.replace("1", "I").replace("0", "O"), LOOK_ALIKE),
        (LOOK_ALIKE.replace("1", "l").replace("0", "o"), LOOK_ALIKE),
    ],
)
def test_id_is_read_however_a_person_writes_it(text: str, group_id: str) -> None:
    assert read_aloud(text) == group_id


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has 0 characters after GB, an id has 11"),
        ("GB-", "has 0 characters after GB"),
        ("GB-6TWQ8-22HD6", "has 10 characters after GB"),
        ("GB-6TWQ8-22HD6-FF", "has 12 characters after GB"),
        ("GB-6TWU8-22HD6-F", "has 'U', which no id has"),
        ("GB-6TW_8-22HD6-F", "has '_', which no id has"),
        ("GB-6TWＱ8-22HD6-F", "which no id has"),  # noqa: RUF001
        ("GB-6TWQ8-22HD6-G", "is mistyped: its check character does not fit"),
    ],
)
def test_what_is_no_id_is_told_why(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_aloud(text)
