"""A stopped deployment is written away and brought back: its story goes on, and nothing repeats."""

import asyncio
import json
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from runtime.clients import admin, consumer
from runtime.on_cluster import members_of
from runtime.ports import free_port
from runtime.records import OutputRecord, as_record, milliseconds
from schemas.catalogue import CATALOGUE
from schemas.orders import OrderPlaced
from schemas.parts import PaymentTerms
from schemas.payments import PaymentReported
from schemas.people import Person
from stack.brokers import RunningBroker
from terminal.archive_stores import Folder
from terminal.topic_plans import known_processors
from terminal.topics import connected
from tests.system.mail import Mailpit
from tests.system.s3_server import S3Server
from tests.system.stack import Seen, Stack, partition_of, stack_on, until
from tests.system.terminal import jointbuy, pointed_at
from tests.system.test_counter_auction import HOUR, MINUTE, T
from tests.system.test_repartition import (
    LETTERS,
    REFUNDS,
    SERVICES,
    kill_midway,
    letters,
    outbox_at,
    paid,
    requested,
    told_after,
    told_before,
)

pytestmark = pytest.mark.system
#: Of the group that pays by invoice; each of its members gets an invoice and a credit note.
MORE_LETTERS = Counter(
    [(each, "id-issued") for each in ("hal", "fay", "gus")]
    + [(each, kind) for each in ("fay", "gus") for kind in ("order-counted", "favor-given")]
    + [(each, "payment-done") for each in ("fay", "gus") for _ in range(2)]
)
#: What each of its members has in the books: two units and three at 24.00, and ten percent back.
BOOKS = Counter(
    {
        ("fay", "invoice", 4_800): 1,
        ("fay", "credit", 480): 1,
        ("fay", "refund", 480): 1,
        ("gus", "invoice", 7_200): 1,
        ("gus", "credit", 720): 1,
    }
)


def by_invoice(stack: Stack) -> str:
    """A group for five units that pays by invoice; its id."""
    terms = PaymentTerms(method="invoice")
    return requested(stack, "by-invoice", "hal", ("fay", "gus"), T + 10 * MINUTE, payment=terms)


def placed(group_id: str, member_id: str, quantity: int) -> tuple[OrderPlaced, int]:
    """An order that is to be paid by invoice."""
    at = T + HOUR
    order = OrderPlaced(
        order_id=f"placed-by-{member_id}",
        source="shop",
        group_id=group_id,
        member_id=member_id,
        quantity=quantity,
        ordered_at=at,
    )
    return order, milliseconds(at)


def transfer(group_id: str, payment_id: str) -> tuple[PaymentReported, int]:
    """The money of the first invoice."""
    at = T + HOUR + MINUTE
    report = PaymentReported(
        report_id="at-the-bank",
        group_id=group_id,
        payment_id=payment_id,
        status="succeeded",
        amount=4_800,
        at=at,
    )
    return report, milliseconds(at)


def invoice_paid(stack: Stack, group_id: str) -> str:
    """Until the first member's invoice is paid; its id."""
    stack.feed("orders", placed(group_id, "fay", 2))
    stack.wait_for("purchases", group_id, quantity=2)
    stack.wait_idle()
    ((key, invoice),) = (
        each for each in stack.latest("payments").items() if each[1].get("kind") == "invoice"
    )
    payment_id = str(invoice["payment_id"])
    stack.feed("payment-reports", transfer(group_id, payment_id))
    stack.wait_for("payments", key, status="succeeded")
    stack.wait_idle()
    return payment_id


async def forget_orders(stack: Stack) -> None:
    """Delete all orders, as Kafka does with those of 30 days ago: offsets no longer begin at 0."""
    name = stack.settings.topic("orders")
    places = [TopicPartition(name, number) for number in range(stack.partitions)]
    async with connected(consumer(stack.settings), stack.settings) as reader:
        ends = await reader.end_offsets(places)
    async with connected(admin(stack.settings), stack.settings) as client:
        await client.delete_records({place: RecordsToDelete(end) for place, end in ends.items()})


@pytest.mark.long
def test_a_restored_deployment_goes_on_and_nothing_is_charged_or_mailed_again(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group, an invoice and an auction are midway; the restore is killed once."""
    mailpit.delete_all()
    backup = tmp_path / "backup"
    with stack_on(kafka, tmp_path) as old:
        pointed_at(old, monkeypatch)
        group_id = told_before(old, mailpit)
        billed = by_invoice(old)
        payment_id = invoice_paid(old, billed)
        while_running = jointbuy("backup", str(backup))
        old.close()
        asyncio.run(forget_orders(old))
        # Read by nobody before all have stopped.
        old.feed("orders", paid(group_id, "eve", 3), paid(group_id, "ann", 2))
        mailed = letters(mailpit)
        made = jointbuy("backup", str(backup), "--json")
        twice = jointbuy("backup", str(backup))
        checked = jointbuy("restore", str(backup), "--dry-run", "--json")
        here = jointbuy("restore", str(backup), "--yes")

        prefix = f"{old.prefix}new-"
        restore = ("restore", str(backup), "--prefix", prefix, "--yes")
        kill_midway(old, *restore)
        restored = jointbuy(*restore, "--json")
        again = jointbuy(*restore)

        new = Stack(kafka, tmp_path / "elsewhere", prefix, "log", makes_topics=False)
        new.folder.mkdir()
        monkeypatch.setenv("TOPIC_PREFIX", new.prefix)
        try:
            new.feed("orders", placed(billed, "fay", 2), placed(billed, "gus", 3))
            new.feed("payment-reports", transfer(billed, payment_id))
            told_after(new, mailpit, group_id)
            new.wait_for("purchases", billed, status="complete", quantity=5)
            new.wait_idle()
            found = letters(mailpit)
            history = new.read("payments")
            outbox = asyncio.run(outbox_at(new))
        finally:
            new.close()

    assert "these consumer groups have members: " in while_running.err
    assert groups_of(old, *SERVICES, "notifier") == {*re.findall(r"(\S+) \(", while_running.err)}
    assert made.exit_code == 0, made.err
    assert made.json["records"] == checked.json["records"] == sum(made.json["topics"].values())
    assert "has a backup already" in twice.err
    assert "choose another --prefix" in here.err
    assert restored.exit_code == 0, restored.err
    proof = restored.json
    assert proof["same"]
    assert {each["topic"] for each in proof["topics"]} > {*CATALOGUE}
    groups = {(each["group"], each["topic"]): each["unread"] for each in proof["groups"]}
    assert groups["order_service-purchases", "orders"] == [2, 2]
    assert "there are records in" in again.err
    assert mailed == mailed & found
    assert found == LETTERS + MORE_LETTERS
    assert outbox == 7
    # No version of a payment was told twice, and the books have each payment once.
    versions = Counter((each.key, each.value.get("version")) for each in history)
    assert set(versions.values()) == {1}
    payments = {each.key: each.value for each in history}.values()
    told = [each for each in payments if each.get("group_id") == group_id and "kind" in each]
    assert sorted((each["member_id"], each["amount"]) for each in told) == REFUNDS
    books = Counter(
        (each["member_id"], each["kind"], each["amount"])
        for each in payments
        if each["group_id"] == billed and "kind" in each
    )
    assert books == BOOKS


def groups_of(stack: Stack, *services: str) -> set[str]:
    """The consumer groups of these services, as the broker has them."""
    return {
        stack.settings.topic(each.group_id)
        for each in known_processors()
        if each.service in services
    }


class WakingFolder(Folder):
    """A backup's folder: when its rows are there, a worker that stood still goes on."""

    def __init__(self, path: Path, wake: Callable[[], None]) -> None:
        super().__init__(path)
        self._wake: Callable[[], None] | None = wake

    async def put(self, name: str, raw: bytes) -> None:
        """Write it. Rows come first, and orders after them."""
        if self._wake is not None and name.startswith("topics/orders/"):
            await asyncio.to_thread(self._wake)
            self._wake = None
        await super().put(name, raw)


@pytest.mark.long
@pytest.mark.parametrize(
    ("is_unread", "said"),
    [
        pytest.param(True, "has changed while it was copied", id="an order is unread"),
        pytest.param(False, "these consumer groups have members", id="all is read"),
    ],
)
def test_a_worker_that_its_group_took_for_dead_is_noticed(
    is_unread: bool,
    said: str,
    kafka: RunningBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stands still for longer than its session, and goes on while the backup is written."""
    with stack_on(kafka, tmp_path) as old:
        pointed_at(old, monkeypatch)
        worker, other = old.worker("order_service"), old.worker("request_service")
        group_id = requested(old)
        old.feed("orders", paid(group_id, "ann", 2))
        old.wait_for("purchases", group_id, quantity=2)
        old.wait_idle()
        other.stop()
        worker.signal(signal.SIGSTOP)
        (group,) = groups_of(old, "order_service")
        until("nobody in the group", lambda: not asyncio.run(members(old, group)))
        if is_unread:
            old.feed("orders", paid(group_id, "eve", 3))

        def wake() -> None:
            worker.signal(signal.SIGCONT)
            until("a member in the group", lambda: asyncio.run(members(old, group)))
            if is_unread:
                old.wait_for("purchases", group_id, quantity=5)

        backup = tmp_path / "backup"
        monkeypatch.setattr(
            "terminal.backup.store_at", lambda place: WakingFolder(Path(place), wake)
        )
        made = jointbuy("backup", str(backup))

    assert said in made.err
    assert (made.exit_code, made.err.count("\n")) == (1, 1)
    assert not (backup / "manifest.json").exists()


async def members(stack: Stack, group: str) -> bool:
    """Whether a consumer group has any."""
    async with connected(admin(stack.settings), stack.settings) as client:
        return bool(await members_of(client, [group], patience_seconds=30))


def test_places_are_those_of_the_new_topics_and_each_damage_is_named(
    kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old orders are deleted, one of two is unread, and a record names the other by its place."""
    backup = tmp_path / "backup"
    group = "order_service-purchases"
    with stack_on(kafka, tmp_path) as old:
        pointed_at(old, monkeypatch)
        old.feed("orders", *(paid(f"GB-{number}", "zoe", 1) for number in range(20)))
        asyncio.run(forget_orders(old))
        old.feed("orders", paid("GB-1", "ann", 2), paid("GB-2", "bob", 1))
        ann, bob = (
            next(each for each in old.read("orders") if each.key == f"GB-{number}")
            for number in (1, 2)
        )
        assert min(ann.offset, bob.offset) > 0
        # In one partition, ann's order comes first, and bob's is the next.
        at = {bob.partition: bob.offset, ann.partition: ann.offset + 1}
        asyncio.run(commit(old, group, at))
        cause = f"orders/{ann.partition}/{ann.offset}"
        old.feed_raw([caused(person("ann"), cause)])
        made = jointbuy("backup", str(backup))
        restore = ("restore", str(backup), "--prefix", f"{old.prefix}new-", "--yes", "--json")
        restored = jointbuy(*restore)
        assert restored.exit_code == 0, restored.err
        new = Stack(kafka, tmp_path, f"{old.prefix}new-", "log", makes_topics=False)
        moved = {each.key: (each.partition, each.offset) for each in new.read("orders")}
        (someone,) = new.read("people")
    _check_private(backup)
    _check_damage(backup, tmp_path / "damaged")

    assert made.exit_code == 0, made.err
    assert moved == {"GB-1": (ann.partition, 0), "GB-2": (bob.partition, int(_same(ann, bob)))}
    assert someone.headers["ce_cause"] == f"orders/{ann.partition}/0"
    groups = {(each["group"], each["topic"]): each["unread"] for each in restored.json["groups"]}
    assert groups[group, "orders"] == [1, 1]


def _same(one: Seen, other: Seen) -> bool:
    return one.partition == other.partition


async def commit(stack: Stack, group: str, offsets: dict[int, int]) -> None:
    """Commit where a group goes on in the partitions of orders."""
    at = {TopicPartition(stack.settings.topic("orders"), key): to for key, to in offsets.items()}
    async with connected(
        consumer(stack.settings, stack.settings.topic(group)), stack.settings
    ) as reader:
        reader.assign([*at])
        await reader.commit(at)


def caused(message: Person, cause: str) -> OutputRecord:
    """A record that says which record made it."""
    record = as_record(message, "people", partition_of, milliseconds(T))
    return record._replace(headers=[*record.headers, ("ce_cause", cause.encode())])


def _check_private(backup: Path) -> None:
    """Only its user reads it."""
    for each in (backup, *backup.rglob("*")):
        assert each.stat().st_mode & 0o077 == 0, each
    assert not list(backup.rglob("*.partial"))


def _check_damage(backup: Path, damaged: Path) -> None:
    """Each damage is named, and nothing is written."""
    (segment,) = (backup / "topics" / "people").iterdir()
    name = segment.relative_to(backup)
    raw = segment.read_bytes()
    flipped = raw[:50] + bytes([raw[50] ^ 1]) + raw[51:]
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["manifest"]["groups"] = []
    for file, content, said in [
        (name, raw[:-1], f"has {len(raw) - 1} bytes, and {len(raw)} were written"),
        (name, flipped, "was changed: its SHA-256 is not the one in manifest.json"),
        (name, None, "is missing"),
        ("manifest.json", json.dumps(manifest).encode(), "manifest.json was changed"),
        ("manifest.json", None, "has no manifest.json"),
    ]:
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(backup, damaged)
        if content is None:
            (damaged / file).unlink()
        else:
            (damaged / file).write_bytes(content)
        for how in (["--dry-run"], ["--prefix", "never-", "--yes"]):
            refused = jointbuy("restore", str(damaged), *how)
            assert refused.exit_code == 1
            assert said in refused.err
            assert refused.err.count("\n") == 1


# The server takes Go 280 seconds of CPU to build.
@pytest.mark.long
def test_a_bucket_gives_back_what_it_got_and_each_refusal_is_named(
    kafka: RunningBroker, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a real S3 server, into other partitions, and without one who was erased meanwhile."""
    bucket = s3.bucket("backups")
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    with stack_on(kafka, tmp_path) as old:
        pointed_at(old, monkeypatch)
        old.feed("people", *((person(each), milliseconds(T)) for each in ("ann", "bob")))
        old.feed("orders", paid("GB-1", "ann", 2), paid("GB-2", "bob", 1))
        place = "s3://backups/shop/2026-05-01"
        missing = jointbuy("backup", "s3://no-such-bucket/shop")
        made = jointbuy("backup", place)
        twice = jointbuy("backup", place)
        old.feed_raw([erasure("ann"), erasure("bob")])
        old.feed("people", (person("bob"), milliseconds(T + HOUR)))
        gone = jointbuy("erased")
        (tmp_path / "erased.txt").write_text(gone.out)

        checked = jointbuy("restore", place, "--dry-run", "--json")
        refused = [
            (jointbuy("restore", place, "--dry-run"), said)
            for said in _with_wrong_keys(monkeypatch, s3)
        ]
        monkeypatch.setenv("PARTITIONS", "8")
        erased = ("--erased", str(tmp_path / "erased.txt"))
        prefix = f"{old.prefix}new-"
        restored = jointbuy("restore", place, "--prefix", prefix, *erased, "--yes")
        assert restored.exit_code == 0, restored.err
        new = Stack(kafka, tmp_path, prefix, "log", partitions=8, makes_topics=False)
        orders = new.latest("orders")
        people = new.latest("people")

        (segment,) = (bucket / "shop/2026-05-01/topics/people").iterdir()
        raw = segment.read_bytes()
        segment.write_bytes(raw[:20] + bytes([raw[20] ^ 1]) + raw[21:])
        flipped = jointbuy("restore", place, "--dry-run")

    assert "there is no such bucket" in missing.err
    assert made.exit_code == 0, made.err
    assert "The backup is complete: 4 records" in made.out
    assert "LINK_SECRET" in made.out
    assert "has a backup already" in twice.err
    assert checked.json["records"] == 4
    for result, said in refused:
        assert said in result.err
        assert (result.exit_code, result.err.count("\n")) == (1, 1)
    assert "1 person erased again" in restored.out
    assert set(orders) == {"GB-1", "GB-2"}
    assert [line.partition(" ")[2] for line in gone.out.splitlines()] == ["acme:ann"]
    assert people["acme:ann"] is None
    assert people["acme:bob"]["email"] == "bob@moved.example"
    assert "topics/people/000000.msgpack.zst" in flipped.err
    assert flipped.exit_code == 1


def person(name: str) -> Person:
    """Somebody whose address a shop sent."""
    return Person(person_id=f"acme:{name}", email=f"{name}@moved.example", seen_at=T)


def erasure(name: str) -> OutputRecord:
    """A tombstone of now."""
    key = f"acme:{name}"
    return OutputRecord("people", partition_of(key), key.encode(), None, now_ms(), [])


def now_ms() -> int:
    """The time, as records have it."""
    return milliseconds(datetime.now(UTC))


def _with_wrong_keys(monkeypatch: pytest.MonkeyPatch, s3: S3Server) -> Iterator[str]:
    """Sets one setting wrong at a time, and tells what is to be said."""
    for name, value, said in [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "look at AWS_SECRET_ACCESS_KEY [SignatureDoesNotMatch]"),
        ("AWS_ACCESS_KEY_ID", "nobody", "No user exists with the provided access key ID [X"),
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}", "the store does not answer"),
    ]:
        monkeypatch.setenv(name, value)
        yield said
        monkeypatch.setenv(name, s3.env[name])
