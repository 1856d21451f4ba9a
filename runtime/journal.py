"""The journal of a partition's calls: a reply is on disk before anything uses it.

After a crash the same worker reads which calls were answered, and which had passed the point
after which their outcome is open.
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

from runtime.records import Headers


@dataclass(slots=True)
class Claim:
    """A call under way, at the ``server`` that it goes to.

    ``claim_id`` differs from those of all other claims, also of earlier calls of the same row.
    ``is_probe``: it tests whether a server that was down answers again. ``called_off``: it was
    cancelled because the server went down. ``trace``: the headers that its trace goes on in.
    """

    row_key: str
    claim_id: str
    request: Any
    lease_until: datetime
    server: str = ""
    is_probe: bool = False
    called_off: bool = False
    trace: Headers = ()


class Line(msgspec.Struct, omit_defaults=True):
    """A line of the journal: begun, or answered at a time in milliseconds."""

    row: str
    claim: str
    reply: msgspec.Raw = msgspec.Raw(b"")
    at: int = 0


class Journal:
    """The replies of one partition, one line each, on disk before anything uses them.

    It survives a crash of the process, not of the machine: lines are written, not synced.
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

    def begun(self, row_key: str, claim_id: str) -> None:
        """Note that a call begins: a crash now leaves its outcome open."""
        os.write(self._file, _begun(row_key, claim_id))

    def answered(self, claim: Claim, reply: Any, at_ms: int) -> None:
        """Note the reply of a call."""
        os.write(self._file, _answered(claim, reply, at_ms))

    def forget(self) -> None:
        """Clear it: none of its calls is open."""
        os.ftruncate(self._file, 0)

    def keep(self, begun: Mapping[str, str], answered: Iterable[tuple[Claim, Any, int]]) -> None:
        """Keep only these lines, in one step: a crash leaves either the old or the new file.

        A call missing here would count as not begun, and its repeat would not be counted.
        """
        partial = self._path.with_name(f"{self._path.name}.partial")
        with partial.open("wb") as file:
            file.writelines(_begun(row_key, claim_id) for row_key, claim_id in begun.items())
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
        """Close the file."""
        os.close(self._file)


def _begun(row_key: str, claim_id: str) -> bytes:
    return msgspec.json.encode(Line(row_key, claim_id)) + b"\n"


def _answered(claim: Claim, reply: Any, at_ms: int) -> bytes:
    encoded = msgspec.Raw(msgspec.json.encode(reply))
    return msgspec.json.encode(Line(claim.row_key, claim.claim_id, encoded, at_ms)) + b"\n"


def owner_of(folder: Path) -> str:
    """The name under which the worker of this folder claims, the same after a restart."""
    path = folder / "owner"
    with suppress(FileNotFoundError):
        return path.read_text()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(uuid.uuid4().hex)
    return path.read_text()
