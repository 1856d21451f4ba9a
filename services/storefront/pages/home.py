"""What runs: the lists of the home page; and how all of it works."""

import asyncio
from functools import partial
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.storefront.pages.visits import Visit, answered, body_of, page
from services.storefront.rules.rows import Listed
from services.storefront.rules.views import auction_summary, definition_summary, group_summary
from services.storefront.web.parameters import TEXT_PATTERN
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
LINES = 20
SHELF = 12
_LONGEST = 200


@router.get("/")
async def home(
    request: Request,
    q: Annotated[str, Query(max_length=_LONGEST, pattern=TEXT_PATTERN)] = "",
    sort: Literal["ending", "nearest"] = "ending",
    auctions: str | None = None,
    groups: str | None = None,
    definitions: str | None = None,
) -> Response:
    """The lists; ``auctions``, ``groups`` and ``definitions`` are cursors of the next lines.

    Nothing on it is about who asks: all who ask alike within a second get the same.
    """
    visit = Visit.of(request)
    alike = (visit.language, visit.formats, tuple(request.query_params.multi_items()))
    cursors = (auctions, groups, definitions)
    body = await shop_of(request).home_pages.get(
        alike, lambda: _home(request, visit, q.strip(), sort, cursors)
    )
    return answered(request, visit, body)


async def _home(
    request: Request,
    visit: Visit,
    words: str,
    sort: Literal["ending", "nearest"],
    cursors: tuple[str | None, str | None, str | None],
) -> str:
    reader = shop_of(request).reader
    auctions, groups, definitions = cursors
    found_auctions, found_groups, found_definitions = await asyncio.gather(
        reader.auctions(sort=sort, words=words, cursor=auctions, limit=LINES),
        reader.groups(sort=sort, words=words, cursor=groups, limit=LINES),
        reader.definitions(words=words, cursor=definitions, limit=SHELF),
    )
    asked = {"q": words, "sort": "" if sort == "ending" else sort}
    return body_of(
        request,
        "home.html",
        visit,
        words=words,
        sort=sort,
        auctions=Listed(
            [auction_summary(row) for row in found_auctions.rows], found_auctions.cursor
        ),
        groups=Listed([group_summary(row) for row in found_groups.rows], found_groups.cursor),
        definitions=Listed(
            [definition_summary(row) for row in found_definitions.rows], found_definitions.cursor
        ),
        url=partial(_url, asked),
    )


def _url(asked: dict[str, str], **changed: str) -> str:
    """The home page as it is asked for, but for what is changed."""
    query = urlencode({name: value for name, value in {**asked, **changed}.items() if value})
    return f"/?{query}" if query else "/"


@router.get("/help")
async def how_it_works(request: Request) -> Response:
    """How it works."""
    return page(request, "help.html")
