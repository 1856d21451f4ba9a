"""``python -m services.storefront.projector``."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
import typer
from fastapi import FastAPI

from services.runtime import logs
from services.runtime.helping import command_line
from services.runtime.pages import ops_pages
from services.runtime.private import keep_files_private
from services.runtime.serving import serve_ops
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

    async def unready() -> str:
        return "" if projector.ready else "not yet"

    async def status() -> list[dict[str, Any]]:
        return projector.status()

    return ops_pages(status, unready, lifespan)


def run(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Drop the read model and read the topics again.")
    ] = False,
) -> None:
    """Copy every fact into the read model."""
    keep_files_private()
    try:
        settings, model = read_settings(Settings), read_settings(ModelSettings)
        logs.set_up(settings, "storefront-projector")
        projector = Projector(settings, model.database)
    except (DatabaseError, SettingsError) as error:
        raise SystemExit(f"storefront.projector: {error}") from None
    serve_ops(pages(projector, rebuild=rebuild), settings)


if __name__ == "__main__":
    command_line(
        run,
        "storefront.projector",
        "Copy every fact into the read model. With --rebuild, other running projectors begin"
        " anew too, as they see it by the rows' positions.",
        Settings,
        ModelSettings,
    )
