"""Why an auction is as it is, by facts made by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.ids import derive
from runtime.records import milliseconds
from schemas.auctions import (
    ApplicationRefused,
    Auction,
    AuctionOpened,
    ConditionReplaced,
    ContractConcluded,
    CounterOffered,
    OfferJudged,
    RightIntercepted,
    ShownOffer,
)
from schemas.groups import IdIssued
from schemas.parts import Product
from stack.brokers import RunningBroker
from tests.system.stack import Stack, partition_of, stack_on
from tests.system.terminal import facts_sent, jointbuy, pointed_at

pytestmark = pytest.mark.system

T = datetime(2026, 5, 4, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLOSE = T + timedelta(days=3)
AUCTION = "cameras"
REQUEST = f"au-{AUCTION}"
PARTITION = partition_of(AUCTION)
CAMERA = Product(id="gr-iv", name="Ricoh GR IV")


@pytest.fixture(params=["kafka", "embedded"])
def stack(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    """Empty topics, which the environment names."""
    broker: RunningBroker = request.getfixturevalue(request.param)
    with stack_on(broker, tmp_path) as stack:
        pointed_at(stack, monkeypatch)
        yield stack


# --- facts by hand -------------------------------------------------------------------------------


def shown(offer_id: str, seller_id: str, price: int) -> ShownOffer:
    return ShownOffer(
        offer_id=offer_id, seller_id=seller_id, unit_price=price, minimum_reservations=8
    )


FIRST, BETTER = shown("o1", "nord", 90_000), shown("o2", "sato", 85_000)


def page(version: int, status: Any, of: ShownOffer, reservations: int, **more: Any) -> Auction:
    return Auction(
        auction_id=AUCTION,
        version=version,
        status=status,
        product=CAMERA,
        opened_by="nord",
        opened_at=T,
        shown=of,
        currency="EUR",
        minimum_step=500,
        reservations=reservations,
        applicants=reservations // 2,
        invites_at=T + timedelta(days=2),
        closes_at=CLOSE,
        **more,
    )


def judged(offer_id: str, seller_id: str, verdict: Any, reason: str) -> OfferJudged:
    return OfferJudged(
        offer_id=offer_id, auction_id=AUCTION, seller_id=seller_id, verdict=verdict, reason=reason
    )


def offered(stack: Stack, kind: type[Any], at: datetime, of: ShownOffer, **more: Any) -> None:
    offer = kind(
        **of.model_dump(),
        auction_id=AUCTION,
        product=CAMERA,
        currency="EUR",
        offered_at=at,
        **more,
    )
    stack.feed("offers", (offer, milliseconds(at)))


def bettered(stack: Stack) -> None:
    """One offer opens, a better one takes over, a third is not better; a seller applies."""
    at = T + MINUTE
    offered(stack, AuctionOpened, T, FIRST, closes_at=CLOSE)
    offered(stack, CounterOffered, at, BETTER)
    offered(stack, CounterOffered, at + MINUTE, shown("o3", "west", 84_900))
    replaced = ConditionReplaced(
        auction_id=AUCTION, version=3, before=FIRST, shown=BETTER, currency="EUR", at=at
    )
    intercepted = RightIntercepted(
        offer_id="o1",
        auction_id=AUCTION,
        seller_id="nord",
        unit_price=85_000,
        minimum_reservations=8,
        currency="EUR",
        at=at,
    )
    refused = ApplicationRefused(
        application_id="a9",
        auction_id=AUCTION,
        applicant_id="west",
        quantity=1,
        reason="own-auction",
    )
    of, applied = f"offers/{PARTITION}", f"applications/{PARTITION}"
    facts_sent(
        stack,
        "auctions",
        (page(1, "open", FIRST, 0), T, f"{of}/0", "open_auction"),
        (judged("o1", "nord", "shown", "opened"), T, f"{of}/0", "open_auction"),
        (page(2, "open", FIRST, 6), T, f"{applied}/5", "apply"),
        (page(3, "open", BETTER, 6), at, f"{of}/1", "take_offer"),
        (judged("o2", "sato", "shown", "better"), at, f"{of}/1", "take_offer"),
        (replaced, at, f"{of}/1", "take_offer"),
        (intercepted, at, f"{of}/1", "take_offer"),
        (judged("o3", "west", "not-better", "step-too-small"), at, f"{of}/2", "take_offer"),
        (refused, at, f"{applied}/6", "apply"),
    )


def concluded(stack: Stack) -> None:
    """Its term ends with ten of eight reserved, and the group purchase has its id."""
    more = {"invited_at": T + timedelta(days=2), "group_request_id": REQUEST}
    end = ContractConcluded(
        auction_id=AUCTION,
        shown=BETTER,
        currency="EUR",
        reservations=10,
        applicants=5,
        at=CLOSE,
        group_request_id=REQUEST,
    )
    facts_sent(
        stack,
        "auctions",
        (page(9, "concluded", BETTER, 10, **more), CLOSE, "clock/due/close", "close"),
        (end, CLOSE, "clock/due/close", "close"),
    )
    issued = IdIssued(request_id=REQUEST, group_id=derive(REQUEST), issued_at=CLOSE)
    facts_sent(stack, "request-outcomes", (issued, CLOSE, "id-answers/0/0", "issue"))


# --- why ----------------------------------------------------------------------------------------


def test_why_says_which_offers_and_rules_made_it(stack: Stack) -> None:
    bettered(stack)
    said = jointbuy("why", AUCTION).out
    assert said.startswith(
        "open: 6 reserved (minimum 8) by 3 applicants at 850.00 EUR each from 8,"
        f" offered by sato (o2), judged by take_offer from offers/{PARTITION}/1;"
        " closes 2026-05-07 09:00:00Z\n"
    )
    concluded(stack)
    said = jointbuy("why", AUCTION, "--json").json
    assert said["summary"].startswith(
        "concluded: 10 reserved (minimum 8) by 5 applicants when the term"
    )
    assert said["summary"].endswith(f"the group purchase that follows is {derive(REQUEST)}")
    assert (said["auction_id"], said["group_id"], said["status"]) == (
        AUCTION,
        derive(REQUEST),
        "concluded",
    )
    replaced = next(fact for fact in said["facts"] if fact["key"] == f"{AUCTION}/replaced/3")
    assert replaced["cause"] == {"topic": "offers", "partition": PARTITION, "offset": 1}
    assert replaced["input"]["offer_id"] == "o2"
    of_west = jointbuy("why", AUCTION, "--member", "west", "--json").json["facts"]
    assert [(fact["topic"], fact["key"].partition("/")[2]) for fact in of_west] == [
        ("auctions", "offer/o3"),
        ("auctions", "refused/a9"),
        ("offers", ""),
    ]
    few = jointbuy("why", AUCTION, "--limit", "1").out
    assert "earlier facts about the auction are left out" in few
    assert "offer o2 by sato shown" in few
    assert "not-better" not in few
