"""What Kafka holds and no client can read: it is named and set aside, and all around it counts."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.ids import derive
from runtime.admin import create_topics, set_of_topic
from runtime.clients import admin
from runtime.records import encode, milliseconds
from schemas.groups import GroupPurchase
from schemas.ops import DEAD_LETTERS
from schemas.orders import OrderCancelled
from stack.brokers import RunningBroker
from tests.raw_batches import Raw, batch, gzipped
from tests.system.broken_logs import (
    LogFile,
    log_file,
    one_bit_off,
    produce,
    take_up_to,
    with_codec,
)
from tests.system.purchases import T, group_until, groups_in, order_at
from tests.system.stack import Stack, Worker, partition_of, stack_on, until
from tests.system.terminal import jointbuy, pointed_at

pytestmark = pytest.mark.system
GROUP, OTHER = groups_in(2, 2)
ELSEWHERE = next(f"{each}" for each in groups_in(3, 1))
PARTITION = partition_of(GROUP)
AT_MS = milliseconds(T)
STRANGE = [(b"\xff\xfe", b"1")]
ZEROS = 65 * 1024 * 1024


def group(group_id: str) -> GroupPurchase:
    """Terms that only the deadline closes."""
    return group_until(group_id, T + timedelta(hours=1), T)


def raw(number: int, headers: Any = (), group_id: str = GROUP) -> Raw:
    """The group's n-th order."""
    return Raw(group_id.encode(), encode(order_at(group_id, number, T, 1)), headers)


class Feed:
    """Feeds one partition of orders, batch by batch."""

    def __init__(self, stack: Stack, factory: pytest.TempPathFactory) -> None:
        self._stack, self._factory = stack, factory
        self._topic = stack.settings.topic("orders")
        self._number = 0
        self.good = 0

    def batch(self, made: bytes) -> int:
        """A batch as it is; its offset."""
        return produce(self._stack, self._topic, PARTITION, made)

    def next(self, headers: Any = ()) -> Raw:
        """An order that is new."""
        self._number += 1
        return raw(self._number, headers)

    def order(self) -> int:
        """A good one; its offset."""
        self.good += 1
        return self.batch(batch([self.next()], at_ms=AT_MS))

    @property
    def log(self) -> LogFile:
        """The partition on the broker's disk."""
        return log_file(self._factory, self._topic, PARTITION)


@pytest.fixture
def stack(kafka: RunningBroker, tmp_path: Path) -> Iterator[Stack]:
    """One whose groups are open."""
    with stack_on(kafka, tmp_path) as made:
        made.feed("group-purchases", *((group(each), AT_MS) for each in (GROUP, OTHER, ELSEWHERE)))
        yield made


def dead(stack: Stack) -> list[dict[str, str]]:
    """What the headers of each dead letter say."""
    return [each.headers for each in stack.read(DEAD_LETTERS.name)]


def counted(worker: Worker) -> dict[str, float]:
    """What the worker says it could not read, by why."""
    told: Counter[str] = Counter()
    for labels, value in worker.samples("jointbuy_unreadable_total"):
        told[labels["reason"]] += value
    return dict(told)


def set_aside(worker: Worker) -> dict[tuple[str, str], float]:
    """What the worker says it set aside on orders, by why and whether it writes the dead letter."""
    told: Counter[tuple[str, str]] = Counter()
    for labels, value in worker.samples("jointbuy_dead_letters_total"):
        if labels["topic"] == "orders":
            told[labels["reason"], labels["written"]] += value
    return dict(told)


def tasks(stack: Stack) -> dict[str, str | None]:
    """How each task of a dead letter stands: its outcome, or ``None`` while it is open."""
    return {key: task.get("outcome") for key, task in stack.latest("tasks").items()}


def spoil(feed: Feed) -> tuple[int, int, dict[str, int]]:
    """Five things that can't be read, with orders around them: the offsets of each."""
    feed.order()
    strange = feed.batch(batch([feed.next(), feed.next(STRANGE), feed.next()], at_ms=AT_MS)) + 1
    feed.good += 2
    packed = feed.batch(gzipped([feed.next(), feed.next(STRANGE)], at_ms=AT_MS)) + 1
    feed.good += 1
    spoiled = {}
    for reason, how in (
        ("codec", with_codec(7)),
        ("compression", with_codec(1)),
        ("checksum", one_bit_off),
    ):
        offset = feed.batch(batch([feed.next(), feed.next()], at_ms=AT_MS))
        feed.log.change(offset, how)
        spoiled[reason] = offset
        feed.order()
    return strange, packed, spoiled


def test_what_cannot_be_read_is_set_aside_once_and_its_neighbours_count(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strange header name, a codec nobody knows, no gzip, a wrong checksum: also over a kill.

    Three services read the topic. One of them writes the dead letters and their tasks.
    """
    pointed_at(stack, monkeypatch)
    feed = Feed(stack, tmp_path_factory)
    strange, packed, spoiled = spoil(feed)
    worker, *others = stack.start("order_service", "payment_service", "shop_bridge")
    stack.feed("orders", (order_at(ELSEWHERE, 1, T, 5), AT_MS))
    stack.wait_for("purchases", ELSEWHERE, quantity=5)
    stack.wait_for("purchases", GROUP, quantity=feed.good)
    stack.wait_idle()
    expected = [
        ("header-name", strange, strange),
        ("header-name", packed, packed),
        *((reason, offset, offset + 1) for reason, offset in spoiled.items()),
    ]
    letters = dead(stack)
    assert [
        (each["unreadable"], int(each["offset"]), int(each["last-offset"])) for each in letters
    ] == expected
    assert {(each["service"], each["reason"]) for each in letters} == {
        ("order_service", "unreadable")
    }
    assert tasks(stack) == {
        f"record-orders-{PARTITION}-{offset}": None for _, offset, _ in expected
    }
    assert counted(worker) == {"header-name": 2, "codec": 1, "compression": 1, "checksum": 1}
    assert set_aside(worker) == {("unreadable", "yes"): 5}
    for other in others:
        until("it counts them", lambda each=other: set_aside(each) == {("unreadable", "no"): 5})
    assert worker.log.read_text().count("a record is set aside") == 1, "one line for a reason"

    worker.kill()
    worker.start()
    feed.order()
    stack.wait_for("purchases", GROUP, quantity=feed.good)
    stack.wait_idle()
    assert len(dead(stack)) == len(expected)
    assert set_aside(worker) == {("unreadable", "yes"): 5}, "the counter goes on"
    check_commands(stack, feed, spoiled)


def check_commands(stack: Stack, feed: Feed, spoiled: dict[str, int]) -> None:
    """Ops list, replay and purge the five."""
    listed = jointbuy("dead-letters", "--json").json
    assert [each["unreadable"] for each in listed] == ["header-name"] * 2 + list(spoiled)
    assert f"/{spoiled['codec']}-{spoiled['codec'] + 1}" in jointbuy("dead-letters", "list").out
    assert "codec 7" in jointbuy("dead-letters", "show", listed[2]["id"]).out
    refused = jointbuy("dead-letters", "replay", listed[2]["id"], "--yes")
    assert refused.exit_code == 1
    assert "is a whole batch that can't be read, not a record" in refused.err
    mended = jointbuy("dead-letters", "replay", "--all", "--yes")
    assert (mended.exit_code, mended.err.count("not sent: ")) == (0, 3)
    stack.wait_for("purchases", GROUP, quantity=feed.good + 2)
    exported = jointbuy("export", "orders")
    assert exported.err.count("left out, as it can't be read") == len(listed)
    assert len(exported.lines) == feed.good + 1 + 2

    done, first = listed[0]["id"], "record-orders-{partition}-{offset}".format(**listed[0])
    assert tasks(stack)[first] == "replayed"
    again = jointbuy("dead-letters", "replay", done, "--yes")
    assert (again.exit_code, "was replayed already at" in again.err) == (1, True)
    assert "--again" in again.err
    assert jointbuy("dead-letters", "replay", done, "--yes", "--again").exit_code == 0
    for options, count in (
        ((), 3),
        (("--state", "done"), 2),
        (("--state", "all", "--reason", "unreadable", "--topic", "orders"), 5),
        (("--state", "all", "--reason", "schema"), 0),
        (("--state", "all", "--topic", "purchases"), 0),
        (("--state", "all", "--until", T.isoformat()), 0),
        (("--state", "all", "--since", T.isoformat()), 5),
    ):
        found = jointbuy("dead-letters", "list", "--json", *options).json
        assert len(found) == count, options
    check_purge(stack, [each["id"] for each in listed])


def check_purge(stack: Stack, ids: list[str]) -> None:
    """What lies before the oldest that stays is deleted; what lies behind it waits for that."""

    def purged(*arguments: str) -> tuple[int, int]:
        said = jointbuy("dead-letters", "purge", *arguments, "--yes", "--json")
        assert said.exit_code == 0, said.err
        return said.json["purged"], said.json["deleted"]

    assert jointbuy("dead-letters", "purge", ids[0]).exit_code == 2, "nobody to be asked"
    assert purged(ids[2]) == (1, 0)
    assert len(dead(stack)) == 5
    refused = jointbuy("dead-letters", "replay", ids[2], "--yes", "--again")
    assert (refused.exit_code, "was purged" in refused.err) == (1, True)
    assert purged(ids[0], ids[1]) == (2, 2)
    assert len(dead(stack)) == 2, "the one behind them is gone, too"
    assert purged("--reason", "unreadable") == (2, 2)
    assert dead(stack) == []
    assert set(tasks(stack).values()) == {"purged"}
    assert {task["problem"] for task in stack.latest("tasks").values()} == {""}
    assert jointbuy("dead-letters", "list", "--state", "all").out.strip() == "no dead letters"


def test_a_checksum_that_is_wrong_for_a_moment_costs_nothing(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """It is fetched again; when it is right, its orders count, and nothing was set aside."""
    feed = Feed(stack, tmp_path_factory)
    offset = feed.order()
    feed.order()
    feed.log.change(offset, one_bit_off)
    (worker,) = stack.start("order_service")
    until("the doubt", lambda: "a broken batch is fetched again" in worker.log.read_text())
    feed.log.change(offset, one_bit_off)
    stack.wait_for("purchases", GROUP, quantity=2)
    stack.wait_idle()
    assert dead(stack) == []


def test_what_is_too_large_is_set_aside(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 MB, what becomes 65 MB, an error that quotes 800 kB, as much as a topic takes."""
    pointed_at(stack, monkeypatch)
    feed = Feed(stack, tmp_path_factory)
    take_up_to(stack, stack.settings.topic("orders"), 80_000_000)
    key = GROUP.encode()
    feed.order()
    feed.batch(batch([Raw(key, b"\xff" * 64_000_000)], at_ms=AT_MS))
    feed.order()
    bomb_at = feed.batch(gzipped([Raw(key, bytes(ZEROS))], at_ms=AT_MS))
    feed.order()
    quoted = b'{"type":"%s"}' % (b"x" * 800_000)
    feed.batch(batch([Raw(key, quoted)], at_ms=AT_MS))
    full = b"x" * 1_900_000
    feed.batch(batch([Raw(key, full, [(b"h", b"x" * 150_000)])], at_ms=AT_MS))
    feed.order()
    # The broker takes a record that says it is at another offset; reading would go on there.
    astray = feed.batch(batch([feed.next()], at_ms=AT_MS, first_delta=100_000))
    feed.order()
    (worker,) = stack.start("order_service")
    stack.wait_for("purchases", GROUP, quantity=feed.good)
    stack.wait_idle()
    large, bomb, error, most, lost = letters = stack.read(DEAD_LETTERS.name)
    said = [each.headers for each in letters]
    assert said[0]["letter-content"] == "left-out"
    assert said[0]["left-out-bytes"] == str(64_000_000 + len(key))
    assert "900000" in said[0]["error"]
    assert (large.key, large.value) == (GROUP, None)
    assert (said[1]["unreadable"], said[1]["offset"]) == ("too-large", str(bomb_at))
    assert len(bomb.value) < 100_000, "it is kept as it lies there"
    assert len(said[2]["error"]) <= 1_000
    assert (len(json.dumps(error.value, separators=(",", ":"))), len(most.value)) == (
        len(quoted),
        len(full),
    )
    assert (said[4]["unreadable"], said[4]["offset"]) == ("records", str(astray))
    assert lost.value is not None
    assert counted(worker) == {"too-large": 1, "records": 1}
    place = f"{large.partition}/{large.offset}"
    refused = jointbuy("dead-letters", "replay", place, "--yes")
    assert (refused.exit_code, "has no value" in refused.err) == (1, True)
    mended = stack.folder / "mended.json"
    mended.write_bytes(encode(order_at(GROUP, 999, T, 1)))
    jointbuy("dead-letters", "replay", place, "--yes", "--value", str(mended))
    stack.wait_for("purchases", GROUP, quantity=feed.good + 1)


def test_a_changelog_that_cannot_be_read_stops_the_worker_and_says_what_to_do(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever has the rows goes on; whoever must read them back stops, and nothing is sent."""
    feed = Feed(stack, tmp_path_factory)
    (first,) = stack.start("order_service")
    feed.order()
    stack.wait_for("purchases", GROUP, quantity=1)
    stack.wait_idle()
    first.kill()
    name = "order_service-purchases-changelog"
    topic = stack.settings.topic(name)
    log = log_file(tmp_path_factory, topic, PARTITION)
    offsets = [each.offset for each in stack.read_raw(name) if each.partition == PARTITION]
    log.change(offsets[0], one_bit_off)
    feed.order()
    second = stack.worker("order_service")
    assert second.exit_code() != 0
    said = [json.loads(line) for line in second.log.read_text().splitlines() if line[0] == "{"]
    (error,) = [each["error"] for each in said if each["event"] == "the worker stops"]
    assert error.startswith(f"the changelog can't be read at {topic}/{PARTITION}/{offsets[0]} to")
    assert "STATE_DIR" in error
    assert stack.latest("purchases")[GROUP]["quantity"] == 1
    stack.workers.remove(second)
    first.start()
    stack.wait_for("purchases", GROUP, quantity=2)


def cancelled(group_id: str) -> OrderCancelled:
    """What no fact can answer."""
    return OrderCancelled(order_id="1", source="shop", group_id=group_id, cancelled_at=T)


def test_an_unknown_group_is_waited_for_in_sight_and_a_mistyped_one_not_at_all(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused at once, or listed and counted for an hour and then said, by one service of three."""
    pointed_at(stack, monkeypatch)
    unknown, mistyped = derive("nobody's"), derive("nobody's")[:-1] + "*"
    (worker, *_) = stack.start("order_service", "payment_service", "shop_bridge")
    stack.feed("orders", *((cancelled(each), AT_MS) for each in (unknown, mistyped)))
    stack.feed("orders", (order_at(mistyped, 1, T, 5), AT_MS), (order_at(unknown, 2, T), AT_MS))
    refused = f"{mistyped}/refused/shop/{mistyped}-1"
    stack.wait_for("purchases", refused, reason="unknown-group")
    stack.wait_idle()
    assert [each["reason"] for each in dead(stack)] == ["mistyped-group"]
    found = jointbuy("waiting", "--json").json
    assert {(each["service"], each["key"]) for each in found} == {
        ("order_service", unknown),
        ("payment_service", unknown),
    }
    (ours,) = [each for each in found if each["service"] == "order_service"]
    assert [each["type"] for each in ours["records"]] == ["OrderCancelled", "OrderPaid"]
    assert ours["records"][0]["place"].startswith(f"orders/{partition_of(unknown)}/")
    waiting = worker.metric("jointbuy_waiting")
    assert sum(waiting.values()) == len(ours["records"])

    stack.pass_time(T + timedelta(minutes=61))
    stack.wait_for("purchases", f"{unknown}/refused/shop/{unknown}-2", reason="unknown-group")
    stack.wait_idle()
    assert sorted(each["reason"] for each in dead(stack)) == ["mistyped-group", "unknown-group"]
    assert jointbuy("waiting").out.strip() == (
        "no message waits for a group, an auction or an address"
    )
    check_expiry(stack)


def check_expiry(stack: Stack) -> None:
    """The setting reaches a topic that is there; without it, the topic stays as it is."""
    name = stack.settings.topic(DEAD_LETTERS.name)

    async def made(days: int | None, clock: str = "wall") -> None:
        given = stack.settings.model_copy(update={"dead_letter_days": days, "clock": clock})
        await create_topics(given)

    async def told() -> dict[str, str]:
        client = admin(stack.settings)
        await client.start()
        try:
            return await set_of_topic(client, name)
        finally:
            await client.close()

    def kept_for(milliseconds_long: int) -> dict[str, str]:
        """The settings with this expiry; a broker hears of a change a moment after the answer."""

        def found() -> dict[str, str] | None:
            its = asyncio.run(told())
            return its if its["retention.ms"] == str(milliseconds_long) else None

        its: dict[str, str] = until(f"{milliseconds_long} ms", found)
        return its

    before = asyncio.run(told())
    for days, clock in ((None, "wall"), (5, "log")):
        asyncio.run(made(days, clock))
        assert asyncio.run(told()) == before
    asyncio.run(made(5))
    expiring = kept_for(5 * 24 * 3_600_000)
    assert expiring["message.timestamp.type"] == "LogAppendTime"
    assert expiring["max.message.bytes"] == before["max.message.bytes"]
    asyncio.run(made(None))
    assert asyncio.run(told()) == expiring
    asyncio.run(made(0))
    assert "message.timestamp.type" not in kept_for(-1)
