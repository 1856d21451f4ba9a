"""Commands of group purchases: publish, ask, withdraw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from domain.sources import sources_of_shop
from schemas.api.groups import DefinitionGiven, FavorGiven, GroupGiven, MemberGiven
from schemas.api.parts import PersonGiven, WithdrawalGiven
from schemas.groups import (
    DEFINITIONS,
    GROUP_PURCHASE_REQUESTS,
    GROUP_PURCHASES,
    REQUEST_OUTCOMES,
    Definition,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdIssued,
    MembersListed,
    RequestRefused,
)
from schemas.orders import PURCHASES, PurchaseState
from schemas.parts import (
    Contact,
    FavorTerms,
    Limits,
    ListedMember,
    MemberPayment,
    Message,
    PaymentChoices,
    PaymentTerms,
    Tier,
)
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Access, Actor
from services.storefront.access.rates import Rates
from services.storefront.commands.authority import Authority, demand, is_trusted, on_behalf
from services.storefront.commands.contacts import contact_fields
from services.storefront.commands.ids import Ids
from services.storefront.commands.images import ImageCommands
from services.storefront.commands.letter_counts import LetterCounts
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, NotAllowed, Overtaken, Unknown
from services.storefront.readmodel.details import known_definition, known_group
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.definitions import definition_problems
from services.storefront.settings import PageSettings
from texts.reasons import problem

#: One record holds at most 900 kB, and so many members.
MEMBERS_PER_PART = 1_000
PART_BYTES_MAX = 400_000
OWN_TERMS = (
    *("product", "unit_price", "currency", "favor", "if_incomplete", "grace_seconds"),
    "sources",
)
#: Terms of a request that are the same values in its message.
PLAIN_TERMS = (
    *("definition_id", "number_of_products", "unit_price", "currency", "if_incomplete"),
    *("grace_seconds", "opens_at", "closes_at", "stop_at_number", "visibility", "sources"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The outcome of a request; until the id is issued, ``group_id`` is ``None``."""

    request_id: str
    organizer_id: str
    group_id: str | None


class DefinitionCommands:
    """Definitions. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes, ids: Ids, images: ImageCommands) -> None:
        self._images = images
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids

    async def publish(
        self, actor: Actor, given: DefinitionGiven, seed: str | None = None
    ) -> Definition:
        """Publish a definition, or the next version of the shop's own."""
        shop_id = on_behalf(actor, "shop", given.shop_id, "shop_id")
        problems = list(definition_problems(given))
        problems += await self._images.product_problems(given.product.images)
        if problems:
            raise Impossible(RefusalCode.DEFINITION_REFUSED, problems)
        definition_id = given.definition_id or self._ids.new("d", actor, seed)
        before = await self._reader.fact(DEFINITIONS.name, definition_id)
        if isinstance(before, Definition):
            if before.shop_id != shop_id:
                raise NotAllowed(RefusalCode.DEFINITION_OF_OTHER)
            if given.definition_id is None:
                return before
        elif given.definition_id is not None:
            raise Unknown(RefusalCode.NO_DEFINITION_YET, id=definition_id)
        definition = Definition(
            definition_id=definition_id,
            shop_id=shop_id,
            product=given.product.product(),
            unit_price=given.unit_price,
            currency=given.currency,
            favor=_favor_terms(given.favor),
            if_incomplete=given.if_incomplete,
            limits=Limits(**given.limits.model_dump()),
            payment=PaymentChoices(scope=given.payment.scope, methods=given.payment.methods),
            published_at=now(),
            version=before.version + 1 if isinstance(before, Definition) else 1,
        )
        return await self._outcomes.tell(DEFINITIONS, definition)

    async def withdraw(self, actor: Actor, definition_id: str) -> Definition:
        """Withdraw a definition: groups that run under it go on, no new ones begin."""
        demand(actor, "shop", "admin")
        found = await known_definition(self._reader, definition_id)
        if actor.kind == "shop" and actor.id != found.shop_id:
            raise NotAllowed(RefusalCode.DEFINITION_OF_OTHER)
        if found.withdrawn_at is not None:
            return found
        changed = {"withdrawn_at": now(), "version": found.version + 1}
        return await self._outcomes.tell(DEFINITIONS, found.model_copy(update=changed))


class GroupCommands:
    """Requests and withdrawals. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        settings: PageSettings,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        letters: LetterCounts,
        authority: Authority,
        access: Access,
        rates: Rates,
        images: ImageCommands,
    ) -> None:
        self._images = images
        self._members_max = settings.members_listed_by_anyone
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._letters = letters
        self._authority = authority
        self._access = access
        self._rates = rates

    async def request(self, actor: Actor, given: GroupGiven, seed: str | None = None) -> Asked:
        """Ask for a group purchase: anyone under a definition, a shop under terms of its own."""
        await self._need_terms(actor, given)
        if given.product is not None:
            problems = await self._images.product_problems(given.product.images)
            if problems:
                raise Impossible(RefusalCode.REQUEST_REFUSED, problems)
        request_id = self._ids.new("r", actor, seed)
        person = given.organizer or PersonGiven()
        organizer_id = self._person_id(actor, person, "organizer")
        if organizer_id is None:
            # An organizer without an address is known by the link alone.
            organizer_id = f"o-{self._access.seal('organizer', request_id)[:20]}"
        organizer = Contact(id=organizer_id, **contact_fields(actor, person, self._ids))
        outcome = await self._reader.fact(REQUEST_OUTCOMES.name, request_id)
        if outcome is None:
            await self._need_definition(given.definition_id)
            messages = self._request(actor, given, request_id, organizer)
            people = (given.organizer, *given.members)
            await self._letters.count(actor, [each.email for each in people if each], request_id)
            if actor.kind == "anonymous":
                await self._rates.count("requests", actor.client)
            outcome = await self._outcomes.ask(
                GROUP_PURCHASE_REQUESTS, *messages, answers=(REQUEST_OUTCOMES, request_id)
            )
        return await self._asked(request_id, outcome, self._outcomes.seconds)

    async def _need_terms(self, actor: Actor, given: GroupGiven) -> None:
        if actor.kind not in ("anonymous", "shop", "admin"):
            demand(actor, "shop", "admin")
        own = [name for name in OWN_TERMS if getattr(given, name) is not None]
        if actor.kind == "anonymous":
            most = self._members_max
            if len(given.members) > most:
                too_many = problem("members", ProblemCode.AT_MOST_WITHOUT_KEY, most=most)
                raise Impossible(RefusalCode.MEMBERS_REFUSED, [too_many])
            if own:
                raise NotAllowed(RefusalCode.OWN_TERMS, fields=", ".join(own))
            if given.definition_id is None:
                raise NotAllowed(RefusalCode.OWN_TERMS_NO_DEFINITION)
        if actor.kind == "shop" and given.definition_id is not None and own:
            definition = await self._reader.fact(DEFINITIONS.name, given.definition_id)
            if isinstance(definition, Definition) and definition.shop_id != actor.id:
                raise NotAllowed(RefusalCode.DEFINITION_TERMS_OF_OTHER)

    async def _need_definition(self, definition_id: str | None) -> None:
        """Refuse a definition that nobody published, as request_service would after a minute."""
        if definition_id is None:
            return
        place = DEFINITIONS.name, definition_id
        if await self._outcomes.named(lambda: self._reader.fact(*place)) is None:
            unknown = problem("definition_id", ProblemCode.UNKNOWN_DEFINITION)
            raise Impossible(RefusalCode.REQUEST_REFUSED, [unknown])

    def _request(
        self, actor: Actor, given: GroupGiven, request_id: str, organizer: Contact
    ) -> Sequence[Message]:
        """The request, and its members in parts if one record can't hold them."""
        terms = _terms_of(given)
        if actor.kind == "shop" and given.definition_id is None and not given.sources:
            terms["sources"] = sources_of_shop(actor.id)
        if actor.kind == "shop":
            terms["shop_id"] = actor.id
        members = [
            self._member(actor, each, f"members[{place}]")
            for place, each in enumerate(given.members)
        ]
        parts = list(_in_parts(members))
        if len(parts) == 1:
            terms["members"] = parts[0]
        elif parts:
            terms["member_parts"] = len(parts)
        request = GroupPurchaseRequested(
            request_id=request_id, requested_at=now(), organizer=organizer, **terms
        )
        followers = enumerate(parts, 1) if len(parts) > 1 else ()
        return [
            request,
            *(
                MembersListed(request_id=request_id, part=number, parts=len(parts), members=part)
                for number, part in followers
            ),
        ]

    def _member(self, actor: Actor, person: MemberGiven, field: str) -> ListedMember:
        """A listed member. Raises ``Impossible`` without an id and an address."""
        member_id = self._person_id(actor, person, field)
        if member_id is None:
            raise Impossible(
                RefusalCode.MEMBER_UNKNOWN, [problem(field, ProblemCode.NO_EMAIL_OR_ID)]
            )
        own = person.payment
        return ListedMember(
            id=member_id,
            payment=None if own is None else MemberPayment(method=own.method),
            **contact_fields(actor, person, self._ids),
        )

    def _person_id(self, actor: Actor, person: PersonGiven, field: str) -> str | None:
        """The id that a shop gives, else one made from the address; ``None`` without both.

        An id that a stranger gives is refused, as it could be another person's.
        """
        if person.id is None:
            return self._ids.of_address(person.email) if person.email else None
        if not is_trusted(actor):
            raise Impossible(
                RefusalCode.PERSON_ID_REFUSED,
                [problem(f"{field}.id", ProblemCode.MADE_FROM_ADDRESS)],
            )
        return person.id

    async def outcome(self, actor: Actor, request_id: str) -> Asked:
        """The outcome of a request. Raises ``Impossible`` with every problem if it is refused."""
        demand(actor, "requester", "admin")
        if actor.kind == "requester" and actor.about != request_id:
            raise NotAllowed(RefusalCode.TOKEN_OF_OTHER_REQUEST)
        outcome = await self._reader.fact(REQUEST_OUTCOMES.name, request_id)
        return await self._asked(request_id, outcome, 0)

    async def _asked(self, request_id: str, outcome: Message | None, seconds: float) -> Asked:
        """The outcome of a request, as far as it can be read within so many seconds.

        An id is told of once the group's terms, which come by another topic, are there too.
        """
        if isinstance(outcome, RequestRefused):
            raise Impossible(RefusalCode.REQUEST_REFUSED, outcome.problems)
        terms: Message | None = None
        if isinstance(outcome, IdIssued):
            place = GROUP_PURCHASES.name, outcome.group_id
            terms = await self._outcomes.look(lambda: self._reader.fact(*place), seconds)
        if not isinstance(terms, GroupPurchase):
            return Asked(request_id, "", None)
        return Asked(request_id, terms.organizer.id if terms.organizer else "", terms.group_id)

    async def withdraw(self, actor: Actor, group_id: str, given: WithdrawalGiven) -> GroupPurchase:
        """Take a group purchase back; ``withdrawn_at`` is set in what is returned once it is so."""
        demand(actor, "organizer", "shop", "admin")
        group = await known_group(self._reader, group_id)
        await self._authority.need_running(actor, group, "organizer", "shop", "admin")
        if group.withdrawn_at is not None:
            return group
        state = await self._reader.fact(PURCHASES.name, group_id)
        if isinstance(state, PurchaseState) and state.status != "open":
            raise Overtaken(RefusalCode.GROUP_ENDED, status=state.status)
        message = GroupPurchaseWithdrawn(request_id=group.request_id, at=now(), reason=given.reason)
        answer = await self._outcomes.ask(
            GROUP_PURCHASE_REQUESTS, message, answers=(GROUP_PURCHASES, group_id)
        )
        return answer if isinstance(answer, GroupPurchase) else group


def _favor_terms(given: FavorGiven) -> FavorTerms:
    tiers = tuple(Tier(**each.model_dump()) for each in given.tiers)
    return FavorTerms(scope=given.scope, tiers=tiers)


def _terms_of(given: GroupGiven) -> dict[str, Any]:
    """The terms that a request gives; the definition decides all others."""
    terms: dict[str, Any] = {
        name: value for name in PLAIN_TERMS if (value := getattr(given, name)) is not None
    }
    if given.product is not None:
        terms["product"] = given.product.product()
    if given.favor is not None:
        terms["favor"] = _favor_terms(given.favor)
    if given.payment is not None:
        terms["payment"] = PaymentTerms(**given.payment.model_dump(exclude_none=True))
    return terms


def _in_parts(members: Sequence[ListedMember]) -> Iterator[tuple[ListedMember, ...]]:
    """Members in parts that a record can hold."""
    part: list[ListedMember] = []
    size = 0
    for member in members:
        bytes_of_one = len(member.model_dump_json(exclude_none=True).encode())
        if part and (len(part) == MEMBERS_PER_PART or size + bytes_of_one > PART_BYTES_MAX):
            yield tuple(part)
            part, size = [], 0
        part.append(member)
        size += bytes_of_one
    if part:
        yield tuple(part)
