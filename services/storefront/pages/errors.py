"""What can't be shown or done, as a page that says what to do."""

from fastapi import Request
from fastapi.responses import Response

from schemas.refusals import RefusalCode
from services.storefront.pages.visits import Visit, said
from services.storefront.problems import Refusal

#: By status: the texts ``error.<name>_title`` and ``error.<name>_text``.
_NAMES = {
    400: "odd",
    401: "forbidden",
    403: "forbidden",
    404: "missing",
    405: "odd",
    409: "late",
    413: "large",
    415: "odd",
    422: "odd",
    429: "often",
    503: "not_now",
}
#: A link in a letter that does not work.
_OF_LINKS = frozenset(
    {RefusalCode.LINK_EXPIRED, RefusalCode.LINK_INCOMPLETE, RefusalCode.LINK_OF_OTHER_GROUP}
)
#: Statuses whose page also says why. What it says has no text that somebody sent.
_EXPLAINED = frozenset({403, 409, 422})
HOME = {"href": "/", "words": "page.home_link"}


def refuse_page(request: Request, refusal: Refusal) -> Response:
    """A refusal as people read it."""
    name = _NAMES.get(refusal.status, "failed")
    if refusal.status == 404 and refusal.code in _OF_LINKS:
        name = "link"
    visit = Visit.of(request)
    why = visit.refused(refusal) if refusal.status in _EXPLAINED else None
    answer = said(request, "error", name, refusal.status, visit=visit, why=why, next=HOME)
    for header, value in refusal.headers.items():
        if header.lower() != "www-authenticate":
            answer.headers[header] = value
    return answer
