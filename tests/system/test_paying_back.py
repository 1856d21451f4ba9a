"""Favors back to the buyers at two kinds of shops, on real Kafka, whatever is lost or killed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.groups import GroupPurchase
from schemas.ops import order_task_id
from schemas.orders import OrderPaid
from schemas.parts import FavorTerms, PaymentTerms, Product, Tier
from stack.brokers import RunningBroker
from tests.shop_faults import Fault, served
from tests.strict_shopify import TOKEN, StrictShopify
from tests.system import plain_http
from tests.system.stack import Stack, Worker, stack_on, until
from tests.webhook_payloads import (
    GROUP,
    SECRET,
    Json,
    shopify,
    shopify_line,
    shopify_order,
    shopify_refund,
    woo_line,
    woo_order,
    woocommerce,
)
from tests.woo_rest import KEY, WooRest
from tests.woo_rest import SECRET as WOO_SECRET

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
WEBHOOKS = "services.shop_bridge.webhooks"
BAD_DAY: list[Fault] = ["lost", "", "dropped", "busy", "slow", "", "error", ""]
MEMBERS = 8


@dataclass
class Town:
    """Three shops, the services, and who buys."""

    stack: Stack
    shop: StrictShopify = field(default_factory=StrictShopify)
    cafe: StrictShopify = field(default_factory=StrictShopify)
    kiosk: WooRest = field(default_factory=WooRest)
    bridge: Worker | None = None
    page: Worker | None = None
    sold: dict[tuple[str, int], Json] = field(default_factory=dict)
    poll_seconds: str = "3600"

    def start(self, at_shop: str, at_cafe: str, at_kiosk: str) -> None:
        secrets = [SECRET]
        self.stack.env["SHOPS"] = json.dumps(
            [
                {"name": "shop", "kind": "shopify", "secrets": secrets, "favors": "refund",
                 "domain": "shop.myshopify.com", "admin": {"token": TOKEN, "url": at_shop}},
                {"name": "cafe", "kind": "shopify", "secrets": secrets, "favors": "code",
                 "domain": "shop.myshopify.com", "admin": {"token": TOKEN, "url": at_cafe}},
                {"name": "kiosk", "kind": "woocommerce", "secrets": secrets, "favors": "refund",
                 "rest": {"url": at_kiosk, "key": KEY, "secret": WOO_SECRET}},
            ]
        )  # fmt: skip
        self.bridge, self.page, *_ = self.stack.start(
            "tests.system.quick_shop_bridge",
            WEBHOOKS,
            "order_service",
            "favor_service",
            "payment_service",
            SHOP_TIMEOUT_SECONDS="1",
            POLL_SECONDS=self.poll_seconds,
        )

    def tell(self, shop: str, delivery: tuple[bytes, dict[str, str]]) -> None:
        """A shop's webhook, taken."""
        assert self.page is not None
        raw, headers = delivery
        address = f"http://127.0.0.1:{self.page.port}/webhooks/{shop}"
        assert plain_http.post(address, content=raw, headers=headers, timeout=30).status_code == 200

    def buy(
        self,
        shop: str,
        number: int,
        member: str,
        units: int,
        price: int,
        *,
        is_by_hand: bool = False,
    ) -> None:
        """A member buys and pays so many at a price in whole euros."""
        when = NOW + timedelta(seconds=number % 1_000 - 1_800)
        total = f"{units * price}.00"
        if shop == "kiosk":
            order = woo_order(
                id=number,
                status="processing",
                total=total,
                date_created_gmt=f"{when:%Y-%m-%dT%H:%M:%S}",
                date_modified_gmt=f"{when:%Y-%m-%dT%H:%M:%S}",
                date_paid_gmt=f"{when:%Y-%m-%dT%H:%M:%S}",
                meta_data=[
                    {"id": 1, "key": "group_id", "value": GROUP},
                    {"id": 2, "key": "member_id", "value": member},
                ],
                line_items=[woo_line(quantity=units, total=total)],
            )
            self.kiosk.put(order)
            self.tell(shop, woocommerce("order.created", order))
            return
        order = shopify_order(
            id=number,
            financial_status="paid",
            created_at=when.isoformat(),
            updated_at=when.isoformat(),
            note_attributes=[
                {"name": "group_id", "value": GROUP},
                {"name": "member_id", "value": member},
            ],
            line_items=[shopify_line(quantity=units, price=f"{price}.00")],
        )
        self.sold[shop, number] = order
        by_hand = [0] if is_by_hand else []
        (self.cafe if shop == "cafe" else self.shop).sell(number, total, by_hand=by_hand)
        self.tell(shop, shopify("orders/paid", order))

    def echo(self) -> None:
        """What the shops tell of what we did ourselves."""
        later = NOW + timedelta(hours=1)
        for (shop, number), order in self.sold.items():
            if shop == "shop":
                back = shopify_refund(number + 10_000, order_id=number)
                self.tell(shop, shopify("refunds/create", back))
                after = order | {
                    "financial_status": "partially_refunded",
                    "updated_at": later.isoformat(),
                    "refunds": [back],
                }
                self.tell(shop, shopify("orders/updated", after))
        for order in self.kiosk.orders.values():
            after = order | {"date_modified_gmt": f"{later:%Y-%m-%dT%H:%M:%S}"}
            self.tell("kiosk", woocommerce("order.updated", after))

    def went_back(self) -> int:
        """How many refunds both shops have made."""
        of_shop = sum(
            len(self.shop.refunded(number)) for shop, number in self.sold if shop == "shop"
        )
        return of_shop + sum(map(len, self.kiosk.refunds.values()))


@contextmanager
def town(
    kafka: RunningBroker, folder: Path, at_first: Callable[[Town], None] = lambda _: None
) -> Iterator[Town]:
    """The shops and services; ``at_first`` is done before anything is asked or polled."""
    with ExitStack() as until_end:
        made = Town(until_end.enter_context(stack_on(kafka, folder, clock="wall")))
        at_first(made)
        doors = [each.answer for each in (made.shop, made.cafe, made.kiosk)]
        made.start(*(until_end.enter_context(served(door)) for door in doors))
        yield made


def group(products: int, **more: Any) -> GroupPurchase:
    terms: dict[str, Any] = {
        "payment": PaymentTerms(scope="member", method="shop"),
        "favor": FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
    }
    return GroupPurchase(
        group_id=GROUP,
        request_id="office-tea",
        version=1,
        requested_at=NOW - timedelta(hours=1),
        issued_at=NOW - timedelta(hours=1),
        product=Product(name="Sencha"),
        number_of_products=products,
        unit_price=2_400,
        currency="EUR",
        opens_at=NOW - timedelta(hours=1),
        closes_at=NOW + timedelta(days=9),
        grace_seconds=0,
        stop_at_number=True,
        **(terms | more),
    )


def test_favors_go_back_once_on_a_bad_day_with_the_bridge_killed(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Answers lost, limits, errors, a kill; then what the shops tell of it changes nothing."""
    with town(kafka, tmp_path) as it:
        it.shop.faults.lasting = it.kiosk.faults.lasting = it.cafe.faults.lasting = BAD_DAY
        units = 2 * 2 * MEMBERS + 2 * 6 + 2
        it.stack.feed("group-purchases", (group(units), None))
        for number in range(1, MEMBERS + 1):
            it.buy("shop", 1_000 + number, f"s{number}", 2, 24)
            it.buy("kiosk", 2_000 + number, f"k{number}", 2, 24)
        # At both shops, the latest order too small for the favor of 5.10.
        for number in (3_001, 3_002):
            it.buy("shop", number, f"both{number}", 5, 10)
            it.buy("kiosk", number + 100, f"both{number}", 1, 1)
        it.buy("cafe", 4_001, "carol", 2, 24)
        until("some favors went back", lambda: it.went_back() >= 5)
        assert it.bridge is not None
        it.bridge.kill()
        in_the_midst = it.went_back()
        it.bridge.start()
        settled = it.stack.wait_for("payments", f"{GROUP}/settled", version=1, timeout=300)

        assert in_the_midst < 2 * MEMBERS + 2
        for number in range(1, MEMBERS + 1):
            assert it.shop.refunded(1_000 + number) == ["4.80"]
            assert [each["amount"] for each in it.kiosk.refunds[2_000 + number]] == ["4.80"]
        for number in (3_001, 3_002):
            assert [each["amount"] for each in it.kiosk.refunds[number + 100]] == ["1.00"]
            assert it.shop.refunded(number) == ["4.10"]
        assert set(it.shop.faults.met) == set(it.kiosk.faults.met) == set(BAD_DAY) - {""}
        payments = {
            each["member_id"]: each
            for each in it.stack.latest("payments").values()
            if each["type"] == "Payment"
        }
        assert {each["status"] for each in payments.values()} == {"succeeded"}
        (code,) = it.cafe.codes.values()
        assert payments["carol"]["provider_reference"] == code["code"]
        letters = [
            each.value["says"]["code"]
            for each in it.stack.read("notices")
            if each.value["says"].get("code")
        ]
        assert letters == [code["code"]]
        assert code["customerGets"]["value"]["discountAmount"]["amount"] == "4.80"
        assert it.cafe.refunded(4_001) == []

        it.stack.wait_idle()
        before = it.stack.latest("purchases"), it.stack.latest("payments")
        it.echo()
        it.stack.wait_idle()
        assert (it.stack.latest("purchases"), it.stack.latest("payments")) == before
        assert it.stack.latest("payments")[f"{GROUP}/settled"] == settled
        assert not it.stack.read("dead-letters")
        log = it.bridge.log.read_text()
        for marked in (TOKEN, KEY, WOO_SECRET, code["code"]):
            assert marked not in log


def test_all_of_it_back_by_favors_alone_returns_nothing(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """WooCommerce then calls the order refunded; and a shop of its own answers by itself.

    What was paid by hand is left to people, and so is an order that the poll could not fetch.
    """
    with town(kafka, tmp_path, sick_order) as it:
        all_back = FavorTerms(tiers=(Tier(from_quantity=1, percent_off=100),))
        it.stack.feed("group-purchases", (group(7, favor=all_back), None))
        task_id = order_task_id("kiosk", "2900")
        task = it.stack.wait_for("tasks", task_id, kind="order", reason="not-fetched")
        assert (task["shop_id"], task["about"]) == ("kiosk", "2900")
        it.tell("kiosk", woocommerce("order.updated", it.kiosk.orders.pop(2_900)))
        until("the task is done", lambda: it.stack.latest("tasks")[task_id].get("done_at"))
        it.buy("kiosk", 2_001, "kim", 2, 24)
        it.buy("shop", 1_001, "hana", 2, 24, is_by_hand=True)
        of_till = OrderPaid(
            order_id="T-1",
            source="till",
            group_id=GROUP,
            member_id="tom",
            quantity=3,
            ordered_at=NOW,
        )
        it.stack.feed("orders", (of_till, None))
        until("the favor went back", lambda: it.kiosk.orders[2_001]["status"] == "refunded")
        until("people are told", lambda: len(it.stack.read("payment-reports")) == 2)
        row = it.stack.wait_for("purchases", f"{GROUP}/member/kim", quantity=2)
        it.echo()
        it.stack.wait_idle()
        assert it.stack.latest("purchases")[f"{GROUP}/member/kim"] == row
        payments = list(it.stack.latest("payments").values())
        stands = {each["member_id"]: each["status"] for each in payments}
        assert stands == {"kim": "succeeded", "tom": "pending", "hana": "failed"}
        (by_hand,) = (each for each in payments if each["member_id"] == "hana")
        assert "it was paid by hand (gateway-0)" in by_hand["problem"]
        assert f"`jointbuy payment done {by_hand['payment_id']}`" in by_hand["problem"]
        assert it.shop.refunded(1_001) == [], "nothing stands in the shop's books"
        assert not it.stack.read("payment-reports")[2:]


def sick_order(it: Town) -> None:
    """An order whose refunds the kiosk can't list, of no group; polls are to find it."""
    it.poll_seconds = "1"
    at = f"{NOW:%Y-%m-%dT%H:%M:%S}"
    refunds = [{"id": 901, "reason": "", "total": "-1.00"}]
    order = woo_order(id=2_900, meta_data=[], refunds=refunds, date_modified_gmt=at)
    it.kiosk.put(order | {"date_created_gmt": at})
    it.kiosk.sick[2_900] = {"refunds"}
