"""A collector of traces: an HTTP server that reads OTLP's protobuf messages and keeps them."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Received:
    """A span as the collector has it; ids in hexadecimal."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, str | int]:
        return {
            each.key: each.value.int_value
            if each.value.HasField("int_value")
            else each.value.string_value
            for each in self.span.attributes
        }


@dataclass
class Collector:
    """One that is running at ``url``; ``bodies`` are the messages as they came, uncompressed."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    headers: list[dict[str, str]] = field(default_factory=list)

    def spans(self) -> list[Received]:
        """Every span so far, in the order of their beginnings."""
        found = []
        for body in [*self.bodies]:
            for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
                told = {
                    each.key: each.value.string_value for each in of_process.resource.attributes
                }
                found += [
                    Received(told["service.name"], span)
                    for scope in of_process.scope_spans
                    for span in scope.spans
                ]
        return sorted(found, key=lambda each: each.span.start_time_unix_nano)


@contextmanager
def collector(status: int = 200) -> Iterator[Collector]:
    """A collector on a port of its own, which answers with this status."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            running.paths.add(self.path)
            running.headers.append({name.lower(): text for name, text in self.headers.items()})
            if status == 200:
                running.bodies.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    running = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
