"""``python -m services.storefront.projector``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from fastapi import FastAPI

from runtime import logs
from runtime.command_line import command_line, refuse_to_start
from runtime.pages import ops_pages
from runtime.private_files import keep_files_private
from runtime.settings import Settings, SettingsError, read_settings
from runtime.web_server import serve_ops
from services.storefront.readmodel.database import DatabaseError
from services.storefront.readmodel.projection import Projector
from services.storefront.settings import ModelSettings

STOP_SECONDS = 20.0


def pages(projector: Projector, *, rebuild: bool) -> FastAPI:
    """What says how it stands; the projector works for as long as they are served."""

    def ended(task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            projector.watch.give_up(error)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(projector.run(rebuild=rebuild))
        task.add_done_callback(ended)
        yield
        projector.stop()
        await asyncio.wait({task}, timeout=STOP_SECONDS)

    async def unready() -> str:
        return projector.watch.unready() or projector.unready()

    async def status() -> list[dict[str, Any]]:
        return projector.status()

    return ops_pages(status, unready, lifespan)


def run(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build a new read model beside the old one first.")
    ] = False,
) -> None:
    """Copy every fact into the read model."""
    keep_files_private()
    try:
        settings, model = read_settings(Settings), read_settings(ModelSettings)
        logs.set_up(settings, "storefront-projector")
        projector = Projector(settings, model.database)
    except (DatabaseError, OSError, SettingsError) as error:
        refuse_to_start("storefront.projector", error)
    serve_ops(pages(projector, rebuild=rebuild), settings, projector.watch)


if __name__ == "__main__":
    command_line(
        run,
        "storefront.projector",
        "Copy every fact into the read model. With --rebuild, it first reads the topics anew into"
        " another read model, which then takes the place of the old one. Pages show the old one"
        " until then, which other running projectors feed.",
        Settings,
        ModelSettings,
    )
