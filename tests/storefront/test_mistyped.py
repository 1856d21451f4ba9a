"""A mistyped id is refused at once, not after the minute for which services would wait."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.auctions import Seller, Standing, StandingSince
from tests.storefront.test_asking_twice import Site, site
from tests.storefront.test_read_model import definition, write

pytestmark = pytest.mark.slow
__all__ = ["site"]

ADMIN = "Bearer an-admin-key-of-the-tests"
LATER = (datetime.now(UTC) + timedelta(days=3)).isoformat()
REQUEST = {"definition_id": "d-404", "number_of_products": 3}
OFFER = {
    "seller_id": "s-1",
    "product": {"name": "GR IV"},
    "minimum_reservations": 3,
    "unit_price": 90_000,
    "currency": "EUR",
    "closes_at": LATER,
}


def seller(standing: Standing) -> Seller:
    at = datetime.now(UTC)
    return Seller(
        seller_id="s-1",
        name="Nord",
        email="nord@x.example",
        registered_at=at,
        standing=standing,
        standings=(StandingSince(standing=standing, since=at),),
        version=1,
    )


async def test_an_unknown_definition_is_refused_at_once(site: Site) -> None:
    answer = await site.post(REQUEST)
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["problems"]
    assert (problem["field"], problem["code"]) == ("definition_id", "unknown-definition")
    assert site.asked == [], "nothing was sent"


async def test_a_definition_on_its_way_is_waited_for(site: Site) -> None:
    for process in site.processes:
        app: Any = process._transport.app  # type: ignore[attr-defined]
        app.state.shop.commands.groups._outcomes.seconds = 30.0
    asked = asyncio.create_task(site.post({**REQUEST, "definition_id": "d-001"}))
    await write(site.url, definition(1))
    await asyncio.wait_for(site.came.wait(), 30)
    assert len(site.asked) == 1
    # It waits for the outcome now, half a minute.
    asked.cancel()


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (None, "the seller was not registered"),
        ("pending", "the seller was not approved"),
        ("suspended", "the seller was suspended"),
    ],
)
async def test_a_seller_who_may_not_offer_is_refused_at_once(
    standing: Standing | None, said: str, site: Site
) -> None:
    if standing is not None:
        await write(site.url, seller(standing))
    answer = await site.post(OFFER, path="/api/v1/auctions", Authorization=ADMIN)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)
    assert site.sent == []


async def test_a_seller_in_good_standing_is_asked_for(site: Site) -> None:
    await write(site.url, seller("good"))
    answer = await site.post(OFFER, path="/api/v1/auctions", Authorization=ADMIN)
    assert answer.status_code == 202, answer.text
    assert len(site.sent) == 1
