"""Shops and keys, for the admin: who has a key, issuing one, revoking one."""

import secrets
from typing import Final, Literal

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from schemas.api.parts import Given, GivenId
from schemas.refusals import ProblemCode, RefusalCode
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
from services.storefront.problems import Impossible, Invalid, Unknown
from services.storefront.rules.rows import Filters
from services.storefront.web.bodies import given
from services.storefront.web.shop import shop_of

router = admin_router()
PLACE: Final = f"{HOME}/shops"
LINES = 50
DEFINITIONS = 20


class ShopNamed(Given):
    """The shop of a new key."""

    shop: GivenId


@router.get(PLACE)
async def shops(request: Request, after: str | None = None) -> Response:
    """Shops that are known, and the form that issues a key."""
    visit = Visit.of(request)
    return await _list(request, visit, Form(visit), after)


async def _list(
    request: Request, visit: Visit, form: Form, after: str | None = None, status: int = 200
) -> Response:
    shown = await shop_of(request).reader.shops(after, LINES)
    return admin_page(
        request,
        "admin_shops.html",
        "shops",
        visit,
        status,
        shown=shown,
        form=form,
        once=secrets.token_hex(16),
        more=shown.cursor and address(PLACE, after=shown.cursor),
    )


@router.post(PLACE)
async def issue_to_shop(request: Request) -> Response:
    """Issue a key to the shop that the form names."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    shop_id = form.text("shop")
    if not form.problems:
        try:
            given(ShopNamed, {"shop": shop_id})
            return await _issued(request, visit, form, "shop", shop_id)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {})
    return await _list(request, visit, form, status=422)


async def _issued(
    request: Request, visit: Visit, form: Form, role: Literal["seller", "shop"], holder_id: str
) -> Response:
    """The page that shows the new key, this once."""
    actor, seed = await the_admin(request), form.seed(request)
    key, credential = await shop_of(request).commands.keys.issue(actor, role, holder_id, seed)
    return admin_page(
        request,
        "admin_key.html",
        "shops",
        visit,
        201,
        key=key,
        credential=credential,
        back=_holder(role, holder_id),
    )


def _holder(role: str, holder_id: str) -> str:
    return admin_path("sellers" if role == "seller" else "shops", holder_id)


@router.get(PLACE + "/{shop_id}")
async def shop(request: Request, shop_id: str) -> Response:
    """A shop: its keys and its definitions."""
    visit, reader = Visit.of(request), shop_of(request).reader
    keys = await reader.keys_of("shop", shop_id)
    definitions = await reader.definitions(filters=Filters(shop_id=shop_id), limit=DEFINITIONS)
    return admin_page(
        request,
        "admin_shop.html",
        "shops",
        visit,
        shop_id=shop_id,
        keys=keys.rows,
        definitions=definitions,
        once=secrets.token_hex(16),
    )


@router.get(HOME + "/sellers/{seller_id}/keys")
async def key_of_seller_here(seller_id: str) -> Response:
    """Lead to the seller, whose page has the button."""
    return RedirectResponse(_holder("seller", seller_id), 303)


@router.post(HOME + "/sellers/{seller_id}/keys")
async def issue_to_seller(request: Request, seller_id: str) -> Response:
    """Issue a further key to a seller."""
    visit = Visit.of(request)
    return await _issued(request, visit, await Form.of(request, visit), "seller", seller_id)


# --- revoking ------------------------------------------------------------------------------------


@router.get(HOME + "/keys/{key_id}")
async def key(request: Request, key_id: str) -> Response:
    """A key without its secret, and what revoking it does."""
    visit = Visit.of(request)
    return await _key_page(request, visit, key_id, Form(visit))


async def _key_page(
    request: Request, visit: Visit, key_id: str, form: Form, status: int = 200
) -> Response:
    found = await shop_of(request).reader.api_key(key_id)
    if found is None:
        raise Unknown(RefusalCode.NO_KEY_OF_YOURS)
    back = _holder(found.role, found.holder_id)
    return admin_page(
        request, "admin_revoke.html", "shops", visit, status, key=found, form=form, back=back
    )


@router.post(HOME + "/keys/{key_id}")
async def revoke(request: Request, key_id: str) -> Response:
    """Revoke it."""
    visit = Visit.of(request)
    form = await Form.of(request, visit)
    if not form.is_ticked("sure"):
        form.wrong("sure", ProblemCode.NOT_SURE)
        return await _key_page(request, visit, key_id, form, 422)
    ended = await shop_of(request).commands.keys.revoke(await the_admin(request), key_id)
    return after(_holder(ended.role, ended.holder_id), "revoked")
