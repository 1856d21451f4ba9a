"""What a shop is answered: taken, ignored, or refused as its documentation wants it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from runtime.pages import ops_pages
from runtime.records import OutputRecord
from runtime.settings import Settings, read_settings
from schemas.ops import order_task_id
from services.shop_bridge.edge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.shops import BridgeSettings, Shop, ShopsError, read_shops
from services.shop_bridge.webhooks import build, status, unready
from tests.webhook_payloads import (
    GROUP,
    MISTYPED,
    SECRET,
    STANDARD_SECRET,
    Json,
    recorded,
    shopify,
    shopify_order,
    signature,
    standard,
    under_group,
    woo_order,
    woo_under_group,
    woocommerce,
)

OLD_SECRET = "shpss_before_the_rotation"
SHOPS = [
    Shop.model_validate(shop)
    for shop in (
        {
            "name": "shop",
            "kind": "shopify",
            "secrets": (SECRET, OLD_SECRET),
            "domain": "shop.myshopify.com",
        },
        {"name": "kiosk", "kind": "woocommerce", "secrets": (SECRET,)},
        {"name": "till", "kind": "standard", "secrets": (STANDARD_SECRET,)},
    )
]
SPOKEN: Json = {
    "type": "OrderPaid",
    "order_id": "A-17",
    "group_id": GROUP,
    "member_id": "ann",
    "member_email": "ann@private.example",
    "quantity": 3,
    "ordered_at": "2026-05-04T09:00:00Z",
}


class Topics(Publisher):
    """Keeps what would be sent, or does not acknowledge it."""

    def __init__(self) -> None:
        super().__init__(Settings(), acknowledge_seconds=1)
        self.records: list[OutputRecord] = []
        self.acknowledges = True
        self.gate: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def start(self) -> None:
        """Nothing to connect to."""

    async def send(self, records: Sequence[OutputRecord]) -> None:
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if not self.acknowledges:
            raise NotAcknowledgedError("KafkaTimeoutError")
        self.records += records

    def on(self, topic: str) -> list[Any]:
        return [json.loads(record.value or b"") for record in self.records if record.topic == topic]


class Page:
    """The app without a socket."""

    def __init__(self, shops: Sequence[Shop] = SHOPS, **settings: Any) -> None:
        self.topics = Topics()
        self.app = build(shops, self.topics, BridgeSettings(**settings))
        transport = httpx.ASGITransport(self.app)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://bridge")
        ops = ops_pages(partial(status, self.topics), partial(unready, self.topics))
        self.ops = httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://ops")

    async def post(
        self, shop: str, delivery: tuple[bytes | AsyncIterator[bytes], dict[str, str]]
    ) -> httpx.Response:
        content, headers = delivery
        return await self.client.post(f"/webhooks/{shop}", content=content, headers=headers)


@pytest.fixture
def page() -> Page:
    return Page()


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["create", "paid", "updated", "cancelled", "edited"], ids=lambda name: f"orders.{name}"
)
async def test_recorded_shopify_payloads_are_taken(page: Page, data: Path, name: str) -> None:
    topic, body = recorded(data, f"shopify/orders.{name}.json")
    answer = await page.post("shop", shopify(topic, under_group(body)))
    assert answer.status_code == 200
    (event,) = page.topics.on("shop-events")
    assert event["shop_order"] == "shop:820982911946154500"


async def test_a_recorded_refund_is_taken(page: Page, data: Path) -> None:
    delivery = shopify(*recorded(data, "shopify/refunds.create.json"))
    assert (await page.post("shop", delivery)).status_code == 200
    (event,) = page.topics.on("shop-events")
    assert [line["quantity"] for line in event["lines"]] == [1, 1]


@pytest.mark.parametrize("name", ["order-processing-0", "order-processing-1", "order-completed-3"])
async def test_recorded_woocommerce_payloads_are_taken(page: Page, data: Path, name: str) -> None:
    topic, body = recorded(data, f"woocommerce/{name}.json")
    answer = await page.post("kiosk", woocommerce(topic, woo_under_group(body)))
    assert answer.status_code == 200
    assert [event["order_id"] for event in page.topics.on("shop-events")] == ["727"]


async def test_records_are_keyed_placed_and_headed_as_all_of_the_system_s_are(page: Page) -> None:
    await page.post("shop", shopify("orders/create", shopify_order()))
    (record,) = page.topics.records
    headers = dict(record.headers)
    assert record.key == b"shop:9007199254740993"
    assert headers["ce_type"] == b"ShopOrderSeen"
    assert headers["ce_source"] == b"jointbuy/shop_bridge"
    await page.post("shop", shopify("orders/create", shopify_order()))
    assert dict(page.topics.records[1].headers)["ce_id"] == headers["ce_id"], "not deterministic"


async def test_both_ids_of_a_delivery_go_with_it(page: Page) -> None:
    ids = {"X-Shopify-Webhook-Id": "w-1", "X-Shopify-Event-Id": "e-1"}
    await page.post("shop", shopify("orders/paid", shopify_order(), **ids))
    assert page.topics.on("shop-events")[0]["deliveries"] == ["w-1", "orders.paid:e-1"]


async def test_a_standard_webhook_is_an_order_at_once(page: Page) -> None:
    assert (await page.post("till", standard(SPOKEN))).status_code == 202
    (order,) = page.topics.on("orders")
    assert (order["source"], order["group_id"], order["quantity"]) == ("till", GROUP, 3)


# --- who sent it ---------------------------------------------------------------------------------

BODY = shopify_order()
RAW = json.dumps(BODY).encode()


def signed(value: str) -> dict[str, str]:
    return {"X-Shopify-Hmac-Sha256": value}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delivery", "status"),
    [
        (shopify("orders/create", BODY), 200),
        (shopify("orders/create", BODY, OLD_SECRET), 200),
        (shopify("orders/create", BODY, "shpss_of_another_app"), 401),
        (shopify("orders/create", BODY, **signed("")), 401),
        (shopify("orders/create", BODY, **signed("AAAA")), 401),
        (shopify("orders/create", BODY, **signed(signature(RAW + b" "))), 401),
        (shopify("orders/create", BODY, **signed(signature(RAW)[:-1])), 401),
        (shopify("orders/create", BODY, **signed(signature(RAW) + "=")), 401),
        (shopify("orders/create", BODY, **{"X-Shopify-Shop-Domain": "x.myshopify.com"}), 401),
        ((RAW, {"X-Shopify-Topic": "orders/create"}), 401),
    ],
    ids=[
        "the new secret",
        "the old secret during a rotation",
        "another's",
        "an empty one",
        "nonsense",
        "of another body",
        "cut short",
        "padded",
        "of another shop of the app",
        "none",
    ],
)
async def test_signatures_of_shopify(
    page: Page, delivery: tuple[bytes, dict[str, str]], status: int
) -> None:
    assert (await page.post("shop", delivery)).status_code == status
    assert bool(page.topics.records) == (status == 200)


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("another's secret", 401)])
async def test_signatures_of_woocommerce(page: Page, secret: str, status: int) -> None:
    delivery = woocommerce("order.created", woo_order(), secret)
    assert (await page.post("kiosk", delivery)).status_code == status
    assert bool(page.topics.records) == (status == 200)


OTHERS: list[tuple[str, str, dict[str, str], str | None]] = [
    ("shop.myshopify.com", "shop", {}, None),
    ("Shop.MyShopify.com", "shop", {}, None),
    ("x.myshopify.com", "shop", {}, "for the shop shop.myshopify.com; the entry other has x.mysh"),
    ("x.myshopify.com", "shop", {"X-Shopify-Shop-Domain": ""}, "without a shop's domain"),
    ("x.myshopify.com", "shop", {"X-Shopify-Shop-Domain": "<b>&marked"}, "without a shop's domain"),
    ("shop.example", "kiosk", {}, None),
    ("https://shop.example/", "kiosk", {}, None),
    ("shop.example/two", "kiosk", {}, "for the shop shop.example; the entry other has shop.exampl"),
    ("shop.example/two", "kiosk", {"X-WC-Webhook-Source": "https://shop.example/two/"}, None),
    ("old.example", "kiosk", {}, "for the shop shop.example; the entry other has old.example"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("domain", "kind", "headers", "said"), OTHERS)
async def test_a_signed_webhook_of_another_shop_says_so(
    domain: str, kind: str, headers: dict[str, str], said: str | None
) -> None:
    """It is told to those who can sign. A stranger learns that the signature is wrong."""
    entry = {"name": "other", "kind": "shopify", "secrets": (SECRET,), "domain": domain}
    delivery = shopify("orders/create", BODY)
    if kind == "kiosk":
        entry["kind"] = "woocommerce"
        delivery = woocommerce("order.created", woo_order())
    page = Page([Shop.model_validate(entry)])
    answer = await page.post("other", (delivery[0], delivery[1] | headers))
    assert answer.status_code == (200 if said is None else 401)
    assert (said or "taken") in answer.text
    assert "marked" not in answer.text
    counted = (await page.ops.get("/metrics")).text
    assert said is None or 'outcome="other-shop",source="other"' in counted
    unsigned = {name: text for name, text in delivery[1].items() if not name.endswith("56")}
    unsigned.pop("X-WC-Webhook-Signature", None)
    stranger = await page.post("other", (delivery[0], unsigned | headers))
    assert (stranger.status_code, stranger.text) == (401, "the signature is not this shop's\n")


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[]", b'{"id": 1}', b"\xff"])
@pytest.mark.parametrize("shop", ["shop", "kiosk", "till"])
@pytest.mark.parametrize("signature", [None, "", "AAAA", "v1,AAAA"])
async def test_who_can_t_sign_leaves_nothing_to_people(
    page: Page, shop: str, body: bytes, signature: str | None
) -> None:
    """However often: no event, and so no task, and no dead letter."""
    topics = {"x-shopify-topic": "orders/create", "x-wc-webhook-topic": "order.created"}
    told = {"webhook-id": "m-1", "webhook-timestamp": str(int(time.time()))}
    signed = ("x-shopify-hmac-sha256", "x-wc-webhook-signature", "webhook-signature")
    signatures = {} if signature is None else dict.fromkeys(signed, signature)
    for _ in range(3):
        answer = await page.post(shop, (body, topics | told | signatures))
        assert answer.status_code in (400, 401)
    assert page.topics.records == []


async def test_a_flood_of_one_body_is_one_task_of_its_own_shop(page: Page) -> None:
    """A shop that can sign fills its own list only; the same again opens nothing more."""
    for _ in range(3):
        assert (await page.post("shop", shopify("orders/create", []))).status_code == 200
    told = [json.loads(each.value or b"") for each in page.topics.records]
    events = [each for each in told if isinstance(each, dict) and "shop_order" in each]
    assert len({each["shop_order"] for each in events}) == 1
    assert {each["source"] for each in events} == {"shop"}


def without(header: str) -> Callable[[dict[str, str]], dict[str, str]]:
    return lambda headers: {name: text for name, text in headers.items() if name != header}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "change", "status"),
    [
        (0, dict, 202),
        (-290, dict, 202),
        (-310, dict, 401),
        (310, dict, 401),
        (0, without("webhook-id"), 401),
        (0, without("webhook-timestamp"), 401),
        (0, without("webhook-signature"), 401),
        (0, lambda told: told | {"webhook-id": "msg_another"}, 401),
        (0, lambda told: told | {"webhook-timestamp": "soon"}, 401),
        (0, lambda told: told | {"webhook-signature": "v1"}, 401),
        (0, lambda told: told | {"webhook-signature": "v1,***"}, 401),
        (0, lambda told: told | {"webhook-signature": "v2,abcd " + told["webhook-signature"]}, 202),
    ],
)
async def test_signatures_of_standard_webhooks(
    page: Page, seconds: int, change: Callable[[dict[str, str]], dict[str, str]], status: int
) -> None:
    """Five minutes either way, and nothing in a header makes it stumble."""
    raw, headers = standard(SPOKEN, datetime.now(UTC) + timedelta(seconds=seconds))
    assert (await page.post("till", (raw, change(headers)))).status_code == status
    assert bool(page.topics.records) == (status == 202)


async def test_the_ping_at_a_webhook_s_creation_is_not_signed(page: Page) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await page.post("kiosk", (b"webhook_id=12", form))).status_code == 200
    assert (await page.post("shop", (b"webhook_id=12", form))).status_code == 401
    assert page.topics.records == []


async def test_a_shop_that_is_not_ours_is_not_there(page: Page) -> None:
    assert (await page.post("other", shopify("orders/create", BODY))).status_code == 404
    assert (await page.client.get("/webhooks/shop")).status_code == 405


# --- what is broken ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "reason", "said"),
    [
        (b'{"id": "\xff"}', b"not-utf-8", "not UTF-8"),
        (b"{", b"not-json", "not JSON"),
        (b"", b"empty", "empty"),
        (b'{"id": NaN}', b"not-json", "not JSON"),
        (b"<!DOCTYPE html><p>Down for maintenance", b"html", "a page of HTML"),
        (b"<br />\n<b>Fatal error</b>:  out of memory in x.php", b"php-error", "a message of PHP"),
        (b'[{"id": 1}]', b"not-an-object", "a list, not an order"),
        (b'"paid"', b"not-an-object", "not an object"),
        (b'{"errors": "Not Found"}', b"error-body", "an error of the shop"),
        (b'{"errors": {"id": ["is odd"]}}', b"error-body", "an error of the shop"),
        (b'{"error": "overloaded"}', b"error-body", "an error of the shop"),
        (
            b'{"code": "woocommerce_rest_cannot_view", "message": "Sorry", "data": {}}',
            b"error-body",
            "woocommerce_rest_cannot_view",
        ),
        (b'{"code": "a b", "message": "marked"}', b"error-body", "an error of the shop (no code)"),
    ],
)
async def test_a_signed_body_that_is_no_order_is_kept_and_named(
    page: Page, body: bytes, reason: bytes, said: str
) -> None:
    """The shop could only repeat it, and would give up after some times."""
    shopify_headers = {
        "X-Shopify-Topic": "orders/create",
        "X-Shopify-Shop-Domain": "shop.myshopify.com",
        "X-Shopify-Hmac-Sha256": signature(body),
    }
    woo = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Signature": signature(body)}
    for shop, headers in (("shop", shopify_headers), ("kiosk", woo)):
        page.topics.records.clear()
        answer = await page.post(shop, (body, headers))
        assert answer.status_code == 200
        assert said in answer.text
        assert "marked" not in answer.text
        letter, event = page.topics.records
        about = dict(letter.headers)
        assert (letter.topic, letter.value, about["reason"]) == ("dead-letters", body, reason)
        assert said in about["error"].decode()
        told = json.loads(event.value or b"")
        assert (told["type"], told["reason"]) == ("ShopOrderUnread", reason.decode())
        assert about["task"].decode() == order_task_id(shop, told["order_id"])


@pytest.mark.parametrize(
    "around",
    [
        (b"\xef\xbb\xbf", b""),
        (b"<br />\n<b>Notice</b>:  Undefined index: {x} in /p.php on line <b>3</b><br />\n", b""),
        (b"PHP Warning:  foreach() argument must be {array} in /p.php on line 3\n", b"\n"),
        (b"\n", b"\n<br />\n<b>Deprecated</b>:  strlen(): null in /p.php<br />\n"),
    ],
    ids=["a byte order mark", "a notice", "a warning in plain text", "a message after it"],
)
async def test_an_order_among_messages_of_php_is_read(
    page: Page, around: tuple[bytes, bytes]
) -> None:
    raw = around[0] + json.dumps(woo_order()).encode() + around[1]
    headers = {"X-WC-Webhook-Topic": "order.updated", "X-WC-Webhook-Signature": signature(raw)}
    answer = await page.post("kiosk", (raw, headers))
    assert (answer.status_code, answer.text) == (200, "taken\n")
    assert [event["order_id"] for event in page.topics.on("shop-events")] == ["727"]


async def test_a_body_of_a_topic_that_is_none_of_ours_is_not_looked_at(page: Page) -> None:
    headers = {"X-WC-Webhook-Topic": "product.updated", "X-WC-Webhook-Signature": signature(b"{")}
    assert (await page.post("kiosk", (b"{", headers))).status_code == 200
    assert page.topics.records == []


async def test_invalid_utf_8_is_no_standard_webhook(page: Page) -> None:
    _, headers = standard(SPOKEN)
    assert (await page.post("till", (b"\xff\xfe", headers))).status_code == 400


async def test_a_body_of_five_megabytes_is_not_read_whole(page: Page) -> None:
    """Neither where the length is told, nor where it is not."""
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(80):
            taken += 65_536
            yield b" " * 65_536

    told = await page.post("shop", (b" " * 5_000_000, {}))
    assert (told.status_code, told.headers["connection"]) == (413, "close")
    untold = await page.post("shop", (body(), {}))
    assert untold.status_code == 413
    lying = await page.post("shop", (body(), {"Content-Length": "10"}))
    assert lying.status_code == 413
    assert page.topics.records == []


async def test_what_follows_the_limit_is_left_unread() -> None:
    """As the server hands over a body piece by piece, so no more of it is asked for."""
    page = Page(webhook_bytes_max=100_000)
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b" " * 65_536, "more_body": asked < 80}

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/webhooks/shop",
        "raw_path": b"/webhooks/shop",
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }
    await page.app(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert asked == 2


@pytest.mark.parametrize(
    ("shop", "delivery"),
    [
        ("shop", shopify("products/update", {"id": 1})),
        ("kiosk", woocommerce("order.updated", woo_order(status="checkout-draft"))),
    ],
    ids=["of a topic we do not know", "of an order that is not placed yet"],
)
async def test_what_is_not_ours_is_acknowledged_and_left(
    page: Page, shop: str, delivery: tuple[bytes, dict[str, str]]
) -> None:
    assert (await page.post(shop, delivery)).status_code == 200
    assert page.topics.records == []
    counted = (await page.ops.get("/metrics")).text
    assert f'source="{shop}"' in counted


async def test_an_order_that_names_no_group_goes_on_without_its_buyer(page: Page) -> None:
    """It may have named one before; the page keeps nothing, so the processor knows."""
    triggered = {"X-Shopify-Triggered-At": "2026-05-04T09:00:05.123Z"}
    delivery = shopify("orders/updated", shopify_order(note_attributes=[]), **triggered)
    assert (await page.post("shop", delivery)).status_code == 200
    (event,) = page.topics.on("shop-events")
    assert (event["type"], event["told_at"]) == ("ShopOrderUnnamed", "2026-05-04T09:00:05.123000Z")
    assert b"ann@x.example" not in (page.topics.records[0].value or b"")
    counted = (await page.ops.get("/metrics")).text
    assert 'outcome="unnamed",source="shop",topic="orders/updated"' in counted
    page.topics.acknowledges = False
    assert (await page.post("shop", delivery)).status_code == 503, "it may be one of ours"


async def test_a_signed_payload_that_can_t_be_read_is_kept_as_it_came(page: Page) -> None:
    raw, headers = shopify("orders/create", shopify_order(id=1, name="#7", currency="EURO"))
    assert (await page.post("shop", (raw, headers))).status_code == 200
    letter, event = page.topics.records
    about = dict(letter.headers)
    assert (letter.topic, letter.value) == ("dead-letters", raw)
    assert about["error"] == b"currency is not an ISO 4217 code"
    assert about["topic"] == b"webhooks/shop"
    assert about["reason"] == b"unreadable"
    assert about["task"].decode() == order_task_id("shop", "1")
    told = json.loads(event.value or b"")
    assert (told["type"], told["shop_order"], told["number"]) == ("ShopOrderUnread", "shop:1", "#7")


async def test_a_mistyped_group_goes_on_and_to_people(page: Page) -> None:
    """The event goes on as it is; the dead letter is the same event, to be mended and replayed."""
    body = shopify_order(note_attributes=[{"name": "group_id", "value": MISTYPED}])
    ids = {"X-Shopify-Webhook-Id": "w-1"}
    assert (await page.post("shop", shopify("orders/create", body, **ids))).status_code == 200
    event, letter = page.topics.records
    assert (event.topic, letter.topic) == ("shop-events", "dead-letters")
    assert dict(letter.headers)["topic"] == b"shop-events"
    assert letter.key == event.key
    assert dict(letter.headers)["reason"] == b"mistyped-group"
    value = json.loads(letter.value or b"")
    assert value["lines"][0]["mistyped"] == MISTYPED
    assert value["deliveries"] == []


async def test_a_mistyped_group_of_a_standard_webhook_goes_to_people(page: Page) -> None:
    answer = await page.post("till", standard(SPOKEN | {"group_id": MISTYPED}))
    assert answer.status_code == 202
    letter, event = page.topics.records
    about = dict(letter.headers)
    assert (letter.topic, about["topic"]) == ("dead-letters", b"orders")
    assert about["task"].decode() == order_task_id("till", "A-17")
    told = json.loads(event.value or b"")
    assert (told["type"], told["reason"]) == ("ShopOrderUnread", "mistyped-group")


async def test_what_is_wrong_in_our_language_is_said(page: Page) -> None:
    answer = await page.post("till", standard(SPOKEN | {"quantity": "many"}))
    assert answer.status_code == 422
    assert "quantity" in answer.text
    assert "many" not in answer.text


# --- Kafka does not take it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shop", "delivery"),
    [
        ("shop", shopify("orders/create", BODY)),
        ("kiosk", woocommerce("order.created", woo_order())),
        ("shop", shopify("orders/create", shopify_order(currency="EURO"))),
    ],
)
async def test_what_kafka_has_not_is_not_acknowledged(
    page: Page, shop: str, delivery: tuple[bytes, dict[str, str]]
) -> None:
    page.topics.acknowledges = False
    answer = await page.post(shop, delivery)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    page.topics.acknowledges = True
    assert (await page.post(shop, delivery)).status_code == 200


async def test_more_webhooks_at_once_than_there_is_room_for() -> None:
    page = Page(webhooks_at_once=1)
    page.topics.gate = asyncio.Event()
    first = asyncio.create_task(page.post("shop", shopify("orders/create", BODY)))
    await asyncio.wait_for(page.topics.begun.wait(), 5)
    assert (await page.post("shop", shopify("orders/create", BODY))).status_code == 503
    page.topics.gate.set()
    assert (await first).status_code == 200


async def test_a_body_on_its_way_takes_no_place() -> None:
    page = Page(webhooks_at_once=1)
    raw, headers = shopify("orders/create", BODY)
    asked, rest = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield raw[:10]
        asked.set()
        await rest.wait()
        yield raw[10:]

    slow = asyncio.create_task(page.post("shop", (slowly(), headers)))
    await asyncio.wait_for(asked.wait(), 5)
    assert (await page.post("shop", shopify("orders/create", BODY))).status_code == 200
    rest.set()
    assert (await slow).status_code == 200


async def test_no_broker_means_not_ready_but_alive(page: Page) -> None:
    assert (await page.ops.get("/livez")).status_code == 200
    assert (await page.ops.get("/readyz")).status_code == 503
    assert (await page.ops.get("/status")).json()["publisher"]["connected"] is False


# --- what is not said ----------------------------------------------------------------------------


async def test_neither_secrets_nor_addresses_are_logged_or_shown(page: Page) -> None:
    body = shopify_order(email="marked@private.example", currency="marked@private.example")
    mistyped = shopify_order(
        email="marked@private.example",
        note_attributes=[{"name": "group_id", "value": "marked@private.example"}],
    )
    with structlog.testing.capture_logs() as logs:
        answers = [
            await page.post("shop", shopify("orders/create", body)),
            await page.post("shop", shopify("orders/create", mistyped)),
            await page.post("shop", shopify("orders/create", BODY, "marked-secret-of-others")),
            await page.post("till", standard(SPOKEN | {"quantity": "marked@private.example"})),
            await page.ops.get("/metrics"),
            await page.ops.get("/status"),
        ]
    said = repr(logs) + "".join(answer.text for answer in answers)
    assert len(logs) >= 3
    for marked in ("private.example", SECRET, OLD_SECRET, STANDARD_SECRET, "marked"):
        assert marked not in said


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shops", "problem"),
    [
        ("{", "not JSON"),
        ('[{"name": "a", "kind": "shopify"}]', "secrets"),
        ('[{"name": "a", "kind": "shopify", "secrets": ["short"]}]', "at least 8"),
        ('[{"name": "A/b", "kind": "shopify", "secrets": ["long-enough"]}]', "name"),
        ('[{"name": "storefront", "kind": "shopify", "secrets": ["long-enough"]}]', "are our own"),
        ('[{"name": "admin.2", "kind": "standard", "secrets": ["whsec_MfKQ9r8G"]}]', "are our own"),
        ('[{"name": "a", "kind": "magento", "secrets": ["long-enough"]}]', "kind"),
        ('[{"name": "a", "kind": "standard", "secrets": ["whsec_\\u00e9\\u00e9"]}]', "Standard"),
        ('[{"name": "a", "kind": "outbox"}]', "topic"),
        (
            '[{"name": "a", "kind": "woocommerce", "secrets": ["long-enough"],'
            ' "rest": {"url": "http://shop.example", "key": "ck", "secret": "cs"}}]',
            "https",
        ),
        (
            '[{"name": "a", "kind": "shopify", "secrets": ["long-enough"]},'
            ' {"name": "a", "kind": "woocommerce", "secrets": ["long-enough"]}]',
            "two shops",
        ),
    ],
)
def test_shops_that_can_t_be_read(shops: str, problem: str) -> None:
    with pytest.raises(ShopsError, match=problem) as raised:
        read_shops(BridgeSettings.model_validate({"shops": shops}))
    assert "long-enough" not in str(raised.value)


def test_shops_come_from_the_environment_or_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shops.json"
    path.write_text('[{"name": "b", "kind": "standard", "secrets": ["whsec_MfKQ9r8GKYqrTwjU"]}]')
    told = {"shops": '[{"name": "a", "kind": "shopify", "secrets": ["long-enough"]}]'}
    shops = read_shops(BridgeSettings.model_validate(told))
    assert [(shop.name, shop.kind) for shop in shops] == [("a", "shopify")]
    assert "long-enough" not in repr(shops)
    monkeypatch.setenv("SHOPS_FILE", str(path))
    assert [shop.name for shop in read_shops(read_settings(BridgeSettings))] == ["b"]
