"""Why a process does not run, from the end of its log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LAST_LINE_BYTES = 4_096
LAST_LINES_BYTES = 65_536


def last_words(log: Path) -> str:
    """Why a process ended: the last line of its log, or that line's ``error`` if it is JSON."""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - LAST_LINE_BYTES, 0))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    line = lines[-1] if lines else "its log is empty"
    try:
        said = json.loads(line)
    except ValueError:
        return line
    return str(said.get("error") or line) if isinstance(said, dict) else line


def last_error(log: Path, begins: int = 0) -> str:
    """The last line of a log that tells of trouble; empty if none does.

    The first ``begins`` bytes do not count. A JSON line gives its ``error``, or else its
    ``event``. Any other line comes from a process that could not start.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - LAST_LINES_BYTES, begins))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            return line.strip()
        if isinstance(said, dict) and said.get("level") in ("warning", "error", "critical"):
            return str(said.get("error") or said.get("event"))
    return ""


@dataclass(frozen=True)
class Logs:
    """The logs of a stack from a moment on; services append to them."""

    folder: Path
    begins: Mapping[str, int]

    @staticmethod
    def of(home: Path) -> "Logs":
        """The logs of a home folder from now on."""
        folder = home / "logs"
        return Logs(folder, {each.name: each.stat().st_size for each in folder.glob("*.log")})

    def last_error(self, service: str) -> str:
        """The last line that tells of trouble of a service; empty if none does."""
        name = f"{service}.log"
        return last_error(self.folder / name, self.begins.get(name, 0))
