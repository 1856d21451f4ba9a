"""The whole way of a counter auction, from the opening to the group purchase, on a real broker."""

import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.ids import derive
from runtime.records import instant, milliseconds
from schemas.auctions import (
    ApplicationConfirmed,
    Applied,
    AuctionOpened,
    CounterOffered,
    SellerApproved,
    SellerRegistered,
)
from schemas.orders import OrderPaid
from schemas.parts import Contact, Message, Product
from stack.brokers import RunningBroker
from tests.system.stack import Stack, Worker, stack_on, until

pytestmark = pytest.mark.system
#: Some days ago: within what commands are kept for.
T = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=6)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
CAMERA = Product(id="gr-iv", name="Ricoh GR IV camera")
AUCTION = "cameras"


def stamped(message: Message, at: datetime) -> tuple[Message, int]:
    """What ``Stack.feed`` takes."""
    return message, milliseconds(at)


def text(at: datetime) -> str:
    """A time as facts show it."""
    return at.isoformat().replace("+00:00", "Z")


def feed_sellers(stack: Stack, *sellers: str, at: datetime) -> None:
    """Register and approve, and wait until all are known."""
    messages: list[tuple[Message, int | None]] = []
    for seller in sellers:
        registered = SellerRegistered(
            seller_id=seller, name=seller, email=f"{seller}@shop.example", registered_at=at
        )
        messages += [stamped(registered, at), stamped(SellerApproved(seller_id=seller, at=at), at)]
    stack.feed("seller-registrations", *messages)


def wait_for_sellers(stack: Stack, count: int) -> None:
    """Wait until so many sellers are in good standing."""

    def known() -> bool:
        sellers = stack.latest("sellers").values()
        return sum(each["standing"] == "good" for each in sellers) >= count

    until(f"{count} sellers in good standing", known)


def opening(
    seller: str, at: datetime, closes_at: datetime, auction: str = AUCTION, minimum: int = 3
) -> AuctionOpened:
    """The opening condition: 900.00 for each."""
    return AuctionOpened(
        offer_id=f"{auction}-{seller}-0",
        auction_id=auction,
        seller_id=seller,
        product=CAMERA,
        minimum_reservations=minimum,
        unit_price=90_000,
        currency="EUR",
        offered_at=at,
        closes_at=closes_at,
    )


def counter(seller: str, at: datetime, price: int, minimum: int = 3) -> CounterOffered:
    """A condition that is to take over."""
    return CounterOffered(
        offer_id=f"{seller}-{price}",
        auction_id=AUCTION,
        seller_id=seller,
        product=CAMERA,
        minimum_reservations=minimum,
        unit_price=price,
        currency="EUR",
        offered_at=at,
    )


def application(
    buyer: str, at: datetime, quantity: int = 1, auction: str = AUCTION
) -> list[tuple[Message, int | None]]:
    """An application that its front end vouches for."""
    of = {"application_id": f"{auction}-{buyer}", "auction_id": auction}
    applied = Applied(
        **of,
        applicant=Contact(id=buyer, email=f"{buyer}@example.com"),
        quantity=quantity,
        applied_at=at,
    )
    return [stamped(ApplicationConfirmed(**of, at=at), at), stamped(applied, at)]


def letters(stack: Stack, kind: str) -> list[str]:
    """Whom letters of a kind went to, sorted; one entry for each letter."""
    notices = [record.value for record in stack.read("notices")]
    return sorted(each["says"]["party_id"] for each in notices if each["kind"] == kind)


@pytest.mark.parametrize("broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)])
def test_a_better_offer_takes_over_and_the_contract_opens_a_group_purchase(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Three sellers, two buyers; the cheapest wins, and what was reserved is ordered."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    closes_at = T + 4 * HOUR
    with stack_on(broker, tmp_path) as stack:
        stack.start("auction_service", "request_service", "order_service")
        feed_sellers(stack, "nord", "sato", "west", at=T)
        wait_for_sellers(stack, 3)
        stack.feed("offers", stamped(opening("nord", T, closes_at), T))
        stack.feed("applications", *application("ann", T + HOUR, 2), *application("bob", T + HOUR))
        stack.feed(
            "offers",
            stamped(counter("sato", T + 3 * HOUR + MINUTE, 85_000), T + 3 * HOUR + MINUTE),
            stamped(counter("west", T + 3 * HOUR + 2 * MINUTE, 85_000), T + 3 * HOUR + 2 * MINUTE),
        )
        stack.pass_time(closes_at + HOUR, "offers", "applications")
        page = stack.wait_for("auctions", AUCTION, status="concluded")
        request_id = page["group_request_id"]
        outcome = stack.wait_for("request-outcomes", request_id)
        group_id = outcome["group_id"]
        paid_at = closes_at + MINUTE
        order = OrderPaid(
            order_id="1",
            source="sato",
            group_id=group_id,
            member_id="ann",
            quantity=2,
            ordered_at=paid_at,
        )
        stack.feed("orders", stamped(order, paid_at))
        stack.pass_time(paid_at + MINUTE, "orders")
        row = stack.wait_for("purchases", f"{group_id}/member/ann", quantity=2)
        stack.wait_idle()
        facts = stack.latest("auctions")
        told = {
            kind: letters(stack, kind)
            for kind in ("invitation", "right-intercepted", "condition-improved")
        }
        concluded = letters(stack, "contract-concluded")

    assert request_id == f"au-{AUCTION}"
    assert group_id == derive(request_id)
    assert (page["reservations"], page["applicants"], page["version"]) == (3, 2, page["version"])
    assert page["shown"]["seller_id"] == "sato"
    assert page["invited_at"] == text(T + 3 * HOUR)
    assert facts[f"{AUCTION}/offer/west-85000"]["reason"] == "price-not-lower"
    assert facts[f"{AUCTION}/intercepted/{AUCTION}-nord-0"]["unit_price"] == 85_000
    assert facts[f"{AUCTION}/conclusion"]["type"] == "ContractConcluded"
    assert told == {
        "invitation": ["sato", "west"],
        "right-intercepted": ["nord"],
        "condition-improved": ["ann", "bob"],
    }
    assert concluded == ["ann", "bob", "nord", "sato", "west"]
    assert row["value"] == 2 * 85_000


@pytest.mark.parametrize("broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)])
def test_a_term_that_ends_while_the_service_is_down_concludes_when_it_is_back(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The date and the term passed days ago; the sellers' registrations were not read either."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    closes_at = T + 2 * 24 * HOUR
    sellers = [f"seller-{number}" for number in range(40)]
    buyers = [f"buyer-{number}" for number in range(60)]
    with stack_on(broker, tmp_path, clock="wall") as stack:
        feed_sellers(stack, *sellers, at=T)
        stack.feed("offers", stamped(opening("seller-7", T, closes_at, minimum=60), T))
        in_time = closes_at - timedelta(milliseconds=1)
        for buyer in buyers:
            stack.feed("applications", *application(buyer, in_time))
        stack.feed("applications", *application("late", closes_at))
        stack.start("auction_service")
        page = stack.wait_for("auctions", AUCTION, status="concluded")
        stack.wait_idle()
        invited = letters(stack, "invitation")
        concluded = letters(stack, "contract-concluded")
        refused = stack.latest("auctions")[f"{AUCTION}/refused/{AUCTION}-late"]

    assert (page["reservations"], page["applicants"]) == (60, 60)
    assert page["invited_at"] == text(T + 36 * HOUR)
    assert invited == sorted(set(sellers) - {"seller-7"})
    assert concluded == sorted([*buyers, "seller-7"])
    assert refused["reason"] == "after-term"


def test_an_application_in_the_log_before_the_term_s_end_counts_however_late_it_is_read(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """The worker stands still while the term ends, with an application before it unread."""
    with stack_on(kafka, tmp_path, clock="wall") as stack:
        (worker,) = stack.start("auction_service")
        feed_sellers(stack, "nord", at=instant(int(time.time() * 1000)) - HOUR)
        wait_for_sellers(stack, 1)
        start = instant(int(time.time() * 1000))
        closes_at = start + timedelta(seconds=8)
        stack.feed("offers", stamped(opening("nord", start, closes_at, minimum=1), start))
        stack.wait_for("auctions", AUCTION, status="open")
        worker.signal(signal.SIGSTOP)
        stack.feed("applications", *application("ann", closes_at - timedelta(milliseconds=1)))
        stack.feed("applications", *application("bob", closes_at))
        until("the term to end", lambda: datetime.now(UTC) > closes_at + timedelta(seconds=3))
        worker.signal(signal.SIGCONT)
        page = stack.wait_for("auctions", AUCTION, status="concluded")

    assert (page["reservations"], page["applicants"]) == (1, 1)


@pytest.mark.parametrize("broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)])
def test_fan_outs_survive_kills_between_chunks_without_a_gap(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """3,000 sellers invited and 4,000 applicants told, the service killed in the midst of both.

    On the embedded broker, which has no transactions, a letter's notice may be written again, under
    the same id.
    """
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    closes_at = T + 4 * HOUR
    sellers = [f"seller-{number:05}" for number in range(3_000)]
    buyers = [f"buyer-{number:05}" for number in range(4_000)]
    with stack_on(broker, tmp_path) as stack:
        (worker,) = stack.start("auction_service")
        feed_sellers(stack, *sellers, at=T)
        wait_for_sellers(stack, len(sellers))
        stack.feed("offers", stamped(opening("seller-00007", T, closes_at, minimum=4_000), T))
        stack.feed(
            "applications",
            *[each for buyer in buyers for each in application(buyer, T + MINUTE)],
        )
        stack.wait_for("auctions", AUCTION, applicants=4_000)
        stack.pass_time(T + 3 * HOUR + 30 * MINUTE, "offers", "applications")
        _kill_in_the_midst(stack, worker, "invitation", len(sellers) - 1)
        stack.wait_idle()
        stack.pass_time(closes_at + HOUR, "offers", "applications")
        _kill_in_the_midst(stack, worker, "contract-concluded", len(buyers) + 1)
        stack.wait_idle()
        notices = [record.value for record in stack.read("notices")]
        request_id = f"au-{AUCTION}"
        parts = [
            record.value
            for record in stack.read("group-purchase-requests")
            if record.value["type"] == "MembersListed"
        ]
        asked = stack.latest("auctions")[AUCTION]["group_request_id"]

    written = Counter(each["notice_id"] for each in notices)
    if broker.transactions:
        assert max(written.values()) == 1
    once = {each["notice_id"]: each for each in notices}.values()
    told = Counter((each["kind"], each["says"]["party_id"]) for each in once)
    assert max(told.values()) == 1
    assert {who for kind, who in told if kind == "invitation"} == set(sellers) - {"seller-00007"}
    assert {who for kind, who in told if kind == "contract-concluded"} == {
        *buyers,
        "seller-00007",
    }
    members = {part["part"]: [each["id"] for each in part["members"]] for part in parts}
    assert asked == request_id
    assert sorted(members) == list(range(1, 9)), "parts of 500"
    assert [each for part in sorted(members) for each in members[part]] == buyers


def _kill_in_the_midst(stack: Stack, worker: Worker, kind: str, count: int) -> None:
    """SIGKILL when some letters of a kind are out; start again, and wait for all of them."""
    until(f"some letters {kind}", lambda: len(letters(stack, kind)) > 0)
    worker.kill()
    worker.start()
    until(f"all letters {kind}", lambda: len(set(letters(stack, kind))) >= count)
