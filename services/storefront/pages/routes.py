"""Every page in one router."""

from fastapi import APIRouter

from services.storefront.pages import (
    admin,
    admin_definitions,
    admin_groups,
    admin_keys,
    admin_letters,
    admin_people,
    admin_sellers,
    api_docs,
    assets,
    auctions,
    definitions,
    groups,
    home,
    images,
    links_again,
    mail_links,
    my_data,
    organizer,
    payments,
    seller_auctions,
    sellers,
    sessions,
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
    links_again.router,
    my_data.router,
    sessions.router,
    todo.router,
    admin.router,
    admin_sellers.router,
    admin_keys.router,
    admin_definitions.router,
    admin_groups.router,
    admin_letters.router,
    admin_people.router,
    api_docs.router,
)

router = APIRouter(include_in_schema=False)
for _each in ROUTERS:
    router.include_router(_each)
