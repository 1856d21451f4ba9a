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

from services.runtime.settings import Settings
from services.shop_bridge import polling
from services.shop_bridge.polling import Poll, Position, poll_shop
from services.shop_bridge.publisher import NotAcknowledgedError
from services.shop_bridge.shops import BridgeSettings, Shop
from tests.rules.test_webhook_answers import Topics
from tests.webhook_payloads import MISTYPED, woo_line, woo_order
from tests.woo_rest import KEY, SECRET, WooRest

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
        await self.poll.once((self.position.read() or START) - polling.OVERLAP)
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
    assert polled.position.read() == START + timedelta(seconds=20)
    assert await polled.once() == [], "nothing changed"
    polled.shop.put(order(1, 30, status="cancelled"))
    assert await polled.once() == ["kiosk:1"]
    assert json.loads(polled.topics.records[-1].value or b"")["cancelled"] is True


async def test_what_lies_in_the_trash_is_looked_for_too(polled: Polled) -> None:
    polled.shop.put(order(1, 10))
    await polled.once()
    polled.shop.put(order(1, 10, status="trash"))
    assert await polled.once() == ["kiosk:1"]


async def test_a_thousand_orders_some_of_one_second(polled: Polled) -> None:
    """Pages that end within a second of 250 orders leave none of them out."""
    for number in range(1_000):
        polled.shop.put(order(number + 1, 5 if 300 <= number < 550 else number))
    assert sorted(await polled.once()) == sorted(f"kiosk:{n + 1}" for n in range(1_000))


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
    assert polled.position.read() is None
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
    assert Position(tmp_path, "kiosk").read() is None


async def test_orders_that_can_t_be_read_and_typos_go_to_people(polled: Polled) -> None:
    polled.shop.put(order(1, 10, currency="EURO"))
    polled.shop.put(order(2, 20, meta_data=[{"key": "group_id", "value": MISTYPED}]))
    polled.shop.put(order(3, 30, line_items=[woo_line(quantity=3)]))
    await polled.once()
    assert [record.topic for record in polled.topics.records] == [
        "dead-letters",
        "shop-events",
        "dead-letters",
        "shop-events",
    ]


async def test_a_shop_that_fails_is_asked_again_when_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error, a limit with its time, a page that is no JSON, a lost line; then the orders."""
    shop = WooRest()
    shop.put(woo_order(date_modified_gmt=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")))
    shop.mishaps = [
        httpx.Response(500),
        httpx.Response(429, headers={"Retry-After": "77"}),
        httpx.Response(200, content=b"<html>"),
    ]
    waited: list[float] = []
    topics = Topics()

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(polling.asyncio, "sleep", wait)
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
    assert waited == [5, 77, 5, 5]
    assert [each["error"] for each in logs] == [
        "the shop answers 500",
        "the shop answers 429",
        "GarbledError",
    ]
    assert [record.key for record in topics.records] == [b"kiosk:727"]
    assert "kiosk.example" not in repr(logs)
    assert SECRET not in repr(logs)
    assert not any(SECRET in address for address in shop.asked)
