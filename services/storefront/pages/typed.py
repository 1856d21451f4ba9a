"""The address that somebody typed, for the page after the form: "Check your email" can name it.

It is in a cookie of that page alone and for some minutes, so it is in no address and no log. Only
who typed it sees it, so it tells nobody whether we know the address.
"""

from typing import Final
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from domain.mailboxes import AddressError, mailbox

_COOKIE: Final = "typed"
_SECONDS: Final = 600


def to_check(request: Request, path: str, email: str) -> Response:
    """Lead on to the page at ``path``, with its query, which says where the letter went."""
    answer = RedirectResponse(path, 303)
    answer.set_cookie(
        _COOKIE,
        quote(email, safe=""),
        max_age=_SECONDS,
        path=path.partition("?")[0],
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def typed(request: Request) -> str:
    """The address that the reader typed a moment ago; empty if it is not known."""
    try:
        return mailbox(unquote(request.cookies.get(_COOKIE, ""))).written
    except AddressError:
        return ""
