"""What ops ask of a web process: the same three pages as every worker's."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


async def _always() -> str:
    return ""


def add_ops(app: FastAPI, unready: Callable[[], Awaitable[str]] = _always) -> None:
    """Add ``/livez``, ``/readyz`` and ``/metrics``; ``unready`` says why not, else nothing."""

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        why = await unready()
        return PlainTextResponse(f"{why}\n", 503) if why else PlainTextResponse("ok\n")

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
