"""Ids of people: no two issuers' members have the same, and none of ours is a shop's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.people import is_of_shop, name_mark, of_seller, of_source
from schemas.parts import Party

ODD = st.text(st.sampled_from("a:%.2"), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("source", "member", "person"),
    [
        ("acme", "ann", "acme:ann"),
        ("acme.till3", "ann", "acme:ann"),
        ("acme", "a:b%c", "acme:a:b%c"),
        ("ac:me", "ann", "ac%.me:ann"),
        ("ac%.me", "ann", "ac%%:ann"),
        ("seller", "s-1", of_seller("s-1")),
    ],
)
def test_a_source_marks_its_members(source: str, member: str, person: str) -> None:
    assert of_source(source, member) == person


@given(ODD, ODD, ODD, ODD)
def test_no_two_issuers_share_a_person(one: str, ann: str, other: str, bob: str) -> None:
    """Dots end a shop's id, so issuers here have none."""
    one, other = one.replace(".", "b"), other.replace(".", "b")
    assert (of_source(one, ann) == of_source(other, bob)) is ((one, ann) == (other, bob))


@pytest.mark.parametrize("character", [":", "%", "a"])
def test_the_longest_ids_make_a_person_s_id(character: str) -> None:
    person_id = of_source(character * 64, "m" * 64)
    assert Party(id="m", person_id=person_id).person_id == person_id


@pytest.mark.parametrize(
    ("shop", "person", "is_its_own"),
    [
        ("acme", "acme:ann", True),
        ("acme", of_source("acme.till3", "ann"), True),
        ("acme", "acme2:ann", False),
        ("acme", "acme", False),
        ("acme", "m-0123", False),
        ("ac:me", of_source("ac:me", "ann"), True),
        ("ac", of_source("ac:me", "ann"), False),
    ],
)
def test_a_shop_s_people_are_those_with_its_mark(
    shop: str, person: str, *, is_its_own: bool
) -> None:
    assert is_of_shop(shop, person) is is_its_own


def test_a_mark_of_a_name_is_the_same_only_for_the_name_and_the_request() -> None:
    """The digits are part of the facts, so another version must make the same."""
    assert name_mark("r-1", "Bob") == "c6fd60147b6b7420"
    marks = {name_mark(*of) for of in (("r-1", "Bob"), ("r-1", "bob"), ("r-2", "Bob"), ("r", "1"))}
    assert len(marks) == 4
