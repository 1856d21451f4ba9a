"""Where letters about a shop's order go: which buyers are sent to ``people``, and which are not."""

from typing import Any

import msgspec
import pytest

from schemas.orders import OrderPaid, OrderPlaced
from schemas.people import Person
from services.shop_bridge.rules.translations import woocommerce
from tests.rules.test_shop_order_rules import (
    NOW,
    STORIES,
    Bridge,
    cancelled,
    create,
    edit,
    paid,
    refund,
    updated,
)
from tests.webhook_payloads import GROUP, MISTYPED, Json, shopify_line, woo_order

#: The buyer of the orders in these stories, as the shop and as ``people`` knows her.
CUSTOMER = "115310627314723954"
ANN = f"shop:{CUSTOMER}"
AT_HOME, AT_WORK = "ann@x.example", "ann@work.example"
GUEST = {"customer": None}
NAMES_BOB = {
    "note_attributes": [
        {"name": "group_id", "value": GROUP},
        {"name": "member_id", "value": "bob"},
    ]
}
WITHOUT_ADDRESS: Json = {"email": None, "customer": {"id": int(CUSTOMER)}}
WRONG = {"note_attributes": [{"name": "group_id", "value": MISTYPED}]}

People = list[tuple[str, str]]
WRITTEN: list[tuple[str, list[tuple[str, Json]], People]] = [
    ("a customer", [create()], [(ANN, AT_HOME)]),
    ("a guest, by the order", [create(**GUEST)], [("shop:guest-9007199254740993", AT_HOME)]),
    ("once, whatever comes later", [create(), paid(), updated()], [(ANN, AT_HOME)]),
    ("once, if it is cancelled", [paid(), refund((1, 1)), cancelled()], [(ANN, AT_HOME)]),
    (
        "once, if a later message has another address",
        [create(), paid(email=AT_WORK)],
        [(ANN, AT_HOME)],
    ),
    ("once, if the first comes late", [paid(), create(email=AT_WORK)], [(ANN, AT_HOME)]),
    ("with the refund before its order", [refund((1, 1)), paid()], [(ANN, AT_HOME)]),
    ("not the member that a cart names", [create(**NAMES_BOB)], [(ANN, AT_HOME)]),
    ("of a mistyped group, as people may mend it", [create(**WRONG)], [(ANN, AT_HOME)]),
    ("nobody without an address", [create(**WITHOUT_ADDRESS)], []),
    ("nobody for an order of no group", [create(note_attributes=[])], []),
    ("nobody for a refund or an edit", [refund((1, 1)), edit(additions=[(1, 1)])], []),
]


def written(bridge: Bridge) -> People:
    return [(each.person_id, each.email) for each in bridge.people]


@pytest.mark.parametrize(
    ("story", "people"), [pytest.param(story, people, id=name) for name, story, people in WRITTEN]
)
def test_who_is_written_down(story: list[tuple[str, Json]], people: People) -> None:
    bridge = Bridge()
    for number, (topic, body) in enumerate(story):
        bridge.shopify(topic, f"delivery-{number}", **body)
    assert written(bridge) == people
    for number, (topic, body) in enumerate(story):
        bridge.shopify(topic, f"delivery-{number}", **body)
        bridge.shopify(topic, "", **body)
    assert written(bridge) == people, "a repeat wrote somebody"


def test_a_person_was_seen_when_the_order_came_in() -> None:
    """Not when the shop says: a shop with a wrong clock must not outdate later addresses."""
    bridge = Bridge()
    topic, body = create(created_at="2031-01-01T00:00:00Z")
    bridge.shopify(topic, **body)
    assert bridge.people == [Person(person_id=ANN, email=AT_HOME, seen_at=NOW)]


def test_an_order_that_is_not_counted_yet_takes_the_latest_address() -> None:
    """Until it is known which of its products the group is for, nobody has been told of it."""
    bridge = Bridge()
    lines = [
        shopify_line(1, product_id=1, sku="tea"),
        shopify_line(2, product_id=2, sku="cup"),
    ]
    for topic, body in (create(line_items=lines), paid(line_items=lines, email=AT_WORK)):
        bridge.shopify(topic, **body)
    assert not [each for each in bridge.sent if isinstance(each, OrderPlaced | OrderPaid)]
    assert written(bridge) == [(ANN, AT_HOME), (ANN, AT_WORK)]


@pytest.mark.parametrize(
    ("fields", "person_id"),
    [
        ({}, ANN),
        (GUEST, "shop:guest-9007199254740993"),
        (NAMES_BOB, ANN),
        (WITHOUT_ADDRESS, None),
    ],
    ids=["customer", "guest", "the cart names a member", "no address"],
)
def test_orders_name_their_person_and_no_address(fields: Json, person_id: str | None) -> None:
    bridge = Bridge()
    raised = [shopify_line(quantity=3)]
    for number, (topic, body) in enumerate(
        [create(**fields), paid(**fields), updated(**fields, line_items=raised)]
    ):
        bridge.shopify(topic, f"delivery-{number}", **body)
    orders = [each for each in bridge.sent if isinstance(each, OrderPlaced | OrderPaid)]
    assert [type(each) for each in orders] == [OrderPlaced, OrderPaid, OrderPaid]
    assert {(each.person_id, each.member_email) for each in orders} == {(person_id, None)}


def test_members_of_two_shops_with_one_id_are_two_people() -> None:
    bridges = []
    for source in ("acme", "leaf", "acme.till3"):
        told = woocommerce.read("order.updated", woo_order(), source)
        assert told is not None
        bridges.append(Bridge())
        bridges[-1].take(told.at(NOW))
    people = [person for bridge in bridges for person, _ in written(bridge)]
    # A till's customers are those of its shop.
    assert people == ["acme:42", "leaf:42", "acme:42"]


def test_a_sub_order_that_comes_first_writes_its_buyer_once() -> None:
    bridge = Bridge()
    part = woo_order(id=728, parent_id=727, line_items=woo_order()["line_items"])
    bridge.woo(**part)
    assert written(bridge) == [("kiosk:42", "bob@x.example")]
    bridge.woo(**part)
    bridge.woo(**woo_order())
    assert written(bridge) == [("kiosk:42", "bob@x.example")]


def test_rows_orders_and_tasks_hold_no_address() -> None:
    """After every story of Shopify's orders, with an address in each of their messages."""
    for name, story, _ in STORIES:
        bridge: Bridge = Bridge()
        for (topic, body), _ in story:
            bridge.shopify(topic, **body)
        assert not addresses(bridge), name


def addresses(bridge: Bridge) -> list[Any]:
    """The rows and messages of a shop's order in which an address stands."""
    kept = [msgspec.json.encode(row) for row in bridge.rows.values()]
    sent = [message.model_dump_json().encode() for message in bridge.sent]
    return [each for each in (*kept, *sent) if b"@" in each]
