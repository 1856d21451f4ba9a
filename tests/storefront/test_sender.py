"""Commands to a broker that is away: refused within seconds, and nothing of others is lost."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runtime import transport
from runtime.broker_watch import BrokerWatch
from runtime.clients import TransportError
from runtime.settings import Settings
from schemas.auctions import SELLER_REGISTRATIONS, SellerApproved
from services.storefront.commands import sender
from services.storefront.commands.sender import Sender
from tests.storefront.test_read_model import NOW

APPROVED = SellerApproved(seller_id="s-1", at=NOW)


def sending(why: str = "") -> Sender:
    """A sender whose broker is away for this reason."""
    made = Sender(Settings(), cast(BrokerWatch, SimpleNamespace(unready=lambda: why)))
    cast(Any, made)._producer = SimpleNamespace(get=lambda: None, note=lambda _: None)
    return made


async def test_a_broker_that_is_known_to_be_away_is_not_waited_for() -> None:
    with pytest.raises(TransportError, match="no broker answers at here"):
        await sending("not ready: no broker answers at here").send(SELLER_REGISTRATIONS, APPROVED)


async def test_a_silent_broker_is_waited_for_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "ACKNOWLEDGE_SECONDS", 0.01)
    acknowledged, tasks = asyncio.Event(), []

    async def send(*_: object) -> None:
        tasks.append(asyncio.current_task())
        await acknowledged.wait()

    monkeypatch.setattr(transport, "send", send)
    with pytest.raises(TransportError, match="no broker acknowledged within"):
        await sending().send(SELLER_REGISTRATIONS, APPROVED)
    acknowledged.set()
    await cast("asyncio.Task[None]", tasks[0])
    assert not cast("asyncio.Task[None]", tasks[0]).cancelled(), "the record may still arrive"


async def test_what_the_broker_refuses_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(*_: object) -> None:
        raise TransportError("a record was not acknowledged")

    monkeypatch.setattr(transport, "send", send)
    with pytest.raises(TransportError, match="was not acknowledged"):
        await sending().send(SELLER_REGISTRATIONS, APPROVED)
