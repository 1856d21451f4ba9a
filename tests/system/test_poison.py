"""Records that can't be read, rules that raise, and keys that ops set aside."""

import signal
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from runtime.records import OutputRecord, encode, milliseconds
from runtime.store import POSITIONS_KEY
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchase
from schemas.ops import DEAD_LETTERS, KeyParked, record_task_id
from schemas.orders import ORDERS, OrderPaid, OrderPlaced
from stack.brokers import RunningBroker
from tests.system import faulty_service
from tests.system.faulty_service import UNLUCKY, in_order
from tests.system.purchases import T, closings, group_until, groups_in, order_at, states, text
from tests.system.stack import Stack, Worker, partition_of, stack_on, until

pytestmark = pytest.mark.system
CLOSES_AT = T + timedelta(hours=1)
FAULTY = faulty_service.__name__
CHANGELOG = "faulty_service-tally-changelog"
BOTH = pytest.mark.parametrize(
    "broker_kind", ["kafka", pytest.param("embedded", marks=pytest.mark.long)]
)


def group(group_id: str) -> GroupPurchase:
    """Terms that only the deadline closes."""
    return group_until(group_id, CLOSES_AT, T)


def order(group_id: str, number: int, quantity: int = 1) -> OrderPaid:
    """The group's n-th order, in time."""
    return order_at(group_id, number, T, quantity)


def at(minutes: float) -> int:
    """Minutes after the opening, as a record's timestamp."""
    return milliseconds(T + timedelta(minutes=minutes))


def raw(
    group_id: str | None,
    value: bytes | None,
    *,
    partition: int | None = None,
    headers: Iterable[tuple[str, Any]] = (),
    timestamp: int = at(0),
) -> OutputRecord:
    """A record on ``orders``, as whoever sends it."""
    number = partition_of(group_id or "") if partition is None else partition
    key = None if group_id is None else group_id.encode()
    return OutputRecord(ORDERS.name, number, key, value, timestamp, list(headers))


def good(message: OrderPaid, timestamp: int = at(0)) -> OutputRecord:
    """A record that counts."""
    return raw(message.group_id, encode(message), timestamp=timestamp)


def structured(message: OrderPaid) -> OutputRecord:
    """The record in CloudEvents' structured mode."""
    event = {
        "specversion": "1.0",
        "id": message.order_id,
        "source": "/shop",
        "type": message.type,
        "datacontenttype": "application/json",
        "data": orjson.loads(encode(message)),
    }
    kind = ("content-type", b"application/cloudevents+json; charset=UTF-8")
    return raw(message.group_id, orjson.dumps(event), headers=[kind])


def dead_letters(stack: Stack, count: int) -> list[Any]:
    """At least so many dead letters, waited for."""
    found: list[Any] = []

    def enough() -> bool:
        found[:] = stack.read_raw(DEAD_LETTERS.name)
        return len(found) >= count

    until(f"{count} dead letters", enough)
    return found


def headers_of(record: Any) -> dict[str, str]:
    """A dead letter's headers as text."""
    return {name: value.decode() for name, value in record.headers}


GROUP, OTHER = groups_in(2, 2)
ORDER = encode(order(GROUP, 90))
#: What it is: the record, and what its dead letter says is wrong.
POISON: dict[str, tuple[OutputRecord, str]] = {
    "garbage": (raw(GROUP, b"\x00\xff\xfenot json"), "Invalid JSON"),
    "empty": (raw(GROUP, b""), "Invalid JSON"),
    "array": (raw(GROUP, b"[1]"), "object"),
    "number": (raw(GROUP, b"13"), "object"),
    "text": (raw(GROUP, b'"OrderPaid"'), "object"),
    "no such type": (raw(GROUP, b'{"type":"OrderEaten"}'), "OrderEaten"),
    "another topic's": (raw(GROUP, encode(group(GROUP))), "GroupPurchase"),
    "a field missing": (raw(GROUP, ORDER.replace(b'"member_id"', b'"member"')), "member_id"),
    "a field of a wrong type": (
        raw(GROUP, ORDER.replace(b'"quantity":1', b'"quantity":"1"')),
        "quantity",
    ),
    "quantity zero": (raw(GROUP, ORDER.replace(b'"quantity":1', b'"quantity":0')), "quantity"),
    "null value": (raw(GROUP, None), "the value is null"),
    "wrong partition": (raw(GROUP, ORDER, partition=3), "murmur2"),
    "another key": (raw(OTHER, ORDER), "the key is"),
    "null key": (raw(None, ORDER, partition=2), "the key is null"),
    "key that is not text": (raw(GROUP, ORDER)._replace(key=b"\xff\xfe"), "the key is"),
    "structured, without data": (
        raw(GROUP, b'{"id":"1"}', headers=[("content-type", b"application/cloudevents+json")]),
        "without JSON data",
    ),
    "structured, not JSON": (
        raw(GROUP, b"<order/>", headers=[("content-type", b"application/cloudevents+xml")]),
        "without JSON data",
    ),
}


def assert_dead(letter: Any, record: OutputRecord, stack: Stack, error: str) -> None:
    """The letter is the record byte for byte, and says where it was and why."""
    assert (letter.key, letter.value) == (record.key, record.value)
    said = headers_of(letter)
    assert error in said.pop("error")
    assert int(said["offset"]) >= 0
    assert said.items() >= {
        ("service", "order_service"),
        ("topic", stack.settings.topic(record.topic)),
        ("partition", str(record.partition)),
        ("attempt", "1"),
    }


def places(letters: Sequence[Any]) -> list[tuple[str, str]]:
    """Where the records of these letters were."""
    return [(said["partition"], said["offset"]) for said in map(headers_of, letters)]


@BOTH
def test_poison_is_set_aside_and_what_is_good_counts(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Each unreadable record ends in dead-letters as it came, and those around it count."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    feed = []
    for number, (record, _) in enumerate(POISON.values()):
        feed += [good(order(GROUP, number)), record, good(order(OTHER, number))]
    with stack_on(broker, tmp_path) as stack:
        stack.start("order_service")
        for each in (GROUP, OTHER):
            stack.feed("group-purchases", (group(each), at(0)))
        stack.feed_raw(feed)
        stack.wait_for("purchases", GROUP, quantity=len(POISON))
        stack.wait_for("purchases", OTHER, quantity=len(POISON))
        letters = dead_letters(stack, len(POISON))
        stack.wait_idle()
        assert len(stack.read_raw(DEAD_LETTERS.name)) == len(POISON)
        assert len(set(places(letters))) == len(POISON)
        assert stack.latest("tasks").keys() == {
            record_task_id(ORDERS.name, *place) for place in places(letters)
        }
        left = list(letters)
        for name, (record, error) in POISON.items():
            mine = [
                each
                for each in left
                if (each.key, each.value) == (record.key, record.value)
                and headers_of(each)["partition"] == str(record.partition)
            ]
            assert mine, f"no dead letter for: {name}"
            left.remove(mine[0])
            assert_dead(mine[0], record, stack, error)


#: What it is: the record, which no well-meaning producer sends.
HOSTILE: dict[str, OutputRecord] = {
    "content-type is null": raw(
        GROUP, b"not json", headers=[("content-type", None), ("ce_id", None)]
    ),
    "headers of every kind": raw(GROUP, b"not json", headers=[("", b"\xff"), ("\x00", b"")]),
    "1.7 MB": raw(GROUP, b"\xff" * 1_700_000),
    "as much as the topic takes": raw(GROUP, b"\xff" * (2 * 1024 * 1024 - 100)),
    "nested deeply": raw(GROUP, b"[" * 100_000),
    "structured, nested deeply": raw(
        GROUP,
        b'{"data":' + b"[" * 900 + b"]" * 900 + b"}",
        headers=[("content-type", b"application/cloudevents+json")],
    ),
    "before the first year": raw(GROUP, b"not json", timestamp=-(10**15)),
    "good, before the first year": raw(GROUP, ORDER, timestamp=-(10**15)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_records_do_not_stop_thepartition_of(
    name: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """Whatever the broker takes, the worker goes on to the record after it."""
    hostile = HOSTILE[name]
    with stack_on(kafka, tmp_path) as stack:
        (worker,) = stack.start("order_service")
        stack.feed("group-purchases", (group(OTHER), at(0)), (group(GROUP), at(0)))
        stack.feed_raw([good(order(OTHER, 1))])
        stack.feed_raw([hostile])
        stack.feed_raw([good(order(OTHER, 2))])
        stack.wait_for("purchases", OTHER, timeout=20, quantity=2)
        assert worker.process is not None
        assert worker.process.poll() is None
        if hostile.value != ORDER:
            (letter,) = dead_letters(stack, 1)
            assert (letter.key, letter.value) == (hostile.key, hostile.value)


def test_poison_is_set_aside_once_over_kills(kafka: RunningBroker, tmp_path: Path) -> None:
    """With SIGKILLs in the middle every poison has one dead letter and every order counts once."""
    count = 1_500
    records = []
    for number in range(count):
        records.append(good(order(GROUP, number)))
        if number % 5 == 0:
            records.append(raw(OTHER, b"poison %d" % number))
    with stack_on(kafka, tmp_path) as stack:
        stack.feed("group-purchases", (group(GROUP), at(0)))
        stack.feed_raw(records)
        worker = stack.worker("order_service", BATCH_RECORDS_MAX="20")
        for seen in (1, 150):
            dead_letters(stack, seen)
            worker.kill()
            worker.start()
        stack.wait_for("purchases", GROUP, quantity=count)
        stack.wait_idle()
        letters = stack.read_raw(DEAD_LETTERS.name)
        versions = [each["version"] for each in states(stack, GROUP)]
    assert sorted(each.value for each in letters) == sorted(
        b"poison %d" % number for number in range(0, count, 5)
    )
    assert len(set(places(letters))) == count // 5
    assert versions == sorted(set(versions))


@BOTH
def test_events_in_any_mode_are_accepted(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A CloudEvent in structured mode, one in binary mode and a bare record all count."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    binary = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("content-type", b"application/json")]
    with stack_on(broker, tmp_path) as stack:
        stack.start("order_service")
        stack.feed("group-purchases", (group(GROUP), at(0)))
        stack.feed_raw(
            [
                structured(order(GROUP, 1, 1)),
                raw(GROUP, encode(order(GROUP, 2, 10)), headers=binary),
                good(order(GROUP, 3, 100)),
            ]
        )
        stack.wait_for("purchases", GROUP, quantity=111)
        assert not stack.read_raw(DEAD_LETTERS.name)


# --- a rule that raises, and parked keys ---------------------------------------------------------


def park(stack: Stack, key: str, service: str) -> None:
    """Ops set a key aside."""
    stack.feed("parked-keys", (KeyParked(service=service, parked=key, at=T), None))


def release(stack: Stack, key: str, service: str) -> None:
    """Ops take it back: a tombstone."""
    name = f"{key}/{service}".encode()
    stack.feed_raw([OutputRecord("parked-keys", partition_of(key), name, None, at(0), [])])


def held(worker: Worker) -> int:
    """How many keys wait on a worker."""
    return sum(int(part["keys_waiting"]) for part in worker.partitions())


def deadline_of(group_id: str, minutes: float) -> OrderPlaced:
    """Makes the faulty service close the group then."""
    return OrderPlaced(
        order_id="deadline",
        source="shop",
        group_id=group_id,
        member_id="ann",
        quantity=1,
        ordered_at=T + timedelta(minutes=minutes),
    )


@pytest.mark.parametrize("fault", ["rule", "fact"])
def test_a_rule_that_raises_stops_the_worker_and_parking_lets_the_others_go_on(
    fault: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """Or a fact that can't be made of what it did. The log names the record; parked its key waits,
    due rows too; cured it goes on in order.
    """
    before, after = [1, 2, 3], [UNLUCKY, 4, UNLUCKY, 5, 6]
    due_after = 3
    records = [good(order(GROUP, number, each), at(1)) for number, each in enumerate(before)]
    with stack_on(kafka, tmp_path) as stack:
        worker = stack.worker(FAULTY, FAULT=fault)
        stack.feed("orders", (deadline_of(GROUP, 30), at(0)), (deadline_of(OTHER, 30), at(0)))
        stack.feed_raw(records)
        stack.wait_for("purchases", GROUP, quantity=sum(before))
        stack.feed_raw([good(order(GROUP, 100, UNLUCKY), at(2)), good(order(OTHER, 1), at(2))])

        for start in (False, True):
            if start:
                worker.start()
            assert worker.exit_code() not in (0, -signal.SIGKILL)
            (unlucky,) = [each for each in stack.read("orders") if each.value["quantity"] == 13]
            log = worker.log.read_text()
            where = f"orders/{unlucky.partition}/{unlucky.offset}, key {GROUP}"
            assert where in log, "the log does not name the record"
            assert f"jointbuy park {GROUP} --service faulty_service" in log
            worker.log.write_text("")
            assert stack.latest("purchases").keys() == {GROUP}, "a record was skipped"

        park(stack, GROUP, faulty_service.SERVICE)
        worker.start()
        stack.wait_for("purchases", OTHER, quantity=1)
        for number, quantity in enumerate(after[1:], 101):
            late = number - 100 >= due_after
            stack.feed_raw([good(order(GROUP, number, quantity), at(40 if late else 3))])
            if number - 100 == due_after - 1:
                stack.pass_time(T + timedelta(minutes=35))
                stack.wait_for("purchases", OTHER, status="elapsed")
        stack.feed_raw([good(order(OTHER, 2, 7), at(41))])
        stack.wait_for("purchases", OTHER, quantity=8)
        until("idle but for the parked key", lambda: held(worker) == 1)
        assert stack.latest("purchases")[GROUP]["quantity"] == sum(before)
        assert stack.latest("purchases")[GROUP]["status"] == "open"

        worker.kill()
        release(stack, GROUP, faulty_service.SERVICE)
        worker.env["CURED"] = "1"
        worker.start()
        state = stack.wait_for("purchases", GROUP, quantity=sum(before) + sum(after))
        stack.wait_idle()
        assert held(worker) == 0
        (closed,) = closings(stack, GROUP)
        changelog = stack.read_raw(CHANGELOG)
    assert state["value"] == in_order(before + after)
    assert closed["closed_at"] == text(T + timedelta(minutes=30))
    assert closed["quantity"] == sum(before) + sum(after[:due_after])
    assert_positions_never_go_back(changelog)


def assert_positions_never_go_back(changelog: list[Any]) -> None:
    """What the changelog says was read only ever grows, and so does the clock."""
    last: dict[tuple[int, str], int] = {}
    for record in changelog:
        if record.key != POSITIONS_KEY:
            continue
        said = orjson.loads(record.value)
        for name, position in [("the clock", said["now"]), *said["positions"].items()]:
            place = record.partition, name
            assert position >= last.get(place, 0), f"{name} went back in {record.partition}"
            last[place] = position


@pytest.mark.parametrize(
    "released", [pytest.param("while it runs", marks=pytest.mark.long), "while it is down"]
)
@pytest.mark.parametrize(
    "parked", [pytest.param("before it opens", marks=pytest.mark.long), "while it is open"]
)
def test_a_deadline_that_passes_while_its_key_is_parked_is_handled_after_release(
    parked: str, released: str, kafka: RunningBroker, tmp_path: Path
) -> None:
    """The parked group closes at its own time: after what came in time, before what came late."""
    with stack_on(kafka, tmp_path) as stack:
        worker = stack.worker("order_service", start=False)
        if parked == "while it is open":
            worker.start()
            stack.feed("group-purchases", (group(GROUP), at(0)))
            stack.wait_for("purchases", GROUP, status="open")
            worker.kill()
        park(stack, GROUP, "order_service")
        worker.start()
        if parked == "before it opens":
            stack.feed("group-purchases", (group(GROUP), at(0)))
        stack.feed("group-purchases", (group(OTHER), at(0)))
        stack.feed_raw([good(order(GROUP, 1, 1), at(1)), good(order(OTHER, 1, 1), at(1))])
        stack.pass_time(CLOSES_AT + timedelta(minutes=1))
        stack.feed_raw([good(order(GROUP, 2, 10), at(62)), good(order(OTHER, 2, 10), at(62))])
        stack.wait_for("purchases", OTHER, status="elapsed", quantity=11)
        until("the key waits", lambda: held(worker) == 1)
        assert not closings(stack, GROUP)

        if released == "while it runs":
            release(stack, GROUP, "order_service")
        else:
            worker.kill()
            release(stack, GROUP, "order_service")
            worker.start()
        stack.wait_for("purchases", GROUP, status="elapsed", quantity=11)
        stack.wait_idle()
        told = {each: closings(stack, each)[0] for each in (GROUP, OTHER)}
    for group_id, closed in told.items():
        assert (closed["quantity"], closed["closed_at"]) == (1, text(CLOSES_AT)), group_id


def test_a_structured_event_that_waited_counts(kafka: RunningBroker, tmp_path: Path) -> None:
    """A CloudEvent in structured mode for a parked key is as good after release as before."""
    with stack_on(kafka, tmp_path) as stack:
        park(stack, GROUP, "order_service")
        (worker,) = stack.start("order_service")
        stack.feed("group-purchases", (group(GROUP), at(0)))
        stack.feed_raw([structured(order(GROUP, 1))])
        stack.wait_idle()
        until("the key waits", lambda: held(worker) == 1)
        release(stack, GROUP, "order_service")
        stack.wait_for("purchases", GROUP, timeout=20, quantity=1)


def test_a_parked_key_of_one_service_is_none_of_anothers(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """Parking names the service: the same key goes on elsewhere."""
    with stack_on(kafka, tmp_path) as stack:
        park(stack, GROUP, "favor_service")
        stack.start("order_service")
        stack.feed("group-purchases", (group(GROUP), at(0)))
        stack.feed_raw([good(order(GROUP, 1))])
        stack.wait_for("purchases", GROUP, quantity=1)
        assert "favor_service" in CATALOGUE["parked-keys"].consumers
