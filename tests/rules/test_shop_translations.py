"""What a shop's payload says: which order, whose, how much of what, and for which group."""

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import MemoryRows
from schemas.ops import Task
from schemas.orders import ORDERS, OrderPaid
from schemas.people import PEOPLE, Person
from schemas.shop_orders import (
    SHOP_EVENTS,
    ProductAsked,
    ShopOrderEdited,
    ShopOrderGone,
    ShopOrderSeen,
    ShopOrderUnnamed,
    ShopRefundSeen,
)
from services.shop_bridge.processor import PROCESSOR
from services.shop_bridge.rules.translations import outbox, payloads, shopify, standard, woocommerce
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told
from tests.webhook_payloads import (
    GROUP,
    MISTYPED,
    OTHER_GROUP,
    Json,
    recorded,
    shopify_line,
    shopify_order,
    shopify_refund,
    under_group,
    woo_line,
    woo_order,
    woo_under_group,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
NEW_YEAR = datetime(2022, 1, 1, tzinfo=UTC)


def through_json(body: Json) -> Any:
    return payloads.parse(json.dumps(body).encode())


def of_shopify(topic: str, body: Json) -> Told:
    told = shopify.read(topic, through_json(body), "shop", ("w-1",))
    assert told is not None
    return told


def of_woo(body: Json, topic: str = "order.updated") -> Told:
    told = woocommerce.read(topic, through_json(body), "kiosk")
    assert told is not None
    return told


def order_in(told: Told) -> ShopOrderSeen:
    seen = told.events[-1]
    assert isinstance(seen, ShopOrderSeen)
    return seen


# --- recorded payloads ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "paid", "cancelled"),
    [
        ("create", False, None),
        ("paid", True, None),
        ("updated", False, True),
        ("cancelled", False, True),
    ],
)
def test_recorded_shopify_orders(data: Path, name: str, paid: bool, cancelled: bool | None) -> None:
    topic, body = recorded(data, f"shopify/orders.{name}.json")
    seen = order_in(of_shopify(topic, under_group(body)))
    assert (seen.shop_order, seen.order_id) == ("shop:820982911946154500", "820982911946154500")
    assert (seen.member_id, seen.member_email) == ("115310627314723950", "jon@example.com")
    assert (seen.currency, seen.ordered_at, seen.updated_at) == ("USD", NEW_YEAR, NEW_YEAR)
    assert (seen.paid, seen.cancelled) == (paid, cancelled)
    assert [(line.line_id, line.quantity, line.value, line.group_id) for line in seen.lines] == [
        ("866550311766439000", 1, 19_900, GROUP),
        ("141249953214522980", 1, 19_900, GROUP),
    ]


def test_a_recorded_shopify_refund(data: Path) -> None:
    topic, body = recorded(data, "shopify/refunds.create.json")
    (refund,) = of_shopify(topic, body).events
    assert isinstance(refund, ShopRefundSeen)
    assert (refund.shop_order, refund.refund_id) == (
        "shop:820982911946154500",
        "890088186047892400",
    )
    assert refund.refunded_at == NEW_YEAR
    assert [(line.line_id, line.quantity) for line in refund.lines] == [
        ("866550311766439000", 1),
        ("141249953214522980", 1),
    ]


def test_a_recorded_shopify_edit(data: Path) -> None:
    topic, body = recorded(data, "shopify/orders.edited.json")
    (edit,) = of_shopify(topic, body).events
    assert isinstance(edit, ShopOrderEdited)
    assert (edit.shop_order, edit.edit_id) == ("shop:820982911946154500", "78912328793123780")
    assert [(change.line_id, change.delta) for change in edit.changes] == [
        ("78643924236718240", 1),
        ("866550311766439000", -1),
    ]


@pytest.mark.parametrize("name", ["order-processing-0", "order-processing-1", "order-completed-3"])
def test_recorded_woocommerce_orders(data: Path, name: str) -> None:
    """A guest's order, paid by bank transfer, of 2 at 3.00 and 1 at 12.00."""
    topic, body = recorded(data, f"woocommerce/{name}.json")
    seen = order_in(of_woo(woo_under_group(body), topic))
    assert (seen.shop_order, seen.member_id) == ("kiosk:727", "guest-727")
    assert (seen.member_email, seen.currency) == ("john.doe@example.com", "USD")
    assert seen.ordered_at == datetime(2017, 3, 22, 19, 28, 2, tzinfo=UTC)
    assert (seen.paid, seen.cancelled) == (True, False)
    assert [(line.line_id, line.quantity, line.value, line.group_id) for line in seen.lines] == [
        ("315", 2, 600, GROUP),
        ("316", 1, 1_200, GROUP),
    ]


@pytest.mark.parametrize("topic", ["orders/create", "orders/paid"])
def test_a_recorded_order_without_a_group_is_not_ours(data: Path, topic: str) -> None:
    _, body = recorded(data, "shopify/orders.create.json")
    told = of_shopify(topic, body | {"test": False, "payment_gateway_names": []})
    assert told.names_no_group


# --- where the group stands ----------------------------------------------------------------------

GROUP_IN_SHOPIFY: list[tuple[str, Json, list[tuple[str | None, str | None]]]] = [
    ("an attribute", {}, [(GROUP, None)]),
    (
        "a line's property, hidden or not",
        {
            "note_attributes": [],
            "line_items": [
                shopify_line(1, properties=[{"name": "_group_id", "value": f" {GROUP} "}]),
                shopify_line(2, properties=[{"name": "Group-ID", "value": OTHER_GROUP}]),
                shopify_line(3, properties=[{"name": "Engraving", "value": GROUP}]),
            ],
        },
        [(GROUP, None), (OTHER_GROUP, None), (None, None)],
    ),
    (
        "a line's property wins over the order's attribute",
        {
            "line_items": [
                shopify_line(1, properties=[{"name": "group_id", "value": OTHER_GROUP}]),
                shopify_line(2),
            ],
        },
        [(OTHER_GROUP, None), (GROUP, None)],
    ),
    (
        "a discount code among others",
        {"note_attributes": [], "discount_codes": [{"code": "SUMMER"}, {"code": GROUP}]},
        [(GROUP, None)],
    ),
    (
        "a code that only begins as ours do",
        {"note_attributes": [], "discount_codes": [{"code": "GB-SUMMER"}, {"code": "GBP10"}]},
        [],
    ),
    (
        "a mistyped attribute",
        {"note_attributes": [{"name": "group_id", "value": MISTYPED}]},
        [(None, MISTYPED)],
    ),
    (
        "a mistyped code",
        {"note_attributes": [], "discount_codes": [{"code": MISTYPED}]},
        [(None, MISTYPED)],
    ),
    (
        "an attribute that is not an id at all",
        {"note_attributes": [{"name": "group_id", "value": "what you told me"}]},
        [(None, "what you told me")],
    ),
    (
        "two groups for the whole order",
        {
            "note_attributes": [
                {"name": "group_id", "value": GROUP},
                {"name": "jointbuy", "value": OTHER_GROUP},
            ]
        },
        [(None, " ".join(sorted([GROUP, OTHER_GROUP])))],
    ),
    ("an empty attribute", {"note_attributes": [{"name": "group_id", "value": ""}]}, []),
    ("attributes that are not text", {"note_attributes": [{"name": "group_id", "value": 7}]}, []),
]


@pytest.mark.parametrize(
    ("fields", "named"),
    [pytest.param(fields, named, id=name) for name, fields, named in GROUP_IN_SHOPIFY],
)
def test_where_shopify_names_a_group(
    fields: Json, named: list[tuple[str | None, str | None]]
) -> None:
    told = of_shopify("orders/create", shopify_order(**fields))
    lines = () if told.names_no_group else order_in(told).lines
    found = [(line.group_id, line.mistyped) for line in lines]
    assert found == named
    if any(mistyped for _, mistyped in named):
        assert told.mistyped is not None
        assert told.mistyped.deliveries == (), "as mended it would pass for a repeat"
    else:
        assert told.mistyped is None


@pytest.mark.parametrize(
    "fields",
    [
        {"meta_data": [{"key": "_jointbuy_group", "value": GROUP}]},
        {
            "meta_data": [],
            "line_items": [woo_line(meta_data=[{"key": "Group ID", "value": GROUP}])],
        },
        {"meta_data": [], "coupon_lines": [{"code": GROUP.lower()}]},
        {"meta_data": [{"key": "group_id", "value": GROUP}, {"key": "x", "value": {"a": 1}}]},
    ],
    ids=["order meta", "line meta", "coupon", "beside meta that is not text"],
)
def test_where_woocommerce_names_a_group(fields: Json) -> None:
    assert [line.group_id for line in order_in(of_woo(woo_order(**fields))).lines] == [GROUP]


# --- whose it is, and what it is worth -----------------------------------------------------------

ANN, GUEST = "115310627314723954", "guest-9007199254740993"


@pytest.mark.parametrize(
    ("fields", "member_id", "buyer_id", "email"),
    [
        ({}, ANN, ANN, "ann@x.example"),
        ({"customer": None}, GUEST, GUEST, "ann@x.example"),
        ({"email": "", "contact_email": "c@x.example"}, ANN, ANN, "c@x.example"),
        ({"email": None, "customer": {"id": 5}}, "5", "5", None),
        (
            {
                "note_attributes": [
                    {"name": "group_id", "value": GROUP},
                    {"name": "member_id", "value": "ann"},
                ]
            },
            "ann",
            ANN,
            "ann@x.example",
        ),
    ],
    ids=["customer", "guest", "contact address", "no address", "told by the cart"],
)
def test_whose_order_it_is(fields: Json, member_id: str, buyer_id: str, email: str | None) -> None:
    seen = order_in(of_shopify("orders/create", shopify_order(**fields)))
    assert (seen.member_id, seen.buyer_id, seen.member_email) == (member_id, buyer_id, email)


def test_ids_beyond_two_to_the_53_stay_whole() -> None:
    assert order_in(of_shopify("orders/create", shopify_order())).order_id == "9007199254740993"


@pytest.mark.parametrize(
    ("price", "quantity", "currency", "off", "value"),
    [
        ("24.00", 2, "EUR", [], 4_800),
        ("0.1", 3, "EUR", [], 30),
        ("1980", 2, "JPY", [], 3_960),
        ("1.234", 2, "KWD", [], 2_468),
        ("0.005", 1, "EUR", [], 1),
        ("0.0049", 1, "EUR", [], 0),
        ("24.00", 2, "EUR", ["4.80", "0.01"], 4_319),
        ("1.00", 1, "EUR", ["2.00"], 0),
        ("9999999999999.99", 1, "EUR", [], 999_999_999_999_999),
    ],
)
def test_money_is_exact(
    price: str, quantity: int, currency: str, off: list[str], value: int
) -> None:
    line = shopify_line(1, quantity, price, discount_allocations=[{"amount": each} for each in off])
    seen = order_in(
        of_shopify("orders/create", shopify_order(currency=currency, line_items=[line]))
    )
    assert seen.lines[0].value == value


def test_amounts_that_are_json_numbers_are_exact_too() -> None:
    body = payloads.parse(b'{"price": 0.1, "whole": 3}')
    assert body["price"] == Decimal("0.1")
    assert payloads.amount(body, "price", "EUR") == Fraction(10)
    assert payloads.amount(body, "whole", "JPY") == Fraction(3)


def test_woocommerce_prices_with_tax_are_worth_it_with_tax() -> None:
    line = woo_line(total="40.34", total_tax="7.66")
    net = order_in(of_woo(woo_order(line_items=[line])))
    gross = order_in(of_woo(woo_order(line_items=[line], prices_include_tax=True)))
    assert (net.lines[0].value, gross.lines[0].value) == (4_034, 4_800)


# --- how it stands -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "status", "paid"),
    [
        ("orders/create", "pending", False),
        ("orders/create", "authorized", False),
        ("orders/create", "paid", True),
        ("orders/create", "partially_paid", False),
        ("orders/paid", "pending", True),
        ("orders/updated", "partially_refunded", True),
        ("orders/updated", "refunded", True),
        ("orders/updated", "voided", False),
    ],
)
def test_when_a_shopify_order_is_paid(topic: str, status: str, paid: bool) -> None:
    assert order_in(of_shopify(topic, shopify_order(financial_status=status))).paid == paid


@pytest.mark.parametrize(
    ("status", "date_paid", "paid", "cancelled", "removed"),
    [
        ("pending", None, False, False, 0),
        ("on-hold", None, False, False, 0),
        ("processing", None, False, False, 0),
        ("processing", "2026-05-04T09:00:05", True, False, 0),
        ("completed", None, True, False, 0),
        ("refunded", "2026-05-04T09:00:05", True, False, 2),
        ("cancelled", None, False, True, 0),
        ("failed", None, False, True, 0),
        ("trash", None, False, True, 0),
        ("wc-custom-packing", "2026-05-04T09:00:05", True, False, 0),
    ],
)
def test_what_a_woocommerce_status_means(
    status: str, date_paid: str | None, paid: bool, cancelled: bool, removed: int
) -> None:
    """Cash on delivery is processing and not paid; ``date_paid_gmt`` tells."""
    seen = order_in(of_woo(woo_order(status=status, date_paid_gmt=date_paid)))
    assert (seen.paid, seen.cancelled, seen.lines[0].removed) == (paid, cancelled, removed)


def test_a_checkout_draft_is_no_order() -> None:
    assert of_woo(woo_order(status="checkout-draft")) == Told()


def test_a_snapshot_tells_of_refunds_before_itself() -> None:
    """So that returns are named after them, and not after what the snapshot lacks."""
    line = shopify_line(current_quantity=1)
    body = shopify_order(
        line_items=[line], refunds=[shopify_refund(77, (1, 1)), shopify_refund(78)]
    )
    refund, seen = of_shopify("orders/updated", body).events
    assert isinstance(refund, ShopRefundSeen)
    assert isinstance(seen, ShopOrderSeen)
    assert (refund.refund_id, seen.lines[0].removed) == ("77", 1)


def test_a_cancelled_order_that_names_no_group_may_have_named_one() -> None:
    cancelled = shopify_order(note_attributes=[], cancelled_at="2026-05-04T11:00:05+02:00")
    (unnamed,) = of_shopify("orders/cancelled", cancelled).at(NOW)
    assert isinstance(unnamed, ShopOrderUnnamed)
    assert (unnamed.shop_order, unnamed.cancelled) == ("shop:9007199254740993", True)


@pytest.mark.parametrize(
    "told",
    [
        of_shopify("orders/updated", shopify_order(note_attributes=[])),
        of_woo(woo_order(meta_data=[])),
    ],
    ids=["shopify", "woocommerce"],
)
def test_what_goes_on_of_an_order_without_a_group_says_nothing_of_its_buyer(told: Told) -> None:
    (unnamed,) = told.events
    assert isinstance(unnamed, ShopOrderUnnamed)
    assert [(line.quantity, line.group_id) for line in unnamed.lines] == [(2, None)]
    written = unnamed.model_dump_json()
    for marked in ("example", "115310627314723954", "guest", "42"):
        assert marked not in written


#: When a webhook says that it was triggered, and what is made of it.
TRIGGERED = [
    ("2026-05-04T09:00:05.123456789Z", datetime(2026, 5, 4, 9, 0, 5, 123_456, tzinfo=UTC)),
    ("2026-05-04T11:00:05.5+02:00", datetime(2026, 5, 4, 9, 0, 5, 500_000, tzinfo=UTC)),
    ("2026-05-04T09:00:05Z", datetime(2026, 5, 4, 9, 0, 5, tzinfo=UTC)),
    ("", None),
    ("soon", None),
    ("0001-01-01T00:00:00+14:00", None),
    (None, None),
]


@pytest.mark.parametrize(("header", "told_at"), TRIGGERED)
def test_when_shopify_says_that_it_told(header: str | None, told_at: datetime | None) -> None:
    headers = {"x-shopify-triggered-at": header} if header is not None else {}
    told = shopify.stamped(of_shopify("orders/paid", shopify_order()), headers, NOW)
    assert order_in(told).told_at == told_at


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-9, False), (0, False), (59, False), (60, True)]
)
def test_when_a_woocommerce_webhook_came_is_heeded_long_after_its_change(
    seconds: int, *, is_taken: bool
) -> None:
    """Its body is made when it is sent; two of one second may overtake each other."""
    told = of_woo(woo_order(meta_data=[{"key": "group_id", "value": MISTYPED}]))
    came = order_in(told).updated_at + timedelta(seconds=seconds)
    stamped = woocommerce.stamped(told, {}, came)
    assert order_in(stamped).told_at == (came if is_taken else None)
    assert stamped.mistyped is not None
    assert stamped.mistyped.told_at == order_in(stamped).told_at, "mended, it is as old as it was"


def test_a_deleted_woocommerce_order_has_only_its_id() -> None:
    told = of_woo({"id": 727}, "order.deleted")
    assert told.at(NOW) == (ShopOrderGone(shop_order="kiosk:727", gone_at=NOW),)


def test_lines_of_a_woocommerce_refund_name_the_lines_they_are_of() -> None:
    refund = {
        "id": 900,
        "date_created_gmt": "2026-05-06T08:00:00",
        "line_items": [
            {"quantity": -1, "meta_data": [{"key": "_refunded_item_id", "value": "315"}]},
            {"quantity": 0, "meta_data": [{"key": "_refunded_item_id", "value": "316"}]},
        ],
    }
    told = woocommerce.read_order(through_json(woo_order()), "kiosk", [refund])
    assert isinstance(told.events[0], ShopRefundSeen)
    assert [(line.line_id, line.quantity) for line in told.events[0].lines] == [("315", 1)]


@pytest.mark.parametrize(
    ("topic", "body"),
    [("products/update", {"id": 1}), ("orders/fulfilled", {"id": 1}), ("", {})],
)
def test_other_topics_are_none_of_ours(topic: str, body: Json) -> None:
    assert shopify.read(topic, body, "shop") is None
    assert woocommerce.read(topic, body, "shop") is None


@pytest.mark.parametrize(
    ("body", "ping"),
    [
        (b"webhook_id=3", True),
        (b"webhook_id=", False),
        (b"webhook_id=3&x=1", False),
        (b"{}", False),
    ],
)
def test_the_creation_ping_is_known(body: bytes, ping: bool) -> None:
    assert woocommerce.is_ping(body) == ping


# --- what can't be read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"id": None}, "id is not an id"),
        ({"id": True}, "id is not an id"),
        ({"id": "a/b"}, "id is not an id"),
        ({"currency": "EURO"}, "currency"),
        ({"created_at": "yesterday"}, "created_at is not a time"),
        ({"line_items": "two of tea"}, "line_items is not a list"),
    ],
)
def test_what_breaks_is_named_without_its_value(fields: Json, problem: str) -> None:
    with pytest.raises(UnreadableError, match=problem) as raised:
        of_shopify("orders/create", shopify_order(**fields))
    for value in fields.values():
        assert str(value) not in str(raised.value) or not str(value).strip("[]{}")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff\xfe{}", "UTF-8"),
        (b"{", "JSON"),
        (b"", "empty"),
        (b'{"a": NaN}', "JSON"),
        (b"[" * 200_000, "JSON"),
        (b"1" * 5_000, "JSON"),
    ],
    ids=["bytes", "half", "nothing", "no number", "depth", "length"],
)
def test_what_is_no_json_is_said_to_be_none(body: bytes, problem: str) -> None:
    with pytest.raises(GarbledError, match=problem):
        payloads.parse(body)


# --- our own language ----------------------------------------------------------------------------

SPOKEN: Json = {
    "type": "OrderPaid",
    "order_id": "A-17",
    "group_id": GROUP,
    "member_id": "ann",
    "quantity": 3,
    "value": 7_200,
    "currency": "EUR",
    "ordered_at": "2026-05-04T09:00:00Z",
}
PAID = OrderPaid(
    source="till",
    order_id="A-17",
    group_id=GROUP,
    member_id="ann",
    quantity=3,
    value=7_200,
    currency="EUR",
    ordered_at=datetime(2026, 5, 4, 9, tzinfo=UTC),
)


def without_type(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "type"}


@pytest.mark.parametrize(
    "body",
    [
        SPOKEN,
        SPOKEN | {"source": "till", "group_id": GROUP.lower().replace("-", " ")},
        {"type": "OrderPaid", "timestamp": "2026-05-04T09:00:00Z", "data": without_type(SPOKEN)},
        SPOKEN | {"quantity": 3.0, "value": "7200.00"},
        SPOKEN | {"quantity": "3e0", "unit_price": None, "note": {"of": ["any", None]}},
        SPOKEN | {"person_id": "m-of-another-shops-buyer"},
    ],
    ids=[
        "plain",
        "id read aloud",
        "as the specification recommends",
        "whole decimals",
        "an exponent, a null, and a field of no message",
        "a person's id, which only our own services give",
    ],
)
def test_a_shop_can_speak_our_language(body: Json) -> None:
    spoken = standard.read(through_json(body), "till")
    assert (spoken.message, spoken.mistyped) == (PAID, False)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (SPOKEN | {"source": "another"}, "source"),
        (SPOKEN | {"quantity": 0}, "quantity"),
        (SPOKEN | {"type": "GroupPurchase"}, "body"),
        ({"type": "TimePassed", "at": "2026-05-04T09:00:00Z"}, "no shop can say"),
        (SPOKEN | {"value": 0.1}, "value"),
        (SPOKEN | {"quantity": 2.5}, "quantity"),
        (SPOKEN | {"quantity": "3,0"}, "quantity"),
        (SPOKEN | {"quantity": True}, "quantity"),
        (SPOKEN | {"quantity": None}, "quantity"),
        ([], "not an object"),
    ],
)
def test_what_is_wrong_in_our_language_is_named(body: Any, problem: str) -> None:
    with pytest.raises(UnreadableError, match=problem):
        standard.read(through_json(body), "till")


def test_a_mistyped_group_in_our_language_is_for_people() -> None:
    assert standard.read(SPOKEN | {"group_id": MISTYPED}, "till").mistyped


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (json.dumps(SPOKEN), []),
        (json.dumps(json.dumps(SPOKEN)), []),
        (json.dumps({"schema": {"type": "string"}, "payload": json.dumps(SPOKEN)}), []),
        (json.dumps(without_type(SPOKEN)), [("eventType", b"OrderPaid")]),
        (json.dumps(without_type(SPOKEN)), [("type", b'"OrderPaid"')]),
    ],
    ids=["expanded", "escaped", "in an envelope", "type in a header", "header with quotes"],
)
def test_an_outbox_event_is_read_whatever_its_converter(
    value: str, headers: list[tuple[str, bytes]]
) -> None:
    told = [("id", b"4d47e190-0402-4048-bc2c-89dd54343cdc"), *headers]
    assert outbox.read(value.encode(), told, "till").message == PAID
    assert outbox.event_id(told) == "4d47e190-0402-4048-bc2c-89dd54343cdc"


# --- whatever a signed payload holds -------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["\ud800", "0", "-1", "9999-12-31T23:59:59-14:00", "0001-01-01", GROUP]),
    st.lists(st.one_of(st.none(), st.integers(), st.just({})), max_size=2),
    st.dictionaries(st.sampled_from(["id", "name", "value"]), st.integers(), max_size=2),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a payload."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    found = [path] if path else []
    for key, value in inner:
        is_inner = isinstance(value, dict | list)
        found += places(value, (*path, key)) if is_inner else [(*path, key)]
    return found


def changed(body: Json, path: tuple[Any, ...], value: Any) -> Json:
    copied = copy.deepcopy(body)
    node: Any = copied
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return copied


PAYLOADS = {
    "orders/updated": shopify_order(
        refunds=[shopify_refund(77, (1, 1))],
        discount_codes=[{"code": GROUP}],
        line_items=[
            shopify_line(
                properties=[{"name": "group_id", "value": GROUP}],
                discount_allocations=[{"amount": "1.00"}],
                current_quantity=1,
            )
        ],
    ),
    "refunds/create": shopify_refund(77, (1, 1)),
    "orders/edited": {
        "order_edit": {
            "id": 5,
            "order_id": 9,
            "committed_at": "2026-05-04T09:00:00Z",
            "line_items": {
                "additions": [{"id": 1, "delta": 2}],
                "removals": [{"id": 1, "delta": 1}],
            },
        }
    },
    "order.updated": woo_order(coupon_lines=[{"code": GROUP}]),
}


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_payload_makes_more_than_a_refusal(draw: st.DataObject) -> None:
    """Whatever stands where, it is read or refused; and what is read, no rule stumbles over."""
    topic = draw.draw(st.sampled_from(sorted(PAYLOADS)))
    body = PAYLOADS[topic]
    for _ in range(draw.draw(st.integers(1, 2))):
        body = changed(body, draw.draw(st.sampled_from(places(body))), draw.draw(ODD))
    reader = woocommerce.read if topic.startswith("order.") else shopify.read
    try:
        told = reader(topic, body, "shop", ())
    except ValueError:
        return
    assert told is not None
    rows = MemoryRows("shop:9007199254740993")
    for event in (*told.at(NOW), *told.at(NOW)):
        written = event.model_dump_json(exclude_none=True)
        read = SHOP_EVENTS.adapter.validate_json(written)
        for message in PROCESSOR.on[type(read)](read, rows, NOW):
            topic = PEOPLE if isinstance(message, Person) else ORDERS
            if not isinstance(message, Task | ProductAsked):
                topic.adapter.validate_json(message.model_dump_json(exclude_none=True))


@pytest.mark.parametrize(
    ("candidates", "email"),
    [
        ((None, 7, "ann@x.example"), "ann@x.example"),
        (("a..b@docomo.ne.jp",), "a..b@docomo.ne.jp"),
        (("jörg@example.com",), "jörg@example.com"),
        ((" ann\uff20x.example ",), "ann@x.example"),
        # Better one that a letter can reach; else the letter says what is wrong with it.
        (("ann@x.example, bob@x.example", "ann@x.example"), "ann@x.example"),
        (("ann@x.example, bob@x.example",), "ann@x.example, bob@x.example"),
        (("ann@[192.0.2.1]", "guest"), "ann@[192.0.2.1]"),
        (("guest", ""), None),
        ((f"{'a' * 320}@x.example",), None),
    ],
)
def test_the_first_address_of_an_order_that_a_letter_can_reach_is_taken(
    candidates: tuple[object, ...], email: str | None
) -> None:
    assert payloads.email(*candidates) == email
