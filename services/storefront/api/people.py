"""Routes of people."""

from typing import Annotated

from fastapi import Depends

from schemas.api.letters import AddressGiven, PersonFound
from schemas.api.parts import Page
from services.storefront.api.parameters import ActorDep, JsonBody, PersonIdInPath, ShopDep
from services.storefront.api.routes import router, writes

people = router("people")

_address = JsonBody(AddressGiven)


@people.post("/people/search", **writes(by=("admin",), takes=_address))
async def find_people(
    shop: ShopDep, actor: ActorDep, given: Annotated[AddressGiven, Depends(_address)]
) -> Page[PersonFound]:
    """The people whose letters go to this address, in whatever spelling. Needs the admin's key."""
    found = await shop.commands.people.find(actor, given.email)
    return Page(items=[PersonFound(person_id=each.person_id) for each in found], cursor=None)


@people.delete(
    "/people/{person_id}",
    status_code=204,
    response_description="The person is erased, or was not known.",
    **writes(by=("admin",)),
)
async def erase_person(shop: ShopDep, actor: ActorDep, person_id: PersonIdInPath) -> None:
    """Erase a person: the address, the name, and letters that wait. Needs the admin's key.

    A member with the id `ann` of the shop `acme` is the person `acme:ann`, a seller `s-1` is
    `seller:s-1`. The answer is the same if the person is not known, or was erased before.
    """
    await shop.commands.people.erase(actor, person_id)
