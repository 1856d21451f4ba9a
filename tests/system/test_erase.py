"""``jointbuy erase`` on a real broker: which copies are deleted, and when Kafka deletes its own."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from runtime.admin import set_of_topic
from runtime.clients import admin
from runtime.ports import free_port
from runtime.records import OutputRecord, Partitioner
from schemas.auctions import ShownOffer
from schemas.erasure import Place
from schemas.letters import Notice, notices
from schemas.ops import DEAD_LETTERS
from schemas.orders import OrderPaid
from schemas.parts import Party, Product
from schemas.people import PEOPLE, Person
from schemas.topic import PARTITIONS, compaction_in_time
from services.notifier.processor import PROCESSORS
from services.order_service.processor import PROCESSORS as OF_ORDERS
from stack import brokers
from stack.brokers import RunningBroker
from tests.system.letters import mail_env
from tests.system.purchases import group_until, groups_in
from tests.system.stack import Stack, stack_on, until
from tests.system.terminal import jointbuy, pointed_at

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
partition_of = Partitioner(PARTITIONS)
CHANGELOG = PROCESSORS[0].changelog

ANN = Person(person_id="m-ann", email="ann@gmail.com", seen_at=NOW)
ANN_AT_ACME = Person(person_id="acme:7", email="A.Nn+tea@googlemail.com", name="Ann", seen_at=NOW)
BOB = Person(person_id="m-bob", email="bob@gmail.com", seen_at=NOW)
NORD = Person(person_id="seller:nord", email="shop@nord.example", seen_at=NOW)


def known() -> set[str]:
    """Who is in the topic, as its compacted view has it."""
    return {each["key"] for each in jointbuy("export", PEOPLE.name).lines}


@pytest.mark.parametrize("broker_kind", ["kafka", "embedded"])
def test_an_erased_person_is_not_in_people(
    broker_kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the id it is one person, by the address all that have the mailbox."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    with stack_on(broker, tmp_path, clock="wall") as stack:
        pointed_at(stack, monkeypatch)
        moved = ANN.model_copy(update={"email": "ann@elsewhere.example"})
        again = (moved, ANN, ANN_AT_ACME, BOB, NORD)
        stack.feed(PEOPLE.name, *((each, None) for each in again))

        assert jointbuy("erase", "seller:nord", "--yes").exit_code == 0
        assert known() == {"m-ann", "acme:7", "m-bob"}
        # An address that she no longer has is nobody's.
        unknown = jointbuy("erase", "ann@elsewhere.example", "--yes")
        assert (unknown.exit_code, unknown.out) == (1, "")
        assert "no person has the id or address" in unknown.err
        said = jointbuy("erase", "ann@googlemail.com", "--yes", "--json").json
        assert said["erased"] == ["acme:7", "m-ann"]
        assert known() == {"m-bob"}
        assert jointbuy("erase", "m-ann", "--yes").exit_code == 1

        tombstones = [each for each in stack.read(PEOPLE.name) if each.value is None]
    assert {each.key: each.partition for each in tombstones} == {
        person: partition_of(person) for person in ("seller:nord", "acme:7", "m-ann")
    }


# --- what is left in the files of the broker ------------------------------------------------------

#: Each record closes a segment, and the cleaner takes a topic with any record to clean.
AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "1",
    "min.compaction.lag.ms": "0",
    "min.cleanable.dirty.ratio": "0.0001",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "0",
}
#: Each dead letter closes a segment, and segments that were purged are deleted.
NEW_FILES = {"segment.ms": "1", "file.delete.delay.ms": "0"}


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[RunningBroker]:
    """A Kafka of this test's own, whose files it may read."""
    if brokers.choose() != "kafka":
        pytest.skip("the files of a Kafka broker are read: install Java 17+ and Maven")
    often = "log.retention.check.interval.ms=1000\nlog.initial.task.delay.ms=500\n"
    broker = brokers.start("kafka", home=tmp_path / "broker", properties=often)
    yield broker
    broker.stop()


def test_kafka_keeps_no_byte_of_an_erased_address(
    own_kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in ``people`` nor in the notifier's changelog, once both are compacted, nor in dead
    letters. A waiting order never had it. What stays is the command that brought it.

    No mail server answers, so her letter waits: it is never sent.
    """
    # Compressed, no address could be found in a file.
    with stack_on(own_kafka, tmp_path, clock="wall", COMPRESSION="none") as stack:
        pointed_at(stack, monkeypatch)
        stack.start("order_service")
        stack.start("notifier", **mail_env(free_port()))
        stack.feed(PEOPLE.name, (ANN, None), (BOB, None))
        group_id = early_order(stack)
        poison(stack, ANN.email, BOB.email)
        letter = letter_to(ANN)
        stack.feed("notices", (letter, None))
        stack.wait_for("deliveries", f"{ANN.person_id}/{letter.notice_id}")
        until("her address is in the files", lambda: is_in_files(tmp_path, stack, ANN.email))

        said = jointbuy("erase", ANN.email, "--yes", "--json").json
        assert len(said["dead_letters"]) == 1
        assert {each["place"] for each in said["kept"]} == set(Place) - {Place.SELLER}
        stack.wait_for("deliveries", f"{ANN.person_id}/{letter.notice_id}", status="suppressed")
        # The order that waited counts once its group comes, and makes nobody known again.
        terms = group_until(group_id, NOW + timedelta(days=1), NOW - timedelta(days=1))
        stack.feed("group-purchases", (terms, None))
        stack.wait_for("purchases", f"{group_id}/member/ann", orders=1)
        assert ANN.person_id not in known()
        at_once(stack, AT_ONCE, PEOPLE.name, CHANGELOG)
        at_once(stack, NEW_FILES, DEAD_LETTERS.name)
        others = strangers()

        def is_forgotten() -> bool:
            # More records, in every partition of the topics, close the segments that hold her.
            stack.feed(PEOPLE.name, *((next(others), None) for _ in range(PARTITIONS)))
            stack.feed_raw(unreadable(BOB.email))
            return is_in_files(tmp_path, stack, ANN.email) == {"orders"}

        until("her address is gone from all files but the commands'", is_forgotten)
        kept = {PEOPLE.name, CHANGELOG, "orders", DEAD_LETTERS.name}
        assert is_in_files(tmp_path, stack, BOB.email) == kept
        assert BOB.person_id in stack.latest(PEOPLE.name)


def early_order(stack: Stack) -> str:
    """An order of Ann's that waits for its group without her address; returns the group's id."""
    (group_id,) = groups_in(0, 1)
    order = OrderPaid(
        order_id="o-1",
        source="acme",
        group_id=group_id,
        member_id="ann",
        person_id=ANN.person_id,
        member_email=ANN.email,
        quantity=1,
        ordered_at=NOW,
    )
    stack.feed("orders", (order, None))
    changelog = OF_ORDERS[0].changelog

    def waiting() -> list[bytes]:
        return [each.value for each in stack.read_raw(changelog) if b"\x00waiting/" in each.key]

    (row, *_) = until("the order waits", lambda: [each for each in waiting() if each])
    assert b"OrderPaid" in row
    assert ANN.email.encode() not in row
    return group_id


def unreadable(*emails: str) -> list[OutputRecord]:
    """Orders that can't be read, each with an address, in every partition."""
    return [
        OutputRecord("orders", number, b"none", f'{{"email": "{email}"'.encode(), 0, [])
        for email in emails
        for number in range(PARTITIONS)
    ]


def poison(stack: Stack, first: str, *others: str) -> None:
    """Make a dead letter of the first address, and one of each partition of the others."""
    stack.feed_raw([unreadable(first)[0], *unreadable(*others)])
    wanted = 1 + PARTITIONS * len(others)
    until("dead letters", lambda: len(stack.read_raw(DEAD_LETTERS.name)) >= wanted)


def letter_to(person: Person) -> Notice:
    (notice,) = notices(
        "contract-concluded",
        Party(id=person.person_id, person_id=person.person_id),
        "cameras",
        NOW,
        role="applicant",
        product=Product(name="Ricoh GR IV camera"),
        shown=ShownOffer(offer_id="o", seller_id="sato", unit_price=85_000, minimum_reservations=3),
        currency="EUR",
        quantity=1,
        reservations=30,
        applicants=27,
    )
    return notice


def strangers() -> Iterator[Person]:
    """New people, of each partition in turn."""
    ids = (f"m-{number}" for number in count())
    for partition in cycle(range(PARTITIONS)):
        person_id = next(each for each in ids if partition_of(each) == partition)
        yield Person(person_id=person_id, email=f"{person_id}@else.example", seen_at=NOW)


def is_in_files(folder: Path, stack: Stack, text: str) -> set[str]:
    """The topics of a stack in whose files on the broker a text stands, however old they are."""
    found = set()
    for file in (folder / "broker" / "kafka" / "data").glob(f"{stack.prefix}*/*"):
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            continue  # deleted in between
        if text.encode() in content:
            found.add(file.parent.name.removeprefix(stack.prefix).rpartition("-")[0])
    return found


def at_once(stack: Stack, settings: dict[str, str], *topics: str) -> None:
    """Let Kafka delete from these topics as soon as it looks, not only within days."""

    async def go() -> None:
        client = admin(stack.settings)
        await client.start()
        try:
            for topic in topics:
                name = stack.settings.topic(topic)
                before = await set_of_topic(client, name)
                if settings is AT_ONCE:
                    assert before.items() >= compaction_in_time().items(), before
                wanted = [ConfigResource(ConfigResourceType.TOPIC, name, settings)]
                for response in await client.alter_configs(wanted):
                    assert [code for code, *_ in response.resources] == [0], response
        finally:
            await client.close()

    asyncio.run(go())
