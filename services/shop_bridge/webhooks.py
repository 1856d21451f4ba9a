"""``python -m services.shop_bridge.webhooks``: the page that shops' webhooks are posted to.

    shops ─▶ /webhooks/<name> ─▶ shop-events, orders

Beside it, in the same process: polls of what WooCommerce's webhooks lost, and readers of outboxes.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import Any

import structlog
import typer
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from services.runtime import logs
from services.runtime.pages import add_ops
from services.runtime.settings import Settings
from services.shop_bridge.metrics import WEBHOOK_SECONDS, WEBHOOKS
from services.shop_bridge.outbox_reader import follow_outbox
from services.shop_bridge.polling import poll_shop
from services.shop_bridge.publisher import Publisher
from services.shop_bridge.receiving import RETRY_SECONDS, Receiver
from services.shop_bridge.shops import BridgeSettings, Shop, ShopsError, read_shops

Task = Callable[[], Coroutine[Any, Any, None]]
RESTART_SECONDS = 5.0
#: A sender that takes longer for a body must not keep a place that another waits for.
BODY_SECONDS = 10.0
_log = structlog.get_logger()


class TooLargeError(ValueError):
    """The body is larger than a webhook may be."""


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
        tasks = [asyncio.create_task(_keep_running(each)) for each in beside]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await publisher.stop()

    app = FastAPI(title="jointbuy shop bridge", lifespan=lifespan, openapi_url=None)
    receiver = Receiver(shops, publisher)
    places = asyncio.Semaphore(settings.webhooks_at_once)

    async def take(request: Request) -> Response:
        source = request.path_params["source"]
        began = perf_counter()
        if not receiver.knows(source):
            return _said(404, "no such shop")
        if places.locked():
            WEBHOOKS.labels(source, "other", "busy").inc()
            return _said(503, "not now, send it again")
        async with places:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await read_body(request, settings.webhook_bytes_max)
            except TooLargeError as error:
                WEBHOOKS.labels(source, "other", "too-large").inc()
                return _said(413, str(error))
            except ClientDisconnect:
                return _said(400, "the body is not whole")
            except TimeoutError:
                return _said(408, "the body takes too long")
            answer = await receiver.receive(source, request.headers, body)
        WEBHOOK_SECONDS.observe(perf_counter() - began)
        return _said(answer.status, answer.text)

    # A plain route: there is nothing in a raw body for FastAPI to validate.
    app.router.add_route("/webhooks/{source}", take, methods=["POST"])

    async def unready() -> str:
        return "" if await publisher.ready() else "not ready: no broker answers"

    add_ops(app, unready)
    return app


def _said(status: int, text: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status == 413:
        # The rest of the body is not read, so nothing else can come on this connection.
        headers["Connection"] = "close"
    return PlainTextResponse(f"{text}\n", status, headers)


async def read_body(request: Request, bytes_max: int) -> bytes:
    """The raw body. Raises ``TooLargeError`` before it is read whole."""
    told = request.headers.get("content-length", "0")
    if not told.isascii() or not told.isdigit() or len(told) > 12 or int(told) > bytes_max:
        raise TooLargeError(f"a webhook has at most {bytes_max} bytes")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bytes_max:
            raise TooLargeError(f"a webhook has at most {bytes_max} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _keep_running(task: Task) -> None:
    """Run for ever; what fails is said, and begun again."""
    while True:
        try:
            await task()
        except Exception as error:
            _log.warning("begins again", error=f"{type(error).__name__}", exc_info=error)
        await asyncio.sleep(RESTART_SECONDS)


def serve() -> None:
    """Take the webhooks of shops. Settings come from the environment:

    WEB_HOST, WEB_PORT (8081), SHOPS (a JSON list) or SHOPS_FILE, WEBHOOK_BYTES_MAX,
    WEBHOOKS_AT_ONCE, ACKNOWLEDGE_SECONDS, POLL_SECONDS, POLL_BACK_DAYS, STATE_DIR, and those of
    Kafka as for the other services.
    """
    settings, ours = Settings(), BridgeSettings()
    logs.set_up(settings, "shop_bridge")
    try:
        shops = read_shops(ours)
    except ShopsError as error:
        raise SystemExit(f"shop_bridge: {error}") from None
    publisher = Publisher(settings, ours.acknowledge_seconds)
    beside: list[Task] = []
    for shop in shops:
        if shop.rest is not None:
            beside.append(lambda shop=shop: poll_shop(shop, publisher, settings, ours))  # type: ignore[misc]
        if shop.kind == "outbox":
            beside.append(lambda shop=shop: follow_outbox(shop, publisher, settings))  # type: ignore[misc]
    _log.info("webhooks are taken", shops=[shop.name for shop in shops])
    app = build(shops, publisher, ours, beside)
    # What is loaded by now stays, and payloads make no cycles for a collector to look for.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            app,
            host=ours.web_host,
            port=ours.web_port,
            log_config=None,
            access_log=False,
            server_header=False,
            # Who posts is told by the signature, never by where it comes from.
            proxy_headers=False,
            timeout_graceful_shutdown=10,
        )


if __name__ == "__main__":
    typer.run(serve)
