"""A stopped deployment goes on with more partitions: nothing is lost, and nothing happens twice."""

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from runtime.admin import delete_topics
from runtime.clients import admin, consumer, producer
from runtime.metadata import counts_of
from runtime.records import OutputRecord, milliseconds
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid
from schemas.parts import Contact, FavorTerms, ListedMember, Product, Tier
from stack.brokers import RunningBroker
from terminal.topics import connected
from tests.system.letters import mail_env
from tests.system.mail import Mailpit
from tests.system.stack import Stack, stack_on, until
from tests.system.terminal import Said, jointbuy, pointed_at
from tests.system.test_counter_auction import (
    AUCTION,
    HOUR,
    MINUTE,
    T,
    application,
    counter,
    feed_sellers,
    opening,
    stamped,
    wait_for_sellers,
)

pytestmark = pytest.mark.system
SERVICES = (
    *("request_service", "order_service", "favor_service", "payment_service", "auction_service"),
)
CLOSES_AT = T + 4 * HOUR
#: The commands whose topics move the clocks.
COMMANDS = ("group-purchase-requests", "orders", "offers", "applications")
OUTBOX = "outbox-of-moved"
#: To whom and of what kind: each arrives once.
LETTERS = Counter(
    [(each, "seller-standing") for each in ("nord", "sato", "west")]
    + [(each, "invitation") for each in ("sato", "west")]
    + [(each, "offer-judged") for each in ("nord", "sato")]
    + [("nord", "right-intercepted")]
    + [(each, "condition-improved") for each in ("bob", "cleo")]
    + [(each, "contract-concluded") for each in ("nord", "sato", "bob", "cleo")]
    + [(each, "id-issued") for each in ("dee", "ann", "eve", "sato", "bob", "cleo")]
    + [(each, kind) for each in ("ann", "eve") for kind in ("order-counted", "favor-given")]
)
#: Ten percent of two units and of three, at 24.00.
REFUNDS = [("ann", 480), ("eve", 720)]


def services_on(stack: Stack, mailpit: Mailpit) -> None:
    """Start the same workers, each with the folder that it always has."""
    stack.start(*SERVICES)
    stack.start("notifier", **mail_env(mailpit.port))


def requested(
    stack: Stack,
    request_id: str = "moved",
    organizer: str = "dee",
    members: Sequence[str] = ("ann", "eve"),
    at: datetime = T,
    **terms: Any,
) -> str:
    """A group for five units, of two listed members, whose request comes ``at``; its id."""
    asked = GroupPurchaseRequested(
        request_id=request_id,
        requested_at=T,
        organizer=Contact(id=organizer, name=organizer.title(), email=f"{organizer}@moved.example"),
        product=Product(name="Sencha"),
        number_of_products=5,
        unit_price=2_400,
        currency="EUR",
        opens_at=T,
        closes_at=CLOSES_AT,
        grace_seconds=0,
        members=tuple(
            ListedMember(id=each, name=each, email=f"{each}@moved.example") for each in members
        ),
        favor=FavorTerms(tiers=(Tier(from_quantity=5, percent_off=10),)),
        **terms,
    )
    stack.feed("group-purchase-requests", stamped(asked, at))
    stack.pass_time(at + 5 * MINUTE, *COMMANDS)
    return str(stack.wait_for("request-outcomes", request_id)["group_id"])


def paid(group_id: str, member_id: str, quantity: int) -> tuple[OrderPaid, int]:
    """A member's one order."""
    at = T + HOUR
    order = OrderPaid(
        order_id=f"of-{member_id}",
        source="shop",
        group_id=group_id,
        member_id=member_id,
        quantity=quantity,
        ordered_at=at,
    )
    return order, milliseconds(at)


def letters(mailpit: Mailpit) -> Counter[tuple[str, str]]:
    """How often each letter arrived: to whom, and of what kind."""
    found: Counter[tuple[str, str]] = Counter()
    for each in mailpit.messages():
        (kind,) = re.findall(rb"^X-Jointbuy-Kind: (\S+)\r?$", mailpit.raw(each["ID"]), re.M)
        found[each["To"][0]["Address"].partition("@")[0], kind.decode()] += 1
    return found


def kill_midway(stack: Stack, *move: str) -> None:
    """Begin to move, and kill the command once its new topics are there."""
    command = [sys.executable, "-m", "terminal", *move]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until("new topics", lambda: new_topic(stack, "people"))
        process.kill()
    assert process.returncode == -signal.SIGKILL


def new_topic(stack: Stack, name: str) -> bool:
    """Whether the topic is there under the new prefix."""
    return is_there(stack, f"{stack.prefix}new-{name}")


def is_there(stack: Stack, topic: str) -> bool:
    """Whether a topic is on the broker."""

    async def go() -> bool:
        async with connected(admin(stack.settings), stack.settings) as client:
            return bool(await counts_of(client._client, [topic]))

    return asyncio.run(go())


async def stopped_when_complete(stack: Stack) -> None:
    """Leave the topics as a command does that is killed when its copy is complete."""
    marker, clock = (f"{stack.prefix}new-{name}" for name in ("repartition", "clock"))
    async with connected(admin(stack.settings), stack.settings) as client:
        await client.create_topics([NewTopic(marker, 1, 1)])
    async with connected(producer(stack.settings), stack.settings) as sender:
        await sender.send_and_wait(marker, b"complete", partition=0)
    await delete_topics(stack.settings, [clock])


async def outbox_at(stack: Stack, commit: int | None = None) -> int | None:
    """Where the reader of a shop's outbox stands, the shop's own topic, after committing there."""
    group = f"{stack.prefix}shop_bridge-outbox-erp"
    place = TopicPartition(OUTBOX, 0)
    async with connected(consumer(stack.settings, group), stack.settings) as reader:
        reader.assign([place])
        if commit is not None:
            await reader.commit({place: commit})
        found: int | None = await reader.committed(place)
        return found


async def make_outbox(stack: Stack) -> None:
    """The topic of a shop."""
    async with connected(admin(stack.settings), stack.settings) as client:
        await client.create_topics([NewTopic(OUTBOX, 1, 1)])


def told_before(old: Stack, mailpit: Mailpit) -> str:
    """Until a group has two units of five, and an auction two applicants; the group's id."""
    services_on(old, mailpit)
    feed_sellers(old, "nord", "sato", "west", at=T)
    wait_for_sellers(old, 3)
    group_id = requested(old)
    ann = paid(group_id, "ann", 2)
    old.feed("orders", ann, ann)
    old.feed("offers", stamped(opening("nord", T, CLOSES_AT), T))
    old.feed("applications", *application("cleo", T + HOUR, 2), *application("bob", T + HOUR))
    old.feed_raw([OutputRecord("orders", 1, b"x", b"not JSON", milliseconds(T + HOUR), [])])
    old.wait_for("auctions", AUCTION, applicants=2)
    old.wait_for("purchases", group_id, quantity=2)
    old.wait_idle()
    asyncio.run(make_outbox(old))
    until("the outbox", lambda: is_there(old, OUTBOX))
    asyncio.run(outbox_at(old, 7))
    return group_id


def told_after(new: Stack, mailpit: Mailpit, group_id: str) -> None:
    """To the end of both."""
    services_on(new, mailpit)
    new.wait_for("purchases", group_id, quantity=5)
    new.feed("orders", paid(group_id, "ann", 2))
    better = T + 3 * HOUR + MINUTE
    new.feed("offers", stamped(counter("sato", better, 85_000), better))
    new.pass_time(CLOSES_AT + HOUR, *COMMANDS)
    new.wait_for("auctions", AUCTION, status="concluded")
    new.wait_for("purchases", group_id, status="complete", quantity=5)
    new.wait_idle()


@pytest.mark.parametrize("to", [8, pytest.param(6, marks=pytest.mark.long)])
def test_a_group_and_an_auction_go_on_with_more_partitions(
    to: int, kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are midway, an order is unread, and the command is killed once.

    Six partitions get records of several of the four each, so there all must be read before.
    """
    mailpit.delete_all()
    with stack_on(kafka, tmp_path) as old:
        pointed_at(old, monkeypatch)
        group_id = told_before(old, mailpit)
        move = ("repartition", "--to", str(to), "--prefix", f"{old.prefix}new-", "--yes")
        while_running = jointbuy(*move)
        old.close()
        # Read by nobody before all have stopped.
        old.feed("orders", paid(group_id, "eve", 3), paid(group_id, "ann", 2))
        if to % 4:
            unread = jointbuy(*move)
            assert "has not read 2 records of orders" in unread.err
            services_on(old, mailpit)
            old.wait_for("purchases", group_id, quantity=5)
            old.wait_idle()
            old.close()
        kill_midway(old, *move)
        moved = jointbuy(*move, "--json")
        _check_proof(moved, unread=0 if to % 4 else 2)
        again = jointbuy(*move)
        asyncio.run(stopped_when_complete(old))
        until("no clock", lambda: not new_topic(old, "clock"))
        finished = jointbuy(*move)
        stale = old.worker("order_service")
        refused = stale.exit_code()

        prefix = f"{old.prefix}new-"
        new = Stack(kafka, tmp_path, prefix, "log", partitions=to, makes_topics=False)
        monkeypatch.setenv("TOPIC_PREFIX", new.prefix)
        monkeypatch.setenv("PARTITIONS", str(to))
        try:
            told_after(new, mailpit, group_id)
            found = letters(mailpit)
            payments = new.latest("payments").values()
            dead = jointbuy("dead-letters", "list", "--json").json
            why = jointbuy("why", group_id, "--json").json
            records = new.read("orders")
            outbox = asyncio.run(outbox_at(new))
        finally:
            new.close()

    assert "order_service-purchases (1)" in while_running.err
    assert while_running.exit_code == 1
    assert "there are records in" in again.err
    assert "The copy was complete before." in finished.out
    assert (refused, "no topic" in stale.log.read_text()) == (78, True)
    assert found == LETTERS
    assert sorted((each["member_id"], each["amount"]) for each in payments) == REFUNDS
    assert outbox == 7
    # The dead letter names its record and its task by the place that the record has now.
    (letter,) = dead
    (bad,) = [each for each in records if each.value == b"not JSON"]
    assert (letter["topic"], letter["partition"], letter["offset"]) == (
        "orders",
        bad.partition,
        bad.offset,
    )
    assert letter["state"] == "open"
    # Each member's row names the order that made it.
    rows = [each for each in why["facts"] if each["key"].startswith(f"{group_id}/member/")]
    assert {row["key"].rpartition("/")[2] for row in rows} == {"ann", "eve"}
    for row in rows:
        assert row["input"] is None or row["input"]["member_id"] == row["value"]["member_id"]
    assert any(row["input"] for row in rows)


def _check_proof(moved: Said, unread: int) -> None:
    assert moved.exit_code == 0, moved.err
    proof = moved.json
    assert proof["same"]
    for topic in proof["topics"]:
        assert topic["records"][0] == topic["records"][1]
        assert topic["digests"][0] == topic["digests"][1]
    assert {each["topic"] for each in proof["topics"]} > {*CATALOGUE}
    groups = {(each["group"], each["topic"]): each["unread"] for each in proof["groups"]}
    assert groups["order_service-purchases", "orders"] == [unread, unread]
    assert groups["payment_service-payments", "orders"] == [unread, unread]
