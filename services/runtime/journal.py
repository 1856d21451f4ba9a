"""The journal of a partition's calls: replies are on disk before they are anywhere else.

After a crash the same worker reads from it which calls were answered, and which had passed the
point from which on their outcome is open.
"""

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec


@dataclass(slots=True)
class Claim:
    """A call under way, at the ``server`` that it goes to.

    ``is_probe``: it finds out whether a server that was down is back. ``called_off``: it was
    cancelled because the server went down.
    """

    row_key: str
    tries: int
    request: Any
    lease_until: datetime
    server: str = ""
    is_probe: bool = False
    called_off: bool = False


class Line(msgspec.Struct, omit_defaults=True):
    """A line of the journal: begun, or answered at a time in milliseconds."""

    row: str
    tries: int
    reply: msgspec.Raw = msgspec.Raw(b"")
    at: int = 0


class Journal:
    """Replies on disk before they are anywhere else; one line each, of one partition.

    It outlives the process, not the machine: lines are handed to the system, not forced to disk.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._opened()

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)

    def lines(self) -> Iterator[Line]:
        """What it holds; a last line that a crash cut short is left out."""
        for line in self._path.read_bytes().split(b"\n"):
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=Line)

    def begun(self, row_key: str, tries: int) -> None:
        """From here on a crash leaves it open whether it was done."""
        os.write(self._file, _begun(row_key, tries))

    def answered(self, claim: Claim, reply: Any, at_ms: int) -> None:
        """What came of it."""
        os.write(self._file, _answered(claim, reply, at_ms))

    def forget(self) -> None:
        """Nothing it holds is open any more."""
        os.ftruncate(self._file, 0)

    def keep(self, begun: Mapping[str, int], answered: Iterable[tuple[Claim, Any, int]]) -> None:
        """Nothing else is open any more: in one step, so that a crash finds the one or the other.

        What was begun and forgotten would be taken for not begun, and done again uncounted.
        """
        partial = self._path.with_name(f"{self._path.name}.partial")
        with partial.open("wb") as file:
            file.writelines(_begun(row_key, tries) for row_key, tries in begun.items())
            file.writelines(_answered(*each) for each in answered)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        self.close()
        self._file = self._opened()

    @property
    def size(self) -> int:
        """In bytes."""
        return os.fstat(self._file).st_size

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)


def _begun(row_key: str, tries: int) -> bytes:
    return msgspec.json.encode(Line(row_key, tries)) + b"\n"


def _answered(claim: Claim, reply: Any, at_ms: int) -> bytes:
    encoded = msgspec.Raw(msgspec.json.encode(reply))
    return msgspec.json.encode(Line(claim.row_key, claim.tries, encoded, at_ms)) + b"\n"


def owner_of(folder: Path) -> str:
    """The name under which the worker of this folder claims, the same after a restart."""
    path = folder / "owner"
    with suppress(FileNotFoundError):
        return path.read_text()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(uuid.uuid4().hex)
    return path.read_text()
