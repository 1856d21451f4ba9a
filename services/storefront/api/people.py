"""Routes of people."""

from services.storefront.api.parameters import ActorDep, PersonIdInPath, ShopDep
from services.storefront.api.routes import router, writes

people = router("people")


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
