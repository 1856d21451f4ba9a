"""People, for the admin: finding a person, and erasing one."""

import re
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from schemas.api.parts import ID_PATTERN
from schemas.people import Person
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.pages.admin_frame import HOME, admin_page, admin_router, after, the_admin
from services.storefront.pages.forms import Form
from services.storefront.pages.my_data import as_file, stays
from services.storefront.pages.paths import admin_path
from services.storefront.pages.visits import Visit
from services.storefront.problems import Unknown
from services.storefront.web.shop import shop_of
from texts.erasure import DELETED, KNOWN_AGAIN

router = admin_router()
PLACE: Final = f"{HOME}/people"
PERSON_ID_MAX = 256


@router.get(PLACE)
async def people(request: Request) -> Response:
    """The form that finds a person."""
    visit = Visit.of(request)
    return _list(request, visit, Form(visit), None)


def _list(
    request: Request, visit: Visit, form: Form, found: list[Person] | None, status: int = 200
) -> Response:
    return admin_page(request, "admin_people.html", "people", visit, status, form=form, found=found)


@router.post(PLACE)
async def search(request: Request) -> Response:
    """Find people by an address, or one by the id."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    asked = form.text("q")
    actor, commands = await the_admin(request), shop_of(request).commands.people
    if _is_id(asked) and ("@" not in asked or await commands.known(actor, asked)):
        return after(admin_path("people", asked))
    email = form.email("q")
    if form.problems:
        return _list(request, visit, form, None, 422)
    return _list(request, visit, form, await commands.find(actor, email))


def _is_id(text: str) -> bool:
    return re.fullmatch(ID_PATTERN, text) is not None and len(text) <= PERSON_ID_MAX


@router.get(PLACE + "/{person_id}")
async def person(request: Request, person_id: str) -> Response:
    """A person, and what erasing does."""
    visit = Visit.of(request)
    return await _page(request, visit, person_id, Form(visit))


async def _page(
    request: Request, visit: Visit, person_id: str, form: Form, status: int = 200
) -> Response:
    commands = shop_of(request).commands
    actor = await the_admin(request)
    known = await commands.people.known(actor, person_id)
    letters = await commands.letters.page(actor, recipient_id=person_id, limit=1)
    return admin_page(
        request,
        "admin_person.html",
        "people",
        visit,
        status,
        person_id=person_id,
        person=known,
        has_letters=bool(letters.rows),
        deleted=DELETED,
        stays=stays(commands.people.kept(person_id)),
        known_again=KNOWN_AGAIN,
        form=form,
    )


@router.get(PLACE + "/{person_id}/data.json")
async def download(request: Request, person_id: str) -> Response:
    """What is kept about a person, as a file to be handed out."""
    data = await shop_of(request).commands.people.data(await the_admin(request), person_id)
    return as_file(data, "person.json", Visit.of(request))


@router.post(PLACE + "/{person_id}")
async def erase(request: Request, person_id: str) -> Response:
    """Erase a person for good."""
    visit = Visit.of(request)
    if not _is_id(person_id):
        raise Unknown(RefusalCode.NO_ADDRESS)
    form = await Form.of(request, visit)
    if not form.is_ticked("sure"):
        form.wrong("sure", ProblemCode.NOT_SURE)
        return await _page(request, visit, person_id, form, 422)
    await shop_of(request).commands.people.erase(await the_admin(request), person_id)
    return after(admin_path("people", person_id), "erased")
