"""Streams of an auction, of a group purchase, or of the entries of a list, as they change.

Each event is the whole state, and its ``id`` is the state's version. A stream begins with the
newest state, unless the client has that version already.
"""

from collections.abc import Mapping, Sequence

from fastapi.responses import Response

from runtime.cache import TwoGenerations
from schemas.auctions import AUCTIONS, Auction
from schemas.orders import PURCHASES, PurchaseState
from schemas.parts import Message
from schemas.refusals import RefusalCode
from services.storefront.live.event_stream import EventStream, Places
from services.storefront.live.feeds import Draw, Subject
from services.storefront.live.hub import Hub
from services.storefront.problems import NotNow, Unknown
from services.storefront.readmodel.database import DatabaseError
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.views import auction_view, group_progress
from services.storefront.settings import PageSettings

#: On an overview; the least time between two writes to one, and how many it may show.
SPACING_SECONDS = 0.8
SHOWN_MAX = 100
KNOWN_SIZE = 10_000


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
