"""Signing in with a key in a form, and signing out."""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from schemas.refusals import ProblemCode
from services.storefront.access.callers import Actor, Kind
from services.storefront.pages.forms import Form
from services.storefront.problems import NoCredential, NotAllowed
from services.storefront.web.shop import shop_of


async def holder_of_key(
    request: Request, form: Form, wrong: ProblemCode, *kinds: Kind
) -> Actor | None:
    """The actor of the key in the form; ``None``, with an error in the form, if there is none.

    The key is never sent back. ``wrong`` is the problem of a key that is not of these kinds.
    """
    key = form.text("key")
    form.values.pop("key", None)
    if form.problems:
        return None
    try:
        return await shop_of(request).access.sign_in(request, key, *kinds)
    except (NoCredential, NotAllowed):
        form.wrong("key", wrong)
        return None


async def with_session(request: Request, answer: Response, actor: Actor) -> Response:
    """An answer that replaces the browser's session."""
    access = shop_of(request).access
    await access.end_session(request)
    access.remember(answer, actor, secure=access.is_secure)
    return answer


async def signed_out(request: Request, then: str) -> Response:
    """Ends the session in every browser that has its cookie, and leads on."""
    access = shop_of(request).access
    await access.end_session(request)
    answer = RedirectResponse(then, 303)
    access.forget(answer)
    return answer
