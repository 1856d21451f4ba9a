"""What the seller desk promises: who is registered, as what, in what standing, and since when."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import MemoryRows
from schemas.auctions import (
    AUTOMATIC,
    Seller,
    SellerApproved,
    SellerDescribed,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
    Standing,
)
from schemas.letters import Notice
from schemas.parts import Business, Message
from schemas.people import Person
from services.auction_service.processor import DESK
from services.auction_service.rules.standing import standing_at

T = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = timedelta(milliseconds=1)

#: Everything that a business says of itself.
ALL_SAID: dict[str, Any] = {
    "url": "https://sue.example/", "order_link": "https://sue.example/?g={group_id}",
    "logo": "a" * 64, "postal_address": "1 High Street\nYork", "phone": "+44 1904 000000",
    "terms_url": "https://sue.example/terms", "privacy_url": "https://sue.example/privacy",
    "imprint_url": "https://sue.example/imprint", "delivery": "by post",
}  # fmt: skip

#: Standings as (hours since the registration, standing).
History = list[tuple[int, Standing]]


class WatchedRows(MemoryRows):
    """Rows that notice which facts are to be sent, and that survive their store."""

    def __init__(self) -> None:
        super().__init__("sue")
        self.changed: list[str] = []

    def __setitem__(self, name: str, row: Any) -> None:
        assert msgspec.json.decode(msgspec.json.encode(row), type=DESK.rows[name]) == row
        super().__setitem__(name, row)
        if name in DESK.facts:
            self.changed.append(name)


def play(messages: Sequence[Message], rows: WatchedRows | None = None) -> list[Seller]:
    """Every fact of the seller, each message being a batch of its own."""
    rows = WatchedRows() if rows is None else rows
    facts: list[Seller] = []
    for message in messages:
        is_new = isinstance(message, SellerRegistered) and "seller" not in rows
        sent = DESK.on[type(message)](message, rows, T)
        told = [each for each in sent if not isinstance(each, Notice)]
        assert [type(each) for each in told] == [Person] * is_new, "the fact says all else"
        for name in rows.changed:
            fact = DESK.facts[name](name, rows)
            assert isinstance(fact, Seller)
            facts.append(fact)
        rows.changed.clear()
    return facts


def letters(messages: Sequence[Message]) -> list[tuple[str, Standing | None]]:
    """Whom the letters go to, and the standing that each tells, one for each id."""
    rows = WatchedRows()
    found: dict[str, Notice] = {}
    for message in messages:
        for each in DESK.on[type(message)](message, rows, T):
            if isinstance(each, Notice):
                assert each.kind == "seller-standing"
                assert each.notice_id not in found, "told twice"
                found[each.notice_id] = each
    return [(each.recipient_id, each.says.standing) for each in found.values()]


def registered(hours: float = 0, **more: Any) -> SellerRegistered:
    said = {"seller_id": "sue", "name": "Sue & Co", "email": "sue@shop.example"}
    return SellerRegistered(**said | {"registered_at": T + hours * HOUR} | more)


def approved(hours: float) -> SellerApproved:
    return SellerApproved(seller_id="sue", at=T + hours * HOUR)


def suspended(hours: float) -> SellerSuspended:
    return SellerSuspended(seller_id="sue", at=T + hours * HOUR)


def reinstated(hours: float) -> SellerReinstated:
    return SellerReinstated(seller_id="sue", at=T + hours * HOUR)


def described(hours: float, delivery: str | None = "by post", **more: Any) -> SellerDescribed:
    return SellerDescribed(seller_id="sue", at=T + hours * HOUR, delivery=delivery, **more)


def history(seller: Seller) -> list[tuple[float, Standing]]:
    return [((each.since - T) / HOUR, each.standing) for each in seller.standings]


PENDING: History = [(0, "pending")]

# What was done, by the acts' own times, and every change of standing.
STANDINGS: list[tuple[str, list[Message], History]] = [
    ("nothing was done", [], PENDING),
    ("an approval", [approved(1)], [(0, "pending"), (1, "good")]),
    ("an approval again later", [approved(1), approved(2)], [(0, "pending"), (1, "good")]),
    ("a suspension before any approval", [suspended(1)], [(0, "pending"), (1, "suspended")]),
    (
        "an approval does not end a suspension",
        [suspended(1), approved(2)],
        [(0, "pending"), (1, "suspended")],
    ),
    (
        "the end of a suspension without an approval",
        [suspended(1), reinstated(2)],
        [(0, "pending"), (1, "suspended"), (2, "pending")],
    ),
    (
        "approved while suspended, good from the reinstatement on",
        [suspended(1), approved(2), reinstated(3)],
        [(0, "pending"), (1, "suspended"), (3, "good")],
    ),
    (
        "suspended and reinstated, twice",
        [approved(1), suspended(2), reinstated(3), suspended(4), reinstated(5)],
        [(0, "pending"), (1, "good"), (2, "suspended"), (3, "good"), (4, "suspended"), (5, "good")],
    ),
    (
        "a suspension again changes nothing, one reinstatement ends both",
        [approved(1), suspended(2), suspended(3), reinstated(4)],
        [(0, "pending"), (1, "good"), (2, "suspended"), (4, "good")],
    ),
    ("a reinstatement of nobody suspended", [reinstated(1)], PENDING),
    (
        "a reinstatement before its suspension by their own times",
        [approved(1), reinstated(2), suspended(3)],
        [(0, "pending"), (1, "good"), (3, "suspended")],
    ),
    (
        "approved and suspended in one instant",
        [approved(1), suspended(1)],
        [(0, "pending"), (1, "suspended")],
    ),
    (
        "suspended and reinstated in one instant",
        [approved(1), suspended(2), reinstated(2)],
        [(0, "pending"), (1, "good")],
    ),
    (
        "all three in one instant",
        [approved(1), suspended(1), reinstated(1)],
        [(0, "pending"), (1, "good")],
    ),
    ("approved at the registration", [approved(0)], [(0, "good")]),
    ("approved before the registration", [approved(-1)], [(0, "good")]),
    ("suspended before the registration", [suspended(-1)], [(0, "suspended")]),
    (
        "approved, suspended and reinstated before it",
        [approved(-3), suspended(-2), reinstated(-1)],
        [(0, "good")],
    ),
    (
        "approved before it, suspended in its instant",
        [approved(-1), suspended(0)],
        [(0, "suspended")],
    ),
    ("suspended and reinstated before it", [suspended(-2), reinstated(-1)], PENDING),
    (
        "approved before it, suspended after it",
        [approved(-1), suspended(1)],
        [(0, "good"), (1, "suspended")],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("acts", "expected"),
    [pytest.param(acts, expected, id=promise) for promise, acts, expected in STANDINGS],
)
def test_standings_do_not_depend_on_when_what_was_done_is_told(
    acts: list[Message], expected: History
) -> None:
    """By the acts' own times alone, in whatever order these come, the registration among them."""
    for messages in itertools.permutations([registered(), *acts]):
        seller = play(messages)[-1]
        assert history(seller) == expected
        assert seller.standing == expected[-1][1]


def test_a_registration_is_a_fact_of_all_it_says() -> None:
    (seller,) = play([registered(locale="ja", time_zone="Asia/Tokyo", **ALL_SAID)])
    assert seller.model_dump(exclude={"standings"}) == {
        "type": "Seller",
        "seller_id": "sue",
        "name": "Sue & Co",
        "email": "sue@shop.example",
        "locale": "ja",
        "time_zone": "Asia/Tokyo",
        "registered_at": T,
        **ALL_SAID,
        "standing": "pending",
        "version": 1,
    }
    assert ALL_SAID.keys() == Business.model_fields.keys()
    assert history(seller) == PENDING
    assert seller.key == "sue"


def test_letters_to_a_seller_go_to_a_person_of_the_seller_s() -> None:
    """With the address, the name and the language that the registration gave."""
    message = registered(locale="ja", time_zone="Asia/Tokyo")
    assert DESK.on[SellerRegistered](message, WatchedRows(), T + HOUR) == (
        Person(
            person_id="seller:sue",
            email="sue@shop.example",
            name="Sue & Co",
            locale="ja",
            time_zone="Asia/Tokyo",
            seen_at=T + HOUR,
        ),
    )


def test_a_seller_without_an_address_is_a_fact_and_no_person() -> None:
    rows = WatchedRows()
    assert DESK.on[SellerRegistered](registered(email=""), rows, T) == ()
    assert rows.changed == ["seller"]


@pytest.mark.parametrize(
    "second",
    [registered(), registered(-1), registered(1, name="Sam", email="sam@shop.example")],
    ids=["the same", "an earlier one", "a later one"],
)
@pytest.mark.parametrize("between", [[], [approved(2)]], ids=["at once", "after an approval"])
def test_the_first_registration_to_come_stands(
    second: SellerRegistered, between: list[Message]
) -> None:
    once = play([registered(), *between])
    assert play([registered(), *between, second]) == once


def test_acts_before_the_registration_say_nothing_until_it_comes() -> None:
    rows = WatchedRows()
    assert play([approved(1), suspended(2)], rows) == []
    (seller,) = play([registered()], rows)
    assert (seller.version, seller.standing) == (1, "suspended")


@pytest.mark.parametrize(
    ("messages", "versions"),
    [
        ([registered(), approved(1)], [1, 2]),
        ([registered(), approved(1), approved(1)], [1, 2]),
        ([registered(), approved(1), approved(2)], [1, 2]),
        ([registered(), approved(2), approved(1)], [1, 2, 3]),
        ([registered(), reinstated(1)], [1]),
        ([registered(), suspended(1), reinstated(1)], [1, 2, 3]),
        ([registered(), suspended(3), reinstated(2), suspended(3), registered()], [1, 2]),
    ],
    ids=[
        "an act",
        "an act that is told twice",
        "an approval of the approved",
        "an approval that was earlier than was known",
        "a reinstatement of nobody suspended",
        "a suspension that is taken back in its instant",
        "repeats",
    ],
)
def test_the_fact_is_told_anew_when_it_changes_and_only_then(
    messages: list[Message], versions: list[int]
) -> None:
    """The version rises with each change; a repeat is no change."""
    assert [seller.version for seller in play(messages)] == versions


def test_acts_of_one_time_and_kind_are_one_act_whatever_their_reason() -> None:
    """Who approves twice in one millisecond says the same thing."""
    again = SellerApproved(seller_id="sue", at=T + HOUR, reason="by hand")
    assert play([registered(), approved(1), again]) == play([registered(), approved(1)])


# --- how a seller presents itself ----------------------------------------------------------------


def business(seller: Seller) -> dict[str, Any]:
    return Business(**{name: getattr(seller, name) for name in Business.model_fields}).model_dump(
        exclude_none=True
    )


def test_a_description_replaces_all_that_was_said_and_nothing_else() -> None:
    first, then = play([registered(phone="1", url="https://sue.example/"), described(1)])
    assert business(then) == {"delivery": "by post"}
    same = {"exclude": {"version", *Business.model_fields}}
    assert then.model_dump(**same) == first.model_dump(**same)
    assert business(play([registered(), described(1, **ALL_SAID | {"delivery": None})])[-1]) == {
        name: said for name, said in ALL_SAID.items() if name != "delivery"
    }


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([registered(), described(1)], [None, "by post"]),
        ([registered(), described(1), described(1)], [None, "by post"]),
        ([registered(), described(1), described(2)], [None, "by post"]),
        ([registered(), described(1), described(2, "by train")], [None, "by post", "by train"]),
        ([registered(), described(2, "by train"), described(1)], [None, "by train"]),
        ([registered(), described(1), described(1, "by train")], [None, "by post"]),
        ([registered(), described(1), described(2, None)], [None, "by post", None]),
        ([registered(), described(0)], [None, "by post"]),
        ([registered(delivery="by post"), described(0)], ["by post"]),
        ([registered(), described(-1)], [None]),
        ([described(1), registered()], ["by post"]),
        ([described(0), registered(delivery="by train")], ["by post"]),
        ([described(2, "by train"), described(1), registered(delivery="x")], ["by train"]),
        ([described(-1), registered(delivery="by train")], ["by train"]),
        ([described(-1), registered(), described(1, "by train")], [None, "by train"]),
        ([registered(), described(1), registered(2, delivery="x")], [None, "by post"]),
        ([described(1)], []),
    ],
    ids=[
        "a description",
        "one that is told twice",
        "one that says the same later",
        "a newer one",
        "an older one that comes later",
        "another one of the same time: the first stands",
        "one that takes back what was said",
        "one of the time of the registration",
        "one that says what the registration said",
        "one from before the registration",
        "one that comes before the registration",
        "also of the same time",
        "two that come before it, the newer one first",
        "the registration is newer",
        "and a still newer description replaces it",
        "a registration again says nothing",
        "nobody registered",
    ],
)
def test_the_newest_description_counts_and_is_told_once(
    messages: list[Message], told: list[str | None]
) -> None:
    facts = play(messages)
    assert [seller.delivery for seller in facts] == told
    assert [seller.version for seller in facts] == list(range(1, len(told) + 1))


def test_a_seller_in_any_standing_describes_itself() -> None:
    facts = play([registered(), described(1, "a"), approved(2), described(3, "b"), suspended(4),
                  described(5, "c")])  # fmt: skip
    assert [(each.standing, each.delivery) for each in facts] == [
        ("pending", None), ("pending", "a"), ("good", "a"), ("good", "b"), ("suspended", "b"),
        ("suspended", "c"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at", "standing"),
    [
        (T - INSTANT, None),
        (T, "pending"),
        (T + HOUR - INSTANT, "pending"),
        (T + HOUR, "good"),
        (T + 2 * HOUR - INSTANT, "good"),
        (T + 2 * HOUR, "suspended"),
        (T + 3 * HOUR - INSTANT, "suspended"),
        (T + 3 * HOUR, "good"),
        (T + 1_000 * HOUR, "good"),
    ],
)
def test_standing_at_a_time_is_the_last_that_had_begun(
    at: datetime, standing: Standing | None
) -> None:
    seller = play([registered(), approved(1), suspended(2), reinstated(3)])[-1]
    assert standing_at(seller, at) == standing


def test_who_never_registered_has_no_standing() -> None:
    assert standing_at(None, T) is None


# --- any feed ------------------------------------------------------------------------------------

acts = st.builds(
    lambda act, hours: act(hours),
    st.sampled_from((approved, suspended, reinstated)),
    st.integers(-2, 4),
)


descriptions = st.builds(described, st.integers(-2, 4), st.sampled_from((None, "a", "b")))


@st.composite
def feeds(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    """A registration with acts, and the same in another order with repeats."""
    said = draw(st.lists(descriptions, max_size=4, unique_by=lambda each: each.at))
    messages: list[Message] = [registered(), *draw(st.lists(acts, max_size=6)), *said]
    repeats = draw(st.lists(st.sampled_from(messages), max_size=4))
    return messages, draw(st.permutations([*messages, *repeats]))


def standing_of(done: Sequence[Message], hours: int) -> Standing:
    """The promise in plain words: what was done until then, in the order it was done."""
    order = (SellerApproved, SellerSuspended, SellerReinstated)
    made = [each for each in done if isinstance(each, order) and each.at <= T + hours * HOUR]
    made.sort(key=lambda act: (act.at, order.index(type(act))))
    kinds = [type(act) for act in made]
    pauses = [kind for kind in kinds if kind is not SellerApproved]
    if pauses and pauses[-1] is SellerSuspended:
        return "suspended"
    return "good" if SellerApproved in kinds else "pending"


@settings(max_examples=100, deadline=None)
@given(feeds())
def test_any_order_and_any_repeats_come_to_the_same_seller(
    feed: tuple[list[Message], list[Message]],
) -> None:
    """But for the version, which counts how often what was told changed."""
    plain, jumbled = (play(messages) for messages in feed)
    unversioned = [each[-1].model_dump(exclude={"version"}) for each in (plain, jumbled)]
    assert unversioned[0] == unversioned[1]
    for facts in (plain, jumbled):
        assert [each.version for each in facts] == list(range(1, len(facts) + 1))
        told = [each.model_dump(exclude={"version"}) for each in facts]
        assert all(one != other for one, other in itertools.pairwise(told))
    seller = jumbled[-1]
    newest = max((each for each in feed[0] if isinstance(each, SellerDescribed) and each.at >= T),
                 key=lambda each: each.at, default=None)  # fmt: skip
    assert seller.delivery == (newest and newest.delivery)
    for hours in range(5):
        assert standing_at(seller, T + hours * HOUR) == standing_of(feed[0], hours)
    changes = [standing for _, standing in history(seller)]
    assert all(one != other for one, other in itertools.pairwise(changes))


GOOD, SUSPENDED = ("seller:sue", "good"), ("seller:sue", "suspended")
# What came, in that order, and the letters about it.
TOLD: list[tuple[str, list[Message], list[tuple[str, str]]]] = [
    ("nothing but a registration", [registered()], []),
    ("an approval", [registered(), approved(1)], [GOOD]),
    ("an approval twice", [registered(), approved(1), approved(1)], [GOOD]),
    ("an approval again later", [registered(), approved(1), approved(2)], [GOOD]),
    (
        "one that the registration made",
        [registered(), SellerApproved(seller_id="sue", at=T, reason=AUTOMATIC)],
        [],
    ),
    ("one before the registration came", [approved(1), registered()], []),
    (
        "a suspension and its end",
        [registered(), approved(1), suspended(2), reinstated(3)],
        [GOOD, SUSPENDED, GOOD],
    ),
    ("a suspension that came late", [registered(), approved(1), reinstated(3), suspended(2)],
     [GOOD]),
    ("an approval of somebody suspended", [registered(), suspended(1), approved(2)], [SUSPENDED]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "told"), [each[1:] for each in TOLD], ids=[e[0] for e in TOLD]
)
def test_a_seller_is_told_of_each_change_of_standing_once(
    messages: list[Message], told: list[tuple[str, str]]
) -> None:
    assert letters(messages) == told
