"""What favor_service promises: decided once at the close, shares to the cent, late ones alone."""

from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import percent_of
from runtime.rows import Due
from schemas.favors import Favor, FavorDecision
from schemas.orders import PurchaseState
from schemas.parts import IfIncomplete, Tier
from services.favor_service import rows
from services.favor_service.processor import FAVORS_PROCESSOR
from services.favor_service.rules import favors as rules
from tests.rules.favor_group import (
    DAY,
    LADDER,
    TEN_PERCENT,
    Bought,
    Group,
    T,
    amounts,
    decided,
    opened,
    row,
    state,
)

# --- the close -----------------------------------------------------------------------------------


def test_favor_says_what_a_member_gets_and_why() -> None:
    group = Group(*LADDER)
    group.buy(("ann", 10, 1_005))
    same = {"group_id": "G", "request_id": "R", "version": 1, "currency": "EUR"}
    assert group.close("complete") == [
        Favor(member_id="ann", basis="complete", percent=10, amount=101, row_version=1, **same),
        FavorDecision(tier=TEN_PERCENT, total=101, members=1, **same),
    ]


VALUES = (Tier(from_value=500, percent_off=5), Tier(from_value=1_000, gift="cup"))
CLOSES: list[tuple[str, tuple[Tier, ...], IfIncomplete, int, str, dict[str, int], Any]] = [
    ("below any tier", LADDER, "none", 4, "complete", {}, None),
    ("at the first", LADDER, "none", 5, "complete", {"ann": 13}, 2.5),
    ("below the second", LADDER, "none", 9, "complete", {"ann": 23}, 2.5),
    ("at the second", LADDER, "none", 10, "complete", {"ann": 100}, 10),
    ("beyond the last", LADDER, "none", 99, "complete", {"ann": 990}, 10),
    ("tiers in any order", LADDER[::-1], "none", 10, "complete", {"ann": 100}, 10),
    ("no ladder", (), "as-reached", 99, "complete", {}, None),
    ("by value, below", VALUES, "none", 4, "complete", {}, None),
    ("by value", VALUES, "none", 5, "complete", {"ann": 25}, 5),
    ("by value, a gift", VALUES, "none", 10, "complete", {"ann": 0}, None),
    ("incomplete, as reached", LADDER, "as-reached", 5, "elapsed", {"ann": 13}, 2.5),
    ("incomplete, none reached", LADDER, "as-reached", 4, "elapsed", {}, None),
    ("incomplete, none", LADDER, "none", 10, "elapsed", {}, None),
    ("incomplete, cancelled", LADDER, "cancel-all", 10, "elapsed", {"ann": 1_000}, 100),
    ("complete, not cancelled", LADDER, "cancel-all", 10, "complete", {"ann": 100}, 10),
]


@pytest.mark.parametrize("case", [case[1:] for case in CLOSES], ids=[case[0] for case in CLOSES])
def test_totals_at_the_close_pick_the_tier(case: Any) -> None:
    """The highest threshold reached, at a hundred apiece; who bought nothing gets nothing."""
    tiers, if_incomplete, quantity, status, wanted, percent = case
    group = Group(*tiers, if_incomplete=if_incomplete)
    group.buy(("ann", quantity, quantity * 100), ("bob", 0, 0))
    sent = group.close(status)
    favors = [each for each in sent if isinstance(each, Favor)]
    decision = decided(sent)
    assert amounts(sent) == wanted
    assert {(favor.basis, favor.percent) for favor in favors} <= {(status, percent)}
    assert (decision.total, decision.members) == (sum(wanted.values()), len(wanted))
    assert decision.cancel_all == (status == "elapsed" and if_incomplete == "cancel-all")
    assert (decision.tier is not None) == (bool(wanted) and not decision.cancel_all)
    assert group.close(status) == group.close("withdrawn") == [], "decided exactly once"


FORMULAS: list[tuple[str, dict[str, Any], Bought, int]] = [
    ("half a cent up", {"percent_off": 10}, ("ann", 1, 5), 1),
    ("less than half down", {"percent_off": 10}, ("ann", 1, 4), 0),
    ("all", {"percent_off": 100}, ("ann", 3, 999), 999),
    ("no percent", {"percent_off": 0}, ("ann", 3, 999), 0),
    ("off each", {"amount_off": 30}, ("ann", 3, 999), 90),
    ("off at most the value", {"amount_off": 30}, ("ann", 3, 80), 80),
    ("a price", {"unit_price": 80}, ("ann", 3, 300), 60),
    ("a price that never raises", {"unit_price": 80}, ("ann", 3, 200), 0),
    ("for nothing", {"unit_price": 0}, ("ann", 3, 300), 300),
    ("a gift", {"gift": "cup"}, ("ann", 3, 300), 0),
    ("nothing to take off", {"amount_off": 30}, ("ann", 3, 0), 0),
]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["member", "group"])
@pytest.mark.parametrize(
    ("tier", "bought", "amount"),
    [case[1:] for case in FORMULAS],
    ids=[case[0] for case in FORMULAS],
)
def test_each_kind_of_favor_has_its_formula(
    scope: str, tier: dict[str, Any], bought: Bought, amount: int
) -> None:
    """Percent and gift are said where they are the favor; one member alone gets all of a sum."""
    group = Group(Tier(from_quantity=1, **tier), scope=scope)
    group.buy(bought)
    favor, decision = group.close("complete")
    assert isinstance(favor, Favor)
    assert (favor.amount, favor.percent, favor.gift) == (
        amount,
        tier.get("percent_off"),
        tier.get("gift"),
    )
    assert isinstance(decision, FavorDecision)
    assert decision.total == amount


def test_sum_of_the_group_is_shared_by_largest_remainder() -> None:
    """A hundred over three equal parts: the cent left over goes to the first by id."""
    group = Group(Tier(from_quantity=1, percent_off=10), scope="group")
    group.buy(("cy", 1, 333), ("ann", 1, 333), ("bob", 1, 333), ("dee", 0, 0))
    sent = group.close("complete")
    assert amounts(sent) == {"ann": 34, "bob": 33, "cy": 33}
    assert decided(sent).total == 100
    assert sorted(group.rows) == [
        *("decision", "due/shrink", "member/ann", "member/bob", "member/cy", "member/dee"),
        *("sums", "terms"),
    ]


def test_cancelled_group_gives_each_member_the_own_value_in_any_scope() -> None:
    group = Group(*LADDER, scope="group", if_incomplete="cancel-all")
    group.buy(("ann", 1, 333), ("bob", 2, 5))
    sent = group.close("elapsed")
    assert amounts(sent) == {"ann": 333, "bob": 5}
    decision = decided(sent)
    assert (decision.cancel_all, decision.tier, decision.total) == (True, None, 338)


@pytest.mark.parametrize("status", ["open", "withdrawn"])
def test_group_that_runs_or_is_withdrawn_gives_nothing(status: str) -> None:
    group = Group(*LADDER, if_incomplete="cancel-all")
    group.buy(("ann", 10, 1_000))
    assert group.close(status) == []
    if status == "withdrawn":
        assert group.buy(("ann", 11, 1_100)) == group.close("elapsed") == []
        group.shrink()
        assert list(group.rows) == ["decision"]


def test_older_row_before_the_close_is_passed_over() -> None:
    group = Group(*LADDER)
    group.take(row("ann", 10, 1_000, version=7))
    group.take(row("ann", 3, 300, version=6))
    group.take(row("ann", 4, 400, version=7))
    assert amounts(group.close("complete")) == {"ann": 100}


def test_group_without_orders_is_decided_too() -> None:
    for if_incomplete in ("as-reached", "none", "cancel-all"):
        decision = decided(Group(*LADDER, if_incomplete=if_incomplete).close("elapsed"))
        assert (decision.total, decision.members) == (0, 0)


# --- chunks --------------------------------------------------------------------------------------

MEMBERS = st.dictionaries(
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\x7f", min_codepoint=32),
        min_size=1,
        max_size=64,
    ),
    st.tuples(st.integers(0, 5), st.integers(0, 10**12) | st.sampled_from([0, 1, 333])),
    min_size=1,
    max_size=12,
)
ANY_FAVOR = st.sampled_from(
    [
        {"percent_off": 12.34},
        {"percent_off": 100},
        {"amount_off": 7},
        {"unit_price": 90},
        {"gift": "cup"},
    ]
)


def at_once(scope: str, tier: Tier, members: dict[str, tuple[int, int]]) -> dict[str, int]:
    """The same decision, computed with all members in memory."""

    def off(quantity: int, value: int) -> int:
        if tier.percent_off is not None:
            return percent_of(value, tier.percent_off)
        if tier.amount_off is not None:
            return min(value, quantity * tier.amount_off)
        return max(0, value - quantity * tier.unit_price) if tier.unit_price is not None else 0

    if scope == "member":
        return {member: off(*bought) for member, bought in members.items()}
    value = sum(value for _, value in members.values())
    total = off(sum(quantity for quantity, _ in members.values()), value)
    if not value:
        return dict.fromkeys(members, 0)
    return share_by_value(total, {member: value for member, (_, value) in members.items()})


def share_by_value(total: int, values: dict[str, int]) -> dict[str, int]:
    """Split ``total`` by largest remainder, ties by member id."""
    exact = {
        member: Fraction(total * value, sum(values.values())) for member, value in values.items()
    }
    shares = {member: floor(share) for member, share in exact.items()}
    by_rank = sorted(exact, key=lambda member: (shares[member] - exact[member], member))
    for member in by_rank[: total - sum(shares.values())]:
        shares[member] += 1
    return shares


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["member", "group"]), ANY_FAVOR, MEMBERS, st.integers(1, 5))
def test_decision_is_the_same_in_chunks_of_any_size(
    scope: str, favor: dict[str, Any], members: dict[str, tuple[int, int]], size: int
) -> None:
    """And the shares of a sum add up to it, to the cent; nobody gets more than was paid."""
    tier = Tier(from_quantity=1, **favor)
    # Who bought no piece has no value either.
    bought = {member: (n, value if n else 0) for member, (n, value) in members.items()}
    buyers = {member: each for member, each in bought.items() if each[0]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "ROWS_PER_CALL", size)
        group = Group(tier, scope=scope)
        group.buy(*((member, *each) for member, each in bought.items()))
        sent = group.close("complete")
    decision = decided(sent)
    if not buyers:
        assert (decision.tier, len(sent)) == (None, 1)
        return
    wanted = at_once(scope, tier, buyers)
    assert amounts(sent) == wanted
    assert (decision.total, decision.members) == (sum(wanted.values()), len(buyers))
    assert len(sent) == len(buyers) + 1, "each is given once"
    assert all(wanted[member] <= buyers[member][1] for member in buyers)
    if scope == "group":
        value = sum(value for _, value in buyers.values())
        quantity = sum(quantity for quantity, _ in buyers.values())
        assert decision.total == at_once("member", tier, {"all": (quantity, value)})["all"]


@pytest.mark.slow
@pytest.mark.parametrize(("scope", "calls"), [("member", 3), ("group", 6)])
def test_no_call_visits_more_than_its_rows(scope: str, calls: int) -> None:
    """1,250 members at 500 a call; a sum takes two passes. The decision comes with the last."""
    group = Group(Tier(from_quantity=1, percent_off=10), scope=scope)
    for n in range(1_250):
        group.rows[f"member/m{n:04}"] = rows.Purchaser(version=1, quantity=1, value=100)
    closed = state("complete", quantity=1_250, value=125_000, members=1_250)
    assert FAVORS_PROCESSOR.on[PurchaseState](closed, group.rows, T) == []
    sent = []
    while "chunk/decide" in group.rows:
        sent.append(FAVORS_PROCESSOR.chunks["decide"](group.rows, T))
    assert [len(each) for each in sent][-3:] == [500, 500, 251]
    assert len(sent) == calls
    assert decided(sent[-1]).total == 12_500


# --- after the close -----------------------------------------------------------------------------

#: What ann has after the close; amount, version, basis and gift of the favor sent for it, if any.
LATER: list[tuple[str, dict[str, Any], list[Bought], list[tuple[int, int, str, str | None]]]] = [
    ("a late order", {"percent_off": 10}, [("ann", 12, 1_200)], [(120, 2, "late", None)]),
    ("a return", {"percent_off": 10}, [("ann", 1, 100)], [(10, 2, "return", None)]),
    ("all returned", {"percent_off": 10}, [("ann", 0, 0)], [(0, 2, "return", None)]),
    ("a price corrected up", {"percent_off": 10}, [("ann", 10, 1_100)], [(110, 2, "late", None)]),
    ("a price corrected", {"percent_off": 10}, [("ann", 10, 900)], [(90, 2, "return", None)]),
    ("nothing new", {"percent_off": 10}, [("ann", 10, 1_000)], []),
    ("too little to matter", {"percent_off": 10}, [("ann", 11, 1_004)], []),
    (
        "back and forth",
        {"percent_off": 10},
        [("ann", 9, 900), ("ann", 10, 1_000), ("ann", 0, 0)],
        [(90, 2, "return", None), (100, 3, "late", None), (0, 4, "return", None)],
    ),
    ("a newcomer", {"percent_off": 10}, [("zoe", 1, 100)], [(10, 1, "late", None)]),
    ("a newcomer's gift", {"gift": "cup"}, [("zoe", 1, 100)], [(0, 1, "late", "cup")]),
    ("a newcomer gone", {"percent_off": 10}, [("zoe", 0, 0)], []),
    ("a gift kept", {"gift": "cup"}, [("ann", 1, 100)], []),
    ("a gift given back", {"gift": "cup"}, [("ann", 0, 0)], [(0, 2, "return", None)]),
    ("off each", {"amount_off": 5}, [("ann", 12, 1_200)], [(60, 2, "late", None)]),
    ("a price", {"unit_price": 90}, [("ann", 12, 1_200)], [(120, 2, "late", None)]),
]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["member", "group"])
@pytest.mark.parametrize(
    ("tier", "later", "wanted"), [case[1:] for case in LATER], ids=[case[0] for case in LATER]
)
def test_after_the_close_only_the_own_favor_is_recomputed(
    scope: str,
    tier: dict[str, Any],
    later: list[Bought],
    wanted: list[tuple[int, int, str, str | None]],
) -> None:
    """At the decided tier, though its threshold is no longer reached, or a higher one is."""
    higher = Tier(from_quantity=11, **tier | ({"percent_off": 50} if "percent_off" in tier else {}))
    group = Group(Tier(from_quantity=10, **tier), higher, scope=scope)
    group.buy(("ann", 10, 1_000), ("bob", 0, 0))
    assert len(group.close("complete")) == 2
    sent = group.buy(*later)
    assert wanted == [
        (each.amount, each.version, each.basis, each.gift)
        for each in sent
        if isinstance(each, Favor)
    ]
    assert len(sent) == len(wanted)
    assert {each.member_id for each in sent if isinstance(each, Favor)} <= {later[0][0]}
    member, quantity, value = later[-1]
    repeat = row(member, quantity + 5, value + 500, version=group.versions[member])
    assert group.take(repeat) == [], "a row of a version already seen changes nothing"


def test_late_order_of_a_cancelled_group_is_wantedback_whole() -> None:
    group = Group(*LADDER, if_incomplete="cancel-all")
    group.buy(("ann", 1, 100))
    group.close("elapsed")
    (favor,) = group.buy(("ann", 2, 200))
    assert isinstance(favor, Favor)
    assert (favor.amount, favor.percent, favor.basis, favor.version) == (200, 100, "late", 2)


def test_late_order_of_a_group_without_tier_gets_nothing() -> None:
    """Even one that would have reached a tier: the decision stands."""
    group = Group(*LADDER)
    group.buy(("ann", 1, 100))
    group.close("complete")
    assert group.buy(("ann", 99, 9_900), ("zoe", 10, 1_000)) == []


def test_share_of_a_sum_is_not_taken_for_the_own_formula() -> None:
    """A row that changes nothing must not move the cent that the sharing gave."""
    group = Group(Tier(from_quantity=1, percent_off=10), scope="group")
    group.buy(("ann", 1, 333), ("bob", 1, 333), ("cy", 1, 333))
    assert amounts(group.close("complete"))["ann"] == 34
    assert group.buy(("ann", 1, 333)) == []


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [0, 1, 5, 6])
def test_ninety_days_later_only_the_decision_is_left(members: int) -> None:
    """In chunks; what comes even later changes nothing and revives nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "ROWS_PER_CALL", 5)
        group = Group(*LADDER)
        group.buy(*((f"m{n}", 10, 1_000) for n in range(members)))
        group.close("elapsed")
        group.shrink()
    assert list(group.rows) == ["decision"]
    assert group.buy(("m0", 9, 900)) == group.close("complete") == group.take(opened()) == []
    assert list(group.rows) == ["decision"]


def test_rows_are_kept_by_the_clock_when_a_late_fed_order_closed_the_group() -> None:
    """Late orders are taken for as long after that as after any close."""
    group = Group(*LADDER)
    group.buy(("ann", 10, 1_000))
    group.now = T + 80 * DAY
    group.close("complete")
    assert group.rows["due/shrink"] == Due(T + 170 * DAY)


def test_rows_declared_are_the_rows_there_are() -> None:
    """A dataclass that no table holds, or is missing from them, would break the worker."""
    kinds = {kind for kind in vars(rows).values() if hasattr(kind, "__dataclass_fields__")}
    assert kinds == {*FAVORS_PROCESSOR.rows.values()}
