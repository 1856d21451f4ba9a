"""Calls to the outside: claimed before they are made, never lost, and repeated only when open."""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime import calls, journal
from runtime.breaker import PAUSES, STRIKES_MAX, ServerDownError, Strained, Unasked
from runtime.caller import Lease
from runtime.calls import LEASE_MARGIN_SECONDS, Calls
from runtime.fold import Fold
from runtime.processor import CallRules, Processor
from runtime.records import Encoder, Partitioner, milliseconds
from runtime.rows import Call, Rows
from runtime.rule_errors import RuleError
from runtime.servers import Servers
from runtime.store import Meta, Store
from schemas.orders import ORDERS, PURCHASES, OrderPaid
from schemas.parts import Message

T = datetime(2026, 1, 1, tzinfo=UTC)
NOW = milliseconds(T)
SECOND = 1_000
LEASE_SECONDS = 300.0


@dataclass(slots=True)
class Wish:
    """What is asked for."""

    name: str
    ambiguous: bool


@dataclass(slots=True)
class Answer:
    """What came of it; ``later`` asks for another try in so many seconds."""

    text: str
    later: float = 0


@dataclass(slots=True)
class Done:
    text: str
    ambiguous: bool


def wish(row_name: str, rows: Rows, now: datetime) -> Wish:
    if rows.key == "unlucky":
        raise ZeroDivisionError("thirteen")
    return Wish(f"{rows.key}/{row_name}", rows[row_name].ambiguous)


def settle(row_name: str, answer: Answer, rows: Rows, now: datetime) -> Sequence[Message]:
    call: Call = rows[row_name]
    del rows[row_name]
    if answer.later:
        rows[row_name] = Call(at=now + timedelta(seconds=answer.later), since=call.since)
    else:
        rows[f"done/{row_name}"] = Done(answer.text, call.ambiguous)
    return ()


def server(row_name: str, rows: Rows) -> str:
    return "the other side"


def never(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    return ()


PROCESSOR = Processor(
    service="outside",
    name="calls",
    inputs=(ORDERS,),
    outputs=(PURCHASES,),
    on={OrderPaid: never},
    calls={"ask": CallRules(request=wish, settle=settle, reply=Answer, server=server)},
    rows={"done": Done, "chunk": Done},
)


@dataclass
class Outside:
    """The other side: answers when it is let, and remembers what it was asked."""

    asked: list[Wish] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    begins: bool = True
    begins_only: str = ""
    answer_allowed: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    lease: Lease = field(default_factory=lambda: Lease(LEASE_SECONDS))
    lacks: str = ""

    def missing(self, server: str) -> str:
        """The setting that the other side can't be asked without."""
        return self.lacks

    async def start(self) -> None:
        """Ready."""

    async def stop(self) -> None:
        """Nothing is open."""

    async def was_asked(self) -> None:
        """Wait until someone asks."""
        async with asyncio.timeout(5):
            await self.is_asked.wait()

    async def __call__(self, request: Wish, begin: Callable[[], None]) -> Answer:
        self.asked.append(request)
        if self.begins and request.name.startswith(self.begins_only):
            begin()
            self.begun.append(request.name)
        self.is_asked.set()
        await self.answer_allowed.wait()
        answer = self.answers.pop(0) if self.answers else Answer("done")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Partition:
    """A partition's fold and calls, committed by hand; ``crash`` keeps only what is on disk."""

    def __init__(
        self,
        folder: Path,
        outside: Outside,
        owner_folder: str = "here",
        parked: Container[str] = (),
        servers: Servers | None = None,
    ) -> None:
        self.store = Store(folder / "rows", "cluster", 3600)
        self.fold = Fold(
            PROCESSOR,
            self.store,
            Encoder("test", {}, Partitioner(4)),
            Partitioner(4),
            "dead-letters",
            parked=parked.__contains__,
        )
        self.servers = servers or Servers("outside-calls")
        self.calls = Calls(PROCESSOR, 0, folder / owner_folder, {"ask": outside}, self.servers)
        self.calls.open(self.store)

    def want(self, key: str, at: datetime = T) -> None:
        self.fold.rows(key)["call/ask/1"] = Call(at=at, since=T)
        self.commit()

    def commit(self) -> None:
        rows, _ = self.fold.take()
        self.store.write(rows, Meta(cluster="cluster"))
        self.calls.committed(self.fold)
        self.calls.written()

    def turn(self, wall_ms: int = NOW, *, launched_ms: int | None = None) -> int:
        """Settle, claim, commit, launch; how many were claimed."""
        self.calls.settle(self.fold)
        claims = self.calls.claim(self.fold, wall_ms)
        self.commit()
        self.calls.launch(claims, wall_ms if launched_ms is None else launched_ms)
        return len(claims)

    async def answered(self) -> None:
        async with asyncio.timeout(5):
            await self.calls.answered.wait()

    async def crash(self) -> None:
        await self.calls.cancel()
        self.calls.close()
        self.store.close()

    def done(self, key: str) -> Done | None:
        found: Done | None = self.fold.rows(key).get("done/call/ask/1")
        return found


async def test_a_claim_is_committed_before_anything_is_done(tmp_path: Path) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    claims = partition.calls.claim(partition.fold, NOW)
    assert len(claims) == 1
    assert not outside.asked
    partition.commit()
    row: Call = partition.fold.rows("ann")["call/ask/1"]
    assert row.owner
    assert row.claim == claims[0].claim_id
    assert row.lease_until == T + timedelta(seconds=LEASE_SECONDS)
    await partition.crash()


async def test_an_answer_is_told_to_the_rule_once_and_the_file_is_empty_then(
    tmp_path: Path,
) -> None:
    outside = Outside()
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    assert partition.turn() == 1
    await partition.answered()
    assert partition.turn() == 0
    assert partition.done("ann") == Done("done", ambiguous=False)
    assert partition.calls.is_idle(NOW)
    assert partition.calls.waiting == 0
    assert (tmp_path / "here" / "0.calls").stat().st_size == 0
    await partition.crash()


async def test_what_is_wanted_later_is_left_until_then(tmp_path: Path) -> None:
    outside = Outside(answers=[Answer("not yet", later=60)])
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await partition.answered()
    partition.turn()
    row: Call = partition.fold.rows("ann")["call/ask/1"]
    due_ms = milliseconds(row.at)
    assert partition.turn(due_ms - 1) == 0
    assert partition.calls.is_idle(due_ms - 1)
    assert partition.turn(due_ms) == 1
    await partition.answered()
    partition.turn(due_ms)
    assert partition.done("ann") == Done("done", ambiguous=False)
    await partition.crash()


@pytest.mark.parametrize("is_settled_before", [False, True])
async def test_the_oldest_call_is_as_old_as_its_row_says(
    is_settled_before: bool, tmp_path: Path
) -> None:
    """Also of a call that was settled and put anew in one batch, to be made in a day."""
    partition = Partition(tmp_path, Outside())
    partition.want("ann")
    now = datetime.now(UTC)
    assert partition.calls.oldest_seconds() == pytest.approx((now - T).total_seconds(), abs=60)
    rows = partition.fold.rows("ann")
    for later, seconds in ((now - timedelta(hours=1), 3_600), (now + timedelta(days=1), 0)):
        if is_settled_before:
            del rows["call/ask/1"]
        rows["call/ask/1"] = Call(at=later, since=later)
        partition.commit()
        assert partition.calls.oldest_seconds() == pytest.approx(seconds, abs=60)
    assert partition.calls.waiting == 1
    await partition.crash()


async def test_a_crash_after_the_answer_was_written_asks_nobody_again(tmp_path: Path) -> None:
    outside = Outside()
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await partition.answered()
    await partition.crash()

    partition = Partition(tmp_path, outside)
    assert partition.turn() == 0
    assert partition.done("ann") == Done("done", ambiguous=False)
    assert len(outside.asked) == 1
    await partition.crash()


@pytest.mark.parametrize("begins", [True, False], ids=["begun", "not begun"])
async def test_a_crash_without_an_answer_asks_again_and_says_if_it_may_have_been_done(
    begins: bool, tmp_path: Path
) -> None:
    outside = Outside(begins=begins)
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await outside.was_asked()
    await partition.crash()

    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    assert partition.turn() == 1
    await partition.answered()
    partition.turn()
    assert partition.done("ann") == Done("done", ambiguous=begins)
    assert [each.ambiguous for each in outside.asked] == [False, begins]
    assert partition.calls.repeated == int(begins)
    await partition.crash()


async def test_another_worker_waits_the_lease_out_and_takes_it_for_open(tmp_path: Path) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await partition.crash()

    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside, owner_folder="elsewhere")
    lease_ends = NOW + int(LEASE_SECONDS * SECOND)
    assert partition.turn(lease_ends - 1) == 0
    assert partition.turn(lease_ends) == 1
    await partition.answered()
    partition.turn(lease_ends)
    assert partition.done("ann") == Done("done", ambiguous=True)
    await partition.crash()


async def test_a_worker_that_stops_hands_over_what_it_has_not_begun(tmp_path: Path) -> None:
    outside = Outside(begins=False)
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await outside.was_asked()
    await partition.calls.cancel()
    await partition.calls.drain(partition.fold)
    partition.commit()
    await partition.crash()

    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside, owner_folder="elsewhere")
    assert partition.turn() == 1
    await partition.answered()
    partition.turn()
    assert partition.done("ann") == Done("done", ambiguous=False)
    await partition.crash()


async def test_a_worker_that_stops_waits_for_answers(tmp_path: Path) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    asyncio.get_running_loop().call_later(0.05, outside.answer_allowed.set)
    await partition.calls.drain(partition.fold)
    partition.commit()
    assert partition.done("ann") == Done("done", ambiguous=False)
    await partition.crash()


async def test_what_is_not_answered_within_the_lease_is_claimed_anew_after_it(
    tmp_path: Path,
) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    lease_ends = NOW + int(LEASE_SECONDS * SECOND)
    partition.turn(launched_ms=lease_ends - int(LEASE_MARGIN_SECONDS * SECOND) - 50)
    await partition.answered()
    assert partition.turn(lease_ends - 1) == 0
    assert partition.turn(lease_ends) == 1
    outside.answer_allowed.set()
    await partition.answered()
    partition.turn(lease_ends)
    assert partition.done("ann") == Done("done", ambiguous=True)
    await partition.crash()


async def test_a_key_whose_records_wait_is_not_called_before_they_have_been_applied(
    tmp_path: Path,
) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.fold.rows("ann")["chunk/slowly"] = Done("", ambiguous=False)
    partition.want("ann")
    partition.want("bob")
    assert partition.turn() == 1
    assert {key.partition("\x00")[0] for key in partition.calls._claims} == {"bob"}
    await partition.crash()


@pytest.mark.parametrize("begins", [True, False], ids=["begun", "not begun"])
async def test_the_answer_to_an_earlier_call_of_the_name_is_not_the_answer_to_this_one(
    begins: bool, tmp_path: Path
) -> None:
    """A busy worker's file has old answers. A crash in the next call must not bring them back."""
    outside = Outside(begins_only="bob")
    partition = Partition(tmp_path, outside)
    partition.want("bob")
    partition.turn()
    await outside.was_asked()  # bob's call hangs, so the file is not cleared
    outside.begins_only = ""
    outside.answers = [Answer("the first")]
    outside.answer_allowed = asyncio.Event()
    outside.answer_allowed.set()
    partition.want("ann")
    partition.turn()
    await partition.answered()
    partition.turn()
    assert partition.done("ann") == Done("the first", ambiguous=False)
    outside.begins, outside.is_asked = begins, asyncio.Event()
    outside.answer_allowed = asyncio.Event()
    partition.want("ann")
    assert partition.turn() == 1
    await outside.was_asked()
    await partition.crash()

    outside.begins, outside.answers = True, [Answer("the second")] * 2
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    assert partition.turn() == 2
    while partition.calls.waiting:
        await partition.answered()
        partition.turn()
    assert partition.done("ann") == Done("the second", ambiguous=begins)
    await partition.crash()


async def test_a_call_that_replaces_one_under_way_is_made_after_that_one(tmp_path: Path) -> None:
    """The answer to the first is of no use any more; nothing else would start the second."""
    outside = Outside(answers=[Answer("the first"), Answer("the second")])
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await outside.was_asked()
    partition.want("ann")
    assert partition.turn() == 0
    outside.answer_allowed.set()
    await partition.answered()
    assert partition.turn() == 0
    assert partition.done("ann") is None
    assert partition.turn() == 1
    await partition.answered()
    partition.turn()
    found = partition.done("ann")
    assert found is not None
    assert found.text == "the second"
    await partition.crash()


async def test_a_line_that_a_crash_cut_short_is_no_answer(tmp_path: Path) -> None:
    outside = Outside()
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await partition.answered()
    await partition.crash()
    journal = tmp_path / "here" / "0.calls"
    journal.write_bytes(journal.read_bytes()[:-10])

    partition = Partition(tmp_path, outside)
    assert partition.turn() == 1
    assert partition.calls.repeated == 1
    await partition.crash()


async def test_a_caller_that_raises_is_a_bug_that_ends_the_session(tmp_path: Path) -> None:
    """The error names the key; parked, that key is not asked again, and the others are."""
    outside = Outside(answers=[ZeroDivisionError("a bug")])
    outside.answer_allowed.set()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await partition.answered()
    with pytest.raises(RuleError, match=r"a bug on call/ask/1, key ann;.* park ann ") as raised:
        partition.turn()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    await partition.crash()

    partition = Partition(tmp_path, outside, parked={"ann"})
    partition.want("bob")
    assert partition.turn(NOW + 600_000) == 1
    await partition.answered()
    partition.turn()
    assert partition.done("bob")
    await partition.crash()


async def test_a_request_that_raises_names_its_key(tmp_path: Path) -> None:
    partition = Partition(tmp_path, Outside())
    partition.want("unlucky")
    with pytest.raises(RuleError, match=r"thirteen on call/ask/1, key unlucky;.* park unlucky "):
        partition.turn()
    await partition.crash()


@pytest.mark.parametrize("killed_at", [None, "fsync", "replace"])
async def test_a_file_that_grew_is_cut_in_one_step(
    killed_at: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the moment of a kill, what was begun is known to be begun."""

    def killed(*args: object) -> None:
        raise OSError("killed")

    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    await outside.was_asked()
    # Ann's dialogue hangs; bob's is through, so the file holds more than what is open.
    outside.answer_allowed = asyncio.Event()
    outside.answer_allowed.set()
    partition.want("bob")
    partition.turn()
    await partition.answered()
    monkeypatch.setattr(calls, "JOURNAL_BYTES_MAX", 1)
    file = tmp_path / "here" / "0.calls"
    before = file.stat().st_size
    with monkeypatch.context() as patched:
        if killed_at is not None:
            patched.setattr(journal.os if killed_at == "fsync" else Path, killed_at, killed)
            with pytest.raises(OSError, match="killed"):
                partition.turn()
        else:
            partition.turn()
            assert 0 < file.stat().st_size < before
    assert partition.done("bob") == Done("done", ambiguous=False)
    await partition.crash()

    partition = Partition(tmp_path, outside)
    assert partition.turn() == 1
    await partition.answered()
    partition.turn()
    assert partition.done("ann") == Done("done", ambiguous=True)
    assert partition.done("bob") == Done("done", ambiguous=False)
    assert len(outside.asked) == 3
    await partition.crash()


# --- a server that is down -----------------------------------------------------------------------


class World:
    """A partition whose clock for breakers is set by hand, and what lies in its changelog."""

    def __init__(self, folder: Path, outside: Outside, callers: int = 20) -> None:
        self.now = 1_000.0
        self.outside = outside
        self.partition = Partition(
            folder, outside, servers=Servers("outside-calls", lambda: self.now)
        )
        self.keys = [f"key-{number:02}" for number in range(callers)]
        for number, key in enumerate(self.keys):
            self.partition.want(key, T + timedelta(milliseconds=number))

    async def turn(self) -> int:
        """One turn, until all that is under way has ended; how many were claimed."""
        claimed = self.partition.turn(NOW + SECOND)
        await self.rest()
        self.partition.turn(NOW + SECOND)
        return claimed

    async def rest(self) -> None:
        async with asyncio.timeout(10):
            while tasks := list(self.partition.calls._tasks.values()):
                await asyncio.wait(tasks)
                await self.partition.answered()

    def rows(self) -> list[Call | None]:
        return [self.partition.fold.rows(key).get("call/ask/1") for key in self.keys]

    def waiting(self) -> list[tuple[str, int]]:
        return [(each.server, each.calls) for each in self.partition.calls.waiting_for()]


REFUSED = ServerDownError("connect: refused")


async def test_a_server_that_is_down_costs_one_try_after_growing_pauses_and_loses_no_call(
    tmp_path: Path,
) -> None:
    """However many calls wait. All go out, the oldest first and each once, when it is back."""
    outside = Outside(answers=[REFUSED] * 100, begins=False)
    outside.answer_allowed.set()
    world = World(tmp_path, outside)
    await world.turn()
    await world.turn()
    tried = len(outside.asked)
    assert tried <= len(world.keys)
    assert world.waiting() == [("the other side", len(world.keys))]
    assert world.partition.calls.is_idle(NOW + SECOND), "what is left waits for the other side"
    assert world.partition.calls.waiting == len(world.keys)
    for pause in PAUSES:
        world.now += pause - 0.01
        assert await world.turn() == 0
        world.now += 0.01
        assert await world.turn() == 1
        tried += 1
    assert len(outside.asked) == tried
    for row in world.rows():
        assert row is not None
        assert (row.owner, row.lease_until, row.ambiguous) == ("", None, False)

    outside.answers.clear()
    outside.asked.clear()
    world.now += PAUSES[-1]
    assert await world.turn() == 1
    assert world.waiting() == []
    await world.turn()
    assert [each.name.partition("/")[0] for each in outside.asked] == world.keys
    done = [world.partition.done(key) for key in world.keys]
    assert all(each is not None and not each.ambiguous for each in done)
    await world.partition.crash()


async def test_calls_that_have_not_begun_are_called_off_when_the_server_goes_down(
    tmp_path: Path,
) -> None:
    """And one that has begun goes on: it may come to its end."""
    outside = Outside(begins_only="key-00")
    world = World(tmp_path, outside, callers=5)
    world.partition.turn(NOW + SECOND)
    await outside.was_asked()
    world.partition.servers.down("the other side", "refused", 0, is_probe=False)
    outside.answer_allowed.set()
    await world.rest()
    world.partition.turn(NOW + SECOND)
    assert world.partition.done("key-00")
    await world.turn()
    assert all(world.partition.done(key) for key in world.keys), "its answer says that it is up"
    assert len(outside.asked) == 5 + 4
    await world.partition.crash()


async def test_a_crash_while_the_server_is_down_forgets_that_and_no_call(tmp_path: Path) -> None:
    outside = Outside(answers=[REFUSED] * 100, begins=False)
    outside.answer_allowed.set()
    world = World(tmp_path, outside, callers=3)
    await world.turn()
    await world.partition.crash()
    outside.answers.clear()
    outside.asked.clear()
    partition = Partition(tmp_path, outside)
    partition.turn(NOW + SECOND)
    while not all(partition.done(key) for key in world.keys):
        await partition.answered()
        partition.turn(NOW + SECOND)
    assert sorted(each.name for each in outside.asked) == [f"{k}/call/ask/1" for k in world.keys]
    await partition.crash()


async def test_if_a_test_call_is_cancelled_the_next_call_is_the_test(
    tmp_path: Path,
) -> None:
    """As when the partition moves on, and this worker keeps another."""
    outside = Outside(answers=[REFUSED], begins=False)
    outside.answer_allowed.set()
    world = World(tmp_path, outside, callers=1)
    await world.turn()
    world.now += PAUSES[0]
    outside.answer_allowed.clear()
    assert world.partition.turn(NOW + SECOND) == 1
    assert world.partition.calls.is_idle(NOW + SECOND), "though it takes its time to find out"
    assert world.partition.servers.turn("the other side") == "no"
    await world.partition.crash()
    assert world.partition.servers.turn("the other side") == "probe"


async def test_a_server_without_its_setting_is_not_tried(tmp_path: Path) -> None:
    outside = Outside(lacks="OTHER_SIDE")
    outside.answer_allowed.set()
    world = World(tmp_path, outside, callers=3)
    assert await world.turn() == 0
    assert world.partition.calls.is_idle(NOW + SECOND)
    (waiting,) = world.partition.calls.waiting_for()
    assert (waiting.calls, waiting.why) == (3, "OTHER_SIDE is not set")
    assert outside.asked == []
    await world.partition.crash()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "is_shut"),
    [
        ([Answer("done")] * 3, False),
        ([Strained(Answer("done"), "no answer")] * (STRIKES_MAX - 1), False),
        ([Strained(Answer("done"), "no answer")] * STRIKES_MAX, True),
        ([Strained(Answer("done"), "no answer"), Answer("done")] * STRIKES_MAX, False),
        ([Strained(Answer("done"), "the limit of today", 900.0)], True),
        ([Unasked(Answer("done"))] * 9, False),
        ([ServerDownError("refused", is_open=True)], True),
    ],
)
async def test_an_answer_counts_for_its_call_and_may_say_something_of_the_server(
    answers: list[Any], is_shut: bool, tmp_path: Path
) -> None:
    outside = Outside(answers=list(answers))
    outside.answer_allowed.set()
    world = World(tmp_path, outside, callers=len(answers))
    await world.turn()
    turn = world.partition.servers.turn("the other side")
    assert turn == ("no" if is_shut else "yes")
    if isinstance(answers[0], ServerDownError):
        (row,) = world.rows()
        assert row is not None
        assert row.ambiguous, "it had begun, and may have been done"
    else:
        assert [world.partition.done(key) for key in world.keys] == [
            Done("done", ambiguous=False)
        ] * len(answers)
    await world.partition.crash()


async def test_what_has_not_begun_in_time_was_not_done_and_waits_for_no_lease(
    tmp_path: Path,
) -> None:
    """So much of a lease is kept for what follows ``begin`` that it can't end before that does."""
    outside = Outside(begins=False, lease=Lease(LEASE_SECONDS, after_begin=LEASE_SECONDS - 15.1))
    world = World(tmp_path, outside, callers=1)
    assert world.partition.turn() == 1
    await world.rest()
    world.partition.turn()
    (row,) = world.rows()
    assert row is not None
    assert (row.owner, row.ambiguous) == ("", False)
    await world.partition.crash()


async def test_what_has_begun_in_time_has_its_whole_time(tmp_path: Path) -> None:
    outside = Outside(lease=Lease(LEASE_SECONDS, after_begin=LEASE_SECONDS - 15.1))
    world = World(tmp_path, outside, callers=1)
    assert world.partition.turn() == 1
    await outside.was_asked()
    asyncio.get_running_loop().call_later(0.3, outside.answer_allowed.set)
    await world.rest()
    world.partition.turn()
    assert world.partition.done(world.keys[0]) == Done("done", ambiguous=False)
    await world.partition.crash()
