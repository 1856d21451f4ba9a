"""Which worker runs which partitions: balanced, few moves, and only to who has the rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shares import Held, Share, shares


def held(runs: str = "", warm: str = "") -> Held:
    return Held(frozenset(map(int, runs)), frozenset(map(int, warm)))


def told(share: Share) -> str:
    """For example ``01+2>3``: runs 0 and 1, keeps the rows of 2, and of 3, which it will run."""
    beside = "".join(map(str, sorted(share.standbys - share.awaited)))
    awaited = "".join(map(str, sorted(share.awaited)))
    runs = "".join(map(str, sorted(share.runs)))
    return runs + (f"+{beside}" if beside else "") + (f">{awaited}" if awaited else "")


CASES = [
    ("one worker", {"a": held()}, 1, {"a": "0123"}),
    ("two that begin", {"a": held(), "b": held()}, 1, {"a": "02+13", "b": "13+02"}),
    ("all stays", {"a": held("23", "01"), "b": held("01", "23")}, 1, {"a": "23+01", "b": "01+23"}),
    ("one has left", {"b": held("23", "01")}, 1, {"b": "0123"}),
    ("one is new", {"a": held(), "b": held("0123")}, 1, {"a": "+01>23", "b": "0123"}),
    ("it has rows", {"a": held("", "0123"), "b": held("0123")}, 1, {"a": "23+01", "b": "01+23"}),
    ("some rows", {"a": held("", "3"), "b": held("0123")}, 1, {"a": "3+01>2", "b": "012+3"}),
    ("without standbys", {"a": held(), "b": held("0123")}, 0, {"a": "23", "b": "01"}),
    (
        "of three one has left",
        {"b": held("1", "0"), "c": held("23")},
        1,
        {"b": "01+23", "c": "23+01"},
    ),
    (
        "its rows are where there is no room",
        {"a": held("23", "01"), "b": held("4"), "c": held("5")},
        1,
        {"a": "0123+45", "b": "4+2>0", "c": "5+3>1"},
    ),
    ("two say they run it", {"a": held("0123"), "b": held("0")}, 0, {"a": "01", "b": "23"}),
    (
        "more workers",
        {each: held() for each in "abcde"},
        0,
        dict(zip("abcde", "0123_", strict=True)),
    ),
]


@pytest.mark.parametrize(
    ("members", "standbys", "dealt"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_partitions_are_dealt(
    members: dict[str, Held], standbys: int, dealt: dict[str, str]
) -> None:
    count = 1 + max((n for each in members.values() for n in each.runs | each.warm), default=3)
    found = shares(members, max(count, 4), standbys)
    assert {member: told(share) or "_" for member, share in found.items()} == dealt


numbers = st.frozensets(st.integers(0, 9))
groups = st.dictionaries(st.sampled_from("abcde"), st.builds(Held, numbers, numbers), min_size=1)


def joined(found: dict[str, Share]) -> dict[str, Held]:
    """What the workers tell when they have all rows of their standbys."""
    return {
        member: Held(frozenset(share.runs), frozenset(share.standbys))
        for member, share in found.items()
    }


@given(groups, st.integers(1, 10), st.integers(0, 3))
def test_each_partition_runs_once_and_is_kept_beside_by_others(
    members: dict[str, Held], count: int, standbys: int
) -> None:
    found = shares(members, count, standbys)
    assert sorted(n for share in found.values() for n in share.runs) == list(range(count))
    for share in found.values():
        assert not share.runs & share.standbys
        assert share.awaited <= share.standbys
    for number in range(count):
        beside = sum(number in share.standbys for share in found.values())
        assert beside == min(standbys, len(members) - 1)


@given(groups, st.integers(1, 10), st.integers(1, 3))
def test_once_rows_are_there_all_have_as_many_and_nothing_moves(
    members: dict[str, Held], count: int, standbys: int
) -> None:
    """Mostly with the second deal; each further one brings a partition to its place."""
    found = shares(members, count, standbys)
    for _ in range(count + 2):
        found = shares(joined(found), count, standbys)
    assert not any(share.awaited for share in found.values())
    loads = [len(share.runs) for share in found.values()]
    assert max(loads) - min(loads) <= 1
    assert shares(joined(found), count, standbys) == found


@given(st.integers(2, 8), st.integers(1, 64))
def test_when_a_worker_leaves_all_others_get_some_of_its_partitions(
    workers: int, count: int
) -> None:
    """So none has to open many, while their orders wait."""
    group: dict[str, Held] = {}
    for number in range(workers):
        group[f"w{number}"] = Held()
        for _ in range(3):
            group = joined(shares(group, count, 1))
    left = group.pop("w0")
    others = shares(group, count, 1)
    more = [len(others[name].runs - group[name].runs) for name in group]
    assert sum(more) == len(left.runs)
    assert max(more) <= -(-len(left.runs) // len(group)) + 1


@given(groups, st.integers(1, 10))
def test_a_partition_leaves_a_worker_only_for_one_that_has_its_rows(
    members: dict[str, Held], count: int
) -> None:
    for member, share in shares(members, count, 1).items():
        for number in share.runs - members[member].runs - members[member].warm:
            others = {m: h for m, h in members.items() if m != member}
            assert not any(number in h.runs | h.warm for h in others.values())
