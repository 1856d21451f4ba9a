"""``python -m services.payment_service.webhooks``: what Stripe tells, verified, to a topic.

A report is answered once Kafka has it; Stripe tells it again until then. What is not signed, or was
signed too long ago, is refused before it is read.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import stripe
import structlog
import typer
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import Counter

from schemas.messages import PaymentReported
from schemas.topics import PAYMENT_REPORTS
from services.payment_service.events import report_of
from services.payment_service.settings import WebhookSettings
from services.runtime import logs, transport
from services.runtime.pages import add_ops
from services.runtime.records import Partitioner, as_record, milliseconds
from services.runtime.settings import Settings

BODY_BYTES_MAX = 1_000_000
TOLERANCE_SECONDS = 300
WEBHOOKS = Counter(
    "jointbuy_payment_webhooks_total",
    "Webhooks by what became of them: recorded, ignored, refused or failed.",
    ["outcome"],
)
_log = structlog.get_logger()


class Recorder(Protocol):
    """Takes reports; one that returns is safe."""

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Let go of what is open."""

    async def record(self, report: PaymentReported) -> None:
        """Record a report. Raises when it is not safe."""


class TopicRecorder:
    """Records reports on their topic."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partitioner = Partitioner(PAYMENT_REPORTS.partitions)
        self._producer: Any = None

    async def start(self) -> None:
        """Connect."""
        self._producer = transport.producer(self._settings)
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        if self._producer is not None:
            await self._producer.stop()

    async def record(self, report: PaymentReported) -> None:
        """Send a report, and wait until it is acknowledged."""
        topic = self._settings.topic(PAYMENT_REPORTS.name)
        record = as_record(report, topic, self._partitioner, milliseconds(report.at))
        await transport.send(self._producer, [record])


def is_signed(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether Stripe signed these very bytes with one of the secrets, and not long ago."""
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(
                body.decode(), header or "", secret, TOLERANCE_SECONDS
            )
        except (stripe.SignatureVerificationError, ValueError):
            continue
        return True
    return False


def build(recorder: Recorder, secrets: Sequence[str]) -> FastAPI:
    """The app; it connects when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await recorder.start()
        yield
        await recorder.stop()

    app = FastAPI(title="jointbuy payments", lifespan=lifespan, openapi_url=None)

    @app.post("/stripe")
    async def hear(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _answer("refused", 413, "the request is too large")
        if not is_signed(body, request.headers.get("stripe-signature"), secrets):
            return _answer("refused", 400, "the signature is missing, wrong or too old")
        try:
            report = report_of(json.loads(body))
        except (ValueError, RecursionError):
            return _answer("refused", 400, "this is no JSON")
        if report is None:
            return _answer("ignored", 200, "of no matter here")
        try:
            await recorder.record(report)
        except Exception as error:
            _log.warning("a report could not be recorded", error=type(error).__name__)
            return _answer("failed", 503, "not now")
        return _answer("recorded", 200, "recorded")

    add_ops(app)
    return app


async def _body(request: Request) -> bytes | None:
    """The bytes as they came, or None if they are too many, whatever their header says."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _answer(outcome: str, status: int, text: str) -> Response:
    WEBHOOKS.labels(outcome).inc()
    return PlainTextResponse(text + "\n", status)


def run() -> None:
    """Hear Stripe's webhooks at /stripe. Settings come from the environment:

    STRIPE_WEBHOOK_SECRETS, WEB_HOST, WEB_PORT (8082), and those of Kafka as for the other services.
    """
    settings, hearing = Settings(), WebhookSettings()
    logs.set_up(settings, "payment_service")
    given = hearing.stripe_webhook_secrets.get_secret_value().split(",")
    secrets = [each.strip() for each in given if each.strip()]
    if not secrets:
        raise SystemExit("webhooks: STRIPE_WEBHOOK_SECRETS is empty: copy it from Stripe's page")
    app = build(TopicRecorder(settings), secrets)
    uvicorn.run(
        app, host=hearing.web_host, port=hearing.web_port, log_config=None, access_log=False
    )


if __name__ == "__main__":
    typer.run(run)
