"""The documentation of the HTTP API, to be browsed and tried: an overview, a page for each area.

It is made from the OpenAPI document. The document's texts are English; the page around them is in
the reader's language.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from schemas.refusals import RefusalCode
from services.storefront.pages.api_reference import Json, Operation, areas
from services.storefront.pages.paths import absolute
from services.storefront.pages.visits import page
from services.storefront.problems import MEDIA_TYPE, Unknown
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
DOCUMENT_PATH = "/api/v1/openapi.json"
#: What people call an area, by its tag.
AREAS: Final = {
    "definitions": mark("Definitions"),
    "group-purchases": mark("Group purchases"),
    "requests": mark("Requests"),
    "payments": mark("Payments"),
    "todo": mark("Tasks"),
    "auctions": mark("Auctions"),
    "sellers": mark("Sellers"),
    "shops": mark("Shops"),
    "images": mark("Images"),
    "letters": mark("Letters"),
    "people": mark("People"),
    "keys": mark("Keys"),
    "streams": mark("Streams of changes"),
}


@lru_cache(maxsize=8)
def _areas_at(document: Callable[[], Json], address: str) -> dict[str, list[Operation]]:
    return areas(document(), address)


def _areas(request: Request) -> dict[str, list[Operation]]:
    address = absolute(request, shop_of(request).settings.page_url)
    return _areas_at(shop_of(request).api_document, address.rstrip("/"))


@router.get("/api/docs")
async def overview(request: Request) -> Response:
    """All operations by area."""
    return page(
        request,
        "api_docs.html",
        names=AREAS,
        areas=_areas(request),
        info=shop_of(request).api_document()["info"],
        document_path=DOCUMENT_PATH,
        key_header="Authorization: Bearer KEY",
    )


@router.get("/api/docs/{area}")
async def area(request: Request, area: str) -> Response:
    """The operations of an area, each with a form to try it."""
    operations = _areas(request).get(area)
    if operations is None:
        raise Unknown(RefusalCode.NO_ADDRESS)
    return page(
        request,
        "api_area.html",
        names=AREAS,
        area=area,
        operations=operations,
        problem_media=MEDIA_TYPE,
    )
