"""From a shop's webhook to the purchaser's row, on a real broker, whatever is killed on the way."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from runtime.clients import admin
from runtime.metadata import counts_of
from runtime.ports import free_port
from runtime.records import OutputRecord, milliseconds
from schemas.groups import Definition, GroupPurchase, GroupPurchaseRequested
from schemas.ops import order_task_id
from schemas.parts import FavorTerms, Product
from stack.brokers import RunningBroker
from tests.raw_batches import Raw, batch
from tests.system import plain_http
from tests.system.broken_logs import produce
from tests.system.stack import Stack, Worker, stack_on, until
from tests.webhook_payloads import (
    GROUP,
    MISTYPED,
    OTHER_GROUP,
    SECRET,
    STANDARD_SECRET,
    Json,
    recorded,
    shopify,
    shopify_line,
    shopify_order,
    shopify_refund,
    standard,
    under_group,
    woo_line,
    woo_order,
    woo_under_group,
    woocommerce,
)

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
WEBHOOKS = "services.shop_bridge.webhooks"
DOMAIN = "shop.myshopify.com"


def shops(outbox_topic: str = "") -> str:
    told: list[Json] = [
        {"name": "shop", "kind": "shopify", "secrets": [SECRET], "domain": DOMAIN},
        {"name": "kiosk", "kind": "woocommerce", "secrets": [SECRET]},
        {"name": "till", "kind": "standard", "secrets": [STANDARD_SECRET]},
    ]
    if outbox_topic:
        told.append({"name": "erp", "kind": "outbox", "topic": outbox_topic})
    return json.dumps(told)


def group(group_id: str, currency: str, product_id: str | None = None) -> GroupPurchase:
    """Open since the recorded payloads were made."""
    return GroupPurchase(
        group_id=group_id,
        request_id=f"r-{group_id}",
        version=1,
        requested_at=NOW,
        issued_at=NOW,
        product=Product(id=product_id, name="Sencha"),
        number_of_products=1_000,
        unit_price=2_400,
        currency=currency,
        opens_at=datetime(2015, 1, 1, tzinfo=UTC),
        closes_at=NOW + timedelta(days=9),
    )


def post(page: Worker, shop: str, delivery: tuple[bytes, dict[str, str]]) -> int:
    raw, headers = delivery
    address = f"http://127.0.0.1:{page.port}/webhooks/{shop}"
    return plain_http.post(address, content=raw, headers=headers, timeout=30).status_code


@pytest.fixture
def stack(kafka: RunningBroker, tmp_path: Path) -> Iterator[Stack]:
    with stack_on(kafka, tmp_path, clock="wall", SHOPS=shops()) as made:
        yield made


def test_recorded_webhooks_become_purchasers_rows_once(stack: Stack, data: Path) -> None:
    """Every recorded payload, signed anew; then all again, after both processes were killed."""
    worker, page, _ = stack.start("shop_bridge", WEBHOOKS, "order_service")
    stack.feed("group-purchases", (group(GROUP, "USD"), None), (group(OTHER_GROUP, "USD"), None))
    story = [
        ("shop", shopify(topic, under_group(body)))
        for name in ("orders.create", "orders.paid", "orders.edited", "refunds.create")
        for topic, body in [recorded(data, f"shopify/{name}.json")]
    ]
    story += [
        ("kiosk", woocommerce(topic, woo_under_group(body, OTHER_GROUP)))
        for name in ("order-processing-0", "order-processing-1", "order-completed-3")
        for topic, body in [recorded(data, f"woocommerce/{name}.json")]
    ]
    buyer, guest = f"{GROUP}/member/115310627314723950", f"{OTHER_GROUP}/member/guest-727"
    for shop, delivery in story[:2]:
        assert post(page, shop, delivery) == 200
    stack.wait_for("purchases", buyer, quantity=2, value=39_800, currency="USD", orders=1)
    for shop, delivery in story[2:]:
        assert post(page, shop, delivery) == 200
    stack.wait_for("purchases", buyer, quantity=0, value=0)
    row = stack.wait_for("purchases", guest, quantity=3, value=1_800)
    assert row["first_ordered_at"] == "2017-03-22T19:28:02Z"
    stack.wait_idle()
    before = stack.latest("purchases")

    for process in (worker, page):
        process.kill()
        process.start()
        until(f"{process.module} is back", process.ready)
    for shop, delivery in story:
        assert post(page, shop, delivery) == 200
    stack.wait_idle()
    assert stack.latest("purchases") == before
    kinds = [(seen.value["type"], seen.value.get("return_id")) for seen in stack.read("orders")]
    assert sorted(kinds, key=str) == [
        ("OrderPaid", None),
        ("OrderPaid", None),
        ("OrderPlaced", None),
        ("OrderReturned", "890088186047892400"),
    ]
    for name in ("orders.updated", "orders.cancelled"):
        topic, body = recorded(data, f"shopify/{name}.json")
        assert post(page, "shop", shopify(topic, under_group(body))) == 200
    stack.wait_idle()
    last = stack.read("orders")[-1].value
    cancelled = [s.value for s in stack.read("orders") if s.value["type"] == "OrderCancelled"]
    assert [each["order_id"] for each in cancelled] == ["820982911946154500"], last


def test_edits_refunds_and_cancellations_reach_the_row(stack: Stack) -> None:
    """Out of order as they may come: the refund before its order, the payment before the order."""
    _, page, _ = stack.start("shop_bridge", WEBHOOKS, "order_service")
    stack.feed("group-purchases", (group(GROUP, "EUR"), None))
    member = f"{GROUP}/member/115310627314723954"

    def minutes(count: int) -> str:
        return (NOW + timedelta(minutes=count)).isoformat()

    def send(topic: str, **fields: Any) -> None:
        assert post(page, "shop", shopify(topic, shopify_order(**fields))) == 200

    assert post(page, "shop", shopify("refunds/create", shopify_refund(77, (1, 1)))) == 200
    paid = {"financial_status": "paid", "created_at": NOW.isoformat()}
    send("orders/paid", updated_at=minutes(1), **paid)
    stack.wait_for("purchases", member, quantity=1, value=2_400, orders=1)
    send("orders/create", updated_at=minutes(0), created_at=NOW.isoformat())
    raised = [shopify_line(quantity=4, current_quantity=3)]
    send("orders/updated", updated_at=minutes(2), line_items=raised, **paid)
    stack.wait_for("purchases", member, quantity=3, value=7_200, orders=2)
    # What named the group is gone; and an order of no group leaves no trace.
    fewer = [shopify_line(quantity=4, current_quantity=2)]
    send("orders/updated", updated_at=minutes(3), line_items=fewer, note_attributes=[], **paid)
    send("orders/updated", id=5, updated_at=minutes(3), note_attributes=[], **paid)
    stack.wait_for("purchases", member, quantity=2, value=4_800)
    send("orders/cancelled", updated_at=minutes(3), cancelled_at=minutes(3), **paid)
    stack.wait_for("purchases", member, quantity=0, value=0, orders=0)
    stack.wait_idle()
    refused = [key for key in stack.latest("purchases") if "/refused/" in key]
    assert refused == []
    assert not stack.read("dead-letters")
    _odd_payloads_count_once(stack, page)


def _odd_payloads_count_once(stack: Stack, page: Worker) -> None:
    """In the same stack: a foreign line's quirk, a cart, a sub-order, an error, and who is told."""
    stack.feed("group-purchases", (group(OTHER_GROUP, "EUR", "tea-100"), None))
    named = {"id": 1, "key": "group_id", "value": OTHER_GROUP}
    times = {f"date_{each}_gmt": NOW.isoformat()[:19] for each in ("created", "modified", "paid")}
    tea = woo_line(1, 2, product_id=12, sku="TEA-100")
    order = woo_order(status="processing", meta_data=[named], number="N-727", **times)
    order["line_items"] = [tea, woo_line(2, 0.5, product_id=13), woo_line(3, 5, product_id=14)]  # type: ignore[arg-type]
    lines = f"{OTHER_GROUP}/member/42"

    def send(body: Json, topic: str = "order.updated") -> None:
        assert post(page, "kiosk", woocommerce(topic, body)) == 200

    # Half a unit of another product is named by the order alone, so it may be the group's.
    send(order)
    stack.wait_for("purchases", lines, quantity=2, value=4_800, orders=1)
    task_id = order_task_id("kiosk", "727")
    task = stack.wait_for("tasks", task_id, reason="not-counted")
    assert (task["shop_id"], task["about"], task["kind"]) == ("kiosk", "N-727", "order")
    (letter,) = stack.read("dead-letters")
    assert (letter.headers["task"], letter.headers["reason"]) == (task_id, "not-counted")

    later = {"date_modified_gmt": (NOW + timedelta(minutes=1)).isoformat()[:19]}
    own = woo_line(1, 2, product_id=12, meta_data=[named])
    send(order | later | {"meta_data": [], "line_items": [own, woo_line(2, 0.5)]})  # type: ignore[arg-type]
    until("the task is done", lambda: stack.latest("tasks")[task_id].get("done_at"))
    send(order | {"id": 801, "parent_id": 727, "line_items": [woo_line(80, 2, product_id=12)]})
    send(order | {"id": 728, "meta_data": [named, {"key": "_subscription_renewal", "value": 3}]})
    error = {"code": "woocommerce_rest_cannot_view", "message": "Sorry", "data": {"status": 401}}
    send(error)
    letter = until("its dead letter", lambda: stack.read("dead-letters")[1:])[0]
    assert "woocommerce_rest_cannot_view" in letter.headers["error"]
    stack.wait_for("tasks", letter.headers["task"], reason="error-body")
    raw, headers = shopify("orders/paid", shopify_order())
    elsewhere = headers | {"X-Shopify-Shop-Domain": "other.myshopify.com"}
    assert post(page, "shop", (raw, elsewhere)) == 401
    stack.wait_idle()
    row = stack.latest("purchases")[lines]
    assert (row["quantity"], row["orders"]) == (2, 1)


def test_one_shop_s_webhooks_change_nothing_in_another_shop_s_group(stack: Stack) -> None:
    """Signed by ``till``, about the group under a definition of ``shop``, in names that it has."""
    _, page, *_ = stack.start("shop_bridge", WEBHOOKS, "order_service", "request_service")
    definition = Definition(
        definition_id="d",
        shop_id="shop",
        product=Product(name="Sencha"),
        unit_price=2_400,
        currency="EUR",
        favor=FavorTerms(),
        published_at=NOW - timedelta(days=1),
    )
    asked = GroupPurchaseRequested(
        request_id="r",
        requested_at=NOW - timedelta(hours=1),
        definition_id="d",
        number_of_products=10,
    )
    stack.feed("definitions", (definition, None))
    stack.feed("group-purchase-requests", (asked, None))
    group_id = stack.wait_for("request-outcomes", "r", type="IdIssued")["group_id"]
    opened = stack.wait_for("purchases", f"{group_id}/definition")
    assert opened["sources"] == ["shop", "storefront", "admin"]

    named = [{"name": "group_id", "value": group_id}]
    made = {"created_at": NOW.isoformat(), "updated_at": NOW.isoformat()}
    order = shopify_order(note_attributes=named, financial_status="paid", **made)
    member_id, order_id = str(order["customer"]["id"]), str(order["id"])
    assert post(page, "shop", shopify("orders/paid", order)) == 200
    row = stack.wait_for("purchases", f"{group_id}/member/{member_id}", quantity=2)

    theirs = {
        "group_id": group_id,
        "member_id": member_id,
        "order_id": order_id,
        "quantity": 2,
    }
    paid = {"type": "OrderPaid", "ordered_at": NOW.isoformat()} | theirs
    back = {"type": "OrderReturned", "return_id": "r-1", "returned_at": NOW.isoformat()} | theirs
    latest = {**back, "return_id": "r-2"}
    del latest["order_id"]
    void = {"type": "OrderCancelled", "cancelled_at": NOW.isoformat()} | theirs
    for told in (void, back, latest, paid, paid):
        assert post(page, "till", standard(told)) == 202
    assert post(page, "till", standard(paid | {"source": "shop"})) == 422
    for refused in (order_id, "r-1", "r-2"):
        key = f"{group_id}/refused/till/{refused}"
        assert stack.wait_for("purchases", key)["reason"] == "not-this-shop"
    stack.wait_idle()
    assert stack.latest("purchases")[f"{group_id}/member/{member_id}"] == row
    assert stack.latest("purchases")[group_id]["quantity"] == 2

    # The shop's own refund of one of them still takes it.
    refund = shopify_refund(77, (1, 1))
    assert post(page, "shop", shopify("refunds/create", refund)) == 200
    stack.wait_for("purchases", f"{group_id}/member/{member_id}", quantity=1)


def test_a_mistyped_id_is_mended_by_ops(stack: Stack, tmp_path: Path) -> None:
    """It is a dead letter; mended and replayed, its order counts, and later webhooks keep it."""
    _, page, _ = stack.start("shop_bridge", WEBHOOKS, "order_service")
    stack.feed("group-purchases", (group(GROUP, "EUR"), None))
    named = [{"name": "group_id", "value": MISTYPED}]
    order = shopify_order(
        note_attributes=named, created_at=NOW.isoformat(), updated_at=NOW.isoformat()
    )
    assert post(page, "shop", shopify("orders/create", order)) == 200
    (letter,) = until("a dead letter", lambda: stack.read("dead-letters"))
    assert letter.headers["error"].startswith("it names a group by an invalid id")
    task = stack.wait_for("tasks", letter.headers["task"], reason="mistyped-group")
    assert task["problem"].startswith("The order has an invalid group id")
    mended = letter.value
    mended["lines"][0]["group_id"] = GROUP
    path = tmp_path / "mended.json"
    path.write_text(json.dumps(mended))
    replay = ["dead-letters", "replay", "--task", task["task_id"], "--value", str(path), "--yes"]
    subprocess.run(
        [sys.executable, "-m", "terminal", *replay],
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": stack.settings.kafka_bootstrap_servers,
            "TOPIC_PREFIX": stack.settings.topic_prefix,
        },
        check=True,
        timeout=60,
    )
    later = order | {
        "financial_status": "paid",
        "updated_at": (NOW + timedelta(minutes=1)).isoformat(),
    }
    until("the mended order", lambda: stack.read("orders"))
    task_id = letter.headers["task"]
    until("the task is done", lambda: stack.latest("tasks")[task_id].get("done_at"))
    assert post(page, "shop", shopify("orders/paid", later)) == 200
    stack.wait_for("purchases", f"{GROUP}/member/115310627314723954", quantity=2, value=4_800)


def test_an_outbox_is_followed_and_each_event_counts_once(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Repeated by the header's id or under another, garbled, and after a restart."""
    topic = f"outbox.event.{NOW.timestamp():.0f}"
    with stack_on(kafka, tmp_path, clock="wall", SHOPS=shops(topic)) as stack:
        asyncio.run(_make(stack, topic))
        stack.feed("group-purchases", (group(GROUP, "EUR"), None))

        def event(event_id: str, order_id: str, **fields: Any) -> OutputRecord:
            body = {
                "type": "OrderPaid",
                "order_id": order_id,
                "group_id": GROUP,
                "member_id": "ann",
                "quantity": 2,
                "ordered_at": NOW.isoformat(),
            }
            value = json.dumps(json.dumps(body | fields)).encode()
            headers = [("id", event_id.encode())]
            return OutputRecord(topic, 0, order_id.encode(), value, 0, headers)

        _feed_as_it_is(
            stack,
            event("e-1", "A"),
            event("e-1", "A"),
            event("e-2", "A"),
            event("e-3", "B", quantity="x"),
            event("e-4", "C"),
            OutputRecord(topic, 0, b"D", None, 0, []),
        )
        # A header name that is not UTF-8, before a good event: aiokafka would stop there for ever.
        strange = Raw(b"S", event("e-6", "S").value, [(b"\xff", b"1")])
        produce(stack, topic, 0, batch([strange], at_ms=milliseconds(NOW)))
        _feed_as_it_is(stack, event("e-7", "C"))
        page = stack.start(WEBHOOKS, "order_service")[0]
        member = f"{GROUP}/member/ann"
        stack.wait_for("purchases", member, quantity=4, value=9_600, orders=2)
        page.kill()
        page.start()
        _feed_as_it_is(stack, event("e-1", "A"), event("e-5", "E"))
        row = stack.wait_for("purchases", member, orders=3)
        assert row["quantity"] == 6
        garbled, unreadable = sorted(
            (each.headers for each in stack.read("dead-letters")), key=lambda said: said["offset"]
        )
        assert (garbled["service"], garbled["offset"]) == ("shop_bridge", "3")
        assert garbled["error"].startswith("OrderPaid.quantity")
        assert (unreadable["service"], unreadable["offset"]) == ("shop_bridge", "6")
        assert unreadable["unreadable"] == "header-name"
        assert unreadable["reason"] == "unreadable"
        assert garbled["task"] != unreadable["task"]
        shop_events = [seen.value for seen in stack.read("shop-events")]
        assert [each["source"] for each in shop_events] == ["erp", "erp"], "people are told of both"


async def _make(stack: Stack, topic: str) -> None:
    client = admin(stack.settings)
    await client.start()
    try:
        await client.create_topics([NewTopic(topic, 1, 1)])
        # The answer may come before others are told of it.
        async with asyncio.timeout(60):
            while not await counts_of(client._client, [topic]):
                continue
    finally:
        await client.close()


def _feed_as_it_is(stack: Stack, *records: OutputRecord) -> None:
    """To a topic that has no prefix, as it is not ours."""
    prefix = stack.settings.topic_prefix
    stack.settings = stack.settings.model_copy(update={"topic_prefix": ""})
    try:
        stack.feed_raw(record._replace(timestamp=int(NOW.timestamp() * 1000)) for record in records)
    finally:
        stack.settings = stack.settings.model_copy(update={"topic_prefix": prefix})


def test_without_a_broker_nothing_is_acknowledged(stack: Stack) -> None:
    """And once there is one, the same delivery is taken."""
    page = stack.worker(WEBHOOKS, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}")
    until("the page", lambda: page.page("livez"))
    assert page.page("readyz") is None
    delivery = standard(
        {
            "type": "OrderPaid",
            "order_id": "A",
            "group_id": GROUP,
            "member_id": "ann",
            "quantity": 1,
            "ordered_at": NOW.isoformat(),
        }
    )
    assert post(page, "till", delivery) == 503
    assert stack.read("orders") == []
    told = page.page("status")
    assert told is not None
    assert told.json()["publisher"]["failed"] == 1
    assert told.json()["publisher"]["last_failure"]["error"] == "NotAcknowledgedError"
    page.stop()
    page.env["KAFKA_BOOTSTRAP_SERVERS"] = stack.settings.kafka_bootstrap_servers
    page.start()
    until("the page is ready", page.ready)
    assert post(page, "till", delivery) == 202
    assert len(stack.read("orders")) == 1
    told = page.page("status")
    assert told is not None
    assert told.json()["publisher"]["acknowledged"] == 1


def test_five_megabytes_over_a_socket_and_a_log_without_addresses(stack: Stack) -> None:
    """The answer comes while most of the body is still to be sent; the page goes on."""
    (page,) = stack.start(WEBHOOKS)
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as connection:
        connection.sendall(
            b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n"
            + b" " * 999
        )
        answer = b"".join(iter(lambda: connection.recv(1_000), b""))
    assert answer.startswith(b"HTTP/1.1 413")
    wrong = shopify(
        "orders/create", shopify_order(email="marked@private.example"), "of another app"
    )
    assert post(page, "shop", wrong) == 401
    typo = shopify_order(note_attributes=[{"name": "group_id", "value": "marked@private.example"}])
    assert post(page, "shop", shopify("orders/create", typo)) == 200
    log = page.log.read_text()
    assert "by an invalid id" in log
    for marked in ("private.example", SECRET, STANDARD_SECRET, "ann@x.example"):
        assert marked not in log
