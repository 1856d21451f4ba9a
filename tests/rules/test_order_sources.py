"""Which shops' orders may feed a group, and whose orders a return takes from."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.sources import is_reserved, may_feed, sources_of_shop
from schemas.letters import Notice
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderRefused, OrderReturned
from schemas.parts import Member, Message, PaymentCause, PaymentTerms
from schemas.payments import Payment
from terminal.descriptions import describe
from tests.rules.test_order_rules import (
    BOB,
    ENDED,
    HOUR,
    LATEST,
    OPENS,
    Case,
    cancelled,
    check,
    check_promise,
    group,
    order,
    paid,
    payment,
    placed,
    play,
    returned,
    told,
    withdrawn,
)

OURS = ("shop", "fair")
#: Three pieces within a day, fed by the shop and the fair; ``rival`` is another shop.
BOUND = group(sources=OURS)
BOUND_BY_CARD = group(sources=OURS, payment=PaymentTerms(method="card"))


def rival_paid(order_id: str, member: str, quantity: int = 1, **more: Any) -> OrderPaid:
    return paid(order_id, member, quantity, source="rival", **more)


def rival_placed(order_id: str, member: str, quantity: int = 1) -> OrderPlaced:
    return placed(order_id, member, quantity, source="rival")


def rival_cancelled(order_id: str) -> OrderCancelled:
    return cancelled(order_id).model_copy(update={"source": "rival"})


def returned_at(
    source: str, return_id: str, member: str, quantity: int = 1, order_id: str | None = None
) -> OrderReturned:
    of_shop = returned(return_id, member, quantity, order_id)
    return of_shop.model_copy(update={"source": source})


def rival_payment(order_id: str) -> Payment:
    cause = PaymentCause(kind="order", source="rival", order_id=order_id)
    return payment(order_id).model_copy(update={"cause": cause})


NOT_A = ("a", 1, "not-this-shop")

BY_SOURCE = [
    Case(
        "orders of every source listed count, each by its own numbers",
        [BOUND, paid("a", "ann"), paid("a", "ann", source="fair")],
        {"ann": (2, 200, 2)},
    ),
    Case(
        "another shop's order is refused, each time it comes",
        [BOUND, rival_paid("a", "ann"), rival_paid("a", "ann"), rival_placed("a", "ann")],
        {},
        refused=(NOT_A,) * 3,
    ),
    Case(
        "it leaves an order of the same name as it is",
        [BOUND, rival_paid("a", "ann"), paid("a", "ann"), rival_paid("a", "ann")],
        {"ann": (1, 100, 1)},
        refused=(NOT_A,) * 2,
    ),
    Case(
        "a placed order of another shop is told at once, though none would count yet",
        [BOUND, rival_placed("a", "ann")],
        {},
        refused=(NOT_A,),
    ),
    Case(
        "another shop's order is refused with its reason, though its payment came first",
        [BOUND_BY_CARD, rival_payment("a"), rival_placed("a", "ann")],
        {},
        refused=(NOT_A,),
    ),
    Case(
        "it neither reaches the number nor covers a member",
        [
            group("ann", sources=OURS),
            rival_paid("a", "ann", 9),
            paid("b", "ann", 2),
        ],
        {"ann": (2, 200, 1)},
        refused=(("a", 9, "not-this-shop"),),
    ),
    Case(
        "the shop is the first reason, whatever else is wrong",
        [
            group("ann", sources=OURS),
            rival_paid("a", "bob", currency="USD", ordered_at=OPENS - HOUR),
        ],
        {},
        refused=(NOT_A,),
    ),
    Case(
        "without a list any shop's order counts",
        [group(), rival_paid("a", "ann"), paid("a", "ann")],
        {"ann": (2, 200, 2)},
    ),
    Case(
        "a till of a listed shop feeds it; a shop whose name only begins alike does not",
        [BOUND, paid("a", "ann", source="shop.2"), paid("b", "ann", source="shopping")],
        {"ann": (1, 100, 1)},
        refused=(("b", 1, "not-this-shop"),),
    ),
    Case(
        "where the group pays, placed is not enough from elsewhere",
        [group(sources=OURS, payment=PaymentTerms(scope="group")), rival_placed("a", "ann")],
        {},
        refused=(NOT_A,),
    ),
    Case(
        "another shop's cancellation and payment change nothing, before or after",
        [
            BOUND_BY_CARD,
            rival_cancelled("a"),
            rival_payment("a"),
            placed("a", "ann"),
            payment("a"),
            rival_cancelled("a"),
            rival_placed("b", "ann"),
            rival_payment("b"),
        ],
        {"ann": (1, 100, 1)},
        refused=(("b", 1, "not-this-shop"),),
    ),
    Case(
        "another shop's cancellation does not hide that its order is refused",
        [BOUND, rival_cancelled("a"), rival_paid("a", "ann"), rival_cancelled("a")],
        {},
        refused=(NOT_A,),
    ),
    Case(
        "what another shop sent before the group was known is refused when it comes",
        [
            rival_paid("a", "ann"),
            rival_cancelled("a"),
            returned_at("rival", "r", "ann"),
            paid("a", "ann"),
            BOUND,
            rival_paid("a", "ann"),
        ],
        {"ann": (1, 100, 1)},
        refused=(NOT_A, ("r", 1, "not-this-shop"), NOT_A),
    ),
    Case(
        "if the group takes over an hour, it was not known",
        [
            (OPENS, rival_paid("a", "ann")),
            (OPENS + 2 * HOUR, BOUND),
            (OPENS + 2 * HOUR, rival_paid("a", "ann")),
        ],
        {},
        refused=(("a", 1, "unknown-group"),) * 2,
    ),
    Case(
        "after the close it is the wrong shop still, however late",
        [BOUND, paid("b", "ann", 3), (LATEST, rival_paid("a", "ann")),
         (LATEST + HOUR, rival_paid("c", "ann"))],
        {"ann": (3, 300, 1)},
        status="complete",
        refused=(NOT_A, ("c", 1, "not-this-shop")),
    ),
    Case(
        "a withdrawn group takes nothing from it either",
        [BOUND, withdrawn(), rival_paid("a", "ann")],
        {},
        "withdrawn",
        refused=(NOT_A,),
    ),
    Case(
        "ninety days later nobody knows whose it was",
        [BOUND, (ENDED, rival_paid("a", "ann"))],
        {},
        "elapsed",
        refused=(("a", 1, "too-late"),),
    ),
]  # fmt: skip

BACK_BY_SOURCE = [
    Case(
        "a return of another shop takes nothing, and is refused each time",
        [BOUND, paid("a", "ann", 2), *[returned_at("rival", "r", "ann", 2)] * 2],
        {"ann": (2, 200, 1)},
        refused=(("r", 2, "not-this-shop"),) * 2,
    ),
    Case(
        "naming an order of the same name does not help",
        [BOUND, paid("a", "ann", 2), returned_at("rival", "r", "ann", 2, "a")],
        {"ann": (2, 200, 1)},
        refused=(("r", 2, "not-this-shop"),),
    ),
    Case(
        "without an order's id a return takes from the latest of its own source",
        [
            BOUND,
            paid("a", "ann", 2, value=20, ordered_at=OPENS + HOUR),
            paid("b", "ann", 2, value=40, ordered_at=OPENS + 2 * HOUR),
            paid("c", "ann", 2, value=80, ordered_at=OPENS + 3 * HOUR, source="fair"),
            returned("r", "ann", 3),
        ],
        {"ann": (3, 90, 3)},
    ),
    Case(
        "and is refused for what exceeds those, though others have more",
        [BOUND, paid("a", "ann"), paid("a", "ann", 9, source="fair"), returned("r", "ann", 3)],
        {"ann": (9, 900, 2)},
        refused=(("r", 2, "exceeds-orders"),),
    ),
    Case(
        "a listed source without an order of the member takes nothing from the only one",
        [BOUND, paid("a", "ann", 2), returned_at("fair", "r", "ann")],
        {"ann": (2, 200, 1)},
        refused=(("r", 1, "exceeds-orders"),),
    ),
    Case(
        "a till's return is not the shop's",
        [BOUND, paid("a", "ann"), returned_at("shop.2", "r", "ann", 1, "a")],
        {"ann": (1, 100, 1)},
        refused=(("r", 1, "exceeds-orders"),),
    ),
    Case(
        "without a list, too, a return takes from orders of its own source only",
        [group(), paid("a", "ann"), returned_at("rival", "r", "ann"), returned("r", "ann")],
        {"ann": (0, 0, 1)},
        refused=(("r", 1, "exceeds-orders"),),
    ),
    Case(
        "a chargeback is a return of the source whose order was paid",
        [
            BOUND_BY_CARD,
            placed("a", "ann", 2),
            payment("a"),
            returned_at("rival", "chargeback", "ann", 2, "a"),
            returned_at("shop", "chargeback", "ann", 2, "a"),
        ],
        {"ann": (0, 0, 1)},
        refused=(("chargeback", 2, "not-this-shop"),),
    ),
    Case(
        "a return long after the close is judged alike",
        [BOUND, paid("a", "ann", 3), (LATEST, returned_at("rival", "r", "ann")),
         (LATEST, returned("r", "ann"))],
        {"ann": (2, 200, 1)},
        status="complete",
        refused=(("r", 1, "not-this-shop"),),
    ),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [*BY_SOURCE, *BACK_BY_SOURCE], ids=lambda case: case.promise.replace(" ", "-")
)
def test_only_listed_sources_feed_a_group(case: Case) -> None:
    check_promise(case)


def test_why_names_the_shops_that_count_and_what_the_refusal_means() -> None:
    """What ``jointbuy why`` prints of the terms and of the refusal."""
    played = play(BOUND, rival_paid("a", "ann"))
    says = [describe(message) for message in played.sent]
    assert says[0].endswith(", orders from shop, fair")
    assert says[-1] == (
        "refused a (rival) of 1 by ann: not-this-shop"
        " (orders of this shop do not count in this group purchase: order at a shop that takes"
        " part)"
    )
    assert describe(play(group()).sent[0]).endswith(", orders from any shop")


# --- letters -------------------------------------------------------------------------------------


def test_who_ordered_at_another_shop_is_told_at_the_order_s_address_only() -> None:
    """The other shop's ``ann`` may be somebody else: the group's own is left alone."""
    listed = group(members=(Member(id="ann", person_id="m-ann"),), sources=OURS)
    played = play(listed, *[rival_paid("a", "ann", member_email=BOB)] * 2, rival_paid("b", "ann"))
    assert told(played) == [("order-refused", BOB, "a", 1, "not-this-shop")]
    assert not told(play(listed, returned_at("rival", "r", "ann")))


def test_an_unconfirmed_order_of_another_source_is_told_to_nobody() -> None:
    """Its address may be a stranger's."""
    stranger = rival_placed("a", "ann").model_copy(
        update={"unconfirmed": True, "member_email": BOB}
    )
    played = play(group(sources=OURS), stranger)
    assert not told(played)
    refused = [each for each in played.sent if isinstance(each, OrderRefused)]
    assert [each.reason for each in refused] == ["not-this-shop"]


# --- what holds of every feed --------------------------------------------------------------------

MEMBERS = st.sampled_from(["ann", "bob"])
NAMES = st.sampled_from(["a", "b", "c"])
UNITS = st.integers(1, 4)
SOURCES = st.sampled_from(["shop", "fair", "rival", "shopping", "storefront"])


@st.composite
def feeds(draw: st.DrawFn) -> list[Message]:
    """Orders, payments, cancellations and returns of several sources that number them alike."""
    fed: list[Message] = []
    for _ in range(draw(st.integers(1, 14))):
        source, name = draw(SOURCES), draw(NAMES)
        fields = order(name, draw(MEMBERS), draw(UNITS), source=source)
        fed.append(
            draw(
                st.sampled_from(
                    [
                        OrderPaid(**fields),
                        OrderPlaced(**fields),
                        cancelled(name).model_copy(update={"source": source}),
                        returned_at(source, f"r-{name}", fields["member_id"], fields["quantity"]),
                        returned_at(source, f"q-{name}", fields["member_id"], 1, name),
                        payment(name).model_copy(
                            update={
                                "cause": PaymentCause(kind="order", source=source, order_id=name)
                            }
                        ),
                    ]
                )
            )
        )
    return fed


def source_of(message: Message) -> str:
    return message.cause.source or "" if isinstance(message, Payment) else message.source  # type: ignore[attr-defined,no-any-return]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(feeds(), st.sampled_from(["shop", "card"]), st.integers(0, 14))
def test_feeds_of_other_sources_change_nothing_but_refusals(
    fed: list[Message], method: Any, known_after: int
) -> None:
    """Wherever the group comes in between, the rest of its story is as if they were not sent."""
    bound = group(sources=OURS, payment=PaymentTerms(method=method))
    early, late = fed[:known_after], fed[known_after:]
    ours = [each for each in fed if may_feed(source_of(each), OURS)]
    early_ours = [each for each in early if may_feed(source_of(each), OURS)]
    whole = play(*early, bound, *late)
    alone = play(*early_ours, bound, *ours[len(early_ours) :])

    def without_others(messages: list[Message]) -> list[Message]:
        return [
            each
            for each in messages
            if not (isinstance(each, OrderRefused) and not may_feed(each.source, OURS))
        ]

    assert without_others(whole.sent) == alone.sent
    reasons = {
        each.reason
        for each in whole.sent
        if isinstance(each, OrderRefused) and not may_feed(each.source, OURS)
    }
    assert reasons <= {"not-this-shop"}
    assert not [each for each in whole.sent if isinstance(each, Notice)]
    check(whole)


# --- the names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "listed", "feeds_it"),
    [
        ("leaf", (), True),
        ("leaf", ("leaf",), True),
        ("leaf.till-2", ("leaf",), True),
        ("leaf.", ("leaf",), True),
        ("leaf", ("leaf.till-2",), False),
        ("leafy", ("leaf",), False),
        ("Leaf", ("leaf",), False),
        ("leaf", ("rival", "leaf"), True),
        ("leaf", ("rival",), False),
        ("", ("leaf",), False),
    ],
)
def test_a_listed_shop_lists_its_tills(
    source: str, listed: tuple[str, ...], feeds_it: bool
) -> None:
    assert may_feed(source, listed) is feeds_it


def test_a_shop_s_groups_are_fed_by_it_our_pages_and_admins() -> None:
    assert sources_of_shop("leaf") == ("leaf", "storefront", "admin")
    assert [is_reserved(name) for name in ("storefront", "admin", "admin.2")] == [True] * 3
    assert not is_reserved("administration")
