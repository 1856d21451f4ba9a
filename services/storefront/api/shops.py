"""Routes of shops as people see them, and of images."""

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from schemas.api.shops import ImageAnswer, ShopGiven, ShopView
from services.storefront.access.callers import Kind
from services.storefront.api.parameters import ActorDep, IdInPath, JsonBody, ShopDep
from services.storefront.api.routes import reads, router, writes
from services.storefront.readmodel.details import known_shop
from services.storefront.rules.views import shop_view
from services.storefront.wares.pictures import FILE_BYTES_MAX
from services.storefront.web.answers import image_answer
from services.storefront.web.uploads import file_in

shops = router("shops")
images = router("images")

UPLOADERS: tuple[Kind, ...] = ("shop", "seller", "admin")

_shop = JsonBody(ShopGiven)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"image": {"type": "string", "format": "binary"}},
        "required": ["image"],
    }
}
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"A JPEG, PNG, WebP or GIF of at most {FILE_BYTES_MAX:,} bytes.",
        "content": {"image/*": _BINARY, "multipart/form-data": _FORM},
    }
}


# --- shops ---------------------------------------------------------------------------------------


@shops.get("/shops/{shop_id}", **reads(404))
async def show_shop(shop: ShopDep, shop_id: IdInPath) -> ShopView:
    """A shop as people see it: name, contact, and where members order."""
    return shop_view(await known_shop(shop.reader, shop_id))


@shops.put("/shops/{shop_id}", **writes(by=("shop", "admin"), takes=_shop))
async def describe_shop(
    shop: ShopDep,
    actor: ActorDep,
    shop_id: IdInPath,
    given: Annotated[ShopGiven, Depends(_shop)],
) -> ShopView:
    """Describe a shop to people, in place of what was said before. Needs its key or the admin's."""
    return shop_view(await shop.commands.shops.describe(actor, shop_id, given))


# --- images --------------------------------------------------------------------------------------

_storing = writes(by=UPLOADERS, later=ImageAnswer)
_storing["openapi_extra"] = _storing["openapi_extra"] | _UPLOAD


@images.post("/images", status_code=201, **_storing)
async def store_image(
    request: Request, shop: ShopDep, actor: ActorDep, response: Response
) -> ImageAnswer:
    """Store a picture of a product or a logo. Needs a shop's, a seller's or the admin's key.

    The body is the file, or a form with it. We encode it anew: at most 1,600 pixels long, without
    the place where it was taken or anything else that the file tells. The same file again is the
    same image.
    """
    stored = await shop.commands.images.store(actor, await file_in(request))
    answer = image_answer(stored.picture)
    if not stored.is_readable:
        response.status_code = 202
    response.headers["Location"] = answer.path
    return answer
