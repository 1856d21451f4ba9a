"""What is odd in a shop's order and costs no group its lines: fields of the wrong type, and gaps.

The shapes are those of bug reports (woocommerce#52198, mollie/WooCommerce#255); the values are
made up.
"""

from decimal import Decimal
from typing import Any

import pytest

from schemas.ops import Task
from schemas.shop_orders import ShopOrderEdited, ShopOrderSeen, ShopRefundSeen
from services.shop_bridge.rules.translations import payloads, woocommerce
from services.shop_bridge.rules.translations.payloads import UnreadableError
from services.shop_bridge.rules.translations.shop_orders import Told
from tests.rules.test_shop_order_rules import ID, Bridge, counted
from tests.rules.test_shop_translations import of_shopify, of_woo, order_in, through_json
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

IN_SHOPIFY = [{"name": "group_id", "value": GROUP}]
IN_WOO = [{"key": "group_id", "value": GROUP}]
OURS = shopify_line(1, properties=IN_SHOPIFY)
OUR_WOO = woo_line(315, meta_data=IN_WOO)

#: Fields of a line that make nothing of it readable, for both shops.
ODD_LINES: list[tuple[str, Json]] = [
    ("half a unit", {"quantity": 0.5}),
    ("a third of a unit as text", {"quantity": "0.333"}),
    ("no quantity", {"quantity": None}),
    ("a negative quantity", {"quantity": -1}),
    ("a quantity in words", {"quantity": "two"}),
    ("more units than can be", {"quantity": 10**30}),
    ("no total", {"total": None, "price": None}),
    ("a tiny negative total", {"total": "-8.0E-5", "price": "-8.0E-5"}),
    ("a comma", {"total": "12,50", "price": "12,50"}),
    ("more money than can be", {"total": "9e18", "price": "9e18"}),
    ("an exponent without end", {"total": "1e999999", "price": "1e999999"}),
    ("no id", {"id": None}),
    ("an id that is a list", {"id": [1]}),
    ("id 0", {"id": 0}),
    ("fields as an object", {"properties": {"Engraving": "Ann"}, "meta_data": {"Engraving": "A"}}),
    ("fields as text", {"properties": "none", "meta_data": "none"}),
    ("fields among nulls", {"properties": [None, 7, {}], "meta_data": [None, 7, {}]}),
    ("discounts as text", {"discount_allocations": "none", "total_tax": "none"}),
    ("discounts of nothing", {"discount_allocations": [{"amount": None}, None], "total_tax": None}),
    ("no product", {"product_id": None, "variant_id": None, "variation_id": None, "sku": None}),
    ("a product of another type", {"product_id": {}, "sku": 7.5, "title": 3, "name": []}),
]
#: Fields of an order that concern no group.
ODD_ORDERS: list[tuple[str, Json]] = [
    ("a customer as a list", {"customer": [], "billing": []}),
    ("a customer of no type", {"customer": "Ann", "billing": "Ann"}),
    ("a customer's id of another type", {"customer": {"id": {}}, "customer_id": {}}),
    ("addresses of another type", {"email": 7, "contact_email": [], "billing": {"email": 7}}),
    ("codes as text", {"discount_codes": "SUMMER", "coupon_lines": "SUMMER"}),
    ("codes among nulls", {"discount_codes": [None, {"code": 7}], "coupon_lines": [None, {}]}),
    ("attributes as text", {"note_attributes": "none", "meta_data": "none"}),
    ("attributes of another type", {"note_attributes": [7, {"name": 1}], "meta_data": [7]}),
    ("notes of another type", {"note": {"a": 1}, "customer_note": [], "tags": ["a"]}),
    ("refunds as text", {"refunds": "none"}),
    ("refunds among nulls", {"refunds": [None, {"id": None}, {"refund_line_items": 7}]}),
    ("an order's number of another type", {"name": {}, "order_number": [], "number": {}}),
    ("gateways of another type", {"payment_gateway_names": "bogus?", "payment_method": None}),
    ("lines among nulls", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize("odd", [pytest.param(odd, id=name) for name, odd in ODD_LINES])
def test_a_foreign_line_s_quirk_costs_the_group_nothing(odd: Json) -> None:
    lines = [shopify_line(2) | odd, OURS, shopify_line(3, 7)]
    told = of_shopify("orders/create", shopify_order(note_attributes=[], line_items=lines))
    assert ours_of(told) == [("1", 2, 0, 4_800)]
    assert told.problem is None
    woo_lines = [woo_line(2) | odd, OUR_WOO, woo_line(3, 7)]
    told = of_woo(woo_order(meta_data=[], line_items=woo_lines))
    assert ours_of(told) == [("315", 2, 0, 4_800)]
    assert told.problem is None


@pytest.mark.parametrize("odd", [pytest.param(odd, id=name) for name, odd in ODD_ORDERS])
def test_an_order_s_quirk_costs_the_group_nothing(odd: Json) -> None:
    body = shopify_order(note_attributes=[], line_items=[None, OURS, 7]) | odd
    assert ours_of(of_shopify("orders/updated", body)) == [("1", 2, 0, 4_800)]
    woo = woo_order(meta_data=[], line_items=[None, OUR_WOO, 7]) | odd
    assert ours_of(of_woo(woo)) == [("315", 2, 0, 4_800)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["discount_codes", "note_attributes", "meta_data", "coupon_lines"])
@pytest.mark.parametrize("odd", [None, "none", 7, [], {}, [[]], [None], True])
def test_what_an_order_of_no_group_holds_makes_it_no_group_s(name: str, odd: Any) -> None:
    empty = {"note_attributes": [], "meta_data": []}
    assert not names_a_group(of_shopify("orders/create", shopify_order(**(empty | {name: odd}))))
    assert not names_a_group(of_woo(woo_order(**(empty | {name: odd}))))


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"currency": "EURO"},
        {"currency": None},
        {"created_at": None, "date_created_gmt": None, "updated_at": None},
        {"status": None},
        {"status": ["paid"]},
        {"line_items": [{"quantity": 0.5}]},
    ],
)
def test_an_order_of_no_group_is_never_unreadable(broken: Json) -> None:
    """Whatever is wrong with it concerns no group."""
    body = shopify_order(note_attributes=[]) | broken
    assert not names_a_group(of_shopify("orders/create", body))
    assert not names_a_group(of_woo(woo_order(meta_data=[]) | broken))


@pytest.mark.parametrize("broken", [{"id": None}, {"currency": "EURO"}, {"updated_at": "x"}])
def test_an_order_of_a_group_that_can_t_be_read_is_refused(broken: Json) -> None:
    broken = broken | {"date_modified_gmt": "x"} if "updated_at" in broken else broken
    shopify = shopify_order(**broken)
    if "updated_at" in broken:
        shopify["created_at"] = "x"
    with pytest.raises(UnreadableError):
        of_shopify("orders/create", shopify)
    woo = woo_order(**broken)
    if "updated_at" in broken:
        woo["date_created_gmt"] = "x"
    with pytest.raises(UnreadableError):
        of_woo(woo)


# --- what shops mean by a number -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "units"),
    [
        (2, 2),
        (2.0, 2),
        ("2", 2),
        ("2.00", 2),
        ("2.", 2),
        (" 2 ", 2),
        ("1e0", 1),
        ("2E+1", 20),
        (Decimal("2.000"), 2),
        (0, 0),
        ("0.0", 0),
        (10**9, 10**9),
        (10**9 + 1, None),
        (0.5, None),
        ("2.5", None),
        ("1e-1", None),
        (-1, None),
        ("-1", None),
        ("1_0", None),
        ("\u0662", None),
        ("0x2", None),
        ("1e999", None),
        ("", None),
        (True, None),
        ([2], None),
        ({}, None),
    ],
)
def test_whole_decimals_are_units(quantity: Any, units: int | None) -> None:
    if units is None:
        with pytest.raises(UnreadableError, match="quantity is not a number of units"):
            payloads.units({"quantity": quantity} | through(quantity), "quantity")
    else:
        assert payloads.units(through(quantity), "quantity") == units


def through(quantity: Any) -> Json:
    if isinstance(quantity, Decimal):
        return {"quantity": quantity}
    found: Json = through_json({"quantity": quantity})
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("24.00", "EUR", 2_400),
        ("24", "EUR", 2_400),
        (24, "EUR", 2_400),
        ("2.4E+1", "EUR", 2_400),
        ("2.4e1", "JPY", 24),
        ("+24.00", "EUR", 2_400),
        (" 24.00 ", "EUR", 2_400),
        (".5", "EUR", 50),
        ("40.336134453782", "EUR", 4_034),
        ("40.335", "EUR", 4_034),
        ("40.334999999999", "EUR", 4_033),
        ("1980.4", "JPY", 1_980),
        ("-8.0E-5", "EUR", 0),
        ("8.0E-5", "EUR", 0),
        ("0E-8", "EUR", 0),
        ("12,50", "EUR", None),
        ("1,250.00", "EUR", None),
        ("1.250,00", "EUR", None),
        ("EUR 12", "EUR", None),
        ("12 50", "EUR", None),
        ("", "EUR", None),
        (None, "EUR", None),
        (True, "EUR", None),
        ("NaN", "EUR", None),
        ("Infinity", "EUR", None),
        ("1_0", "EUR", None),
        ("\u0661\u0662", "EUR", None),
        ("9" * 21, "EUR", None),
        ("1e999999", "EUR", None),
        ("1e-999", "EUR", None),
        ("1e13", "EUR", 10**15),
        ("1.0000000000000001e13", "EUR", None),
    ],
)
def test_money_of_a_group_s_line(text: Any, currency: str, minor: int | None) -> None:
    """It is exact, and rounded once for each line, half up; a comma is never guessed at."""
    told = of_woo(woo_order(currency=currency, line_items=[woo_line(quantity=1, total=text)]))
    line = order_in(told).lines[0]
    if minor is None:
        assert (line.quantity, line.value) == (0, 0)
        assert line.problem is not None
        assert line.problem.startswith("total is ")
    else:
        assert (line.quantity, line.value, line.problem) == (1, minor, None)


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ({"created_at": "2026-05-04T11:00:00+02:00"}, 9),
        ({"created_at": "", "processed_at": "2026-05-04T08:00:00Z"}, 8),
        ({"created_at": "0000-00-00T00:00:00", "processed_at": "2026-05-04T08:00:00Z"}, 8),
        ({"created_at": "soon", "processed_at": "2026-05-04T08:00:00Z"}, 8),
    ],
)
def test_a_time_that_is_none_gives_way_to_the_next(fields: Json, times: int) -> None:
    assert order_in(of_shopify("orders/create", shopify_order(**fields))).ordered_at.hour == times


@pytest.mark.parametrize("zero", [None, "", "0000-00-00T00:00:00", "0000-00-00 00:00:00", False])
def test_a_zero_date_is_no_payment(zero: Any) -> None:
    seen = order_in(of_woo(woo_order(status="processing", date_paid_gmt=zero)))
    assert not seen.paid


@pytest.mark.parametrize("currency", ["eur", " EUR "])
def test_a_currency_in_another_case_is_the_same(currency: str) -> None:
    assert order_in(of_shopify("orders/create", shopify_order(currency=currency))).currency == "EUR"


# --- fields as shops write them ------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        [{"name": "group_id", "key": "group_id", "value": GROUP}],
        {"0": {"name": "group_id", "key": "group_id", "value": GROUP}},
        {
            "3": {"name": "x", "key": "x", "value": 1},
            "7": {"name": "jointbuy", "key": "jointbuy", "value": GROUP},
        },
        {"group_id": GROUP},
        {"Group ID": f" {GROUP.lower()} ", "Engraving": 7},
    ],
    ids=["a list", "a list with gaps", "later in it", "an object of names", "as typed"],
)
def test_a_group_s_id_is_found_in_any_shape(fields: Any) -> None:
    body = shopify_order(note_attributes=[], line_items=[shopify_line(1, properties=fields)])
    assert ours_of(of_shopify("orders/create", body)) == [("1", 2, 0, 4_800)]
    body = shopify_order(note_attributes=fields)
    assert ours_of(of_shopify("orders/create", body)) == [("1", 2, 0, 4_800)]
    woo = woo_order(meta_data=[], line_items=[woo_line(meta_data=fields)])
    assert ours_of(of_woo(woo)) == [("315", 2, 0, 4_800)]
    assert ours_of(of_woo(woo_order(meta_data=fields))) == [("315", 2, 0, 4_800)]


def test_lines_written_as_an_object_are_lines() -> None:
    """As PHP writes a list from which one was removed."""
    told = of_woo(woo_order(line_items={"1": woo_line(1), "4": woo_line(4)}))
    assert [line_id for line_id, *_ in ours_of(told)] == ["1", "4"]


# --- a line of a group that is really wrong ------------------------------------------------------


@pytest.mark.parametrize("is_shopify", [True, False])
def test_a_wrong_line_of_a_group_leaves_the_others(is_shopify: bool) -> None:
    """The group's other line counts, and so does the other group's; people are told of the rest."""
    other = OTHER_GROUP
    if is_shopify:
        lines = [
            OURS,
            shopify_line(2, 0.5, properties=IN_SHOPIFY),
            shopify_line(3, 4, properties=[{"name": "group_id", "value": other}]),
        ]
        told = of_shopify("orders/paid", shopify_order(note_attributes=[], line_items=lines))
    else:
        lines = [
            OUR_WOO,
            woo_line(2, 0.5, meta_data=IN_WOO),
            woo_line(3, 4, meta_data=[{"key": "group_id", "value": other}]),
        ]
        told = of_woo(woo_order(meta_data=[], line_items=lines, status="completed"))
    assert told.problem == "line 2: quantity is not a number of units"
    bridge = Bridge()
    said = bridge.take(told.events)
    assert said[-1] == "left to people: not-counted"
    assert counted(bridge.sent) == (2, 4_800)
    assert counted(bridge.sent, other)[0] == 4
    task = bridge.sent[-1]
    assert isinstance(task, Task)
    assert "line 2: quantity is not a number of units" in task.problem


def test_a_line_that_can_t_be_counted_any_more_stays_as_it_was() -> None:
    """Nothing is taken back for it; the task ends with a snapshot that can be counted."""
    bridge = Bridge()

    def seen(minute: int, quantity: Any, second: int = 1) -> list[str]:
        lines = [woo_line(1, quantity), woo_line(2, second, "10.00")]
        at = f"2026-05-04T09:0{minute}:00"
        return bridge.woo(
            **woo_order(line_items=lines, date_modified_gmt=at, date_paid_gmt=at, number="N-7")
        )

    assert seen(1, 2) == ["paid 727 3 for 5800"]
    assert seen(2, Decimal("1.5"), 2) == ["paid 727-e1 1 for 0", "left to people: not-counted"]
    assert seen(3, Decimal("1.5"), 2) == [], "people have been told"
    assert seen(4, 2, 2) == ["done: not-counted"]
    assert counted(bridge.sent)[0] == 4
    opened, done = [each for each in bridge.sent if isinstance(each, Task)]
    assert {(task.about, task.shop_id) for task in (opened, done)} == {("N-7", "kiosk")}
    assert done.version > opened.version


def test_a_group_s_line_without_an_id_counts() -> None:
    told = of_woo(woo_order(line_items=[woo_line(None), woo_line(7, 1), woo_line(7, 3)]))  # type: ignore[arg-type]
    assert [quantity for _, quantity, *_ in ours_of(told)] == [2, 1, 3]
    assert len({line_id for line_id, *_ in ours_of(told)}) == 3


def test_a_mistyped_line_that_can_t_be_counted_is_for_people_as_well() -> None:
    lines = [shopify_line(1, 0.5, properties=[{"name": "group_id", "value": MISTYPED}])]
    told = of_shopify("orders/create", shopify_order(note_attributes=[], line_items=lines))
    assert told.mistyped is not None
    assert told.problem is not None


# --- refunds and edits ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        {},
        {"line_item_id": None, "quantity": 1},
        {"line_item_id": 2, "quantity": 0.5},
        {"line_item_id": 2, "quantity": None},
        {"line_item_id": [], "quantity": 1},
    ],
)
def test_a_refund_of_odd_lines_returns_the_others(odd: Any) -> None:
    body = shopify_refund(77, (1, 1))
    body["refund_line_items"] = [odd, *body["refund_line_items"], odd]
    (refund,) = of_shopify("refunds/create", body).events
    assert isinstance(refund, ShopRefundSeen)
    assert [(line.line_id, line.quantity) for line in refund.lines] == [("1", 1)]


@pytest.mark.parametrize("lines", [None, [], "none", {}, [None], [{"quantity": 0}]])
def test_a_refund_of_no_lines_is_read_whatever_else_it_holds(lines: Any) -> None:
    body = {"id": None, "order_id": None, "created_at": 7, "refund_line_items": lines}
    assert of_shopify("refunds/create", body) == Told()


def test_a_refund_s_whole_decimals_are_units() -> None:
    meta = [{"key": "_refunded_item_id", "value": 315}]
    refund = {
        "id": 900,
        "date_created_gmt": "2026-05-06T08:00:00",
        "line_items": [
            {"quantity": Decimal("-1.0"), "meta_data": meta},
            {"quantity": "-1", "meta_data": {"0": meta[0]}},
            {"quantity": Decimal("-0.5"), "meta_data": meta},
            {"quantity": None, "meta_data": meta},
        ],
    }
    told = woocommerce.read_order(
        woo_order(), "kiosk", [{"code": "error", "message": "x"}, None, refund, {"id": 1}]
    )
    assert isinstance(told.events[0], ShopRefundSeen)
    assert [(line.line_id, line.quantity) for line in told.events[0].lines] == [("315", 1)] * 2
    assert told.problem is None


@pytest.mark.parametrize(("line_id", "problem"), [("315", "a refund: "), ("9", None)])
def test_a_refund_that_can_t_be_read_is_a_problem_of_its_group_alone(
    line_id: str, problem: str | None
) -> None:
    meta = [{"key": "_refunded_item_id", "value": line_id}]
    refund = {"id": 900, "date_created_gmt": 7, "line_items": [{"quantity": -1, "meta_data": meta}]}
    told = woocommerce.read_order(woo_order(), "kiosk", [refund])
    assert ours_of(told) == [("315", 2, 0, 4_800)]
    assert (told.problem or "").startswith(problem or "")
    assert bool(told.problem) == bool(problem)


def test_an_edit_of_odd_lines_changes_the_others() -> None:
    edit = {
        "id": 5,
        "order_id": int(ID),
        "committed_at": "2026-05-04T09:05:00Z",
        "line_items": {
            "additions": [None, {"id": None, "delta": 1}, {"id": 1, "delta": 2.0}],
            "removals": {"1": {"id": 2, "delta": 0.5}},
        },
    }
    (edited,) = of_shopify("orders/edited", {"order_edit": edit}).events
    assert isinstance(edited, ShopOrderEdited)
    assert [(change.line_id, change.delta) for change in edited.changes] == [("1", 2)]
    edit["line_items"] = {"additions": "none", "removals": [None]}
    assert of_shopify("orders/edited", {"order_edit": edit | {"id": None}}) == Told()


def names_a_group(told: Told) -> bool:
    return any(isinstance(event, ShopOrderSeen) for event in told.events)


def ours_of(told: Told) -> list[tuple[str, int, int, int]]:
    seen = told.events[-1]
    assert isinstance(seen, ShopOrderSeen)
    return [
        (line.line_id, line.quantity, line.removed, line.value)
        for line in seen.lines
        if line.group_id == GROUP
    ]
