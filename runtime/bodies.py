"""A request's body as bytes, up to a limit of size. The server limits the time."""

from starlette.datastructures import Headers
from starlette.requests import Request


class TooLargeError(ValueError):
    """The body is larger than it may be."""


def is_told_too_large(headers: Headers, bytes_max: int) -> bool:
    """Whether ``Content-Length`` says more than the limit, or is not a length at all."""
    told = headers.get("content-length", "0")
    return not told.isascii() or not told.isdigit() or len(told) > 12 or int(told) > bytes_max


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The raw body. Raises ``TooLargeError`` as soon as too many bytes came.

    Raises starlette's ``ClientDisconnect`` if the client leaves before the end.
    """
    too_large = TooLargeError(f"a webhook may have at most {bytes_max} bytes")
    if is_told_too_large(request.headers, bytes_max):
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)
