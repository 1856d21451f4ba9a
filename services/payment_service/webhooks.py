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
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import Counter
from starlette.requests import ClientDisconnect

from runtime import acls, logs, traces, transport
from runtime.bodies import TooLargeError, read_body
from runtime.broker_watch import BrokerWatch, wanted_of
from runtime.clients import TransportError
from runtime.command_line import command_line, refuse_to_start
from runtime.late_producer import LateProducer
from runtime.private_files import keep_files_private
from runtime.records import Partitioner, as_record, milliseconds
from runtime.sent_counts import Tally
from runtime.settings import Settings, SettingsError, read_settings
from runtime.trace_settings import TraceSettings
from runtime.traced_app import NO_TELEMETRY
from runtime.web_server import serve
from schemas.payments import PAYMENT_REPORTS, PaymentDisputed, PaymentReported
from services.payment_service.edge.events import dispute_of, dispute_report, report_of
from services.payment_service.edge.stripe_lookup import Found, LookupFailedError, StripeLookup
from services.payment_service.settings import CardSettings, WebhookSettings

SUMMARY = "Hear Stripe's webhooks at /stripe."
BODY_BYTES_MAX = 1_000_000
TOLERANCE_SECONDS = 300
WEBHOOKS = Counter(
    "jointbuy_payment_webhooks_total",
    "Webhooks by what became of them: recorded, ignored, refused or failed.",
    ["outcome"],
)
Report = PaymentReported | PaymentDisputed
_log = structlog.get_logger()


class Lookup(Protocol):
    """Looks up the payment of an object of Stripe."""

    async def find(self, intent: str, charge: str) -> Found | None:
        """The payment of an intent or a charge. Raises ``LookupFailedError``."""


class Recorder(Protocol):
    """Takes reports; one that returns is safe."""

    async def start(self) -> None:
        """Get ready."""

    async def stop(self) -> None:
        """Let go of what is open."""

    async def record(self, report: Report) -> None:
        """Record a report. Raises when it is not safe."""

    async def unready(self) -> str:
        """Why no report can be recorded; empty if it can."""


class TopicRecorder:
    """Records reports on their topic."""

    def __init__(self, settings: Settings) -> None:
        acls.note_needs(write=wanted_of(settings, PAYMENT_REPORTS))
        self.watch = BrokerWatch(settings, wanted_of(settings, PAYMENT_REPORTS))
        self._topic = settings.topic(PAYMENT_REPORTS.name)
        self._partitioner = Partitioner(settings.partitions)
        self._producer = LateProducer(settings, self.watch)
        self._tally = Tally()

    async def start(self) -> None:
        """Begin to connect."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is under way, and disconnect."""
        await self._producer.stop()

    async def record(self, report: Report) -> None:
        """Send a report, and wait until it is acknowledged."""
        record = as_record(report, self._topic, self._partitioner, milliseconds(report.at))
        traces.stamp([record])
        with self._tally.sending(1):
            try:
                await transport.send(self._producer.get(), [record])
            except TransportError as error:
                self._producer.note(error)
                raise

    async def unready(self) -> str:
        """Why the server can't record reports; empty if it can."""
        is_there = self._producer.is_connected
        return self.watch.unready() or ("" if is_there else "not ready: no broker has answered yet")

    async def status(self) -> dict[str, object]:
        """What ``/status`` shows."""
        return {"publisher": self._tally.status()}


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


def build(recorder: Recorder, secrets: Sequence[str], lookup: Lookup) -> FastAPI:
    """The app; it connects when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await recorder.start()
        yield
        await recorder.stop()

    app = FastAPI(
        title="jointbuy payments", lifespan=lifespan, openapi_url=None, telemetry=NO_TELEMETRY
    )

    @app.post("/stripe")
    async def hear(request: Request) -> Response:
        try:
            body = await read_body(request, BODY_BYTES_MAX)
        except (TooLargeError, ClientDisconnect) as error:
            is_large = isinstance(error, TooLargeError)
            return _answer(
                "refused", 413 if is_large else 400, str(error) or "the body is not whole"
            )
        if not is_signed(body, request.headers.get("stripe-signature"), secrets):
            return _answer("refused", 400, "the signature is missing, wrong or too old")
        try:
            event = json.loads(body)
        except (ValueError, RecursionError):
            return _answer("refused", 400, "this is no JSON")
        try:
            report = await _report(event, lookup)
            if report is not None:
                await recorder.record(report)
        except Exception as error:
            why = str(error) if isinstance(error, LookupFailedError) else type(error).__name__
            # The broker's watch logs that a broker does not answer.
            if not await recorder.unready():
                _log.warning("a report could not be recorded", error=why)
            return _answer("failed", 503, "not now")
        if report is None:
            return _answer("ignored", 200, "event ignored")
        return _answer("recorded", 200, "recorded")

    return app


async def _report(event: Any, lookup: Lookup) -> Report | None:
    """The report of an event; for a dispute the payment is looked up first."""
    dispute = dispute_of(event)
    if dispute is None:
        return report_of(event)
    found = await lookup.find(dispute.intent, dispute.charge)
    return dispute_report(dispute, found.metadata, found.currency) if found else None


def _answer(outcome: str, status: int, text: str) -> Response:
    WEBHOOKS.labels(outcome).inc()
    # The rest of a body that is too large is not read, so nothing else can come after it.
    headers = {"Connection": "close"} if status == 413 else None
    return PlainTextResponse(text + "\n", status, headers)


def run() -> None:
    """Hear Stripe's webhooks."""
    keep_files_private()
    try:
        settings, hearing = read_settings(Settings), read_settings(WebhookSettings)
        cards = read_settings(CardSettings)
        logs.set_up(settings, "payment_service")
        traces.set_up("payment_service.webhooks")
    except SettingsError as error:
        refuse_to_start("webhooks", error)
    given = hearing.stripe_webhook_secrets.get_secret_value().split(",")
    secrets = [each.strip() for each in given if each.strip()]
    if not secrets:
        missing = SettingsError("STRIPE_WEBHOOK_SECRETS is empty: copy it from Stripe's page")
        refuse_to_start("webhooks", missing)
    recorder = TopicRecorder(settings)
    serve(
        build(recorder, secrets, StripeLookup(cards)),
        hearing,
        settings,
        recorder.watch,
        status=recorder.status,
        unready=recorder.unready,
    )


if __name__ == "__main__":
    every = (Settings, TraceSettings, WebhookSettings, CardSettings)
    command_line(run, "payment_service.webhooks", SUMMARY, *every)
