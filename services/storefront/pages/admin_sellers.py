"""Sellers, for the admin: who waits, approval, suspension, and their keys."""

import secrets
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from domain.people import of_seller
from schemas.api.parts import LINE_MAX
from schemas.auctions import Standing
from schemas.refusals import ProblemCode
from services.storefront.commands.sellers import Act
from services.storefront.pages.admin_frame import (
    HOME,
    address,
    admin_page,
    admin_router,
    after,
    the_admin,
)
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import admin_path
from services.storefront.pages.visits import Visit
from services.storefront.problems import Impossible
from services.storefront.readmodel.details import known_seller
from services.storefront.web.shop import shop_of

router = admin_router()
PLACE: Final = f"{HOME}/sellers"
LINES = 50
OFFERS = 20
STANDINGS: Final[tuple[Standing, ...]] = ("pending", "good", "suspended")
#: What can be done to a seller of each standing.
ACTS: Final[dict[Standing, Act]] = {
    "pending": "approval",
    "good": "suspension",
    "suspended": "reinstatement",
}


@router.get(PLACE)
async def sellers(
    request: Request, standing: str | None = None, q: str = "", after: str | None = None
) -> Response:
    """Sellers of a standing or all, by words of their names; an id leads to its seller."""
    visit, reader, words = Visit.of(request), shop_of(request).reader, q.strip()
    wanted = standing if standing in STANDINGS else None
    if words and await reader.fact("sellers", words) is not None:
        return _to(words)
    shown = await reader.sellers_of(wanted, words, after, LINES)
    kept = {"q": words}
    return admin_page(
        request,
        "admin_sellers.html",
        "sellers",
        visit,
        shown=shown,
        words=words,
        standing=wanted,
        kinds=[(each, address(PLACE, standing=each, **kept)) for each in (None, *STANDINGS)],
        more=shown.cursor and address(PLACE, standing=wanted, after=shown.cursor, **kept),
    )


def _to(seller_id: str, done: str = "") -> Response:
    return after(admin_path("sellers", seller_id), done)


@router.get(PLACE + "/{seller_id}")
async def seller(request: Request, seller_id: str) -> Response:
    """A seller: the registration, every standing, the keys, and what can be done."""
    visit = Visit.of(request)
    return await _page(request, visit, seller_id, Form(visit))


async def _page(
    request: Request, visit: Visit, seller_id: str, form: Form, status: int = 200
) -> Response:
    reader = shop_of(request).reader
    found = await known_seller(reader, seller_id)
    return admin_page(
        request,
        "admin_seller.html",
        "sellers",
        visit,
        status,
        seller=found,
        person_id=of_seller(seller_id),
        act=ACTS[found.standing],
        form=form,
        reason_max=LINE_MAX,
        keys=(await reader.keys_of("seller", seller_id)).rows,
        offers=await reader.offers_of(seller_id, limit=OFFERS),
        once=secrets.token_hex(16),
    )


@router.post(PLACE + "/{seller_id}/approval")
async def approve(request: Request, seller_id: str) -> Response:
    """Let a seller make offers."""
    return await _act(request, seller_id, "approval")


@router.post(PLACE + "/{seller_id}/suspension")
async def suspend(request: Request, seller_id: str) -> Response:
    """Keep a seller from new offers."""
    return await _act(request, seller_id, "suspension")


@router.post(PLACE + "/{seller_id}/reinstatement")
async def reinstate(request: Request, seller_id: str) -> Response:
    """End a suspension."""
    return await _act(request, seller_id, "reinstatement")


async def _act(request: Request, seller_id: str, act: Act) -> Response:
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    reason = form.text("reason", required=act == "suspension")
    if len(reason) > LINE_MAX:
        form.wrong("reason", ProblemCode.TOO_LONG, most=LINE_MAX)
    if not form.problems:
        try:
            actor = await the_admin(request)
            await shop_of(request).commands.sellers.act(actor, seller_id, act, reason or None)
            return _to(seller_id, act)
        except Impossible as refusal:
            form.refused(refusal, {})
    return await _page(request, visit, seller_id, form, 422)
