"""The rows of a key as a rule sees them, read from the overlay and put through the fold."""

from collections.abc import Callable, Iterator
from typing import Any

from runtime.overlay import Overlay
from runtime.rows import Table

#: Puts the row of a name, or deletes it if the row is ``None``.
Put = Callable[["KeyRows", str, Any], None]


class KeyRows:
    """The rows of one key over a batch: for rules ``rows.Rows``, for the runtime with any names."""

    __slots__ = ("_overlay", "_put", "key")

    def __init__(self, key: str, overlay: Overlay, put: Put) -> None:
        self.key = key
        self._overlay = overlay
        self._put = put

    def get(self, name: str) -> Any:
        """The row of that name, or ``None``."""
        return self._overlay.get(self.key, name)

    def __getitem__(self, name: str) -> Any:
        row = self._overlay.get(self.key, name)
        if row is None:
            raise KeyError(name)
        return row

    def __contains__(self, name: object) -> bool:
        return self._overlay.get(self.key, str(name)) is not None

    def __setitem__(self, name: str, row: Any) -> None:
        self._put(self, name, row)

    def __delitem__(self, name: str) -> None:
        self._put(self, name, None)

    def scan(
        self, table: Table[Any], *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """As ``rows.Rows.scan``."""
        return self._overlay.scan(self.key, table.prefix(*parts), after, reverse=reverse)
