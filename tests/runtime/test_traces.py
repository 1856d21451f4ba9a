"""Traces go on from record to record where they are on, and leave no mark where they are off."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind

from domain.ids import derive, ids_in
from runtime import traces
from runtime.breaker import ServerDownError
from runtime.records import Headers, OutputRecord, milliseconds
from runtime.rule_errors import RuleError
from runtime.settings import SettingsError
from runtime.spans import Tracing, sampler_of
from runtime.store import Meta
from runtime.trace_settings import TraceSettings
from runtime.traced_app import traced
from runtime.traces import WORK
from tests.runtime import test_calls, test_rows
from tests.runtime.test_calls import Outside
from tests.runtime.test_rows import T, store_at
from tests.system.collector import collector

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
GROUP = derive("a request")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Traces are on in this process; what has ended comes here."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces._process.append(Tracing(provider))
    yield kept
    traces._process.clear()
    provider.shutdown()


def of(record: OutputRecord) -> dict[str, str]:
    """The trace headers of a record."""
    return {name: text.decode() for name, text in record.headers if name in traces.TRACE_HEADERS}


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


# --- what a traceparent may be -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ((("traceparent", PARENT),), TRACE),
        ((("traceparent", PARENT), ("tracestate", b"a=1")), TRACE),
        # A later version may have more after its flags.
        ((("traceparent", b"cc" + PARENT[2:] + b"-more"),), TRACE),
        ((), None),
        ((("traceparent", b""),), None),
        ((("traceparent", None),), None),
        ((("traceparent", PARENT + b"-more"),), None),
        ((("traceparent", b"ff" + PARENT[2:]),), None),
        ((("traceparent", PARENT.upper()),), None),
        ((("traceparent", PARENT[:-1]),), None),
        ((("traceparent", b"00-" + b"0" * 32 + b"-" + SPAN.encode() + b"-01"),), None),
        ((("traceparent", b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01"),), None),
        ((("traceparent", b"\xff\xfe" + PARENT),), None),
        ((("traceparent", b"cc" + PARENT[2:] + b"-" + b"x" * 5_000),), None),
        # Of two nobody knows which is right.
        ((("traceparent", PARENT), ("traceparent", PARENT)), None),
        ((("tracestate", b"a=1"),), None),
    ],
)
def test_only_a_valid_traceparent_is_continued(
    headers: Headers, trace: str | None, spans: InMemorySpanExporter
) -> None:
    tracing = traces.tracing()
    assert tracing is not None
    span, made = tracing.begin("any", SpanKind.CONSUMER, headers, {})
    span.end()
    (ended,) = spans.get_finished_spans()
    assert (trace_of(ended) == trace) is (trace is not None)
    assert parent_of(ended) == (SPAN if trace else "")
    _, own_trace, own_span, flags = dict(made)["traceparent"].decode().split("-")
    assert (own_trace, own_span) == (trace_of(ended), id_of(ended))
    assert int(flags, 16) & 1


@pytest.mark.parametrize(
    ("state", "goes_on"),
    [(b"a=1,b=2", "a=1,b=2"), (b"x=" + b"y" * 600, None), (b"no state", None), (b"\xff", None)],
)
def test_a_tracestate_goes_on_if_it_is_valid_and_short(
    state: bytes, goes_on: str | None, spans: InMemorySpanExporter
) -> None:
    tracing = traces.tracing()
    assert tracing is not None
    given = (("traceparent", PARENT), ("tracestate", state))
    _, made = tracing.begin("any", SpanKind.CONSUMER, given, {})
    found = dict(made).get("tracestate")
    assert (found and found.decode()) == goes_on


# --- a partition ---------------------------------------------------------------------------------


class Traced(test_rows.Partition):
    """Orders with a traceparent."""

    def give(self, quantity: int, key: str = GROUP, headers: Headers = ()) -> None:
        self.headers = headers
        self.order(quantity, key=key)

    def sent(self) -> list[OutputRecord]:
        """What the batch sends, committed."""
        rows, outputs = self.fold.take()
        self.store.write(rows, Meta(cluster="cluster", stashed=self.fold.stashed))
        self.fold.committed()
        return outputs


def test_what_a_record_leads_to_continues_its_trace(spans: InMemorySpanExporter) -> None:
    with store_at() as store:
        partition = Traced(store)
        partition.give(2, headers=(("traceparent", PARENT), ("tracestate", b"a=1")))
        partition.give(3, derive("another"))
        assert spans.get_finished_spans() == (), "no span ends before its batch has committed"
        outputs = partition.sent()
    first, second = spans.get_finished_spans()
    assert (first.name, first.kind) == ("process orders", SpanKind.CONSUMER)
    assert (trace_of(first), parent_of(first)) == (TRACE, SPAN)
    assert first.attributes is not None
    assert first.attributes["messaging.kafka.offset"] == 1
    assert first.attributes["messaging.consumer.group.name"] == "test_service-tallies"
    assert first.attributes["jointbuy.group_purchase_id"] == GROUP
    assert first.attributes["jointbuy.rule"] == "count"
    assert parent_of(second) == "", "a record without a trace begins one"
    # The facts of a batch go out at its end; each belongs to the record that changed its row.
    assert [of(each)["traceparent"] for each in outputs] == [
        f"00-{trace_of(each)}-{id_of(each)}-{each.context.trace_flags:02x}"
        for each in (first, second)
    ]
    assert of(outputs[0])["tracestate"] == "a=1"


def test_a_batch_that_does_not_commit_has_no_spans(spans: InMemorySpanExporter) -> None:
    with store_at() as store:
        Traced(store).give(2, headers=(("traceparent", PARENT),))
        again = Traced(store)
        again.give(2, headers=(("traceparent", PARENT),))
        again.sent()
    assert len(spans.get_finished_spans()) == 1


def test_a_deadline_begins_a_trace_and_names_its_group(spans: InMemorySpanExporter) -> None:
    with store_at() as store:
        partition = Traced(store)
        partition.give(2, headers=(("traceparent", PARENT),))
        partition.sent()
        partition.fold.due.load()
        partition.fold.now_ms = milliseconds(T + timedelta(hours=2))
        partition.fold.fire()
        (output,) = partition.sent()
    _, fired = spans.get_finished_spans()
    assert (fired.name, parent_of(fired)) == ("due close", "")
    assert trace_of(fired) != TRACE
    assert (fired.attributes or {})["jointbuy.group_purchase_id"] == GROUP
    assert of(output)["traceparent"].split("-")[1] == trace_of(fired)


def test_passes_of_a_chunk_and_records_that_wait_for_it_continue_their_traces(
    spans: InMemorySpanExporter,
) -> None:
    with store_at() as store:
        partition = Traced(store)
        partition.give(50, headers=(("traceparent", PARENT),))
        partition.give(1, headers=(("traceparent", PARENT.replace(b"b7ad", b"aaaa")),))
        partition.sent()
        (begun,) = spans.get_finished_spans()
        while partition.fold.ready():
            partition.fold.advance(GROUP)
        partition.sent()
    _, *passes, waited = spans.get_finished_spans()
    assert {(each.name, parent_of(each)) for each in passes} == {("chunk slowly", id_of(begun))}
    assert (waited.name, parent_of(waited)) == ("process orders", SPAN.replace("b7ad", "aaaa"))


def test_a_rule_that_raises_has_a_failed_span_and_a_line_with_its_ids(
    spans: InMemorySpanExporter,
) -> None:
    with store_at() as store:
        partition = Traced(store)
        with pytest.raises(RuleError) as raised:
            partition.give(13, headers=(("traceparent", PARENT),))
    (failed,) = spans.get_finished_spans()
    assert failed.status.status_code.name == "ERROR"
    assert not failed.status.description, "the words of an error may be about a person"
    assert not failed.events
    assert raised.value.about == {
        "group_purchase_id": GROUP,
        "trace_id": TRACE,
        "span_id": id_of(failed),
    }


# --- calls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [(None, "done"), (ServerDownError("away"), "server-down"), (KeyError("bug"), "failed")],
)
async def test_a_call_continues_the_trace_of_what_asked_for_it(
    answer: Any, outcome: str, spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    outside = Outside(answers=[answer] if answer else [])
    partition = test_calls.Partition(tmp_path, outside)
    partition.fold.work.trace = (("traceparent", PARENT),)
    partition.want(GROUP)
    partition.fold.work.trace = ()
    partition.turn()
    await outside.was_asked()
    outside.answer_allowed.set()
    await partition.answered()
    (span,) = spans.get_finished_spans()
    assert (span.name, span.kind, parent_of(span)) == ("call ask", SpanKind.CLIENT, SPAN)
    attributes = span.attributes or {}
    assert attributes["jointbuy.outcome"] == outcome
    assert attributes["jointbuy.group_purchase_id"] == GROUP
    assert (span.status.status_code.name == "ERROR") is (outcome != "done")
    assert not span.events, "an event would have the words of the error"
    await partition.crash()


async def test_a_call_of_another_worker_s_begins_a_trace(
    spans: InMemorySpanExporter, tmp_path: Path
) -> None:
    outside = Outside()
    outside.answer_allowed.set()
    partition = test_calls.Partition(tmp_path, outside)
    partition.want(GROUP)
    partition.turn()
    await partition.answered()
    assert [parent_of(each) for each in spans.get_finished_spans()] == [""]
    await partition.crash()


# --- requests ------------------------------------------------------------------------------------


async def request(app: Any, method: str, headers: list[tuple[bytes, bytes]]) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(_: Any) -> None:
        return None

    path = "/links/a-token-of-somebody"
    scope = {"type": "http", "method": method, "path": path, "headers": headers,
             "query_string": b"token=a-token-of-somebody"}  # fmt: skip
    await app(scope, receive, send)


async def test_a_request_that_changes_something_has_a_span_and_its_records_continue_it(
    spans: InMemorySpanExporter,
) -> None:
    sent = OutputRecord("orders", 0, b"k", b"v", 0, [("ce_id", b"1")])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path_format="/links/{token}")
        traces.stamp([sent])
        await send({"type": "http.response.start", "status": 201, "headers": []})

    guarded = traced(app)
    await request(guarded, "GET", [])
    assert spans.get_finished_spans() == ()
    assert of(sent) == {}, "a request that reads has no trace"
    await request(guarded, "POST", [(b"traceparent", PARENT), (b"cookie", b"secret")])
    (span,) = spans.get_finished_spans()
    assert (span.name, parent_of(span)) == ("POST /links/{token}", SPAN)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/links/{token}",
        "http.response.status_code": 201,
    }
    assert of(sent)["traceparent"].split("-")[1:3] == [TRACE, id_of(span)]
    assert WORK.get() is None


async def test_a_request_that_fails_has_a_failed_span(spans: InMemorySpanExporter) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("the words of somebody")

    with pytest.raises(ValueError, match="somebody"):
        await request(traced(app), "POST", [])
    (span,) = spans.get_finished_spans()
    assert (span.name, span.status.status_code.name) == ("POST", "ERROR")
    assert "somebody" not in span.to_json()


# --- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GROUP, {"group_purchase_id": GROUP}),
        ("a-0123456789abcdef0123", {"auction_id": "a-0123456789abcdef0123"}),
        ("GB-AAAAA-AAAAA-B", {}),
        ("a-ann@people.example", {}),
        ("ann", {}),
        (None, {}),
    ],
)
def test_only_ids_of_ours_are_taken_for_ids(text: Any, found: dict[str, str]) -> None:
    assert ids_in(text) == found


# --- on and off ----------------------------------------------------------------------------------

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OFF: list[dict[str, str]] = [
    {},
    {ENDPOINT: ""},
    {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
    {ENDPOINT: "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
]


@pytest.mark.parametrize("env", OFF)
def test_off_nothing_of_the_sdk_is_imported_and_no_record_is_changed(env: dict[str, str]) -> None:
    program = """
import sys
from runtime import traces
import services.order_service.__main__, services.notifier.__main__, runtime.web_server
traces.set_up("order_service")
assert traces.tracing() is None
app = object()
from runtime.store import Meta
from runtime.traced_app import traced
assert traced(app) is app
from tests.runtime import test_rows
with test_rows.store_at() as store:
    partition = test_rows.Partition(store)
    partition.order(2)
    rows, outputs = partition.fold.take()
    assert outputs
    assert all(not name.startswith("trace") for each in outputs for name, _ in each.headers)
ours = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf")
print([name for name in sys.modules if name.startswith(ours)])
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({ENDPOINT: "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: give an address such as"),
        ({ENDPOINT: "http://"}, "OTEL_EXPORTER_OTLP_ENDPOINT: give an address such as"),
        (
            {ENDPOINT: "http://c:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: give http/protobuf",
        ),
        (
            {ENDPOINT: "http://c:1", "OTEL_TRACES_SAMPLER": "some"},
            "OTEL_TRACES_SAMPLER: give",
        ),
        (
            {ENDPOINT: "http://c:1", "OTEL_TRACES_SAMPLER_ARG": "2"},
            "OTEL_TRACES_SAMPLER_ARG: give a number",
        ),
    ],
)
def test_a_setting_that_can_t_work_is_refused_in_a_line(
    env: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        traces.set_up("tests")
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert traces.tracing() is None


@pytest.mark.parametrize(
    ("name", "share", "description"),
    [
        ("always_on", 0.5, "TraceIdRatioBased{1.0}"),
        ("always_off", 0.5, "TraceIdRatioBased{0.0}"),
        ("traceidratio", 0.5, "TraceIdRatioBased{0.5}"),
        ("parentbased_traceidratio", 0.25, "ParentBased{root:TraceIdRatioBased{0.25}"),
        ("parentbased_always_on", 0.5, "ParentBased{root:TraceIdRatioBased{1.0}"),
    ],
)
def test_the_sampler_is_the_one_of_the_settings(name: str, share: float, description: str) -> None:
    settings = TraceSettings.model_validate(
        {"otel_traces_sampler": name, "otel_traces_sampler_arg": share}
    )
    assert sampler_of(settings).get_description().startswith(description)


def test_a_trace_that_is_not_kept_goes_on_as_such() -> None:
    """Else the next service would begin one of its own."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    traces._process.append(Tracing(provider))
    try:
        with store_at() as store:
            partition = Traced(store)
            partition.give(2)
            (output,) = partition.sent()
    finally:
        traces._process.clear()
    assert not int(of(output)["traceparent"][-2:], 16) & 1
    assert kept.get_finished_spans() == ()


def test_a_process_that_ends_sends_what_it_has_and_waits_for_nobody_long() -> None:
    program = """
from runtime import traces
from opentelemetry.trace import SpanKind
traces.set_up("tests")
span, _ = traces.tracing().begin("the last", SpanKind.INTERNAL, (), {})
span.end()
"""
    with collector() as running:
        env = {ENDPOINT: running.url, "OTEL_SERVICE_NAME": "mine"}
        subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=20)
        assert [(each.service, each.name) for each in running.spans()] == [("mine", "the last")]
    with collector(503) as busy:
        env = {ENDPOINT: busy.url}
        answer = subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=20,
                                capture_output=True, text=True)  # fmt: skip
        assert busy.paths
        assert answer.stdout.count("\n") + answer.stderr.count("\n") <= 1, answer.stderr
