"""Links by email, on request: whoever reads a mailbox gets a letter to each of its people.

It has the links that the person holds, or the one to what is kept about the person.

Nobody learns whether an address is known. The answer comes before anything is looked up, and the
limits count what was typed, not what is found. Letters go to the addresses in ``people``, never to
the typed one: another spelling may be another person's mailbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from random import SystemRandom
from typing import TypeVar

import structlog
from aiokafka.errors import KafkaError

from domain.addresses import canonical
from domain.people import seller_of
from runtime.clients import TransportError
from schemas.auctions import AUCTIONS, SELLERS, Auction, Seller
from schemas.groups import GROUP_PURCHASES, GroupPurchase
from schemas.letters import NOTICES, HeldLink, LetterKind, Notice, Says, notice_id
from schemas.orders import PURCHASES, PurchaseState
from schemas.people import Person
from services.storefront.access.callers import Actor
from services.storefront.commands.letter_counts import LetterCounts
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.readmodel.database import DatabaseError
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.held_links import GroupHeld, Held, links_of

T = TypeVar("T")

#: People of one mailbox who get a letter: each shop has its own person, as has each spelling.
PEOPLE_MAX = 20
#: Facts of a kind that are looked at for one person; the newest.
FACTS_MAX = 200
#: Addresses that are looked up at once; others wait.
AT_ONCE = 2
#: A lookup begins so long after the answer, by chance, so no later request of the client tells
#: from its own time that there was much to look up.
WAIT_SECONDS = (0.5, 3.0)
#: What a notice is about that is about no single group or auction.
ABOUT = "links"
ABOUT_DATA = "data"
_HOUR_SECONDS = 3600

#: Makes the letter to a person, or none.
Letter = Callable[[Person, datetime], Awaitable[Notice | None]]

_CHANCE = SystemRandom()
_log = structlog.get_logger()


class LinkCommands:
    """Letters with links. Raises a ``Refusal`` if too many are asked for."""

    def __init__(self, reader: Reader, outcomes: Outcomes, letters: LetterCounts) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._letters = letters
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._work: set[asyncio.Task[None]] = set()

    async def ask(self, actor: Actor, email: str) -> None:
        """Have the links of an address sent to it, whether or not it is known. Raises ``TooMany``.

        Returns before the address is looked up, so the time tells nothing. Limits hold for every
        caller, also with a key, as nobody vouches for who asks.
        """
        await self._ask(actor, email, self._links_letter)

    async def ask_for_data(self, actor: Actor, email: str) -> None:
        """Have the link to what is kept sent to each person of an address, as ``ask`` does."""
        await self._ask(actor, email, _data_letter)

    async def _ask(self, actor: Actor, email: str, letter: Letter) -> None:
        await self._letters.count(Actor(client=actor.client), [email])
        task = asyncio.get_running_loop().create_task(self._send(email, letter))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def finish(self) -> None:
        """Wait until all that was asked for is sent."""
        await asyncio.gather(*self._work)

    async def _send(self, email: str, letter: Letter) -> None:
        await asyncio.sleep(_CHANCE.uniform(*WAIT_SECONDS))
        try:
            async with self._turns:
                at = now()
                people = await self._reader.people_at(canonical(email), PEOPLE_MAX)
                letters = [made for each in people if (made := await letter(each, at))]
                if letters:
                    await self._outcomes.send(NOTICES, *letters)
        except (DatabaseError, KafkaError, TransportError) as error:
            # The answer is given already; the person asks again.
            _log.warning("links that were asked for are not sent", error=type(error).__name__)

    async def _links_letter(self, person: Person, at: datetime) -> Notice | None:
        links = await self._links_of(person, at)
        if not links:
            return None
        return _letter("links-again", ABOUT, person, at, links[0].party_id, links)

    async def _links_of(self, person: Person, at: datetime) -> tuple[HeldLink, ...]:
        reader, person_id = self._reader, person.person_id
        organized = await reader.organized_by(person_id, FACTS_MAX)
        rows = await reader.bought_by(person_id, FACTS_MAX)
        reserved = await reader.reserved_by(person_id, FACTS_MAX)
        seller_id = seller_of(person_id)
        terms = {each.group_id: each for each in organized}
        own = frozenset(terms)
        terms |= await self._facts(
            GroupPurchase, GROUP_PURCHASES.name, (each.group_id for each in rows)
        )
        states = await self._facts(PurchaseState, PURCHASES.name, terms)
        auctions = await self._facts(Auction, AUCTIONS.name, (each for each, _ in reserved))
        seller = await reader.fact(SELLERS.name, seller_id) if seller_id else None
        groups = tuple(
            GroupHeld(
                each,
                states.get(group_id),
                group_id in own,
                tuple(row.member_id for row in rows if row.group_id == group_id),
            )
            for group_id, each in terms.items()
        )
        reservations = tuple(
            (auctions[auction_id], application_id)
            for auction_id, application_id in reserved
            if auction_id in auctions
        )
        held = Held(groups, reservations, seller if isinstance(seller, Seller) else None)
        return links_of(held, at)

    async def _facts(self, kind: type[T], topic: str, keys: Iterable[str]) -> dict[str, T]:
        found = await self._reader.facts_of(topic, list(dict.fromkeys(keys)))
        return {key: fact for key, fact in found.items() if isinstance(fact, kind)}


async def _data_letter(person: Person, at: datetime) -> Notice:
    return _letter("data-link", ABOUT_DATA, person, at, ABOUT_DATA)


def _letter(
    kind: LetterKind,
    about: str,
    person: Person,
    at: datetime,
    party_id: str,
    links: tuple[HeldLink, ...] = (),
) -> Notice:
    """The letter to a person; one an hour, as a repeat has the same id."""
    hour = int(at.timestamp()) // _HOUR_SECONDS
    return Notice(
        notice_id=notice_id(kind, about, person.person_id, hour),
        kind=kind,
        recipient_id=person.person_id,
        about=about,
        at=at,
        says=Says(party_id=party_id, links=links),
    )
