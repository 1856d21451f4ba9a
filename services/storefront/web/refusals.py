"""Answers that every route may give: refusals as RFC 9457 problems, and how they are documented."""

from collections.abc import Callable
from traceback import format_tb
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import Counter
from starlette.exceptions import HTTPException

from runtime.clients import TransportError
from runtime.links import LinkError
from schemas.refusals import RefusalCode
from services.storefront.problems import (
    MEDIA_TYPE,
    Broken,
    Impossible,
    Invalid,
    NotNow,
    ProblemDocument,
    Refusal,
    TooLarge,
    Unknown,
    WrongMethod,
    invalid,
)
from services.storefront.readmodel.database import DatabaseError
from services.storefront.readmodel.reader import BadCursor, NothingSuch
from services.storefront.readmodel.shown import NotBuiltError
from services.storefront.web.guard import API, Refuse

HANDLED: tuple[type[Exception], ...] = (
    Refusal,
    BadCursor,
    NothingSuch,
    LinkError,
    RequestValidationError,
    TransportError,
    KafkaError,
    DatabaseError,
    HTTPException,
)
Responses = dict[int | str, dict[str, Any]]
_IN_WORDS = {
    400: "Not as documented; `problems` names each field.",
    401: "A key or a link is needed, or the one given is not valid (any more).",
    403: "The key or link does not allow this.",
    404: "Nothing has this id.",
    409: "The current state does not allow this.",
    413: "The request is too large.",
    415: "The body is not JSON, or the file not a picture.",
    422: "Refused: each problem is named, if there are several.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The log or the database can't be reached right now.",
}
#: Any route may answer these.
ALWAYS = (400, 401, 429, 503)
#: Those that take a body, these too.
WRITING = (413, 415, 422)
REFUSALS_TOTAL = "storefront_refusals_total"
_REFUSALS = Counter(REFUSALS_TOTAL, "Refused requests, by the status answered.", ["status"])
_log = structlog.get_logger()


def refusals(*statuses: int) -> Responses:
    """How a route documents what it may answer beside what it is for."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {
            "description": _IN_WORDS[status],
            "content": {MEDIA_TYPE: {"schema": schema}},
            **({"headers": _RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status in sorted({*ALWAYS, *statuses})
    }


_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}, "required": True}
}


def as_problem(refusal: Refusal) -> Response:
    """A refusal as programs read it."""
    return JSONResponse(
        refusal.document().model_dump(mode="json"),
        refusal.status,
        headers=refusal.headers,
        media_type=MEDIA_TYPE,
    )


def refusal_of(error: Exception) -> Refusal:  # noqa: PLR0911 - one per kind of trouble
    """The refusal that answers an error; it never repeats the request."""
    match error:
        case Refusal():
            return error
        case BadCursor():
            return Impossible(error.code, **error.params)
        case LinkError():
            return Unknown(error.code, **error.params)
        case NothingSuch():
            return Unknown(RefusalCode.NO_SUCH_NAME)
        case RequestValidationError():
            return invalid(error.errors())
        case NotBuiltError():
            return NotNow(RefusalCode.BEING_BUILT)
        case TransportError() | KafkaError() | DatabaseError():
            _log.warning("could not be done", error=f"{type(error).__name__}: {error}")
            return NotNow()
        case HTTPException(status_code=404):
            return Unknown(RefusalCode.NO_ADDRESS)
        case HTTPException(status_code=405):
            refusal = WrongMethod(RefusalCode.NO_METHOD)
            refusal.headers = dict(error.headers or {})
            return refusal
        case HTTPException(status_code=413):
            return TooLarge(RefusalCode.TOO_LARGE)
        case HTTPException(status_code=status) if 400 <= status < 500:
            return Invalid(RefusalCode.UNREADABLE)
    # Where, not what: the words of an error may hold what somebody sent.
    where = "".join(format_tb(error.__traceback__))
    _log.error("a fault of ours", error=type(error).__name__, where=where)
    return Broken(RefusalCode.BROKEN)


def add_handlers(
    app: FastAPI,
    refuse_page: Callable[[Request, Refusal], Response],
    methods_of: Callable[[str], list[str]],
) -> Refuse:
    """Answer every error: the API's as problems, others as pages; returns what does that."""

    def refuse(request: Request, error: Exception) -> Response:
        refusal = refusal_of(error)
        _REFUSALS.labels(str(refusal.status)).inc()
        path = request.url.path
        if path.startswith(API):
            if refusal.status == WrongMethod.status:
                refusal.headers["Allow"] = ", ".join(methods_of(path))
            return as_problem(refusal)
        return refuse_page(request, refusal)

    async def answer(request: Request, error: Exception) -> Response:
        return refuse(request, error)

    for kind in HANDLED:
        app.add_exception_handler(kind, answer)
    return refuse
