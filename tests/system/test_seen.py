"""A real Prometheus sees a running stack fail and recover, and every panel has something to show.

One run: the faults happen at once, each to a service of its own. Minutes of the rules are seconds.
"""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

from runtime.ports import free_port
from runtime.records import OutputRecord, Partitioner
from runtime.records import milliseconds as ms
from schemas.groups import GroupPurchase
from schemas.orders import ORDERS, OrderCancelled, OrderPlaced
from schemas.parts import FavorTerms, Message, PaymentTerms, Tier
from stack.brokers import RunningBroker
from tests.contracts.test_alerts import GRAFANA, alerts
from tests.system import plain_http
from tests.system.api_stack import SETTINGS
from tests.system.faulty_smtp import Shares as MailShares
from tests.system.letters import buyer, letter_to, mail_env
from tests.system.mail import FaultySmtp
from tests.system.payments import SECRET, StrictStripe
from tests.system.postgres import Postgres
from tests.system.prometheus import Prometheus, PrometheusError, prometheus_of
from tests.system.purchases import group_until, order_at
from tests.system.stack import OpenTransaction, Stack, Worker, open_transaction, stack_on, until
from tests.system.strict_stripe import Shares
from tests.system.test_counter_auction import (
    application,
    counter,
    feed_sellers,
    opening,
    wait_for_sellers,
)
from tests.system.test_deadlines import libfaketime  # noqa: F401 - a fixture
from tests.system.test_shop_bridge import shops

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.timeout(900)]
#: No exporter of lags can be built here, and no restore is long: promtool alone sees these.
UNSEEN = {"LagGrowing", "RestoreLong"}
PRICE = 1_000
#: Of a service whose clock is off, in seconds.
OFF = 5


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass
class Running:
    """The whole stack with what is around it; ``workers`` by their names in the deployment."""

    stack: Stack
    workers: dict[str, Worker]
    prometheus: Prometheus
    stripe: StrictStripe
    smtp_port: int
    folder: Path

    def alerts(self) -> set[tuple[str, str]]:
        """Each alert that fires, and the service or processor that it names."""
        return {
            (each["alertname"], each.get("service") or each.get("processor") or "")
            for each in self.prometheus.firing()
        }


@pytest.fixture
def running(
    kafka: RunningBroker,
    postgres: Postgres,
    tmp_path: Path,
    libfaketime: str,  # noqa: F811
) -> Iterator[Running]:
    """Everything well but the mail server, which is away, and a clock, which is off."""
    smtp_port, stripe_port = free_port(), free_port()
    at_stripe = {
        "STRIPE_API_KEY": "sk_test_for_tests",
        "STRIPE_API_URL": f"http://127.0.0.1:{stripe_port}",
        "STRIPE_TIMEOUT_SECONDS": "3",
    }
    with ExitStack() as all_of_it:
        stack = all_of_it.enter_context(
            stack_on(
                kafka,
                tmp_path,
                "wall",
                partitions=1,
                SHOPS=shops(),
                DATABASE_URL=postgres.fresh(f"seen-{os.getpid()}"),
                **{**SETTINGS, **at_stripe},
            )
        )
        workers = {
            name: stack.worker(module, start=False, **more)
            for name, module, more in (
                ("request_service", "request_service", {}),
                ("order_service", "order_service", {}),
                ("favor_service", "favor_service", {}),
                ("payment_service", "tests.system.quick_payments", {}),
                (
                    "payment_service.webhooks",
                    "services.payment_service.webhooks",
                    {"STRIPE_WEBHOOK_SECRETS": SECRET},
                ),
                ("auction_service", "auction_service", {}),
                ("notifier", "tests.system.quick_notifier", mail_env(smtp_port)),
                ("shop_bridge", "shop_bridge", {}),
                ("shop_bridge.webhooks", "services.shop_bridge.webhooks", {}),
                ("storefront.projector", "services.storefront.projector", {}),
                ("storefront", "storefront", {}),
            )
        }
        webhooks = workers["payment_service.webhooks"]
        stripe = StrictStripe.start(
            Shares(
                port=stripe_port,
                webhook_url=f"http://127.0.0.1:{webhooks.port}/stripe",
                webhook_secret=SECRET,
                slow_refunds=1.0,
            )
        )
        all_of_it.callback(stripe.stop)
        workers["favor_service"].env |= {
            "LD_PRELOAD": libfaketime,
            "FAKETIME": f"+{OFF}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        for worker in workers.values():
            worker.start()
        stack.until_ready(*workers.values())
        try:
            prometheus = all_of_it.enter_context(prometheus_of(workers, tmp_path))
        except PrometheusError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield Running(stack, workers, prometheus, stripe, smtp_port, tmp_path)


# --- payments ------------------------------------------------------------------------------------


def group(name: str, days: int, method: str, number: int = 10) -> GroupPurchase:
    """Paid by each member; a card is charged if the close is far, else the amount is held."""
    return group_until(
        name,
        now() + timedelta(days=days),
        now() - timedelta(hours=1),
        payment=PaymentTerms(scope="member", method=method),
        unit_price=PRICE,
        currency="EUR",
        favor=FavorTerms(tiers=(Tier(from_quantity=1, percent_off=10),)),
    ).model_copy(update={"number_of_products": number, "stop_at_number": True})


def order(name: str, number: int, quantity: int = 1) -> OrderPlaced:
    """The group's n-th order, by a member of its own."""
    return OrderPlaced(
        order_id=f"{name}-{number}",
        source="shop",
        group_id=name,
        member_id=f"member-{number}",
        quantity=quantity,
        ordered_at=now(),
    )


def payments(stack: Stack, group_id: str, **fields: Any) -> list[dict[str, Any]]:
    """The payments of a group with these fields."""
    return [
        each
        for each in stack.latest("payments").values()
        if each["group_id"] == group_id
        and all(each.get(name) == wanted for name, wanted in fields.items())
    ]


def pay(stack: Stack, group_id: str, status: str) -> None:
    """Pay the page of the group's one order."""
    (asked,) = until(
        f"a page of {group_id}",
        lambda: [each for each in payments(stack, group_id, status="pending") if each.get("page")],
    )
    plain_http.post(asked["page"], data={"card": "good"}).raise_for_status()
    until(f"{group_id} {status}", lambda: payments(stack, group_id, status=status))


def feed(stack: Stack, topic: str, *messages: Message) -> None:
    """Send messages that are of now."""
    stack.feed(topic, *((each, None) for each in messages))


# --- what happens before the faults --------------------------------------------------------------


def trade(running: Running) -> None:
    """Holds, charges and invoices; a group that is complete; an auction with a takeover."""
    stack = running.stack
    groups = (group("held", 1, "card"), group("charged", 20, "card"), group("billed", 1, "invoice"))
    feed(stack, "group-purchases", *groups, group("full", 1, "shop", number=2))
    feed(stack, "orders", order("held", 1), order("charged", 1), order("billed", 1, 9))
    feed(stack, "orders", order_at("full", 1, now(), 2))
    start = now()
    feed_sellers(stack, "nord", "sato", at=start)
    wait_for_sellers(stack, 2)
    opened = opening("nord", now(), now() + timedelta(seconds=12), minimum=1)
    invites_at = now() + timedelta(seconds=3)
    feed(stack, "offers", opened.model_copy(update={"invites_at": invites_at}))
    stack.feed("applications", *application("ann", now(), 2))
    pay(stack, "held", "authorised")
    pay(stack, "charged", "succeeded")
    until("an invoice", lambda: payments(stack, "billed", kind="invoice"))
    until("invited", lambda: stack.latest("auctions")["cameras"].get("invited_at"))
    feed(stack, "offers", counter("sato", now(), 85_000, minimum=1))
    stack.wait_for("auctions", "cameras", status="concluded")
    stack.wait_for("purchases", "full", status="complete")


def knock(running: Running) -> None:
    """Requests that are refused: of a visitor, of somebody who is no shop, of no HTTP at all."""
    pages, hooks = running.workers["storefront"], running.workers["shop_bridge.webhooks"]
    refused = plain_http.get(f"http://127.0.0.1:{pages.port}/api/v1/todo")
    assert refused.status_code == 401
    forged = plain_http.post(f"http://127.0.0.1:{hooks.port}/webhooks/shop", content=b"{}")
    assert not forged.is_success
    with socket.create_connection(("127.0.0.1", pages.port), timeout=10) as connection:
        connection.sendall(b"\x00\x01 no HTTP\r\n\r\n")
        connection.recv(100)


# --- the faults ----------------------------------------------------------------------------------


class Flapping:
    """A worker that is killed and started again as soon as Prometheus has seen it."""

    def __init__(self, running: Running, name: str) -> None:
        self._prometheus, self._name = running.prometheus, name
        self._worker = running.workers[name]
        self._seen: set[str] = set()

    def go_on(self) -> None:
        """Kill it, if its present life was seen."""
        started = f'process_start_time_seconds{{service="{self._name}"}}'
        values = {each["value"][1] for each in self._prometheus.query(started)}
        if values - self._seen:
            self._seen |= values
            self._worker.kill()
            self._worker.start()


@contextmanager
def stopped(process: Any) -> Iterator[None]:
    """A process that stands still, and goes on."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


LATE = ("DeadlineLate", "auction_service-auction")
#: Each alert, and the service or processor that it names.
EXPECTED = {
    ("ServiceDown", "payment_service.webhooks"),
    ("ServiceDown", "shop_bridge.webhooks"),
    ("DeadLetters", "order_service-purchases"),
    LATE,
    ("LettersWait", ""),
    ("MailServerDown", ""),
    ("PaymentStuck", ""),
    ("PaymentUnanswered", ""),
    ("WorkerFlapping", "request_service"),
    ("ClockOff", "favor_service"),
}


def test_each_alert_fires_and_resolves_and_each_panel_shows_something(running: Running) -> None:
    """Not the two of ``UNSEEN``, nor what kafka_exporter would measure."""
    assert {name for name, _ in EXPECTED} == alerts().keys() - UNSEEN
    trade(running)
    knock(running)
    flapping = Flapping(running, "request_service")
    seen: set[tuple[str, str]] = set()

    def have_fired(wanted: set[tuple[str, str]]) -> bool:
        flapping.go_on()
        for each in sorted(running.alerts() - seen):
            print(f"{now():%H:%M:%S} {each} fires")
            seen.add(each)
        return seen >= wanted

    with ExitStack() as faults:
        begin(running, faults)
        with open_transaction(running.stack) as upstream:
            hold_back(running, upstream)
            until("a late deadline", lambda: have_fired({LATE}))
        until("every alert, see above", lambda: have_fired(EXPECTED), 300)
    until("no alert", lambda: not running.alerts(), 300)
    until("every panel shows something", lambda: not empty_panels(running.prometheus))


def begin(running: Running, faults: ExitStack) -> None:
    """The mail server and the clock are wrong already; all ends with ``faults``."""
    stack, workers = running.stack, running.workers
    faults.callback(FaultySmtp.start, running.folder, MailShares(), running.smtp_port)
    feed(stack, "people", buyer(1, now()))
    feed(stack, "notices", letter_to(1, now()))
    faults.callback(put_clock_right, workers["favor_service"])
    # Stripe takes the refund. Its word that the bank has paid finds nobody.
    webhooks = workers["payment_service.webhooks"]
    webhooks.kill()
    faults.callback(webhooks.start)
    cancelled = OrderCancelled(
        order_id="charged-1", source="shop", group_id="charged", cancelled_at=now()
    )
    feed(stack, "orders", cancelled)
    until("a refund that Stripe has", lambda: running.stripe.books()["refunds"])
    faults.enter_context(stopped(running.stripe.process))
    feed(stack, "orders", *(order("held", number) for number in range(2, 6)))
    assert workers["shop_bridge.webhooks"].process is not None
    faults.enter_context(stopped(workers["shop_bridge.webhooks"].process))
    place = Partitioner(stack.settings.partitions)("held")
    stack.feed_raw([OutputRecord(ORDERS.name, place, b"held", b"no order", ms(now()), [])])


def hold_back(running: Running, upstream: OpenTransaction) -> None:
    """An auction whose deadline must wait for an upstream that has not committed."""
    soon = now() + timedelta(seconds=4)
    feed(running.stack, "offers", opening("nord", now(), soon, auction="lamps"))
    running.stack.wait_for("auctions", "lamps", status="open")
    offer = counter("sato", now(), 80_000).model_copy(update={"auction_id": "lamps"})
    upstream.begin(now(), {"offers": offer})


def put_clock_right(worker: Worker) -> None:
    """Start it anew, with the machine's clock."""
    worker.stop()
    for name in [each for each in worker.env if each.startswith(("LD_PRELOAD", "FAKETIME"))]:
        del worker.env[name]
    worker.start()


def empty_panels(prometheus: Prometheus) -> list[str]:
    """Panels of both dashboards with a query that finds no number."""
    return [title for title, expression in panels().items() if not numbers(prometheus, expression)]


def panels() -> dict[str, str]:
    """Each query of a panel, by its title; without those of kafka_exporter."""
    found = {}
    for path in (GRAFANA / "dashboards").glob("*.json"):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                if "kafka_" not in target["expr"]:
                    title = f"{path.stem}: {panel['title']} {target['refId']}"
                    found[title] = target["expr"]
    return found


def numbers(prometheus: Prometheus, expression: str) -> list[float]:
    """The numbers that a query finds now."""
    found = (float(each["value"][1]) for each in prometheus.query(expression))
    return [each for each in found if isfinite(each)]
