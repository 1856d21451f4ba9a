"""The due rows of a partition by time: a window of the store's index, and what a batch adds."""

import heapq

from runtime.store import Store, due_index_key

WINDOW = 4_096


class DueQueue:
    """Hands out due rows, earliest first, without holding all of them in memory.

    Up to ``WINDOW`` of the store's index are loaded; a new due row beyond the last one loaded is
    left to the store, and found there when the window moves on. Entries may be stale: who takes
    one looks at its row.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap: list[tuple[int, str]] = []
        # The index key of the last entry loaded; None when all are.
        self._loaded_to: bytes | None = b""
        self.load()

    def load(self) -> None:
        """Move the window on, if it is empty; only between batches, when the store has all."""
        while not self._heap and self._loaded_to is not None:
            entries = self._store.due_after(self._loaded_to, WINDOW)
            for at_ms, row_key, _ in entries:
                heapq.heappush(self._heap, (at_ms, row_key))
            self._loaded_to = entries[-1][2] if len(entries) == WINDOW else None

    def add(self, at_ms: int, row_key: str) -> None:
        """A due row was put."""
        if self._loaded_to is None or due_index_key(at_ms, row_key.encode()) <= self._loaded_to:
            heapq.heappush(self._heap, (at_ms, row_key))

    @property
    def exhausted(self) -> bool:
        """Whether the window must move on before the next due time is known."""
        return not self._heap and self._loaded_to is not None

    def earliest(self) -> int | None:
        """The earliest due time in milliseconds, stale ones included."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[int, str]:
        """Take the earliest."""
        return heapq.heappop(self._heap)
