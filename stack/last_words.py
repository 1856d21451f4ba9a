"""Why a process does not run, from the end of its log."""

import json
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


def last_error(log: Path) -> str:
    """The last line of a log that tells of trouble; empty if none does.

    Of a JSON line that is its ``error``, or else its event; other lines are what a process said
    that could not start.
    """
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - LAST_LINES_BYTES, 0))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            return line.strip()
        if isinstance(said, dict) and said.get("level") in ("warning", "error", "critical"):
            return str(said.get("error") or said.get("event"))
    return ""
