"""What an organizer writes: it reaches all who are listed or have ordered, each person once."""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.processor import Processor
from runtime.records import encode
from runtime.rows import UnusableError
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.letters import missing
from schemas.orders import (
    ORDERS,
    GroupMessage,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
)
from schemas.parts import Member, Message, Product
from services.order_service.processor import PROCESSOR
from services.order_service.rules import messages
from services.order_service.rules.messages import ROWS_PER_CALL
from services.payment_service.processor import PROCESSORS as PAYMENTS
from services.shop_bridge.processor import PROCESSORS as SHOPS
from tests.rules.test_any_records import Service
from tests.rules.test_order_rules import (
    ANN,
    BOB,
    BY_CARD,
    BY_GROUP,
    CEM_MAIL,
    CLOSES,
    DEADLINE,
    ENDED,
    GROUP,
    HOUR,
    INSTANT,
    LISTED,
    MINUTE,
    OPENS,
    Event,
    Played,
    cancelled,
    group,
    message,
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

RIVALS_ANN = f"rival-{ANN}"


def rival_paid(order_id: str, member: str, email: str) -> OrderPaid:
    return OrderPaid(**order(order_id, member, 1, source="rival", member_email=email))


def by_link(order_id: str, member: str, email: str) -> OrderPlaced:
    return OrderPlaced(**order(order_id, member, 1, member_email=email), unconfirmed=True)


def confirmed(order_id: str) -> OrderConfirmed:
    return OrderConfirmed(order_id=order_id, source="shop", group_id=GROUP, at=OPENS + HOUR)


@dataclass
class Case:
    """A promise, what happens, and who gets each message; in the order of the letters."""

    promise: str
    events: list[Message | Event]
    to: list[str]


CASES = [
    Case("who is listed gets it, without an order too", [LISTED, message()], [ANN, CEM_MAIL]),
    Case(
        "who came in a part of the list gets it",
        [MembersAdmitted(group_id=GROUP, part=1, parts=1, members=LISTED.members), group(),
         message()],
        [ANN, CEM_MAIL],
    ),
    Case("without an address nobody does", [group("ann"), paid("a", "ann"), message()], []),
    Case(
        "who is listed without an address gets it where the order said",
        [LISTED, paid("b", "bob", member_email=BOB), message()],
        [ANN, CEM_MAIL, BOB],
    ),
    Case(
        "in a group open to anyone, who has ordered gets it",
        [group(), paid("a", "ann", member_email=ANN), paid("b", "bob", member_email=BOB),
         message()],
        [ANN, BOB],
    ),
    Case(
        "who has ordered often, or is listed and has ordered, gets it once",
        [LISTED, *[paid(each, "ann") for each in "abc"], placed("d", "ann"), message()],
        [ANN, CEM_MAIL],
    ),
    Case(
        "who awaits money gets it, once",
        [BY_CARD, placed("a", "ann", member_email=ANN), placed("b", "ann", member_email=ANN),
         message()],
        [ANN],
    ),
    Case(
        "one person under two ids gets it once",
        [BY_GROUP, placed("a", "ann", person_id="p", member_email=ANN),
         placed("b", "bob", person_id="p", member_email=ANN), message()],
        [ANN],
    ),
    Case(
        "two persons under one id get it both, if both are known",
        [BY_CARD, placed("a", "ann", member_email=ANN), payment("a"),
         OrderPlaced(**order("b", "ann", 1, source="rival", member_email=RIVALS_ANN)), message()],
        [ANN, RIVALS_ANN],
    ),
    Case(
        "whose orders were all cancelled does not get it",
        [group(), paid("a", "ann", member_email=ANN), paid("b", "bob", member_email=BOB),
         cancelled("a"), placed("c", "cem", member_email=CEM_MAIL), cancelled("c"), message()],
        [BOB],
    ),
    Case(
        "unless one of them stands",
        [group(), paid("a", "ann", member_email=ANN), paid("b", "ann", member_email=ANN),
         cancelled("a"), message()],
        [ANN],
    ),
    Case("or the list names the person", [LISTED, paid("a", "ann"), cancelled("a"), message()],
         [ANN, CEM_MAIL]),
    Case(
        "whose order was refused does not",
        [group(), paid("a", "ann", member_email=ANN, ordered_at=CLOSES), message()],
        [],
    ),
    Case(
        "who returned everything does, as the group was theirs",
        [group(), paid("a", "ann", member_email=ANN), returned("r", "ann"), message()],
        [ANN],
    ),
    Case(
        "an address that nobody has confirmed does not",
        [BY_GROUP, by_link("a", "ann", ANN), by_link("b", "bob", BOB), confirmed("b"), message()],
        [BOB],
    ),
    Case(
        "a repeat sends nothing, whatever it says",
        [LISTED, message(), message(), (OPENS + 2 * HOUR, message(words="Other words."))],
        [ANN, CEM_MAIL],
    ),
    Case("another message does", [LISTED, message("1"), message("2")], [ANN, CEM_MAIL] * 2),
    Case(
        "who orders after it does not get it",
        [group(), message(), paid("a", "ann", member_email=ANN)],
        [],
    ),
    Case(
        "an organizer may still write when the group is over",
        [group(), paid("a", "ann", member_email=ANN), (DEADLINE + HOUR, message())],
        [ANN],
    ),
    Case(
        "and when it is withdrawn, as people must be told",
        [LISTED, withdrawn(), message()],
        [ANN, CEM_MAIL],
    ),
    Case(
        "until its rows are gone",
        [LISTED, time(ENDED - INSTANT), (ENDED, message())],
        [],
    ),
    Case(
        "a message waits for its group, and so do the orders before it",
        [paid("a", "ann", member_email=ANN), message(), (OPENS + HOUR + MINUTE, group())],
        [ANN],
    ),
    Case(
        "two messages that waited are both sent, each once",
        [message("2"), message("1"), message("2"), LISTED],
        [ANN, CEM_MAIL] * 2,
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.promise.replace(" ", "-"))
def test_who_gets_a_message(case: Case) -> None:
    played = play(*case.events)
    letters = [letter for letter in played.letters if letter.kind == "group-message"]
    got = [address for kind, address, *_ in told(played) if kind == "group-message"]
    assert got == case.to
    assert len({letter.notice_id for letter in letters}) == len(letters)
    assert not list(played.rows.scan("told/"))
    assert not list(played.rows.scan("chunk/"))


def test_a_message_without_a_group_becomes_a_dead_letter() -> None:
    played = play((OPENS, message()), time(OPENS + HOUR))
    assert [each.message for each in played.given_up] == [message()]
    assert not played.sent


def test_no_group_can_have_a_mistyped_id() -> None:
    played = Played()
    played.rows.key = "GB-KQSWB-YNRXY-8"
    mistyped = message().model_copy(update={"group_id": played.rows.key})
    with pytest.raises(UnusableError, match="no group has the id"):
        played.play([(OPENS, mistyped)])


def test_the_letter_says_all_there_is_to_say() -> None:
    sold = Product(name="tea", description="x" * 10_000, images=("a" * 64, "b" * 64))
    terms = LISTED.model_copy(update={"product": sold, "shop_id": "acme", "seller_id": "mori"})
    letter, _ = play(terms, message(words="Roasted on Friday.")).letters
    says = letter.says
    assert (letter.kind, letter.recipient_id, letter.about) == ("group-message", "m-ann", GROUP)
    assert (says.party_id, says.group_id, says.words) == ("ann", GROUP, "Roasted on Friday.")
    assert (says.product, says.closes_at) == (sold.brief(), CLOSES)
    assert (says.shop_id, says.seller_id) == ("acme", "mori")
    assert missing(letter) == []


def test_its_words_are_kept_only_until_all_have_them() -> None:
    played = play(LISTED, message(words="Roasted on Friday."))
    assert "Roasted" not in repr(dict(played.rows))


@pytest.mark.slow
@pytest.mark.parametrize("orders", [0, 1, ROWS_PER_CALL - 1, ROWS_PER_CALL, 2 * ROWS_PER_CALL])
def test_a_message_goes_in_chunks(orders: int) -> None:
    """No call sees more than its rows, and everybody gets one letter."""
    names = [f"m{n:04}" for n in range(orders)]
    members = tuple(Member(id=name, person_id=name) for name in names[::2])
    played = play(
        MembersAdmitted(group_id=GROUP, part=1, parts=1, members=members),
        group(),
        *(paid(name, name) for name in names[::2]),
    )
    begun = PROCESSOR.on[GroupMessage](message(), played.rows, OPENS + HOUR)
    assert not begun
    calls: list[Any] = []
    while "chunk/message/gm" in played.rows:
        calls.append(messages.send(played.rows, OPENS + HOUR))
    assert all(len(call) <= ROWS_PER_CALL for call in calls)
    assert [letter.key for letter in itertools.chain.from_iterable(calls)] == names[::2]


OTHER_READERS = [each for each in (*PAYMENTS, *SHOPS) if ORDERS in each.inputs]


@pytest.mark.parametrize("processor", OTHER_READERS, ids=lambda each: each.group_id)
def test_other_readers_of_orders_pass_over_a_message(processor: Processor) -> None:
    """It is no dead letter either, with a known group or without one."""
    service = Service(processor)
    for known in (False, True):
        if known:
            service.take(group())
            service.commit()
        service.fold.apply(
            ORDERS.name,
            SimpleNamespace(
                topic=ORDERS.name, partition=0, offset=1, timestamp=service.fold.now_ms,
                key=GROUP.encode(), value=encode(message()), headers=(),
            ),
        )  # fmt: skip
        assert service.fold.take() == ([], [])


def test_payments_and_shops_read_orders() -> None:
    assert {each.service for each in OTHER_READERS} == {"payment_service", "shop_bridge"}


PEOPLE = ("ann", "bob", "cem")


@given(
    st.sampled_from((group(), BY_CARD, BY_GROUP, LISTED)),
    st.lists(
        st.builds(
            lambda kind, number, who: (
                OrderCancelled(
                    order_id=str(number), source="shop", group_id=GROUP, cancelled_at=OPENS
                )
                if kind is cancelled
                else kind(str(number), who, member_email=f"{who}@x.example")
            ),
            st.sampled_from((paid, placed, cancelled)),
            st.integers(0, 5),
            st.sampled_from(PEOPLE),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_all_who_are_listed_or_have_ordered_get_it_once(
    terms: GroupPurchase, events: list[Message], late: bool
) -> None:
    """Against a plain count: the first word on an order stands, and cancelled is cancelled."""
    at = OPENS + timedelta(days=2) if late else OPENS + 2 * HOUR
    played = play(terms, *events, (at, message()))
    void = {each.order_id for each in events if isinstance(each, OrderCancelled)}
    first: dict[str, str] = {}
    for each in events:
        if isinstance(each, OrderPlaced | OrderPaid):
            first.setdefault(each.order_id, each.member_id)
    listed = {each.id for each in terms.members if each.person_id}
    expected = listed | {who for order_id, who in first.items() if order_id not in void}
    got = [each.says.party_id for each in played.letters if each.kind == "group-message"]
    assert sorted(got) == sorted(expected)
