"""Where a follower's reading ends, on a log that goes on, has open transactions and gaps."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from runtime.follower import Follower
from runtime.records import Unreadable
from runtime.settings import Settings

A, B = TopicPartition("orders", 0), TopicPartition("orders", 1)
UNREADABLE = Unreadable("orders", 0, offset=1, last_offset=3, timestamp=-1, reason="", problem="")

#: An answer to a fetch: offsets of records, the position after them, the log's and the stable end.
Fetch = tuple[list[int], int, int | None, int | None]


class Log:
    """A consumer whose fetches of a partition are answered one after the other."""

    def __init__(self, *fetches: Fetch, more: list[Fetch] | None = None) -> None:
        self.fetches = {A: list(fetches)} | ({B: more} if more else {})
        self._last: dict[TopicPartition, Fetch] = dict.fromkeys(self.fetches, ([], 0, None, None))

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self.fetches)

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._last[partition][2]

    def last_stable_offset(self, partition: TopicPartition) -> int | None:
        return self._last[partition][3]

    async def position(self, partition: TopicPartition) -> int:
        return self._last[partition][1]

    async def getmany(self, partition: TopicPartition, **_: Any) -> dict[TopicPartition, Any]:
        offsets, *_ = self._last[partition] = self.fetches[partition].pop(0)
        found = [UNREADABLE if each == 1 else SimpleNamespace(offset=each) for each in offsets]
        return {partition: found}


def following(log: Log, unreadable: list[Unreadable], *, leaves_open: bool = False) -> Follower:
    follower = Follower(Settings(), unreadable.append, leaves_open=leaves_open)
    follower.reader = log
    return follower


# Whether open transactions are left out, the answers, and the offsets read by batch.
LOGS = {
    "empty": (False, [([], 0, 0, None)], [[]]),
    "goes on": (False, [([0], 1, 3, None), ([2, 4], 5, 9, None)], [[0], [2]]),
    "slow": (False, [([], 0, None, None), ([0], 2, 2, None)], [[], [0]]),
    "ends with control records": (False, [([0], 1, 3, 3), ([], 3, 3, 3)], [[0], []]),
    "is created anew": (False, [([0], 2, 4, None), ([], 0, 0, None)], [[0], []]),
    "waits for a transaction": (
        False,
        [([0], 2, 4, 2), ([], 2, 4, 2), ([2, 3], 5, 5, 5)],
        [[0], [], [2, 3]],
    ),
    "leaves an open transaction": (True, [([0], 2, 4, 2)], [[0]]),
    "none is open": (True, [([0], 2, 4, 4), ([2, 3], 4, 4, 4)], [[0], [2, 3]]),
    "no transactions": (True, [([0], 2, 4, -1), ([2, 3], 4, 4, -1)], [[0], [2, 3]]),
}


@pytest.mark.parametrize(("leaves_open", "fetches", "read"), LOGS.values(), ids=LOGS)
async def test_reading_ends_where_the_log_ended_at_the_first_fetch(
    leaves_open: bool, fetches: list[Fetch], read: list[list[int]]
) -> None:
    """A fetch without records gives an empty batch, so the caller has its turn."""
    log = Log(*fetches)
    batches = following(log, [], leaves_open=leaves_open).to_end(A)
    assert [[each.offset for each in batch] async for batch in batches] == read
    assert not log.fetches[A]


async def test_partitions_are_read_one_after_the_other_and_unreadable_records_passed_over() -> None:
    unreadable: list[Unreadable] = []
    log = Log(([0, 1], 4, 5, None), ([4], 5, 5, None), more=[([7], 8, 8, None)])
    follower = following(log, unreadable)
    assert [each.offset async for batch in follower.to_ends() for each in batch] == [0, 4, 7]
    assert (follower.ends, unreadable) == ({A: 5, B: 8}, [UNREADABLE])


async def test_other_tasks_have_their_turn_though_the_fetch_does_not_wait() -> None:
    other = asyncio.Event()
    asyncio.get_running_loop().call_soon(other.set)
    await following(Log(([0], 1, 1, None)), []).batch(A)
    assert other.is_set()
