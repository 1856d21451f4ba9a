"""Files that are sent to us: as the body of a request, or as a field of a form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.exceptions import HTTPException

from schemas.refusals import RefusalCode
from services.storefront.problems import Invalid

MULTIPART = "multipart/form-data"
#: Files and other fields of one form.
FILES_MAX, FIELDS_MAX = 8, 100


def kind_of(headers: Headers) -> str:
    """The media type of a body, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def multipart(request: Request) -> AsyncIterator[FormData]:
    """The fields of a form with files. Raises ``Invalid``.

    It is in UTF-8: a form that names another encoding is not one of ours.
    """
    if "charset" in request.headers.get("content-type", "").lower():
        raise Invalid(RefusalCode.NOT_OUR_FORM)
    if await _boundaries(request) > FILES_MAX + FIELDS_MAX + 1:
        raise Invalid(RefusalCode.UNREADABLE)
    try:
        async with request.form(max_files=FILES_MAX, max_fields=FIELDS_MAX) as form:
            yield form
    except HTTPException:
        raise Invalid(RefusalCode.UNREADABLE) from None


async def _boundaries(request: Request) -> int:
    """How often the text between the fields stands in a body.

    Wherever it stands, the parser looks closer, on the event loop: a million times take seconds.
    """
    _, parameters = parse_options_header(request.headers.get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    return (await request.body()).count(b"\r\n--" + boundary) if boundary else 0


async def file_in(request: Request) -> bytes:
    """The one file of a request; empty if there is none. Raises ``Invalid``."""
    if kind_of(request.headers) != MULTIPART:
        return await request.body()
    async with multipart(request) as form:
        for _, each in form.multi_items():
            if isinstance(each, UploadFile):
                return await each.read()
    return b""
