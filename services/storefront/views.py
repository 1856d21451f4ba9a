"""What the public, and those with a right to it, may see of facts: answers and pages show these.

The fields are the contract of the HTTP API. A view of what is public names no people, and of an
auction not who competes in it. Pure: facts in, views out.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain.sources import STOREFRONT, may_feed
from domain.tiers import progress, start_of
from schemas.auctions import (
    Auction,
    AuctionStatus,
    Conclusion,
    ConditionReplaced,
    Seller,
    Standing,
    StandingSince,
)
from schemas.favors import Favor, FavorDecision
from schemas.groups import Definition, Terms
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import (
    FavorTerms,
    IfIncomplete,
    Limits,
    Model,
    PaymentChoices,
    PaymentTerms,
    Product,
    Status,
    Tier,
    Visibility,
)
from services.storefront.model.rows import AuctionRow, DefinitionRow, GroupRow


class View(Model, from_attributes=True):
    """What an answer is made of."""


# --- auctions ------------------------------------------------------------------------------------


class AuctionSummary(View):
    """A line of the list of auctions; ``missing`` reservations to the minimum shown."""

    auction_id: str
    version: int
    status: AuctionStatus
    product: Product
    unit_price: int
    currency: str
    minimum_reservations: int
    reservations: int
    applicants: int
    missing: int
    opened_at: datetime
    closes_at: datetime


class AuctionView(AuctionSummary):
    """An auction as it stands; each event of an open page is one."""

    minimum_step: int
    quantity_max_per_applicant: int
    invites_at: datetime
    invited_at: datetime | None


class ConditionAt(View):
    """A condition, and since when it was shown."""

    at: datetime
    unit_price: int
    minimum_reservations: int


class AuctionDetail(AuctionView):
    """An auction with what happened so far, the oldest first."""

    history: tuple[ConditionAt, ...]
    concluded_at: datetime | None
    group_id: str | None


def auction_summary(row: AuctionRow) -> AuctionSummary:
    """A line of the list."""
    same = ("auction_id", "version", "status", "unit_price", "currency", "reservations")
    more = ("applicants", "missing", "opened_at", "closes_at")
    return AuctionSummary(
        product=Product(name=row.product_name),
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
        concluded_at=conclusion.at if conclusion else None,
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


class GroupSummary(View):
    """A line of the list of group purchases."""

    group_id: str
    status: Status
    product: Product
    unit_price: int | None
    currency: str | None
    number_of_products: int
    quantity: int
    missing: int
    members: int
    opens_at: datetime
    closes_at: datetime
    definition_id: str | None


class GroupProgress(View):
    """What changes of a group purchase: each event of an open page is one."""

    group_id: str
    version: int
    status: Status
    quantity: int
    value: int
    currency: str | None
    members: int
    missing: int | None
    closed_at: datetime | None


class Decided(View):
    """What the close decided: the tier, if any, and what it comes to over all members."""

    tier: Tier | None
    cancel_all: bool
    total: int
    members: int


class GroupView(GroupSummary):
    """A group purchase with its terms; never its people.

    ``version`` is that of its progress, 0 before there is any. ``tier_reached`` and ``next_tier``
    count ``favor.tiers`` from 0, lowest start first; ``missing_to_next`` is in units, or in minor
    units of money where tiers start from a value. Orders of ``sources`` count; if there are
    none, orders of any source count.
    """

    version: int
    value: int
    members_listed: bool
    closed_at: datetime | None
    withdrawn_at: datetime | None
    visibility: Visibility
    payment: PaymentTerms
    sources: tuple[str, ...] = ()
    favor: FavorTerms
    tier_reached: int | None
    next_tier: int | None
    missing_to_next: int | None
    if_incomplete: IfIncomplete
    stop_at_number: bool
    decision: Decided | None

    @property
    def takes_orders_here(self) -> bool:
        """Whether an order made on a page can count: what buyers pay at the shop can't."""
        is_paid_here = self.payment.scope == "group" or self.payment.method != "shop"
        return is_paid_here and may_feed(STOREFRONT, self.sources)


def group_summary(row: GroupRow) -> GroupSummary:
    """A line of the list."""
    same = ("group_id", "status", "unit_price", "currency", "quantity", "missing", "members")
    more = ("opens_at", "closes_at", "definition_id")
    return GroupSummary(
        product=Product(name=row.product_name),
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
        **{name: getattr(terms, name) for name in (*same, *more)},
    )


def _decided(decision: FavorDecision) -> Decided:
    return Decided(
        tier=decision.tier,
        cancel_all=decision.cancel_all,
        total=decision.total,
        members=decision.members,
    )


class TableRow(View):
    """A purchaser's line of the purchase condition management table.

    For the organizer, the shop and the winning seller only. ``email`` and the units ``reserved``
    are for the winning seller of a concluded contract alone.
    """

    member_id: str
    name: str | None
    email: str | None
    quantity: int
    value: int
    currency: str | None
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    favor_amount: int | None
    gift: str | None
    reserved: int | None = None


def table_row(
    row: PurchaseRow,
    favor: Favor | None,
    *,
    name: str | None = None,
    email: str | None = None,
    reserved: int | None = None,
) -> TableRow:
    """A purchaser's line; ``name`` where the group lists one, the rest only with the right."""
    same = ("member_id", "quantity", "value", "currency", "first_ordered_at", "last_ordered_at")
    return TableRow(
        name=name or (row.member.name if row.member else None),
        email=email,
        reserved=reserved,
        favor_amount=favor.amount if favor else None,
        gift=favor.gift if favor else None,
        **{field: getattr(row, field) for field in same},
    )


# --- definitions, sellers and what became of a command -------------------------------------------


class DefinitionView(View):
    """What a shop opens to the public for group purchase."""

    definition_id: str
    shop_id: str
    version: int
    product: Product
    unit_price: int
    currency: str
    favor: FavorTerms
    if_incomplete: IfIncomplete
    limits: Limits
    payment: PaymentChoices
    published_at: datetime
    withdrawn_at: datetime | None


class DefinitionSummary(View):
    """A line of the list of definitions."""

    definition_id: str
    shop_id: str
    product: Product
    unit_price: int
    currency: str
    published_at: datetime


def definition_summary(row: DefinitionRow) -> DefinitionSummary:
    """A line of the list."""
    same = ("definition_id", "shop_id", "unit_price", "currency", "published_at")
    return DefinitionSummary(
        product=Product(name=row.product_name), **{name: getattr(row, name) for name in same}
    )


def definition_view(definition: Definition) -> DefinitionView:
    """A definition; all of it is public."""
    return DefinitionView.model_validate(definition)


class SellerView(View):
    """A seller's own view of the registration."""

    seller_id: str
    name: str
    email: str
    registered_at: datetime
    standing: Standing
    standings: tuple[StandingSince, ...]


def seller_view(seller: Seller) -> SellerView:
    """For the seller and the admin only."""
    return SellerView.model_validate(seller)
