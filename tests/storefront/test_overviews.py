"""Streams of what a list shows: what is unknown costs one question, and nothing is kept of it."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Executable

from runtime.broker_watch import BrokerWatch
from runtime.settings import Settings
from services.storefront.live.event_stream import EventStream
from services.storefront.live.hub import Hub
from services.storefront.live.streams import Events
from services.storefront.problems import Unknown
from services.storefront.readmodel.reader import Reader
from services.storefront.settings import PageSettings
from tests.storefront.test_read_model import SHOP, write

UNKNOWN = [f"unknown-{number}" for number in range(100)]


class Live:
    """Streams over a read model whose questions are counted."""

    def __init__(self, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.hub = Hub(Settings(), reader, BrokerWatch(Settings(), {}))
        self.events = Events(self.hub, reader, PageSettings())
        ask = reader._questions.all

        async def counted(statement: Executable) -> Sequence[Any]:
            self.asked += 1
            return await ask(statement)

        monkeypatch.setattr(reader._questions, "all", counted)

    async def overview(self, auctions: list[str], groups: list[str]) -> list[str]:
        """The ids that a stream of these shows at first."""
        answer = await self.events.overview("203.0.113.7", auctions, groups)
        assert isinstance(answer, EventStream)
        shown = [feed.subject.key for feed in answer._subscription.feeds]
        answer._close()
        return shown


@pytest.fixture
async def live(url: str, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Live:
    await write(url, *SHOP)
    return Live(reader, monkeypatch)


@pytest.mark.parametrize(
    ("auctions", "groups", "shown", "questions"),
    [
        (UNKNOWN, [], [], 1),
        ([], UNKNOWN, [], 1),
        (UNKNOWN[:50], UNKNOWN[50:], [], 2),
        (["a-001"] * 50, ["g-001"] * 50, ["a-001", "g-001"], 4),
        (["a-001", *UNKNOWN[:49]], ["g-001", "g-009", *UNKNOWN[50:]], ["a-001", "g-001"], 4),
        ([], [], [], 0),
    ],
)
async def test_a_hundred_ids_are_a_question_or_two(
    live: Live, auctions: list[str], groups: list[str], shown: list[str], questions: int
) -> None:
    assert await live.overview(auctions, groups) == shown
    assert live.asked == questions


async def test_nothing_is_kept_of_what_nobody_knows(live: Live) -> None:
    held = await live.events.overview("203.0.113.7", UNKNOWN, UNKNOWN)
    assert not live.hub._feeds
    assert not live.hub._unsettled
    assert isinstance(held, EventStream)
    held._close()
    for ask in (live.events.auction, live.events.group):
        with pytest.raises(Unknown):
            await ask("203.0.113.7", "unknown", 0)
    assert not live.hub._feeds
    assert not live.hub.streams
