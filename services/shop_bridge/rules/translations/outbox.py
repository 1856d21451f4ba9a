"""Debezium's outbox events as order messages of our own.

The event router puts the row's ``payload`` into the value, its ``id`` into a header and, if it is
told to, its ``type`` into another. Depending on the converter the payload is JSON, or JSON within
a JSON string, or in an envelope with its schema. It is read as a Standard Webhook's body is.
"""

import json
from collections.abc import Iterable
from typing import Any

from services.shop_bridge.rules.translations import payloads, standard
from services.shop_bridge.rules.translations.standard import Spoken

#: What the router calls the column ``type`` in the headers, as its settings name it.
TYPE_HEADERS = ("eventType", "type")


def event_id(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The outbox row's id, by which a repeated event is known."""
    for name, value in headers:
        if name == "id" and value:
            return _text(value)
    return None


def read(value: bytes, headers: Iterable[tuple[str, bytes]], source: str) -> Spoken:
    """The message of an event. Raises ``GarbledError`` or ``UnreadableError``."""
    body = _plain(payloads.parse(value))
    if isinstance(body, dict) and set(body) == {"schema", "payload"}:
        body = _plain(body["payload"])
    named = {name: _text(value) for name, value in headers if value}
    told = next((named[name] for name in TYPE_HEADERS if name in named), None)
    if isinstance(body, dict) and told and "type" not in body:
        body = {**body, "type": told}
    return standard.read(body, source)


def _plain(body: Any) -> Any:
    """JSON out of a JSON string."""
    return payloads.parse(body.encode("utf-8", "replace")) if isinstance(body, str) else body


def _text(value: bytes) -> str:
    """A header; Connect's JSON converter writes text with quotes."""
    text = value.decode("utf-8", "replace")
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
