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
)

router = APIRouter(include_in_schema=False)
for _each in (
    assets,
    home,
    auctions,
    groups,
    starting,
    organizing,
    paying,
    sellers,
    selling,
    mail_links,
):
    router.include_router(_each.router)
