"""The same asked twice, and something else asked under the same key, of two web processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import func, select

from domain.ids import derive
from runtime.clients import TransportError
from runtime.links import Links
from runtime.settings import Settings
from schemas.auctions import Seller, SellerRegistered, StandingSince
from schemas.groups import GroupPurchase, GroupPurchaseRequested, IdIssued
from schemas.ops import ApiKey
from schemas.parts import Message, Product
from schemas.topic import Topic
from services.storefront.access import idempotency
from services.storefront.app import build
from services.storefront.readmodel.database import connect
from services.storefront.readmodel.tables import IDEMPOTENCY
from services.storefront.settings import PageSettings
from services.storefront.web.shop import Shop
from tests.storefront.pages_app import with_shared_routes
from tests.storefront.test_read_model import definition, write

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef"
ADA, BOB = "192.0.2.1", "198.51.100.7"
PLACE = "/api/v1/group-purchases"
BODY = {"definition_id": "d-000", "number_of_products": 3}
OTHER = {"definition_id": "d-000", "number_of_products": 4}
LIMIT = 9
SECRET = "a-secret-of-the-tests-that-is-long"


def opened_by(token: str) -> tuple[str, ...]:
    """The group and the organizer that a link is of; when it was made is in it, too."""
    return tuple(Links(SECRET).read("group", token, None))


@dataclass
class Site:
    """Two web processes over one database, and a log that answers each request with an id."""

    url: str
    processes: list[httpx.AsyncClient] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)
    is_away: bool = False
    is_slow: bool = False
    days_passed: int = 0
    answering: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Set when the first command has come.
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, topic: Topic, *messages: Message) -> None:
        """Record commands; what a request becomes can be read from then on."""
        if self.is_away:
            raise TransportError("no broker")
        self.sent += messages
        self.came.set()
        if self.is_slow:
            return
        async with self.answering:
            for message in messages:
                if isinstance(message, GroupPurchaseRequested):
                    await self._issue(message)
                if isinstance(message, SellerRegistered):
                    await self._register(message)
                if isinstance(message, ApiKey):
                    await write(self.url, message)

    async def _issue(self, asked: GroupPurchaseRequested) -> None:
        at, group_id = asked.requested_at, derive(asked.request_id)
        issued = IdIssued(request_id=asked.request_id, group_id=group_id, issued_at=at)
        terms = GroupPurchase(
            group_id=group_id,
            request_id=asked.request_id,
            version=1,
            requested_at=at,
            issued_at=at,
            organizer=asked.organizer and asked.organizer.party(),
            product=Product(name="Green tea"),
            number_of_products=asked.number_of_products or 1,
            opens_at=at,
            closes_at=asked.closes_at or at,
        )
        await write(self.url, issued, terms)

    async def _register(self, asked: SellerRegistered) -> None:
        since = StandingSince(standing="pending", since=asked.registered_at)
        seller = Seller(
            seller_id=asked.seller_id,
            name=asked.name,
            email=asked.email,
            registered_at=asked.registered_at,
            standing="pending",
            standings=(since,),
            version=1,
        )
        await write(self.url, seller)

    async def post(
        self,
        body: Any,
        *,
        visitor: str = ADA,
        process: int = 0,
        key: str = KEY,
        path: str = PLACE,
        **headers: str,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Idempotency-Key": key, "X-Forwarded-For": visitor} | headers
        told.setdefault("Content-Type", "application/json")
        return await self.processes[process].post(path, content=content, headers=told)

    async def group(self, body: Any, **how: Any) -> tuple[str, tuple[str, ...]]:
        """The group that a body gets, and what its organizer's link opens, once both are known."""
        for _ in range(2):  # the first answer does not wait for the id
            answer = await self.post(body, **how)
            assert answer.status_code in (201, 202), answer.text
        return answer.json()["group_id"], opened_by(answer.json()["organizer_token"])

    @property
    def asked(self) -> list[GroupPurchaseRequested]:
        return [each for each in self.sent if isinstance(each, GroupPurchaseRequested)]


@pytest.fixture
async def site(url: str) -> AsyncIterator[Site]:
    made = Site(url)
    await write(made.url, definition(0))
    given = PageSettings(
        database_url=made.url,
        link_secret=SECRET,
        admin_key="an-admin-key-of-the-tests",
        answer_seconds=0,
        proxies=1,
        requests_per_hour=LIMIT,
    )
    async with AsyncExitStack() as stack:
        for _ in range(2):
            app = with_shared_routes(build(Settings(), given))
            shop: Shop = app.state.shop
            stack.enter_context(patch.object(shop.sender, "send", made.send))
            stack.push_async_callback(shop.reader.close)
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://shop.example")
            made.processes.append(await stack.enter_async_context(client))
        yield made


async def kept(site: Site) -> int:
    """How many keys are remembered."""
    engine = connect(site.url)
    async with engine.connect() as connection:
        found = (await connection.execute(select(func.count()).select_from(IDEMPOTENCY))).scalar()
    await engine.dispose()
    return found or 0


async def sweep(site: Site) -> None:
    """Three days and a moment pass, and somebody else asks for something."""
    site.days_passed += 4
    later = idempotency.time() + site.days_passed * 86_400
    with patch.object(idempotency, "time", lambda: later):
        await site.post(BODY, key="f" * 32, visitor="203.0.113.9")
    assert await kept(site) == 1


async def test_the_same_again_is_the_same_group_in_any_process(site: Site) -> None:
    first = await site.group(BODY)
    assert await site.group(BODY, process=1) == first
    assert first[1]
    assert len({each.request_id for each in site.asked}) == 1


async def test_at_the_same_time_too(site: Site) -> None:
    answers = await asyncio.gather(*(site.post(BODY, process=n % 2) for n in range(6)))
    assert len({each.json()["request_id"] for each in answers}) == 1


async def test_something_else_under_the_key_is_told(site: Site) -> None:
    await site.group(BODY)
    answer = await site.post(OTHER)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":idempotency-key-reused")


async def test_after_three_days_another_body_never_gets_the_first_one_s_link(site: Site) -> None:
    """But the same body still gets the same group."""
    group_id, link = await site.group(BODY)
    await sweep(site)
    assert await site.group(BODY) == (group_id, link)
    await sweep(site)
    for visitor in (ADA, BOB):
        other_id, other_link = await site.group(OTHER, visitor=visitor)
        assert other_id != group_id
        assert other_link != link


async def test_two_visitors_with_one_key_do_not_hinder_each_other(site: Site) -> None:
    first = await site.group(BODY)
    second = await site.group(OTHER, visitor=BOB, process=1)
    assert first[0] != second[0]
    assert first[1] != second[1]
    # Each of them is held to the own body.
    assert (await site.post(OTHER)).status_code == 422
    assert (await site.post(BODY, visitor=BOB)).status_code == 422


REFUSED: list[tuple[str, Any, dict[str, Any], int]] = [
    ("no JSON", b"{", {}, 400),
    ("a field that is none", BODY | {"number": 3}, {}, 400),
    ("a field of another shape", BODY | {"number_of_products": "three"}, {}, 400),
    ("another kind of body", BODY, {"Content-Type": "text/plain"}, 415),
    ("terms that need a key", BODY | {"unit_price": 1}, {}, 403),
    ("sources that need a key", BODY | {"sources": ["rival"]}, {}, 403),
    ("an id that needs a key", BODY | {"organizer": {"id": "ada"}}, {}, 422),
    ("a credential that is not good", BODY, {"Authorization": "Bearer x"}, 401),
]


@pytest.mark.parametrize(
    ("what", "body", "how", "status"), REFUSED, ids=[each[0] for each in REFUSED]
)
async def test_a_key_that_met_a_refusal_is_good_for_the_mended_request(
    site: Site, what: str, body: Any, how: dict[str, Any], status: int
) -> None:
    assert (await site.post(body, **how)).status_code == status
    assert not site.sent
    assert await kept(site) == 0
    group_id, link = await site.group(BODY, process=1)
    assert group_id
    assert link


async def test_a_path_that_is_refused_keeps_no_key(site: Site) -> None:
    """What the frame itself refuses gives the key back, too."""
    answer = await site.post({}, path=f"{PLACE}/{'x' * 65}/orders")
    assert answer.status_code in (400, 401)
    admin = {"Authorization": "Bearer an-admin-key-of-the-tests"}
    answer = await site.post({"quantity": 1}, path=f"{PLACE}/{'x' * 65}/orders", **admin)
    assert answer.status_code == 400
    assert await kept(site) == 0


async def test_too_many_requests_burn_no_key(site: Site) -> None:
    for number in range(LIMIT):
        await site.post(BODY, key=f"{number:032}")
    assert (await site.post(BODY)).status_code == 429
    assert await kept(site) == LIMIT


async def test_a_repeat_that_is_refused_leaves_the_key_with_its_body(site: Site) -> None:
    """What was taken under it may still be on its way."""
    site.is_slow = True
    assert (await site.post(BODY)).status_code == 202
    for number in range(LIMIT - 1):
        await site.post(BODY, key=f"{number:032}")
    assert (await site.post(BODY)).status_code == 429
    answer = await site.post(OTHER)
    assert answer.json()["type"].endswith(":idempotency-key-reused")


async def test_where_the_log_is_away_the_key_stays_with_its_body(site: Site) -> None:
    """It may have been done: another body under the key has to wait for a key of its own."""
    site.is_away = True
    assert (await site.post(BODY)).status_code == 503
    site.is_away = False
    assert (await site.post(OTHER)).status_code == 422
    assert (await site.group(BODY))[0]


async def test_who_is_registered_already_gets_no_new_key(site: Site) -> None:
    """Not even when the idempotency key is forgotten: else it would be a way to the account."""
    body = {"name": "Nord", "email": "nord@sellers.example"}
    first = (await site.post(body, path="/api/v1/sellers")).json()
    assert first["api_key"]
    await sweep(site)
    for visitor in (ADA, BOB):
        again = (await site.post(body, path="/api/v1/sellers", visitor=visitor)).json()
        assert (again["seller_id"], again["api_key"]) == (first["seller_id"], None)
    other = body | {"email": "eve@sellers.example"}
    theirs = (await site.post(other, path="/api/v1/sellers", visitor="203.0.113.1")).json()
    assert theirs["seller_id"] != first["seller_id"]


# --- forms ---------------------------------------------------------------------------------------


async def start(site: Site, visitor: str = ADA, **fields: str) -> httpx.Response:
    form = {"once": KEY, "number": "3", "days": "7", "email": "ada@people.example"} | fields
    return await site.processes[0].post(
        "/definitions/d-000/start",
        data=form,
        headers={"X-Forwarded-For": visitor, "Sec-Fetch-Site": "same-origin"},
    )


def managed(answer: httpx.Response) -> tuple[str, ...]:
    """The group and the organizer whose page a form leads to."""
    return opened_by(answer.headers["location"].rpartition("/manage/")[2].partition("?")[0])


async def test_a_form_sent_twice_is_one_and_another_under_its_number_is_another(
    site: Site,
) -> None:
    """Who learns the number of somebody's form gets no way to that group."""
    await start(site)
    first = managed(await start(site))
    assert managed(await start(site)) == first
    for other in ({"number": "4"}, {"email": "eve@people.example"}):
        await start(site, BOB, **other)
        assert managed(await start(site, BOB, **other)) != first
    assert len({each.request_id for each in site.asked}) == 3
