"""Three brokers restart one after the other, under load, with every service: all counts once."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from domain.ids import derive
from runtime.clients import TransportError
from schemas.groups import GroupPurchase, GroupPurchaseRequested
from schemas.orders import OrderPaid
from schemas.parts import FavorTerms, PaymentTerms, Product, Tier
from tests.system.api_stack import Api, api_on
from tests.system.cluster import Cluster, cluster_on
from tests.system.letterbox import Letterbox
from tests.system.letters import mail_env
from tests.system.mail import Mailpit
from tests.system.purchases import group_until, order_at
from tests.system.stack import Stack, until
from tests.system.test_counter_auction import application
from tests.system.test_rolling import GROUPS, Load, load_on

pytestmark = pytest.mark.system
#: Of each group; the last order fills it.
NUMBER = 5_000
PRICE = 1_000
PERCENT_OFF = 10
#: Rounds of the load between two steps.
ROUNDS = 5
SESSION_MS = {"KAFKA_SESSION_TIMEOUT_MS": "30000"}


class Everything(Load):
    """In each round an order of a new buyer to each group, a request, and an application."""

    tick_seconds = 1.0
    auction_id = ""

    def send(self, number: int, now: datetime) -> None:
        """All is sent again until the brokers have it: a broker may go while it is sent."""
        orders = [self.order(group, number, now) for group in GROUPS]
        applied = [message for message, _ in application(f"b{number}", now, 1, self.auction_id)]
        while True:
            try:
                self.stack.feed("orders", *((each, None) for each in orders * 2))
                self.stack.feed("group-purchase-requests", (request(number, now), None))
                self.stack.feed("applications", *((each, None) for each in applied))
            except (KafkaError, TransportError):
                continue
            return

    def order(self, group_id: str, number: int, now: datetime) -> OrderPaid:
        """The group's n-th order, of its n-th buyer."""
        return paid(group_id, str(number), 1, now)


def request(number: int, now: datetime) -> GroupPurchaseRequested:
    """The n-th request for a group purchase."""
    return GroupPurchaseRequested(
        request_id=f"r-{number}",
        requested_at=now,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=5,
        closes_at=now + timedelta(days=1),
    )


def paid(group_id: str, name: str, quantity: int, now: datetime) -> OrderPaid:
    """An order of a buyer with an address."""
    told = {
        "order_id": f"{group_id}-{name}",
        "member_id": f"{group_id}-{name}",
        "member_email": address(group_id, name),
        "value": quantity * PRICE,
        "currency": "EUR",
    }
    return order_at(group_id, 0, now, quantity).model_copy(update=told)


def address(group_id: str, name: str) -> str:
    """The address of a group's buyer."""
    return f"{group_id}-{name}@brokers.example".lower()


def terms(group_id: str, now: datetime) -> GroupPurchase:
    """Those of a group that the shop gives a discount on."""
    told = {
        "number_of_products": NUMBER,
        "stop_at_number": True,
        "unit_price": PRICE,
        "currency": "EUR",
        "favor": FavorTerms(tiers=(Tier(from_quantity=NUMBER, percent_off=PERCENT_OFF),)),
        "payment": PaymentTerms(),
    }
    return group_until(group_id, now + timedelta(days=1), now).model_copy(update=told)


def restart_each(cluster: Cluster, load: Load) -> None:
    """Restart the brokers under load, the next one when all copies are there again."""

    def more(count: int) -> None:
        wanted = load.rounds + count
        until("the load goes on", lambda: load.rounds > wanted)

    more(ROUNDS)
    for node in cluster.nodes:
        began = time.monotonic()
        node.stop()
        stopped = time.monotonic()
        more(1)
        node.start()
        cluster.until_in_sync()
        print(
            f"broker {node.number}: stopped in {stopped - began:.1f} s, back in sync"
            f" {time.monotonic() - stopped:.1f} s later; {load.rounds} rounds"
        )
        more(ROUNDS)


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_brokers_restart_one_after_the_other_and_all_comes_out_exactly(
    mailpit: Mailpit, tmp_path: Path
) -> None:
    """Each order, request and application counts once, and each letter and favor comes once."""
    now = datetime.now(UTC)
    (tmp_path / "stack").mkdir()
    with (
        cluster_on(tmp_path) as cluster,
        api_on(cluster.broker, tmp_path / "stack", **SESSION_MS) as api,
    ):
        stack = api.stack
        stack.start("payment_service", "shop_bridge", "notifier", **mail_env(mailpit.port))
        _, seller = api.seller()
        closes_at = (now + timedelta(days=1)).isoformat()
        Everything.auction_id = api.auction(seller, closes_at=closes_at)["auction_id"]
        stack.feed("group-purchases", *((terms(group, now), None) for group in GROUPS))
        cluster.until_in_sync()
        with load_on(stack, Everything) as load:
            restart_each(cluster, load)
        last = [paid(group, "last", NUMBER - load.rounds, datetime.now(UTC)) for group in GROUPS]
        stack.feed("orders", *((each, None) for each in last))
        for group in GROUPS:
            stack.wait_for("purchases", group, quantity=NUMBER, status="complete")
        stack.wait_idle()
        names = [*map(str, range(load.rounds)), "last"]
        _are_counted(stack, names)
        _are_given_favors(stack, names)
        _are_shown(api, load)
        _are_written_to(stack, mailpit, names)
        assert stack.read("dead-letters") == []


def _are_counted(stack: Stack, names: list[str]) -> None:
    purchases = stack.latest("purchases")
    for group in GROUPS:
        rows = {key for key in purchases if key.startswith(f"{group}/member/")}
        assert rows == {f"{group}/member/{group}-{name}" for name in names}
        units = sum(purchases[key]["quantity"] for key in rows)
        assert units == NUMBER


def _are_given_favors(stack: Stack, names: list[str]) -> None:
    given = Counter(
        (each["group_id"], each["member_id"], each["kind"], each["amount"])
        for each in stack.latest("payments").values()
        if each["type"] == "Payment"
    )
    off = PRICE * PERCENT_OFF // 100
    last = NUMBER - (len(names) - 1)
    assert given == {
        (group, f"{group}-{name}", "refund", off * (last if name == "last" else 1)): 1
        for group in GROUPS
        for name in names
    }


def _are_shown(api: Api, load: Load) -> None:
    """The pages' copy tells the same, and so does the other process of them."""
    requests = {f"r-{number}" for number in range(load.rounds)}
    outcomes = api.stack.latest("request-outcomes")
    assert {name: outcomes[name]["group_id"] for name in requests} == {
        name: derive(name) for name in requests
    }
    for client in (api.nobody, api.other):
        for group in GROUPS:
            shown = client.get(f"/group-purchases/{group}")
            assert (shown["quantity"], shown["status"]) == (NUMBER, "complete")
        shown = client.get(f"/auctions/{Everything.auction_id}")
        assert shown["reservations"] == load.rounds


def _are_written_to(stack: Stack, mailpit: Mailpit, names: list[str]) -> None:
    buyers = [address(group, name) for group in GROUPS for name in names]
    kinds = ("order-counted", "favor-given")
    wanted = Counter((to, kind) for to in buyers for kind in kinds)
    until("all letters", lambda: len(Letterbox(mailpit).told(buyers)) >= len(wanted))
    stack.wait_idle()
    assert Letterbox(mailpit).told(buyers) == wanted
    sent = Counter(each["status"] for each in stack.latest("deliveries").values())
    assert sent.keys() == {"sent"}
