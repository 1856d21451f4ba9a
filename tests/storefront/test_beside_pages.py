"""What stands beside the pages of a group and an auction: card, QR code, calendar file, frame."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from icalendar import Calendar
from PIL import Image

from schemas.groups import GroupPurchase, IdIssued
from schemas.orders import PurchaseState
from schemas.parts import Message
from services.storefront.cards import painter
from services.storefront.pages.sharing import FRAME_POLICY, code_of
from services.storefront.web.guard import HEADERS
from tests.read_model import copy_model
from tests.storefront.pages_app import PAGE_URL, storefront_on
from tests.storefront.test_read_model import write
from tests.storefront.test_two_visitors import CLOSES_AT, NOW, SHARED, A, facts

PLACES = ("/groups/g-1", "/groups/g-2", "/auctions/a-1")
#: Of the organizer and the members: on no answer here.
PRIVATE = ("org@buyers.example", "Olga Organizer", "m-org", "ann@buyers.example", "Ann Member")


def unlisted() -> list[Message]:
    """An unlisted group with people in its terms."""
    group = GroupPurchase.model_validate(
        {
            "group_id": "g-2",
            "request_id": "r-2",
            "version": 1,
            "requested_at": NOW,
            "issued_at": NOW,
            "product": {"name": "<b>Sencha & Co</b>"},
            "unit_price": 900,
            "currency": "EUR",
            "organizer": {"id": "m-org", "email": "org@buyers.example", "name": "Olga Organizer"},
            "members": ({"id": "m-ann", "email": "ann@buyers.example", "name": "Ann Member"},),
            "number_of_products": 10,
            "opens_at": NOW - timedelta(days=1),
            "closes_at": CLOSES_AT,
            "payment": {"scope": "member", "method": "shop"},
            "visibility": "unlisted",
        }
    )
    issued = IdIssued(request_id="r-2", group_id="g-2", issued_at=NOW)
    return [issued, group, state(1)]


def state(version: int) -> PurchaseState:
    return PurchaseState(
        group_id="g-2",
        request_id="r-2",
        version=version,
        status="open",
        quantity=version,
        value=900 * version,
        members=1,
    )


@pytest.fixture(scope="module")
def world(migrated: Path) -> str:
    url = copy_model(migrated, migrated.parent / "beside_pages.db")
    asyncio.run(write(url, *SHARED, *facts(A), *unlisted()))
    return url


@pytest.fixture
async def client(world: str) -> AsyncIterator[httpx.AsyncClient]:
    with storefront_on(world) as made:
        transport = httpx.ASGITransport(made.app)
        async with httpx.AsyncClient(transport=transport, base_url=PAGE_URL) as client:
            yield client
        await made.close()


def metas(page: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">', page)
    return {name: unescape(content) for name, content in found}


# --- what other sites read -----------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_a_page_s_head_has_all_that_a_preview_needs(
    client: httpx.AsyncClient, place: str
) -> None:
    page = (await client.get(place)).text
    found = metas(page)
    assert found["og:url"] == PAGE_URL + place
    assert found["twitter:card"] == "summary_large_image"
    assert "Open until" in found["og:description"]
    assert (found["og:image:width"], found["og:image:height"]) == ("1200", "630")
    assert found["og:image"].startswith(f"{PAGE_URL}{place}/card.png?lang=en&v=")
    assert (await client.get(found["og:image"])).status_code == 200
    assert ("noindex" in found.get("robots", "")) == (place == "/groups/g-2")
    japanese = metas((await client.get(f"{place}?lang=ja")).text)
    assert japanese["og:description"] != found["og:description"]
    assert "lang=ja" in japanese["og:image"]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("place", PLACES)
async def test_nothing_beside_a_page_names_a_person(
    client: httpx.AsyncClient, place: str, language: str
) -> None:
    for name in ("", "/card.png", "/qr.svg", "/deadline.ics", "/embed"):
        answer = await client.get(f"{place}{name}?lang={language}")
        assert answer.status_code == 200
        assert not [each for each in PRIVATE if each in answer.text]


@pytest.mark.parametrize("name", ["card.png", "qr.svg", "deadline.ics", "embed"])
async def test_there_is_nothing_beside_what_is_not_there(
    client: httpx.AsyncClient, name: str
) -> None:
    for room in ("groups", "auctions"):
        answer = await client.get(f"/{room}/none/{name}")
        assert answer.status_code == 404
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


# --- the card ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_a_card_is_kept_for_a_minute_and_asked_for_again_by_its_tag(
    client: httpx.AsyncClient, place: str
) -> None:
    answer = await client.get(f"{place}/card.png?lang=en")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "vary" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert Image.open(BytesIO(answer.content)).size == (1200, 630)
    tag = answer.headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = await client.get(f"{place}/card.png?lang=en", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = await client.get(f"{place}/card.png?lang=en", headers={"If-None-Match": '"other"'})
    assert other.content == answer.content
    assert "Accept-Language" in (await client.get(f"{place}/card.png")).headers["vary"]


async def test_a_card_is_drawn_once_for_all_and_anew_when_the_count_changes(
    world: str, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    png_of = painter.png_of
    monkeypatch.setattr(painter, "png_of", lambda *of: drawn.append(of[0]) or png_of(*of))
    asked = "/groups/g-2/card.png?lang=en"
    first = {(await client.get(asked)).headers["etag"] for _ in range(5)}
    await asyncio.gather(*(client.get(asked) for _ in range(5)))
    assert len(drawn) == len(first) == 1
    await write(world, state(7))
    assert (await client.get(asked)).headers["etag"] not in first
    assert [each.count for each in drawn] == ["1", "7"]


async def test_where_no_font_has_the_language_s_letters_the_card_is_in_english(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = client._transport.app.state.shop  # type: ignore[attr-defined]
    monkeypatch.setattr(shop.painter.faces, "shown", lambda text: text if text.isascii() else "")
    english, japanese = [
        (await client.get(f"/groups/g-1/card.png?lang={each}")).headers["etag"]
        for each in ("en", "ja")
    ]
    assert english == japanese


# --- QR code and calendar file -------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_a_qr_code_is_a_picture_of_the_page_s_address(
    client: httpx.AsyncClient, place: str
) -> None:
    answer = await client.get(f"{place}/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "max-age=86400" in answer.headers["cache-control"]
    assert answer.content == code_of(PAGE_URL + place)
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {each.tag.rpartition("}")[2] for each in root} == {"path"}
    assert code_of("https://shop.example/groups/other") != answer.content


@pytest.mark.parametrize("place", PLACES)
async def test_a_calendar_takes_the_deadline(client: httpx.AsyncClient, place: str) -> None:
    answer = await client.get(f"{place}/deadline.ics?lang=ja")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "deadline.ics" in answer.headers["content-disposition"]
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert event["DTSTART"].dt == CLOSES_AT.replace(microsecond=0)
    assert event["URL"] == PAGE_URL + place
    assert event["UID"].endswith("-deadline@shop.example")
    assert "ORGANIZER" not in event
    assert event["SUMMARY"].params["LANGUAGE"] == "ja"


# --- the frame -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_only_the_frame_may_stand_on_other_sites(
    client: httpx.AsyncClient, place: str
) -> None:
    answer = await client.get(f"{place}/embed?lang=ja")
    assert answer.headers["content-security-policy"] == FRAME_POLICY
    assert "set-cookie" not in answer.headers
    assert "<form" not in answer.text
    assert f'href="{place}" target="_blank" rel="noopener"' in answer.text
    assert f'data-events="{place}/events"' in answer.text
    page = await client.get(place)
    assert page.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    for name in ("card.png", "qr.svg", "deadline.ics"):
        beside = await client.get(f"{place}/{name}")
        assert "frame-ancestors 'none'" in beside.headers["content-security-policy"]


async def test_the_lines_for_another_page_keep_a_product_s_name_inside_its_attribute(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/groups/g-2")).text
    (lines,) = re.findall(r"<code>(&lt;iframe.*?)</code>", page)
    frame = unescape(lines)
    assert frame.startswith(f'<iframe src="{PAGE_URL}/groups/g-2/embed?lang=en" title="&lt;b&gt;')
    assert "allow-forms" not in frame
    assert frame.count("<") == 2
