"""What can't be shown or done, as a page that says what to do."""

from fastapi import Request
from fastapi.responses import Response

from schemas.refusals import RefusalCode
from services.storefront.pages.sessions import NotSignedIn, ask_who
from services.storefront.pages.visits import Visit, said
from services.storefront.problems import Refusal
from texts.catalogue import mark

_ODD = (mark("We could not read this"), mark("Go back to the page before and try again."))
_FORBIDDEN = (
    mark("You can't do this"),
    mark("Open the page again and try from there. If you are a seller, sign in first."),
)
_FAILED = (
    mark("Something went wrong"),
    mark("The mistake is ours, and we have recorded it. Please try again in a minute."),
)
_LINK = (
    mark("This link does not work"),
    mark(
        "The link is incomplete, has expired or was used already. Copy the whole link from the "
        "email, or have your links sent to you again."
    ),
)
_BEING_BUILT = (
    mark("The pages are being prepared"),
    mark("They open within a few minutes. Nothing is lost. Please try again then."),
)
#: Title and text of each status.
_TEXTS = {
    400: _ODD,
    401: _FORBIDDEN,
    403: _FORBIDDEN,
    404: (
        mark("Page not found"),
        mark(
            "Check the address for typing errors. The group purchase or auction may also have "
            "ended."
        ),
    ),
    405: _ODD,
    409: (
        mark("This is no longer possible"),
        mark(
            "It has ended, or somebody was faster. Open the page again to see the current status."
        ),
    ),
    413: (mark("This is too much at once"), mark("Please send less text.")),
    415: _ODD,
    422: _ODD,
    429: (
        mark("Too many tries"),
        mark("Wait a minute, then try again. Everything you have already confirmed is kept."),
    ),
    503: (
        mark("Not available right now"),
        mark("We could not read or save this. Please try again in a minute."),
    ),
}
#: A link in a letter that does not work.
_OF_LINKS = frozenset(
    {
        RefusalCode.LINK_EXPIRED,
        RefusalCode.LINK_INCOMPLETE,
        RefusalCode.LINK_OF_OTHER_GROUP,
        RefusalCode.LINK_USED,
    }
)
#: Statuses whose page also says why. What it says has no text that somebody sent.
_EXPLAINED = frozenset({403, 409, 422})
HOME = {"href": "/", "words": mark("See what's running")}
LINKS_AGAIN = {"href": "/links", "words": mark("Get your links by email")}
MY_DATA = {"href": "/my-data", "words": mark("Get the link to your data by email")}


def refuse_page(request: Request, refusal: Refusal) -> Response:
    """A refusal as people read it: what to do, or the form to sign in."""
    if isinstance(refusal, NotSignedIn):
        return ask_who(request, refusal)
    title, text = _TEXTS.get(refusal.status, _FAILED)
    next_ = HOME
    if refusal.status == 404 and refusal.code in _OF_LINKS:
        title, text = _LINK
        next_ = MY_DATA if request.url.path.startswith(MY_DATA["href"]) else LINKS_AGAIN
    if refusal.code == RefusalCode.BEING_BUILT:
        title, text = _BEING_BUILT
    visit = Visit.of(request)
    why = visit.refused(refusal) if refusal.status in _EXPLAINED else None
    answer = said(request, title, text, refusal.status, visit=visit, why=why, next=next_)
    for header, value in refusal.headers.items():
        if header.lower() != "www-authenticate":
            answer.headers[header] = value
    return answer
