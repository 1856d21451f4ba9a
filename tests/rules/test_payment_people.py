"""Whom the letters about payments go to, by the ids of people that orders and lists name."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from domain.people import name_mark
from runtime.rows import MemoryRows
from schemas.groups import GroupPurchase, MembersAdmitted
from schemas.letters import Notice
from schemas.orders import OrderPlaced
from schemas.parts import Member, Message, Product
from services.payment_service.processor import PROCESSOR
from services.payment_service.rules import groups, provider
from services.payment_service.rules.provider import Reply
from tests.rules.payment_world import GROUP, T, terms

ANN, BOB = "ann@x.example", "bob@x.example"
LISTED_ANN = (Member(id="ann", person_id="m-ann"),)
#: By invoice, as its letter goes out with the order.
BY_INVOICE = terms(method="invoice")


def order(order_id: str, member: str = "ann", **more: Any) -> OrderPlaced:
    given: dict[str, Any] = {
        "order_id": order_id, "source": "shop", "group_id": GROUP, "member_id": member,
        "quantity": 1, "ordered_at": T,
    }  # fmt: skip
    return OrderPlaced(**given | more)


def listed(*members: Member) -> GroupPurchase:
    return BY_INVOICE.model_copy(update={"members": members})


def letters_of(events: list[Message]) -> list[Notice]:
    """The letters; no row ever holds an address."""
    rows, sent = MemoryRows(GROUP), []
    for message in events:
        sent += PROCESSOR.on[type(message)](message, rows, T)
        while "chunk/open" in rows:
            sent += groups.open_waiting(rows, T)
        assert "@x.example" not in repr(dict(rows))
    assert "@x.example" not in repr(sent)
    return [each for each in sent if isinstance(each, Notice)]


def play(events: list[Message]) -> list[tuple[str, str]]:
    """The person and the member whom each letter names."""
    return [(each.recipient_id, each.says.party_id) for each in letters_of(events)]


@dataclass
class Case:
    """A promise, what happens, and the recipients of the letters."""

    promise: str
    events: list[Message]
    letters: list[tuple[str, str]]


CASES = [
    Case(
        "the member of the order's source",
        [BY_INVOICE, order("a", member_email=ANN)],
        [("shop:ann", "ann")],
    ),
    Case(
        "the person whom the order names, with an address or without",
        [
            BY_INVOICE,
            order("a", person_id="m-1", member_email=ANN),
            order("b", "bob", person_id="m-2"),
        ],
        [("m-1", "ann"), ("m-2", "bob")],
    ),
    Case("nobody without either", [BY_INVOICE, order("a")], []),
    Case(
        "the list goes first",
        [listed(*LISTED_ANN), order("a", member_email=BOB)],
        [("m-ann", "ann")],
    ),
    Case(
        "also a list in parts",
        [
            MembersAdmitted(group_id=GROUP, part=1, parts=1, members=LISTED_ANN),
            BY_INVOICE,
            order("a"),
        ],
        [("m-ann", "ann")],
    ),
    Case(
        "an order that came before its terms",
        [order("a", member_email=ANN), BY_INVOICE],
        [("shop:ann", "ann")],
    ),
    Case(
        "who was named by an earlier order is told of one without a name",
        [BY_INVOICE, order("a", member_email=ANN), order("b")],
        [("shop:ann", "ann")] * 2,
    ),
    Case(
        "two shops' members of one id are two people: each is told of their own order",
        [
            BY_INVOICE,
            order("a", member_email=ANN),
            order("b", source="fair", member_email=BOB),
        ],
        [("shop:ann", "ann"), ("fair:ann", "ann")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.promise.replace(" ", "-"))
def test_whom_a_payment_s_letter_goes_to(case: Case) -> None:
    assert play(case.events) == case.letters


def test_a_letter_says_what_is_paid_for_and_who_sells() -> None:
    """Of the product what a letter shows; no row of a payment has more."""
    sold = Product(id="t", name="tea", description="x" * 10_000, url="https://acme.example/tea",
                   images=("a" * 64, "b" * 64), tags=("green",))  # fmt: skip
    group = BY_INVOICE.model_copy(update={"product": sold, "shop_id": "acme", "seller_id": "mori"})
    (letter,) = letters_of([group, order("a", member_email=ANN)])
    assert letter.kind == "payment-done"
    assert letter.says.product == sold.brief()
    assert (letter.says.shop_id, letter.says.seller_id) == ("acme", "mori")


def test_rows_from_before_payments_named_the_product_are_read() -> None:
    """Their letters say all else."""
    rows = MemoryRows(GROUP)
    PROCESSOR.on[type(BY_INVOICE)](BY_INVOICE, rows, T)
    written = msgspec.json.decode(msgspec.json.encode(rows["terms"]))
    for field in ("product", "shop_id", "seller_id"):
        del written[field]
    rows["terms"] = msgspec.json.decode(msgspec.json.encode(written), type=PROCESSOR.rows["terms"])
    message = order("a", member_email=ANN)
    (letter,) = PROCESSOR.on[type(message)](message, rows, T)
    assert isinstance(letter, Notice)
    assert letter.says.product is None


@pytest.mark.parametrize(
    ("orders", "name"),
    [
        ([order("a", member_email=ANN, member_name="Ann")], "Ann"),
        ([order("a", member_email=ANN)], None),
        ([order("a", member_email=ANN, member_name="Ann"), order("b", member_email=ANN)], "Ann"),
        ([order("a", member_email=ANN, member_name="Ann"),
          order("b", member_email=BOB, source="fair", member_name="Bob")], "Ann"),
    ],
    ids=["as the order says", "none", "as an earlier order says", "not another person's"],
)  # fmt: skip
def test_an_invoice_has_the_mark_of_the_name_that_the_order_gave(
    orders: list[Message], name: str | None
) -> None:
    billed = [each.says.billed for each in letters_of([BY_INVOICE, *orders])][-1]
    assert billed
    assert billed.name_mark == (name and name_mark(BY_INVOICE.request_id, name))


# --- what a letter's link shows ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promise", "events", "orders"),
    [
        ("the member's own orders", [BY_INVOICE, order("a"), order("b")], [None, None]),
        (
            "of a member by the list, too",
            [listed(*LISTED_ANN), order("a", person_id="shop:eve"), order("b")],
            [None, None],
        ),
        (
            "a single order where a cart named another's member",
            [BY_INVOICE, order("a"), order("b", person_id="shop:eve"), order("c")],
            [None, "b", None],
        ),
        (
            "and where two shops have members of one id",
            [BY_INVOICE, order("a"), order("b", source="fair")],
            [None, "b"],
        ),
    ],
)
def test_a_letter_s_link_shows_no_other_person_s_payments(
    promise: str, events: list[Message], orders: list[str | None]
) -> None:
    mailed = [
        each.model_copy(update={"member_email": ANN}) if isinstance(each, OrderPlaced) else each
        for each in events
    ]
    found = [each.says.order_id for each in letters_of(mailed)]
    assert found == orders, promise


def test_a_failed_payment_is_told_to_two_people_of_one_id() -> None:
    """The organizer's id may be that of a shop's member."""
    rows = MemoryRows(GROUP)
    for message in (terms(method="card"), order("a", "org", member_email=ANN)):
        PROCESSOR.on[type(message)](message, rows, T)
    (name,) = (name for name in rows if name.startswith("call/"))
    sent = provider.settle(name, Reply("declined", "card-declined"), rows, T)
    told = [(each.recipient_id, each.says.party_id) for each in sent if isinstance(each, Notice)]
    assert told == [("shop:org", "org"), ("m-org", "org")]
