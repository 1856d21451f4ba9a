"""Signing in with a key that a form gives, and out again."""

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from services.storefront.access.callers import Actor, Kind
from services.storefront.pages.forms import Form
from services.storefront.problems import NoCredential, NotAllowed
from services.storefront.shop import shop_of


async def holder_of_key(request: Request, form: Form, wrong: str, *kinds: Kind) -> Actor | None:
    """Whose key the form gives; ``None`` with what is wrong said in the form.

    A key is not sent back, whether it is right or wrong. ``wrong`` is the key of the words for one
    that is not of these kinds.
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
    """An answer that gives the browser a session in place of the one it had."""
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
