"""A bounded cache without book-keeping per look-up."""

from typing import Generic, TypeVar

T = TypeVar("T")


class TwoGenerations(Generic[T]):
    """Keeps at least the last ``size`` entries used and at most twice as many.

    When the young generation is full it becomes the old one and the old one is dropped; what is
    found in the old one is young again.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[str, T] = {}
        self._old: dict[str, T] = {}

    def get(self, key: str, default: T | None = None) -> T | None:
        """The entry, or ``default``."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return default
            self.put(key, found)
        return found

    def put(self, key: str, entry: T) -> None:
        """Keep ``entry``, which must not be ``None``."""
        young = self._young
        if len(young) >= self._size:
            self._old = young
            young = self._young = {}
        young[key] = entry

    def drop(self, key: str) -> None:
        """Forget the entry, if there is one."""
        self._young.pop(key, None)
        self._old.pop(key, None)
