"""The pages of the API's documentation: complete, small, in both languages, with our own files."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.storefront.api.document import own
from services.storefront.pages.api_docs import AREAS
from services.storefront.pages.visits import asset_bytes
from services.storefront.web.guard import HEADERS
from tests.storefront.pages_app import PAGE_URL, storefront_on

#: A page with its style and script, without pictures.
WEIGHT_MAX = 100_000
PAGES = ("", *(f"/{each}" for each in AREAS))


@pytest.fixture
async def client(migrated: Path) -> AsyncIterator[httpx.AsyncClient]:
    with storefront_on(f"sqlite:///{migrated}") as made:
        transport = httpx.ASGITransport(made.app)
        async with httpx.AsyncClient(transport=transport, base_url=PAGE_URL) as client:
            yield client
        await made.close()


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_is_small_and_loads_only_our_own_files(
    client: httpx.AsyncClient, name: str, language: str
) -> None:
    answer = await client.get(f"/api/docs{name}?lang={language}")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert f'<html lang="{language}"' in answer.text
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', answer.text)
    assert loaded
    assert all(each.startswith("/static/") for each in loaded)
    files = {re.split(r"[/?]", each)[2] for each in loaded}
    weight = len(answer.content) + sum(len(asset_bytes(each)) for each in files)
    assert weight < WEIGHT_MAX


async def test_the_overview_leads_to_every_operation(client: httpx.AsyncClient) -> None:
    overview = (await client.get("/api/docs")).text
    links = re.findall(r'href="(/api/docs/[^"]+)#([^"]+)"', overview)
    assert len(links) == sum(len(methods) for methods in own()["paths"].values())
    pages = {page: (await client.get(page)).text for page, _ in links}
    assert all(f'id="{anchor}"' in pages[page] for page, anchor in links)


async def test_links_to_problems_lead_to_their_words(client: httpx.AsyncClient) -> None:
    for area in AREAS:
        page = (await client.get(f"/api/docs/{area}")).text
        named = set(re.findall(r'href="#(problem-\d+)"', page))
        assert named
        assert all(f'id="{each}"' in page for each in named)


async def test_without_a_script_there_is_no_form_and_a_stream_has_none_at_all(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/api/docs/auctions")).text
    forms = page.count("<form")
    assert forms > 5
    assert len(re.findall(r'<details class="tried" hidden', page)) == forms
    assert "<form" not in (await client.get("/api/docs/streams")).text


async def test_an_area_that_is_not_there_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/docs/none")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
