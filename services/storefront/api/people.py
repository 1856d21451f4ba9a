"""Routes of people."""

from typing import Annotated

from fastapi import Depends

from schemas.api.letters import AddressGiven, PersonFound
from schemas.api.parts import Page
from schemas.api.people import DataLinkGiven, ErasureView, LinksAgainGiven, PersonData
from services.storefront.api.parameters import ActorDep, JsonBody, PersonIdInPath, ShopDep
from services.storefront.api.routes import reads, router, writes
from services.storefront.web.answers import erasure_view

people = router("people")

_links_again = JsonBody(LinksAgainGiven)
_data_link = JsonBody(DataLinkGiven)
_address = JsonBody(AddressGiven)


@people.post("/people/search", **writes(by=("admin",), takes=_address))
async def find_people(
    shop: ShopDep, actor: ActorDep, given: Annotated[AddressGiven, Depends(_address)]
) -> Page[PersonFound]:
    """The people whose letters go to this address, in whatever spelling. Needs the admin's key."""
    found = await shop.commands.people.find(actor, given.email)
    return Page(items=[PersonFound(person_id=each.person_id) for each in found], cursor=None)


@people.get("/people/{person_id}/data", **reads(by=("shop", "admin")))
async def show_person_data(shop: ShopDep, actor: ActorDep, person_id: PersonIdInPath) -> PersonData:
    """All that the pages hold about a person, to be handed out. Needs the shop's or admin's key.

    A shop's key is for the shop's own people: `acme:ann` is a person of the shop `acme`.
    """
    return await shop.commands.people.data(actor, person_id)


@people.delete(
    "/people/{person_id}",
    response_description="The person is erased, or was not known.",
    **writes(by=("shop", "admin")),
)
async def erase_person(shop: ShopDep, actor: ActorDep, person_id: PersonIdInPath) -> ErasureView:
    """Erase a person: the address, the name, and letters that wait. Needs the shop's or admin's
    key.

    A member with the id `ann` of the shop `acme` is the person `acme:ann`, a seller `s-1` is
    `seller:s-1`. A shop's key erases the shop's own people. The answer says what stays; it is the
    same if the person is not known, or was erased before.
    """
    return erasure_view(await shop.commands.people.erase(actor, person_id))


@people.post(
    "/links-again",
    status_code=204,
    response_description="If the address is known, its links are emailed to it.",
    **writes(takes=_links_again),
)
async def send_links_again(
    shop: ShopDep, actor: ActorDep, given: Annotated[LinksAgainGiven, Depends(_links_again)]
) -> None:
    """Email a person's links to the address on file, at most once an hour.

    These are the links of organizers, payers, members and applicants, and the one by which a seller
    signs in. The answer is the same if the address is not known.
    """
    await shop.commands.links.ask(actor, given.email)


@people.post(
    "/data-link",
    status_code=204,
    response_description="If the address is known, the link is emailed to it.",
    **writes(takes=_data_link),
)
async def send_data_link(
    shop: ShopDep, actor: ActorDep, given: Annotated[DataLinkGiven, Depends(_data_link)]
) -> None:
    """Email a person the link to what is kept about them, at most once an hour.

    By the link the person sees, downloads and erases it. The answer is the same if the address is
    not known.
    """
    await shop.commands.links.ask_for_data(actor, given.email)
