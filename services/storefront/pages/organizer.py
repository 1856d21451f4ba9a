"""The organizer's page of a group, by a signed link: its table, the link for orders, its end."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from runtime.links import LinkError
from schemas.api.parts import WithdrawalGiven
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.member_table import table_shown
from services.storefront.pages import figures
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import absolute, group_path
from services.storefront.pages.payments import payments_told
from services.storefront.pages.visits import Visit, page, said
from services.storefront.problems import Invalid, Overtaken
from services.storefront.readmodel.details import group_shown
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
ROWS = 100


@router.get("/groups/{group_id}/manage/{token}")
async def manage(
    request: Request, group_id: str, token: str, after: str | None = None, new: bool = False
) -> Response:
    """The group as its organizer sees it; ``after`` is a cursor of its table."""
    visit = Visit.of(request)
    actor = _organizer(request, group_id, token)
    return await _page(request, actor, token, Form(visit), visit, after=after, is_new=new)


def _organizer(request: Request, group_id: str, token: str) -> Actor:
    actor = shop_of(request).access.by_link(request, "group", token)
    if actor.about != group_id:
        raise LinkError(RefusalCode.LINK_OF_OTHER_GROUP)
    return actor


async def _page(
    request: Request,
    actor: Actor,
    token: str,
    form: Form,
    visit: Visit,
    status: int = 200,
    *,
    after: str | None = None,
    is_new: bool = False,
) -> Response:
    shop = shop_of(request)
    shown = await group_shown(shop.reader, actor.about)
    table = await table_shown(shop.reader, shop.access, actor, shown.terms, after, ROWS)
    link = shop.access.order_link(actor.about) if shown.view.takes_orders_here else None
    is_paid_by_each = shown.view.payment.scope == "member"
    return page(
        request,
        "manage.html",
        status,
        visit,
        group=shown.view,
        rows=table.rows,
        is_paid_by_each=is_paid_by_each,
        unpaid=await shop.reader.unpaid_orders(actor.about) if is_paid_by_each else 0,
        goal=figures.goal_line_of(visit, shown.view),
        cursor=table.cursor,
        is_new=is_new,
        share_link=link and absolute(request, link),
        token=token,
        form=form,
        paid=await payments_told(request, actor, visit),
    )


@router.get("/groups/{group_id}/manage/{token}/withdraw")
async def withdraw_here(group_id: str, token: str) -> Response:
    """The form stands on the organizer's page."""
    return RedirectResponse(f"{group_path(group_id)}/manage/{token}", 303)


@router.post("/groups/{group_id}/manage/{token}/withdraw")
async def withdraw(request: Request, group_id: str, token: str) -> Response:
    """Take the group back."""
    visit = Visit.of(request)
    actor = _organizer(request, group_id, token)
    form = await Form.of(request, visit)
    if not form.is_ticked("sure"):
        form.wrong("sure", ProblemCode.NOT_SURE)
    reason = form.text("reason", required=False) or None
    back = f"{group_path(group_id)}/manage/{token}"
    if not form.problems:
        try:
            word = given(WithdrawalGiven, {"reason": reason})
            await shop_of(request).commands.groups.withdraw(actor, group_id, word)
        except Overtaken:
            return RedirectResponse(back, 303)
        except Invalid as refusal:
            form.refused(refusal, {})
    if form.problems:
        return await _page(request, actor, token, form, visit, 422)
    return RedirectResponse(f"{back}/withdrawn", 303)


@router.get("/groups/{group_id}/manage/{token}/withdrawn")
async def withdrawn(request: Request, group_id: str, token: str) -> Response:
    """What comes of it."""
    _organizer(request, group_id, token)
    back = {"href": group_path(group_id), "words": mark("Go to the group purchase")}
    return said(
        request,
        mark("The group purchase is being withdrawn"),
        mark("Its page shows this in a moment."),
        next=back,
    )
