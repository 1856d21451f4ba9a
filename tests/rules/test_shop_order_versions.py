"""Which of two words about a shop's order is the later one, in whatever order they come."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.parts import Message
from schemas.shop_orders import ShopOrderGone, ShopOrderSeen, ShopOrderUnnamed
from services.shop_bridge.rules.translations import shopify, woocommerce
from services.shop_bridge.rules.versions import further, is_settled, version
from tests.rules.test_shop_order_rules import CREATED, LATER, Bridge
from tests.webhook_payloads import Json, shopify_line, shopify_order, woo_line, woo_order

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
#: The second in which everything happens.
AT = datetime(2026, 5, 4, 9, 0, 5, tzinfo=UTC)


def told_by_shopify(topic: str, seconds: float | None, **fields: Any) -> tuple[Message, ...]:
    """A webhook triggered so long after the second began; its change is of that second."""
    headers = {}
    if seconds is not None:
        headers["x-shopify-triggered-at"] = (AT + timedelta(seconds=seconds)).isoformat()
    said = shopify.read(topic, shopify_order(**fields), "shop")
    assert said is not None
    return tuple(shopify.stamped(said, headers, NOW).at(NOW))


def told_by_woo(seconds: float, *, is_poll: bool = False, **fields: Any) -> tuple[Message, ...]:
    """A webhook or poll that came so long after the second began."""
    body = woo_order(**fields)
    said = woocommerce.read("order.updated", body, "kiosk")
    assert said is not None
    came = AT + timedelta(seconds=seconds)
    if is_poll:
        return tuple(said.stamped(came if is_settled(AT, came) else None).at(NOW))
    return tuple(woocommerce.stamped(said, {}, came).at(NOW))


PAID: Json = {"financial_status": "paid"}
CANCELLED: Json = {"cancelled_at": "2026-05-04T11:00:05+02:00"}
PROCESSING: Json = {"status": "processing", "date_paid_gmt": "2026-05-04T09:00:05"}
FAILED: Json = {"status": "failed"}
TRASH: Json = PROCESSING | {"status": "trash"}
THREE: Json = {"line_items": [shopify_line(quantity=3)]}
WOO_ONE: Json = {"line_items": [woo_line(quantity=1, total="24.00")]}

#: Two words of one second, and the units that stand once both have come.
PAIRS: list[tuple[str, tuple[Message, ...], tuple[Message, ...], int]] = [
    ("created, then paid",
     told_by_shopify("orders/create", 0.1), told_by_shopify("orders/paid", 0.4, **PAID), 2),
    ("created, then updated before it is paid",
     told_by_shopify("orders/create", 0.1), told_by_shopify("orders/updated", 0.1), 2),
    ("raised by an edit",
     told_by_shopify("orders/updated", 0.1, **PAID),
     told_by_shopify("orders/updated", 0.2, **PAID, **THREE), 3),
    ("lowered by an edit",
     told_by_shopify("orders/updated", 0.1, **PAID, **THREE),
     told_by_shopify("orders/updated", 0.2, **PAID), 2),
    ("cancelled, and told of later by an update",
     told_by_shopify("orders/cancelled", 0.1, **PAID, **CANCELLED),
     told_by_shopify("orders/updated", 0.2, **PAID, **CANCELLED), 0),
    ("paid, then cancelled",
     told_by_shopify("orders/paid", 0.1, **PAID),
     told_by_shopify("orders/cancelled", 0.2, **PAID, **CANCELLED), 0),
    ("updated, then cancelled",
     told_by_shopify("orders/updated", 0.1, **PAID),
     told_by_shopify("orders/cancelled", 0.2, **PAID, **CANCELLED), 0),
    ("without the header, cancelled after paid comes last",
     told_by_shopify("orders/updated", None, **PAID),
     told_by_shopify("orders/cancelled", None, **PAID, **CANCELLED), 0),
    ("without the header, what is taken out is taken out",
     told_by_shopify("orders/updated", None, **PAID),
     told_by_shopify(
         "orders/updated", None, **PAID, line_items=[shopify_line(current_quantity=1)]), 1),
    ("failed, then processing, both at once",
     told_by_woo(0.5, **FAILED), told_by_woo(0.6, **PROCESSING), 2),
    ("on hold, then failed", told_by_woo(0.5), told_by_woo(0.6, **FAILED), 0),
    ("paid, then trashed", told_by_woo(0.5, **PROCESSING), told_by_woo(0.6, **TRASH), 0),
    ("failed and paid before, then processing again",
     told_by_woo(0.5, **PROCESSING | FAILED), told_by_woo(0.6, **PROCESSING), 2),
    ("a webhook says failed; the poll's truth is that it is paid",
     told_by_woo(0.5, **FAILED), told_by_woo(30, is_poll=True, **PROCESSING), 2),
    ("a webhook says failed; the poll's truth is that it is on hold",
     told_by_woo(0.5, **FAILED), told_by_woo(30, is_poll=True), 2),
    ("a webhook says paid; the poll's truth is that it failed",
     told_by_woo(0.5, **PROCESSING), told_by_woo(30, is_poll=True, **FAILED), 0),
    ("a poll within the second saw it fail",
     told_by_woo(0.5, is_poll=True, **FAILED), told_by_woo(0.9, **PROCESSING), 2),
    ("two polls, the second asked later",
     told_by_woo(30, is_poll=True, **FAILED), told_by_woo(90, is_poll=True, **PROCESSING), 2),
    ("lines were changed, which WooCommerce does not date (woocommerce#34798)",
     told_by_woo(0.5, **PROCESSING), told_by_woo(600, **PROCESSING, **WOO_ONE), 1),
    ("the same after a poll",
     told_by_woo(30, is_poll=True, **PROCESSING), told_by_woo(600, **PROCESSING, **WOO_ONE), 1),
    ("deleted in the second of its last change",
     told_by_woo(0.5, **PROCESSING), (ShopOrderGone(shop_order="kiosk:727", gone_at=AT),), 0),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("earlier", "later", "stands"), [row[1:] for row in PAIRS], ids=[row[0] for row in PAIRS]
)
def test_of_one_second_the_later_word_stands_whichever_comes_first(
    earlier: tuple[Message, ...], later: tuple[Message, ...], stands: int
) -> None:
    for events in (earlier + later, later + earlier, earlier + later + earlier + later):
        bridge = Bridge()
        bridge.take(events)
        assert standing(bridge) == stands, events


def standing(bridge: Bridge) -> int:
    """The units that stand with groups, paid or not."""
    return sum(each.left for sent in bridge.rows["order"].sent.values() for each in sent)


@pytest.mark.parametrize(
    ("read_after", "is_true"),
    [(-1.0, False), (0.0, False), (0.9, False), (1.0, True), (60.0, True)],
)
def test_a_second_has_ended_when_the_next_begins(read_after: float, *, is_true: bool) -> None:
    assert is_settled(AT, AT + timedelta(seconds=read_after)) is is_true
    within = AT.replace(microsecond=999_999)
    assert is_settled(within, AT + timedelta(seconds=read_after)) is is_true


def test_an_edit_that_adds_is_paid_when_a_later_snapshot_says_so_whichever_comes_first() -> None:
    """A snapshot of before the edit that comes late does not pay for what the edit added."""
    edit = {"id": 5, "order_id": 9_007_199_254_740_993, "committed_at": LATER}
    more = {"order_edit": edit | {"line_items": {"additions": [{"id": 1, "delta": 1}]}}}
    story = [("orders/paid", shopify_order(updated_at=CREATED, **PAID)), ("orders/edited", more)]
    for arrival in permutations(story):
        bridge = Bridge()
        for topic, body in arrival:
            bridge.shopify(topic, **body)
        assert not bridge.rows["order"].is_paid
        bridge.shopify("orders/updated", **shopify_order(updated_at=LATER, **PAID, **THREE))
        assert bridge.rows["order"].is_paid
        assert standing(bridge) == 3


# --- any words -----------------------------------------------------------------------------------

SECONDS = st.sampled_from([AT, AT, AT, AT + timedelta(seconds=1)])
TOLD = st.sampled_from([None, AT, AT + timedelta(milliseconds=3), AT + timedelta(seconds=2)])


@st.composite
def words(draw: st.DrawFn) -> Message:
    """Any snapshot of an order of one line, of one of two seconds."""
    quantity = draw(st.integers(1, 3))
    line = {
        "line_id": "1",
        "quantity": quantity,
        "removed": draw(st.integers(0, quantity)),
        "value": quantity * 2_400,
    }
    told: dict[str, Any] = {
        "shop_order": "shop:1",
        "updated_at": draw(SECONDS),
        "told_at": draw(TOLD),
        "paid": draw(st.booleans()),
        "cancelled": draw(st.sampled_from([None, True, False])),
        "lines": (line,),
    }
    if draw(st.booleans()):
        return ShopOrderUnnamed(**told)
    return named(told)


def named(told: dict[str, Any]) -> ShopOrderSeen:
    """The snapshot with a group and a buyer."""
    lines = tuple(line | {"group_id": "GB-7K3M9-QXA2F-D"} for line in told["lines"])
    whose = {"source": "shop", "order_id": "1", "member_id": "ann", "currency": "EUR"}
    return ShopOrderSeen(**told | whose | {"lines": lines, "ordered_at": AT - timedelta(hours=1)})


@pytest.mark.slow
@given(st.lists(words(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_stands_does_not_depend_on_the_order_of_arrival(
    said: list[Message], random: Any
) -> None:
    """The group was named once; then anything may be said in any order, and twice."""
    first = named(
        {
            "shop_order": "shop:1",
            "updated_at": AT - timedelta(seconds=9),
            "paid": False,
            "lines": ({"line_id": "1", "quantity": 2, "value": 4_800},),
        }
    )
    outcomes = set()
    for _ in range(4):
        arrival = [*said, *random.choices(said, k=2)]
        random.shuffle(arrival)
        bridge = Bridge()
        bridge.take([first, *arrival])
        order = bridge.rows["order"]
        if order.is_paid:
            assert all(each.paid for sent in order.sent.values() for each in sent if each.left)
        is_cancelled = order.cancelled_at is not None
        outcomes.add((standing(bridge), order.is_paid, is_cancelled, order.version))
    assert len(outcomes) == 1


@given(st.lists(words(), min_size=3, max_size=3))
def test_versions_are_in_one_order(said: list[Any]) -> None:
    """Of three words, if the second is after the first and the third after it, it is the last."""

    def place(each: Any) -> Any:
        lines = [(line.line_id, line.quantity, line.removed, line.value) for line in each.lines]
        told = {"paid": each.paid, "cancelled": each.cancelled}
        return version(each.updated_at, each.told_at, **told), further(lines)

    first, second, third = sorted(map(place, said))
    assert first <= second <= third
    assert first <= third
