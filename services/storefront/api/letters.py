"""Routes of letters, for the admin."""

from typing import Annotated

from fastapi import Depends, Query

from schemas.api.letters import LetterState, LetterView, ResendGiven
from schemas.api.parts import GivenId, Page
from services.storefront.api.parameters import (
    Absent,
    ActorDep,
    Cursor,
    GivenPersonId,
    IdInPath,
    JsonBody,
    Limit,
    ShopDep,
)
from services.storefront.api.routes import reads, router, writes
from services.storefront.web.answers import letter_view

letters = router("letters")

_resend = JsonBody(ResendGiven, optional=True)


@letters.get("/letters", **reads(422, by=("admin",)))
async def list_letters(
    shop: ShopDep,
    actor: ActorDep,
    state: Annotated[
        LetterState | Absent, Query(description="Only letters of this state; all if left out.")
    ] = None,
    about: Annotated[
        GivenId | Absent, Query(description="Only letters about this group or auction.")
    ] = None,
    recipient_id: Annotated[
        GivenPersonId | Absent, Query(description="Only letters to this person.")
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[LetterView]:
    """Letters and what became of them, the latest first. Needs the admin's key."""
    page = await shop.commands.letters.page(
        actor, state=state, about=about, recipient_id=recipient_id, cursor=cursor, limit=limit
    )
    return Page(items=[letter_view(each) for each in page.rows], cursor=page.cursor)


@letters.get("/letters/{notice_id}", **reads(404, by=("admin",)))
async def show_letter(shop: ShopDep, actor: ActorDep, notice_id: IdInPath) -> LetterView:
    """What became of a letter. Needs the admin's key."""
    return letter_view(await shop.commands.letters.one(actor, notice_id))


@letters.post("/letters/{notice_id}/resend", **writes(404, 409, by=("admin",), takes=_resend))
async def resend_letter(
    shop: ShopDep,
    actor: ActorDep,
    notice_id: IdInPath,
    given: Annotated[ResendGiven, Depends(_resend)],
) -> LetterView:
    """Send a letter again now, even if it was given up or its address was refused.

    It is sent once for each `version` of the letter. Needs the admin's key.
    """
    return letter_view(await shop.commands.letters.resend(actor, notice_id, given.version))
