"""Counts of the records that a producer has sent, for the process's ``/status``."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


class Tally:
    """Counts since the start of the process."""

    def __init__(self) -> None:
        self._acknowledged = 0
        self._failed = 0
        self._under_way = 0
        self._failed_at: datetime | None = None
        self._failure = ""

    @contextmanager
    def sending(self, records: int) -> Iterator[None]:
        """Count the records sent within the block; if it raises, they count as failed."""
        self._under_way += records
        try:
            yield
        except BaseException as error:
            self._failed += records
            self._failed_at = datetime.now(UTC)
            # Only the error's type: its text may contain a sender's data.
            self._failure = type(error).__name__
            raise
        else:
            self._acknowledged += records
        finally:
            self._under_way -= records

    def status(self) -> dict[str, object]:
        """Records acknowledged, failed and in progress, and the last failure."""
        at = self._failed_at.isoformat() if self._failed_at else None
        return {
            "acknowledged": self._acknowledged,
            "failed": self._failed,
            "under_way": self._under_way,
            "last_failure": {"at": at, "error": self._failure} if at else None,
        }
