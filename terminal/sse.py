"""Server-sent events: parses a stream's bytes, and the time to wait before reconnecting."""

from collections.abc import Iterator
from typing import NamedTuple

RETRY_MS = 2_000


class Event(NamedTuple):
    """A state, and the id after which to go on."""

    id: str
    data: str


class Stream:
    """Makes events of a stream's bytes; ``retry_ms`` is how long to wait before coming back."""

    def __init__(self) -> None:
        self.retry_ms = RETRY_MS
        self._rest = b""
        self._id = ""
        self._data: list[str] = []

    def take(self, received: bytes) -> Iterator[Event]:
        """The events that are complete with these bytes."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        for line in lines:
            event = self._line(line.removesuffix(b"\r").decode("utf-8", "replace"))
            if event is not None:
                yield event

    def _line(self, line: str) -> Event | None:
        if not line:
            data, self._data = self._data, []
            return Event(self._id, "\n".join(data)) if data else None
        # A line that begins with a colon is a comment, which keeps the connection alive.
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit() and len(value) <= 9:
                self.retry_ms = int(value)
        return None

    def cut(self) -> None:
        """Drop an incomplete event, as the stream broke off."""
        self._rest, self._data = b"", []
