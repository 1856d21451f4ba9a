"""What somebody agrees to who orders or reserves: the same in a form and where it is confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.money import worth
from domain.tiers import given_by, lowers_price, price_at
from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView
from schemas.parts import Tier
from services.storefront.pages import codes, figures
from services.storefront.pages.wares import SoldBy
from texts.catalogue import mark


@dataclass(frozen=True, slots=True)
class SavingStep:
    """A tier, what a unit costs there, and what so many units save; ``None`` if it is a gift.

    ``is_reached``: it holds if the group closes as it is.
    """

    tier: Tier
    price: int | None
    saves: int | None
    is_reached: bool = False


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
    #: How to reach the seller.
    sold_by: SoldBy | None = None
    #: How the discount reaches the buyer; it names the ``time`` of the close.
    discount: str | None = None
    #: Said where the seller may still change.
    later: str | None = None
    #: What binds, said before the button.
    binding: str | None = None
    minimum: int | None = None

    @property
    def price_falls(self) -> bool:
        """Whether units may cost less in the end, but not more."""
        return self.minimum is not None


def of_order(
    group: GroupView,
    sold_by: SoldBy | None,
    units: int,
    *,
    confirms: bool = False,
    counts: bool = False,
) -> Agreement:
    """What an order of so many units agrees to.

    ``confirms``: it has to be confirmed by a link. ``counts``: it counts already.
    """
    conditions = []
    if group.favor.tiers:
        conditions = [codes.SCOPE[group.favor.scope], codes.IF_INCOMPLETE[group.if_incomplete]]
    if group.stop_at_number:
        conditions.append(mark("The group closes as soon as the goal is reached."))
    is_for_all = group.payment.scope == "group"
    method, once = group.payment.method, counts_once(confirms=confirms)
    payment = [once["group"]] if is_for_all else [codes.METHOD[method]]
    if counts:
        payment.append(mark("Your order counts."))
    elif not is_for_all:
        payment.append(once[method])
    return Agreement(
        product=group.product.name,
        id=group.group_id,
        units=units,
        unit_price=group.unit_price,
        total=worth(units, group.unit_price, None),
        currency=group.currency,
        steps=savings(group.favor.tiers, group.unit_price, units, figures.held(group)),
        conditions=conditions,
        closes_at=group.closes_at,
        payment=payment,
        seller=sold_by.name if sold_by else None,
        delivery=sold_by.said.delivery if sold_by else None,
        terms_url=sold_by.said.terms_url if sold_by else None,
        discount=how_discount_comes(group),
        sold_by=sold_by,
    )


def how_discount_comes(group: GroupView) -> str | None:
    """How a discount reaches the buyers; ``None`` where no tier lowers what is paid."""
    if not any(lowers_price(each) for each in group.favor.tiers):
        return None
    terms = group.payment
    return codes.DISCOUNT_COMES["group" if terms.scope == "group" else terms.method]


def counts_once(*, confirms: bool) -> Mapping[str, str]:
    """When an order counts, by method; ``confirms``: it has to be confirmed by a link."""
    return codes.COUNTS_ONCE_CONFIRMED if confirms else codes.COUNTS_ONCE


def of_reservation(
    auction: AuctionDetail, units: int, *, is_auctions_page: bool = False
) -> Agreement:
    """What a reservation of so many units agrees to; who sells is settled at the end."""
    later = mark(
        "The seller with the best offer at the end delivers, on that seller's own terms. The "
        "auction's page names the seller of the offer that is shown."
    )
    if is_auctions_page:
        later = mark(
            "The seller with the best offer at the end delivers, on that seller's own terms."
        )
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
        later=later,
        binding=mark(
            "A confirmed reservation is binding: if the minimum is reached when the auction "
            "closes, you are bound to buy. Until then you can withdraw it."
        ),
        minimum=auction.minimum_reservations,
    )


def savings(
    tiers: Sequence[Tier], unit_price: int | None, units: int, held: int | None = None
) -> tuple[SavingStep, ...]:
    """What so many units would cost and save at each tier, in minor units; ``held`` is reached."""
    found = (_saving(each, unit_price, units) for each in tiers)
    return tuple(
        replace(each, is_reached=held is not None and place <= held)
        for place, each in enumerate(found)
    )


def _saving(tier: Tier, unit_price: int | None, units: int) -> SavingStep:
    if unit_price is None:
        return SavingStep(tier, tier.unit_price, None)
    price = price_at(tier, unit_price)
    if price is None:
        return SavingStep(tier, unit_price, None)
    return SavingStep(tier, price, given_by(tier, units, units * unit_price)[0])
