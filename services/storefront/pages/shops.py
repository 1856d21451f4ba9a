"""A shop's page, and the form by which the shop or the admin edits it."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.shops import ShopGiven
from schemas.shops import SHOPS, Shop
from services.storefront.access.callers import Actor
from services.storefront.pages import figures
from services.storefront.pages.businesses import fields_of, filled_in
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import shop_path
from services.storefront.pages.sessions import sign_in_page
from services.storefront.pages.visits import Visit, page
from services.storefront.pages.wares import logo_of, sold_by
from services.storefront.problems import Impossible, Invalid
from services.storefront.readmodel.details import known_shop
from services.storefront.rules.rows import Filters
from services.storefront.rules.views import definition_summary, group_summary, shop_view
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
LINES = 20


@router.get("/shops/{shop_id}")
async def shop(
    request: Request, shop_id: str, groups: str | None = None, definitions: str | None = None
) -> Response:
    """A shop, its open groups and its definitions; ``groups`` and ``definitions`` are cursors."""
    visit, reader = Visit.of(request), shop_of(request).reader
    found = await known_shop(reader, shop_id)
    its = Filters(shop_id=shop_id)
    running = await reader.groups(filters=its, cursor=groups, limit=LINES)
    offered = await reader.definitions(filters=its, cursor=definitions, limit=LINES)
    return page(
        request,
        "shop.html",
        visit=visit,
        sold_by=await sold_by(request, shop_view(found)),
        groups=running.shown(group_summary),
        **figures.of_rows(visit, running.rows),
        definitions=offered.shown(definition_summary),
        discounts=await figures.first_steps(reader, offered.rows),
    )


# --- editing -------------------------------------------------------------------------------------


async def _editor(request: Request, shop_id: str) -> Actor | None:
    """Who is signed in as the shop or the admin. Raises ``NotAllowed`` for another shop."""
    actor = await shop_of(request).access.session(request)
    if actor.kind not in ("shop", "admin"):
        return None
    await shop_of(request).commands.shops.need_editor(actor, shop_id)
    return actor


def _ask_who(request: Request, visit: Visit, shop_id: str, status: int = 200) -> Response:
    then = f"{shop_path(shop_id)}/edit"
    return sign_in_page(request, visit, Form(visit), then, "shop", status)


@router.get("/shops/{shop_id}/edit")
async def edit_form(request: Request, shop_id: str) -> Response:
    """The form with what the shop says of itself."""
    visit = Visit.of(request)
    if await _editor(request, shop_id) is None:
        return _ask_who(request, visit, shop_id)
    found = await shop_of(request).reader.fact(SHOPS.name, shop_id)
    before = found if isinstance(found, Shop) else None
    said = {"name": before.name, "email": before.email} if before else {}
    return await _edit_page(request, visit, shop_id, filled_in(visit, before, **said))


async def _edit_page(
    request: Request, visit: Visit, shop_id: str, form: Form, status: int = 200
) -> Response:
    return page(
        request,
        "shop_edit.html",
        status,
        visit,
        form=form,
        shop_id=shop_id,
        shop_path=shop_path(shop_id),
        logo=await logo_of(request, form),
    )


@router.post("/shops/{shop_id}/edit")
async def edit(request: Request, shop_id: str) -> Response:
    """Describe the shop anew."""
    visit = Visit.of(request)
    actor = await _editor(request, shop_id)
    if actor is None:
        return _ask_who(request, visit, shop_id, 401)
    form, files = await Form.with_files(request, visit)
    fields = await fields_of(request, actor, form, files)
    fields |= {"name": form.text("name")}
    if form.text("email", required=False):
        fields["email"] = form.email()
    if not form.problems:
        try:
            wanted = given(ShopGiven, dict(fields))
            await shop_of(request).commands.shops.describe(actor, shop_id, wanted)
            return RedirectResponse(shop_path(shop_id), 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    return await _edit_page(request, visit, shop_id, form, 422)
