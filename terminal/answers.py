"""Answers of the HTTP API and data of its events, read as the shapes of ``schemas.api``."""

from typing import Any, TypeVar

import orjson

from schemas.parts import Model

Shown = TypeVar("Shown", bound=Model)


def shown(kind: type[Shown], answered: Any) -> Shown:
    """Parse an answer, or an event's data, as this kind."""
    raw = answered if isinstance(answered, str | bytes) else orjson.dumps(answered)
    return kind.model_validate_json(raw)
