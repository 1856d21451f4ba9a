"""Commands of counter auctions: open, outbid, withdraw, apply, confirm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from domain.offers import is_doubtful, percent_below
from schemas.api.auctions import ApplicationGiven, AuctionGiven, OfferGiven
from schemas.auctions import (
    APPLICATIONS,
    AUCTIONS,
    OFFERS,
    SELLERS,
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    OfferJudged,
    Seller,
    Standing,
)
from schemas.parts import Contact, Message
from schemas.reasons import ApplicationReason, OfferReason
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Access, Actor
from services.storefront.access.rates import Rates
from services.storefront.commands.authority import demand, is_trusted, on_behalf
from services.storefront.commands.contacts import contact_fields
from services.storefront.commands.ids import Ids
from services.storefront.commands.images import ImageCommands
from services.storefront.commands.letter_counts import LetterCounts, link_problems
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, NotAllowed, Overtaken
from services.storefront.readmodel.details import known_auction
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.reservations import Reservations
from texts.reasons import problem

_BY_STANDING: Final[Mapping[Standing | None, OfferReason]] = {
    None: OfferReason.UNKNOWN_SELLER,
    "pending": OfferReason.PENDING_SELLER,
    "suspended": OfferReason.SUSPENDED_SELLER,
}


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer that was sent; ``judged`` is ``None`` until its verdict is there."""

    auction_id: str
    offer_id: str
    judged: OfferJudged | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """An application that was sent: ``unconfirmed`` until the applicant follows the letter."""

    auction_id: str
    application_id: str
    applicant_id: str
    state: Literal["unconfirmed", "confirmed"]


class AuctionCommands:
    """Commands of sellers. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self, reader: Reader, outcomes: Outcomes, ids: Ids, rates: Rates, images: ImageCommands
    ) -> None:
        self._images = images
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._rates = rates

    async def open(self, actor: Actor, given: AuctionGiven, seed: str | None = None) -> Offered:
        """Open an auction with a first condition. Raises ``Impossible`` if it is refused."""
        seller_id = on_behalf(actor, "seller", given.seller_id, "seller_id")
        if not is_trusted(actor):
            # Buyers and other sellers read the product's name in their letters.
            said = {"product.name": given.product.name, "product.id": given.product.id}
            if problems := link_problems(said):
                raise Impossible(RefusalCode.AUCTION_REFUSED, problems)
        if problems := await self._images.product_problems(given.product.images):
            raise Impossible(RefusalCode.AUCTION_REFUSED, problems)
        auction_id = self._ids.new("a", actor, seed)
        message = AuctionOpened(
            auction_id=auction_id,
            offer_id=self._ids.new("o", actor, seed),
            seller_id=seller_id,
            product=given.product.product(),
            minimum_reservations=given.minimum_reservations,
            unit_price=given.unit_price,
            currency=given.currency,
            closes_at=given.closes_at,
            invites_at=given.invites_at,
            minimum_step=given.minimum_step,
            quantity_max_per_applicant=given.quantity_max_per_applicant,
            offered_at=now(),
        )
        return await self._offer(actor, message, "openings")

    async def offer(
        self, actor: Actor, auction_id: str, given: OfferGiven, seed: str | None = None
    ) -> Offered:
        """Offer a better condition. Raises ``Impossible`` if it is refused."""
        demand(actor, "seller", "invited", "admin")
        if actor.kind == "invited":
            if actor.about != auction_id:
                raise NotAllowed(RefusalCode.INVITED_ELSEWHERE)
            if given.seller_id not in (None, actor.id):
                raise NotAllowed(RefusalCode.SELLER_NOT_INVITED)
            seller_id = actor.id
        else:
            seller_id = on_behalf(actor, "seller", given.seller_id, "seller_id")
        auction = await known_auction(self._reader, auction_id)
        if given.refuse_if_doubtful and is_doubtful(given.unit_price, auction.shown.unit_price):
            _raise_doubtful(given.unit_price, auction.shown.unit_price)
        message = CounterOffered(
            auction_id=auction_id,
            offer_id=self._ids.new("o", actor, seed and f"{seed}/{auction_id}"),
            seller_id=seller_id,
            product=auction.product,
            minimum_reservations=given.minimum_reservations,
            unit_price=given.unit_price,
            currency=auction.currency,
            offered_at=now(),
        )
        return await self._offer(actor, message, auction_id)

    async def _offer(
        self, actor: Actor, message: AuctionOpened | CounterOffered, counted_for: str
    ) -> Offered:
        key = f"{message.auction_id}/offer/{message.offer_id}"
        answer = await self._reader.fact(AUCTIONS.name, key)
        if answer is None:
            if not is_trusted(actor):
                # A shown offer is a letter to all who reserved, an opening one to all sellers.
                await self._rates.count("offers", f"{message.seller_id}/{counted_for}")
            await self._need_good_seller(message.seller_id)
            answer = await self._outcomes.ask(OFFERS, message, answers=(AUCTIONS, key))
            if isinstance(answer, OfferJudged) and answer.verdict == "shown":
                await self._shown(message)
        judged = answer if isinstance(answer, OfferJudged) else None
        if judged is not None and judged.verdict == "refused":
            raise Impossible(RefusalCode.OFFER_REFUSED, judged.problems, reason=judged.reason)
        return Offered(message.auction_id, message.offer_id, judged)

    async def _need_good_seller(self, seller_id: str) -> None:
        """Refuse a seller who may not offer, as auction_service would after a minute."""
        standing: Standing | None = None

        async def good() -> Message | None:
            nonlocal standing
            found = await self._reader.fact(SELLERS.name, seller_id)
            standing = found.standing if isinstance(found, Seller) else None
            return found if standing == "good" else None

        if await self._outcomes.named(good) is None:
            raise Impossible(RefusalCode.OFFER_REFUSED, reason=_BY_STANDING[standing])

    async def _shown(self, message: AuctionOpened | CounterOffered) -> None:
        """Wait until the auction's page can be read."""

        async def found() -> Message | None:
            return await self._reader.fact(AUCTIONS.name, message.auction_id)

        await self._outcomes.look(found, self._outcomes.seconds)

    async def outcome(self, actor: Actor, auction_id: str, offer_id: str) -> Offered:
        """The outcome of the actor's own offer."""
        demand(actor, "seller", "invited", "admin")
        found = await self._reader.fact(AUCTIONS.name, f"{auction_id}/offer/{offer_id}")
        judged = found if isinstance(found, OfferJudged) else None
        if judged is not None and actor.kind != "admin" and judged.seller_id != actor.id:
            raise NotAllowed(RefusalCode.OFFER_OF_OTHER)
        return Offered(auction_id, offer_id, judged)

    async def withdraw(self, actor: Actor, auction_id: str) -> Auction:
        """Take an auction back; ``status`` is ``withdrawn`` in what is returned once it is so."""
        demand(actor, "seller", "admin")
        auction = await known_auction(self._reader, auction_id)
        if actor.kind == "seller" and auction.opened_by != actor.id:
            raise NotAllowed(RefusalCode.NOT_THE_OPENER)
        if auction.status == "withdrawn":
            return auction
        if auction.status != "open":
            raise Overtaken(RefusalCode.AUCTION_ENDED, status=auction.status)
        if auction.applicants or auction.shown.seller_id != auction.opened_by:
            raise Overtaken(RefusalCode.AUCTION_RELIED_ON)
        message = AuctionWithdrawn(auction_id=auction_id, seller_id=auction.opened_by, at=now())
        answer = await self._outcomes.ask(OFFERS, message, answers=(AUCTIONS, auction_id))
        return answer if isinstance(answer, Auction) else auction


class ReservationCommands:
    """Commands of applicants. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        letters: LetterCounts,
        access: Access,
        reservations: Reservations,
    ) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._letters = letters
        self._access = access
        self._reservations = reservations

    async def apply(
        self, actor: Actor, auction_id: str, given: ApplicationGiven, seed: str | None = None
    ) -> Reserved:
        """Reserve: by a letter that asks to confirm it, or at once where a shop vouches."""
        auction = await known_auction(self._reader, auction_id)
        vouched = is_trusted(actor)
        if not vouched and actor.kind != "anonymous":
            demand(actor, "shop", "admin")
        if auction.status != "open" or now() >= auction.closes_at:
            raise Overtaken(RefusalCode.AUCTION_TAKES_NONE, status=auction.status)
        if given.quantity > auction.quantity_max_per_applicant:
            raise _refused(
                ApplicationReason.OVER_APPLICANT_LIMIT, auction.quantity_max_per_applicant
            )
        applicant = self._applicant(actor, given)
        application_id = self._ids.new("b", actor, seed and f"{seed}/{auction_id}")
        await self._letters.count(actor, [applicant.email], application_id)
        message = Applied(
            application_id=application_id,
            auction_id=auction_id,
            applicant=applicant,
            quantity=given.quantity,
            applied_at=now(),
        )
        if applicant.person_id is not None:
            # Before it is sent, so that no reservation is without its link.
            await self._reservations.keep(
                application_id, auction_id, applicant.person_id, given.quantity
            )
        reserved = Reserved(
            auction_id,
            message.application_id,
            applicant.id,
            "confirmed" if vouched else "unconfirmed",
        )
        if not vouched:
            await self._outcomes.send(APPLICATIONS, message)
            return reserved
        refused = f"{auction_id}/refused/{message.application_id}"
        confirmed = ApplicationConfirmed(
            application_id=message.application_id, auction_id=auction_id, at=message.applied_at
        )
        answers = [(AUCTIONS, refused), (AUCTIONS, auction_id)]
        answer = await self._outcomes.ask(APPLICATIONS, confirmed, message, answers=answers)
        if isinstance(answer, ApplicationRefused):
            raise _refused(answer.reason, answer.quantity_max)
        await self._reservations.confirmed(application_id)
        return reserved

    def _applicant(self, actor: Actor, given: ApplicationGiven) -> Contact:
        """The applicant; a shop's ids never equal those of others."""
        person = given.applicant
        anonymous = actor.kind == "anonymous"
        if anonymous and person.id is not None:
            wrong = problem("applicant.id", ProblemCode.MADE_FROM_ADDRESS)
            raise Impossible(RefusalCode.APPLICANT_ID_REFUSED, [wrong])
        if person.email is None and (anonymous or person.id is None):
            wrong = problem("applicant.email", ProblemCode.MISSING)
            raise Impossible(RefusalCode.APPLICANT_ADDRESS_MISSING, [wrong])
        made = person.id or self._ids.of_address(person.email or "")
        if actor.kind == "shop" and person.id is None:
            made = "p-" + self._access.seal("applicant", actor.id, made)
        elif actor.kind == "shop":
            made = f"{actor.id}:{person.id}"
            if len(made) > 64:
                made = "p-" + self._access.seal("applicant", actor.id, person.id or "")
        return Contact(id=made, **contact_fields(actor, person, self._ids))

    async def confirm(
        self, auction_id: str, application_id: str
    ) -> ApplicationRefused | Auction | None:
        """Say that the applicant followed the letter's link; the caller has checked the link.

        Returns the refusal of a reservation that can't count, or the auction that counts it;
        ``None`` if neither is known within seconds.
        """
        key = f"{auction_id}/refused/{application_id}"
        answer = await self._reader.fact(AUCTIONS.name, key)
        if answer is None:
            message = ApplicationConfirmed(
                application_id=application_id, auction_id=auction_id, at=now()
            )
            answers = [(AUCTIONS, key), (AUCTIONS, auction_id)]
            answer = await self._outcomes.ask(APPLICATIONS, message, answers=answers)
            # A repeated confirmation gets no answer, but an earlier refusal can be read by now.
            answer = answer or await self._reader.fact(AUCTIONS.name, key)
        if isinstance(answer, ApplicationRefused):
            return answer
        await self._reservations.confirmed(application_id)
        return answer if isinstance(answer, Auction) else None

    async def withdraw(self, actor: Actor, auction_id: str, application_id: str) -> None:
        """Take a reservation back, as long as the auction runs: a contract binds."""
        demand(actor, "applicant", "shop", "admin")
        if actor.kind == "applicant" and (actor.about, actor.id) != (auction_id, application_id):
            raise NotAllowed(RefusalCode.LINK_OF_OTHER_RESERVATION)
        if actor.kind == "shop" and not self._ids.is_made_by(actor, application_id):
            raise NotAllowed(RefusalCode.RESERVATION_OF_OTHER)
        auction = await known_auction(self._reader, auction_id)
        if auction.status != "open":
            raise Overtaken(RefusalCode.RESERVATIONS_STAND, status=auction.status)
        message = ApplicationWithdrawn(
            application_id=application_id, auction_id=auction_id, at=now()
        )
        await self._outcomes.send(APPLICATIONS, message)
        await self._reservations.withdrawn(application_id)


def _refused(reason: str, quantity_max: int | None) -> Impossible:
    """A refused reservation; if it is for too many units, the problem says how many can count."""
    problems = []
    if quantity_max is not None:
        problems = [problem("quantity", ProblemCode.AT_MOST, most=quantity_max)]
    return Impossible(RefusalCode.APPLICATION_REFUSED, problems, reason=reason)


def _raise_doubtful(price: int, shown: int) -> NoReturn:
    doubt = problem(
        "unit_price", ProblemCode.DOUBTFUL_PRICE, percent=percent_below(shown, price), shown=shown
    )
    raise Impossible(RefusalCode.OFFER_DOUBTED, [doubt])
