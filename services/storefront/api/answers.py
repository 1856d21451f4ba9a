"""What commands answer; what is shown of facts stands in ``views``."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.auctions import Standing, Verdict
from schemas.ops import ApiKey
from schemas.parts import Problem
from services.storefront.access.pseudonyms import pseudonym
from services.storefront.commands.auctions import Offered, Reserved
from services.storefront.commands.groups import Asked
from services.storefront.commands.orders import Ordered, OrderedState
from services.storefront.commands.sellers import Registered
from services.storefront.shop import Shop
from services.storefront.views import View


class RequestAnswer(View):
    """What became of a request."""

    request_id: str
    status: Literal["issued", "pending"]
    group_id: str | None
    organizer_link: str | None = Field(
        description="The organizer's page; whoever has it may act as the organizer."
    )
    organizer_token: str | None = Field(
        description="The same for programs, as `Authorization: Bearer`."
    )
    request_token: str = Field(description="Asks for the outcome, as `Authorization: Bearer`.")


def request_answer(shop: Shop, asked: Asked) -> RequestAnswer:
    """With the organizer's link once the id is issued."""
    link = token = None
    if asked.group_id is not None and asked.organizer_id:
        link = shop.access.organizer_link(asked.group_id, asked.organizer_id)
        token = link.rpartition("/")[2]
    return RequestAnswer(
        request_id=asked.request_id,
        status="issued" if asked.group_id else "pending",
        group_id=asked.group_id,
        organizer_link=link,
        organizer_token=token,
        request_token=shop.access.request_token(asked.request_id),
    )


class OrderAnswer(View):
    """What became of an order or a return.

    `unconfirmed` until the purchaser follows the link in a letter, within 48 hours; the order does
    not count before. `recorded` when it waits for its money, or when the outcome takes longer.
    """

    order_id: str
    source: str
    member_id: str
    status: OrderedState


def order_answer(ordered: Ordered) -> OrderAnswer:
    """As it is."""
    return OrderAnswer(
        order_id=ordered.order_id,
        source=ordered.source,
        member_id=ordered.member_id,
        status=ordered.state,
    )


class CancellationAnswer(View):
    """A cancellation is recorded; it wins over its order, whichever comes first."""

    order_id: str
    status: Literal["recorded"] = "recorded"


class OfferAnswer(View):
    """What became of an offer; ``verdict`` is null while that takes longer than usual."""

    auction_id: str
    offer_id: str
    verdict: Verdict | None
    reason: str | None
    problems: tuple[Problem, ...]


def offer_answer(offered: Offered) -> OfferAnswer:
    """As it is judged."""
    judged = offered.judged
    return OfferAnswer(
        auction_id=offered.auction_id,
        offer_id=offered.offer_id,
        verdict=judged.verdict if judged else None,
        reason=judged.reason if judged else None,
        problems=judged.problems if judged else (),
    )


class ApplicationAnswer(View):
    """A reservation: `unconfirmed` until its applicant follows the letter's link."""

    auction_id: str
    application_id: str
    applicant_id: str
    status: Literal["unconfirmed", "confirmed"]
    withdrawal_link: str
    withdrawal_token: str = Field(
        description="Takes the reservation back, as `Authorization: Bearer`."
    )


def application_answer(shop: Shop, reserved: Reserved) -> ApplicationAnswer:
    """With what takes it back."""
    link = shop.access.application_link(reserved.auction_id, reserved.application_id)
    return ApplicationAnswer(
        auction_id=reserved.auction_id,
        application_id=reserved.application_id,
        applicant_id=pseudonym(shop.access, reserved.auction_id, reserved.applicant_id),
        status=reserved.state,
        withdrawal_link=link,
        withdrawal_token=link.rpartition("/")[2],
    )


class WithdrawalAnswer(View):
    """A reservation's withdrawal is recorded; it counts if the auction still runs."""

    application_id: str
    status: Literal["recorded"] = "recorded"


class RegistrationAnswer(View):
    """A registration; ``api_key`` is said this once, and is null when it was asked again."""

    seller_id: str
    api_key: str | None
    standing: Standing | None


def registration_answer(registered: Registered) -> RegistrationAnswer:
    """With the key, if it is new."""
    return RegistrationAnswer(
        seller_id=registered.seller_id,
        api_key=registered.credential,
        standing=registered.seller.standing if registered.seller else None,
    )


class KeyAnswer(View):
    """A key, without its secret."""

    key_id: str
    role: Literal["seller", "shop"]
    holder_id: str
    issued_at: datetime
    revoked_at: datetime | None


class IssuedKeyAnswer(KeyAnswer):
    """A key that is new: ``api_key`` is said this once."""

    api_key: str


def key_answer(key: ApiKey) -> KeyAnswer:
    """Never its digest."""
    return KeyAnswer.model_validate(key)


def issued_key_answer(key: ApiKey, credential: str) -> IssuedKeyAnswer:
    """With the key itself."""
    return IssuedKeyAnswer(**dict(key_answer(key)), api_key=credential)
