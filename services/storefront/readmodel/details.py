"""Facts of one group, auction, definition or seller, and the details that are shown of it."""

from dataclasses import dataclass

from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from schemas.api.sellers import SellerProfile
from schemas.api.shops import ShopView
from schemas.auctions import (
    AUCTIONS,
    SELLERS,
    Auction,
    Conclusion,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    Seller,
)
from schemas.favors import FAVORS, FavorDecision
from schemas.groups import DEFINITIONS, GROUP_PURCHASES, Definition, GroupPurchase
from schemas.orders import PURCHASES, PurchaseState
from schemas.refusals import RefusalCode
from schemas.shops import SHOPS, Shop
from services.storefront.problems import Unknown
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.views import auction_detail, group_view, seller_profile, shop_view

TAKEOVERS_MAX = 1_000


async def known_group(reader: Reader, group_id: str) -> GroupPurchase:
    """A group purchase's terms. Raises ``Unknown``."""
    found = await reader.fact(GROUP_PURCHASES.name, group_id)
    if not isinstance(found, GroupPurchase):
        raise Unknown(RefusalCode.NO_GROUP, id=group_id)
    return found


async def known_auction(reader: Reader, auction_id: str) -> Auction:
    """An auction. Raises ``Unknown``."""
    found = await reader.fact(AUCTIONS.name, auction_id)
    if not isinstance(found, Auction):
        raise Unknown(RefusalCode.NO_AUCTION, id=auction_id)
    return found


async def known_definition(reader: Reader, definition_id: str) -> Definition:
    """A definition, withdrawn or not. Raises ``Unknown``."""
    found = await reader.fact(DEFINITIONS.name, definition_id)
    if not isinstance(found, Definition):
        raise Unknown(RefusalCode.NO_DEFINITION, id=definition_id)
    return found


async def known_seller(reader: Reader, seller_id: str) -> Seller:
    """A seller. Raises ``Unknown``."""
    found = await reader.fact(SELLERS.name, seller_id)
    if not isinstance(found, Seller):
        raise Unknown(RefusalCode.NO_SELLER, id=seller_id)
    return found


async def known_shop(reader: Reader, shop_id: str) -> Shop:
    """A shop that was described. Raises ``Unknown``."""
    found = await reader.fact(SHOPS.name, shop_id)
    if not isinstance(found, Shop):
        raise Unknown(RefusalCode.NO_SHOP, id=shop_id)
    return found


async def business_of(
    reader: Reader, shop_id: str | None, seller_id: str | None
) -> ShopView | SellerProfile | None:
    """Who sells, as people see it: a contract's seller, else the shop, if it is known."""
    if seller_id is not None:
        seller = await reader.fact(SELLERS.name, seller_id)
        return seller_profile(seller) if isinstance(seller, Seller) else None
    if shop_id is not None:
        shop = await reader.fact(SHOPS.name, shop_id)
        return shop_view(shop) if isinstance(shop, Shop) else None
    return None


async def auction_shown(reader: Reader, auction_id: str) -> AuctionDetail:
    """An auction with its story. Raises ``Unknown``."""
    auction = await known_auction(reader, auction_id)
    told = await reader.facts(
        auction_id, ConditionReplaced, ContractConcluded, ContractFailed, limit=TAKEOVERS_MAX
    )
    group_id = None
    if auction.group_request_id is not None:
        group_id = await reader.group_of(auction.group_request_id)
    withdrawn_at = None
    if auction.status == "withdrawn":
        # Nothing changes in it afterwards.
        withdrawn_at = await reader.recorded_at(AUCTIONS.name, auction_id)
    return auction_detail(
        auction,
        [each for each in told if isinstance(each, ConditionReplaced)],
        next((each for each in told if isinstance(each, Conclusion)), None),
        group_id,
        withdrawn_at,
    )


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group purchase as anyone may see it, and its terms, which name people."""

    view: GroupView
    terms: GroupPurchase


async def group_shown(reader: Reader, group_id: str) -> ShownGroup:
    """A group purchase, listed or not. Raises ``Unknown``."""
    terms = await known_group(reader, group_id)
    state = await reader.fact(PURCHASES.name, group_id)
    decision = await reader.fact(FAVORS.name, group_id)
    view = group_view(
        terms,
        state if isinstance(state, PurchaseState) else None,
        decision if isinstance(decision, FavorDecision) else None,
    )
    return ShownGroup(view, terms)
