"""Answers of the API to commands, and of letters. Views of facts are in ``rules.views``."""

from runtime.masking import without_addresses
from schemas.api.auctions import ApplicationAnswer, OfferAnswer
from schemas.api.groups import RequestAnswer
from schemas.api.letters import LetterView
from schemas.api.orders import OrderAnswer
from schemas.api.people import ErasureView, KeptView
from schemas.api.sellers import IssuedKeyAnswer, KeyAnswer, RegistrationAnswer
from schemas.api.shops import ImageAnswer
from schemas.letters import Delivery
from schemas.ops import ApiKey
from services.storefront.access.pseudonyms import pseudonym
from services.storefront.commands.auctions import Offered, Reserved
from services.storefront.commands.groups import Asked
from services.storefront.commands.orders import Ordered
from services.storefront.commands.people import Erasure
from services.storefront.commands.sellers import Registered
from services.storefront.rules.columns import letter_state
from services.storefront.rules.todo_reasons import reason_of_letter
from services.storefront.wares.pictures import Picture
from services.storefront.web.shop import Shop
from texts.erasure import told_of


def request_answer(shop: Shop, asked: Asked) -> RequestAnswer:
    """The answer to a request, with the organizer's link once the id is issued."""
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


def order_answer(ordered: Ordered) -> OrderAnswer:
    """The answer to an order or a return."""
    return OrderAnswer(
        order_id=ordered.order_id,
        source=ordered.source,
        member_id=ordered.member_id,
        status=ordered.state,
    )


def offer_answer(offered: Offered) -> OfferAnswer:
    """The answer to an offer, with its verdict if that is known."""
    judged = offered.judged
    return OfferAnswer(
        auction_id=offered.auction_id,
        offer_id=offered.offer_id,
        verdict=judged.verdict if judged else None,
        reason=judged.reason if judged else None,
        problems=judged.problems if judged else (),
    )


def application_answer(shop: Shop, reserved: Reserved) -> ApplicationAnswer:
    """The answer to an application, with the link and token that withdraw it."""
    link = shop.access.application_link(reserved.auction_id, reserved.application_id)
    return ApplicationAnswer(
        auction_id=reserved.auction_id,
        application_id=reserved.application_id,
        applicant_id=pseudonym(shop.access, reserved.auction_id, reserved.applicant_id),
        status=reserved.state,
        withdrawal_link=link,
        withdrawal_token=link.rpartition("/")[2],
    )


def registration_answer(registered: Registered) -> RegistrationAnswer:
    """The answer to a registration, with the key if it is new."""
    return RegistrationAnswer(
        seller_id=registered.seller_id,
        api_key=registered.credential,
        standing=registered.seller.standing if registered.seller else None,
    )


def image_answer(picture: Picture) -> ImageAnswer:
    """The answer to a picture that was stored."""
    return ImageAnswer(
        image_id=picture.image_id,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        path=f"/images/{picture.image_id}",
    )


def key_answer(key: ApiKey) -> KeyAnswer:
    """A key without its digest."""
    return KeyAnswer.model_validate(key)


def issued_key_answer(key: ApiKey, credential: str) -> IssuedKeyAnswer:
    """A new key with its secret."""
    return IssuedKeyAnswer(**dict(key_answer(key)), api_key=credential)


def letter_view(delivery: Delivery) -> LetterView:
    """A letter; a mail server's words may repeat an address, so they are masked."""
    same = ("notice_id", "recipient_id", "kind", "about", "status", "attempts", "queued_at")
    return LetterView(
        state=letter_state(delivery),
        reason=reason_of_letter(delivery),
        reply=without_addresses(delivery.reply or ""),
        **{name: getattr(delivery, name) for name in (*same, "at", "next_at", "version")},
    )


def erasure_view(erasure: Erasure) -> ErasureView:
    """An erasure, with what stays in words."""
    kept = tuple(KeptView.model_validate(told_of(each)) for each in erasure.kept)
    return ErasureView(person_id=erasure.person_id, erased_at=erasure.erased_at, kept=kept)
