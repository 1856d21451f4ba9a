"""The spans of a partition's fold: one for each record that a rule takes, for what falls due, and
for each pass of a chunk.

They end once their batch has committed. So a record that is folded again, as its batch did not
commit, has one span; and what is restored from the changelog has none.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from domain.ids import ids_in
from runtime.processor import Processor
from runtime.records import Headers
from runtime.rows import UnusableError
from runtime.spans import Tracing, named
from runtime.traces import TRACE_HEADERS, Work

#: Rows whose later step belongs to the trace of what put them.
_CONTINUED = ("call", "chunk")
#: Fields of messages that may have the id of a group purchase or an auction.
_IDS = ("group_id", "auction_id", "about")


class FoldSpans:
    """The spans of one fold, from a commit to the next."""

    def __init__(self, tracing: Tracing, processor: Processor, prefix: str, work: Work) -> None:
        """``prefix`` is that of the topics; ``work`` is told the trace of what is applied."""
        self._tracing = tracing
        self._group = prefix + processor.group_id
        self._prefix = prefix
        self._work = work
        # Spans of the batch in hand, with their ends in nanoseconds.
        self._done: list[tuple[Span, int]] = []
        # The traces of open calls, chunks and stashed records, by row key. They are in memory
        # alone: after a restart each begins a trace.
        self._begun: dict[str, Headers] = {}

    @contextmanager
    def step(
        self, key: str, cause: Any, rule: str, parent: Headers, given: Sequence[Any]
    ) -> Iterator[None]:
        """A rule is called: for a record with ``given[0]`` as its message, or for a row."""
        if not isinstance(cause, tuple) and cause.startswith("call/"):
            # The span of the call was made where it was done.
            with self._under(parent):
                yield
            return
        name, kind = _name_of(cause)
        span, trace = self._tracing.begin(name, kind, parent, {})
        if span.is_recording():
            about = _message_of(given[0]) if isinstance(cause, tuple) else ids_in(key)
            span.set_attributes(named({"rule": rule, **about}))
            if isinstance(cause, tuple):
                span.set_attributes(self._place_of(*cause))
        try:
            with self._under(trace):
                yield
        except UnusableError as error:
            span.set_attribute("error.type", str(error.reason))
            span.set_status(Status(StatusCode.ERROR))
            raise
        except Exception as error:
            # The batch will not commit.
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            span.end()
            raise
        finally:
            if span.is_recording():
                self._done.append((span, time.time_ns()))

    @contextmanager
    def _under(self, trace: Headers) -> Iterator[None]:
        self._work.trace = trace
        try:
            yield
        finally:
            self._work.trace = ()

    def _place_of(self, topic: str, partition: int, offset: int) -> dict[str, str | int]:
        """The place of a record, by OpenTelemetry's names."""
        return {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": self._prefix + topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
            "messaging.consumer.group.name": self._group,
        }

    # --- what is done later ----------------------------------------------------------------------

    def put(self, key: str, name: str, *, present: bool) -> None:
        """A row was put or deleted: a call or a chunk continues the trace of what put it."""
        row_key = f"{key}\x00{name}"
        if not present:
            self._begun.pop(row_key, None)
        elif self._work.trace and name.startswith(_CONTINUED):
            self._begun.setdefault(row_key, self._work.trace)

    def stash(self, key: str, name: str, headers: Headers) -> None:
        """A record waits; its trace goes on when it is applied."""
        if trace := tuple(each for each in headers if each[0] in TRACE_HEADERS):
            self._begun[f"{key}\x00{name}"] = trace

    def begun(self, key: str, name: str) -> Headers:
        """The trace that a row's step continues; empty if none is known."""
        return self._begun.get(f"{key}\x00{name}", ())

    def committed(self) -> None:
        """The batch is durable."""
        done, self._done = self._done, []
        for span, at_ns in done:
            span.end(at_ns)


def _name_of(cause: Any) -> tuple[str, SpanKind]:
    """The name and the kind of a step's span."""
    if isinstance(cause, tuple):
        return f"process {cause[0]}", SpanKind.CONSUMER
    # The rest of a row's name may be a member's id.
    table, name = cause.removeprefix("clock/").split("/")[:2]
    return f"{table} {name}", SpanKind.INTERNAL


def _message_of(message: Any) -> dict[str, str]:
    """The type of a message, and the ids in it."""
    ids = (getattr(message, each, None) for each in _IDS)
    return {"message": type(message).__name__, **ids_in(*ids)}
