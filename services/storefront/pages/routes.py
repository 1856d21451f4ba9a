"""Every page in one router."""

from fastapi import APIRouter

from services.storefront.pages import (
    assets,
    auctions,
    groups,
    home,
    mail_links,
    organizing,
    paying,
    sellers,
    selling,
    starting,
    todo,
)

#: Those of each module of pages.
ROUTERS = (
    assets.router,
    home.router,
    auctions.router,
    groups.router,
    starting.router,
    organizing.router,
    paying.router,
    sellers.router,
    selling.router,
    mail_links.router,
    todo.router,
)

router = APIRouter(include_in_schema=False)
for _each in ROUTERS:
    router.include_router(_each)
