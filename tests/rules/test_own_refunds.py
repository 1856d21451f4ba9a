"""What shops tell of refunds that we made ourselves changes nothing: no goods came back."""

from typing import Any

import pytest

from services.shop_bridge.edge.caller import code_name
from services.shop_bridge.rules.translations import group_names
from services.shop_bridge.rules.translations.own_refunds import mark, noted
from tests.rules.test_shop_order_rules import LAST, Bridge, paid
from tests.webhook_payloads import Json, shopify_order, shopify_refund, woo_order

KEY = "0123456789abcdef0123456789abcdef-1"
OURS = f"Group purchase GB-7K3M9-QXA2F-D {mark(KEY)}"


@pytest.mark.parametrize("status", ["partially_refunded", "refunded"])
def test_shopify_tells_of_money_without_lines(status: str) -> None:
    bridge = Bridge()
    topic, body = paid()
    bridge.shopify(topic, **body)
    back = shopify_refund(77) | {"note": OURS}
    assert bridge.shopify("refunds/create", **back) == []
    after = shopify_order(financial_status=status, updated_at=LAST, refunds=[back])
    assert bridge.shopify("orders/updated", **after) == []


def woo_paid(**fields: Any) -> Json:
    return woo_order(status="processing", date_paid_gmt="2026-05-04T09:00:00", **fields)


def refund(total: str, reason: str = OURS) -> Json:
    return {"id": 900, "reason": reason, "total": f"-{total}"}


LATER = "2026-05-04T10:00:00"
#: The refunds of an order of 48.00, the status that WooCommerce gives it, and what groups are told.
REFUNDED: list[tuple[str, list[Json], str, list[str]]] = [
    ("a part by us", [refund("4.80")], "processing", []),
    ("all by us", [refund("48.00")], "refunded", []),
    ("all by us, in parts", [refund("40.00"), refund("8.00")], "refunded", []),
    ("all by people", [refund("48.00", "changed their mind")], "refunded",
     ["returned 727-r1 2 of 727"]),
    ("the rest by people", [refund("4.80"), refund("43.20", "")], "refunded",
     ["returned 727-r1 2 of 727"]),
    ("by hand, without a refund", [], "refunded", ["returned 727-r1 2 of 727"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "refunds", "status", "told"), REFUNDED)
def test_woocommerce_s_status_is_read_by_who_refunded(
    what: str, refunds: list[Json], status: str, told: list[str]
) -> None:
    bridge = Bridge()
    bridge.woo(**woo_paid())
    after = woo_paid(date_modified_gmt=LATER, refunds=refunds) | {"status": status}
    assert bridge.woo(**after) == told


def test_the_mark_is_found_in_a_note_and_nowhere_else() -> None:
    assert noted(OURS) == KEY
    assert [noted(each) for each in (None, 7, "", "jointbuy", f"[jointbuy:{'x' * 99}]")] == [
        None
    ] * 5


def test_a_code_of_ours_names_no_group_when_it_is_used() -> None:
    for number in range(2_000):
        assert group_names.in_codes([code_name("a secret", str(number))]) == set()
