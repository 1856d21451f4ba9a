"""The spans of a process, made with OpenTelemetry's SDK and sent to a collector.

A span goes to a thread that sends many at once. If the collector does not answer, spans are
dropped and the process works on. No provider is set for the whole process, as other libraries would
then make spans that we do not know.
"""

import atexit
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers

from runtime.records import Headers
from runtime.trace_settings import TraceSettings

#: When the process ends, spans that were not sent get this long.
FLUSH_SECONDS: Final = 2.0
#: Outcomes of calls without a reply.
_FAILURES: Final = ("server-down", "no-answer", "failed")
_CONTEXT: Final = TraceContextTextMapPropagator()
_NO_CONTEXT: Final = Context()
_log = structlog.get_logger()


class Tracing:
    """Makes the spans of a process."""

    def __init__(self, provider: TracerProvider, end: Callable[[], None] = lambda: None) -> None:
        self._tracer = provider.get_tracer("jointbuy", version("jointbuy"))
        #: Sends what was not sent, for at most ``FLUSH_SECONDS``; to be called once nothing begins.
        self.end = end

    @classmethod
    def to_collector(cls, settings: TraceSettings, service: str) -> "Tracing":
        """Spans go to the collector of the settings until the process ends."""
        # What its lines say of a collector that does not answer, ours say once.
        for name in ("opentelemetry.exporter", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        name = settings.otel_service_name or service
        given = settings.otel_exporter_otlp_headers.get_secret_value()
        exporter = OTLPSpanExporter(
            endpoint=settings.endpoint, headers=parse_env_headers(given, liberal=True) or None
        )
        sending = BatchSpanProcessor(_Exporter(exporter, settings.endpoint, service))
        told = {"service.name": name, "service.namespace": "jointbuy"}
        provider = TracerProvider(
            sampler_of(settings), Resource.create(told), shutdown_on_exit=False
        )
        provider.add_span_processor(sending)
        # The processor's own method waits for up to 30 s.
        flush = partial(sending._batch_processor.shutdown, int(FLUSH_SECONDS * 1000))
        atexit.register(flush)
        return cls(provider, flush)

    def begin(
        self, name: str, kind: SpanKind, parent: Headers, attributes: Mapping[str, Any]
    ) -> tuple[Span, Headers]:
        """A span, and the headers of what it leads to.

        Its parent is the one that ``traceparent`` names; without a valid one it begins a trace.
        """
        context = _CONTEXT.extract(parent, _NO_CONTEXT, _HEADERS) if parent else _NO_CONTEXT
        span = self._tracer.start_span(name, context, kind, attributes)
        return span, headers_of(span)

    @contextmanager
    def request(self, method: str, parent: Headers) -> Iterator["RequestSpan"]:
        """The span of a request to us."""
        span, trace = self.begin(method, SpanKind.SERVER, parent, {"http.request.method": method})
        of_request = RequestSpan(trace)
        try:
            yield of_request
        finally:
            if of_request.route:
                span.update_name(f"{method} {of_request.route}")
                span.set_attribute("http.route", of_request.route)
            span.set_attributes(named(of_request.ids))
            if of_request.status:
                span.set_attribute("http.response.status_code", of_request.status)
            if not 0 < of_request.status < 500:
                span.set_attribute("error.type", str(of_request.status or "no answer"))
                span.set_status(Status(StatusCode.ERROR))
            span.end()

    @contextmanager
    def call(
        self, name: str, server: str, about: Mapping[str, str], parent: Headers
    ) -> Iterator["CallSpan"]:
        """The span of a call to another server. One that is called off has no span."""
        attributes = named({**about, "server": server})
        span, trace = self.begin(f"call {name}", SpanKind.CLIENT, parent, attributes)
        of_call = CallSpan(trace)
        yield of_call
        span.set_attribute("jointbuy.outcome", of_call.outcome)
        if of_call.outcome in _FAILURES:
            span.set_attribute("error.type", of_call.outcome)
            span.set_status(Status(StatusCode.ERROR))
        span.end()


@dataclass(slots=True)
class RequestSpan:
    """The span of a request: the headers of what it leads to, its route and the ids in its path,
    and the answer's status.
    """

    trace: Headers
    route: str = ""
    status: int = 0
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class CallSpan:
    """The span of a call: the headers of what it leads to, and its outcome in a word."""

    trace: Headers
    outcome: str = ""


def sampler_of(settings: TraceSettings) -> Sampler:
    """The sampler of the settings. The SDK would take an empty variable for a wrong name."""
    name = settings.otel_traces_sampler
    kind = name.removeprefix("parentbased_")
    share = {"always_on": 1.0, "always_off": 0.0}.get(kind, settings.otel_traces_sampler_arg)
    sampler = TraceIdRatioBased(share)
    return sampler if kind == name else ParentBased(sampler)


def named(about: Mapping[str, str]) -> dict[str, str]:
    """Names and values of ours as the attributes of a span."""
    return {f"jointbuy.{name}": text for name, text in about.items()}


def headers_of(span: Span) -> Headers:
    """The headers of a record that a span leads to."""
    carrier: dict[str, str] = {}
    _CONTEXT.inject(carrier, set_span_in_context(span, _NO_CONTEXT))
    return tuple((name, text.encode()) for name, text in carrier.items())


class _HeadersGetter(Getter[Headers]):
    """Reads a record's headers; of two parents neither counts."""

    def get(self, carrier: Headers, key: str) -> list[str] | None:
        """The texts of a header."""
        # Kafka's headers may have no value, whatever their type says.
        found = [(text or b"").decode("ascii", "replace") for name, text in carrier if name == key]
        return None if key == "traceparent" and len(found) > 1 else (found or None)

    def keys(self, carrier: Headers) -> list[str]:
        """The names of all."""
        return [name for name, _ in carrier]


_HEADERS: Final = _HeadersGetter()


class _Exporter(SpanExporter):
    """Logs once that the collector takes no spans, and once that it takes them again."""

    def __init__(self, inner: SpanExporter, endpoint: str, service: str) -> None:
        self._inner = inner
        self._lost = 0
        # A thread of the SDK calls it, which does not have the fields of our lines. The rest of the
        # address may hold a password.
        self._log = _log.bind(service=service, collector=urlsplit(endpoint).hostname)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; what can't be sent is dropped."""
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            if self._lost:
                self._log.info("the collector takes spans again", lost=self._lost)
            self._lost = 0
            return result
        if not self._lost:
            self._log.warning("the collector takes no spans: they are dropped, work goes on")
        self._lost += len(spans)
        return result

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._inner.shutdown()
