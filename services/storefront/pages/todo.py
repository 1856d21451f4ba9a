"""The tasks of a shop and of the admin: the list, and marking a task as done."""

from contextlib import suppress
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.parts import LINE_MAX
from schemas.api.payments import OutcomeGiven
from schemas.refusals import ProblemCode
from services.storefront.access.callers import Actor, Kind
from services.storefront.pages.admin_frame import frame_of
from services.storefront.pages.forms import Form
from services.storefront.pages.sessions import HOMES, NotSignedIn
from services.storefront.pages.visits import Visit, page
from services.storefront.problems import Impossible, Invalid, Overtaken
from services.storefront.rules.todo_reasons import TODO_KINDS
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
LINES = 50


#: The list's page: a shop's, and the admin's among the admin's other pages.
OF_SHOP, OF_ADMIN = HOMES["shop"], f"{HOMES['admin']}/todo"


async def _signed_in(request: Request) -> Actor:
    """The shop whose list it is, or the admin on the admin's page. Raises ``NotSignedIn``."""
    actor = await shop_of(request).access.session(request)
    kind: Kind = "admin" if request.url.path.startswith(OF_ADMIN) else "shop"
    if actor.kind != kind:
        raise NotSignedIn(kind)
    return actor


def _list_of(actor: Actor) -> str:
    return OF_ADMIN if actor.kind == "admin" else OF_SHOP


# --- the list ------------------------------------------------------------------------------------


@router.get("/todo")
async def todo_of_shop(
    request: Request, kind: str | None = None, shop: str | None = None, after: str | None = None
) -> Response:
    """A shop's tasks; the admin is led to the admin's page."""
    if (await shop_of(request).access.session(request)).kind == "admin":
        query = request.url.query
        return RedirectResponse(f"{OF_ADMIN}?{query}" if query else OF_ADMIN, 303)
    return await todo(request, kind, shop, after)


@router.get("/admin/todo")
async def todo(
    request: Request, kind: str | None = None, shop: str | None = None, after: str | None = None
) -> Response:
    """The open tasks, the oldest first; ``shop`` is for the admin."""
    visit = Visit.of(request)
    actor = await _signed_in(request)
    kind = kind if kind in TODO_KINDS else None
    shown = await shop_of(request).commands.todos.page(actor, kind, shop or None, after, LINES)
    kept = {"shop": shop} if shop else {}
    place = _list_of(actor)
    return page(
        request,
        "todo.html",
        visit=visit,
        **(frame_of(request, "todo") if actor.kind == "admin" else {"frame": "signed_in.html"}),
        place=place,
        shop_id=actor.id or shop,
        rows=shown.rows,
        kind=kind,
        kinds=[(each, _address(place, kept, each)) for each in (None, *TODO_KINDS)],
        more=shown.cursor and _address(place, {**kept, "after": shown.cursor}, kind),
    )


def _address(place: str, query: dict[str, str], kind: str | None) -> str:
    asked = urlencode({**query, **({"kind": kind} if kind else {})})
    return f"{place}?{asked}" if asked else place


# --- done ----------------------------------------------------------------------------------------


@router.get("/todo/{task_id}/done")
@router.get("/admin/todo/{task_id}/done")
async def done_form(request: Request, task_id: str) -> Response:
    """Ask how a task, or a payment that people make, was settled."""
    visit = Visit.of(request)
    actor = await _signed_in(request)
    return await _done_page(request, visit, actor, task_id, Form(visit))


async def _done_page(
    request: Request, visit: Visit, actor: Actor, task_id: str, form: Form, status: int = 200
) -> Response:
    found = await shop_of(request).commands.todos.one(actor, task_id)
    return page(
        request,
        "todo_done.html",
        status,
        visit,
        place=_list_of(actor),
        todo=found.todo,
        form=form,
        most=LINE_MAX,
    )


@router.post("/todo/{task_id}/done")
@router.post("/admin/todo/{task_id}/done")
async def done(request: Request, task_id: str) -> Response:
    """Mark it as done."""
    visit, commands = Visit.of(request), shop_of(request).commands
    actor = await _signed_in(request)
    form = await Form.of(request, visit)
    reason = form.text("reason")
    if len(reason) > LINE_MAX:
        form.wrong("reason", ProblemCode.TOO_LONG, most=LINE_MAX)
    if not form.problems:
        try:
            found = await commands.todos.one(actor, task_id)
            if found.todo.kind == "payment":
                outcome = given(OutcomeGiven, {"state": "succeeded", "reference": reason})
                await commands.payments.say_outcome(actor, task_id, outcome)
            else:
                await commands.todos.close(actor, task_id, reason)
            return RedirectResponse(_list_of(actor), 303)
        except Overtaken:
            # A repeat, or somebody was faster: the list no longer has it.
            return RedirectResponse(_list_of(actor), 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    return await _done_page(request, visit, actor, task_id, form, 422)


@router.get("/todo/{task_id}/retry")
@router.get("/admin/todo/{task_id}/retry")
async def retry_here(request: Request, task_id: str) -> Response:
    """Lead to the list, which has the button."""
    return RedirectResponse(_list_of(await _signed_in(request)), 303)


@router.post("/todo/{task_id}/retry")
@router.post("/admin/todo/{task_id}/retry")
async def retry(request: Request, task_id: str) -> Response:
    """Have a payment that failed tried again."""
    actor = await _signed_in(request)
    # A payment that is no longer failed was tried again already.
    with suppress(Impossible):
        await shop_of(request).commands.payments.retry(actor, task_id)
    return RedirectResponse(_list_of(actor), 303)
