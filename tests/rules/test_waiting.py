"""What names a group or an auction that is not known: refused at once, or kept for an hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.ids import derive, is_group_id
from runtime.processor import Processor
from runtime.rows import Due, GivenUp, MemoryRows, UnusableError
from schemas.auctions import ApplicationConfirmed, ApplicationWithdrawn, AuctionWithdrawn
from schemas.groups import GroupPurchase
from schemas.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
)
from schemas.parts import Message, Product
from services.auction_service.processor import AUCTION
from services.order_service.processor import PROCESSOR as ORDERS
from services.order_service.rules.waiting import UNKNOWN_GROUP_WAIT
from services.payment_service.processor import PROCESSOR as PAYMENTS
from services.shop_bridge.processor import INSTRUCTIONS

T = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
KNOWN = derive("request")
MISTYPED = {
    "a wrong character": KNOWN[:4] + ("0" if KNOWN[4] != "0" else "1") + KNOWN[5:],
    "a wrong check character": KNOWN[:-1] + ("0" if KNOWN[-1] != "0" else "1"),
    "two characters swapped": KNOWN[:3] + KNOWN[4] + KNOWN[3] + KNOWN[5:],
    "a character missing": KNOWN[:-1],
    "a character too many": KNOWN + "0",
    "small letters": KNOWN.lower(),
    "no dashes": KNOWN.replace("-", ""),
    "a blank behind it": f"{KNOWN} ",
    "an id of something else": "or-22423-2011W10",
    "a character that no id has": KNOWN[:3] + "U" + KNOWN[4:],
    "other writing": "\uff27\uff22" + KNOWN[2:],
}


def order(kind: type[Any], group_id: str = KNOWN) -> Any:
    """An order-like message of this kind."""
    given: dict[str, Any] = {"group_id": group_id, "source": "shop", "order_id": "1"}
    match kind.__name__:
        case "OrderPlaced" | "OrderPaid":
            given |= {"member_id": "ann", "quantity": 2, "ordered_at": T}
        case "OrderReturned":
            given |= {"return_id": "r", "member_id": "ann", "quantity": 2, "returned_at": T}
        case "OrderCancelled":
            given |= {"cancelled_at": T}
        case "OrderConfirmed":
            given |= {"at": T}
    return kind(**given)


def terms(group_id: str = KNOWN) -> GroupPurchase:
    """Terms of a group of which nobody is listed."""
    return GroupPurchase(
        group_id=group_id,
        request_id="request",
        version=1,
        requested_at=T,
        issued_at=T,
        product=Product(name="tea"),
        number_of_products=3,
        unit_price=100,
        currency="EUR",
        opens_at=T,
        closes_at=T + timedelta(days=1),
    )


def take(
    processor: Processor, rows: MemoryRows, *messages: Message, now: datetime = T
) -> list[Message | GivenUp]:
    """What the rules of a processor answer."""
    wholes = [{} for _ in processor.reads_whole]  # type: ignore[var-annotated]
    return [
        answer
        for message in messages
        for answer in processor.on[type(message)](message, rows, now, *wholes)
    ]


def fire(processor: Processor, rows: MemoryRows, until: datetime) -> list[Message | GivenUp]:
    """What falls due up to a time."""
    wholes = [{} for _ in processor.reads_whole]  # type: ignore[var-annotated]
    sent: list[Message | GivenUp] = []
    while dues := sorted(
        (row.at, name) for name, row in rows.items() if isinstance(row, Due) and row.at <= until
    ):
        at, name = dues[0]
        del rows[name]
        sent += processor.due[name.split("/")[1]](name, rows, at, *wholes)
    return sent


def waiting(rows: MemoryRows) -> list[Any]:
    """The rows that wait."""
    return [row for _, row in rows.scan("waiting/")]


def only(kind: type[Any], sent: Sequence[Any]) -> Any:
    """The only message that was sent, which is of this kind."""
    (one,) = sent
    assert isinstance(one, kind)
    return one


# --- ids that can't be ---------------------------------------------------------------------------


@pytest.mark.parametrize("what", MISTYPED)
def test_an_id_is_the_system_s_or_it_is_not(what: str) -> None:
    assert is_group_id(KNOWN)
    assert not is_group_id(MISTYPED[what])


@pytest.mark.parametrize("kind", [OrderPlaced, OrderPaid, OrderReturned])
@pytest.mark.parametrize("what", MISTYPED)
def test_an_order_or_return_with_a_mistyped_id_is_refused_at_once(
    kind: type[Any], what: str
) -> None:
    """A repeat gets the same answer; after ninety days nothing is left of it."""
    rows = MemoryRows(MISTYPED[what])
    message = order(kind, MISTYPED[what])
    refused = only(OrderRefused, take(ORDERS, rows, message))
    assert (refused.reason, refused.quantity) == ("unknown-group", 2)
    assert only(OrderRefused, take(ORDERS, rows, message, now=T + HOUR)) == refused
    assert waiting(rows) == []
    assert fire(ORDERS, rows, T + 2 * HOUR) == []
    assert {name.partition("/")[0] for name in rows} == {"order", "due"} or kind is OrderReturned


@pytest.mark.parametrize("kind", [OrderCancelled, OrderConfirmed])
@pytest.mark.parametrize("what", MISTYPED)
def test_what_no_fact_can_answer_is_a_dead_letter_at_once(kind: type[Any], what: str) -> None:
    rows = MemoryRows(MISTYPED[what])
    with pytest.raises(UnusableError, match="mistyped") as error:
        take(ORDERS, rows, order(kind, MISTYPED[what]))
    assert error.value.reason == "mistyped-group"
    assert not rows


READERS = [
    (processor, kind)
    for processor in (PAYMENTS, INSTRUCTIONS)
    for kind in (OrderPlaced, OrderPaid, OrderCancelled, OrderConfirmed, OrderReturned)
    if kind in processor.on
]


@pytest.mark.slow
@pytest.mark.parametrize(("processor", "kind"), READERS)
@pytest.mark.parametrize("what", MISTYPED)
def test_the_other_readers_keep_nothing_of_it(
    processor: Processor, kind: type[Any], what: str
) -> None:
    rows = MemoryRows(MISTYPED[what])
    assert take(processor, rows, order(kind, MISTYPED[what])) == []
    assert not rows


def test_payments_keep_nothing_of_its_refusal_either() -> None:
    rows = MemoryRows("group-1")
    refused = OrderRefused(
        group_id="group-1",
        order_id="1",
        source="shop",
        member_id="ann",
        quantity=1,
        reason="unknown-group",
    )
    assert take(PAYMENTS, rows, refused) == []
    assert not rows


@pytest.mark.parametrize("processor", [ORDERS, PAYMENTS, INSTRUCTIONS])
def test_a_group_that_is_known_is_never_mistyped(processor: Processor) -> None:
    """Groups of an older system, or of tests, have ids of any kind."""
    rows = MemoryRows("group-1")
    take(processor, rows, terms("group-1"))
    take(processor, rows, order(OrderCancelled, "group-1"))
    assert any(name.startswith("order/") for name in rows)


# --- an hour -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [OrderPlaced, OrderPaid, OrderCancelled, OrderConfirmed, OrderReturned]
)
def test_what_may_still_get_its_group_waits_an_hour(kind: type[Any]) -> None:
    rows = MemoryRows(KNOWN)
    assert take(ORDERS, rows, order(kind)) == []
    (row,) = waiting(rows)
    assert (row.type, row.arrived_at, row.until) == (kind.__name__, T, T + UNKNOWN_GROUP_WAIT)
    assert fire(ORDERS, rows, T + HOUR - MINUTE) == []
    assert len(waiting(rows)) == 1


@pytest.mark.parametrize("kind", [OrderPlaced, OrderPaid, OrderReturned])
def test_an_order_or_return_that_waited_in_vain_is_refused(kind: type[Any]) -> None:
    rows = MemoryRows(KNOWN)
    take(ORDERS, rows, order(kind))
    assert only(OrderRefused, fire(ORDERS, rows, T + HOUR)).reason == "unknown-group"
    assert waiting(rows) == []


@pytest.mark.parametrize("kind", [OrderCancelled, OrderConfirmed])
def test_anything_else_that_waited_in_vain_is_given_up(kind: type[Any]) -> None:
    rows = MemoryRows(KNOWN)
    message = order(kind)
    take(ORDERS, rows, message)
    given = only(GivenUp, fire(ORDERS, rows, T + HOUR))
    assert (given.message, given.reason) == (message, "unknown-group")
    assert KNOWN in given.problem
    assert not rows


AUCTION_ONLY = [
    AuctionWithdrawn(auction_id="a", seller_id="sue", at=T),
    ApplicationConfirmed(application_id="1", auction_id="a", at=T),
    ApplicationWithdrawn(application_id="1", auction_id="a", at=T),
]


@pytest.mark.parametrize("message", AUCTION_ONLY, ids=lambda each: type(each).__name__)
def test_what_waited_in_vain_for_its_auction_is_given_up(message: Message) -> None:
    """Refusals of offers and applications are facts; these have none."""
    rows = MemoryRows("a")
    assert take(AUCTION, rows, message) == []
    (row,) = waiting(rows)
    assert row.until == T + HOUR
    given = only(GivenUp, fire(AUCTION, rows, T + HOUR))
    assert (given.message, given.reason) == (message, "unknown-auction")
    assert waiting(rows) == []


# --- payments ------------------------------------------------------------------------------------


def test_payments_count_a_key_that_waits_for_its_terms_for_an_hour() -> None:
    """What waited is kept longer: if the terms come late, nothing is lost."""
    rows = MemoryRows(KNOWN)
    take(PAYMENTS, rows, order(OrderPaid))
    take(PAYMENTS, rows, order(OrderPlaced).model_copy(update={"order_id": "2"}), now=T + MINUTE)
    (row,) = waiting(rows)
    assert (row.arrived_at, row.until) == (T, T + HOUR)
    assert fire(PAYMENTS, rows, T + HOUR) == []
    assert waiting(rows) == []
    take(PAYMENTS, rows, terms(), now=T + 2 * HOUR)
    assert "chunk/open" in rows
    assert "waits" not in rows


def test_payments_count_it_again_when_more_comes() -> None:
    rows = MemoryRows(KNOWN)
    take(PAYMENTS, rows, order(OrderPaid))
    fire(PAYMENTS, rows, T + HOUR)
    take(PAYMENTS, rows, order(OrderPaid).model_copy(update={"order_id": "2"}), now=T + 2 * HOUR)
    assert [row.arrived_at for row in waiting(rows)] == [T + 2 * HOUR]


def test_payments_count_it_no_more_when_the_terms_come() -> None:
    rows = MemoryRows(KNOWN)
    take(PAYMENTS, rows, order(OrderPaid))
    take(PAYMENTS, rows, terms(), now=T + MINUTE)
    assert waiting(rows) == []
    assert "due/unknown" not in rows


@pytest.mark.parametrize("first", [terms(), order(OrderConfirmed), order(OrderCancelled)])
def test_payments_count_nothing_where_nothing_is_owed_yet(first: Message) -> None:
    rows = MemoryRows(KNOWN)
    take(PAYMENTS, rows, first)
    assert waiting(rows) == []


@pytest.mark.parametrize("end", ["refused", "cancelled"])
def test_an_order_that_is_void_is_not_counted_anew(end: str) -> None:
    """The refusal of order_service comes when the hour is over."""
    rows = MemoryRows(KNOWN)
    take(PAYMENTS, rows, order(OrderPaid))
    fire(PAYMENTS, rows, T + HOUR)
    refused = OrderRefused(
        group_id=KNOWN,
        order_id="1",
        source="shop",
        member_id="ann",
        quantity=2,
        reason="unknown-group",
    )
    take(PAYMENTS, rows, refused if end == "refused" else order(OrderCancelled), now=T + HOUR)
    assert waiting(rows) == []
