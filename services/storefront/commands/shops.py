"""Commands of shops and sellers as people see them: name, contact, and where members order."""

from collections.abc import Mapping
from typing import Any

from domain.sources import is_reserved, shop_of
from domain.web_addresses import host_of, is_same_site
from schemas.api.parts import BusinessGiven
from schemas.api.shops import ShopGiven
from schemas.parts import Business, Problem
from schemas.refusals import ProblemCode, RefusalCode
from schemas.shops import SHOPS, Shop
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import demand
from services.storefront.commands.images import ImageCommands
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, NotAllowed
from services.storefront.readmodel.reader import Reader
from texts.reasons import problem


class ShopCommands:
    """Shops as people see them. Each command raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes, images: ImageCommands) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._images = images

    async def need_editor(self, actor: Actor, shop_id: str) -> None:
        """Raises ``NotAllowed`` unless the actor is the shop or the admin."""
        demand(actor, "shop", "admin")
        if actor.kind == "shop" and actor.id != shop_id:
            raise NotAllowed(RefusalCode.SHOP_OF_OTHER)

    async def describe(self, actor: Actor, shop_id: str, given: ShopGiven) -> Shop:
        """Describe a shop anew. The same description again changes nothing."""
        await self.need_editor(actor, shop_id)
        if is_reserved(shop_id) or ":" in shop_id or not shop_of(shop_id):
            raise Impossible(RefusalCode.SHOP_ID_RESERVED)
        found = await self._reader.fact(SHOPS.name, shop_id)
        before = found if isinstance(found, Shop) else None
        if problems := await business_problems(actor, given, before, self._images):
            raise Impossible(RefusalCode.SHOP_REFUSED, problems)
        said: Mapping[str, Any] = {"name": given.name, "email": given.email, **given.business()}
        if before is not None and all(getattr(before, name) == said[name] for name in said):
            return before
        version = before.version + 1 if before is not None else 1
        return await self._outcomes.tell(
            SHOPS, Shop(shop_id=shop_id, at=now(), version=version, **said)
        )


async def business_problems(
    actor: Actor, given: BusinessGiven, before: Business | None, images: ImageCommands
) -> list[Problem]:
    """What is wrong with a description, beyond the shape of its fields."""
    problems = await images.problems([("logo", given.logo)])
    if actor.kind != "admin" and (elsewhere := _leads_elsewhere(given, before)) is not None:
        problems.append(elsewhere)
    return problems


def _leads_elsewhere(given: BusinessGiven, before: Business | None) -> Problem | None:
    """The problem of an order link to another site; the admin may set one, and it may be kept.

    So a stolen key of a shop can't send buyers to any other place than the website that its page
    names.
    """
    if given.order_link is None:
        return None
    host = host_of(given.order_link)
    if before is not None and before.order_link is not None and host_of(before.order_link) == host:
        return None
    site = host_of(given.url) if given.url else ""
    if site and is_same_site(host, site):
        return None
    code = ProblemCode.LEADS_ELSEWHERE
    return problem("order_link", code, host=host, site=site or "-")
