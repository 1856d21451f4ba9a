"""The terminal against a broker: why things are as they are, and what ops do."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from domain.ids import derive
from runtime.clients import consumer
from runtime.records import OutputRecord, Partitioner, encode, milliseconds
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase, GroupPurchaseRequested, IdIssued, RequestRefused
from schemas.orders import (
    ORDERS,
    OrderPaid,
    OrderRefused,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import FavorTerms, Member, Period, Problem, Product, Tier
from stack.brokers import RunningBroker
from tests.system.stack import Stack, open_transaction, stack_on, until
from tests.system.terminal import Said, facts_sent, jointbuy, pointed_at

pytestmark = pytest.mark.system

T = datetime(2026, 5, 4, 9, tzinfo=UTC)
CLOSE = T + timedelta(days=1)
GROUP = derive("office-tea")
PARTITION = Partitioner(4)(GROUP)


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


def order(member: str, quantity: int, minutes: int) -> OrderPaid:
    return OrderPaid(
        order_id=f"order-of-{member}",
        source="shop",
        group_id=GROUP,
        member_id=member,
        quantity=quantity,
        ordered_at=T + timedelta(minutes=minutes),
    )


def row(member: str, quantity: int, minutes: int) -> PurchaseRow:
    at = T + timedelta(minutes=minutes)
    return PurchaseRow(
        group_id=GROUP,
        request_id="office-tea",
        member_id=member,
        version=1,
        quantity=quantity,
        value=quantity * 2_400,
        currency="EUR",
        period=Period(opens_at=T, closes_at=CLOSE),
        first_ordered_at=at,
        last_ordered_at=at,
        orders=1,
    )


def state(version: int, status: Any, quantity: int, members: int, **more: Any) -> PurchaseState:
    return PurchaseState(
        group_id=GROUP,
        request_id="office-tea",
        version=version,
        status=status,
        quantity=quantity,
        value=quantity * 2_400,
        currency="EUR",
        members=members,
        **more,
    )


TERMS: dict[str, Any] = {
    "group_id": GROUP,
    "request_id": "office-tea",
    "version": 1,
    "requested_at": T,
    "issued_at": T,
    "product": Product(name="Sencha, 1 kg"),
    "number_of_products": 5,
    "unit_price": 2_400,
    "currency": "EUR",
    "opens_at": T,
    "closes_at": CLOSE,
    "members": (Member(id="ann"), Member(id="bob"), Member(id="cy")),
    "favor": FavorTerms(tiers=(Tier(from_quantity=2, percent_off=10),)),
}
DEADLINE = CLOSE + timedelta(seconds=60)


def opened(stack: Stack) -> None:
    """A group of three, of whom two ordered; a third order was refused."""
    asked = GroupPurchaseRequested(
        request_id="office-tea",
        requested_at=T,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=5,
    )
    stack.feed("group-purchase-requests", (asked, milliseconds(T)))
    issued = IdIssued(request_id="office-tea", group_id=GROUP, issued_at=T)
    facts_sent(stack, "request-outcomes", (issued, T, "id-answers/0/0", "issue"))
    facts_sent(stack, "group-purchases", (GroupPurchase(**TERMS), T, "id-answers/0/0", "issue"))
    stack.feed(
        "orders",
        (order("ann", 2, 1), milliseconds(T + timedelta(minutes=1))),
        (order("bob", 1, 2), milliseconds(T + timedelta(minutes=2))),
    )
    place = f"orders/{PARTITION}"
    late = OrderRefused(
        group_id=GROUP,
        order_id="o-zed",
        source="shop",
        member_id="zed",
        quantity=1,
        reason="not-a-member",
    )
    facts_sent(
        stack,
        "purchases",
        (PurchaseOpened(**TERMS), T, f"group-purchases/{PARTITION}/0", "open_group"),
        (state(1, "open", 0, 0), T, f"group-purchases/{PARTITION}/0", "open_group"),
        (row("ann", 2, 1), T + timedelta(minutes=1), f"{place}/0", "pay_order"),
        (row("bob", 1, 2), T + timedelta(minutes=2), f"{place}/1", "pay_order"),
        (state(3, "open", 3, 2), T + timedelta(minutes=2), f"{place}/1", "pay_order"),
        (late, T + timedelta(minutes=3), f"{place}/77", "pay_order"),
    )


def closed(stack: Stack) -> None:
    """Its deadline passes with three of five, and the tier reached is given."""
    over = state(4, "elapsed", 3, 2, closed_at=DEADLINE)
    facts_sent(stack, "purchases", (over, DEADLINE, "clock/due/close", "close_at_deadline"))
    decision = FavorDecision(
        group_id=GROUP,
        request_id="office-tea",
        version=1,
        tier=Tier(from_quantity=2, percent_off=10),
        total=720,
        currency="EUR",
        members=2,
    )
    favor = Favor(
        group_id=GROUP,
        request_id="office-tea",
        member_id="ann",
        version=1,
        basis="elapsed",
        percent=10,
        amount=480,
        currency="EUR",
    )
    facts_sent(
        stack,
        "favors",
        (favor, DEADLINE, "chunk/decide", "decide"),
        (decision, DEADLINE, "chunk/decide", "decide"),
    )


# --- why -----------------------------------------------------------------------------------------


def test_why_says_which_inputs_and_rules_made_it(stack: Stack) -> None:
    opened(stack)
    said = jointbuy("why", GROUP).out
    assert said.startswith(
        f"open: 3 of 5 ordered by 2 members, deadline {DEADLINE:%Y-%m-%d} 09:00:00Z and 60 s"
    )
    closed(stack)
    for reference in (GROUP, "office-tea"):
        said = jointbuy("why", reference, "--json").json
        assert said["summary"].endswith(
            "elapsed: 3 of 5 ordered after the deadline 2026-05-05 09:00:00Z and 60 s for late"
            " orders (close_at_deadline); tier from 2: 10 % off, decided by favor_service from"
            f" purchases/{PARTITION}/6"
        )
        assert (said["group_id"], said["request_id"]) == (GROUP, "office-tea")
    at = [fact["at"] for fact in said["facts"]]
    assert at == sorted(at)
    by_key = {fact["key"]: fact for fact in said["facts"] if fact["topic"] == "purchases"}
    ann = by_key[f"{GROUP}/member/ann"]
    assert ann["rule"] == "pay_order"
    assert ann["cause"] == {"topic": "orders", "partition": PARTITION, "offset": 0}
    assert ann["input"] == json.loads(encode(order("ann", 2, 1)))
    # The refused order is nowhere in the topic any more.
    assert by_key[f"{GROUP}/refused/shop/o-zed"]["input"] is None


def test_why_of_one_member_and_of_the_latest_only(stack: Stack) -> None:
    opened(stack)
    closed(stack)
    of_ann = jointbuy("why", GROUP, "--member", "ann", "--json").json
    assert {fact["key"] for fact in of_ann["facts"]} == {f"{GROUP}/member/ann"}
    said = jointbuy("why", GROUP, "--limit", "1").out
    assert "refused o-zed" not in said
    assert "earlier facts about orders are left out" in said
    assert "elapsed: 3 by 2 members, 72.00 EUR" in said


def test_why_of_a_refused_and_of_an_unknown_request(stack: Stack) -> None:
    refused = RequestRefused(
        request_id="office-tea",
        problems=(Problem(field="number_of_products", problem="is 0: give at least 1"),),
    )
    facts_sent(stack, "request-outcomes", (refused, T, "group-purchase-requests/0/0", "take"))
    said = jointbuy("why", "office-tea")
    assert said.out.startswith(
        "not known: the request was refused because number_of_products: is 0: give at least 1\n"
    )
    said = jointbuy("why", GROUP)
    assert (said.exit_code, said.out) == (1, "")
    assert said.err.startswith(f"jointbuy: not known: no topic has {GROUP}")


# --- ops -----------------------------------------------------------------------------------------


def test_export_of_a_compacted_topic_is_the_latest_of_each_key(stack: Stack) -> None:
    opened(stack)
    gone = OutputRecord("purchases", PARTITION, f"{GROUP}/member/bob".encode(), None, 1, [])
    stack.feed_raw([gone])
    lines = jointbuy("export", "purchases").lines
    assert [line["key"].removeprefix(GROUP) for line in lines] == [
        "/definition",
        "/member/ann",
        "",
        "/refused/shop/o-zed",
    ]
    summary = lines[2]
    assert (summary["partition"], summary["offset"]) == (PARTITION, 4)
    assert summary["timestamp"] == milliseconds(T + timedelta(minutes=2))
    assert summary["headers"]["ce_rule"] == "pay_order"
    assert summary["value"]["version"] == 3


def test_export_of_any_other_topic_is_every_record(stack: Stack) -> None:
    raw: list[tuple[int, bytes | None, bytes]] = [
        (3, b"k", b"text"),
        (1, None, b"\xff"),
        (1, b"k", b'{"a":\n1}'),
    ]
    stack.feed_raw(OutputRecord("orders", p, key, value, 5, []) for p, key, value in raw)
    lines = jointbuy("export", "orders").lines
    assert [(line["partition"], line["offset"], line["key"], line["value"]) for line in lines] == [
        (1, 0, None, {"base64": "/w=="}),
        (1, 1, "k", {"a": 1}),
        (3, 0, "k", "text"),
    ]
    said = jointbuy("export", "order")
    assert said.exit_code == 2
    assert "there is no topic order: use one of people, shops, images, definitions, " in said.err


def test_an_open_transaction_is_not_waited_for(
    kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stack_on(kafka, tmp_path) as stack, open_transaction(stack) as upstream:
        pointed_at(stack, monkeypatch)
        stack.feed("orders", (order("ann", 1, 1), milliseconds(T)))
        upstream.begin(T, {"orders": order("bob", 1, 1)})
        stack.feed("orders", (order("cy", 1, 1), milliseconds(T)))

        def members() -> list[str]:
            return [line["value"]["member_id"] for line in jointbuy("export", "orders").lines]

        assert members() == ["ann"]
        upstream.end("aborted")
        # The broker answers before it has written the abort.
        until("the abort", lambda: members() == ["ann", "cy"])


def test_lag_counts_what_a_group_has_not_committed(stack: Stack) -> None:
    assert jointbuy("lag", "--json").json == []
    (worker,) = stack.start("order_service")
    stack.feed("orders", (order("ann", 1, 1), milliseconds(T)))
    stack.wait_idle()
    until("no lag", lambda: {each["lag"] for each in jointbuy("lag", "--json").json} == {0})
    worker.stop()
    more = [(order(name, 1, 1), milliseconds(T) + at) for name, at in (("bob", 1_500), ("cy", 0))]
    stack.feed("orders", *more)
    lags = {each["topic"]: each for each in jointbuy("lag", "--json").json}
    # The first one that is not read tells the age, even if a later one has an earlier timestamp.
    assert lags["orders"].pop("oldest_unread_seconds") > 0
    assert lags["orders"] == {
        "group": "order_service-purchases",
        "topic": "orders",
        "partitions": 4,
        "end": 3,
        "committed": 1,
        "lag": 2,
        "lag_max": 2,
        "oldest_unread_at": "2026-05-04T09:00:01.500000+00:00",
    }


def test_the_oldest_unread_record_is_the_next_one_that_can_be_read(
    kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind the committed offset is an aborted transaction, and nothing or an order after it."""
    with stack_on(kafka, tmp_path) as stack, open_transaction(stack) as upstream:
        pointed_at(stack, monkeypatch)
        stack.feed("orders", (order("ann", 1, 1), milliseconds(T)))
        # A group of ours whose one commit is after ann's order.
        asyncio.run(commit(stack, "order_service-purchases", "orders", 1))
        upstream.begin(T + timedelta(minutes=1), {"orders": order("bob", 1, 1)})
        upstream.end("aborted")

        def oldest() -> str | None:
            (found,) = (each for each in jointbuy("lag", "--json").json if each["lag"])
            at: str | None = found["oldest_unread_at"]
            return at

        until("the abort is counted, and can't be read", lambda: oldest() is None)
        stack.feed("orders", (order("cy", 1, 1), milliseconds(T + timedelta(minutes=2))))
        assert oldest() == "2026-05-04T09:02:00+00:00"


async def commit(stack: Stack, group: str, topic: str, offset: int) -> None:
    """Commit an offset of a topic's partition for a group without members."""
    reader = consumer(stack.settings, stack.settings.topic(group))
    await reader.start()
    try:
        tp = TopicPartition(stack.settings.topic(topic), PARTITION)
        reader.assign([tp])
        await reader.commit({tp: offset})
    finally:
        await reader.stop()


def test_dead_letters_are_listed_shown_and_replayed(stack: Stack) -> None:
    stack.start("order_service")
    mended = encode(order("ann", 1, 1))
    stack.feed_raw(
        [
            OutputRecord("orders", PARTITION, GROUP.encode(), b"\xff\x1b[2J", 1_000, []),
            # What a partitioner that is not murmur2 does.
            OutputRecord("orders", (PARTITION + 1) % 4, GROUP.encode(), mended, 2_000, []),
        ]
    )
    stack.wait_idle()
    bad, stray = jointbuy("dead-letters", "--json").json
    assert (bad["topic"], bad["partition"], bad["offset"]) == ("orders", PARTITION, 0)
    assert (bad["service"], bad["key"]) == ("order_service", GROUP)
    assert "murmur2" in stray["error"]
    table = jointbuy("dead-letters", "list").out.splitlines()
    assert table[2].startswith(bad["id"])
    assert "ff 1b 5b 32 4a" in jointbuy("dead-letters", "show", bad["id"]).out

    assert jointbuy("dead-letters", "replay", bad["id"]).exit_code == 2, "nobody to be asked"
    assert jointbuy("dead-letters", "replay", "9/9", "--yes").exit_code == 2
    said = jointbuy("dead-letters", "replay", stray["id"], "--yes")
    assert said.exit_code == 0, said.err
    file = stack.folder / "mended.json"
    file.write_bytes(mended)
    jointbuy("dead-letters", "replay", bad["id"], "--value", str(file), "--yes")
    sent = [each for each in stack.read("orders") if each.partition == PARTITION][1:]
    assert [(each.key, each.timestamp) for each in sent] == [(GROUP, 2_000), (GROUP, 1_000)]
    assert [each.value for each in sent] == [json.loads(mended)] * 2
    stack.wait_idle()
    assert jointbuy("dead-letters", "--json").json == [], "both are done"
    done = jointbuy("dead-letters", "list", "--state", "done", "--json").json
    assert [(each["reason"], each["outcome"]) for each in done] == [
        ("schema", "replayed"),
        ("wrong-partition", "replayed"),
    ]
    assert any(
        "dead letter" in fact["says"] for fact in jointbuy("why", GROUP, "--json").json["facts"]
    )


def test_a_parked_key_is_listed_until_it_is_released(stack: Stack) -> None:
    park = ["park", GROUP, "--service", "order_service"]
    assert jointbuy(*park, "--reason", "stops the worker").exit_code == 0
    (parked,) = jointbuy("park", "--list", "--json").json
    assert (parked["parked"], parked["reason"]) == (GROUP, "stops the worker")
    assert jointbuy("why", GROUP).out.endswith("30 days.\n")
    assert jointbuy(*park, "--release").exit_code == 0
    assert jointbuy("park", "--list", "--json").json == []
    assert jointbuy(*park, "--release").exit_code == 1
    assert [each.key for each in stack.read("parked-keys")] == [f"{GROUP}/order_service"] * 2
    said = jointbuy("park", GROUP)
    assert said.exit_code == 2
    assert all(name in said.err for name in ("request_service", "order_service", "favor_service"))


# --- without a broker ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["export", ORDERS.name],
        ["lag"],
        ["why", GROUP],
        ["dead-letters"],
        ["park", "--list"],
        ["erase", "ann"],
        ["letters", "list"],
    ],
    ids=lambda command: command[0],
)
def test_no_broker_is_one_line_that_says_what_to_do(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOINTBUY_HOME", str(tmp_path))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert jointbuy(*command) == Said(
        1,
        "",
        "jointbuy: no broker answers at 127.0.0.1:1: run `jointbuy up`, or set"
        " KAFKA_BOOTSTRAP_SERVERS\n",
    )


def test_topics_that_are_not_there_are_one_line(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOPIC_PREFIX", f"{stack.prefix}none-")
    said = jointbuy("export", "orders")
    assert said.exit_code == 1
    assert said.err.endswith("run `jointbuy up`, or look at TOPIC_PREFIX\n")
    assert said.err.count("\n") == 1
