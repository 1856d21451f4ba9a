"""What groups are told of a shop's order, whatever comes twice, late, or in another order.

Each row of a story is a webhook in the shop's own words; what is expected is what goes to the topic
``orders``, and what ``order_service`` makes of it.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import MemoryRows, UnusableError
from schemas.groups import GroupPurchase
from schemas.ops import Task, next_version, order_task_id
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from schemas.parts import Message, Product
from schemas.people import Person
from schemas.shop_orders import (
    ProductAsked,
    ShopOrderGone,
    ShopOrderRead,
    ShopOrderSeen,
    ShopOrderUnread,
)
from services.order_service.rules import purchases as order_rules
from services.shop_bridge.processor import PROCESSOR
from services.shop_bridge.rules.settlement import fitting_id
from services.shop_bridge.rules.translations import shopify, woocommerce
from tests.webhook_payloads import (
    GROUP,
    MISTYPED,
    OTHER_GROUP,
    Json,
    shopify_line,
    shopify_order,
    shopify_refund,
    woo_line,
    woo_order,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ID = "9007199254740993"
CREATED, LATER, LAST = (f"2026-05-04T11:0{n}:00+02:00" for n in (0, 5, 9))


class Bridge:
    """The rows of one shop's order, and everything that was sent for it.

    ``people`` are its buyers, which go to a topic of their own.
    """

    def __init__(self) -> None:
        self.rows = MemoryRows("shop:1")
        self.sent: list[Message] = []
        self.people: list[Person] = []

    def take(self, events: Iterable[Message]) -> list[str]:
        """Apply events, one after the other; what was sent, in short."""
        return [short(message) for message in self.events(*events)]

    def events(self, *events: Message) -> list[Message]:
        """Apply events, one after the other; what was sent."""
        begins = len(self.sent)
        for event in events:
            told = PROCESSOR.on[type(event)](event, self.rows, NOW)
            self.people += [each for each in told if isinstance(each, Person)]
            self.sent += [each for each in told if not isinstance(each, Person)]
        return self.sent[begins:]

    def shopify(self, topic: str, delivery: str = "", **body: Any) -> list[str]:
        told = shopify.read(topic, body, "shop", (delivery,) if delivery else ())
        assert told is not None
        return self.take(told.at(NOW))

    def woo(self, topic: str = "order.updated", **body: Any) -> list[str]:
        told = woocommerce.read(topic, body, "kiosk")
        assert told is not None
        return self.take(told.at(NOW))


def short(message: Message) -> str:
    match message:
        case OrderPlaced() | OrderPaid():
            kind = "paid" if isinstance(message, OrderPaid) else "placed"
            group = " other" if message.group_id == OTHER_GROUP else ""
            return f"{kind} {message.order_id} {message.quantity} for {message.value}{group}"
        case OrderCancelled():
            return f"cancelled {message.order_id}"
        case OrderReturned():
            return f"returned {message.return_id} {message.quantity} of {message.order_id}"
        case ProductAsked():
            return f"which product is {message.group_id}"
        case Task():
            return f"{'done' if message.done_at else 'left to people'}: {message.reason}"
    raise AssertionError(message)


def counted(messages: Sequence[Message], group_id: str = GROUP) -> tuple[int, int]:
    """Quantity and value that ``order_service`` counts for a group."""
    rows = MemoryRows(group_id)
    terms = GroupPurchase(
        group_id=group_id,
        request_id="office-tea",
        version=1,
        requested_at=NOW - timedelta(days=2),
        issued_at=NOW - timedelta(days=2),
        product=Product(name="Sencha"),
        number_of_products=10**6,
        unit_price=2_400,
        currency="EUR",
        opens_at=NOW - timedelta(days=2),
        closes_at=NOW + timedelta(days=9),
    )
    order_rules.open_group(terms, rows, NOW)
    rule = {
        OrderPlaced: order_rules.place_order,
        OrderPaid: order_rules.pay_order,
        OrderCancelled: order_rules.cancel_order,
        OrderReturned: order_rules.return_order,
    }
    for message in messages:
        if type(message) in rule and getattr(message, "group_id", None) == group_id:
            answers = rule[type(message)](message, rows, NOW)  # type: ignore[index]
            assert not [each for each in answers if type(each).__name__ == "OrderRefused"], answers
    return rows["purchase"].quantity, rows["purchase"].value


def create(**fields: Any) -> tuple[str, Json]:
    return "orders/create", shopify_order(updated_at=CREATED, **fields)


def paid(**fields: Any) -> tuple[str, Json]:
    told = {"updated_at": LATER, "financial_status": "paid"}
    return "orders/paid", shopify_order(**(told | fields))


def updated(**fields: Any) -> tuple[str, Json]:
    told = {"updated_at": LAST, "financial_status": "paid"}
    return "orders/updated", shopify_order(**(told | fields))


def cancelled(**fields: Any) -> tuple[str, Json]:
    return "orders/cancelled", shopify_order(updated_at=LAST, cancelled_at=LAST, **fields)


def refund(*lines: tuple[int, int], refund_id: int = 77) -> tuple[str, Json]:
    return "refunds/create", shopify_refund(refund_id, *lines)


def edit(at: str = LATER, edit_id: int = 5, **lines: list[tuple[int, int]]) -> tuple[str, Json]:
    told = {
        name: [{"id": line, "delta": delta} for line, delta in changes]
        for name, changes in lines.items()
    }
    inner = {"id": edit_id, "order_id": int(ID), "committed_at": at, "line_items": told}
    return "orders/edited", {"order_edit": inner}


#: Two bundles, each of one and two units; an order has only the parts.
BUNDLE = [
    shopify_line(1, 2, "2.00", line_item_group={"id": 5, "quantity": 2}),
    shopify_line(2, 4, "1.00", line_item_group={"id": 5, "quantity": 2}),
]
OF_GROUP = shopify_line(1, properties=[{"name": "group_id", "value": GROUP}])
STORIES: list[tuple[str, list[tuple[tuple[str, Json], list[str]]], tuple[int, int]]] = [
    (
        "placed, then paid",
        [(create(), [f"placed {ID} 2 for 4800"]), (paid(), [f"paid {ID} 2 for 4800"])],
        (2, 4_800),
    ),
    (
        "paid before it is created",
        [(paid(), [f"paid {ID} 2 for 4800"]), (create(), [])],
        (2, 4_800),
    ),
    (
        "cancelled before it is created",
        [(cancelled(), [f"cancelled {ID}"]), (create(), []), (paid(), [])],
        (0, 0),
    ),
    (
        "cancelled after it was paid",
        [(paid(), [f"paid {ID} 2 for 4800"]), (cancelled(), [f"cancelled {ID}"])],
        (0, 0),
    ),
    (
        "refunded in part",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (refund((1, 1)), [f"returned 77 1 of {ID}"]),
            (updated(line_items=[shopify_line(current_quantity=1)]), []),
        ],
        (1, 2_400),
    ),
    (
        "the update that shows a refund comes before the refund",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(line_items=[shopify_line(current_quantity=1)]),
                [f"returned {ID}-r1 1 of {ID}"],
            ),
            (refund((1, 1)), []),
        ],
        (1, 2_400),
    ),
    (
        "refunded before it is known",
        [
            (refund((1, 1)), []),
            (paid(), [f"paid {ID} 2 for 4800", f"returned 77 1 of {ID}"]),
            (create(), []),
        ],
        (1, 2_400),
    ),
    (
        "an update alone, all else lost",
        [
            (
                updated(
                    line_items=[shopify_line(current_quantity=0)],
                    refunds=[
                        shopify_refund(77, (1, 1)),
                        shopify_refund(78, (1, 1)),
                    ],
                ),
                [
                    f"paid {ID} 2 for 4800",
                    f"returned 77 1 of {ID}",
                    f"returned 78 1 of {ID}",
                ],
            )
        ],
        (0, 0),
    ),
    (
        "an unpaid order loses a unit: no return could touch it",
        [
            (create(), [f"placed {ID} 2 for 4800"]),
            (refund((1, 1)), [f"cancelled {ID}", f"placed {ID}-e1 1 for 2400"]),
            (
                paid(line_items=[shopify_line(current_quantity=1)]),
                [f"paid {ID}-e1 1 for 2400"],
            ),
        ],
        (1, 2_400),
    ),
    (
        "an edit adds a unit, told by the update",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(line_items=[shopify_line(quantity=3)], financial_status="partially_paid"),
                [f"placed {ID}-e1 1 for 2400"],
            ),
            (
                updated(line_items=[shopify_line(quantity=3)], updated_at="2026-05-04T12:00:00Z"),
                [f"paid {ID}-e1 1 for 2400"],
            ),
        ],
        (3, 7_200),
    ),
    (
        "an edit adds a unit, told by the edit first",
        [
            (paid(updated_at=CREATED), [f"paid {ID} 2 for 4800"]),
            (edit(additions=[(1, 1)]), [f"placed {ID}-e1 1 for 2400"]),
            (updated(line_items=[shopify_line(quantity=3)]), [f"paid {ID}-e1 1 for 2400"]),
            (edit(additions=[(1, 1)]), []),
        ],
        (3, 7_200),
    ),
    (
        "an edit that comes after the update that has it",
        [
            (updated(line_items=[shopify_line(quantity=3)]), [f"paid {ID} 3 for 7200"]),
            (edit(additions=[(1, 1)]), []),
        ],
        (3, 7_200),
    ),
    (
        "an edit before its order is known",
        [
            (edit(removals=[(1, 1)]), []),
            (
                paid(updated_at=CREATED),
                [f"paid {ID} 1 for 2400"],
            ),
        ],
        (1, 2_400),
    ),
    (
        "an edit swaps a line for another of the group",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(
                    line_items=[shopify_line(1, current_quantity=1), shopify_line(2, quantity=1)]
                ),
                [],
            ),
        ],
        (2, 4_800),
    ),
    (
        "lines of one group add up, lines of none do not count",
        [
            (
                paid(
                    note_attributes=[],
                    line_items=[
                        shopify_line(1, properties=[{"name": "group_id", "value": GROUP}]),
                        shopify_line(2, properties=[{"name": "group_id", "value": GROUP}]),
                        shopify_line(3),
                    ],
                ),
                [f"paid {ID} 4 for 9600"],
            )
        ],
        (4, 9_600),
    ),
    (
        "a group of its own for each line: an order each, and returns where they belong",
        [
            (
                paid(
                    line_items=[
                        shopify_line(1),
                        shopify_line(
                            2, 3, "10.00", properties=[{"name": "group_id", "value": OTHER_GROUP}]
                        ),
                    ],
                ),
                [f"paid {ID} 2 for 4800", f"paid {ID}-g2 3 for 3000 other"],
            ),
            (refund((1, 1), (2, 2)), [f"returned 77 1 of {ID}", f"returned 77-g2 2 of {ID}-g2"]),
            (
                cancelled(line_items=[shopify_line(1)]),
                [f"cancelled {ID}", f"cancelled {ID}-g2"],
            ),
        ],
        (0, 0),
    ),
    (
        "a mistyped id is mended by ops, and stays mended",
        [
            (
                create(note_attributes=[{"name": "group_id", "value": MISTYPED}]),
                ["left to people: mistyped-group"],
            ),
            (create(), [f"placed {ID} 2 for 4800", "done: mistyped-group"]),
            (
                paid(note_attributes=[{"name": "group_id", "value": MISTYPED}]),
                [f"paid {ID} 2 for 4800"],
            ),
        ],
        (2, 4_800),
    ),
    (
        "a mistyped id is mended by ops after the order went on",
        [
            (
                paid(note_attributes=[{"name": "group_id", "value": MISTYPED}]),
                ["left to people: mistyped-group"],
            ),
            (create(), [f"paid {ID} 2 for 4800", "done: mistyped-group"]),
        ],
        (2, 4_800),
    ),
    (
        "a cancellation no longer names the group",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (cancelled(note_attributes=[]), [f"cancelled {ID}"]),
        ],
        (0, 0),
    ),
    (
        "the line of the group is taken out of a paid cart",
        [
            (
                paid(note_attributes=[], line_items=[OF_GROUP, shopify_line(2)]),
                [f"paid {ID} 2 for 4800"],
            ),
            (
                updated(note_attributes=[], line_items=[shopify_line(2)]),
                [f"returned {ID}-r1 2 of {ID}"],
            ),
        ],
        (0, 0),
    ),
    (
        "the line of the group is removed as Shopify removes it: it stays, of no unit",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(note_attributes=[], line_items=[shopify_line(current_quantity=0)]),
                [f"returned {ID}-r1 2 of {ID}"],
            ),
        ],
        (0, 0),
    ),
    (
        "what named the group is gone, then the order is paid",
        [
            (create(), [f"placed {ID} 2 for 4800"]),
            (paid(note_attributes=[]), [f"paid {ID} 2 for 4800"]),
        ],
        (2, 4_800),
    ),
    (
        "what named the group is gone, and a unit is taken out",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(note_attributes=[], line_items=[shopify_line(current_quantity=1)]),
                [f"returned {ID}-r1 1 of {ID}"],
            ),
        ],
        (1, 2_400),
    ),
    (
        "what named the group is gone, and the update tells of the refund",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (
                updated(
                    note_attributes=[],
                    line_items=[shopify_line(current_quantity=1)],
                    refunds=[shopify_refund(77, (1, 1))],
                ),
                [f"returned 77 1 of {ID}"],
            ),
            (refund((1, 1)), []),
        ],
        (1, 2_400),
    ),
    (
        "what named the group is gone, then comes back",
        [
            (create(), [f"placed {ID} 2 for 4800"]),
            (paid(note_attributes=[]), [f"paid {ID} 2 for 4800"]),
            (updated(), []),
        ],
        (2, 4_800),
    ),
    (
        "what named the group is gone; a new line is of no group",
        [
            (paid(), [f"paid {ID} 2 for 4800"]),
            (updated(note_attributes=[], line_items=[shopify_line(), shopify_line(2, 5)]), []),
        ],
        (2, 4_800),
    ),
    (
        "what named the group of a bundle is gone: it stays one bundle",
        [
            (paid(line_items=BUNDLE), [f"paid {ID} 2 for 800"]),
            (updated(note_attributes=[], line_items=BUNDLE), []),
            (
                updated(
                    note_attributes=[],
                    line_items=[each | {"current_quantity": 0} for each in BUNDLE],
                    updated_at="2026-05-04T12:00:00Z",
                ),
                [f"returned {ID}-r1 2 of {ID}"],
            ),
        ],
        (0, 0),
    ),
    (
        "an unpaid order no longer names its group, and loses a unit",
        [
            (create(), [f"placed {ID} 2 for 4800"]),
            (
                updated(
                    note_attributes=[],
                    financial_status="pending",
                    line_items=[shopify_line(current_quantity=1)],
                ),
                [f"cancelled {ID}", f"placed {ID}-e1 1 for 2400"],
            ),
        ],
        (0, 0),
    ),
    (
        "an unpaid order loses the line of its group",
        [
            (create(), [f"placed {ID} 2 for 4800"]),
            (
                updated(
                    note_attributes=[],
                    financial_status="pending",
                    line_items=[shopify_line(2)],
                ),
                [f"cancelled {ID}"],
            ),
        ],
        (0, 0),
    ),
    (
        "an older update without the group comes late",
        [
            (updated(), [f"paid {ID} 2 for 4800"]),
            (paid(note_attributes=[], line_items=[shopify_line(2)]), []),
        ],
        (2, 4_800),
    ),
    (
        "an order that never named a group",
        [(create(note_attributes=[]), []), (updated(note_attributes=[]), [])],
        (0, 0),
    ),
    (
        "an order that names its group only when it is changed",
        [(create(note_attributes=[]), []), (updated(), [f"paid {ID} 2 for 4800"])],
        (2, 4_800),
    ),
    (
        "cancelled without a group's id, before it is known that it had one",
        [(cancelled(note_attributes=[]), []), (paid(), [f"cancelled {ID}"])],
        (0, 0),
    ),
    (
        "money alone is refunded",
        [(paid(), [f"paid {ID} 2 for 4800"]), (refund(), [])],
        (2, 4_800),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("story", "stands"), [pytest.param(story, stands, id=name) for name, story, stands in STORIES]
)
def test_stories_of_shopify(
    story: list[tuple[tuple[str, Json], list[str]]], stands: tuple[int, int]
) -> None:
    bridge = Bridge()
    for number, ((topic, body), expected) in enumerate(story):
        assert bridge.shopify(topic, f"delivery-{number}", **body) == expected, f"step {number + 1}"
    assert counted(bridge.sent) == stands
    for number, ((topic, body), _) in enumerate(story):
        assert bridge.shopify(topic, f"delivery-{number}", **body) == [], "a repeat changed it"


def test_a_repeated_delivery_of_one_second_does_not_bring_back_what_was() -> None:
    """Two updates of one second: only the ids of deliveries tell which was taken before."""
    bridge = Bridge()
    bridge.shopify("orders/paid", "first", **shopify_order(updated_at=CREATED))
    more = shopify_order(updated_at=CREATED, line_items=[shopify_line(quantity=3)])
    assert bridge.shopify("orders/paid", "second", **more) == [f"paid {ID}-e1 1 for 2400"]
    assert bridge.shopify("orders/paid", "first", **shopify_order(updated_at=CREATED)) == []


@pytest.mark.slow
def test_whatever_order_webhooks_come_in_the_same_counts() -> None:
    """Created, paid, raised by an edit, refunded in part; every order of arrival of the five."""
    raised = [shopify_line(quantity=3)]
    story = [
        create(),
        paid(),
        edit(at="2026-05-04T11:06:00+02:00", additions=[(1, 1)]),
        updated(line_items=raised, updated_at="2026-05-04T11:06:00+02:00"),
        refund((1, 1)),
    ]
    for arrival in permutations(story):
        bridge = Bridge()
        for topic, body in arrival:
            bridge.shopify(topic, **body)
        # The update that shows the refund comes last, as the shop sends it last.
        last = [shopify_line(quantity=3, current_quantity=2)]
        bridge.shopify("orders/updated", **updated(line_items=last)[1])
        assert counted(bridge.sent) == (2, 4_800), [topic for topic, _ in arrival]


# --- WooCommerce ---------------------------------------------------------------------------------

AT = [f"2026-05-04T09:0{minute}:00" for minute in range(10)]

WOO_OF_GROUP = woo_line(meta_data=[{"key": "group_id", "value": GROUP}])
NO_META: Json = {"meta_data": []}
WOO_STORIES: list[tuple[str, list[tuple[Json, list[str]]], tuple[int, int]]] = [
    (
        "on hold, paid, completed",
        [
            (woo_order(), ["placed 727 2 for 4800"]),
            (
                woo_order(status="processing", date_paid_gmt=AT[1], date_modified_gmt=AT[1]),
                ["paid 727 2 for 4800"],
            ),
            (woo_order(status="completed", date_paid_gmt=AT[1], date_modified_gmt=AT[2]), []),
        ],
        (2, 4_800),
    ),
    (
        "payment fails, is tried again, and goes through",
        [
            (woo_order(status="failed", date_modified_gmt=AT[1]), ["cancelled 727"]),
            (
                woo_order(status="processing", date_paid_gmt=AT[2], date_modified_gmt=AT[2]),
                ["paid 727-e1 2 for 4800"],
            ),
        ],
        (2, 4_800),
    ),
    (
        "trashed and restored",
        [
            (woo_order(status="completed", date_modified_gmt=AT[1]), ["paid 727 2 for 4800"]),
            (woo_order(status="trash", date_modified_gmt=AT[2]), ["cancelled 727"]),
            (
                woo_order(status="completed", date_modified_gmt=AT[3]),
                ["paid 727-e1 2 for 4800"],
            ),
        ],
        (2, 4_800),
    ),
    (
        "refunded as a whole",
        [
            (woo_order(status="completed", date_modified_gmt=AT[1]), ["paid 727 2 for 4800"]),
            (
                woo_order(status="refunded", date_modified_gmt=AT[2]),
                ["returned 727-r1 2 of 727"],
            ),
        ],
        (0, 0),
    ),
    (
        "a line is taken out, another put in, of more units",
        [
            (woo_order(status="completed", date_modified_gmt=AT[1]), ["paid 727 2 for 4800"]),
            (
                woo_order(
                    status="completed",
                    date_modified_gmt=AT[2],
                    line_items=[woo_line(400, 5, "100.00")],
                ),
                ["paid 727-e1 3 for 5200"],
            ),
        ],
        (5, 10_000),
    ),
    (
        "a line is taken out",
        [
            (
                woo_order(
                    status="completed",
                    date_modified_gmt=AT[1],
                    line_items=[woo_line(), woo_line(9)],
                ),
                ["paid 727 4 for 9600"],
            ),
            (
                woo_order(status="completed", date_modified_gmt=AT[2]),
                ["returned 727-r1 2 of 727"],
            ),
        ],
        (2, 4_800),
    ),
    (
        "the line of the group is taken out, and nothing names it any more",
        [
            (
                woo_order(status="completed", meta_data=[], line_items=[WOO_OF_GROUP, woo_line(9)]),
                ["paid 727 2 for 4800"],
            ),
            (
                woo_order(
                    status="completed",
                    meta_data=[],
                    date_modified_gmt=AT[2],
                    line_items=[woo_line(9)],
                ),
                ["returned 727-r1 2 of 727"],
            ),
        ],
        (0, 0),
    ),
    (
        "its meta data are gone, then it is paid, then it is refunded",
        [
            (woo_order(), ["placed 727 2 for 4800"]),
            (
                woo_order(status="processing", date_paid_gmt=AT[1], date_modified_gmt=AT[1])
                | NO_META,
                ["paid 727 2 for 4800"],
            ),
            (
                woo_order(status="refunded", date_modified_gmt=AT[2]) | NO_META,
                ["returned 727-r1 2 of 727"],
            ),
        ],
        (0, 0),
    ),
    (
        "its meta data are gone, and it has one unit fewer",
        [
            (woo_order(status="completed"), ["paid 727 2 for 4800"]),
            (
                woo_order(
                    status="completed",
                    date_modified_gmt=AT[2],
                    line_items=[woo_line(quantity=1, total="24.00")],
                )
                | NO_META,
                ["returned 727-r1 1 of 727"],
            ),
        ],
        (1, 2_400),
    ),
    (
        "its meta data are gone, its payment fails and goes through",
        [
            (woo_order(), ["placed 727 2 for 4800"]),
            (woo_order(status="failed", date_modified_gmt=AT[1]) | NO_META, ["cancelled 727"]),
            (
                woo_order(status="processing", date_paid_gmt=AT[2], date_modified_gmt=AT[2])
                | NO_META,
                ["paid 727-e1 2 for 4800"],
            ),
        ],
        (2, 4_800),
    ),
    (
        "an older webhook comes late",
        [
            (woo_order(status="completed", date_modified_gmt=AT[3]), ["paid 727 2 for 4800"]),
            (woo_order(status="cancelled", date_modified_gmt=AT[2]), []),
        ],
        (2, 4_800),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("story", "stands"),
    [pytest.param(story, stands, id=name) for name, story, stands in WOO_STORIES],
)
def test_stories_of_woocommerce(
    story: list[tuple[Json, list[str]]], stands: tuple[int, int]
) -> None:
    bridge = Bridge()
    for number, (body, expected) in enumerate(story):
        assert bridge.woo(**body) == expected, f"step {number + 1}"
    assert counted(bridge.sent) == stands
    for body, _ in story:
        assert bridge.woo(**body) == [], "a repeat changed it"


def test_a_deleted_order_is_cancelled_and_stays_so() -> None:
    bridge = Bridge()
    assert bridge.woo(**woo_order(status="completed")) == ["paid 727 2 for 4800"]
    assert bridge.woo("order.deleted", id=727) == ["cancelled 727"]
    assert bridge.woo(**woo_order(status="completed", date_modified_gmt=AT[8])) == []


def test_an_order_that_was_deleted_before_it_came_counts_for_nothing() -> None:
    bridge = Bridge()
    assert bridge.woo("order.deleted", id=727) == []
    assert bridge.woo(**woo_order(status="completed")) == ["cancelled 727"]


# --- when it was ordered -------------------------------------------------------------------------


def test_what_is_added_later_is_ordered_later() -> None:
    """So that a group that has closed since does not grow by an edit."""
    bridge = Bridge()
    bridge.shopify(*paid()[:1], **paid()[1])
    bridge.shopify("orders/updated", **updated(line_items=[shopify_line(quantity=3)])[1])
    first, added = bridge.sent
    assert isinstance(first, OrderPaid)
    assert isinstance(added, OrderPaid)
    assert (first.ordered_at.minute, added.ordered_at.minute) == (0, 9)


def test_what_is_paid_at_the_second_try_is_ordered_when_it_was() -> None:
    bridge = Bridge()
    bridge.woo(**woo_order(status="failed", date_modified_gmt=AT[1]))
    bridge.woo(**woo_order(status="processing", date_paid_gmt=AT[2], date_modified_gmt=AT[2]))
    again = bridge.sent[-1]
    assert isinstance(again, OrderPaid)
    assert again.ordered_at == datetime(2026, 5, 4, 9, tzinfo=UTC)


def test_what_is_left_of_an_unpaid_order_keeps_its_time() -> None:
    bridge = Bridge()
    bridge.shopify(*create()[:1], **create()[1])
    bridge.shopify(*refund((1, 1))[:1], **refund((1, 1))[1])
    left = bridge.sent[-1]
    assert isinstance(left, OrderPlaced)
    assert left.ordered_at == datetime(2026, 5, 4, 9, tzinfo=UTC)


# --- what is kept --------------------------------------------------------------------------------


def test_what_belongs_to_no_order_of_ours_is_soon_forgotten() -> None:
    bridge = Bridge()
    bridge.shopify(*refund((1, 1))[:1], **refund((1, 1))[1])
    assert bridge.rows["due/forget"].at == NOW + timedelta(days=7)
    PROCESSOR.due["forget"]("due/forget", bridge.rows, NOW + timedelta(days=7))
    assert "order" not in bridge.rows


def test_of_an_order_that_never_named_a_group_nothing_is_kept() -> None:
    """Most orders of a shop are not ours: a row of each would cost more than all of ours."""
    bridge = Bridge()
    for topic, body in (create(note_attributes=[]), paid(note_attributes=[])):
        bridge.shopify(topic, **body)
    assert dict(bridge.rows) == {}
    bridge.shopify(cancelled(note_attributes=[])[0], **cancelled(note_attributes=[])[1])
    assert bridge.rows["due/forget"].at == NOW + timedelta(days=7)


def test_an_order_is_kept_for_half_a_year_after_its_last_word() -> None:
    bridge = Bridge()
    bridge.shopify(create()[0], **create()[1])
    assert bridge.rows["due/forget"].at == NOW + timedelta(days=180)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([shopify_line(1, 10**9, "10000")], f"paid {ID} {10**9} for {10**15}"),
        ([shopify_line(1, 10**9, "10000"), shopify_line(2, 1, "0")], None),
        ([shopify_line(1, 10**9, "5000"), shopify_line(2, 10**9, "5000")], None),
        ([shopify_line(1, 10**8, "100000"), shopify_line(2, 1, "0.01")], None),
    ],
    ids=["as much as can be", "a unit too many", "too many", "a cent too much"],
)
def test_an_order_beyond_the_limits_is_refused_whole(
    lines: list[dict[str, Any]], said: str | None
) -> None:
    """Nothing of it is told or kept, so that it is neither cut down nor stops the worker."""
    bridge = Bridge()
    bridge.shopify(create()[0], **create()[1])
    before = dict(bridge.rows)
    if said is None:
        with pytest.raises(UnusableError, match="beyond-limits"):
            bridge.shopify(*paid(line_items=lines)[:1], **paid(line_items=lines)[1])
        assert dict(bridge.rows) == before
        return
    bridge = Bridge()
    assert bridge.shopify(*paid(line_items=lines)[:1], **paid(line_items=lines)[1]) == [said]


def test_a_row_is_never_changed_in_place() -> None:
    bridge = Bridge()
    bridge.shopify(create()[0], **create()[1])
    before, picture = bridge.rows["order"], repr(bridge.rows["order"])
    bridge.shopify(paid()[0], **paid()[1])
    assert repr(before) == picture
    assert bridge.rows["order"] is not before


# --- any history ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_story_s_end_does_not_depend_on_how_it_came() -> None:
    """Random edits and refunds of a paid order; shuffled, repeated, some lost, the last one not."""
    chance = random.Random(7)
    for _ in range(300):
        quantity, removed = 5, 0
        story: list[tuple[str, Json]] = []
        for step in range(1, chance.randint(2, 8)):
            at = (NOW + timedelta(minutes=step)).isoformat()
            if chance.random() < 0.5 and removed < quantity:
                removed += 1
                story.append(refund((1, 1), refund_id=100 + step))
            else:
                quantity += 1
            line = shopify_line(quantity=quantity, current_quantity=quantity - removed)
            story.append(updated(line_items=[line], updated_at=at))
        last = story[-1]
        kept = [each for each in story[:-1] if chance.random() < 0.8]
        arrivals = [*kept, *chance.choices(story, k=3), last]
        chance.shuffle(arrivals)
        bridge = Bridge()
        for topic, body in [paid(line_items=[shopify_line(quantity=5)]), *arrivals]:
            bridge.shopify(topic, **body)
        left = quantity - removed
        assert counted(bridge.sent)[0] == left, arrivals


@settings(max_examples=60, deadline=None)
@given(
    quantities=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    prices=st.lists(st.integers(0, 10_000), min_size=6, max_size=6),
)
def test_after_each_snapshot_the_group_counts_what_the_shop_says(
    quantities: list[int], prices: list[int]
) -> None:
    """Quantities to the unit, whatever comes after what; nothing is ever refused."""
    bridge = Bridge()
    for step, quantity in enumerate(quantities):
        at = (NOW + timedelta(minutes=step)).isoformat()
        price = f"{prices[step] / 100:.2f}"
        body = updated(line_items=[shopify_line(1, quantity, price)], updated_at=at)[1]
        bridge.shopify("orders/updated", **body)
        assert counted(bridge.sent)[0] == quantity


def test_events_are_what_the_topic_takes() -> None:
    bridge = Bridge()
    told = shopify.read(*create(), "shop")
    assert told is not None
    for event in told.events:
        assert isinstance(event, ShopOrderSeen)
        bridge.take([ShopOrderSeen.model_validate_json(event.model_dump_json())])
    assert [short(message) for message in bridge.sent] == [f"placed {ID} 2 for 4800"]


@pytest.mark.parametrize("length", [1, 64, 65, 92])
def test_an_id_put_together_of_long_ones_is_cut_and_stays_the_same(length: int) -> None:
    made = "".join(str(number % 10) for number in range(length))
    fitting = fitting_id(made)
    assert fitting == fitting_id(made)
    assert len(fitting) <= 64
    assert (fitting == made) is (length <= 64)
    assert fitting_id(made + "x") != fitting


# --- left to people ------------------------------------------------------------------------------


def unread(reason: str = "not-fetched", minute: int = 0) -> ShopOrderUnread:
    return ShopOrderUnread(
        shop_order="kiosk:727",
        source="kiosk",
        order_id="727",
        reason=reason,
        problem="the shop answers 500 to its refunds",
        at=NOW + timedelta(minutes=minute),
    )


#: What follows the word that an order could not be fetched: which version of its task, all at one
#: time, and if it is done.
TASKS: list[tuple[str, Sequence[Any], list[tuple[int, bool]]]] = [
    ("nothing", [], []),
    ("the same again", [unread(minute=1)], []),
    ("another reason", [unread("not-read")], [(2, False)]),
    ("a webhook", [woo_order()], [(2, True)]),
    ("a webhook of an order without a group", [woo_order(meta_data=[])], [(2, True)]),
    ("that it is deleted", [{"id": 727}], [(2, True)]),
    ("a webhook, twice", [woo_order(), woo_order()], [(2, True)]),
    ("a webhook, then again not", [woo_order(), unread(minute=9)], [(2, True), (3, False)]),
]


@pytest.mark.parametrize(
    ("then", "told"), [each[1:] for each in TASKS], ids=[each[0] for each in TASKS]
)
def test_an_order_that_could_not_be_fetched_is_one_task_until_it_gets_through(
    then: Sequence[Any], told: list[tuple[int, bool]]
) -> None:
    bridge = Bridge()
    (opened,) = bridge.events(unread())
    assert isinstance(opened, Task)
    assert (opened.task_id, opened.kind) == (order_task_id("kiosk", "727"), "order")
    assert (opened.shop_id, opened.about, opened.reason) == ("kiosk", "727", "not-fetched")
    assert (opened.since, opened.done_at, opened.version) == (NOW, None, next_version(0, NOW))
    said: list[Message] = []
    for each in then:
        if isinstance(each, ShopOrderUnread):
            said += bridge.events(each)
            continue
        topic = "order.deleted" if "status" not in each else "order.updated"
        read = woocommerce.read(topic, each, "kiosk")
        assert read is not None
        said += bridge.events(*read.at(NOW))
    tasks = [each for each in said if isinstance(each, Task)]
    first = opened.version - 1
    assert [(each.version - first, each.done_at is not None) for each in tasks] == told
    assert {each.task_id for each in tasks} <= {opened.task_id}


HALF: Any = woo_line(2, 0.5)  # type: ignore[arg-type]
READ = ShopOrderRead(shop_order="kiosk:727", at=NOW + timedelta(minutes=5))

#: What came before an order could not be fetched, what the word that it was read then sends, and
#: what of the order counts after it.
ENDED: list[tuple[str, Sequence[Json], list[str], tuple[int, int]]] = [
    (
        "an order that counted",
        [woo_order(date_paid_gmt="2026-05-04T09:00:05")],
        ["done: not-fetched"],
        (2, 4_800),
    ),
    ("an order that counts nowhere", [], ["done: not-fetched"], (0, 0)),
    (
        "an order that was told without a group",
        [woo_order(meta_data=[])],
        ["done: not-fetched"],
        (0, 0),
    ),
    (
        "an order that has its own problem",
        [woo_order(date_paid_gmt="2026-05-04T09:00:05", line_items=[woo_line(1, 2), HALF])],
        ["left to people: not-counted"],
        (2, 4_800),
    ),
]


@pytest.mark.parametrize(
    ("before", "told", "counts"), [each[1:] for each in ENDED], ids=[each[0] for each in ENDED]
)
def test_the_end_of_a_task_takes_nothing_back(
    before: Sequence[Json], told: list[str], counts: tuple[int, int]
) -> None:
    bridge = Bridge()
    for each in before:
        bridge.woo(**each)
    bridge.take([unread()])
    assert bridge.take([READ]) == told
    assert bridge.take([READ]) == [], "it may come twice"
    assert counted(bridge.sent) == counts


def test_the_end_of_a_sub_order_s_task_leaves_its_parent_as_it_stands() -> None:
    """The sub-order has rows of its own, as its failure stood under its own id."""
    parent, part = Bridge(), Bridge()
    parent.woo(**woo_order(date_paid_gmt="2026-05-04T09:00:05"))
    part.take([unread()])
    assert part.take([READ]) == ["done: not-fetched"]
    assert counted([*parent.sent, *part.sent]) == (2, 4_800)


def test_that_an_order_was_read_says_nothing_without_a_task() -> None:
    bridge = Bridge()
    assert bridge.take([READ]) == []
    assert set(bridge.rows) == set()


@pytest.mark.parametrize("ended_by", [READ, woo_order(meta_data=[])], ids=["read", "unnamed"])
def test_a_task_that_is_done_is_forgotten_though_no_order_is_there(ended_by: Any) -> None:
    bridge = Bridge()
    bridge.take([unread()])
    if isinstance(ended_by, ShopOrderRead):
        bridge.take([ended_by])
    else:
        bridge.woo(**ended_by)
    assert bridge.rows["due/forget"].at <= NOW + timedelta(days=7)
    PROCESSOR.due["forget"]("due/forget", bridge.rows, bridge.rows["due/forget"].at)
    assert "task" not in bridge.rows


#: What is told of an order whose task people closed by hand, and whether it is then open again.
AFTER_HANDS: list[tuple[str, ShopOrderUnread, bool]] = [
    ("the same again, at once", unread(), False),
    ("the same again, at the next poll", unread(minute=9), False),
    ("another reason", unread("not-json", minute=9), True),
]


@pytest.mark.parametrize(
    ("again", "reopens"), [each[1:] for each in AFTER_HANDS], ids=[each[0] for each in AFTER_HANDS]
)
@pytest.mark.parametrize("is_late", [False, True], ids=["in order", "hands arrive last"])
def test_what_people_closed_opens_again_only_with_another_problem(
    again: ShopOrderUnread, reopens: bool, is_late: bool
) -> None:
    """shop_bridge's row says "open" all the while, as it reads nothing of what people write."""
    bridge = Bridge()
    (opened,) = bridge.events(unread())
    assert isinstance(opened, Task)
    closed_at = NOW + timedelta(minutes=5)
    closed = opened.model_copy(
        update={"done_at": closed_at, "version": next_version(opened.version, closed_at)}
    )
    later = PROCESSOR.on[ShopOrderUnread](again, bridge.rows, NOW + timedelta(minutes=9))
    arrived = [opened, *later, closed] if is_late else [opened, closed, *later]
    stands = max((each for each in arrived if isinstance(each, Task)), key=lambda it: it.version)
    assert (stands.done_at is None) == reopens


def test_an_open_task_is_not_forgotten_with_its_order() -> None:
    bridge = Bridge()
    bridge.woo(**woo_order())
    bridge.events(unread())
    PROCESSOR.due["forget"]("due/forget", bridge.rows, NOW + timedelta(days=180))
    assert set(bridge.rows) - {"due/forget"} == {"task"}
    (done,) = bridge.events(ShopOrderGone(shop_order="kiosk:727", gone_at=NOW))
    assert isinstance(done, Task)
    assert done.done_at is not None
    PROCESSOR.due["forget"]("due/forget", bridge.rows, NOW + timedelta(days=190))
    assert set(bridge.rows) - {"due/forget"} == set()
