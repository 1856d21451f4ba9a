"""Links by email again, for who lost one. No answer says whether an address is known."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.storefront.pages.link_forms import LinkForm
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
_FORM = LinkForm(
    place="/links",
    title=mark("Get your links by email"),
    lead=mark(
        "Lost the link to your group, your payments, your order, your reservation or your desk? "
        "We email your links to the address that we have on file."
    ),
    button=mark("Send me my links"),
    sent=mark(
        "If we know this address, we email its links to it in a moment, at most once an hour. "
        "No email? Look in your spam folder, or try the address that you ordered with."
    ),
    sent_to=mark(
        "If we know {email}, we email its links to it in a moment, at most once an hour. "
        "No email? Look in your spam folder, or try the address that you ordered with."
    ),
)


@router.get("/links")
async def links_form(request: Request) -> Response:
    """The form that asks for the address."""
    return _FORM.ask(request)


@router.post("/links")
async def ask_for_links(request: Request) -> Response:
    """Have the links sent, if the address is known."""
    return await _FORM.take(request, shop_of(request).commands.links.ask)


@router.get("/links/sent")
async def links_asked_for(request: Request) -> Response:
    """What happens now: the same for every address."""
    return _FORM.taken(request)
