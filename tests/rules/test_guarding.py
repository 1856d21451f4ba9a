"""What stands before every route, tried from outside: sizes, rates, other sites, addresses."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response

from runtime.links import Links
from runtime.networks import network_of
from services.storefront.access.callers import COOKIE, Access
from services.storefront.access.rates import Rates
from services.storefront.problems import Refusal
from services.storefront.settings import PageSettings
from services.storefront.web.guard import Guard
from services.storefront.web.refusals import add_handlers

OURS = "https://shop.example"
SECRET = "link-secret-of-the-tests"


class Nobody:
    """No key was issued, and no session ended."""

    async def api_key(self, _: str) -> None:
        return None

    async def end(self, *_: object) -> None:
        return None

    async def has(self, _: str) -> bool:
        return False


def app_of(**settings: Any) -> FastAPI:
    app = FastAPI()
    page_settings = PageSettings(**{"page_url": OURS} | settings)

    @app.get("/client")
    async def client(request: Request) -> str:
        return request.client.host if request.client else ""

    @app.post("/page")
    @app.post("/api/v1/thing")
    async def thing(request: Request) -> int:
        return len(await request.body())

    @app.get("/fault")
    @app.get("/api/v1/fault")
    async def fault() -> None:
        raise RuntimeError("marked")

    def plainly(_: Request, refusal: Refusal) -> Response:
        return PlainTextResponse(refusal.detail, refusal.status)

    refuse = add_handlers(app, plainly, lambda _: [])
    rates = Rates(page_settings)
    access = Access(page_settings, Links(SECRET), Nobody(), Nobody())
    app.add_middleware(Guard, settings=page_settings, rates=rates, access=access, refuse=refuse)
    return app


def client_of(app: FastAPI, address: str = "203.0.113.7") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=OURS)


async def chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * 1000


@pytest.mark.parametrize(("path", "most"), [("/page", 64_000), ("/api/v1/thing", 1_000_000)])
async def test_a_body_has_a_limit_whether_or_not_its_length_is_said(path: str, most: int) -> None:
    async with client_of(app_of()) as client:
        assert (await client.post(path, content=b"x" * most)).json() == most
        assert (await client.post(path, content=b"x" * (most + 1))).status_code == 413
        assert (await client.post(path, content=chunks(most // 1000))).json() == most
        assert (await client.post(path, content=chunks(most // 1000 + 1))).status_code == 413
        for told in ("-1", "1e3", "٣", "9" * 30):
            lied = await client.post(path, content=b"x", headers={"content-length": told.encode()})
            assert lied.status_code == 413


@pytest.mark.slow
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": OURS}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://shop.example.evil.example"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": OURS}, 403),
        ({"cookie": f"{COOKIE}=x"}, 403),
        ({"cookie": f"{COOKIE}=x", "origin": OURS}, 200),
    ],
)
async def test_only_our_own_pages_send_forms(headers: dict[str, str], status: int) -> None:
    async with client_of(app_of()) as client:
        assert (await client.post("/page", headers=headers)).status_code == status
        assert (await client.post("/api/v1/thing", headers=headers)).status_code == 200


async def test_addresses_are_believed_only_from_our_own_proxies() -> None:
    told = {"x-forwarded-for": "1.1.1.1, 198.51.100.1, 198.51.100.2"}
    for proxies, seen in ((0, "203.0.113.7"), (1, "198.51.100.2"), (2, "198.51.100.1")):
        async with client_of(app_of(proxies=proxies)) as client:
            assert (await client.get("/client", headers=told)).json() == seen
    async with client_of(app_of(proxies=2)) as client:
        short = {"x-forwarded-for": "1.1.1.1"}
        assert (await client.get("/client", headers=short)).json() == "203.0.113.7"


async def test_a_made_up_address_does_not_get_round_the_rate() -> None:
    app = app_of(writes_per_minute=3)
    async with client_of(app) as client:
        statuses = [
            (
                await client.post("/api/v1/thing", headers={"x-forwarded-for": f"10.0.0.{number}"})
            ).status_code
            for number in range(5)
        ]
        assert statuses == [200, 200, 200, 429, 429]
        refused = await client.post("/api/v1/thing")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await client.get("/client")).status_code == 200, "reads are counted apart"
    async with client_of(app, "203.0.113.8") as other:
        assert (await other.post("/api/v1/thing")).status_code == 200


async def test_a_port_that_a_proxy_tells_makes_no_other_client() -> None:
    async with client_of(app_of(proxies=1, writes_per_minute=3)) as client:
        statuses = [
            (
                await client.post(
                    "/api/v1/thing", headers={"x-forwarded-for": f"198.51.100.2:{50_000 + number}"}
                )
            ).status_code
            for number in range(5)
        ]
    assert statuses == [200, 200, 200, 429, 429]


def test_one_machine_s_ipv6_addresses_are_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1")


async def test_every_answer_has_the_headers_that_protect_it() -> None:
    async with client_of(app_of()) as client:
        for path in ("/client", "/none", "/fault", "/api/v1/none", "/api/v1/fault"):
            answer = await client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "default-src 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert "max-age" in answer.headers["strict-transport-security"]
            assert "marked" not in answer.text
        assert (await client.get("/api/v1/fault")).json()["status"] == 500


async def test_without_https_there_is_no_word_of_it() -> None:
    async with client_of(app_of(page_url="")) as client:
        assert "strict-transport-security" not in (await client.get("/client")).headers
        own = await client.post("/page", headers={"origin": OURS, "host": "shop.example"})
        assert own.status_code == 200
