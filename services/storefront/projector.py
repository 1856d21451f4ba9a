"""``python -m services.storefront.projector``."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import structlog
import typer
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from services.runtime import logs
from services.runtime.brokers import free_port
from services.runtime.pages import add_ops
from services.runtime.private import keep_files_private
from services.runtime.settings import Settings, SettingsError, read_settings
from services.storefront.model.database import DatabaseError
from services.storefront.model.projecting import Projector
from services.storefront.settings import ModelSettings

STOP_SECONDS = 20.0
_log = structlog.get_logger()


def pages(projector: Projector, *, rebuild: bool) -> FastAPI:
    """What says how it stands; the projector works for as long as they are served."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the projector stops", error=str(error), exc_info=error)
            os.kill(os.getpid(), signal.SIGTERM)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(projector.run(rebuild=rebuild))
        task.add_done_callback(ended)
        yield
        projector.stop()
        await asyncio.wait({task}, timeout=STOP_SECONDS)

    app = FastAPI(title="storefront projector", lifespan=lifespan, openapi_url=None)

    async def unready() -> str:
        return "" if projector.ready else "not yet"

    add_ops(app, unready)

    @app.get("/status")
    async def status() -> Response:
        return JSONResponse(projector.status())

    return app


def run(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Drop the read model and read the topics again.")
    ] = False,
) -> None:
    """Copy every fact into the read model. Settings come from the environment:

    DATABASE_URL (storefront.db in STATE_DIR), WEB_HOST, WEB_PORT (0 picks one), and those of Kafka
    as for the other services. Others that run are told by the rows' positions to begin anew too.
    """
    keep_files_private()
    try:
        settings, model = read_settings(Settings), read_settings(ModelSettings)
        logs.set_up(settings, "storefront-projector")
        projector = Projector(settings, model.database)
    except (DatabaseError, SettingsError) as error:
        raise SystemExit(f"storefront.projector: {error}") from None
    port = settings.web_port or free_port()
    _log.info("the projector starts", web=str(port))
    app = pages(projector, rebuild=rebuild)
    uvicorn.run(app, host=settings.web_host, port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    typer.run(run)
