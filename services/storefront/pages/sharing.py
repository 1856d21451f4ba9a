"""What stands beside the public page of a group and of an auction, for other sites and programs.

The card and the frame are shown on other sites, so their answers allow that. No other page does.
"""

from dataclasses import dataclass, replace
from html import escape
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import segno
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from domain.calendar_files import calendar_file
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from services.storefront.cards.card import SIZE, Card
from services.storefront.cards.painter import tag_of
from services.storefront.formats import Formats
from services.storefront.pages import figures, shared_views
from services.storefront.pages.paths import absolute
from services.storefront.pages.shared_views import SharedView
from services.storefront.pages.visits import Visit, body_of
from services.storefront.readmodel.details import auction_shown, group_shown
from services.storefront.web.shop import shop_of
from texts.catalogue import ENGLISH, languages

router = APIRouter(include_in_schema=False)
CARD_SECONDS = 60
QR_SECONDS = 86_400
FRAME_SIZE = (390, 300)
#: Any site may show these.
_FOR_ALL = {"Cross-Origin-Resource-Policy": "cross-origin"}
#: Of the frame alone: any site may have it, and it has no form.
FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors *"
)
#: A shop's page gives the frame no more rights than it needs.
_SANDBOX = "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox"


@dataclass(frozen=True, slots=True)
class Sharing:
    """The addresses that a page names for sharing, and the words beside them."""

    title: str
    summary: str
    url: str
    card: str
    card_size: tuple[int, int]
    qr: str
    calendar: str
    frame: str


def sharing(request: Request, visit: Visit, shared: SharedView) -> Sharing:
    """What the page of a group or an auction names; ``calendar`` is empty after the deadline."""
    url = _address(request, shared.path)
    tag = tag_of(_card(request, visit.language, visit, shared)).strip('"')
    # Other sites keep a picture under its address, so another picture has another address.
    card = f"{url}/card.png?{urlencode({'lang': visit.language, 'v': tag})}"
    width, height = FRAME_SIZE
    frame = (
        f'<iframe src="{escape(url)}/embed?lang={visit.language}" title="{escape(shared.product)}"'
        f' width="{width}" height="{height}" loading="lazy" style="border: 0"'
        f' sandbox="{_SANDBOX}"></iframe>'
    )
    return Sharing(
        title=shared.product,
        summary=shared_views.summary(visit, shared),
        url=url,
        card=card,
        card_size=SIZE,
        qr=f"{shared.path}/qr.svg",
        calendar=f"{shared.path}/deadline.ics" if shared.is_open(visit.now) else "",
        frame=frame,
    )


def _address(request: Request, path: str) -> str:
    return absolute(request, shop_of(request).settings.page_url.rstrip("/") + path)


async def _group(request: Request, group_id: str) -> GroupView:
    return (await group_shown(shop_of(request).reader, group_id)).view


async def _auction(request: Request, auction_id: str) -> AuctionDetail:
    return await auction_shown(shop_of(request).reader, auction_id)


# --- the card ------------------------------------------------------------------------------------


@router.get("/groups/{group_id}/card.png")
async def group_card(request: Request, group_id: str) -> Response:
    """A group's card."""
    return await _picture(request, shared_views.of_group(await _group(request, group_id)))


@router.get("/auctions/{auction_id}/card.png")
async def auction_card(request: Request, auction_id: str) -> Response:
    """An auction's card."""
    return await _picture(request, shared_views.of_auction(await _auction(request, auction_id)))


async def _picture(request: Request, shared: SharedView) -> Response:
    visit, shop = Visit.of(request), shop_of(request)
    card = _card(request, visit.language, visit, shared)
    headers = {
        **_FOR_ALL,
        "ETag": tag_of(card),
        "Cache-Control": f"public, max-age={CARD_SECONDS}",
        "Content-Language": visit.language,
    }
    if request.query_params.get("lang") not in languages():
        headers["Vary"] = "Accept-Language, Cookie"
    known = request.headers.get("if-none-match", "")
    if headers["ETag"] in (each.strip().removeprefix("W/") for each in known.split(",")):
        return Response(status_code=304, headers=headers)
    # The card holds everything that is drawn, so it is the key under which its picture is kept.
    png = await shop.cards.get(card, lambda: shop.painter.png(card))
    return Response(png, media_type="image/png", headers=headers)


def _card(request: Request, language: str, visit: Visit, shared: SharedView) -> Card:
    """The card in a language; in English if the fonts here do not have the language's letters."""
    alike = replace(visit, language=language, formats=Formats.of(language))
    card = shared_views.card(alike, shared)
    faces = shop_of(request).painter.faces
    if faces.shown(card.deadline) == card.deadline:
        return card
    alike = replace(visit, language=ENGLISH, formats=Formats.of(ENGLISH))
    return shared_views.card(alike, shared)


# --- QR code and calendar file -------------------------------------------------------------------


@router.get("/groups/{group_id}/qr.svg")
async def group_code(request: Request, group_id: str) -> Response:
    """The address of a group's page, for a camera."""
    return _code(request, shared_views.of_group(await _group(request, group_id)))


@router.get("/auctions/{auction_id}/qr.svg")
async def auction_code(request: Request, auction_id: str) -> Response:
    """The address of an auction's page, for a camera."""
    return _code(request, shared_views.of_auction(await _auction(request, auction_id)))


def _code(request: Request, shared: SharedView) -> Response:
    svg = code_of(_address(request, shared.path))
    headers = {**_FOR_ALL, "Cache-Control": f"public, max-age={QR_SECONDS}"}
    return Response(svg, media_type="image/svg+xml", headers=headers)


def code_of(address: str) -> bytes:
    """A QR code as SVG: black on white, with the free border that cameras need."""
    file = BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(file, kind="svg", border=4, light="#fff", xmldecl=False, omitsize=True, nl=False)
    return file.getvalue()


@router.get("/groups/{group_id}/deadline.ics")
async def group_deadline(request: Request, group_id: str) -> Response:
    """When a group closes, as a calendar file."""
    return _calendar(request, shared_views.of_group(await _group(request, group_id)))


@router.get("/auctions/{auction_id}/deadline.ics")
async def auction_deadline(request: Request, auction_id: str) -> Response:
    """When an auction closes, as a calendar file."""
    return _calendar(request, shared_views.of_auction(await _auction(request, auction_id)))


def _calendar(request: Request, shared: SharedView) -> Response:
    url = _address(request, shared.path)
    host = urlsplit(url).hostname or ""
    file = calendar_file(shared_views.deadline(Visit.of(request), shared, url, host))
    headers = {"Content-Disposition": 'attachment; filename="deadline.ics"'}
    return Response(file, media_type="text/calendar; charset=utf-8", headers=headers)


# --- the frame -----------------------------------------------------------------------------------


@router.get("/groups/{group_id}/embed")
async def group_frame(request: Request, group_id: str) -> Response:
    """A group's count, live, for a frame on another site's page."""
    group = await _group(request, group_id)
    shared = shared_views.of_group(group)
    visit = Visit.of(request)
    goal = figures.goal_line_of(visit, group)
    starts = figures.starts(group)
    return _frame(request, shared, group=group, auction=None, starts=starts, goal=goal)


@router.get("/auctions/{auction_id}/embed")
async def auction_frame(request: Request, auction_id: str) -> Response:
    """An auction's count and price, live, for a frame on another site's page."""
    auction = await _auction(request, auction_id)
    shared = shared_views.of_auction(auction)
    return _frame(request, shared, group=None, auction=auction, starts=(), goal=None)


def _frame(request: Request, shared: SharedView, **values: Any) -> Response:
    """The page of a frame. It sets no cookie, whatever language is asked for."""
    visit = Visit.of(request)
    body = body_of(request, "embed.html", visit, shared=shared, **values)
    headers = {
        **_FOR_ALL,
        "Content-Security-Policy": FRAME_POLICY,
        "Content-Language": visit.language,
        "Vary": "Accept-Language, Cookie",
    }
    return HTMLResponse(body, headers=headers)
