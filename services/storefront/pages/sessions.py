"""Signing in with a key: one page and one session, for sellers, shops and the admin."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor, Kind, visitor
from services.storefront.pages.forms import Form
from services.storefront.pages.visits import Visit, page
from services.storefront.problems import NoCredential
from services.storefront.web.shop import shop_of
from texts.words import CREDENTIALS

router = APIRouter(include_in_schema=False)
#: The pages that each kind of key opens, with all below them; the first is where it leads.
PLACES: Final[dict[Kind, tuple[str, ...]]] = {
    "seller": ("/seller",),
    "shop": ("/todo", "/shops"),
    "admin": ("/admin", "/shops"),
}
HOMES: Final = {kind: places[0] for kind, places in PLACES.items()}


class NotSignedIn(NoCredential):
    """A page needs a session of this kind; it is answered with the form to sign in."""

    def __init__(self, wanted: Kind) -> None:
        super().__init__(RefusalCode.NEEDS, wanted=wanted)
        self.wanted = wanted


def ask_who(request: Request, refusal: NotSignedIn) -> Response:
    """The form in place of a page that needs a session; then it leads to the page."""
    visit, place = Visit.of(request), request.url.path
    if request.method != "GET":
        place = HOMES[refusal.wanted]
    elif request.url.query:
        place += f"?{request.url.query}"
    return sign_in_page(request, visit, Form(visit), place, refusal.wanted, refusal.status)


def sign_in_page(
    request: Request,
    visit: Visit,
    form: Form,
    then: str,
    wanted: Kind | None = None,
    status: int = 200,
) -> Response:
    """The form that asks for a key. ``wanted`` is the kind of key that the page ``then`` needs."""
    return page(
        request,
        "sign_in.html",
        status,
        visit,
        form=form,
        action=f"/sign-in?{urlencode({'next': then})}" if then else "/sign-in",
        wanted=CREDENTIALS[wanted] if wanted else None,
        home=HOMES[wanted] if wanted else None,
        # The page is the same for everybody, whatever else they are signed in to.
        is_signed_in=False,
    )


def _next(request: Request, *kinds: Kind) -> str:
    """The page that was asked for, if a key of one of these kinds opens it; else empty."""
    then = request.query_params.get("next", "")
    places = [place for kind in kinds for place in PLACES[kind]]
    opens = any(then == place or then.startswith(f"{place}/") for place in places)
    return then if opens and "\\" not in then and then.isprintable() else ""


@router.get("/sign-in")
async def show(request: Request) -> Response:
    """The form; ``next`` is where to go once signed in."""
    visit = Visit.of(request)
    return sign_in_page(request, visit, Form(visit), _next(request, *PLACES))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in with a key, in place of any earlier session of this browser."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    actor = await _holder_of_key(request, form)
    if actor is None:
        return sign_in_page(request, visit, form, _next(request, *PLACES), status=422)
    then = _next(request, actor.kind) or HOMES[actor.kind]
    return await with_session(request, RedirectResponse(then, 303), actor)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Sign out, in every browser that has this session's cookie."""
    access = shop_of(request).access
    await access.end_session(request)
    answer = RedirectResponse("/sign-in", 303)
    access.forget(answer)
    return answer


async def _holder_of_key(request: Request, form: Form) -> Actor | None:
    """The actor of the key in the form; ``None``, with an error in the form, if there is none.

    The key is never sent back. Raises ``TooMany``, also for a right key, after too many tries.
    """
    key = form.text("key")
    form.values.pop("key", None)
    if form.problems:
        return None
    shop = shop_of(request)
    await shop.rates.count("sign-ins", visitor(request).client)
    try:
        return await shop.access.sign_in(request, key, *PLACES)
    except NoCredential:
        form.wrong("key", ProblemCode.NOT_A_VALID_KEY)
        return None


async def with_session(request: Request, answer: Response, actor: Actor) -> Response:
    """An answer that replaces the browser's session."""
    access = shop_of(request).access
    await access.end_session(request)
    access.remember(answer, actor, secure=access.is_secure)
    return answer
