"""Orders by a link count only once they are confirmed: rules of orders and of payments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import Due, MemoryRows
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.letters import Notice
from schemas.orders import OrderConfirmed, OrderPlaced, OrderRefused
from schemas.parts import Message, PaymentTerms
from schemas.people import Person
from services.order_service.processor import PROCESSOR
from services.payment_service.processor import PROCESSOR as PAYMENTS
from services.payment_service.rules import groups as payment_rules
from tests.rules.payment_world import GROUP, World, terms
from tests.rules.payment_world import T as BEGINS
from tests.rules.test_order_rules import (
    ANN,
    BOB,
    BY_CARD,
    BY_GROUP,
    BY_INVOICE,
    CLOSES,
    DEADLINE,
    HOUR,
    INSTANT,
    LATEST,
    LISTED,
    MINUTE,
    OPENS,
    WAITS_ANN,
    Event,
    Played,
    cancelled,
    check,
    group,
    order,
    paid,
    payment,
    placed,
    play,
    returned,
    time,
    told,
    withdrawn,
)

#: When an order of an hour after the opening expires.
EXPIRES = OPENS + HOUR + timedelta(hours=48)
LONG = {"closes_at": OPENS + timedelta(days=9)}
LONG_BY_GROUP = group(payment=PaymentTerms(scope="group"), **LONG)
STOPS_BY_GROUP = group(payment=PaymentTerms(scope="group"), stop_at_number=True)


def by_link(order_id: str, member: str = "ann", quantity: int = 1, **more: Any) -> OrderPlaced:
    return OrderPlaced(**order(order_id, member, quantity, **more), unconfirmed=True)


def mailed(order_id: str, quantity: int = 1, **more: Any) -> OrderPlaced:
    return by_link(order_id, "ann", quantity, **{"member_email": ANN} | more)


def confirmed(order_id: str, at: datetime = OPENS + 2 * HOUR) -> OrderConfirmed:
    return OrderConfirmed(order_id=order_id, source="shop", group_id=GROUP, at=at)


def confirmed_at(order_id: str, at: datetime) -> Event:
    return at, confirmed(order_id, at)


#: The one letter to an address that nobody has confirmed.
ASKED = ("confirm-order", ANN, "a", 1, None)
COUNTED = ("order-counted", ANN, "a", 1, 1)


@dataclass
class Case:
    """A promise, what happens, and what comes of it: units, status, refusals, letters."""

    promise: str
    events: Sequence[Message | Event]
    quantity: int = 0
    status: str = "open"
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    letters: list[tuple[Any, ...]] = field(default_factory=lambda: [ASKED])


CONFIRMING = [
    Case("nothing counts before the letter's link was followed", [BY_GROUP, mailed("a")]),
    Case("the letter comes once, whatever is repeated", [BY_GROUP, *[mailed("a")] * 3]),
    Case(
        "it counts once it is confirmed",
        [BY_GROUP, mailed("a"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "once, however often that is told",
        [BY_GROUP, mailed("a"), *[confirmed("a")] * 3, mailed("a"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "a front end that vouches confirms it before it comes, and no letter asks",
        [BY_GROUP, confirmed("a"), mailed("a"), confirmed("a")],
        1, letters=[COUNTED],
    ),
    Case("a confirmation of an unknown order counts nothing", [BY_GROUP, confirmed("a")],
         letters=[]),
    Case(
        "nor does one of another member's order",
        [BY_GROUP, mailed("a"), by_link("b", "bob", member_email=BOB), confirmed("b")],
        1,
        letters=[ASKED, ("confirm-order", BOB, "b", 1, None), ("order-counted", BOB, "b", 1, 1)],
    ),
    Case(
        "nor one of another source's order of that id",
        [BY_GROUP, mailed("a"), confirmed("a").model_copy(update={"source": "mill"})],
    ),
    Case(
        "confirmed it waits for the shop's word as any placed order does",
        [group(), mailed("a"), *[confirmed("a")] * 2],
        letters=[ASKED, WAITS_ANN],
    ),
    Case(
        "and counts by it",
        [group(), mailed("a"), confirmed("a"), paid("a", "ann")],
        1, letters=[ASKED, WAITS_ANN, COUNTED],
    ),
    Case(
        "the shop's word alone is enough, as it has the money",
        [group(), mailed("a"), paid("a", "ann"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "by card it waits for the money that is asked for then",
        [BY_CARD, mailed("a"), confirmed("a"), mailed("a")],
        letters=[ASKED, WAITS_ANN],
    ),
    Case(
        "also where a front end vouches",
        [BY_CARD, confirmed("a"), mailed("a")],
        letters=[WAITS_ANN],
    ),
    Case(
        "but not if the money came before the confirmation",
        [BY_CARD, mailed("a"), payment("a"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "nor if the group has closed by then",
        [BY_CARD, mailed("a"), confirmed_at("a", DEADLINE)],
        0, "elapsed",
    ),
    Case(
        "by card it counts once authorised",
        [BY_CARD, mailed("a"), confirmed("a"), payment("a"), payment("a")],
        1, letters=[ASKED, WAITS_ANN, COUNTED],
    ),
    Case(
        "by invoice it counts once invoiced",
        [BY_INVOICE, mailed("a"), confirmed("a"), payment("a", "invoice", "pending")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "money that is known before the confirmation does not stand for it",
        [BY_INVOICE, mailed("a"), payment("a", "invoice", "pending")],
    ),
    Case(
        "but is not forgotten",
        [BY_INVOICE, mailed("a"), payment("a", "invoice", "pending"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "whichever of the three comes first",
        [BY_INVOICE, payment("a", "invoice", "pending"), mailed("a"), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "payment, confirmation, order",
        [BY_INVOICE, payment("a", "invoice", "pending"), confirmed("a"), mailed("a")],
        1, letters=[COUNTED],
    ),
    Case(
        "confirmation, payment, order",
        [BY_INVOICE, confirmed("a"), payment("a", "invoice", "pending"), mailed("a")],
        1, letters=[COUNTED],
    ),
    Case(
        "an order with a key needs no confirmation",
        [BY_GROUP, placed("a", "ann", member_email=ANN)],
        1, letters=[COUNTED],
    ),
    Case(
        "an order is as it first came: a repeat without the mark confirms nothing",
        [BY_GROUP, mailed("a"), placed("a", "ann", member_email=ANN)],
    ),
    Case(
        "and a repeat with it takes nothing out",
        [BY_GROUP, placed("a", "ann", member_email=ANN), mailed("a")],
        1, letters=[COUNTED],
    ),
    Case("without an address nobody is asked, and it can't count", [BY_GROUP, by_link("a")],
         letters=[]),
    Case(
        "a listed member is asked at the list's address, whatever the order says",
        [LISTED.model_copy(update={"payment": PaymentTerms(scope="group")}),
         mailed("a", member_email=BOB), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
]  # fmt: skip

EXPIRING = [
    Case(
        "an instant before 48 hours it still counts",
        [LONG_BY_GROUP, mailed("a"), confirmed_at("a", EXPIRES - INSTANT)],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "at 48 hours it is void, without another letter",
        [LONG_BY_GROUP, mailed("a"), time(EXPIRES)],
        refused=[("a", 1, "expired")],
    ),
    Case(
        "who confirms then is told that it is void, each time",
        [LONG_BY_GROUP, mailed("a"), *[confirmed_at("a", EXPIRES)] * 2],
        refused=[("a", 1, "expired")] * 3,
    ),
    Case(
        "a confirmation dated too late does not count, even if the clock is behind",
        [LONG_BY_GROUP, mailed("a"), (OPENS + 2 * HOUR, confirmed("a", EXPIRES))],
        refused=[("a", 1, "expired")],
    ),
    Case(
        "nor if it came first",
        [LONG_BY_GROUP, confirmed("a", EXPIRES), mailed("a")],
        refused=[("a", 1, "expired")],
        letters=[("order-refused", ANN, "a", 1, "expired")],
    ),
    Case(
        "what comes to us after its 48 hours is void at once, and nobody is asked",
        [LONG_BY_GROUP, (EXPIRES, mailed("a"))],
        refused=[("a", 1, "expired")], letters=[],
    ),
    Case(
        "void is void: neither a repeat nor money brings it back",
        [LONG_BY_GROUP, mailed("a"), time(EXPIRES), (EXPIRES, mailed("a")),
         (EXPIRES, payment("a"))],
        refused=[("a", 1, "expired")] * 2,
    ),
    Case(
        "what was confirmed does not expire",
        [LONG_BY_GROUP, mailed("a"), confirmed("a"), time(EXPIRES + HOUR)],
        1, letters=[ASKED, COUNTED],
    ),
    Case(
        "cancelled it can't be confirmed, nor does it expire",
        [LONG_BY_GROUP, mailed("a"), cancelled("a"), confirmed("a"), time(EXPIRES)],
    ),
    Case(
        "a cancellation wins over a confirmation that comes first",
        [LONG_BY_GROUP, confirmed("a"), cancelled("a"), mailed("a")],
        letters=[],
    ),
    Case(
        "the very last days of the calendar have no 48 hours more",
        [group(closes_at=datetime.max.replace(tzinfo=UTC), payment=PaymentTerms(scope="group")),
         mailed("a", ordered_at=datetime.max.replace(tzinfo=UTC) - HOUR), confirmed("a")],
        1, letters=[ASKED, COUNTED],
    ),
]  # fmt: skip

CLOSING = [
    Case(
        "an order in time that is confirmed after the close counts, and changes no status",
        [BY_GROUP, mailed("a", 3), confirmed_at("a", DEADLINE + HOUR)],
        3, "elapsed",
        letters=[("confirm-order", ANN, "a", 3, None), ("order-counted", ANN, "a", 3, 3)],
    ),
    Case(
        "also after the 72 hours, as it was here before",
        [STOPS_BY_GROUP.model_copy(update=LONG), paid("b", "bob", 3),
         (OPENS + 70 * HOUR, mailed("a", ordered_at=OPENS + 70 * HOUR)),
         confirmed_at("a", OPENS + 80 * HOUR)],
        4, "complete",
        letters=[ASKED, ("order-counted", ANN, "a", 1, 4)],
    ),
    Case(
        "it never completes a group that has closed",
        [STOPS_BY_GROUP, mailed("a", 3), withdrawn(), confirmed("a")],
        0, "withdrawn", refused=[("a", 3, "withdrawn")],
        letters=[("confirm-order", ANN, "a", 3, None),
                 ("order-refused", ANN, "a", 3, "withdrawn")],
    ),
    Case(
        "unconfirmed it completes no group at all",
        [STOPS_BY_GROUP, mailed("a", 3), time(DEADLINE)],
        0, "elapsed", letters=[("confirm-order", ANN, "a", 3, None)],
    ),
    Case(
        "confirmed in time it does",
        [STOPS_BY_GROUP, mailed("a", 3), confirmed("a")],
        3, "complete",
        letters=[("confirm-order", ANN, "a", 3, None), ("order-counted", ANN, "a", 3, 3)],
    ),
]  # fmt: skip

REFUSING = [
    Case(
        "an order by a link has at most the group's number",
        [BY_GROUP, mailed("a", 4)],
        refused=[("a", 4, "beyond-limits")], letters=[],
    ),
    Case(
        "a billion of it too, and confirming it changes nothing",
        [BY_GROUP, mailed("a", 10**9), confirmed("a")],
        refused=[("a", 10**9, "beyond-limits")] * 2, letters=[],
    ),
    Case(
        "where the group stops at its number, at most what is missing",
        [STOPS_BY_GROUP, paid("b", "bob", 2), mailed("a", 2)],
        2, refused=[("a", 2, "beyond-limits")], letters=[],
    ),
    Case(
        "that much it may have",
        [STOPS_BY_GROUP, paid("b", "bob", 2), mailed("a"), confirmed("a")],
        3, "complete", letters=[ASKED, ("order-counted", ANN, "a", 1, 3)],
    ),
    Case(
        "also of a front end that vouches",
        [BY_GROUP, confirmed("a"), mailed("a", 4)],
        refused=[("a", 4, "beyond-limits")],
        letters=[("order-refused", ANN, "a", 4, "beyond-limits")],
    ),
    Case(
        "nor is it worth more than a sum can be",
        [group(unit_price=10**12, number_of_products=10**9), mailed("a", 10**9), confirmed("a")],
        refused=[("a", 10**9, "beyond-limits")] * 2, letters=[],
    ),
    Case("with a key there is no such limit", [BY_GROUP, placed("a", "ann", 10**9)], 10**9,
         letters=[]),
    *(
        Case(
            f"a stranger's address gets no letter of a refusal: {reason}",
            [terms_, *[mailed("a", **more)] * 2],
            refused=[("a", 1, reason)] * 2, letters=[],
        )
        for reason, terms_, more in (
            ("not-a-member", group("bob"), {}),
            ("before-period", BY_GROUP, {"ordered_at": OPENS - INSTANT}),
            ("after-period", BY_GROUP, {"ordered_at": CLOSES}),
            ("other-currency", BY_GROUP, {"currency": "JPY"}),
        )
    ),
    Case(
        "nor one of too late an order",
        [BY_GROUP, (LATEST + INSTANT, mailed("a"))],
        0, "elapsed", refused=[("a", 1, "too-late")], letters=[],
    ),
    Case(
        "nor one of a return that names it",
        [BY_GROUP, mailed("a"), returned("r", "ann", 1, "a")],
        refused=[("r", 1, "exceeds-orders")],
    ),
    Case(
        "for want of its group it is refused after an hour without a letter",
        [(OPENS, mailed("a", ordered_at=OPENS)), time(OPENS + HOUR), (OPENS + 2 * HOUR, BY_GROUP)],
        refused=[("a", 1, "unknown-group")], letters=[],
    ),
    Case(
        "a listed member gets none either",
        [MembersAdmitted(group_id=GROUP, part=1, parts=1, members=LISTED.members),
         (OPENS, mailed("a", ordered_at=OPENS)), time(OPENS + HOUR), (OPENS + 2 * HOUR, group())],
        refused=[("a", 1, "unknown-group")],
        letters=[],
    ),
    Case(
        "what waits for its group is confirmed there, in whatever order",
        [(OPENS, confirmed("b", OPENS)), (OPENS, mailed("a", ordered_at=OPENS)),
         (OPENS, mailed("b", ordered_at=OPENS)), (OPENS, confirmed("a", OPENS)),
         (OPENS + MINUTE, BY_GROUP)],
        2, letters=[ASKED, ("order-counted", ANN, "b", 1, 1), ("order-counted", ANN, "a", 1, 2)],
    ),
    Case(
        "of a group that ended long ago nothing is told",
        [BY_GROUP, (DEADLINE + timedelta(days=90), mailed("a")),
         (DEADLINE + timedelta(days=90), confirmed("a"))],
        0, "elapsed", refused=[("a", 1, "too-late")], letters=[],
    ),
]  # fmt: skip

ALL = [*CONFIRMING, *EXPIRING, *CLOSING, *REFUSING]


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.promise.replace(" ", "-"))
def test_what_becomes_of_an_order_by_a_link(case: Case) -> None:
    played = play(*case.events)
    state = played.state
    assert (state.quantity, state.status) == (case.quantity, case.status)
    assert played.refused == case.refused
    assert told(played) == case.letters
    check(played)


def test_the_letter_says_all_there_is_to_say() -> None:
    (letter,) = play(BY_INVOICE, mailed("a", 2)).letters
    says = letter.says
    assert (letter.kind, letter.recipient_id, letter.about) == ("confirm-order", "shop:ann", GROUP)
    assert says.party_id == "ann"
    assert (says.source, says.order_id, says.quantity, says.value) == ("shop", "a", 2, 200)
    assert (says.currency, says.confirm_by, says.closes_at) == ("EUR", EXPIRES, CLOSES)


def test_the_person_is_kept_only_while_it_is_needed() -> None:
    def kept(*events: Message | Event) -> Any:
        return play(LONG_BY_GROUP, mailed("a"), *events).rows["order/shop/a"].person_id

    assert kept() == "shop:ann"
    assert [kept(each) for each in (confirmed("a"), cancelled("a"), time(EXPIRES))] == [None] * 3


def test_a_listed_group_counts_a_member_who_confirmed() -> None:
    terms_ = group("ann", "bob", number_of_products=2, payment=PaymentTerms(scope="group"))
    events = [terms_, mailed("a"), by_link("b", "bob", member_email=BOB), confirmed("a")]
    assert play(*events).state.status == "open"
    assert play(*events, confirmed("b")).state.status == "complete"


def test_every_row_survives_the_store() -> None:
    types = {**PROCESSOR.rows, "due": Due}
    for case in ALL:
        for name, row in play(*case.events).rows.items():
            kind = types[name.partition("/")[0]]
            assert msgspec.json.decode(msgspec.json.encode(row), type=kind) == row


def test_nothing_is_left_of_it_after_the_end() -> None:
    played = play(LONG_BY_GROUP, mailed("a"), mailed("b"), cancelled("b"), mailed("c"),
                  confirmed("c"), time(OPENS + timedelta(days=120)))  # fmt: skip
    assert set(played.rows) == {"ended"}


# --- strangers -----------------------------------------------------------------------------------


@st.composite
def honest(draw: st.DrawFn) -> list[Event]:
    """A group and what happens in it, in order of time."""
    terms_: GroupPurchase = draw(
        st.sampled_from(
            [BY_GROUP, BY_INVOICE, BY_CARD, STOPS_BY_GROUP, group("ann", "bob"), LISTED]
        )
    )
    names = st.sampled_from("abcdef")
    members = st.sampled_from(["ann", "bob", "cem"])
    each = st.one_of(
        st.builds(paid, names, members, st.integers(1, 3)),
        st.builds(placed, names, members, st.integers(1, 3)),
        st.builds(payment, names),
        st.builds(cancelled, names),
        st.builds(returned, st.sampled_from("rs"), members, st.integers(1, 3)),
        st.just(terms_.model_copy(update={"version": 2, "withdrawn_at": OPENS})),
    )
    spans = st.integers(0, 150).map(lambda hours: OPENS + HOUR * hours)
    events: list[Event] = draw(st.lists(st.tuples(spans, each), max_size=12))
    return [(OPENS, terms_), *sorted(events, key=lambda event: event[0])]


@st.composite
def strangers(draw: st.DrawFn) -> list[Event]:
    """What a stranger sends who has no mailbox to confirm from."""
    at = st.integers(0, 150).map(lambda hours: OPENS + HOUR * hours)
    events: list[Event] = []
    for number in range(draw(st.integers(1, 6))):
        ordered_at = draw(at)
        name = f"w{number}"
        message = by_link(
            draw(st.sampled_from([name, "w0"])),
            draw(st.sampled_from(["ann", "bob", "zoe"])),
            draw(st.sampled_from([1, 2, 3, 4, 10**9])),
            source="storefront",
            ordered_at=ordered_at,
            value=draw(st.sampled_from([None, 0, 10**15])),
            unit_price=draw(st.sampled_from([None, 10**15])),
            member_email=draw(st.sampled_from([None, "victim@x.example"])),
        )
        events += [(ordered_at, message)] * draw(st.integers(1, 2))
    return events


def merged(one: list[Event], other: list[Event]) -> list[Event]:
    return [one[0], *sorted([*one[1:], *other], key=lambda event: event[0]), time(LATEST)]


def of_others(played: Played) -> list[Message]:
    """All that is sent but the answers to the stranger's own orders, and their addresses."""
    return [
        each.model_copy(update={"version": 1}) if hasattr(each, "version") else each
        for each in played.sent
        if not (isinstance(each, OrderRefused) and each.source == "storefront")
        and not (isinstance(each, Notice) and each.kind == "confirm-order")
        and not (isinstance(each, Person) and each.person_id.startswith("storefront:"))
    ]


@pytest.mark.slow
@given(honest(), strangers())
def test_a_stranger_changes_nothing_but_gets_the_one_letter_asked_for(
    events: list[Event], more: list[Event]
) -> None:
    """No sum, status, refusal or letter of others is another; no row of theirs either."""
    alone = Played().play(merged(events, []))
    disturbed = Played().play(merged(events, more))
    assert of_others(disturbed) == of_others(alone)
    letters = [each for each in disturbed.letters if each.says.source == "storefront"]
    assert {each.kind for each in letters} <= {"confirm-order"}
    orders = [each.says.order_id for each in letters]
    assert len(orders) == len(set(orders))
    mine = ("order/storefront/", "due/confirm/")
    left = {name: row for name, row in disturbed.rows.items() if not name.startswith(mine)}
    assert left == dict(alone.rows)


# --- money ---------------------------------------------------------------------------------------


def of_ann(order_id: str = "o1", **fields: Any) -> OrderPlaced:
    given_: dict[str, Any] = {
        "order_id": order_id, "source": "shop", "group_id": GROUP, "member_id": "ann",
        "quantity": 2, "ordered_at": BEGINS, "unconfirmed": True, "member_email": ANN,
    }  # fmt: skip
    return OrderPlaced(**given_ | fields)


def word(at: datetime = BEGINS + HOUR) -> OrderConfirmed:
    return OrderConfirmed(order_id="o1", source="shop", group_id=GROUP, at=at)


def refusal() -> OrderRefused:
    return OrderRefused(
        group_id=GROUP, order_id="o1", source="shop", member_id="ann", quantity=2, reason="expired"
    )


TERMS = terms(method="invoice")
VOID = BEGINS + timedelta(hours=48)
MONEY = [
    ("nothing is asked for it before it is confirmed", [TERMS, of_ann()], []),
    ("then it is invoiced once", [TERMS, of_ann(), word(), word(), of_ann()], [2_000]),
    ("also if the confirmation comes first", [TERMS, word(), of_ann()], [2_000]),
    ("or the terms come last", [of_ann(), word(), TERMS], [2_000]),
    ("or between the two", [of_ann(), TERMS, word()], [2_000]),
    ("terms after the confirmation alone", [word(), TERMS, of_ann()], [2_000]),
    ("an order before its terms is not asked for either", [of_ann(), TERMS], []),
    ("a confirmation that is too late is none", [TERMS, of_ann(), word(VOID)], []),
    ("also before its order", [TERMS, word(VOID), of_ann()], []),
    ("an instant earlier it is one", [TERMS, of_ann(), word(VOID - INSTANT)], [2_000]),
    ("what expired is not asked for", [TERMS, of_ann(), refusal(), word()], []),
    ("nor what was cancelled", [TERMS, of_ann(), cancelled("o1"), word()], []),
    ("nor what is cancelled before it comes", [TERMS, word(), cancelled("o1"), of_ann()], []),
    ("nor what the shop has been paid", [TERMS, of_ann(), paid("o1", "ann"), word()], []),
    ("with a key it is invoiced at once", [TERMS, of_ann(unconfirmed=False)], [2_000]),
    (
        "a repeat without the mark confirms nothing",
        [TERMS, of_ann(), of_ann(unconfirmed=False)],
        [],
    ),
]


@pytest.mark.parametrize(("promise", "events", "asked"), MONEY, ids=[each[0] for each in MONEY])
def test_nobody_is_invoiced_for_what_they_did_not_confirm(
    promise: str, events: list[Message], asked: list[int]
) -> None:
    rows, sent = MemoryRows(GROUP), []
    for message in events:
        sent += PAYMENTS.on[type(message)](message, rows, BEGINS + HOUR)
        while "chunk/open" in rows:
            sent += payment_rules.open_waiting(rows, BEGINS + HOUR)
    moves = [row.amount for name, row in rows.items() if name.startswith("payment/")]
    assert moves == asked
    if not asked and not any(type(each).__name__ == "OrderPaid" for each in events):
        # Nor does the payer, or where its letters go, come to be known by it.
        assert not [name for name in rows if name.startswith("payer/")]
        assert not [each for each in sent if isinstance(each, Notice)]


@pytest.mark.parametrize("method", ["card", "invoice"])
@pytest.mark.parametrize("confirms", [True, False])
def test_an_order_by_a_link_is_paid_only_if_it_was_confirmed(method: str, confirms: bool) -> None:
    """Orders, favors and payments together: a tier that only it would reach stays unreached."""
    world = World(Random(7), terms(method=method))
    order_id = world.order("ann", 2, unconfirmed=True)
    world.drain()
    assert world.latest() == {}
    if confirms:
        world.confirm(order_id)
    world.come_to_rest()
    asked = sum(each.amount for each in world.latest().values() if each.kind != "capture")
    assert (asked > 0) is confirms
    assert world.paid("ann") == (1_800 if confirms else 0)
    assert world.is_settled()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happens_only_confirmed_orders_have_payments(seed: int) -> None:
    """Services read at their own pace; some orders are confirmed, some never, some too late."""
    random = Random(seed)
    world = World(random, terms(method=random.choice(("card", "invoice")), days=4))
    names = [world.order(random.choice(("ann", "bob")), 1, unconfirmed=True) for _ in range(4)]
    wanted = [name for name in names if random.random() < 0.5]
    for name in wanted:
        for _ in range(random.randint(0, 9)):
            if unread := world.unread():
                world.read(*random.choice(unread))
        world.pass_time(world.now + random.randint(0, 20) * HOUR)
        world.confirm(name)
    world.come_to_rest()
    asked = {each.cause.order_id for each in world.latest().values() if each.cause.order_id}
    assert asked <= set(wanted)
    counted = [row for name, row in world.purchases._rows[GROUP].items() if name[:6] == "order/"]
    assert sum(row.state == "counts" for row in counted) <= len(wanted)
    for payer, amount in world.owed().items():
        assert world.paid(payer) == amount
    assert world.is_settled()
