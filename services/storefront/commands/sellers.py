"""Commands about who may act: sellers, their standing, keys, and which letters people want."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from domain.sources import is_reserved, shop_of
from schemas.api.parts import BusinessGiven
from schemas.api.sellers import ProfileGiven, SellerGiven
from schemas.auctions import (
    AUTOMATIC,
    SELLER_REGISTRATIONS,
    SELLERS,
    Seller,
    SellerAct,
    SellerApproved,
    SellerDescribed,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
    Standing,
)
from schemas.letters import MAIL_PREFERENCES, Preference
from schemas.ops import API_KEYS, ApiKey
from schemas.parts import Message
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Actor, new_key, revoked
from services.storefront.access.rates import Rates
from services.storefront.commands.authority import demand
from services.storefront.commands.ids import Ids
from services.storefront.commands.images import ImageCommands
from services.storefront.commands.letter_counts import LetterCounts, link_problems
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.commands.shops import business_problems
from services.storefront.problems import Impossible, NotAllowed, Overtaken, Unknown
from services.storefront.readmodel.details import known_seller
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.rows import KeyRow, Listed
from services.storefront.settings import PageSettings

Act = Literal["approval", "suspension", "reinstatement"]
_ACTS: dict[Act, tuple[type[SellerAct], Standing]] = {
    "approval": (SellerApproved, "good"),
    "suspension": (SellerSuspended, "suspended"),
    "reinstatement": (SellerReinstated, "good"),
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration: ``credential`` is said once, ``seller`` is ``None`` while it takes longer."""

    seller_id: str
    credential: str | None
    seller: Seller | None


#: For so long, a form that is sent again gets the same key said.
SAID_AGAIN_FOR = timedelta(minutes=1)


class SellerCommands:
    """Sellers and their standing. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        settings: PageSettings,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        letters: LetterCounts,
        rates: Rates,
        images: ImageCommands,
    ) -> None:
        self._images = images
        self._approves = settings.sellers_approved == "automatic"
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._letters = letters
        self._rates = rates

    async def register(
        self, actor: Actor, given: SellerGiven, seed: str | None = None
    ) -> Registered:
        """Register somebody who wants to sell; a registered seller gets no new key."""
        seller_id = self._ids.new("s", actor, seed)
        found = await self._reader.fact(SELLERS.name, seller_id)
        if isinstance(found, Seller):
            return Registered(seller_id, None, found)
        problems = await business_problems(actor, given, None, self._images)
        if actor.kind != "admin":
            # Buyers read the seller's name and contact in their letters.
            problems += link_problems({"name": given.name, **_plain_texts(given)})
        if problems:
            raise Impossible(RefusalCode.SELLER_REFUSED, problems)
        if actor.kind != "admin":
            # A registered seller gets letters, such as invitations to outbid.
            await self._letters.count(actor, [given.email], seller_id)
            await self._rates.count("registrations", actor.client)
        at = now()
        message = SellerRegistered(
            seller_id=seller_id,
            registered_at=at,
            name=given.name,
            email=given.email,
            locale=given.locale,
            time_zone=given.time_zone,
            **given.business(),
        )
        key, credential = new_key("seller", seller_id)
        await self._outcomes.send(API_KEYS, key)
        messages: list[Message] = [message]
        if self._approves:
            messages.append(SellerApproved(seller_id=seller_id, at=at, reason=AUTOMATIC))
        standing = "good" if self._approves else "pending"

        def told(answer: Message) -> bool:
            return isinstance(answer, Seller) and answer.standing == standing

        await self._outcomes.ask(
            SELLER_REGISTRATIONS, *messages, answers=(SELLERS, seller_id), when=told
        )
        seller = await self._reader.fact(SELLERS.name, seller_id)
        await self._outcomes.readable(API_KEYS, [key], self._outcomes.seconds)
        return Registered(seller_id, credential, seller if isinstance(seller, Seller) else None)

    async def registration(self, actor: Actor) -> Seller:
        """The seller's own registration."""
        demand(actor, "seller")
        return await known_seller(self._reader, actor.id)

    async def described(self, actor: Actor, seller_id: str) -> Seller:
        """A seller whose description the actor may change: the seller's own, or any for the admin.

        Raises ``NotAllowed`` and ``Unknown``.
        """
        demand(actor, "seller", "admin")
        if actor.kind == "seller" and actor.id != seller_id:
            raise NotAllowed(RefusalCode.SELLER_OF_OTHER)
        return await known_seller(self._reader, seller_id)

    async def describe(
        self, actor: Actor, seller_id: str, given: ProfileGiven
    ) -> tuple[Seller, bool]:
        """Describe a seller anew: the seller, and whether the description can be read already.

        The same description again changes nothing.
        """
        before = await self.described(actor, seller_id)
        problems = [] if actor.kind == "admin" else link_problems(_plain_texts(given))
        problems += await business_problems(actor, given, before, self._images)
        if problems:
            raise Impossible(RefusalCode.SHOP_REFUSED, problems)
        said = given.business()

        def is_said(seller: Message) -> bool:
            return all(getattr(seller, name) == said[name] for name in said)

        if is_said(before):
            return before, True
        message = SellerDescribed(seller_id=seller_id, at=now(), **said)
        answer = await self._outcomes.ask(
            SELLER_REGISTRATIONS, message, answers=(SELLERS, seller_id), when=is_said
        )
        return (answer, True) if isinstance(answer, Seller) else (before, False)

    async def act(
        self, actor: Actor, seller_id: str, act: Act, reason: str | None = None
    ) -> Seller:
        """Approve, suspend or reinstate."""
        demand(actor, "admin")
        before = await known_seller(self._reader, seller_id)
        kind, standing = _ACTS[act]
        if before.standing == standing:
            return before
        if act == "approval" and before.standing == "suspended":
            raise Impossible(RefusalCode.SELLER_SUSPENDED)
        if act == "reinstatement" and before.standing == "pending":
            raise Impossible(RefusalCode.SELLER_NEVER_APPROVED)
        message = kind(seller_id=seller_id, at=now(), reason=reason)
        answer = await self._outcomes.ask(
            SELLER_REGISTRATIONS, message, answers=(SELLERS, seller_id)
        )
        return answer if isinstance(answer, Seller) else before


def _plain_texts(given: BusinessGiven) -> dict[str, str | None]:
    """Texts of a description that letters repeat, and that mail programs must not link."""
    return {"postal_address": given.postal_address, "delivery": given.delivery}


class KeyCommands:
    """Keys of sellers and shops. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes, ids: Ids) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids

    async def issue(
        self,
        actor: Actor,
        role: Literal["seller", "shop"],
        holder_id: str,
        seed: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A further key, said once: for a seller by the seller or the admin, else by the admin.

        The same seed gives the same key, so a form that is sent twice issues one. Raises
        ``Overtaken`` if that key was issued a while ago.
        """
        demand(actor, *(("seller", "admin") if role == "seller" else ("admin",)))
        if actor.kind == "seller" and actor.id != holder_id:
            raise NotAllowed(RefusalCode.SELLER_OF_OTHER)
        if role == "seller":
            await known_seller(self._reader, holder_id)
        elif is_reserved(holder_id) or ":" in holder_id or not shop_of(holder_id):
            raise Impossible(RefusalCode.SHOP_ID_RESERVED)
        key, credential = new_key(role, holder_id, (seed and self._ids.of_key(actor, seed)) or None)
        known = None if seed is None else await self._reader.api_key(key.key_id)
        if known is None:
            return await self._outcomes.tell(API_KEYS, key), credential
        if known.revoked_at is not None or now() - known.issued_at > SAID_AGAIN_FOR:
            raise Overtaken(RefusalCode.KEY_WAS_SAID)
        return known, credential

    async def revoke(self, actor: Actor, key_id: str) -> ApiKey:
        """End a key: by its holder, with any key of the same holder, or by the admin."""
        demand(actor, "seller", "shop", "admin")
        key = await self._reader.api_key(key_id)
        if key is None or (
            actor.kind != "admin" and (key.role, key.holder_id) != (actor.kind, actor.id)
        ):
            # Another holder's key and a missing key get the same answer.
            raise Unknown(RefusalCode.NO_KEY_OF_YOURS)
        if key.revoked_at is not None:
            return key
        return await self._outcomes.tell(API_KEYS, revoked(key))

    async def page(
        self,
        actor: Actor,
        role: Literal["seller", "shop"] | None = None,
        holder_id: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Listed[KeyRow]:
        """Keys, the newest first: of a role and a holder, or of all. Raises ``BadCursor``."""
        demand(actor, "admin")
        return await self._reader.keys_of(role, holder_id, cursor, limit)


class PreferenceCommands:
    """Choices of recipients: which kinds of letters they want."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    async def prefer(
        self, kind_of_word: type[Preference], recipient_id: str, kind: str, mailbox: str
    ) -> None:
        """Send a recipient's choice on letters of a kind; the caller has checked the link."""
        said = {"recipient_id": recipient_id, "kind": kind, "mailbox": mailbox, "at": now()}
        await self._outcomes.send(MAIL_PREFERENCES, kind_of_word.model_validate(said))
