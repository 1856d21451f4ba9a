"""The auction's commands against a broker, by facts made by hand and with the services running."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.ids import derive
from schemas.messages import (
    ApplicationRefused,
    Auction,
    AuctionOpened,
    ConditionReplaced,
    ContractConcluded,
    CounterOffered,
    IdIssued,
    OfferJudged,
    Product,
    RightIntercepted,
    ShownOffer,
)
from services.runtime.brokers import RunningBroker
from services.runtime.records import milliseconds
from tests.system.stack import Stack, partition_of, stack_on
from tests.system.terminal import Said, facts_sent, jointbuy, pointed_at

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


# --- show and why --------------------------------------------------------------------------------


def test_show_prints_the_page_the_history_and_the_verdicts(stack: Stack) -> None:
    bettered(stack)
    said = jointbuy("show", AUCTION)
    assert said.exit_code == 0, said.err
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.strip()}
    assert lines[AUCTION].endswith("open  6 of 8 reserved")
    assert lines["Reservations"].endswith("██████████████████░░░░░░ 6 of 8, by 3 applicants")
    assert lines["Shown"].endswith("850.00 EUR each from 8, offered by sato (o2)")
    assert lines["Invites"].endswith("at 2026-05-06 09:00:00Z")
    assert lines["o1"].endswith("it opened the auction; intercepted since")
    assert lines["o3"].split()[:8] == [
        *("o3", "west", "2026-05-04", "09:02", "849.00", "EUR", "8", "not-better")
    ]
    assert lines["a9"].split()[:3] == ["a9", "west", "1"]
    history = said.out.partition("Price history (2):")[2].splitlines()[3:5]
    assert [line.split()[2:6] for line in history] == [
        ["900.00", "EUR", "8", "nord"],
        ["850.00", "EUR", "8", "sato"],
    ]


def test_show_as_json_names_the_group_purchase_that_follows(stack: Stack) -> None:
    bettered(stack)
    said = jointbuy("show", AUCTION, "--json").json
    assert (said["page"]["status"], said["group_id"], said["conclusion"]) == ("open", None, None)
    concluded(stack)
    said = jointbuy("show", AUCTION, "--json").json
    assert (said["page"]["status"], said["group_id"]) == ("concluded", derive(REQUEST))
    assert said["group_request_id"] == REQUEST
    assert said["conclusion"]["type"] == "ContractConcluded"
    assert [each["unit_price"] for each in said["history"]] == [90_000, 85_000]
    assert [(each["offer_id"], each["verdict"]) for each in said["offers"]] == [
        ("o1", "shown"),
        ("o2", "shown"),
        ("o3", "not-better"),
    ]
    assert said["offers"][2]["offer"]["unit_price"] == 84_900
    lines = jointbuy("show", AUCTION).out.splitlines()
    assert f"Group purchase  {derive(REQUEST)} (request {REQUEST})" in lines


def test_why_says_which_offers_and_rules_made_it(stack: Stack) -> None:
    bettered(stack)
    said = jointbuy("why", AUCTION).out
    assert said.startswith(
        "open: 6 of 8 reserved by 3 applicants at 850.00 EUR each from 8, offered by sato (o2),"
        f" judged by take_offer from offers/{PARTITION}/1; closes 2026-05-07 09:00:00Z\n"
    )
    concluded(stack)
    said = jointbuy("why", AUCTION, "--json").json
    assert said["summary"].startswith("concluded: 10 of 8 reserved by 5 applicants when the term")
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
    assert "earlier facts of the auction are left out" in few
    assert "offer o2 by sato shown" in few
    assert "not-better" not in few


# --- with the services ---------------------------------------------------------------------------


def at(minutes: float) -> tuple[str, str]:
    """The option that says when."""
    return "--at", (T + minutes * MINUTE).isoformat()


def good_sellers(*sellers: str) -> None:
    for seller in sellers:
        email = f"{seller}@shop.example"
        jointbuy("seller", "register", seller, "--name", seller, "--email", email, *at(0))
        said = jointbuy("seller", "approve", seller, *at(0))
        assert said.out == f"{seller} ({seller}): good since 2026-05-04 09:00:00Z\n", said.err


def offer(seller: str, price: int, minutes: float, *more: str) -> Said:
    asked = ("offer", AUCTION, "--seller", seller, "--price", str(price), "--timeout", "30")
    return jointbuy(*asked, *at(minutes), *more)


def opened(minutes: float, *more: str) -> Said:
    terms = ("--product", "Ricoh GR IV", "--minimum", "3", "--currency", "EUR", "--step", "500")
    return offer("nord", 90_000, minutes, *terms, *more)


def apply(minutes: float, *more: str) -> Said:
    return jointbuy("apply", AUCTION, *at(minutes), *more)


def test_sellers_are_registered_approved_suspended_and_reinstated(stack: Stack) -> None:
    stack.start("auction_service")
    early = jointbuy("seller", "approve", "nord", *at(1))
    assert "not registered yet" in early.out, early.err
    register = ("seller", "register", "nord", "--name", "Nord Foto", "--email", "n@shop.example")
    assert jointbuy(*register, *at(0)).out == "nord (Nord Foto): good since 2026-05-04 09:01:00Z\n"
    said = jointbuy("seller", "suspend", "nord", "--reason", "papers", *at(2), "--json").json
    assert (said["sent"]["reason"], said["seller"]["standing"]) == ("papers", "suspended")
    jointbuy("seller", "reinstate", "nord", *at(3))
    told = jointbuy("seller", "show", "nord").out.splitlines()
    assert told[1].startswith("n@shop.example, registered 2026-05-04 09:00:00Z")
    assert [line.split()[2] for line in told[2:]] == ["pending", "good", "suspended", "good"]
    everyone = jointbuy("seller", "show")
    assert "nord" in everyone.out
    assert "@" not in everyone.out
    assert jointbuy("seller", "show", "nobody").exit_code == 1
    assert jointbuy("seller", "register", "x").err.splitlines() == [
        "jointbuy: name (--name): Field required",
        "jointbuy: email (--email): Field required",
    ]


def test_an_auction_from_its_opening_to_the_group_purchase(stack: Stack) -> None:
    stack.start("auction_service", "request_service")
    good_sellers("nord", "sato")
    said = opened(1, "--closes-in", "1h", "--offer-id", "o1")
    assert (said.exit_code, said.out.splitlines()[0]) == (
        0,
        "offer o1 by nord shown: it opened the auction",
    ), said.err
    assert "open, 0 of 3 reserved by 0 applicants, shown at 900.00 EUR each from 3" in said.out

    told = apply(2, "--as", "ann", "--email", "ann@home.example", "--quantity", "2", "--confirmed")
    assert told.exit_code == 0, told.err
    assert "2 of 3 reserved by 1 applicant," in told.out
    told = apply(3, "--as", "bob", "--quantity", "1", "--application-id", "b1")
    assert "counts once it is confirmed" in told.out
    assert "2 of 3 reserved by 1 applicant," in told.out
    assert apply(4, "--confirm", "b1", "--json").json["page"]["reservations"] == 3
    told = apply(5, "--as", "nord", "--quantity", "1", "--confirmed")
    assert (told.exit_code, told.out) == (1, "")
    assert told.err == "jointbuy: refused: the applicant competes in this auction as a seller\n"
    assert "2 of 3 reserved by 1 applicant," in apply(6, "--withdraw", "b1").out

    worse = offer("sato", 89_900, 7)
    assert worse.exit_code == 0
    assert worse.out.splitlines()[0].endswith(
        "by sato not-better: its price is below the one shown by less than the auction's smallest"
        " step"
    )
    better = offer("sato", 85_000, 8, "--minimum", "2", "--json")
    assert (better.exit_code, better.json["verdict"]) == (0, "shown"), better.err
    assert better.json["page"]["shown"]["unit_price"] == 85_000
    again = opened(9, "--closes-in", "1h")
    assert (again.exit_code, again.err.count("\n")) == (1, 1)
    assert "choose another id" in again.err

    stack.pass_time(T + 2 * 60 * MINUTE, "offers", "applications")
    stack.wait_for("request-outcomes", REQUEST)
    said = jointbuy("show", AUCTION, "--json")
    assert said.json["group_id"] == derive(REQUEST)
    assert (said.json["page"]["status"], said.json["page"]["reservations"]) == ("concluded", 2)
    assert "home.example" not in said.out + jointbuy("show", AUCTION).out
    late = offer("sato", 80_000, 180)
    assert (late.exit_code, late.err) == (1, "jointbuy: refused: the auction's term has ended\n")


def test_an_impossible_opening_is_refused_with_every_problem(stack: Stack) -> None:
    stack.start("auction_service")
    terms = ("--product", "Bed", "--minimum", "0", "--currency", "EURO", "--closes-in", "1h")
    said = offer("nord", 0, 0, *terms, "--invites-in", "2h")
    assert said.exit_code == 1
    problems = [line.split()[2] for line in said.err.splitlines()]
    assert problems == ["minimum_reservations:", "unit_price:", "currency:", "invites_at:"]
    why = jointbuy("why", AUCTION).out
    assert why.startswith("not open: its opening ")
    assert jointbuy("show", AUCTION).out.startswith(f"{AUCTION}  not open\n")


def test_an_auction_is_taken_back_by_its_opener_only_while_nobody_relies_on_it(
    stack: Stack,
) -> None:
    stack.start("auction_service")
    good_sellers("nord", "sato")
    take_back = ("offer", AUCTION, "--withdraw", "--timeout", "30", "--seller")
    assert jointbuy(*take_back, "nord").err.startswith(f"jointbuy: no auction {AUCTION} is open")
    opened(1, "--closes-in", "1d")
    of_other = jointbuy(*take_back, "sato", *at(2))
    assert (of_other.exit_code, of_other.err) == (
        1,
        "jointbuy: refused: only the seller who opened the auction can take it back\n",
    )
    apply(3, "--as", "ann", "--quantity", "1", "--application-id", "a1")
    relied_on = jointbuy(*take_back, "nord", *at(4), "--json")
    assert (relied_on.exit_code, relied_on.json["refused"]) == (1, "has-applications")
    apply(5, "--withdraw", "a1")
    said = jointbuy(*take_back, "nord", *at(6))
    assert said == Said(0, f"{AUCTION} is withdrawn\n", "")
    assert jointbuy(*take_back, "nord", *at(7)) == said
    assert jointbuy("why", AUCTION).out.startswith("withdrawn: nord took it back")


# --- mistakes ------------------------------------------------------------------------------------


def test_what_is_missing_is_said_by_option(stack: Stack) -> None:
    said = jointbuy("offer", AUCTION, "--seller", "nord", "--closes-in", "1h")
    assert said.exit_code == 2
    assert {line.split()[1] for line in said.err.splitlines()} == {
        *("product", "minimum_reservations", "unit_price", "currency")
    }
    said = jointbuy("apply", AUCTION, "--as", "ann")
    assert said == Said(2, "", "jointbuy: quantity (--quantity): Field required\n")
    said = jointbuy("apply", AUCTION, "--quantity", "1")
    assert said == Said(2, "", "jointbuy: give one of --as, --confirm and --withdraw\n")
    said = jointbuy("offer", AUCTION, "--seller", "nord", "--price", "1")
    assert (said.exit_code, said.err.count("\n")) == (1, 1)
    assert "open it with --closes-in" in said.err
    assert stack.read("offers") == []


def test_an_offer_without_a_verdict_says_what_to_do(stack: Stack) -> None:
    said = opened(1, "--closes-in", "1h", "--timeout", "0")
    assert (said.exit_code, said.err.count("\n")) == (1, 1)
    assert "it was sent: see that auction_service runs with `jointbuy status`" in said.err
    (sent,) = stack.read("offers")
    assert (sent.key, sent.partition) == (AUCTION, PARTITION)
    assert sent.timestamp == milliseconds(T + MINUTE)
