"""An auction's page, and reserving in it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.auctions import ApplicationGiven
from schemas.api.groups import GroupView
from services.storefront.access.callers import visitor
from services.storefront.pages import agreement, figures, shared_views
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import auction_path
from services.storefront.pages.sharing import sharing
from services.storefront.pages.typed import to_check, typed
from services.storefront.pages.visits import Visit, page, said
from services.storefront.pages.wares import wares, where_to_order
from services.storefront.problems import Impossible, Invalid, Overtaken, Unknown
from services.storefront.readmodel.details import auction_shown, group_shown
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)


@router.get("/auctions/{auction_id}")
async def auction(request: Request, auction_id: str) -> Response:
    """An auction."""
    visit = Visit.of(request)
    return await _auction(request, auction_id, Form(visit), visit)


async def _auction(
    request: Request, auction_id: str, form: Form, visit: Visit, status: int = 200
) -> Response:
    shown = await auction_shown(shop_of(request).reader, auction_id)
    about = await wares(request, shown.product, None, shown.seller_id)
    group = await _contract(request, shown.group_id)
    wide, narrow = figures.charts(visit, shown)
    values: dict[str, Any] = {
        "auction": shown,
        "group_id": shown.group_id,
        "group": group,
        "wares": about,
        "sold_by": about.sold_by,
        "where": where_to_order(group, about) if group else None,
        "form": form,
        "agreement": agreement.of_reservation(
            shown,
            form.units("quantity", shown.quantity_max_per_applicant),
            is_auctions_page=True,
        ),
        "drop": figures.drop(shown),
        "chart_wide": wide,
        "chart_narrow": narrow,
        "story": figures.story(visit, shown),
        "sharing": sharing(request, visit, shared_views.of_auction(shown)),
    }
    return page(request, "auction.html", status, visit, **values)


async def _contract(request: Request, group_id: str | None) -> GroupView | None:
    """The group purchase that a contract came to, once it can be read."""
    if group_id is None:
        return None
    try:
        return (await group_shown(shop_of(request).reader, group_id)).view
    except Unknown:
        return None


@router.get("/auctions/{auction_id}/apply")
async def apply_here(auction_id: str) -> Response:
    """The form stands on the auction's page."""
    return RedirectResponse(auction_path(auction_id), 303)


@router.post("/auctions/{auction_id}/apply")
async def apply(request: Request, auction_id: str) -> Response:
    """Reserve: a letter asks to confirm it."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    most = (await auction_shown(shop_of(request).reader, auction_id)).quantity_max_per_applicant
    person, quantity = form.person(), form.number("quantity", most=most)
    if not form.problems:
        try:
            wanted = given(ApplicationGiven, {"applicant": person, "quantity": quantity})
            await shop_of(request).commands.reservations.apply(visitor(request), auction_id, wanted)
        except Overtaken:
            return RedirectResponse(auction_path(auction_id), 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {"applicant.email": "email", "applicant.name": "name"})
    if form.problems:
        return await _auction(request, auction_id, form, visit, 422)
    return to_check(request, f"{auction_path(auction_id)}/applied", form.email())


@router.get("/auctions/{auction_id}/applied")
async def applied(request: Request, auction_id: str) -> Response:
    """Where to look now."""
    back = {"href": auction_path(auction_id), "words": mark("Back to the auction")}
    email = typed(request)
    text = mark("We sent you a link. Your reservation counts once you have confirmed it there.")
    if email:
        text = mark(
            "We sent a link to {email}. Your reservation counts once you have confirmed it there."
        )
    change = {
        "href": f"{auction_path(auction_id)}#apply",
        "words": mark("Is the address wrong? Reserve again with the right one"),
    }
    return said(
        request,
        mark("Check your email"),
        text,
        values={"email": email},
        note=mark(
            "Nothing after five minutes? Look in your spam folder, or reserve again: the new "
            "reservation replaces the first."
        ),
        next=back,
        also=change if email else None,
    )
