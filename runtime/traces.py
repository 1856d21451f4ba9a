"""Traces: which request led to a record, a letter or a payment, through all services.

A trace goes on in the headers ``traceparent`` and ``tracestate`` of records (W3C Trace Context).
Traces are off unless an endpoint for them is set. Then no record has these headers, and nothing of
OpenTelemetry's SDK is imported.
"""

import os
import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from domain.ids import ids_in
from runtime.records import Headers, OutputRecord
from runtime.settings import SettingsError, read_settings
from runtime.trace_settings import TraceSettings

if TYPE_CHECKING:
    from runtime.spans import Tracing

#: The headers of a record, and of a request, that continue a trace.
TRACE_HEADERS: Final = frozenset({"traceparent", "tracestate"})
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

# --- what a task works on ------------------------------------------------------------------------


@dataclass(slots=True)
class Work:
    """What a task works on now: for its log lines and for the records that it sends.

    ``key`` is the key of the rows, ``about`` more for log lines, without personal data. ``trace``
    is the task's span as the headers of a record; empty without traces.
    """

    key: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    trace: Headers = ()

    def told(self) -> dict[str, str]:
        """The fields of a log line."""
        told = {**ids_in(self.key), **self.about}
        for name, value in self.trace:
            if name == "traceparent" and (ids := _TRACEPARENT.fullmatch(value or b"")):
                told["trace_id"], told["span_id"] = (each.decode() for each in ids.groups())
        return told


#: That of the task that runs. A partition changes its own for each record, in place.
WORK: Final[ContextVar[Work | None]] = ContextVar("work", default=None)


def add_work(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """For structlog: add the ids of the task's work to a log line."""
    work = WORK.get()
    return event if work is None else {**work.told(), **event}


def stamp(records: Iterable[OutputRecord]) -> None:
    """Let records continue the trace of the task that runs, if it has one."""
    work = WORK.get()
    if work is None or not work.trace:
        return
    for record in records:
        record.headers.extend(work.trace)


# --- on or off -----------------------------------------------------------------------------------

_process: list["Tracing"] = []


def tracing() -> "Tracing | None":
    """What makes the spans of this process; ``None`` if traces are off."""
    return _process[0] if _process else None


def set_up(service: str) -> None:
    """Turn traces on if the environment asks for them. Raises ``SettingsError``."""
    _process.clear()
    settings = read_settings(TraceSettings)
    if not settings.endpoint:
        return
    address = urlsplit(settings.endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        if not os.environ.get(name):
            name = "OTEL_EXPORTER_OTLP_ENDPOINT"
        raise SettingsError(f"{name}: give an address such as http://collector:4318")
    try:
        from runtime.spans import Tracing
    except ImportError as error:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT needs {error.name}: install jointbuy[traces]"
        ) from None
    _process.append(Tracing.to_collector(settings, service))
