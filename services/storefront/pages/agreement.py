"""What somebody agrees to who orders or reserves: the same in a form and where it is confirmed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.money import worth
from domain.tiers import given_by, price_at
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from schemas.parts import Tier
from services.storefront.pages import codes
from services.storefront.pages.wares import SoldBy
from texts.catalogue import mark


@dataclass(frozen=True, slots=True)
class SavingStep:
    """A tier, what a unit costs there, and what so many units save; ``None`` if it is a gift."""

    tier: Tier
    price: int | None
    saves: int | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What one agrees to; texts are in English, as the code marks them.

    ``total`` is of ``units`` without any discount, and the most that they can cost. ``delivery``
    and ``terms_url`` are the seller's own, ``None`` if the seller says nothing.
    """

    product: str
    id: str
    units: int
    unit_price: int | None
    total: int | None
    currency: str | None
    steps: Sequence[SavingStep]
    conditions: Sequence[str]
    closes_at: datetime
    payment: Sequence[str]
    seller: str | None
    delivery: str | None
    terms_url: str | None
    #: Said where the seller may still change.
    later: str | None = None
    minimum: int | None = None

    @property
    def price_falls(self) -> bool:
        """Whether units may cost less in the end, but not more."""
        return self.minimum is not None


def of_order(group: GroupView, sold_by: SoldBy | None, units: int) -> Agreement:
    """What an order of so many units agrees to."""
    conditions = []
    if group.favor.tiers:
        conditions = [codes.SCOPE[group.favor.scope], codes.IF_INCOMPLETE[group.if_incomplete]]
    if group.stop_at_number:
        conditions.append(mark("The group closes as soon as the goal is reached."))
    is_for_all = group.payment.scope == "group"
    method = codes.METHOD[group.payment.method]
    return Agreement(
        product=group.product.name,
        id=group.group_id,
        units=units,
        unit_price=group.unit_price,
        total=worth(units, group.unit_price, None),
        currency=group.currency,
        steps=savings(group.favor.tiers, group.unit_price, units),
        conditions=conditions,
        closes_at=group.closes_at,
        payment=(
            (codes.COUNTS_ONCE["group"],)
            if is_for_all
            else (method, codes.COUNTS_ONCE[group.payment.method])
        ),
        seller=sold_by.name if sold_by else None,
        delivery=sold_by.said.delivery if sold_by else None,
        terms_url=sold_by.said.terms_url if sold_by else None,
    )


def of_reservation(auction: AuctionDetail, units: int) -> Agreement:
    """What a reservation of so many units agrees to; who sells is settled at the end."""
    return Agreement(
        product=auction.product.name,
        id=auction.auction_id,
        units=units,
        unit_price=auction.unit_price,
        total=worth(units, auction.unit_price, None),
        currency=auction.currency,
        steps=(),
        conditions=(
            mark("The price can only fall. At the end you get the price that is shown then."),
            mark("With fewer reservations than the minimum there is no contract."),
        ),
        closes_at=auction.closes_at,
        payment=(
            mark("You pay nothing before the contract."),
            mark(
                "After the contract you order from the winning seller with the group purchase ID, "
                "and pay there."
            ),
        ),
        seller=None,
        delivery=None,
        terms_url=None,
        later=mark(
            "The seller with the best offer at the end delivers, on that seller's own terms. The "
            "auction's page names the seller of the offer that is shown."
        ),
        minimum=auction.minimum_reservations,
    )


def savings(tiers: Sequence[Tier], unit_price: int | None, units: int) -> tuple[SavingStep, ...]:
    """What so many units would cost and save at each tier, in minor units."""
    return tuple(_saving(each, unit_price, units) for each in tiers)


def _saving(tier: Tier, unit_price: int | None, units: int) -> SavingStep:
    if unit_price is None:
        return SavingStep(tier, tier.unit_price, None)
    price = price_at(tier, unit_price)
    if price is None:
        return SavingStep(tier, unit_price, None)
    return SavingStep(tier, price, given_by(tier, units, units * unit_price)[0])
