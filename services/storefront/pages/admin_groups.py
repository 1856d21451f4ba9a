"""Group purchases and auctions, for the admin: finding any, and why each stands as it does."""

import asyncio
from typing import Any, Final, get_args

from fastapi import Request
from fastapi.responses import Response

from schemas.auctions import AuctionStatus, Conclusion, ContractConcluded, ContractFailed
from schemas.favors import FAVORS, FavorDecision
from schemas.groups import REQUEST_OUTCOMES, IdIssued, RequestRefused
from schemas.orders import PURCHASES, PurchaseState
from schemas.parts import Status
from services.storefront.pages import admin_facts
from services.storefront.pages.admin_frame import HOME, address, admin_page, admin_router, after
from services.storefront.pages.paths import admin_path, auction_path, group_path
from services.storefront.pages.visits import Visit
from services.storefront.readmodel.details import known_auction, known_group
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.rows import Listed
from services.storefront.web.shop import shop_of

router = admin_router()
GROUPS: Final = f"{HOME}/groups"
AUCTIONS: Final = f"{HOME}/auctions"
LINES = 50
#: Facts about a group or an auction as a whole, and facts about single people, the newest.
FACTS = 100
FACTS_OF_PEOPLE = 40
GROUP_STATUSES: Final[tuple[Status, ...]] = get_args(Status)
AUCTION_STATUSES: Final[tuple[AuctionStatus, ...]] = get_args(AuctionStatus)


# --- groups --------------------------------------------------------------------------------------


@router.get(GROUPS)
async def groups(
    request: Request,
    q: str = "",
    status: str | None = None,
    unlisted: bool = False,
    after: str | None = None,
) -> Response:
    """Public or unlisted groups, of a status or all; an id leads to its group."""
    visit, reader, words = Visit.of(request), shop_of(request).reader, q.strip()
    outcome = await reader.fact(REQUEST_OUTCOMES.name, words) if words else None
    group_id = outcome.group_id if isinstance(outcome, IdIssued) else words
    if words and await reader.group(group_id) is not None:
        return _to("groups", group_id)
    wanted = status if status in GROUP_STATUSES else None
    shown = await reader.groups(
        sort="ended", words=words, status=wanted, cursor=after, limit=LINES, unlisted=unlisted
    )
    refused = outcome if isinstance(outcome, RequestRefused) else None
    return _list(
        request,
        visit,
        "groups",
        words,
        wanted,
        GROUP_STATUSES,
        shown,
        unlisted=unlisted,
        refused=[visit.told(each) for each in refused.problems] if refused else [],
    )


def _list(
    request: Request,
    visit: Visit,
    area: str,
    words: str,
    status: str | None,
    statuses: tuple[str, ...],
    shown: Listed[Any],
    *,
    unlisted: bool = False,
    refused: list[Any] | None = None,
) -> Response:
    place = f"{HOME}/{area}"
    kept = {"q": words, "unlisted": "yes" if unlisted else ""}
    return admin_page(
        request,
        f"admin_{area}.html",
        area,
        visit,
        shown=shown,
        words=words,
        wanted=status,
        unlisted=unlisted,
        refused=refused or [],
        kinds=[(each, address(place, **kept, status=each)) for each in (None, *statuses)],
        listings=[
            (each, address(place, q=words, status=status, unlisted="yes" if each else ""))
            for each in (False, True)
        ],
        more=shown.cursor and address(place, **kept, status=status, after=shown.cursor),
    )


def _to(area: str, id_: str) -> Response:
    return after(admin_path(area, id_))


@router.get(GROUPS + "/{group_id}")
async def group(request: Request, group_id: str) -> Response:
    """A group: why it stands as it does, and its facts with what decided each."""
    visit, reader = Visit.of(request), shop_of(request).reader
    terms = await known_group(reader, group_id)
    state, decision = await asyncio.gather(
        reader.fact(PURCHASES.name, group_id), reader.fact(FAVORS.name, group_id)
    )
    return admin_page(
        request,
        "admin_group.html",
        "groups",
        visit,
        group=terms,
        standing=state.status if isinstance(state, PurchaseState) else "open",
        why=admin_facts.why_group(
            visit,
            terms,
            state if isinstance(state, PurchaseState) else None,
            decision if isinstance(decision, FavorDecision) else None,
        ),
        public=group_path(group_id),
        **await _story(
            reader,
            visit,
            (group_id, admin_facts.OF_GROUP),
            (terms.request_id, admin_facts.OF_REQUEST),
            people=(group_id, admin_facts.OF_BUYERS),
        ),
    )


async def _story(
    reader: Reader, visit: Visit, *whole: tuple[str, Any], people: tuple[str, Any]
) -> dict[str, Any]:
    """Facts as lines: those of the whole, and the newest ones of single people."""
    (subject, kinds) = people
    *found, (of_people, has_more) = await asyncio.gather(
        *(reader.told(about, *each, newest=FACTS) for about, each in whole),
        reader.told(subject, *kinds, newest=FACTS_OF_PEOPLE),
    )
    return {
        "facts": admin_facts.lines(visit, [fact for facts, _ in found for fact in facts]),
        "of_people": admin_facts.lines(visit, of_people),
        "has_more": has_more,
    }


# --- auctions ------------------------------------------------------------------------------------


@router.get(AUCTIONS)
async def auctions(
    request: Request, q: str = "", status: str | None = None, after: str | None = None
) -> Response:
    """Auctions of a status or all; an id leads to its auction."""
    visit, reader, words = Visit.of(request), shop_of(request).reader, q.strip()
    if words and await reader.auction(words) is not None:
        return _to("auctions", words)
    wanted = status if status in AUCTION_STATUSES else None
    shown = await reader.auctions(
        sort="ended", words=words, status=wanted, cursor=after, limit=LINES
    )
    return _list(request, visit, "auctions", words, wanted, AUCTION_STATUSES, shown)


@router.get(AUCTIONS + "/{auction_id}")
async def auction(request: Request, auction_id: str) -> Response:
    """An auction: why it stands as it does, and its facts with what decided each."""
    visit, reader = Visit.of(request), shop_of(request).reader
    found = await known_auction(reader, auction_id)
    ends = await reader.facts(auction_id, ContractConcluded, ContractFailed, limit=1)
    ended_at = next((each.at for each in ends if isinstance(each, Conclusion)), None)
    request_id = found.group_request_id
    of_request = () if request_id is None else ((request_id, admin_facts.OF_REQUEST),)
    return admin_page(
        request,
        "admin_auction.html",
        "auctions",
        visit,
        auction=found,
        why=admin_facts.why_auction(visit, found, ended_at),
        group_id=None if request_id is None else await reader.group_of(request_id),
        public=auction_path(auction_id),
        **await _story(
            reader,
            visit,
            (auction_id, admin_facts.OF_AUCTION),
            *of_request,
            people=(auction_id, admin_facts.OF_APPLICANTS),
        ),
    )
