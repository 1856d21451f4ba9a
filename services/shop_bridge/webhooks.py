"""``python -m services.shop_bridge.webhooks``: the page that shops' webhooks are posted to.

    shops ─▶ /webhooks/<name> ─▶ shop-events, orders

Beside it, in the same process: polls of what WooCommerce's webhooks lost, and readers of outboxes.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic, perf_counter
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import Field
from starlette.requests import ClientDisconnect

from runtime import logs, traces
from runtime.bodies import TooLargeError, read_body
from runtime.clients import ends_session, is_being_cancelled
from runtime.command_line import command_line, refuse_to_start
from runtime.lasting_errors import Judge
from runtime.private_files import keep_files_private
from runtime.settings import Settings, SettingsError, read_settings
from runtime.trace_settings import TraceSettings
from runtime.traced_app import NO_TELEMETRY
from runtime.web_server import serve
from runtime.web_settings import WebSettings
from services.shop_bridge.edge.metrics import WEBHOOK_SECONDS, WEBHOOKS
from services.shop_bridge.edge.outbox_reader import follow_outbox
from services.shop_bridge.edge.polls import poll_shop
from services.shop_bridge.edge.publisher import NotAcknowledgedError, Publisher
from services.shop_bridge.edge.receipt import RETRY_SECONDS, Receiver
from services.shop_bridge.shops import BridgeSettings, Shop, ShopsError, read_shops

Task = Callable[[], Coroutine[Any, Any, None]]
RESTART_SECONDS = 5.0
LASTING_SECONDS = 300.0
SUMMARY = "Take the webhooks of shops at /webhooks/<name>."
_log = structlog.get_logger()


class HookSettings(WebSettings):
    """Settings of the server that shops post to."""

    web_port: int = Field(8081, ge=1, le=65_535, description="The public port.")
    # Shops give up after some seconds, so a slower client is not a shop.
    body_seconds: float = Field(
        10.0, gt=0, description="Time from the head to the whole body; then 408."
    )


def build(
    shops: Sequence[Shop],
    publisher: Publisher,
    settings: BridgeSettings,
    beside: Sequence[Task] = (),
) -> FastAPI:
    """The app; it connects when it starts, and runs what is ``beside`` it until it stops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await publisher.start()
        tasks = [asyncio.create_task(_keep_running(each, publisher)) for each in beside]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await publisher.stop()

    app = FastAPI(
        title="jointbuy shop bridge", lifespan=lifespan, openapi_url=None, telemetry=NO_TELEMETRY
    )
    receiver = Receiver(shops, publisher)
    places = asyncio.Semaphore(settings.webhooks_at_once)

    async def take(request: Request) -> Response:
        source = request.path_params["source"]
        began = perf_counter()
        if not receiver.knows(source):
            return _said(404, "no such shop")
        try:
            body = await read_body(request, settings.webhook_bytes_max)
        except TooLargeError as error:
            WEBHOOKS.labels(source, "other", "too-large").inc()
            return _said(413, str(error))
        except ClientDisconnect:
            return _said(400, "the body is not whole")
        # A webhook takes a place only once its body is whole, so a slow sender keeps nobody out.
        if places.locked():
            WEBHOOKS.labels(source, "other", "busy").inc()
            return _said(503, "not now, send it again")
        async with places:
            answer = await receiver.receive(source, request.headers, body)
        WEBHOOK_SECONDS.observe(perf_counter() - began)
        return _said(answer.status, answer.text)

    # A plain route: there is nothing in a raw body for FastAPI to validate.
    app.router.add_route("/webhooks/{source}", take, methods=["POST"])

    return app


def _said(status: int, text: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 413:
        # The rest of the body is not read, so nothing else can come on this connection.
        headers["Connection"] = "close"
    return PlainTextResponse(f"{text}\n", status, headers)


async def _keep_running(task: Task, publisher: Publisher) -> None:
    """Run for ever; after an error the task is logged and begun again.

    A lasting error is one line, and the task begins again after minutes:
    it affects one shop, and the others go on. The watch logs that a broker does not answer.
    """
    judge = Judge()
    while True:
        seconds = RESTART_SECONDS
        try:
            await task()
        except asyncio.CancelledError:
            # The Kafka client may raise this after a lost connection: that must not end the task.
            if is_being_cancelled():
                raise
        except Exception as error:
            if (failure := judge.stays(error, monotonic())) is not None:
                _log.error("a shop can't be followed", error=str(failure))
                seconds = LASTING_SECONDS
            elif not (isinstance(error, NotAcknowledgedError) or ends_session(error)):
                _log.warning("a task begins again", error=f"{type(error).__name__}", exc_info=error)
            elif await publisher.watch.look():
                _log.warning("a task begins again", error=f"{type(error).__name__}: {error}")
        await publisher.watch.until_there()
        await asyncio.sleep(seconds)


def run() -> None:
    """Take the webhooks of shops."""
    keep_files_private()
    try:
        settings, ours = read_settings(Settings), read_settings(BridgeSettings)
        hooks = read_settings(HookSettings)
        logs.set_up(settings, "shop_bridge")
        traces.set_up("shop_bridge.webhooks")
        shops = read_shops(ours)
    except (SettingsError, ShopsError) as error:
        refuse_to_start("shop_bridge", error)
    publisher = Publisher(settings, ours.acknowledge_seconds)
    beside: list[Task] = []
    for shop in shops:
        if shop.rest is not None:
            beside.append(lambda shop=shop: poll_shop(shop, publisher, settings, ours))  # type: ignore[misc]
        if shop.kind == "outbox":
            beside.append(lambda shop=shop: follow_outbox(shop, publisher, settings))  # type: ignore[misc]
    _log.info("webhooks are taken", shops=[shop.name for shop in shops])
    app = build(shops, publisher, ours, beside)
    # Payloads make no reference cycles, so the garbage collector has nothing to find.
    gc.set_threshold(100_000, 50, 100)
    serve(
        app,
        hooks,
        settings,
        publisher.watch,
        status=partial(status, publisher),
        unready=partial(unready, publisher),
    )


async def status(publisher: Publisher) -> dict[str, object]:
    """What ``/status`` shows."""
    return {"publisher": publisher.status()}


async def unready(publisher: Publisher) -> str:
    """Why the server can't take webhooks; empty if it can."""
    return "" if publisher.is_connected else "not ready: no broker has answered yet"


if __name__ == "__main__":
    every = (Settings, TraceSettings, HookSettings, BridgeSettings)
    command_line(run, "shop_bridge.webhooks", SUMMARY, *every)
