"""What the admin reads of a group or an auction: each fact in words, and why it stands so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.orders import deadline
from schemas.auctions import Auction
from schemas.favors import FavorDecision
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseState
from schemas.parts import Message, Tier
from services.storefront.formats import Formats
from services.storefront.pages import admin_facts
from services.storefront.pages.visits import Visit
from services.storefront.rules.rows import ToldFact

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
KINDS: tuple[type[Message], ...] = (
    *admin_facts.OF_GROUP,
    *admin_facts.OF_BUYERS,
    *admin_facts.OF_AUCTION,
    *admin_facts.OF_APPLICANTS,
    *admin_facts.OF_REQUEST,
)


def visit(language: str = "en") -> Visit:
    return Visit(language, Formats.of(language), NOW)


def example(kind: type[Message], **fields: Any) -> Any:
    path = Path("schemas/examples") / f"{kind.__name__}.json"
    made = kind.model_validate_json(path.read_text(encoding="utf-8"))
    return made.model_copy(update=fields)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_fact_has_words_in_each_language(kind: type[Message]) -> None:
    english, japanese = (admin_facts.says(example(kind), visit(each)) for each in ("en", "ja"))
    assert kind.__name__ not in english
    assert english != japanese


def test_facts_are_told_by_their_times_with_what_decided_them() -> None:
    late = ToldFact(example(PurchaseState), NOW, "order_service/close", "clock/close")
    early = ToldFact(example(GroupPurchase), NOW - timedelta(1), "request_service/issue", "x/1/2")
    first, second = admin_facts.lines(visit(), [late, early])
    assert (first.at, first.rule, first.cause, first.is_clock) == (
        early.at, "request_service/issue", "x/1/2", False,
    )  # fmt: skip
    assert second.is_clock


TERMS = example(GroupPurchase)
ENDS = deadline(TERMS.closes_at, TERMS.grace_seconds)
TIER = Tier(from_quantity=5, percent_off=10)


def state(status: str, closed_at: datetime | None = None) -> PurchaseState:
    made: PurchaseState = example(PurchaseState, status=status, closed_at=closed_at, quantity=7)
    return made


def decided(**fields: Any) -> FavorDecision:
    made: FavorDecision = example(FavorDecision, **fields)
    return made


@pytest.mark.parametrize(
    ("now", "decision", "says"),
    [
        (None, None, "not open yet"),
        (state("open"), None, "Open until"),
        (state("withdrawn", NOW), None, "Its request was withdrawn."),
        (state("elapsed", ENDS), None, "when its time was over"),
        (state("complete", ENDS), None, "when its time was over"),
        (state("complete", ENDS - timedelta(seconds=1)), None, "when it reached its goal"),
        (state("complete", ENDS), None, "No discount is decided yet."),
        (state("complete", ENDS), decided(tier=TIER), "Everyone gets 10% off"),
        (state("elapsed", ENDS), decided(tier=None), "No step of the discount was reached."),
        (state("elapsed", ENDS), decided(cancel_all=True), "All orders are cancelled"),
    ],
)
def test_why_a_group_stands_as_it_does(
    now: PurchaseState | None, decision: FavorDecision | None, says: str
) -> None:
    assert says in " ".join(admin_facts.why_group(visit(), TERMS, now, decision))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("open", "Open until"),
        ("withdrawn", "The seller who opened it withdrew it."),
        ("concluded", "with enough reservations"),
        ("failed", "with too few reservations"),
    ],
)
def test_why_an_auction_stands_as_it_does(status: str, says: str) -> None:
    auction: Auction = example(Auction, status=status)
    for ended_at in (None, NOW):
        assert says in " ".join(admin_facts.why_auction(visit(), auction, ended_at))
