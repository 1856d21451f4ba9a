"""Registering as a seller, and the desk."""

from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.sellers import ProfileGiven, SellerGiven
from schemas.auctions import SELLERS, Seller
from services.storefront.access.callers import visitor
from services.storefront.pages.businesses import fields_of, filled_in
from services.storefront.pages.forms import Form
from services.storefront.pages.sessions import sign_in_page, with_session
from services.storefront.pages.visits import Visit, page
from services.storefront.pages.wares import logo_of
from services.storefront.problems import Impossible, Invalid, NoCredential
from services.storefront.rules.rows import OfferRow
from services.storefront.web.bodies import given
from services.storefront.web.shop import Shop, shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
LINES = 20
OFFERS = 20


class OfferLine(NamedTuple):
    """An offer in an auction of others, as the desk lists it."""

    auction_id: str
    product_name: str
    verdict: str
    reason: str
    at: object
    is_open: bool


# --- registering ---------------------------------------------------------------------------------


@router.get("/sellers")
async def about(request: Request) -> Response:
    """What selling here is, and the form to register."""
    visit = Visit.of(request)
    return page(request, "sellers.html", visit=visit, form=Form(visit))


@router.post("/sellers")
async def register(request: Request) -> Response:
    """Register; the key is shown on the page that answers, and never again."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    person = form.person(name=form.text("name"))
    if not form.problems:
        try:
            wanted = given(SellerGiven, person)
            done = await shop_of(request).commands.sellers.register(visitor(request), wanted)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    if form.problems:
        return page(request, "sellers.html", 422, visit, form=form)
    is_good = done.seller is not None and done.seller.standing == "good"
    answer = page(
        request,
        "registered.html",
        201,
        visit,
        api_key=done.credential or "",
        seller_id=done.seller_id,
        is_good=is_good,
        email=person["email"],
    )
    await _remember(request, answer, done.credential)
    return answer


async def _remember(request: Request, answer: Response, credential: str | None) -> None:
    """Sign in who has just got a key; if it can't be read yet, the key signs in later."""
    try:
        actor = await shop_of(request).access.sign_in(request, credential or "", "seller")
    except NoCredential:
        return
    await with_session(request, answer, actor)


# --- signing in by a link ------------------------------------------------------------------------


@router.get("/seller/sign-in/{token}")
async def ask_to_sign_in(request: Request, token: str) -> Response:
    """Whether to sign in by a link from a letter; a scanner that opens it changes nothing."""
    seller_id, _ = await shop_of(request).access.seller_of_link(token)
    seller = await shop_of(request).reader.fact(SELLERS.name, seller_id)
    return page(
        request,
        "ask.html",
        title=mark("Sign in to your desk"),
        text=mark("The link from the email signs you in once. It is valid for an hour."),
        button=mark("Sign in"),
        values={},
        about=seller.name if isinstance(seller, Seller) else "",
        action=f"/seller/sign-in/{token}",
    )


@router.post("/seller/sign-in/{token}")
async def sign_in_by_link(request: Request, token: str) -> Response:
    """Sign in by a link from a letter."""
    actor = await shop_of(request).access.sign_in_by_link(request, token)
    return await with_session(request, RedirectResponse("/seller", 303), actor)


# --- the desk ------------------------------------------------------------------------------------


@router.get("/seller")
async def desk(request: Request, after: str | None = None) -> Response:
    """Standing, own auctions (``after`` is a cursor of them) and own offers."""
    visit, shop = Visit.of(request), shop_of(request)
    actor = await shop.access.session(request)
    if actor.kind != "seller":
        return sign_in_page(request, visit, Form(visit), "/seller", "seller")
    seller = await shop.reader.fact(SELLERS.name, actor.id)
    opened = await shop.reader.auctions(
        sort="ended", status=None, seller_id=actor.id, cursor=after, limit=LINES
    )
    offers = await shop.reader.offers_of(actor.id, limit=OFFERS)
    return page(
        request,
        "desk.html",
        visit=visit,
        seller=seller if isinstance(seller, Seller) else None,
        seller_id=actor.id,
        shown=opened,
        offers=[await _line(shop, each) for each in offers if each.reason != "opened"],
    )


# --- how buyers see the seller -------------------------------------------------------------------


@router.get("/seller/profile")
async def profile_form(request: Request) -> Response:
    """The form with what the seller says."""
    visit, shop = Visit.of(request), shop_of(request)
    actor = await shop.access.session(request)
    if actor.kind != "seller":
        return sign_in_page(request, visit, Form(visit), "/seller/profile", "seller")
    seller = await shop.commands.sellers.described(actor, actor.id)
    return await _profile_page(request, visit, seller, filled_in(visit, seller))


async def _profile_page(
    request: Request, visit: Visit, seller: Seller, form: Form, status: int = 200
) -> Response:
    logo = await logo_of(request, form)
    return page(request, "seller_profile.html", status, visit, seller=seller, form=form, logo=logo)


@router.post("/seller/profile")
async def edit_profile(request: Request) -> Response:
    """Describe the seller anew."""
    visit, shop = Visit.of(request), shop_of(request)
    actor = await shop.access.session(request)
    if actor.kind != "seller":
        return sign_in_page(request, visit, Form(visit), "/seller/profile", "seller", 401)
    seller = await shop.commands.sellers.described(actor, actor.id)
    form, files = await Form.with_files(request, visit)
    fields = await fields_of(request, actor, form, files)
    if not form.problems:
        try:
            wanted = given(ProfileGiven, dict(fields))
            await shop.commands.sellers.describe(actor, actor.id, wanted)
            return RedirectResponse("/seller", 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    return await _profile_page(request, visit, seller, form, 422)


async def _line(shop: Shop, offer: OfferRow) -> OfferLine:
    auction = await shop.reader.auction(offer.auction_id)
    verdict = offer.verdict
    if verdict == "shown" and auction is not None and auction.shown_seller_id != offer.seller_id:
        verdict = "displaced"
    name = auction.product_name if auction else offer.auction_id
    is_open = auction is not None and auction.status == "open"
    return OfferLine(offer.auction_id, name, verdict, offer.reason, offer.judged_at, is_open)
