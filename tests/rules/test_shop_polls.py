"""What a poll of WooCommerce brings that its webhooks lost, against a shop that is strict."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from runtime.settings import Settings
from schemas.ops import order_task_id
from services.shop_bridge.edge import polls, woo_listing
from services.shop_bridge.edge.poll_state import PAUSES, Position
from services.shop_bridge.edge.polls import AllFailError, Poll, poll_shop
from services.shop_bridge.edge.publisher import NotAcknowledgedError
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.shops import BridgeSettings, Shop
from tests.rules.test_webhook_answers import Topics
from tests.shop_faults import served
from tests.webhook_payloads import MISTYPED, woo_line, woo_order
from tests.woo_rest import KEY, SECRET, Sick, WooRest

START = datetime(2026, 5, 4, 9, tzinfo=UTC)


def at(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def order(number: int, seconds: int, **fields: Any) -> dict[str, Any]:
    return woo_order(id=number, date_modified_gmt=at(seconds), **fields)


class Polled:
    """A strict shop, its poll, and what it sent."""

    def __init__(self, folder: Path) -> None:
        self.shop = WooRest()
        self.topics = Topics()
        self.position = Position(folder, "kiosk")
        self.client = httpx.AsyncClient(
            base_url="https://kiosk.example/wp-json/wc/v3/",
            auth=(KEY, SECRET),
            transport=self.shop.transport,
        )
        self.poll = Poll("kiosk", self.client, self.topics, self.position)

    async def once(self) -> list[str]:
        """Poll from where it stands; the orders of what was sent."""
        sent = len(self.topics.records)
        await self.poll.once(START)
        return [(record.key or b"").decode() for record in self.topics.records[sent:]]


@pytest.fixture
async def polled(tmp_path: Path) -> AsyncIterator[Polled]:
    made = Polled(tmp_path)
    yield made
    await made.client.aclose()


async def test_what_changed_is_brought_once_and_the_position_follows(polled: Polled) -> None:
    polled.shop.put(order(1, 10))
    polled.shop.put(order(2, 20, status="completed"))
    assert await polled.once() == ["kiosk:1", "kiosk:2"]
    assert polled.position.read().up_to == {"any": START + timedelta(seconds=20), "trash": START}
    assert await polled.once() == [], "nothing changed"
    polled.shop.put(order(1, 30, status="cancelled"))
    assert await polled.once() == ["kiosk:1"]
    assert json.loads(polled.topics.records[-1].value or b"")["cancelled"] is True


async def test_what_lies_in_the_trash_is_looked_for_too(polled: Polled) -> None:
    polled.shop.put(order(1, 10))
    await polled.once()
    polled.shop.put(order(1, 10, status="trash"))
    assert await polled.once() == ["kiosk:1"]


@pytest.mark.slow
async def test_a_thousand_orders_some_of_one_second(polled: Polled) -> None:
    """Pages that end within a second of 250 orders leave none of them out."""
    for number in range(1_000):
        polled.shop.put(order(number + 1, 5 if 300 <= number < 550 else number))
    assert sorted(await polled.once()) == sorted(f"kiosk:{n + 1}" for n in range(1_000))


@pytest.mark.slow
async def test_orders_that_change_between_pages_shift_nothing(polled: Polled) -> None:
    """Each page lets one of the first hundred change, which would move all others up by one."""
    for number in range(350):
        polled.shop.put(order(number + 1, number))
    changing = iter(range(1, 50))

    def change() -> None:
        number = next(changing)
        polled.shop.put(order(number, 1_000 + number))

    polled.shop.between_pages = change
    assert {f"kiosk:{number + 1}" for number in range(350)} <= set(await polled.once())


async def test_refunds_are_read_with_their_order(polled: Polled) -> None:
    meta = [{"key": "_refunded_item_id", "value": "315"}]
    polled.shop.refunds[7] = [
        {
            "id": 900,
            "date_created_gmt": at(9),
            "line_items": [{"id": 1, "quantity": -1, "meta_data": meta}],
        }
    ]
    polled.shop.put(order(7, 10, status="completed", refunds=[{"id": 900, "total": "-24.00"}]))
    assert await polled.once() == ["kiosk:7", "kiosk:7"]
    refund = json.loads(polled.topics.records[0].value or b"")
    assert (refund["type"], refund["refund_id"]) == ("ShopRefundSeen", "900")
    assert refund["lines"] == [{"line_id": "315", "quantity": 1}]


async def test_what_kafka_does_not_take_is_polled_again(polled: Polled) -> None:
    polled.shop.put(order(1, 10))
    polled.topics.acknowledges = False
    with pytest.raises(NotAcknowledgedError):
        await polled.once()
    assert polled.position.read().up_to == {}
    polled.topics.acknowledges = True
    assert await polled.once() == ["kiosk:1"]


async def test_after_a_restart_it_goes_on_from_the_file(polled: Polled, tmp_path: Path) -> None:
    polled.shop.put(order(1, 10))
    polled.shop.put(order(2, 1_000))
    await polled.once()
    again = Polled(tmp_path)
    again.shop.orders = polled.shop.orders
    assert await again.once() == ["kiosk:2"], "what lies within the overlap is told again"
    (tmp_path / "shop_bridge" / "polled-kiosk.json").write_text("{")
    assert Position(tmp_path, "kiosk").read().up_to == {}


async def test_orders_that_can_t_be_read_and_typos_go_to_people(polled: Polled) -> None:
    polled.shop.put(order(1, 10, currency="EURO"))
    polled.shop.put(order(2, 20, meta_data=[{"key": "group_id", "value": MISTYPED}]))
    polled.shop.put(order(3, 30, line_items=[woo_line(quantity=3)]))
    await polled.once()
    assert [record.topic for record in polled.topics.records] == [
        "shop-events",
        "dead-letters",
        "shop-events",
        "dead-letters",
        "shop-events",
    ]


async def test_a_shop_that_fails_is_asked_again_when_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error twice, a limit with its time, a page that is no JSON; then the orders.

    Each error is asked about once more, for the orders' ids alone; the same one is logged once.
    """
    shop = WooRest()
    shop.put(woo_order(date_modified_gmt=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")))
    shop.mishaps = [
        *[httpx.Response(500)] * 4,
        httpx.Response(429, headers={"Retry-After": "77"}),
        *[httpx.Response(200, content=b"<html>")] * 2,
    ]
    waited: list[float] = []
    topics = Topics()

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 5:
            raise asyncio.CancelledError

    monkeypatch.setattr(polls.asyncio, "sleep", wait)
    kiosk = Shop.model_validate(
        {
            "name": "kiosk",
            "kind": "woocommerce",
            "secrets": ("of this test",),
            "rest": {"url": "https://kiosk.example/", "key": KEY, "secret": SECRET},
        }
    )
    ours, settings = BridgeSettings(poll_seconds=5), Settings(state_dir=tmp_path)
    with structlog.testing.capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await poll_shop(kiosk, topics, settings, ours, shop.transport)
    assert waited == [5, 5, 77, 5, 5]
    assert [each.get("error", each["event"]) for each in logs] == [
        "the shop answers 500",
        "the shop answers 429",
        "GarbledError",
        "a shop is polled again",
    ]
    assert [record.key for record in topics.records] == [b"kiosk:727"]
    assert "kiosk.example" not in repr(logs)
    assert SECRET not in repr(logs)
    assert not any(SECRET in address for address in shop.asked)


# --- one bad order among good ones ----------------------------------------------------------------

REFUNDS: dict[str, Any] = {"refunds": [{"id": 900, "total": "-24.00"}]}
#: What is wrong with order 2, and what people are told of it; nothing if it gets through.
BAD: list[tuple[str, set[Sick], dict[str, Any], str]] = [
    ("PHP stops in every list with it", {"list"}, {}, "the shop answers 500 for the order"),
    ("an error in its place", {"entry"}, {}, ""),
    ("an error in its place and alone", {"entry", "order"}, {}, "answers 500 for the order"),
    ("its refunds are an error", {"refunds"}, REFUNDS, "the shop answers 500 for its refunds"),
    ("its refunds are HTML", {"refunds-html"}, REFUNDS, "its refunds can't be read"),
    ("errors beside its refunds", {"refund-entry"}, REFUNDS, ""),
    ("an error in place of a refund", {"refund-lost"}, REFUNDS, "one of its refunds is missing in"),
    ("a currency that is none", set(), {"currency": "EURO"}, "currency is not an ISO 4217 code"),
    ("a time that is none", set(), {"date_created_gmt": "soon"}, "date_created_gmt is not a time"),
]


def put_refund(shop: WooRest, number: int) -> None:
    meta = [{"key": "_refunded_item_id", "value": "315"}]
    line = {"id": 1, "quantity": -1, "meta_data": meta}
    shop.refunds[number] = [{"id": 900, "date_created_gmt": at(9), "line_items": [line]}]


def told_of(polled: Polled, number: int) -> list[dict[str, Any]]:
    """The events of an order, in the order in which they were sent."""
    events = polled.topics.on("shop-events")
    return [each for each in events if each["shop_order"] == f"kiosk:{number}"]


class Clock:
    """Our clock, which the polls of a test are asked by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START + timedelta(hours=1)
        clock = self

        class Time(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return clock.now

        monkeypatch.setattr(polls, "datetime", Time)
        monkeypatch.setattr(woo_listing, "datetime", Time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sick", "fields", "problem"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
async def test_one_bad_order_holds_nothing_back_and_is_shown_until_it_gets_through(
    polled: Polled,
    clock: Clock,
    tmp_path: Path,
    sick: set[Sick],
    fields: dict[str, Any],
    problem: str,
) -> None:
    for number in (1, 3):
        polled.shop.put(order(number, number * 10))
    polled.shop.put(order(2, 20, **fields))
    put_refund(polled.shop, 2)
    polled.shop.sick[2] = sick
    with structlog.testing.capture_logs() as logs:
        await polled.once()
        polled = restarted(polled, tmp_path)
        for _ in range(5):
            clock.now += timedelta(seconds=5)
            await polled.once()
    assert {each["type"] for each in told_of(polled, 1)} == {"ShopOrderSeen"}
    assert {each["type"] for each in told_of(polled, 3)} == {"ShopOrderSeen"}
    assert polled.position.read().up_to["any"] == START + timedelta(seconds=30)
    told = told_of(polled, 2)
    if not problem:
        assert "ShopOrderUnread" not in {each["type"] for each in told}
        assert ("ShopRefundSeen" in {each["type"] for each in told}) == bool(fields)
        assert polled.position.read().again == {}
        return
    assert {each["type"] for each in told} == {"ShopOrderUnread"}
    assert problem.casefold() in told[0]["problem"].casefold()
    assert [each["log_level"] for each in logs] == ["warning"], "one line, not one a minute"
    waiting = polled.position.read().again["2"]
    assert waiting.since == START + timedelta(hours=1)

    polled.shop.sick.clear()
    polled.shop.put(order(2, 20, **(fields if "refunds" in fields else {})))
    clock.now += timedelta(hours=1)
    await polled.once()
    assert told_of(polled, 2)[-1]["type"] == "ShopOrderSeen"
    assert polled.position.read().again == {}
    sent = len(polled.topics.records)
    await polled.once()
    assert len(polled.topics.records) == sent


def restarted(polled: Polled, folder: Path) -> Polled:
    """The same shop and topics, asked by another process."""
    again = Polled(folder)
    again.shop.__dict__.update(polled.shop.__dict__)
    again.topics.records = polled.topics.records
    return again


@pytest.mark.slow
async def test_a_bad_order_is_asked_for_in_growing_pauses(polled: Polled, clock: Clock) -> None:
    polled.shop.put(order(1, 10))
    polled.shop.put(order(2, 20, **REFUNDS))
    polled.shop.sick[2] = {"refunds"}
    asked = []
    await polled.once()
    for _ in PAUSES:
        before, asked_at = len(told_of(polled, 2)), clock.now
        clock.now = polled.position.read().again["2"].at - timedelta(seconds=1)
        await polled.once()
        assert len(told_of(polled, 2)) == before
        clock.now += timedelta(seconds=1)
        await polled.once()
        assert len(told_of(polled, 2)) == before + 1
        asked.append(clock.now - asked_at)
    assert asked == list(PAUSES)


async def test_a_bad_order_that_changes_is_asked_for_at_once(polled: Polled, clock: Clock) -> None:
    polled.shop.put(order(2, 20))
    polled.shop.sick[2] = {"list"}
    await polled.once()
    polled.shop.sick.clear()
    polled.shop.put(order(2, 40))
    assert await polled.once() == ["kiosk:2"]
    assert polled.position.read().again == {}


async def test_a_bad_order_that_is_deleted_is_gone(polled: Polled, clock: Clock) -> None:
    polled.shop.put(order(2, 20))
    polled.shop.sick[2] = {"list"}
    await polled.once()
    del polled.shop.orders[2]
    clock.now += timedelta(minutes=2)
    await polled.once()
    assert [each["type"] for each in told_of(polled, 2)] == ["ShopOrderUnread", "ShopOrderGone"]
    assert polled.position.read().again == {}


async def test_the_task_of_a_sub_order_that_got_through_is_done(
    polled: Polled, clock: Clock
) -> None:
    """The sub-order is told under its parent's key, and its task stands under its own."""
    polled.shop.put(order(2, 20, parent_id=1, **REFUNDS))
    put_refund(polled.shop, 2)
    polled.shop.sick[2] = {"refunds"}
    await polled.once()
    polled.shop.sick.clear()
    clock.now += timedelta(minutes=2)
    await polled.once()
    assert [each["type"] for each in told_of(polled, 2)] == ["ShopOrderUnread", "ShopOrderRead"]
    assert [(each["type"], each.get("part_id")) for each in told_of(polled, 1)] == [
        ("ShopRefundSeen", None),
        ("ShopOrderSeen", "2"),
    ]


async def test_a_line_that_can_t_be_counted_is_a_dead_letter_of_the_poll(polled: Polled) -> None:
    lines = [woo_line(1, 2), woo_line(2, 0.5)]  # type: ignore[arg-type]
    polled.shop.put(order(1, 10, line_items=lines))
    await polled.once()
    (event,) = told_of(polled, 1)
    assert event["problem"] == "line 2: quantity is not a number of units"
    (letter,) = [each for each in polled.topics.records if each.topic == "dead-letters"]
    about = dict(letter.headers)
    assert (about["reason"], about["task"].decode()) == (
        b"not-counted",
        order_task_id("kiosk", "1"),
    )


async def test_the_task_of_an_order_that_counts_nowhere_is_done(
    polled: Polled, clock: Clock
) -> None:
    """It is at the checkout again, so it tells nothing."""
    polled.shop.put(order(2, 20))
    polled.shop.sick[2] = {"list"}
    await polled.once()
    polled.shop.sick.clear()
    polled.shop.put(order(2, 20, status="checkout-draft"))
    clock.now += timedelta(minutes=2)
    await polled.once()
    assert [each["type"] for each in told_of(polled, 2)] == ["ShopOrderUnread", "ShopOrderRead"]


@pytest.mark.slow
async def test_a_page_of_which_half_is_bad(polled: Polled, clock: Clock) -> None:
    """A hundred orders, every second one stops PHP: the other half gets through."""
    for number in range(1, 101):
        polled.shop.put(order(number, number))
        if not number % 2:
            polled.shop.sick[number] = {"list"}
    await polled.once()
    kinds = {number: told_of(polled, number)[-1]["type"] for number in range(1, 101)}
    assert {kinds[number] for number in range(1, 101, 2)} == {"ShopOrderSeen"}
    assert {kinds[number] for number in range(2, 101, 2)} == {"ShopOrderUnread"}
    assert len(polled.position.read().again) == 50


@pytest.mark.parametrize("sick", [{"list"}, {"refunds"}], ids=["orders", "refunds"])
async def test_a_shop_that_fails_as_a_whole_makes_no_tasks_unless_it_stays_so(
    polled: Polled, clock: Clock, sick: set[Sick]
) -> None:
    """The first orders of all are bad, and may be the shop's fault; in the end they are shown."""
    for number in range(1, 6):
        polled.shop.put(order(number, number, **REFUNDS))
        put_refund(polled.shop, number)
        polled.shop.sick[number] = sick
    for _ in range(polls.BREAKS_MAX):
        with pytest.raises((httpx.HTTPStatusError, AllFailError)):
            await polled.once()
        assert polled.topics.records == []
    polled.shop.put(order(6, 60))
    await polled.once()
    assert set(polled.position.read().again) == {"1", "2", "3", "4", "5"}
    assert [each["type"] for each in told_of(polled, 6)] == ["ShopOrderSeen"]


@pytest.mark.slow
async def test_a_poll_that_stops_half_way_goes_on_from_there(polled: Polled, clock: Clock) -> None:
    for number in range(1, 251):
        polled.shop.put(order(number, number * 10))
    listed = 0

    def stop() -> None:
        nonlocal listed
        listed += 1
        if listed == 2:
            polled.shop.mishaps = [httpx.Response(503)]

    polled.shop.between_pages = stop
    with pytest.raises(httpx.HTTPStatusError):
        await polled.once()
    first = len(polled.topics.records)
    assert first == 199, "the first of the second page ended the first"
    assert polled.position.read().up_to == {"any": START + timedelta(seconds=1_990)}
    await polled.once()
    told = [record.key for record in polled.topics.records]
    assert {f"kiosk:{number}".encode() for number in range(1, 251)} == set(told)
    assert len(told) == 250, "and what was sent is not sent again"


async def test_what_could_not_be_sent_is_not_taken_for_seen(polled: Polled, clock: Clock) -> None:
    polled.shop.put(order(1, 10))
    await polled.once()
    polled.shop.put(order(2, 20))
    polled.topics.acknowledges = False
    with pytest.raises(NotAcknowledgedError):
        await polled.once()
    polled.topics.acknowledges = True
    assert await polled.once() == ["kiosk:2"]


# --- times ---------------------------------------------------------------------------------------


async def test_an_order_of_the_future_hides_no_later_change(polled: Polled, clock: Clock) -> None:
    """An import, or a clock that was ahead: the position stays with the shop's own clock."""
    polled.shop.clock = START + timedelta(seconds=60)
    polled.shop.put(order(1, 86_400))
    polled.shop.put(order(2, 50))
    assert sorted(await polled.once()) == ["kiosk:1", "kiosk:2"]
    polled.shop.clock = START + timedelta(seconds=400)
    polled.shop.put(order(3, 390))
    assert await polled.once() == ["kiosk:3"]
    assert polled.position.read().up_to["any"] < START + timedelta(seconds=401)


async def test_a_position_in_the_future_comes_back(polled: Polled, clock: Clock) -> None:
    state = polled.position.read()
    state.up_to = {"any": START + timedelta(days=400), "trash": START + timedelta(days=400)}
    polled.position.write(state)
    await polled.once()
    polled.shop.put(order(1, 3_590))
    assert await polled.once() == ["kiosk:1"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [99, 100, 101, 200, 201])
async def test_orders_of_one_second_across_the_end_of_a_page(polled: Polled, count: int) -> None:
    for number in range(1, count + 1):
        polled.shop.put(order(number, 7))
    polled.shop.put(order(999, 8))
    brought = await polled.once()
    assert sorted(brought) == sorted(f"kiosk:{n}" for n in [*range(1, count + 1), 999])


async def test_what_a_poll_saw_after_its_second_is_the_truth_about_it(polled: Polled) -> None:
    """Seen within its second, an order is told once more when that second is over."""
    polled.shop.put(order(1, 10))
    polled.shop.clock = START + timedelta(seconds=10)
    await polled.once()
    polled.shop.clock = START + timedelta(seconds=70)
    await polled.once()
    await polled.once()
    within, after = told_of(polled, 1)
    assert "told_at" not in within
    assert after["told_at"] > within["updated_at"]


async def test_an_order_without_a_group_goes_on_without_its_buyer(polled: Polled) -> None:
    polled.shop.put(order(1, 10, meta_data=[]))
    await polled.once()
    (event,) = told_of(polled, 1)
    assert event["type"] == "ShopOrderUnnamed"
    assert b"bob@x.example" not in (polled.topics.records[0].value or b"")


# --- what plugins and servers put around the answer ----------------------------------------------

WARNING = (
    b"<br />\n<b>Warning</b>:  Undefined array key 5 in <b>/x.php</b> on line <b>3</b><br />\n"
)
LOGGED = b"[04-May-2026 09:00:00 UTC] PHP Warning:  Undefined array key in /x.php on line 3\n"
AROUND: list[tuple[str, bytes, bytes]] = [
    ("a byte order mark", b"\xef\xbb\xbf", b""),
    ("two blank lines", b"\r\n\r\n", b"\n"),
    ("a warning of PHP", WARNING, b""),
    ("two of them", WARNING * 2, b""),
    ("one as it is logged", LOGGED, b""),
    ("one after it", b"", WARNING),
    ("the lengths of chunks", b"317\r\n", b"\r\n0\r\n"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"), [row[1:] for row in AROUND], ids=[row[0] for row in AROUND]
)
async def test_what_stands_around_every_answer_is_passed_over(
    polled: Polled, before: bytes, after: bytes
) -> None:
    polled.shop.garbles = lambda body: before + body + after
    put_refund(polled.shop, 2)
    polled.shop.put(order(1, 10))
    polled.shop.put(order(2, 20, **REFUNDS))
    assert await polled.once() == ["kiosk:1", "kiosk:2", "kiosk:2"]
    assert await polled.once() == []


NO_LIST: list[tuple[str, bytes]] = [
    ("HTML", b"<!DOCTYPE html><title>Maintenance</title>"),
    ("an error", b'{"code": "rest_no_route", "message": "x", "data": {"status": 404}}'),
    ("nothing", b""),
    ("half", b'[{"id": 1, "status": "proc'),
    ("null", b"null"),
    ("a fatal error", b"<b>Fatal error</b>: Allowed memory size exhausted in <b>x.php</b>"),
]


@pytest.mark.slow
@pytest.mark.parametrize("body", [row[1] for row in NO_LIST], ids=[row[0] for row in NO_LIST])
async def test_an_answer_that_is_no_list_moves_nothing(polled: Polled, body: bytes) -> None:
    polled.shop.put(order(1, 10))
    polled.shop.garbles = lambda _: body
    with pytest.raises((GarbledError, UnreadableError)):
        await polled.once()
    assert polled.position.read().up_to == {}
    polled.shop.garbles = lambda body: body
    assert await polled.once() == ["kiosk:1"]


@pytest.mark.slow
async def test_over_a_real_socket_a_bad_order_and_a_lost_line(tmp_path: Path) -> None:
    """A server's own date, a connection that is closed in the middle, an order that fails."""
    polled = Polled(tmp_path)
    with served(polled.shop.answer) as address:
        polled.client = httpx.AsyncClient(
            base_url=f"{address}/wp-json/wc/v3/", auth=(KEY, SECRET), timeout=1
        )
        polled.poll = Poll("kiosk", polled.client, polled.topics, polled.position)
        polled.shop.put(order(1, 10))
        polled.shop.put(order(2, 20, **REFUNDS))
        polled.shop.put(order(3, 30, **REFUNDS))
        put_refund(polled.shop, 3)
        polled.shop.faults.coming = ["", "lost", ""]
        await polled.once()
        await polled.client.aclose()
    assert [each["type"] for each in told_of(polled, 2)] == ["ShopOrderUnread"]
    assert "no answer for its refunds" in told_of(polled, 2)[0]["problem"]
    assert [each["type"] for each in told_of(polled, 3)] == ["ShopRefundSeen", "ShopOrderSeen"]
    assert "told_at" in told_of(polled, 1)[0], "the server's date is long after the change"
