"""What members are told of their favors by letter."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas.letters import Notice, notices
from schemas.orders import PurchaseState
from schemas.parts import (
    FavorTerms,
    Member,
    MemberPayment,
    Message,
    PaymentTerms,
    Product,
    Tier,
)
from services.favor_service import rows
from services.favor_service.processor import FAVORS_PROCESSOR
from tests.rules.favor_group import (
    LADDER,
    TEN_PERCENT,
    Bought,
    Group,
    T,
    amounts,
    decided,
    mailed,
    opened,
    row,
    state,
)


def letters(sent: Sequence[Message]) -> list[Notice]:
    return [each for each in sent if isinstance(each, Notice)]


def given(
    member: str, version: int, basis: str, bought: tuple[int, int], **more: Any
) -> list[Notice]:
    """The letter of a favor of 10 % in tea."""
    says = {"group_id": "G", "product": Product(name="tea"), "basis": basis, "currency": "EUR",
            "quantity": bought[0], "value": bought[1], "percent": 10,
            "method": "shop", "payment_scope": "member"}  # fmt: skip
    return [*notices("favor-given", mailed(member), "G", T, version, **says | more)]


@pytest.mark.parametrize("scope", ["member", "group"])
def test_each_favor_is_told_with_it(scope: str) -> None:
    """With what it is of; who has no address and who gets no favor is told nothing."""
    group = Group(TEN_PERCENT, scope=scope)
    group.buy(("ann", 6, 600), ("cy", 0, 0), told=True)
    group.buy(("bob", 4, 400))
    sent = group.close("complete")
    assert letters(sent) == given("ann", 1, "complete", (6, 600), amount=60)
    assert amounts(sent) == {"ann": 60, "bob": 40}
    decided(sent)
    assert group.close("complete") == [], "nor is anything told again"


def test_each_kind_of_favor_is_told_as_what_it_is() -> None:
    for tier, status, wanted in (
        ({"gift": "cup"}, "complete", {"gift": "cup", "percent": None, "amount": 0}),
        ({"amount_off": 7}, "complete", {"percent": None, "amount": 70}),
        ({"percent_off": 5}, "elapsed", {"percent": 100, "amount": 1_000, "is_cancelled": True}),
    ):
        group = Group(Tier(from_quantity=1, **tier), if_incomplete="cancel-all")
        group.buy(("ann", 10, 1_000), told=True)
        assert letters(group.close(status)) == given("ann", 1, status, (10, 1_000), **wanted)


@pytest.mark.parametrize(
    ("later", "wanted"),
    [
        ([("ann", 12, 1_200)], [("ann", 2, "late", (12, 1_200), 120)]),
        ([("ann", 0, 0)], [("ann", 2, "return", (0, 0), 0)]),
        ([("ann", 10, 1_000)], []),
        (
            [("ann", 9, 900), ("ann", 10, 1_000)],
            [("ann", 2, "return", (9, 900), 90), ("ann", 3, "late", (10, 1_000), 100)],
        ),
        ([("zoe", 1, 100)], [("zoe", 1, "late", (1, 100), 10)]),
    ],
    ids=["late", "return", "nothing-new", "back-and-forth", "newcomer"],
)
def test_each_version_of_a_favor_is_told_once(later: list[Bought], wanted: list[Any]) -> None:
    group = Group(TEN_PERCENT)
    group.buy(("ann", 10, 1_000), told=True)
    group.close("complete")
    sent = group.buy(*later, told=True)
    assert letters(sent) == [
        letter for *of, amount in wanted for letter in given(*of, amount=amount)
    ]
    assert group.take(row("ann", 99, 9_900, 1, mailed("ann"))) == [], "an older row"


OWN_WAY = Member(id="ann", payment=MemberPayment(method="card"))


@pytest.mark.parametrize(
    ("terms", "method", "payment_scope"),
    [
        ({"payment": PaymentTerms(method="invoice")}, "invoice", "member"),
        ({"payment": PaymentTerms(scope="group", method="card")}, "card", "group"),
        ({"members": (OWN_WAY,)}, None, "member"),
        ({"members": (Member(id="ann"),)}, "shop", "member"),
        ({"member_parts": 2}, None, "member"),
    ],
    ids=["invoice", "one-sum", "a-member-pays-otherwise", "all-by-shop", "members-elsewhere"],
)
def test_a_letter_says_how_all_pay_or_does_not(
    terms: dict[str, Any], method: str | None, payment_scope: str
) -> None:
    group = Group()
    group.take(opened(favor=FavorTerms(tiers=(TEN_PERCENT,)), **terms))
    group.buy(("ann", 10, 1_000), told=True)
    (letter,) = letters(group.close("complete"))
    assert (letter.says.method, letter.says.payment_scope) == (method, payment_scope)


@pytest.mark.parametrize("status", ["complete", "elapsed", "withdrawn"])
def test_no_favor_is_no_letter(status: str) -> None:
    group = Group(TEN_PERCENT)
    group.buy(("ann", 9, 900), told=True)
    assert letters(group.close(status)) == letters(group.buy(("ann", 12, 1_200), told=True)) == []


def test_letters_go_to_the_latest_person() -> None:
    """A person whom a newer row names no more is not kept, one that it brings is."""
    group = Group(Tier(from_quantity=1, percent_off=10))
    group.buy(("ann", 1, 100), ("bob", 1, 100), told=True)
    group.buy(("ann", 2, 200))
    assert [letter.key for letter in letters(group.close("complete"))] == ["shop:bob"]
    assert [letter.key for letter in letters(group.buy(("ann", 3, 300), told=True))] == ["shop:ann"]


def test_a_letter_says_who_sells_and_of_the_product_what_it_shows() -> None:
    sold = Product(id="t", name="tea", description="x" * 10_000, url="https://acme.example/tea",
                   images=("a" * 64, "b" * 64), tags=("green",))  # fmt: skip
    group = Group(TEN_PERCENT)
    group.take(opened(favor=FavorTerms(tiers=(TEN_PERCENT,)), product=sold, shop_id="acme",
                      seller_id="mori"))  # fmt: skip
    group.buy(("ann", 10, 1_000), told=True)
    (letter,) = letters(group.close("complete"))
    assert letter.says.product == sold.brief()
    assert (letter.says.shop_id, letter.says.seller_id) == ("acme", "mori")
    assert sold.description not in repr(group.rows)


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["member", "group"])
def test_letters_go_with_their_chunk(scope: str) -> None:
    """At most two messages for each row of a call, and the decision after the last."""
    group = Group(Tier(from_quantity=1, percent_off=10), scope=scope)
    for n in range(1_250):
        group.rows[f"member/m{n:04}"] = rows.Purchaser(1, 1, 100, person_id=f"m{n:04}")
    closed = state("complete", quantity=1_250, value=125_000, members=1_250)
    FAVORS_PROCESSOR.on[PurchaseState](closed, group.rows, T)
    sent = []
    while "chunk/decide" in group.rows:
        sent.append(FAVORS_PROCESSOR.chunks["decide"](group.rows, T))
    assert [len(each) for each in sent][-3:] == [1_000, 1_000, 501]
    told = [letter.key for each in sent for letter in letters(each)]
    assert told == [f"m{n:04}" for n in range(1_250)]
    assert decided(sent[-1]).members == 1_250


def test_rows_from_before_there_were_letters_are_read() -> None:
    """Favors are given as ever; nothing is told where the product is not known."""
    old: dict[str, tuple[Any, dict[str, Any]]] = {
        "terms": (rows.Terms, {"favor": FavorTerms(tiers=LADDER).model_dump_json(),
                               "if_incomplete": "none", "currency": "EUR"}),
        "member/ann": (rows.Purchaser, {"version": 1, "quantity": 10, "value": 1_000}),
    }  # fmt: skip
    group = Group(*LADDER)
    for name, (kind, written) in old.items():
        group.rows[name] = msgspec.json.decode(msgspec.json.encode(written), type=kind)
    sent = [*group.take(row("bob", 1, 100, 1, mailed("bob"))), *group.close("complete")]
    assert amounts(sent) == {"ann": 100, "bob": 10}
    assert letters(sent) == []
