"""What can't be shown or done, as a page that says what to do."""

from fastapi import Request
from fastapi.responses import Response

from services.storefront.pages.showing import said
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
HOME = {"href": "/", "words": "page.home_link"}


def refuse_page(request: Request, refusal: Refusal) -> Response:
    """A refusal as people read it; what it says to programs is left out."""
    name = _NAMES.get(refusal.status, "failed")
    if refusal.status == 404 and refusal.detail.startswith("the link"):
        name = "link"
    answer = said(request, "error", name, refusal.status, next=HOME)
    for header, value in refusal.headers.items():
        if header.lower() != "www-authenticate":
            answer.headers[header] = value
    return answer
