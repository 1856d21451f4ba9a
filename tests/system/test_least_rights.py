"""On a broker with ACLs from the plan, each process does its work with its own rights alone."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from domain.ids import derive
from runtime import security
from runtime.admin import create_topics
from runtime.clients import admin
from runtime.lasting_errors import LASTING_EXIT_CODE
from runtime.on_cluster import found_acls, make_acls
from runtime.records import milliseconds
from runtime.settings import Settings
from runtime.topic_plan import Acl, Right
from schemas.auctions import AuctionOpened, SellerRegistered
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid, PurchaseOpened
from schemas.parts import FavorTerms, ListedMember, Message, Product, Tier
from schemas.people import Person
from schemas.shop_orders import ShopOrderSeen
from stack.brokers import BrokerError
from terminal import topic_plans
from tests.contracts.folders import ROOT
from tests.system.api_stack import SETTINGS, Client
from tests.system.purchases import group_until, order_at
from tests.system.secured import Secured, secured_broker
from tests.system.stack import Stack, until
from tests.system.terminal import jointbuy

pytestmark = pytest.mark.system
M = TypeVar("M", bound=Message)
PREFIX = "least-"
NOW = datetime.now(UTC).replace(microsecond=0)
PROCESSES = (
    *("request_service", "order_service", "favor_service", "payment_service", "auction_service"),
    *("notifier", "shop_bridge", "services.storefront.projector", "storefront"),
    *("services.shop_bridge.webhooks", "services.payment_service.webhooks"),
)
ENV = {**SETTINGS, "SHOPS": "[]", "STRIPE_WEBHOOK_SECRETS": "whsec_of_the_tests"}
PRINCIPAL = ("--principal", "User:CN={service},O=jointbuy")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker; nobody has any right."""
    try:
        with secured_broker(tmp_path_factory.mktemp("rights"), by_tunnel=False) as made:
            yield made
    except BrokerError as error:
        pytest.skip(str(error))


def env_of(secured: Secured, process: str) -> dict[str, str]:
    """How a process signs in: by a certificate with its name."""
    name = process.removeprefix("services.")
    signed = secured.authority.sign(name, f"/O=jointbuy/CN={name}")
    return {**secured.certificate(signed), "KAFKA_BOOTSTRAP_SERVERS": secured.at("CERTIFICATE")}


def test_with_the_plan_s_rights_alone_a_group_purchase_is_counted_in_eight_partitions(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, apply, and a plan with nothing to do; before that, a worker says what is missing."""
    stack = Stack(secured.broker, tmp_path, PREFIX, "wall", ENV, partitions=8, makes_topics=False)
    given = {
        **{"KAFKA_BOOTSTRAP_SERVERS": secured.broker.bootstrap_servers, "TOPIC_PREFIX": PREFIX},
        **{"PARTITIONS": "8", "MIN_INSYNC_REPLICAS": "1", "JOINTBUY_HOME": str(tmp_path)},
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    planned = jointbuy("topics", "plan", "--format", "json", *PRINCIPAL).json
    assert {each["state"] for each in planned["topics"] + planned["acls"]} == {"missing"}
    assert planned["fits"] is False
    applied = jointbuy("topics", "apply", *PRINCIPAL)
    assert applied.exit_code == 0, applied.err
    count = len(planned["topics"]) + len(planned["acls"])
    assert len(applied.out.splitlines()) == count, applied.out
    again = jointbuy("topics", "plan", *PRINCIPAL)
    assert again.out.splitlines()[-1] == "nothing to do", again.out
    assert jointbuy("topics", "apply", *PRINCIPAL).out.strip() == "nothing to do"

    workers = {each: stack.worker(each, **env_of(secured, each)) for each in PROCESSES}
    try:
        stack.until_ready(*workers.values())
        everything_works(stack, f"http://127.0.0.1:{workers['storefront'].port}")
        for name, value in env_of(secured, "terminal").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(security, "_KNOWN", {})
        ops_work()
    except BaseException:
        for each in workers.values():
            print(f"--- {each.log}", each.log.read_text()[-1_500:], sep="\n")
        raise
    finally:
        stack.close()


def everything_works(stack: Stack, url: str) -> None:
    """A group purchase to its favors and letters, and a seller from the page to the page."""
    asked = GroupPurchaseRequested(
        request_id="tea",
        requested_at=NOW,
        product=Product(name="Sencha, 1 kg"),
        number_of_products=5,
        unit_price=2_400,
        currency="EUR",
        members=(ListedMember(id="ann", email="ann@x.example"), ListedMember(id="bob")),
        favor=FavorTerms(tiers=(Tier(from_quantity=5, percent_off=10),)),
    )
    group_id = derive("tea")
    stack.feed("group-purchase-requests", (asked, None))
    stack.wait_for("request-outcomes", "tea", group_id=group_id)
    for member, quantity in (("ann", 2), ("bob", 3)):
        order = OrderPaid(
            order_id=f"order-of-{member}",
            source="shop",
            group_id=group_id,
            member_id=member,
            quantity=quantity,
            ordered_at=NOW,
        )
        stack.feed("orders", (order, milliseconds(NOW)))
    stack.wait_for("favors", group_id, members=2)
    until("money is to be paid back", lambda: stack.read("payments"))
    until("letters are written", lambda: stack.read("deliveries"))
    nobody = Client(url)
    seller = {"name": "Nord Foto", "email": "nord@sellers.example"}
    registered = until("registered", lambda: nobody.post("/sellers", seller, status=None))
    until("sold", lambda: stack.latest("sellers"))
    assert "seller_id" in registered, registered
    shown = f"/group-purchases/{group_id}"
    until("shown", lambda: nobody.send("GET", shown).status_code == 200)
    assert not stack.read("dead-letters")


def ops_work() -> None:
    """The terminal's own commands, as its user."""
    for words in (
        ("lag", "--json"),
        ("export", "purchases"),
        ("waiting",),
        ("park", "some-group", "--service", "order_service"),
        ("park", "some-group", "--service", "order_service", "--release"),
        ("dead-letters", "list"),
        ("erase", "ann", "--yes"),
    ):
        done = jointbuy(*words)
        assert done.exit_code == 0, (words, done.err)
    groups = {each["group"] for each in jointbuy("lag", "--json").json}
    assert groups >= {"order_service-purchases", "notifier-letters", "storefront-projector"}


def test_a_worker_that_may_not_create_topics_names_the_missing_ones(
    secured: Secured, tmp_path: Path
) -> None:
    """It sees that they are not there, as it may read them."""
    prefix = "bare-"
    stack = Stack(secured.broker, tmp_path, prefix, "wall", ENV, makes_topics=False)
    secured.acl(
        *("--add", "--allow-principal", "User:CN=bare,O=jointbuy", "--operation", "Read"),
        *("--operation", "Write", "--topic", prefix, "--resource-pattern-type", "prefixed"),
    )
    worker = stack.worker("order_service", **env_of(secured, "bare"))
    try:
        assert worker.exit_code(60) == LASTING_EXIT_CODE
        assert "has no bare-clock" in (said := worker.log.read_text().splitlines()[-1])
        assert "run `jointbuy topics apply`" in said
    finally:
        stack.close()


# --- each right taken away -----------------------------------------------------------------------

#: Rights that are used only when a shop or the admin acts, while another right shows the topic.
USED_LATER = {
    ("shop_bridge", "shop-events", "Write"),
    ("shop_bridge", "shop-questions", "Write"),
    ("storefront", "api-keys", "Write"),
    ("storefront", "definitions", "Write"),
}
WITHOUT = "without-"


@pytest.fixture(scope="module")
def without(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Topics with one partition each."""
    folder = tmp_path_factory.mktemp("without")
    made = Stack(secured.broker, folder, WITHOUT, "wall", ENV, partitions=1, makes_topics=False)
    asyncio.run(create_topics(made.settings, topic_plans.known_processors()))
    return made


@pytest.mark.long
@pytest.mark.parametrize("module", PROCESSES)
def test_with_any_right_taken_away_the_process_names_it(
    module: str, secured: Secured, without: Stack
) -> None:
    """Each right in turn: the process ends, and its last line has the ACL that adds the right."""
    process = module.removeprefix("services.")
    planned = topic_plans.rights_of_all(without.settings, topic_plans.known_processors())
    rights = next(each.rights for each in planned if each.process == process)
    asyncio.run(allow_all_but_one(without.settings, process, rights))
    at_start, at_work = [], []
    # Made here, as each has a number and a log of its own.
    workers = [
        without.worker(module, start=False, **env_of(secured, f"{process}-{number}"))
        for number in range(len(rights))
    ]
    for number, right in enumerate(rights):
        if (process, right.name.removeprefix(WITHOUT), right.operation) in USED_LATER:
            continue
        others = [each for each in rights if each.name == right.name and each != right]
        (at_work if others or right.kind != "topic" else at_start).append((number, right))

    def ends_without(case: tuple[int, Right]) -> str:
        """What is wrong with what it says; empty if nothing is."""
        number, right = case
        worker = workers[number]
        worker.start()
        try:
            code = worker.exit_code()
        except (TimeoutError, subprocess.TimeoutExpired):
            worker.stop()
            return f"{right}: it works on"
        said = worker.log.read_text().splitlines()[-1]
        # A group that lacks Read lacks Describe, which is asked for first.
        words = [f"--operation {right.operation}", f"--{right.kind}", right.name]
        is_said = code == LASTING_EXIT_CODE and all(each in said for each in words)
        return "" if is_said else f"{right}: {code}: {said}"

    # Those that end before they join their group do not disturb each other.
    with ThreadPoolExecutor(3) as threads:
        wrong = list(threads.map(ends_without, at_start))
    for case in at_work:
        feed(without, process, f"{process}-{case[0]}".replace("_", "-"))
        wrong.append(ends_without(case))
    assert not any(wrong), "\n".join(filter(None, wrong))


async def allow_all_but_one(settings: Settings, process: str, rights: Sequence[Right]) -> None:
    """A user for each right, who has all others."""
    client = admin(settings)
    await client.start()
    try:
        acls = [
            Acl(f"User:CN={process}-{number},O=jointbuy", each)
            for number, taken in enumerate(rights)
            for each in rights
            if each != taken
        ]
        await make_acls(client, acls)
        while not {each.principal for each in acls} <= {
            each.principal for each in await found_acls(client)
        }:
            pass
    finally:
        await client.close()


def feed(stack: Stack, process: str, name: str) -> None:
    """Something to do, so that a right is used."""
    terms = group_until(f"group-{name}", NOW + timedelta(days=1), NOW)
    messages: dict[str, list[tuple[str, Message]]] = {
        "request_service": [
            (
                "group-purchase-requests",
                GroupPurchaseRequested(
                    request_id=name,
                    requested_at=NOW,
                    product=Product(name="Sencha, 1 kg"),
                    number_of_products=5,
                ),
            )
        ],
        "order_service": [("group-purchases", terms), ("orders", order_at(terms.group_id, 1, NOW))],
        "favor_service": [("purchases", example(PurchaseOpened, group_id=f"group-{name}"))],
        "payment_service": [("group-purchases", terms)],
        "auction_service": [
            ("seller-registrations", example(SellerRegistered, seller_id=name)),
            ("offers", example(AuctionOpened, auction_id=name, offer_id=name)),
        ],
        "notifier": [("people", example(Person, person_id=name))],
        "shop_bridge": [
            ("shop-events", example(ShopOrderSeen, shop_order=f"greenhouse-supplies:{name}")),
            ("group-purchases", terms),
        ],
    }
    for topic, message in messages.get(process, []):
        stack.feed(topic, (message, None))


def example(kind: type[M], **changed: Any) -> M:
    """The example of a message, with other values."""
    told = json.loads((ROOT / "schemas" / "examples" / f"{kind.__name__}.json").read_text())
    return kind.model_validate_json(json.dumps({**told, **changed}))
