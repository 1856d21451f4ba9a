"""What all pages of the admin share: who may see them, their areas, and what was just done."""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.storefront.access.callers import Actor
from services.storefront.pages.sessions import HOMES, NotSignedIn
from services.storefront.pages.visits import Visit, page
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

HOME: Final = HOMES["admin"]
#: The areas, as the menu of these pages lists them: the last part of the address, and the words.
AREAS: Final = {
    "": mark("Overview"),
    "todo": mark("To do"),
    "sellers": mark("Sellers"),
    "shops": mark("Shops and keys"),
    "definitions": mark("Definitions"),
    "groups": mark("Group purchases"),
    "auctions": mark("Auctions"),
    "letters": mark("Letters"),
    "people": mark("People"),
}
#: What the page says after an act, by the word in its address.
DONE: Final = {
    "approval": mark("The seller is approved and can make offers now."),
    "suspension": mark("The seller is suspended and can make no new offers."),
    "reinstatement": mark("The suspension has ended. The seller can make offers again."),
    "revoked": mark("The key is revoked. Nobody can use it any more."),
    "published": mark("The definition is published. Anyone can start a group purchase from it."),
    "changed": mark("It has changed since you opened the form. This is how it is now."),
    "withdrawn": mark("The definition is withdrawn. Groups that run go on, and no new ones start."),
    "asked": mark("The letter is being sent again. Reload the page to see what became of it."),
    "resent": mark("The letter was taken up again. This is how it stands now."),
    "erased": mark("The person is erased: no address and no name are known any more."),
}


async def the_admin(request: Request) -> Actor:
    """The admin, by the browser's session. Raises ``NotSignedIn``."""
    actor = await shop_of(request).access.session(request)
    if actor.kind != "admin":
        raise NotSignedIn("admin")
    return actor


def admin_router() -> APIRouter:
    """Pages of an area: each is answered to the admin alone, before anything is looked up."""
    return APIRouter(include_in_schema=False, dependencies=[Depends(the_admin)])


def frame_of(request: Request, area: str) -> dict[str, Any]:
    """What the frame of these pages needs: the areas, which of them it is, what was done."""
    return {
        "frame": "admin.html",
        "is_admin": True,
        "areas": [(_place_of(each), words) for each, words in AREAS.items()],
        "area": _place_of(area),
        "done": DONE.get(request.query_params.get("done", "")),
    }


def _place_of(area: str) -> str:
    return f"{HOME}/{area}" if area else HOME


def admin_page(
    request: Request, name: str, area: str, visit: Visit, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page of an area."""
    return page(request, name, status, visit, **frame_of(request, area), **values)


def after(place: str, done: str = "", **query: str) -> Response:
    """To the page that shows what an act came to, and says it in words."""
    asked = urlencode({**query, **({"done": done} if done else {})})
    return RedirectResponse(f"{place}?{asked}" if asked else place, 303)


def address(place: str, **query: str | None) -> str:
    """A page's address with those values of its query that are not empty."""
    asked = urlencode({name: value for name, value in query.items() if value})
    return f"{place}?{asked}" if asked else place
