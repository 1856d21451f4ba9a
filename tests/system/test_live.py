"""Open pages on a real broker: what they are told, how soon, and what faults leave of it."""

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from runtime.admin import create_topics, topics_of_ours
from runtime.clients import admin
from runtime.records import as_record
from schemas.auctions import Auction, ShownOffer
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseState
from schemas.parts import Product
from services.storefront.rules.views import auction_view, group_progress
from stack import brokers
from stack.brokers import RunningBroker
from tests.raw_batches import Raw, batch
from tests.read_model import make_model_now
from tests.system import plain_http
from tests.system.api_stack import SETTINGS
from tests.system.broken_logs import produce
from tests.system.browsers import Browser, browsers
from tests.system.postgres import Postgres
from tests.system.purchases import order_at
from tests.system.stack import Stack, Worker, partition_of, stack_on, until

pytestmark = pytest.mark.system
PROJECTOR = "services.storefront.projector"
NOW = datetime.now(UTC).replace(microsecond=0)
NUMBER = 100


def terms(group_id: str, **fields: Any) -> GroupPurchase:
    said: dict[str, Any] = {"visibility": "public"} | fields
    return GroupPurchase(
        group_id=group_id,
        request_id=f"r-{group_id}",
        version=1,
        requested_at=NOW,
        issued_at=NOW,
        product=Product(name="Green tea, 1 kg"),
        number_of_products=NUMBER,
        opens_at=NOW - timedelta(hours=1),
        closes_at=NOW + timedelta(days=1),
        **said,
    )


def state(group_id: str, version: int) -> PurchaseState:
    return PurchaseState(
        group_id=group_id,
        request_id=f"r-{group_id}",
        version=version,
        status="open",
        quantity=version,
        value=100 * version,
        members=1,
    )


def auction(auction_id: str, version: int) -> Auction:
    return Auction(
        auction_id=auction_id,
        version=version,
        status="open",
        product=Product(name="Camera"),
        opened_by="s-1",
        opened_at=NOW,
        shown=ShownOffer(
            offer_id="o", seller_id="s-1", unit_price=1_000 - version, minimum_reservations=50
        ),
        currency="EUR",
        minimum_step=1,
        reservations=version,
        applicants=version,
        invites_at=NOW + timedelta(hours=12),
        closes_at=NOW + timedelta(days=1),
    )


def as_told(message: Auction | PurchaseState) -> dict[str, Any]:
    """What an event says of a fact."""
    shown = (
        auction_view(message) if isinstance(message, Auction) else group_progress(message, NUMBER)
    )
    told: dict[str, Any] = orjson.loads(shown.model_dump_json())
    return told


def behind(page: Worker) -> int | None:
    """How many records the read model has not read yet, as ``/status`` says."""
    answer = page.page("status")
    return None if answer is None else int(answer.json()["read_model"]["all_behind"])


def address(page: Worker, subject: str, api: bool = False) -> str:
    """Of a subject's stream: ``groups/<id>`` or ``auctions/<id>``."""
    if api:
        subject = subject.replace("groups/", "api/v1/group-purchases/")
    return f"http://127.0.0.1:{page.port}/{subject}/events"


def feed(stack: Stack, *messages: GroupPurchase | PurchaseState | Auction) -> None:
    topics = {
        GroupPurchase: "group-purchases",
        PurchaseState: "purchases",
        Auction: "auctions",
    }
    by_topic: dict[str, list[Any]] = {}
    for each in messages:
        by_topic.setdefault(topics[type(each)], []).append((each, None))
    for topic, some in by_topic.items():
        stack.feed(topic, *some)


@contextmanager
def pages_on(
    broker: RunningBroker, folder: Path, *services: str, **env: str
) -> Iterator[tuple[Stack, Worker, Worker]]:
    """A stack, its projector and its web process."""
    with stack_on(broker, folder, "wall", **(SETTINGS | env)) as stack:
        projector, page = stack.start(PROJECTOR, "storefront")
        stack.start(*services)
        yield stack, projector, page


def known(page: Worker, *subjects: str) -> None:
    """Wait until the read model has them."""

    for each in subjects:
        until(f"{each} known", lambda each=each: answer_at(address(page, each)) == 200)


def answer_at(url: str) -> int:
    """The status that a stream is answered with."""
    with httpx.stream("GET", url, timeout=30) as answer:
        return answer.status_code


# --- what is told, and how soon ------------------------------------------------------------------


def test_an_order_is_soon_on_open_pages(kafka: RunningBroker, tmp_path: Path) -> None:
    with pages_on(kafka, tmp_path, "order_service") as (stack, _, page):
        feed(stack, terms("g-1"), auction("a-1", 1))
        stack.wait_for("purchases", "g-1", version=1)
        known(page, "groups/g-1", "auctions/a-1")
        home = f"http://127.0.0.1:{page.port}/events?group=g-1&auction=a-1&group=nobody"
        opened = [
            Browser(address(page, "groups/g-1")),
            Browser(address(page, "groups/g-1", api=True)),
            Browser(home),
        ]
        for each in opened:
            each.until_open()
        delays = []
        for number in range(1, 8):
            began = time.monotonic()
            stack.feed("orders", (order_at("g-1", number, datetime.now(UTC)), None))
            for each in opened:
                at = until(
                    f"{number} units",
                    lambda each=each, number=number: next(
                        (told.at for told in each.told if told.state.get("quantity") == number),
                        None,
                    ),
                )
                delays.append(at - began)
        # What it is on a quiet machine, bench.live says.
        assert sorted(delays)[len(delays) // 2] < 10.0, delays
        log = {
            each.value["version"]: each.value
            for each in stack.read("purchases")
            if each.key == "g-1"
        }
        for told in opened[0].told:
            fact = PurchaseState.model_validate_json(orjson.dumps(log[told.version]))
            assert told.state == as_told(fact)
        assert {"a-1"} == {
            each.state["auction_id"] for each in opened[2].told if "auction_id" in each.state
        }
        for each in opened:
            each.close()


def test_a_page_that_comes_back_goes_on_where_it_was(kafka: RunningBroker, tmp_path: Path) -> None:
    with pages_on(kafka, tmp_path) as (stack, _, page):
        feed(stack, auction("a-1", 5))
        known(page, "auctions/a-1")
        url = address(page, "auctions/a-1")
        behind, level, shown = Browser(url, last=3), Browser(url, last=5), Browser(f"{url}?after=5")
        behind.until_told(5)
        for each in (level, shown):
            each.until_open()
        feed(stack, auction("a-1", 4), auction("a-1", 5), auction("a-1", 6))
        for each in (behind, level, shown):
            each.until_told(6)
            each.close()
        assert behind.versions == [5, 6]
        assert level.versions == shown.versions == [6]


def test_a_burst_is_told_by_its_last_state_and_bad_records_are_passed_over(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    last = 20_000
    with pages_on(kafka, tmp_path) as (stack, _, page):
        feed(stack, terms("g-1"), state("g-1", 1))
        known(page, "groups/g-1")
        with browsers(lambda name: address(page, name), "groups/g-1") as opened:
            (browser,) = opened.values()
            browser.until_told(1)
            bad = [record._replace(value=b"{") for record in _records(stack, state("g-1", 2))]
            stack.feed_raw(bad)
            (record,) = bad
            nobody_s = batch([Raw(record.key, b"{", [(b"\xff", b"1")])], at_ms=record.timestamp)
            produce(stack, stack.settings.topic("purchases"), record.partition, nobody_s)
            feed(stack, *(state("g-1", version) for version in range(2, last + 1)))
            browser.until_told(last)
        assert browser.versions == sorted(set(browser.versions))
        assert len(browser.told) < last / 20
        for told in browser.told:
            assert told.state == as_told(state("g-1", told.version))


def _records(stack: Stack, message: PurchaseState) -> list[Any]:
    return [as_record(message, "purchases", partition_of, int(time.time() * 1_000))]


def test_who_may_open_how_many(kafka: RunningBroker, tmp_path: Path) -> None:
    with pages_on(kafka, tmp_path, STREAMS_PER_ADDRESS="2") as (stack, _, page):
        feed(stack, terms("g-1", visibility="unlisted"), auction("a-1", 1))
        known(page, "groups/g-1", "auctions/a-1")
        url = address(page, "groups/g-1", api=True)
        unknown = plain_http.get(address(page, "groups/g-2", api=True))
        assert (unknown.status_code, unknown.json()["type"]) == (
            404,
            "urn:jointbuy:problem:unknown",
        )
        assert plain_http.get(address(page, "auctions/a-2")).status_code == 404
        assert plain_http.get(f"{url}?after=x").status_code == 400
        assert plain_http.get(url, headers={"Authorization": "Bearer jb_x_y"}).status_code == 401
        other = address(page, "auctions/a-1")
        with httpx.stream("GET", url, timeout=30), httpx.stream("GET", other, timeout=30):
            refused = plain_http.get(url)
            assert refused.status_code == 429
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            told = page.page("status")
            assert told is not None
            assert told.json()["streams"] == {"open": 2, "most": 10_000}
            assert told.json()["rates"]["refused"] == 1
            until("nothing behind", lambda: behind(page) == 0)
        until("places given back", lambda: answer_at(url) == 200)
        home = f"http://127.0.0.1:{page.port}/events?group=g-1&auction=a-1"
        with browsers(lambda _: home, "home") as opened:
            feed(stack, state("g-1", 1), auction("a-1", 2))
            opened["home"].until_told(2)
            assert {*opened["home"].versions} <= {1, 2}
            assert all("auction_id" in told.state for told in opened["home"].told), "unlisted"
        many = "&".join(f"group=g-{number}" for number in range(101))
        assert (
            plain_http.get(f"http://127.0.0.1:{page.port}/api/v1/events?{many}").status_code == 400
        )


# --- faults --------------------------------------------------------------------------------------


def test_kills_of_web_process_and_projector_lose_and_invent_nothing(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Every event is a state of the log, versions rise over reconnects, and the last one comes."""
    chance = random.Random(7)
    subjects = [f"groups/g-{n}" for n in range(6)] + [f"auctions/a-{n}" for n in range(6)]
    versions = dict.fromkeys(subjects, 1)

    def fact(subject: str) -> PurchaseState | Auction:
        kind, _, name = subject.partition("/")
        version = versions[subject]
        return state(name, version) if kind == "groups" else auction(name, version)

    with pages_on(kafka, tmp_path) as (stack, projector, page):
        groups = [each.partition("/")[2] for each in subjects if each.startswith("groups")]
        feed(stack, *(terms(name) for name in groups), *(fact(each) for each in subjects))
        known(page, *subjects)
        with browsers(lambda name: address(page, name), *subjects) as opened:
            for each in opened.values():
                each.until_told(1)
            for turn in range(10):
                victim = (page, projector)[turn % 2]
                victim.kill()
                facts = []
                for subject in chance.choices(subjects, k=15):
                    versions[subject] += chance.randrange(1, 3)
                    facts.append(fact(subject))
                feed(stack, *facts)
                victim.start()
                if turn % 3:
                    until(f"{victim.module} ready", victim.ready)
            # Nothing is said of these any more: what came while all were down must come anyway.
            for subject, browser in opened.items():
                browser.until_told(versions[subject])
        for subject, browser in opened.items():
            assert browser.versions == sorted(set(browser.versions)), subject
            assert browser.versions[-1] == versions[subject]
        log = {
            (each.topic, each.key, each.value["version"]): each.value
            for topic in ("purchases", "auctions")
            for each in stack.read(topic)
        }
        for subject, browser in opened.items():
            kind, _, name = subject.partition("/")
            topic = "purchases" if kind == "groups" else "auctions"
            for told in browser.told:
                value = orjson.dumps(log[topic, name, told.version])
                assert told.state == as_told(CATALOGUE[topic].adapter.validate_json(value))


def test_a_broker_restart_leaves_open_pages_open(tmp_path: Path) -> None:
    if brokers.choose() == "embedded":
        pytest.skip("the embedded broker forgets everything with its process")
    try:
        broker = brokers.start("kafka", home=tmp_path)
    except brokers.BrokerError as error:
        pytest.skip(str(error))
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    try:
        with pages_on(broker, tmp_path) as (stack, _, page):
            feed(stack, terms("g-1"), state("g-1", 1))
            known(page, "groups/g-1")
            with browsers(lambda name: address(page, name), "groups/g-1") as opened:
                (browser,) = opened.values()
                browser.until_told(1)
                for version in (2, 3):
                    broker.kill()
                    broker = brokers.start("kafka", home=tmp_path, port=port)
                    feed(stack, state("g-1", version))
                    browser.until_told(version)
                assert browser.versions == [1, 2, 3]
                assert browser.opened == 1
    finally:
        broker.stop()


def test_topics_that_come_later_are_read_from_their_first_record(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    with stack_on(kafka, tmp_path, "wall", **SETTINGS) as stack:
        prefix = f"{stack.prefix}later-"
        late = stack.settings.model_copy(update={"topic_prefix": prefix})
        # There is no projector: what it built knows nothing of these topics.
        make_model_now(f"sqlite:///{tmp_path / 'storefront.db'}")
        page = stack.worker("storefront", TOPIC_PREFIX=prefix)
        until("ready", page.ready)
        assert plain_http.get(address(page, "auctions/a-1")).status_code == 404
        assert asyncio.run(topics_of_ours(late)) == [], "asking for topics must not make them"
        asyncio.run(create_topics(late))
        stack.settings = late
        feed(stack, auction("a-1", 1))
        # Known to the hub alone.
        until("the first record", lambda: answer_at(address(page, "auctions/a-1")) == 200)
        with browsers(lambda name: address(page, name), "auctions/a-1") as opened:
            opened["auctions/a-1"].until_told(1)
            feed(stack, auction("a-1", 2))
            opened["auctions/a-1"].until_told(2)


def test_a_log_that_begins_anew_is_followed_from_its_beginning(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Positions beyond the end: streams end, and come back to what the new log says."""
    with pages_on(kafka, tmp_path) as (stack, _, page):
        feed(stack, *(auction("a-1", version) for version in range(1, 30)))
        known(page, "auctions/a-1")
        browser = Browser(address(page, "auctions/a-1"))
        browser.until_told(29)
        asyncio.run(_made_anew(stack, "auctions"))
        feed(stack, auction("a-1", 30))
        browser.until_told(30)
        assert browser.opened >= 1
        browser.close()


async def _made_anew(stack: Stack, topic: str) -> None:
    client = admin(stack.settings)
    await client.start()
    try:
        await client.delete_topics([stack.settings.topic(topic)])
    finally:
        await client.close()
    await create_topics(stack.settings)


def test_open_pages_outlive_the_database(
    kafka: RunningBroker, postgres: Postgres, tmp_path: Path
) -> None:
    name = f"live{time.monotonic_ns()}"
    with pages_on(kafka, tmp_path, DATABASE_URL=postgres.fresh(name)) as (stack, _, page):
        feed(stack, terms("g-1"), state("g-1", 1), auction("a-1", 1))
        known(page, "groups/g-1", "auctions/a-1")
        with browsers(lambda name: address(page, name), "groups/g-1") as opened:
            (browser,) = opened.values()
            browser.until_told(1)
            postgres.let_in(name, allowed=False)
            feed(stack, state("g-1", 2))
            browser.until_told(2)
            assert browser.opened == 1
            answer = plain_http.get(address(page, "groups/g-0"), timeout=30)
            assert answer.status_code == 503
            postgres.let_in(name, allowed=True)
            feed(stack, state("g-1", 3))
            browser.until_told(3)
            unknown = address(page, "groups/g-0")
            until("the database back", lambda: answer_at(unknown) == 404)


def test_a_web_process_ends_at_once_with_pages_open(kafka: RunningBroker, tmp_path: Path) -> None:
    with pages_on(kafka, tmp_path) as (stack, _, page):
        feed(stack, auction("a-1", 1))
        known(page, "auctions/a-1")
        names = ["auctions/a-1"] * 20
        opened = [Browser(address(page, name)) for name in names]
        for each in opened:
            each.until_told(1)
        page.signal(signal.SIGTERM)
        page.exit_code()
        assert "graceful shutdown exceeded" not in page.log.read_text()
        page.start()
        feed(stack, auction("a-1", 2))
        for each in opened:
            each.until_told(2)
            each.close()
        assert [each.versions for each in opened] == [[1, 2]] * 20
