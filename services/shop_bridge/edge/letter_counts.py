"""The dead letters of webhooks, polls and outboxes: counted over restarts, and named in the log.

They belong to no partition, so their sums are kept in a file in ``STATE_DIR``. If the process is
killed after Kafka's answer and before the file is written, some are not counted.
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from runtime.dead_letters import TELLER, Buried
from runtime.metrics import DeadLetterCounts
from runtime.records import OutputRecord

#: The label ``processor``; these have no partition.
LABELS = ("shop_bridge-webhooks", "")
_log = structlog.get_logger()


class LetterCounts:
    """Sums by ``topic/reason/yes``, as partitions have them."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._path = folder / "shop_bridge" / "dead-letters.json"
        self._prefix = prefix
        self._counts: dict[str, int] = {}
        self._shown = DeadLetterCounts(LABELS)

    def load(self) -> None:
        """Load the file; without one, or if it is garbled, begin at 0."""
        try:
            told = json.loads(self._path.read_text())
            self._counts = {str(name): int(count) for name, count in told.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._counts = {}
        self._shown.show(self._counts)

    def add(self, letters: Iterable[OutputRecord]) -> None:
        """Count and log dead letters that Kafka has acknowledged."""
        now = time.monotonic()
        for letter in letters:
            # The dead letter's own headers come last: the record's may have the same names.
            said = {name: (text or b"").decode("utf-8", "replace") for name, text in letter.headers}
            topic = said["topic"].removeprefix(self._prefix)
            name = f"{topic}/{said['reason']}/yes"
            self._counts[name] = self._counts.get(name, 0) + 1
            place = said["partition"], said["offset"]
            TELLER.note(Buried(topic, *place, said["reason"], said["error"]), now)
        self._shown.show(self._counts)
        self._keep()

    def _keep(self) -> None:
        """Replace the file in one step; on a full disk only the counts are lost."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps(self._counts))
            draft.replace(self._path)
        except OSError as error:
            _log.warning("counts of dead letters can't be kept", error=str(error))
