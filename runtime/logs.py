"""Structured logs: JSON lines for machines, columns for people; always to standard error.

No address is logged: the text of any error may quote somebody's input. Lines that the Kafka client
repeats many times a second are logged once a minute, or not at all if our own lines say the same:
see ``client_says``.
"""

import logging
import os
import sys
import threading
import time
from types import TracebackType
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from runtime.masking import without_addresses
from runtime.settings import Settings, unknown_variables
from runtime.traces import add_work

#: Seconds between two equal lines of the Kafka client, or of OpenTelemetry.
SELDOM_SECONDS: Final = 60.0
#: Beginnings of the client's lines about lost connections, about rebalances, and about errors that
#: it also raises. ``BrokerWatch``, ``Host`` and others log the same in one line.
SAID_BY_US: Final = (
    "Unable connect to ",
    "Unable to request metadata from ",
    "Unable to update metadata from ",
    "Failed fetch messages from ",
    "Failed fetch offsets from ",
    "Error sending %s to node ",
    "LeaveGroup request failed",
    "Marking the coordinator dead",
    "Group Coordinator Request failed",
    "Heartbeat session expired",
    "Heartbeat send request failed",
    "Heartbeat failed",
    "OffsetCommit failed",
    "FindCoordinator Request failed",
    "Cannot send %r to ",
    "Could not send ",
    "Got error produce response",
    "Topic %s not found in cluster metadata",
    "Topic %s is not available during auto-create initialization",
    "Topic %s is not authorized for this client",
    "Not authorized to read from topic ",
    "Received unknown topic or partition error in ",
    "Unexpected error in coordinator routine",
    "Unexpected error in fetcher routine",
    "Unexpected error in sender routine",
    "Unexpected error while fetching data",
    "Unexpected error during InitProducerIdRequest",
    "Unexpected error in join group ",
    "Attempt to join group failed due to fatal error",
    "Could not add partition ",
    "Could not add consumer group ",
    "Could not commit offset for partition ",
    "Could not end transaction ",
)
#: Beginnings of asyncio's lines about errors of tasks and futures that nobody awaited.
_NEVER_ASKED: Final = ("Future exception was never retrieved", "Task exception was never retrieved")


def client_says(record: logging.LogRecord) -> bool:
    """Whether a line of the Kafka client, or of asyncio about it, says what ours do not."""
    if record.name == "asyncio":
        # The client does not await futures of a fenced or closed producer; it raised their error.
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, KafkaError) and record.getMessage().startswith(_NEVER_ASKED))
    is_clients = record.name.partition(".")[0] == "aiokafka"
    return not is_clients or not str(record.msg).startswith(SAID_BY_US)


class _Seldom(logging.Filter):
    """Lets each line of the Kafka client and of OpenTelemetry through once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno <= logging.DEBUG:
            return True
        if not client_says(record):
            return False
        if record.name.partition(".")[0] not in ("aiokafka", "opentelemetry"):
            return True
        text, now = str(record.msg), time.monotonic()
        if now - self._said_at.get(text, -SELDOM_SECONDS) < SELDOM_SECONDS:
            return False
        self._said_at[text] = now
        return True


def set_up(settings: Settings, service: str) -> None:
    """Send every logger of the process through structlog, with the service's name on each line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_work,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback
    )
    if settings.log_format == "json":
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_addresses,
                renderer,
            ],
        )
    )
    handler.addFilter(_Seldom())
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # Each of these says at INFO what our own lines say better, or says it per poll.
    for noisy in ("aiokafka", "faust", "mode", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
    structlog.contextvars.bind_contextvars(service=service)
    # What Python would write by itself has no form: warnings, and an error that ends the process.
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_end
    threading.excepthook = lambda of: _log_end(of.exc_type, of.exc_value, of.exc_traceback)
    for line in unknown_variables(os.environ):
        structlog.get_logger().warning(line)


def _log_end(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    """Log an error that ends the process, or a thread of it."""
    if not issubclass(kind, KeyboardInterrupt):
        structlog.get_logger().critical(
            "an error ends it", error=f"{kind.__name__}: {error}", exc_info=(kind, error, trace)
        )


def _without_addresses(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {name: without_addresses(value) for name, value in event.items()}
