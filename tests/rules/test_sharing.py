"""What many ask for at once is made once."""

import asyncio

import pytest

from services.storefront.web.shared import Shared


class Maker:
    """Counts what it makes; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.made = 0
        self.failures = failures
        self.may_go = asyncio.Event()
        self.may_go.set()

    async def __call__(self) -> int:
        self.made += 1
        number = self.made
        await self.may_go.wait()
        if number <= self.failures:
            raise ValueError(number)
        return number


async def test_those_who_ask_at_once_share_one() -> None:
    shared, maker = Shared[int](60, 10), Maker()
    assert await asyncio.gather(*(shared.get("a", maker) for _ in range(5))) == [1] * 5
    assert await shared.get("a", maker) == 1
    assert await shared.get("b", maker) == 2


async def test_what_is_no_longer_fresh_is_made_anew() -> None:
    shared, maker = Shared[int](0, 10), Maker()
    assert await shared.get("a", maker) == 1
    assert await shared.get("a", maker) == 2


async def test_a_failure_is_told_to_those_who_wait_and_not_kept() -> None:
    shared, maker = Shared[int](60, 10), Maker(failures=1)
    told = await asyncio.gather(*(shared.get("a", maker) for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in told] == [ValueError] * 2
    assert await shared.get("a", maker) == 2


async def test_who_leaves_does_not_end_it_for_the_others() -> None:
    shared, maker = Shared[int](60, 10), Maker()
    maker.may_go.clear()
    leaving = asyncio.create_task(shared.get("a", maker))
    staying = asyncio.create_task(shared.get("a", maker))
    while not maker.made:
        await asyncio.wait([leaving], timeout=0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    maker.may_go.set()
    assert await staying == 1


async def test_no_more_are_kept_than_there_is_room_for() -> None:
    shared, maker = Shared[int](60, 3), Maker()
    for number in range(10):
        await shared.get(number, maker)
        assert len(shared._made) <= 3
    assert await shared.get(9, maker) == 10
    assert await shared.get(0, maker) == 11
