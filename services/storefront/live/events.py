"""Open pages: an auction, a group purchase, or what a list shows, told as it changes.

Each event is the whole state, ``id`` its version. A stream begins with the newest state, or behind
the version in ``Last-Event-ID`` (or ``after``, for a page that shows a state already).
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from runtime.cache import TwoGenerations
from runtime.networks import network_of
from schemas.auctions import AUCTIONS, Auction
from schemas.orders import PURCHASES, PurchaseState
from schemas.parts import Message
from schemas.refusals import RefusalCode
from services.storefront.api.answering import refusals
from services.storefront.api.routes import OPEN
from services.storefront.api.taking import Digits, who
from services.storefront.commands.given import GivenId
from services.storefront.live.feeds import Draw, Subject
from services.storefront.live.hub import Hub
from services.storefront.live.streaming import EventStream, Places
from services.storefront.model.database import DatabaseError
from services.storefront.model.reading import Reader
from services.storefront.problems import Invalid, NotNow, Unknown
from services.storefront.settings import PageSettings
from services.storefront.shop import shop_of
from services.storefront.views import auction_view, group_progress

#: On an overview; the least time between two writes to one, and how many it may show.
SPACING_SECONDS = 0.8
SHOWN_MAX = 100
KNOWN_SIZE = 10_000
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
    "dependencies": [Depends(who)],
    "openapi_extra": OPEN,
    "tags": ["streams"],
}
router = APIRouter()


def _draw_auction(message: Message) -> bytes:
    assert isinstance(message, Auction)
    return auction_view(message).model_dump_json().encode()


class Events:
    """Opens streams; one for a web process."""

    def __init__(self, hub: Hub, reader: Reader, settings: PageSettings) -> None:
        self._hub = hub
        self._reader = reader
        self._places = Places(settings.streams_per_address, settings.streams)
        #: Number and visibility of groups, which never change.
        self._known: TwoGenerations[tuple[int, bool]] = TwoGenerations(KNOWN_SIZE)

    async def auction(self, address: str, auction_id: str, after: int) -> Response:
        """One auction's stream. Raises ``Unknown``, ``TooMany`` or ``NotNow``."""
        draws = {Subject(AUCTIONS.name, auction_id): _draw_auction}
        return await self._open(address, draws, after, unknown=RefusalCode.NO_AUCTION_HERE)

    async def group(self, address: str, group_id: str, after: int) -> Response:
        """One group's stream, listed or not. Raises ``Unknown``, ``TooMany`` or ``NotNow``.

        It is known by its terms, before anything is said of how far it is.
        """
        known = await self._groups([group_id])
        if group_id not in known:
            raise Unknown(RefusalCode.NO_GROUP_HERE)
        number, _ = known[group_id]
        return await self._open(address, {Subject(PURCHASES.name, group_id): _draw(number)}, after)

    async def overview(self, address: str, auctions: list[str], groups: list[str]) -> Response:
        """The entries of a list; unlisted groups and unknown ids are left out.

        Raises ``TooMany`` or ``NotNow``.
        """
        draws: dict[Subject, Draw] = {
            Subject(AUCTIONS.name, auction_id): _draw_auction
            for auction_id in await self._auctions(auctions)
        }
        for group_id, (number, is_public) in (await self._groups(groups)).items():
            if is_public:
                draws[Subject(PURCHASES.name, group_id)] = _draw(number)
        return await self._open(address, draws, spacing=SPACING_SECONDS)

    async def _auctions(self, auction_ids: Sequence[str]) -> list[str]:
        """The known ones; one query reads all that are not in memory."""
        asked = dict.fromkeys(auction_ids)
        fresh = {each for each in asked if self._hub.has_heard(Subject(AUCTIONS.name, each))}
        try:
            there = await self._reader.auctions_there([each for each in asked if each not in fresh])
        except DatabaseError as error:
            raise NotNow from error
        return [each for each in asked if each in fresh or each in there]

    async def _groups(self, group_ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Number and visibility of the known ones, in one query."""
        asked = dict.fromkeys(group_ids)
        found = {each: known for each in asked if (known := self._known.get(each)) is not None}
        try:
            rows = await self._reader.groups_there([each for each in asked if each not in found])
        except DatabaseError as error:
            raise NotNow from error
        for group_id, row in rows.items():
            found[group_id] = (row.number, row.visibility == "public")
            self._known.put(group_id, found[group_id])
        return {each: found[each] for each in asked if each in found}

    async def _open(
        self,
        address: str,
        draws: Mapping[Subject, Draw],
        after: int = 0,
        *,
        spacing: float = 0.0,
        unknown: RefusalCode | None = None,
    ) -> Response:
        """A stream; ``unknown`` is said where there is no state of what is asked for."""
        self._places.take(address)
        try:
            subscription = await self._hub.subscribe(draws, after=after, spacing=spacing)
        except DatabaseError as error:
            self._places.give_back(address)
            raise NotNow from error
        except BaseException:
            self._places.give_back(address)
            raise

        def close() -> None:
            self._hub.unsubscribe(subscription)
            self._places.give_back(address)

        if unknown and not any(feed.version for feed in subscription.feeds):
            close()
            raise Unknown(unknown)
        return EventStream(subscription, close)


def _draw(number_of_products: int) -> Draw:
    def draw(message: Message) -> bytes:
        assert isinstance(message, PurchaseState)
        return group_progress(message, number_of_products).model_dump_json().encode()

    return draw


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
    """An auction as it changes: server-sent events, the whole state in each."""
    events = shop_of(request).events
    return await events.auction(_address(request), auction_id, _seen(request, after))


@router.get("/groups/{group_id}/events", include_in_schema=False)
@router.get("/api/v1/group-purchases/{group_id}/events", **_DECLARED)
async def group_events(request: Request, group_id: str, after: After = 0) -> Response:
    """How far a group purchase is, as it changes: server-sent events, the whole state in each."""
    events = shop_of(request).events
    return await events.group(_address(request), group_id, _seen(request, after))


Ids = Annotated[list[GivenId], Query(max_length=SHOWN_MAX)]


@router.get("/events", include_in_schema=False)
@router.get("/api/v1/events", **_DECLARED)
async def all_events(request: Request, auction: Ids = [], group: Ids = []) -> Response:  # noqa: B006
    """Several auctions and public group purchases as they change; after a pause all are told."""
    if len(auction) + len(group) > SHOWN_MAX:
        raise Invalid(RefusalCode.TOO_MANY_WATCHED, most=SHOWN_MAX)
    return await shop_of(request).events.overview(_address(request), auction, group)
