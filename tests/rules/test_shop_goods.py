"""What counts of a shop's order: goods, each once, and of a cart the group's product.

Sources of the shapes: dokan#250 and #1987 (sub-orders), BCApps#6811 (tips), the REST references of
Product Bundles and Composite Products, Shopify's ``LineItemGroup``, WooCommerce Subscriptions.
"""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from runtime.rows import MemoryRows
from schemas.groups import GroupPurchase
from schemas.ops import Task
from schemas.orders import OrderPaid
from schemas.parts import Message, Product
from schemas.shop_orders import ProductAsked, ProductTold, ShopOrderSeen
from services.shop_bridge.processor import INSTRUCTIONS
from services.shop_bridge.rules.translations import shopify, woocommerce
from services.shop_bridge.rules.translations.goods import Reading
from services.shop_bridge.rules.translations.shop_orders import Told
from tests.rules.test_shop_order_rules import NOW, Bridge, counted
from tests.webhook_payloads import (
    GROUP,
    OTHER_GROUP,
    Json,
    shopify_line,
    shopify_order,
    woo_line,
    woo_order,
)

IN_SHOPIFY = [{"name": "group_id", "value": GROUP}]
IN_WOO = {"key": "group_id", "value": GROUP}


def meta(**fields: Any) -> list[Json]:
    return [{"key": key, "value": value} for key, value in fields.items()]


class Cart(Bridge):
    """A shop's order beside a group for one product, as the terms name it."""

    def __init__(self, product_id: str | None, how: Reading = Reading()) -> None:  # noqa: B008
        super().__init__()
        self.how = how
        self.group = MemoryRows(GROUP)
        terms = GroupPurchase(
            group_id=GROUP,
            request_id="office-tea",
            version=1,
            requested_at=NOW,
            issued_at=NOW,
            product=Product(id=product_id, name="Sencha"),
            number_of_products=100,
            unit_price=2_400,
            currency="EUR",
            opens_at=NOW,
            closes_at=NOW + timedelta(days=9),
        )
        if product_id != "unknown":
            INSTRUCTIONS.on[GroupPurchase](terms, self.group, NOW)

    def shopify(self, topic: str, delivery: str = "", **body: Any) -> list[str]:
        return self.answered(shopify.read(topic, body, "shop", (), self.how))

    def woo(self, topic: str = "order.updated", **body: Any) -> list[str]:
        return self.answered(woocommerce.read(topic, body, "kiosk", (), self.how))

    def answered(self, told: Told | None) -> list[str]:
        """Apply it, and answer what is asked of the group meanwhile."""
        assert told is not None
        begins = len(self.sent)
        said = self.take(told.at(NOW))
        answers: list[Message] = []
        for asked in self.sent[begins:]:
            if isinstance(asked, ProductAsked):
                answers += INSTRUCTIONS.on[ProductAsked](asked, self.group, NOW)
        assert all(isinstance(each, ProductTold) for each in answers)
        return [*said, *self.take(answers)]

    @property
    def units(self) -> int:
        """What the group counts."""
        return counted(self.sent)[0]


# --- what is no goods ----------------------------------------------------------------------------

EXTRAS: list[tuple[str, Json]] = [
    ("a tip", {"title": "Tip", "product_id": None, "tip": {"payment_gateway": "x"}}),
    ("a tip by its name", {"title": " TIP ", "product_id": None}),
    ("a tip in German", {"title": "Trinkgeld", "product_id": None}),
    ("a gift card", {"title": "Gift card", "product_id": 5, "gift_card": True}),
    ("a gift card of a plugin", {"meta_data": meta(_wc_gc_giftcard_amount="50")}),
    ("shipping protection", {"title": "Shipping Protection by Route", "product_id": 6}),
    ("package insurance", {"title": "Package insurance", "product_id": 6}),
    ("insurance by its SKU", {"title": "Peace of mind", "sku": "ROUTEINS10", "product_id": 6}),
]


@pytest.mark.parametrize("extra", [pytest.param(extra, id=name) for name, extra in EXTRAS])
def test_lines_that_are_not_goods_do_not_count(extra: Json) -> None:
    """And the line after it is judged alone (BCApps#6811)."""
    if "meta_data" not in extra:
        cart = Cart(None)
        lines = [shopify_line(1) | extra, shopify_line(2)]
        cart.shopify("orders/paid", **shopify_order(line_items=lines))
        assert cart.units == 2
    cart = Cart(None)
    named = {"name": extra["title"]} if "title" in extra else {}
    lines = [woo_line(1) | extra | named, woo_line(2)]
    cart.woo(**woo_order(line_items=lines, status="completed"))
    assert cart.units == 2


@pytest.mark.parametrize(
    "line",
    [
        {"title": "Tip-top tea", "product_id": 9},
        {"title": "Tip", "product_id": 9},
        {"title": "Sun protection", "product_id": 9},
        {"title": "Shipping Protection", "product_id": 9, "properties": IN_SHOPIFY},
        {"title": "Gift card", "gift_card": True, "properties": IN_SHOPIFY},
        {"title": "Tea", "gift_card": False, "tip": None},
    ],
    ids=[
        "a word in it",
        "a product of that name",
        "other protection",
        "named itself",
        "a gift card that names the group itself",
        "no extra",
    ],
)
def test_goods_are_not_taken_for_extras(line: Json) -> None:
    cart = Cart(None)
    cart.shopify("orders/paid", **shopify_order(line_items=[shopify_line(1) | line]))
    assert cart.units == 2


# --- bundles -------------------------------------------------------------------------------------

REST = [woo_line(1, 3, "60.00", bundled_items=[2, 3]), woo_line(2, 6, "0.00", bundled_by=1)]
META = [
    woo_line(1, 3, "60.00", meta_data=meta(_bundle_cart_key="a1")),
    woo_line(2, 6, "6.00", meta_data=meta(_bundled_by="a1", _bundle_cart_key="b2")),
    woo_line(3, 3, "3.00", meta_data=meta(_bundled_by="a1")),
]
NESTED = [
    woo_line(1, 3, "60.00", meta_data=meta(_composite_cart_key="a1")),
    woo_line(2, 3, "0", meta_data=meta(_composite_parent="a1", _bundle_cart_key="b2")),
    woo_line(3, 9, "0", meta_data=meta(_bundled_by="b2")),
]
OTHERS = [
    woo_line(1, 3, "60.00", product_id=17),
    woo_line(2, 6, "0", meta_data=meta(_woosb_parent_id=17)),
]
ORPHAN = [woo_line(2, 3, "60.00", bundled_by=1)]
CHAIN = [woo_line(1, 3, bundled_by=2), woo_line(2, 3, bundled_by=1)]


@pytest.mark.parametrize(
    ("lines", "stands"),
    [
        (REST, (3, 6_000)),
        (META, (3, 6_900)),
        (NESTED, (3, 6_000)),
        (OTHERS, (3, 6_000)),
        (ORPHAN, (3, 6_000)),
        (
            [woo_line(1, 3, "60.00", composite_children=[2]), woo_line(2, 3, composite_parent=1)],
            (3, 10_800),
        ),
        ([woo_line(1, 3, "60.00", bundled_by="", composite_parent=0)], (3, 6_000)),
    ],
    ids=[
        "by REST",
        "by cart keys",
        "a bundle in a composite",
        "by product",
        "its whole is gone",
        "a composite",
        "no part",
    ],
)
def test_a_bundle_of_woocommerce_counts_once_at_what_it_costs(
    lines: list[Json], stands: tuple[int, int]
) -> None:
    cart = Cart(None)
    cart.woo(**woo_order(line_items=lines, status="completed"))
    assert counted(cart.sent) == stands


def test_parts_that_name_each_other_end_somewhere() -> None:
    cart = Cart(None)
    cart.woo(**woo_order(line_items=CHAIN, status="completed"))
    assert cart.units == 3


@pytest.mark.parametrize("on", ["both", "the part", "the whole"])
def test_a_bundle_that_names_its_group_itself(on: str) -> None:
    """A part whose whole is of no group is goods of its own."""
    whole = [IN_WOO] if on != "the part" else []
    part = [IN_WOO] if on != "the whole" else []
    lines = [woo_line(1, 3, meta_data=whole), woo_line(2, 6, bundled_by=1, meta_data=part)]
    cart = Cart(None)
    cart.woo(**woo_order(line_items=lines, status="completed", meta_data=[]))
    assert cart.units == (6 if on == "the part" else 3)


def component(line_id: int, quantity: int, **more: Any) -> Json:
    group = {"id": 5, "quantity": 3, "product_id": 70, "variant_id": 71, "variant_sku": "SET"}
    return shopify_line(line_id, quantity, "2.00", line_item_group=group) | more


def only_id(line_id: int, quantity: int, **more: Any) -> Json:
    return shopify_line(line_id, quantity, "2.00", sales_line_item_group_id=5) | more


@pytest.mark.parametrize(
    ("lines", "stands"),
    [
        ([component(1, 6), component(2, 3)], (3, 1_800)),
        ([component(1, 6, current_quantity=4), component(2, 3)], (3, 1_800)),
        ([component(1, 6, current_quantity=4), component(2, 3, current_quantity=2)], (2, 1_200)),
        ([component(1, 6, current_quantity=0), component(2, 3, current_quantity=0)], (0, 0)),
        ([component(1, 6), shopify_line(3, 1, "2.00"), component(2, 3)], (4, 2_000)),
        ([only_id(1, 6), only_id(2, 3)], (3, 1_800)),
        (
            [component(1, 6, line_item_group={"id": 5, "quantity": "?"}), component(2, 3)],
            (3, 1_800),
        ),
        (
            [component(1, 6, properties=IN_SHOPIFY), component(2, 3, properties=IN_SHOPIFY)],
            (3, 1_800),
        ),
    ],
    ids=[
        "once",
        "one component short",
        "a bundle back",
        "all back",
        "beside another line",
        "of no told quantity",
        "of an odd quantity",
        "each names the group",
    ],
)
def test_a_bundle_of_shopify_counts_once_at_what_it_costs(
    lines: list[Json], stands: tuple[int, int]
) -> None:
    cart = Cart(None)
    cart.shopify("orders/paid", **shopify_order(line_items=lines))
    assert counted(cart.sent) == stands


def test_a_bundle_that_can_t_be_counted_is_for_people() -> None:
    cart = Cart(None)
    lines = [component(1, 6), component(2, 0.5)]  # type: ignore[arg-type]
    said = cart.shopify("orders/paid", **shopify_order(line_items=lines))
    assert said == ["left to people: not-counted"]


# --- orders that are no purchase -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"test": True},
        {"test": "true"},
        {"payment_gateway_names": ["bogus"]},
        {"source_name": "subscription_contract"},
        {"tags": "tea, Subscription Recurring Order"},
    ],
)
def test_orders_of_shopify_that_count_nowhere(fields: Json) -> None:
    told = shopify.read("orders/paid", shopify_order(**fields), "shop")
    assert told is not None
    assert told.at(NOW) == ()
    assert told.ignored


@pytest.mark.parametrize(
    "fields",
    [
        {"test": False},
        {"test": None},
        {"payment_gateway_names": ["visa", "bogus"], "test": False},
        {"source_name": "subscription_contract_checkout_one"},
        {"source_name": "pos"},
        {"source_name": "580111"},
        {"tags": "Subscription First Order"},
    ],
)
def test_orders_of_shopify_that_count(fields: Json) -> None:
    """At a till, by an app, and the first of a subscription."""
    told = shopify.read("orders/paid", shopify_order(**fields), "shop")
    assert told is not None
    assert isinstance(told.events[-1], ShopOrderSeen)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "checkout-draft"},
        {"status": "auto-draft"},
        {"status": "draft"},
        {"status": "scheduled-payment"},
        {"status": "pending-deposit"},
        {"created_via": "wc_deposits", "parent_id": 700},
        {"created_via": "subscription"},
        {"meta_data": [IN_WOO, *meta(_subscription_renewal="31")]},
        {"meta_data": [IN_WOO, *meta(_subscription_renewal=31)]},
        {"meta_data": [IN_WOO, *meta(_subscription_resubscribe="31")]},
        {"meta_data": [IN_WOO, *meta(_subscription_switch="31")]},
        {"meta_data": [IN_WOO, *meta(_wcpay_mode="test")]},
    ],
)
def test_orders_of_woocommerce_that_count_nowhere(fields: Json) -> None:
    told = woocommerce.read("order.updated", woo_order(**fields), "kiosk")
    assert told is not None
    assert told.at(NOW) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "pending"},
        {"created_via": "admin"},
        {"created_via": "rest-api"},
        {"created_via": None},
        {"meta_data": [IN_WOO, *meta(_subscription_renewal="", _wcpay_mode="prod")]},
        {"parent_id": 0},
    ],
)
def test_orders_of_woocommerce_that_count(fields: Json) -> None:
    told = woocommerce.read("order.updated", woo_order(**fields), "kiosk")
    assert told is not None
    assert isinstance(told.events[-1], ShopOrderSeen)


def test_test_orders_count_where_the_shop_s_entry_says_so() -> None:
    how = Reading(test_orders=True)
    told = shopify.read("orders/paid", shopify_order(test=True), "shop", (), how)
    assert told is not None
    assert told.events


def test_a_deposit_is_paid_when_the_rest_is() -> None:
    """One order of the goods; the order for the rest tells of no goods."""
    cart = Cart(None)
    paid_at = "2026-05-04T09:00:05"
    said = cart.woo(**woo_order(status="partial-payment", date_paid_gmt=paid_at))
    assert said == ["placed 727 2 for 4800"]
    rest = woo_order(id=728, parent_id=727, created_via="wc_deposits", status="completed")
    assert cart.woo(**rest) == []
    done = {"status": "processing", "date_modified_gmt": "2026-06-04T09:00:05"}
    assert cart.woo(**woo_order(date_paid_gmt=paid_at, **done)) == ["paid 727 2 for 4800"]


# --- one purchase told twice ---------------------------------------------------------------------

TEA, MUG = {"product_id": 12}, {"product_id": 13}


def parent(minute: int = 0, **fields: Any) -> Json:
    at = f"2026-05-04T09:0{minute}:00"
    return woo_order(
        **{
            "line_items": [woo_line(1, **TEA)],
            "status": "processing",
            "date_paid_gmt": at,
            "date_modified_gmt": at,
        }
        | fields
    )


def child(own_id: int = 801, minute: int = 0, **fields: Any) -> Json:
    own = {"id": own_id, "parent_id": 727, "created_via": "dokan"}
    line = woo_line(own_id * 10, **TEA)
    return parent(minute, **({"line_items": [line]} | own | fields))


PARTS: list[tuple[str, list[Json], int]] = [
    ("the parent and one sub-order", [parent(), child()], 2),
    (
        "a sub-order for each vendor, of the same product",
        [
            parent(),
            child(line_items=[woo_line(8, 1, **TEA)]),
            child(802, line_items=[woo_line(9, 1, **TEA)]),
        ],
        2,
    ),
    (
        "sub-orders made twice, one of them cancelled",
        [parent(), child(), child(802), child(802, 1, status="cancelled")],
        2,
    ),
    ("a sub-order that names no group", [parent(), child(meta_data=[])], 2),
    ("a parent that names no group", [parent(meta_data=[]), child()], 2),
    ("a parent without lines, as a splitter moves them", [parent(line_items=[]), child()], 2),
    (
        "a sub-order of other goods, as an upsell",
        [parent(), child(line_items=[woo_line(8, 1, **MUG)])],
        3,
    ),
    (
        "two vendors of two products",
        [
            parent(line_items=[woo_line(1, **TEA), woo_line(2, 3, **MUG)]),
            child(),
            child(802, line_items=[woo_line(9, 3, **MUG)]),
        ],
        5,
    ),
    (
        "a vendor sends half of it back",
        [parent(), child(), child(minute=1, line_items=[woo_line(8010, 1, **TEA)])],
        2,
    ),
    ("a sub-order is refunded whole", [parent(), child(), child(minute=1, status="refunded")], 0),
    ("a sub-order is cancelled", [parent(), child(), child(minute=1, status="cancelled")], 0),
    (
        "of two sub-orders one is cancelled",
        [
            parent(),
            child(line_items=[woo_line(8, 1, **TEA)]),
            child(802, line_items=[woo_line(9, 1, **TEA)]),
            child(802, 1, line_items=[woo_line(9, 1, **TEA)], status="cancelled"),
        ],
        1,
    ),
    ("the parent is cancelled", [parent(), child(), parent(1, status="cancelled")], 0),
    ("the parent is refunded", [parent(), child(), parent(1, status="refunded")], 0),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "units"), [pytest.param(told, units, id=name) for name, told, units in PARTS]
)
def test_a_purchase_told_in_sub_orders_counts_once(told: list[Json], units: int) -> None:
    """In whatever order they come, and each twice."""
    how = Reading(products="all")
    for order in permutations(told):
        cart = Cart(None, how)
        for body in (*order, *order):
            cart.woo(**body)
        assert cart.units == units, [body["id"] for body in order]
        ids = {each.order_id for each in cart.sent if isinstance(each, OrderPaid)}
        assert all(each.partition("-")[0] == "727" for each in ids)


def test_lines_returned_in_a_sub_order_are_returned_once() -> None:
    cart = Cart(None)
    refund = {
        "id": 900,
        "date_created_gmt": "2026-05-06T08:00:00",
        "line_items": [{"quantity": -1, "meta_data": meta(_refunded_item_id="8010")}],
    }
    cart.woo(**parent())
    cart.answered(woocommerce.read_order(child(), "kiosk", [refund]))
    cart.answered(woocommerce.read_order(child(), "kiosk", [refund]))
    assert cart.units == 1


# --- the group's product -------------------------------------------------------------------------

CART_OF_TWO = [
    shopify_line(1, 2, product_id=12, variant_id=120, sku="Tea-100"),
    shopify_line(2, 5, "1.00", product_id=13, variant_id=130, sku="MUG"),
]


@pytest.mark.parametrize(
    ("product_id", "products", "units"),
    [
        ("12", "compare", 2),
        ("120", "compare", 2),
        ("tea-100", "compare", 2),
        (" TEA-100 ", "compare", 2),
        ("13", "compare", 5),
        ("erp-4711", "compare", 7),
        (None, "compare", 7),
        ("unknown", "compare", 7),
        ("12", "strictly", 2),
        ("erp-4711", "strictly", 0),
        (None, "strictly", 7),
        ("12", "all", 7),
        ("erp-4711", "all", 7),
    ],
)
def test_of_a_cart_the_group_s_product_counts(
    product_id: str | None, products: Any, units: int
) -> None:
    """By the product's id, its variant's or its SKU; ids that can't be compared lose nothing."""
    cart = Cart(product_id, Reading(products=products))
    cart.shopify("orders/paid", **shopify_order(line_items=CART_OF_TWO))
    assert cart.units == units
    told = [each.reason for each in cart.sent if isinstance(each, Task)]
    assert told == (["not-the-product"] if not units else [])
    asked = [each for each in cart.sent if isinstance(each, ProductAsked)]
    assert len(asked) == (products != "all")


def test_woocommerce_carts_are_compared_likewise() -> None:
    lines = [
        woo_line(1, 2, product_id=12, variation_id=0, sku=""),
        woo_line(2, 5, product_id=13, variation_id=120, sku="MUG"),
    ]
    for product_id, units in (("12", 2), ("120", 5), ("MUG", 5), ("0", 7), ("erp", 7)):
        cart = Cart(product_id)
        cart.woo(**woo_order(line_items=lines, status="completed"))
        assert cart.units == units


def test_a_line_that_names_the_group_itself_is_not_compared() -> None:
    lines = [shopify_line(1, 3, properties=IN_SHOPIFY, product_id=99), shopify_line(2, 5)]
    cart = Cart("12", Reading(products="strictly"))
    said = cart.shopify("orders/paid", **shopify_order(line_items=lines, note_attributes=[]))
    assert (cart.units, len(said)) == (3, 1)


def test_a_cart_of_one_product_is_counted_without_asking() -> None:
    lines = [shopify_line(1, 2, product_id=13), shopify_line(2, 1, product_id=13)]
    cart = Cart("12")
    (said,) = cart.shopify("orders/paid", **shopify_order(line_items=lines))
    assert said.startswith("paid")
    assert cart.units == 3


def test_a_strict_shop_s_order_of_another_product_is_seen_by_people_until_it_is_mended() -> None:
    cart = Cart("12", Reading(products="strictly"))
    wrong = shopify_order(line_items=[shopify_line(1, 2, product_id=13)], name="#1001")
    cart.shopify("orders/paid", **wrong)
    (task,) = [each for each in cart.sent if isinstance(each, Task)]
    assert (task.about, task.reason, task.done_at) == ("#1001", "not-the-product", None)
    assert GROUP in task.problem
    right = wrong | {
        "line_items": [shopify_line(1, 2, product_id=12)],
        "updated_at": "2026-05-04T11:05:00+02:00",
    }
    said = cart.shopify("orders/paid", **right)
    assert said == ["paid 9007199254740993 2 for 4800", "done: not-the-product"]


def test_what_is_refunded_of_the_rest_of_the_cart_is_no_return() -> None:
    cart = Cart("12")
    cart.shopify("orders/paid", **shopify_order(line_items=CART_OF_TWO))
    refund = {
        "id": 77,
        "order_id": 9_007_199_254_740_993,
        "created_at": "2026-05-06T10:00:00+02:00",
        "refund_line_items": [{"line_item_id": 2, "quantity": 5}],
    }
    assert cart.shopify("refunds/create", **refund) == []
    refund |= {"id": 78, "refund_line_items": [{"line_item_id": 1, "quantity": 1}]}
    assert cart.shopify("refunds/create", **refund) == ["returned 78 1 of 9007199254740993"]


def test_two_groups_of_one_cart_are_compared_each_for_itself() -> None:
    lines = [
        shopify_line(1, 2, product_id=12),
        shopify_line(2, 3, product_id=13, properties=[{"name": "group_id", "value": OTHER_GROUP}]),
        shopify_line(3, 4, product_id=14),
    ]
    cart = Cart("12")
    cart.shopify("orders/paid", **shopify_order(line_items=lines))
    assert (counted(cart.sent)[0], counted(cart.sent, OTHER_GROUP)[0]) == (2, 3)


def test_a_cancelled_cart_that_waits_for_the_product_counts_nothing() -> None:
    bridge = Bridge()
    body = shopify_order(line_items=CART_OF_TWO)
    assert bridge.shopify("orders/paid", **body) == [f"which product is {GROUP}"]
    gone = body | {
        "cancelled_at": "2026-05-04T11:05:00+02:00",
        "updated_at": "2026-05-04T11:05:00+02:00",
    }
    assert bridge.shopify("orders/cancelled", **gone) == []
    told = ProductTold(shop_order="shop:9007199254740993", group_id=GROUP, product_id="12")
    bridge.take([told, told])
    assert counted(bridge.sent) == (0, 0)
