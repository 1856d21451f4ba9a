"""Whoever is not to know people's ids is shown others in each group and auction, and no cursor."""

from base64 import urlsafe_b64decode

import pytest

from runtime.links import Links
from schemas.api.groups import TableRow
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseRow
from services.storefront.access.callers import Access, Actor, Kind
from services.storefront.access.pseudonyms import pseudonym, shown_to
from services.storefront.access.sessions import EndedSessions
from services.storefront.commands.member_table import table_shown
from services.storefront.readmodel.reader import BadCursor, Reader
from services.storefront.settings import PageSettings
from tests.storefront.test_read_model import group, member, write

PEOPLE = tuple(f"m-{number:024x}" for number in range(5))
KNOWING: tuple[Kind, ...] = ("admin", "shop", "seller")
OTHERS: tuple[Kind, ...] = ("organizer", "member", "payer", "applicant", "anonymous", "invited")


@pytest.fixture
def access(reader: Reader) -> Access:
    secret = "a-secret-of-the-tests"
    settings = PageSettings(link_secret=secret)
    return Access(settings, Links(secret), reader, EndedSessions(reader.engine))


def purchase(group_id: str, member_id: str) -> PurchaseRow:
    return member(1).model_copy(update={"group_id": group_id, "member_id": member_id})


async def whole_table(
    reader: Reader,
    access: Access,
    kind: Kind,
    terms: GroupPurchase,
    limit: int = 2,
) -> tuple[list[TableRow], list[str]]:
    """Every row, page after page, and the cursors that led there."""
    rows, cursors = [], []
    cursor = None
    actor = Actor(kind, "o", terms.group_id, client="192.0.2.1")
    while True:
        page = await table_shown(reader, access, actor, terms, cursor, limit)
        rows += page.rows
        cursor = page.cursor
        if cursor is None:
            return rows, cursors
        cursors.append(cursor)


async def test_an_organizer_sees_the_same_person_otherwise_in_each_group(
    url: str,
    reader: Reader,
    access: Access,
) -> None:
    groups = [group(1), group(2)]
    rows = [purchase(each.group_id, who) for each in groups for who in (*PEOPLE, "shop-s-own")]
    await write(url, *groups, *rows)
    seen: dict[Kind, list[set[str]]] = {}
    for kind in ("organizer", "shop", "admin"):
        tables = [await whole_table(reader, access, kind, each) for each in groups]
        seen[kind] = [{row.member_id for row in table} for table, _ in tables]
        assert [len(table) for table, _ in tables] == [6, 6], "none twice, none left out"
        for _, cursors in tables:
            assert len(cursors) == 2
            told = b"".join(urlsafe_b64decode(each + "===") for each in cursors)
            assert (b"m-" in told) == (kind != "organizer")
    first, second = seen["organizer"]
    assert first & second == {"shop-s-own"}, "a shop's own names are the shop's"
    assert not (first | second) & set(PEOPLE)
    assert seen["shop"] == seen["admin"] == [{*PEOPLE, "shop-s-own"}] * 2


async def test_a_cursor_of_one_who_knows_ids_is_not_one_of_those_who_do_not(
    url: str,
    reader: Reader,
    access: Access,
) -> None:
    terms = group(1)
    await write(url, terms, *(purchase(terms.group_id, who) for who in PEOPLE))
    for one, other in (("shop", "organizer"), ("organizer", "shop")):
        _, (cursor, *_) = await whole_table(reader, access, one, terms)  # type: ignore[arg-type]
        with pytest.raises(BadCursor):
            await table_shown(reader, access, Actor(other, client="192.0.2.1"), terms, cursor, 2)  # type: ignore[arg-type]


def test_a_pseudonym_is_of_a_context_and_of_this_deployment(access: Access, reader: Reader) -> None:
    person = PEOPLE[0]
    made = {pseudonym(access, context, person) for context in ("GB-1", "GB-2", "a-1")}
    assert len(made) == 3
    assert pseudonym(access, "GB-1", person) in made
    other = Access(
        PageSettings(link_secret="another-secret"),
        Links("another-secret"),
        reader,
        EndedSessions(reader.engine),
    )
    assert pseudonym(other, "GB-1", person) not in made
    assert all(len(each) <= 64 and each.startswith("u-") for each in made)
    for kind in KNOWING:
        assert shown_to(Actor(kind, client="192.0.2.1"), access, "GB-1", person) == person
    for kind in OTHERS:
        assert shown_to(Actor(kind, client="192.0.2.1"), access, "GB-1", person) in made
