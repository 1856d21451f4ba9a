"""Definitions, for the admin: the list, publishing one by a form, and withdrawing one."""

import secrets
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from domain.amounts import example as amount_written
from domain.money import CURRENCIES, in_decimals
from schemas.api.groups import DefinitionGiven
from schemas.api.parts import ProductGiven
from schemas.groups import Definition
from schemas.parts import Tier
from schemas.refusals import ProblemCode
from services.storefront.pages import codes
from services.storefront.pages.admin_frame import (
    HOME,
    address,
    admin_page,
    admin_router,
    after,
    the_admin,
)
from services.storefront.pages.forms import Form, currency_options
from services.storefront.pages.paths import admin_path
from services.storefront.pages.visits import Visit
from services.storefront.problems import Impossible, Invalid
from services.storefront.readmodel.details import known_definition
from services.storefront.rules.rows import Filters
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = admin_router()
PLACE: Final = f"{HOME}/definitions"
LINES = 50
#: Steps of the ladder that the form has room for, and free ones after those of a definition.
STEPS, FREE_STEPS = 6, 2
#: What a step gives, by the field of the API.
GIVES: Final = {
    "percent_off": mark("Percent off"),
    "amount_off": mark("Amount off each"),
    "unit_price": mark("Price each"),
    "gift": mark("A gift"),
}
STARTS: Final = {
    "from_quantity": mark("Units ordered by all"),
    "from_value": mark("Value of all orders"),
}
#: Which field of the form a problem of a definition is of; those of steps are added.
FIELDS: Final = {
    "shop_id": "shop",
    "product.name": "name",
    "product.id": "product_id",
    "unit_price": "price",
    "limits.number_min": "number_min",
    "limits.number_max": "number_max",
    "limits.period_days_max": "days_max",
    "payment.methods": "methods",
}


@router.get(PLACE)
async def definitions(
    request: Request, q: str = "", shop: str | None = None, after: str | None = None
) -> Response:
    """Definitions that anyone can start from, the newest first; an id leads to its definition."""
    visit, reader, words = Visit.of(request), shop_of(request).reader, q.strip()
    if words and await reader.definition(words) is not None:
        return _to(words)
    its = Filters(shop_id=shop or None)
    shown = await reader.definitions(words=words, filters=its, cursor=after, limit=LINES)
    return admin_page(
        request,
        "admin_definitions.html",
        "definitions",
        visit,
        shown=shown,
        words=words,
        shop_id=shop,
        more=shown.cursor and address(PLACE, q=words, shop=shop, after=shown.cursor),
    )


def _to(definition_id: str, done: str = "") -> Response:
    return after(admin_path("definitions", definition_id), done)


# --- publishing ----------------------------------------------------------------------------------


@router.get(HOME + "/publish")
async def new(request: Request, shop: str = "") -> Response:
    """The form of a new definition."""
    visit = Visit.of(request)
    return _form_page(request, visit, Form(visit, {"shop": shop, **_NEW}), None)


#: What the form says before anything is typed.
_NEW: Final = {
    "method_shop": "yes",
    "starts": "from_quantity",
    "scope": "member",
    "payers": "member",
}


def _form_page(
    request: Request, visit: Visit, form: Form, before: Definition | None, status: int = 200
) -> Response:
    said = visit.gettext
    return admin_page(
        request,
        "admin_publish.html",
        "definitions",
        visit,
        status,
        form=form,
        before=before,
        steps=range(1, _steps(before) + 1),
        once=form.values.get("once") or secrets.token_hex(16),
        currency=visit.formats.currency,
        currency_options=currency_options(visit.formats),
        give_options=[(each, said(words)) for each, words in GIVES.items()],
        start_options=[(each, said(words)) for each, words in STARTS.items()],
        payer_options=[(each, said(words)) for each, words in codes.PAYERS.items()],
        scope_options=[(each, said(words)) for each, words in codes.SCOPE.items()],
        incomplete_options=[(each, said(words)) for each, words in codes.IF_INCOMPLETE.items()],
        example=amount_written(visit.formats.currency, visit.formats.locale),
    )


def _steps(before: Definition | None) -> int:
    return max(STEPS, FREE_STEPS + len(before.favor.tiers)) if before else STEPS


@router.post(HOME + "/publish")
async def publish(request: Request) -> Response:
    """Publish it."""
    return await _publish(request, None)


async def _publish(request: Request, before: Definition | None) -> Response:
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    fields, places = _fields(form, before)
    if not form.problems:
        try:
            wanted = given(DefinitionGiven, fields)
            actor, seed = await the_admin(request), form.seed(request)
            made = await shop_of(request).commands.definitions.publish(actor, wanted, seed)
            return _to(made.definition_id, "published")
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, places)
    return _form_page(request, visit, form, before, 422)


def _fields(form: Form, before: Definition | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The definition as the API takes it, and which field of the form each of its paths is of."""
    currency = form.text("currency")
    if currency not in CURRENCIES:
        form.wrong("currency", ProblemCode.NO_LISTED_CURRENCY)
    tiers, places = _tiers(form, currency, _steps(before))
    limits = {
        path: form.number(name)
        for path, name in (
            ("number_min", "number_min"),
            ("number_max", "number_max"),
            ("period_days_max", "days_max"),
        )
        if form.text(name, required=False)
    }
    methods = [each for each in codes.METHOD if form.is_ticked(f"method_{each}")]
    if not methods:
        form.wrong("methods", ProblemCode.REQUIRED)
    fields: dict[str, Any] = {
        "shop_id": before.shop_id if before else form.text("shop"),
        "product": _product(form, before),
        "unit_price": form.amount("price", currency),
        "currency": currency,
        "favor": {"scope": form.text("scope"), "tiers": tiers},
        "if_incomplete": form.text("if_incomplete"),
        "limits": limits,
        "payment": {"scope": form.text("payers"), "methods": methods},
    }
    if before is not None:
        fields["definition_id"] = before.definition_id
    return fields, FIELDS | places


def _product(form: Form, before: Definition | None) -> dict[str, Any]:
    """The product; what the form does not ask for stays as it was."""
    kept = before.product.model_dump(exclude_none=True) if before else {}
    kept = {name: kept[name] for name in ProductGiven.model_fields if name in kept}
    kept |= {"name": form.text("name"), "id": form.text("product_id", required=False) or None}
    return kept


def _tiers(form: Form, currency: str, steps: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The steps that are filled in."""
    starts = form.text("starts")
    if starts not in STARTS:
        form.wrong("starts", ProblemCode.NOT_A_CHOICE)
    tiers: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    for row in range(1, steps + 1):
        start, gives, value = (f"{each}_{row}" for each in ("start", "gives", "value"))
        if not (form.text(start, required=False) or form.text(value, required=False)):
            continue
        path = f"favor.tiers[{len(tiers)}]"
        given_as = form.text(gives)
        if given_as not in GIVES:
            form.wrong(gives, ProblemCode.NOT_A_CHOICE)
        is_value = starts == "from_value"
        begins = form.amount(start, currency) if is_value else form.number(start)
        tiers.append({starts: begins, given_as: _given(form, given_as, value, currency)})
        places |= {path: value, f"{path}.{starts}": start, f"{path}.{given_as}": value}
    return tiers, places


def _given(form: Form, gives: str, name: str, currency: str) -> object:
    match gives:
        case "percent_off":
            return form.percent(name)
        case "gift":
            return form.text(name)
    return form.amount(name, currency)


# --- one definition ------------------------------------------------------------------------------


@router.get(PLACE + "/{definition_id}")
async def definition(request: Request, definition_id: str) -> Response:
    """A definition, and what can be done with it."""
    visit = Visit.of(request)
    return await _page(request, visit, definition_id, Form(visit))


async def _page(
    request: Request, visit: Visit, definition_id: str, form: Form, status: int = 200
) -> Response:
    found = await known_definition(shop_of(request).reader, definition_id)
    return admin_page(
        request,
        "admin_definition.html",
        "definitions",
        visit,
        status,
        definition=found,
        form=form,
    )


@router.get(PLACE + "/{definition_id}/publish")
async def change(request: Request, definition_id: str) -> Response:
    """The form with the definition as it is."""
    visit = Visit.of(request)
    found = await known_definition(shop_of(request).reader, definition_id)
    return _form_page(request, visit, Form(visit, _as_typed(found)), found)


@router.post(PLACE + "/{definition_id}/publish")
async def publish_next(request: Request, definition_id: str) -> Response:
    """Publish the next version, unless somebody was faster."""
    found = await known_definition(shop_of(request).reader, definition_id)
    seen = (await Form.of(request, Visit.of(request))).values.get("version")
    if seen != str(found.version):
        return _to(definition_id, "changed")
    return await _publish(request, found)


def _as_typed(definition: Definition) -> dict[str, str]:
    """A definition as the form holds it."""
    typed = {
        "version": str(definition.version),
        "name": definition.product.name,
        "product_id": definition.product.id or "",
        "price": in_decimals(definition.unit_price, definition.currency),
        "currency": definition.currency,
        "starts": "from_quantity",
        "scope": definition.favor.scope,
        "payers": definition.payment.scope,
        "if_incomplete": definition.if_incomplete,
        "number_min": str(definition.limits.number_min or ""),
        "number_max": str(definition.limits.number_max or ""),
        "days_max": str(definition.limits.period_days_max or ""),
        **{f"method_{each}": "yes" for each in definition.payment.methods},
    }
    for row, tier in enumerate(definition.favor.tiers, 1):
        gives = next((each for each in GIVES if getattr(tier, each) is not None), "gift")
        typed |= {f"gives_{row}": gives, f"value_{row}": _value(tier, gives, definition.currency)}
        if tier.from_value is None:
            typed[f"start_{row}"] = str(tier.from_quantity or "")
        else:
            typed["starts"] = "from_value"
            typed[f"start_{row}"] = in_decimals(tier.from_value, definition.currency)
    return typed


def _value(tier: Tier, gives: str, currency: str) -> str:
    found = getattr(tier, gives)
    if gives in ("amount_off", "unit_price"):
        return in_decimals(found, currency)
    return f"{found:g}" if gives == "percent_off" else found or ""


@router.post(PLACE + "/{definition_id}/withdraw")
async def withdraw(request: Request, definition_id: str) -> Response:
    """Withdraw it."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    if not form.is_ticked("sure"):
        form.wrong("sure", ProblemCode.NOT_SURE)
        return await _page(request, visit, definition_id, form, 422)
    actor = await the_admin(request)
    await shop_of(request).commands.definitions.withdraw(actor, definition_id)
    return _to(definition_id, "withdrawn")


@router.get(PLACE + "/{definition_id}/withdraw")
async def withdraw_here(definition_id: str) -> Response:
    """Lead to the definition, which has the form."""
    return _to(definition_id)
