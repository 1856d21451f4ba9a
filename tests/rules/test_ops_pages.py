"""What ops ask is nowhere on the public side of a process, however it is spelled."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from runtime.pages import ops_pages
from runtime.sent_counts import Tally
from runtime.settings import Settings
from services.payment_service import webhooks as payments
from services.payment_service.edge.stripe_lookup import StripeLookup
from services.payment_service.settings import CardSettings
from services.shop_bridge import webhooks as shops
from services.shop_bridge.edge.publisher import Publisher
from services.shop_bridge.shops import BridgeSettings
from services.storefront.app import build as storefront
from services.storefront.settings import PageSettings

OPS = ("livez", "readyz", "status", "metrics")
SPELLINGS = ("/{}", "//{}", "/%2f{}", "/./{}", "/{}/", "/x/../{}", "/{}?x=1", "/api/v1/{}")


def public(name: str, folder: Path) -> FastAPI:
    """The app that strangers reach."""
    settings = Settings()
    if name == "storefront":
        database = f"sqlite:///{folder / 'none.db'}"
        pages = {"database_url": database, "link_secret": "x" * 32}
        return storefront(settings, PageSettings.model_validate(pages))
    if name == "shop_bridge":
        return shops.build((), Publisher(settings, 1), BridgeSettings())
    return payments.build(
        payments.TopicRecorder(settings), ["whsec_of-no-use"], StripeLookup(CardSettings())
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["storefront", "shop_bridge", "payment_service"])
async def test_strangers_find_none_of_it(name: str, tmp_path: Path) -> None:
    transport = httpx.ASGITransport(public(name, tmp_path), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for page in OPS:
            odd = [f"/%{ord(page[0]):x}{page[1:]}", f"/{page.upper()}", f"/{page}%00"]
            for path in [each.format(page) for each in SPELLINGS] + odd:
                for host in ("x", "localhost", "127.0.0.1:9090"):
                    # As it came: the client would tidy it up.
                    raw = path.encode()
                    url = httpx.URL("http://x").copy_with(raw_path=raw)
                    answer = await client.get(url, headers={"Host": host})
                    assert answer.status_code == 404, (name, path)


def payment_ops() -> dict[str, Callable[[], Awaitable[Any]]]:
    recorder = payments.TopicRecorder(Settings())
    return {"status": recorder.status, "unready": recorder.unready}


def shop_ops() -> dict[str, Callable[[], Awaitable[Any]]]:
    publisher = Publisher(Settings(), 1)
    return {
        "status": lambda: shops.status(publisher),
        "unready": lambda: shops.unready(publisher),
    }


@pytest.mark.parametrize("made", [payment_ops, shop_ops])
async def test_webhooks_say_what_became_of_what_they_sent(
    made: Callable[[], dict[str, Callable[[], Awaitable[Any]]]],
) -> None:
    transport = httpx.ASGITransport(ops_pages(**made()))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as ops:
        assert (await ops.get("/livez")).status_code == 200
        assert (await ops.get("/readyz")).status_code == 503, "no broker yet"
        publisher = (await ops.get("/status")).json()["publisher"]
    assert {"acknowledged": 0, "failed": 0, "under_way": 0, "last_failure": None}.items() <= (
        publisher.items()
    )


def test_what_is_sent_is_counted_whatever_becomes_of_it() -> None:
    tally = Tally()
    with tally.sending(3):
        assert tally.status()["under_way"] == 3
    with pytest.raises(ConnectionError), tally.sending(2):
        raise ConnectionError("marked@private.example")
    said = tally.status()
    assert (said["acknowledged"], said["failed"], said["under_way"]) == (3, 2, 0)
    assert "ConnectionError" in str(said["last_failure"])
    assert "marked" not in str(said)
