"""Routes of sellers, their standing, and keys."""

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Query, Response

from schemas.api.auctions import OfferAnswer
from schemas.api.parts import GivenId, Page, WithdrawalGiven
from schemas.api.sellers import (
    IssuedKeyAnswer,
    KeyAnswer,
    KnownShopView,
    ProfileGiven,
    RegistrationAnswer,
    SellerGiven,
    SellerProfile,
    SellerView,
)
from services.storefront.access.callers import Actor
from services.storefront.api.parameters import (
    Absent,
    ActorDep,
    Cursor,
    IdInPath,
    JsonBody,
    Limit,
    Seed,
    ShopDep,
)
from services.storefront.api.routes import PREFIX, reads, router, writes
from services.storefront.commands.sellers import Act
from services.storefront.readmodel.details import known_seller
from services.storefront.rules.views import seller_profile, seller_view
from services.storefront.web.answers import issued_key_answer, key_answer, registration_answer
from services.storefront.web.shop import Shop

sellers = router("sellers")
keys = router("keys")

_seller = JsonBody(SellerGiven)
_profile = JsonBody(ProfileGiven)
_reason = JsonBody(WithdrawalGiven, optional=True)
Reason = Annotated[WithdrawalGiven, Depends(_reason)]


@sellers.post(
    "/sellers",
    status_code=201,
    **writes(takes=_seller, later=RegistrationAnswer),
)
async def register_seller(
    shop: ShopDep,
    actor: ActorDep,
    seed: Seed,
    given: Annotated[SellerGiven, Depends(_seller)],
    response: Response,
) -> RegistrationAnswer:
    """Register as a seller. The key is shown only once. Offers count once an admin approves."""
    registered = await shop.commands.sellers.register(actor, given, seed)
    if registered.seller is None:
        response.status_code = 202
    response.headers["Location"] = f"{PREFIX}/sellers/me"
    return registration_answer(registered)


@sellers.get("/sellers", **reads(422, by=("admin",)))
async def list_sellers(
    shop: ShopDep, cursor: Cursor = None, limit: Limit = 100
) -> Page[SellerView]:
    """All sellers and their standing, by id. Needs the admin's key."""
    page = await shop.reader.sellers(cursor, limit)
    return Page(items=[seller_view(each) for each in page.rows], cursor=page.cursor)


@sellers.get("/sellers/me", **reads(404, by=("seller",)))
async def show_own_registration(shop: ShopDep, actor: ActorDep) -> SellerView:
    """The seller's own registration and standing."""
    return seller_view(await shop.commands.sellers.registration(actor))


@sellers.get("/sellers/me/offers", **reads(by=("seller",)))
async def list_own_offers(shop: ShopDep, actor: ActorDep) -> Page[OfferAnswer]:
    """The results of the seller's latest offers."""
    found = await shop.reader.offers_of(actor.id)
    names = ("auction_id", "offer_id", "verdict", "reason")
    items = [
        OfferAnswer.model_validate({name: getattr(each, name) for name in names} | {"problems": ()})
        for each in found
    ]
    return Page(items=items, cursor=None)


@sellers.get("/sellers/{seller_id}", **reads(404))
async def show_seller(shop: ShopDep, seller_id: IdInPath) -> SellerProfile:
    """A seller as buyers see it: name and contact."""
    return seller_profile(await known_seller(shop.reader, seller_id))


@sellers.put(
    "/sellers/{seller_id}",
    **writes(404, by=("seller", "admin"), takes=_profile, later=SellerProfile),
)
async def describe_seller(
    shop: ShopDep,
    actor: ActorDep,
    seller_id: IdInPath,
    given: Annotated[ProfileGiven, Depends(_profile)],
    response: Response,
) -> SellerProfile:
    """Describe a seller to buyers, in place of what was said before.

    Needs the seller's or the admin's key. The name and the email stay as they were registered.
    """
    seller, is_readable = await shop.commands.sellers.describe(actor, seller_id, given)
    if not is_readable:
        response.status_code = 202
        response.headers["Location"] = f"{PREFIX}/sellers/{quote(seller_id, safe='')}"
    return seller_profile(seller)


@sellers.post("/sellers/{seller_id}/approval", **writes(404, by=("admin",), takes=_reason))
async def approve(shop: ShopDep, actor: ActorDep, seller_id: IdInPath, why: Reason) -> SellerView:
    """Let a seller make offers. Needs the admin's key."""
    return await _act(shop, actor, seller_id, "approval", why)


@sellers.post("/sellers/{seller_id}/suspension", **writes(404, by=("admin",), takes=_reason))
async def suspend(shop: ShopDep, actor: ActorDep, seller_id: IdInPath, why: Reason) -> SellerView:
    """Keep a seller from new offers; an offer that is shown still binds. Needs the admin's key."""
    return await _act(shop, actor, seller_id, "suspension", why)


@sellers.post("/sellers/{seller_id}/reinstatement", **writes(404, by=("admin",), takes=_reason))
async def reinstate(shop: ShopDep, actor: ActorDep, seller_id: IdInPath, why: Reason) -> SellerView:
    """End a suspension. Needs the admin's key."""
    return await _act(shop, actor, seller_id, "reinstatement", why)


async def _act(
    shop: Shop, actor: Actor, seller_id: str, act: Act, why: WithdrawalGiven
) -> SellerView:
    return seller_view(await shop.commands.sellers.act(actor, seller_id, act, why.reason))


# --- keys ----------------------------------------------------------------------------------------


@keys.get("/shops", **reads(422, by=("admin",)))
async def list_shops(
    shop: ShopDep, cursor: Cursor = None, limit: Limit = 100
) -> Page[KnownShopView]:
    """Shops that have a key or a definition, by id. Needs the admin's key."""
    page = await shop.reader.shops(cursor, limit)
    return Page(
        items=[KnownShopView.model_validate(each) for each in page.rows], cursor=page.cursor
    )


@keys.get("/keys", **reads(422, by=("admin",)))
async def list_keys(
    shop: ShopDep,
    actor: ActorDep,
    role: Literal["seller", "shop"] | Absent = None,
    holder_id: Annotated[
        GivenId | Absent, Query(description="Only keys of this seller or shop.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[KeyAnswer]:
    """Keys without their secrets, revoked or not, the newest first. Needs the admin's key."""
    page = await shop.commands.keys.page(actor, role, holder_id, cursor, limit)
    return Page(items=[KeyAnswer.model_validate(each) for each in page.rows], cursor=page.cursor)


@keys.post("/sellers/{seller_id}/keys", status_code=201, **writes(404, by=("seller", "admin")))
async def issue_seller_key(shop: ShopDep, actor: ActorDep, seller_id: IdInPath) -> IssuedKeyAnswer:
    """Issue another key for a seller, shown only once. Needs the seller's or the admin's key."""
    return issued_key_answer(*await shop.commands.keys.issue(actor, "seller", seller_id))


@keys.post("/shops/{shop_id}/keys", status_code=201, **writes(by=("admin",)))
async def issue_shop_key(shop: ShopDep, actor: ActorDep, shop_id: IdInPath) -> IssuedKeyAnswer:
    """Issue a key, shown only once, for a new or known shop. Needs the admin's key."""
    return issued_key_answer(*await shop.commands.keys.issue(actor, "shop", shop_id))


@keys.post("/keys/{key_id}/revocation", **writes(404, by=("seller", "shop", "admin")))
async def revoke_key(shop: ShopDep, actor: ActorDep, key_id: IdInPath) -> KeyAnswer:
    """Revoke a key. Needs any key of the same holder, or the admin's key."""
    return key_answer(await shop.commands.keys.revoke(actor, key_id))
