"""The pages for ops of a web process, on a separate address; workers have the same four."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from runtime.traced_app import NO_TELEMETRY


async def _always() -> str:
    return ""


def ops_pages(
    status: Callable[[], Awaitable[Any]],
    unready: Callable[[], Awaitable[str]] = _always,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """``/livez``, ``/readyz``, ``/status`` and ``/metrics``.

    ``unready`` says why the process is not ready, or an empty text; ``status`` is shown as JSON.
    They are a separate app, so no spelling of a public URL leads to them.
    """
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )

    @app.get("/livez")
    async def livez() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/readyz")
    async def readyz() -> Response:
        why = await unready()
        return PlainTextResponse(f"{why}\n", 503) if why else PlainTextResponse("ok\n")

    @app.get("/status")
    async def show_status() -> Response:
        return JSONResponse(await status())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
