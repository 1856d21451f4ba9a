"""The spans of HTTP requests that change something: the first of most traces.

Requests that only read have none. Neither paths nor queries are noted, as tokens stand in them:
only the route that a path matches.
"""

from typing import TYPE_CHECKING, Final

from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.ids import ids_in
from runtime.traces import TRACE_HEADERS, WORK, Work, tracing

if TYPE_CHECKING:
    from runtime.spans import Tracing

#: For FastAPI's own telemetry, which would note whole paths and queries, with the tokens in them.
NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}
_COMMANDS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NAMES: Final = {name.encode(): name for name in TRACE_HEADERS}


def traced(app: ASGIApp) -> ASGIApp:
    """The app with spans, or the app itself if traces are off."""
    makes = tracing()
    return app if makes is None else _TracedApp(app, makes)


class _TracedApp:
    """The outermost layer of an app."""

    def __init__(self, app: ASGIApp, tracing: "Tracing") -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a caller's ``traceparent`` counts if it is valid."""
        method = scope.get("method")
        if scope["type"] != "http" or method not in _COMMANDS:
            await self._app(scope, receive, send)
            return
        parent = tuple((_NAMES[name], text) for name, text in scope["headers"] if name in _NAMES)
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._tracing.request(method, parent) as span:
            token = WORK.set(Work(trace=span.trace))
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                WORK.reset(token)
                # FastAPI notes it in the scope once it has found it.
                span.route = getattr(scope.get("route"), "path_format", "")
                span.status = status
                span.ids = ids_in(*scope.get("path_params", {}).values())
