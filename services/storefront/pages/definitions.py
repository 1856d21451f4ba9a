"""Start a group purchase from a definition."""

import secrets
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from domain.goals import tier_beyond
from domain.tiers import start_of
from schemas.api.groups import GroupGiven
from schemas.groups import DEFINITIONS, Definition
from schemas.parts import NUMBER_MAX, Tier
from schemas.refusals import ProblemCode, RefusalCode, ShapeError
from services.storefront.access.callers import Access, visitor
from services.storefront.commands.groups import Asked
from services.storefront.formats import number_of
from services.storefront.pages import agreement, codes
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import path_of
from services.storefront.pages.typed import to_check, typed
from services.storefront.pages.visits import Visit, page
from services.storefront.pages.wares import wares
from services.storefront.problems import Impossible, Invalid, Unknown
from services.storefront.rules.views import definition_view
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
DAYS_DEFAULT = 14
DAYS_MAX = 365
#: Which field of the form a problem of a request is of.
FIELDS = {
    "number_of_products": "number",
    "closes_at": "days",
    "payment.method": "method",
    "organizer.email": "email",
    "organizer.name": "name",
}


@router.get("/definitions/{definition_id}")
async def definition(request: Request, definition_id: str) -> Response:
    """What a shop offers, and the form to start with."""
    visit = Visit.of(request)
    found = await _definition(request, definition_id)
    return await _form(request, found, Form(visit), visit)


@router.get("/definitions/{definition_id}/start")
async def start_here(definition_id: str) -> Response:
    """The form stands on the definition's page."""
    return RedirectResponse(path_of(f"/definitions/{definition_id}"), 303)


async def _definition(request: Request, definition_id: str) -> Definition:
    found = await shop_of(request).reader.fact(DEFINITIONS.name, definition_id)
    if not isinstance(found, Definition):
        raise Unknown(RefusalCode.NO_DEFINITION, id=definition_id)
    return found


async def _form(
    request: Request, found: Definition, form: Form, visit: Visit, status: int = 200
) -> Response:
    about = await wares(request, found.product, found.shop_id, None)
    tiers = sorted(found.favor.tiers, key=start_of)
    warning = _warning(visit, found, form)
    days = found.limits.period_days_max or DAYS_MAX
    return page(
        request,
        "start.html",
        status,
        visit,
        definition=definition_view(found),
        wares=about,
        sold_by=about.sold_by,
        form=form,
        number_hint=_number_hint(found, visit),
        days_max=days,
        days_value=str(min(DAYS_DEFAULT, days)),
        lasts=_lasts(visit, form, min(DAYS_DEFAULT, days), days),
        warning=warning,
        agreement_steps=agreement.savings(tiers, found.unit_price, 1),
        method_options=[
            (each, visit.gettext(codes.METHOD[each])) for each in found.payment.methods
        ],
        once=form.values.get("once") or secrets.token_hex(16),
    )


def _lasts(visit: Visit, form: Form, default: int, most: int) -> tuple[int, datetime]:
    """For how many days the form would start a group now, and its close."""
    try:
        number = number_of(form.values.get("days", ""), visit.formats.locale)
    except ShapeError:
        number = default
    days = number if 1 <= number <= most else default
    return days, visit.now + timedelta(days=days)


def _beyond(found: Definition, number: int) -> Tier | None:
    """The first step, if a group of this number that just reaches it gets none."""
    return tier_beyond(found.favor.tiers, number, found.unit_price)


def _warning(visit: Visit, found: Definition, form: Form) -> Markup | None:
    """What a form says of a number that lies below the first step; ``None`` if there is nothing."""
    try:
        number = number_of(form.values.get("number", ""), visit.formats.locale)
    except ShapeError:
        return None
    tier = _beyond(found, number) if number >= (found.limits.number_min or 1) else None
    if tier is None:
        return None
    f, words = visit.formats, visit.tier(tier, found.currency)
    if tier.from_quantity is None:
        start = f.money(tier.from_value or 0, found.currency)
        return visit.gettext(
            "The first step ({discount}) begins at orders of {start}, which is more than your "
            "goal. A group that just reaches its goal gets no discount.",
            discount=words,
            start=start,
        )
    return visit.ngettext(
        "The first step ({discount}) begins at {n} unit, above your goal. A group that just "
        "reaches its goal gets no discount.",
        "The first step ({discount}) begins at {n} units, above your goal. A group that just "
        "reaches its goal gets no discount.",
        tier.from_quantity,
        discount=words,
    )


def _number_hint(found: Definition, visit: Visit) -> object:
    limits, number = found.limits, visit.formats.number
    if limits.number_min is not None and limits.number_max is not None:
        least, most = number(limits.number_min), number(limits.number_max)
        return visit.gettext("{least} to {most}", least=least, most=most)
    if limits.number_max is not None:
        return visit.gettext("At most {most}", most=number(limits.number_max))
    return visit.gettext("At least {least}", least=number(limits.number_min or 1))


@router.post("/definitions/{definition_id}/start")
async def start(request: Request, definition_id: str) -> Response:
    """Ask for the group; its organizer's page is where that leads."""
    visit = Visit.of(request)
    found = await _definition(request, definition_id)
    form = await Form.of(request, visit)
    limits = found.limits
    most = limits.number_max or NUMBER_MAX
    number = form.number("number", least=limits.number_min or 1, most=most)
    days = form.number("days", most=limits.period_days_max or DAYS_MAX)
    method = form.text("method", required=False) or found.payment.methods[0]
    if method not in found.payment.methods:
        form.wrong("method", ProblemCode.NOT_A_CHOICE)
    person = form.person()
    if not form.problems and not form.is_ticked("anyway") and _beyond(found, number):
        # Asked once: whoever means it ticks the box that the form has now.
        form.wrong("number", ProblemCode.BELOW_FIRST_TIER)
    if form.problems:
        return await _form(request, found, form, visit, 422)
    fields = {
        "definition_id": definition_id,
        "organizer": person,
        "number_of_products": number,
        "closes_at": (visit.now + timedelta(days=days)).isoformat(),
        "stop_at_number": form.is_ticked("stop"),
        "visibility": "unlisted" if form.is_ticked("unlisted") else "public",
        "payment": {"method": method},
    }
    shop = shop_of(request)
    try:
        wanted = given(GroupGiven, fields)
        seed = form.seed(request)
        asked = await shop.commands.groups.request(visitor(request), wanted, seed)
    except (Invalid, Impossible) as refusal:
        form.refused(refusal, FIELDS)
        return await _form(request, found, form, visit, 422)
    return to_check(request, _where_next(shop.access, asked), form.text("email"))


def _where_next(access: Access, asked: Asked) -> str:
    if asked.group_id is None:
        return f"/started/{access.request_token(asked.request_id)}"
    return f"{path_of(access.organizer_link(asked.group_id, asked.organizer_id))}?new=1"


@router.get("/started/{token}")
async def started(request: Request, token: str) -> Response:
    """Wait for the id, then go to the organizer's page."""
    shop = shop_of(request)
    actor = shop.access.by_link(request, "request", token)
    try:
        asked = await shop.commands.groups.outcome(actor, actor.about)
    except Impossible as refusal:
        return page(request, "refused.html", 422, problems=refusal.problems, back="/")
    if asked.group_id is None or not asked.organizer_id:
        return page(request, "pending.html", 202)
    return to_check(request, _where_next(shop.access, asked), typed(request))
