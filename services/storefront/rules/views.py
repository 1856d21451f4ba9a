"""Views of facts, as answers of the API and pages show them. Pure: facts in, views out.

A view of something public names no people. Of an auction's sellers it names the one shown.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain.invoices import open_of
from domain.tiers import progress, start_of
from schemas.api.auctions import AuctionDetail, AuctionSummary, AuctionView, ConditionAt
from schemas.api.groups import (
    Decided,
    DefinitionSummary,
    DefinitionView,
    GroupProgress,
    GroupSummary,
    GroupView,
    PaidState,
    TableRow,
)
from schemas.api.payments import PaymentDetail, PaymentView
from schemas.api.sellers import SellerProfile, SellerView
from schemas.api.shops import ShopView
from schemas.auctions import Auction, Conclusion, ConditionReplaced, Seller
from schemas.favors import Favor, FavorDecision
from schemas.groups import Definition, Terms
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import Product, Status
from schemas.payments import Payment
from schemas.shops import Shop
from services.storefront.rules.columns import tags_of
from services.storefront.rules.rows import AuctionRow, DefinitionRow, GroupRow


def _listed_product(row: AuctionRow | GroupRow | DefinitionRow) -> Product:
    """A product as lists tell it, with the first of its images."""
    return Product(
        name=row.product_name,
        category=row.category,
        tags=tags_of(row.tags),
        images=(row.image_id,) if row.image_id else (),
    )


# --- auctions ------------------------------------------------------------------------------------


def auction_summary(row: AuctionRow) -> AuctionSummary:
    """A line of the list."""
    same = ("auction_id", "version", "status", "unit_price", "currency", "reservations")
    more = ("applicants", "missing", "opened_at", "closes_at")
    return AuctionSummary(
        product=_listed_product(row),
        minimum_reservations=row.minimum,
        **{name: getattr(row, name) for name in (*same, *more)},
    )


def auction_view(auction: Auction) -> AuctionView:
    """An auction as it stands."""
    return AuctionView(**_of_auction(auction))


def auction_detail(
    auction: Auction,
    replaced: Iterable[ConditionReplaced] = (),
    conclusion: Conclusion | None = None,
    group_id: str | None = None,
    withdrawn_at: datetime | None = None,
) -> AuctionDetail:
    """An auction with its story; takeovers may come in any order."""
    steps = sorted(replaced, key=lambda each: each.version)
    opening = steps[0].before if steps else auction.shown
    shown = [(auction.opened_at, opening), *((each.at, each.shown) for each in steps)]
    return AuctionDetail(
        **_of_auction(auction),
        history=tuple(
            ConditionAt(
                at=at,
                unit_price=condition.unit_price,
                minimum_reservations=condition.minimum_reservations,
            )
            for at, condition in shown
        ),
        seller_id=auction.shown.seller_id,
        concluded_at=conclusion.at if conclusion else None,
        withdrawn_at=withdrawn_at,
        group_id=group_id,
    )


def _of_auction(auction: Auction) -> dict[str, Any]:
    same = ("auction_id", "version", "status", "product", "currency", "reservations", "applicants")
    more = ("minimum_step", "opened_at", "invites_at", "invited_at", "closes_at")
    shown = auction.shown
    return {
        "quantity_max_per_applicant": auction.quantity_max_per_applicant,
        "unit_price": shown.unit_price,
        "minimum_reservations": shown.minimum_reservations,
        "missing": max(shown.minimum_reservations - auction.reservations, 0),
    } | {name: getattr(auction, name) for name in (*same, *more)}


# --- group purchases -----------------------------------------------------------------------------


def group_summary(row: GroupRow) -> GroupSummary:
    """A line of the list."""
    same = ("group_id", "status", "unit_price", "currency", "quantity", "missing", "members")
    more = ("opens_at", "closes_at", "definition_id", "shop_id")
    return GroupSummary(
        product=_listed_product(row),
        number_of_products=row.number,
        **{name: getattr(row, name) for name in (*same, *more)},
    )


def group_progress(state: PurchaseState, number_of_products: int | None) -> GroupProgress:
    """How far a group is; what is missing only where its number is known."""
    missing = None if number_of_products is None else max(number_of_products - state.quantity, 0)
    same = ("group_id", "version", "status", "quantity", "value", "currency", "members")
    return GroupProgress(
        missing=missing,
        closed_at=state.closed_at,
        **{name: getattr(state, name) for name in same},
    )


def group_view(
    terms: Terms, state: PurchaseState | None = None, decision: FavorDecision | None = None
) -> GroupView:
    """A group purchase, with how far it is and what was decided, as far as that is known."""
    quantity, value = (state.quantity, state.value) if state else (0, 0)
    tiers = tuple(sorted(terms.favor.tiers, key=start_of))
    reached, following, missing = progress(tiers, quantity, value)
    status: Status = state.status if state else "open"
    same = ("group_id", "product", "unit_price", "currency", "number_of_products", "opens_at")
    more = ("closes_at", "withdrawn_at", "visibility", "definition_id", "payment", "sources")
    whose = ("shop_id", "seller_id")
    return GroupView(
        version=state.version if state else 0,
        status="withdrawn" if terms.withdrawn_at and status == "open" else status,
        quantity=quantity,
        value=value,
        missing=max(terms.number_of_products - quantity, 0),
        members=state.members if state else 0,
        members_listed=bool(terms.members or terms.member_parts),
        closed_at=state.closed_at if state else None,
        favor=terms.favor.model_copy(update={"tiers": tiers}),
        tier_reached=reached,
        next_tier=following,
        missing_to_next=missing,
        if_incomplete=terms.if_incomplete,
        stop_at_number=terms.stop_at_number,
        decision=_decided(decision) if decision else None,
        **{name: getattr(terms, name) for name in (*same, *more, *whose)},
    )


def _decided(decision: FavorDecision) -> Decided:
    return Decided(
        tier=decision.tier,
        cancel_all=decision.cancel_all,
        total=decision.total,
        members=decision.members,
    )


def table_row(
    row: PurchaseRow,
    favor: Favor | None,
    *,
    name: str | None = None,
    email: str | None = None,
    reserved: int | None = None,
    payment: PaidState | None = None,
) -> TableRow:
    """A purchaser's line; ``name`` if the person is known, the rest only with the right."""
    same = ("member_id", "quantity", "value", "currency", "first_ordered_at", "last_ordered_at")
    return TableRow(
        name=name,
        email=email,
        reserved=reserved,
        payment=payment,
        favor_amount=favor.amount if favor else None,
        gift=favor.gift if favor else None,
        **{field: getattr(row, field) for field in same},
    )


# --- definitions, sellers and what became of a command -------------------------------------------


def definition_summary(row: DefinitionRow) -> DefinitionSummary:
    """A line of the list."""
    same = ("definition_id", "shop_id", "unit_price", "currency", "published_at")
    return DefinitionSummary(
        product=_listed_product(row), **{name: getattr(row, name) for name in same}
    )


def definition_view(definition: Definition) -> DefinitionView:
    """A definition; all of it is public."""
    return DefinitionView.model_validate(definition)


def shop_view(shop: Shop) -> ShopView:
    """A shop; all of it is public."""
    return ShopView.model_validate(shop)


def seller_profile(seller: Seller) -> SellerProfile:
    """A seller as buyers see it."""
    return SellerProfile.model_validate(seller)


def seller_view(seller: Seller) -> SellerView:
    """For the seller and the admin only."""
    return SellerView.model_validate(seller)


# --- payments ------------------------------------------------------------------------------------


def payment_detail(
    payment: Payment, payments: Iterable[Payment], *, for_payer: bool
) -> PaymentDetail:
    """As it stands among all of its payer's."""
    view = payment_view(payment, for_payer=for_payer)
    return PaymentDetail(**dict(view), open=open_of(payment, payments))


def payment_view(payment: Payment, *, for_payer: bool = False) -> PaymentView:
    """As it stands."""
    same = ("payment_id", "group_id", "member_id", "kind", "method", "amount", "currency", "status")
    more = ("cause", "number", "begun_at", "quantity", "value", "favor", "problem", "version")
    return PaymentView(
        received=payment.received or 0,
        receipts=payment.receipts or (),
        page=payment.page if for_payer else None,
        **{name: getattr(payment, name) for name in (*same, *more)},
    )
