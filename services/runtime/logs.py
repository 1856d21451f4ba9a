"""Structured logs: JSON lines for machines, columns for people; always to standard error.

No address gets there, whoever logs it: the words of any error may hold what somebody sent.
"""

import logging
import sys

import structlog

from services.runtime.masking import without_addresses
from services.runtime.settings import Settings


def set_up(settings: Settings, service: str) -> None:
    """Send every logger of the process through structlog, with the service's name on each line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    # Each of these says at INFO what our own lines say better, or says it per poll.
    for noisy in ("aiokafka", "faust", "mode", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
    structlog.contextvars.bind_contextvars(service=service)


def _without_addresses(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {name: without_addresses(value) for name, value in event.items()}
