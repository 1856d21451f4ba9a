"""Style sheet, script and mark: named by what they hold, so that browsers may keep them."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from schemas.refusals import RefusalCode
from services.storefront.pages.visits import asset, asset_bytes
from services.storefront.problems import Unknown

router = APIRouter(include_in_schema=False)
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """A file of ``static/``; for ever under the address that pages name, else for an hour."""
    try:
        content = asset_bytes(name)
    except KeyError:
        raise Unknown(RefusalCode.NO_FILE) from None
    is_named = request.url.query and asset(name).endswith(f"?{request.url.query}")
    age = "max-age=31536000, immutable" if is_named else "max-age=3600"
    return Response(
        content,
        media_type=_TYPES[name.rpartition(".")[2]],
        headers={"Cache-Control": f"public, {age}"},
    )
