"""Routes of counter auctions."""

from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Response

from schemas.api.auctions import (
    ApplicationAnswer,
    ApplicationGiven,
    AuctionDetail,
    AuctionGiven,
    AuctionSummary,
    AuctionView,
    OfferAnswer,
    OfferGiven,
    WithdrawalAnswer,
)
from schemas.api.parts import CountedPage
from services.storefront.api.parameters import (
    ActorDep,
    ClosesBy,
    Cursor,
    IdInPath,
    JsonBody,
    Limit,
    ListFilters,
    NearlyThere,
    Seed,
    ShopDep,
    Words,
    counted,
)
from services.storefront.api.routes import PREFIX, reads, router, writes
from services.storefront.commands.auctions import Offered
from services.storefront.readmodel.details import auction_shown
from services.storefront.rules.views import auction_summary, auction_view
from services.storefront.web.answers import application_answer, offer_answer

auctions = router("auctions")

_opening = JsonBody(AuctionGiven)
_offer = JsonBody(OfferGiven)
_application = JsonBody(ApplicationGiven)


@auctions.get("/auctions", **reads(422))
async def list_auctions(
    shop: ShopDep,
    filters: ListFilters,
    q: Words = "",
    sort: Literal["ending", "nearest", "ended"] = "ending",
    status: Literal["open", "concluded", "failed", "withdrawn"] = "open",
    closes_by: ClosesBy = None,
    nearly_there: NearlyThere = False,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> CountedPage[AuctionSummary]:
    """Auctions of a status."""
    page = await shop.reader.auctions(
        words=q,
        sort=sort,
        status=status,
        filters=replace(filters, closes_by=closes_by, is_nearly_there=nearly_there),
        cursor=cursor,
        limit=limit,
        counts=True,
    )
    return counted([auction_summary(each) for each in page.rows], page)


@auctions.get("/auctions/{auction_id}", **reads(404))
async def show_auction(shop: ShopDep, auction_id: IdInPath) -> AuctionDetail:
    """An auction, its events so far, and the seller shown; the other sellers stay anonymous."""
    return await auction_shown(shop.reader, auction_id)


# --- sellers -------------------------------------------------------------------------------------


@auctions.post(
    "/auctions",
    status_code=201,
    **writes(by=("seller", "admin"), takes=_opening, later=OfferAnswer),
)
async def open_auction(
    shop: ShopDep,
    actor: ActorDep,
    seed: Seed,
    given: Annotated[AuctionGiven, Depends(_opening)],
    response: Response,
) -> OfferAnswer:
    """Open an auction with a first offer. Needs a seller's key."""
    offered = await shop.commands.auctions.open(actor, given, seed)
    return _answered(offered, response, f"{PREFIX}/auctions/{offered.auction_id}")


@auctions.post(
    "/auctions/{auction_id}/offers",
    status_code=201,
    **writes(404, by=("seller", "invited", "admin"), takes=_offer, later=OfferAnswer),
)
async def make_offer(
    shop: ShopDep,
    actor: ActorDep,
    auction_id: IdInPath,
    seed: Seed,
    given: Annotated[OfferGiven, Depends(_offer)],
    response: Response,
) -> OfferAnswer:
    """Make a better offer. Needs a seller's key, or the token of an invitation.

    `not-better` is an answer too: the offer was judged, and the shown one stays.
    """
    offered = await shop.commands.auctions.offer(actor, auction_id, given, seed)
    return _answered(offered, response, _offer_place(offered))


def _answered(offered: Offered, response: Response, place: str) -> OfferAnswer:
    if offered.judged is None:
        response.status_code, place = 202, _offer_place(offered)
    response.headers["Location"] = place
    return offer_answer(offered)


def _offer_place(offered: Offered) -> str:
    return f"{PREFIX}/auctions/{quote(offered.auction_id, safe='')}/offers/{offered.offer_id}"


@auctions.get(
    "/auctions/{auction_id}/offers/{offer_id}",
    **reads(by=("seller", "invited", "admin")),
)
async def show_offer(
    shop: ShopDep, actor: ActorDep, auction_id: IdInPath, offer_id: IdInPath
) -> OfferAnswer:
    """The result of an offer. Needs its seller's key. `verdict` is null until it is known."""
    return offer_answer(await shop.commands.auctions.outcome(actor, auction_id, offer_id))


@auctions.post(
    "/auctions/{auction_id}/withdrawal",
    **writes(404, 409, by=("seller", "admin"), later=AuctionView),
)
async def withdraw_auction(
    shop: ShopDep, actor: ActorDep, auction_id: IdInPath, response: Response
) -> AuctionView:
    """Withdraw an auction without reservations or better offers. Needs its opener's key."""
    auction = await shop.commands.auctions.withdraw(actor, auction_id)
    if auction.status != "withdrawn":
        response.status_code = 202
        response.headers["Location"] = f"{PREFIX}/auctions/{quote(auction_id, safe='')}"
    return auction_view(auction)


# --- buyers --------------------------------------------------------------------------------------


@auctions.post(
    "/auctions/{auction_id}/applications",
    status_code=201,
    **writes(404, 409, takes=_application),
)
async def apply(
    shop: ShopDep,
    actor: ActorDep,
    auction_id: IdInPath,
    seed: Seed,
    given: Annotated[ApplicationGiven, Depends(_application)],
) -> ApplicationAnswer:
    """Reserve. We email a link to confirm; with a shop's key the reservation counts at once."""
    reserved = await shop.commands.reservations.apply(actor, auction_id, given, seed)
    return application_answer(shop, reserved)


@auctions.post(
    "/auctions/{auction_id}/applications/{application_id}/withdrawal",
    **writes(404, 409, by=("applicant", "shop", "admin")),
)
async def withdraw_application(
    shop: ShopDep, actor: ActorDep, auction_id: IdInPath, application_id: IdInPath
) -> WithdrawalAnswer:
    """Withdraw a reservation while the auction runs. Needs its token, or the shop's key."""
    await shop.commands.reservations.withdraw(actor, auction_id, application_id)
    return WithdrawalAnswer(application_id=application_id)
