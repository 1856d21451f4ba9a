"""Authority, judged here alone, for pages and the API alike."""

from schemas.groups import DEFINITIONS, Definition, GroupPurchase
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor, Kind
from services.storefront.commands.ids import Ids
from services.storefront.problems import Impossible, NoCredential, NotAllowed
from services.storefront.readmodel.details import known_group
from services.storefront.readmodel.reader import Reader
from texts.reasons import problem


class Authority:
    """Judges who runs a group purchase."""

    def __init__(self, reader: Reader, ids: Ids) -> None:
        self._reader = reader
        self._ids = ids

    async def runs(self, actor: Actor, group: GroupPurchase) -> bool:
        """Whether a group is the actor's to run: organizer, its shop, the winning seller, admin."""
        match actor.kind:
            case "admin":
                return True
            case "organizer":
                return actor.about == group.group_id
            case "shop" if group.definition_id is not None:
                found = await self._reader.fact(DEFINITIONS.name, group.definition_id)
                return isinstance(found, Definition) and actor.id == found.shop_id
            case "shop":
                return self._ids.is_made_by(actor, group.request_id)
            case "seller":
                return is_contract_of(group, actor.id)
        return False

    async def need_running(self, actor: Actor, group: GroupPurchase, *kinds: Kind) -> None:
        """Raises ``NotAllowed`` unless the actor is of one of these kinds and runs the group."""
        demand(actor, *kinds)
        if not await self.runs(actor, group):
            raise NotAllowed(RefusalCode.GROUP_OF_OTHER, held=actor.kind)

    async def group_run_by(self, actor: Actor, group_id: str) -> GroupPurchase:
        """A group's terms, if the actor runs it. Raises ``Unknown`` and ``NotAllowed``."""
        group = await known_group(self._reader, group_id)
        await self.need_running(actor, group, "organizer", "shop", "seller", "admin")
        return group


def is_contract_of(group: GroupPurchase, seller_id: str) -> bool:
    """Whether a group purchase is the contract that this seller's condition came to."""
    organizer = group.organizer
    return (
        group.request_id.startswith("au-") and organizer is not None and organizer.id == seller_id
    )


def is_trusted(actor: Actor) -> bool:
    """Whether an actor is responsible for the people it names and the letters it causes."""
    return actor.kind in ("shop", "admin")


def demand(actor: Actor, *kinds: Kind) -> None:
    """Raises ``NoCredential`` without one, ``NotAllowed`` with another."""
    if actor.kind in kinds:
        return
    wanted = ", ".join(kinds)
    if actor.kind == "anonymous":
        raise NoCredential(RefusalCode.NEEDS, wanted=wanted)
    raise NotAllowed(RefusalCode.NEEDS_OTHER, wanted=wanted, held=actor.kind)


def on_behalf(actor: Actor, kind: Kind, given_id: str | None, field: str) -> str:
    """The id that a key acts for: its holder's, or the one that the admin gives."""
    if actor.kind == "admin":
        if given_id is None:
            missing = problem(field, ProblemCode.MISSING_NAME)
            raise Impossible(RefusalCode.NOBODY_NAMED, [missing])
        return given_id
    demand(actor, kind)
    if given_id not in (None, actor.id):
        raise NotAllowed(RefusalCode.NOT_THE_KEYS, field=field)
    return actor.id
