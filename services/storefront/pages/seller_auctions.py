"""A seller's acts: open an auction, outbid, take back; and the buyers that a contract brings."""

import secrets
from collections import Counter
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from domain.money import CURRENCIES
from domain.offers import Condition, best_price_to_beat, compare, is_doubtful, percent_below
from schemas.api.auctions import AuctionDetail, AuctionGiven, OfferAnswer, OfferGiven
from schemas.api.groups import TableRow
from schemas.auctions import (
    AUCTIONS,
    QUANTITY_MAX_PER_APPLICANT,
    SELLERS,
    Auction,
    Seller,
    Standing,
)
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.auctions import Offered
from services.storefront.commands.member_table import table_shown
from services.storefront.pages.forms import Form, currency_label, currency_options
from services.storefront.pages.paths import auction_path, desk_path, path_of
from services.storefront.pages.sessions import sign_in_page
from services.storefront.pages.visits import Visit, page, said
from services.storefront.pages.wares import product_fields, stored_in
from services.storefront.problems import Impossible, Invalid, NotAllowed, Overtaken, Unknown
from services.storefront.readmodel.details import auction_shown, group_shown
from services.storefront.rules.rows import Listed
from services.storefront.web.answers import offer_answer
from services.storefront.web.bodies import given
from services.storefront.web.shop import Shop, shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
ROWS = 100
FIELDS = {
    "product.name": "product",
    "product.description": "description",
    "product.url": "url",
    "product.category": "category",
    "unit_price": "price",
    "minimum_reservations": "minimum",
    "minimum_step": "step",
    "quantity_max_per_applicant": "most",
}
_DESK = {"href": "/seller", "words": mark("Back to your desk")}


async def _seller(request: Request) -> Actor | None:
    """Who is signed in."""
    actor = await shop_of(request).access.session(request)
    return actor if actor.kind == "seller" else None


def _ask_who(request: Request, visit: Visit) -> Response:
    return sign_in_page(request, visit, Form(visit), request.url.path, "seller", 401)


# --- opening -------------------------------------------------------------------------------------


@router.get("/seller/open")
async def open_form(request: Request) -> Response:
    """The form of an auction."""
    visit = Visit.of(request)
    actor = await _seller(request)
    if actor is None:
        return _ask_who(request, visit)
    return await _open_page(request, actor, visit, Form(visit))


async def _standing(request: Request, seller_id: str) -> Literal["unknown"] | Standing:
    """Whether a seller may make offers: only one in good standing may."""
    seller = await shop_of(request).reader.fact(SELLERS.name, seller_id)
    return seller.standing if isinstance(seller, Seller) else "unknown"


async def _open_page(
    request: Request, actor: Actor, visit: Visit, form: Form, status: int = 200
) -> Response:
    standing = await _standing(request, actor.id)
    if standing != "good":
        return page(request, "may_not_offer.html", status, visit, standing=standing, form=form)
    f = visit.formats
    currency = await _currency(request, actor, visit)
    zone = form.values.get("zone") or f.zone
    return page(
        request,
        "open.html",
        status,
        visit,
        form=form,
        once=form.values.get("once") or secrets.token_hex(16),
        example=f.money(125_000, currency),
        most=QUANTITY_MAX_PER_APPLICANT,
        images=await stored_in(request, form),
        currency=currency,
        currency_options=currency_options(f),
        zone=zone,
        zone_hint=visit.gettext(
            "Time zone: {zone}", zone=Markup("<span data-zone>{}</span>").format(zone)
        ),
    )


async def _currency(request: Request, actor: Actor, visit: Visit) -> str:
    """The currency of a new auction until another one is chosen.

    It is the one of the seller's newest auction, else the one that most of what is open has, else
    the one of the reader's country.
    """
    reader = shop_of(request).reader
    own = await reader.auctions(sort="ended", status=None, seller_id=actor.id, limit=ROWS)
    if own.rows:
        return max(own.rows, key=lambda each: each.opened_at).currency
    auctions = await reader.auctions(limit=ROWS)
    definitions = await reader.definitions(limit=ROWS)
    used = Counter(each.currency for each in auctions.rows)
    used.update(each.currency for each in definitions.rows)
    known = [(count, each) for each, count in used.items() if each in CURRENCIES]
    return max(known)[1] if known else visit.formats.currency


@router.post("/seller/open")
async def open_auction(request: Request) -> Response:
    """Show what it binds to; with ``sure``, open it."""
    visit = Visit.of(request)
    actor = await _seller(request)
    if actor is None:
        return _ask_who(request, visit)
    form, files = await Form.with_files(request, visit)
    if form.is_ticked("change"):
        return await _open_page(request, actor, visit, form)
    fields = _auction_fields(form)
    fields["product"] = await product_fields(request, actor, form, files)
    if not form.problems:
        try:
            wanted = given(AuctionGiven, fields)
            if not form.is_ticked("sure"):
                return await _check_page(request, actor, visit, form, wanted)
            seed = form.seed(request)
            offered = await shop_of(request).commands.auctions.open(actor, wanted, seed)
            return RedirectResponse(_with_offer(offered), 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, FIELDS)
    return await _open_page(request, actor, visit, form, 422)


async def _check_page(
    request: Request, actor: Actor, visit: Visit, form: Form, wanted: AuctionGiven
) -> Response:
    """What an auction binds its seller to, and two buttons: open it, change it."""
    seller = await shop_of(request).reader.fact(SELLERS.name, actor.id)
    if not isinstance(seller, Seller) or seller.standing != "good":
        return await _open_page(request, actor, visit, form, 422)
    kept = [(name, each) for name, each in form.values.items() if name not in ("sure", "change")]
    return page(
        request,
        "open_check.html",
        visit=visit,
        wanted=wanted,
        currency_name=currency_label(wanted.currency, visit.formats),
        seller=seller,
        kept=kept,
    )


def _auction_fields(form: Form) -> dict[str, object]:
    currency = form.text("currency")
    if currency not in CURRENCIES:
        form.wrong("currency", ProblemCode.NO_LISTED_CURRENCY)
    fields: dict[str, object] = {
        "unit_price": form.amount("price", currency),
        "currency": currency,
        "minimum_reservations": form.number("minimum"),
    }
    step = form.amount("step", currency, required=False)
    if step is not None:
        fields["minimum_step"] = step
    if form.text("most", required=False):
        fields["quantity_max_per_applicant"] = form.number("most")
    closes_at = form.time("closes_at")
    invites_at = form.time("invites_at", required=False)
    now = form.visit.now
    if closes_at is not None and closes_at <= now:
        form.wrong("closes_at", ProblemCode.PAST)
    if invites_at is not None and closes_at is not None and not now < invites_at < closes_at:
        form.wrong("invites_at", ProblemCode.INVITES_OUTSIDE)
    times: dict[str, datetime | None] = {"closes_at": closes_at, "invites_at": invites_at}
    return fields | {name: at.isoformat() for name, at in times.items() if at is not None}


def _with_offer(offered: Offered) -> str:
    return f"{desk_path(offered.auction_id)}?offer={quote(offered.offer_id, safe='')}"


# --- an auction on the desk ----------------------------------------------------------------------


@router.get("/seller/auctions/{auction_id}")
async def desk_auction(
    request: Request, auction_id: str, offer: str | None = None, after: str | None = None
) -> Response:
    """An auction as a seller sees it; ``offer`` is one whose verdict is to be said."""
    visit, shop = Visit.of(request), shop_of(request)
    actor = await _seller(request)
    if actor is None:
        return _ask_who(request, visit)
    verdict = await _verdict(shop, actor, auction_id, offer) if offer else None
    try:
        return await _desk_page(
            request, actor, auction_id, Form(visit), visit, verdict=verdict, after=after
        )
    except Unknown:
        if verdict is None:
            raise
        # What was just opened is not in the read model yet.
        return said(
            request,
            mark("We are opening your auction"),
            mark("Its page is there in a moment."),
            202,
            next=_DESK,
        )


async def _verdict(shop: Shop, actor: Actor, auction_id: str, offer_id: str) -> OfferAnswer:
    """What became of an offer; of another's, nothing is known."""
    try:
        return offer_answer(await shop.commands.auctions.outcome(actor, auction_id, offer_id))
    except NotAllowed:
        raise Unknown(RefusalCode.NO_OFFER_OF_YOURS) from None


async def _desk_page(
    request: Request,
    actor: Actor,
    auction_id: str,
    form: Form,
    visit: Visit,
    status: int = 200,
    *,
    verdict: OfferAnswer | None = None,
    after: str | None = None,
) -> Response:
    reader = shop_of(request).reader
    auction = await auction_shown(reader, auction_id)
    fact = await reader.fact(AUCTIONS.name, auction_id)
    is_shown = isinstance(fact, Auction) and fact.shown.seller_id == actor.id
    standing = await _standing(request, actor.id)
    is_opener = isinstance(fact, Auction) and fact.opened_by == actor.id
    buyers = None
    if is_shown and auction.status == "concluded":
        buyers = await _buyers(request, actor, auction, after)
    return page(
        request,
        "desk_auction.html",
        status,
        visit,
        auction=auction,
        form=form,
        standing=standing,
        is_shown=is_shown,
        is_opener=is_opener and is_shown and not auction.applicants,
        verdict=verdict,
        once=form.values.get("once") or secrets.token_hex(16),
        buyers=buyers.rows if buyers else None,
        cursor=buyers.cursor if buyers else None,
        organizing=_organizing(request, actor, auction.group_id) if buyers else None,
    )


def _organizing(request: Request, actor: Actor, group_id: str | None) -> str | None:
    """The organizer's page of the contract's group, which the winning seller runs."""
    if group_id is None:
        return None
    return path_of(shop_of(request).access.organizer_link(group_id, actor.id))


async def _buyers(
    request: Request, actor: Actor, auction: AuctionDetail, after: str | None
) -> Listed[TableRow]:
    """The winning seller's buyers with their addresses; empty until the group is there."""
    shop = shop_of(request)
    if auction.group_id is None:
        return Listed([], None)
    try:
        terms = (await group_shown(shop.reader, auction.group_id)).terms
    except Unknown:
        return Listed([], None)
    return await table_shown(shop.reader, shop.access, actor, terms, after, ROWS)


# --- outbidding ----------------------------------------------------------------------------------


def _offer_of(form: Form, auction: AuctionDetail) -> OfferGiven | None:
    """The offer that a form makes; ``None`` with what is wrong said in the form."""
    price = form.amount("price", auction.currency)
    minimum = form.number("minimum")
    if not form.problems and price is not None:
        _need_better(form, auction, price, minimum)
        if not form.problems:
            _doubt(form, auction, price)
    if form.problems or price is None:
        return None
    try:
        return given(OfferGiven, {"unit_price": price, "minimum_reservations": minimum})
    except Invalid as refusal:
        form.refused(refusal, FIELDS)
        return None


def _doubt(form: Form, auction: AuctionDetail, price: int) -> None:
    """Ask again before a price binds that is far below the one shown: it may be a slip.

    The form then has the doubted price in ``sure``, so that the same price passes the second time.
    """
    if not is_doubtful(price, auction.unit_price):
        return
    if form.values.get("sure") == form.values["price"]:
        return
    f = form.visit.formats
    form.values["sure"] = form.values["price"]
    form.problems["price"] = form.visit.gettext(
        "{price} is {percent} below the price that is shown now, {shown}. If it is right, press "
        "the button again: the offer then binds you.",
        price=f.money(price, auction.currency),
        percent=f.percent(percent_below(auction.unit_price, price)),
        shown=f.money(auction.unit_price, auction.currency),
    )


def _need_better(form: Form, auction: AuctionDetail, price: int, minimum: int) -> None:
    """Say what the rules would, as the page stands, before an offer that can't take over binds."""
    f = form.visit.formats
    shown = Condition(auction.unit_price, auction.minimum_reservations)
    found = compare(Condition(price, minimum), shown, auction.minimum_step)
    # There is no price below one minor unit, so the form can't ask for it.
    most = max(best_price_to_beat(shown, auction.minimum_step), 1)
    if found == "higher-minimum":
        form.wrong("minimum", ProblemCode.MINIMUM_ABOVE, minimum=shown.minimum_reservations)
    elif found != "better" and price > most:
        form.wrong("price", ProblemCode.NOT_BETTER, price=f.money(most, auction.currency))


@router.get("/seller/auctions/{auction_id}/offers")
async def act_here(auction_id: str) -> Response:
    """The form stands on the auction's page of the desk."""
    return RedirectResponse(desk_path(auction_id), 303)


@router.post("/seller/auctions/{auction_id}/offers")
async def offer(request: Request, auction_id: str) -> Response:
    """Outbid."""
    visit = Visit.of(request)
    actor = await _seller(request)
    if actor is None:
        return _ask_who(request, visit)
    form = await Form.of(request, visit)
    auction = await auction_shown(shop_of(request).reader, auction_id)
    wanted = _offer_of(form, auction)
    if wanted is not None:
        try:
            seed = form.seed(request)
            offered = await shop_of(request).commands.auctions.offer(
                actor, auction_id, wanted, seed
            )
            return RedirectResponse(_with_offer(offered), 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, FIELDS)
    return await _desk_page(request, actor, auction_id, form, visit, 422)


@router.get("/seller/auctions/{auction_id}/withdraw")
async def ask_to_withdraw(request: Request, auction_id: str) -> Response:
    """Whether the auction is to be taken back."""
    visit = Visit.of(request)
    if await _seller(request) is None:
        return _ask_who(request, visit)
    auction = await auction_shown(shop_of(request).reader, auction_id)
    return page(
        request,
        "ask.html",
        visit=visit,
        title=mark("Withdraw the auction?"),
        text=mark("It ends at once, and its page says that you withdrew it. You can't undo this."),
        button=mark("Withdraw the auction"),
        values={},
        about=auction.product.name,
        action=f"{desk_path(auction_id)}/withdraw",
    )


@router.post("/seller/auctions/{auction_id}/withdraw")
async def withdraw(request: Request, auction_id: str) -> Response:
    """Take the auction back."""
    visit = Visit.of(request)
    actor = await _seller(request)
    if actor is None:
        return _ask_who(request, visit)
    try:
        await shop_of(request).commands.auctions.withdraw(actor, auction_id)
    except Overtaken:
        # Somebody has reserved meanwhile: the page no longer offers it.
        return RedirectResponse(desk_path(auction_id), 303)
    return RedirectResponse(auction_path(auction_id), 303)


# --- by the link of an invitation ----------------------------------------------------------------


@router.get("/counter-offer/{token}")
async def invited(request: Request, token: str) -> Response:
    """The form that a letter leads to."""
    visit = Visit.of(request)
    actor = shop_of(request).access.by_link(request, "counter-offer", token)
    return await _invited_page(request, actor, token, Form(visit), visit)


async def _invited_page(
    request: Request, actor: Actor, token: str, form: Form, visit: Visit, status: int = 200
) -> Response:
    auction = await auction_shown(shop_of(request).reader, actor.about)
    once = form.values.get("once") or secrets.token_hex(16)
    standing = await _standing(request, actor.id)
    return page(
        request, "counter_offer.html", status, visit,
        auction=auction, form=form, token=token, once=once, standing=standing,
    )  # fmt: skip


@router.post("/counter-offer/{token}")
async def offer_as_invited(request: Request, token: str) -> Response:
    """Outbid by the letter's link."""
    visit, shop = Visit.of(request), shop_of(request)
    actor = shop.access.by_link(request, "counter-offer", token)
    form = await Form.of(request, visit)
    auction = await auction_shown(shop.reader, actor.about)
    wanted = _offer_of(form, auction)
    if wanted is not None:
        try:
            seed = form.seed(request)
            offered = await shop.commands.auctions.offer(actor, actor.about, wanted, seed)
            where = f"/counter-offer/{token}/offers/{quote(offered.offer_id, safe='')}"
            return RedirectResponse(where, 303)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, FIELDS)
    return await _invited_page(request, actor, token, form, visit, 422)


@router.get("/counter-offer/{token}/offers/{offer_id}")
async def offered_as_invited(request: Request, token: str, offer_id: str) -> Response:
    """What became of it."""
    shop = shop_of(request)
    actor = shop.access.by_link(request, "counter-offer", token)
    verdict = await _verdict(shop, actor, actor.about, offer_id)
    auction = await auction_shown(shop.reader, actor.about)
    return page(request, "verdict.html", verdict=verdict, auction=auction)
