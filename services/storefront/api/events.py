"""Routes of event streams, for pages and for clients of the API.

A stream begins with the newest state, or behind the version in ``Last-Event-ID`` or ``after``.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from runtime.networks import network_of
from schemas.api.parts import GivenId
from schemas.refusals import RefusalCode
from services.storefront.api.parameters import actor_of
from services.storefront.api.routes import OPEN
from services.storefront.live.streams import SHOWN_MAX
from services.storefront.problems import Invalid
from services.storefront.web.parameters import Digits
from services.storefront.web.refusals import refusals
from services.storefront.web.shop import shop_of

_EVENT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end: `data` is the whole state, `id` its version.",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    **refusals(404),
}
#: Of the API: a credential that is not good is never passed over.
_DECLARED: dict[str, Any] = {
    "responses": _ANSWERS,
    "response_class": Response,
    "dependencies": [Depends(actor_of)],
    "openapi_extra": OPEN,
    "tags": ["streams"],
}
router = APIRouter()


def _address(request: Request) -> str:
    return network_of(request.client.host) if request.client else ""


def _seen(request: Request, after: int) -> int:
    """The version a client has: what it says when it comes back, else what its page shows."""
    told = request.headers.get("last-event-id", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) <= 18 else after


After = Annotated[
    int, Query(ge=0, le=10**15, description="Send only events that are newer than this."), Digits
]


@router.get("/auctions/{auction_id}/events", include_in_schema=False)
@router.get("/api/v1/auctions/{auction_id}/events", **_DECLARED)
async def auction_events(request: Request, auction_id: str, after: After = 0) -> Response:
    """An auction as it changes: server-sent events, each with the whole state."""
    events = shop_of(request).events
    return await events.auction(_address(request), auction_id, _seen(request, after))


@router.get("/groups/{group_id}/events", include_in_schema=False)
@router.get("/api/v1/group-purchases/{group_id}/events", **_DECLARED)
async def group_events(request: Request, group_id: str, after: After = 0) -> Response:
    """A group purchase as it changes: server-sent events, each with the whole state."""
    events = shop_of(request).events
    return await events.group(_address(request), group_id, _seen(request, after))


Ids = Annotated[list[GivenId], Query(max_length=SHOWN_MAX)]


@router.get("/events", include_in_schema=False)
@router.get("/api/v1/events", **_DECLARED)
async def all_events(request: Request, auction: Ids = [], group: Ids = []) -> Response:  # noqa: B006
    """Several auctions and public group purchases as they change; after a pause, all are sent."""
    if len(auction) + len(group) > SHOWN_MAX:
        raise Invalid(RefusalCode.TOO_MANY_WATCHED, most=SHOWN_MAX)
    return await shop_of(request).events.overview(_address(request), auction, group)
