"""The tasks of a shop and of the admin: the list, and marking a task as done."""

from contextlib import suppress
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.parts import LINE_MAX
from schemas.api.payments import OutcomeGiven
from schemas.refusals import ProblemCode
from services.storefront.access.callers import Actor
from services.storefront.pages.forms import Form
from services.storefront.pages.sessions import holder_of_key, signed_out, with_session
from services.storefront.pages.visits import Visit, page
from services.storefront.problems import Impossible, Invalid, Overtaken
from services.storefront.rules.todo_reasons import TODO_KINDS
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
LINES = 50


async def _signed_in(request: Request) -> Actor | None:
    actor = await shop_of(request).access.session(request)
    return actor if actor.kind in ("shop", "admin") else None


# --- signing in ----------------------------------------------------------------------------------


def _sign_in_page(request: Request, visit: Visit, form: Form, status: int = 200) -> Response:
    return page(request, "todo_sign_in.html", status, visit, form=form)


@router.post("/todo/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in with a shop's key, or the admin's."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    actor = await holder_of_key(request, form, ProblemCode.NOT_A_TASKS_KEY, "shop", "admin")
    if actor is None:
        return _sign_in_page(request, visit, form, 422)
    return await with_session(request, RedirectResponse("/todo", 303), actor)


@router.get("/todo/sign-in")
async def sign_in_here() -> Response:
    """Lead to the page, which has the form."""
    return RedirectResponse("/todo", 303)


@router.post("/todo/sign-out")
async def sign_out(request: Request) -> Response:
    """Sign out, in every browser that has this session's cookie."""
    return await signed_out(request, "/todo")


# --- the list ------------------------------------------------------------------------------------


@router.get("/todo")
async def todo(
    request: Request, kind: str | None = None, shop: str | None = None, after: str | None = None
) -> Response:
    """The open tasks, the oldest first; ``shop`` is for the admin."""
    visit = Visit.of(request)
    actor = await _signed_in(request)
    if actor is None:
        return _sign_in_page(request, visit, Form(visit))
    kind = kind if kind in TODO_KINDS else None
    shown = await shop_of(request).commands.todos.page(actor, kind, shop or None, after, LINES)
    kept = {"shop": shop} if shop else {}
    return page(
        request,
        "todo.html",
        visit=visit,
        shop_id=actor.id or shop,
        rows=shown.rows,
        kind=kind,
        kinds=[(each, _address(kept, each)) for each in (None, *TODO_KINDS)],
        more=shown.cursor and _address({**kept, "after": shown.cursor}, kind),
    )


def _address(query: dict[str, str], kind: str | None) -> str:
    asked = urlencode({**query, **({"kind": kind} if kind else {})})
    return f"/todo?{asked}" if asked else "/todo"


# --- done ----------------------------------------------------------------------------------------


@router.get("/todo/{task_id}/done")
async def done_form(request: Request, task_id: str) -> Response:
    """Ask how a task, or a payment that people make, was settled."""
    visit = Visit.of(request)
    actor = await _signed_in(request)
    if actor is None:
        return _sign_in_page(request, visit, Form(visit), 401)
    return await _done_page(request, visit, actor, task_id, Form(visit))


async def _done_page(
    request: Request, visit: Visit, actor: Actor, task_id: str, form: Form, status: int = 200
) -> Response:
    found = await shop_of(request).commands.todos.one(actor, task_id)
    return page(request, "todo_done.html", status, visit, todo=found.todo, form=form, most=LINE_MAX)


@router.post("/todo/{task_id}/done")
async def done(request: Request, task_id: str) -> Response:
    """Mark it as done."""
    visit, commands = Visit.of(request), shop_of(request).commands
    actor = await _signed_in(request)
    if actor is None:
        return _sign_in_page(request, visit, Form(visit), 401)
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
            return RedirectResponse("/todo", 303)
        except Overtaken:
            # A repeat, or somebody was faster: the list no longer has it.
            return RedirectResponse("/todo", 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    return await _done_page(request, visit, actor, task_id, form, 422)


@router.get("/todo/{task_id}/retry")
async def retry_here(task_id: str) -> Response:
    """Lead to the list, which has the button."""
    return RedirectResponse("/todo", 303)


@router.post("/todo/{task_id}/retry")
async def retry(request: Request, task_id: str) -> Response:
    """Have a payment that failed tried again."""
    visit = Visit.of(request)
    actor = await _signed_in(request)
    if actor is None:
        return _sign_in_page(request, visit, Form(visit), 401)
    # A payment that is no longer failed was tried again already.
    with suppress(Impossible):
        await shop_of(request).commands.payments.retry(actor, task_id)
    return RedirectResponse("/todo", 303)
