"""Links by email again, for who lost one. No answer says whether an address is known."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.storefront.access.callers import visitor
from services.storefront.pages.errors import HOME
from services.storefront.pages.forms import Form
from services.storefront.pages.typed import to_check, typed
from services.storefront.pages.visits import Visit, page, said
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)


@router.get("/links")
async def links_form(request: Request) -> Response:
    """The form that asks for the address."""
    visit = Visit.of(request)
    return page(request, "links.html", visit=visit, form=Form(visit))


@router.post("/links")
async def ask_for_links(request: Request) -> Response:
    """Have the links sent, if the address is known."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    email = form.email()
    if form.problems:
        return page(request, "links.html", 422, visit, form=form)
    await shop_of(request).commands.links.ask(visitor(request), email)
    return to_check(request, "/links/sent", email)


@router.get("/links/sent")
async def links_asked_for(request: Request) -> Response:
    """What happens now: the same for every address."""
    email = typed(request)
    text = mark(
        "If we know this address, we email its links to it in a moment, at most once an hour. "
        "No email? Look in your spam folder, or try the address that you ordered with."
    )
    if email:
        text = mark(
            "If we know {email}, we email its links to it in a moment, at most once an hour. "
            "No email? Look in your spam folder, or try the address that you ordered with."
        )
    return said(
        request,
        mark("Check your email"),
        text,
        values={"email": email},
        next=HOME,
        also={"href": "/links", "words": mark("Try another address")},
    )
