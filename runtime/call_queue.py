"""The calls of a partition that have not begun, by time or by the server they wait for."""

import heapq


class CallQueue:
    """The oldest first. Entries may be stale: check the row of an entry."""

    def __init__(self) -> None:
        # (not before, in milliseconds of the wall clock; row key).
        self._heap: list[tuple[int, str]] = []
        # By server: row key -> the same time.
        self._held: dict[str, dict[str, int]] = {}

    def add(self, at_ms: int, row_key: str) -> None:
        """A call that may be made at a time."""
        heapq.heappush(self._heap, (at_ms, row_key))

    def hold(self, server: str, at_ms: int, row_key: str) -> None:
        """A call that waits for a server."""
        self._held.setdefault(server, {})[row_key] = at_ms

    def drop(self, row_key: str) -> None:
        """A call that waits for a server no longer."""
        for server, held in [*self._held.items()]:
            if held.pop(row_key, None) is not None and not held:
                del self._held[server]

    def free(self, server: str, *, all_of_them: bool) -> None:
        """Calls that wait for a server may be looked at: all of them, or the oldest."""
        held = self._held.pop(server, {})
        freed = [(at_ms, row_key) for row_key, at_ms in held.items()]
        if all_of_them:
            self._heap += freed
            heapq.heapify(self._heap)
        elif freed:
            oldest = min(freed)
            heapq.heappush(self._heap, oldest)
            del held[oldest[1]]
            if held:
                self._held[server] = held

    def take(self, wall_ms: int) -> tuple[int, str] | None:
        """The next call whose time has come."""
        return heapq.heappop(self._heap) if self.is_due(wall_ms) else None

    def is_due(self, wall_ms: int) -> bool:
        """Whether the time of a call that waits for no server has come."""
        return bool(self._heap) and self._heap[0][0] <= wall_ms

    def held(self) -> dict[str, int]:
        """The number of waiting calls by server."""
        return {server: len(calls) for server, calls in self._held.items()}
