"""Commands of group purchases: publish, ask, withdraw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from domain.sources import sources_of_shop
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
from schemas.parts import Message
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.acting import Acting, demand, is_trusted, now
from services.storefront.commands.given import (
    DefinitionGiven,
    GroupGiven,
    MemberGiven,
    PersonGiven,
    WithdrawalGiven,
)
from services.storefront.commands.terms import definition_problems
from services.storefront.problems import Impossible, NotAllowed, Overtaken, Unknown
from texts.reasons import problem

#: One record holds at most 900 kB, and so many members.
MEMBERS_PER_PART = 1_000
PART_BYTES_MAX = 400_000
OWN_TERMS = (
    *("product", "unit_price", "currency", "favor", "if_incomplete", "grace_seconds"),
    "sources",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request; until the id is issued, ``group_id`` is ``None``."""

    request_id: str
    organizer_id: str
    group_id: str | None


class GroupCommands(Acting):
    """Raise a ``Refusal`` for what can't be done, ``TransportError`` when the log is away."""

    # --- definitions -----------------------------------------------------------------------------

    async def publish_definition(
        self, actor: Actor, given: DefinitionGiven, seed: str | None = None
    ) -> Definition:
        """Publish a definition, or the next version of the shop's own."""
        shop_id = self._on_behalf(actor, "shop", given.shop_id, "shop_id")
        problems = list(definition_problems(given))
        if problems:
            raise Impossible(RefusalCode.DEFINITION_REFUSED, problems)
        definition_id = given.definition_id or self._id("d", actor, seed)
        before = await self._reader.fact(DEFINITIONS.name, definition_id)
        if isinstance(before, Definition):
            if before.shop_id != shop_id:
                raise NotAllowed(RefusalCode.DEFINITION_OF_OTHER)
            if given.definition_id is None:
                return before
        elif given.definition_id is not None:
            raise Unknown(RefusalCode.NO_DEFINITION_YET, id=definition_id)
        fields = given.model_dump(mode="json", exclude_none=True, exclude={"shop_id"})
        definition = Definition.model_validate_json(
            _json(
                fields,
                definition_id=definition_id,
                shop_id=shop_id,
                published_at=now().isoformat(),
                version=before.version + 1 if isinstance(before, Definition) else 1,
            )
        )
        return await self._tell(DEFINITIONS, definition)

    async def withdraw_definition(self, actor: Actor, definition_id: str) -> Definition:
        """Withdraw a definition: groups that run under it go on, no new ones begin."""
        demand(actor, "shop", "admin")
        found = await self.definition(definition_id)
        if actor.kind == "shop" and actor.id != found.shop_id:
            raise NotAllowed(RefusalCode.DEFINITION_OF_OTHER)
        if found.withdrawn_at is not None:
            return found
        changed = {"withdrawn_at": now(), "version": found.version + 1}
        return await self._tell(DEFINITIONS, found.model_copy(update=changed))

    # --- requests --------------------------------------------------------------------------------

    async def request_group_purchase(
        self, actor: Actor, given: GroupGiven, seed: str | None = None
    ) -> Asked:
        """Ask for a group purchase: anyone under a definition, a shop under terms of its own."""
        await self._need_terms(actor, given)
        request_id = self._id("r", actor, seed)
        organizer = self._person(actor, given.organizer or PersonGiven(), "organizer")
        if organizer["id"] is None:
            # Somebody without an address: known by the link alone.
            organizer["id"] = f"o-{self._access.seal('organizer', request_id)[:20]}"
        outcome = await self._reader.fact(REQUEST_OUTCOMES.name, request_id)
        if outcome is None:
            messages = self._request(actor, given, request_id, organizer)
            people = (given.organizer, *given.members)
            await self._count_letters(actor, [each.email for each in people if each], request_id)
            if actor.kind == "anonymous":
                await self._rates.count("requests", actor.client)
            outcome = await self._ask(
                GROUP_PURCHASE_REQUESTS, *messages, answers=(REQUEST_OUTCOMES, request_id)
            )
        return await self._asked(request_id, outcome, self._settings.answer_seconds)

    async def _need_terms(self, actor: Actor, given: GroupGiven) -> None:
        if actor.kind not in ("anonymous", "shop", "admin"):
            demand(actor, "shop", "admin")
        own = [name for name in OWN_TERMS if getattr(given, name) is not None]
        if actor.kind == "anonymous":
            most = self._settings.members_listed_by_anyone
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

    def _request(
        self, actor: Actor, given: GroupGiven, request_id: str, organizer: dict[str, Any]
    ) -> Sequence[Message]:
        """The request, and its members in parts if one record can't hold them."""
        fields = given.model_dump(mode="json", exclude_none=True, exclude={"members", "organizer"})
        if actor.kind == "shop" and given.definition_id is None and not given.sources:
            fields["sources"] = sources_of_shop(actor.id)
        members = [
            self._person(actor, each, f"members[{place}]")
            for place, each in enumerate(given.members)
        ]
        parts = list(_in_parts(members))
        listed: dict[str, Any] = {}
        if len(parts) == 1:
            listed = {"members": parts[0]}
        elif parts:
            listed = {"member_parts": len(parts)}
        request = GroupPurchaseRequested.model_validate_json(
            _json(
                fields | listed,
                request_id=request_id,
                requested_at=now().isoformat(),
                organizer=organizer,
            )
        )
        followers = enumerate(parts, 1) if len(parts) > 1 else ()
        return [
            request,
            *(
                MembersListed.model_validate_json(
                    _json(request_id=request_id, part=number, parts=len(parts), members=part)
                )
                for number, part in followers
            ),
        ]

    def _person(self, actor: Actor, person: PersonGiven, field: str) -> dict[str, Any]:
        """A person of a message; without a shop's id, the id is made from the address.

        An id that a stranger gives is refused, as it could be another person's.
        """
        fields: dict[str, Any] = person.model_dump(mode="json", exclude_none=True)
        if person.id is not None and not is_trusted(actor):
            raise Impossible(
                RefusalCode.PERSON_ID_REFUSED,
                [problem(f"{field}.id", ProblemCode.MADE_FROM_ADDRESS)],
            )
        fields["name"] = self._name(actor, person.name)
        if person.id is None:
            fields["id"] = self.person_id(person.email) if person.email else None
        if fields["id"] is None and isinstance(person, MemberGiven):
            raise Impossible(
                RefusalCode.MEMBER_UNKNOWN, [problem(field, ProblemCode.NO_EMAIL_OR_ID)]
            )
        return fields

    async def outcome(self, actor: Actor, request_id: str) -> Asked:
        """What became of a request. Raises ``Impossible`` with every problem if it is refused."""
        demand(actor, "requester", "admin")
        if actor.kind == "requester" and actor.about != request_id:
            raise NotAllowed(RefusalCode.TOKEN_OF_OTHER_REQUEST)
        outcome = await self._reader.fact(REQUEST_OUTCOMES.name, request_id)
        return await self._asked(request_id, outcome, 0)

    async def _asked(self, request_id: str, outcome: Message | None, seconds: float) -> Asked:
        """What became of a request, as far as it can be read within so many seconds.

        An id is told of once the group's terms, which come by another topic, are there too.
        """
        if isinstance(outcome, RequestRefused):
            raise Impossible(RefusalCode.REQUEST_REFUSED, outcome.problems)
        terms: Message | None = None
        if isinstance(outcome, IdIssued):
            place = GROUP_PURCHASES.name, outcome.group_id
            terms = await self._look(lambda: self._reader.fact(*place), seconds)
        if not isinstance(terms, GroupPurchase):
            return Asked(request_id, "", None)
        return Asked(request_id, terms.organizer.id if terms.organizer else "", terms.group_id)

    async def withdraw_group_purchase(
        self, actor: Actor, group_id: str, given: WithdrawalGiven
    ) -> GroupPurchase:
        """Take a group purchase back; ``withdrawn_at`` is set in what is returned once it is so."""
        demand(actor, "organizer", "shop", "admin")
        group = await self._group(group_id)
        await self._need_running(actor, group, "organizer", "shop", "admin")
        if group.withdrawn_at is not None:
            return group
        state = await self._reader.fact(PURCHASES.name, group_id)
        if isinstance(state, PurchaseState) and state.status != "open":
            raise Overtaken(RefusalCode.GROUP_ENDED, status=state.status)
        message = GroupPurchaseWithdrawn(request_id=group.request_id, at=now(), reason=given.reason)
        answer = await self._ask(
            GROUP_PURCHASE_REQUESTS, message, answers=(GROUP_PURCHASES, group_id)
        )
        return answer if isinstance(answer, GroupPurchase) else group


def _in_parts(members: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for member in members:
        bytes_of_one = len(_json(member))
        if part and (len(part) == MEMBERS_PER_PART or size + bytes_of_one > PART_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(member)
        size += bytes_of_one
    if part:
        yield part


def _json(fields: dict[str, Any] | None = None, **more: Any) -> bytes:
    return to_json((fields or {}) | more)
