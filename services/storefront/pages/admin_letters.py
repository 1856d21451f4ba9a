"""Letters, for the admin: those that were not delivered first, and sending one again."""

from collections.abc import Sequence
from typing import Final, get_args

from fastapi import Request
from fastapi.responses import Response

from schemas.api.letters import LetterState
from schemas.letters import Delivery
from services.storefront.access.callers import Actor
from services.storefront.pages.admin_frame import (
    HOME,
    address,
    admin_page,
    admin_router,
    after,
    the_admin,
)
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import admin_path
from services.storefront.pages.visits import Visit
from services.storefront.problems import Overtaken
from services.storefront.readmodel.todo_pages import LETTERS_KEPT_FOR
from services.storefront.rules.rows import Listed
from services.storefront.rules.todo_reasons import is_about_group
from services.storefront.web.answers import letter_view
from services.storefront.web.shop import shop_of

router = admin_router()
PLACE: Final = f"{HOME}/letters"
LINES = 50
STATES: Final[tuple[LetterState, ...]] = get_args(LetterState)


@router.get(PLACE)
async def letters(
    request: Request,
    state: str | None = None,
    about: str | None = None,
    to: str | None = None,
    after: str | None = None,
) -> Response:
    """Letters of a state, about a group or auction, or to a person; else the undelivered ones."""
    visit = Visit.of(request)
    wanted = state if state in STATES else None
    if wanted is None and not about and not to:
        wanted = "undelivered"
    shown = await shop_of(request).commands.letters.page(
        await the_admin(request),
        state=wanted,
        about=about or None,
        recipient_id=to or None,
        cursor=after,
        limit=LINES,
    )
    kept = {"about": about, "to": to}
    is_search = bool(about or to)
    return _page(
        request,
        visit,
        Form(visit, {"q": about or to or ""}),
        shown=shown,
        state=wanted,
        is_search=is_search,
        kinds=[
            (each, address(PLACE, state=each, **kept))
            for each in ((None, *STATES) if is_search else STATES)
        ],
        more=shown.cursor and address(PLACE, state=wanted, after=shown.cursor, **kept),
    )


def _page(
    request: Request,
    visit: Visit,
    form: Form,
    *,
    shown: Listed[Delivery],
    status: int = 200,
    people: tuple[str, ...] = (),
    state: str | None = None,
    is_search: bool = False,
    kinds: Sequence[tuple[str | None, str]] = (),
    more: str | None = None,
) -> Response:
    return admin_page(
        request,
        "admin_letters.html",
        "letters",
        visit,
        status,
        form=form,
        letters=[letter_view(each) for each in shown.rows],
        of_groups={each.notice_id for each in shown.rows if is_about_group(each)},
        people=people,
        state=state,
        is_search=is_search,
        kinds=kinds,
        more=more,
        kept_since=visit.now - LETTERS_KEPT_FOR,
    )


@router.post(PLACE)
async def search(request: Request) -> Response:
    """Search by a group, an auction, a person or an address; no address stands in an address bar.

    An address leads to its person, or to a choice among several.
    """
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    asked = form.text("q")
    actor = await the_admin(request)
    commands = shop_of(request).commands
    if "@" in asked and not await commands.people.known(actor, asked):
        found = await _people(request, actor, form)
        if len(found) == 1:
            return after(PLACE, to=found[0])
        return _page(
            request,
            visit,
            form,
            shown=Listed([], None),
            people=found,
            is_search=True,
            status=422 if form.problems else 200,
        )
    if not asked:
        return after(PLACE)
    about = await commands.letters.page(actor, about=asked, limit=1)
    return after(PLACE, **{"about" if about.rows else "to": asked})


async def _people(request: Request, actor: Actor, form: Form) -> tuple[str, ...]:
    """The people at the address in the form; none, with an error there, if it is none."""
    email = form.email("q")
    if form.problems:
        return ()
    people = await shop_of(request).commands.people.find(actor, email)
    return tuple(each.person_id for each in people)


@router.get(PLACE + "/{notice_id}")
async def letter(request: Request, notice_id: str, done: str = "", version: str = "") -> Response:
    """One letter: its state, the mail server's reply, and the button that sends it again.

    Once the state of ``version`` has changed, what was asked for is done.
    """
    visit = Visit.of(request)
    found = await shop_of(request).commands.letters.one(await the_admin(request), notice_id)
    is_asked = done == "asked"
    if is_asked and version != str(found.version):
        return after(admin_path("letters", notice_id), "resent")
    return admin_page(
        request,
        "admin_letter.html",
        "letters",
        visit,
        letter=letter_view(found),
        is_of_group=is_about_group(found),
        is_kept=visit.now - found.queued_at < LETTERS_KEPT_FOR,
        asked=is_asked,
    )


@router.post(PLACE + "/{notice_id}")
async def resend(request: Request, notice_id: str) -> Response:
    """Send it again, once for each state that it is in."""
    form = await Form.of(request, Visit.of(request))
    version = form.number("version")
    place = admin_path("letters", notice_id)
    if form.problems:
        return after(place)
    commands = shop_of(request).commands.letters
    try:
        found = await commands.resend(await the_admin(request), notice_id, version)
    except Overtaken:
        return after(place, "resent")
    if found.version > version:
        return after(place, "resent")
    return after(place, "asked", version=str(version))
