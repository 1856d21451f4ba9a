"""Every page in one router."""

from fastapi import APIRouter

from services.storefront.pages import (
    api_docs,
    assets,
    auctions,
    definitions,
    groups,
    home,
    images,
    mail_links,
    organizer,
    payments,
    seller_auctions,
    sellers,
    sharing,
    shops,
    todo,
)

#: Those of each module of pages.
ROUTERS = (
    assets.router,
    images.router,
    home.router,
    auctions.router,
    groups.router,
    sharing.router,
    definitions.router,
    organizer.router,
    payments.router,
    shops.router,
    sellers.router,
    seller_auctions.router,
    mail_links.router,
    todo.router,
    api_docs.router,
)

router = APIRouter(include_in_schema=False)
for _each in ROUTERS:
    router.include_router(_each)
