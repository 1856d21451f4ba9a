"""Whose address order_service sends to ``people``, when, and whom its letters then go to."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.people import name_mark
from runtime.rows import MemoryRows
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.letters import Notice
from schemas.orders import OrderPaid, OrderPlaced
from schemas.parts import Member, Message
from schemas.people import Person
from services.order_service.rows import TERMS
from services.order_service.rules import purchases
from tests.rules.test_order_rules import (
    ANN,
    BOB,
    BY_GROUP,
    CLOSES,
    ENDED,
    GROUP,
    HOUR,
    LISTED,
    MINUTE,
    OPENS,
    Event,
    Played,
    admitted,
    cancelled,
    check,
    group,
    order,
    paid,
    placed,
    play,
    returned,
    time,
    told,
)
from tests.rules.test_order_sources import BOUND
from tests.rules.test_unconfirmed_orders import by_link, confirmed, mailed

#: When events are played that do not say it.
NOW = OPENS + HOUR
LATER = OPENS + 2 * HOUR
#: Person id, address, and when it came in.
Sent = tuple[str, str, datetime]


def sent(played: Played) -> list[Sent]:
    return [(each.person_id, each.email, each.seen_at) for each in played.people]


def recipients(played: Played) -> list[tuple[str, str]]:
    """The person and the member whom each letter names."""
    return [(letter.recipient_id, letter.says.party_id) for letter in played.letters]


@dataclass
class Case:
    """A promise, what happens, and who is sent."""

    promise: str
    events: list[Message | Event]
    people: list[Sent] = field(default_factory=lambda: [("shop:ann", ANN, NOW)])


FROM_ORDERS = [
    Case(
        "of an order that counts, at the time when it came and not when it was made",
        [group(), (LATER, paid("a", "ann", member_email=ANN))],
        [("shop:ann", ANN, LATER)],
    ),
    Case(
        "a repeat sends nothing again, even with another address",
        [
            group(),
            paid("a", "ann", member_email=ANN),
            (LATER, paid("a", "ann", member_email=ANN)),
            (LATER, placed("a", "ann", member_email=BOB)),
        ],
    ),
    Case("of an order that awaits its money", [group(), placed("a", "ann", member_email=ANN)]),
    Case(
        "that money brings nothing new",
        [
            group(),
            placed("a", "ann", member_email=ANN),
            (LATER, paid("a", "ann", member_email=BOB)),
        ],
    ),
    Case(
        "if the order had no address, the first paid message with one brings it",
        [
            group(),
            placed("a", "ann"),
            paid("a", "ann", member_email=ANN),
            (LATER, paid("a", "ann", member_email=BOB)),
        ],
    ),
    Case(
        "but not that of somebody else",
        [group(), placed("a", "ann"), paid("a", "bob", member_email=BOB)],
        [],
    ),
    Case(
        "each new order may change the address",
        [
            group(),
            paid("a", "ann", member_email=ANN),
            (LATER, paid("b", "ann", member_email=BOB)),
        ],
        [("shop:ann", ANN, NOW), ("shop:ann", BOB, LATER)],
    ),
    Case(
        "nobody without an address",
        [group(), paid("a", "ann"), paid("b", "bob", member_email="")],
        [],
    ),
    Case(
        "nobody whom the list of members reaches", [LISTED, paid("a", "ann", member_email=BOB)], []
    ),
    Case(
        "a listed member whom the list does not reach",
        [LISTED, paid("a", "bob", member_email=BOB)],
        [("shop:bob", BOB, NOW)],
    ),
    Case(
        "under the id that the order gives",
        [group(), paid("a", "ann", person_id="m-1", member_email=ANN)],
        [("m-1", ANN, NOW)],
    ),
    Case("nobody who is known elsewhere", [group(), paid("a", "ann", person_id="m-1")], []),
    Case(
        "a till's members are the shop's",
        [group(), paid("a", "ann", source="shop.till-3", member_email=ANN)],
    ),
    Case(
        "nobody of a void order",
        [group(), cancelled("a"), paid("a", "ann", member_email=ANN)],
        [],
    ),
]

OF_REFUSALS = [
    Case(
        "a refused order is told, once, and so its address is sent, once",
        [group(), *[paid("a", "ann", member_email=ANN, ordered_at=CLOSES)] * 2],
    ),
    Case(
        "not if the list reaches the member",
        [LISTED, paid("a", "ann", member_email=BOB, ordered_at=CLOSES)],
        [],
    ),
    Case(
        "an order of another shop is told too",
        [BOUND, *[paid("a", "ann", source="rival", member_email=BOB)] * 2],
        [("rival:ann", BOB, NOW)],
    ),
    Case(
        "also where the group's list reaches a member of that id",
        [
            group(members=LISTED.members, sources=("shop",)),
            paid("a", "ann", source="rival", member_email=BOB),
        ],
        [("rival:ann", BOB, NOW)],
    ),
    Case(
        "an order by a link of another source is told to nobody",
        [BOUND, by_link("a", source="rival", member_email=BOB)],
        [],
    ),
    Case("nor one by a link that is refused", [BY_GROUP, mailed("a", 9, ordered_at=CLOSES)], []),
    Case(
        "of a group that ended long ago nothing is told",
        [group(), (ENDED, paid("a", "ann", member_email=ANN))],
        [],
    ),
    Case("nor of a return", [LISTED, returned("r", "bob")], []),
]

OF_LINKS = [
    Case("the letter that asks for the confirmation needs it", [BY_GROUP, mailed("a")]),
    Case(
        "nothing that follows sends it again",
        [BY_GROUP, *[mailed("a")] * 2, confirmed("a"), confirmed("a"), mailed("a")],
    ),
    Case("also if the confirmation came first", [BY_GROUP, confirmed("a"), mailed("a")]),
    Case(
        "our pages name the person of the mailbox",
        [BY_GROUP, mailed("a", source="storefront", person_id="m-7")],
        [("m-7", ANN, NOW)],
    ),
]

OF_THE_EARLY = [
    Case(
        "what waits for its group sends its address when it comes, and not again with the group",
        [
            *[(OPENS, paid("a", "ann", member_email=ANN))] * 2,
            (OPENS + MINUTE, paid("a", "ann", member_email=BOB)),
            group(),
            paid("a", "ann", member_email=ANN),
        ],
        [("shop:ann", ANN, OPENS)],
    ),
    Case(
        "nor with the refusal after the hour",
        [(OPENS, paid("a", "ann", member_email=ANN)), (LATER, paid("a", "ann", member_email=BOB))],
        [("shop:ann", ANN, OPENS)],
    ),
    Case(
        "each order that waits may bring one",
        [
            (OPENS, paid("a", "ann", member_email=ANN)),
            (OPENS, placed("b", "ann")),
            (OPENS, paid("b", "ann", member_email=BOB)),
            group(),
        ],
        [("shop:ann", ANN, OPENS), ("shop:ann", BOB, OPENS)],
    ),
    Case(
        "also if parts of the list have come: the group may not take the order's shop",
        [
            admitted(1, 1, "ann"),
            (OPENS, paid("a", "ann", source="rival", member_email=BOB)),
            group(sources=("shop",)),
        ],
        [("rival:ann", BOB, OPENS)],
    ),
]

ALL = [*FROM_ORDERS, *OF_REFUSALS, *OF_LINKS, *OF_THE_EARLY]


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.promise.replace(" ", "-"))
def test_whose_address_is_sent(case: Case) -> None:
    played = play(*case.events)
    assert sent(played) == case.people
    if TERMS in played.rows:
        check(played)
        assert not list(played.rows.scan("early/"))


def test_an_order_that_no_group_can_have_is_told_at_once() -> None:
    mistyped = paid("a", "ann", member_email=ANN).model_copy(update={"group_id": "GB-NONSENSE"})
    rows = MemoryRows("GB-NONSENSE")
    refused, person, letter = purchases.pay_order(mistyped, rows, NOW)
    assert isinstance(person, Person)
    assert isinstance(letter, Notice)
    assert (person.person_id, person.email, person.seen_at) == ("shop:ann", ANN, NOW)
    assert letter.recipient_id == person.person_id
    assert purchases.pay_order(mistyped, rows, LATER) == (refused,)


def test_nothing_is_left_of_an_order_whose_group_did_not_come() -> None:
    played = play((OPENS, paid("a", "ann", member_email=ANN)), time(LATER))
    assert not list(played.rows.scan("early/"))
    assert told(played) == [("order-refused", ANN, "a", 1, "unknown-group")]


# --- whom letters go to --------------------------------------------------------------------------


def test_two_shops_members_of_one_id_are_two_people() -> None:
    """Each is told of their own order, at their own address, wherever their orders count."""
    both = play(BOUND, paid("a", "ann", member_email=ANN),
                paid("b", "ann", source="fair", member_email=BOB))  # fmt: skip
    assert sent(both) == [("shop:ann", ANN, NOW), ("fair:ann", BOB, NOW)]
    assert recipients(both) == [("shop:ann", "ann"), ("fair:ann", "ann")]
    assert told(both) == [("order-counted", ANN, "a", 1, 1), ("order-counted", BOB, "b", 1, 2)]


def test_an_order_in_a_member_s_name_takes_no_letters_of_the_member_away() -> None:
    """A shop's cart can name any member; favors and payments are told to the first person."""
    played = play(group(), paid("a", "77", member_email=ANN),
                  paid("b", "77", person_id="shop:eve"))  # fmt: skip
    assert played.members["77"].person_id == "shop:77"
    assert recipients(played) == [("shop:77", "77"), ("shop:eve", "77")]


def test_whoever_cancelled_all_orders_is_the_member_no_more() -> None:
    played = play(group(), paid("a", "77", person_id="shop:eve"), cancelled("a"),
                  paid("b", "77", member_email=ANN))  # fmt: skip
    assert played.members["77"].person_id == "shop:77"


@pytest.mark.parametrize("terms", [group("ann", sources=("shop",)), BOUND,
                                   group(members=LISTED.members, sources=("shop",))])  # fmt: skip
def test_an_order_of_another_shop_is_told_to_that_shop_s_member(terms: GroupPurchase) -> None:
    """Neither the member of the same id nor the member's address is touched by it."""
    ours = [terms, paid("a", "ann", member_email=ANN)]
    alone = play(*ours)
    disturbed = play(*ours, paid("b", "ann", source="rival", member_email=BOB))
    assert disturbed.members == alone.members
    assert sent(disturbed) == [*sent(alone), ("rival:ann", BOB, NOW)]
    assert recipients(disturbed) == [*recipients(alone), ("rival:ann", "ann")]
    assert told(disturbed)[-1] == ("order-refused", BOB, "b", 1, "not-this-shop")


def test_another_shop_s_order_without_an_address_is_told_to_its_person_alone() -> None:
    known = paid("b", "ann", source="rival", person_id="rival:ann")
    played = play(group(members=LISTED.members, sources=("shop",)), known)
    assert (sent(played), recipients(played)) == ([], [("rival:ann", "ann")])


BOB_S_MARK = "0b" * 8
LISTED_AS: list[tuple[str, Member, str | None, str | None]] = [
    ("as the list names the person",
     Member(id="bob", person_id="m-bob", name_mark=BOB_S_MARK), "m-bob", BOB_S_MARK),
    ("without a name", Member(id="bob", person_id="m-bob"), "m-bob", None),
    ("without a person, so the order's is no listed name", Member(id="bob"), "shop:bob", None),
]  # fmt: skip


@pytest.mark.parametrize("is_in_part", [False, True], ids=["in-terms", "in-a-part"])
@pytest.mark.parametrize(
    ("bob", "person_id", "mark"), [row[1:] for row in LISTED_AS], ids=[row[0] for row in LISTED_AS]
)
def test_a_row_has_the_list_s_person_and_mark_of_the_name(
    bob: Member, person_id: str, mark: str | None, *, is_in_part: bool
) -> None:
    ordered = paid("a", "bob", member_email=BOB)
    in_part = MembersAdmitted(group_id=GROUP, part=1, parts=1, members=(bob,))
    before = [in_part, group()] if is_in_part else [group(members=(bob,))]
    row = play(*before, ordered).members["bob"]
    assert (row.person_id, row.name_mark) == (person_id, mark)


LINK = {"person_id": "m-1", "member_email": ANN}
NAMED: list[tuple[str, list[Message | Event], str | None]] = [
    ("as the order says", [paid("a", "ann", member_name="Ann", **LINK)], "Ann"),
    ("once its money came", [placed("a", "ann", member_name="Ann", **LINK), paid("a", "ann")],
     "Ann"),
    ("by the message that brings the address",
     [placed("a", "ann"), paid("a", "ann", member_name="Ann", **LINK)], "Ann"),
    ("once it is confirmed",
     [by_link("a", "ann", member_name="Ann", **LINK), confirmed("a"), paid("a", "ann")], "Ann"),
    ("a confirmation that came first",
     [confirmed("a"), by_link("a", "ann", member_name="Ann", **LINK), paid("a", "ann")], "Ann"),
    ("no name before the confirmation",
     [paid("b", "ann", **LINK), by_link("a", "ann", member_name="Ann", **LINK)], None),
    ("of a repeat, the first name",
     [paid("a", "ann", member_name="Ann", **LINK), paid("a", "ann", member_name="Bob", **LINK)],
     "Ann"),
    ("of two orders the latest name",
     [paid("a", "ann", member_name="Bob", **LINK), paid("b", "ann", member_name="Ann", **LINK)],
     "Ann"),
    ("an order without a name leaves it",
     [paid("a", "ann", member_name="Ann", **LINK), paid("b", "ann", **LINK)], "Ann"),
    ("another person's order leaves it",
     [paid("a", "ann", member_name="Ann", **LINK),
      paid("b", "ann", member_name="Bob", person_id="m-2", member_email=BOB)], "Ann"),
    ("no name without an address", [paid("a", "ann", person_id="m-1", member_name="Ann")], None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "name"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED]
)
def test_a_row_has_the_mark_of_the_name_that_orders_gave(
    events: list[Message | Event], name: str | None
) -> None:
    terms = group()
    row = play(terms, *events).members["ann"]
    assert row.person_id == "m-1"
    assert row.name_mark == (name and name_mark(terms.request_id, name))


def test_a_name_of_an_order_goes_to_people_alone() -> None:
    played = play(group(), paid("a", "ann", member_name="Ann", **LINK))
    assert [each.name for each in played.people] == ["Ann"]
    others = [each for each in played.sent if not isinstance(each, Person)]
    assert "Ann" not in "".join(each.model_dump_json() for each in others)


def test_a_return_is_refused_to_the_person_of_the_orders() -> None:
    played = play(group(), paid("a", "ann", person_id="m-1"), returned("r", "ann", 2))
    assert recipients(played) == [("m-1", "ann")] * 2


@pytest.mark.parametrize("character", [":", "%", "x"])
def test_the_longest_ids_make_a_person_s_id(character: str) -> None:
    """An issuer's colons and per cent signs are escaped; the member's id stays as it is."""
    source, member = character * 64, "m" * 64
    (person,) = play(group(), paid("a", member, source=source, member_email=ANN)).people
    assert person.person_id.endswith(f":{member}")
    assert person.person_id.count(":") == 1


# --- any orders ----------------------------------------------------------------------------------

EMAILS = st.sampled_from([None, ANN, BOB])


@st.composite
def orders(draw: st.DrawFn) -> OrderPlaced | OrderPaid:
    """An order of some source by a member of a common id, with an address or not."""
    fields = order(draw(st.sampled_from("abc")), draw(st.sampled_from(["ann", "bob"])), 1)
    fields |= {"source": draw(st.sampled_from(["shop", "shop.till", "fair", "rival"]))}
    fields |= {"member_email": draw(EMAILS), "person_id": draw(st.sampled_from([None, "m-1"]))}
    if draw(st.booleans()):
        return OrderPaid(**fields)
    return OrderPlaced(**fields, unconfirmed=draw(st.booleans()))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([BOUND, LISTED, BY_GROUP]), st.lists(orders(), max_size=10), st.integers(0, 10)
)
def test_no_letter_goes_to_a_person_whom_no_order_named(
    terms: GroupPurchase, fed: list[OrderPlaced | OrderPaid], known_after: int
) -> None:
    """Wherever the group comes in between; nobody is sent under an id that no order has."""
    played = play(*fed[:known_after], terms, *fed[known_after:], time(LATER))
    named: dict[str | None, set[str | None]] = {}
    for each in fed:
        if contact := each.contact:
            named.setdefault(contact.reached_as, set()).add(contact.email)
    assert all(each.email in named[each.person_id] for each in played.people)
    listed = {each.person_id for each in terms.members}
    assert {letter.recipient_id for letter in played.letters} <= {*named, *listed}
    of_order = {(each.source, each.order_id, contact.reached_as)
                for each in fed if (contact := each.contact)}  # fmt: skip
    for letter in played.letters:
        says = letter.says
        if letter.recipient_id not in listed and says.order_id:
            assert (says.source, says.order_id, letter.recipient_id) in of_order
    check(played)
