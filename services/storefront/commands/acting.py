"""What every command needs: who may, ids that are made here, and outcomes that are waited for.

Authority is judged here and nowhere else, for pages and the API alike. Ids come from a seed, so a
command that is repeated under the same ``Idempotency-Key`` is the same command on the log.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from domain.addresses import canonical
from domain.unverified import greetable, has_link
from runtime.cache import TwoGenerations
from schemas.auctions import AUCTIONS, SELLERS, Auction, Seller
from schemas.groups import DEFINITIONS, GROUP_PURCHASES, Definition, GroupPurchase
from schemas.parts import Message, Problem
from schemas.refusals import ProblemCode, RefusalCode
from schemas.topic import Topic
from services.storefront.access.callers import Access, Actor, Kind
from services.storefront.access.rates import Count, Rates
from services.storefront.live.hub import Hub
from services.storefront.model.owners import MARK_CHARACTERS
from services.storefront.model.reading import Reader
from services.storefront.problems import Impossible, NoCredential, NotAllowed, Unknown
from services.storefront.sending import Sender
from services.storefront.settings import PageSettings
from texts.reasons import problem

T = TypeVar("T")
M = TypeVar("M", bound=Message)

LOOK_SECONDS = 0.03
#: Commands whose letters were counted; so many are known at least.
COUNTED_SIZE = 10_000


class Acting:
    """The means of commands."""

    def __init__(
        self,
        settings: PageSettings,
        sender: Sender,
        hub: Hub,
        reader: Reader,
        access: Access,
        rates: Rates,
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._hub = hub
        self._reader = reader
        self._access = access
        self._rates = rates
        self._counted: TwoGenerations[bool] = TwoGenerations(COUNTED_SIZE)

    # --- outcomes --------------------------------------------------------------------------------

    async def _ask(
        self,
        topic: Topic,
        *messages: Message,
        answers: tuple[Topic, str] | list[tuple[Topic, str]],
        when: Callable[[Message], bool] | None = None,
    ) -> Message | None:
        """Send, and wait for an answer under one of these keys; ``None`` when it takes longer.

        What is answered can be read from then on, unless the read model lags by seconds.
        """
        keys = [answers] if isinstance(answers, tuple) else answers
        deadline = asyncio.get_running_loop().time() + self._settings.answer_seconds
        with self._hub.expect(keys[0][0], *(key for _, key in keys), when=when) as outcome:
            await self._sender.send(topic, *messages)
            answer = await outcome.within(self._settings.answer_seconds)
        if answer is not None:
            left = deadline - asyncio.get_running_loop().time()
            await self._readable(keys[0][0], [answer], left)
        return answer

    async def _tell(self, topic: Topic, fact: M) -> M:
        """Send a fact of our own; it can be read from then on, as above."""
        await self._tell_all(topic, [fact])
        return fact

    async def _tell_all(self, topic: Topic, facts: Sequence[Message]) -> None:
        """The same of several facts, within the seconds of one."""
        if not facts:
            return
        await self._sender.send(topic, *facts)
        await self._readable(topic, facts, self._settings.answer_seconds)

    async def _readable(self, topic: Topic, facts: Sequence[Message], seconds: float) -> None:
        """Wait until the read model holds facts, or newer ones of their keys, at most so long."""
        versions = {fact.key: getattr(fact, "version", 1) for fact in facts}

        async def held() -> bool | None:
            found = await self._reader.facts_of(topic.name, list(versions))
            are_there = all(
                key in found and getattr(found[key], "version", 1) >= version
                for key, version in versions.items()
            )
            return are_there or None

        await self._look(held, seconds)

    async def _look(self, find: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
        """Ask again and again until something is found, at most so long."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        pause = LOOK_SECONDS
        while (found := await find()) is None and loop.time() < ends:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        return found

    # --- ids -------------------------------------------------------------------------------------

    def _id(self, prefix: str, actor: Actor, seed: str | None, characters: int = 20) -> str:
        """An id that this actor's same seed always gives, and nobody else's."""
        made = self._access.seal("id", prefix, actor.name, seed or secrets.token_hex(16))
        return f"{prefix}-{self._mark(actor)}{made[:characters]}"

    def _mark(self, actor: Actor) -> str:
        """What the ids of a shop's commands begin with; so its own are known again."""
        if actor.kind != "shop":
            return ""
        return self._access.seal("mark", actor.name)[:MARK_CHARACTERS]

    def _is_of(self, actor: Actor, made: str) -> bool:
        """Whether a shop made this id."""
        return actor.kind == "shop" and made.partition("-")[2].startswith(self._mark(actor))

    def person_id(self, email: str) -> str:
        """A person's id, the same for all spellings of their address, which it does not reveal."""
        return "m-" + self._access.seal("person", canonical(email))[:24]

    # --- how much --------------------------------------------------------------------------------

    async def _count_letters(
        self, actor: Actor, recipients: Iterable[str | None], command: str | None = None
    ) -> None:
        """Count the letters that a command causes: per client, per recipient and in total.

        ``recipients`` has one entry for each letter: an address, or the result of ``recipient_of``
        if the address is not known here; ``None`` gets no letter. Letters that a shop or the admin
        causes are not counted. ``command`` names the command: a repeat causes no further letters,
        and this process does not count it again. Raises ``TooMany``, and ``Impossible`` for more
        letters than the limit of an hour.
        """
        if is_trusted(actor) or (command is not None and self._counted.get(command)):
            return
        mailboxes = Counter(canonical(each) for each in recipients if each)
        number = mailboxes.total()
        if not number:
            return
        most = self._settings.letters_per_hour
        if number > most:
            raise Impossible(RefusalCode.TOO_MANY_LETTERS, number=number, most=most)
        await self._rates.count_all(
            [
                Count("letters", actor.client, number),
                *(Count("letters-to-one", to, times) for to, times in mailboxes.items()),
                Count("letters-of-strangers", "all", number),
            ]
        )
        if command is not None:
            self._counted.put(command, True)

    # --- texts of strangers ----------------------------------------------------------------------

    def _name(self, actor: Actor, name: str | None) -> str | None:
        """A person's name if letters may repeat it; names from a shop or the admin are trusted."""
        return name if is_trusted(actor) else greetable(name)

    # --- who may ---------------------------------------------------------------------------------

    def _on_behalf(self, actor: Actor, kind: Kind, named: str | None, field: str) -> str:
        """For whom a key acts: its holder, or whom the admin names."""
        if actor.kind == "admin":
            if named is None:
                missing = problem(field, ProblemCode.MISSING_NAME)
                raise Impossible(RefusalCode.NOBODY_NAMED, [missing])
            return named
        demand(actor, kind)
        if named not in (None, actor.id):
            raise NotAllowed(RefusalCode.NOT_THE_KEYS, field=field)
        return actor.id

    def runs(self, actor: Actor, group: GroupPurchase, shop_id: str | None) -> bool:
        """Whether a group is the actor's to run: organizer, its shop, the winning seller, admin."""
        match actor.kind:
            case "admin":
                return True
            case "organizer":
                return actor.about == group.group_id
            case "shop" if group.definition_id is not None:
                return actor.id == shop_id
            case "shop":
                return self._is_of(actor, group.request_id)
            case "seller":
                return is_contract_of(group, actor.id)
        return False

    async def _need_running(self, actor: Actor, group: GroupPurchase, *kinds: Kind) -> None:
        demand(actor, *kinds)
        shop_id = None
        if group.definition_id is not None:
            found = await self._reader.fact(DEFINITIONS.name, group.definition_id)
            shop_id = found.shop_id if isinstance(found, Definition) else None
        if not self.runs(actor, group, shop_id):
            raise NotAllowed(RefusalCode.GROUP_OF_OTHER, held=actor.kind)

    async def group_run_by(self, actor: Actor, group_id: str) -> GroupPurchase:
        """A group's terms, for whoever runs it. Raises ``Unknown`` and ``NotAllowed``."""
        group = await self._group(group_id)
        await self._need_running(actor, group, "organizer", "shop", "seller", "admin")
        return group

    # --- what is known ---------------------------------------------------------------------------

    async def _group(self, group_id: str) -> GroupPurchase:
        found = await self._reader.fact(GROUP_PURCHASES.name, group_id)
        if not isinstance(found, GroupPurchase):
            raise Unknown(RefusalCode.NO_GROUP, id=group_id)
        return found

    async def _auction(self, auction_id: str) -> Auction:
        found = await self._reader.fact(AUCTIONS.name, auction_id)
        if not isinstance(found, Auction):
            raise Unknown(RefusalCode.NO_AUCTION, id=auction_id)
        return found

    async def definition(self, definition_id: str) -> Definition:
        """A definition, withdrawn or not. Raises ``Unknown``."""
        found = await self._reader.fact(DEFINITIONS.name, definition_id)
        if not isinstance(found, Definition):
            raise Unknown(RefusalCode.NO_DEFINITION, id=definition_id)
        return found

    async def _seller(self, seller_id: str) -> Seller:
        found = await self._reader.fact(SELLERS.name, seller_id)
        if not isinstance(found, Seller):
            raise Unknown(RefusalCode.NO_SELLER, id=seller_id)
        return found


def is_contract_of(group: GroupPurchase, seller_id: str) -> bool:
    """Whether a group purchase is the contract that this seller's condition came to."""
    organizer = group.organizer
    return (
        group.request_id.startswith("au-") and organizer is not None and organizer.id == seller_id
    )


def is_trusted(actor: Actor) -> bool:
    """Whether an actor is responsible for the people it names and the letters it causes."""
    return actor.kind in ("shop", "admin")


def link_problems(said: Mapping[str, str | None]) -> list[Problem]:
    """A problem for each field whose text letters must not repeat."""
    return [
        problem(field, ProblemCode.HAS_LINK)
        for field, text in said.items()
        if text and has_link(text)
    ]


def recipient_of(group_id: str, person_id: str) -> str:
    """The name to count letters by, for a recipient whose address is not known."""
    return f"{group_id}/{person_id}"


def demand(actor: Actor, *kinds: Kind) -> None:
    """Raises ``NoCredential`` without one, ``NotAllowed`` with another."""
    if actor.kind in kinds:
        return
    wanted = ", ".join(kinds)
    if actor.kind == "anonymous":
        raise NoCredential(RefusalCode.NEEDS, wanted=wanted)
    raise NotAllowed(RefusalCode.NEEDS_OTHER, wanted=wanted, held=actor.kind)


def now() -> datetime:
    """The wall clock; commands are dated by it."""
    return datetime.now(UTC)
