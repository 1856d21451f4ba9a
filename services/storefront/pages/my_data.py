"""What is kept about a person, by a link from a letter: to see, to download, to erase.

No answer to a typed address says whether it is known. A GET changes nothing, as scanners open
links.
"""

from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from runtime.links import mark_of_holder
from schemas.api.people import GroupData, PersonData
from schemas.erasure import Kept
from schemas.refusals import ProblemCode
from services.storefront.access.callers import Actor
from services.storefront.pages.forms import Form
from services.storefront.pages.link_forms import LinkForm
from services.storefront.pages.paths import path_of
from services.storefront.pages.visits import Visit, page
from services.storefront.web.shop import shop_of
from texts.catalogue import mark
from texts.erasure import DELETED, KNOWN_AGAIN, STAYS, Said

router = APIRouter(include_in_schema=False)
PLACE = "/my-data"
_FORM = LinkForm(
    place=PLACE,
    title=mark("Your data"),
    lead=mark(
        "See, download or erase what we keep about you. We email a link to the address that we "
        "have on file."
    ),
    button=mark("Send me the link"),
    sent=mark(
        "If we know this address, we email a link to it in a moment, at most once an hour. The "
        "link is valid for an hour."
    ),
    sent_to=mark(
        "If we know {email}, we email a link to it in a moment, at most once an hour. The "
        "link is valid for an hour."
    ),
)


class Stays(NamedTuple):
    """A place that keeps something after the erasure, with its words and its end."""

    said: Said
    until: datetime | None


class OwnGroup(NamedTuple):
    """A group of the person, with the way to its payments if the person pays there."""

    data: GroupData
    payments: str | None


def stays(kept: tuple[Kept, ...]) -> list[Stays]:
    """What stays, in words of the page's language."""
    return [Stays(STAYS[each.place], each.until) for each in kept]


def as_file(data: PersonData, name: str, visit: Visit) -> Response:
    """What is kept about a person, as a file of JSON of this name."""
    not_in_it = tuple(visit.texts.gettext(each) for each in data.not_in_it)
    data = data.model_copy(update={"not_in_it": not_in_it})
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    content = data.model_dump_json(indent=2)
    return Response(content, media_type="application/json", headers=disposition)


# --- asking for the link -------------------------------------------------------------------------


@router.get(PLACE)
async def data_form(request: Request) -> Response:
    """The form that asks for the address."""
    return _FORM.ask(request)


@router.post(PLACE)
async def ask_for_data(request: Request) -> Response:
    """Have the link sent, if the address is known."""
    return await _FORM.take(request, shop_of(request).commands.links.ask_for_data)


@router.get(f"{PLACE}/sent")
async def data_asked_for(request: Request) -> Response:
    """What happens now: the same for every address."""
    return _FORM.taken(request)


# --- by the link ---------------------------------------------------------------------------------


@router.get(PLACE + "/{token}")
async def my_data(request: Request, token: str) -> Response:
    """What is kept, what an erasure deletes, and what stays."""
    visit = Visit.of(request)
    actor = await shop_of(request).access.person_of_link(request, token)
    return await _page(request, visit, actor, token, Form(visit))


async def _page(
    request: Request, visit: Visit, actor: Actor, token: str, form: Form, status: int = 200
) -> Response:
    people = shop_of(request).commands.people
    data = await people.data(actor, actor.id)
    return page(
        request,
        "my_data.html",
        status,
        visit,
        data=data,
        groups=_groups(request, actor, data),
        deleted=DELETED,
        stays=stays(people.kept(actor.id)),
        known_again=KNOWN_AGAIN,
        token=token,
        form=form,
    )


def _groups(request: Request, actor: Actor, data: PersonData) -> list[OwnGroup]:
    access, holder = shop_of(request).access, mark_of_holder(actor.id)
    found = []
    for each in data.groups:
        member = next((bought.member_id for bought in each.purchases), None)
        link = access.payments_path(each.group_id, member or "", holder=holder)
        found.append(OwnGroup(each, path_of(link) if member and each.payments else None))
    return found


@router.get(PLACE + "/{token}/data.json")
async def download(request: Request, token: str) -> Response:
    """What is kept, as a file of JSON."""
    shop = shop_of(request)
    actor = await shop.access.person_of_link(request, token)
    return as_file(
        await shop.commands.people.data(actor, actor.id), "my-data.json", Visit.of(request)
    )


@router.post(PLACE + "/{token}")
async def erase(request: Request, token: str) -> Response:
    """Erase the person; the link works for nothing any more."""
    visit = Visit.of(request)
    shop = shop_of(request)
    actor = await shop.access.person_of_link(request, token)
    form = await Form.of(request, visit)
    if not form.is_ticked("sure"):
        form.wrong("sure", ProblemCode.NOT_SURE)
        return await _page(request, visit, actor, token, form, 422)
    erasure = await shop.commands.people.erase(actor, actor.id)
    await shop.access.use_up(token)
    return page(
        request,
        "my_data_erased.html",
        visit=visit,
        deleted=DELETED,
        stays=stays(erasure.kept),
        known_again=KNOWN_AGAIN,
        person_id=erasure.person_id,
    )
