"""Pictures of products and logos, under addresses that always show the same."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from schemas.refusals import RefusalCode
from services.storefront.problems import Unknown
from services.storefront.web.pictures import THUMBNAIL_SIDE
from services.storefront.web.shop import shop_of

router = APIRouter(include_in_schema=False)
_ID = re.compile("[0-9a-f]{64}")
_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/images/{image_id}")
async def image(request: Request, image_id: str, w: str = "") -> Response:
    """A picture; with ``w`` as lists ask for it, a small square of it."""
    pictures = shop_of(request).pictures
    is_small = w == str(THUMBNAIL_SIDE)
    found = None
    if _ID.fullmatch(image_id):
        found = await (pictures.small(image_id) if is_small else pictures.whole(image_id))
    if found is None:
        raise Unknown(RefusalCode.NO_IMAGE)
    media_type, data = found
    tag = f'"{image_id}-{w}"' if is_small else f'"{image_id}"'
    headers = {"Cache-Control": _FOR_EVER, "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)
