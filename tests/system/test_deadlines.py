"""The partition's clock: what is due fires once, at its own time, after what came in time.

Sentinels: a deadline that must not pass is watched until one of the same time, in a partition where
nothing stands in its way, has been handled; so no test waits for nothing to happen.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime import store
from runtime.records import OutputRecord, encode, instant, milliseconds
from runtime.store import POSITIONS_KEY
from schemas.orders import ORDERS, OrderPlaced
from schemas.parts import Message, PaymentCause, PaymentTerms, TimePassed
from schemas.payments import Payment
from schemas.topic import PARTITIONS
from stack import brokers
from stack.brokers import RunningBroker
from tests import debian
from tests.system.purchases import T, closings, group_until, groups_in, order_at, states, text
from tests.system.stack import Stack, Worker, open_transaction, partition_of, stack_on, until

pytestmark = pytest.mark.system
CHANGELOG = "order_service-purchases-changelog"
GRACE_SECONDS = 2.0
MINUTE = timedelta(minutes=1)

# --- what the tests are told in ------------------------------------------------------------------


GROUP, OTHER, THIRD = groups_in(1, 3)
SENTINEL, FREE = groups_in(3, 2)


def now() -> datetime:
    """The wall clock, to the millisecond."""
    return instant(int(time.time() * 1000))


def stamped(message: Message, at: datetime) -> tuple[Message, int]:
    """What ``Stack.feed`` takes."""
    return message, milliseconds(at)


def passed(at: datetime, seconds: float = 0) -> None:
    """Wait until the wall clock shows that many seconds more."""
    until(
        f"the wall clock at {at} + {seconds} s",
        lambda: time.time() > at.timestamp() + seconds,
    )


def assert_closed(stack: Stack, group_id: str, quantity: int, closed_at: datetime) -> None:
    """The deadline fired once, at its time, with that much counted."""
    stack.wait_for("purchases", group_id, status="elapsed")
    found = [(each["quantity"], each["closed_at"]) for each in closings(stack, group_id)]
    assert found == [(quantity, text(closed_at))]


def assert_versions_rise(stack: Stack) -> None:
    """No fact went out twice: each key's versions rise."""
    last: dict[str, int] = {}
    for each in stack.read("purchases"):
        if each.key is None or "/refused/" in each.key or "/definition" in each.key:
            continue
        assert each.value["version"] > last.get(each.key, 0), f"{each.key} was told twice"
        last[each.key] = each.value["version"]


def rows_told(stack: Stack) -> dict[bytes, bytes]:
    """The rows as the changelog has them."""
    rows = {each.key: each.value for each in stack.read_raw(CHANGELOG) if each.key != POSITIONS_KEY}
    return {key: value for key, value in rows.items() if value is not None}


def rows_kept(worker: Worker) -> dict[bytes, bytes]:
    """The rows on the disk of a worker that has ended."""
    kept: dict[bytes, bytes] = {}
    for number in range(PARTITIONS):
        db = store._open(state_folder(worker) / str(number))
        kept |= {key: value for key, value in db.items() if key >= b" "}
        db.close()
    return kept


def state_folder(worker: Worker) -> Path:
    """Where a worker keeps the rows of its partitions."""
    return Path(worker.env["STATE_DIR"]) / "order_service-purchases"


def clocks(worker: Worker) -> dict[int, int]:
    """What each partition's clock shows, in milliseconds."""
    told = until("its partitions", worker.partitions)
    return {part["partition"]: part["now_ms"] for part in told}


def feed_partition(stack: Stack, at: datetime, group_id: str) -> None:
    """``TimePassed`` on ``orders``, to the partition of a group only."""
    stack.pass_time(at, partition=partition_of(group_id))


# --- the wall clock ------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [pytest.param("stopped", marks=pytest.mark.long), "down"])
def test_an_order_made_in_time_counts_though_it_is_read_late(
    away: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """What lies unread in the log when the deadline comes is counted before the group closes."""
    with stack_on(kafka, tmp_path, "wall") as stack:
        (worker,) = stack.start("order_service")
        opens_at = now()
        closes_at = opens_at + timedelta(seconds=3)
        stack.feed("group-purchases", stamped(group_until(GROUP, closes_at, opens_at), opens_at))
        stack.wait_for("purchases", GROUP, status="open")
        assert worker.process is not None
        if away == "stopped":
            worker.signal(signal.SIGSTOP)
        else:
            worker.kill()
        at = now()
        assert at < closes_at, "this machine is too slow for the test"
        stack.feed("orders", *(stamped(order_at(GROUP, n, at), at) for n in range(50)))
        passed(closes_at, 0.5)
        if away == "stopped":
            worker.signal(signal.SIGCONT)
        else:
            worker.start()
        assert_closed(stack, GROUP, 50, closes_at)
        stack.wait_idle()
        assert_versions_rise(stack)


def test_after_an_outage_every_overdue_deadline_is_handled_at_its_own_time(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """However long the service was down: once each, with what was made in time and nothing else."""
    start = now() - timedelta(days=3)
    closes = {
        GROUP: start + 5 * MINUTE,
        OTHER: start + 2 * timedelta(days=1),
        SENTINEL: start + 3 * timedelta(days=1) - MINUTE,
    }
    with stack_on(kafka, tmp_path, "wall") as stack:
        for group_id, closes_at in closes.items():
            stack.feed("group-purchases", stamped(group_until(group_id, closes_at, start), start))
            in_time, late = closes_at - MINUTE, closes_at + MINUTE / 2
            stack.feed(
                "orders",
                stamped(order_at(group_id, 1, in_time, 1), in_time),
                # Made in time, but it came to the topic when the group was over.
                stamped(order_at(group_id, 2, in_time, 10), late),
                stamped(order_at(group_id, 3, late, 100), late),
            )
        stack.start("order_service")
        for group_id, closes_at in closes.items():
            assert_closed(stack, group_id, 1, closes_at)
        stack.wait_for("purchases", SENTINEL, quantity=11)
        stack.wait_idle()
        assert_versions_rise(stack)


@pytest.mark.parametrize(
    "worker_is", ["running", pytest.param("down over the deadline", marks=pytest.mark.long)]
)
def test_a_record_from_the_future_closes_no_other_group_early(
    worker_is: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """A clock that is ahead somewhere does not cost others the orders they made in time."""
    with stack_on(kafka, tmp_path, "wall") as stack:
        worker = stack.worker("order_service", start=worker_is == "running")
        if worker_is == "running":
            stack.until_ready(worker)
        opens_at = now()
        closes_at = opens_at + timedelta(seconds=10)
        # Kafka 4 itself refuses what is more than an hour ahead.
        ahead = opens_at + 55 * MINUTE
        stack.feed(
            "group-purchases",
            stamped(group_until(GROUP, closes_at, opens_at), opens_at),
            stamped(group_until(OTHER, opens_at + timedelta(days=1), opens_at), opens_at),
        )
        stack.feed("orders", stamped(order_at(OTHER, 1, ahead), ahead))
        stack.feed("orders", stamped(order_at(OTHER, 2, ahead), now()))
        if worker_is == "running":
            stack.wait_for("purchases", OTHER, quantity=2)
        at = now()
        assert at < closes_at, "this machine is too slow for the test"
        stack.feed("orders", stamped(order_at(GROUP, 1, at), at))
        if worker_is != "running":
            passed(closes_at, 0.5)
            worker.start()
        stack.wait_for("purchases", OTHER, quantity=2)
        early = closings(stack, GROUP)
        assert closes_at < now() or not early, "closed early"
        assert_closed(stack, GROUP, 1, closes_at)
        assert not closings(stack, OTHER)


def test_time_passed_is_ignored_under_the_wall_clock(kafka: RunningBroker, tmp_path: Path) -> None:
    """Only a replay's clock is moved by its feed."""
    with stack_on(kafka, tmp_path, "wall") as stack:
        stack.start("order_service")
        opens_at = now()
        later = opens_at + 50 * MINUTE
        stack.feed(
            "group-purchases",
            stamped(group_until(GROUP, opens_at + 10 * MINUTE, opens_at), opens_at),
            stamped(group_until(OTHER, opens_at + timedelta(seconds=1), opens_at), opens_at),
        )
        feed_partition(stack, later, GROUP)
        value = encode(TimePassed(at=later + timedelta(days=36_500)))
        at = milliseconds(now())
        stack.feed_raw([OutputRecord(ORDERS.name, partition_of(GROUP), None, value, at, [])])
        stack.feed("orders", stamped(order_at(GROUP, 1, opens_at), now()))
        stack.wait_for("purchases", GROUP, quantity=1)
        stack.wait_for("purchases", OTHER, status="elapsed")
        assert not closings(stack, GROUP)
        assert not stack.read("dead-letters")


# --- a clock that is wrong -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def libfaketime() -> str:
    """The library that shifts a process's clock; installed if this is root's machine."""
    found = _find_libfaketime()
    if found is None:
        debian.install("faketime")
        found = _find_libfaketime()
    if found is None:
        reason = "no libfaketime: install the Debian package faketime"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(found)


def _find_libfaketime() -> Path | None:
    folders = (Path("/usr/lib"), Path("/usr/local/lib"), Path("/usr/lib64"))
    found = (path for folder in folders for path in folder.glob("**/faketime/libfaketime.so.1"))
    return next(found, None)


@pytest.mark.parametrize("hours", [2, pytest.param(-1, marks=pytest.mark.long)])
def test_a_worker_whose_clock_is_wrong_fires_nothing_and_says_so(
    hours: int, libfaketime: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """It counts orders where nothing due stands in between; a right worker then fires at the time.

    Nor does it leave its time behind: the right worker closes no group before its deadline.
    """
    with stack_on(kafka, tmp_path, "wall") as stack:
        wrong, right = (stack.worker("order_service", start=False) for _ in range(2))
        wrong.env |= {
            "LD_PRELOAD": libfaketime,
            "FAKETIME": f"{hours * 3600:+d}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        wrong.start()
        until("ready", wrong.ready)
        # Long enough at rest for a clock to be taken over from the wall.
        until("at rest", lambda: all(part["idle"] for part in wrong.partitions()))
        passed(now(), GRACE_SECONDS + 1)

        opens_at = now()
        soon = opens_at + timedelta(seconds=3)
        stack.feed(
            "group-purchases",
            stamped(group_until(FREE, opens_at + timedelta(days=30), opens_at), opens_at),
        )
        stack.feed("orders", stamped(order_at(FREE, 1, opens_at), opens_at))
        stack.wait_for("purchases", FREE, quantity=1)
        stack.feed(
            "group-purchases",
            stamped(group_until(GROUP, soon, opens_at), opens_at),
            stamped(group_until(SENTINEL, opens_at + 20 * MINUTE, opens_at), opens_at),
        )
        stack.feed("orders", stamped(order_at(GROUP, 1, opens_at), opens_at))
        passed(soon, GRACE_SECONDS + 1)
        assert not closings(stack, GROUP)
        assert "clock is off the broker's" in wrong.log.read_text()

        wrong.stop()
        right.start()
        assert_closed(stack, GROUP, 1, soon)
        passed(now(), GRACE_SECONDS)
        stack.wait_idle()
        assert states(stack, SENTINEL), "it was not opened"
        assert not closings(stack, SENTINEL), "it closed 20 minutes early"
        slack_ms = 1_000
        assert all(at < time.time() * 1000 + slack_ms for at in clocks(right).values())


# --- an upstream that is slow --------------------------------------------------------------------


def authorised(group_id: str) -> Payment:
    """The money of the group's placed order."""
    return Payment(
        payment_id="1",
        group_id=group_id,
        member_id="ann",
        kind="authorisation",
        method="card",
        amount=100,
        currency="EUR",
        status="authorised",
        cause=PaymentCause(kind="order", source="shop", order_id=f"{group_id}-1"),
        version=1,
    )


@pytest.mark.parametrize("ended", ["committed", pytest.param("aborted", marks=pytest.mark.long)])
def test_the_clock_waits_for_an_upstream_that_has_not_committed(
    ended: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """What an open transaction holds was sent in time: no deadline passes before it is ended."""
    with stack_on(kafka, tmp_path, "wall") as stack, open_transaction(stack) as upstream:
        (worker,) = stack.start("order_service")
        opens_at = now()
        closes_at = opens_at + timedelta(seconds=4)
        paid, kept = groups_in(0, 1) + groups_in(1, 1)
        by_card = PaymentTerms(scope="member", method="card")
        terms = {
            each: group_until(each, closes_at, opens_at, payment=by_card)
            for each in (paid, kept, SENTINEL)
        }
        stack.feed("group-purchases", *(stamped(each, opens_at) for each in terms.values()))
        placed = OrderPlaced(**dict(order_at(paid, 1, opens_at)) | {"type": "OrderPlaced"})
        stack.feed("orders", stamped(placed, opens_at))
        stack.wait_for("purchases", kept, status="open")
        withdrawn = terms[kept].model_copy(update={"version": 2, "withdrawn_at": opens_at})
        at = now()
        upstream.begin(at, {"payments": authorised(paid), "group-purchases": withdrawn})
        assert now() < closes_at, "this machine is too slow for the test"

        assert_closed(stack, SENTINEL, 0, closes_at)
        passed(now(), GRACE_SECONDS)
        for each in (paid, kept):
            assert not closings(stack, each), f"{each} closed while a transaction was open"
        late = worker.metric("jointbuy_deadline_late_seconds")
        behind = worker.metric("jointbuy_clock_behind_seconds")
        assert late["0"] > 0, "ops see the deadline that waits"
        assert behind["0"] > late["0"] + GRACE_SECONDS
        assert late[str(partition_of(SENTINEL))] == 0
        upstream.end(ended)
        found = {}
        for each in (paid, kept):
            (closed,) = until(f"{each} is closed", lambda each=each: closings(stack, each))
            found[each] = closed["status"], closed["quantity"], closed["closed_at"]
    in_time = ended == "committed"
    assert found[paid] == ("elapsed", int(in_time), text(closes_at))
    assert found[kept] == (
        ("withdrawn", 0, text(at)) if in_time else ("elapsed", 0, text(closes_at))
    )


# --- the log's clock -----------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2001, pytest.param(2100, marks=pytest.mark.long)])
def test_under_the_log_clock_only_the_log_tells_the_time(
    year: int, kafka: RunningBroker, tmp_path: Path
) -> None:
    """Deadlines long past or far ahead are handled when the feed says so, and not before."""
    opens_at = T.replace(year=year, day=1)
    closes_at = opens_at + 60 * MINUTE
    with stack_on(kafka, tmp_path) as stack:
        (worker,) = stack.start("order_service")
        for each in (GROUP, SENTINEL):
            stack.feed("group-purchases", stamped(group_until(each, closes_at, opens_at), opens_at))
            stack.feed("orders", stamped(order_at(each, 1, opens_at), opens_at))
            stack.wait_for("purchases", each, quantity=1)
        passed(now(), GRACE_SECONDS + 0.5)
        feed_partition(stack, closes_at - timedelta(milliseconds=1), GROUP)
        feed_partition(stack, closes_at, SENTINEL)
        assert_closed(stack, SENTINEL, 1, closes_at)
        stack.wait_idle()
        assert not closings(stack, GROUP)
        assert clocks(worker)[partition_of(GROUP)] == milliseconds(closes_at) - 1
        feed_partition(stack, closes_at, GROUP)
        assert_closed(stack, GROUP, 1, closes_at)


def replay(stack: Stack, between: Callable[[], None]) -> None:
    """A small replay that ends with ``TimePassed``, then ``between``, then records that look back.

    Those that look back fall due by the time that the first part came to.
    """
    stack.feed(
        "group-purchases",
        *(stamped(group_until(each, T + 60 * MINUTE, T), T) for each in (GROUP, SENTINEL)),
    )
    for number in range(30):
        at = T + number * MINUTE
        both = [stamped(order_at(each, number, at), at) for each in (GROUP, SENTINEL)]
        stack.feed("orders", *both)
    stack.pass_time(T + 61 * MINUTE)
    stack.wait_idle()
    stack.pass_time(T + 600 * MINUTE)
    stack.wait_idle()
    between()
    stack.feed("orders", stamped(order_at(OTHER, 1, T), T))
    stack.feed("group-purchases", stamped(group_until(THIRD, T + 500 * MINUTE, T), T))
    stack.feed("orders", stamped(order_at(THIRD, 1, T), T))
    stack.wait_for("purchases", f"{THIRD}/member/ann", quantity=1)
    stack.wait_idle()


@pytest.mark.long
def test_a_kill_after_the_last_record_of_a_replay_changes_nothing(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """The rows after a restart, due ones included, are those of a run that was not interrupted."""
    outcomes = []
    for name in ("uninterrupted", "killed"):
        folder = tmp_path / name
        folder.mkdir()
        with stack_on(kafka, folder) as stack:
            (worker,) = stack.start("order_service")

            def kill(worker: Worker = worker, name: str = name) -> None:
                if name == "killed":
                    worker.kill()
                    worker.start()
                    until("ready", worker.ready)

            replay(stack, kill)
            at = clocks(worker)
            worker.stop()
            assert rows_kept(worker) == rows_told(stack)
            outcomes.append((at, rows_told(stack), stack.latest("purchases")))
    (clock, rows, told), killed = outcomes[0], outcomes[1]
    assert set(clock.values()) == {milliseconds(T + 600 * MINUTE)}
    assert killed[0] == clock, "the clock went back"
    assert killed[1] == rows
    assert killed[2] == told


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_broker_restart_is_survived(tmp_path: Path) -> None:
    """The worker comes back by itself, its state is exact, and deadlines fire, missed ones too."""
    if brokers.choose() == "embedded":
        pytest.skip("the embedded broker forgets everything with its process")
    try:
        broker = brokers.start("kafka", home=tmp_path)
    except brokers.BrokerError as error:
        pytest.skip(str(error))
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    try:
        with stack_on(broker, tmp_path, "wall") as stack:
            (worker,) = stack.start("order_service")
            opens_at = now()
            missed_at = opens_at + timedelta(seconds=5)
            stack.feed(
                "group-purchases",
                stamped(group_until(GROUP, missed_at, opens_at), opens_at),
                stamped(group_until(SENTINEL, opens_at + timedelta(days=1), opens_at), opens_at),
            )
            for each in (GROUP, SENTINEL):
                orders = (stamped(order_at(each, n, opens_at), now()) for n in range(300))
                stack.feed("orders", *orders)
            broker.stop()
            passed(missed_at)
            broker = brokers.start("kafka", home=tmp_path, port=port)
            at = now()
            closes_at = at + timedelta(seconds=6)
            stack.feed("group-purchases", stamped(group_until(OTHER, closes_at, at), at))
            stack.feed(
                "orders",
                stamped(order_at(OTHER, 1, at), at),
                *(stamped(order_at(SENTINEL, n, opens_at), at) for n in range(250, 400)),
            )
            stack.wait_for("purchases", SENTINEL, quantity=400)
            assert_closed(stack, GROUP, 300, missed_at)
            assert_closed(stack, OTHER, 1, closes_at)
            stack.wait_idle()
            assert_versions_rise(stack)
            assert worker.process is not None
            assert worker.process.poll() is None
            worker.stop()
            assert rows_kept(worker) == rows_told(stack)
    finally:
        broker.stop()


def test_a_zombie_is_fenced_and_comes_back(kafka: RunningBroker, tmp_path: Path) -> None:
    """A worker stopped past its session changes nothing when it wakes, and then works again."""
    count = 4_000
    groups = [name for number in range(PARTITIONS) for name in groups_in(number, 2)]
    with stack_on(kafka, tmp_path, BATCH_RECORDS_MAX="50") as stack:
        zombie, heir = (stack.worker("order_service", start=False) for _ in range(2))
        zombie.start()
        until("ready", zombie.ready)
        end = T + 60 * MINUTE
        stack.feed("group-purchases", *(stamped(group_until(each, end, T), T) for each in groups))
        stack.feed(
            "orders",
            *(
                stamped(order_at(groups[n % len(groups)], n, T), T + timedelta(milliseconds=n))
                for n in range(count)
            ),
        )
        until("at work", lambda: any(each["positions"]["orders"] for each in zombie.partitions()))
        zombie.signal(signal.SIGSTOP)
        heir.start()
        until("the heir has done the rest", lambda: counted(stack) == count)
        zombie.signal(signal.SIGCONT)
        until(
            "each has half", lambda: [len(each.partitions()) for each in (zombie, heir)] == [2, 2]
        )
        stack.feed("orders", *(stamped(order_at(each, count, T), T + MINUTE) for each in groups))
        until("both work on", lambda: counted(stack) == count + len(groups))
        stack.pass_time(end)
        for each in groups:
            assert_closed(stack, each, count // len(groups) + 1, end)
        stack.wait_idle()
        assert_versions_rise(stack)
        # What nobody looked at is said when it is collected: at the process's end at the latest.
        zombie.stop()
        assert "Task exception was never retrieved" not in zombie.log.read_text()


def counted(stack: Stack) -> int:
    """The quantity of all groups together."""
    latest = stack.latest("purchases").items()
    return sum(value["quantity"] for key, value in latest if "/" not in key)


def test_workers_share_quickly_though_records_come(kafka: RunningBroker, tmp_path: Path) -> None:
    """Records that arrive while partitions change hands hold nobody up."""
    shared_seconds_max = 15.0
    with stack_on(kafka, tmp_path) as stack:
        (first,) = stack.start("order_service")
        stack.feed("group-purchases", stamped(group_until(GROUP, T + 60 * MINUTE, T), T))
        second = stack.worker("order_service")
        until("it is up", lambda: second.page("livez"))
        fed = 0

        def shared() -> bool:
            nonlocal fed
            fed += 1
            stack.feed("orders", stamped(order_at(GROUP, fed, T), T))
            return (len(first.partitions()), len(second.partitions())) == (2, 2)

        until("each worker has half", shared, shared_seconds_max)
        stack.wait_for("purchases", GROUP, quantity=fed)
        workers = first, second

        def restored() -> bool:
            shown = [each.metric("jointbuy_partition_ready") for each in workers]
            numbers = sorted(number for ready in shown for number in ready)
            # Each once: a worker shows nothing of a partition that it gave up.
            is_shared = numbers == [str(number) for number in range(PARTITIONS)]
            return is_shared and all(set(ready.values()) == {1.0} for ready in shown)

        until("each partition is ready at one worker", restored)
        for each in workers:
            assert all(took >= 0 for took in each.metric("jointbuy_restore_seconds").values())
        assert first.metric("jointbuy_rebalances_total")[""] >= 2
        assert second.metric("jointbuy_rebalances_total")[""] >= 1


# --- rows on disk --------------------------------------------------------------------------------


def lose(folder: Path) -> None:
    """All rows are deleted."""
    shutil.rmtree(folder)


def garble(folder: Path) -> None:
    """The files are not RocksDB's any more."""
    (folder / "CURRENT").write_bytes(b"garbage")


def change(**changes: Any) -> Callable[[Path], None]:
    """A row that the changelog never had, and another account of how far the rows are."""

    def change_one(folder: Path) -> None:
        db = store._open(folder)
        meta = store._decode_meta(db[store._META])
        for name, value in changes.items():
            was = getattr(meta, name)
            setattr(meta, name, value if isinstance(was, str) else was + value)
        db[f"{GROUP}\x00order/shop/stray".encode()] = b"{}"
        db[store._META] = msgspec.json.encode(meta)
        db.close()

    return change_one


#: What befell the rows of each partition in turn.
HARMS = {
    "what can be read": (
        lose,
        change(cluster="another"),
        change(changelog_offset=1_000),
        change(written_at=-8 * 24 * 3600),
    ),
    "what can't": (garble,) * PARTITIONS,
}


@pytest.mark.parametrize("harmed", HARMS)
def test_rows_that_can_not_be_trusted_are_rebuilt(
    harmed: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """Deleted, another cluster's, ahead, too old or garbled: the changelog brings every row back.

    Nothing that it does not have stays.
    """
    groups = [name for number in range(PARTITIONS) for name in groups_in(number, 2)]
    end = T + 60 * MINUTE
    with stack_on(kafka, tmp_path) as stack:
        (worker,) = stack.start("order_service")
        stack.feed("group-purchases", *(stamped(group_until(each, end, T), T) for each in groups))
        orders = (stamped(order_at(each, n, T), T) for n in range(20) for each in groups)
        stack.feed("orders", *orders)
        until("all counted", lambda: counted(stack) == 20 * len(groups))
        stack.wait_idle()
        worker.stop()
        before = rows_told(stack)
        assert rows_kept(worker) == before
        for number, harm in enumerate(HARMS[harmed]):
            harm(state_folder(worker) / str(number))
        worker.start()
        until("ready", worker.ready)
        worker.stop()
        assert rows_kept(worker) == before
        worker.start()
        stack.pass_time(end)
        for each in groups:
            assert_closed(stack, each, 20, end)
