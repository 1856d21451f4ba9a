"""Calls to the outside: claimed before they are made, never lost, and repeated only when open."""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.messages import Message, OrderPaid
from schemas.topics import ORDERS, PURCHASES
from services.runtime import calls
from services.runtime.calls import LEASE_MARGIN_SECONDS, LEASE_SECONDS, Calls
from services.runtime.failing import RuleError
from services.runtime.fold import Fold
from services.runtime.processor import CallRules, Processor
from services.runtime.records import Encoder, Partitioner, milliseconds
from services.runtime.rows import Call, Rows
from services.runtime.store import Meta, Store

T = datetime(2026, 1, 1, tzinfo=UTC)
NOW = milliseconds(T)
SECOND = 1_000


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
    tries: int
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
        rows[f"done/{row_name}"] = Done(answer.text, call.tries, call.ambiguous)
    return ()


def never(message: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    return ()


PROCESSOR = Processor(
    service="outside",
    name="calls",
    inputs=(ORDERS,),
    outputs=(PURCHASES,),
    on={OrderPaid: never},
    calls={"ask": CallRules(request=wish, settle=settle, reply=Answer)},
    rows={"done": Done, "chunk": Done},
)


@dataclass
class Outside:
    """The other side: answers when it is let, and remembers what it was asked."""

    asked: list[Wish] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    begins: bool = True
    answer_allowed: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

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
        if self.begins:
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
        self.calls = Calls(PROCESSOR, 0, folder / owner_folder, {"ask": outside})
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
    assert [each.tries for each in claims] == [1]
    assert not outside.asked
    partition.commit()
    row: Call = partition.fold.rows("ann")["call/ask/1"]
    assert row.owner
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
    assert partition.done("ann") == Done("done", 1, ambiguous=False)
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
    assert partition.done("ann") == Done("done", 1, ambiguous=False)
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
    assert partition.done("ann") == Done("done", 1, ambiguous=False)
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
    assert partition.done("ann") == Done("done", 2, ambiguous=begins)
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
    assert partition.done("ann") == Done("done", 2, ambiguous=True)
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
    assert partition.done("ann") == Done("done", 2, ambiguous=False)
    await partition.crash()


async def test_a_worker_that_stops_waits_for_answers(tmp_path: Path) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.want("ann")
    partition.turn()
    asyncio.get_running_loop().call_later(0.05, outside.answer_allowed.set)
    await partition.calls.drain(partition.fold)
    partition.commit()
    assert partition.done("ann") == Done("done", 1, ambiguous=False)
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
    assert partition.done("ann") == Done("done", 2, ambiguous=True)
    await partition.crash()


async def test_a_key_whose_records_wait_is_not_called_before_they_have_been_applied(
    tmp_path: Path,
) -> None:
    outside = Outside()
    partition = Partition(tmp_path, outside)
    partition.fold.rows("ann")["chunk/slowly"] = Done("", 0, ambiguous=False)
    partition.want("ann")
    partition.want("bob")
    assert partition.turn() == 1
    assert {key.partition("\x00")[0] for key in partition.calls._claims} == {"bob"}
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
            patched.setattr(calls.os if killed_at == "fsync" else Path, killed_at, killed)
            with pytest.raises(OSError, match="killed"):
                partition.turn()
        else:
            partition.turn()
            assert 0 < file.stat().st_size < before
    assert partition.done("bob") == Done("done", 1, ambiguous=False)
    await partition.crash()

    partition = Partition(tmp_path, outside)
    assert partition.turn() == 1
    await partition.answered()
    partition.turn()
    assert partition.done("ann") == Done("done", 2, ambiguous=True)
    assert partition.done("bob") == Done("done", 1, ambiguous=False)
    assert len(outside.asked) == 3
    await partition.crash()
