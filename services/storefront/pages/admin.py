"""The admin's first page: what needs a person, and what to do first."""

import asyncio

from fastapi import Request
from fastapi.responses import Response

from schemas.shops import SHOPS
from services.storefront.pages.admin_frame import HOME, admin_page, admin_router
from services.storefront.pages.visits import Visit
from services.storefront.readmodel.reader import Reader
from services.storefront.web.shop import shop_of

router = admin_router()


@router.get(HOME)
async def overview(request: Request) -> Response:
    """How much needs a person, by kind; on an empty deployment, the first steps."""
    visit, reader = Visit.of(request), shop_of(request).reader
    waiting, todos, steps, anonymous = await asyncio.gather(
        reader.count_sellers("pending"),
        reader.count_todos(visit.now),
        _first_steps(reader),
        _undescribed(reader),
    )
    return admin_page(
        request,
        "admin_home.html",
        "",
        visit,
        waiting=waiting,
        todos=todos,
        undescribed=anonymous,
        has_key=steps["has_key"],
        has_definition=steps["has_definition"],
        has_any=steps["has_any"],
    )


async def _undescribed(reader: Reader) -> list[str]:
    """Shops that sell something now, but have not said who they are; the first ones by id."""
    selling = (await reader.choices()).shops
    described = await reader.facts_of(SHOPS.name, selling)
    return [each for each in selling if each not in described]


async def _first_steps(reader: Reader) -> dict[str, bool]:
    """What there is already of what a deployment needs first."""
    keys, definitions, groups, auctions = await asyncio.gather(
        reader.keys_of("shop", None, limit=1),
        reader.definitions(limit=1),
        reader.groups(status=None, limit=1),
        reader.auctions(status=None, limit=1),
    )
    return {
        "has_key": bool(keys.rows),
        "has_definition": bool(definitions.rows),
        "has_any": bool(groups.rows or auctions.rows),
    }
