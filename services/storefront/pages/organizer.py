"""The organizer's page of a group, by a signed link: its table, links and messages, its end."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from runtime.links import LinkError
from schemas.api.groups import GroupView, MessageGiven
from schemas.api.parts import WithdrawalGiven
from schemas.orders import WORDS_MAX
from schemas.parts import NUMBER_MAX
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.group_messages import Recipients, plain
from services.storefront.commands.member_table import table_shown
from services.storefront.pages import figures
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import absolute, group_path
from services.storefront.pages.payments import payments_told
from services.storefront.pages.sharing import code_of
from services.storefront.pages.typed import typed
from services.storefront.pages.visits import Visit, page, said
from services.storefront.problems import Impossible, Invalid, Overtaken, TooMany
from services.storefront.readmodel.details import group_shown, known_group
from services.storefront.web.bodies import given
from services.storefront.web.order_sheets import order_sheet
from services.storefront.web.parameters import Digits
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
ROWS = 100
#: Lines of a printed list; who has more prints several.
PRINTED = 500
Number = Annotated[int, Digits]


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
    listed = None if shown.terms.member_parts else len(shown.terms.members)
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
        sent_to=typed(request) if is_new else "",
        listed=listed or None,
        invitation=_invitation(request, shown.view),
        words_max=WORDS_MAX,
        messages_max=shop.settings.messages_of_group_per_day,
        once=secrets.token_hex(16),
        token=token,
        form=form,
        paid=await payments_told(request, actor, visit),
    )


def _invitation(request: Request, view: GroupView) -> str:
    """The address to invite people by: where they order, or the public page if not here."""
    link = shop_of(request).access.order_link(view.group_id)
    page_url = link.partition("/order/")[0]
    return absolute(request, link if view.takes_orders_here else page_url)


@router.get("/groups/{group_id}/manage/{token}/invitation.svg")
async def invitation_code(request: Request, group_id: str, token: str) -> Response:
    """The address to invite people by, for a camera."""
    _organizer(request, group_id, token)
    view = (await group_shown(shop_of(request).reader, group_id)).view
    return Response(code_of(_invitation(request, view)), media_type="image/svg+xml")


# --- the list, on paper and in a spreadsheet -----------------------------------------------------


@router.get("/groups/{group_id}/manage/{token}/list")
async def printed_list(
    request: Request, group_id: str, token: str, after: str | None = None, start: Number = 1
) -> Response:
    """The table to be printed; ``after`` is a cursor of it, ``start`` the number of its line."""
    shop, actor = shop_of(request), _organizer(request, group_id, token)
    shown = await group_shown(shop.reader, group_id)
    table = await table_shown(shop.reader, shop.access, actor, shown.terms, after, PRINTED)
    return page(
        request,
        "list.html",
        group=shown.view,
        rows=table.rows,
        cursor=table.cursor,
        start=min(max(start, 1), NUMBER_MAX),
        token=token,
    )


@router.get("/groups/{group_id}/manage/{token}/order-sheet.csv")
async def sheet(request: Request, group_id: str, token: str) -> Response:
    """The table for a spreadsheet, in the reader's language."""
    shop, actor = shop_of(request), _organizer(request, group_id, token)
    terms = await known_group(shop.reader, group_id)
    return await order_sheet(shop, actor, terms, Visit.of(request).texts.gettext)


# --- messages ------------------------------------------------------------------------------------


@router.get("/groups/{group_id}/manage/{token}/message")
async def message_here(group_id: str, token: str) -> Response:
    """The form stands on the organizer's page."""
    return RedirectResponse(f"{group_path(group_id)}/manage/{token}#message", 303)


@router.post("/groups/{group_id}/manage/{token}/message")
async def write(request: Request, group_id: str, token: str) -> Response:
    """Show the message and how many people get it; with ``sure``, send it."""
    visit = Visit.of(request)
    actor = _organizer(request, group_id, token)
    form = await Form.of(request, visit)
    words = form.text("words")
    if not form.problems:
        commands = shop_of(request).commands.messages
        try:
            wanted = given(MessageGiven, {"words": words})
            if not form.is_ticked("sure"):
                to = await commands.checked(actor, group_id, wanted)
                return _ask(request, visit, form, to)
            sent = await commands.send(actor, group_id, wanted, form.seed(request))
            done = f"{group_path(group_id)}/manage/{token}/sent?n={sent.recipients}"
            return RedirectResponse(done, 303)
        except (Invalid, Impossible, Overtaken, TooMany) as refusal:
            form.refused(refusal, {})
            if not refusal.problems:
                form.problems = {"words": visit.refused(refusal)}
    return await _page(request, actor, token, form, visit, 422)


def _ask(request: Request, visit: Visit, form: Form, to: Recipients) -> Response:
    return page(
        request,
        "message.html",
        visit=visit,
        words=plain(form.text("words")),
        once=form.text("once", required=False) or secrets.token_hex(16),
        people=to.number,
        back=request.url.path.removesuffix("/message"),
    )


@router.get("/groups/{group_id}/manage/{token}/sent")
async def message_sent(request: Request, group_id: str, token: str, n: Number = 1) -> Response:
    """The page after a message."""
    _organizer(request, group_id, token)
    visit = Visit.of(request)
    back = {
        "href": f"{group_path(group_id)}/manage/{token}",
        "words": mark("Back to the organizer's page"),
    }
    number = min(max(n, 1), NUMBER_MAX)
    return said(
        request,
        mark("Your message is on its way"),
        mark("It goes to {people}, except to those who want no messages."),
        visit=visit,
        values={"people": visit.ngettext("{n} person", "{n} people", number)},
        next=back,
    )


# --- the end -------------------------------------------------------------------------------------


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
